//! What is read: rows, opened.

use std::collections::BTreeMap;
use std::sync::Arc;

use pointsman_core::clock::Instant;
use pointsman_core::failure::Failure;
use pointsman_core::id::{Id, WorkspaceId};
use pointsman_core::journal::{Entry, RunState};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{ContactBody, ConversationBody, KeptEvent, SendRow};
use crate::conversation::ConversationRef;

/// A run as stored.
#[derive(Debug, Clone)]
pub struct RunRow {
    /// The tenant.
    pub workspace: WorkspaceId,
    /// Its id.
    pub id: Id,
    /// Its conversation.
    pub conversation: Option<Arc<ConversationRef>>,
    /// The event that started it.
    pub event: Id,
    /// Content hash of its workflow version.
    pub workflow: String,
    /// How it stands.
    pub state: RunState,
    /// When a waiting one wakes at the latest.
    pub until: Option<Instant>,
    /// What it waits for.
    pub waiting: Option<String>,
    /// Why it failed.
    pub reason: Option<Failure>,
    /// Its whole journal. Empty in lists.
    pub entries: Vec<Entry>,
}

/// A waiting run whose time has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DueRun {
    /// The tenant.
    pub workspace: WorkspaceId,
    /// Its id.
    pub run: Id,
    /// Where it has its turn: as [`crate::lane_of`].
    pub lane: i64,
}

/// Which runs to list, newest first.
#[derive(Debug, Clone, Default)]
pub struct RunFilter {
    /// In this state.
    pub state: Option<RunState>,
    /// Of this conversation.
    pub conversation: Option<Id>,
    /// Older than this one (for the next page).
    pub before: Option<Id>,
}

/// A conversation in a list.
#[derive(Debug, Clone)]
pub struct ConversationRow {
    /// The conversation itself.
    pub conversation: Arc<ConversationRef>,
    /// When something last happened in it.
    pub last_at: Instant,
    /// When the contact last wrote.
    pub last_inbound: Option<Instant>,
    /// Its body.
    pub body: ConversationBody,
    /// Its contact.
    pub contact: ContactBody,
}

/// Something in a conversation's timeline.
#[derive(Debug, Clone)]
#[expect(clippy::large_enum_variant, reason = "a page of them is short-lived, and most are events")]
pub enum Item {
    /// That came in.
    Event(KeptEvent),
    /// That left, or will.
    Send(SendRow),
}

impl Item {
    /// Its id.
    #[must_use]
    pub fn id(&self) -> Id {
        match self {
            Self::Event(e) => e.id,
            Self::Send(s) => s.id,
        }
    }
}

/// An internal note as stored.
#[derive(Debug, Clone, PartialEq)]
pub struct NoteRow {
    /// Its id.
    pub id: Id,
    /// When it was written.
    pub at: Instant,
    /// By whom.
    pub by: String,
    /// Its words.
    pub text: String,
    /// Whether words from outside had a part in it.
    pub marked: bool,
}

/// A workspace.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WorkspaceRow {
    /// Its id.
    pub id: WorkspaceId,
    /// Its name.
    pub name: String,
    /// IANA time zone.
    pub time_zone: String,
    /// BCP 47.
    pub language: String,
}

/// A channel that is to be added.
#[derive(Debug, Clone)]
pub struct ChannelNew {
    /// The tenant.
    pub workspace: WorkspaceId,
    /// `pointsman/whatsapp`.
    pub plugin: String,
    /// The provider's id of our side.
    pub account: String,
    /// What people call it.
    pub name: String,
    /// The operator's settings. No secrets.
    pub config: Value,
}

/// A channel as stored, with its sealed credentials.
#[derive(Debug, Clone)]
pub struct ChannelRow {
    /// The tenant.
    pub workspace: WorkspaceId,
    /// Its id, as in the hook's address.
    pub id: Id,
    /// `pointsman/whatsapp`.
    pub plugin: String,
    /// The provider's id of our side.
    pub account: String,
    /// What people call it.
    pub name: String,
    /// The operator's settings.
    pub config: Value,
    /// How it stands.
    pub state: ChannelState,
    /// Its credentials, sealed.
    pub credentials: Vec<CredentialRow>,
}

/// How a channel stands. The numbers are stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[repr(i16)]
pub enum ChannelState {
    /// Takes webhooks and sends.
    Active = 0,
    /// Switched off by a person.
    Off = 1,
    /// The provider refused its token or disconnected it.
    Revoked = 2,
}

impl ChannelState {
    pub(crate) fn from_stored(n: i64) -> Option<Self> {
        [Self::Active, Self::Off, Self::Revoked].into_iter().find(|s| *s as i64 == n)
    }
}

/// A sealed secret and where alone it may go. Only the broker can open it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CredentialRow {
    /// The tenant.
    pub workspace: WorkspaceId,
    /// The channel.
    pub owner: Id,
    /// The slot of the manifest.
    pub slot: String,
    /// Origins to which alone it may go.
    pub hosts: Vec<String>,
    /// The envelope.
    pub sealed: Vec<u8>,
}

