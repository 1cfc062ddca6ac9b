//! WhatsApp in small: signed webhooks, sends with their statuses, buttons, templates, the token's check, subscriptions.

use hmac::{Hmac, KeyInit, Mac};
use serde_json::{Value, json};
use sha2::Sha256;

use super::{Host, ask, call};
use crate::{By, Fault, Undelivered, Whatsapp, WhatsappConfig};

const ANA: &str = "15550100001";

async fn started() -> (Whatsapp, Host) {
    let host = Host::start().await;
    let config = WhatsappConfig { statuses: vec!["sent", "delivered"], ..WhatsappConfig::default() };
    let emulator = Whatsapp::start(config).await.unwrap();
    emulator.set_hook(&host.url);
    (emulator, host)
}

fn messages(emulator: &Whatsapp) -> String {
    format!("{}/v21.0/{}/messages", emulator.url(), emulator.config().phone_number_id)
}

async fn send(emulator: &Whatsapp, body: &Value) -> (u16, Value) {
    call(messages(emulator), &emulator.config().token, body).await
}

async fn request(emulator: &Whatsapp, method: &str, path: &str, body: &str) -> (u16, Value) {
    let bearer = format!("Bearer {}", emulator.config().token);
    let headers = [("authorization", bearer.as_str()), ("content-type", "application/json")];
    let url = format!("{}/v21.0/{path}", emulator.url());
    let (status, _, body) = ask(method, &url, &headers, body.as_bytes()).await.unwrap();
    (status, serde_json::from_slice(&body).unwrap())
}

fn text(to: &str, text: &str) -> Value {
    json!({ "messaging_product": "whatsapp", "to": to, "type": "text", "text": { "body": text } })
}

fn first_value(body: &Value) -> Value {
    body.pointer("/entry/0/changes/0/value").unwrap().clone()
}

#[tokio::test]
async fn what_a_contact_says_arrives_signed() {
    let (emulator, host) = started().await;
    let (id, status) = emulator.say(ANA, "Ana", "a/b ü 🥖").await.unwrap();
    assert_eq!(status, 200);

    let (headers, body) = host.hooks.lock().remove(0);
    let mut mac = Hmac::<Sha256>::new_from_slice(emulator.config().app_secret.as_bytes()).unwrap();
    mac.update(&body);
    assert_eq!(headers["x-hub-signature-256"], format!("sha256={}", hex::encode(mac.finalize().into_bytes())));
    assert!(body.is_ascii() && String::from_utf8_lossy(&body).contains("a\\/b \\u00fc \\ud83e\\udd56"), "as Meta escapes");
    let value = first_value(&serde_json::from_slice(&body).unwrap());
    assert_eq!(value["messages"][0]["text"]["body"], "a/b ü 🥖");
    assert_eq!(value["messages"][0]["id"], id);
    assert_eq!(value["contacts"][0], json!({ "profile": { "name": "Ana" }, "wa_id": ANA }));
    assert_eq!(value["metadata"]["phone_number_id"], emulator.config().phone_number_id.as_str());

    assert_eq!(emulator.deliver(body, Some("sha256=00")).await.unwrap(), 200);
    assert_eq!(host.hooks.lock()[0].0["x-hub-signature-256"], "sha256=00", "a wrong signature on demand");
}

#[tokio::test]
async fn a_send_is_taken_and_its_statuses_follow() {
    let (emulator, host) = started().await;
    let account = emulator.config();
    let mut message = text(ANA, "hello");
    message["biz_opaque_callback_data"] = json!("key-1");
    assert_eq!(call(messages(&emulator), "wrong", &message).await.0, 401);
    assert_eq!(send(&emulator, &json!({ "messaging_product": "whatsapp", "to": "1" })).await.0, 400);
    emulator.fail([Fault::Status { status: 429, code: 130_429, retry_after: Some(3) }]);
    let (status, answer) = send(&emulator, &message).await;
    assert_eq!((status, &answer["error"]["code"]), (429, &json!(130_429)));
    assert!(emulator.taken().is_empty(), "nothing of that was taken");

    let (status, answer) = send(&emulator, &message).await;
    let id = answer["messages"][0]["id"].as_str().unwrap().to_owned();
    assert_eq!(status, 200);
    assert_eq!(emulator.said_to(ANA), ["hello"]);
    assert_eq!((emulator.calls().len(), emulator.taken()[0].key.as_deref()), (4, Some("key-1")));
    let bodies = host.wait_for(2).await;
    for (body, status) in bodies.iter().zip(["sent", "delivered"]) {
        let news = first_value(body)["statuses"][0].clone();
        assert_eq!((&news["id"], &news["status"]), (&json!(id), &json!(status)));
        assert_eq!(news["biz_opaque_callback_data"], "key-1");
    }
    let line = &emulator.lines(ANA)[0];
    assert_eq!((line.by, line.text.as_str(), line.status.as_deref()), (By::Business, "hello", Some("delivered")));
    assert_eq!((line.provider_id.as_str(), line.key.as_deref()), (id.as_str(), Some("key-1")));
    assert_eq!(call(format!("{}/v21.0/1/messages", emulator.url()), &account.token, &message).await.0, 400);
}

