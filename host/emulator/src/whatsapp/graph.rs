//! The Graph API's side: messages, marks, subscriptions; errors in Graph's own form.

use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use serde_json::{Value, json};

use super::{Fault, Sent, Whatsapp};

pub(super) fn router(emulator: Whatsapp) -> Router {
    Router::new()
        .route("/{version}/{id}/messages", post(messages))
        .route("/{version}/{id}/subscribed_apps", post(subscribe).delete(unsubscribe))
        .with_state(emulator)
}

fn error(status: u16, code: u32, message: &str) -> Response {
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let kind = "OAuthException";
    let body = json!({ "error": { "message": message, "type": kind, "code": code, "fbtrace_id": "emulated" } });
    (status, axum::Json(body)).into_response()
}

fn authorized(emulator: &Whatsapp, headers: &HeaderMap) -> bool {
    headers.get("authorization").and_then(|v| v.to_str().ok()) == Some(&format!("Bearer {}", emulator.0.config.token))
}

async fn messages(
    State(emulator): State<Whatsapp>,
    Path((_version, phone)): Path<(String, String)>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let parsed: Value = serde_json::from_slice(&body).unwrap_or_default();
    let key = parsed.get("biz_opaque_callback_data").and_then(Value::as_str).map(str::to_owned);
    let authorized = authorized(&emulator, &headers);
    let record = |id: Option<String>| {
        let at_ms = u64::try_from(emulator.0.began.elapsed().as_millis()).unwrap_or(u64::MAX);
        emulator.0.sent.lock().push(Sent { body: parsed.clone(), key: key.clone(), id, authorized, at_ms });
    };
    if !authorized {
        record(None);
        return error(401, 190, "Error validating access token");
    }
    if phone != emulator.0.config.phone_number_id {
        record(None);
        return error(400, 100, "Unsupported post request: no such phone number id");
    }
    if let Some(problem) = problem(&parsed) {
        record(None);
        return error(400, 131_008, problem);
    }
    if parsed.get("status").is_some() {
        record(None);
        return axum::Json(json!({ "success": true })).into_response();
    }
    let fault = emulator.0.faults.lock().pop_front();
    let delay = *emulator.0.delay.lock();
    match &fault {
        Some(Fault::Status { status, code, retry_after }) => {
            record(None);
            let mut answer = error(*status, *code, "a fault on demand");
            if let Some(value) = retry_after.and_then(|s| s.to_string().parse().ok()) {
                answer.headers_mut().insert("retry-after", value);
            }
            return answer;
        }
        Some(Fault::CutBeforeDelivery) => {
            record(None);
            return cut();
        }
        Some(Fault::Hang(long)) => tokio::time::sleep(*long).await,
        _ if delay > Duration::ZERO => tokio::time::sleep(delay).await,
        _ => {}
    }
    let id = emulator.next_id("out");
    record(Some(id.clone()));
    let to = parsed.get("to").and_then(Value::as_str).unwrap_or_default().to_owned();
    follow(&emulator, id.clone(), to.clone(), key);
    match fault {
        Some(Fault::CutAfterDelivery) => cut(),
        Some(Fault::AnswerLate(long)) => {
            tokio::time::sleep(long).await;
            taken(&to, &id, None)
        }
        Some(Fault::Echo) => {
            let seen = headers.get("authorization").and_then(|v| v.to_str().ok()).unwrap_or_default().to_owned();
            let mut answer = taken(&to, &id, Some(&seen));
            if let Ok(value) = seen.parse() {
                answer.headers_mut().insert("x-seen", value);
            }
            answer
        }
        _ => taken(&to, &id, None),
    }
}

fn taken(to: &str, id: &str, echo: Option<&str>) -> Response {
    let contacts = json!([{ "input": to, "wa_id": to }]);
    let mut body = json!({ "messaging_product": "whatsapp", "contacts": contacts, "messages": [{ "id": id }] });
    if let (Some(echo), Some(object)) = (echo, body.as_object_mut()) {
        object.insert("debug".to_owned(), json!({ "authorization": echo }));
    }
    axum::Json(body).into_response()
}

/// Ends the connection in the middle of an answer.
fn cut() -> Response {
    let broken = futures::stream::once(async { Err::<Bytes, _>(std::io::Error::other("cut on demand")) });
    let mut answer = Response::new(axum::body::Body::from_stream(broken));
    answer.headers_mut().insert("content-length", axum::http::HeaderValue::from_static("1000"));
    answer
}

/// What Graph would complain about.
fn problem(body: &Value) -> Option<&'static str> {
    if body.get("messaging_product").and_then(Value::as_str) != Some("whatsapp") {
        return Some("(#100) The parameter messaging_product is required.");
    }
    if body.get("status").is_some() {
        return body.get("message_id").is_none().then_some("(#100) The parameter message_id is required.");
    }
    if body.get("to").or_else(|| body.get("recipient")).and_then(Value::as_str).is_none() {
        return Some("(#100) The parameter to is required.");
    }
    let Some(kind) = body.get("type").and_then(Value::as_str) else { return Some("(#100) The parameter type is required.") };
    if body.get(kind).is_none() {
        return Some("(#131008) Required parameter is missing");
    }
    let length = body.pointer("/text/body").and_then(Value::as_str).map_or(0, |t| t.chars().count());
    (length > 4096).then_some("(#100) Param text['body'] must be at most 4096 characters long.")
}

/// The statuses that follow a message.
fn follow(emulator: &Whatsapp, id: String, to: String, key: Option<String>) {
    let emulator = emulator.clone();
    if emulator.0.config.statuses.is_empty() {
        return;
    }
    tokio::spawn(async move {
        for status in emulator.0.config.statuses.clone() {
            tokio::time::sleep(Duration::from_millis(120)).await;
            if let Err(error) = emulator.status(&id, &to, status, key.as_deref()).await {
                tracing::debug!(%error, "a status found nobody");
            }
        }
    });
}

async fn subscribe(State(emulator): State<Whatsapp>, Path((_, id)): Path<(String, String)>, headers: HeaderMap) -> Response {
    if !authorized(&emulator, &headers) {
        return error(401, 190, "Error validating access token");
    }
    emulator.0.subscribed.lock().push(id);
    axum::Json(json!({ "success": true })).into_response()
}

async fn unsubscribe(State(emulator): State<Whatsapp>, Path((_, id)): Path<(String, String)>, headers: HeaderMap) -> Response {
    if !authorized(&emulator, &headers) {
        return error(401, 190, "Error validating access token");
    }
    emulator.0.subscribed.lock().retain(|known| *known != id);
    axum::Json(json!({ "success": true })).into_response()
}
