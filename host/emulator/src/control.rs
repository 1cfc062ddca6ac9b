//! The emulators' own small door, for another process that plays the contact: `/_emulator/..`. No provider has it.
//!
//! It is not for browsers: a request with an `Origin`, or one that came by a name which somebody else may have pointed at
//! this machine, is refused, so that no page of another site can play here.

use std::future::Future;
use std::time::Duration;

use axum::body::Bytes;
use axum::extract::{Query, Request, State};
use axum::http::StatusCode;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use axum::routing::{any, get, post};
use axum::{Json, Router};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::desk::Desk;
use crate::fault::{Fault, HookFault};
use crate::hook::{HELD, Subscription, Undelivered};

/// What the door asks of a provider.
pub(crate) trait Emulated: Clone + Send + Sync + 'static {
    fn desk(&self) -> &Desk;
    fn say(&self, from: &str, name: &str, text: &str) -> impl Future<Output = Result<(String, u16), Undelivered>> + Send;
    fn press(&self, from: &str, message: &str, payload: &str) -> impl Future<Output = Result<(String, u16), Undelivered>> + Send;
    fn subscription(&self) -> Subscription;
    /// Every call so far, without secrets.
    fn record(&self) -> Vec<Value>;
}

pub(crate) fn router<E: Emulated>(emulator: E) -> Router {
    Router::new()
        .route("/_emulator/say", post(say::<E>))
        .route("/_emulator/press", post(press::<E>))
        .route("/_emulator/fault", post(fault::<E>).get(waiting::<E>))
        .route("/_emulator/messages", get(messages::<E>))
        .route("/_emulator/contacts", get(contacts::<E>))
        .route("/_emulator/subscription", get(subscription::<E>))
        .route("/_emulator/calls", get(calls::<E>))
        .route("/_emulator/{*rest}", any(async || refusal(404, "unknown", "the emulator has no such page")))
        .method_not_allowed_fallback(async || refusal(405, "method", "ask with the other method: GET to read, POST to act"))
        .layer(axum::middleware::from_fn(guard))
        .with_state(emulator)
}

fn refusal(status: u16, what: &str, detail: &str) -> Response {
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    (status, Json(json!({ "code": format!("emulator.{what}"), "detail": detail }))).into_response()
}

fn invalid(detail: &str) -> Response {
    refusal(400, "invalid", detail)
}

async fn guard(request: Request, next: Next) -> Response {
    let headers = request.headers();
    let host = headers.get("host").and_then(|host| host.to_str().ok()).unwrap_or_default();
    let name = host.rsplit_once(':').map_or(host, |(name, port)| if port.contains(']') { host } else { name });
    let bare = name.trim_start_matches('[').trim_end_matches(']');
    let ours = bare == "localhost" || bare.parse::<std::net::IpAddr>().is_ok();
    if headers.contains_key("origin") || !ours {
        return refusal(403, "origin", "this door is not for pages of a browser: ask the server that passes on to it");
    }
    next.run(request).await
}

fn read<T: DeserializeOwned>(body: &[u8]) -> Result<T, String> {
    serde_json::from_slice(body).map_err(|error| format!("the body is not what is asked for: {error}"))
}

fn done(answer: Result<(String, u16), Undelivered>) -> Response {
    match answer {
        Ok((id, HELD)) => Json(json!({ "id": id, "status": null, "held": true })).into_response(),
        Ok((id, status)) => Json(json!({ "id": id, "status": status, "held": false })).into_response(),
        Err(error) => {
            let (status, what) = match &error {
                Undelivered::NoHook => (409, "no_webhook"),
                Undelivered::NotWanted(_) => (409, "not_wanted"),
                Undelivered::Unreachable(_) => (502, "unreachable"),
                Undelivered::Unknown(_) => (404, "unknown"),
                Undelivered::Invalid(_) => (400, "invalid"),
            };
            refusal(status, what, &error.to_string())
        }
    }
}

/// What a contact says.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Say {
    /// The contact's id.
    from: String,
    /// The contact's name; may be missing where it is known.
    #[serde(default)]
    name: String,
    /// The words.
    text: String,
}

async fn say<E: Emulated>(State(emulator): State<E>, body: Bytes) -> Response {
    match read::<Say>(&body) {
        Ok(say) if say.from.is_empty() => invalid("`from` is the contact's id, as text"),
        Ok(say) => done(emulator.say(&say.from, &say.name, &say.text).await),
        Err(why) => invalid(&why),
    }
}

/// Which button a contact presses.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Press {
    /// The contact's id.
    from: String,
    /// The provider's id of our message.
    message: String,
    /// The button's payload.
    payload: String,
}

