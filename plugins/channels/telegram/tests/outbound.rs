//! Every shared outbound case: the request that an ask must become, and what an answer must be taken for.

use std::path::Path;

use pointsman_sdk::channel::{Account, Answering, Exchange, Job, Operation, Outcome, Peer, Turn};
use pointsman_sdk::prelude::*;
use pointsman_telegram::Telegram;

fn cases() -> Value {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/outbound.json");
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

fn text(ask: &Value, key: &str) -> Option<String> {
    ask[key].as_str().map(Into::into)
}

/// The neutral ask as an operation of the contract.
fn operation(ask: &Value) -> Operation {
    match ask["action"].as_str() {
        Some("answer_interaction") => {
            return Operation::AnswerInteraction(Answering { answer: text(ask, "id").unwrap(), text: None });
        }
        Some("typing_on") => return Operation::Typing,
        Some(other) => panic!("the test must learn {other}"),
        None => {}
    }
    let mut message = Message { text: text(ask, "text"), reply_to: text(ask, "reply_to"), ..Message::default() };
    if ask["attachment"].is_object() {
        let a = &ask["attachment"];
        assert_eq!(a["type"], "image", "the test must learn other kinds");
        let media = Media::Url(a["url"].as_str().unwrap().into());
        message = message.attach(Attachment::new(AttachmentKind::Image, media));
    }
    for b in ask["buttons"].as_array().into_iter().flatten() {
        message = message.button(b["title"].as_str().unwrap(), b["payload"].as_str().unwrap());
    }
    Operation::Send(message)
}

fn job(ask: &Value) -> Job {
    Job {
        key: "0123456789abcdef0123456789abcdef".into(),
        attempt: 1,
        at: 0,
        account: Account { id: "313534466".into(), config: "{}".into() },
        peer: ask["to"].as_str().map(|to| Peer { thread: to.into(), window_open: true }),
        operation: operation(ask),
    }
}

fn exchange(job: Job) -> Exchange {
    match Telegram::begin(job) {
        Turn::Exchange(e) => e,
        other => panic!("no exchange: {other:?}"),
    }
}

fn body(e: &Exchange) -> Value {
    match &e.request.body {
        Body::Bytes(bytes) => serde_json::from_slice(bytes).unwrap(),
        other => panic!("no JSON: {other:?}"),
    }
}

#[test]
fn every_ask_becomes_its_request() {
    let cases = cases();
    let sends = cases["send"].as_array().unwrap();
    assert_eq!(sends.len(), 5);
    for case in sends {
        let (ask, expected) = (&case["ask"], &case["request"]);
        let got = exchange(job(ask));
        assert_eq!(got.request.url, expected["url"].as_str().unwrap().replace("{TOKEN}", "{bot_token}"));
        assert_eq!(expected["method"], "POST");
        assert_eq!(got.request.method, Method::Post);
        assert_eq!(expected["headers"], json!({ "Content-Type": "application/json" }));
        assert_eq!(got.request.headers, [Header { name: "content-type".into(), value: "application/json".into() }]);
        let token = Credential { slot: "bot_token".into(), place: Placement::Path("{bot_token}".into()) };
        assert_eq!(got.request.credentials, [token]);
        assert_eq!(body(&got), expected["json"], "{ask}");
        assert_eq!(got.repeatable, !ask["action"].is_null(), "a message is never repeated blindly");
    }
}

#[test]
fn every_answer_is_taken_for_what_it_is() {
    let cases = cases();
    let answers = cases["classify"].as_array().unwrap();
    assert_eq!(answers.len(), 5);
    for case in answers {
        let ask = json!({ "to": "427770117", "text": "hi" });
        let first = exchange(job(&ask));
        let body = case["body"].to_string().into_bytes();
        let response = HttpResponse { status: case["status"].as_u64().unwrap() as u16, headers: vec![], body, kept: None };
        let turn = Telegram::advance(job(&ask), first.state, response);
        let outcome = case["outcome"].as_str().unwrap();
        match turn {
            Turn::Done(Outcome::Created(ids)) => {
                assert_eq!(outcome, "ok");
                assert_eq!(ids, [case["id"].as_str().unwrap()]);
            }
            Turn::Failed(f) => {
                let word = match f.fault {
                    Fault::Retryable | Fault::RateLimited => "retry",
                    Fault::Unauthorized => "auth",
                    Fault::WindowClosed => "window_closed",
                    Fault::Unreachable => "unreachable",
                    Fault::Rejected => "rejected",
                    other => panic!("{other:?}"),
                };
                assert_eq!(word, outcome, "{case}");
                assert_eq!(f.retry_after, case["after_s"].as_u64().map(|s| s * 1_000), "{case}");
                assert_eq!(f.code, case["body"]["error_code"].to_string());
            }
            other => panic!("{other:?}"),
        }
    }
}