#[tokio::test]
async fn a_pressed_button_and_a_chosen_row_come_back_with_their_context() {
    let (emulator, host) = started().await;
    let reply = |id: &str, title: &str| json!({ "type": "reply", "reply": { "id": id, "title": title } });
    let row = |id: &str, title: &str| json!({ "id": id, "title": title, "description": "with sesame" });
    let message = |interactive: Value| json!({ "messaging_product": "whatsapp", "to": ANA, "type": "interactive", "interactive": interactive });
    let buttons = json!({
        "type": "button", "body": { "text": "Sure?" }, "action": { "buttons": [reply("y", "Yes"), reply("n", "No")] },
    });
    let list = json!({
        "type": "list", "body": { "text": "Which?" },
        "action": { "button": "Menu", "sections": [{ "rows": [row("r1", "Bread"), row("r2", "Cake")] }] },
    });
    for (asked, payload, told) in [
        (&buttons, "n", json!({ "type": "button_reply", "button_reply": { "id": "n", "title": "No" } })),
        (
            &list,
            "r2",
            json!({ "type": "list_reply", "list_reply": { "id": "r2", "title": "Cake", "description": "with sesame" } }),
        ),
    ] {
        let (status, answer) = send(&emulator, &message(asked.clone())).await;
        assert_eq!(status, 200, "{answer}");
        let ours = answer["messages"][0]["id"].as_str().unwrap();
        let (id, status) = emulator.press(ANA, ours, payload).await.unwrap();
        assert_eq!(status, 200);
        let pressed: Vec<Value> = host.bodies().iter().map(|b| first_value(b)["messages"][0].clone()).collect();
        let pressed = pressed.iter().find(|m| m["id"] == id.as_str()).expect("the press");
        assert_eq!((&pressed["type"], &pressed["interactive"]), (&json!("interactive"), &told));
        assert_eq!(pressed["context"], json!({ "from": emulator.config().display_phone_number, "id": ours }));
        let last = emulator.lines(ANA).pop().unwrap();
        assert_eq!((last.kind.as_str(), last.reply_to.as_deref()), ("press", Some(ours)));
        assert!(matches!(emulator.press(ANA, ours, "other").await, Err(Undelivered::Unknown(_))), "no such button");
        assert!(matches!(emulator.press("1555", ours, payload).await, Err(Undelivered::Unknown(_))), "not their message");
    }
    let four: Vec<Value> = (0..4).map(|n| reply(&n.to_string(), "B")).collect();
    let many = json!({ "type": "button", "body": { "text": "?" }, "action": { "buttons": four } });
    assert_eq!(send(&emulator, &message(many)).await.1["error"]["code"], 131_009);
    let long = json!({ "type": "button", "body": { "text": "?" }, "action": { "buttons": [reply("a", &"x".repeat(21))] } });
    assert_eq!(send(&emulator, &message(long)).await.0, 400);
    let twice = json!({ "type": "button", "body": { "text": "?" }, "action": { "buttons": [reply("a", "A"), reply("a", "B")] } });
    assert_eq!(send(&emulator, &message(twice)).await.0, 400, "two buttons of one id");
}

#[tokio::test]
async fn templates_files_reactions_and_marks_are_taken() {
    let (emulator, _) = started().await;
    let (theirs, _) = emulator.say(ANA, "Ana", "hi").await.unwrap();
    let template = json!({
        "messaging_product": "whatsapp", "to": ANA, "type": "template",
        "template": { "name": "ready", "language": { "code": "en_US" }, "components": [
            { "type": "body", "parameters": [{ "type": "text", "text": "Ann" }, { "type": "text", "text": "#7" }] },
        ] },
    });
    assert_eq!(send(&emulator, &template).await.0, 200);
    let mut nameless = template.clone();
    nameless["template"]["name"] = json!("");
    assert_eq!(send(&emulator, &nameless).await.0, 400);
    let file = json!({
        "messaging_product": "whatsapp", "to": ANA, "type": "document", "context": { "message_id": theirs },
        "document": { "link": "https://x.example/a.pdf", "caption": "see" },
    });
    assert_eq!(send(&emulator, &file).await.0, 200);
    let reaction = json!({
        "messaging_product": "whatsapp", "to": ANA, "type": "reaction", "reaction": { "message_id": theirs, "emoji": "👍" },
    });
    assert_eq!(send(&emulator, &reaction).await.0, 200);
    let read = json!({ "messaging_product": "whatsapp", "status": "read", "message_id": theirs });
    assert_eq!(send(&emulator, &read).await, (200, json!({ "success": true })));

    let lines = emulator.lines(ANA);
    let seen: Vec<_> = lines.iter().map(|l| (l.kind.as_str(), l.text.as_str(), l.media.as_deref())).collect();
    assert_eq!(
        seen,
        [("text", "hi", None), ("template", "[ready] Ann, #7", None), ("file", "see", Some("https://x.example/a.pdf"))]
    );
    assert_eq!((lines[0].reaction.as_deref(), lines[0].status.as_deref()), (Some("👍"), Some("read")));
    assert_eq!(lines[2].reply_to.as_deref(), Some(theirs.as_str()));
}

