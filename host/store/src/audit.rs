//! The audit: who did what, as a chain of keyed hashes. A line that was changed, taken out, put in or moved does not fit the
//! next one; without the master key nobody can make it fit.

use std::collections::HashMap;

use pointsman_core::id::{Id, WorkspaceId};
use sqlx::Row as _;

use crate::Store;
use crate::fault::meaning;
use crate::op::Op;
use crate::sheet::row;
use crate::types::{AuditRow, Result};

/// The last hash of each workspace's chain, as far as it is known. Whoever holds it may add a line.
pub(crate) type Heads = tokio::sync::Mutex<HashMap<i64, Vec<u8>>>;

impl Store {
    /// Adds a line. `detail` holds ids and names of ours: no words of contacts, no secrets.
    pub async fn audit(&self, ws: WorkspaceId, actor: &str, action: &str, detail: &str) -> Result<()> {
        let mut heads = self.audit_heads.lock().await;
        let before = match heads.get(&ws.0) {
            Some(hash) => hash.clone(),
            None => self.last_hash(ws).await?,
        };
        let id = self.ids.next(self.clock.now());
        let hash = self.line_hash(ws, &before, id, actor, action, detail);
        let sql = "insert into audit(ws,id,actor,action,detail,hash) values (?,?,?,?,?,?)";
        let args = row![ws, id, actor.to_owned(), action.to_owned(), detail.to_owned(), hash.clone()];
        self.writer.commit(Op { other: vec![(sql, args)], ..Op::default() }).await?;
        heads.insert(ws.0, hash);
        Ok(())
    }

    async fn last_hash(&self, ws: WorkspaceId) -> Result<Vec<u8>> {
        let query = sqlx::query("select hash from audit where ws=? order by id desc limit 1").bind(ws.0);
        match query.fetch_optional(&self.readers).await.map_err(|e| meaning(&e))? {
            Some(row) => row.try_get(0).map_err(|e| meaning(&e)),
            None => Ok(Vec::new()),
        }
    }

    fn line_hash(&self, ws: WorkspaceId, before: &[u8], id: Id, actor: &str, action: &str, detail: &str) -> Vec<u8> {
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
