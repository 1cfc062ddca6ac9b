//! Connected accounts: read from the store into the catalog, and asked through their plugins. A job goes in turns: the
//! plugin says which request comes next, the broker makes it, and the plugin reads the answer.

use pointsman_broker::{EgressError, StoredCredential};
use pointsman_core::clock::Millis;
use pointsman_core::failure::{Class, Failure, PluginFailure};
use pointsman_core::outbox::{Attempt, OnUnknown, Rules};
use pointsman_core::ports::{Account, Done, Job, MAX_TURNS, Operation, Turn};
use pointsman_core::retry::Policy;
use pointsman_store::{ChannelRow, ChannelState, StoreError};

use crate::Engine;
use crate::catalog::{Channel, Plugin};

/// How a job ended.
#[derive(Debug)]
pub(crate) enum Ended {
    /// It was done.
    Done(Done),
    /// The provider said no, as the plugin understands its answer.
    Refused(PluginFailure),
    /// Nothing left that could have been done twice.
    NotSent(Failure),
    /// A request left and no answer came: it may have been done.
    Lost(String),
}

impl From<Ended> for Attempt {
    fn from(ended: Ended) -> Self {
        match ended {
            Ended::Done(Done::Created(ids)) => Self::Taken(ids),
            Ended::Done(_) => Self::Taken(Vec::new()),
            Ended::Refused(failure) => Self::Refused(failure),
            Ended::NotSent(failure) => Self::NotSent(failure),
            Ended::Lost(why) => Self::Lost(why),
        }
    }
}

impl Engine {
    /// Reads the connected channels of all workspaces into the catalog.
    pub async fn load_channels(&self) -> Result<(), StoreError> {
        let mut channels = Vec::new();
        for workspace in self.store.workspaces().await? {
            for row in self.store.channels(workspace.id).await? {
                let Some(plugin) = self.catalog.plugin(&row.plugin) else {
                    tracing::error!(channel = %row.id, plugin = %row.plugin, "the plugin of a channel is not installed; the channel stays closed");
                    continue;
                };
                if row.state == ChannelState::Active {
                    channels.push(channel(row, plugin));
                }
            }
        }
        self.catalog.set_channels(channels);
        Ok(())
    }

    /// Asks the provider something outside a conversation: who we are, where webhooks go. Nothing is journaled or repeated;
    /// the failure says what to do.
    pub async fn ask(&self, channel: &Channel, operation: Operation) -> Result<Done, Failure> {
        let now = self.clock.now();
        let job = Job {
            key: self.ids.next(now).to_string(),
            attempt: 1,
            at: now,
            account: channel.account.clone(),
            peer: None,
            window_open: true,
            operation,
        };
        match self.turns(channel, &job).await {
            Ended::Done(done) => Ok(done),
            Ended::Refused(refused) => Err(refused.into_failure()),
            Ended::NotSent(failure) => Err(failure),
            Ended::Lost(why) => Err(Failure::new(Class::Transient, "provider.no_answer", why)),
        }
    }

    /// A job from its first turn to its end: the channel's plugin says which requests to make, the broker makes them.
    pub(crate) async fn turns(&self, channel: &Channel, job: &Job) -> Ended {
        let (plugin, slots) = (&channel.plugin.id, &channel.plugin.manifest.credentials);
        let mut turn = match self.channels.begin(channel.workspace, plugin, job).await {
            Ok(turn) => turn,
            Err(failure) => return Ended::NotSent(failure),
        };
        for _ in 0..MAX_TURNS {
            let (request, state, repeatable) = match turn {
                Turn::Done(done) => return Ended::Done(done),
                Turn::Failed(failure) => return Ended::Refused(failure),
                Turn::Exchange { request, state, repeatable } => (request, state, repeatable),
            };
            self.points.reach("send.before");
            let response = match self.broker.send_placed(&request, &channel.credentials, slots).await {
                Ok(response) => response,
                Err(EgressError::Refused(failure) | EgressError::NotSent(failure)) => return Ended::NotSent(failure),
                Err(EgressError::Lost(why)) if repeatable => {
                    return Ended::NotSent(Failure::new(Class::Transient, "send.lost", why));
                }
                Err(EgressError::Lost(why)) => return Ended::Lost(why),
            };
            self.points.reach("send.answered");
            turn = match self.channels.advance(channel.workspace, plugin, job, &state, response).await {
                Ok(turn) => turn,
                // The provider answered, and nobody can say what: it may have been done.
                Err(failure) => return Ended::Lost(format!("the provider's answer could not be read: {failure}")),
            };
        }
        Ended::NotSent(Failure::bug(
            "plugin.turns",
            format!("the channel's plugin asked for more than {MAX_TURNS} requests for one job"),
        ))
    }
}

/// A channel as the line needs it.
#[must_use]
pub fn channel(row: ChannelRow, plugin: Plugin) -> Channel {
    use pointsman_manifest::OnUnknown as Rule;
    let retry = &plugin.manifest.retry;
    let rules = Rules {
        retry: Policy { max: retry.max, first: millis(retry.first), factor: retry.factor, cap: millis(retry.cap) },
        settle_after: millis(retry.settle_after),
        on_unknown: match retry.on_unknown {
            Rule::Retry => OnUnknown::Retry,
            Rule::Ask => OnUnknown::Ask,
            Rule::Skip => OnUnknown::Skip,
        },
    };
    let credentials = row
        .credentials
        .into_iter()
        .map(|c| StoredCredential { workspace: c.workspace.0, owner: c.owner.0, slot: c.slot, hosts: c.hosts, sealed: c.sealed })
        .collect();
    Channel {
        id: row.id,
        workspace: row.workspace,
        plugin,
        account: Account { id: row.account, config: row.config },
        credentials,
        rules,
    }
}

fn millis(given: u64) -> Millis {
    Millis::try_from(given).unwrap_or(Millis::MAX)
}
