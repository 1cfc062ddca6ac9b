//! Sends: intent is written before one leaves, outcome after (invariant 5). The provider's ids are sealed; a status that names
//! one finds its send by our own key, or by a keyed hash of the id.

use pointsman_core::clock::Instant;
use pointsman_core::id::{Id, WorkspaceId};
use pointsman_core::outbox::SendState;
use sqlx::Row as _;
use sqlx::sqlite::SqliteRow;

use crate::Store;
use crate::decide::{key_bytes, key_text, seal_why};
use crate::everywhere::workspaces_in;
use crate::fault::meaning;
use crate::op::{Op, Row, domain};
use crate::sheet::{Sheet, row};
use crate::types::{Result, SendRow, SendUpdate, StoreError};

const COLUMNS: &str = "select send.ws,id,channel,conversation,run,path,n,key,state,due,attempt,possible_duplicate,marked,ids,reason,why,body from send";

impl Store {
    /// Takes over what became of a send.
    pub async fn update_send(&self, update: SendUpdate) -> Result<()> {
        let row = self.send_update_row(&update).await?;
        self.writer.commit(Op { rows: vec![row], ..Op::default() }).await.map(|_| ())
    }

    pub(crate) async fn send_update_row(&self, u: &SendUpdate) -> Result<Row> {
        let ws = u.workspace;
        let sealer = self.sealer(ws, u.conversation.as_ref(), u.id).await?;
        let (mut ids, mut provider_h) = (None, None);
        if let Some(given) = &u.provider_ids {
            ids = Some(sealer.seal_json(ws.0, "send.ids", u.id.0, given)?);
            let channel = u.conversation.as_ref().map_or(Id(0), |c| c.channel);
            provider_h = given.first().map(|id| self.provider_name(ws, channel, id));
        }
        let why = seal_why(&sealer, ws, "send.why", u.id, u.reason.as_ref())?;
        let code = u.reason.as_ref().map(|f| f.code.clone());
        let args = row![ws, u.id, u.state as i64, i64::from(u.attempt), u.due, ids, provider_h, code, why, u.possible_duplicate];
        Ok(Row::once(Sheet::SendUpdate, domain::SEND, u.id.0, args))
    }

    pub(crate) fn provider_name(&self, ws: WorkspaceId, channel: Id, id: &str) -> [u8; 16] {
        self.index.lookup_parts(ws.0, "provider", &[&channel.to_string(), id])
    }

    /// The send that a status is about: by our key where the provider echoes it, else by its own id.
    pub async fn find_send(&self, ws: WorkspaceId, channel: Id, key: Option<&str>, provider_id: &str) -> Result<Option<SendRow>> {
        if let Some(key) = key.filter(|k| !k.is_empty()) {
            let sql = const_format(COLUMNS, " where ws=? and key=? and channel=?");
            let query = sqlx::query(sqlx::AssertSqlSafe(sql)).bind(ws.0).bind(key_bytes(key)).bind(channel.0);
            if let Some(found) = query.fetch_optional(&self.readers).await.map_err(|e| meaning(&e))? {
                return self.read_send(&found).await;
            }
        }
        if provider_id.is_empty() {
            return Ok(None);
        }
        let sql = const_format(
            COLUMNS,
            " where ws=? and provider_h=? and provider_h is not null and state in (3,4) and channel=? limit 1",
        );
        let name = self.provider_name(ws, channel, provider_id);
        let query = sqlx::query(sqlx::AssertSqlSafe(sql)).bind(ws.0).bind(name.to_vec()).bind(channel.0);
        match query.fetch_optional(&self.readers).await.map_err(|e| meaning(&e))? {
            Some(found) => self.read_send(&found).await,
            None => Ok(None),
        }
    }

    /// One send.
    pub async fn send(&self, ws: WorkspaceId, id: Id) -> Result<Option<SendRow>> {
        Ok(self.sends_where(" where ws=? and id=?", &[ws.0, id.0]).await?.pop())
    }

    /// Everything that wants to leave, is leaving, or is unknown: workspace by workspace, in each in order.
    pub async fn open_sends(&self) -> Result<Vec<SendRow>> {
        self.sends_where(" where state<3 order by send.ws,id", &[]).await
    }

