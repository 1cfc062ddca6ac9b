//! What the fixtures do not show: other shapes, other updates, and what is unknown or hostile.

use pointsman_sdk::prelude::*;

use super::parse;

mod hostile;

fn update(kind: &str, value: Value) -> Vec<Event> {
    parse(json!({ "update_id": 9, kind: value }).to_string().as_bytes()).unwrap().events
}

fn one(kind: &str, value: Value) -> Event {
    let mut events = update(kind, value);
    assert_eq!(events.len(), 1, "{events:?}");
    events.remove(0)
}

/// A message of Ann's in her private chat, with these fields beside.
fn message(fields: Value) -> Event {
    one("message", with(fields))
}

fn with(fields: Value) -> Value {
    let mut m = json!({
        "message_id": 7, "date": 1_700_000_000, "from": { "id": 5, "is_bot": false, "first_name": "Ann" },
        "chat": { "id": 5, "type": "private", "first_name": "Ann" },
    });
    m.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
    m
}

fn ignored(event: &Event) -> &str {
    match &event.body {
        EventBody::Ignored(why) if !event.trigger && event.thread.is_none() => why,
        other => panic!("not ignored: {other:?}"),
    }
}

fn extra(event: &Event) -> Value {
    event.extra.as_deref().map_or(Value::Null, |e| serde_json::from_str(e).unwrap())
}

fn attachments(event: &Event) -> Vec<(AttachmentKind, Media, Value)> {
    let EventBody::Message(m) = &event.body else { panic!("{event:?}") };
    let extra = |a: &Attachment| a.extra.as_deref().map_or(Value::Null, |e| serde_json::from_str(e).unwrap());
    m.attachments.iter().map(|a| (a.kind, a.media.clone(), extra(a))).collect()
}

fn data(event: &Event) -> (String, Value) {
    let EventBody::Other(o) = &event.body else { panic!("{event:?}") };
    (o.kind.clone(), serde_json::from_str(&o.data).unwrap())
}

