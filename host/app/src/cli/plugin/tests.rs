//! The translations, apart from any plugin.

use pointsman_core::event::v1::to_v1;
use pointsman_core::event::{AttachmentKind, Media, Message};
use pointsman_core::ports::{Body, CredentialUse, HttpRequest, Method, Operation, Placement};
use pointsman_manifest::Manifest;
use serde_json::{Value, json};

use super::case::{Case, Pairs};
use super::{ask, event, list, request};

fn whatsapp() -> Manifest {
    let all = crate::bundled::all().unwrap();
    all.into_iter().map(|(manifest, _)| manifest).find(|m| m.short_name() == "whatsapp").unwrap()
}

fn asked(value: Value) -> ask::Asked {
    ask::read(value, &whatsapp()).unwrap()
}

#[test]
fn an_ask_and_an_operation_of_the_contract_come_out_alike() {
    let plain = asked(json!({"to": "1", "text": "hi"}));
    assert_eq!(plain, asked(json!({"to": "1", "send": {"text": "hi"}})));
    assert_eq!(plain.operation, Operation::Send(Message::text("hi")));
    assert_eq!(asked(json!("typing")).operation, asked(json!({"action": "typing_on"})).operation);
    assert_eq!(asked(json!({"action": "mark_read", "id": 5})).operation, Operation::MarkRead("5".to_owned()));
    let own = asked(json!({"action": "mark_read_typing", "message_id": "m"})).operation;
    assert_eq!(own, Operation::Other { name: "mark_read_typing".to_owned(), input: json!({"message_id": "m"}) });
    let Operation::Send(message) = asked(json!({
        "to": "1", "text": "", "attachment": {"type": "file", "url": "https://x.example/a", "filename": "a"},
        "buttons": [{"id": "y", "title": "Yes"}, {"title": "Site", "url": "https://x.example"}], "preview_url": true
    }))
    .operation
    else {
        panic!("no message")
    };
    assert_eq!(message.text, None);
    let file = &message.attachments[0];
    assert_eq!((file.kind, file.file_name.as_deref()), (AttachmentKind::File, Some("a")));
    assert_eq!(file.media, Media::Url("https://x.example/a".to_owned()));
    assert_eq!((message.choices[0].payload.as_str(), message.choices[1].url.as_deref()), ("y", Some("https://x.example")));
    assert_eq!(message.extra, Some(json!({"preview_url": true})));
}

#[test]
fn what_is_no_operation_is_refused_with_its_cure() {
    for wrong in [
        json!(1),
        json!("fly"),
        json!({"action": "fly"}),
        json!({"action": "react"}),
        json!({"send": {"text": 1}}),
        json!({"text": {}}),
    ] {
        let refused = ask::read(wrong.clone(), &whatsapp()).unwrap_err();
        assert_eq!(refused.code, "try.operation", "{wrong}");
    }
}

#[test]
fn events_survive_the_way_back() {
    for flat in [
        json!({"kind": "message", "channel": "c", "account_id": "a", "conversation_key": "c:a:p:1", "timestamp": "2023-10-11T16:53:43.5Z",
            "id": "m", "sender_id": "p:1", "sender_name": "Ann", "sender_alt_ids": ["x"], "language": "en", "direction": "inbound",
            "text": "hi", "attachments": [{"type": "image", "id": "9", "width": 4}], "reply_to": "r", "forwarded": true,
            "trigger": true, "dedupe_key": "k"}),
        json!({"kind": "interaction", "channel": "c", "account_id": "a", "conversation_key": "c:a:p", "timestamp": "2023-10-11T16:53:43Z",
            "id": "i", "sender_id": "p", "payload": "yes", "text": "Yes", "reply_to": "m", "interaction": "list", "trigger": true, "dedupe_key": "k"}),
        json!({"kind": "reaction", "channel": "c", "account_id": "a", "conversation_key": "c:a:p", "timestamp": "2023-10-11T16:53:43Z",
            "sender_id": "p", "target_id": "m", "emoji": null, "action": "remove", "trigger": false, "dedupe_key": "k"}),
        json!({"kind": "status", "channel": "c", "account_id": "a", "conversation_key": "c:a:p", "timestamp": "2023-10-11T16:53:43Z",
            "id": "m", "status": "failed", "error": {"code": 5, "title": "no", "href": "h"}, "direction": "outbound", "trigger": false, "dedupe_key": "k"}),
        json!({"kind": "subscription", "channel": "c", "account_id": "a", "conversation_key": null, "timestamp": "2023-10-11T16:53:43Z",
            "id": "s", "event": "subscribed", "trigger": true, "dedupe_key": "k"}),
    ] {
        let back = to_v1(&event::from_v1(flat.clone(), 0).unwrap(), "c", "route");
        for (name, value) in flat.as_object().unwrap() {
            assert_eq!(back.get(name).unwrap_or(&Value::Null), value, "{name} of {flat}");
        }
    }
    assert_eq!(event::from_v1(json!({"text": "hi"}), 0).unwrap_err().code, "try.event");
}

