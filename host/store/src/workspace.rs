//! Workspaces: the tenants.

use pointsman_core::id::Id;
use sqlx::Row as _;

use crate::Store;
use crate::fault::meaning;
use crate::op::Op;
use crate::sheet::row;
use crate::types::{Result, WorkspaceRow};

impl Store {
    /// Adds a workspace, or changes the one with this id.
    pub async fn put_workspace(&self, w: WorkspaceRow) -> Result<()> {
        let sql = "insert into workspace(id,name,time_zone,language) values (?,?,?,?) \
                   on conflict (id) do update set name=excluded.name,time_zone=excluded.time_zone,language=excluded.language";
        let other = vec![(sql, row![w.id, w.name, w.time_zone, w.language])];
        self.writer.commit(Op { other, ..Op::default() }).await.map(|_| ())
    }

    /// All workspaces.
    pub async fn workspaces(&self) -> Result<Vec<WorkspaceRow>> {
        let query = sqlx::query("select id,name,time_zone,language from workspace order by id");
        let rows = query.fetch_all(&self.readers).await.map_err(|e| meaning(&e))?;
        let read = |row: &sqlx::sqlite::SqliteRow| -> Result<WorkspaceRow, sqlx::Error> {
            Ok(WorkspaceRow {
                id: Id(row.try_get(0)?),
                name: row.try_get(1)?,
                time_zone: row.try_get(2)?,
                language: row.try_get(3)?,
            })
        };
        rows.iter().map(|row| read(row).map_err(|e| meaning(&e))).collect()
    }
}
