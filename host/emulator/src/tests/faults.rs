//! Each fault of answers, on both providers; each fault of webhooks; what waits and is tried again.

use std::time::{Duration, Instant};

use axum::body::Bytes;
use axum::http::HeaderMap;
use serde_json::{Value, json};

use super::{Host, ask};
use crate::{Fault, HELD, HookFault, Telegram, TelegramConfig, Undelivered, Whatsapp, WhatsappConfig};

const LONG: Duration = Duration::from_millis(300);

/// A provider of either kind, seen from the host.
enum Provider {
    Whatsapp(Whatsapp),
    Telegram(Telegram),
}

impl Provider {
    async fn both() -> [Self; 2] {
        let telegram = Telegram::start(TelegramConfig::default()).await.unwrap();
        telegram.start_bot("1", "Ana").unwrap();
        [Self::Whatsapp(Whatsapp::start(WhatsappConfig::default()).await.unwrap()), Self::Telegram(telegram)]
    }

    fn fail(&self, fault: Fault) {
        match self {
            Self::Whatsapp(whatsapp) => whatsapp.fail([fault]),
            Self::Telegram(telegram) => telegram.fail([fault]),
        }
    }

    async fn send(&self) -> Result<(u16, HeaderMap, Bytes), String> {
        let text = json!({ "body": "hi" });
        let (url, bearer, body) = match self {
            Self::Whatsapp(whatsapp) => (
                format!("{}/v21.0/{}/messages", whatsapp.url(), whatsapp.config().phone_number_id),
                format!("Bearer {}", whatsapp.config().token),
                json!({ "messaging_product": "whatsapp", "to": "1", "type": "text", "text": text }),
            ),
            Self::Telegram(telegram) => (
                format!("{}/bot{}/sendMessage", telegram.url(), telegram.config().bot_token),
                "none".to_owned(),
                json!({ "chat_id": 1, "text": "hi" }),
            ),
        };
        let headers = [("authorization", bearer.as_str()), ("content-type", "application/json")];
        ask("POST", &url, &headers, body.to_string().as_bytes()).await
    }

    fn said(&self) -> usize {
        match self {
            Self::Whatsapp(whatsapp) => whatsapp.said_to("1").len(),
            Self::Telegram(telegram) => telegram.said_to("1").len(),
        }
    }

    /// Calls that were kept, taken or not.
    fn calls(&self) -> usize {
        match self {
            Self::Whatsapp(whatsapp) => whatsapp.calls().len(),
            Self::Telegram(telegram) => telegram.calls().len(),
        }
    }

    fn secret(&self) -> String {
        match self {
            Self::Whatsapp(whatsapp) => whatsapp.config().token.clone(),
            Self::Telegram(telegram) => telegram.config().bot_token.clone(),
        }
    }
}

#[tokio::test]
async fn a_status_takes_nothing_and_tells_when_to_come_back() {
    for provider in Provider::both().await {
        provider.fail(Fault::Status { status: 429, code: 130_429, retry_after: Some(7) });
        let (status, headers, body) = provider.send().await.unwrap();
        let body: Value = serde_json::from_slice(&body).unwrap();
        assert_eq!((status, provider.said(), provider.calls()), (429, 0, 1));
        match provider {
            Provider::Whatsapp(_) => {
                assert_eq!((&headers["retry-after"], &body["error"]["code"]), (&"7".parse().unwrap(), &json!(130_429)))
            }
            Provider::Telegram(_) => assert_eq!(
                body,
                json!({
                    "ok": false, "error_code": 429, "description": "Too Many Requests: retry after 7",
                    "parameters": { "retry_after": 7 },
                })
            ),
        }
        assert_eq!(provider.send().await.unwrap().0, 200, "one fault, one call");
    }
}

#[tokio::test]
async fn a_cut_line_gives_no_answer_whether_it_was_taken_or_not() {
    for provider in Provider::both().await {
        provider.fail(Fault::CutBeforeDelivery);
        assert!(provider.send().await.is_err());
        assert_eq!((provider.said(), provider.calls()), (0, 1));
        provider.fail(Fault::CutAfterDelivery);
        assert!(provider.send().await.is_err());
        assert_eq!((provider.said(), provider.calls()), (1, 2));
    }
}

#[tokio::test]
async fn a_late_answer_and_a_hanging_call_differ_in_when_it_is_taken() {
    for (fault, taken) in [(Fault::AnswerLate(LONG), 1), (Fault::Hang(LONG), 0)] {
        for provider in Provider::both().await {
            provider.fail(fault.clone());
            let began = Instant::now();
            let (answer, in_between) = tokio::join!(provider.send(), async {
                tokio::time::sleep(LONG / 2).await;
                provider.said()
            });
            assert_eq!(answer.unwrap().0, 200);
            assert!(began.elapsed() >= LONG);
            assert_eq!((in_between, provider.said()), (taken, 1), "{fault:?}");
        }
    }
}

