//! Webhooks of workflows: an address of its own for each workflow that listens for them, on the public port. What comes is signed
//! over its time and its bytes; anything else gets the answer that a stranger gets at any address. A repeated delivery is a known
//! fact, so a replay does nothing even while its time is good.
//!
//! A webhook that its workflow binds to a contact happens in that contact's conversation, if there is one: none is ever begun.

use std::sync::{Arc, OnceLock};

use bytes::{BufMut, Bytes, BytesMut};
use pointsman_core::clock::Millis;
use pointsman_core::event::{Cause, Event, EventBody, Internal, v1};
use pointsman_core::failure::{Class, Failure};
use pointsman_core::id::{Id, WorkspaceId};
use pointsman_core::mark::Marked;
use pointsman_core::outbox::Rules;
use pointsman_core::ports::{Account, Answer, Names};
use pointsman_core::trigger::{Binding, Only, TriggerKind};
use pointsman_manifest::Manifest;
use pointsman_store::{ConversationRef, Intake, Parsed, StoreError};
use serde_json::Value;

use crate::Engine;
use crate::catalog::{Channel, Plugin};
use crate::intake::{Incoming, busy, refused, status, unverified};

/// The id under which such a door stands among the channels.
pub const PLUGIN: &str = "pointsman/workflow-webhook";

/// The slot of its secret.
pub const SECRET: &str = "signing_secret";

/// The header with the time of signing, in seconds since 1970.
const TIMESTAMP: &str = "x-pointsman-timestamp";

/// How old a signature may be, and how far ahead the other clock.
const GOOD_FOR: Millis = 300_000;

/// What a door says of itself.
#[must_use]
pub fn manifest() -> Option<Arc<Manifest>> {
    static MANIFEST: OnceLock<Option<Arc<Manifest>>> = OnceLock::new();
    MANIFEST.get_or_init(|| Manifest::parse(include_str!("hooks.toml")).ok().map(Arc::new)).clone()
}

/// The door among the plugins of the catalog.
pub(crate) fn plugin() -> Option<Plugin> {
    Some(Plugin { id: PLUGIN.into(), digest: "".into(), manifest: manifest()? })
}

/// A channel that leads nowhere, for facts outside of any conversation.
pub(crate) fn nowhere(workspace: WorkspaceId) -> Option<Channel> {
    Some(Channel {
        id: Id(0),
        workspace,
        plugin: Plugin { id: "".into(), digest: "".into(), manifest: manifest()? },
        account: Account { id: String::new(), config: Value::Null },
        credentials: Vec::new(),
        rules: Rules::default(),
    })
}

impl Engine {
    /// Takes one request to such a door.
    pub(crate) async fn receive_hook(&self, channel: &Channel, incoming: &Incoming) -> Answer {
        let signature = match self.signed(channel, incoming).await {
            Ok(signature) => signature,
            Err(failure) => return unverified(&failure),
        };
        let Some(signature) = signature else {
            metrics::counter!("pointsman_webhooks_total", "outcome" => "bad_signature").increment(1);
            return refused(incoming);
        };
        let Some(_room) = self.room_for(incoming.body.len()) else {
            metrics::counter!("pointsman_webhooks_total", "outcome" => "busy").increment(1);
            return busy();
        };
        match self.keep_hook(channel, incoming, &signature).await {
            Ok(()) => status(200),
            Err(error) => {
                tracing::error!(channel = %channel.id, %error, "a webhook could not be kept");
                metrics::counter!("pointsman_webhooks_total", "outcome" => "not_kept").increment(1);
                busy()
            }
        }
    }

