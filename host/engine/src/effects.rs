//! What a run decided, turned into rows: sends for the outbox, notes, state, and what changes on the conversation and the
//! contact. All of it rides in the commit that has the journal.

use std::sync::Arc;

use pointsman_core::effect::{Decided, Effect};
use pointsman_core::event::{Cause, Event, EventBody, Internal};
use pointsman_core::id::Id;
use pointsman_core::outbox::SendState;
use pointsman_core::ports::Operation;
use pointsman_store::{Decide, KeptEvent, NewNote, NewSend, Raised, SendRow, StateWrite, Waits, lane_of};

use crate::Engine;
use crate::step::View;
use crate::trends::Felt;

/// The rows that the runs of one event add up to.
#[derive(Debug, Default)]
pub(crate) struct Carried {
    sends: Vec<NewSend>,
    notes: Vec<NewNote>,
    state: Vec<StateWrite>,
    raised: Vec<Raised>,
    conversation_changed: bool,
    contact_changed: bool,
    /// What is counted of it.
    pub(crate) felt: Felt,
}

impl Carried {
    /// How much it says.
    pub(crate) fn says(&self) -> usize {
        self.sends.len()
    }

    /// Takes one effect. What later workflows of the same event see of the conversation changes at once.
    pub(crate) fn add(
        &mut self,
        engine: &Engine,
        (run, workflow): (Id, &str),
        kept: &KeptEvent,
        decided: &Decided,
        view: &mut View,
    ) {
        let now = engine.clock.now();
        match &decided.effect {
            Effect::Reply(message) => self.send(engine, (run, workflow), kept, decided, view, Operation::Send(message.clone())),
            Effect::Template(template) => {
                self.send(engine, (run, workflow), kept, decided, view, Operation::SendTemplate(template.clone()))
            }
            Effect::Tag(tag) => {
                if !decided.marked {
                    self.felt.about(tag);
                }
                if !view.conversation.tags.contains(tag) {
                    Arc::make_mut(&mut view.conversation).tags.push(tag.clone());
                    self.conversation_changed = true;
                    if let Some(added) = engine.tag_added(tag, decided.marked, kept, view) {
                        self.raise(engine, added, format!("tag:{run}:{}:{}", decided.path, decided.n), view);
                    }
                }
            }
            Effect::Untag(tag) => {
                let before = view.conversation.tags.len();
                Arc::make_mut(&mut view.conversation).tags.retain(|t| t != tag);
                self.conversation_changed |= view.conversation.tags.len() != before;
            }
            Effect::Assign(to) => {
                Arc::make_mut(&mut view.conversation).assigned = Some(to.clone());
                self.conversation_changed = true;
            }
            Effect::Handoff { to, note } => {
                let conversation = Arc::make_mut(&mut view.conversation);
                conversation.silenced = true;
                if to.is_some() {
                    conversation.assigned.clone_from(to);
                }
                self.conversation_changed = true;
                if let Some(text) = note {
                    self.notes.push(NewNote { by: format!("run/{run}"), text: text.clone(), marked: decided.marked });
                }
            }
            Effect::Set { name, value } => {
                let contact = Arc::make_mut(&mut view.contact);
                if !contact.attributes.is_object() {
                    contact.attributes = serde_json::Value::Object(serde_json::Map::new());
                }
                if let Some(attributes) = contact.attributes.as_object_mut() {
                    attributes.insert(name.clone(), value.clone());
                }
                self.contact_changed = true;
            }
            Effect::Note(text) => {
                self.notes.push(NewNote { by: format!("run/{run}"), text: text.clone(), marked: decided.marked });
            }
            Effect::State { scope, key, value, ttl } => self.state.push(StateWrite {
                scope: *scope,
                key: key.clone(),
                value: value.clone(),
                until: ttl.map(|ttl| now + ttl),
                marked: decided.marked,
            }),
            Effect::Emit { name, data } => {
                let internal = Internal {
                    cause: Cause::Custom,
                    name: name.clone(),
                    data: data.clone(),
                    marked: decided.marked,
                    hops: kept.event.hops() + 1,
                };
                let key = format!("emit:{run}:{}:{}", decided.path, decided.n);
                self.raise(engine, internal, key, view);
            }
            // It waited in the run for a person, and comes as a reply.
            Effect::Draft(_) => tracing::error!(%run, step = %decided.path, "a draft that nobody approved was decided"),
        }
    }

