//! Every shared outbound case: the request that an ask must become, and what an answer must be taken for.

use std::path::Path;

use pointsman_sdk::channel::{Account, Exchange, Job, Operation, OtherOperation, Outcome, Peer, Turn};
use pointsman_sdk::prelude::*;
use pointsman_whatsapp::Whatsapp;

fn cases() -> Value {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/outbound.json");
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

fn text(ask: &Value, key: &str) -> Option<String> {
    ask[key].as_str().map(Into::into)
}

/// The neutral ask as an operation of the contract.
fn operation(ask: &Value) -> Operation {
    if ask["action"] == "mark_read_typing" {
        let input = json!({ "message_id": ask["message_id"] }).to_string();
        return Operation::Other(OtherOperation { name: "mark_read_typing".into(), input });
    }
    if let Some(t) = ask["template"].as_object() {
        let parameters = t["body"].as_array().unwrap().iter().map(|p| p.as_str().unwrap().into()).collect();
        let (name, language) = (t["name"].as_str().unwrap().into(), t["language"].as_str().unwrap().into());
        return Operation::SendTemplate(Template { name, language, parameters, extra: None });
    }
    let mut message = Message { text: text(ask, "text"), reply_to: text(ask, "reply_to"), ..Message::default() };
    if ask["attachment"].is_object() {
        let a = &ask["attachment"];
        assert_eq!(a["type"], "file", "the test must learn other kinds");
        let media = Media::Url(a["url"].as_str().unwrap().into());
        message = message.attach(Attachment { file_name: text(a, "filename"), ..Attachment::new(AttachmentKind::File, media) });
    }
    for b in ask["buttons"].as_array().into_iter().flatten() {
        message = message.button(b["title"].as_str().unwrap(), b["id"].as_str().unwrap());
    }
    Operation::Send(message)
}

fn job(ask: &Value, key: &str) -> Job {
    Job {
        key: key.into(),
        attempt: 1,
        at: 0,
        account: Account { id: "1122334455667".into(), config: r#"{"api_version":"v21.0"}"#.into() },
        peer: ask["to"].as_str().map(|to| Peer { thread: to.into(), window_open: true }),
        operation: operation(ask),
    }
}

fn exchange(job: Job) -> Exchange {
    match Whatsapp::begin(job) {
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
    assert_eq!(sends.len(), 6);
    for case in sends {
        let (ask, expected) = (&case["ask"], &case["request"]);
        let got = exchange(job(ask, ""));
        let url = expected["url"].as_str().unwrap().replace("{V}", "v21.0").replace("{PHONE_NUMBER_ID}", "1122334455667");
        assert_eq!(got.request.url, url);
        assert_eq!(expected["method"], "POST");
        assert_eq!(got.request.method, Method::Post);
        assert_eq!(got.request.headers, [Header { name: "content-type".into(), value: "application/json".into() }]);
        assert_eq!(expected["headers"]["Authorization"], "Bearer {TOKEN}");
        assert_eq!(got.request.credentials, [Credential { slot: "access_token".into(), place: Placement::Bearer }]);
        assert_eq!(body(&got), expected["json"], "{ask}");

        // With a key the body gains one field, where it is a message (a mark has no status that could echo it).
        let mut with_key = expected["json"].clone();
        if ask["action"].is_null() {
            with_key["biz_opaque_callback_data"] = json!("0123456789abcdef0123456789abcdef");
        }
        assert_eq!(body(&exchange(job(ask, "0123456789abcdef0123456789abcdef"))), with_key, "{ask}");
    }
}

#[test]
fn every_answer_is_taken_for_what_it_is() {
    let cases = cases();
    let answers = cases["classify"].as_array().unwrap();
    assert_eq!(answers.len(), 8);
    for case in answers {
        let ask = json!({ "to": "15550100001", "text": "hi" });
        let first = exchange(job(&ask, "k"));
        let body = case["body"].to_string().into_bytes();
        let response = HttpResponse { status: case["status"].as_u64().unwrap() as u16, headers: vec![], body, kept: None };
        let turn = Whatsapp::advance(job(&ask, "k"), first.state, response);
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
                assert_eq!(f.code, case["body"]["error"]["code"].to_string());
            }
            other => panic!("{other:?}"),
        }
    }
}
