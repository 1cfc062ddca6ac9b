//! The Telegram Bot API in small: `POST /bot<TOKEN>/<method>` does what the real one does, and updates go out to the address
//! of `setWebhook`, with its secret in a header.
//!
//! As with the real one: the token stands in the path, message ids count within a chat (two chats have a message 1 each),
//! updates that find no webhook wait for one, and there is neither an echo of our messages nor a status of them.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use parking_lot::Mutex;
use serde_json::{Map, Value, json};

use crate::control::Emulated;
use crate::desk::{self, Desk};
use crate::hook::{Subscription, Undelivered};

mod account;
mod api;
mod body;
mod entities;
mod markup;
mod messages;
mod send;
mod updates;

#[cfg(test)]
pub(crate) use entities::parse as parse_marks;
pub use updates::Share;

/// The bot that is emulated.
#[derive(Debug, Clone)]
pub struct TelegramConfig {
    /// Where to listen; port 0 takes a free one.
    pub listen: String,
    /// What callers must put into the path.
    pub bot_token: String,
    /// What the header of webhooks says until `setWebhook` tells another.
    pub webhook_secret: Option<String>,
    /// The bot's own id.
    pub bot_id: i64,
    /// The bot's name, as contacts see it.
    pub bot_name: String,
    /// The bot's user name, without @.
    pub bot_username: String,
    /// How long an answer takes.
    pub delay: Duration,
    /// A webhook that found nobody, or was refused, is sent again after this long, and holds those behind it: for a day, or
    /// ten times. Without it, every webhook is tried once.
    pub retry_every: Option<Duration>,
}

impl Default for TelegramConfig {
    fn default() -> Self {
        Self {
            listen: "127.0.0.1:0".to_owned(),
            bot_token: "110201543:emulated-bot-token".to_owned(),
            webhook_secret: None,
            bot_id: 110_201_543,
            bot_name: "Emulated bakery".to_owned(),
            bot_username: "emulated_bakery_bot".to_owned(),
            delay: Duration::ZERO,
            retry_every: None,
        }
    }
}

/// A call that the emulator received.
#[derive(Debug, Clone)]
pub struct Call {
    /// The method, as the caller wrote it.
    pub method: String,
    /// The parameters, as one object, however they came.
    pub body: Value,
    /// What it was answered; 0 when the line was cut.
    pub status: u16,
    /// The message that it made.
    pub id: Option<i64>,
    /// The chat that it was about.
    pub chat: Option<String>,
    /// Whether the token was right.
    pub authorized: bool,
    /// When it was decided, in milliseconds from the emulator's start.
    pub at_ms: u64,
}

impl Call {
    /// What it says, for a text or a file with a caption.
    #[must_use]
    pub fn text(&self) -> Option<&str> {
        self.body.get("text").or_else(|| self.body.get("caption")).and_then(Value::as_str)
    }

    /// To whom.
    #[must_use]
    pub fn to(&self) -> Option<&str> {
        self.chat.as_deref()
    }
}

/// An emulated bot. A cheap handle; the server ends with the runtime.
#[derive(Debug, Clone)]
pub struct Telegram(Arc<State>);

#[derive(Debug)]
struct State {
    config: TelegramConfig,
    desk: Desk,
    bot: Mutex<Bot>,
}

/// What the provider knows of the bot.
#[derive(Debug, Default)]
struct Bot {
    /// Messages of both sides, as the API tells them, by chat and id.
    messages: BTreeMap<(i64, i64), Value>,
    /// The last message id, by chat.
    last_message: BTreeMap<i64, i64>,
    /// Contacts who started the bot.
    started: BTreeSet<i64>,
    blocked: BTreeSet<i64>,
    /// The emoji that a contact put under a message.
    reactions: BTreeMap<(i64, i64), String>,
    last_update: i64,
    secret: Option<String>,
    allowed: Option<Vec<String>>,
    max_connections: i64,
    /// Presses of buttons, and whether they were answered.
    queries: BTreeMap<String, bool>,
    files: BTreeMap<String, File>,
    commands: Vec<Value>,
    calls: Vec<Call>,
}

/// A file that the provider has.
#[derive(Debug, Clone)]
struct File {
    /// As it stands in the download's address.
    path: String,
    mime: String,
    bytes: Bytes,
}

impl Bot {
    fn next_message(&mut self, chat: i64) -> i64 {
        let last = self.last_message.entry(chat).or_default();
        *last += 1;
        *last
    }

