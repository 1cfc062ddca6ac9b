//! What comes in: kept in one commit with its events, then and only then acknowledged (invariant 1). Whether an event is
//! new is decided inside that commit, by a keyed hash of its dedupe key.

use std::sync::Arc;

use pointsman_core::event::{Event, EventBody};
use pointsman_core::failure::Failure;
use pointsman_core::id::{Id, WorkspaceId};
use pointsman_vault::{Aad, DataKey};

use crate::Store;
use crate::conversation::ConversationRef;
use crate::event::heard_at;
use crate::everywhere::workspaces_in;
use crate::keys::{Sealer, unreadable};
use crate::lease::lane;
use crate::op::{EventRow, IntakeRows, Link, Op, domain};
use crate::sheet::{Sheet, row};
use crate::types::{EventState, Intake, Kept, KeptEvent, Parsed, Result, StoreError, UnreadWebhook, WebhookState};

/// Length of a span of dedupe hashes: the present one and two before it are looked at, so 8 to 12 days.
pub(crate) const SPAN: i64 = 4 * 86_400_000;

/// A webhook on its way in.
#[derive(Clone, Copy)]
struct Coming<'a> {
    ws: WorkspaceId,
    channel: Id,
    at: i64,
    id: Id,
    raw: &'a [u8],
    sheet: Sheet,
}

impl Store {
    /// Keeps a webhook and its events. When this returns, they are on disk.
    pub async fn intake(&self, intake: Intake) -> Result<Kept> {
        let id = self.ids.next(self.clock.now());
        let Intake { workspace: ws, channel, at, raw, parsed } = intake;
        self.keep(Coming { ws, channel, at, id, raw: &raw, sheet: Sheet::Webhook }, parsed).await
    }

    /// Takes in what [`Store::unread`] gave, now that it is parsed. Its raw body is sealed anew, for those who are in it.
    pub async fn normalize(&self, webhook: UnreadWebhook, parsed: Parsed) -> Result<Kept> {
        let UnreadWebhook { workspace: ws, id, channel, at, raw } = webhook;
        self.keep(Coming { ws, channel, at, id, raw: &raw, sheet: Sheet::WebhookRead }, parsed).await
    }

    async fn keep(&self, coming: Coming<'_>, parsed: Parsed) -> Result<Kept> {
        let Coming { ws, channel, id, sheet, .. } = coming;
        // Ids and hashes are of the present, also for what came in long ago and is read only now.
        let now = self.clock.now();
        let mut op = Op::default();
        let mut kept = Vec::new();
        let mut rows = Vec::new();
        let mut owners: Vec<Arc<ConversationRef>> = Vec::new();
        let mut fixed = None;
        let mut failure = None;
        match parsed {
            Parsed::Unread => fixed = Some((WebhookState::Unread, None)),
            Parsed::Parked(why) => {
                fixed = Some((WebhookState::Parked, None));
                failure = Some(why);
            }
            Parsed::Events(events) => {
                for event in events {
                    let conversation = self.place(ws, channel, &event, now).await?;
                    let event_id = self.ids.next(now);
                    rows.push(self.event_row(&coming, event_id, &event, conversation.as_ref()).await?);
                    if let Some(c) = conversation.as_ref().filter(|c| !owners.iter().any(|o| o.contact == c.contact)) {
                        owners.push(c.clone());
                    }
                    kept.push((event_id, conversation, event));
                }
            }
        }
        for birth in kept.iter().filter_map(|k| k.1.as_ref()).flat_map(|c| c.births()) {
            if !op.births.iter().any(|b| b.id == birth.id) {
                op.births.push(birth);
            }
        }
        let raw = self.seal_raw(ws, id, &owners, coming.raw).await?;
        let why = match &failure {
            Some(failure) => Some(self.keys.day(ws.0, id.made_at()).await?.seal_json(ws.0, "webhook.why", id.0, failure)?),
            None => None,
        };
        let webhook = row![ws, id, channel, failure.as_ref().map(|f| f.code.clone()), why, pack_owners(&owners), raw];
        if sheet == Sheet::WebhookRead {
            op.claims.push((domain::WEBHOOK, id.0));
            op.hold = Some(self.leases.hold(lane(ws.0, 0)));
        }
        op.intake = Some(IntakeRows { ws: ws.0, span: now.div_euclid(SPAN), sheet, webhook, fixed, events: rows });
        let new = match self.writer.commit(op).await {
            // Another host erased somebody in it, which this one did not hear of yet. Whoever writes again is a stranger.
            Err(StoreError::Erased) => {
                for conversation in kept.iter().filter_map(|k| k.1.as_ref()) {
                    self.forget_if_erased(conversation).await?;
                }
                let parsed = Parsed::Events(kept.into_iter().map(|k| k.2).collect());
                return Box::pin(self.keep(coming, parsed)).await;
            }
            new => new?,
        };

        let mut answer = Kept::default();
        let stored = new.is_empty() || new.contains(&true) || sheet == Sheet::WebhookRead;
        answer.webhook = stored.then_some(id);
        for ((event_id, conversation, event), new) in kept.into_iter().zip(new) {
            let ignored = matches!(event.body, EventBody::Ignored(_));
            match (new, ignored) {
                (false, _) => answer.duplicates += 1,
                (true, true) => {}
                (true, false) => answer.events.push(KeptEvent {
                    workspace: ws,
                    id: event_id,
                    webhook: id,
                    channel,
                    at: event_id.made_at(),
                    state: EventState::New,
                    rule: None,
                    conversation,
                    event: Arc::new(event),
                }),
            }
        }
        Ok(answer)
    }

