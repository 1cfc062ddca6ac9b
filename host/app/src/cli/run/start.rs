//! `pointsman run start`: a person starts a workflow whose `on` has `manual`. The fact is kept with a line in the audit; a running
//! host hears it within a second, and without one the next start takes it up.

use std::process::ExitCode;

use anyhow::{Context as _, Result, bail};
use pointsman_core::event::{Cause, Event, EventBody, Internal};
use pointsman_core::id::Id;
use pointsman_core::trigger::TriggerKind;
use pointsman_store::Store;
use serde_json::{Value, json};

use super::Context;
use crate::versions::parse;
use crate::wiring::FIRST_WORKSPACE;

/// Bytes of what may be handed over.
const DATA: usize = 64 << 10;

pub(super) async fn start(
    context: &Context,
    store: &Store,
    name: &str,
    conversation: Option<Id>,
    with: Option<&str>,
) -> Result<ExitCode> {
    let row = store.active_workflows(FIRST_WORKSPACE).await?.into_iter().find(|row| row.name == name);
    let Some(row) = row else {
        bail!("workflow.unknown: no workflow `{name}` is active; `pointsman workflow list` names them");
    };
    let Some(workflow) = parse(&row.files) else {
        bail!("workflow.broken: `{name}` does not load; publish it again and see what is told");
    };
    if !workflow.on.iter().any(|trigger| trigger.kind == TriggerKind::Manual) {
        bail!("workflow.not_manual: nobody may start `{name}` by hand; add `manual` to its `on` and publish it");
    }
    let data = with.map_or_else(|| Ok(json!({})), serde_json::from_str::<Value>).context("--with: no JSON")?;
    if data.to_string().len() > DATA {
        bail!("limit.event_data: --with may have {DATA} bytes; give a name by which the workflow finds the rest");
    }
    let to = match conversation {
        Some(id) => {
            let found = store.conversation(FIRST_WORKSPACE, id).await?;
            Some(found.with_context(|| format!("conversation.unknown: there is no conversation {id}"))?)
        }
        None => None,
    };
    let now = store.channel_id();
    let event = Event {
        dedupe_key: format!("manual:{now}"),
        account: None,
        thread: to.as_ref().map(|conversation| conversation.thread.clone()),
        sender: None,
        at: now.made_at(),
        trigger: true,
        body: EventBody::Internal(Internal { cause: Cause::Manual, name: name.to_owned(), data, marked: false, hops: 1 }),
        extra: None,
    };
    let event = store.raise_by_hand(FIRST_WORKSPACE, to, event, "cli", "run.start").await?;
    context.answer(&json!({ "event": event, "workflow": name, "conversation": conversation, "done": true }), || {
        format!("`{name}` is started; what becomes of it: pointsman why {event}")
    });
    Ok(ExitCode::SUCCESS)
}
