//! Secrets of plugins that call outside services: sealed by the vault before they come here, one a slot and workspace. They belong to
//! the plugin's id, whichever version serves; where each may go is bound to its seal.

use pointsman_core::id::{Id, WorkspaceId};
use sha2::{Digest as _, Sha256};

use crate::Store;
use crate::channel::credential_place;
use crate::sheet::row;
use crate::types::{CredentialRow, Result};

/// The owner of a plugin's secrets, beside the ids of channels: made of its id, so that it is the same on every host.
#[must_use]
pub fn plugin_owner(plugin: &str) -> Id {
    let digest = Sha256::digest(["owner of secrets: ", plugin].concat());
    let number = digest.iter().take(8).fold(0_u64, |number, byte| (number << 8) | u64::from(*byte));
    Id((number >> 1).cast_signed())
}

impl Store {
    /// The secrets of a plugin in a workspace.
    pub async fn plugin_secrets(&self, ws: WorkspaceId, plugin: &str) -> Result<Vec<CredentialRow>> {
        self.credentials_of(ws, plugin_owner(plugin)).await
    }

    /// Keeps a secret of a plugin, in the place of the one before.
    pub async fn put_plugin_secret(&self, actor: &str, plugin: &str, secret: CredentialRow) -> Result<()> {
        let (ws, line) = (secret.workspace, format!("{plugin} {}", secret.slot));
        let actor = actor.to_owned();
        self.alone(ws, move |store, c| {
            Box::pin(async move {
                let (sql, args) = credential_place(secret)?;
                c.run(sql, args).await?;
                store.audit_within(c, ws, &actor, "plugin.secret", &line).await.map(drop)
            })
        })
        .await
    }

    /// Deletes a secret of a plugin; says whether there was one.
    pub async fn drop_plugin_secret(&self, ws: WorkspaceId, actor: &str, plugin: &str, slot: &str) -> Result<bool> {
        if !self.plugin_secrets(ws, plugin).await?.iter().any(|secret| secret.slot == slot) {
            return Ok(false);
        }
        let (actor, line, owner, slot) =
            (actor.to_owned(), format!("{plugin} {slot} dropped"), plugin_owner(plugin), slot.to_owned());
        self.alone(ws, move |store, c| {
            Box::pin(async move {
                c.run("delete from credential where ws=? and owner=? and slot=?", row![ws, owner, slot]).await?;
                store.audit_within(c, ws, &actor, "plugin.secret", &line).await.map(|_| true)
            })
        })
        .await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_owner_is_one_plugins() {
        let owner = plugin_owner("acme/desk");
        assert!(owner.0 > 0 && owner == plugin_owner("acme/desk") && owner != plugin_owner("acme/desk2"));
    }
}
