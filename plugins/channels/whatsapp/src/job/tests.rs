//! Jobs of more than one request, and those that the platform cannot do.

use pointsman_sdk::channel::{Account, Exchange, Job, Operation, OtherOperation, Outcome, Peer, Reacting, Turn};
use pointsman_sdk::prelude::*;

use super::{advance, begin};

fn job(operation: Operation) -> Job {
    Job {
        key: "k1".into(),
        attempt: 1,
        at: 0,
        account: Account { id: "111".into(), config: r#"{"waba_id":"222"}"#.into() },
        peer: Some(Peer { thread: "15550100001".into(), window_open: true }),
        operation,
    }
}

fn exchange(turn: Result<Turn, Failure>) -> Exchange {
    match turn {
        Ok(Turn::Exchange(e)) => e,
        other => panic!("no exchange: {other:?}"),
    }
}

fn body(e: &Exchange) -> Value {
    match &e.request.body {
        Body::Bytes(bytes) => serde_json::from_slice(bytes).unwrap(),
        other => panic!("no JSON: {other:?}"),
    }
}

fn answer(status: u16, body: Value) -> HttpResponse {
    HttpResponse { status, headers: vec![], body: body.to_string().into_bytes(), kept: None }
}

fn taken(id: &str) -> HttpResponse {
    answer(200, json!({ "messages": [{ "id": id }] }))
}

fn file(kind: AttachmentKind, media: Media) -> Attachment {
    Attachment { mime_type: Some("image/png".into()), ..Attachment::new(kind, media) }
}

#[test]
fn a_long_text_goes_in_parts_and_gives_all_ids() {
    let long = "word ".repeat(1000);
    let job = job(Operation::Send(Message::text(long).answering("wamid.Q")));
    let first = exchange(begin(&job));
    assert!(!first.repeatable);
    assert_eq!(body(&first)["context"], json!({ "message_id": "wamid.Q" }));
    let second = exchange(advance(&job, &first.state, &taken("a")));
    assert_eq!(body(&second)["context"], Value::Null);
    assert_eq!(body(&second)["biz_opaque_callback_data"], "k1");
    assert_eq!(advance(&job, &second.state, &taken("b")), Ok(Turn::Done(Outcome::Created(vec!["a".into(), "b".into()]))));
}

#[test]
fn a_failure_after_the_first_part_is_not_repeated_blindly() {
    let job = job(Operation::Send(Message::text("word ".repeat(1000))));
    let first = exchange(begin(&job));
    let busy = answer(400, json!({ "error": { "code": 130_429 } }));
    assert_eq!(advance(&job, &first.state, &busy).unwrap_err().fault, Fault::RateLimited);
    let second = exchange(advance(&job, &first.state, &taken("a")));
    assert_eq!(advance(&job, &second.state, &busy).unwrap_err().fault, Fault::Unknown);
    let closed = answer(400, json!({ "error": { "code": 131_047 } }));
    assert_eq!(advance(&job, &second.state, &closed).unwrap_err().fault, Fault::WindowClosed);
}

#[test]
fn a_blob_is_uploaded_before_it_is_sent() {
    let job = job(Operation::Send(Message::text("look").attach(file(AttachmentKind::Image, Media::Blob("b7".into())))));
    let upload = exchange(begin(&job));
    assert!(upload.repeatable);
    assert!(upload.request.url.ends_with("/111/media"));
    let Body::Multipart(parts) = &upload.request.body else { panic!("{upload:?}") };
    assert_eq!(parts[2].content, PartContent::Blob("b7".into()));
    let send = exchange(advance(&job, &upload.state, &answer(200, json!({ "id": "M1" }))));
    assert_eq!(body(&send)["image"], json!({ "id": "M1", "caption": "look" }));
    assert_eq!(advance(&job, &send.state, &taken("a")), Ok(Turn::Done(Outcome::Created(vec!["a".into()]))));
    assert_eq!(advance(&job, &upload.state, &answer(200, json!({}))).unwrap_err().code, "no-id");
}

#[test]
fn words_that_a_file_cannot_carry_go_before_it() {
    let job = job(Operation::Send(Message::text("listen").attach(file(AttachmentKind::Voice, Media::Provider("9".into())))));
    let words = exchange(begin(&job));
    assert_eq!(body(&words)["text"]["body"], "listen");
    let voice = exchange(advance(&job, &words.state, &taken("a")));
    assert_eq!(body(&voice)["audio"], json!({ "id": "9" }));
}

#[test]
fn buttons_become_a_list_a_link_or_a_refusal() {
    let content = |message: Message| begin(&job(Operation::Send(message))).map(|t| body(&exchange(Ok(t)))["interactive"].clone());
    let many = (0..5).fold(Message::text("pick"), |m, n| m.button(format!("Row {n}"), format!("r{n}")));
    let list = content(many).unwrap();
    assert_eq!(list["type"], "list");
    assert_eq!(list["action"]["sections"][0]["rows"][4], json!({ "id": "r4", "title": "Row 4" }));
    let mut link = Message::text("see").button("Open", "");
    link.choices[0].url = Some("https://x.example/".into());
    assert_eq!(content(link.clone()).unwrap()["action"]["parameters"]["url"], "https://x.example/");
    assert_eq!(content(link.button("Other", "o")).unwrap_err().code, "button-url");
    assert_eq!(content(Message::default().button("A", "a")).unwrap_err().code, "no-text");
    assert_eq!(content(Message::text("x").button("a title of more than twenty-four", "a")).unwrap_err().code, "button-title");
    let too_many = (0..11).fold(Message::text("pick"), |m, n| m.button(format!("{n}"), ""));
    assert_eq!(content(too_many).unwrap_err().code, "buttons");
    let picture =
        Message::text("ok?").button("Yes", "y").attach(file(AttachmentKind::Image, Media::Url("https://x.example/a.png".into())));
    let header = json!({ "type": "image", "image": { "link": "https://x.example/a.png" } });
    assert_eq!(content(picture).unwrap()["header"], header);
}

#[test]
fn people_known_by_a_scoped_id_and_groups_are_addressed_as_such() {
    let to = |thread: &str| {
        let mut job = job(Operation::Send(Message::text("hi")));
        job.peer = Some(Peer { thread: thread.into(), window_open: true });
        body(&exchange(begin(&job)))
    };
    assert_eq!(to("US.13491208655302741918")["recipient"], "US.13491208655302741918");
    assert_eq!(to("US.13491208655302741918")["to"], Value::Null);
    assert_eq!(to("Y2FwaV9ncm91cDox")["recipient_type"], "group");
    assert_eq!(to("15550100001")["to"], "15550100001");
}

#[test]
fn reactions_are_put_and_taken_back() {
    let react = |emoji: Option<&str>| {
        body(&exchange(begin(&job(Operation::React(Reacting { target: "wamid.T".into(), emoji: emoji.map(Into::into) })))))
    };
    assert_eq!(react(Some("👍"))["reaction"], json!({ "message_id": "wamid.T", "emoji": "👍" }));
    assert_eq!(react(None)["reaction"]["emoji"], "");
}

#[test]
fn accounts_are_subscribed_and_unsubscribed() {
    let on = exchange(begin(&job(Operation::Subscribe("https://hook.example/".into()))));
    assert_eq!(
        (on.request.method, on.request.url.as_str()),
        (Method::Post, "https://graph.facebook.com/v23.0/222/subscribed_apps")
    );
    let off = exchange(begin(&job(Operation::Unsubscribe)));
    assert_eq!(off.request.method, Method::Delete);
    assert_eq!(
        advance(&job(Operation::Unsubscribe), &off.state, &answer(200, json!({ "success": true }))),
        Ok(Turn::Done(Outcome::Nothing))
    );
    let mut nameless = job(Operation::Unsubscribe);
    nameless.account.config = "{}".into();
    assert_eq!(begin(&nameless).unwrap_err().code, "waba_id");
}

#[test]
fn the_number_says_who_it_is_and_a_bad_token_does_not() {
    let job = job(Operation::Check);
    let ask = exchange(begin(&job));
    let url = "https://graph.facebook.com/v23.0/111?fields=verified_name,display_phone_number";
    assert_eq!((ask.request.method, ask.request.url.as_str(), ask.repeatable), (Method::Get, url, true));
    let told = answer(200, json!({ "verified_name": "Corner Shop", "display_phone_number": "+1 555 010 0001", "id": "111" }));
    let Ok(Turn::Done(Outcome::Profile(own))) = advance(&job, &ask.state, &told) else { panic!() };
    assert_eq!((own.id.as_str(), own.name.as_deref(), own.automated), ("111", Some("Corner Shop"), true));
    assert_eq!(own.extra.as_deref(), Some(r#"{"phone":"+1 555 010 0001"}"#));
    let refused = answer(401, json!({ "error": { "code": 190 } }));
    assert_eq!(advance(&job, &ask.state, &refused).unwrap_err().fault, Fault::Unauthorized);
}

#[test]
fn a_file_is_fetched_in_two_requests() {
    let job = job(Operation::FetchMedia("65463453".into()));
    let first = exchange(begin(&job));
    assert!(first.request.url.ends_with("/65463453"));
    let told = answer(200, json!({ "url": "https://lookaside.fbsbx.com/x", "mime_type": "image/jpeg" }));
    let second = exchange(advance(&job, &first.state, &told));
    assert!(second.request.keep_body && second.request.credentials.len() == 1);
    assert_eq!(second.request.url, "https://lookaside.fbsbx.com/x");
    let kept = HttpResponse { status: 200, headers: vec![], body: vec![], kept: Some("b1".into()) };
    let Ok(Turn::Done(Outcome::Media(file))) = advance(&job, &second.state, &kept) else { panic!() };
    assert_eq!((file.blob.as_str(), file.mime_type.as_deref()), ("b1", Some("image/jpeg")));
    assert_eq!(advance(&job, &first.state, &answer(200, json!({ "url": "file:///etc/passwd" }))).unwrap_err().code, "no-url");
}

#[test]
fn what_cannot_be_done_says_so() {
    let refused = |operation: Operation| begin(&job(operation)).unwrap_err();
    assert_eq!(refused(Operation::Typing).fault, Fault::Unsupported);
    assert_eq!(refused(Operation::Delete("x".into())).fault, Fault::Unsupported);
    assert_eq!(refused(Operation::FetchProfile("x".into())).fault, Fault::Unsupported);
    let other = OtherOperation { name: "mark_read_typing".into(), input: "{}".into() };
    assert_eq!(refused(Operation::Other(other)).code, "message_id");
    assert_eq!(refused(Operation::Send(Message::default())).code, "empty");
    let mut peerless = job(Operation::Send(Message::text("hi")));
    peerless.peer = None;
    assert_eq!(begin(&peerless).unwrap_err().fault, Fault::Malformed);
    assert_eq!(advance(&peerless, "?", &taken("a")).unwrap_err().code, "state");
    assert_eq!(refused(Operation::Send(Message::text("w ".repeat(40_000)))).code, "too-long");
}