    async fn event_row(&self, c: &Coming<'_>, id: Id, event: &Event, to: Option<&Arc<ConversationRef>>) -> Result<EventRow> {
        let sealer = self.sealer(c.ws, to, id).await?;
        let body = sealer.seal_json(c.ws.0, "event", id.0, event)?;
        let ignored = matches!(event.body, EventBody::Ignored(_));
        let (state, rule) = if ignored { (EventState::Ended, Some("ignored")) } else { (EventState::New, None) };
        let conversation = to.map_or(0, |c| c.id.0);
        // What the house itself raised was not said: it stands in no timeline.
        let silent = ignored || matches!(event.body, EventBody::Internal(_));
        let link = to.filter(|_| !silent).map(|conversation| Link {
            conversation: conversation.clone(),
            id: id.0,
            at: c.at,
            inbound: heard_at(event, c.at),
        });
        Ok(EventRow {
            h: self.index.lookup_parts(c.ws.0, "dedupe", &[&c.channel.to_string(), &event.dedupe_key]),
            id: id.0,
            ignored,
            args: row![c.ws, id, c.id, c.channel, conversation, event.body.word(), state as i64, rule, body],
            link,
        })
    }

    /// What seals a row: the contact's key, or the key of the day on which the row was made.
    pub(crate) async fn sealer(&self, ws: WorkspaceId, to: Option<&Arc<ConversationRef>>, row: Id) -> Result<Sealer> {
        match to {
            Some(conversation) => conversation.sealer(),
            None => self.keys.day(ws.0, row.made_at()).await,
        }
    }

    /// Seals a raw payload with a key of all contacts in it, so that the death of one is enough.
    async fn seal_raw(&self, ws: WorkspaceId, id: Id, owners: &[Arc<ConversationRef>], raw: &[u8]) -> Result<Vec<u8>> {
        match owners {
            [] => self.keys.day(ws.0, id.made_at()).await?.seal(ws.0, "webhook", id.0, raw),
            [one] => one.sealer()?.seal(ws.0, "webhook", id.0, raw),
            many => {
                let sealers = many.iter().map(|c| c.sealer()).collect::<Result<Vec<_>>>()?;
                let key = joint(&sealers)?;
                key.seal(&Aad { workspace: ws.0, table: "webhook", row: id.0, owner: 0 }, raw).map_err(unreadable)
            }
        }
    }

    /// The raw body of a webhook, as long as all keys that seal it live.
    pub async fn raw(&self, ws: WorkspaceId, id: Id) -> Result<Option<Vec<u8>>> {
        let found = self.data.row("select owners,raw from webhook where ws=? and id=?", row![ws, id]).await?;
        let Some(found) = found else { return Ok(None) };
        let Some(raw) = found.get::<Option<Vec<u8>>>(1)? else { return Ok(None) };
        let owners = unpack_owners(&found.get::<Vec<u8>>(0)?);
        self.open_raw(ws, id, &owners, &raw).await.map(Some)
    }

    async fn open_raw(&self, ws: WorkspaceId, id: Id, owners: &[i64], raw: &[u8]) -> Result<Vec<u8>> {
        let mut sealers = Vec::with_capacity(owners.len());
        for owner in owners {
            sealers.push(Sealer { key: self.keys.contact(ws.0, *owner).await?, owner: *owner });
        }
        match sealers.as_slice() {
            [] => self.keys.day(ws.0, id.made_at()).await?.open(ws.0, "webhook", id.0, raw),
            [one] => one.open(ws.0, "webhook", id.0, raw),
            many => {
                let aad = Aad { workspace: ws.0, table: "webhook", row: id.0, owner: 0 };
                Ok(joint(many)?.open(&aad, raw).map_err(unreadable)?.to_vec())
            }
        }
    }

    /// Webhooks of the lanes held that were kept without being parsed: of each workspace the oldest, at most `limit` of each, so that a flood in
    /// one keeps no other waiting.
    pub async fn unread(&self, limit: usize) -> Result<Vec<UnreadWebhook>> {
        let rest = "select k.ws,k.id,k.channel,k.raw from w cross join webhook k where k.ws=w.ws and k.state=1 and k.id in \
                    (select id from webhook where ws=w.ws and state=1 order by id limit ?)";
        let sql = [&workspaces_in("webhook", "state=1"), rest, &self.mine("k.ws,0"), " order by k.id"].concat();
        let mut list = Vec::new();
        for row in self.data.rows(sql, row![limit as i64]).await? {
            let (workspace, id) = (row.id(0)?, row.id(1)?);
            let raw = self.open_raw(workspace, id, &[], &row.get::<Vec<u8>>(3)?).await?;
            list.push(UnreadWebhook { workspace, id, channel: row.id(2)?, at: id.made_at(), raw });
        }
        Ok(list)
    }

    /// Why a webhook was parked.
    pub(crate) async fn webhook_reason(&self, ws: WorkspaceId, id: Id, why: &[u8]) -> Result<Failure> {
        self.keys.day(ws.0, id.made_at()).await?.open_json(ws.0, "webhook.why", id.0, why)
    }
}

fn joint(sealers: &[Sealer]) -> Result<DataKey> {
    let keys: Vec<&DataKey> = sealers.iter().map(|s| &s.key).collect();
    DataKey::joint(&keys).map_err(unreadable)
}

fn pack_owners(owners: &[Arc<ConversationRef>]) -> Vec<u8> {
    owners.iter().flat_map(|c| c.contact.0.to_be_bytes()).collect()
}

fn unpack_owners(stored: &[u8]) -> Vec<i64> {
    stored.chunks_exact(8).filter_map(|c| c.try_into().ok()).map(i64::from_be_bytes).collect()
}
