//! The Graph API's side: messages, marks, subscriptions, and who a number is; errors in Graph's own form.

use std::collections::HashMap;
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use serde_json::{Map, Value, json};

use super::{Sent, Whatsapp, content, webhook};
use crate::fault::{Early, Fault, cut};
use crate::log::Open;

pub(super) fn router(emulator: Whatsapp) -> Router {
    Router::new()
        .route("/{version}/{id}", get(profile))
        .route("/{version}/{id}/messages", post(messages))
        .route("/{version}/{id}/subscribed_apps", post(subscribe).delete(unsubscribe).get(subscriptions))
        .with_state(emulator)
}

fn error(status: u16, code: u32, message: &str) -> Response {
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let kind = "OAuthException";
    let body = json!({ "error": { "message": message, "type": kind, "code": code, "fbtrace_id": "emulated" } });
    (status, axum::Json(body)).into_response()
}

/// Graph's answer to a token that is not ours, where it is not.
fn refused(emulator: &Whatsapp, headers: &HeaderMap) -> Option<Response> {
    let right = format!("Bearer {}", emulator.0.config.token);
    let known = headers.get("authorization").and_then(|v| v.to_str().ok()) == Some(&right);
    (!known).then(|| error(401, 190, "Error validating access token"))
}

fn early(early: Early) -> Response {
    match early {
        Early::Cut => cut(),
        Early::Refuse { status, code, retry_after } => {
            let mut answer = error(status, code, "a fault on demand");
            if let Some(value) = retry_after.and_then(|s| s.to_string().parse().ok()) {
                answer.headers_mut().insert("retry-after", value);
            }
            answer
        }
    }
}

/// Takes a message, and notes in the provider's own log what came, what was taken and what is answered; what was taken is on
/// disk before the answer leaves.
async fn messages(
    State(emulator): State<Whatsapp>,
    Path((_version, phone)): Path<(String, String)>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let parsed: Value = serde_json::from_slice(&body).unwrap_or_default();
    let key = parsed.get("biz_opaque_callback_data").and_then(Value::as_str).map(str::to_owned);
    let Some(log) = emulator.0.log.clone() else { return take(emulator, &phone, &headers, parsed, key).await };
    let open = Open::received(&log, key.as_deref(), &parsed);
    let answer = take(emulator, &phone, &headers, parsed, key.clone()).await;
    open.answered(answer.status().as_u16());
    log.synced().await;
    answer
}