    /// Keeps a file; gives its id.
    fn keep(&mut self, folder: &str, name: &str, mime: &str, bytes: Bytes) -> String {
        let number = self.files.len() + 1;
        let ending = name.rsplit_once('.').map_or_else(String::new, |(_, ending)| format!(".{ending}"));
        let id = format!("AgACAgIAAxk{number:06}");
        self.files.insert(id.clone(), File { path: format!("{folder}/file_{number}{ending}"), mime: mime.to_owned(), bytes });
        id
    }
}

desk::shared!(Telegram);

impl Telegram {
    /// Starts the server.
    pub async fn start(config: TelegramConfig) -> std::io::Result<Self> {
        let (desk, listener) = Desk::open(&config.listen, config.delay, config.retry_every, true).await?;
        let bot = Bot { secret: config.webhook_secret.clone(), last_update: 141_921_600, max_connections: 40, ..Bot::default() };
        let emulator = Self(Arc::new(State { config, desk, bot: Mutex::new(bot) }));
        let router = api::router(emulator.clone()).merge(crate::control::router(emulator.clone()));
        desk::serve(listener, router);
        Ok(emulator)
    }

    /// The bot.
    #[must_use]
    pub fn config(&self) -> &TelegramConfig {
        &self.0.config
    }

    /// Every call so far, refused ones included.
    #[must_use]
    pub fn calls(&self) -> Vec<Call> {
        self.0.bot.lock().calls.clone()
    }

    /// Every call that made a message.
    #[must_use]
    pub fn taken(&self) -> Vec<Call> {
        self.0.bot.lock().calls.iter().filter(|call| call.id.is_some()).cloned().collect()
    }

    /// What was said to one contact, in order, as it was first said.
    #[must_use]
    pub fn said_to(&self, contact: &str) -> Vec<String> {
        self.taken().iter().filter(|c| c.to() == Some(contact)).filter_map(|c| c.text().map(str::to_owned)).collect()
    }

    /// Whether and where webhooks go.
    #[must_use]
    pub fn subscription(&self) -> Subscription {
        let allowed = self.0.bot.lock().allowed.clone();
        self.0.desk.hooks.subscription(allowed)
    }

    /// The commands that the bot offers.
    #[must_use]
    pub fn commands(&self) -> Vec<Value> {
        self.0.bot.lock().commands.clone()
    }

    /// Whether the press of a button was answered; until then the contact sees it waiting.
    #[must_use]
    pub fn answered(&self, callback_query_id: &str) -> bool {
        self.0.bot.lock().queries.get(callback_query_id) == Some(&true)
    }

    /// The bot, as a user of the API.
    fn bot_user(&self) -> Value {
        let config = &self.0.config;
        json!({ "id": config.bot_id, "is_bot": true, "first_name": config.bot_name, "username": config.bot_username })
    }

    /// A contact's private chat.
    fn chat(&self, chat: i64) -> Value {
        let mut told = Map::from_iter([("id".to_owned(), json!(chat))]);
        told.extend(self.names(chat));
        told.insert("type".to_owned(), json!("private"));
        Value::Object(told)
    }

    /// A contact, as a user of the API.
    fn user(&self, chat: i64) -> Value {
        let mut told = Map::from_iter([("id".to_owned(), json!(chat)), ("is_bot".to_owned(), json!(false))]);
        told.extend(self.names(chat));
        told.insert("language_code".to_owned(), json!("en"));
        Value::Object(told)
    }

    fn names(&self, chat: i64) -> Map<String, Value> {
        let name = self.0.desk.talk.lock().name(&chat.to_string()).unwrap_or_default();
        let (first, last) = name.split_once(' ').map_or((name.as_str(), None), |(first, last)| (first, Some(last)));
        let mut names = Map::from_iter([("first_name".to_owned(), json!(first))]);
        names.extend(last.map(|last| ("last_name".to_owned(), json!(last))));
        names
    }
}

impl Emulated for Telegram {
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
        let told = |call: &Call| {
            let mut body = call.body.clone();
            if let Some(secret) = body.get_mut("secret_token") {
                *secret = json!("(hidden)");
            }
            json!({
                "method": call.method, "body": body, "status": call.status, "id": call.id, "chat": call.chat,
                "authorized": call.authorized, "at_ms": call.at_ms,
            })
        };
        self.0.bot.lock().calls.iter().map(told).collect()
    }
}
