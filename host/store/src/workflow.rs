//! Workflow versions: a customer's own words, in plain, under their content hash. One version of a name is active; runs
//! stay with the version they began with.

use pointsman_core::id::WorkspaceId;
use sqlx::Row as _;
use sqlx::sqlite::SqliteRow;

use crate::Store;
use crate::fault::meaning;
use crate::op::Op;
use crate::sheet::row;
use crate::types::{Result, StoreError, WorkflowRow};

const SELECT: &str = "select w.name,w.hash,w.files,w.at,(a.hash is not null) from workflow w \
                      left join workflow_active a on a.ws=w.ws and a.name=w.name and a.hash=w.hash where w.ws=?";

impl Store {
    /// Makes a version the active one of its name, storing it if it is new.
    pub async fn publish_workflow(&self, ws: WorkspaceId, name: &str, hash: &str, files: Vec<(String, String)>) -> Result<()> {
        let files = serde_json::to_string(&files).map_err(|e| StoreError::Unreadable(e.to_string()))?;
        let version = "insert into workflow(ws,hash,name,at,files) values (?,?,?,?,?) on conflict (ws,hash) do nothing";
        let active =
            "insert into workflow_active(ws,name,hash) values (?,?,?) on conflict (ws,name) do update set hash=excluded.hash";
        let (name, hash) = (name.to_owned(), hash.to_owned());
        let other =
            vec![(version, row![ws, hash.clone(), name.clone(), self.clock.now(), files]), (active, row![ws, name, hash])];
        self.writer.commit(Op { other, ..Op::default() }).await.map(|_| ())
    }

    /// Takes a name out of use; its versions stay for the runs that are on them.
    pub async fn retire_workflow(&self, ws: WorkspaceId, name: &str) -> Result<()> {
        let other = vec![("delete from workflow_active where ws=? and name=?", row![ws, name.to_owned()])];
        self.writer.commit(Op { other, ..Op::default() }).await.map(|_| ())
    }

    /// The versions that new runs take, by name.
    pub async fn active_workflows(&self, ws: WorkspaceId) -> Result<Vec<WorkflowRow>> {
        let query = sqlx::query(sqlx::AssertSqlSafe([SELECT, " and a.hash is not null order by w.name"].concat())).bind(ws.0);
        let rows = query.fetch_all(&self.readers).await.map_err(|e| meaning(&e))?;
        rows.iter().map(|row| read(ws, row)).collect()
    }

    /// A version by its hash.
    pub async fn workflow(&self, ws: WorkspaceId, hash: &str) -> Result<Option<WorkflowRow>> {
        let query = sqlx::query(sqlx::AssertSqlSafe([SELECT, " and w.hash=?"].concat())).bind(ws.0).bind(hash);
        let row = query.fetch_optional(&self.readers).await.map_err(|e| meaning(&e))?;
        row.map(|row| read(ws, &row)).transpose()
    }
}

fn read(ws: WorkspaceId, row: &SqliteRow) -> Result<WorkflowRow> {
    let text = |n: usize| row.try_get::<String, _>(n).map_err(|e| meaning(&e));
    let int = |n: usize| row.try_get::<i64, _>(n).map_err(|e| meaning(&e));
    Ok(WorkflowRow {
        workspace: ws,
        name: text(0)?,
        hash: text(1)?,
        files: serde_json::from_str(&text(2)?).map_err(|e| StoreError::Unreadable(e.to_string()))?,
        at: int(3)?,
        active: int(4)? != 0,
    })
}
