//! What somebody who asks "why" needs: things found by whatever name they go by, and rows without their words, which can be
//! told even when their contact was erased.

use std::collections::BTreeSet;

use pointsman_core::event::{Event, EventBody};
use pointsman_core::failure::Failure;
use pointsman_core::id::{Id, WorkspaceId};
use pointsman_core::journal::RunState;

use crate::Store;
use crate::db::Record;
use crate::decide::key_bytes;
use crate::park::ItemKind;
use crate::sheet::row;
use crate::types::{AuditRow, EventState, Item, KeptEvent, Result, RunFilter, RunRow, SendRow, StoreError, WebhookState};
use crate::webhook::SPAN;

/// Events that are opened one by one when no keyed hash knows a provider's id (any more).
const OPENED: i64 = 2_000;

/// Ids of events that one webhook held lie behind its own: first it is looked for within so many milliseconds.
const NEAR: i64 = 60_000;

/// A webhook, without its bytes.
#[derive(Debug, Clone, PartialEq)]
pub struct BareWebhook {
    /// Its id.
    pub id: Id,
    /// The channel it came to.
    pub channel: Id,
    /// How it stands.
    pub state: WebhookState,
    /// The rule by which it ended.
    pub rule: Option<String>,
    /// Events of it that are open.
    pub open: i64,
    /// Why it was parked.
    pub reason: Option<Failure>,
}

/// An event, without its words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BareEvent {
    /// Its id.
    pub id: Id,
    /// The webhook that held it.
    pub webhook: Id,
    /// The channel it came by.
    pub channel: Id,
    /// Its conversation.
    pub conversation: Option<Id>,
    /// `message`, `status`, `echo` ...
    pub kind: String,
    /// How it stands.
    pub state: EventState,
    /// The rule by which it ended.
    pub rule: Option<String>,
}

impl Store {
    /// Things of this name, the likeliest first: our own id, the key of a send, or a provider's id of a message, in or out.
    /// A provider's id is looked up by its keyed hash; one that is older than the hashes of events (8 to 12 days) is looked for
    /// among the last few thousand events.
    pub async fn find(&self, ws: WorkspaceId, asked: &str) -> Result<Vec<(ItemKind, Id)>> {
        if let Ok(id) = asked.parse::<Id>()
            && let Some(kind) = self.item_kind(ws, id).await?
        {
            return Ok(vec![(kind, id)]);
        }
        if asked.is_empty() {
            return Ok(Vec::new());
        }
        let mut found: Vec<(ItemKind, Id)> = Vec::new();
        let sql = "select id from send where ws=? and key=?";
        if let Some(row) = self.data.row(sql, row![ws, key_bytes(asked)]).await? {
            found.push((ItemKind::Send, row.id(0)?));
        }
        for channel in self.channels(ws).await? {
            // Those that wait for news stand in an index; the others are looked for only when it knows nothing.
            let mut send = self.waiting_for_news("select id from send", ws, channel.id, asked).await?;
            if send.is_none() {
                let name = self.provider_name(ws, channel.id, asked);
                send = self
                    .data
                    .row("select id from send where ws=? and provider_h=? and channel=?", row![ws, name, channel.id])
                    .await?;
            }
            if let Some(row) = send {
                found.push((ItemKind::Send, row.id(0)?));
            }
            // Channels make the key of a message from its id, mostly with their account before it.
            for key in [asked.to_owned(), format!("{}:{asked}", channel.account)] {
                let h = self.index.lookup_parts(ws.0, "dedupe", &[&channel.id.to_string(), &key]);
                let span = self.clock.now().div_euclid(SPAN);
                let sql = "select event from dedupe where ws=? and span in (?,?,?) and h=?";
                for row in self.data.rows(sql, row![ws, span, span - 1, span - 2, h]).await? {
                    found.push((ItemKind::Event, row.id(0)?));
                }
            }
        }
        if found.is_empty() {
            found = self.opened(ws, asked).await?;
        }
        Ok(found)
    }

    /// Looks into the last events for a message with this id of the provider's.
    async fn opened(&self, ws: WorkspaceId, asked: &str) -> Result<Vec<(ItemKind, Id)>> {
        let rest = " where ws=? and kind<>'status' order by id desc limit ?";
        let events = self.events_where(rest, &[ws.0, OPENED]).await?;
        Ok(events.iter().filter(|e| provider_id(&e.event) == Some(asked)).map(|e| (ItemKind::Event, e.id)).collect())
    }

    /// A webhook without its bytes.
    pub async fn bare_webhook(&self, ws: WorkspaceId, id: Id) -> Result<Option<BareWebhook>> {
        let sql = "select channel,state,rule,open,why from webhook where ws=? and id=?";
        let Some(row) = self.data.row(sql, row![ws, id]).await? else { return Ok(None) };
        let reason = match row.get::<Option<Vec<u8>>>(4)? {
            Some(why) => self.webhook_reason(ws, id, &why).await.ok(),
            None => None,
        };
        use WebhookState::{Done, Ignored, Kept, Parked, Unread};
        let state: i64 = row.get(1)?;
        let state = [Kept, Unread, Done, Ignored, Parked].into_iter().find(|s| *s as i64 == state);
        Ok(Some(BareWebhook {
            id,
            channel: row.id(0)?,
            state: state.ok_or_else(|| StoreError::Unreadable(format!("webhook {id} has an unknown state")))?,
            rule: row.get(2)?,
            open: row.get(3)?,
            reason,
        }))
    }

