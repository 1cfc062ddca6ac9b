//! What a contact does on Telegram, as the host sees it.

use std::time::Duration;

use serde_json::{Value, json};

use super::Host;
use super::telegram::{ANA, bot, done, started};
use crate::{HELD, Telegram, TelegramConfig, Undelivered};

const SECRET: &str = "header-Secret_1";

/// A bot with a webhook that wants everything that is named.
async fn hooked(allowed: Option<Value>) -> (Telegram, Host) {
    let (emulator, host) = (started().await, Host::start().await);
    let mut body = json!({ "url": host.url, "secret_token": SECRET });
    body.as_object_mut().unwrap().extend(allowed.map(|allowed| ("allowed_updates".to_owned(), allowed)));
    done(&emulator, "setWebhook", body).await;
    (emulator, host)
}

#[tokio::test]
async fn what_a_contact_says_arrives_with_the_secret_and_a_rising_number() {
    let (emulator, host) = hooked(None).await;
    assert_eq!(emulator.say(ANA, "Ana Lovelace", "hello 🥖").await.unwrap(), ("1".to_owned(), 200));
    emulator.command(ANA, "", "start", "ref_42").await.unwrap();
    emulator.say("7", "Ben", "hi").await.unwrap();
    for (headers, _) in host.hooks.lock().iter() {
        assert_eq!(
            (&headers["x-telegram-bot-api-secret-token"], &headers["content-type"]),
            (&SECRET.parse().unwrap(), &"application/json".parse().unwrap())
        );
    }
    let updates = host.bodies();
    let numbers: Vec<i64> = updates.iter().map(|u| u["update_id"].as_i64().unwrap()).collect();
    assert_eq!((numbers[1] - numbers[0], numbers[2] - numbers[1]), (1, 1));
    let first = &updates[0]["message"];
    assert_eq!((&first["text"], &first["message_id"]), (&json!("hello 🥖"), &json!(1)));
    assert_eq!(
        first["from"],
        json!({ "id": 427_770_117, "is_bot": false, "first_name": "Ana", "last_name": "Lovelace", "language_code": "en" })
    );
    assert_eq!((&first["chat"]["id"], &first["chat"]["type"]), (&json!(427_770_117), &json!("private")));
    let command = &updates[1]["message"];
    assert_eq!(command["text"], "/start ref_42");
    assert_eq!(command["entities"], json!([{ "type": "bot_command", "offset": 0, "length": 6 }]));
    assert_eq!((&updates[2]["message"]["message_id"], &updates[2]["message"]["chat"]["id"]), (&json!(1), &json!(7)));

    assert_eq!(emulator.deliver("{}".into(), Some("wrong")).await, Ok(200));
    assert_eq!(host.hooks.lock()[3].0["x-telegram-bot-api-secret-token"], "wrong", "a wrong secret on demand");
    assert!(matches!(emulator.say("ana", "Ana", "hi").await, Err(Undelivered::Invalid(_))), "an id is an integer");
    assert!(matches!(emulator.say(ANA, "", "").await, Err(Undelivered::Invalid(_))));
}

#[tokio::test]
async fn a_pressed_button_is_a_callback_query_that_must_be_answered() {
    let (emulator, host) = hooked(None).await;
    let keyboard = json!({ "inline_keyboard": [[{ "text": "Yes", "callback_data": "order:yes" }]] });
    let sent = done(&emulator, "sendMessage", json!({ "chat_id": 427_770_117, "text": "Sure?", "reply_markup": keyboard })).await;
    let (id, status) = emulator.press(ANA, "1", "order:yes").await.unwrap();
    assert_eq!(status, 200);
    let query = host.bodies().pop().unwrap()["callback_query"].clone();
    assert_eq!((&query["id"], &query["data"], &query["from"]["id"]), (&json!(id), &json!("order:yes"), &json!(427_770_117)));
    assert_eq!(query["message"], sent, "the message as it was sent, from the bot");
    assert!(query["chat_instance"].is_string());
    assert!(!emulator.answered(&id));
    assert_eq!(done(&emulator, "answerCallbackQuery", json!({ "callback_query_id": id })).await, true);
    assert!(emulator.answered(&id));
    assert!(matches!(emulator.press(ANA, "1", "no").await, Err(Undelivered::Unknown(_))));
    assert!(matches!(emulator.press(ANA, "2", "order:yes").await, Err(Undelivered::Unknown(_))));
    let line = emulator.lines(ANA).pop().unwrap();
    assert_eq!((line.kind.as_str(), line.text.as_str(), line.reply_to.as_deref()), ("press", "Yes", Some("1")));

    // A button of a reply keyboard says its own words.
    let keyboard = json!({ "keyboard": [["Bread"], [{ "text": "Cake" }]] });
    done(&emulator, "sendMessage", json!({ "chat_id": 427_770_117, "text": "Which?", "reply_markup": keyboard })).await;
    emulator.press(ANA, "2", "Cake").await.unwrap();
    assert_eq!(host.bodies().pop().unwrap()["message"]["text"], "Cake");
}

