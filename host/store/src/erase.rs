//! Erasing a contact: its key dies, and every sealed word with it, in the data and in every copy of the data (invariant 11).
//! What the contact had open ends by the rule `erased`.
//!
//! Other hosts may hold the unwrapped key for a moment longer. What they would still write with it is refused by the writer
//! (see the pen of Postgres), and at the bell that the line in the audit rings they forget it.

use std::collections::BTreeMap;

use pointsman_core::id::{Id, WorkspaceId};
use pointsman_core::journal::RunState;
use pointsman_core::outbox::SendState;

use crate::Store;
use crate::conversation::ConversationRef;
use crate::db::Transaction;
use crate::sheet::row;
use crate::types::{AuditRow, EventState, Result, StoreError};

/// What the audit calls it. The detail is the contact's id.
const ERASED: &str = "contact.erase";

/// How often the bookkeeping is tried when it meets others who write in the same rows.
const TRIES: u32 = 4;

impl Store {
    /// Destroys a contact's key, and where the key store is a file proves by its empty log that no old page holds it. Identities
    /// are deleted, so whoever writes again from the same number is a stranger. `actor` is who wants it: `cli`, `user/NAME`.
    /// `Missing` when there is no such contact; after any other error it may be asked for again.
    pub async fn erase_contact(&self, ws: WorkspaceId, contact: Id, actor: &str) -> Result<()> {
        let had_key = self.keys.destroy(ws.0, contact.0).await?;
        self.forget_contact(ws, contact);
        // Even when the bookkeeping below fails, the words are gone first.
        self.keys.db.empty_log().await?;
        let mut tries = 1;
        let had_rows = loop {
            let actor = actor.to_owned();
            match self.alone(ws, move |store, c| Box::pin(async move { store.bury(c, ws, contact, &actor).await })).await {
                Err(error) if error.passing() && tries < TRIES => tries += 1,
                buried => break buried?,
            }
        };
        self.forget_contact(ws, contact);
        if had_key || had_rows { Ok(()) } else { Err(StoreError::Missing("contact")) }
    }

    /// Forgets what this process has in memory of contacts whom others erased: what [`Store::wishes`] tells of them.
    pub fn forget_erased(&self, wishes: &BTreeMap<WorkspaceId, Vec<AuditRow>>) {
        for (ws, lines) in wishes {
            for line in lines.iter().filter(|line| line.action == ERASED) {
                if let Ok(contact) = line.detail.parse() {
                    self.forget_contact(*ws, contact);
                }
            }
        }
    }

    /// Forgets a conversation whose contact another host erased.
    pub(crate) async fn forget_if_erased(&self, c: &ConversationRef) -> Result<()> {
        let erased = "select 1 from conversation where ws=? and id=? and thread is null";
        if self.data.row(erased, row![c.workspace, c.id]).await?.is_some() {
            self.forget_contact(c.workspace, c.contact);
        }
        Ok(())
    }

    fn forget_contact(&self, ws: WorkspaceId, contact: Id) {
        self.conversations.forget_contact(ws.0, contact.0);
        self.keys.evict(ws.0, contact.0);
    }

    /// Everything but the key, in one transaction, with its line in the audit. False: there was nothing to do.
    async fn bury(&self, c: &mut Transaction<'_>, ws: WorkspaceId, contact: Id, actor: &str) -> Result<bool> {
        if c.rows("select 1 from contact where ws=? and id=? and erased is null", row![ws, contact]).await?.is_empty() {
            return Ok(false);
        }
        // Whoever writes in one of the conversations waits from here on, and is refused afterwards.
        c.hold("select id from conversation where ws=? and contact=? order by id", row![ws, contact]).await?;
        end_open_things(c, ws, contact).await?;
        for (sql, args) in [
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
            ("update contact set body=null,erased=? where ws=? and id=?", row![self.clock.now(), ws, contact]),
        ] {
            c.run(sql, args).await?;
        }
        self.audit_within(c, ws, actor, ERASED, &contact.to_string()).await?;
        Ok(true)
    }
}

/// Ends what is open, so that the books balance: nothing can go on without its words.
async fn end_open_things(c: &mut Transaction<'_>, ws: WorkspaceId, contact: Id) -> Result<()> {
    let events = "select webhook from event where ws=? and state<2 \
                  and conversation in (select id from conversation where ws=? and contact=?) order by id";
    let mut open: BTreeMap<i64, i64> = BTreeMap::new();
    for event in c.hold(events, row![ws, ws, contact]).await? {
        *open.entry(event.get(0)?).or_default() += 1;
    }
    for (webhook, events) in open {
        let sql = "update webhook set open=open-?,state=case when open<=? and state=0 then 2 else state end where ws=? and id=?";
        c.run(sql, row![events, events, ws, webhook]).await?;
    }
    for (sql, state) in [
        (
            "update event set state=?,rule='erased' where state<2 and ws=? \
             and conversation in (select id from conversation where ws=? and contact=?)",
            EventState::Ended as i64,
        ),
        (
            "update run set state=?,until=null,waiting=null,reason='erased',why=null where state<3 and ws=? \
             and conversation in (select id from conversation where ws=? and contact=?)",
            RunState::Cancelled as i64,
        ),
        (
            "update send set state=?,reason='erased',why=null where state<3 and ws=? \
             and conversation in (select id from conversation where ws=? and contact=?)",
            SendState::Dropped as i64,
        ),
    ] {
        c.run(sql, row![state, ws, ws, contact]).await?;
    }
    Ok(())
}
