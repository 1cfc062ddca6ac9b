//! What a message becomes: files, places, cards, bytes, buttons.

use pointsman_sdk::channel::Operation;
use pointsman_sdk::prelude::*;

use super::super::begin;
use super::{exchange, file, job, refused, sends, with};

#[test]
fn files_go_by_their_kind() {
    use AttachmentKind as Kind;
    for (kind, method, field, caption) in [
        (Kind::Image, "sendPhoto", "photo", true),
        (Kind::Video, "sendVideo", "video", true),
        (Kind::Audio, "sendAudio", "audio", true),
        (Kind::Voice, "sendVoice", "voice", true),
        (Kind::File, "sendDocument", "document", true),
        (Kind::Sticker, "sendSticker", "sticker", false),
    ] {
        let all = sends(Message::text("look").attach(Attachment::new(kind, Media::Provider("F1".into()))));
        let (last, body) = all.last().unwrap();
        assert_eq!((last.as_str(), &body[field]), (method, &json!("F1")));
        assert_eq!((all.len(), body["caption"].as_str()), if caption { (1, Some("look")) } else { (2, None) }, "{method}");
        if !caption {
            assert_eq!(all[0], ("sendMessage".into(), json!({ "chat_id": 5, "text": "look" })));
        }
    }
    let gif = Attachment { mime_type: Some("image/gif".into()), ..file(Kind::Image, "https://x.example/a.gif") };
    assert_eq!(sends(Message::default().attach(gif))[0].0, "sendAnimation");
    let long = sends(Message::text("👍".repeat(513)).attach(file(Kind::Image, "https://x.example/a")));
    assert_eq!(long.iter().map(|c| c.0.as_str()).collect::<Vec<_>>(), ["sendMessage", "sendPhoto"], "1026 units are no caption");
    let fits = sends(Message::text("👍".repeat(512)).attach(file(Kind::Image, "https://x.example/a")));
    assert_eq!(fits.len(), 1);
    let two = sends(
        Message::text("two")
            .attach(file(Kind::Image, "https://x.example/a"))
            .attach(file(Kind::Video, "https://x.example/b"))
            .button("A", ""),
    );
    assert_eq!((two.len(), &two[1].1["caption"]), (2, &Value::Null));
    assert_eq!(two[1].1["reply_markup"]["inline_keyboard"][0][0]["callback_data"], "A", "the last one carries the buttons");
    assert_eq!(refused(Message::default().attach(Attachment::new(Kind::Image, Media::None))).code, "attachment");
    assert_eq!(refused(Message::default().attach(Attachment::new(Kind::Story, Media::None))).fault, Fault::Unsupported);
}

#[test]
fn places_and_cards_are_sent() {
    let extra =
        |kind: AttachmentKind, extra: Value| Attachment { extra: Some(extra.to_string()), ..Attachment::new(kind, Media::None) };
    let place = json!({ "latitude": 1.5, "longitude": 2 });
    let sent = |a: Attachment| sends(Message::default().attach(a)).remove(0);
    assert_eq!(
        sent(extra(AttachmentKind::Location, place.clone())),
        ("sendLocation".into(), json!({ "chat_id": 5, "latitude": 1.5, "longitude": 2 }))
    );
    let venue = json!({ "latitude": 1.5, "longitude": 2, "name": "N", "address": "A" });
    assert_eq!(
        sent(extra(AttachmentKind::Location, venue)),
        ("sendVenue".into(), json!({ "chat_id": 5, "latitude": 1.5, "longitude": 2, "title": "N", "address": "A" }))
    );
    let card = json!({ "name": "Ann", "phones": ["123"] });
    assert_eq!(
        sent(extra(AttachmentKind::Contact, card)),
        ("sendContact".into(), json!({ "chat_id": 5, "phone_number": "123", "first_name": "Ann" }))
    );
    assert_eq!(sent(file(AttachmentKind::Link, "https://x.example/")).1["text"], "https://x.example/");
    let refuse = |a: Attachment| refused(Message::default().attach(a)).code;
    assert_eq!(refuse(extra(AttachmentKind::Location, json!({ "latitude": "1" }))), "location");
    assert_eq!(refuse(extra(AttachmentKind::Contact, json!({ "name": "Ann" }))), "contact");
    assert_eq!(refuse(Attachment::new(AttachmentKind::Link, Media::None)), "link");
}

#[test]
fn a_blob_travels_as_multipart_with_everything_beside_it() {
    let job = job(Operation::Send(
        Message::text("look")
            .answering("3")
            .button("A", "a")
            .attach(Attachment::new(AttachmentKind::Image, Media::Blob("b7".into()))),
    ));
    let sent = exchange(begin(&job));
    let Body::Multipart(parts) = &sent.request.body else { panic!("{sent:?}") };
    let text = |name: &str| parts.iter().find(|p| p.name == name).map(|p| p.content.clone());
    assert_eq!(text("photo"), Some(PartContent::Blob("b7".into())));
    assert_eq!(text("chat_id"), Some(PartContent::Text("5".into())));
    assert_eq!(text("caption"), Some(PartContent::Text("look".into())));
    assert_eq!(text("reply_parameters"), Some(PartContent::Text(r#"{"message_id":3}"#.into())));
    assert!(sent.request.headers.is_empty() && !sent.repeatable);
}

#[test]
fn buttons_have_payloads_of_64_bytes() {
    let keyboard = |m: Message| sends(m)[0].1["reply_markup"].clone();
    let mut link = Message::text("see").button("Open", "");
    link.choices[0].url = Some("https://x.example/".into());
    assert_eq!(keyboard(link), json!({ "inline_keyboard": [[{ "text": "Open", "url": "https://x.example/" }]] }));
    let rows = (0..100).fold(Message::text("pick"), |m, n| m.button(format!("{n}"), ""));
    assert_eq!(keyboard(rows.clone())["inline_keyboard"].as_array().unwrap().len(), 100);
    assert_eq!(refused(rows.button("more", "")).code, "buttons");
    assert!(keyboard(Message::text("x").button("t", "é".repeat(32))).is_object());
    assert_eq!(refused(Message::text("x").button("t", "é".repeat(33))).code, "button-payload");
    assert_eq!(refused(Message::text("x").button(" ", "a")).code, "button-title");
    assert_eq!(refused(Message::default().button("A", "a")).code, "no-text");
    let own =
        with(Message::text("x"), json!({ "reply_markup": { "remove_keyboard": true }, "protect_content": true, "chat_id": 666 }));
    assert_eq!(
        sends(own)[0].1,
        json!({ "chat_id": 5, "text": "x", "protect_content": true, "reply_markup": { "remove_keyboard": true } })
    );
}
