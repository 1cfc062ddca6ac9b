//! The emulator against a host of a few lines: what is said arrives signed over the exact bytes; what is sent is taken, and
//! its statuses follow.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::routing::post;
use hmac::{Hmac, KeyInit, Mac};
use http_body_util::{BodyExt, Full};
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use parking_lot::Mutex;
use serde_json::{Value, json};
use sha2::Sha256;

use super::{Fault, Whatsapp, WhatsappConfig};

type Hooks = Arc<Mutex<Vec<(String, Bytes)>>>;

/// A host that keeps what reaches its hook.
async fn host() -> (String, Hooks) {
    let hooks = Hooks::default();
    let take = async |State(hooks): State<Hooks>, headers: HeaderMap, body: Bytes| {
        hooks.lock().push((headers["x-hub-signature-256"].to_str().unwrap().to_owned(), body));
    };
    let router = Router::new().route("/hooks/7", post(take)).with_state(Arc::clone(&hooks));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/hooks/7", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, router).await });
    (url, hooks)
}

async fn call(url: String, token: &str, body: &Value) -> (u16, Value) {
    let client: Client<_, Full<Bytes>> = Client::builder(TokioExecutor::new()).build_http();
    let request = hyper::Request::post(url)
        .header("content-type", "application/json")
        .header("authorization", format!("Bearer {token}"))
        .body(Full::from(body.to_string()))
        .unwrap();
    let response = client.request(request).await.unwrap();
    let status = response.status().as_u16();
    (status, serde_json::from_slice(&response.into_body().collect().await.unwrap().to_bytes()).unwrap_or_default())
}

async fn started() -> (Whatsapp, Hooks) {
    let (hook, hooks) = host().await;
    let config = WhatsappConfig { statuses: vec!["sent", "delivered"], ..WhatsappConfig::default() };
    let emulator = Whatsapp::start(config).await.unwrap();
    emulator.set_hook(hook);
    (emulator, hooks)
}

async fn wait_for(hooks: &Hooks, count: usize) {
    for _ in 0..100 {
        if hooks.lock().len() >= count {
            return;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("{} of {count} webhooks came", hooks.lock().len());
}

fn first_value(body: &[u8]) -> Value {
    serde_json::from_slice::<Value>(body).unwrap().pointer("/entry/0/changes/0/value").unwrap().clone()
}

#[tokio::test]
async fn what_a_contact_says_arrives_signed() {
    let (emulator, hooks) = started().await;
    let say = json!({ "from": "15550100001", "name": "Ana", "text": "a/b ü 🥖" });
    let (status, answer) = call(format!("{}/_emulator/say", emulator.url()), "", &say).await;
    assert_eq!((status, &answer["status"]), (200, &json!(200)), "{answer}");

    let (signature, body) = hooks.lock().remove(0);
    let mut mac = Hmac::<Sha256>::new_from_slice(emulator.config().app_secret.as_bytes()).unwrap();
    mac.update(&body);
    assert_eq!(signature, format!("sha256={}", hex::encode(mac.finalize().into_bytes())));
    assert!(body.is_ascii() && String::from_utf8_lossy(&body).contains("a\\/b \\u00fc \\ud83e\\udd56"), "as Meta escapes");
    let value = first_value(&body);
    assert_eq!(value["messages"][0]["text"]["body"], "a/b ü 🥖");
    assert_eq!(value["messages"][0]["id"], answer["id"]);
    assert_eq!(value["contacts"][0], json!({ "profile": { "name": "Ana" }, "wa_id": "15550100001" }));
    assert_eq!(value["metadata"]["phone_number_id"], emulator.config().phone_number_id.as_str());
}

#[tokio::test]
async fn a_send_is_taken_and_its_statuses_follow() {
    let (emulator, hooks) = started().await;
    let account = emulator.config();
    let url = format!("{}/v21.0/{}/messages", emulator.url(), account.phone_number_id);
    let message = json!({
        "messaging_product": "whatsapp", "to": "15550100001", "type": "text", "text": { "body": "hello" },
        "biz_opaque_callback_data": "key-1",
    });
    assert_eq!(call(url.clone(), "wrong", &message).await.0, 401);
    assert_eq!(call(url.clone(), &account.token, &json!({ "messaging_product": "whatsapp", "to": "1" })).await.0, 400);
    emulator.fail([Fault::Status { status: 429, code: 130_429, retry_after: Some(3) }]);
    let (status, answer) = call(url.clone(), &account.token, &message).await;
    assert_eq!((status, &answer["error"]["code"]), (429, &json!(130_429)));
    assert!(emulator.taken().is_empty(), "nothing of that was taken");

    let (status, answer) = call(url, &account.token, &message).await;
    let id = answer["messages"][0]["id"].as_str().unwrap().to_owned();
    assert_eq!(status, 200);
    assert_eq!(emulator.said_to("15550100001"), ["hello"]);
    assert_eq!((emulator.calls().len(), emulator.taken()[0].key.as_deref()), (4, Some("key-1")));
    wait_for(&hooks, 2).await;
    let news: Vec<Value> = hooks.lock().iter().map(|(_, body)| first_value(body)["statuses"][0].clone()).collect();
    for (news, status) in news.iter().zip(["sent", "delivered"]) {
        assert_eq!((&news["id"], &news["status"]), (&json!(id), &json!(status)));
        assert_eq!(news["biz_opaque_callback_data"], "key-1");
    }
}

#[tokio::test]
async fn an_answer_can_be_cut_after_the_message_was_taken() {
    let (emulator, _) = started().await;
    let account = emulator.config();
    emulator.fail([Fault::CutAfterDelivery]);
    let url: hyper::Uri = format!("{}/v21.0/{}/messages", emulator.url(), account.phone_number_id).parse().unwrap();
    let message = json!({ "messaging_product": "whatsapp", "to": "1", "type": "text", "text": { "body": "hello" } });
    let client: Client<_, Full<Bytes>> = Client::builder(TokioExecutor::new()).build_http();
    let request = hyper::Request::post(url)
        .header("authorization", format!("Bearer {}", account.token))
        .body(Full::from(message.to_string()))
        .unwrap();
    let answer = match client.request(request).await {
        Ok(response) => response.into_body().collect().await.map(|body| body.to_bytes()).map_err(|e| e.to_string()),
        Err(error) => Err(error.to_string()),
    };
    assert!(answer.is_err(), "no whole answer: {answer:?}");
    assert_eq!(emulator.said_to("1"), ["hello"]);
}
