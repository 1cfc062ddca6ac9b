//! The Bot API in small, seen from the host: every method, its answers, and what it refuses.

use bytes::Bytes;
use serde_json::{Value, json};

use super::{Host, ask, call};
use crate::{By, Share, Telegram, TelegramConfig};

pub(super) const ANA: &str = "427770117";

/// A bot that Ana has started.
pub(super) async fn started() -> Telegram {
    let emulator = Telegram::start(TelegramConfig::default()).await.unwrap();
    emulator.start_bot(ANA, "Ana Lovelace").unwrap();
    emulator
}

pub(super) async fn bot(emulator: &Telegram, method: &str, body: Value) -> (u16, Value) {
    call(format!("{}/bot{}/{method}", emulator.url(), emulator.config().bot_token), "", &body).await
}

/// A call that must be taken; gives its result.
pub(super) async fn done(emulator: &Telegram, method: &str, body: Value) -> Value {
    let (status, answer) = bot(emulator, method, body).await;
    assert_eq!((status, &answer["ok"]), (200, &json!(true)), "{method}: {answer}");
    answer["result"].clone()
}

/// A call that must be refused so.
async fn refused(emulator: &Telegram, method: &str, body: Value, code: u16, description: &str) {
    let (status, answer) = bot(emulator, method, body.clone()).await;
    let right = json!({ "ok": false, "error_code": code, "description": description });
    assert_eq!((status, &answer), (code, &right), "{method} {body}");
}

async fn say(emulator: &Telegram, body: Value) -> Value {
    let mut message = json!({ "chat_id": 427_770_117 });
    message.as_object_mut().unwrap().extend(body.as_object().unwrap().clone());
    done(emulator, "sendMessage", message).await
}

#[tokio::test]
async fn only_the_right_token_gets_in() {
    let emulator = started().await;
    let me = done(&emulator, "getMe", json!({})).await;
    assert_eq!((&me["id"], &me["is_bot"], &me["username"]), (&json!(110_201_543), &json!(true), &json!("emulated_bakery_bot")));
    done(&emulator, "GETME", json!({})).await;
    let url = |token: &str, method: &str| format!("{}/bot{token}/{method}", emulator.url());
    let unauthorized = json!({ "ok": false, "error_code": 401, "description": "Unauthorized" });
    for token in ["110201543:wrong", "", "110201543"] {
        assert_eq!(call(url(token, "getMe"), "", &json!({})).await, (401, unauthorized.clone()), "{token}");
    }
    let escaped = emulator.config().bot_token.replace(':', "%3A");
    assert_eq!(ask("GET", &url(&escaped, "getMe"), &[], b"").await.unwrap().0, 200);
    refused(&emulator, "sendNothing", json!({}), 404, "Not Found: method not found").await;
    assert_eq!(call(format!("{}/elsewhere", emulator.url()), "", &json!({})).await.0, 404);
    let calls = emulator.calls();
    let seen: Vec<_> = calls.iter().map(|c| (c.method.as_str(), c.status, c.authorized)).collect();
    assert_eq!(seen[..3], [("getMe", 200, true), ("GETME", 200, true), ("getMe", 401, false)]);
    assert_eq!(seen.last(), Some(&("sendNothing", 404, true)));
    assert!(calls.is_sorted_by_key(|c| c.at_ms));
}