    /// What is ready or unknown and due.
    pub async fn due_sends(&self, now: Instant, limit: usize) -> Result<Vec<SendRow>> {
        let rest = " join w on send.ws=w.ws where state<3 and due<=? and state<>1 order by due,id limit ?";
        let sql = [&workspaces_in("send", "state<3"), COLUMNS, rest].concat();
        self.sends_asked(sql, &[now, limit as i64]).await
    }

    /// What a run decided to send, in order.
    pub async fn sends_of_run(&self, ws: WorkspaceId, run: Id) -> Result<Vec<SendRow>> {
        // Keys begin with the event's id: the index over keys is the way from an event to its sends.
        let event: Option<i64> = match self.run_event(ws, run).await? {
            Some(event) => Some(event.0),
            None => return Ok(Vec::new()),
        };
        let from = event.unwrap_or(0).to_be_bytes();
        let sql = const_format(COLUMNS, " where ws=? and key>=? and key<? and run=? order by id");
        let to = (event.unwrap_or(0) + 1).to_be_bytes();
        let query = sqlx::query(sqlx::AssertSqlSafe(sql)).bind(ws.0).bind(from.to_vec()).bind(to.to_vec()).bind(run.0);
        let rows = query.fetch_all(&self.readers).await.map_err(|e| meaning(&e))?;
        self.read_sends(&rows).await
    }

    pub(crate) async fn sends_where(&self, rest: &str, values: &[i64]) -> Result<Vec<SendRow>> {
        self.sends_asked(const_format(COLUMNS, rest), values).await
    }

    async fn sends_asked(&self, sql: String, values: &[i64]) -> Result<Vec<SendRow>> {
        let mut query = sqlx::query(sqlx::AssertSqlSafe(sql));
        for value in values {
            query = query.bind(*value);
        }
        let rows = query.fetch_all(&self.readers).await.map_err(|e| meaning(&e))?;
        self.read_sends(&rows).await
    }

    async fn read_sends(&self, rows: &[SqliteRow]) -> Result<Vec<SendRow>> {
        let mut list = Vec::with_capacity(rows.len());
        for row in rows {
            list.extend(self.read_send(row).await?);
        }
        Ok(list)
    }

    /// Opens a row; `None` when its contact was erased.
    async fn read_send(&self, row: &SqliteRow) -> Result<Option<SendRow>> {
        match self.read_living_send(row).await {
            Ok(send) => Ok(Some(send)),
            Err(StoreError::Erased) => Ok(None),
            Err(error) => Err(error),
        }
    }

    async fn read_living_send(&self, row: &SqliteRow) -> Result<SendRow> {
        let int = |n: usize| row.try_get::<i64, _>(n).map_err(|e| meaning(&e));
        let blob = |n: usize| row.try_get::<Option<Vec<u8>>, _>(n).map_err(|e| meaning(&e));
        let (ws, id) = (Id(int(0)?), Id(int(1)?));
        let conversation = self.conversation_of_row(ws.0, int(3)?).await?;
        let sealer = self.sealer(ws, conversation.as_ref(), id).await?;
        let provider_ids = blob(13)?.map(|b| sealer.open_json(ws.0, "send.ids", id.0, &b)).transpose()?;
        let reason = blob(15)?.map(|b| sealer.open_json(ws.0, "send.why", id.0, &b)).transpose()?;
        let state = int(8)?;
        Ok(SendRow {
            workspace: ws,
            id,
            channel: Id(int(2)?),
            run: Id(int(4)?),
            path: row.try_get(5).map_err(|e| meaning(&e))?,
            n: u32::try_from(int(6)?).unwrap_or_default(),
            key: key_text(&blob(7)?.unwrap_or_default()),
            state: SendState::from_stored(state).ok_or_else(|| StoreError::Unreadable(format!("send {id} has state {state}")))?,
            due: int(9)?,
            attempt: u32::try_from(int(10)?).unwrap_or_default(),
            possible_duplicate: int(11)? != 0,
            marked: int(12)? != 0,
            provider_ids: provider_ids.unwrap_or_default(),
            reason,
            operation: sealer.open_json(ws.0, "send", id.0, &blob(16)?.unwrap_or_default())?,
            conversation,
        })
    }
}

fn const_format(columns: &str, rest: &str) -> String {
    [columns, rest].concat()
}