#[tokio::test]
async fn edits_blocks_and_reactions_arrive() {
    let (emulator, host) = hooked(Some(json!(["message", "edited_message", "my_chat_member", "message_reaction"]))).await;
    let (id, _) = emulator.say(ANA, "", "helo").await.unwrap();
    assert_eq!(emulator.edit(ANA, &id, "hello").await, Ok(200));
    let edited = host.bodies().pop().unwrap()["edited_message"].clone();
    assert_eq!((&edited["text"], &edited["message_id"]), (&json!("hello"), &json!(1)));
    assert!(edited["edit_date"].is_i64());
    let line = emulator.lines(ANA).pop().unwrap();
    assert_eq!((line.text.as_str(), line.edited), ("hello", true));

    done(&emulator, "sendMessage", json!({ "chat_id": 427_770_117, "text": "hi" })).await;
    assert!(matches!(emulator.edit(ANA, "2", "x").await, Err(Undelivered::Unknown(_))), "not their message");
    let thumb = json!([{ "type": "emoji", "emoji": "👍" }]);
    for (emoji, old, new) in [(Some("👍"), json!([]), thumb.clone()), (None, thumb, json!([]))] {
        assert_eq!(emulator.react(ANA, "2", emoji).await, Ok(200));
        let reaction = host.bodies().pop().unwrap()["message_reaction"].clone();
        assert_eq!((&reaction["message_id"], &reaction["old_reaction"], &reaction["new_reaction"]), (&json!(2), &old, &new));
    }

    for (blocked, status) in [(true, "kicked"), (false, "member")] {
        assert_eq!(emulator.block(ANA, blocked).await, Ok(200));
        let member = host.bodies().pop().unwrap()["my_chat_member"].clone();
        assert_eq!((&member["new_chat_member"]["status"], &member["from"]["id"]), (&json!(status), &json!(427_770_117)));
        let answer = bot(&emulator, "sendMessage", json!({ "chat_id": 427_770_117, "text": "hi" })).await;
        assert_eq!(answer.0, if blocked { 403 } else { 200 });
        assert_eq!(matches!(emulator.say(ANA, "", "hi").await, Err(Undelivered::Invalid(_))), blocked);
    }
}

#[tokio::test]
async fn only_what_was_asked_for_arrives() {
    let (emulator, host) = hooked(None).await;
    emulator.say(ANA, "", "one").await.unwrap();
    assert_eq!(emulator.react(ANA, "1", Some("👍")).await, Err(Undelivered::NotWanted("message_reaction")), "only by name");
    done(&emulator, "setWebhook", json!({ "url": host.url, "allowed_updates": ["callback_query"] })).await;
    assert_eq!(emulator.say(ANA, "", "two").await, Err(Undelivered::NotWanted("message")));
    done(&emulator, "setWebhook", json!({ "url": host.url })).await;
    assert_eq!(emulator.say(ANA, "", "three").await, Err(Undelivered::NotWanted("message")), "without the field it stays");
    done(&emulator, "setWebhook", json!({ "url": host.url, "allowed_updates": [] })).await;
    emulator.say(ANA, "", "four").await.unwrap();
    assert_eq!(host.texts(), ["one", "four"]);
    assert!(!host.hooks.lock()[1].0.contains_key("x-telegram-bot-api-secret-token"), "the last setWebhook told no secret");
}

#[tokio::test]
async fn without_a_webhook_updates_wait_for_one() {
    let (emulator, host) = hooked(None).await;
    emulator.say(ANA, "", "one").await.unwrap();
    done(&emulator, "deleteWebhook", json!({})).await;
    for text in ["two", "three"] {
        assert_eq!(emulator.say(ANA, "", text).await.unwrap().1, HELD);
    }
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert_eq!((host.texts(), emulator.subscription().waiting), (vec!["one".to_owned()], 2), "none leaves");
    assert_eq!(done(&emulator, "getWebhookInfo", json!({})).await["pending_update_count"], 2);
    done(&emulator, "setWebhook", json!({ "url": host.url })).await;
    host.wait_for(3).await;
    assert_eq!(host.texts(), ["one", "two", "three"]);

    done(&emulator, "deleteWebhook", json!({})).await;
    emulator.say(ANA, "", "four").await.unwrap();
    done(&emulator, "setWebhook", json!({ "url": host.url, "drop_pending_updates": true })).await;
    emulator.say(ANA, "", "five").await.unwrap();
    assert_eq!(host.texts(), ["one", "two", "three", "five"]);

    done(&emulator, "deleteWebhook", json!({})).await;
    emulator.set_hook(&host.url);
    assert_eq!(emulator.say(ANA, "", "six").await.unwrap().1, 200, "a test may force it");
    emulator.clear_hook();
    assert_eq!(emulator.say(ANA, "", "seven").await.unwrap().1, HELD);
    emulator.set_hook(&host.url);
    host.wait_for(6).await;
    assert_eq!(host.texts()[4..], ["six", "seven"], "and what waits leaves too");
}

#[tokio::test]
async fn a_secret_can_be_there_before_the_webhook() {
    let host = Host::start().await;
    let config = TelegramConfig { webhook_secret: Some("preset".to_owned()), ..TelegramConfig::default() };
    let emulator = Telegram::start(config).await.unwrap();
    emulator.set_hook(&host.url);
    emulator.say(ANA, "Ana", "one").await.unwrap();
    done(&emulator, "setWebhook", json!({ "url": host.url, "secret_token": "told" })).await;
    emulator.say(ANA, "Ana", "two").await.unwrap();
    let secrets: Vec<_> =
        host.hooks.lock().iter().map(|(headers, _)| headers["x-telegram-bot-api-secret-token"].clone()).collect();
    assert_eq!(secrets, ["preset", "told"]);
}
