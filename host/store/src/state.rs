//! The small store of steps: a value under a key, remembered for a conversation, a contact or the workspace. The key is
//! looked up by its keyed hash; key and value are sealed together.

use pointsman_core::effect::Scope;
use pointsman_core::id::WorkspaceId;
use pointsman_core::mark::Marked;
use serde_json::Value;

use crate::Store;
use crate::conversation::ConversationRef;
use crate::decide::scope_number;
use crate::keys::Sealer;
use crate::sheet::row;
use crate::types::{Result, StoreError};

impl Store {
    /// A value, unless its time is over.
    pub async fn state_get(&self, c: &ConversationRef, scope: Scope, key: &str) -> Result<Option<Marked<Value>>> {
        self.remembered(c.workspace, Some(c), scope, key).await
    }

    /// A value of the workspace, for who is outside of any conversation.
    pub async fn state_of_workspace(&self, ws: WorkspaceId, key: &str) -> Result<Option<Marked<Value>>> {
        self.remembered(ws, None, Scope::Workspace, key).await
    }

    /// How many keys a memory has, counted up to `most`.
    pub async fn state_keys(&self, ws: WorkspaceId, c: Option<&ConversationRef>, scope: Scope, most: usize) -> Result<usize> {
        let (owner, _) = self.memory(ws, c, scope).await?;
        let sql = "select count(*) from (select 1 from state where ws=? and scope=? and owner=? limit ?) t";
        let values = row![ws, scope_number(scope), owner, i64::try_from(most).unwrap_or(i64::MAX)];
        let counted = self.data.row(sql, values).await?.map(|row| row.get::<i64>(0)).transpose()?;
        Ok(usize::try_from(counted.unwrap_or_default()).unwrap_or(usize::MAX))
    }

    async fn remembered(
        &self,
        ws: WorkspaceId,
        c: Option<&ConversationRef>,
        scope: Scope,
        key: &str,
    ) -> Result<Option<Marked<Value>>> {
        let (owner, sealer) = self.memory(ws, c, scope).await?;
        let name = self.state_name(ws, scope, owner, key);
        let sql = "select body,marked from state where ws=? and scope=? and owner=? and key_h=? and (until is null or until>?)";
        let values = row![ws, scope_number(scope), owner, name, self.clock.now()];
        let Some(row) = self.data.row(sql, values).await? else { return Ok(None) };
        let (_, value): (String, Value) = sealer.open_json(ws.0, "state", state_place(&name), &row.get::<Vec<u8>>(0)?)?;
        Ok(Some(Marked { value, marked: row.flag(1)? }))
    }

    /// Whose memory it is, and what seals it.
    pub(crate) async fn memory(&self, ws: WorkspaceId, c: Option<&ConversationRef>, scope: Scope) -> Result<(i64, Sealer)> {
        match (scope, c) {
            (Scope::Conversation, Some(c)) => Ok((c.id.0, c.sealer()?)),
            (Scope::Contact, Some(c)) => Ok((c.contact.0, c.sealer()?)),
            (Scope::Workspace, _) => Ok((0, self.keys.house(ws.0).await?)),
            (_, None) => Err(StoreError::Missing("conversation for this state")),
        }
    }

    pub(crate) fn state_name(&self, ws: WorkspaceId, scope: Scope, owner: i64, key: &str) -> [u8; 16] {
        self.index.lookup_parts(ws.0, "state", &[&scope_number(scope).to_string(), &owner.to_string(), key])
    }
}

/// The number that binds a sealed value to its key.
pub(crate) fn state_place(name: &[u8; 16]) -> i64 {
    name.iter().take(8).fold(0_i64, |n, b| n << 8 | i64::from(*b))
}