async fn take(emulator: Whatsapp, phone: &str, headers: &HeaderMap, parsed: Value, key: Option<String>) -> Response {
    let refused = refused(&emulator, headers);
    let authorized = refused.is_none();
    let record = |id: Option<String>| {
        let at_ms = emulator.0.desk.at_ms();
        if let (Some(log), Some(id)) = (&emulator.0.log, &id) {
            log.note("taken", json!({ "key": key, "id": id }));
        }
        emulator.0.sent.lock().push(Sent { body: parsed.clone(), key: key.clone(), id, authorized, at_ms });
    };
    if let Some(refused) = refused {
        record(None);
        return refused;
    }
    if phone != emulator.0.config.phone_number_id {
        record(None);
        return error(400, 100, "Unsupported post request: no such phone number id");
    }
    if let Some((code, problem)) = content::problem(&parsed) {
        record(None);
        return error(400, code, problem);
    }
    if parsed.get("status").is_some() {
        record(None);
        mark_read(&emulator, &parsed);
        return axum::Json(json!({ "success": true })).into_response();
    }
    let contact = parsed.get("to").and_then(Value::as_str).unwrap_or_default();
    let fault = emulator.0.desk.faults.next_send("messages", contact);
    if let Some(fault) = &fault
        && let Some(why) = fault.before().await
    {
        record(None);
        return early(why);
    }
    let delay = emulator.0.desk.delay();
    if delay > Duration::ZERO && !matches!(fault, Some(Fault::Hang(_))) {
        tokio::time::sleep(delay).await;
    }
    let id = emulator.next_id("out");
    record(Some(id.clone()));
    show(&emulator, &parsed, &id);
    let to = parsed.get("to").and_then(Value::as_str).unwrap_or_default().to_owned();
    follow(&emulator, id.clone(), content::to(&parsed).unwrap_or_default().to_owned(), key);
    match fault {
        Some(Fault::Echo) => {
            let seen = headers.get("authorization").and_then(|v| v.to_str().ok()).unwrap_or_default().to_owned();
            let mut answer = taken(&to, &id, Some(&seen));
            if let Ok(value) = seen.parse() {
                answer.headers_mut().insert("x-seen", value);
            }
            answer
        }
        Some(fault) => fault.after(taken(&to, &id, None)).await,
        None => taken(&to, &id, None),
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

/// Puts what was taken on the contact's screen.
fn show(emulator: &Whatsapp, body: &Value, id: &str) {
    let mut talk = emulator.0.desk.talk.lock();
    if let Some(line) = content::line(body, id) {
        talk.add(line);
    } else if let (Some(to), Some(target)) = (content::to(body), body.pointer("/reaction/message_id").and_then(Value::as_str)) {
        let emoji = body.pointer("/reaction/emoji").and_then(Value::as_str).filter(|e| !e.is_empty()).map(str::to_owned);
        talk.change(to, target, |line| line.reaction = emoji);
    }
}

fn mark_read(emulator: &Whatsapp, body: &Value) {
    let mut talk = emulator.0.desk.talk.lock();
    let Some(id) = body.get("message_id").and_then(Value::as_str) else { return };
    if let Some(contact) = talk.whose(id) {
        talk.change(&contact, id, |line| line.status = Some("read".to_owned()));
    }
}

/// The statuses that follow a message.
fn follow(emulator: &Whatsapp, id: String, to: String, key: Option<String>) {
    let emulator = emulator.clone();
    if emulator.0.config.statuses.is_empty() {
        return;
    }
    tokio::spawn(async move {
        for status in emulator.0.config.statuses.clone() {
            tokio::time::sleep(emulator.0.config.status_after).await;
            if let Err(error) = emulator.status(&id, &to, status, key.as_deref()).await {
                tracing::debug!(%error, "a status found nobody");
            }
        }
    });
}

/// Carries out a call that sends nothing: the token is looked at, then the faults that were ordered for it.
async fn call(emulator: &Whatsapp, headers: &HeaderMap, name: &str, act: impl AsyncFnOnce() -> Response) -> Response {
    if let Some(refused) = refused(emulator, headers) {
        return refused;
    }
    let Some(fault) = emulator.0.desk.faults.next(name, false) else { return act().await };
    match fault.before().await {
        Some(why) => early(why),
        None => fault.after(act().await).await,
    }
}

/// The fields of a number that can be asked for.
async fn profile(
    State(emulator): State<Whatsapp>,
    Path((_version, id)): Path<(String, String)>,
    Query(query): Query<HashMap<String, String>>,
    headers: HeaderMap,
) -> Response {
    call(&emulator, &headers, "profile", async || {
        let config = &emulator.0.config;
        if id != config.phone_number_id {
            return error(400, 100, "Unsupported get request. Object with that ID does not exist, or permissions are missing");
        }
        let asked = query.get("fields").map_or("verified_name,display_phone_number", String::as_str);
        let mut told = Map::from_iter([("id".to_owned(), json!(config.phone_number_id))]);
        for field in asked.split(',').map(str::trim) {
            let value = match field {
                "id" => json!(config.phone_number_id),
                "verified_name" => json!(config.verified_name),
                "display_phone_number" => json!(config.display_phone_number),
                "quality_rating" => json!("GREEN"),
                _ => return error(400, 100, &format!("(#100) Tried accessing nonexisting field ({field})")),
            };
            told.insert(field.to_owned(), value);
        }
        axum::Json(Value::Object(told)).into_response()
    })
    .await
}

fn no_account() -> Response {
    error(400, 100, "Unsupported request: no such business account")
}

async fn subscribe(
    State(emulator): State<Whatsapp>,
    Path((_, id)): Path<(String, String)>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    call(&emulator, &headers, "subscribed_apps", async || {
        if id != emulator.0.config.waba_id {
            return no_account();
        }
        let body: Value = serde_json::from_slice(&body).unwrap_or_default();
        let field = |name: &str| body.get(name).and_then(Value::as_str);
        let other = field("override_callback_uri");
        if let Some(url) = other {
            let token = field("verify_token").unwrap_or_default();
            if let Err(why) = webhook::challenge(url, token, "1158201444").await {
                return error(400, 2200, &format!("(#2200) Callback verification failed with the following errors: {why}"));
            }
        }
        {
            let mut subscribed = emulator.0.subscribed.lock();
            if !subscribed.contains(&id) {
                subscribed.push(id);
            }
        }
        emulator.0.desk.hooks.subscribe(other.map(str::to_owned));
        axum::Json(json!({ "success": true })).into_response()
    })
    .await
}

async fn unsubscribe(State(emulator): State<Whatsapp>, Path((_, id)): Path<(String, String)>, headers: HeaderMap) -> Response {
    call(&emulator, &headers, "subscribed_apps", async || {
        if id != emulator.0.config.waba_id {
            return no_account();
        }
        emulator.0.subscribed.lock().clear();
        emulator.0.desk.hooks.unsubscribe();
        axum::Json(json!({ "success": true })).into_response()
    })
    .await
}

async fn subscriptions(State(emulator): State<Whatsapp>, Path((_, id)): Path<(String, String)>, headers: HeaderMap) -> Response {
    call(&emulator, &headers, "subscribed_apps", async || {
        if id != emulator.0.config.waba_id {
            return no_account();
        }
        let app = json!({ "whatsapp_business_api_data": { "id": "emulated", "link": "", "name": "emulated" } });
        let list: Vec<Value> = emulator.0.subscribed.lock().iter().map(|_| app.clone()).collect();
        axum::Json(json!({ "data": list })).into_response()
    })
    .await
}