    /// The signature, when it is right and fresh.
    async fn signed(&self, channel: &Channel, incoming: &Incoming) -> Result<Option<String>, Failure> {
        let Some(hook) = &channel.plugin.manifest.webhook else { return Ok(None) };
        let scheme = &hook.verify;
        let only = |name: &str| {
            let mut found = incoming.headers.iter().filter(|(own, _)| own.eq_ignore_ascii_case(name));
            let (_, value) = found.next()?;
            found.next().is_none().then_some(value.as_str())
        };
        let stamp = only(TIMESTAMP).unwrap_or_default();
        let mut bytes = BytesMut::with_capacity(stamp.len() + 1 + incoming.body.len());
        bytes.put_slice(stamp.as_bytes());
        bytes.put_u8(b'.');
        bytes.put_slice(&incoming.body);
        let signed: Bytes = bytes.freeze();
        if !self.broker.verify(scheme, channel.credential(&scheme.secret), &incoming.headers, &signed).await? {
            return Ok(None);
        }
        let at = stamp.parse::<i64>().ok().and_then(|at| at.checked_mul(1_000));
        let good = at.is_some_and(|at| at.abs_diff(self.clock.now()) <= GOOD_FOR.unsigned_abs());
        // However it was written: the same signature is the same delivery.
        Ok(good.then(|| only(&scheme.header).unwrap_or_default().to_ascii_lowercase()))
    }

    async fn keep_hook(&self, channel: &Channel, incoming: &Incoming, signature: &str) -> Result<(), StoreError> {
        let (workflow, now) = (channel.account.id.clone(), self.clock.now());
        let mut place = channel.id;
        let parsed = match serde_json::from_slice::<Value>(&incoming.body) {
            Ok(data) => {
                let mut event = Event {
                    dedupe_key: format!("webhook:{}:{signature}", channel.id),
                    account: None,
                    thread: None,
                    sender: None,
                    at: now,
                    trigger: true,
                    body: EventBody::Internal(Internal { cause: Cause::Webhook, name: workflow, data, marked: true, hops: 1 }),
                    extra: None,
                };
                if let Some(found) = self.bound(channel, &event).await? {
                    (place, event.thread) = (found.channel, Some(found.thread.clone()));
                }
                Parsed::Events(vec![event])
            }
            Err(_) => Parsed::Parked(Failure::new(
                Class::Permanent,
                "webhook.unreadable",
                "rightly signed, but its body is not JSON; have the sender send JSON, and drop this one",
            )),
        };
        let ticket = self.feed.ticket();
        let raw = incoming.body.to_vec();
        let kept = self.store.intake(Intake { workspace: channel.workspace, channel: place, at: now, raw, parsed }).await?;
        self.count(&kept);
        self.enqueue(kept, ticket);
        Ok(())
    }

    /// The conversation to which the workflow binds a webhook, where there is one already.
    async fn bound(&self, channel: &Channel, event: &Event) -> Result<Option<Arc<ConversationRef>>, StoreError> {
        let routes = self.catalog.routes(channel.workspace);
        let workflow = routes.workflows.iter().find(|w| *w.name == *channel.account.id);
        let hook = workflow.and_then(|w| w.on.iter().find(|t| t.kind == TriggerKind::Webhook));
        let Some(Only::About(Binding { channel: word, id })) = hook.map(|hook| &hook.only) else { return Ok(None) };
        let flat = v1::to_v1(event, channel.word(), &channel.account.id);
        let names = Names::from([("event".to_owned(), Marked::outside(flat))]);
        let id = match self.expressions.eval(id, &names).map(|found| found.value) {
            Ok(Value::String(id)) if !id.is_empty() => id,
            Ok(Value::Number(id)) => id.to_string(),
            Ok(_) => return Ok(None),
            Err(failure) => {
                tracing::warn!(workflow = %channel.account.id, code = %failure.code, "the contact of a webhook could not be worked out");
                return Ok(None);
            }
        };
        for there in self.catalog.channels_of(channel.workspace, word) {
            if let Some(found) = self.store.conversation_of(channel.workspace, there, &id).await? {
                return Ok(Some(found));
            }
        }
        Ok(None)
    }
}
