//! Events as stored: read again after a restart, and for whoever asks.

use std::sync::Arc;

use pointsman_core::event::Event;
use pointsman_core::id::{Id, WorkspaceId};
use sqlx::Row as _;
use sqlx::sqlite::SqliteRow;

use crate::Store;
use crate::fault::meaning;
use crate::types::{EventState, KeptEvent, Result, StoreError};

const COLUMNS: &str = "select ws,id,webhook,channel,conversation,state,rule,body from event";

impl Store {
    /// Events that are not ended, after this one (a workspace and an id; zeros: from the first), workspace by workspace, in
    /// each in the order in which they were kept: what a start takes up again.
    pub async fn open_events(&self, after: (WorkspaceId, Id), limit: usize) -> Result<Vec<KeptEvent>> {
        let values = [after.0.0, after.1.0, limit as i64];
        self.events_where(" where state<2 and (ws,id)>(?,?) order by ws,id limit ?", &values).await
    }

    /// One event.
    pub async fn event(&self, ws: WorkspaceId, id: Id) -> Result<Option<KeptEvent>> {
        Ok(self.events_where(" where ws=? and id=?", &[ws.0, id.0]).await?.pop())
    }

    pub(crate) async fn events_where(&self, rest: &str, values: &[i64]) -> Result<Vec<KeptEvent>> {
        let mut query = sqlx::query(sqlx::AssertSqlSafe([COLUMNS, rest].concat()));
        for value in values {
            query = query.bind(*value);
        }
        let mut list = Vec::new();
        for row in query.fetch_all(&self.readers).await.map_err(|e| meaning(&e))? {
            match self.read_event(&row).await {
                Ok(event) => list.push(event),
                Err(StoreError::Erased) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(list)
    }

    async fn read_event(&self, row: &SqliteRow) -> Result<KeptEvent> {
        let int = |n: usize| row.try_get::<i64, _>(n).map_err(|e| meaning(&e));
        let (ws, id) = (Id(int(0)?), Id(int(1)?));
        let conversation = self.conversation_of_row(ws.0, int(4)?).await?;
        let sealed: Vec<u8> = row.try_get(7).map_err(|e| meaning(&e))?;
        let event: Event = self.sealer(ws, conversation.as_ref(), id).await?.open_json(ws.0, "event", id.0, &sealed)?;
        let state = int(5)?;
        Ok(KeptEvent {
            workspace: ws,
            id,
            webhook: Id(int(2)?),
            channel: Id(int(3)?),
            at: id.made_at(),
            state: EventState::from_stored(state)
                .ok_or_else(|| StoreError::Unreadable(format!("event {id} has state {state}")))?,
            rule: row.try_get(6).map_err(|e| meaning(&e))?,
            conversation,
            event: Arc::new(event),
        })
    }
}
