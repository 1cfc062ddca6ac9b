//! A sweep of everything a host leaves behind (databases, write-ahead logs, the log at trace, answers) for the token, a
//! contact's words and a contact's number. Every other test's site is swept too, when the test ends (support/sweep.rs); here
//! the host had the worst of providers, and the sweep itself is tested: a planted token must be found.

use pointsman_emulator::Fault;

use crate::flow::conversation::SHOP;
use crate::support::parcels::{SMALL, component, manifest, package};
use crate::support::stores::on_postgres;
use crate::support::sweep::{SECRETS, forms, hits};
use crate::support::{Folder, Site, TOKEN, get};

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

/// Writes the contact's words into its log in every way, or the token, which it puts together by itself.
const LOGS: Folder<'static> = (
    "logs",
    r#"
name: logs
on: message
steps:
  - if: event.text == "build"
    script: |
      log("EAAtest-token-7f3a" + "9c51d2e84b60");
      40 + 2
  - else:
      - script: |
          log(event.text); log("error", event.text); log([event.text]); log(#{ text: event.text });
          print(event.text); debug(event.text);
          event.text.len()
      - use: acme/desk
        with: { do: log, text: "${event.text}" }
      - use: acme/desk
        with: { do: big-log, bytes: 70000 }
  - reply: Noted.
"#,
    &[],
);

/// Case 36. What a step writes to its log stands in no log of the host's: there it is counted alone.
#[tokio::test(flavor = "multi_thread")]
async fn a_token_that_a_step_writes_to_its_log_stands_nowhere() {
    let site = Site::new(&[]).await;
    let file = site.dir.path().join("desk.plugin");
    std::fs::write(&file, package(manifest("acme/desk", "1.0.0", SMALL).as_bytes(), &component(b'a'), 7)).unwrap();
    site.done(&["plugin", "add", &file.to_string_lossy(), "--grant", "all"]);
    site.write_workflow(LOGS.0, LOGS.1, &[]);
    site.done(&["publish", &site.workflows().to_string_lossy()]);
    let process = site.serve(&[]);
    // A contact who found it says it, with what would forge a line.
    let said = format!("is this yours?\n2026-01-01 ERROR {TOKEN}\u{1b}[46m");
    for text in [said.as_str(), "build"] {
        assert_eq!(site.emulator.say(NUMBER, NAME, text).await.unwrap().1, 200);
    }
    site.taken(2).await;
    let runs = site.done(&["run", "list"]);
    let (built, told) = (&runs[0], &runs[1]);
    assert_eq!((&built["state"], &told["state"]), (&"done".into(), &"done".into()), "{runs}");
    // Each answer of the command line and of the private port is swept. With `--steps` and `--reveal` it shows what was said; of
    // what the step made up by itself not even then.
    let id = |value: &serde_json::Value| value.as_str().unwrap().to_owned();
    site.done(&["run", "show", &id(&told["id"])]);
    site.done(&["run", "show", &id(&built["id"]), "--steps"]);
    site.done(&["why", &id(&told["event"])]);
    site.done(&["why", &id(&built["event"]), "--reveal"]);
    site.done(&["plugin", "stats"]);
    get(&process.private, &format!("/api/v1/runs/{}", id(&built["id"]))).await;
    for path in ["/metrics", "/api/v1/runs", "/api/v1/books", "/api/v1/parked"] {
        get(&process.private, path).await;
    }
    process.stop();
    let log = std::fs::read_to_string(site.log()).unwrap();
    let lines: Vec<&str> = log.lines().filter(|line| line.contains("a step wrote to its log")).collect();
    assert!(log.contains("TRACE") && lines.len() >= 9, "the steps did write: {lines:#?}");
    assert!(lines.iter().any(|line| line.contains(&format!("bytes={}", TOKEN.len()))), "the token too: {lines:#?}");
    assert!(!log.contains("is this yours?") && !log.contains("\u{1b}[46m"), "and of the words nothing is there");
    assert_eq!(hits(&site.left_behind(), TOKEN), Vec::<String>::new());
    site.books();
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