#[tokio::test]
async fn a_text_is_taken_with_what_belongs_to_it() {
    let emulator = started().await;
    let first = say(&emulator, json!({ "text": "hello" })).await;
    assert_eq!(first["chat"], json!({ "id": 427_770_117, "first_name": "Ana", "last_name": "Lovelace", "type": "private" }));
    assert_eq!((&first["message_id"], &first["text"], &first["from"]["is_bot"]), (&json!(1), &json!("hello"), &json!(true)));
    let keyboard =
        json!({ "inline_keyboard": [[{ "text": "A", "callback_data": "a" }, { "text": "B", "url": "https://b.example" }]] });
    let second = say(
        &emulator,
        json!({ "text": "<b>pick</b>", "parse_mode": "HTML", "reply_parameters": { "message_id": 1 }, "reply_markup": keyboard }),
    )
    .await;
    assert_eq!((&second["text"], &second["entities"][0]["type"]), (&json!("pick"), &json!("bold")));
    assert_eq!((&second["reply_to_message"]["message_id"], &second["reply_markup"]), (&json!(1), &keyboard));
    assert_eq!(emulator.said_to(ANA), ["hello", "<b>pick</b>"]);
    let line = emulator.lines(ANA).pop().unwrap();
    assert_eq!((line.by, line.text.as_str(), line.reply_to.as_deref(), line.status), (By::Business, "pick", Some("1"), None));
    let buttons: Vec<_> = line.buttons.iter().map(|b| (b.title.as_str(), b.payload.as_str(), b.url.as_deref())).collect();
    assert_eq!(buttons, [("A", "a", None), ("B", "", Some("https://b.example"))]);
    // Ids count within a chat: another chat has a message 1 of its own.
    emulator.start_bot("5000000000", "Ben").unwrap();
    let other = done(&emulator, "sendMessage", json!({ "chat_id": "5000000000", "text": "hi" })).await;
    assert_eq!((&other["message_id"], &other["chat"]["id"]), (&json!(1), &json!(5_000_000_000_i64)));
    let taken = emulator.taken();
    assert_eq!((taken.len(), taken[2].id, taken[2].to()), (3, Some(1), Some("5000000000")));
}

#[tokio::test]
async fn a_text_is_refused_as_the_real_one_refuses_it() {
    let emulator = started().await;
    emulator.start_bot("7", "Gone").unwrap();
    let _ = emulator.block("7", true).await;
    let button = |button: Value| json!({ "inline_keyboard": [[button]] });
    let unparsed = "Bad Request: can't parse inline keyboard button: Text buttons are unallowed in the inline keyboard";
    for (change, code, why) in [
        (json!({ "chat_id": "" }), 400, "Bad Request: chat_id is empty"),
        (json!({ "chat_id": 4711 }), 400, "Bad Request: chat not found"),
        (json!({ "chat_id": 7 }), 403, "Forbidden: bot was blocked by the user"),
        (json!({ "text": " \n" }), 400, "Bad Request: message text is empty"),
        // 2,049 characters beyond the first plane are 4,098 units.
        (json!({ "text": "🥖".repeat(2049) }), 400, "Bad Request: message is too long"),
        (json!({ "reply_parameters": { "message_id": 99 } }), 400, "Bad Request: message to be replied not found"),
        (json!({ "reply_markup": [] }), 400, "Bad Request: object expected as reply markup"),
        (
            json!({ "reply_markup": button(json!({ "text": "A", "callback_data": "ü".repeat(33) })) }),
            400,
            "Bad Request: BUTTON_DATA_INVALID",
        ),
        (json!({ "reply_markup": button(json!({ "text": "A" })) }), 400, unparsed),
        (json!({ "reply_markup": button(json!({ "text": "A", "callback_data": "" })) }), 400, unparsed),
        (
            json!({ "parse_mode": "MarkdownV2", "text": "1.5" }),
            400,
            "Bad Request: can't parse entities: Character '.' is reserved and must be escaped with the preceding '\\'",
        ),
    ] {
        let mut message = json!({ "chat_id": 427_770_117, "text": "hello" });
        message.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
        refused(&emulator, "sendMessage", message, code, why).await;
    }
    assert!(emulator.taken().is_empty());
    say(&emulator, json!({ "text": "🥖".repeat(2048) })).await;
    say(&emulator, json!({ "text": format!("<b>{}</b>", "a".repeat(4096)), "parse_mode": "HTML" })).await;
    say(&emulator, json!({ "text": "a", "reply_markup": button(json!({ "text": "A", "callback_data": "ü".repeat(32) })) })).await;
    let absent = json!({ "message_id": 99, "allow_sending_without_reply": true });
    say(&emulator, json!({ "text": "a", "reply_parameters": absent })).await;
    let url = format!("{}/bot{}/sendMessage", emulator.url(), emulator.config().bot_token);
    let (status, _, _) = ask("POST", &url, &[("content-type", "application/json")], b"{broken").await.unwrap();
    assert_eq!(status, 400);
}

