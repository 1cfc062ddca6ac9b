//! Connecting and disconnecting an account. Each is one transaction: a channel never stands as connected without its secrets,
//! and a disconnected one has none. What waits to leave is parked with the reason, and goes on when the account is connected
//! again. A running host hears the audit's bell and reads its channels anew.

use pointsman_core::failure::{Class, Failure};
use pointsman_core::id::{Id, WorkspaceId};
use pointsman_core::outbox::SendState;
use serde::Serialize;

use crate::Store;
use crate::channel::{body_of, credential_place};
use crate::op::Op;
use crate::sheet::row;
use crate::types::{ChannelNew, ChannelRow, ChannelState, CredentialRow, Result, SendRow, SendUpdate};

/// Why something of a disconnected channel is parked.
pub const DISCONNECTED: &str = "channel.disconnected";

/// What went with a channel.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Disconnected {
    /// Secrets that were deleted.
    pub secrets: usize,
    /// Sends that waited, and are parked now.
    pub sends: usize,
}

impl Store {
    /// An id for a channel that is to be connected: secrets are sealed for it before it stands.
    #[must_use]
    pub fn channel_id(&self) -> Id {
        self.ids.next(self.clock.now())
    }

    /// The channel of this plugin and account, in whichever state.
    pub async fn channel_of(&self, ws: WorkspaceId, plugin: &str, account: &str) -> Result<Option<ChannelRow>> {
        // The account is sealed, and a workspace has few channels.
        Ok(self.channels(ws).await?.into_iter().find(|c| c.plugin == plugin && c.account == account))
    }

    /// Makes a channel, or takes one up again, with exactly these secrets. What was parked for want of it is not touched: see
    /// [`Store::act_on_parked`].
    pub async fn connect(&self, id: Id, new: ChannelNew, secrets: Vec<CredentialRow>) -> Result<()> {
        let ws = new.workspace;
        let plugin = new.plugin.clone();
        let body = self.keys.channel(ws.0, id.0).await?.seal_json(ws.0, "channel", id.0, &body_of(new))?;
        let mut op = Op::default();
        op.other.push((
            "insert into channel(ws,id,plugin,state,body) values (?,?,?,?,?) \
             on conflict (ws,id) do update set state=excluded.state,body=excluded.body",
            row![ws, id, plugin, ChannelState::Active as i64, body],
        ));
        op.other.push(("delete from credential where ws=? and owner=?", row![ws, id]));
        for secret in secrets {
            op.other.push(credential_place(secret)?);
        }
        self.writer.commit(op).await.map(|_| ())
    }

    /// Takes a channel out of use: its secrets are deleted, what waits to leave is parked.
    pub async fn disconnect(&self, ws: WorkspaceId, id: Id) -> Result<Disconnected> {
        let secrets = self.channel(ws, id).await?.map_or(0, |c| c.credentials.len());
        let mut op = Op::default();
        op.other.push(("update channel set state=? where ws=? and id=?", row![ChannelState::Off as i64, ws, id]));
        op.other.push(("delete from credential where ws=? and owner=?", row![ws, id]));
        let condition = " where send.ws=? and state<3 and state=0 and channel=? order by id";
        let waiting = self.sends_where(condition, &[ws.0, id.0]).await?;
        for send in &waiting {
            op.rows.push(self.send_update_row(&self.parked_for_want(send)).await?);
        }
        self.writer.commit(op).await?;
        Ok(Disconnected { secrets, sends: waiting.len() })
    }

    /// The kind of the first event that a channel brought after this id was made.
    pub async fn first_event_after(&self, ws: WorkspaceId, channel: Id, after: Id) -> Result<Option<String>> {
        let sql = "select kind from event where ws=? and id>? and channel=? order by id limit 1";
        let found = self.data.row(sql, row![ws, after, channel]).await?;
        found.map(|row| row.get(0)).transpose()
    }

    fn parked_for_want(&self, send: &SendRow) -> SendUpdate {
        SendUpdate {
            workspace: send.workspace,
            id: send.id,
            conversation: send.conversation.clone(),
            state: SendState::Parked,
            attempt: send.attempt,
            due: self.clock.now(),
            provider_ids: None,
            reason: Some(disconnected()),
            possible_duplicate: send.possible_duplicate,
        }
    }
}

/// The reason, with its cure.
#[must_use]
pub fn disconnected() -> Failure {
    Failure::new(
        Class::Permanent,
        DISCONNECTED,
        "the channel is not connected; connect it again (pointsman channel add), and this goes on",
    )
}
