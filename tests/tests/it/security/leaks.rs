//! A sweep of everything a host leaves behind (databases, write-ahead logs, the log at trace, answers) for the token, a
//! contact's words and a contact's number, in every form in which they could hide. The sweep itself is tested: a planted
//! token must be found.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use pointsman_emulator::Fault;

use crate::flow::conversation::SHOP;
use crate::support::{APP_SECRET, Site, TOKEN, VERIFY_TOKEN, get};

const NUMBER: &str = "15550177321";
const NAME: &str = "Quirina Vandermolen";
const WORDS: &str = "zweiundvierzig pistachio croissants";

/// The forms in which a secret could stand somewhere.
fn forms(secret: &str) -> Vec<(&'static str, Vec<u8>)> {
    let bytes = secret.as_bytes();
    let mut forms = vec![
        ("raw", bytes.to_vec()),
        ("hex", hex::encode(bytes).into_bytes()),
        ("HEX", hex::encode_upper(bytes).into_bytes()),
        ("base64", STANDARD.encode(bytes).into_bytes()),
        ("base64 of a bearer", STANDARD_NO_PAD.encode(format!("Bearer {secret}")).into_bytes()),
        ("base64url", URL_SAFE_NO_PAD.encode(bytes).into_bytes()),
        (
            "URL",
            bytes
                .iter()
                .flat_map(|b| if b.is_ascii_alphanumeric() { vec![*b] } else { format!("%{b:02X}").into_bytes() })
                .collect(),
        ),
        ("JSON", bytes.iter().flat_map(|b| format!("\\u{b:04x}").into_bytes()).collect()),
        ("UTF-16", secret.encode_utf16().flat_map(u16::to_le_bytes).collect()),
    ];
    // Base64 of a longer text shifts by one or two bytes: the inner characters stay the same.
    for shift in 1..3 {
        let shifted = STANDARD.encode([vec![b' '; shift], bytes.to_vec()].concat());
        forms.push(("base64, shifted", shifted.as_bytes()[4..shifted.len() - 4].to_vec()));
    }
    forms
}

/// Where the needle stands in what is left behind.
fn hits(places: &[(String, Vec<u8>)], needle: &str) -> Vec<String> {
    let mut hits = Vec::new();
    for (form, bytes) in forms(needle) {
        for (place, content) in places {
            if content.windows(bytes.len()).any(|w| w == bytes) {
                hits.push(format!("{place} ({form})"));
            }
        }
    }
    hits
}

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
    for secret in [TOKEN, APP_SECRET, VERIFY_TOKEN] {
        assert_eq!(hits(&shown, secret), Vec::<String>::new());
    }
    // Killed, not stopped: the write-ahead log is left as it was.
    process.kill();
    let recovery = "RECOVERY.txt";
    let mut places: Vec<(String, Vec<u8>)> = site
        .files()
        .into_iter()
        .filter(|(path, _)| !path.ends_with(recovery) && !path.starts_with(site.workflows()))
        .map(|(path, bytes)| (path.strip_prefix(site.dir.path()).unwrap().display().to_string(), bytes))
        .collect();
    assert!(places.iter().any(|(p, b)| p.ends_with("-wal") && !b.is_empty()), "the write-ahead log is there to be swept");
    assert!(places.iter().any(|(p, b)| p == "log.txt" && b.len() > 1_000), "the log is there to be swept");
    places.extend(answers);
    for secret in [TOKEN, APP_SECRET, VERIFY_TOKEN, WORDS, NUMBER, NAME] {
        assert_eq!(hits(&places, secret), Vec::<String>::new(), "{secret}");
    }

    // The sweep can fail: a token that is put into the log is found, in each form.
    let log = places.iter().find(|(place, _)| place == "log.txt").expect("the log").1.clone();
    for (form, bytes) in forms(TOKEN) {
        std::fs::write(site.log(), [log.as_slice(), b"a line that says ", &bytes, b" and more\n"].concat()).unwrap();
        let swept = vec![("log.txt".to_owned(), std::fs::read(site.log()).unwrap())];
        assert!(!hits(&swept, TOKEN).is_empty(), "a token planted as {form} goes unseen");
    }
}
