//! What a step may read while it runs: the conversation that it runs in, and no other. There is no parameter by which a
//! plugin could name somebody else's (invariant 8).

use std::sync::Arc;

use async_trait::async_trait;
use moka::sync::Cache;
use pointsman_core::effect::Scope;
use pointsman_core::event::Person;
use pointsman_core::id::Id;
use pointsman_core::ports::{ConversationInfo, Refusal, Said, StepHost};
use pointsman_store::{ContactBody, ConversationBody, ConversationRef, StoreError};
use serde_json::Value;

use crate::Engine;

/// A conversation as the runs of one event see it.
#[derive(Debug, Clone)]
pub(crate) struct View {
    pub(crate) conversation_ref: Arc<ConversationRef>,
    pub(crate) conversation: Arc<ConversationBody>,
    pub(crate) contact: Arc<ContactBody>,
    /// The short word of its channel.
    pub(crate) word: Arc<str>,
}

impl View {
    /// The form that steps and expressions get.
    pub(crate) fn info(&self) -> ConversationInfo {
        ConversationInfo {
            id: self.conversation_ref.id.to_string(),
            channel: self.word.to_string(),
            contact: Person { id: self.conversation_ref.thread.clone(), ..self.contact.person.clone() },
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
        Ok(View { conversation: body, contact, conversation_ref: Arc::clone(conversation), word: word.into() })
    }
}

/// The host's side of one call.
pub(crate) struct Host {
    engine: Engine,
    view: View,
}

impl Host {
    /// A host for one call. The bodies are shared, not copied.
    pub(crate) fn new(engine: Engine, view: &View) -> Self {
        Self { engine, view: view.clone() }
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
        Ok(self.view.info())
    }

    async fn history(&self, count: u32) -> Result<Vec<Said>, Refusal> {
        let count = usize::try_from(count.min(100)).unwrap_or(100);
        self.engine.store.history(&self.view.conversation_ref, count).await.map_err(|e| unavailable(&e))
    }

    async fn state(&self, scope: Scope, key: &str) -> Result<Option<Value>, Refusal> {
        let found = self.engine.store.state_get(&self.view.conversation_ref, scope, key).await.map_err(|e| unavailable(&e))?;
        Ok(found.map(|marked| marked.value))
    }
}
