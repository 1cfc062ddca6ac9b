//! What a contact does in the page: says something, presses a button, looks at what was said. All of it goes over HTTP to the
//! emulated provider and nowhere else.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, Query, Request, State};
use http::StatusCode;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::door::detail;
use super::{Room, channel, read};
use crate::problem::Problem;

/// Characters of a message, as the providers' own limit.
const TEXT: usize = 4_096;

/// What a contact says.
#[derive(Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct Say {
    /// The contact's id: digits only.
    from: String,
    /// The contact's name.
    name: String,
    /// The words.
    text: String,
}

/// A button that a contact presses.
#[derive(Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct Press {
    /// The contact's id: digits only.
    from: String,
    /// The provider's id of the message that carries it.
    message: String,
    /// What is behind it.
    payload: String,
}

#[derive(Debug, Deserialize)]
pub(super) struct Whose {
    contact: String,
}

fn invalid(detail: &str) -> Problem {
    Problem::new(StatusCode::BAD_REQUEST, "say.invalid", detail)
}

/// Contacts' ids on all emulated providers are digits; anything else could reach another address of the emulator.
fn number(id: &str) -> Result<(), Problem> {
    let good = (1..=20).contains(&id.len()) && id.bytes().all(|b| b.is_ascii_digit());
    if good { Ok(()) } else { Err(invalid("a contact is a number of 1 to 20 digits, without +")) }
}

fn check(say: &Say) -> Result<(), Problem> {
    number(&say.from)?;
    if !(1..=100).contains(&say.name.chars().count()) {
        return Err(invalid("`name` has 1 to 100 characters"));
    }
    if say.text.trim().is_empty() || say.text.chars().count() > TEXT {
        return Err(invalid("`text` has 1 to 4096 characters, and not only spaces"));
    }
    Ok(())
}

pub(super) async fn say(
    State(room): State<Arc<Room>>,
    Path(word): Path<String>,
    request: Request,
) -> Result<Json<Value>, Problem> {
    let say: Say = read(request, "send {\"from\", \"name\", \"text\"}, all text").await?;
    check(&say)?;
    tell(&room, &word, "say", &serde_json::to_value(say).unwrap_or_default()).await
}

pub(super) async fn press(
    State(room): State<Arc<Room>>,
    Path(word): Path<String>,
    request: Request,
) -> Result<Json<Value>, Problem> {
    let press: Press = read(request, "send {\"from\", \"message\", \"payload\"}, all text").await?;
    number(&press.from)?;
    tell(&room, &word, "press", &serde_json::to_value(press).unwrap_or_default()).await
}

pub(super) async fn messages(
    State(room): State<Arc<Room>>,
    Path(word): Path<String>,
    Query(whose): Query<Whose>,
) -> Result<Json<Value>, Problem> {
    number(&whose.contact)?;
    let url = format!("{}/_emulator/messages?contact={}", channel(&room, &word)?.emulator, whose.contact);
    match room.door.get(&url).await {
        Ok((200, lines)) => Ok(Json(lines)),
        // Who has not written yet is unknown there.
        Ok((404, _)) => Ok(Json(Value::Array(Vec::new()))),
        Ok((status, body)) => Err(refused(status, &body)),
        Err(shut) => Err(unreachable(&shut)),
    }
}

async fn tell(room: &Room, word: &str, what: &str, body: &Value) -> Result<Json<Value>, Problem> {
    let url = format!("{}/_emulator/{what}", channel(room, word)?.emulator);
    match room.door.post(&url, body).await {
        Ok((200, answer)) => Ok(Json(answer)),
        Ok((status, body)) => Err(refused(status, &body)),
        Err(shut) => Err(unreachable(&shut)),
    }
}

fn refused(status: u16, body: &Value) -> Problem {
    Problem::new(
        StatusCode::BAD_GATEWAY,
        "demo.emulator_refused",
        format!("the emulated provider answered {status}: {}", detail(body)),
    )
}

fn unreachable(shut: &super::Shut) -> Problem {
    tracing::warn!(%shut, "the emulated provider did not answer");
    Problem::new(
        StatusCode::BAD_GATEWAY,
        "demo.emulator_unreachable",
        "the emulated provider did not answer; the demo's output says why",
    )
}