#[tokio::test]
async fn only_the_right_token_learns_who_the_number_is() {
    let (emulator, _) = started().await;
    let number = emulator.config().phone_number_id.clone();
    let (status, told) = request(&emulator, "GET", &format!("{number}?fields=verified_name,display_phone_number"), "").await;
    assert_eq!(status, 200);
    let config = emulator.config();
    assert_eq!(
        told,
        json!({ "id": number, "verified_name": config.verified_name, "display_phone_number": config.display_phone_number })
    );
    assert_eq!(request(&emulator, "GET", &format!("{number}?fields=nonsense"), "").await.1["error"]["code"], 100);
    assert_eq!(request(&emulator, "GET", "4711?fields=verified_name", "").await.0, 400);
    let url = format!("{}/v21.0/{number}?fields=verified_name", emulator.url());
    let (status, _, body) = ask("GET", &url, &[("authorization", "Bearer wrong")], b"").await.unwrap();
    let body: Value = serde_json::from_slice(&body).unwrap();
    assert_eq!((status, &body["error"]["code"]), (401, &json!(190)));
    emulator.fail_call("profile", Fault::Status { status: 500, code: 2, retry_after: None });
    assert_eq!(request(&emulator, "GET", &format!("{number}?fields=id"), "").await.0, 500);
    assert_eq!(request(&emulator, "GET", &format!("{number}?fields=id"), "").await.0, 200);
}

#[tokio::test]
async fn webhooks_leave_only_while_the_account_is_subscribed() {
    let host = Host::start().await;
    let emulator = Whatsapp::start(WhatsappConfig::default()).await.unwrap();
    let apps = format!("{}/subscribed_apps", emulator.config().waba_id);
    assert_eq!(emulator.say(ANA, "Ana", "one").await, Err(Undelivered::NoHook));
    assert!(matches!(emulator.register(&host.url, "wrong").await, Err(Undelivered::Invalid(_))), "the challenge fails");
    emulator.register(&host.url, host.verify_token).await.unwrap();
    assert_eq!(emulator.say(ANA, "Ana", "two").await, Err(Undelivered::NoHook), "registered, not subscribed");

    assert_eq!(request(&emulator, "POST", "4711/subscribed_apps", "").await.0, 400, "another account");
    assert_eq!(request(&emulator, "POST", &apps, "").await, (200, json!({ "success": true })));
    assert_eq!(emulator.subscribed(), [emulator.config().waba_id.as_str()]);
    assert_eq!(emulator.say(ANA, "Ana", "three").await.unwrap().1, 200);
    let told = emulator.subscription();
    assert_eq!((told.subscribed, told.url.as_deref(), told.forced), (true, Some(host.url.as_str()), false));
    assert_eq!(request(&emulator, "GET", &apps, "").await.1["data"].as_array().unwrap().len(), 1);

    assert_eq!(request(&emulator, "DELETE", &apps, "").await, (200, json!({ "success": true })));
    assert_eq!(emulator.say(ANA, "Ana", "four").await, Err(Undelivered::NoHook));
    assert!(emulator.subscribed().is_empty());
    assert_eq!(emulator.subscription().changes.iter().map(|c| c.subscribed).collect::<Vec<_>>(), [true, false]);

    let other = Host::start().await;
    let body = json!({ "override_callback_uri": other.url, "verify_token": "wrong" }).to_string();
    assert_eq!(request(&emulator, "POST", &apps, &body).await.1["error"]["code"], 2200);
    let body = json!({ "override_callback_uri": other.url, "verify_token": other.verify_token }).to_string();
    assert_eq!(request(&emulator, "POST", &apps, &body).await.0, 200);
    emulator.say(ANA, "Ana", "five").await.unwrap();
    request(&emulator, "DELETE", &apps, "").await;
    emulator.set_hook(&host.url);
    emulator.say(ANA, "Ana", "six").await.unwrap();
    emulator.clear_hook();
    assert_eq!(emulator.say(ANA, "Ana", "seven").await, Err(Undelivered::NoHook));
    assert_eq!((host.texts(), other.texts()), (vec!["three".to_owned(), "six".to_owned()], vec!["five".to_owned()]));
    assert_eq!(emulator.lines(ANA).len(), 7, "the contact wrote all of them");
}