#[tokio::test]
async fn an_echo_brings_the_secret_back() {
    for provider in Provider::both().await {
        provider.fail(Fault::Echo);
        let (status, headers, body) = provider.send().await.unwrap();
        let secret = provider.secret();
        assert_eq!(status, 200);
        assert!(headers["x-seen"].to_str().unwrap().contains(&secret) && String::from_utf8_lossy(&body).contains(&secret));
        let (_, headers, body) = provider.send().await.unwrap();
        assert!(!headers.contains_key("x-seen") && !String::from_utf8_lossy(&body).contains(&secret), "only on demand");
    }
}

#[tokio::test]
async fn a_fault_can_be_ordered_for_one_method() {
    let telegram = Telegram::start(TelegramConfig::default()).await.unwrap();
    telegram.start_bot("1", "Ana").unwrap();
    let provider = Provider::Telegram(telegram.clone());
    let me = format!("{}/bot{}/getMe", telegram.url(), telegram.config().bot_token);
    telegram.fail_call("getMe", Fault::Status { status: 502, code: 0, retry_after: None });
    telegram.fail([Fault::Status { status: 500, code: 0, retry_after: None }]);
    assert_eq!(ask("POST", &me, &[], b"").await.unwrap().0, 502);
    assert_eq!(ask("POST", &me, &[], b"").await.unwrap().0, 200, "the other waits for a send");
    assert_eq!(provider.send().await.unwrap().0, 500);
    telegram.fail([Fault::Echo, Fault::CutAfterDelivery]);
    telegram.clear_faults();
    assert_eq!(provider.send().await.unwrap().0, 200);
}

async fn hooked(retry_every: Option<Duration>) -> (Whatsapp, Host) {
    let host = Host::start().await;
    let emulator = Whatsapp::start(WhatsappConfig { retry_every, ..WhatsappConfig::default() }).await.unwrap();
    emulator.set_hook(&host.url);
    (emulator, host)
}

async fn say(emulator: &Whatsapp, texts: &[&str]) -> Vec<u16> {
    let mut answers = Vec::new();
    for text in texts {
        answers.push(emulator.say("1", "Ana", text).await.unwrap().1);
    }
    answers
}

#[tokio::test]
async fn a_late_webhook_is_overtaken() {
    let (emulator, host) = hooked(None).await;
    emulator.fail_hooks([HookFault::Late(LONG)]);
    assert_eq!(say(&emulator, &["one", "two"]).await, [HELD, 200]);
    assert_eq!((host.texts(), emulator.subscription().waiting), (vec!["two".to_owned()], 1));
    host.wait_for(2).await;
    assert_eq!((host.texts(), emulator.subscription().waiting), (vec!["two".to_owned(), "one".to_owned()], 0));
}

#[tokio::test]
async fn a_doubled_webhook_comes_twice_byte_for_byte() {
    let (emulator, host) = hooked(None).await;
    emulator.fail_hooks([HookFault::Doubled]);
    host.answers.lock().extend([200, 503]);
    assert_eq!(say(&emulator, &["one", "two"]).await, [503, 200], "the worse of both answers");
    assert_eq!(host.texts(), ["one", "one", "two"]);
    let hooks = host.hooks.lock();
    assert_eq!((&hooks[0].1, &hooks[0].0["x-hub-signature-256"]), (&hooks[1].1, &hooks[1].0["x-hub-signature-256"]));
}

#[tokio::test]
async fn a_shuffled_batch_comes_in_reversed_order() {
    let (emulator, host) = hooked(None).await;
    emulator.fail_hooks([HookFault::Shuffled(3), HookFault::Doubled]);
    assert_eq!(say(&emulator, &["one", "two"]).await, [HELD, HELD]);
    assert!(host.texts().is_empty(), "held back");
    assert_eq!(say(&emulator, &["three"]).await, [200], "full: it leaves first");
    assert_eq!(host.texts(), ["three", "two", "one"]);
    say(&emulator, &["four"]).await;
    assert_eq!(host.texts(), ["three", "two", "one", "four", "four"], "the next fault is for the next webhook");
}

#[tokio::test]
async fn a_batch_that_does_not_fill_leaves_in_the_end() {
    let (emulator, host) = hooked(None).await;
    emulator.fail_hooks([HookFault::Shuffled(5)]);
    assert_eq!(say(&emulator, &["one", "two"]).await, [HELD, HELD]);
    tokio::time::sleep(LONG).await;
    assert!(host.texts().is_empty(), "not before its time");
    host.wait_for(2).await;
    assert_eq!(host.texts(), ["two", "one"]);
}

