//! Erasing a contact: its key dies, and every sealed word with it, in the data and in every copy of the data (invariant 11).
//! What the contact had open ends by the rule `erased`.

use std::time::Duration;

use pointsman_core::id::{Id, WorkspaceId};
use pointsman_core::journal::RunState;
use pointsman_core::outbox::SendState;
use sqlx::Row as _;

use crate::Store;
use crate::database::checkpoint;
use crate::fault::meaning;
use crate::op::{Op, Row, domain};
use crate::sheet::{Sheet, row};
use crate::types::{EventState, Result, StoreError};

impl Store {
    /// Destroys a contact's key and proves by an empty write-ahead log that no old page holds it. Identities are deleted, so
    /// whoever writes again from the same number is a stranger. `Missing` when there is no such contact.
    pub async fn erase_contact(&self, ws: WorkspaceId, contact: Id) -> Result<()> {
        let open = self.end_open_things(ws, contact).await;
        if !self.keys.destroy(ws.0, contact.0).await? {
            return Err(StoreError::Missing("contact"));
        }
        self.conversations.forget_contact(ws.0, contact.0);
        // Even when the bookkeeping below fails, the words are gone first.
        self.empty_key_log().await?;
        open?;
        let now = self.clock.now();
        let other = vec![
            ("update contact set body=null,erased=? where ws=? and id=?", row![now, ws, contact]),
            ("delete from identity where ws=? and contact=?", row![ws, contact]),
            ("delete from state where ws=? and scope=1 and owner=?", row![ws, contact]),
            (
                "delete from state where ws=? and scope=0 and owner in (select id from conversation where ws=? and contact=?)",
                row![ws, ws, contact],
            ),
            (
                "delete from note where ws=? and conversation in (select id from conversation where ws=? and contact=?)",
                row![ws, ws, contact],
            ),
            ("update conversation set thread=null,body=null where ws=? and contact=?", row![ws, contact]),
        ];
        self.writer.commit(Op { other, ..Op::default() }).await?;
        self.conversations.forget_contact(ws.0, contact.0);
        self.keys.evict(ws.0, contact.0);
        Ok(())
    }

    /// Ends what is open, so that the books balance: nothing can go on without its words.
    async fn end_open_things(&self, ws: WorkspaceId, contact: Id) -> Result<()> {
        let mut op = Op::default();
        let events = "select e.id,e.webhook from event e join conversation c on c.ws=e.ws and c.id=e.conversation \
                      where e.state<2 and e.ws=? and c.contact=?";
        let query = sqlx::query(events).bind(ws.0).bind(contact.0);
        for found in query.fetch_all(&self.readers).await.map_err(|e| meaning(&e))? {
            let (event, webhook): (i64, i64) =
                (found.try_get(0).map_err(|e| meaning(&e))?, found.try_get(1).map_err(|e| meaning(&e))?);
            op.rows.push(Row::once(Sheet::WebhookEnd, domain::EVENT, event, row![ws, event, webhook]));
            op.rows.push(Row::new(Sheet::EventEnd, row![ws, event, EventState::Ended as i64, "erased"]));
        }
        op.other.push((
            "update run set state=?,until=null,waiting=null,reason='erased',why=null where state<3 and ws=? \
             and conversation in (select id from conversation where ws=? and contact=?)",
            row![RunState::Cancelled as i64, ws, ws, contact],
        ));
        op.other.push((
            "update send set state=?,reason='erased',why=null where state<3 and ws=? \
             and conversation in (select id from conversation where ws=? and contact=?)",
            row![SendState::Dropped as i64, ws, ws, contact],
        ));
        self.writer.commit(op).await.map(|_| ())
    }

    /// Writes the key store's log into its file until nothing of it is left; a reader can hold that up for a moment.
    async fn empty_key_log(&self) -> Result<()> {
        let mut keeper = self.key_keeper.lock().await;
        let keeper = keeper.as_mut().ok_or(StoreError::Closed)?;
        for _ in 0..100 {
            if checkpoint(keeper).await? {
                return Ok(());
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        Err(StoreError::Disk("the key is deleted, but a reader keeps the key store's log from being emptied; try again".into()))
    }
}
