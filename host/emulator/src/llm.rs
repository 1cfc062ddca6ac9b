//! A language model's server in small, in the form that OpenAI made: `POST /v1/chat/completions` and `/v1/embeddings`. It misbehaves on
//! demand, and keeps its own list of what it was asked.
//!
//! It has no mind: what it answers is told to it. [`Mode::Obeys`] is the worst model there is: whatever stands between « and » in anything that
//! it reads is what it says, and where that is JSON with `tool_calls` it calls those tools.

use std::collections::VecDeque;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use axum::body::Body;
use axum::extract::State as Shared;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use axum::{Json, Router};
use bytes::Bytes;
use futures::stream;
use parking_lot::Mutex;
use serde_json::{Value, json};
use tokio::net::TcpListener;

use crate::desk;

/// What it does with a question.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Mode {
    /// Says this, in a stream of events.
    Says(String),
    /// Says this after a while.
    Slow(Duration, String),
    /// Says this in one piece, whatever was asked for.
    Whole(String),
    /// Answers something that is no answer.
    Garbage,
    /// Begins to answer, and the connection breaks.
    Breaks,
    /// Begins to answer, and the stream ends in good order without its end.
    Short,
    /// Answers without end.
    Endless,
    /// Will not.
    Refuses,
    /// Answers with this status, and with `retry-after: 0`.
    Status(u16),
    /// Does what any text tells it.
    Obeys,
}

/// The server that is emulated.
#[derive(Debug, Clone)]
pub struct LlmConfig {
    /// Where to listen; port 0 takes a free one.
    pub listen: String,
    /// What callers must bring as a bearer token; `None`: nothing.
    pub key: Option<String>,
    /// The tokens that it counts for each question and each answer; `None`: a token for four characters.
    pub counts: Option<(u32, u32)>,
}

impl Default for LlmConfig {
    fn default() -> Self {
        Self { listen: "127.0.0.1:0".to_owned(), key: None, counts: None }
    }
}

/// A question that it was asked.
#[derive(Debug, Clone)]
pub struct Asked {
    /// The path.
    pub path: &'static str,
    /// What was sent.
    pub body: Value,
    /// Whether the key was right.
    pub authorized: bool,
}

impl Asked {
    /// The texts of its turns, one a line.
    #[must_use]
    pub fn text(&self) -> String {
        let turns = self.body.get("messages").and_then(Value::as_array).into_iter().flatten();
        turns.filter_map(|turn| turn.get("content")?.as_str()).collect::<Vec<_>>().join("\n")
    }
}

/// An emulated server. A cheap handle; it ends with the runtime.
#[derive(Debug, Clone)]
pub struct Llm(Arc<State>);

#[derive(Debug)]
struct State {
    config: LlmConfig,
    address: String,
    mode: Mutex<Mode>,
    next: Mutex<VecDeque<Mode>>,
    asked: Mutex<Vec<Asked>>,
    under_way: AtomicUsize,
    most: AtomicUsize,
}

impl Llm {
    /// Starts one.
    ///
    /// # Errors
    /// The port cannot be opened.
    pub async fn start(config: LlmConfig) -> io::Result<Self> {
        let listener = TcpListener::bind(&config.listen).await?;
        let state = Arc::new(State {
            config,
            address: listener.local_addr()?.to_string(),
            mode: Mutex::new(Mode::Says("Yes.".to_owned())),
            next: Mutex::default(),
            asked: Mutex::default(),
            under_way: AtomicUsize::new(0),
            most: AtomicUsize::new(0),
        });
        let routes = Router::new()
            .route("/v1/chat/completions", post(chat))
            .route("/v1/embeddings", post(embed))
            .with_state(Arc::clone(&state));
        desk::serve(listener, routes);
        Ok(Self(state))
    }

    /// `host:port`
    #[must_use]
    pub fn address(&self) -> &str {
        &self.0.address
    }

    /// What its paths follow.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}/v1", self.0.address)
    }

    /// What it does from now on.
    pub fn set(&self, mode: Mode) {
        *self.0.mode.lock() = mode;
    }

    /// What it does with the next questions, one after the other.
    pub fn then(&self, modes: impl IntoIterator<Item = Mode>) {
        self.0.next.lock().extend(modes);
    }

    /// Everything that it was asked, in order.
    #[must_use]
    pub fn asked(&self) -> Vec<Asked> {
        self.0.asked.lock().clone()
    }

    /// How many questions were under way at the same moment, at most.
    #[must_use]
    pub fn most(&self) -> usize {
        self.0.most.load(Ordering::SeqCst)
    }
}

/// Counts a question while it is under way.
struct UnderWay(Arc<State>);

impl UnderWay {
    fn new(state: &Arc<State>) -> Self {
        let now = state.under_way.fetch_add(1, Ordering::SeqCst) + 1;
        state.most.fetch_max(now, Ordering::SeqCst);
        Self(Arc::clone(state))
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        self.0.under_way.fetch_sub(1, Ordering::SeqCst);
    }
}

impl State {
    /// Notes a question; says whether its key was right.
    fn note(&self, path: &'static str, headers: &HeaderMap, body: &Value) -> bool {
        let given = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok()).unwrap_or_default();
        let authorized = self.config.key.as_ref().is_none_or(|key| given.strip_prefix("Bearer ") == Some(key));
        self.asked.lock().push(Asked { path, body: body.clone(), authorized });
        authorized
    }

    fn usage(&self, question: &str, answer: &str) -> Value {
        let count = |text: &str| u32::try_from(text.chars().count().div_ceil(4)).unwrap_or(u32::MAX);
        let (input, output) = self.config.counts.unwrap_or_else(|| (count(question), count(answer)));
        json!({ "prompt_tokens": input, "completion_tokens": output, "total_tokens": input.saturating_add(output) })
    }
}

