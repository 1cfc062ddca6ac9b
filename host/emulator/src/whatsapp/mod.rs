//! The WhatsApp Cloud API in small: `POST /v<N>/{phone-number-id}/messages` takes messages as the Graph API does, and signed
//! webhooks go out to the configured address.
//!
//! Where they go: to the address of the app's dashboard ([`Whatsapp::register`]) while the business account is subscribed
//! (`POST /v<N>/{waba}/subscribed_apps`), or where a test says, subscribed or not ([`Whatsapp::set_hook`]).

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use parking_lot::Mutex;
use serde_json::{Value, json};

use crate::control::Emulated;
use crate::desk::{self, Desk};
use crate::hook::{Parcel, Subscription, Undelivered};
use crate::log::Log;
use crate::talk::{By, Line};

mod content;
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
    /// The business's name, as contacts see it.
    pub verified_name: String,
    /// Our number, as people read it: digits only.
    pub display_phone_number: String,
    /// Statuses that follow every message that was taken, in this order: `sent`, `delivered`, `read`.
    pub statuses: Vec<&'static str>,
    /// How long an answer takes.
    pub delay: Duration,
    /// A webhook that found nobody, or was refused, is sent again after this long: for a day, or ten times. Without it,
    /// every webhook is tried once.
    pub retry_every: Option<Duration>,
    /// How long each status takes to follow.
    pub status_after: Duration,
    /// Where the provider keeps a log of its own of what it received, took and answered: a file of JSON lines, synced before
    /// an answer leaves.
    pub log: Option<PathBuf>,
}

impl Default for WhatsappConfig {
    fn default() -> Self {
        Self {
            listen: "127.0.0.1:0".to_owned(),
            app_secret: "emulated-app-secret".to_owned(),
            token: "emulated-token".to_owned(),
            phone_number_id: "106540352242922".to_owned(),
            waba_id: "102290129340398".to_owned(),
            verified_name: "Emulated bakery".to_owned(),
            display_phone_number: "15550783881".to_owned(),
            statuses: Vec::new(),
            delay: Duration::ZERO,
            retry_every: None,
            status_after: Duration::from_millis(120),
            log: None,
        }
    }
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
    desk: Desk,
    sent: Mutex<Vec<Sent>>,
    subscribed: Mutex<Vec<String>>,
    counter: AtomicU64,
    log: Option<Log>,
}

desk::shared!(Whatsapp);

impl Whatsapp {
    /// Starts the server.
    pub async fn start(config: WhatsappConfig) -> std::io::Result<Self> {
        let (desk, listener) = Desk::open(&config.listen, config.delay, config.retry_every, false).await?;
        let log = config.log.as_deref().map(Log::open).transpose()?;
        let (sent, subscribed) = (Mutex::default(), Mutex::default());
        let emulator = Self(Arc::new(State { config, desk, sent, subscribed, counter: AtomicU64::new(1), log }));
        let router = graph::router(emulator.clone()).merge(crate::control::router(emulator.clone()));
        desk::serve(listener, router);
        Ok(emulator)
    }

