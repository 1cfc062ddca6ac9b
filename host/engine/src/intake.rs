//! From raw bytes to a 200: verify, normalize, keep. A 200 means that it is on disk (invariant 1); what could not be read is
//! kept too and parked with its reason; bad signatures and unknown channels get the same 401 and leave nothing behind.

use std::time::Duration;

use bytes::Bytes;
use pointsman_core::failure::{Class, Failure};
use pointsman_core::id::Id;
use pointsman_core::ports::{Answer, Method, Webhook};
use pointsman_manifest::{SignatureScheme, VerifyScheme};
use pointsman_store::{Intake, Kept, Parsed};

use tokio::sync::SemaphorePermit;

use crate::catalog::Channel;
use crate::{Engine, hooks};

/// A webhook that the box cannot read within this time is kept unread and normalized later.
const PARSE_PATIENCE: Duration = Duration::from_millis(250);

/// What a webhook under way takes beside its body, in bytes: its events, its rows, its task.
const BESIDE: usize = 4 << 10;

/// A request to a channel's hook, as it came.
#[derive(Debug, Clone)]
pub struct Incoming {
    /// The channel's id, as written in the address.
    pub channel: String,
    /// Its method.
    pub method: Method,
    /// What follows the channel in the path.
    pub path: String,
    /// The decoded query.
    pub query: Vec<(String, String)>,
    /// Names in lower case.
    pub headers: Vec<(String, String)>,
    /// The raw bytes.
    pub body: Bytes,
}

impl Engine {
    /// Takes one request of a provider.
    pub async fn receive(&self, incoming: Incoming) -> Answer {
        let channel = incoming.channel.parse::<Id>().ok().and_then(|id| self.catalog.channel(id));
        let Some(channel) = channel else {
            // The same work and the same answer as for a bad signature: nobody learns which channels exist.
            let _ = self.broker.verify(&stranger(), None, &incoming.headers, &incoming.body).await;
            return refused(&incoming);
        };
        let Some(hook) = channel.plugin.manifest.webhook.as_ref() else { return refused(&incoming) };
        if incoming.method == Method::Get {
            let token = hook.handshake.as_ref().and_then(|h| channel.credential(&h.token));
            let Some(handshake) = &hook.handshake else { return status(403) };
            return match self.broker.handshake(handshake, token, &incoming.query).await {
                Ok(answer) => answer.map_or_else(|| status(403), |(code, body)| text(code, body)),
                Err(failure) => unverified(&failure),
            };
        }
        if &*channel.plugin.id == hooks::PLUGIN {
            return self.receive_hook(&channel, &incoming).await;
        }
        let secret = channel.credential(&hook.verify.secret);
        match self.broker.verify(&hook.verify, secret, &incoming.headers, &incoming.body).await {
            Ok(true) => {}
            Ok(false) => {
                metrics::counter!("pointsman_webhooks_total", "outcome" => "bad_signature").increment(1);
                return refused(&incoming);
            }
            Err(failure) => return unverified(&failure),
        }
        self.points.reach("verify.after");
        // Behind a slow disk webhooks would pile up, one copy of the body upon the other: the provider keeps them better.
        let Some(_room) = self.room_for(incoming.body.len()) else {
            metrics::counter!("pointsman_webhooks_total", "outcome" => "busy").increment(1);
            return busy();
        };
        let (parsed, answer) = self.normalize(&channel, &incoming).await;
        self.points.reach("parse.after");
        // Until it is kept, or will not be.
        let _left = matches!(parsed, Parsed::Unread).then(|| self.unread.leave(channel.workspace));
        let ticket = self.feed.ticket();
        if let Parsed::Parked(reason) = &parsed {
            tracing::warn!(channel = %channel.id, code = %reason.code, bytes = incoming.body.len(), "a webhook could not be read; it is parked");
        }
        self.points.reach("keep.before");
        let kept = self
            .store
            .intake(Intake {
                workspace: channel.workspace,
                channel: channel.id,
                at: self.clock.now(),
                raw: incoming.body.to_vec(),
                parsed,
            })
            .await;
        self.points.reach("keep.after");
        match kept {
            Ok(kept) => {
                self.count(&kept);
                self.enqueue(kept, ticket);
                answer.unwrap_or_else(|| status(200))
            }
            Err(error) => {
                // Nothing was acknowledged: the provider delivers it again.
                tracing::error!(channel = %channel.id, %error, "a webhook could not be kept");
                metrics::counter!("pointsman_webhooks_total", "outcome" => "not_kept").increment(1);
                busy()
            }
        }
    }

