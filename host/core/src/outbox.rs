//! How a send lives and dies (SEMANTICS, section 3). Intent stands on disk before anything leaves, outcome after; a send
//! whose answer never came is `unknown` and is settled, never repeated blindly (invariant 5).

use serde::{Deserialize, Serialize};

use crate::clock::{Instant, Millis};
use crate::event::Delivery;
use crate::failure::{Failure, PluginFailure};
use crate::retry::Policy;

/// How a send stands. The numbers are stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[repr(i16)]
pub enum SendState {
    /// Wants to leave (perhaps not before a time).
    Ready = 0,
    /// Intent is on disk; it may be leaving right now.
    Sending = 1,
    /// The answer never came.
    Unknown = 2,
    /// The provider took it.
    Sent = 3,
    /// It reached the contact's device.
    Delivered = 4,
    /// The contact saw it.
    Read = 5,
    /// Cannot go on: parked with a reason.
    Parked = 6,
    /// Dropped by a named rule or a person.
    Dropped = 7,
}

impl SendState {
    /// From the stored number.
    #[must_use]
    pub fn from_stored(n: i64) -> Option<Self> {
        Some(match n {
            0 => Self::Ready,
            1 => Self::Sending,
            2 => Self::Unknown,
            3 => Self::Sent,
            4 => Self::Delivered,
            5 => Self::Read,
            6 => Self::Parked,
            7 => Self::Dropped,
            _ => return None,
        })
    }

    /// Whether it may have left, or is leaving.
    #[must_use]
    pub fn leaves(self) -> bool {
        matches!(self, Self::Sending | Self::Unknown | Self::Sent | Self::Delivered | Self::Read)
    }

    /// Whether the host still has to do something about it.
    #[must_use]
    pub fn open(self) -> bool {
        matches!(self, Self::Ready | Self::Sending | Self::Unknown)
    }
}

/// What a channel does with a send whose answer never came, once `settle_after` has passed without an echo.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OnUnknown {
    /// Send again with the same key, marked `possible_duplicate`.
    #[default]
    Retry,
    /// Park it and ask a person.
    Ask,
    /// Drop it.
    Skip,
}

/// How long a send that is being retried holds the later ones of its conversation.
pub const HOLD_AT_MOST: Millis = 120_000;

/// How a channel wants its sends treated.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Rules {
    /// When a send is tried again.
    pub retry: Policy,
    /// How long one whose answer never came waits for an echo of its key, in milliseconds.
    pub settle_after: Millis,
    /// What becomes of it then.
    pub on_unknown: OnUnknown,
    /// How fast sends leave once the provider has said "too many".
    pub pace: Pace,
}

impl Default for Rules {
    fn default() -> Self {
        Self { retry: Policy::default(), settle_after: 30_000, on_unknown: OnUnknown::default(), pace: Pace::default() }
    }
}

/// How fast a provider takes sends.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Pace {
    /// Sends a second from one account; above 0. Absent: it does not say.
    pub per_second: Option<f64>,
    /// Milliseconds between two sends to one person.
    pub per_peer: Option<Millis>,
}

/// How an attempt ended.
#[derive(Debug, Clone, PartialEq)]
pub enum Attempt {
    /// The provider took it, under these ids.
    Taken(Vec<String>),
    /// The provider, or the plugin, said no.
    Refused(PluginFailure),
    /// No answer came, and the request may have arrived.
    Lost(String),
    /// It certainly did not leave: a refused destination, a connection that never stood.
    NotSent(Failure),
}

impl Attempt {
    /// Whether the provider said "too many".
    #[must_use]
    pub fn too_fast(&self) -> bool {
        matches!(self, Self::Refused(failure) if failure.fault == crate::failure::Fault::RateLimited)
    }
}

/// What becomes of the send.
#[derive(Debug, Clone, PartialEq)]
pub enum Next {
    /// Taken: provider ids.
    Sent(Vec<String>),
    /// Again, not before this moment.
    Again {
        /// When.
        due: Instant,
        /// Why the last attempt did not do it.
        reason: Failure,
    },
    /// Wait for an echo until then, and see [`settle`].
    Unknown {
        /// Until when.
        due: Instant,
        /// What was seen.
        reason: Failure,
    },
    /// Parked.
    Parked(Failure),
}

/// Decides after an attempt. `attempt` counts from 1; `random` is in 0..1 and spreads the back-off.
#[must_use]
pub fn after_attempt(outcome: Attempt, attempt: u32, now: Instant, rules: &Rules, random: f64) -> Next {
    let failure = match outcome {
        Attempt::Taken(ids) => return Next::Sent(ids),
        Attempt::Lost(why) => {
            return Next::Unknown {
                due: now + rules.settle_after,
                reason: Failure::new(crate::failure::Class::Transient, "send.unknown", why),
            };
        }
        Attempt::Refused(f) if f.fault == crate::failure::Fault::Unknown => {
            return Next::Unknown { due: now + rules.settle_after, reason: f.into_failure() };
        }
        Attempt::Refused(f) => f.into_failure(),
        Attempt::NotSent(f) => f,
    };
    match rules.retry.next(&failure, attempt, now, random) {
        Some(due) => Next::Again { due, reason: failure },
        None => Next::Parked(failure),
    }
}

/// Decides about an `unknown` send whose time to settle is over.
#[must_use]
pub fn settle(rule: OnUnknown, now: Instant) -> Next {
    let unknown = |cure: &str| {
        Failure::new(
            crate::failure::Class::Permanent,
            "send.unknown",
            format!("the answer never came and no echo settled it; {cure}"),
        )
    };
    match rule {
        OnUnknown::Retry => Next::Again { due: now, reason: unknown("it is sent again, marked possible_duplicate") },
        OnUnknown::Ask => Next::Parked(unknown("look with the provider, then retry or drop it")),
        OnUnknown::Skip => Next::Parked(unknown("the channel's on_unknown is skip")),
    }
}

/// The state after news from the provider. Statuses arrive in any order: never back. `None`: nothing changes.
#[must_use]
pub fn after_status(state: SendState, news: Delivery) -> Option<SendState> {
    let to = match news {
        Delivery::Accepted | Delivery::Sent => SendState::Sent,
        Delivery::Delivered => SendState::Delivered,
        Delivery::Read => SendState::Read,
        Delivery::Failed => return (state != SendState::Parked && state != SendState::Dropped).then_some(SendState::Parked),
        Delivery::Deleted => return None,
    };
    match state {
        SendState::Dropped => None,
        SendState::Parked => Some(to),
        _ => (to > state).then_some(to),
    }
}
