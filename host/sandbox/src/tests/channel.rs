//! Channel plugins: a good one and its odd answers.

use pointsman_core::event::EventBody;
use pointsman_core::failure::{Failure, Fault};
use pointsman_core::ports::{
    Account, Body, ChannelAdapter as _, Done, HttpResponse, Job, Method, Operation, Placement, Reception, Turn, Webhook,
};

use super::*;

fn house() -> Sandbox {
    let sandbox = Sandbox::new(SandboxConfig::default()).unwrap();
    let manifest = Manifest::parse(
        r#"
        id = "acme/odd"
        version = "1.0.0"
        world = "pointsman:plugin/channel@0.1.0"
        summary = "test"
        [webhook]
        verify = { scheme = "hmac-sha256", header = "x-signature", secret = "secret" }
        [[credentials]]
        slot = "secret"
        hosts = []
        placements = []
        why = "signs what the provider sends"
        [[credentials]]
        slot = "token"
        hosts = ["api.example.com"]
        why = "sends messages"
        "#,
    );
    sandbox.load_blocking(manifest.unwrap(), &guest("odd-channel"), Trust::Bundled).unwrap();
    sandbox
}

fn account() -> Account {
    Account { id: "account-7".to_owned(), config: json!({}) }
}

async fn parse(sandbox: &Sandbox, body: &str) -> Result<Result<Reception, String>, Failure> {
    let webhook = Webhook {
        method: Method::Post,
        path: "hook/path".to_owned(),
        query: vec![],
        headers: vec![],
        body: body.as_bytes().to_vec().into(),
        received: 1,
    };
    sandbox.parse(Id(1), "acme/odd", &webhook, &account()).await
}

#[tokio::test]
async fn a_webhook_becomes_events() {
    let sandbox = house();
    let reception = parse(&sandbox, "events 2").await.unwrap().unwrap();
    assert_eq!(reception.events.len(), 2);
    let event = &reception.events[1];
    assert_eq!(
        (event.dedupe_key.as_str(), event.thread.as_deref(), event.at, event.trigger),
        ("event-1", Some("peer-1"), 5, true)
    );
    assert_eq!(event.sender.as_ref().unwrap().extra, Some(json!({"alt_ids": ["x"]})));
    assert!(matches!(&event.body, EventBody::Message(m) if m.text.as_deref() == Some("hello") && m.id.as_deref() == Some("m1")));
    assert_eq!(parse(&sandbox, "events 1000").await.unwrap().unwrap().events.len(), 1_000);

    let answer = parse(&sandbox, "answer 0").await.unwrap().unwrap().answer.unwrap();
    assert_eq!((answer.status, answer.body.as_slice()), (201, b"hook/path".as_slice()));
    assert_eq!(answer.headers, [("x-account".to_owned(), "account-7".to_owned())]);
    assert_eq!(parse(&sandbox, "what?").await.unwrap(), Err("this is not from my provider".to_owned()));
}

#[tokio::test]
async fn odd_answers_end_in_a_code() {
    let sandbox = house();
    for (body, code) in [
        ("events 1001", "plugin.output"),
        ("long-key", "plugin.output"),
        ("no-key", "plugin.output"),
        ("bad-json", "plugin.output"),
        ("events 8000", "limit.copy"),
        ("spin", "limit.cpu"),
    ] {
        assert_eq!(parse(&sandbox, body).await.unwrap_err().code, code, "{body}");
        assert!(parse(&sandbox, "events").await.unwrap().is_ok());
    }
    let missing = sandbox.begin(Id(1), "acme/none", &job(Operation::Typing, 1)).await.unwrap_err();
    assert_eq!(missing.code, "plugin.unknown");
}

fn job(operation: Operation, attempt: u32) -> Job {
    Job { key: "k".to_owned(), attempt, at: 1, account: account(), peer: Some("peer-1".to_owned()), window_open: true, operation }
}

#[tokio::test]
async fn a_job_takes_its_turns() {
    let sandbox = house();
    let send = job(Operation::Send(Message::text("hello")), 2);
    let Turn::Exchange { request, state, repeatable } = sandbox.begin(Id(1), "acme/odd", &send).await.unwrap() else { panic!() };
    assert_eq!(
        (request.method, request.url.as_str(), request.timeout),
        (Method::Post, "https://api.example.com/send", Some(3_000))
    );
    assert_eq!(request.body, Body::Bytes(b"hello".to_vec()));
    assert_eq!((request.credentials[0].slot.as_str(), &request.credentials[0].place), ("token", &Placement::Bearer));
    assert!(repeatable);
    let response = HttpResponse { status: 200, body: b"ok!".to_vec(), ..HttpResponse::default() };
    let turn = sandbox.advance(Id(1), "acme/odd", &send, &state, response).await.unwrap();
    assert_eq!(turn, Turn::Done(Done::Created(vec!["peer-1/200/3".to_owned()])));
    let Turn::Failed(failure) = sandbox.begin(Id(1), "acme/odd", &job(Operation::Typing, 1)).await.unwrap() else { panic!() };
    assert_eq!((failure.fault, failure.code.as_str()), (Fault::Unsupported, "no"));
}

/// Prints; a busy machine proves nothing.
#[tokio::test]
async fn what_a_webhook_costs() {
    let sandbox = house();
    let mut took = Vec::new();
    for _ in 0..3_000 {
        let since = tokio::time::Instant::now();
        parse(&sandbox, "events 1").await.unwrap().unwrap();
        took.push(since.elapsed());
    }
    took.sort();
    println!("parse of one event, conversions included: p50 {:?}, p99 {:?}", took[1_500], took[2_970]);
}
