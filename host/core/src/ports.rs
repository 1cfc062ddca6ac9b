//! What the decisions need from the world: traits that other rooms implement and `app` wires together.

use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;
use pointsman_manifest::{Manifest, PlacementKind};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::clock::{Instant, Millis};
use crate::effect::{Effect, Scope};
use crate::event::{Event, Message, Person, Template};
use crate::failure::{Class, Failure, PluginFailure};
use crate::id::WorkspaceId;
use crate::journal::Read;
use crate::mark::Marked;
use crate::model::{Completion, Prompt};
use crate::permission::Permission;

// ------------------------------------------------------------------------------------------------ expressions

/// The names that an expression sees, each with its mark.
pub type Names = BTreeMap<String, Marked<Value>>;

/// A mistake in an expression or script, placed in its own text.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mistake {
    /// From 1; 0 when unknown.
    pub line: u32,
    /// From 1; 0 when unknown.
    pub column: u32,
    /// What is wrong and how to mend it.
    pub message: String,
}

/// The native, loop-free expression language (room `script`).
pub trait Expressions: Send + Sync {
    /// Checks one expression; returns the top-level names that it uses.
    fn check(&self, expression: &str) -> Result<Vec<String>, Mistake>;
    /// Works one out. The result is marked when any name it uses is.
    fn eval(&self, expression: &str, names: &Names) -> Result<Marked<Value>, Failure>;
    /// Checks a script's syntax, without running it.
    fn check_script(&self, source: &str) -> Result<(), Mistake>;
}

// ------------------------------------------------------------------------------------------------ steps

/// What runs in a step.
#[derive(Debug, Clone)]
pub enum Code {
    /// A plugin, pinned by digest.
    Plugin {
        /// `pointsman/keyword`.
        id: Arc<str>,
        /// SHA-256 of its component, hex.
        digest: Arc<str>,
    },
    /// A script, run by the shipped interpreter.
    Script {
        /// The whole text.
        source: Arc<str>,
        /// SHA-256 of it, hex: the name under which an instance is kept warm.
        hash: Arc<str>,
    },
}

impl Code {
    /// What accounts and people call it: the plugin's id, or `script/` and the beginning of its hash.
    #[must_use]
    pub fn name(&self) -> Arc<str> {
        match self {
            Self::Plugin { id, .. } => Arc::clone(id),
            Self::Script { hash, .. } => format!("script/{}", hash.get(..12).unwrap_or(hash)).into(),
        }
    }
}

/// One call of a step.
#[derive(Debug, Clone)]
pub struct StepCall {
    /// The tenant.
    pub workspace: WorkspaceId,
    /// What to run.
    pub code: Code,
    /// The run's id.
    pub run: String,
    /// The step's path.
    pub path: String,
    /// 1 at first.
    pub attempt: u32,
    /// The frozen `now`.
    pub at: Instant,
    /// Seed of its random numbers: from run and path.
    pub seed: u64,
    /// Input, expressions worked out. For a script: all the names that it sees.
    pub input: Value,
    /// The operator's settings for the plugin.
    pub config: Value,
    /// The event that started the run.
    pub event: Option<Arc<Event>>,
    /// The answers of its earlier legs, in the order of its calls; empty on the first.
    pub journal: Vec<Answered>,
    /// Fingerprints of the effects that were taken of its earlier legs ([`Effect::fingerprint`]): it makes them again, and
    /// they are dropped.
    pub taken: Vec<String>,
    /// What its earlier legs read, in their order: it is told the same again.
    pub reads: Vec<Read>,
}

/// An answered call of a step that waits, or of one of its own steps.
#[derive(Debug, Clone, PartialEq)]
pub struct Answered {
    /// `ask`, `sleep`, `step` ...
    pub name: String,
    /// The step's own hash of name and arguments.
    pub fingerprint: String,
    /// The answer; a step may catch a failure.
    pub value: Result<Value, Failure>,
    /// When it was recorded: from here on the step's `now`.
    pub at: Instant,
}

/// A part of what a business knows, found for a question.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Passage {
    /// What it says.
    pub text: String,
    /// What it is cited by: its source, and the place in it after a `#`.
    pub source: String,
    /// 0 to 1, comparable only inside one answer.
    pub score: f32,
    /// `id`, `headings`, `language`, `quote` (the part that answers), and in the first one `confidence` and `found`.
    pub extra: Option<Value>,
}

