//! What a step may read while it runs: the conversation that it runs in, and no other. There is no parameter by which a
//! plugin could name somebody else's (invariant 8).

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use moka::sync::Cache;
use parking_lot::Mutex;
use pointsman_broker::{EgressError, StoredCredential};
use pointsman_core::effect::Scope;
use pointsman_core::event::Person;
use pointsman_core::failure::{Class, Failure};
use pointsman_core::id::{Id, WorkspaceId};
use pointsman_core::model::{Completion, Prompt};
use pointsman_core::permission::Permission;
use pointsman_core::ports::{ConversationInfo, HttpRequest, HttpResponse, Passage, Refusal, Said, StepHost};
use pointsman_manifest::Manifest;
use pointsman_store::{ContactBody, ConversationBody, ConversationRef, SpendFor, StoreError};
use serde_json::{Value, json};

use crate::Engine;
use crate::channels::sealed;
use crate::channels::sized;
use crate::knowledge::{Answer, By, Ranked};
use crate::model::{AskedAt, Asker};

/// A conversation as the runs of one event see it.
#[derive(Debug, Clone)]
pub(crate) struct View {
    /// `None`: its run is outside of any.
    pub(crate) conversation_ref: Option<Arc<ConversationRef>>,
    pub(crate) conversation: Arc<ConversationBody>,
    pub(crate) contact: Arc<ContactBody>,
    /// The short word of its channel.
    pub(crate) word: Arc<str>,
}

impl View {
    /// Of a run outside of any conversation.
    pub(crate) fn homeless() -> Self {
        Self { conversation_ref: None, conversation: Arc::default(), contact: Arc::default(), word: "".into() }
    }

    /// The form that steps and expressions get.
    pub(crate) fn info(&self) -> ConversationInfo {
        let (id, thread) = self.conversation_ref.as_ref().map_or_else(Default::default, |c| (c.id.to_string(), c.thread.clone()));
        ConversationInfo {
            id,
            channel: self.word.to_string(),
            contact: Person { id: thread, ..self.contact.person.clone() },
            tags: self.conversation.tags.clone(),
            attributes: self.contact.attributes.clone(),
            assigned: self.conversation.assigned.clone(),
            window_ends: None,
        }
    }
}

/// The bodies of conversations and contacts that were looked at last. Only their own lane changes them, through
/// [`Bodies::put`], so what stands here is what stands on disk.
#[derive(Debug)]
pub(crate) struct Bodies {
    conversations: Cache<Id, Arc<ConversationBody>>,
    contacts: Cache<Id, Arc<ContactBody>>,
}

impl Bodies {
    /// At most `count` of each.
    pub(crate) fn new(count: u64) -> Self {
        Self { conversations: Cache::new(count), contacts: Cache::new(count) }
    }

    /// Forgets what an erased contact said.
    pub(crate) fn forget(&self, conversation: &ConversationRef) {
        self.conversations.invalidate(&conversation.id);
        self.contacts.invalidate(&conversation.contact);
    }

    /// Forgets all: somebody else wrote.
    pub(crate) fn forget_all(&self) {
        self.conversations.invalidate_all();
        self.contacts.invalidate_all();
    }

    /// What was just committed.
    pub(crate) fn put(
        &self,
        conversation: &ConversationRef,
        body: Option<Arc<ConversationBody>>,
        contact: Option<Arc<ContactBody>>,
    ) {
        if let Some(body) = body {
            self.conversations.insert(conversation.id, body);
        }
        if let Some(contact_body) = contact {
            self.contacts.insert(conversation.contact, contact_body);
        }
    }
}

impl Engine {
    pub(crate) async fn view(&self, conversation: &Arc<ConversationRef>, word: &str) -> Result<View, StoreError> {
        let body = match self.bodies.conversations.get(&conversation.id) {
            Some(body) => body,
            None => {
                let body = Arc::new(self.store.conversation_body(conversation).await?);
                self.bodies.put(conversation, Some(body.clone()), None);
                body
            }
        };
        let contact = match self.bodies.contacts.get(&conversation.contact) {
            Some(contact) => contact,
            None => {
                let contact = Arc::new(self.store.contact_body(conversation).await?);
                self.bodies.put(conversation, None, Some(contact.clone()));
                contact
            }
        };
        Ok(View { conversation: body, contact, conversation_ref: Some(Arc::clone(conversation)), word: word.into() })
    }
}

