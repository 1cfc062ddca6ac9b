//! Workspaces: the tenants.

use crate::Store;
use crate::db::Record;
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
        let rows = self.data.rows("select id,name,time_zone,language from workspace order by id", Vec::new()).await?;
        let read = |row: &Record| -> Result<WorkspaceRow> {
            Ok(WorkspaceRow { id: row.id(0)?, name: row.get(1)?, time_zone: row.get(2)?, language: row.get(3)? })
        };
        rows.iter().map(read).collect()
    }
}
