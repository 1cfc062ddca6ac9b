//! What the two routers need from the house behind them. `app` implements it over the engine; tests with a few lines.

use async_trait::async_trait;
use bytes::Bytes;
use pointsman_core::ports::Method;
use serde_json::Value;

/// A request to a channel's hook, as it came: nothing is verified yet.
#[derive(Debug, Clone)]
pub struct Incoming {
    /// What stands in the address after `/hooks/`.
    pub channel: String,
    /// Its method.
    pub method: Method,
    /// What follows the channel in the path, without a leading slash; mostly empty.
    pub path: String,
    /// The raw query, without the question mark.
    pub query: String,
    /// Names in lower case, in order; values that are no text are left out.
    pub headers: Vec<(String, String)>,
    /// The raw bytes.
    pub body: Bytes,
}

/// What goes back to the provider.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answered {
    /// HTTP status.
    pub status: u16,
    /// Headers.
    pub headers: Vec<(String, String)>,
    /// Body.
    pub body: Vec<u8>,
}

impl Answered {
    /// A status and nothing else.
    #[must_use]
    pub fn status(status: u16) -> Self {
        Self { status, headers: Vec::new(), body: Vec::new() }
    }
}

/// Why a question to the house has no answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Trouble {
    /// There is no such thing: 404.
    Missing(String),
    /// The question makes no sense: 400. Code and sentence.
    Invalid(String, String),
    /// The house cannot answer now: 503. The text is for the log, not for the asker.
    Unavailable(String),
}

/// What can be looked at. The answers are JSON in the shapes that `/api/v1` shows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Question {
    /// The newest runs: id, workflow, state, event, began, reason.
    Runs {
        /// Of one conversation only.
        conversation: Option<String>,
        /// At most so many.
        limit: u32,
    },
    /// One run with its steps: path, verb or plugin, input hash, output, effects, error, time.
    Run(String),
    /// The newest conversations: id, channel, contact's name, last message's time.
    Conversations {
        /// At most so many.
        limit: u32,
    },
    /// What was said in a conversation, oldest first: by, at, text, and for ours the state of the send.
    Messages {
        /// The conversation.
        conversation: String,
        /// At most so many.
        limit: u32,
    },
    /// What contacts felt, newest week first: week, channel, topic, positive, neutral, negative.
    Trends {
        /// So many weeks, this one among them.
        weeks: u32,
    },
    /// The spend ledger: what was spent, is reserved, is left and was refused against each cap, by model, the newest calls, older months.
    Spend {
        /// At most so many calls, and so many sums of workflows and of contacts.
        limit: u32,
    },
    /// The books.
    Books,
    /// What is parked.
    Parked,
    /// The channels: id, plugin, name, hook URL, state. No credentials.
    Channels,
    /// The active workflows: name, hash, description.
    Workflows,
}

/// The house.
#[async_trait]
pub trait House: Send + Sync + 'static {
    /// A request of a provider, from the raw bytes to the answer.
    async fn receive(&self, incoming: Incoming) -> Answered;
    /// How large a body the channel may send; the default for channels that do not exist, so that nobody can tell them apart.
    fn body_limit(&self, channel: &str) -> usize;
    /// Whether the host can take webhooks: the store answers, the channels are loaded.
    async fn ready(&self) -> Result<(), String>;
    /// Answers a question about what is kept.
    async fn ask(&self, question: Question) -> Result<Value, Trouble>;
}
