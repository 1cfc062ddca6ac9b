//! What becomes of a send.

use std::borrow::Cow;
use std::sync::Arc;

use pointsman_core::clock::Instant;
use pointsman_core::failure::Failure;
use pointsman_core::id::{Id, WorkspaceId};
use pointsman_core::outbox::SendState;
use pointsman_core::ports::Operation;
use serde::{Deserialize, Serialize};

use crate::conversation::ConversationRef;

/// What became of a send.
#[derive(Debug, Clone)]
pub struct SendUpdate {
    /// The tenant.
    pub workspace: WorkspaceId,
    /// Its id.
    pub id: Id,
    /// The conversation whose key seals the ids and the reason.
    pub conversation: Option<Arc<ConversationRef>>,
    /// How it stands now.
    pub state: SendState,
    /// Attempts so far.
    pub attempt: u32,
    /// Not before this moment, or until when it may settle.
    pub due: Instant,
    /// Under which ids the provider took it; `None` leaves what is stored.
    pub provider_ids: Option<Vec<String>>,
    /// Why; `None` clears it. The code is stored in plain, the rest sealed.
    pub reason: Option<Failure>,
    /// Whether it may have been sent twice. Once true it stays true.
    pub possible_duplicate: bool,
}

/// A send as stored.
#[derive(Debug, Clone)]
pub struct SendRow {
    /// The tenant.
    pub workspace: WorkspaceId,
    /// Its id.
    pub id: Id,
    /// The channel it leaves by.
    pub channel: Id,
    /// Its conversation.
    pub conversation: Option<Arc<ConversationRef>>,
    /// The run that decided it.
    pub run: Id,
    /// The step's path.
    pub path: String,
    /// Its number among the effects of that step.
    pub n: u32,
    /// Idempotency key.
    pub key: String,
    /// How it stands.
    pub state: SendState,
    /// Not before this moment.
    pub due: Instant,
    /// Attempts so far.
    pub attempt: u32,
    /// Whether it may have been sent twice.
    pub possible_duplicate: bool,
    /// Whether words from outside had a part in it.
    pub marked: bool,
    /// The ids that the provider gave.
    pub provider_ids: Vec<String>,
    /// Why it stands so.
    pub reason: Option<Failure>,
    /// What to do.
    pub operation: Operation,
    /// The key of the approval without which it must not leave.
    pub approval: Option<String>,
}

/// What is sealed of a send.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct SendBody<'a> {
    pub(crate) operation: Cow<'a, Operation>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) approval: Option<Cow<'a, str>>,
}
