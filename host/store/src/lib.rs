//! The store: everything that a host keeps, in two databases, each a SQLite file or one of Postgres. The data holds sealed words
//! and plain states; the key store holds the keys of contacts, days and channels, and is what erasing a contact destroys
//! (invariant 11).
//!
//! One writer task commits operations of all kinds in groups ([`writer`]); sealing happens on the caller's task, reading on
//! a pool of connections. One file a noun; what differs between the databases lies in [`db`], and which lanes a host may act for
//! where several share the data in [`lease`].
//!
//! # The whole surface, by noun
//!
//! ```text
//! Store::open(StoreConfig, Arc<dyn KeySource>, Arc<dyn Clock>, Arc<IdMaker>) -> Store        stats() maintain() close()
//! master        follow_keys() outlived() succession() rotation() begin_rotation(..) rewrap_keys(..) reseal_credentials(..) end_rotation(..)
//! webhook       intake(Intake) -> Kept        unread(limit) -> [UnreadWebhook]     normalize(UnreadWebhook, Parsed) -> Kept
//! decide        decide(Decide)                receipt(&KeptEvent, EventEnd, Option<SendUpdate>)
//! send          update_send(SendUpdate)       find_send(ws, channel, key, provider_id) -> Option<SendRow>
//!               open_sends(shards) due_sends(now, limit) sends_ahead_of(&SendRow) send(ws, id) sends_of_run(ws, run) parked_sends...
//! event         event(ws, id) -> Option<KeptEvent>
//! run           run(ws, id) -> Option<RunRow>  runs(ws, RunFilter, limit)  runs_of_event(ws, event)  due_runs(now, each)
//! conversation  conversation(ws, id)  conversation_body  contact_body  conversations(ws, limit)  timeline  history  notes
//! state         state_get(&ConversationRef, Scope, key) -> Option<Marked<Value>>    state_of_workspace(ws, key)
//! channel       channel_id() -> Id  connect(id, ChannelNew, [CredentialRow])  disconnect(ws, id) -> Disconnected
//!               channel(ws, id)  channels(ws)  channel_of(ws, plugin, account)  set_channel_state(ws, id, ChannelState)
//! workflow      publish_workflow(ws, actor, name, hash, files) -> bool   roll_back_workflow(ws, actor, name, from, to)
//!               retire_workflow(ws, actor, name)   active_workflows(ws)   workflow(ws, hash)   workflow_versions(ws, name)
//!               workflow_changes(ws, name)   open_runs_by_version(ws)
//! plugin        keep_plugin(id, manifest, component)   plugin_versions()   plugin_component(id, digest)
//!               yank_plugin(ws, actor, (id, digest), why) -> () or a refusal
//! knowledge     knowledge_bases(ws) knowledge_base(ws, name) make_knowledge_base(ws, actor, name, language) -> KnowledgeBase
//!               knowledge_sources(ws, base)   put_knowledge_source(ws, actor, base, NewSource)   remove_knowledge_source(ws, actor, base, name)
//!               knowledge_words(ws, base, &KnowledgeSource)   knowledge_passage(ws, source, n)   remove_knowledge_base(ws, actor, name)
//!               set_knowledge_embed(ws, actor, base, connection)   knowledge_vectors(ws, source)   put_knowledge_vectors(ws, base, source, VectorRow)
//!               renew_knowledge_base(ws, actor, base, detail)   // vectors were made: whoever keeps an index reads it anew
//!               tidy_knowledge(ws) -> usize                     // sources that were never finished
//! model         put_model(actor, ModelRow)   remove_model(ws, actor, name)   models(ws)   ai(ws)  set_ai(ws, actor, AiMode)
//! spend         reserve_spend(NewSpend, Caps) -> Id or the cap   settle_spend(ws, id, Settled, answer)   settle_send(ws, send, Settled)
//!               open_spends(ws, before)   spend_sums(ws, at)    // reservations that nobody settled; sums of day and month
//!               kept_answer(ws, to, event, question)   spends(ws, limit)   spend_models(ws, at)   spend_totals(ws)   fold_spends(ws)
//! trend         add_trends(ws, [Trend])   trends(ws, since day) -> [Trend]
//! package       take_package(ws, actor, PackageNew, [Will]) decide_plugin(ws, actor, id, [Will]) -> Standing or a refusal
//!               withhold(ws, actor, id, permission, bool) roll_back_package(ws, actor, id, digest) remove_packages(ws, actor, id)
//!               packages() plugin_decisions(id) plugin_withheld(ws, id)
//! secret        plugin_owner(id)  plugin_secrets(ws, id) put_plugin_secret(actor, id, CredentialRow) drop_plugin_secret(ws, actor, id, slot)
//! workspace     put_workspace(WorkspaceRow)  workspaces()
//! books         books(ws) -> Books            open_books(ws) -> Books       parked(ws, limit) -> [ParkedItem]
//! audit         audit(ws, actor, action, detail)  audit_lines(ws, limit)  audit_check(ws) -> Option<Id of the first bad line>
//! park          item_kind(ws, id)             act_on_parked(ws, id, actor, Wish) -> Acted or a refusal
//!               retry_run_with(ws, run, actor, [(plugin, digest)]) -> Acted or a refusal
//!               newest_audit() wishes(heard, newest) retried_sends()    // for the host that takes them up
//! waiting       runs_waiting_for(ws, kind, limit)   tell_run(ws, run, kind, actor, action, Wake) -> () or a refusal
//! approval      decide_approval(ws, &Named, actor, yes, text) -> () or a refusal
//! why           find(ws, asked) -> [(ItemKind, Id)]    bare_webhook(ws, id) bare_event(ws, id) events_of_webhook(ws, id)
//!               event_of_run run_of_send runs_of_workflow(ws, name, RunFilter, limit) statuses_of(&SendRow) acts_on(ws, id)
//! raise         raise_by_hand(ws, conversation, Event, actor, action) -> Id of the event    conversation_of(ws, channel, id)
//! lease         shared() renew_every() renew() -> Change leave() holds(lane)   new_events(of, limit) kept_something()
//! erase         erase_contact(ws, contact, actor)    forget_erased(wishes)
//! ```
//!
//! Signatures (all `&self`, all `async`, all `-> Result<_>`; `ws: WorkspaceId`):
//!
//! ```text
//! intake(i: Intake) -> Kept
//! unread(limit: usize) -> Vec<UnreadWebhook>
//! normalize(w: UnreadWebhook, parsed: Parsed) -> Kept
//! decide(d: Decide) -> ()
//! receipt(kept: &KeptEvent, end: EventEnd, update: Option<SendUpdate>) -> ()
//! update_send(u: SendUpdate) -> ()
//! find_send(ws, channel: Id, key: Option<&str>, provider_id: &str) -> Option<SendRow>
//! open_sends(shards: &[u16]) -> Vec<SendRow>                    due_sends(now: Instant, limit: usize) -> Vec<SendRow>
//! sends_ahead_of(send: &SendRow) -> Vec<SendRow>
//! send(ws, id: Id) -> Option<SendRow>     sends_of_run(ws, run: Id) -> Vec<SendRow>
//! event(ws, id: Id) -> Option<KeptEvent>
//! run(ws, id: Id) -> Option<RunRow>       runs(ws, filter: RunFilter, limit: usize) -> Vec<RunRow>
//! runs_of_event(ws, event: Id) -> Vec<RunRow>                   due_runs(now: Instant, each: usize) -> Vec<DueRun>
//! conversation(ws, id: Id) -> Option<Arc<ConversationRef>>
//! conversation_body(c: &ConversationRef) -> ConversationBody    contact_body(c: &ConversationRef) -> ContactBody
//! conversations(ws, limit: usize) -> Vec<ConversationRow>
//! timeline(c: &ConversationRef, limit: usize) -> Vec<Item>      // oldest first
//! history(c: &ConversationRef, count: usize) -> Vec<Said>       // oldest first
//! notes(c: &ConversationRef, limit: usize) -> Vec<NoteRow>
//! state_get(c: &ConversationRef, scope: Scope, key: &str) -> Option<Marked<Value>>
//! channel_id() -> Id                      // not async    channel_of(ws, plugin: &str, account: &str) -> Option<ChannelRow>
//! connect(id: Id, n: ChannelNew, secrets: Vec<CredentialRow>) -> ()      disconnect(ws, id: Id) -> Disconnected
//! channel(ws, id: Id) -> Option<ChannelRow>   channels(ws) -> Vec<ChannelRow>   set_channel_state(ws, id, ChannelState) -> ()
//! publish_workflow(ws, actor: &str, name: &str, hash: &str, files: Vec<(String, String)>) -> bool   // false: as before
//! active_workflows(ws) -> Vec<WorkflowRow>                      workflow(ws, hash: &str) -> Option<WorkflowRow>
//! put_workspace(row: WorkspaceRow) -> ()  workspaces() -> Vec<WorkspaceRow>
//! books(ws) -> Books                      parked(ws, limit: usize) -> Vec<ParkedItem>
//! audit(ws, actor: &str, action: &str, detail: &str) -> ()
//! erase_contact(ws, contact: Id, actor: &str) -> ()    // destroys the key; Err(Missing) when there is none
//! usage         add_usage(used) usage(ws, days) quarantine(ws, plugin, why) quarantined() in_quarantine(ws, plugin) release(ws, actor, plugin)
//! maintain() -> ()    close() -> ()       stats() -> Stats      // stats is not async
//! ```
//!
//! `ConversationRef {workspace, id, contact, channel: Id, thread: String}` with `last_inbound() -> Option<Instant>`; only
//! the store makes one. Hold the `Arc` as long as the lane lives: it keeps the unwrapped key at hand.

