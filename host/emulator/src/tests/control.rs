//! The door for who plays the contact: the same on both providers, coded errors, and not for browsers.

use serde_json::{Value, json};

use super::{Host, ask, call};
use crate::{Telegram, TelegramConfig, Whatsapp, WhatsappConfig};

async fn door(url: &str, method: &str, path: &str, body: Value) -> (u16, Value) {
    let body = if body.is_null() { String::new() } else { body.to_string() };
    let url = format!("{url}/_emulator/{path}");
    let (status, _, body) = ask(method, &url, &[("content-type", "application/json")], body.as_bytes()).await.unwrap();
    (status, serde_json::from_slice(&body).unwrap())
}

/// Both providers, with a message that has buttons to contact 15550100001.
async fn both() -> [(String, Host); 2] {
    let (one, two) = (Host::start().await, Host::start().await);
    let whatsapp = Whatsapp::start(WhatsappConfig::default()).await.unwrap();
    whatsapp.set_hook(&one.url);
    let telegram = Telegram::start(TelegramConfig::default()).await.unwrap();
    telegram.set_hook(&two.url);
    [(whatsapp.url().to_owned(), one), (telegram.url().to_owned(), two)]
}

async fn send_buttons(url: &str) {
    let (whatsapp, telegram) = (WhatsappConfig::default(), TelegramConfig::default());
    let graph = format!("{url}/v21.0/{}/messages", whatsapp.phone_number_id);
    let reply = json!({ "type": "reply", "reply": { "id": "y", "title": "Yes" } });
    let message = json!({
        "messaging_product": "whatsapp", "to": "15550100001", "type": "interactive", "biz_opaque_callback_data": "key-7",
        "interactive": { "type": "button", "body": { "text": "Sure?" }, "action": { "buttons": [reply] } },
    });
    if call(graph, &whatsapp.token, &message).await.0 != 200 {
        let keyboard = json!({ "inline_keyboard": [[{ "text": "Yes", "callback_data": "y" }]] });
        let message = json!({ "chat_id": 15_550_100_001_u64, "text": "Sure?", "reply_markup": keyboard });
        assert_eq!(call(format!("{url}/bot{}/sendMessage", telegram.bot_token), "", &message).await.0, 200);
    }
}

#[tokio::test]
async fn a_contact_can_be_played_over_the_door() {
    for (url, host) in both().await {
        let say = json!({ "from": "15550100001", "name": "Ana", "text": "hello" });
        let (status, said) = door(&url, "POST", "say", say).await;
        assert_eq!((status, &said["status"], &said["held"]), (200, &json!(200), &json!(false)), "{said}");
        send_buttons(&url).await;
        let (status, lines) = door(&url, "GET", "messages?contact=15550100001", Value::Null).await;
        assert_eq!(status, 200);
        let lines = lines.as_array().unwrap().clone();
        assert_eq!(lines.len(), 2);
        assert_eq!(
            (&lines[0]["by"], &lines[0]["text"], &lines[0]["provider_id"]),
            (&json!("contact"), &json!("hello"), &said["id"])
        );
        assert_eq!(
            (&lines[1]["by"], &lines[1]["text"], &lines[1]["kind"]),
            (&json!("business"), &json!("Sure?"), &json!("text"))
        );
        assert_eq!(lines[1]["buttons"], json!([{ "title": "Yes", "payload": "y", "url": null }]));
        assert!(lines[1]["at"].as_u64().unwrap() >= lines[0]["at"].as_u64().unwrap());

        let press = json!({ "from": "15550100001", "message": lines[1]["provider_id"], "payload": "y" });
        let (status, pressed) = door(&url, "POST", "press", press).await;
        assert_eq!((status, &pressed["status"]), (200, &json!(200)), "{pressed}");
        let last = host.bodies().pop().unwrap().to_string();
        assert!(last.contains(pressed["id"].as_str().unwrap()), "{last}");

        door(&url, "POST", "say", json!({ "from": "15550100002", "name": "Ben", "text": "hi" })).await;
        let (_, contacts) = door(&url, "GET", "contacts", Value::Null).await;
        assert_eq!(contacts, json!([{ "id": "15550100001", "name": "Ana" }, { "id": "15550100002", "name": "Ben" }]));
        assert_eq!(door(&url, "GET", "messages?contact=15550100002", Value::Null).await.1.as_array().unwrap().len(), 1);
        assert_eq!(door(&url, "GET", "messages", Value::Null).await.1.as_array().unwrap().len(), 4);
        let (_, told) = door(&url, "GET", "subscription", Value::Null).await;
        assert_eq!((&told["subscribed"], &told["forced"], &told["url"]), (&json!(false), &json!(true), &json!(host.url)));
        let (_, calls) = door(&url, "GET", "calls", Value::Null).await;
        assert!(calls.as_array().unwrap().iter().any(|call| !call["id"].is_null()), "{calls}");
    }
}

