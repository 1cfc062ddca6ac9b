//! The WhatsApp Cloud API in small: `POST /v<N>/{phone-number-id}/messages` takes messages as the Graph API does, and signed
//! webhooks go out to the configured address.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use parking_lot::Mutex;
use serde_json::Value;
use tokio::net::TcpListener;

mod graph;
mod webhook;

/// The account that is emulated.
#[derive(Debug, Clone)]
pub struct WhatsappConfig {
    /// Where to listen; port 0 takes a free one.
    pub listen: String,
    /// Signs webhooks.
    pub app_secret: String,
    /// What callers must send as bearer.
    pub token: String,
    /// Our number, as an id.
    pub phone_number_id: String,
    /// The business account.
    pub waba_id: String,
    /// Statuses that follow every message that was taken, in this order: `sent`, `delivered`, `read`.
    pub statuses: Vec<&'static str>,
    /// How long an answer takes.
    pub delay: Duration,
}

impl Default for WhatsappConfig {
    fn default() -> Self {
        Self {
            listen: "127.0.0.1:0".to_owned(),
            app_secret: "emulated-app-secret".to_owned(),
            token: "emulated-token".to_owned(),
            phone_number_id: "106540352242922".to_owned(),
            waba_id: "102290129340398".to_owned(),
            statuses: Vec::new(),
            delay: Duration::ZERO,
        }
    }
}

/// What goes wrong with the next call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fault {
    /// Answered with this status and a Graph error of this code; nothing is taken.
    Status {
        /// HTTP status.
        status: u16,
        /// Graph error code.
        code: u32,
        /// Seconds, as the header says.
        retry_after: Option<u32>,
    },
    /// The answer comes only after this long; the message is taken at the end.
    Hang(Duration),
    /// The message is taken at once and statuses follow, but the answer comes only after this long.
    AnswerLate(Duration),
    /// The message is taken, then the line is cut without an answer. Statuses follow.
    CutAfterDelivery,
    /// The line is cut before anything is taken.
    CutBeforeDelivery,
    /// The secret comes back in the answer's body and headers.
    Echo,
}

/// A call that the emulator received.
#[derive(Debug, Clone)]
pub struct Sent {
    /// The body.
    pub body: Value,
    /// `biz_opaque_callback_data`.
    pub key: Option<String>,
    /// The provider's id for it; absent when it was not taken.
    pub id: Option<String>,
    /// Whether the bearer was right.
    pub authorized: bool,
    /// When, counted in milliseconds from the emulator's start.
    pub at_ms: u64,
}

impl Sent {
    /// What it says, for a text.
    #[must_use]
    pub fn text(&self) -> Option<&str> {
        self.body.pointer("/text/body").and_then(Value::as_str)
    }

    /// To whom.
    #[must_use]
    pub fn to(&self) -> Option<&str> {
        self.body.get("to").and_then(Value::as_str)
    }
}

/// An emulated account. A cheap handle; the server ends with the runtime.
#[derive(Debug, Clone)]
pub struct Whatsapp(Arc<State>);

#[derive(Debug)]
struct State {
    config: WhatsappConfig,
    url: String,
    hook: Mutex<Option<String>>,
    sent: Mutex<Vec<Sent>>,
    faults: Mutex<VecDeque<Fault>>,
    delay: Mutex<Duration>,
    subscribed: Mutex<Vec<String>>,
    counter: AtomicU64,
    began: std::time::Instant,
}

