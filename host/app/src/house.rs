//! The engine as the web sees it: requests of providers go to the line, questions to the store. What is shown here is for
//! the operator; tokens are not among it, for the store holds only their envelopes.

use std::sync::Arc;

use async_trait::async_trait;
use pointsman_core::event::EventBody;
use pointsman_core::id::{Id, WorkspaceId};
use pointsman_core::journal::Entry;
use pointsman_core::limits::{Limits, WEBHOOK_BODY};
use pointsman_core::ports::Operation;
use pointsman_core::workflow::Workflow;
use pointsman_engine::Engine;
use pointsman_store::{Caps, Item, RunFilter, RunRow, StoreError};
use pointsman_web::{Answered, House, Incoming, Question, Trouble};
use serde_json::{Value, json};

use crate::config::Http;
use crate::spend::Ledger;
use crate::trends;
use crate::why;
use crate::wiring::FIRST_WORKSPACE;

/// Milliseconds of a tick, by which a step's own time is measured.
const TICK: u32 = 5;

/// The house behind the two routers.
#[derive(Debug)]
pub struct EngineHouse {
    engine: Engine,
    http: Http,
    caps: Caps,
}

impl EngineHouse {
    /// A house with this engine, which holds to these caps.
    #[must_use]
    pub fn new(engine: Engine, http: Http, caps: Caps) -> Self {
        Self { engine, http, caps }
    }
}

fn trouble(error: StoreError) -> Trouble {
    match error {
        StoreError::Missing(what) => Trouble::Missing(what.to_owned()),
        other => Trouble::Unavailable(other.to_string()),
    }
}

fn id(text: &str) -> Result<Id, Trouble> {
    text.parse().map_err(|_| Trouble::Invalid("id.invalid".to_owned(), "an id is a number in decimal digits".to_owned()))
}

#[async_trait]
impl House for EngineHouse {
    async fn receive(&self, incoming: Incoming) -> Answered {
        let query = url::form_urlencoded::parse(incoming.query.as_bytes()).into_owned().collect();
        let answer = self
            .engine
            .receive(pointsman_engine::Incoming {
                channel: incoming.channel,
                method: incoming.method,
                path: incoming.path,
                query,
                headers: incoming.headers,
                body: incoming.body,
            })
            .await;
        Answered { status: answer.status, headers: answer.headers, body: answer.body }
    }

    fn body_limit(&self, channel: &str) -> usize {
        let channel = channel.parse().ok().and_then(|id| self.engine.catalog.channel(id));
        channel.and_then(|c| c.plugin.manifest.webhook.as_ref().map(|w| w.body_limit)).unwrap_or(WEBHOOK_BODY)
    }

    async fn ready(&self) -> Result<(), String> {
        self.engine.store().workspaces().await.map(drop).map_err(|e| e.to_string())
    }

    async fn ask(&self, question: Question) -> Result<Value, Trouble> {
        let (store, ws) = (self.engine.store(), FIRST_WORKSPACE);
        Ok(match question {
            Question::Runs { conversation, limit } => {
                let conversation = conversation.as_deref().map(id).transpose()?;
                let filter = RunFilter { conversation, ..RunFilter::default() };
                let runs = store.runs(ws, filter, limit as usize).await.map_err(trouble)?;
                Value::Array(
                    runs.iter().map(|r| run_json(r, self.workflow(ws, &r.workflow).as_ref().map(|w| &*w.name))).collect(),
                )
            }
            Question::Run(run) => {
                let run = store.run(ws, id(&run)?).await.map_err(trouble)?.ok_or_else(|| Trouble::Missing("run".to_owned()))?;
                let workflow = self.workflow(ws, &run.workflow);
                let mut shown = run_json(&run, workflow.as_ref().map(|w| &*w.name));
                add_steps(&mut shown, &run, workflow.as_deref());
                add_inputs(&mut shown, self.engine.inputs(&run).await.map_err(trouble)?);
                shown
            }
            Question::Conversations { limit } => {
                let rows = store.conversations(ws, limit as usize).await.map_err(trouble)?;
                let shown = |row: &pointsman_store::ConversationRow| {
                    json!({
                        "id": row.conversation.id, "channel": row.conversation.channel, "contact": row.contact.person.name,
                        "peer": row.conversation.thread,
                        "last_at": row.last_at, "tags": row.body.tags, "assigned": row.body.assigned,
                    })
                };
                Value::Array(rows.iter().map(shown).collect())
            }
            Question::Messages { conversation, limit } => {
                let conversation = store.conversation(ws, id(&conversation)?).await.map_err(trouble)?;
                let conversation = conversation.ok_or_else(|| Trouble::Missing("conversation".to_owned()))?;
                let items = store.timeline(&conversation, limit as usize).await.map_err(trouble)?;
                Value::Array(items.iter().filter_map(message_json).collect())
            }
            Question::Trends { weeks } => {
                let now = self.engine.now();
                let felt = store.trends(ws, trends::since(weeks, now)).await.map_err(trouble)?;
                let channels = store.channels(ws).await.map_err(trouble)?;
                Value::Array(trends::weeks(&felt, &channels).iter().map(trends::json).collect())
            }
            Question::Spend { limit } => {
                let (now, rows) = (self.engine.now(), limit as usize);
                Ledger::read(store, ws, self.caps, now, rows).await.map_err(trouble)?.largest(rows).json()
            }
            Question::Books => serde_json::to_value(store.books(ws).await.map_err(trouble)?).unwrap_or_default(),
            Question::Parked => serde_json::to_value(store.parked(ws, 200).await.map_err(trouble)?).unwrap_or_default(),
            Question::Channels => {
                let rows = store.channels(ws).await.map_err(trouble)?;
                let shown = |c: &pointsman_store::ChannelRow| {
                    let hook = self.http.hook_url(&c.id.to_string());
                    json!({ "id": c.id, "plugin": c.plugin, "name": c.name, "hook_url": hook, "state": c.state })
                };
                Value::Array(rows.iter().map(shown).collect())
            }
            Question::Workflows => {
                let routes = self.engine.catalog.routes(ws);
                let shown =
                    |w: &Arc<Workflow>| json!({ "name": &*w.name, "hash": &**w.content_hash(), "description": w.description });
                Value::Array(routes.workflows.iter().map(shown).collect())
            }
        })
    }
}