#[tokio::test]
async fn without_retries_a_webhook_is_tried_once() {
    let (emulator, host) = hooked(None).await;
    host.answers.lock().push_back(503);
    assert_eq!(say(&emulator, &["one", "two"]).await, [503, 200]);
    assert_eq!(host.texts(), ["one", "two"]);
    emulator.set_hook("http://127.0.0.1:1/hooks/7");
    assert!(matches!(emulator.say("1", "Ana", "three").await, Err(Undelivered::Unreachable(_))));
}

#[tokio::test]
async fn with_retries_what_finds_nobody_waits_in_its_order() {
    let (emulator, host) = hooked(Some(Duration::from_millis(50))).await;
    host.answers.lock().extend([500, 500]);
    assert_eq!(say(&emulator, &["one", "two"]).await, [500, HELD], "behind the one that waits");
    host.wait_for(4).await;
    assert_eq!(host.texts(), ["one", "one", "one", "two"]);

    // The host dies and comes back at the same address.
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    emulator.set_hook(format!("http://{address}/hooks/7"));
    assert_eq!(say(&emulator, &["three", "four"]).await, [HELD, HELD]);
    assert_eq!(emulator.subscription().waiting, 2);
    host.serve(tokio::net::TcpListener::bind(address).await.unwrap());
    host.wait_for(6).await;
    assert_eq!(host.texts()[4..], ["three", "four"]);
    for _ in 0..100 {
        if emulator.subscription().waiting == 0 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert_eq!(say(&emulator, &["five"]).await, [200], "nothing waits any more");
}

#[tokio::test]
async fn the_statuses_of_one_contact_do_not_wait_for_another_s() {
    let (emulator, host) = hooked(Some(Duration::from_secs(60))).await;
    host.answers.lock().push_back(500);
    assert_eq!(emulator.status("wamid.1", "1", "sent", None).await, Ok(500), "it waits for a minute");
    assert_eq!(emulator.status("wamid.1", "1", "delivered", None).await, Ok(HELD), "behind it");
    assert_eq!(emulator.status("wamid.2", "2", "sent", None).await, Ok(200));
    assert_eq!(say(&emulator, &["one"]).await, [200]);
}

#[tokio::test]
async fn a_webhook_that_is_always_refused_does_not_hold_the_others_for_ever() {
    let (emulator, host) = hooked(Some(Duration::from_millis(5))).await;
    host.answers.lock().extend([401; 11]);
    assert_eq!(say(&emulator, &["bad", "good"]).await, [401, HELD]);
    host.wait_for(12).await;
    assert_eq!(host.texts().iter().filter(|text| *text == "bad").count(), 11);
    assert_eq!(host.texts().last().unwrap(), "good");
}

#[tokio::test]
async fn every_so_many_th_send_and_every_send_to_a_contact_goes_wrong() {
    let refused = |status| Fault::Status { status, code: 2, retry_after: None };
    for provider in Provider::both().await {
        match &provider {
            Provider::Whatsapp(whatsapp) => whatsapp.fail_share(3, refused(500)),
            Provider::Telegram(telegram) => telegram.fail_share(3, refused(500)),
        }
        let mut statuses = Vec::new();
        for _ in 0..6 {
            statuses.push(provider.send().await.unwrap().0);
        }
        assert_eq!(statuses, [200, 200, 500, 200, 200, 500]);
        match &provider {
            Provider::Whatsapp(whatsapp) => whatsapp.fail_contact("1", refused(503)),
            Provider::Telegram(telegram) => telegram.fail_contact("1", refused(503)),
        }
        assert_eq!((provider.send().await.unwrap().0, provider.send().await.unwrap().0), (503, 503));
    }
}

#[tokio::test]
async fn the_log_says_what_came_what_was_taken_and_who_did_not_wait_for_the_answer() {
    let path = std::env::temp_dir().join(format!("provider-{}.log", std::process::id()));
    let config = WhatsappConfig { log: Some(path.clone()), ..WhatsappConfig::default() };
    let provider = Provider::Whatsapp(Whatsapp::start(config).await.unwrap());
    assert_eq!(provider.send().await.unwrap().0, 200);
    let text = std::fs::read_to_string(&path).unwrap();
    let read = |text: &str| -> Vec<String> {
        text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap()["what"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(read(&text), ["received", "taken", "answered"], "on disk before the answer was read");
    provider.fail(Fault::AnswerLate(Duration::from_secs(600)));
    assert!(tokio::time::timeout(LONG, provider.send()).await.is_err());
    for _ in 0..100 {
        if read(&std::fs::read_to_string(&path).unwrap()).len() == 6 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let text = std::fs::read_to_string(&path).unwrap();
    std::fs::remove_file(&path).unwrap();
    assert_eq!(read(&text)[3..], ["received", "taken", "gone"]);
    assert!(!text.contains("emulated-token"), "no token in the log");
}
