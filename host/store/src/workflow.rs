//! Workflow versions: a customer's own words, in plain, under their content hash, for ever. One version of a name is active;
//! runs stay with the version they began with. Which was active when is never forgotten: a change, its line in the audit and
//! the bell for running hosts are one transaction.

use std::collections::BTreeMap;

use pointsman_core::failure::{Class, Failure};
use pointsman_core::id::WorkspaceId;

use crate::Store;
use crate::db::{Record, Transaction};
use crate::sheet::row;
use crate::types::{Result, StoreError, WorkflowChange, WorkflowRow};

const SELECT: &str = "select w.name,w.hash,w.files,w.at,a.hash from workflow w \
                      left join workflow_active a on a.ws=w.ws and a.name=w.name and a.hash=w.hash where w.ws=?";

/// A change of the active version: done, or why not. The codes: `workflow.unknown`, `workflow.changed`.
type Changed = std::result::Result<(), Failure>;

impl Store {
    /// Makes a version the active one of its name, storing it if it is new. False: it was the active one already, and nothing
    /// was done.
    pub async fn publish_workflow(
        &self,
        ws: WorkspaceId,
        actor: &str,
        name: &str,
        hash: &str,
        files: Vec<(String, String)>,
    ) -> Result<bool> {
        let files = serde_json::to_string(&files).map_err(|e| StoreError::Unreadable(e.to_string()))?;
        let (actor, name, hash) = (actor.to_owned(), name.to_owned(), hash.to_owned());
        self.alone(ws, move |store, c| {
            Box::pin(async move {
                if active(c, ws, &name).await?.is_some_and(|now| now == hash) {
                    return Ok(false);
                }
                let version = "insert into workflow(ws,hash,name,at,files) values (?,?,?,?,?) on conflict (ws,hash) do nothing";
                c.run(version, row![ws, hash.clone(), name.clone(), store.clock.now(), files]).await?;
                store.activate(c, ws, (&actor, "workflow.publish"), &name, Some(&hash)).await?;
                Ok(true)
            })
        })
        .await
    }

    /// Goes back, or forth, to a version that is kept. `from` is the active one as the person saw it: when it is another by now,
    /// nothing is done.
    pub async fn roll_back_workflow(
        &self,
        ws: WorkspaceId,
        actor: &str,
        name: &str,
        from: Option<&str>,
        to: &str,
    ) -> Result<Changed> {
        let (actor, name, from, to) = (actor.to_owned(), name.to_owned(), from.map(str::to_owned), to.to_owned());
        self.alone(ws, move |store, c| {
            Box::pin(async move {
                let kept = "select 1 from workflow where ws=? and hash=? and name=?";
                if c.hold_one(kept, row![ws, to.clone(), name.clone()]).await?.is_none() {
                    return Ok(Err(refusal("workflow.unknown", format!("there is no version {to} of `{name}`"))));
                }
                if active(c, ws, &name).await? != from {
                    let text =
                        format!("somebody changed `{name}` in between; `pointsman workflow versions {name}` says how it stands");
                    return Ok(Err(refusal("workflow.changed", text)));
                }
                store.activate(c, ws, (&actor, "workflow.rollback"), &name, Some(&to)).await?;
                Ok(Ok(()))
            })
        })
        .await
    }

    /// Takes a name out of use; its versions stay, for the runs that are on them.
    pub async fn retire_workflow(&self, ws: WorkspaceId, actor: &str, name: &str) -> Result<Changed> {
        let (actor, name) = (actor.to_owned(), name.to_owned());
        self.alone(ws, move |store, c| {
            Box::pin(async move {
                if active(c, ws, &name).await?.is_none() {
                    return Ok(Err(refusal("workflow.unknown", format!("no workflow `{name}` is in use"))));
                }
                store.activate(c, ws, (&actor, "workflow.retire"), &name, None).await?;
                Ok(Ok(()))
            })
        })
        .await
    }

