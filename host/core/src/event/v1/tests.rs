//! One case a kind, and what must not be overruled.

use serde_json::{Value, json};

use super::{timestamp, to_v1};
use crate::event::{
    Attachment, AttachmentKind, Comment, Delivery, Event, EventBody, Interaction, Media, Message, Other, Person, Reaction,
    Review, Status,
};
use crate::failure::{Fault, PluginFailure};

fn event(body: EventBody) -> Event {
    Event {
        dedupe_key: "d".into(),
        account: Some("A".into()),
        thread: Some("T".into()),
        sender: Some(Person { id: "S".into(), ..Person::default() }),
        at: 1_697_043_223_000,
        trigger: true,
        body,
        extra: None,
    }
}

#[track_caller]
fn check(event: &Event, expected: Value) {
    let got = to_v1(event, "whatsapp", "ROUTE");
    for (key, value) in expected.as_object().unwrap() {
        assert_eq!(got.get(key), Some(value), "{key} of {got}");
    }
}

#[test]
fn a_message_is_flat() {
    let mut e = event(EventBody::Message(Message {
        id: Some("m".into()),
        attachments: vec![Attachment {
            kind: AttachmentKind::File,
            media: Media::Provider("9".into()),
            mime_type: Some("application/pdf".into()),
            file_name: Some("a.pdf".into()),
            size_bytes: Some(5),
            extra: Some(json!({ "type": "image", "sha256": "x" })),
        }],
        reply_to: Some("r".into()),
        ..Message::text("hi")
    }));
    e.sender = Some(Person {
        id: "S".into(),
        name: Some("Ann".into()),
        language: Some("en".into()),
        extra: Some(json!({ "alt_ids": ["US.1"], "city": "Ulm" })),
        ..Person::default()
    });
    e.extra = Some(json!({ "forwarded": true }));
    assert_eq!(
        to_v1(&e, "whatsapp", "ROUTE"),
        json!({
            "kind": "message", "channel": "whatsapp", "account_id": "A", "conversation_key": "whatsapp:A:T",
            "timestamp": "2023-10-11T16:53:43Z", "direction": "inbound", "trigger": true, "dedupe_key": "d",
            "id": "m", "text": "hi", "reply_to": "r", "forwarded": true,
            "sender_id": "S", "sender_name": "Ann", "language": "en", "sender_alt_ids": ["US.1"], "sender_attributes": { "city": "Ulm" },
            "attachments": [{ "type": "file", "id": "9", "mime": "application/pdf", "filename": "a.pdf", "size": 5, "sha256": "x" }],
        })
    );
}

#[test]
fn what_a_plugin_adds_overrules_no_typed_field() {
    let forged = json!({
        "kind": "message", "channel": "x", "account_id": "x", "conversation_key": "x", "timestamp": "x", "direction": "x",
        "trigger": true, "dedupe_key": "x", "sender_id": "x", "id": "x", "status": "x",
    });
    let mut e = event(EventBody::Status(Status { message: "m".into(), state: Delivery::Read, key: None, failure: None }));
    e.trigger = false;
    e.sender = None;
    e.thread = None;
    e.extra = Some(forged);
    check(
        &e,
        json!({
            "kind": "status", "channel": "whatsapp", "account_id": "A", "conversation_key": null, "direction": "outbound",
            "timestamp": "2023-10-11T16:53:43Z", "trigger": false, "dedupe_key": "d", "sender_id": null, "id": "m", "status": "read",
        }),
    );
}

#[test]
fn a_moment_that_the_provider_does_not_tell_is_none() {
    let mut e = event(EventBody::Ignored("why".into()));
    e.at = 0;
    check(&e, json!({ "timestamp": null }));
}

#[test]
fn the_route_names_the_account_when_the_event_does_not() {
    let mut e = event(EventBody::Ignored("why".into()));
    e.account = None;
    check(&e, json!({ "kind": "ignored", "account_id": "ROUTE", "conversation_key": "whatsapp:ROUTE:T", "reason": "why" }));
}