/// The host's side of one call.
pub(crate) struct Host {
    engine: Engine,
    workspace: WorkspaceId,
    view: View,
    /// Who calls; `None`: a script.
    plugin: Option<Arc<str>>,
    denied: Mutex<Vec<Permission>>,
    of: CallOf,
    /// Questions to models so far.
    asked: AtomicU32,
}

/// For whom a step is called.
pub(crate) struct CallOf {
    pub(crate) run: Id,
    pub(crate) event: Id,
    /// The workflow's name.
    pub(crate) workflow: Arc<str>,
    /// The same, with the way of calls that led to it.
    pub(crate) scope: Arc<str>,
    /// Whether a person began the run.
    pub(crate) by_person: bool,
    /// The step's path.
    pub(crate) path: Arc<str>,
    /// Of the step.
    pub(crate) attempt: u32,
    /// What the step was told in this leg and before it, and the entries of the run's journal that are on disk: when the leg is played
    /// again, they are as many.
    pub(crate) known: (usize, usize),
}

/// Denials of one call that are told.
const DENIALS: usize = 16;

/// For how many milliseconds a request waits for its turn, where it does not say how long it has.
const PATIENCE: u64 = 5_000;

impl Host {
    /// A host for one call of a run. The bodies are shared, not copied.
    pub(crate) fn new(engine: Engine, workspace: WorkspaceId, view: &View, plugin: Option<Arc<str>>, of: CallOf) -> Self {
        Self { engine, workspace, view: view.clone(), plugin, denied: Mutex::default(), of, asked: AtomicU32::new(0) }
    }

    /// What it was not let do, each thing once.
    pub(crate) fn take_denied(&self) -> Vec<Permission> {
        std::mem::take(&mut *self.denied.lock())
    }

    fn asker(&self) -> Asker {
        let contact = self.view.conversation_ref.as_ref().map(|conversation| conversation.contact);
        let CallOf { run, event, ref workflow, ref scope, by_person, ref path, attempt, known } = self.of;
        let of = SpendFor { workspace: self.workspace, workflow: workflow.to_string(), contact, run };
        let number = self.asked.fetch_add(1, Ordering::Relaxed);
        let name = format!("{scope}/{path}#{attempt}.{}.{}.{number}", known.0, known.1);
        let place = Some(AskedAt { event, name, conversation: self.view.conversation_ref.clone() });
        Asker { of, by_person, place }
    }
}

/// The store's own words may hold details of the house; a guest hears only that it did not work.
fn unavailable(error: &StoreError) -> Refusal {
    tracing::error!(%error, "a step's read failed");
    Refusal::Unavailable("the host's store did not answer; trying later may help".to_owned())
}

#[async_trait]
impl StepHost for Host {
    async fn conversation(&self) -> Result<ConversationInfo, Refusal> {
        if self.view.conversation_ref.is_none() {
            return Err(Refusal::Invalid("this run is outside of any conversation".to_owned()));
        }
        Ok(self.view.info())
    }

    async fn history(&self, count: u32) -> Result<Vec<Said>, Refusal> {
        let count = usize::try_from(count.min(100)).unwrap_or(100);
        match &self.view.conversation_ref {
            Some(conversation) => self.engine.store.history(conversation, count).await.map_err(|e| unavailable(&e)),
            None => Ok(Vec::new()),
        }
    }

    async fn state(&self, scope: Scope, key: &str) -> Result<Option<Value>, Refusal> {
        let store = &self.engine.store;
        let found = match (&self.view.conversation_ref, scope) {
            (Some(conversation), _) => store.state_get(conversation, scope, key).await,
            (None, Scope::Workspace) => store.state_of_workspace(self.workspace, key).await,
            (None, _) => {
                let sentence = "this run is outside of any conversation; only the workspace has a memory here";
                return Err(Refusal::Invalid(sentence.to_owned()));
            }
        };
        let found = found.map_err(|e| unavailable(&e))?;
        Ok(found.map(|marked| marked.value))
    }

    async fn search(&self, base: &str, query: &str, count: u32) -> Result<Vec<Passage>, Refusal> {
        let count = usize::try_from(count).unwrap_or_default();
        match self.engine.library.search_for(&self.asker(), base, query, count, By::Both).await {
            Ok(answer) => Ok(passages(answer)),
            Err(failure) if failure.code == "knowledge.unknown" => {
                Err(Refusal::Invalid(format!("{}: {}", failure.code, failure.message)))
            }
            Err(failure) => {
                tracing::error!(code = failure.code, message = failure.message, "a step's search failed");
                Err(Refusal::Unavailable("the knowledge of this house cannot be searched at the moment".to_owned()))
            }
        }
    }

