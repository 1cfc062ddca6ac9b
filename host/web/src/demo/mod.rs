//! The demo's own server: the page that plays contacts, its way to the emulated providers, and its way to the host.
//!
//! It runs in another process than the host: what is typed goes to an emulated provider, which delivers it to the host's
//! public port as a signed webhook like any other; what the page shows of the host it asks on the host's private port. There
//! is no way from here into the engine, and the server outlives a host that is killed.

use std::io;
use std::sync::Arc;

use async_trait::async_trait;
use axum::extract::{Request, State};
use axum::middleware::from_fn_with_state;
use axum::response::Html;
use axum::routing::{get, post};
use axum::{Json, Router};
use http::StatusCode;
use http::header::CONTENT_TYPE;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::sync::watch;

use crate::body::{self, Budget, Pace, Unread};
use crate::ports::Trouble;
use crate::problem::Problem;
use crate::{guard, listen, pages};

mod contact;
mod door;
mod pass;

pub use door::{Door, Shut};

/// A channel of the demo: an emulated provider and the people who write there.
#[derive(Debug, Clone)]
pub struct DemoChannel {
    /// The short word of its plugin, `whatsapp`.
    pub word: String,
    /// What people call the provider.
    pub title: String,
    /// What the business is called there.
    pub business: String,
    /// The host's id of it.
    pub id: String,
    /// Where its emulator listens: `http://127.0.0.1:PORT`.
    pub emulator: String,
    /// Id and name of each contact.
    pub contacts: Vec<(String, String)>,
}

/// What can be done to the host or the line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Act {
    /// The host's process is killed.
    Kill,
    /// The provider takes a message, and its receipt never comes.
    Cut,
    /// The provider delivers a webhook twice.
    Twice,
}

/// An act, and who writes while it happens.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Acting {
    /// What is done.
    pub act: Act,
    /// The word of a channel.
    pub channel: String,
    /// The id of a contact there.
    pub contact: String,
}

/// What stands behind the page.
#[async_trait]
pub trait Stage: Send + Sync + 'static {
    /// The channels.
    fn channels(&self) -> &[DemoChannel];
    /// The folder that holds everything.
    fn dir(&self) -> String;
    /// Where the host's private port listens, `127.0.0.1:PORT`; absent while the host is down.
    fn host(&self) -> Option<String>;
    /// How the host stands and what became of the acts: `{host: {state, words}, acts: [..]}`.
    fn state(&self) -> Value;
    /// Begins an act; [`Stage::state`] tells how it goes. One at a time.
    async fn act(&self, acting: Acting) -> Result<(), Trouble>;
}

/// What the routes share.
struct Room {
    stage: Arc<dyn Stage>,
    door: Door,
}

/// Serves the demo until `closing` turns true.
pub async fn serve_demo<S: Stage>(listener: TcpListener, stage: Arc<S>, closing: watch::Receiver<bool>) -> io::Result<()> {
    let own = listener.local_addr()?;
    let room = Arc::new(Room { stage, door: Door::default() });
    listen::serve_router(listener, router(&room).layer(from_fn_with_state(own, guard::around)), closing).await
}

/// All routes of the demo.
fn router(room: &Arc<Room>) -> Router {
    Router::new()
        .route("/", get(page))
        .route("/status", get(async || pages::status(pages::Place::Demo)))
        .merge(pages::router(pages::Place::Demo))
        .route("/demo/state", get(state))
        .route("/demo/act", post(act))
        .route("/demo/{channel}/messages", get(contact::messages))
        .route("/demo/{channel}/say", post(contact::say))
        .route("/demo/{channel}/press", post(contact::press))
        .route("/api/v1/{*rest}", get(pass::on))
        .with_state(Arc::clone(room))
}

async fn page(State(room): State<Arc<Room>>) -> Result<Html<String>, Problem> {
    pages::demo(room.stage.channels(), &room.stage.dir())
}

async fn state(State(room): State<Arc<Room>>) -> Json<Value> {
    Json(room.stage.state())
}

async fn act(State(room): State<Arc<Room>>, request: Request) -> Result<(StatusCode, Json<Value>), Problem> {
    let acting: Acting = read(request, "send {\"act\": \"kill\" | \"cut\" | \"twice\", \"channel\", \"contact\"}").await?;
    channel(&room, &acting.channel)?;
    room.stage.act(acting).await?;
    Ok((StatusCode::ACCEPTED, Json(room.stage.state())))
}

fn channel<'a>(room: &'a Room, word: &str) -> Result<&'a DemoChannel, Problem> {
    let found = room.stage.channels().iter().find(|channel| channel.word == word);
    found.ok_or_else(|| Problem::new(StatusCode::NOT_FOUND, "channel.unknown", "the demo has no such channel"))
}

/// Bytes of a request.
const BODY: usize = 32 << 10;

/// A body in JSON. A form of another site can send text, but not this type without asking first.
async fn read<T: DeserializeOwned>(request: Request, form: &str) -> Result<T, Problem> {
    let kind = request.headers().get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    if kind.split(';').next().map(str::trim) != Some("application/json") {
        return Err(Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "demo.invalid", "send application/json"));
    }
    let budget = Budget::new(0);
    let (body, _share) = body::collect(request.into_body(), BODY, Pace::USUAL, &budget).await.map_err(|why| match why {
        Unread::TooLarge | Unread::Busy => {
            Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "demo.invalid", "that is too much for one message")
        }
        Unread::TooSlow => Problem::of(StatusCode::REQUEST_TIMEOUT),
        Unread::Broken => Problem::of(StatusCode::BAD_REQUEST),
    })?;
    serde_json::from_slice(&body).map_err(|_| Problem::new(StatusCode::BAD_REQUEST, "demo.invalid", form))
}