#[tokio::test]
async fn faults_are_ordered_and_taken_back_over_the_door() {
    let waiting = |answers: u64, webhooks: u64| json!({ "waiting": { "answers": answers, "webhooks": webhooks } });
    for (url, host) in both().await {
        for (order, then) in [
            (json!({ "kind": "status", "status": 429, "code": 130_429, "retry_after": 3, "count": 2 }), waiting(2, 0)),
            (json!({ "kind": "hang", "ms": 10 }), waiting(3, 0)),
            (json!({ "kind": "answer_late", "ms": 10 }), waiting(4, 0)),
            (json!({ "kind": "cut_after_delivery" }), waiting(5, 0)),
            (json!({ "kind": "cut_before_delivery" }), waiting(6, 0)),
            (json!({ "kind": "echo", "call": "setWebhook" }), waiting(7, 0)),
            (json!({ "kind": "late", "ms": 10 }), waiting(7, 1)),
            (json!({ "kind": "doubled", "count": 3 }), waiting(7, 4)),
            (json!({ "kind": "shuffled", "size": 2 }), waiting(7, 5)),
            (json!({ "kind": "none" }), waiting(0, 0)),
            (json!({ "kind": "doubled" }), waiting(0, 1)),
        ] {
            assert_eq!(door(&url, "POST", "fault", order.clone()).await, (200, then.clone()), "{order}");
            assert_eq!(door(&url, "GET", "fault", Value::Null).await.1, then);
        }
        door(&url, "POST", "say", json!({ "from": "1", "name": "Ana", "text": "twice" })).await;
        assert_eq!(host.texts(), ["twice", "twice"]);
        door(&url, "POST", "fault", json!({ "kind": "shuffled", "size": 2 })).await;
        let (status, held) = door(&url, "POST", "say", json!({ "from": "1", "text": "held" })).await;
        assert_eq!((status, &held["status"], &held["held"]), (200, &Value::Null, &json!(true)));
    }
}

#[tokio::test]
async fn what_is_wrong_is_refused_with_a_code() {
    let say = json!({ "from": "1", "name": "Ana", "text": "hello" });
    for (url, _) in both().await {
        for (method, path, body, status, code) in [
            ("POST", "say", json!({ "from": "1" }), 400, "invalid"),
            ("POST", "say", json!({ "from": "1", "text": "a", "more": 1 }), 400, "invalid"),
            ("POST", "say", json!({ "from": "", "text": "a" }), 400, "invalid"),
            ("POST", "press", json!({ "from": "1", "message": "4", "payload": "y" }), 404, "unknown"),
            ("POST", "fault", json!({ "kind": "fire" }), 400, "invalid"),
            ("POST", "fault", json!({ "kind": "status", "status": 200 }), 400, "invalid"),
            ("POST", "fault", json!({ "kind": "late", "ms": 600_001 }), 400, "invalid"),
            ("POST", "fault", json!({ "kind": "shuffled", "size": 1 }), 400, "invalid"),
            ("POST", "fault", json!({ "kind": "doubled", "count": 0 }), 400, "invalid"),
            ("POST", "fault", json!({ "kind": "doubled", "call": "getMe" }), 400, "invalid"),
            ("GET", "say", Value::Null, 405, "method"),
            ("GET", "nothing", Value::Null, 404, "unknown"),
        ] {
            let (got, told) = door(&url, method, path, body.clone()).await;
            assert_eq!((got, &told["code"]), (status, &json!(format!("emulator.{code}"))), "{method} {path} {body}: {told}");
            assert!(!told["detail"].as_str().unwrap().is_empty());
        }
        // Pages of other sites: by their origin, or by a name that was pointed at this machine.
        for header in [("origin", "https://evil.example"), ("host", "evil.example:80"), ("origin", "null")] {
            for (method, path, body) in [("POST", "say", say.to_string()), ("GET", "messages", String::new())] {
                let answer = ask(method, &format!("{url}/_emulator/{path}"), &[header], body.as_bytes()).await.unwrap();
                let told: Value = serde_json::from_slice(&answer.2).unwrap();
                assert_eq!((answer.0, &told["code"]), (403, &json!("emulator.origin")), "{header:?} {path}");
            }
        }
        for host in ["localhost:9", "[::1]:9", "127.0.0.1"] {
            let answer = ask("GET", &format!("{url}/_emulator/contacts"), &[("host", host)], b"").await.unwrap();
            assert_eq!(answer.0, 200, "{host}");
        }
    }
}

#[tokio::test]
async fn a_host_that_is_not_there_is_told() {
    let say = json!({ "from": "1", "name": "Ana", "text": "hello" });
    let whatsapp = Whatsapp::start(WhatsappConfig::default()).await.unwrap();
    let (status, told) = door(whatsapp.url(), "POST", "say", say.clone()).await;
    assert_eq!((status, &told["code"]), (409, &json!("emulator.no_webhook")));
    whatsapp.set_hook("http://127.0.0.1:1/hooks/7");
    let (status, told) = door(whatsapp.url(), "POST", "say", say.clone()).await;
    assert_eq!((status, &told["code"]), (502, &json!("emulator.unreachable")));
    let telegram = Telegram::start(TelegramConfig::default()).await.unwrap();
    let (status, told) = door(telegram.url(), "POST", "say", say.clone()).await;
    assert_eq!((status, &told["held"]), (200, &json!(true)), "Telegram keeps it until a webhook is set");
    telegram.set_hook("http://127.0.0.1:1/hooks/7");
    let allowed = json!({ "url": "http://127.0.0.1:1/", "allowed_updates": ["callback_query"], "secret_token": "s3cret" });
    let token = &telegram.config().bot_token;
    assert_eq!(call(format!("{}/bot{token}/setWebhook", telegram.url()), "", &allowed).await.0, 200);
    let (status, told) = door(telegram.url(), "POST", "say", say).await;
    assert_eq!((status, &told["code"]), (409, &json!("emulator.not_wanted")));
    let (_, calls) = door(telegram.url(), "GET", "calls", Value::Null).await;
    assert_eq!(calls[0]["body"]["secret_token"], "(hidden)");
    assert_eq!(telegram.calls()[0].body["secret_token"], "s3cret", "the oracle itself knows it");
}
