//! What comes in: a webhook, its events, and how both stand.

use std::sync::Arc;

use pointsman_core::clock::Instant;
use pointsman_core::event::Event;
use pointsman_core::failure::Failure;
use pointsman_core::id::{Id, WorkspaceId};
use serde::{Deserialize, Serialize};

use crate::conversation::ConversationRef;

/// One verified webhook.
#[derive(Debug, Clone)]
pub struct Intake {
    /// The tenant.
    pub workspace: WorkspaceId,
    /// The channel it came to.
    pub channel: Id,
    /// When it came.
    pub at: Instant,
    /// Its raw body.
    pub raw: Vec<u8>,
    /// What the channel plugin made of it.
    pub parsed: Parsed,
}

/// What became of parsing.
#[derive(Debug, Clone)]
pub enum Parsed {
    /// Facts, in order. May be empty.
    Events(Vec<Event>),
    /// The plugin could not read it: kept, parked with the reason.
    Parked(Failure),
    /// The box was busy: kept, to be read later (see `Store::unread`).
    Unread,
}

/// What was kept.
#[derive(Debug, Clone, Default)]
pub struct Kept {
    /// Its id; `None` when every event was known already, and nothing was stored.
    pub webhook: Option<Id>,
    /// The events that are new, in order. Those that the plugin ignored are stored ended and are not listed here.
    pub events: Vec<KeptEvent>,
    /// How many were known.
    pub duplicates: u32,
}

/// An event on disk.
#[derive(Debug, Clone)]
pub struct KeptEvent {
    /// The tenant.
    pub workspace: WorkspaceId,
    /// Its id.
    pub id: Id,
    /// The webhook that held it.
    pub webhook: Id,
    /// The channel it came by.
    pub channel: Id,
    /// When it was kept.
    pub at: Instant,
    /// How it stands.
    pub state: EventState,
    /// The rule by which it ended.
    pub rule: Option<String>,
    /// Its conversation: whoever is named by thread or sender, on this channel. `None`: the event names nobody.
    pub conversation: Option<Arc<ConversationRef>>,
    /// The fact.
    pub event: Arc<Event>,
}

/// A webhook that waits to be parsed.
#[derive(Debug, Clone)]
pub struct UnreadWebhook {
    /// The tenant.
    pub workspace: WorkspaceId,
    /// Its id.
    pub id: Id,
    /// The channel it came to.
    pub channel: Id,
    /// When it came.
    pub at: Instant,
    /// Its raw body.
    pub raw: Vec<u8>,
}

/// How a webhook stands. The numbers are stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[repr(i16)]
pub enum WebhookState {
    /// Has open events.
    Kept = 0,
    /// Not parsed yet.
    Unread = 1,
    /// All its events ended.
    Done = 2,
    /// Dropped by a named rule.
    Ignored = 3,
    /// Could not be read; a reason says why.
    Parked = 4,
}

/// How an event stands. The numbers are stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[repr(i16)]
pub enum EventState {
    /// Kept, and nothing else.
    New = 0,
    /// Has runs that are not ended.
    Routed = 1,
    /// Ended by a named rule: `done`, `unwanted`, `receipt`, `ignored` ...
    Ended = 2,
    /// Ended badly: parked, by a named rule such as `run_failed`.
    Parked = 3,
}

impl EventState {
    pub(crate) fn from_stored(n: i64) -> Option<Self> {
        [Self::New, Self::Routed, Self::Ended, Self::Parked].into_iter().find(|s| *s as i64 == n)
    }
}

/// How an event ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EventEnd {
    /// The rule: `done`, `unwanted`, `receipt`, `echo`, `run_failed` ... A word of ours, stored in plain.
    pub rule: String,
    /// Whether it ended badly.
    pub parked: bool,
}

impl EventEnd {
    /// Ended well, by this rule.
    pub fn by(rule: impl Into<String>) -> Self {
        Self { rule: rule.into(), parked: false }
    }

    /// Ended badly, by this rule.
    pub fn parked(rule: impl Into<String>) -> Self {
        Self { rule: rule.into(), parked: true }
    }
}