/// What a step may read of the conversation that it runs in. Implemented by the engine for one conversation: there is no
/// parameter by which another could be named (invariant 8). Nor is there one for a workspace.
#[async_trait]
pub trait StepHost: Send + Sync {
    /// The conversation.
    async fn conversation(&self) -> Result<ConversationInfo, Refusal>;
    /// The last messages, oldest first; at most 100.
    async fn history(&self, count: u32) -> Result<Vec<Said>, Refusal>;
    /// A key of the small store, as it was before this step.
    async fn state(&self, scope: Scope, key: &str) -> Result<Option<Value>, Refusal>;
    /// The passages of a knowledge base of the workspace that fit a question best, best first; at most 50. They are the operator's own
    /// words: unlike what a conversation tells, they carry no mark.
    async fn search(&self, base: &str, query: &str, count: u32) -> Result<Vec<Passage>, Refusal>;
    /// What a language model of the workspace answers. A failure of the ledger (`spend.*`) ends the step, whatever it does with it.
    async fn chat(&self, _prompt: Prompt) -> Result<Completion, Failure> {
        Err(Failure::new(Class::Denied, "denied.model", "there is no language model here; go on without"))
    }
    /// One vector a text, by a model of the workspace.
    async fn embed(&self, _model: Option<String>, _texts: Vec<String>) -> Result<Vec<Vec<f32>>, Failure> {
        Err(Failure::new(Class::Denied, "denied.model", "there is no language model here; go on without"))
    }

    /// Makes a request for a plugin with this manifest, by which both halves of each permission were asked. Where it goes, and which
    /// secret with it, is judged once more by whoever sends it. What comes back holds no secret.
    async fn request(&self, _asks: &Manifest, _request: HttpRequest) -> Result<HttpResponse, Refusal> {
        Err(Refusal::Unavailable("no request leaves from here; a host that serves makes them".to_owned()))
    }

    /// Why the operator's half of a permission does not stand now: the command that would grant it, in full. Asked on every call:
    /// code is pinned, permission is not. Where there is no operator (a trial, a test) what the manifest asks for is enough.
    fn withheld(&self, _permission: &Permission) -> Option<String> {
        None
    }

    /// Is told of every call that was denied, whichever half was missing.
    fn denied(&self, _permission: &Permission) {}
}

/// Why the host did not do it (WIT `refusal`).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Refusal {
    /// Not granted; the text names the grant that would allow it.
    Denied(String),
    /// A named limit, for example `limit.http-requests`.
    Limit(String),
    /// The arguments make no sense.
    Invalid(String),
    /// It did not work this time.
    Unavailable(String),
}

/// What a step may know of its conversation.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct ConversationInfo {
    /// Its id.
    pub id: String,
    /// The channel plugin's short name, for example `whatsapp`.
    pub channel: String,
    /// Who is on the other side.
    pub contact: Person,
    /// Its tags.
    pub tags: Vec<String>,
    /// The contact's attributes: a JSON object.
    pub attributes: Value,
    /// Who has it.
    pub assigned: Option<String>,
    /// Until when a free message may be sent; absent: no limit.
    pub window_ends: Option<Instant>,
}

/// Who said something.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "the words say it")]
pub enum Speaker {
    Contact,
    Agent,
    Bot,
}

/// Something that was said.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Said {
    /// By whom.
    pub by: Speaker,
    /// When.
    pub at: Instant,
    /// What.
    pub message: Message,
}

/// A step's own line of log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogLine {
    /// `debug`, `info`, `warn`, `error`.
    pub level: &'static str,
    /// One line, control characters escaped.
    pub text: String,
}

/// What a call used.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Usage {
    /// Wall time in microseconds, host calls included.
    pub wall_us: u64,
    /// Microseconds that it was on a processor.
    #[serde(default)]
    pub cpu_us: u64,
    /// Ticks of 5 ms that passed while the guest ran.
    pub ticks: u32,
    /// The largest memory in bytes.
    pub memory: u64,
    /// Calls of host functions.
    pub host_calls: u32,
}

/// Keeps account of what guests use.
pub trait Meter: Send + Sync + std::fmt::Debug {
    /// A call of this plugin or script ([`Code::name`]) has ended; `failure` says why, when not in good order.
    fn used(&self, workspace: WorkspaceId, name: &str, usage: Usage, failure: Option<&Failure>);
}

