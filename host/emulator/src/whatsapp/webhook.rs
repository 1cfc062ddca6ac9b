//! Webhooks as Meta sends them: the envelope, the signature over the exact bytes, escaped slashes and non-ASCII included.

use std::time::{SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use hmac::{Hmac, KeyInit, Mac};
use http_body_util::Full;
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use serde_json::{Value, json};
use sha2::Sha256;

use super::WhatsappConfig;

#[expect(clippy::disallowed_methods, reason = "an emulated provider keeps its own time")]
fn now() -> String {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |d| d.as_secs()).to_string()
}

fn envelope(config: &WhatsappConfig, mut value: Value) -> Vec<u8> {
    if let Some(object) = value.as_object_mut() {
        object.insert("messaging_product".to_owned(), json!("whatsapp"));
        let metadata = json!({ "display_phone_number": "15550783881", "phone_number_id": config.phone_number_id });
        object.insert("metadata".to_owned(), metadata);
    }
    let body = json!({
        "object": "whatsapp_business_account",
        "entry": [{ "id": config.waba_id, "changes": [{ "value": value, "field": "messages" }] }],
    });
    escaped(&body.to_string()).into_bytes()
}

/// Meta escapes slashes and everything beyond ASCII.
fn escaped(json: &str) -> String {
    let mut out = String::with_capacity(json.len());
    for c in json.chars() {
        match c {
            '/' => out.push_str("\\/"),
            c if c.is_ascii() => out.push(c),
            c => {
                let mut units = [0u16; 2];
                for unit in c.encode_utf16(&mut units) {
                    out.push_str(&format!("\\u{unit:04x}"));
                }
            }
        }
    }
    out
}

pub(super) fn text(config: &WhatsappConfig, id: &str, from: &str, name: &str, text: &str) -> Vec<u8> {
    envelope(
        config,
        json!({
            "contacts": [{ "profile": { "name": name }, "wa_id": from }],
            "messages": [{ "from": from, "id": id, "timestamp": now(), "type": "text", "text": { "body": text } }],
        }),
    )
}

pub(super) fn status(config: &WhatsappConfig, id: &str, to: &str, status: &str, key: Option<&str>) -> Vec<u8> {
    let mut news = json!({ "id": id, "status": status, "timestamp": now(), "recipient_id": to });
    if let (Some(key), Some(object)) = (key, news.as_object_mut()) {
        object.insert("biz_opaque_callback_data".to_owned(), json!(key));
    }
    envelope(config, json!({ "statuses": [news] }))
}

pub(super) fn sign(secret: &str, body: &[u8]) -> String {
    // HMAC takes a key of any length, so this cannot fail; an empty signature is refused by every host.
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(secret.as_bytes()) else { return String::new() };
    mac.update(body);
    format!("sha256={}", hex::encode(mac.finalize().into_bytes()))
}

pub(super) async fn post(url: &str, body: Bytes, signature: &str) -> std::io::Result<u16> {
    let request = hyper::Request::post(url)
        .header("content-type", "application/json")
        .header("user-agent", "facebookexternalua")
        .header("x-hub-signature-256", signature)
        .body(Full::new(body))
        .map_err(std::io::Error::other)?;
    let client: Client<_, Full<Bytes>> = Client::builder(TokioExecutor::new()).build_http();
    let response = client.request(request).await.map_err(std::io::Error::other)?;
    Ok(response.status().as_u16())
}