fn error(status: u16) -> Response {
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    (status, [(header::RETRY_AFTER, "0")], Json(json!({ "error": { "message": "as it was told to" } }))).into_response()
}

async fn chat(Shared(state): Shared<Arc<State>>, headers: HeaderMap, Json(body): Json<Value>) -> Response {
    let _under_way = UnderWay::new(&state);
    if !state.note("/v1/chat/completions", &headers, &body) {
        return error(401);
    }
    let mode = state.next.lock().pop_front().unwrap_or_else(|| state.mode.lock().clone());
    let question = body.get("messages").map(Value::to_string).unwrap_or_default();
    let stream = |text: &str, message: Value, finish: &str| events(&pieces(text, message, finish, &state.usage(&question, text)));
    match mode {
        Mode::Says(text) => stream(&text, json!({}), "stop"),
        Mode::Slow(wait, text) => {
            tokio::time::sleep(wait).await;
            stream(&text, json!({}), "stop")
        }
        Mode::Whole(text) => {
            let usage = state.usage(&question, &text);
            let choice = json!({ "index": 0, "message": { "role": "assistant", "content": text }, "finish_reason": "stop" });
            Json(json!({ "object": "chat.completion", "choices": [choice], "usage": usage })).into_response()
        }
        Mode::Garbage => (StatusCode::OK, "<html><body>Please sign in</body></html>").into_response(),
        Mode::Breaks => {
            let first = Ok(Bytes::from(events_text(&begun("Half of an"))));
            body_of(stream::iter([first, Err(io::Error::other("as it was told to"))]))
        }
        Mode::Short => events(&begun("Half of an")),
        Mode::Endless => {
            let piece = Bytes::from(events_text(&begun(&"more ".repeat(800))));
            body_of(stream::repeat_with(move || Ok::<_, io::Error>(piece.clone())))
        }
        Mode::Refuses => stream("", json!({ "refusal": "I will not" }), "stop"),
        Mode::Status(status) => error(status),
        Mode::Obeys => {
            let order = order(&question_text(&body));
            match serde_json::from_str::<Value>(&order).ok().and_then(|order| order.get("tool_calls").cloned()) {
                Some(calls) => stream("", json!({ "tool_calls": calls }), "tool_calls"),
                None => stream(&order, json!({}), "stop"),
            }
        }
    }
}

fn question_text(body: &Value) -> String {
    Asked { path: "", body: body.clone(), authorized: true }.text()
}

/// What the last text between « and » wants.
fn order(text: &str) -> String {
    let wanted = text.rsplit_once('«').and_then(|(_, after)| after.split_once('»')).map(|(wanted, _)| wanted.trim());
    wanted.filter(|wanted| !wanted.is_empty()).unwrap_or("I do as I am told.").to_owned()
}

/// The pieces of an answer, its end and its count among them.
fn pieces(text: &str, message: Value, finish: &str, usage: &Value) -> Vec<String> {
    let piece = |delta: Value, finish: Option<&str>| {
        json!({ "object": "chat.completion.chunk", "choices": [{ "index": 0, "delta": delta, "finish_reason": finish }] })
            .to_string()
    };
    let middle = text.char_indices().nth(text.chars().count() / 2).map_or(0, |(at, _)| at);
    let (first, second) = text.split_at(middle);
    vec![
        piece(json!({ "role": "assistant", "content": first }), None),
        piece(json!({ "content": second }), None),
        piece(message, Some(finish)),
        json!({ "object": "chat.completion.chunk", "choices": [], "usage": usage }).to_string(),
        "[DONE]".to_owned(),
    ]
}

/// The first of them.
fn begun(text: &str) -> Vec<String> {
    pieces(text, json!({}), "stop", &Value::Null).into_iter().take(1).collect()
}

fn events(pieces: &[String]) -> Response {
    ([(header::CONTENT_TYPE, "text/event-stream")], events_text(pieces)).into_response()
}

fn events_text(pieces: &[String]) -> String {
    pieces.iter().map(|piece| format!("data: {piece}\n\n")).collect()
}

fn body_of(stream: impl futures::Stream<Item = io::Result<Bytes>> + Send + 'static) -> Response {
    ([(header::CONTENT_TYPE, "text/event-stream")], Body::from_stream(stream)).into_response()
}

async fn embed(Shared(state): Shared<Arc<State>>, headers: HeaderMap, Json(body): Json<Value>) -> Response {
    let _under_way = UnderWay::new(&state);
    if !state.note("/v1/embeddings", &headers, &body) {
        return error(401);
    }
    let texts: Vec<String> = serde_json::from_value(body.get("input").cloned().unwrap_or_default()).unwrap_or_default();
    let vector = |text: &String| json!([text.chars().count(), text.split_whitespace().count()]);
    let data: Vec<Value> = texts.iter().enumerate().map(|(n, text)| json!({ "index": n, "embedding": vector(text) })).collect();
    Json(json!({ "data": data, "usage": state.usage(&texts.join(" "), "") })).into_response()
}
