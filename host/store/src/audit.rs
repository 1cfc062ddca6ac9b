//! The audit: who did what, as a chain of keyed hashes. A line that was changed, taken out, put in or moved does not fit the
//! next one; without the master key nobody can make it fit.

use std::pin::Pin;

use pointsman_core::id::{Id, WorkspaceId};
use sqlx::Row as _;
use sqlx::sqlite::SqliteConnection;

use crate::Store;
use crate::fault::meaning;
use crate::park::plan::{int, one, run};
use crate::sheet::row;
use crate::types::{AuditRow, Result, StoreError};

/// Whoever holds it may add lines: one at a time within a process. Between processes the write lock of the file decides.
pub(crate) type Turn = tokio::sync::Mutex<()>;

/// What is done inside a transaction.
type Within<'a, T> = Pin<Box<dyn Future<Output = Result<T>> + Send + 'a>>;

impl Store {
    /// Adds a line. `detail` holds ids and names of ours: no words of contacts, no secrets.
    pub async fn audit(&self, ws: WorkspaceId, actor: &str, action: &str, detail: &str) -> Result<()> {
        let (actor, action, detail) = (actor.to_owned(), action.to_owned(), detail.to_owned());
        self.alone(move |store, c| Box::pin(async move { store.audit_within(c, ws, &actor, &action, &detail).await })).await
    }

    /// Does something in a transaction of its own that begins by taking the write lock, beside the writer. It is brought to its
    /// end even when nobody waits for it any more: a lock that is left behind would stop the whole house.
    pub(crate) async fn alone<T: Send + 'static>(
        &self,
        work: impl for<'a> FnOnce(&'a Self, &'a mut SqliteConnection) -> Within<'a, T> + Send + 'static,
    ) -> Result<T> {
        let store = self.clone();
        let task = tokio::spawn(async move {
            let _turn = store.turn.lock().await;
            let mut keeper = store.keeper.lock().await;
            let connection = keeper.as_mut().ok_or(StoreError::Closed)?;
            run(connection, "begin immediate", Vec::new()).await?;
            let done = match work(&store, connection).await {
                Ok(done) => run(connection, "commit", Vec::new()).await.map(|()| done),
                Err(error) => Err(error),
            };
            if done.is_err() {
                // Also when SQLite has rolled back by itself.
                let _ = run(connection, "rollback", Vec::new()).await;
            }
            done
        });
        task.await.map_err(|_| StoreError::Closed)?
    }

    /// A line of the audit inside a transaction that has the write lock: it follows the last line there is, whichever process
    /// wrote that, in the chain as in its id.
    pub(crate) async fn audit_within(
        &self,
        c: &mut SqliteConnection,
        ws: WorkspaceId,
        actor: &str,
        action: &str,
        detail: &str,
    ) -> Result<()> {
        let last = one(c, "select id,hash from audit where ws=? order by id desc limit 1", row![ws]).await?;
        let (last, before) = match &last {
            Some(row) => (Id(int(row, 0)?), row.try_get(1).map_err(|e| meaning(&e))?),
            None => (Id(0), Vec::new()),
        };
        let mut id = self.ids.next(self.clock.now());
        if id <= last {
            id = self.ids.next(last.made_at() + 1);
        }
        let hash = self.line_hash(ws, &before, id, actor, action, detail);
        let sql = "insert into audit(ws,id,actor,action,detail,hash) values (?,?,?,?,?,?)";
        run(c, sql, row![ws, id, actor.to_owned(), action.to_owned(), detail.to_owned(), hash]).await
    }

    pub(crate) fn line_hash(&self, ws: WorkspaceId, before: &[u8], id: Id, actor: &str, action: &str, detail: &str) -> Vec<u8> {
        self.index.lookup_parts(ws.0, "audit", &[&hex::encode(before), &id.to_string(), actor, action, detail]).to_vec()
    }

    /// The last lines, newest first.
    pub async fn audit_lines(&self, ws: WorkspaceId, limit: usize) -> Result<Vec<AuditRow>> {
        self.audit_where("select id,actor,action,detail,hash from audit where ws=? order by id desc limit ?", ws, limit).await
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
        let query = sqlx::query(sql).bind(ws.0).bind(i64::try_from(limit).unwrap_or(i64::MAX));
        let rows = query.fetch_all(&self.readers).await.map_err(|e| meaning(&e))?;
        let read = |row: &sqlx::sqlite::SqliteRow| -> Result<AuditRow, sqlx::Error> {
            let id = Id(row.try_get(0)?);
            let hash: Vec<u8> = row.try_get(4)?;
            Ok(AuditRow {
                id,
                at: id.made_at(),
                actor: row.try_get(1)?,
                action: row.try_get(2)?,
                detail: row.try_get(3)?,
                hash: hex::encode(hash),
            })
        };
        rows.iter().map(|row| read(row).map_err(|e| meaning(&e))).collect()
    }
}
