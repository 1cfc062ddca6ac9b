//! Connected accounts: read from the store into the catalog, and asked through their plugins. A job goes in turns: the
//! plugin says which request comes next, the broker makes it, and the plugin reads the answer.

use pointsman_broker::{EgressError, Exchange, Recalled, StoredCredential};
use pointsman_core::clock::Millis;
use pointsman_core::failure::{Class, Failure, PluginFailure};
use pointsman_core::outbox::{Attempt, OnUnknown, Pace, Rules};
use pointsman_core::ports::{Account, Body, Done, HttpRequest, HttpResponse, Job, MAX_TURNS, Operation, Part, PartContent, Turn};
use pointsman_core::retry::Policy;
use pointsman_store::{ChannelRow, ChannelState, CredentialRow, StoreError};

use crate::Engine;
use crate::catalog::{Channel, Plugin};

/// What becomes of the answers that a job gets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Noting {
    /// Nobody will ask for them.
    Not,
    /// They are noted, until the outcome is kept.
    Noted,
    /// An earlier process may have noted them: the job is played again with these, and goes on from where they end.
    Before,
}

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
        match self.turns(channel, &job, Noting::Not).await {
            Ended::Done(done) => Ok(done),
            Ended::Refused(refused) => Err(refused.into_failure()),
            Ended::NotSent(failure) => Err(failure),
            Ended::Lost(why) => Err(Failure::new(Class::Transient, "provider.no_answer", why)),
        }
    }

    /// A job from its first turn to its end: the channel's plugin says which requests to make, the broker makes them.
    pub(crate) async fn turns(&self, channel: &Channel, job: &Job, mut noting: Noting) -> Ended {
        let plugin = &channel.plugin.id;
        let mut turn = match self.channels.begin(channel.workspace, plugin, job).await {
            Ok(turn) => turn,
            // The plugin could begin it before: something may have left.
            Err(failure) if noting == Noting::Before => return Ended::Lost(failure.to_string()),
            Err(failure) => return Ended::NotSent(failure),
        };
        self.points.reach("begin.after");
        for number in 0.. {
            let (request, state, repeatable) = match turn {
                Turn::Exchange { .. } if number as usize == MAX_TURNS => break,
                Turn::Done(done) => return Ended::Done(done),
                Turn::Failed(failure) => return Ended::Refused(failure),
                Turn::Exchange { request, state, repeatable } => (request, state, repeatable),
            };
            let response = match self.exchange(channel, job, &request, number, &mut noting).await {
                Ok(response) => response,
                Err(EgressError::Refused(failure) | EgressError::NotSent(failure)) => return Ended::NotSent(failure),
                Err(EgressError::Lost(why)) if repeatable => {
                    return Ended::NotSent(Failure::new(Class::Transient, "send.lost", why));
                }
                Err(EgressError::Lost(why)) => return Ended::Lost(why),
            };
            turn = match self.channels.advance(channel.workspace, plugin, job, &state, response).await {
                Ok(turn) => turn,
                // The provider answered, and nobody can say what: it may have been done.
                Err(failure) => return Ended::Lost(format!("the provider's answer could not be read: {failure}")),
            };
            self.points.reach("advance.after");
        }
        Ended::NotSent(Failure::bug(
            "plugin.turns",
            format!("the channel's plugin asked for more than {MAX_TURNS} requests for one job"),
        ))
    }
}

impl Engine {
    /// One exchange: made by the broker, or what came of it before.
    async fn exchange(
        &self,
        channel: &Channel,
        job: &Job,
        request: &HttpRequest,
        number: u32,
        noting: &mut Noting,
    ) -> Result<HttpResponse, EgressError> {
        let (credentials, slots) = (&channel.credentials, &channel.plugin.manifest.credentials);
        let exchange = Exchange { key: &job.key, attempt: job.attempt, number };
        if *noting == Noting::Before {
            match self.broker.recall(exchange).await {
                Recalled::Made(outcome) => return outcome,
                Recalled::Unknown => return Err(EgressError::Lost(NO_WORD.to_owned())),
                Recalled::NotBegun => *noting = Noting::Noted,
            }
        }
        self.ledger.sent(channel.workspace, &channel.plugin.id, sized(request));
        self.points.reach("send.before");
        let outcome = match noting {
            Noting::Not => self.broker.send_placed(request, credentials, slots).await,
            _ => self.broker.send_noted(request, credentials, slots, exchange).await,
        };
        self.points.reach("send.answered");
        if let Err(EgressError::Refused(refused)) = &outcome {
            self.tell_refused(channel.workspace, &channel.plugin.id, refused).await;
        }
        outcome
    }
}

/// Bytes of a request, about: what is put in for a secret is not known here.
pub(crate) fn sized(request: &HttpRequest) -> usize {
    let headers: usize = request.headers.iter().map(|(name, value)| name.len() + value.len()).sum();
    let body = match &request.body {
        Body::None | Body::Blob(_) => 0,
        Body::Bytes(bytes) => bytes.len(),
        Body::Form(fields) => fields.iter().map(|(name, value)| name.len() + value.len()).sum(),
        Body::Multipart(parts) => {
            let size = |part: &Part| match &part.content {
                PartContent::Text(text) => text.len(),
                PartContent::Bytes(bytes) => bytes.len(),
                PartContent::Blob(_) => 0,
            };
            parts.iter().map(size).sum()
        }
    };
    request.url.len() + headers + body
}

/// Why a send is `unknown` that was under way when its host ended.
pub(crate) const NO_WORD: &str = "the host ended between intent and answer";

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
        pace: Pace { per_second: retry.per_second, per_peer: retry.per_peer.map(millis) },
    };
    let credentials = row.credentials.into_iter().map(sealed).collect();
    Channel {
        id: row.id,
        workspace: row.workspace,
        plugin,
        account: Account { id: row.account, config: row.config },
        credentials,
        rules,
    }
}

/// A secret as the broker takes it.
pub(crate) fn sealed(row: CredentialRow) -> StoredCredential {
    StoredCredential { workspace: row.workspace.0, owner: row.owner.0, slot: row.slot, hosts: row.hosts, sealed: row.sealed }
}

fn millis(given: u64) -> Millis {
    Millis::try_from(given).unwrap_or(Millis::MAX)
}