    /// A fact of the workspace's own came of it, in this conversation. Its key names what raised it.
    pub(crate) fn raise(&mut self, engine: &Engine, internal: Internal, dedupe_key: String, view: &View) {
        let now = engine.clock.now();
        let event = Event {
            dedupe_key,
            account: None,
            thread: view.conversation_ref.as_ref().map(|c| c.thread.clone()),
            sender: None,
            at: now,
            trigger: true,
            body: EventBody::Internal(internal),
            extra: None,
        };
        self.raised.push(Raised { webhook: engine.ids.next(now), id: engine.ids.next(now), event });
    }

    /// Notes in the conversation that a run waits there for this, or, without one, that it does not.
    pub(crate) fn waits(&mut self, run: Id, kind: Option<&str>, view: &mut View) {
        let stands = view.conversation.waits.iter().position(|w| w.run == run);
        match (stands, kind) {
            (None, None) => return,
            (Some(at), Some(kind)) if view.conversation.waits.get(at).is_some_and(|w| w.kind == kind) => return,
            _ => {}
        }
        let waits = &mut Arc::make_mut(&mut view.conversation).waits;
        waits.retain(|w| w.run != run);
        waits.extend(kind.map(|kind| Waits { run, kind: kind.to_owned() }));
        // Ids are in the order of time: the oldest run is asked first.
        waits.sort_by_key(|w| w.run);
        self.conversation_changed = true;
    }

    fn send(
        &mut self,
        engine: &Engine,
        (run, workflow): (Id, &str),
        kept: &KeptEvent,
        decided: &Decided,
        view: &View,
        operation: Operation,
    ) {
        let Some(conversation) = &view.conversation_ref else {
            tracing::error!(run = %run, step = %decided.path, "a run outside of any conversation decided to say something");
            return;
        };
        let now = engine.clock.now();
        // The first send of an idle conversation leaves at once: its intent is part of this commit.
        let at_once = self.sends.is_empty() && engine.outbox.idle(conversation, now) && engine.store.holds(conversation.id.0);
        self.sends.push(NewSend {
            id: engine.ids.next(now),
            run,
            path: decided.path.clone(),
            n: decided.n,
            key: key(kept.id, conversation.id, workflow, &decided.path, decided.n),
            state: if at_once { SendState::Sending } else { SendState::Ready },
            due: now,
            operation,
            marked: decided.marked,
            approval: decided.approval.clone(),
        });
    }

    /// Moves the rows into the commit; returns the sends as the outbox takes them.
    pub(crate) fn into_decide(self, view: View, kept: &KeptEvent, decide: &mut Decide) -> Vec<SendRow> {
        let rows = self.sends.iter().map(|send| row(send, &view, kept)).collect();
        decide.sends = self.sends;
        decide.notes = self.notes;
        decide.state = self.state;
        decide.raised = self.raised;
        decide.conversation_body = self.conversation_changed.then(|| (*view.conversation).clone());
        decide.contact_body = self.contact_changed.then(|| (*view.contact).clone());
        rows
    }
}

impl Engine {
    /// Puts a fact that was just committed into its lane. `cause` is the event that led to it.
    pub(crate) fn take_up_raised(&self, cause: &KeptEvent, raised: Id) {
        self.enqueue_written(cause.workspace, raised, lane_of(cause.workspace, cause.conversation.as_ref()));
    }
}

/// A new send as the store will give it back.
fn row(send: &NewSend, view: &View, kept: &KeptEvent) -> SendRow {
    SendRow {
        workspace: kept.workspace,
        id: send.id,
        channel: view.conversation_ref.as_ref().map_or(kept.channel, |c| c.channel),
        conversation: view.conversation_ref.clone(),
        run: send.run,
        path: send.path.clone(),
        n: send.n,
        key: send.key.clone(),
        state: send.state,
        due: send.due,
        attempt: u32::from(send.state == SendState::Sending),
        possible_duplicate: false,
        marked: send.marked,
        provider_ids: Vec::new(),
        reason: None,
        operation: send.operation.clone(),
        approval: send.approval.clone(),
    }
}

/// The idempotency key of an effect: from what caused it and where it stands, so that a run that is repeated after a crash
/// makes the same one. It begins with the event's id, so keys grow with time.
fn key(event: Id, conversation: Id, workflow: &str, path: &str, n: u32) -> String {
    let mut hash: u64 = 0xcbf2_9ce4_8422_2325;
    let bytes = conversation
        .0
        .to_be_bytes()
        .into_iter()
        .chain(workflow.bytes())
        .chain([0])
        .chain(path.bytes())
        .chain([0])
        .chain(n.to_be_bytes());
    for byte in bytes {
        hash = (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
    }
    format!("{:016x}{hash:016x}", event.0)
}
