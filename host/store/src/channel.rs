//! Channels and their credentials. Account, name and settings are sealed with the channel's key (an account may be a phone
//! number); a credential is sealed by the vault before it comes here, and only the broker can open it.

use pointsman_core::id::{Id, WorkspaceId};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::Store;
use crate::db::Record;
use crate::op::Op;
use crate::sheet::{Arg, row};
use crate::types::{ChannelNew, ChannelRow, ChannelState, CredentialRow, Result, StoreError};

#[derive(Serialize, Deserialize)]
pub(crate) struct Body {
    account: String,
    name: String,
    config: Value,
}

/// What is sealed of a new channel.
pub(crate) fn body_of(new: ChannelNew) -> Body {
    Body { account: new.account, name: new.name, config: new.config }
}

/// What puts a sealed secret into its slot, in place of what was there.
pub(crate) fn credential_place(row: CredentialRow) -> Result<(&'static str, Vec<Arg>)> {
    let hosts = serde_json::to_string(&row.hosts).map_err(|e| StoreError::Unreadable(e.to_string()))?;
    let sql = "insert into credential(ws,owner,slot,hosts,sealed) values (?,?,?,?,?) \
               on conflict (ws,owner,slot) do update set hosts=excluded.hosts,sealed=excluded.sealed";
    Ok((sql, row![row.workspace, row.owner, row.slot, hosts, row.sealed]))
}

impl Store {
    /// Switches a channel.
    pub async fn set_channel_state(&self, ws: WorkspaceId, id: Id, state: ChannelState) -> Result<()> {
        let sql = "update channel set state=? where ws=? and id=?";
        self.writer.commit(Op { other: vec![(sql, row![state as i64, ws, id])], ..Op::default() }).await.map(|_| ())
    }

    /// One channel.
    pub async fn channel(&self, ws: WorkspaceId, id: Id) -> Result<Option<ChannelRow>> {
        match self.data.row("select ws,id,plugin,state,body from channel where ws=? and id=?", row![ws, id]).await? {
            Some(row) => self.read_channel(&row).await.map(Some),
            None => Ok(None),
        }
    }

    /// All channels of a workspace, in the order in which they were added.
    pub async fn channels(&self, ws: WorkspaceId) -> Result<Vec<ChannelRow>> {
        let mut list = Vec::new();
        for row in self.data.rows("select ws,id,plugin,state,body from channel where ws=? order by id", row![ws]).await? {
            list.push(self.read_channel(&row).await?);
        }
        Ok(list)
    }

    /// The sealed secrets of an owner.
    pub(crate) async fn credentials_of(&self, ws: WorkspaceId, owner: Id) -> Result<Vec<CredentialRow>> {
        let sql = "select slot,hosts,sealed from credential where ws=? and owner=? order by slot";
        let mut credentials = Vec::new();
        for row in self.data.rows(sql, row![ws, owner]).await? {
            let sealed: Vec<u8> = row.get(2)?;
            self.keys.know_the_key_of(&sealed).await?;
            credentials.push(CredentialRow {
                workspace: ws,
                owner,
                slot: row.get(0)?,
                hosts: serde_json::from_str(&row.get::<String>(1)?).map_err(|e| StoreError::Unreadable(e.to_string()))?,
                sealed,
            });
        }
        Ok(credentials)
    }

    async fn read_channel(&self, row: &Record) -> Result<ChannelRow> {
        let (ws, id) = (row.id(0)?, row.id(1)?);
        let sealed: Vec<u8> = row.get(4)?;
        let body: Body = self.keys.channel(ws.0, id.0).await?.open_json(ws.0, "channel", id.0, &sealed)?;
        let state = row.get(3)?;
        let credentials = self.credentials_of(ws, id).await?;
        Ok(ChannelRow {
            workspace: ws,
            id,
            plugin: row.get(2)?,
            account: body.account,
            name: body.name,
            config: body.config,
            state: ChannelState::from_stored(state)
                .ok_or_else(|| StoreError::Unreadable(format!("channel {id} has state {state}")))?,
            credentials,
        })
    }
}