#[test]
fn secrets_stand_as_markers_where_the_broker_puts_them() {
    let placed = |place: Placement, slot: &str| CredentialUse { slot: slot.to_owned(), place };
    let base = HttpRequest {
        method: Method::Post,
        url: "https://api.example.com/bot{token}/send".to_owned(),
        headers: vec![("content-type".to_owned(), "application/json".to_owned())],
        body: Body::Bytes(br#"{"a":{"b":1}}"#.to_vec()),
        credentials: vec![
            placed(Placement::Path("{token}".to_owned()), "bot_token"),
            placed(Placement::JsonField("/a/c~1d".to_owned()), "webhook_secret"),
            placed(Placement::Header { name: "x-api-key".to_owned(), prefix: "Key ".to_owned() }, "api-key"),
            placed(Placement::Query("k y".to_owned()), "token"),
        ],
        keep_body: false,
        timeout: None,
    };
    assert_eq!(
        request::shown(&base),
        json!({
            "method": "POST",
            "url": "https://api.example.com/bot{TOKEN}/send?k+y={TOKEN}",
            "headers": {"Content-Type": "application/json", "X-Api-Key": "Key {API_KEY}"},
            "json": {"a": {"b": 1, "c/d": "{WEBHOOK_SECRET}"}},
        })
    );
    let form = HttpRequest {
        url: "https://api.example.com/".to_owned(),
        headers: Vec::new(),
        body: Body::Form(vec![("a".to_owned(), "b".to_owned())]),
        credentials: vec![placed(Placement::FormField("t".to_owned()), "token"), placed(Placement::Bearer, "token")],
        ..base
    };
    let shown = request::shown(&form);
    assert_eq!(shown["form"], json!([["a", "b"], ["t", "{TOKEN}"]]));
    assert_eq!(shown["headers"]["Authorization"], "Bearer {TOKEN}");
}

#[test]
fn a_line_is_read_as_it_was_written() {
    let case = |line: &str| Case::read(line.as_bytes()).unwrap();
    let whole = case(
        r#"{"account": 12345678901234567890123, "headers": {"A": ["1", 2], "a": "3"}, "body": {"id": 12345678901234567890123, "b":1.0}}"#,
    );
    assert_eq!(whole.account().unwrap().id, "12345678901234567890123");
    let request = whole.request.clone().unwrap();
    assert_eq!(request.body().unwrap().unwrap(), br#"{"id": 12345678901234567890123, "b":1.0}"#);
    let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    assert_eq!(request.headers().unwrap(), [pair("a", "1"), pair("a", "2"), pair("a", "3")]);
    assert_eq!(case(r#"{"body_base64": "AP8="}"#).request.unwrap().body().unwrap().unwrap(), [0, 255]);
    assert_eq!(case(r#"{"query": "hub.mode=subscribe&x=a%20b"}"#).request.unwrap().method().unwrap(), Method::Get);

    let given = Case {
        request: Some(super::case::Request { headers: Some(Pairs::Text("A: 1\n\nb:2".to_owned())), ..Default::default() }),
        ..case(r#"{"account": {"id": "x", "config": {"v": 1}}, "key": "k"}"#)
    };
    let line = case(r#"{"body": "text"}"#).over(&given);
    assert_eq!((line.account().unwrap().config, line.key.as_deref()), (json!({"v": 1}), Some("k")));
    assert_eq!(line.request.as_ref().unwrap().headers().unwrap(), [pair("a", "1"), pair("b", "2")]);
    assert_eq!(line.request.unwrap().body().unwrap().unwrap(), b"text");
    assert_eq!(Case::read(b"{").unwrap_err().code, "try.line");
    let crooked = case(r#"{"headers": "no header"}"#).request.unwrap().headers().unwrap_err();
    assert_eq!(crooked.code, "try.headers");
}

#[test]
fn every_bundled_plugin_says_in_words_what_it_may() {
    for (manifest, _) in crate::bundled::all().unwrap() {
        let words = list::capabilities(&manifest);
        let asked = manifest.credentials.len()
            + usize::from(manifest.capabilities.act.is_some())
            + usize::from(manifest.capabilities.state.is_some());
        assert!(!words.is_empty() && words.len() >= asked, "{words:?}");
        assert!(words.iter().all(|w| w.contains(": ")), "{words:?}");
    }
}
