//! Webhooks as Meta sends them: the envelope, the signature over the exact bytes, escaped slashes and non-ASCII included.

use std::time::Duration;

use bytes::Bytes;
use hmac::{Hmac, KeyInit, Mac};
use http_body_util::{BodyExt, Full, Limited};
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use serde_json::{Value, json};
use sha2::Sha256;

use super::WhatsappConfig;
use crate::hook::Undelivered;
use crate::talk::unix_ms;

/// Unix seconds, as text.
fn now() -> String {
    (unix_ms() / 1000).to_string()
}

fn envelope(config: &WhatsappConfig, mut value: Value) -> Vec<u8> {
    if let Some(object) = value.as_object_mut() {
        object.insert("messaging_product".to_owned(), json!("whatsapp"));
        let metadata = json!({ "display_phone_number": config.display_phone_number, "phone_number_id": config.phone_number_id });
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

/// A button or row was pressed: `interactive` says which, `message` is where it stood.
pub(super) fn interactive(
    config: &WhatsappConfig,
    id: &str,
    from: &str,
    name: &str,
    message: &str,
    interactive: &Value,
) -> Vec<u8> {
    envelope(
        config,
        json!({
            "contacts": [{ "profile": { "name": name }, "wa_id": from }],
            "messages": [{
                "context": { "from": config.display_phone_number, "id": message },
                "from": from, "id": id, "timestamp": now(), "type": "interactive", "interactive": interactive,
            }],
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

/// Asks an address whether it is ours: it must know the token and say the challenge back.
pub(super) async fn challenge(url: &str, verify_token: &str, challenge: &str) -> Result<(), Undelivered> {
    let token: String = verify_token.bytes().map(|b| format!("%{b:02X}")).collect();
    let mark = if url.contains('?') { '&' } else { '?' };
    let asked = format!("{url}{mark}hub.mode=subscribe&hub.challenge={challenge}&hub.verify_token={token}");
    let failed = |why: String| Undelivered::Unreachable(why);
    let request = hyper::Request::get(asked).body(Full::new(Bytes::new())).map_err(|e| failed(e.to_string()))?;
    let client: Client<_, Full<Bytes>> = Client::builder(TokioExecutor::new()).build_http();
    let response = tokio::time::timeout(Duration::from_secs(10), client.request(request)).await;
    let response = response.map_err(|_| failed("no answer within 10 s".to_owned()))?.map_err(|e| failed(e.to_string()))?;
    let status = response.status();
    let body = Limited::new(response.into_body(), 4096).collect().await.map_err(|e| failed(e.to_string()))?.to_bytes();
    if !status.is_success() || body.as_ref() != challenge.as_bytes() {
        let why = format!("the challenge was answered with HTTP status {}: is the verify token right?", status.as_u16());
        return Err(Undelivered::Invalid(why));
    }
    Ok(())
}