#[test]
fn only_what_is_no_update_is_an_error() {
    for body in ["", "{", "[]", "null", "{}", "7", r#"{"object":"page"}"#, "\u{0}", r#"{"update_id":1"#] {
        assert!(parse(body.as_bytes()).is_err(), "{body}");
    }
    assert!(parse(b"\xff\xfe").is_err());
    let reception = parse(br#"{"update_id":1}"#).unwrap();
    assert_eq!((ignored(&reception.events[0]), reception.answer), ("update: an unknown update", None));
}

#[test]
fn an_error_tells_the_place_and_not_the_words() {
    let error = parse(br#"{"update_id":1, "message": my secret}"#).unwrap_err();
    assert!(!error.contains("secret"), "{error}");
}

#[test]
fn what_is_unknown_or_of_no_use_is_ignored_with_its_reason() {
    assert_eq!(ignored(&one("moon_phase", json!({ "chat": { "id": 1 } }))), "moon_phase: an unknown update");
    assert!(ignored(&one("inline_query", json!({ "id": "1", "query": "x" }))).starts_with("inline_query: "));
    for kind in ["chat_member", "poll", "poll_answer", "chat_join_request", "pre_checkout_query", "message_reaction_count"] {
        assert!(!ignored(&one(kind, json!({}))).contains("unknown"), "{kind}");
    }
    assert_eq!(ignored(&message(json!({}))), "message: it says nothing");
    assert_eq!(ignored(&message(json!({ "text": "" }))), "message: it says nothing");
    assert!(ignored(&message(json!({ "new_chat_members": [{ "id": 1 }] }))).contains("new_chat_members"));
    assert!(ignored(&message(json!({ "pinned_message": { "message_id": 1 } }))).contains("pinned_message"));
    assert!(ignored(&one("message", json!({ "text": "hi" }))).contains("no chat"));
    assert_eq!(one("message", json!("?")).dedupe_key, "9");
    assert!(ignored(&one("message", json!("?"))).contains("shape"));
}

#[test]
fn a_field_that_came_later_hides_no_known_one() {
    let body = json!({ "update_id": 1, "message": with(json!({ "text": "hi" })), "moon_phase": {} });
    let events = parse(body.to_string().as_bytes()).unwrap().events;
    assert_eq!(events.len(), 1);
    assert!(matches!(&events[0].body, EventBody::Message(_)));
}

#[test]
fn a_field_of_a_wrong_shape_spoils_nothing_beside_it() {
    let event = message(json!({
        "text": "hi", "photo": "?", "entities": [1, { "type": "bot_command", "offset": -1, "length": 3 }, null],
        "reply_to_message": 7, "forward_date": "x", "venue": [], "message_thread_id": {}, "is_topic_message": "maybe",
    }));
    let EventBody::Message(m) = &event.body else { panic!("{event:?}") };
    assert_eq!((m.text.as_deref(), m.attachments.len(), m.reply_to.as_deref()), (Some("hi"), 0, None));
    assert_eq!(event.extra, None);
    let kinds: Vec<_> = attachments(&message(json!({ "photo": "?" }))).into_iter().map(|a| (a.0, a.2)).collect();
    assert_eq!(kinds, [(AttachmentKind::Unsupported, json!({ "what": "photo" }))]);
}

#[test]
fn times_that_no_calendar_has_are_none() {
    for date in [json!(0), json!(-5), json!(i64::MAX), json!(u64::MAX), json!(1e300), json!("x"), Value::Null] {
        assert_eq!(message(json!({ "text": "hi", "date": date })).at, 0, "{date}");
    }
    assert_eq!(message(json!({ "text": "hi" })).at, 1_700_000_000_000);
}

#[test]
fn bots_channels_and_hidden_administrators_start_nothing() {
    let bot = message(json!({ "text": "hi", "from": { "id": 8, "is_bot": true, "first_name": "B" } }));
    assert!(!bot.trigger && bot.sender.as_ref().unwrap().automated);
    let group = json!({ "id": -9, "type": "supergroup", "title": "Allotments" });
    let hidden =
        message(json!({ "text": "hi", "chat": group, "sender_chat": group, "from": { "id": 1_087_968_824, "is_bot": true } }));
    assert!(!hidden.trigger);
    assert_eq!(hidden.sender.unwrap().id, "-9");
    let forwarded = message(json!({ "text": "hi", "chat": group, "from": { "id": 777_000, "is_bot": false },
        "sender_chat": { "id": -10, "type": "channel", "title": "News" }, "is_automatic_forward": true }));
    assert!(!forwarded.trigger, "a channel's post in the group that belongs to it");
    let post = one(
        "channel_post",
        json!({ "message_id": 3, "date": 1_700_000_000, "text": "sale",
        "chat": { "id": -10, "type": "channel", "title": "News", "username": "news" } }),
    );
    assert!(!post.trigger);
    assert_eq!((post.thread.as_deref(), post.sender.as_ref().unwrap().username.as_deref()), (Some("-10"), Some("news")));
    assert_eq!(extra(&post), json!({ "channel_post": true, "thread_name": "News" }));
    assert!(matches!(&post.body, EventBody::Message(m) if m.text.as_deref() == Some("sale")));
    let nobody = one("message", json!({ "message_id": 3, "text": "hi", "chat": { "id": 5 } }));
    assert!(!nobody.trigger, "what nobody said starts nothing");
}

#[test]
fn edits_name_their_message_and_start_nothing() {
    for kind in ["edited_message", "edited_channel_post"] {
        let edit = one(kind, with(json!({ "text": "new", "edit_date": 1_700_000_009 })));
        let EventBody::MessageEdit(m) = &edit.body else { panic!("{edit:?}") };
        assert_eq!(
            (m.id.as_deref(), m.text.as_deref(), edit.trigger, edit.at),
            (Some("7"), Some("new"), false, 1_700_000_009_000)
        );
    }
}

#[test]
fn commands_are_told_from_their_entity() {
    let command = |text: &str, offset: usize, length: usize| {
        extra(&message(json!({ "text": text, "entities": [{ "type": "bot_command", "offset": offset, "length": length }] })))
    };
    let start = command("/start@shop_bot ref_42  x ", 0, 15);
    assert_eq!(
        (&start["command"], &start["command_args"], &start["command_to"]),
        (&json!("start"), &json!("ref_42  x"), &json!("shop_bot"))
    );
    let bare = command("/help", 0, 5);
    assert_eq!((&bare["command"], &bare["command_args"]), (&json!("help"), &Value::Null));
    assert_eq!(command("say /help", 4, 5)["command"], Value::Null, "not at the beginning");
    assert_eq!(command("/help", 0, 6), Value::Null, "past the end");
    assert_eq!(extra(&message(json!({ "text": "/help" }))), Value::Null, "no entity, no command");
}

#[test]
fn entities_are_told_with_their_text_and_bounded() {
    let event = message(json!({ "text": "👍👍 see shop or ann", "entities": [
        { "type": "bold", "offset": 0, "length": 4 }, { "type": "text_link", "offset": 9, "length": 4, "url": "https://x.example/" },
        { "type": "text_mention", "offset": 17, "length": 3, "user": { "id": 5 } }, { "type": "url", "offset": 1, "length": 2 } ] }));
    assert_eq!(
        extra(&event)["entities"],
        json!([
        { "type": "text_link", "text": "shop", "url": "https://x.example/" }, { "type": "text_mention", "text": "ann", "user_id": "5" } ])
    );
    let caption = message(json!({ "photo": [{ "file_id": "1" }], "caption": "/x",
        "caption_entities": [{ "type": "bot_command", "offset": 0, "length": 2 }] }));
    assert_eq!(extra(&caption)["command"], "x");
    let many: Vec<Value> = (0..20_000).map(|_| json!({ "type": "url", "offset": 0, "length": 4000 })).collect();
    let long = message(json!({ "text": "x".repeat(4096), "entities": many }));
    assert!(long.extra.unwrap().len() < 32 << 10);
}

#[test]
fn one_file_is_one_attachment() {
    let file = |id: &str| json!({ "file_id": id, "duration": 3, "file_size": 9, "thumbnail": { "file_id": "t" } });
    let gif = message(json!({ "animation": file("a"), "document": file("a") }));
    assert_eq!(
        attachments(&gif),
        [(AttachmentKind::Video, Media::Provider("a".into()), json!({ "seconds": 3, "animation": true }))]
    );
    let round = message(json!({ "video_note": file("n") }));
    assert_eq!(attachments(&round)[0].2, json!({ "seconds": 3, "round": true }));
    let song = message(json!({ "audio": { "file_id": "s", "title": "T", "performer": "P" } }));
    assert_eq!(
        attachments(&song),
        [(AttachmentKind::Audio, Media::Provider("s".into()), json!({ "title": "T", "performer": "P" }))]
    );
    let place = json!({ "latitude": 1.5, "longitude": 2 });
    let venue = message(json!({ "venue": { "location": place, "title": "T", "address": "A" }, "location": place }));
    assert_eq!(attachments(&venue).len(), 1);
    let at = message(json!({ "location": place }));
    assert_eq!(attachments(&at), [(AttachmentKind::Location, Media::None, json!({ "latitude": 1.5, "longitude": 2.0 }))]);
    let photo = message(
        json!({ "photo": [{ "file_id": "s", "width": 10, "height": 10 }, { "file_id": "l", "width": 20, "height": 10 }, {}] }),
    );
    assert_eq!(attachments(&photo)[0].1, Media::Provider("l".into()));
    let many = message(json!({ "media_group_id": "g1", "photo": [{ "file_id": "1" }] }));
    assert_eq!(extra(&many), json!({ "media_group_id": "g1" }));
}

#[test]
fn what_has_no_kind_of_its_own_says_what_it_is() {
    let poll = message(json!({ "poll": { "id": "p", "question": "Which?", "options": [{ "text": "A" }, { "text": "B" }] } }));
    assert_eq!(attachments(&poll)[0].2, json!({ "what": "poll", "id": "p", "question": "Which?", "options": ["A", "B"] }));
    let dice = message(json!({ "dice": { "emoji": "🎲", "value": 4 } }));
    assert_eq!(attachments(&dice)[0].2, json!({ "what": "dice", "emoji": "🎲", "value": 4 }));
    let hologram = message(json!({ "hologram": {} }));
    assert_eq!(attachments(&hologram)[0].2, json!({ "what": "hologram" }));
    assert!(hologram.trigger);
}

#[test]
fn groups_and_topics_are_conversations_of_their_own() {
    let chat = json!({ "id": -9, "type": "supergroup", "title": "Allotments", "is_forum": true });
    let plain = message(json!({ "text": "hi", "chat": chat, "message_thread_id": 3 }));
    assert_eq!(plain.thread.as_deref(), Some("-9"), "a row of answers is no topic");
    assert_eq!(extra(&plain), json!({ "group": true, "thread_name": "Allotments" }));
    let topic = message(json!({ "text": "hi", "chat": chat, "message_thread_id": 3, "is_topic_message": true,
        "reply_to_message": { "message_id": 3 } }));
    let EventBody::Message(m) = &topic.body else { panic!("{topic:?}") };
    assert_eq!((topic.thread.as_deref(), m.reply_to.as_deref()), (Some("-9/3"), None));
    let answer = message(json!({ "text": "hi", "chat": chat, "message_thread_id": 3, "is_topic_message": true,
        "reply_to_message": { "message_id": 4 }, "quote": { "text": "before" }, "forward_origin": {} }));
    let EventBody::Message(m) = &answer.body else { panic!("{answer:?}") };
    assert_eq!(m.reply_to.as_deref(), Some("4"));
    assert_eq!((&extra(&answer)["quote"], &extra(&answer)["forwarded"]), (&json!("before"), &json!(true)));
}

#[test]
fn a_group_that_moved_keeps_its_conversation() {
    let chat = |id: i64| json!({ "id": id, "type": "group", "title": "Allotments" });
    for event in [
        message(json!({ "chat": chat(-9), "migrate_to_chat_id": -1009 })),
        message(json!({ "chat": chat(-1009), "migrate_from_chat_id": -9 })),
    ] {
        assert_eq!(event.thread.as_deref(), Some("-9"));
        let group = event.sender.clone().unwrap();
        assert_eq!((group.id.as_str(), group.extra.as_deref()), ("-9", Some(r#"{"alt_ids":["-1009"]}"#)));
        assert_eq!(data(&event), ("account_event".into(), json!({ "event": "migrated", "old_id": "-9", "new_id": "-1009" })));
        assert!(!event.trigger);
    }
}

#[test]
fn a_press_names_its_button_and_is_answered_at_once() {
    let markup =
        json!({ "inline_keyboard": [[{ "text": "Yes", "callback_data": "y" }, { "text": "No", "callback_data": "n" }]] });
    let press = json!({ "id": "77", "from": { "id": 5, "is_bot": false, "first_name": "Ann" }, "data": "n",
        "message": { "message_id": 3, "date": 0, "chat": { "id": -9, "type": "group", "title": "G" }, "reply_markup": markup } });
    let reception = parse(json!({ "update_id": 1, "callback_query": press }).to_string().as_bytes()).unwrap();
    let event = &reception.events[0];
    let EventBody::Interaction(i) = &event.body else { panic!("{event:?}") };
    assert_eq!(
        (i.title.as_deref(), i.payload.as_str(), i.source.as_deref(), i.answer.as_deref()),
        (Some("No"), "n", Some("3"), Some("77"))
    );
    assert_eq!((event.thread.as_deref(), event.at, event.trigger), (Some("-9"), 0, true));
    let answer: Value = serde_json::from_slice(&reception.answer.unwrap().body).unwrap();
    assert_eq!(answer, json!({ "method": "answerCallbackQuery", "callback_query_id": "77" }));
    let inline = one("callback_query", json!({ "id": "78", "from": { "id": 5 }, "data": "y", "inline_message_id": "im" }));
    assert_eq!(inline.thread.as_deref(), Some("5"));
    assert_eq!(extra(&inline)["inline_message_id"], "im");
    assert!(
        ignored(&one("callback_query", json!({ "id": "78", "from": { "id": 5 }, "game_short_name": "g" }))).contains("games")
    );
    assert!(!one("callback_query", json!({ "id": "78", "from": { "id": 5, "is_bot": true }, "data": "y" })).trigger);
    assert!(ignored(&one("callback_query", json!({ "from": { "id": 5 }, "data": "y" }))).contains("without an id"));
}

#[test]
fn reactions_are_the_difference_of_two_lists() {
    let react = |old: Value, new: Value| {
        update(
            "message_reaction",
            json!({ "chat": { "id": 5, "type": "private" }, "message_id": 3, "user": { "id": 5 }, "date": 1_700_000_000,
            "old_reaction": old, "new_reaction": new }),
        )
    };
    let emoji = |e: &str| json!({ "type": "emoji", "emoji": e });
    let changes = |events: &[Event]| -> Vec<Option<String>> {
        events
            .iter()
            .map(|e| match &e.body {
                EventBody::Reaction(r) if !e.trigger && r.target == "3" => r.emoji.clone(),
                other => panic!("{other:?}"),
            })
            .collect()
    };
    let swapped = react(json!([emoji("👍"), emoji("🔥")]), json!([emoji("🔥"), emoji("❤")]));
    assert_eq!(changes(&swapped), [None, Some("❤".into())]);
    assert_eq!(extra(&swapped[0]), json!({ "removed": "👍" }));
    assert_eq!(swapped.iter().map(|e| e.dedupe_key.as_str()).collect::<Vec<_>>(), ["9", "9#1"]);
    let own = react(json!([]), json!([{ "type": "custom_emoji", "custom_emoji_id": "55" }, { "type": "paid" }]));
    assert_eq!(changes(&own), [Some("custom:55".into()), Some("paid".into())]);
    assert!(ignored(&react(json!([emoji("👍")]), json!([emoji("👍")]))[0]).contains("no reaction"));
    let many: Vec<Value> = (0..5000).map(|n| emoji(&n.to_string())).collect();
    assert!(ignored(&react(json!([]), json!(many))[0]).contains("more than"));
    let hidden = one(
        "message_reaction",
        json!({ "chat": { "id": -9, "type": "group" }, "message_id": 3, "actor_chat": { "id": -9 },
        "new_reaction": [emoji("👍")] }),
    );
    assert!(hidden.sender.unwrap().automated);
}

#[test]
fn blocked_unblocked_added_and_removed() {
    let member = |kind: &str, old: &str, new: &str| {
        one(
            "my_chat_member",
            json!({ "chat": { "id": 5, "type": kind }, "from": { "id": 5 }, "date": 1_700_000_000,
            "old_chat_member": { "status": old }, "new_chat_member": { "status": new } }),
        )
    };
    for (kind, old, new, word) in [
        ("private", "member", "kicked", ("subscription", "block")),
        ("private", "kicked", "member", ("subscription", "unblock")),
        ("supergroup", "left", "member", ("account_event", "added")),
        ("group", "kicked", "administrator", ("account_event", "added")),
        ("group", "member", "administrator", ("account_event", "rights_changed")),
        ("group", "member", "kicked", ("account_event", "removed")),
        ("channel", "administrator", "left", ("account_event", "removed")),
    ] {
        let event = member(kind, old, new);
        let (got, data) = data(&event);
        assert_eq!((got.as_str(), data["event"].as_str().unwrap()), word, "{kind} {old} {new}");
        assert_eq!((event.thread.as_deref(), event.trigger), (Some("5"), false));
    }
    assert!(ignored(&one("my_chat_member", json!({ "chat": { "id": 5 } }))).contains("no status"));
}

#[test]
fn a_business_account_has_customers_and_a_side_of_its_own() {
    let business = |from: Value, more: Value| {
        let mut fields = json!({ "text": "hi", "business_connection_id": "bc", "from": from });
        fields.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        one("business_message", with(fields))
    };
    let customer = business(json!({ "id": 5 }), json!({}));
    assert!(customer.trigger && matches!(customer.body, EventBody::Message(_)));
    assert_eq!((customer.thread.as_deref(), &extra(&customer)["thread_name"]), (Some("5@bc"), &json!("Ann")));
    for (from, more) in [(json!({ "id": 8 }), json!({})), (json!({ "id": 8 }), json!({ "sender_business_bot": { "id": 1 } }))] {
        let ours = business(from, more);
        assert!(matches!(ours.body, EventBody::Echo(_)) && !ours.trigger);
        assert_eq!(ours.thread.as_deref(), Some("5@bc"));
        assert!(ours.sender.as_ref().unwrap().automated);
        assert_eq!(extra(&ours)["recipient_id"], "5");
    }
    let edit =
        one("edited_business_message", with(json!({ "text": "new", "business_connection_id": "bc", "from": { "id": 8 } })));
    assert_eq!(data(&edit).0, "echo_edit");
    let gone = update(
        "deleted_business_messages",
        json!({ "business_connection_id": "bc", "chat": { "id": 5 }, "message_ids": [1, 2] }),
    );
    assert_eq!(
        gone.iter().map(|e| e.body.clone()).collect::<Vec<_>>(),
        [EventBody::MessageDelete("1".into()), EventBody::MessageDelete("2".into())]
    );
    assert_eq!(gone[1].thread.as_deref(), Some("5@bc"));
    let connection = one("business_connection", json!({ "id": "bc", "user": { "id": 8 }, "date": 1, "is_enabled": true }));
    assert_eq!(data(&connection).1, json!({ "event": "business_connected", "connection_id": "bc", "user_id": "8" }));
}

#[test]
fn pages_and_payments_are_told() {
    let page = message(json!({ "web_app_data": { "data": "{\"size\":\"L\"}", "button_text": "Choose" } }));
    let EventBody::Interaction(i) = &page.body else { panic!("{page:?}") };
    assert_eq!((i.payload.as_str(), i.title.as_deref(), page.trigger), (r#"{"size":"L"}"#, Some("Choose"), true));
    let paid = message(json!({ "successful_payment": { "currency": "EUR", "total_amount": 500, "invoice_payload": "o-7",
        "telegram_payment_charge_id": "c1", "provider_payment_charge_id": "c2", "more": [] } }));
    let payment =
        json!({ "currency": "EUR", "total_amount": 500, "payload": "o-7", "charge_id": "c1", "provider_charge_id": "c2" });
    assert_eq!(data(&paid), ("order".into(), json!({ "event": "payment", "payment": payment })));
    assert!(paid.trigger);
}