impl EngineHouse {
    /// The version of a run, where it is an active one.
    fn workflow(&self, workspace: WorkspaceId, hash: &str) -> Option<Arc<Workflow>> {
        let routes = self.engine.catalog.routes(workspace);
        routes.workflows.iter().find(|w| &**w.content_hash() == hash).map(Arc::clone)
    }
}

/// A run in a list.
#[must_use]
pub fn run_json(run: &RunRow, workflow: Option<&str>) -> Value {
    let mut shown = json!({
        "id": run.id, "workflow": workflow, "version": run.workflow, "state": run.state, "event": run.event,
        "conversation": run.conversation.as_ref().map(|c| c.id), "began": run.id.made_at(),
        "waiting": run.waiting, "until": run.until, "reason": run.reason,
    });
    // A list has no journals, and this stands there.
    if let (Some(caller), Some(object)) = (why::caller(run), shown.as_object_mut()) {
        object.insert("called_by".to_owned(), json!({ "run": caller.run, "place": caller.place }));
    }
    shown
}

/// Adds the steps of a run: what each gave and decided, and, where its version is at hand, its verb.
pub fn add_steps(shown: &mut Value, run: &RunRow, workflow: Option<&Workflow>) {
    let steps: Vec<Value> = run.entries.iter().map(|entry| step_json(entry, workflow)).collect();
    if let Some(object) = shown.as_object_mut() {
        object.insert("steps".to_owned(), Value::Array(steps));
    }
}

/// Adds what went into each step, where it can be told, and the limits that steps have.
pub fn add_inputs(shown: &mut Value, inputs: Vec<Option<Value>>) {
    let steps = shown.get_mut("steps").and_then(Value::as_array_mut);
    for (step, input) in steps.into_iter().flatten().zip(inputs) {
        // In the journal stands the hash of it.
        if let Some(step) = step.as_object_mut() {
            step.insert("input".to_owned(), input.unwrap_or_default());
        }
    }
    let limits =
        json!({ "wall_ms": Limits::STEP.wall, "cpu_ms": Limits::STEP.cpu, "tick_ms": TICK, "memory": Limits::STEP.memory });
    if let Some(object) = shown.as_object_mut() {
        object.insert("limits".to_owned(), limits);
    }
}

fn step_json(entry: &Entry, workflow: Option<&Workflow>) -> Value {
    let mut shown = serde_json::to_value(entry).unwrap_or_default();
    let verb = match entry {
        Entry::StepDone { path, .. } | Entry::StepFailed { path, .. } => workflow.and_then(|w| w.verb_at(path)),
        _ => None,
    };
    if let (Some(verb), Some(object)) = (verb, shown.as_object_mut()) {
        object.insert("verb".to_owned(), Value::from(verb));
    }
    shown
}

fn message_json(item: &Item) -> Option<Value> {
    match item {
        Item::Event(kept) => {
            // A pressed button does not always come with its words.
            let pressed = match &kept.event.body {
                EventBody::Interaction(interaction) => Some(interaction.payload.as_str()),
                _ => None,
            };
            let said = kept.event.text().or(pressed)?;
            let provider_id = match &kept.event.body {
                EventBody::Message(message) => message.id.as_deref(),
                EventBody::Interaction(interaction) => interaction.id.as_deref(),
                _ => None,
            };
            Some(json!({
                "id": kept.id, "by": "contact", "at": kept.at, "text": said, "state": kept.state, "rule": kept.rule,
                "provider_id": provider_id,
            }))
        }
        Item::Send(send) => {
            let (text, choices) = match &send.operation {
                Operation::Send(m) => (m.text.clone(), m.choices.iter().map(|c| c.title.clone()).collect()),
                Operation::SendTemplate(t) => (Some(format!("template {}", t.name)), Vec::new()),
                _ => (None, Vec::<String>::new()),
            };
            Some(json!({
                "id": send.id, "by": "bot", "at": send.id.made_at(), "text": text, "choices": choices, "state": send.state,
                "attempt": send.attempt, "reason": send.reason, "possible_duplicate": send.possible_duplicate,
                "run": send.run, "key": send.key, "provider_ids": send.provider_ids,
            }))
        }
    }
}
