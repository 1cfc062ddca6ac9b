//! The audit: who did what, as a chain of keyed hashes. A line that was changed, taken out, put in or moved does not fit the
//! next one; without the master key nobody can make it fit.

use std::pin::Pin;

use pointsman_core::id::{Id, WorkspaceId};

use crate::Store;
use crate::db::{Record, Transaction};
use crate::sheet::row;
use crate::types::{AuditRow, Result, StoreError};

/// Whoever holds it may add lines: one at a time within a process. Between processes the write lock of the file decides, or the
/// workspace's lock in Postgres.
pub(crate) type Turn = tokio::sync::Mutex<()>;

/// What is done inside a transaction.
type Within<'a, T> = Pin<Box<dyn Future<Output = Result<T>> + Send + 'a>>;

impl Store {
    /// Adds a line. `detail` holds ids and names of ours: no words of contacts, no secrets.
    pub async fn audit(&self, ws: WorkspaceId, actor: &str, action: &str, detail: &str) -> Result<()> {
        let (actor, action, detail) = (actor.to_owned(), action.to_owned(), detail.to_owned());
        self.alone(ws, move |store, c| Box::pin(async move { store.audit_within(c, ws, &actor, &action, &detail).await }))
            .await
            .map(drop)
    }

    /// Does something for people in a transaction of its own, beside the writer: one at a time in a workspace, on whichever host.
    /// It is brought to its end even when nobody waits for it any more: a lock that is left behind would stop the whole house.
    pub(crate) async fn alone<T: Send + 'static>(
        &self,
        ws: WorkspaceId,
        work: impl for<'a> FnOnce(&'a Self, &'a mut Transaction<'_>) -> Within<'a, T> + Send + 'static,
    ) -> Result<T> {
        let store = self.clone();
        let task = tokio::spawn(async move {
            let _turn = store.turn.lock().await;
            let mut transaction = store.data.begin().await?;
            if store.shared() {
                transaction.rows("select pg_advisory_xact_lock(?)", row![ws]).await?;
            }
            match work(&store, &mut transaction).await {
                Ok(done) => transaction.commit().await.map(|()| done),
                Err(error) => {
                    transaction.roll_back().await;
                    Err(error)
                }
            }
        });
        task.await.map_err(|_| StoreError::Closed)?
    }

    /// A line of the audit inside a transaction that is alone in the workspace: it follows the last line there is, whichever process
    /// wrote that, in the chain as in its id. Returns the id.
    pub(crate) async fn audit_within(
        &self,
        c: &mut Transaction<'_>,
        ws: WorkspaceId,
        actor: &str,
        action: &str,
        detail: &str,
    ) -> Result<Id> {
        let last = c.hold_one("select id,hash from audit where ws=? order by id desc limit 1", row![ws]).await?;
        let (last, before) = match &last {
            Some(row) => (row.id(0)?, row.get(1)?),
            None => (Id(0), Vec::new()),
        };
        let mut id = self.ids.next(self.clock.now());
        if id <= last {
            id = self.ids.next(last.made_at() + 1);
        }
        let hash = self.line_hash(ws, &before, id, actor, action, detail);
        let sql = "insert into audit(ws,id,actor,action,detail,hash) values (?,?,?,?,?,?)";
        c.run(sql, row![ws, id, actor.to_owned(), action.to_owned(), detail.to_owned(), hash]).await?;
        Ok(id)
    }

    pub(crate) fn line_hash(&self, ws: WorkspaceId, before: &[u8], id: Id, actor: &str, action: &str, detail: &str) -> Vec<u8> {
        self.index.lookup_parts(ws.0, "audit", &[&hex::encode(before), &id.to_string(), actor, action, detail]).to_vec()
    }

    /// The last lines, newest first.
    pub async fn audit_lines(&self, ws: WorkspaceId, limit: usize) -> Result<Vec<AuditRow>> {
        self.audit_where("select id,actor,action,detail,hash from audit where ws=? order by id desc limit ?", ws, limit).await
    }

    /// The lines since an id was made, oldest first.
    pub(crate) async fn audit_after(&self, ws: WorkspaceId, id: Id) -> Result<Vec<AuditRow>> {
        let rows =
            self.data.rows("select id,actor,action,detail,hash from audit where ws=? and id>? order by id", row![ws, id]).await?;
        rows.iter().map(read).collect()
    }

    /// Walks the whole chain; returns the first line that does not fit. A cut tail shows only against an earlier copy of
    /// the last hash.
    pub async fn audit_check(&self, ws: WorkspaceId) -> Result<Option<Id>> {
        let lines = self
            .audit_where("select id,actor,action,detail,hash from audit where ws=? order by id limit ?", ws, usize::MAX >> 1)
            .await?;
        let mut before = Vec::new();
        for line in lines {
            before = self.line_hash(ws, &before, line.id, &line.actor, &line.action, &line.detail);
            if hex::encode(&before) != line.hash {
                return Ok(Some(line.id));
            }
        }
        Ok(None)
    }

    async fn audit_where(&self, sql: &'static str, ws: WorkspaceId, limit: usize) -> Result<Vec<AuditRow>> {
        let rows = self.data.rows(sql, row![ws, i64::try_from(limit).unwrap_or(i64::MAX)]).await?;
        rows.iter().map(read).collect()
    }
}

fn read(row: &Record) -> Result<AuditRow> {
    let id = row.id(0)?;
    Ok(AuditRow {
        id,
        at: id.made_at(),
        actor: row.get(1)?,
        action: row.get(2)?,
        detail: row.get(3)?,
        hash: hex::encode(row.get::<Vec<u8>>(4)?),
    })
}