mod approval;
mod audit;
mod batch;
mod books;
mod channel;
mod connect;
mod contact;
mod conversation;
mod db;
mod decide;
mod erase;
mod event;
mod everywhere;
mod keys;
mod knowledge;
mod lease;
mod master;
mod model;
mod op;
mod open;
mod package;
mod park;
mod plugin;
mod raise;
mod rotate;
mod run;
mod secret;
mod send;
mod sheet;
mod spare;
mod spend;
mod state;
mod timeline;
mod torn;
mod trend;
mod types;
mod usage;
mod waiting;
mod webhook;
mod why;
mod workflow;
mod workspace;
mod writer;

#[cfg(test)]
mod tests;

use std::sync::Arc;

use parking_lot::Mutex;
use pointsman_core::clock::Clock;
use pointsman_core::id::IdMaker;
use pointsman_vault::IndexKey;

pub use connect::{DISCONNECTED, Disconnected, disconnected};
pub use lease::{Change, SHARDS, lane_of, shard_of};
pub use master::{Asked, HeldKeys, KeySource};
pub use park::{Acted, DROPPED, ItemKind, RETRIED, Wish};
pub use rotate::{KeyPlace, Rotation};
pub use secret::plugin_owner;
pub use types::*;
pub use waiting::{CALLER, TOLD};
pub use why::*;

/// The store. Cheap to clone.
#[derive(Clone)]
pub struct Store(Arc<Inner>);

/// What a [`Store`] is made of: nothing for others.
#[doc(hidden)]
pub struct Inner {
    writer: writer::Writer,
    data: db::Database,
    keys: keys::Keys,
    spares: spare::Spares,
    conversations: conversation::Conversations,
    index: IndexKey,
    clock: Arc<dyn Clock>,
    ids: Arc<IdMaker>,
    turn: audit::Turn,
    leases: Arc<lease::Leases>,
    name: String,
    listener: Option<tokio::task::JoinHandle<()>>,
    tasks: Mutex<Vec<tokio::task::JoinHandle<()>>>,
}

impl Drop for Inner {
    fn drop(&mut self) {
        if let Some(listener) = &self.listener {
            listener.abort();
        }
    }
}

impl std::ops::Deref for Store {
    type Target = Inner;
    fn deref(&self) -> &Inner {
        &self.0
    }
}

impl std::fmt::Debug for Store {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Store").field("stats", &self.stats()).finish_non_exhaustive()
    }
}
