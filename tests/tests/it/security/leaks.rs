//! A sweep of everything a host leaves behind (databases, write-ahead logs, the log at trace, answers) for the token, a
//! contact's words and a contact's number. Every other test's site is swept too, when the test ends (support/sweep.rs); here
//! the host had the worst of providers, and the sweep itself is tested: a planted token must be found.

use pointsman_emulator::Fault;

use crate::flow::conversation::SHOP;
use crate::support::stores::on_postgres;
use crate::support::sweep::{SECRETS, forms, hits};
use crate::support::{Site, TOKEN, get};

const NUMBER: &str = "15550177321";
const NAME: &str = "Quirina Vandermolen";
const WORDS: &str = "zweiundvierzig pistachio croissants";

#[tokio::test(flavor = "multi_thread")]
async fn a_whole_run_leaves_no_token_no_words_and_no_number_behind() {
    let site = Site::new(&[SHOP]).await;
    let process = site.serve(&[]);
    site.emulator.fail([
        Fault::Echo,
        Fault::Status { status: 401, code: 190, retry_after: None },
        Fault::Status { status: 500, code: 2, retry_after: None },
        Fault::CutAfterDelivery,
    ]);
    for n in 0..8 {
        let text = if n % 2 == 0 { format!("order {WORDS}") } else { WORDS.to_owned() };
        assert_eq!(site.emulator.say(NUMBER, NAME, &text).await.unwrap().1, 200);
    }
    let broken = format!("{{\"object\": \"whatsapp_business_account\", \"text\": \"{WORDS}\", \"from\": \"{NUMBER}\", ");
    site.emulator.deliver(broken.into(), None).await.unwrap();
    site.taken(2).await;
    tokio::time::sleep(std::time::Duration::from_millis(500)).await;
    let mut answers = Vec::new();
    for path in [
        "/metrics",
        "/healthz",
        "/readyz",
        "/api/v1/books",
        "/api/v1/parked",
        "/api/v1/channels",
        "/api/v1/workflows",
        "/api/v1/runs",
        "/api/v1/spend",
    ] {
        answers.push((format!("answer of {path}"), get(&process.private, path).await.1.into_bytes()));
    }
    // What shows a contact's words to the operator shows no secret either.
    let list = |text: String| serde_json::from_str::<serde_json::Value>(&text).unwrap();
    let mut shown =
        vec![("answer of conversations".to_owned(), get(&process.private, "/api/v1/conversations").await.1.into_bytes())];
    for (kind, rest) in [("conversations", "/messages"), ("runs", "")] {
        let rows = list(get(&process.private, &format!("/api/v1/{kind}")).await.1);
        for row in rows.as_array().unwrap() {
            let path = format!("/api/v1/{kind}/{}{rest}", row["id"].as_str().unwrap());
            let (status, body) = get(&process.private, &path).await;
            assert_eq!(status, 200, "{path}");
            shown.push((path, body.into_bytes()));
        }
    }
    assert!(!hits(&shown, WORDS).is_empty(), "these answers do show what was said");
    for secret in SECRETS {
        assert_eq!(hits(&shown, secret), Vec::<String>::new());
    }
    // Killed, not stopped: the write-ahead log is left as it was.
    process.kill();
    let mut places = site.left_behind();
    let stored = if on_postgres() { "the database" } else { "-wal" };
    assert!(places.iter().any(|(p, b)| p.ends_with(stored) && !b.is_empty()), "what was written is there to be swept");
    assert!(places.iter().any(|(p, b)| p == "log.txt" && b.len() > 1_000), "the log is there to be swept");
    places.extend(answers);
    for secret in SECRETS.into_iter().chain([WORDS, NUMBER, NAME]) {
        assert_eq!(hits(&places, secret), Vec::<String>::new(), "{secret}");
    }

    // The sweep can fail: a token that is put into the log is found, in each form.
    let log = places.iter().find(|(place, _)| place == "log.txt").expect("the log").1.clone();
    for (form, bytes) in forms(TOKEN) {
        std::fs::write(site.log(), [log.as_slice(), b"a line that says ", &bytes, b" and more\n"].concat()).unwrap();
        let swept = vec![("log.txt".to_owned(), std::fs::read(site.log()).unwrap())];
        assert!(!hits(&swept, TOKEN).is_empty(), "a token planted as {form} goes unseen");
    }
    std::fs::write(site.log(), log).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn every_site_is_swept_when_its_test_ends() {
    let site = Site::new(&[]).await;
    std::fs::write(site.log(), format!("a careless line with {TOKEN} in it")).unwrap();
    let swept = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| drop(site)));
    let told = swept.expect_err("the sweep at the end finds it");
    let told = told.downcast_ref::<String>().expect("a sentence");
    assert!(told.contains("log.txt (raw)"), "{told}");
}
