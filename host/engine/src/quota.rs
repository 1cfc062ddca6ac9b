//! How much a step may leave behind. The attacks that stop here: a step, or a contact whose words a step takes for keys, that fills the
//! store with a million keys, or makes a contact so large that every message of hers costs megabytes. What a conversation or a
//! contact can hold is bounded for good, not by the call; a step that wants more fails, and nothing of it is done.

use std::collections::BTreeSet;

use pointsman_core::effect::{Effect, Scope};
use pointsman_core::failure::{Class, Failure};
use pointsman_core::id::WorkspaceId;
use pointsman_core::ports::StepEnd;
use pointsman_store::StoreError;
use serde_json::Value;

use crate::Engine;
use crate::step::View;

/// Keys of one conversation's or contact's memory.
const KEYS: usize = 1_000;

/// Keys of a workspace's memory.
const KEYS_OF_ALL: usize = 100_000;

/// Bytes of all attributes of a contact, as JSON.
const ATTRIBUTES: usize = 64 << 10;

/// Tags of a conversation.
const TAGS: usize = 100;

impl Engine {
    /// The end of a step, which is a failure where it wants more kept than there is room for.
    pub(crate) async fn within_quota(&self, ws: WorkspaceId, view: &View, end: StepEnd) -> StepEnd {
        if end.effects.is_empty() {
            return end;
        }
        let full = match bodies(view, &end.effects) {
            Some(failure) => Some(failure),
            None => self.memories(ws, view, &end.effects).await.unwrap_or_else(|error| {
                tracing::error!(%error, "whether a step may write cannot be told");
                Some(Failure::new(Class::Transient, "store.unread", "the store did not answer; it is tried again"))
            }),
        };
        match full {
            Some(failure) => StepEnd { result: Err(failure), effects: Vec::new(), reads: Vec::new(), ..end },
            None => end,
        }
    }

    async fn memories(&self, ws: WorkspaceId, view: &View, effects: &[Effect]) -> Result<Option<Failure>, StoreError> {
        let conversation = view.conversation_ref.as_deref();
        for (scope, most) in [(Scope::Conversation, KEYS), (Scope::Contact, KEYS), (Scope::Workspace, KEYS_OF_ALL)] {
            let keys: BTreeSet<&str> = effects
                .iter()
                .filter_map(|effect| match effect {
                    Effect::State { scope: s, key, value: Some(_), .. } if *s == scope => Some(key.as_str()),
                    _ => None,
                })
                .collect();
            // A memory that a run outside of any conversation does not have is refused before.
            if keys.is_empty() || (conversation.is_none() && scope != Scope::Workspace) {
                continue;
            }
            let there = self.store.state_keys(ws, conversation, scope, most).await?;
            // Far from full, as nearly always.
            if there + keys.len() <= most {
                continue;
            }
            let mut new = 0;
            for key in keys {
                let stands = match conversation {
                    Some(conversation) => self.store.state_get(conversation, scope, key).await?,
                    None => self.store.state_of_workspace(ws, key).await?,
                };
                new += usize::from(stands.is_none());
            }
            if there + new > most {
                return Ok(Some(Failure::limit(
                    "state",
                    format!(
                        "this memory has {there} keys and may have {most}; delete what is done with, or give it a time to live"
                    ),
                )));
            }
        }
        Ok(None)
    }
}

/// What stands in the bodies of contact and conversation, which are read with every message.
fn bodies(view: &View, effects: &[Effect]) -> Option<Failure> {
    let attributes: usize = effects
        .iter()
        .map(|effect| match effect {
            Effect::Set { name, value } => name.len() + value.to_string().len() + 4,
            _ => 0,
        })
        .sum();
    // What is set again counts twice for once: the bound is for who adds without end.
    if attributes > 0 && attributes + size(&view.contact.attributes) > ATTRIBUTES {
        let text = format!("the attributes of a contact have {} KiB at most; set fewer or shorter ones", ATTRIBUTES >> 10);
        return Some(Failure::limit("attributes", text));
    }
    let tags = &view.conversation.tags;
    let added: BTreeSet<&String> = effects
        .iter()
        .filter_map(|effect| match effect {
            Effect::Tag(tag) if !tags.contains(tag) => Some(tag),
            _ => None,
        })
        .collect();
    (!added.is_empty() && tags.len() + added.len() > TAGS)
        .then(|| Failure::limit("tags", format!("a conversation has {TAGS} tags at most; take off those that are done with")))
}

fn size(attributes: &Value) -> usize {
    if attributes.is_null() { 0 } else { attributes.to_string().len() }
}