#[tokio::test]
async fn files_and_places_are_taken() {
    let emulator = started().await;
    for (method, field, kind) in [
        ("sendPhoto", "photo", "image"),
        ("sendVideo", "video", "video"),
        ("sendDocument", "document", "file"),
        ("sendAudio", "audio", "audio"),
        ("sendVoice", "voice", "voice"),
        ("sendSticker", "sticker", "sticker"),
    ] {
        let to = |file: &str| json!({ "chat_id": 427_770_117, field: file, "caption": "look" });
        let message = done(&emulator, method, to("https://x.example/1.jpg")).await;
        let file = if field == "photo" { &message[field][0] } else { &message[field] };
        let id = file["file_id"].as_str().unwrap().to_owned();
        let again = done(&emulator, method, to(&id)).await;
        assert_eq!(again["caption"], "look");
        let line = emulator.lines(ANA).pop().unwrap();
        assert_eq!((line.kind.as_str(), line.text.as_str(), line.media.as_deref()), (kind, "look", Some(id.as_str())));
        let unknown = "Bad Request: wrong file identifier/HTTP URL specified";
        refused(&emulator, method, to("no such file"), 400, unknown).await;
        let missing = format!("Bad Request: there is no {field} in the request");
        refused(&emulator, method, json!({ "chat_id": 427_770_117 }), 400, &missing).await;
    }
    let long = json!({ "chat_id": 427_770_117, "photo": "https://x.example/1.jpg", "caption": "a".repeat(1025) });
    refused(&emulator, "sendPhoto", long, 400, "Bad Request: message caption is too long").await;
    let place = json!({ "chat_id": 427_770_117, "latitude": 52.5, "longitude": "13.4" });
    assert_eq!(done(&emulator, "sendLocation", place).await["location"], json!({ "latitude": 52.5, "longitude": 13.4 }));
    let nowhere = json!({ "chat_id": 427_770_117, "latitude": 91, "longitude": 13.4 });
    refused(&emulator, "sendLocation", nowhere, 400, "Bad Request: latitude is invalid").await;
}

#[tokio::test]
async fn a_file_goes_up_in_a_form_and_down_by_its_path() {
    let emulator = started().await;
    let content = b"\x89PNG\r\n--not the boundary\r\n\x00";
    let mut form = b"--XX\r\nContent-Disposition: form-data; name=\"chat_id\"\r\n\r\n427770117\r\n".to_vec();
    form.extend_from_slice(
        b"--XX\r\nContent-Disposition: form-data; name=\"document\"; filename=\"a.png\"\r\nContent-Type: image/png\r\n\r\n",
    );
    form.extend_from_slice(content);
    form.extend_from_slice(b"\r\n--XX--\r\n");
    let token = &emulator.config().bot_token;
    let url = format!("{}/bot{token}/sendDocument", emulator.url());
    let kind = ("content-type", "multipart/form-data; boundary=XX");
    let (status, _, body) = ask("POST", &url, &[kind], &form).await.unwrap();
    let answer: Value = serde_json::from_slice(&body).unwrap();
    assert_eq!(status, 200, "{answer}");
    let file = &answer["result"]["document"];
    assert_eq!((&file["file_name"], &file["mime_type"]), (&json!("a.png"), &json!("image/png")));
    let told = done(&emulator, "getFile", json!({ "file_id": file["file_id"] })).await;
    assert_eq!(told["file_size"], content.len());
    let path = told["file_path"].as_str().unwrap();
    let (status, _, got) = ask("GET", &format!("{}/file/bot{token}/{path}", emulator.url()), &[], b"").await.unwrap();
    assert_eq!((status, got.as_ref()), (200, content.as_slice()));
    assert_eq!(ask("GET", &format!("{}/file/bot1:x/{path}", emulator.url()), &[], b"").await.unwrap().0, 401);
    assert_eq!(ask("GET", &format!("{}/file/bot{token}/nothing", emulator.url()), &[], b"").await.unwrap().0, 404);
    refused(&emulator, "getFile", json!({ "file_id": "nothing" }), 400, "Bad Request: invalid file_id").await;
    assert_eq!(ask("POST", &url, &[kind], b"--XX\r\nbroken").await.unwrap().0, 400);

    // What a contact sends comes down the same way.
    let host = Host::start().await;
    emulator.set_hook(&host.url);
    let (file_name, mime, bytes) = ("oven.jpg".to_owned(), "image/jpeg".to_owned(), Bytes::from_static(b"jpeg"));
    let share = Share { kind: "photo", file_name, mime, bytes, caption: Some("look".to_owned()) };
    emulator.share(ANA, "", share).await.unwrap();
    let update = host.bodies().remove(0);
    assert_eq!(update["message"]["caption"], "look");
    for size in update["message"]["photo"].as_array().unwrap() {
        let told = done(&emulator, "getFile", json!({ "file_id": size["file_id"] })).await;
        assert_eq!(told["file_path"], "photos/file_2.jpg");
    }
}