/// How a step ended.
#[derive(Debug, Clone)]
pub struct StepEnd {
    /// Its output, or why there is none. Limits, traps and the plugin's own failures all come here, coded.
    pub result: Result<Outcome, Failure>,
    /// What it wants done beyond what earlier legs did, in order, state writes included; empty when it failed.
    pub effects: Vec<Effect>,
    /// Its log, kept even when it failed.
    pub log: Vec<LogLine>,
    /// What it used.
    pub usage: Usage,
    /// What this leg read that no earlier one had; told only of a leg that ends with a wish.
    pub reads: Vec<Read>,
}

/// What a step gave.
#[derive(Debug, Clone, PartialEq)]
pub enum Outcome {
    /// Its output.
    Done(Value),
    /// It waits for something.
    Suspended {
        /// `ask`, `sleep`, `approve`, `step`, `call`.
        name: String,
        /// The arguments.
        arguments: Value,
        /// The step's own hash of both.
        fingerprint: String,
        /// Journal entries that this leg consumed.
        consumed: u32,
    },
}

/// Runs steps (room `sandbox`).
#[async_trait]
pub trait StepRunner: Send + Sync {
    /// Runs one call to its end.
    async fn run(&self, call: StepCall, host: Arc<dyn StepHost>) -> StepEnd;

    /// Whether this version of a plugin can be called.
    fn knows(&self, _id: &str, _digest: &str) -> bool {
        true
    }

    /// Lets in a version that the host does not bring any more, for runs that are pinned to it. Nothing of a stranger's kind is
    /// kept of it between calls.
    async fn load_version(&self, manifest: &str, _component: &[u8]) -> Result<(), Failure> {
        let sentence = format!("no version can be added here ({} bytes of a manifest)", manifest.len());
        Err(Failure::new(Class::Permanent, "plugin.unknown", sentence))
    }
}

// ------------------------------------------------------------------------------------------------ channels

/// An HTTP method.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
#[expect(missing_docs, reason = "the words say it")]
pub enum Method {
    Get,
    Head,
    Post,
    Put,
    Patch,
    Delete,
}

/// One request of the provider, its signature verified.
#[derive(Debug, Clone)]
pub struct Webhook {
    /// Its method.
    pub method: Method,
    /// What follows the channel's hook address.
    pub path: String,
    /// The query.
    pub query: Vec<(String, String)>,
    /// Only those that the manifest lists; names in lower case.
    pub headers: Vec<(String, String)>,
    /// The raw body.
    pub body: bytes::Bytes,
    /// When it came.
    pub received: Instant,
}

/// The account that a route or job belongs to.
#[derive(Debug, Clone, PartialEq)]
pub struct Account {
    /// The provider's id of our side.
    pub id: String,
    /// The operator's settings. No secrets.
    pub config: Value,
}

/// A body that the provider expects at once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// HTTP status.
    pub status: u16,
    /// Headers.
    pub headers: Vec<(String, String)>,
    /// Body.
    pub body: Vec<u8>,
}

/// What a webhook held.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Reception {
    /// In order.
    pub events: Vec<Event>,
    /// A body that the provider expects.
    pub answer: Option<Answer>,
}

/// What a channel is asked to do. Grows with the channels; the contract has them all.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "as in the contract, variant `operation`")]
pub enum Operation {
    Send(Message),
    SendTemplate(Template),
    Edit { target: String, message: Message },
    React { target: String, emoji: Option<String> },
    MarkRead(String),
    Typing,
    Delete(String),
    Subscribe(String),
    Unsubscribe,
    Check,
    FetchProfile(String),
    FetchMedia(String),
    Poll(Option<String>),
    Publish { message: Message, link: Option<String>, extra: Option<Value> },
    ReplyComment { target: String, text: String },
    ReplyPrivately { target: String, text: String },
    ReplyReview { target: String, text: String },
    HideComment { target: String, hidden: bool },
    AnswerInteraction { answer: String, text: Option<String> },
    Other { name: String, input: Value },
}

/// One thing to do, unchanged through all its turns and retries.
#[derive(Debug, Clone, PartialEq)]
pub struct Job {
    /// Idempotency key: the same when tried again.
    pub key: String,
    /// 1 at first.
    pub attempt: u32,
    /// When this attempt began.
    pub at: Instant,
    /// Our side.
    pub account: Account,
    /// The conversation's thread, absent outside of any.
    pub peer: Option<String>,
    /// Whether the messaging window is open.
    pub window_open: bool,
    /// What to do.
    pub operation: Operation,
}