    /// Inside the transaction: the active version, the line of the audit, and the change under that line's id.
    async fn activate(
        &self,
        c: &mut Transaction<'_>,
        ws: WorkspaceId,
        (actor, action): (&str, &'static str),
        name: &str,
        hash: Option<&str>,
    ) -> Result<()> {
        let (sql, args, detail) = match hash {
            Some(hash) => (
                "insert into workflow_active(ws,name,hash) values (?,?,?) on conflict (ws,name) do update set hash=excluded.hash",
                row![ws, name.to_owned(), hash.to_owned()],
                format!("{name} {hash}"),
            ),
            None => ("delete from workflow_active where ws=? and name=?", row![ws, name.to_owned()], name.to_owned()),
        };
        c.run(sql, args).await?;
        let id = self.audit_within(c, ws, actor, action, &detail).await?;
        let change = "insert into workflow_change(ws,name,id,hash) values (?,?,?,?)";
        c.run(change, row![ws, name.to_owned(), id, hash.map(str::to_owned)]).await
    }

    /// The versions that new runs take, by name.
    pub async fn active_workflows(&self, ws: WorkspaceId) -> Result<Vec<WorkflowRow>> {
        let sql = [SELECT, " and a.hash is not null order by w.name"].concat();
        let rows = self.data.rows(sql, row![ws]).await?;
        rows.iter().map(|row| read(ws, row)).collect()
    }

    /// Every version of a name, in the order in which they were stored first.
    pub async fn workflow_versions(&self, ws: WorkspaceId, name: &str) -> Result<Vec<WorkflowRow>> {
        let rows = self.data.rows([SELECT, " and w.name=? order by w.at,w.hash"].concat(), row![ws, name.to_owned()]).await?;
        rows.iter().map(|row| read(ws, row)).collect()
    }

    /// A version by its hash.
    pub async fn workflow(&self, ws: WorkspaceId, hash: &str) -> Result<Option<WorkflowRow>> {
        let row = self.data.row([SELECT, " and w.hash=?"].concat(), row![ws, hash.to_owned()]).await?;
        row.map(|row| read(ws, &row)).transpose()
    }

    /// Which version was made the active one when and by whom, oldest first: of this name, or of all.
    pub async fn workflow_changes(&self, ws: WorkspaceId, name: Option<&str>) -> Result<Vec<WorkflowChange>> {
        let sql = "select c.name,c.id,c.hash,a.actor,a.action from workflow_change c left join audit a on a.ws=c.ws and a.id=c.id \
                   where c.ws=?";
        let rows = match name {
            Some(name) => self.data.rows([sql, " and c.name=? order by c.id"].concat(), row![ws, name.to_owned()]).await?,
            None => self.data.rows([sql, " order by c.id"].concat(), row![ws]).await?,
        };
        let read = |row: &Record| -> Result<WorkflowChange> {
            let id = row.id(1)?;
            Ok(WorkflowChange { name: row.get(0)?, at: id.made_at(), hash: row.get(2)?, actor: row.get(3)?, action: row.get(4)? })
        };
        rows.iter().map(read).collect()
    }

    /// How many runs that have not ended are on each version, by hash. Costs as much as runs are open.
    pub async fn open_runs_by_version(&self, ws: WorkspaceId) -> Result<BTreeMap<String, u64>> {
        let sql = "select workflow,count(*) from run where ws=? and state<3 group by workflow";
        let rows = self.data.rows(sql, row![ws]).await?;
        rows.iter().map(|row| Ok((row.get(0)?, row.get::<i64>(1)?.unsigned_abs()))).collect()
    }
}

async fn active(c: &mut Transaction<'_>, ws: WorkspaceId, name: &str) -> Result<Option<String>> {
    let sql = "select hash from workflow_active where ws=? and name=?";
    c.hold_one(sql, row![ws, name.to_owned()]).await?.map(|row| row.get(0)).transpose()
}

fn refusal(code: &str, message: String) -> Failure {
    Failure::new(Class::Permanent, code, message)
}

fn read(ws: WorkspaceId, row: &Record) -> Result<WorkflowRow> {
    Ok(WorkflowRow {
        workspace: ws,
        name: row.get(0)?,
        hash: row.get(1)?,
        files: serde_json::from_str(&row.get::<String>(2)?).map_err(|e| StoreError::Unreadable(e.to_string()))?,
        at: row.get(3)?,
        active: row.get::<Option<String>>(4)?.is_some(),
    })
}