#[test]
fn every_kind_has_its_fields() {
    let m = || Message { id: Some("m".into()), ..Message::text("hi") };
    check(&event(EventBody::MessageEdit(m())), json!({ "kind": "message_edit", "id": "m", "target_id": "m", "text": "hi" }));
    check(
        &event(EventBody::MessageDelete("m".into())),
        json!({ "kind": "message_delete", "id": "m", "target_id": "m", "text": null }),
    );
    check(&event(EventBody::Echo(m())), json!({ "kind": "echo", "direction": "outbound", "text": "hi" }));
    let mut reaction = event(EventBody::Reaction(Reaction { target: "t".into(), emoji: Some("👍".into()) }));
    reaction.extra = Some(json!({ "id": "own" }));
    check(&reaction, json!({ "id": "own", "target_id": "t", "emoji": "👍", "action": "add", "attachments": [] }));
    let gone = event(EventBody::Reaction(Reaction { target: "t".into(), emoji: None }));
    check(&gone, json!({ "emoji": null, "action": "remove" }));
    let pressed = Interaction {
        id: Some("i".into()),
        title: Some("Yes".into()),
        payload: "y".into(),
        source: Some("s".into()),
        answer: None,
    };
    let mut interaction = event(EventBody::Interaction(pressed));
    check(&interaction, json!({ "id": "i", "text": "Yes", "payload": "y", "reply_to": "s", "interaction": "button" }));
    interaction.extra = Some(json!({ "interaction": "list_reply", "description": "d" }));
    check(&interaction, json!({ "interaction": "list_reply", "description": "d" }));
    let review = Review { id: "r".into(), stars: 4, text: Some("ok".into()), reply: None, edited: false };
    check(&event(EventBody::Review(review)), json!({ "rating": 4, "has_reply": false, "text": "ok" }));
    let other =
        Other { kind: "order".into(), id: Some("o".into()), text: None, data: json!({ "event": "orders/create", "kind": "x" }) };
    check(&event(EventBody::Other(other)), json!({ "kind": "order", "id": "o", "event": "orders/create", "text": null }));
}

#[test]
fn a_comment_whose_parent_is_the_post_is_no_reply() {
    let comment = |parent: Option<&str>| {
        event(EventBody::Comment(Comment {
            id: "c".into(),
            post: Some("p".into()),
            parent: parent.map(Into::into),
            text: None,
            attachments: vec![],
        }))
    };
    check(&comment(None), json!({ "is_reply": false, "post_id": "p", "parent_id": null }));
    check(&comment(Some("p")), json!({ "is_reply": false, "parent_id": "p" }));
    check(&comment(Some("c0")), json!({ "is_reply": true, "parent_id": "c0" }));
}

#[test]
fn a_failed_status_tells_why() {
    let failure = PluginFailure { fault: Fault::Rejected, code: "130472".into(), message: "no".into(), retry_after: None };
    let mut e =
        event(EventBody::Status(Status { message: "m".into(), state: Delivery::Failed, key: None, failure: Some(failure) }));
    check(&e, json!({ "error": { "code": "130472", "title": "no" } }));
    let told = json!({ "code": 130_472, "title": "experiment", "details": "d" });
    e.extra = Some(json!({ "recipient_id": "155", "error": told }));
    check(&e, json!({ "recipient_id": "155", "error": told }));
}

#[test]
fn extra_that_is_no_object_adds_nothing() {
    let mut e = event(EventBody::Message(Message::text("hi")));
    let plain = to_v1(&e, "c", "a");
    for extra in [json!(null), json!([1]), json!("text")] {
        e.extra = Some(extra);
        assert_eq!(to_v1(&e, "c", "a"), plain);
    }
}

#[test]
fn moments_are_cut_to_milliseconds_and_may_be_none() {
    assert_eq!(timestamp(0).as_deref(), Some("1970-01-01T00:00:00Z"));
    assert_eq!(timestamp(1_709_164_799_999).as_deref(), Some("2024-02-28T23:59:59.999Z"));
    assert_eq!(timestamp(1_697_043_223_100).as_deref(), Some("2023-10-11T16:53:43.1Z"));
    assert_eq!(timestamp(i64::MAX), None);
}
