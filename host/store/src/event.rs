//! Events as stored: read again after a restart, and for whoever asks.

use std::sync::Arc;

use pointsman_core::event::{Event, EventBody};
use pointsman_core::id::{Id, WorkspaceId};

use crate::Store;
use crate::db::Record;
use crate::sheet::ints;
use crate::types::{EventState, KeptEvent, Result, StoreError};

const COLUMNS: &str = "select ws,id,webhook,channel,conversation,state,rule,body from event";

impl Store {
    /// Events of the lanes held that had no turn yet, after this one (a workspace and an id; zeros: from the first), workspace by
    /// workspace, in each by their ids. One whose runs wait is not among them. For tests: a host is fed by
    /// [`Store::new_events`], which opens no body.
    #[cfg(test)]
    pub(crate) async fn open_events(&self, after: (WorkspaceId, Id), limit: usize) -> Result<Vec<KeptEvent>> {
        let values = [after.0.0, after.1.0, limit as i64];
        let mine = self.mine("ws,conversation");
        let rest = [" where state<2 and state=0 and (ws,id)>(?,?)", &mine, " order by ws,id limit ?"].concat();
        self.events_where(&rest, &values).await
    }

    /// One event.
    pub async fn event(&self, ws: WorkspaceId, id: Id) -> Result<Option<KeptEvent>> {
        Ok(self.events_where(" where ws=? and id=?", &[ws.0, id.0]).await?.pop())
    }

    pub(crate) async fn events_where(&self, rest: &str, values: &[i64]) -> Result<Vec<KeptEvent>> {
        let mut list = Vec::new();
        for row in self.data.rows([COLUMNS, rest].concat(), ints(values)).await? {
            match self.read_event(&row).await {
                Ok(event) => list.push(event),
                Err(StoreError::Erased) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(list)
    }

    async fn read_event(&self, row: &Record) -> Result<KeptEvent> {
        let (ws, id) = (row.id(0)?, row.id(1)?);
        let conversation = self.conversation_of_row(ws.0, row.get(4)?).await?;
        let sealed: Vec<u8> = row.get(7)?;
        let event: Event = self.sealer(ws, conversation.as_ref(), id).await?.open_json(ws.0, "event", id.0, &sealed)?;
        if let Some(conversation) = &conversation {
            // Another host may have kept it.
            conversation.heard(heard_at(&event, id.made_at()));
        }
        let state = row.get(5)?;
        Ok(KeptEvent {
            workspace: ws,
            id,
            webhook: row.id(2)?,
            channel: row.id(3)?,
            at: id.made_at(),
            state: EventState::from_stored(state)
                .ok_or_else(|| StoreError::Unreadable(format!("event {id} has state {state}")))?,
            rule: row.get(6)?,
            conversation,
            event: Arc::new(event),
        })
    }
}

/// When the contact wrote this; 0 for anything else. `came`: when it came in.
pub(crate) fn heard_at(event: &Event, came: i64) -> i64 {
    let wrote = matches!(event.body, EventBody::Message(_) | EventBody::Interaction(_))
        && event.sender.as_ref().is_none_or(|s| !s.automated);
    // A provider's clock that runs ahead must not hold the window open for ever; where it tells none, ours is right.
    if wrote { Some(event.at).filter(|at| *at != 0).unwrap_or(came).min(came) } else { 0 }
}