async fn press<E: Emulated>(State(emulator): State<E>, body: Bytes) -> Response {
    match read::<Press>(&body) {
        Ok(press) => done(emulator.press(&press.from, &press.message, &press.payload).await),
        Err(why) => invalid(&why),
    }
}

/// Something that goes wrong, in milliseconds and seconds.
#[derive(Debug, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
enum Order {
    Status {
        status: u16,
        #[serde(default)]
        code: u32,
        #[serde(default)]
        retry_after: Option<u32>,
    },
    Hang {
        ms: u64,
    },
    AnswerLate {
        ms: u64,
    },
    CutAfterDelivery,
    CutBeforeDelivery,
    Echo,
    Late {
        ms: u64,
    },
    Doubled,
    Shuffled {
        size: usize,
    },
    None,
}

/// The longest wait that can be ordered, in milliseconds.
const LONGEST: u64 = 600_000;

enum Wrong {
    Answer(Fault),
    Webhook(HookFault),
    Nothing,
}

impl Order {
    fn wrong(self) -> Result<Wrong, &'static str> {
        let long = |ms: u64| (ms <= LONGEST).then(|| Duration::from_millis(ms)).ok_or("`ms` is at most 600000");
        Ok(match self {
            Self::Status { status, .. } if !(400..600).contains(&status) => return Err("`status` is an error: 400 to 599"),
            Self::Status { status, code, retry_after } => Wrong::Answer(Fault::Status { status, code, retry_after }),
            Self::Hang { ms } => Wrong::Answer(Fault::Hang(long(ms)?)),
            Self::AnswerLate { ms } => Wrong::Answer(Fault::AnswerLate(long(ms)?)),
            Self::CutAfterDelivery => Wrong::Answer(Fault::CutAfterDelivery),
            Self::CutBeforeDelivery => Wrong::Answer(Fault::CutBeforeDelivery),
            Self::Echo => Wrong::Answer(Fault::Echo),
            Self::Late { ms } => Wrong::Webhook(HookFault::Late(long(ms)?)),
            Self::Doubled => Wrong::Webhook(HookFault::Doubled),
            Self::Shuffled { size: size @ 2..=100 } => Wrong::Webhook(HookFault::Shuffled(size)),
            Self::Shuffled { .. } => return Err("`size` is 2 to 100"),
            Self::None => Wrong::Nothing,
        })
    }
}

async fn fault<E: Emulated>(State(emulator): State<E>, body: Bytes) -> Response {
    let mut asked = match read::<serde_json::Map<String, Value>>(&body) {
        Ok(asked) => asked,
        Err(why) => return invalid(&why),
    };
    let count = match asked.remove("count").map(|count| count.as_u64()) {
        None => 1,
        Some(Some(count @ 1..=1000)) => count,
        Some(_) => return invalid("`count` is 1 to 1000"),
    };
    let call = match asked.remove("call") {
        None | Some(Value::Null) => None,
        Some(Value::String(call)) => Some(call),
        Some(_) => return invalid("`call` is the name of a call, as text"),
    };
    let order = match serde_json::from_value::<Order>(Value::Object(asked)) {
        Ok(order) => order,
        Err(error) => return invalid(&format!("no such fault: {error}")),
    };
    let faults = &emulator.desk().faults;
    match order.wrong() {
        Ok(Wrong::Answer(fault)) => faults.add(call.as_deref(), (0..count).map(|_| fault.clone())),
        Ok(Wrong::Webhook(_)) if call.is_some() => return invalid("a webhook's fault has no `call`"),
        Ok(Wrong::Webhook(fault)) => faults.add_hooks((0..count).map(|_| fault.clone())),
        Ok(Wrong::Nothing) => faults.clear(),
        Err(why) => return invalid(why),
    }
    waiting(State(emulator)).await
}

async fn waiting<E: Emulated>(State(emulator): State<E>) -> Response {
    let (answers, webhooks) = emulator.desk().faults.waiting();
    Json(json!({ "waiting": { "answers": answers, "webhooks": webhooks } })).into_response()
}

/// Whose lines.
#[derive(Debug, Deserialize)]
struct Whose {
    contact: Option<String>,
}

async fn messages<E: Emulated>(State(emulator): State<E>, Query(whose): Query<Whose>) -> Response {
    Json(emulator.desk().talk.lock().lines(whose.contact.as_deref())).into_response()
}

async fn contacts<E: Emulated>(State(emulator): State<E>) -> Response {
    Json(emulator.desk().talk.lock().contacts()).into_response()
}

async fn subscription<E: Emulated>(State(emulator): State<E>) -> Response {
    Json(emulator.subscription()).into_response()
}

async fn calls<E: Emulated>(State(emulator): State<E>) -> Response {
    Json(emulator.record()).into_response()
}