    /// Asks the channel's plugin what the bytes say.
    async fn normalize(&self, channel: &Channel, incoming: &Incoming) -> (Parsed, Option<Answer>) {
        if self.unread.behind(channel.workspace) {
            return (Parsed::Unread, None);
        }
        let webhook = Webhook {
            method: incoming.method,
            path: incoming.path.clone(),
            query: incoming.query.clone(),
            headers: listed(channel, &incoming.headers),
            body: incoming.body.clone(),
            received: self.clock.now(),
        };
        let parse = self.channels.parse(channel.workspace, &channel.plugin.id, &webhook, &channel.account);
        match tokio::time::timeout(PARSE_PATIENCE, parse).await {
            Ok(Ok(Ok(reception))) => (Parsed::Events(reception.events), reception.answer),
            Ok(Ok(Err(_sentence))) => (Parsed::Parked(unreadable()), None),
            Ok(Err(failure)) => (Parsed::Parked(failure), None),
            Err(_elapsed) => (Parsed::Unread, None),
        }
    }

    /// Room for a webhook under way, until it is answered. One that is larger than all the room there is takes all of it.
    pub(crate) fn room_for(&self, body: usize) -> Option<SemaphorePermit<'_>> {
        let kib = (body + BESIDE).div_ceil(1024).min(self.webhook_kib);
        self.webhook_room.try_acquire_many(u32::try_from(kib).unwrap_or(u32::MAX)).ok()
    }

    pub(crate) fn count(&self, kept: &Kept) {
        let outcome = if kept.webhook.is_none() { "duplicate" } else { "kept" };
        metrics::counter!("pointsman_webhooks_total", "outcome" => outcome).increment(1);
        if kept.duplicates > 0 {
            metrics::counter!("pointsman_events_total", "outcome" => "duplicate").increment(u64::from(kept.duplicates));
        }
    }
}

/// The headers that the manifest lists: no plugin sees signatures or cookies.
fn listed(channel: &Channel, headers: &[(String, String)]) -> Vec<(String, String)> {
    let names = channel.plugin.manifest.webhook.as_ref().map(|w| w.headers.as_slice()).unwrap_or_default();
    headers.iter().filter(|(name, _)| names.iter().any(|n| n.eq_ignore_ascii_case(name))).cloned().collect()
}

/// The plugin's own sentence may quote the body, so it stays out of the reason.
pub(crate) fn unreadable() -> Failure {
    Failure::new(
        Class::Permanent,
        "webhook.unreadable",
        "signed by the provider, but not of a form that the channel's plugin can read; update the plugin, then retry",
    )
}

pub(crate) fn status(status: u16) -> Answer {
    Answer { status, headers: Vec::new(), body: Vec::new() }
}

fn text(status: u16, body: String) -> Answer {
    let headers = vec![("content-type".to_owned(), "text/plain; charset=utf-8".to_owned())];
    Answer { status, headers, body: body.into_bytes() }
}

/// The scheme under which a channel that does not exist is "verified": the work takes as long as for one that does.
fn stranger() -> VerifyScheme {
    VerifyScheme {
        scheme: SignatureScheme::HmacSha256,
        header: "x-hub-signature-256".to_owned(),
        prefix: "sha256=".to_owned(),
        secret: String::new(),
        encoding: None,
    }
}

/// Nobody could say whether it is the provider's: the provider brings it again.
pub(crate) fn unverified(failure: &Failure) -> Answer {
    tracing::error!(code = %failure.code, "a webhook could not be verified");
    metrics::counter!("pointsman_webhooks_total", "outcome" => "unverified").increment(1);
    busy()
}

/// What a stranger gets: the same for a bad signature and a channel that does not exist.
pub(crate) fn refused(incoming: &Incoming) -> Answer {
    status(if incoming.method == Method::Get { 403 } else { 401 })
}

pub(crate) fn busy() -> Answer {
    Answer { status: 503, headers: vec![("retry-after".to_owned(), "5".to_owned())], body: Vec::new() }
}
