//! Sends: intent is written before one leaves, outcome after (invariant 5). The provider's ids are sealed; a status that names
//! one finds its send by our own key, or by a keyed hash of the id.

use std::borrow::Cow;

use pointsman_core::clock::Instant;
use pointsman_core::id::{Id, WorkspaceId};
use pointsman_core::outbox::SendState;

use crate::Store;
use crate::db::Record;
use crate::decide::{key_bytes, key_text, seal_why};
use crate::everywhere::workspaces_in;
use crate::lease::{lane, lane_of, shard_of};
use crate::op::{Op, Row, domain};
use crate::sheet::{Arg, Sheet, ints, row};
use crate::types::{Result, SendBody, SendRow, SendUpdate, StoreError};

const COLUMNS: &str = "select send.ws,id,channel,conversation,run,path,n,key,state,due,attempt,possible_duplicate,marked,ids,reason,why,body from send";

/// The condition of the index over providers' ids, and what is asked beside it.
const NEWS: &str = " and provider_h is not null and state in (3,4) and channel=? limit 1";

/// The span, of 24.9 days, in which a send that is made now stands: its id without the lower 53 bits.
fn span_of(now: Instant) -> i64 {
    Id::first_of(now).0 >> 53
}

impl Store {
    /// Takes over what became of a send.
    pub async fn update_send(&self, update: SendUpdate) -> Result<()> {
        let hold = Some(self.leases.hold(lane_of(update.workspace, update.conversation.as_ref())));
        let row = self.send_update_row(&update).await?;
        let within = update.conversation.clone();
        self.writer.commit(Op { hold, within, rows: vec![row], ..Op::default() }).await.map(|_| ())
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
            let sql = [COLUMNS, " where ws=? and key=? and channel=?"].concat();
            if let Some(found) = self.data.row(sql, row![ws, key_bytes(key), channel]).await? {
                return self.read_send(&found).await;
            }
        }
        if provider_id.is_empty() {
            return Ok(None);
        }
        match self.waiting_for_news(COLUMNS, ws, channel, provider_id).await? {
            Some(found) => self.read_send(&found).await,
            None => Ok(None),
        }
    }

    /// The send that a provider calls so, of those that may still get news: looked for among those of the last weeks, then of half a
    /// year.
    pub(crate) async fn waiting_for_news(&self, columns: &str, ws: WorkspaceId, channel: Id, id: &str) -> Result<Option<Record>> {
        let (name, now) = (self.provider_name(ws, channel, id), span_of(self.clock.now()));
        // One ahead: ids go on growing where the clock was set back.
        let (new, old) = ([now + 1, now, now - 1], [now - 2, now - 3, now - 4, now - 5, now - 6, now - 7]);
        for (spans, places) in [(&new[..], "?,?,?"), (&old, "?,?,?,?,?,?")] {
            let sql = [columns, " where ws=? and (id >> 53) in (", places, ") and provider_h=?", NEWS].concat();
            let args = [row![ws], spans.iter().map(|span| Arg::Int(*span)).collect(), row![name, channel]].concat();
            if let Some(found) = self.data.row(sql, args).await? {
                return Ok(Some(found));
            }
        }
        Ok(None)
    }

    /// One send.
    pub async fn send(&self, ws: WorkspaceId, id: Id) -> Result<Option<SendRow>> {
        Ok(self.sends_where(" where ws=? and id=?", &[ws.0, id.0]).await?.pop())
    }

    /// Everything of these shards that wants to leave, is leaving, or is unknown: workspace by workspace, in each in order.
    pub async fn open_sends(&self, shards: &[u16]) -> Result<Vec<SendRow>> {
        let mine = self.mine("send.ws,conversation");
        let sql = [COLUMNS, " where state<3", &mine, " order by send.ws,id"].concat();
        let mut rows = Vec::new();
        for row in self.data.rows(sql, Vec::new()).await? {
            if shards.contains(&shard_of(lane(row.get(0)?, row.get(3)?))) {
                rows.push(row);
            }
        }
        self.read_sends(rows).await
    }

    /// What stands before a send in its conversation and has not left, in order.
    pub async fn sends_ahead_of(&self, send: &SendRow) -> Result<Vec<SendRow>> {
        let conversation = send.conversation.as_ref().map_or(0, |c| c.id.0);
        let rest = " where send.ws=? and state<3 and conversation=? and id<? order by id";
        self.sends_where(rest, &[send.workspace.0, conversation, send.id.0]).await
    }

    /// What is ready or unknown and due, of the lanes held.
    pub async fn due_sends(&self, now: Instant, limit: usize) -> Result<Vec<SendRow>> {
        let rest = " join w on send.ws=w.ws where state<3 and due<=? and state<>1";
        let mine = self.mine("send.ws,conversation");
        let sql = [&workspaces_in("send", "state<3"), COLUMNS, rest, &mine, " order by due,id limit ?"].concat();
        self.sends_asked(sql, &[now, limit as i64]).await
    }

    /// What a run decided to send, in order.
    pub async fn sends_of_run(&self, ws: WorkspaceId, run: Id) -> Result<Vec<SendRow>> {
        // Keys begin with the event's id: the index over keys is the way from an event to its sends.
        let Some(event) = self.run_event(ws, run).await? else { return Ok(Vec::new()) };
        let from = event.0.to_be_bytes();
        let sql = [COLUMNS, " where ws=? and key>=? and key<? and run=? order by id"].concat();
        let to = (event.0 + 1).to_be_bytes();
        self.read_sends(self.data.rows(sql, row![ws, from.to_vec(), to.to_vec(), run]).await?).await
    }

    pub(crate) async fn sends_where(&self, rest: &str, values: &[i64]) -> Result<Vec<SendRow>> {
        self.sends_asked([COLUMNS, rest].concat(), values).await
    }

    async fn sends_asked(&self, sql: String, values: &[i64]) -> Result<Vec<SendRow>> {
        self.read_sends(self.data.rows(sql, ints(values)).await?).await
    }

    async fn read_sends(&self, rows: Vec<Record>) -> Result<Vec<SendRow>> {
        let mut list = Vec::with_capacity(rows.len());
        for row in rows {
            list.extend(self.read_send(&row).await?);
        }
        Ok(list)
    }

    /// Opens a row; `None` when its contact was erased.
    async fn read_send(&self, row: &Record) -> Result<Option<SendRow>> {
        match self.read_living_send(row).await {
            Ok(send) => Ok(Some(send)),
            Err(StoreError::Erased) => Ok(None),
            Err(error) => Err(error),
        }
    }

    async fn read_living_send(&self, row: &Record) -> Result<SendRow> {
        let blob = |n: usize| row.get::<Option<Vec<u8>>>(n);
        let (ws, id) = (row.id(0)?, row.id(1)?);
        let conversation = self.conversation_of_row(ws.0, row.get(3)?).await?;
        let sealer = self.sealer(ws, conversation.as_ref(), id).await?;
        let provider_ids = blob(13)?.map(|b| sealer.open_json(ws.0, "send.ids", id.0, &b)).transpose()?;
        let reason = blob(15)?.map(|b| sealer.open_json(ws.0, "send.why", id.0, &b)).transpose()?;
        let state = row.get(8)?;
        let body: SendBody<'static> = sealer.open_json(ws.0, "send", id.0, &row.get::<Vec<u8>>(16)?)?;
        Ok(SendRow {
            workspace: ws,
            id,
            channel: row.id(2)?,
            run: row.id(4)?,
            path: row.get(5)?,
            n: u32::try_from(row.get::<i64>(6)?).unwrap_or_default(),
            key: key_text(&row.get::<Vec<u8>>(7)?),
            state: SendState::from_stored(state).ok_or_else(|| StoreError::Unreadable(format!("send {id} has state {state}")))?,
            due: row.get(9)?,
            attempt: u32::try_from(row.get::<i64>(10)?).unwrap_or_default(),
            possible_duplicate: row.flag(11)?,
            marked: row.flag(12)?,
            provider_ids: provider_ids.unwrap_or_default(),
            reason,
            operation: body.operation.into_owned(),
            approval: body.approval.map(Cow::into_owned),
            conversation,
        })
    }
}
