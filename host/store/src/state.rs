//! The small store of steps: a value under a key, remembered for a conversation, a contact or the workspace. The key is
//! looked up by its keyed hash; key and value are sealed together.

use pointsman_core::effect::Scope;
use pointsman_core::id::WorkspaceId;
use pointsman_core::mark::Marked;
use serde_json::Value;
use sqlx::Row as _;

use crate::Store;
use crate::conversation::ConversationRef;
use crate::decide::scope_number;
use crate::fault::meaning;
use crate::keys::Sealer;
use crate::types::{Result, StoreError};

impl Store {
    /// A value, unless its time is over.
    pub async fn state_get(&self, c: &ConversationRef, scope: Scope, key: &str) -> Result<Option<Marked<Value>>> {
        let ws = c.workspace;
        let (owner, sealer) = self.memory(ws, Some(c), scope).await?;
        let name = self.state_name(ws, scope, owner, key);
        let sql = "select body,marked from state where ws=? and scope=? and owner=? and key_h=? and (until is null or until>?)";
        let query = sqlx::query(sql).bind(ws.0).bind(scope_number(scope)).bind(owner).bind(name.to_vec()).bind(self.clock.now());
        let Some(row) = query.fetch_optional(&self.readers).await.map_err(|e| meaning(&e))? else { return Ok(None) };
        let sealed: Vec<u8> = row.try_get(0).map_err(|e| meaning(&e))?;
        let marked = row.try_get::<i64, _>(1).map_err(|e| meaning(&e))? != 0;
        let (_, value): (String, Value) = sealer.open_json(ws.0, "state", state_place(&name), &sealed)?;
        Ok(Some(Marked { value, marked }))
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