    /// The account.
    #[must_use]
    pub fn config(&self) -> &WhatsappConfig {
        &self.0.config
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

    /// How many messages were taken.
    #[must_use]
    pub fn count_taken(&self) -> usize {
        self.0.sent.lock().iter().filter(|s| s.id.is_some()).count()
    }

    /// What was said to one contact, in order.
    #[must_use]
    pub fn said_to(&self, contact: &str) -> Vec<String> {
        self.taken().iter().filter(|s| s.to() == Some(contact)).filter_map(|s| s.text().map(str::to_owned)).collect()
    }

    /// The business accounts that subscribed to webhooks.
    #[must_use]
    pub fn subscribed(&self) -> Vec<String> {
        self.0.subscribed.lock().clone()
    }

    /// Whether and where webhooks go.
    #[must_use]
    pub fn subscription(&self) -> Subscription {
        self.0.desk.hooks.subscription(None)
    }

    /// What an operator does in the app's dashboard: the address must answer a challenge; then webhooks go there while the
    /// business account is subscribed.
    pub async fn register(&self, url: &str, verify_token: &str) -> Result<(), Undelivered> {
        let challenge = format!("{}{:06}", self.0.desk.port(), self.0.counter.fetch_add(1, Ordering::Relaxed));
        webhook::challenge(url, verify_token, &challenge).await?;
        self.0.desk.hooks.set_callback(url.to_owned());
        Ok(())
    }

    /// A contact writes. Returns the message's id and the host's HTTP status, or [`crate::HELD`].
    pub async fn say(&self, from: &str, name: &str, text: &str) -> Result<(String, u16), Undelivered> {
        let id = self.next_id("in");
        let name = {
            let mut talk = self.0.desk.talk.lock();
            talk.add(Line::new(By::Contact, from, "text", text, &id));
            talk.meet(from, name)
        };
        let body = webhook::text(&self.0.config, &id, from, &name, text);
        Ok((id, self.deliver(Bytes::from(body), None).await?))
    }

    /// A contact presses a button of one of our messages, or chooses a row of its list.
    pub async fn press(&self, from: &str, message: &str, payload: &str) -> Result<(String, u16), Undelivered> {
        let id = self.next_id("in");
        let (pressed, name) = {
            let mut talk = self.0.desk.talk.lock();
            let line = talk.find(from, message).filter(|line| line.by == By::Business);
            let line = line.ok_or_else(|| Undelivered::Unknown(format!("no message {message} of ours to {from}")))?;
            let button = line.buttons.iter().find(|b| b.url.is_none() && b.payload == payload).cloned();
            let button = button.ok_or_else(|| Undelivered::Unknown(format!("message {message} has no such button")))?;
            let sent = self.0.sent.lock().iter().find(|s| s.id.as_deref() == Some(message)).map(|s| s.body.clone());
            let mut line = Line::new(By::Contact, from, "press", &button.title, &id);
            line.reply_to = Some(message.to_owned());
            talk.add(line);
            (content::pressed(&sent.unwrap_or_default(), &button), talk.name(from).unwrap_or_default())
        };
        let body = webhook::interactive(&self.0.config, &id, from, &name, message, &pressed);
        Ok((id, self.deliver(Bytes::from(body), None).await?))
    }

    /// The body of a text message's webhook, unsent: for delivering it more than once, or changed.
    #[must_use]
    pub fn message(&self, id: &str, from: &str, name: &str, text: &str) -> Vec<u8> {
        webhook::text(&self.0.config, id, from, name, text)
    }

    /// Delivers a body, signed rightly unless another signature is given; such a one leaves at once and once. Returns the
    /// host's HTTP status, or [`crate::HELD`].
    pub async fn deliver(&self, body: Bytes, signature: Option<&str>) -> Result<u16, Undelivered> {
        self.hand_over(String::new(), body, signature).await
    }

    async fn hand_over(&self, lane: String, body: Bytes, signature: Option<&str>) -> Result<u16, Undelivered> {
        let right = || webhook::sign(&self.0.config.app_secret, &body);
        let headers = vec![
            ("user-agent", "facebookexternalua".to_owned()),
            ("x-hub-signature-256", signature.map_or_else(right, str::to_owned)),
        ];
        let parcel = Parcel { lane, headers, body };
        match signature {
            None => self.0.desk.hooks.send(parcel).await,
            Some(_) => self.0.desk.hooks.send_raw(parcel).await,
        }
    }

    fn next_id(&self, kind: &str) -> String {
        format!("wamid.{kind}.{}.{}", self.0.desk.port(), self.0.counter.fetch_add(1, Ordering::Relaxed))
    }

    /// Sends a status of one of our messages, as the provider would.
    pub async fn status(&self, id: &str, to: &str, status: &str, key: Option<&str>) -> Result<u16, Undelivered> {
        self.0.desk.talk.lock().change(to, id, |line| line.status = Some(status.to_owned()));
        let body = webhook::status(&self.0.config, id, to, status, key);
        self.hand_over(format!("statuses of {to}"), Bytes::from(body), None).await
    }
}

impl Emulated for Whatsapp {
    fn desk(&self) -> &Desk {
        &self.0.desk
    }

    async fn say(&self, from: &str, name: &str, text: &str) -> Result<(String, u16), Undelivered> {
        Self::say(self, from, name, text).await
    }

    async fn press(&self, from: &str, message: &str, payload: &str) -> Result<(String, u16), Undelivered> {
        Self::press(self, from, message, payload).await
    }

    fn subscription(&self) -> Subscription {
        Self::subscription(self)
    }

    fn record(&self) -> Vec<Value> {
        let told = |sent: &Sent| {
            json!({
                "body": sent.body, "key": sent.key, "id": sent.id, "authorized": sent.authorized, "at_ms": sent.at_ms,
            })
        };
        self.0.sent.lock().iter().map(told).collect()
    }
}