#[tokio::test]
async fn messages_are_edited_deleted_and_reacted_to() {
    let emulator = started().await;
    say(&emulator, json!({ "text": "one", "reply_markup": { "inline_keyboard": [[{ "text": "A", "callback_data": "a" }]] } }))
        .await;
    let at = |id: i64, more: Value| {
        let mut body = json!({ "chat_id": 427_770_117, "message_id": id });
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        body
    };
    let edited = done(&emulator, "editMessageText", at(1, json!({ "text": "two" }))).await;
    assert_eq!((&edited["text"], edited.get("reply_markup")), (&json!("two"), None), "the keyboard is gone too");
    let line = emulator.lines(ANA).pop().unwrap();
    assert_eq!((line.text.as_str(), line.edited, line.buttons.len()), ("two", true, 0));
    let (status, answer) = bot(&emulator, "editMessageText", at(1, json!({ "text": "two" }))).await;
    assert!(status == 400 && answer["description"].as_str().unwrap().contains("message is not modified"), "{answer}");
    refused(&emulator, "editMessageText", at(9, json!({ "text": "x" })), 400, "Bad Request: message to edit not found").await;
    refused(&emulator, "editMessageText", at(1, json!({ "text": "" })), 400, "Bad Request: message text is empty").await;
    let (theirs, _) = emulator.say(ANA, "", "mine").await.unwrap();
    let theirs: i64 = theirs.parse().unwrap();
    refused(&emulator, "editMessageText", at(theirs, json!({ "text": "x" })), 400, "Bad Request: message can't be edited").await;
    let keyboard = json!({ "inline_keyboard": [[{ "text": "B", "callback_data": "b" }]] });
    done(&emulator, "editMessageReplyMarkup", at(1, json!({ "reply_markup": keyboard }))).await;
    assert_eq!(emulator.lines(ANA)[0].buttons[0].payload, "b");

    let thumb = json!({ "reaction": [{ "type": "emoji", "emoji": "👍" }] });
    assert_eq!(done(&emulator, "setMessageReaction", at(theirs, thumb)).await, true);
    assert_eq!(emulator.lines(ANA)[1].reaction.as_deref(), Some("👍"));
    done(&emulator, "setMessageReaction", at(theirs, json!({ "reaction": [] }))).await;
    assert_eq!(emulator.lines(ANA)[1].reaction, None);
    let bread = json!({ "reaction": [{ "type": "emoji", "emoji": "🥖" }] });
    refused(&emulator, "setMessageReaction", at(theirs, bread), 400, "Bad Request: REACTION_INVALID").await;

    assert_eq!(done(&emulator, "deleteMessage", at(1, json!({}))).await, true);
    assert_eq!(emulator.lines(ANA)[0].status.as_deref(), Some("deleted"));
    refused(&emulator, "deleteMessage", at(1, json!({})), 400, "Bad Request: message to delete not found").await;
}

