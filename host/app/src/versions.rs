//! Versions of workflows as those who look at runs need them: by content hash, read once, with the plugins of this
//! host. A version that does not load any more still has its name.

use std::collections::HashMap;
use std::sync::Arc;

use anyhow::Result;
use pointsman_core::clock::Instant;
use pointsman_core::conversation::{self, WorkspaceInfo};
use pointsman_core::event::{Person, v1};
use pointsman_core::id::WorkspaceId;
use pointsman_core::ports::{ConversationInfo, Expressions};
use pointsman_core::run;
use pointsman_core::workflow::{Published, Workflow};
use pointsman_engine::workflows::sources;
use pointsman_store::{ChannelRow, RunRow, Store, WorkflowChange, WorkflowRow};
use serde_json::Value;

use crate::bundled::Installed;
use crate::wiring;

/// A version of a workflow.
#[derive(Debug)]
pub struct Version {
    /// Its name.
    pub name: String,
    /// When it was published.
    pub at: Instant,
    /// Read; `None` when it does not load any more, mostly because a plugin is gone.
    pub workflow: Option<Arc<Workflow>>,
}

/// The versions that were looked at.
pub struct Versions {
    expressions: Arc<dyn Expressions>,
    plugins: Installed,
    known: HashMap<String, Arc<Version>>,
}

impl std::fmt::Debug for Versions {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Versions").field("known", &self.known.len()).finish_non_exhaustive()
    }
}

impl Versions {
    /// None looked at yet.
    pub async fn new(store: &Store) -> Result<Self> {
        Ok(Self { expressions: wiring::expressions(), plugins: Installed::of(store).await?, known: HashMap::new() })
    }

    fn read(&mut self, row: WorkflowRow) -> Arc<Version> {
        let read = || Workflow::parse(&sources(&row.files), &*self.expressions, &self.plugins).ok().map(Arc::new);
        let version = self.known.entry(row.hash.clone());
        Arc::clone(version.or_insert_with(|| Arc::new(Version { name: row.name, at: row.at, workflow: read() })))
    }

    /// The version of this hash, if it is kept.
    pub async fn of(&mut self, store: &Store, ws: WorkspaceId, hash: &str) -> Result<Option<Arc<Version>>> {
        if let Some(known) = self.known.get(hash) {
            return Ok(Some(Arc::clone(known)));
        }
        Ok(store.workflow(ws, hash).await?.map(|row| self.read(row)))
    }

    /// The versions that new runs take.
    pub async fn active(&mut self, store: &Store, ws: WorkspaceId) -> Result<Vec<Arc<Version>>> {
        Ok(store.active_workflows(ws).await?.into_iter().map(|row| self.read(row)).collect())
    }

    /// What went into the steps of a run, in the order of its entries: see [`run::inputs`]. Empty when its event, channel or
    /// version is gone.
    pub async fn inputs(&mut self, store: &Store, run: &RunRow) -> Result<Vec<Option<Value>>> {
        let ws = run.workspace;
        let version = self.of(store, ws, &run.workflow).await?;
        let Some(workflow) = version.and_then(|v| v.workflow.clone()) else { return Ok(Vec::new()) };
        let (Some(kept), Some(conversation)) = (store.event(ws, run.event).await?, run.conversation.clone()) else {
            return Ok(Vec::new());
        };
        let Some(channel) = store.channel(ws, kept.channel).await? else { return Ok(Vec::new()) };
        let (body, contact) = (store.conversation_body(&conversation).await?, store.contact_body(&conversation).await?);
        let info = ConversationInfo {
            id: conversation.id.to_string(),
            channel: word(&channel).to_owned(),
            contact: Person { id: conversation.thread.clone(), ..contact.person.clone() },
            tags: body.tags,
            attributes: contact.attributes,
            assigned: body.assigned,
            window_ends: None,
        };
        let house = store.workspaces().await?.into_iter().find(|w| w.id == ws);
        let house = house.map(|w| WorkspaceInfo { name: w.name, time_zone: w.time_zone, language: w.language });
        let event = v1::to_v1(&kept.event, word(&channel), &channel.account);
        let now = run.id.made_at();
        let names = conversation::names(event, conversation.contact, &info, contact.opted_out, &house.unwrap_or_default(), now);
        Ok(run::inputs(&workflow, &run.entries, &names, &*self.expressions))
    }
}

/// A stored version, read; `None` when it does not load any more.
#[must_use]
pub fn parse(files: &[(String, String)]) -> Option<Workflow> {
    Workflow::parse(&sources(files), &*wiring::expressions(), &Published).ok()
}

/// The version to which a workflow goes back: the one that was active before the present one was published. A publication
/// comes on top of what was there, a roll-back takes off what lies above its version; `None`: there is nothing below. Of a name
/// that is out of use it is the version that was active last.
#[must_use]
pub fn before(changes: &[WorkflowChange]) -> Option<&str> {
    let mut stack: Vec<&str> = Vec::new();
    let mut in_use = false;
    for change in changes {
        in_use = change.hash.is_some();
        let Some(hash) = change.hash.as_deref() else { continue };
        let back = change.action.as_deref() == Some("workflow.rollback");
        match stack.iter().rposition(|known| *known == hash).filter(|_| back) {
            Some(at) => stack.truncate(at + 1),
            None if stack.last() != Some(&hash) => stack.push(hash),
            None => {}
        }
    }
    let at = stack.len().checked_sub(if in_use { 2 } else { 1 })?;
    stack.get(at).copied()
}

/// The short word for the kind of a channel: `whatsapp`.
#[must_use]
pub fn word(channel: &ChannelRow) -> &str {
    channel.plugin.rsplit('/').next().unwrap_or(&channel.plugin)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn going_back_takes_off_what_lies_on_top_and_publishing_puts_on() {
        let check = |history: &[(&str, &str)], wanted: Option<&str>| {
            let change = |(action, hash): &(&str, &str)| WorkflowChange {
                name: "w".into(),
                at: 0,
                hash: Some((*hash).to_owned()).filter(|hash| !hash.is_empty()),
                actor: None,
                action: Some(format!("workflow.{action}")),
            };
            let changes: Vec<_> = history.iter().map(change).collect();
            assert_eq!(before(&changes), wanted, "{history:?}");
        };
        let (a, b, c) = (("publish", "a"), ("publish", "b"), ("publish", "c"));
        check(&[], None);
        check(&[a], None);
        check(&[a, b, c], Some("b"));
        check(&[a, b, c, ("rollback", "b")], Some("a"));
        check(&[a, b, c, ("rollback", "b"), ("rollback", "a")], None);
        // Forth again by its name, and on from there.
        check(&[a, b, ("rollback", "a"), ("rollback", "b")], Some("a"));
        check(&[a, b, ("rollback", "a"), c], Some("a"));
        // The same version published once more is a version of its own on top.
        check(&[a, b, a], Some("b"));
        check(&[a, b, ("retire", "")], Some("b"));
        check(&[a, b, ("retire", ""), ("rollback", "b")], Some("a"));
    }
}
