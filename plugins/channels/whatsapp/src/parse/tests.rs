//! What the fixtures do not show: other shapes, several of everything, and what is unknown.

use pointsman_sdk::prelude::*;

use super::parse;

const NUMBER: &str = "1122334455667";

fn post(value: Value) -> Vec<Event> {
    field("messages", value)
}

fn field(name: &str, value: Value) -> Vec<Event> {
    let body = json!({ "object": "whatsapp_business_account", "entry": [{ "id": "77", "changes": [{ "field": name, "value": value }] }] });
    parse(body.to_string().as_bytes(), 5).unwrap()
}

fn message(m: Value) -> Event {
    let mut events = post(json!({
        "metadata": { "phone_number_id": NUMBER },
        "contacts": [{ "wa_id": "155", "user_id": "US.1", "profile": { "name": "Ann" } }],
        "messages": [m],
    }));
    assert_eq!(events.len(), 1);
    events.remove(0)
}

fn ignored(event: &Event) -> &str {
    match &event.body {
        EventBody::Ignored(why) if !event.trigger => why,
        other => panic!("not ignored: {other:?}"),
    }
}

#[test]
fn only_what_is_no_whatsapp_webhook_is_an_error() {
    for body in ["", "{", "[]", "null", "{}", r#"{"object":"page","entry":[]}"#, "\u{0}"] {
        assert!(parse(body.as_bytes(), 0).is_err(), "{body}");
    }
    assert!(parse(b"\xff\xfe", 0).is_err());
    assert_eq!(parse(br#"{"object":"whatsapp_business_account"}"#, 0), Ok(vec![]));
    assert_eq!(parse(br#"{"object":"whatsapp_business_account","entry":null,"new":[1]}"#, 0), Ok(vec![]));
}

#[test]
fn an_error_tells_the_place_and_not_the_words() {
    let error = parse(br#"{"object":"whatsapp_business_account","entry":"my secret"}"#, 0).unwrap_err();
    assert!(!error.contains("secret"), "{error}");
}

#[test]
fn one_spoilt_item_spoils_no_other() {
    let events = post(json!({
        "metadata": { "phone_number_id": NUMBER },
        "contacts": ["?"],
        "messages": [
            { "id": "a", "from": "155", "type": "text", "text": { "body": "one" }, "timestamp": "10" },
            { "id": "b", "from": "155", "type": "text", "text": "not an object" },
            17,
            { "id": "c", "from": "155", "type": "text", "text": { "body": "three" } },
        ],
    }));
    assert_eq!(events.len(), 4);
    assert_eq!(events[0].at, 10_000);
    assert!(ignored(&events[1]).contains("shape"));
    assert!(ignored(&events[2]).contains("shape"));
    assert_eq!(events[3].at, 5, "without a timestamp it happened when it came in");
    let keys: std::collections::BTreeSet<_> = events.iter().map(|e| &e.dedupe_key).collect();
    assert_eq!(keys.len(), 4);
    assert_eq!(ignored(&post(json!({ "messages": "?" }))[0]), "messages: the value has an unknown shape");
    assert_eq!(ignored(&post(json!({ "news": 1 }))[0]), "messages: nothing known in it");
}

#[test]
fn several_accounts_may_share_a_post() {
    let change = |number: &str| {
        json!({ "field": "messages", "value": { "metadata": { "phone_number_id": number },
            "messages": [{ "id": "a", "from": "155", "type": "text", "text": { "body": "hi" } }] } })
    };
    let body = json!({ "object": "whatsapp_business_account", "entry": [
        { "id": "1", "changes": [change("100"), change("200")] }, { "id": "2", "changes": [change("300")] },
    ] });
    let events = parse(body.to_string().as_bytes(), 0).unwrap();
    let accounts: Vec<_> = events.iter().filter_map(|e| e.account.as_deref()).collect();
    assert_eq!(accounts, ["100", "200", "300"]);
    assert_ne!(events[0].dedupe_key, events[1].dedupe_key, "the same id under two numbers is two facts");
}

#[test]
fn people_without_a_phone_are_known_by_their_scoped_id() {
    let events = post(json!({
        "metadata": { "phone_number_id": NUMBER },
        "contacts": [{ "user_id": "CO.104", "profile": { "name": "Bo", "username": "bo" } }],
        "messages": [{ "id": "a", "from_user_id": "CO.104", "type": "text", "text": { "body": "hi" } }],
        "statuses": [{ "id": "s", "status": "read", "recipient_user_id": "CO.104" }],
    }));
    let who = events[0].sender.as_ref().unwrap();
    assert_eq!((who.id.as_str(), who.name.as_deref(), who.username.as_deref()), ("CO.104", Some("Bo"), Some("bo")));
    assert_eq!(who.extra, None);
    assert_eq!(events[0].thread.as_deref(), Some("CO.104"));
    assert_eq!(events[1].thread.as_deref(), Some("CO.104"));
    let both = message(json!({ "id": "a", "from": "155", "from_user_id": "US.1", "type": "text", "text": { "body": "hi" } }));
    assert_eq!(both.sender.unwrap().extra.as_deref(), Some(r#"{"alt_ids":["US.1"]}"#));
    assert!(ignored(&message(json!({ "id": "a", "from": "", "from_user_id": "" }))).contains("no sender"));
}

#[test]
fn groups_are_conversations_of_their_own() {
    let event = message(json!({ "id": "a", "from": "155", "group_id": "G1", "type": "text", "text": { "body": "hi" } }));
    assert_eq!((event.thread.as_deref(), event.sender.unwrap().id.as_str()), (Some("G1"), "155"));
}

#[test]
fn reactions_are_taken_back_by_an_empty_or_missing_emoji() {
    for reaction in [json!({ "message_id": "t", "emoji": "" }), json!({ "message_id": "t" })] {
        let event = message(json!({ "id": "a", "from": "155", "type": "reaction", "reaction": reaction }));
        assert_eq!(event.body, EventBody::Reaction(Reaction { target: "t".into(), emoji: None }));
        assert!(!event.trigger);
    }
}

#[test]
fn edits_and_deletions_name_their_message_and_start_nothing() {
    let edit = message(json!({ "id": "e", "from": "155", "type": "edit",
        "edit": { "original_message_id": "o", "message": { "type": "text", "text": { "body": "new" } } } }));
    let EventBody::MessageEdit(m) = &edit.body else { panic!("{edit:?}") };
    assert_eq!((m.id.as_deref(), m.text.as_deref(), edit.trigger), (Some("o"), Some("new"), false));
    let gone = message(json!({ "id": "r", "from": "155", "type": "revoke", "revoke": { "original_message_id": "o" } }));
    assert_eq!((gone.body, gone.trigger), (EventBody::MessageDelete("o".into()), false));
}

#[test]
fn forms_and_orders_are_told() {
    let form = message(json!({ "id": "a", "from": "155", "type": "interactive", "interactive": { "type": "nfm_reply",
        "nfm_reply": { "response_json": "{\"size\":\"L\"}", "body": "Sent", "name": "flow" } } }));
    let EventBody::Interaction(i) = &form.body else { panic!("{form:?}") };
    assert_eq!((i.payload.as_str(), i.title.as_deref(), form.trigger), (r#"{"size":"L"}"#, Some("Sent"), true));
    let order = message(json!({ "id": "a", "from": "155", "type": "order",
        "order": { "catalog_id": "c", "text": "please", "product_items": [{ "product_retailer_id": "p", "quantity": 2 }] } }));
    let EventBody::Other(o) = &order.body else { panic!("{order:?}") };
    assert_eq!((o.kind.as_str(), o.text.as_deref()), ("order", Some("please")));
    assert!(o.data.contains(r#""quantity":2"#));
}

#[test]
fn unknown_and_unsupported_types_are_messages_that_say_so() {
    for (kind, m) in [
        ("unsupported", json!({ "id": "a", "from": "155", "type": "unsupported", "errors": [{ "code": 131_051 }] })),
        ("hologram", json!({ "id": "a", "from": "155", "type": "hologram", "hologram": {} })),
        ("interactive", json!({ "id": "a", "from": "155", "type": "interactive", "interactive": { "type": "new_reply" } })),
    ] {
        let event = message(m);
        let EventBody::Message(m) = &event.body else { panic!("{event:?}") };
        assert_eq!(m.attachments[0].kind, AttachmentKind::Unsupported);
        assert!(m.attachments[0].extra.as_deref().unwrap().contains(kind));
    }
    let empty = message(json!({ "id": "a", "from": "155", "type": "text", "text": { "body": "" } }));
    let EventBody::Message(m) = empty.body else { panic!() };
    assert_eq!((m.text, m.attachments.len()), (None, 0));
}

#[test]
fn statuses_carry_our_key_and_their_fault() {
    let status = |s: Value| post(json!({ "metadata": { "phone_number_id": NUMBER }, "statuses": [s] })).remove(0);
    let failed = status(json!({ "id": "w", "status": "failed", "recipient_id": "155", "biz_opaque_callback_data": "k",
        "errors": [{ "code": 131_047, "title": "Re-engagement message" }] }));
    let EventBody::Status(s) = &failed.body else { panic!("{failed:?}") };
    assert_eq!((s.key.as_deref(), s.failure.as_ref().map(|f| f.fault)), (Some("k"), Some(Fault::WindowClosed)));
    let played = status(json!({ "id": "w", "status": "played", "recipient_id": "155" }));
    assert_eq!(played.dedupe_key, "w#played");
    assert!(ignored(&status(json!({ "id": "w", "status": "pondered", "recipient_id": "155" }))).contains("unknown status"));
    assert!(ignored(&status(json!({ "status": "sent" }))).contains("names no message"));
}

#[test]
fn echoes_never_trigger_whatever_they_hold() {
    for m in [
        json!({ "id": "a", "from": "972", "to": "155", "type": "image", "image": { "id": "1" } }),
        json!({ "id": "a", "from": "972", "to": "155", "type": "text", "text": { "body": "hi" } }),
        json!({ "id": "a", "from": "972", "to": "155", "type": "revoke", "revoke": { "original_message_id": "o" } }),
        json!({ "id": "a", "from": "972", "to": "155", "type": "button", "button": { "text": "t" } }),
        json!({ "id": "a", "from": "972", "type": "text" }),
    ] {
        let events = field("smb_message_echoes", json!({ "metadata": { "phone_number_id": NUMBER }, "message_echoes": [m] }));
        assert_eq!(events.len(), 1);
        assert!(!events[0].trigger);
        assert!(!matches!(events[0].body, EventBody::Message(_) | EventBody::Interaction(_)));
    }
}

#[test]
fn accounts_tell_news_and_unknown_fields_are_ignored() {
    let stop = field(
        "user_preferences",
        json!({ "metadata": { "phone_number_id": NUMBER },
        "user_preferences": [{ "wa_id": "155", "category": "marketing_messages", "value": "stop", "timestamp": 1_731_705_721 }] }),
    );
    let EventBody::Other(o) = &stop[0].body else { panic!("{stop:?}") };
    assert_eq!((o.kind.as_str(), stop[0].at), ("subscription", 1_731_705_721_000));
    assert!(o.data.contains("opt_out"));
    let quality = field("phone_number_quality_update", json!({ "event": "FLAGGED" }));
    assert_eq!(quality[0].account.as_deref(), Some("77"));
    assert_eq!(ignored(&field("moon_phase", json!({}))[0]), "moon_phase: an unknown field");
    let error =
        post(json!({ "metadata": { "phone_number_id": NUMBER }, "errors": [{ "code": 130_429, "title": "Rate limit" }] }));
    let EventBody::Other(o) = &error[0].body else { panic!("{error:?}") };
    assert!(o.data.contains("130429"));
}

#[test]
fn keys_are_short_and_stay_apart() {
    let long =
        |tail: &str| message(json!({ "id": format!("{}{tail}", "w".repeat(400)), "from": "155", "type": "text" })).dedupe_key;
    assert!(long("a").len() <= 256);
    assert_ne!(long("a"), long("b"));
    assert_eq!(long("a"), long("a"));
}

#[test]
fn too_many_facts_are_refused_as_a_whole() {
    let items: Vec<Value> = (0..1001).map(|n| json!({ "id": format!("s{n}"), "status": "sent", "recipient_id": "1" })).collect();
    let body = json!({ "object": "whatsapp_business_account", "entry": [{ "changes": [{ "field": "messages", "value": { "statuses": items } }] }] });
    assert!(parse(body.to_string().as_bytes(), 0).is_err());
}

/// Broken in every place, a body never does more than fail.
#[test]
fn no_cut_or_changed_byte_panics() {
    let body = include_bytes!("../../fixtures/payloads/contacts.json");
    for n in 0..body.len() {
        let _ = parse(&body[..n], 0);
        for with in [b'0', b'"', b'{', b']', 0xff] {
            let mut changed = body.to_vec();
            changed[n] = with;
            let _ = parse(&changed, 0);
        }
    }
}