impl Whatsapp {
    /// Starts the server.
    #[expect(clippy::disallowed_methods, reason = "an emulated provider keeps its own time")]
    pub async fn start(config: WhatsappConfig) -> std::io::Result<Self> {
        let listener = TcpListener::bind(&config.listen).await?;
        let url = format!("http://{}", listener.local_addr()?);
        let emulator = Self(Arc::new(State {
            delay: Mutex::new(config.delay),
            config,
            url,
            hook: Mutex::default(),
            sent: Mutex::default(),
            faults: Mutex::default(),
            subscribed: Mutex::default(),
            counter: AtomicU64::new(1),
            began: std::time::Instant::now(),
        }));
        let router = graph::router(emulator.clone()).merge(crate::control::router(emulator.clone()));
        tokio::spawn(async move {
            if let Err(error) = axum::serve(listener, router).await {
                tracing::error!(%error, "the emulated provider ended");
            }
        });
        Ok(emulator)
    }

    /// Its address, `http://127.0.0.1:PORT`.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.0.url
    }

    /// `127.0.0.1:PORT`, as `[egress] allow_private` wants it.
    #[must_use]
    pub fn address(&self) -> &str {
        self.0.url.trim_start_matches("http://")
    }

    /// The account.
    #[must_use]
    pub fn config(&self) -> &WhatsappConfig {
        &self.0.config
    }

    /// Where webhooks go.
    pub fn set_hook(&self, url: impl Into<String>) {
        *self.0.hook.lock() = Some(url.into());
    }

    /// What goes wrong with the next calls, one each.
    pub fn fail(&self, faults: impl IntoIterator<Item = Fault>) {
        self.0.faults.lock().extend(faults);
    }

    /// How long answers take from now on.
    pub fn set_delay(&self, delay: Duration) {
        *self.0.delay.lock() = delay;
    }

    /// Every call so far, refused ones included.
    #[must_use]
    pub fn calls(&self) -> Vec<Sent> {
        self.0.sent.lock().clone()
    }

    /// Every message that was taken.
    #[must_use]
    pub fn taken(&self) -> Vec<Sent> {
        self.0.sent.lock().iter().filter(|s| s.id.is_some()).cloned().collect()
    }

    /// What was said to one contact, in order.
    #[must_use]
    pub fn said_to(&self, contact: &str) -> Vec<String> {
        self.taken().iter().filter(|s| s.to() == Some(contact)).filter_map(|s| s.text().map(str::to_owned)).collect()
    }

    /// The accounts that subscribed to webhooks.
    #[must_use]
    pub fn subscribed(&self) -> Vec<String> {
        self.0.subscribed.lock().clone()
    }

    /// A contact writes. Returns the message's id and the host's HTTP status.
    pub async fn say(&self, from: &str, name: &str, text: &str) -> std::io::Result<(String, u16)> {
        let id = self.next_id("in");
        let body = webhook::text(&self.0.config, &id, from, name, text);
        let status = self.deliver(Bytes::from(body), None).await?;
        Ok((id, status))
    }

    /// The body of a text message's webhook, unsent: for delivering it more than once, or changed.
    #[must_use]
    pub fn message(&self, id: &str, from: &str, name: &str, text: &str) -> Vec<u8> {
        webhook::text(&self.0.config, id, from, name, text)
    }

    /// Delivers a body, signed rightly unless another signature is given. Returns the host's HTTP status.
    pub async fn deliver(&self, body: Bytes, signature: Option<&str>) -> std::io::Result<u16> {
        let Some(hook) = self.0.hook.lock().clone() else { return Err(std::io::Error::other("no webhook address is set")) };
        let signature = signature.map_or_else(|| webhook::sign(&self.0.config.app_secret, &body), str::to_owned);
        webhook::post(&hook, body, &signature).await
    }

    fn next_id(&self, kind: &str) -> String {
        let n = self.0.counter.fetch_add(1, Ordering::Relaxed);
        format!("wamid.{kind}.{}.{n}", self.0.url.rsplit(':').next().unwrap_or("0"))
    }

    /// Sends a status of one of our messages, as the provider would.
    pub async fn status(&self, id: &str, to: &str, status: &str, key: Option<&str>) -> std::io::Result<u16> {
        let body = webhook::status(&self.0.config, id, to, status, key);
        self.deliver(Bytes::from(body), None).await
    }
}