#[tokio::test]
async fn the_small_methods_do_what_they_say() {
    let emulator = started().await;
    let chat = |more: Value| {
        let mut body = json!({ "chat_id": 427_770_117 });
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        body
    };
    assert_eq!(done(&emulator, "sendChatAction", chat(json!({ "action": "typing" }))).await, true);
    refused(
        &emulator,
        "sendChatAction",
        chat(json!({ "action": "dancing" })),
        400,
        "Bad Request: wrong parameter action in request",
    )
    .await;
    assert_eq!(done(&emulator, "getChat", chat(json!({}))).await["first_name"], "Ana");
    refused(&emulator, "getChat", json!({ "chat_id": 4711 }), 400, "Bad Request: chat not found").await;
    let commands = json!([{ "command": "hours", "description": "When we are open" }]);
    done(&emulator, "setMyCommands", json!({ "commands": commands })).await;
    assert_eq!(json!(emulator.commands()), commands);
    assert_eq!(done(&emulator, "getMyCommands", json!({})).await, commands);
    for (command, description, why) in [("Hours", "x", "BOT_COMMAND_INVALID"), ("hours", "", "BOT_COMMAND_DESCRIPTION_INVALID")] {
        let body = json!({ "commands": [{ "command": command, "description": description }] });
        refused(&emulator, "setMyCommands", body, 400, &format!("Bad Request: {why}")).await;
    }
    let old = "Bad Request: query is too old and response timeout expired or query ID is invalid";
    refused(&emulator, "answerCallbackQuery", json!({ "callback_query_id": "1" }), 400, old).await;
}

#[tokio::test]
async fn a_webhook_is_set_told_and_deleted() {
    let emulator = started().await;
    let host = Host::start().await;
    for (change, why) in [
        (json!({ "url": "ftp://x.example" }), "bad webhook: An HTTPS URL must be provided for webhook"),
        (json!({ "secret_token": "" }), "secret token contains unallowed characters"),
        (json!({ "secret_token": "a+b" }), "secret token contains unallowed characters"),
        (json!({ "secret_token": "a".repeat(257) }), "secret token is too long"),
        (json!({ "allowed_updates": ["messages"] }), "can't parse allowed updates: an unknown kind of update is named"),
        (json!({ "max_connections": 101 }), "max_connections must be from 1 to 100"),
    ] {
        let mut body = json!({ "url": host.url });
        body.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
        refused(&emulator, "setWebhook", body, 400, &format!("Bad Request: {why}")).await;
    }
    assert_eq!(done(&emulator, "getWebhookInfo", json!({})).await["url"], "");
    let body = json!({ "url": host.url, "secret_token": "a".repeat(256), "allowed_updates": ["message"], "max_connections": 7 });
    let (_, answer) = bot(&emulator, "setWebhook", body.clone()).await;
    assert_eq!(answer, json!({ "ok": true, "result": true, "description": "Webhook was set" }));
    assert_eq!(bot(&emulator, "setWebhook", body).await.1["description"], "Webhook is already set");
    assert_eq!(
        done(&emulator, "getWebhookInfo", json!({})).await,
        json!({
            "url": host.url, "has_custom_certificate": false, "pending_update_count": 0, "max_connections": 7,
            "allowed_updates": ["message"],
        })
    );
    host.answers.lock().push_back(503);
    assert_eq!(emulator.say(ANA, "", "hi").await.unwrap().1, 503);
    let info = done(&emulator, "getWebhookInfo", json!({})).await;
    assert!(info["last_error_message"].as_str().unwrap().starts_with("Wrong response from the webhook: 503"), "{info}");
    let told = emulator.subscription();
    assert_eq!((told.subscribed, told.url, told.allowed_updates), (true, Some(host.url), Some(vec!["message".to_owned()])));
    assert_eq!(bot(&emulator, "deleteWebhook", json!({})).await.1["description"], "Webhook was deleted");
    assert_eq!(bot(&emulator, "deleteWebhook", json!({})).await.1["description"], "Webhook is already deleted");
    let told = emulator.subscription();
    assert_eq!((told.subscribed, told.url), (false, None));
    assert_eq!(told.changes.iter().map(|c| c.subscribed).collect::<Vec<_>>(), [true, true, false, false]);
}