/// Where in a request the broker puts a secret (WIT `placement`).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "as in the contract, variant `placement`")]
pub enum Placement {
    Bearer,
    BasicPassword { user: String },
    BasicUserName,
    Header { name: String, prefix: String },
    Query(String),
    Path(String),
    FormField(String),
    JsonField(String),
}

impl Placement {
    /// The manifest's word for it.
    #[must_use]
    pub fn kind(&self) -> PlacementKind {
        match self {
            Self::Bearer => PlacementKind::Bearer,
            Self::BasicPassword { .. } => PlacementKind::BasicPassword,
            Self::BasicUserName => PlacementKind::BasicUserName,
            Self::Header { .. } => PlacementKind::Header,
            Self::Query(_) => PlacementKind::Query,
            Self::Path(_) => PlacementKind::Path,
            Self::FormField(_) => PlacementKind::FormField,
            Self::JsonField(_) => PlacementKind::JsonField,
        }
    }
}

/// Names a secret without knowing it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CredentialUse {
    /// A slot of the manifest.
    pub slot: String,
    /// Where it goes.
    pub place: Placement,
}

/// The content of one part of a multipart body.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "as in the contract, variant `part-content`")]
pub enum PartContent {
    Text(String),
    Bytes(#[serde(with = "serde_bytes")] Vec<u8>),
    Blob(String),
}

/// One part of a multipart body.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "as in the contract, record `part`")]
pub struct Part {
    pub name: String,
    pub file_name: Option<String>,
    pub mime_type: Option<String>,
    pub content: PartContent,
}

/// A request's body.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "as in the contract, variant `body`")]
pub enum Body {
    #[default]
    None,
    Bytes(#[serde(with = "serde_bytes")] Vec<u8>),
    Blob(String),
    Form(Vec<(String, String)>),
    Multipart(Vec<Part>),
}

/// A request without secrets.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HttpRequest {
    /// Its method.
    pub method: Method,
    /// Absolute, https, no user info, no fragment.
    pub url: String,
    /// Names and values, in order.
    pub headers: Vec<(String, String)>,
    /// Its body.
    pub body: Body,
    /// Which secrets go where.
    pub credentials: Vec<CredentialUse>,
    /// Keep the answer's body as a blob.
    pub keep_body: bool,
    /// In milliseconds; absent: the host's default.
    pub timeout: Option<Millis>,
}

/// An answer, scrubbed of every secret that the request carried.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct HttpResponse {
    /// HTTP status.
    pub status: u16,
    /// Names in lower case.
    pub headers: Vec<(String, String)>,
    /// After decompression.
    #[serde(with = "serde_bytes")]
    pub body: Vec<u8>,
    /// The blob, when it was kept.
    pub kept: Option<String>,
}

/// What a job gave.
#[derive(Debug, Clone, PartialEq)]
#[expect(missing_docs, reason = "as in the contract, variant `outcome` of `adapter`")]
pub enum Done {
    Nothing,
    Created(Vec<String>),
    Profile(Person),
    Media { blob: String, mime_type: Option<String>, file_name: Option<String> },
    Page { events: Vec<Event>, cursor: String, more: bool },
    Other(Value),
}

/// What a channel plugin wants next.
#[derive(Debug, Clone, PartialEq)]
pub enum Turn {
    /// Make this request, then go on.
    Exchange {
        /// The request.
        request: HttpRequest,
        /// What the next turn must know: JSON text.
        state: String,
        /// Whether the request may be repeated without harm.
        repeatable: bool,
    },
    /// Done.
    Done(Done),
    /// Not done.
    Failed(PluginFailure),
}

/// Exchanges of one job at most.
pub const MAX_TURNS: usize = 16;

/// Runs channel plugins (room `sandbox`). Errors are the sandbox's own: limits, traps, an unknown plugin.
#[async_trait]
pub trait ChannelAdapter: Send + Sync {
    /// Turns a verified webhook into events. The inner error is the plugin's sentence: bytes that are not of its provider.
    async fn parse(
        &self,
        workspace: WorkspaceId,
        plugin: &str,
        webhook: &Webhook,
        account: &Account,
    ) -> Result<Result<Reception, String>, Failure>;
    /// The first turn of a job.
    async fn begin(&self, workspace: WorkspaceId, plugin: &str, job: &Job) -> Result<Turn, Failure>;
    /// The next turn.
    async fn advance(
        &self,
        workspace: WorkspaceId,
        plugin: &str,
        job: &Job,
        state: &str,
        response: HttpResponse,
    ) -> Result<Turn, Failure>;
}
