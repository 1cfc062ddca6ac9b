//! Bodies that are crooked on purpose: ids, depth, cuts, wrong types. They give an event, a reason or an error, never a panic.

use pointsman_sdk::prelude::*;

use super::super::parse;
use super::{data, ignored, message, with};

#[test]
fn large_ids_keep_their_digits_and_crooked_ones_are_no_chat() {
    let event = message(json!({ "text": "hi", "message_id": u64::MAX, "chat": { "id": i64::MIN, "type": "supergroup" } }));
    let EventBody::Message(m) = &event.body else { panic!("{event:?}") };
    assert_eq!((m.id.as_deref(), event.thread.as_deref()), (Some("18446744073709551615"), Some("-9223372036854775808")));
    for id in ["99999999999999999999999", "1e400", "1.5", "\"x\"", "\"\"", "{}", "null", "true"] {
        let body = format!(r#"{{"update_id":1,"message":{{"message_id":1,"chat":{{"id":{id}}},"text":"hi"}}}}"#);
        let events = parse(body.as_bytes()).unwrap().events;
        assert!(ignored(&events[0]).contains("no chat"), "{id}");
    }
    for id in [json!({}), json!(null), json!(""), json!("u".repeat(1000))] {
        let events =
            parse(json!({ "update_id": id, "message": with(json!({ "text": "hi" })) }).to_string().as_bytes()).unwrap().events;
        assert!(events[0].dedupe_key.starts_with("body:"), "{id}");
    }
}

#[test]
fn what_is_nested_very_deep_ends_no_reader() {
    for open in ["[", "{\"reply_to_message\":", "{\"message\":", "[{\"a\":"] {
        let deep = open.repeat(100_000);
        for body in [format!(r#"{{"update_id":1,"message":{deep}"#), deep.clone()] {
            assert!(parse(body.as_bytes()).is_err());
        }
    }
    let closed = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
    for field in ["text", "entities", "photo", "reply_to_message", "from", "moon"] {
        let body = format!(
            r#"{{"update_id":1,"message":{{"message_id":1,"chat":{{"id":5}},"from":{{"id":5}},"caption":"hi","{field}":{closed}}}}}"#
        );
        assert_eq!(parse(body.as_bytes()).unwrap().events.len(), 1, "{field}");
    }
    let paid = format!(
        r#"{{"update_id":1,"message":{{"message_id":1,"chat":{{"id":5}},"successful_payment":{{"total_amount":{closed}}}}}}}"#
    );
    assert_eq!(data(&parse(paid.as_bytes()).unwrap().events[0]).1["payment"]["total_amount"], Value::Null);
}

/// Broken in every place, a body never does more than fail.
#[test]
fn no_cut_or_changed_byte_panics() {
    for body in [
        &include_bytes!("../../../fixtures/payloads/start_deeplink.json")[..],
        include_bytes!("../../../fixtures/payloads/callback_query.json"),
        include_bytes!("../../../fixtures/payloads/reaction.json"),
        include_bytes!("../../../fixtures/payloads/video.json"),
    ] {
        for n in 0..body.len() {
            let _ = parse(&body[..n]);
            for with in [b'0', b'"', b'{', b']', b'-', 0xff] {
                let mut changed = body.to_vec();
                changed[n] = with;
                let _ = parse(&changed);
            }
        }
    }
}

/// Every value of every payload in turn replaced by what it should not be: an event or a reason, never a panic.
#[test]
fn no_wrong_type_panics() {
    fn places(value: &Value, at: String, all: &mut Vec<String>) {
        all.push(at.clone());
        match value {
            Value::Object(fields) => fields.iter().for_each(|(k, v)| places(v, format!("{at}/{k}"), all)),
            Value::Array(items) => items.iter().enumerate().for_each(|(n, v)| places(v, format!("{at}/{n}"), all)),
            _ => {}
        }
    }
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/payloads");
    let mut tried = 0;
    for file in std::fs::read_dir(folder).unwrap() {
        let whole: Value = serde_json::from_str(&std::fs::read_to_string(file.unwrap().path()).unwrap()).unwrap();
        let mut all = Vec::new();
        places(&whole, String::new(), &mut all);
        for place in all.iter().skip(1) {
            for wrong in [
                json!(null),
                json!(-1),
                json!(u64::MAX),
                json!(1e308),
                json!(""),
                json!("x"),
                json!([]),
                json!({}),
                json!([[{}]]),
                json!(true),
            ] {
                let mut changed = whole.clone();
                *changed.pointer_mut(place).unwrap() = wrong;
                let reception = parse(changed.to_string().as_bytes()).unwrap();
                assert_eq!(reception.events.len(), 1, "{place}");
                assert!(!reception.events[0].dedupe_key.is_empty());
                tried += 1;
            }
        }
    }
    assert!(tried > 2_000, "{tried}");
}