    /// An event without its words.
    pub async fn bare_event(&self, ws: WorkspaceId, id: Id) -> Result<Option<BareEvent>> {
        let sql = "select id,webhook,channel,conversation,kind,state,rule from event where ws=? and id=?";
        self.data.row(sql, row![ws, id]).await?.as_ref().map(read_event).transpose()
    }

    /// The events that a webhook held, in order.
    pub async fn events_of_webhook(&self, ws: WorkspaceId, webhook: Id) -> Result<Vec<BareEvent>> {
        let sql = "select id,webhook,channel,conversation,kind,state,rule from event where ws=? and webhook=? and id>? and id<? order by id";
        let near = webhook.0.saturating_add(NEAR << 22);
        // One that was kept unread and read much later has its events further on.
        for (from, to) in [(webhook.0, near), (near - 1, i64::MAX)] {
            let rows = self.data.rows(sql, row![ws, webhook, from, to]).await?;
            if !rows.is_empty() {
                return rows.iter().map(read_event).collect();
            }
        }
        Ok(Vec::new())
    }

    /// The event of a run, also of one whose words are gone.
    pub async fn event_of_run(&self, ws: WorkspaceId, run: Id) -> Result<Option<Id>> {
        self.run_event(ws, run).await
    }

    /// The run of a send, also of one whose words are gone.
    pub async fn run_of_send(&self, ws: WorkspaceId, send: Id) -> Result<Option<Id>> {
        let row = self.data.row("select run from send where ws=? and id=?", row![ws, send]).await?;
        row.map(|row| row.id(0)).transpose()
    }

    /// Runs as [`Store::runs`], of the workflow of this name only, whichever version.
    pub async fn runs_of_workflow(&self, ws: WorkspaceId, name: &str, filter: RunFilter, limit: usize) -> Result<Vec<RunRow>> {
        let sql = "select id from run where ws=? and workflow in (select hash from workflow where ws=? and name=?) \
                   and (cast(? as bigint) is null or state=?) and (cast(? as bigint) is null or conversation=?) \
                   and (cast(? as bigint) is null or id<?) order by id desc limit ?";
        let state = filter.state.map(|s: RunState| s as i64);
        let (conversation, before) = (filter.conversation.map(|c| c.0), filter.before.map(|b| b.0));
        let values = row![ws, ws, name.to_owned(), state, state, conversation, conversation, before, before, limit as i64];
        let rows = self.data.rows(sql, values).await?;
        let mut runs = Vec::with_capacity(rows.len());
        for row in &rows {
            runs.extend(self.runs_where(" where ws=? and id=?", &[ws.0, row.get(0)?], false).await?);
        }
        Ok(runs)
    }

    /// News about a send, as far back as its conversation is looked through: a thousand things.
    pub async fn statuses_of(&self, send: &SendRow) -> Result<Vec<KeptEvent>> {
        let Some(conversation) = &send.conversation else { return Ok(Vec::new()) };
        let ids: BTreeSet<&str> = send.provider_ids.iter().map(String::as_str).collect();
        let about = |e: &KeptEvent| match &e.event.body {
            EventBody::Status(status) => status.key.as_deref() == Some(&send.key) || ids.contains(status.message.as_str()),
            _ => false,
        };
        let items = self.timeline(conversation, usize::MAX).await?;
        Ok(items
            .into_iter()
            .filter_map(|item| match item {
                Item::Event(event) if event.id > send.id && about(&event) => Some(event),
                _ => None,
            })
            .collect())
    }

    /// What people did about a parked item: the audit's lines that name it, oldest first.
    pub async fn acts_on(&self, ws: WorkspaceId, id: Id) -> Result<Vec<AuditRow>> {
        let mut lines = self.audit_after(ws, id).await?;
        let name = id.to_string();
        let named = |detail: &str| detail.split(':').next().unwrap_or_default().split(' ').any(|word| word == name);
        lines.retain(|l| l.action.starts_with("park.") && named(&l.detail));
        Ok(lines)
    }
}

/// The provider's id of what an event tells of.
#[must_use]
pub fn provider_id(event: &Event) -> Option<&str> {
    match &event.body {
        EventBody::Message(m) | EventBody::MessageEdit(m) | EventBody::Echo(m) => m.id.as_deref(),
        EventBody::Interaction(i) => i.id.as_deref(),
        EventBody::Comment(c) | EventBody::CommentEdit(c) => Some(&c.id),
        EventBody::Review(r) => Some(&r.id),
        EventBody::Other(o) => o.id.as_deref(),
        _ => None,
    }
}

fn read_event(row: &Record) -> Result<BareEvent> {
    let id = row.id(0)?;
    let state = row.get(5)?;
    Ok(BareEvent {
        id,
        webhook: row.id(1)?,
        channel: row.id(2)?,
        conversation: Some(row.id(3)?).filter(|c| c.0 != 0),
        kind: row.get(4)?,
        state: EventState::from_stored(state).ok_or_else(|| StoreError::Unreadable(format!("event {id} has state {state}")))?,
        rule: row.get(6)?,
    })
}