    async fn request(&self, asks: &Manifest, request: HttpRequest) -> Result<HttpResponse, Refusal> {
        let id = self.plugin.as_deref().unwrap_or(asks.id.as_str());
        let stored = self.engine.store.plugin_secrets(self.workspace, id).await.map_err(|e| unavailable(&e))?;
        let credentials: Vec<StoredCredential> = stored.into_iter().map(sealed).collect();
        let package = self.engine.catalog.package(id);
        let among = package.as_ref().and_then(|package| package.workspace(self.workspace));
        let cure = |slot: &str| {
            let among = among.map(|name| format!(" --workspace {name}")).unwrap_or_default();
            format!("`pointsman plugin secret {id} {slot}{among}` stores it")
        };
        if let Some(used) = request.credentials.iter().find(|used| !credentials.iter().any(|c| c.slot == used.slot)) {
            let refused =
                format!("denied.credential: no secret stands in the slot `{}` of {id}; {}", used.slot, cure(&used.slot));
            return Err(Refusal::Denied(refused));
        }
        // Plain http leads only where the operator opened it: `[egress] allow_private`.
        let sites = &asks.capabilities.http;
        let origins: Vec<String> = sites.iter().flat_map(|site| [site.origin(), format!("http://{}", site.host)]).collect();
        let patience = Duration::from_millis(request.timeout.map_or(PATIENCE, i64::unsigned_abs));
        let leave = self.engine.places.enter(self.workspace, &request, self.engine.clock.now(), patience).await?;
        if let Some(plugin) = &self.plugin {
            self.engine.ledger.sent(self.workspace, plugin, sized(&request));
        }
        let sent = self.engine.broker.send_among(&request, &credentials, &asks.slots(), &origins).await;
        drop(leave);
        let outcome = if sent.is_ok() { "answered" } else { "refused" };
        metrics::counter!("pointsman_step_requests_total", "outcome" => outcome).increment(1);
        match sent {
            Ok(answer) => Ok(answer),
            Err(EgressError::Refused(failure)) => {
                self.engine.tell_refused(self.workspace, id, &failure).await;
                let slot = request.credentials.first().filter(|_| failure.code == "denied.credential");
                let anew =
                    slot.map(|used| format!("; for the hosts of this version {} anew", cure(&used.slot))).unwrap_or_default();
                Err(match failure.class {
                    Class::Denied => Refusal::Denied(format!("{failure}{anew}")),
                    Class::Limit => Refusal::Limit(failure.code),
                    _ => Refusal::Invalid(failure.to_string()),
                })
            }
            Err(EgressError::NotSent(failure)) => Err(Refusal::Unavailable(failure.to_string())),
            Err(EgressError::Lost(why)) => Err(Refusal::Unavailable(format!("http.lost: {why}; it may have been done"))),
        }
    }

    fn withheld(&self, permission: &Permission) -> Option<String> {
        let id = self.plugin.as_ref()?;
        self.engine.catalog.package(id)?.withheld(id, self.workspace, permission)
    }

    fn denied(&self, permission: &Permission) {
        let mut denied = self.denied.lock();
        if denied.len() < DENIALS && !denied.contains(permission) {
            denied.push(permission.clone());
        }
    }

    async fn chat(&self, prompt: Prompt) -> Result<Completion, Failure> {
        self.engine.models.chat(self.asker(), prompt).await
    }

    async fn embed(&self, model: Option<String>, texts: Vec<String>) -> Result<Vec<Vec<f32>>, Failure> {
        self.engine.models.embed(self.asker(), model, texts).await
    }
}

/// What was found, as steps get it.
fn passages(answer: Answer) -> Vec<Passage> {
    let (confidence, found) = (answer.confidence, answer.found());
    let one = |(n, ranked): (usize, Ranked)| {
        let source = ranked.citation();
        let Ranked { passage, share, quote, .. } = ranked;
        let mut extra = json!({
            "id": passage.id, "headings": passage.headings, "language": passage.language.code(), "quote": quote,
        });
        if let Some(extra) = extra.as_object_mut().filter(|_| n == 0) {
            extra.insert("confidence".to_owned(), json!(confidence));
            extra.insert("found".to_owned(), json!(found));
        }
        Passage { text: passage.text, source, score: share, extra: Some(extra) }
    };
    answer.passages.into_iter().enumerate().map(one).collect()
}
