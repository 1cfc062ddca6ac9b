//! `POST /demo/say`: what somebody types in the demo page goes over HTTP to an emulated provider, which delivers it to the
//! public port as a signed webhook like any other. There is no way from here into the house. Only mounted in a demo.

use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::extract::{Request, State};
use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{HeaderValue, StatusCode};
use http_body_util::{BodyExt, Full, Limited};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::Room;
use super::problem::Problem;
use crate::body::{self, Budget, Pace, Unread};

/// Where the emulated provider listens.
#[derive(Debug, Clone)]
pub struct DemoLink {
    /// `http://127.0.0.1:PORT`, without a path.
    pub emulator: String,
}

/// Bytes of a request.
const BODY: usize = 32 << 10;
/// Characters of a message, as the provider's own limit.
const TEXT: usize = 4_096;
/// How long the emulator and the host behind it may take.
const WAIT: Duration = Duration::from_secs(15);

/// The emulator, ready to be spoken to.
#[derive(Debug)]
pub(super) struct Emulator {
    say: String,
    client: Client<HttpConnector, Full<Bytes>>,
}

impl Emulator {
    pub(super) fn new(link: &DemoLink) -> Self {
        let say = format!("{}/_emulator/say", link.emulator.trim_end_matches('/'));
        Self { say, client: Client::builder(TokioExecutor::new()).build_http() }
    }

    async fn pass_on(&self, say: &Say) -> Result<Value, Box<dyn std::error::Error + Send + Sync>> {
        let request = http::Request::post(&self.say)
            .header(CONTENT_TYPE, HeaderValue::from_static("application/json"))
            .body(Full::from(serde_json::to_vec(say)?))?;
        let response = self.client.request(request).await?;
        let status = response.status();
        let body = Limited::new(response.into_body(), BODY).collect().await?.to_bytes();
        if !status.is_success() {
            return Err(format!("it answered {status}").into());
        }
        Ok(serde_json::from_slice(&body)?)
    }
}

/// What a contact says.
#[derive(Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct Say {
    /// The contact's number: digits only.
    from: String,
    /// The contact's name.
    name: String,
    /// The words.
    text: String,
}

impl Say {
    fn check(&self) -> Result<(), Problem> {
        let number = (5..=15).contains(&self.from.len()) && self.from.bytes().all(|b| b.is_ascii_digit());
        let name = (1..=100).contains(&self.name.chars().count());
        let text = !self.text.trim().is_empty() && self.text.chars().count() <= TEXT;
        match (number, name, text) {
            (true, true, true) => Ok(()),
            (false, ..) => Err(invalid("`from` is a number of 5 to 15 digits, without +")),
            (_, false, _) => Err(invalid("`name` has 1 to 100 characters")),
            _ => Err(invalid("`text` has 1 to 4096 characters, and not only spaces")),
        }
    }
}

fn invalid(detail: &str) -> Problem {
    Problem::new(StatusCode::BAD_REQUEST, "say.invalid", detail)
}

pub(super) async fn say(State(room): State<Arc<Room>>, request: Request) -> Result<Json<Value>, Problem> {
    let Some(emulator) = &room.emulator else { return Err(Problem::of(StatusCode::NOT_FOUND)) };
    // A form of another site can send text, but not this type without asking first.
    let kind = request.headers().get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    if kind.split(';').next().map(str::trim) != Some("application/json") {
        return Err(Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "say.invalid", "send application/json"));
    }
    let budget = Budget::new(0);
    let body = body::collect(request.into_body(), BODY, Pace::USUAL, &budget).await.map_err(|why| match why {
        Unread::TooLarge | Unread::Busy => {
            Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "say.invalid", "that is too much for one message")
        }
        Unread::TooSlow => Problem::of(StatusCode::REQUEST_TIMEOUT),
        Unread::Broken => Problem::of(StatusCode::BAD_REQUEST),
    })?;
    let say: Say = serde_json::from_slice(&body).map_err(|_| invalid("send {\"from\", \"name\", \"text\"}, all text"))?;
    say.check()?;
    let answer = tokio::time::timeout(WAIT, emulator.pass_on(&say)).await.unwrap_or_else(|_| Err("no answer in time".into()));
    answer.map(Json).map_err(|error| {
        tracing::warn!(%error, "the emulated provider did not take it");
        Problem::new(
            StatusCode::BAD_GATEWAY,
            "demo.emulator_unreachable",
            "the emulated provider did not take it: see the host's log",
        )
    })
}
