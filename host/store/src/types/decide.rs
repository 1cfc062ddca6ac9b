//! What is decided: for one commit.

use std::sync::Arc;

use pointsman_core::clock::Instant;
use pointsman_core::effect::Scope;
use pointsman_core::event::{Event, Person};
use pointsman_core::failure::Failure;
use pointsman_core::id::{Id, WorkspaceId};
use pointsman_core::journal::{Entry, RunState};
use pointsman_core::outbox::SendState;
use pointsman_core::ports::Operation;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::EventEnd;
use crate::conversation::ConversationRef;

/// Everything that was decided about an event, for one commit.
#[derive(Debug, Clone, Default)]
pub struct Decide {
    /// The tenant.
    pub workspace: WorkspaceId,
    /// The event that ends with this, its webhook, and how.
    pub event: Option<(Id, Id, EventEnd)>,
    /// Another that ends with it: the answer that a run of the first waited for.
    pub answer: Option<(Id, Id, EventEnd)>,
    /// The conversation whose key seals what follows. Runs without one are sealed with the key of their day.
    pub conversation: Option<Arc<ConversationRef>>,
    /// Runs that began or went on.
    pub runs: Vec<RunWrite>,
    /// What is to leave.
    pub sends: Vec<NewSend>,
    /// Internal notes.
    pub notes: Vec<NewNote>,
    /// The conversation's new body.
    pub conversation_body: Option<ConversationBody>,
    /// The contact's new body.
    pub contact_body: Option<ContactBody>,
    /// Keys of the small store.
    pub state: Vec<StateWrite>,
    /// Facts of the workspace's own that came of it.
    pub raised: Vec<Raised>,
}

/// A fact of the workspace's own.
#[derive(Debug, Clone)]
pub struct Raised {
    /// Its id.
    pub id: Id,
    /// The id of the webhook that stands for it in the books.
    pub webhook: Id,
    /// The fact.
    pub event: Event,
}

/// A run that began or went on.
#[derive(Debug, Clone)]
pub struct RunWrite {
    /// Its id.
    pub id: Id,
    /// The event that started it.
    pub event: Id,
    /// Content hash of its workflow version.
    pub workflow: String,
    /// How it stands.
    pub state: RunState,
    /// When a waiting one wakes at the latest.
    pub until: Option<Instant>,
    /// What it waits for: `retry`, `ask`, `sleep` ... A word of ours, stored in plain.
    pub waiting: Option<String>,
    /// Why it failed. The code is stored in plain, the rest sealed.
    pub reason: Option<Failure>,
    /// All journal entries since the last write.
    pub entries: Vec<Entry>,
    /// Whether this is the first write of this run.
    pub first: bool,
}

/// Something that is to leave.
#[derive(Debug, Clone)]
pub struct NewSend {
    /// Its id.
    pub id: Id,
    /// The run that decided it.
    pub run: Id,
    /// The step's path.
    pub path: String,
    /// Its number among the effects of that step.
    pub n: u32,
    /// Idempotency key: 32 lower hex characters, unique in the workspace.
    pub key: String,
    /// How it stands: `Ready`, or `Sending` when the intent is written with the decision.
    pub state: SendState,
    /// Not before this moment.
    pub due: Instant,
    /// What to do.
    pub operation: Operation,
    /// Whether words from outside had a part in it.
    pub marked: bool,
    /// The key of the approval without which it must not leave.
    pub approval: Option<String>,
}

/// An internal note on a conversation.
#[derive(Debug, Clone)]
pub struct NewNote {
    /// Who wrote it: `run/ID`, `agent/NAME`. Stored in plain.
    pub by: String,
    /// Its words.
    pub text: String,
    /// Whether words from outside had a part in it.
    pub marked: bool,
}

/// A key of the small store.
#[derive(Debug, Clone)]
pub struct StateWrite {
    /// Whose memory.
    pub scope: Scope,
    /// 1 to 128 bytes.
    pub key: String,
    /// `None` deletes it.
    pub value: Option<Value>,
    /// Until when it is kept.
    pub until: Option<Instant>,
    /// Whether words from outside had a part in it.
    pub marked: bool,
}

/// What changes about a conversation. Sealed with the contact's key.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct ConversationBody {
    /// Its tags.
    #[serde(default)]
    pub tags: Vec<String>,
    /// `team/NAME` or `agent/NAME`.
    #[serde(default)]
    pub assigned: Option<String>,
    /// Whether workflows keep quiet here.
    #[serde(default)]
    pub silenced: bool,
    /// Runs that wait for something that the contact says or does, oldest first. It stands here, so that a message finds them
    /// without a search, and a run that waits takes no memory.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub waits: Vec<Waits>,
}

/// A run that waits in its conversation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Waits {
    /// The run.
    pub run: Id,
    /// `ask`, or `wait` for an event.
    pub kind: String,
}

/// What is known of a contact. Sealed with the contact's key.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct ContactBody {
    /// Who they are, as last told by the provider.
    #[serde(default)]
    pub person: Person,
    /// Attributes that workflows set: a JSON object, or null.
    #[serde(default)]
    pub attributes: Value,
    /// Tags of the contact.
    #[serde(default)]
    pub tags: Vec<String>,
    /// Whether they want to hear nothing more.
    #[serde(default)]
    pub opted_out: bool,
}
