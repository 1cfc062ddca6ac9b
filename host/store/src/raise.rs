//! Facts of the workspace's own: no provider told them. Those of a run are kept with the decision that raised them, so they
//! are there exactly when that is; those of a person stand there as if retried, so that a running host hears the bell and takes
//! them up. Each has a webhook without bytes, so that the books know it like any other.
//!
//! They stand in no timeline: nothing was said.

use std::sync::Arc;

use pointsman_core::event::Event;
use pointsman_core::id::{Id, WorkspaceId};

use crate::Store;
use crate::conversation::ConversationRef;
use crate::op::{Op, Row};
use crate::park::RETRIED;
use crate::sheet::{Arg, Sheet, row};
use crate::types::{EventState, Raised, Result, WebhookState};

impl Store {
    /// Adds the rows of a fact to the operation that raises it.
    pub(crate) async fn raise(
        &self,
        op: &mut Op,
        ws: WorkspaceId,
        to: Option<&Arc<ConversationRef>>,
        raised: &Raised,
    ) -> Result<()> {
        let (webhook, event) = self.raised_rows(ws, to, raised, None).await?;
        op.rows.push(Row::new(Sheet::Webhook, webhook));
        op.rows.push(Row::new(Sheet::Event, event));
        Ok(())
    }

    /// Keeps a fact that a person raises, with a line in the audit. `to` is the conversation in which it happens.
    pub async fn raise_by_hand(
        &self,
        ws: WorkspaceId,
        to: Option<Arc<ConversationRef>>,
        event: Event,
        actor: &str,
        action: &'static str,
    ) -> Result<Id> {
        let now = self.clock.now();
        let raised = Raised { webhook: self.ids.next(now), id: self.ids.next(now), event };
        let id = raised.id;
        let (webhook, event) = self.raised_rows(ws, to.as_ref(), &raised, Some(RETRIED)).await?;
        let actor = actor.to_owned();
        self.alone(ws, move |store, c| {
            Box::pin(async move {
                let sql = "insert into webhook(ws,id,channel,reason,why,owners,raw,state,rule,open) values (?,?,?,?,?,?,?,?,?,?)";
                c.run(sql, webhook).await?;
                let sql = "insert into event(ws,id,webhook,channel,conversation,kind,state,rule,body,prev) \
                           values (?,?,?,?,?,?,?,?,?,?)";
                c.run(sql, event).await?;
                store.audit_within(c, ws, &actor, action, &id.to_string()).await
            })
        })
        .await?;
        Ok(id)
    }

    /// Its webhook's row and its own, whole.
    async fn raised_rows(
        &self,
        ws: WorkspaceId,
        to: Option<&Arc<ConversationRef>>,
        raised: &Raised,
        rule: Option<&'static str>,
    ) -> Result<(Vec<Arg>, Vec<Arg>)> {
        let Raised { webhook, id, event } = raised;
        let (channel, conversation) = to.map_or((0, 0), |c| (c.channel.0, c.id.0));
        let (code, why, raw) = (None::<String>, None::<Vec<u8>>, None::<Vec<u8>>);
        let kept = WebhookState::Kept as i64;
        let webhook_row = row![ws, *webhook, channel, code, why, Vec::<u8>::new(), raw, kept, None::<String>, 1];
        let body = self.sealer(ws, to, *id).await?.seal_json(ws.0, "event", id.0, event)?;
        let new = EventState::New as i64;
        let event_row = row![ws, *id, *webhook, channel, conversation, event.body.word(), new, rule, body, 0];
        Ok((webhook_row, event_row))
    }
}
