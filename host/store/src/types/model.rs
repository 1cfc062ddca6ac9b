//! Connections to models and what they cost, as they go in and come out.

use std::sync::Arc;

use pointsman_core::clock::Instant;
use pointsman_core::id::{Id, WorkspaceId};
use serde::Serialize;
use serde_json::Value;

use super::CredentialRow;
use crate::conversation::ConversationRef;

/// A connection to a model.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ModelRow {
    /// The tenant.
    pub workspace: WorkspaceId,
    /// Its id.
    pub id: Id,
    /// What steps and people call it by.
    pub name: String,
    /// The smallest is asked first.
    pub rank: i64,
    /// Provider, address, models, as the room `model` reads them.
    pub settings: Value,
    /// Its sealed key, or what pins it to its address where it has none.
    pub credentials: Vec<CredentialRow>,
}

/// What may be spent at most, in billionths of the currency; `None`: no bound.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Caps {
    /// By a workspace in a day.
    pub day: Option<i64>,
    /// By a workspace in a month.
    pub month: Option<i64>,
    /// By a workflow in a day.
    pub workflow: Option<i64>,
    /// For a contact in a day.
    pub contact: Option<i64>,
}

/// For whom a call is made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SpendFor {
    /// The tenant.
    pub workspace: WorkspaceId,
    /// The workflow's name.
    pub workflow: String,
    /// The contact, where there is one.
    pub contact: Option<Id>,
    /// The run.
    pub run: Id,
}

/// A call that is to be made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewSpend {
    /// For whom.
    pub of: SpendFor,
    /// The connection's name and the model's.
    pub model: String,
    /// What it can cost at most, in billionths of the currency.
    pub amount: i64,
    /// Tokens at most: of the question, of the answer.
    pub tokens: (i64, i64),
    /// What is sent against training on it.
    pub flag: Option<&'static str>,
    /// The send that is paid for, once for all its attempts; of a question to a model none.
    pub send: Option<Id>,
}

/// An answer of a model that is kept with what it cost.
#[derive(Debug, Clone)]
pub struct KeptAnswer {
    /// Whose key seals it; of a run outside of any conversation none.
    pub conversation: Option<Arc<ConversationRef>>,
    /// The event whose run asked.
    pub event: Id,
    /// A hash of what was asked, and where.
    pub question: [u8; 32],
    /// What was answered.
    pub body: Vec<u8>,
}

/// What a model cost in a day, or in a month of which the calls are not kept any more.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SpendTotal {
    /// The first moment of the day, or of the month.
    pub since: Instant,
    /// The connection's name and the model's.
    pub model: String,
    /// How many.
    pub calls: i64,
    /// In billionths.
    pub amount: i64,
    /// Tokens of the questions.
    pub input: i64,
    /// Tokens of the answers.
    pub output: i64,
}

/// How often something was felt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trend {
    /// Days since 1970, UTC.
    pub day: i64,
    /// By which channel.
    pub channel: Id,
    /// A tag; empty: all messages.
    pub topic: String,
    /// `positive`, `neutral`, `negative`.
    pub label: String,
    /// How often.
    pub count: i64,
}

/// A cap that a call would exceed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CapReached {
    /// `day`, `month`, `workflow`, `contact`.
    pub scope: &'static str,
    /// What was spent or reserved before, in billionths.
    pub spent: i64,
    /// The cap.
    pub cap: i64,
}

/// How a call ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Settled {
    /// It cost this, for so many tokens.
    Cost {
        /// In billionths.
        amount: i64,
        /// Of the question.
        input: i64,
        /// Of the answer.
        output: i64,
    },
    /// It cost what was reserved.
    AsReserved,
    /// It cost nothing: it never left, or was not taken.
    Nothing,
    /// Nobody knows what it cost: it counts whole.
    Whole,
}

/// A call in the ledger.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SpendRow {
    /// Its id.
    pub id: Id,
    /// When it was reserved.
    pub at: Instant,
    /// The connection's name and the model's.
    pub model: String,
    /// The workflow's name.
    pub workflow: String,
    /// The contact, where there is one.
    pub contact: Option<Id>,
    /// The run.
    pub run: Id,
    /// `reserved`, `settled`, `whole`.
    pub state: &'static str,
    /// In billionths.
    pub amount: i64,
    /// Tokens of the question.
    pub input: i64,
    /// Tokens of the answer.
    pub output: i64,
    /// What was sent against training on it.
    pub flag: Option<String>,
}

/// A sum of the ledger.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SpendSum {
    /// `day`, `month`, `workflow`, `contact`.
    pub scope: &'static str,
    /// The workflow's name, the contact's id; else empty.
    pub owner: String,
    /// What was spent or is reserved, in billionths.
    pub amount: i64,
    /// What of it is reserved and not settled yet.
    pub reserved: i64,
    /// Calls that would have exceeded its cap: they were not made.
    pub refused: i64,
}
