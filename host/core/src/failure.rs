//! What can go wrong, in the words that someone must act on: a stable code, a class that decides whether to try again, and
//! a sentence that says the cure.

use serde::{Deserialize, Serialize};

use crate::clock::Millis;

/// How an error is to be treated (SEMANTICS, section 2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Class {
    /// May work in a moment.
    Transient,
    /// Too fast; works after a while.
    RateLimited,
    /// Will never work as it is.
    Permanent,
    /// A named limit of the sandbox or the workspace.
    Limit,
    /// A capability that was not granted.
    Denied,
    /// The plugin, script or workflow is wrong.
    Bug,
}

impl Class {
    /// Whether trying again may help.
    #[must_use]
    pub fn retryable(self) -> bool {
        matches!(self, Self::Transient | Self::RateLimited)
    }
}

/// An error as a workflow, a person and the journal see it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error("{code}: {message}")]
pub struct Failure {
    /// Stable, dotted: `limit.cpu`, `denied.http`, `provider.131047`.
    pub code: String,
    /// Whether and how to go on.
    pub class: Class,
    /// One sentence that says the cure. No secrets, no message text.
    pub message: String,
    /// For `rate_limited`, and where a provider names a time: milliseconds to wait at least.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_after: Option<Millis>,
}

impl Failure {
    /// An error of `class` under `code`.
    pub fn new(class: Class, code: impl Into<String>, message: impl Into<String>) -> Self {
        Self { code: code.into(), class, message: message.into(), retry_after: None }
    }

    /// A named limit was reached: `limit.<name>`.
    #[must_use]
    pub fn limit(name: &str, message: impl Into<String>) -> Self {
        Self::new(Class::Limit, format!("limit.{name}"), message)
    }

    /// The plugin, script or workflow is wrong.
    pub fn bug(code: impl Into<String>, message: impl Into<String>) -> Self {
        Self::new(Class::Bug, code, message)
    }
}

/// What a channel plugin says about a provider's answer: one word for each thing the host can do (WIT `fault`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Fault {
    /// Nothing was done; try again.
    Retryable,
    /// Too fast; slow down this account.
    RateLimited,
    /// It may have been done.
    Unknown,
    /// Outside the messaging window.
    WindowClosed,
    /// The token was refused; a fresh one may help.
    Unauthorized,
    /// The account was disconnected or blocked.
    Revoked,
    /// This person cannot be reached.
    Unreachable,
    /// Will never work as it is.
    Rejected,
    /// The channel cannot do this at all.
    Unsupported,
    /// The plugin cannot make sense of what it was given.
    Malformed,
}

impl Fault {
    /// The class that a workflow's error handling sees.
    #[must_use]
    pub fn class(self) -> Class {
        match self {
            Self::Retryable | Self::Unknown => Class::Transient,
            Self::RateLimited => Class::RateLimited,
            Self::Malformed => Class::Bug,
            Self::WindowClosed | Self::Unauthorized | Self::Revoked | Self::Unreachable | Self::Rejected | Self::Unsupported => {
                Class::Permanent
            }
        }
    }

    /// The stable word in codes: `provider.<word>`.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Retryable => "retryable",
            Self::RateLimited => "rate_limited",
            Self::Unknown => "unknown",
            Self::WindowClosed => "window_closed",
            Self::Unauthorized => "unauthorized",
            Self::Revoked => "revoked",
            Self::Unreachable => "unreachable",
            Self::Rejected => "rejected",
            Self::Unsupported => "unsupported",
            Self::Malformed => "malformed",
        }
    }
}

/// A plugin's own failure (WIT `failure`): the fault and the provider's words.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PluginFailure {
    /// What the host must do about it.
    pub fault: Fault,
    /// The provider's or plugin's own code, at most 64 bytes.
    pub code: String,
    /// One sentence for a person.
    pub message: String,
    /// Milliseconds to wait at least, where the provider says so.
    pub retry_after: Option<Millis>,
}

impl PluginFailure {
    /// As the journal, the outbox and people see it: `provider.<fault>` where the provider's own code goes into the text.
    #[must_use]
    pub fn into_failure(self) -> Failure {
        Failure {
            code: format!("provider.{}", self.fault.word()),
            class: self.fault.class(),
            message: if self.code.is_empty() { self.message } else { format!("{} ({})", self.message, self.code) },
            retry_after: self.retry_after,
        }
    }
}
