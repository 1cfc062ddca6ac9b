//! Versions of step plugins, by the digest of their component, for ever: a run goes on with the version to which it is pinned,
//! whatever the host brings today. Permission is not pinned: a version that was taken back (yanked) runs nowhere any more.
//!
//! What comes with the host is the same for all workspaces and stands under workspace 0.

use pointsman_core::failure::{Class, Failure};
use pointsman_core::id::WorkspaceId;
use sha2::{Digest as _, Sha256};

use crate::Store;
use crate::db::Record;
use crate::op::Op;
use crate::sheet::row;
use crate::types::{PluginComponent, PluginVersion, Result, StoreError};

/// The workspace of what comes with the host.
const HOUSE: i64 = 0;

impl Store {
    /// Keeps a version, if it is not kept yet. `manifest` is the text of its `plugin.toml`.
    pub async fn keep_plugin(&self, id: &str, manifest: &str, component: &[u8]) -> Result<()> {
        let digest = hex::encode(Sha256::digest(component));
        let known = "select id from plugin where ws=? and id=? and digest=?";
        if self.data.row(known, row![HOUSE, id.to_owned(), digest.clone()]).await?.is_some() {
            return Ok(());
        }
        let sql =
            "insert into plugin(ws,id,digest,at,manifest,component) values (?,?,?,?,?,?) on conflict (ws,id,digest) do nothing";
        let args = row![HOUSE, id.to_owned(), digest, self.clock.now(), manifest.to_owned(), component.to_vec()];
        self.writer.commit(Op { other: vec![(sql, args)], ..Op::default() }).await.map(drop)
    }

    /// Every version that is kept, by id, the newest last.
    pub async fn plugin_versions(&self) -> Result<Vec<PluginVersion>> {
        let rows = self.data.rows("select id,digest,at,yanked from plugin where ws=? order by id,at,digest", row![HOUSE]).await?;
        let read = |row: &Record| -> Result<PluginVersion> {
            Ok(PluginVersion { id: row.get(0)?, digest: row.get(1)?, at: row.get(2)?, yanked: row.get(3)? })
        };
        rows.iter().map(read).collect()
    }

    /// A version whole. `Unreadable` when its bytes are not those of its digest.
    pub async fn plugin_component(&self, id: &str, digest: &str) -> Result<Option<PluginComponent>> {
        let sql = "select manifest,component from plugin where ws=? and id=? and digest=?";
        let Some(row) = self.data.row(sql, row![HOUSE, id.to_owned(), digest.to_owned()]).await? else { return Ok(None) };
        let (manifest, component): (String, Vec<u8>) = (row.get(0)?, row.get(1)?);
        if hex::encode(Sha256::digest(&component)) != digest {
            return Err(StoreError::Unreadable(format!("the component of {id} does not have the digest under which it is kept")));
        }
        Ok(Some(PluginComponent { manifest, component }))
    }

    /// Takes a version back, or (`why` absent) lets it run again. `ws` is whose audit tells of it. The inner error is a refusal:
    /// `plugin.version_unknown`, `plugin.as_before`.
    pub async fn yank_plugin(
        &self,
        ws: WorkspaceId,
        actor: &str,
        (id, digest): (&str, &str),
        why: Option<&str>,
    ) -> Result<std::result::Result<(), Failure>> {
        let (actor, id, digest, why) = (actor.to_owned(), id.to_owned(), digest.to_owned(), why.map(str::to_owned));
        let refused = |code: &str, text: String| Ok(Err(Failure::new(Class::Permanent, code, text)));
        self.alone(ws, move |store, c| {
            Box::pin(async move {
                let sql = "select yanked from plugin where ws=? and id=? and digest=?";
                let Some(found) = c.hold_one(sql, row![HOUSE, id.clone(), digest.clone()]).await? else {
                    return refused("plugin.version_unknown", format!("no version {digest} of {id} is kept"));
                };
                let before: Option<String> = found.get(0)?;
                if before.is_some() == why.is_some() {
                    let word = if why.is_some() { "taken back already" } else { "not taken back" };
                    return refused("plugin.as_before", format!("this version of {id} is {word}"));
                }
                let (action, reason) = match &why {
                    Some(why) => ("plugin.yank", format!(": {why}")),
                    None => ("plugin.unyank", String::new()),
                };
                let sql = "update plugin set yanked=? where ws=? and id=? and digest=?";
                c.run(sql, row![why, HOUSE, id.clone(), digest.clone()]).await?;
                store.audit_within(c, ws, &actor, action, &format!("{id}@{digest}{reason}")).await?;
                Ok(Ok(()))
            })
        })
        .await
    }
}