/// A version of a workflow.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct WorkflowRow {
    /// The tenant.
    pub workspace: WorkspaceId,
    /// Its name.
    pub name: String,
    /// Its content hash.
    pub hash: String,
    /// File name and text.
    pub files: Vec<(String, String)>,
    /// When it was published.
    pub at: Instant,
    /// Whether it is the version that new runs take.
    pub active: bool,
}

/// Something that cannot go on.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ParkedItem {
    /// `webhook`, `event`, `run`, `send`.
    pub kind: &'static str,
    /// Its id.
    pub id: Id,
    /// When it was made.
    pub at: Instant,
    /// The channel, where it has one.
    pub channel: Option<Id>,
    /// The conversation, where it has one.
    pub conversation: Option<Id>,
    /// Why: a code or rule.
    pub code: String,
    /// Why, in a sentence, where the key still opens it.
    pub reason: Option<Failure>,
}

/// Counts of things by state, and whether they balance: kept = ended + open, and everything open is explained.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Books {
    /// Webhooks by state: `kept`, `unread`, `done`, `ignored`, `parked`.
    pub webhooks: BTreeMap<&'static str, u64>,
    /// Events by state: `new`, `routed`, `ended`, `parked`.
    pub events: BTreeMap<&'static str, u64>,
    /// Runs by state: `queued`, `running`, `waiting`, `done`, `failed`, `cancelled`.
    pub runs: BTreeMap<&'static str, u64>,
    /// Sends by state: `ready`, `sending`, `unknown`, `sent`, `delivered`, `read`, `parked`, `dropped`.
    pub sends: BTreeMap<&'static str, u64>,
    /// How many things are open.
    pub open_count: u64,
    /// What is open, and what it waits for: the first thousand of each kind.
    pub open: Vec<OpenItem>,
    /// What is open without a rule that explains it. Empty, or something is wrong.
    pub unexplained: Vec<String>,
}

impl Books {
    /// Whether nothing is unexplained.
    #[must_use]
    pub fn balanced(&self) -> bool {
        self.unexplained.is_empty()
    }

    /// Whether nothing is open.
    #[must_use]
    pub fn settled(&self) -> bool {
        self.open.is_empty() && self.unexplained.is_empty()
    }
}

/// Something open, and what it waits for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct OpenItem {
    /// `webhook`, `event`, `run`, `send`.
    pub kind: &'static str,
    /// Its id.
    pub id: Id,
    /// What it waits for.
    pub waits_for: String,
    /// Until when, where that is known.
    pub until: Option<Instant>,
}

/// When a version was made the active one of its name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct WorkflowChange {
    /// The workflow's name.
    pub name: String,
    /// When.
    pub at: Instant,
    /// The version; absent: the name was taken out of use.
    pub hash: Option<String>,
    /// By whom, as the audit says.
    pub actor: Option<String>,
    /// How: `workflow.publish`, `workflow.rollback`, `workflow.retire`.
    pub action: Option<String>,
}

/// A version of a step plugin that is kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PluginVersion {
    /// `pointsman/keyword`.
    pub id: String,
    /// SHA-256 of its component, hex.
    pub digest: String,
    /// When it was kept first.
    pub at: Instant,
    /// Why it may not run any more.
    pub yanked: Option<String>,
}

/// What a version of a plugin is loaded from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PluginComponent {
    /// The text of its `plugin.toml`.
    pub manifest: String,
    /// Its component.
    pub component: Vec<u8>,
}

/// A line of the audit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct AuditRow {
    /// Its id.
    pub id: Id,
    /// When.
    pub at: Instant,
    /// Who: `cli`, `user/NAME`, `system`.
    pub actor: String,
    /// What: `channel.add`, `workflow.publish`, `contact.erase` ...
    pub action: String,
    /// Of what. Ids and names of ours; no words of contacts, no secrets.
    pub detail: String,
    /// Hash over this line and the hash of the one before it, hex.
    pub hash: String,
}

/// What the calls of a plugin or script used in a workspace.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct PluginUsage {
    /// Whose calls.
    pub workspace: WorkspaceId,
    /// Its id, or `script/` and the beginning of its hash.
    pub plugin: String,
    /// Calls that ended.
    pub calls: u64,
    /// Of these, those that did not end in order.
    pub failed: u64,
    /// And those that a limit ended.
    pub limited: u64,
    /// Microseconds on a processor.
    pub cpu_us: u64,
    /// The largest memory of a call, in bytes.
    pub memory: u64,
    /// Calls of host functions.
    pub host_calls: u64,
    /// Bytes of the requests that it had made.
    pub egress: u64,
}

/// A plugin or script that broke its limits again and again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Quarantined {
    /// Where it runs no more.
    pub workspace: WorkspaceId,
    /// Its id, or `script/` and the beginning of its hash.
    pub plugin: String,
    /// Since when.
    pub at: Instant,
    /// What it did.
    pub why: String,
}
