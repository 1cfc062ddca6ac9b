//! Connections to models, and whether a workspace asks any. A connection stands with its sealed key or not at all; the key is sealed by the
//! vault before it comes here, and only the broker can open it.

use pointsman_core::id::{Id, WorkspaceId};
use pointsman_core::model::AiMode;

use crate::Store;
use crate::channel::credential_place;
use crate::db::Record;
use crate::sheet::row;
use crate::types::{ModelRow, Result, StoreError};

impl Store {
    /// Makes a connection, or another one in the place of the one with this id.
    pub async fn put_model(&self, actor: &str, new: ModelRow) -> Result<()> {
        let (ws, actor) = (new.workspace, actor.to_owned());
        let settings = new.settings.to_string();
        self.alone(ws, move |store, c| {
            Box::pin(async move {
                let sql = "insert into model(ws,id,name,rank,settings) values (?,?,?,?,?) \
                           on conflict (ws,id) do update set name=excluded.name,rank=excluded.rank,settings=excluded.settings";
                c.run(sql, row![ws, new.id, new.name.clone(), new.rank, settings]).await?;
                c.run("delete from credential where ws=? and owner=?", row![ws, new.id]).await?;
                for secret in new.credentials {
                    let (sql, args) = credential_place(secret)?;
                    c.run(sql, args).await?;
                }
                store.audit_within(c, ws, &actor, "model.add", &new.name).await.map(drop)
            })
        })
        .await
    }

    /// Removes a connection with its key. False: there is none of this name.
    pub async fn remove_model(&self, ws: WorkspaceId, actor: &str, name: &str) -> Result<bool> {
        let (actor, name) = (actor.to_owned(), name.to_owned());
        self.alone(ws, move |store, c| {
            Box::pin(async move {
                let Some(row) = c.hold_one("select id from model where ws=? and name=?", row![ws, name.clone()]).await? else {
                    return Ok(false);
                };
                let id = row.id(0)?;
                c.run("delete from credential where ws=? and owner=?", row![ws, id]).await?;
                c.run("delete from model where ws=? and id=?", row![ws, id]).await?;
                store.audit_within(c, ws, &actor, "model.remove", &name).await?;
                Ok(true)
            })
        })
        .await
    }

    /// The connections of a workspace, in the order in which they are asked.
    pub async fn models(&self, ws: WorkspaceId) -> Result<Vec<ModelRow>> {
        let mut list = Vec::new();
        for row in self.data.rows("select id,name,rank,settings from model where ws=? order by rank,id", row![ws]).await? {
            list.push(self.read_model(ws, &row).await?);
        }
        Ok(list)
    }

    async fn read_model(&self, workspace: WorkspaceId, row: &Record) -> Result<ModelRow> {
        let id: Id = row.id(0)?;
        let settings = serde_json::from_str(&row.get::<String>(3)?).map_err(|e| StoreError::Unreadable(e.to_string()))?;
        let credentials = self.credentials_of(workspace, id).await?;
        Ok(ModelRow { workspace, id, name: row.get(1)?, rank: row.get(2)?, settings, credentials })
    }

    /// Whether a workspace lets its steps ask models. One that is not known asks nobody.
    pub async fn ai(&self, ws: WorkspaceId) -> Result<AiMode> {
        let Some(row) = self.data.row("select ai from workspace where id=?", row![ws]).await? else { return Ok(AiMode::Off) };
        let word: String = row.get(0)?;
        AiMode::of(&word).ok_or_else(|| StoreError::Unreadable(format!("the workspace has ai {word:?}")))
    }

    /// Sets it. A running host goes by it at its next call.
    pub async fn set_ai(&self, ws: WorkspaceId, actor: &str, mode: AiMode) -> Result<()> {
        let actor = actor.to_owned();
        self.alone(ws, move |store, c| {
            Box::pin(async move {
                c.run("update workspace set ai=? where id=?", row![mode.word(), ws]).await?;
                store.audit_within(c, ws, &actor, "model.ai", mode.word()).await.map(drop)
            })
        })
        .await
    }
}
