//! The emulator's own small door, for a page or another process that plays the contact: `POST /_emulator/say`,
//! `GET /_emulator/messages`. No provider has it.

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use serde::Deserialize;
use serde_json::json;

use crate::whatsapp::Whatsapp;

/// What a contact says.
#[derive(Debug, Deserialize)]
struct Say {
    /// The contact's number.
    from: String,
    /// The contact's name.
    #[serde(default)]
    name: String,
    /// The words.
    text: String,
}

pub(crate) fn router(emulator: Whatsapp) -> Router {
    Router::new().route("/_emulator/say", post(say)).route("/_emulator/messages", get(messages)).with_state(emulator)
}

async fn say(State(emulator): State<Whatsapp>, Json(say): Json<Say>) -> Response {
    match emulator.say(&say.from, &say.name, &say.text).await {
        Ok((id, status)) => Json(json!({ "id": id, "status": status })).into_response(),
        Err(error) => (StatusCode::BAD_GATEWAY, Json(json!({ "error": error.to_string() }))).into_response(),
    }
}

async fn messages(State(emulator): State<Whatsapp>) -> Response {
    let list: Vec<_> = emulator
        .taken()
        .into_iter()
        .map(|sent| json!({ "id": sent.id, "to": sent.to(), "key": sent.key, "at_ms": sent.at_ms, "body": sent.body }))
        .collect();
    Json(list).into_response()
}
