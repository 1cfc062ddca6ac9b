//! What a step wants done to the world: data, carried out by the host, always on the conversation that the step runs in.
//! No effect has a recipient (invariant 8).

use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::clock::Millis;
use crate::event::{Message, Template};

/// Whose memory a state key belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Scope {
    /// This conversation.
    Conversation,
    /// The contact, over all conversations.
    Contact,
    /// The workspace.
    Workspace,
}

/// One wish of a step.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Effect {
    /// Says something in this conversation.
    Reply(Message),
    /// Sends a template approved by the provider.
    Template(Template),
    /// Like reply, after a person's approval of exactly these bytes.
    Draft(Message),
    /// Puts a tag on the conversation.
    Tag(String),
    /// Takes a tag off.
    Untag(String),
    /// Writes an internal note.
    Note(String),
    /// Hands the conversation to `team/NAME` or `agent/NAME`.
    Assign(String),
    /// Hands the conversation to people: the bot is silent in it until it is handed back.
    Handoff {
        /// `team/NAME` or `agent/NAME`; absent: whoever takes it.
        to: Option<String>,
        /// What they should know.
        note: Option<String>,
    },
    /// Sets an attribute of the contact.
    Set {
        /// The attribute.
        name: String,
        /// Its value.
        value: Value,
    },
    /// Raises an event of the workspace's own.
    Emit {
        /// Its name.
        name: String,
        /// What it carries.
        data: Value,
    },
    /// Writes a key of the small store; `value` absent deletes it.
    State {
        /// Whose memory.
        scope: Scope,
        /// 1 to 128 bytes.
        key: String,
        /// At most 64 KiB as JSON.
        value: Option<Value>,
        /// How long it is kept.
        ttl: Option<Millis>,
    },
}

impl Effect {
    /// Whether it leaves the house, and so must pass the outbox.
    #[must_use]
    pub fn leaves(&self) -> bool {
        matches!(self, Self::Reply(_) | Self::Template(_))
    }

    /// Whether it is about a conversation or its contact.
    #[must_use]
    pub fn talks(&self) -> bool {
        !matches!(self, Self::Emit { .. } | Self::State { scope: Scope::Workspace, .. })
    }

    /// Whether the person hears it.
    #[must_use]
    pub fn says(&self) -> bool {
        matches!(self, Self::Reply(_) | Self::Template(_))
    }

    /// Its word, as in workflows.
    #[must_use]
    pub fn word(&self) -> &'static str {
        match self {
            Self::Reply(_) => "reply",
            Self::Template(_) => "template",
            Self::Draft(_) => "draft",
            Self::Tag(_) => "tag",
            Self::Untag(_) => "untag",
            Self::Note(_) => "note",
            Self::Assign(_) => "assign",
            Self::Handoff { .. } => "handoff",
            Self::Set { .. } => "set",
            Self::Emit { .. } => "emit",
            Self::State { .. } => "state",
        }
    }

    /// Its word and a hash of all that it says: equal for equal wishes. By this a later leg of a step is held against what
    /// was taken of the earlier ones; it can be shown, for it tells nothing of what was said.
    #[must_use]
    pub fn fingerprint(&self) -> String {
        let json = serde_json::to_vec(self).unwrap_or_default();
        let digest = Sha256::digest(&json);
        format!("{}:{}", self.word(), hex::encode(digest.get(..12).unwrap_or_default()))
    }
}

/// An effect as it was decided: by which step, and with which mark.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Decided {
    /// The step's path.
    pub path: String,
    /// Its number among the effects of that step, from 0.
    pub n: u32,
    /// The wish.
    pub effect: Effect,
    /// Whether words from outside had a part in it.
    pub marked: bool,
    /// The key of the approval without which it must not leave ([`crate::approval`]).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub approval: Option<String>,
}
