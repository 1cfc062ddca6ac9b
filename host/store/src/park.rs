//! What a person does about things that are parked: has them tried again, or drops them. Both are decided and done in one
//! transaction that begins by taking the write lock, so that they hold beside a host that runs on the same files: an item that
//! is not parked any more is left as it is, and the audit has a line exactly when something was done.
//!
//! A host takes up what is to be tried again like this: a webhook is unread again, a run is waiting and due, an event and a
//! send carry the mark [`RETRIED`] until they have their turn. The line in the audit is the bell ([`Store::newest_audit`]).

use std::collections::BTreeMap;

use pointsman_core::failure::{Class, Failure};
use pointsman_core::id::{Id, WorkspaceId};
use pointsman_core::journal::{self, Entry};

use crate::Store;
use crate::db::Transaction;
use crate::keys::Sealer;
use crate::sheet::row;
use crate::types::{AuditRow, Result, SendRow, StoreError};
use crate::waiting::CALLER;

pub(crate) mod plan;

use plan::Plan;

/// What a run waits for that a person had tried again, and the rule or code of an event or a send that waits for its turn.
pub const RETRIED: &str = "retried";

/// The rule by which an item ends that a person dropped.
pub const DROPPED: &str = "dropped_by_operator";

/// What hosts note down by themselves: a line of these is nobody's wish.
const BY_ITSELF: [&str; 2] = ["plugin.quarantine", "plugin.deny"];

/// What may be parked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "the words say it")]
pub enum ItemKind {
    Webhook,
    Event,
    Run,
    Send,
}

impl ItemKind {
    /// The word in lists.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Webhook => "webhook",
            Self::Event => "event",
            Self::Run => "run",
            Self::Send => "send",
        }
    }
}

/// What a person wants done with a parked item.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Wish {
    /// A webhook is read again, an event routed again, a run goes on at its failed step, a send is due now with the same key.
    Retry,
    /// It ends by the rule [`DROPPED`]. Why, in the person's words: one line for the audit.
    Drop(String),
}

/// What was done.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Acted {
    /// What it is.
    pub kind: ItemKind,
    /// Its id.
    pub id: Id,
    /// The code or rule with which it was parked.
    pub code: String,
    /// Runs of a parked event that went with it, or the event of a run.
    pub with: Vec<Id>,
}

/// What was prepared before the transaction: words are sealed on the caller's side, with keys from the other file.
struct Sealed {
    why: Option<Vec<u8>>,
    /// The failed runs that a drop ends.
    runs: Vec<LastWords>,
}

/// What a run that is dropped says at last, sealed; nothing where its contact was erased.
struct LastWords {
    run: Id,
    why: Option<Vec<u8>>,
    /// The number of the part of its journal, and the part.
    part: Option<(Id, Vec<u8>)>,
}

impl Store {
    /// Which of the four tables has this id.
    pub async fn item_kind(&self, ws: WorkspaceId, id: Id) -> Result<Option<ItemKind>> {
        for (kind, sql) in [
            (ItemKind::Event, "select 1 from event where ws=? and id=?"),
            (ItemKind::Run, "select 1 from run where ws=? and id=?"),
            (ItemKind::Send, "select 1 from send where ws=? and id=?"),
            (ItemKind::Webhook, "select 1 from webhook where ws=? and id=?"),
        ] {
            if self.data.row(sql, row![ws, id]).await?.is_some() {
                return Ok(Some(kind));
            }
        }
        Ok(None)
    }

    /// Has a parked item tried again, or drops it. The inner error is a refusal: `park.unknown`, `park.not_parked`,
    /// `park.erased`, `park.gone`. `actor` is who wants it: `cli`, `user/NAME`.
    pub async fn act_on_parked(
        &self,
        ws: WorkspaceId,
        id: Id,
        actor: &str,
        wish: &Wish,
    ) -> Result<std::result::Result<Acted, Failure>> {
        let Some(kind) = self.item_kind(ws, id).await? else {
            return Ok(Err(refusal("park.unknown", format!("there is no webhook, event, run or send {id}"))));
        };
        let id = if (kind, wish) == (ItemKind::Run, &Wish::Retry) { self.outermost(ws, id).await? } else { id };
        let sealed = match self.prepare(ws, kind, id, actor, wish).await? {
            Ok(sealed) => sealed,
            Err(refused) => return Ok(Err(refused)),
        };
        let (actor, wish) = (actor.to_owned(), wish.clone());
        self.alone(ws, move |store, c| Box::pin(async move { store.within(c, ws, kind, id, &actor, &wish, &sealed).await })).await
    }

    /// Reads and seals what needs keys, and says what cannot be: a retry of an erased contact's words.
    async fn prepare(
        &self,
        ws: WorkspaceId,
        kind: ItemKind,
        id: Id,
        actor: &str,
        wish: &Wish,
    ) -> Result<std::result::Result<Sealed, Failure>> {
        let mut sealed = Sealed { why: None, runs: Vec::new() };
        match (kind, wish) {
            (ItemKind::Webhook, Wish::Retry) => match self.raw(ws, id).await {
                Ok(Some(_)) => {}
                Ok(None) | Err(StoreError::Unreadable(_) | StoreError::Erased) => {
                    return Ok(Err(refusal("park.gone", format!("the bytes of webhook {id} are not kept any more; drop it"))));
                }
                Err(error) => return Err(error),
            },
            (ItemKind::Webhook, Wish::Drop(_)) => {}
            (ItemKind::Event, Wish::Retry) if self.event(ws, id).await?.is_none() => return Ok(Err(erased(id))),
            (ItemKind::Run, Wish::Retry) if self.run(ws, id).await?.is_none() => return Ok(Err(erased(id))),
            (ItemKind::Event | ItemKind::Run, Wish::Retry) => {}
            (ItemKind::Event, Wish::Drop(reason)) => {
                for run in self.ids_where("select id from run where ws=? and event=? and state=4", ws, id).await? {
                    sealed.runs.push(self.last_words(ws, run, actor, reason).await?);
                }
            }
            (ItemKind::Run, Wish::Drop(reason)) => sealed.runs.push(self.last_words(ws, id, actor, reason).await?),
            (ItemKind::Send, wish) => {
                let Some(send) = self.send(ws, id).await? else {
                    return Ok(if *wish == Wish::Retry { Err(erased(id)) } else { Ok(sealed) });
                };
                let before = send.reason.as_ref().map_or_else(String::new, |r| format!("; it stood parked with {r}"));
                let why = match wish {
                    Wish::Retry => Failure::new(Class::Transient, RETRIED, format!("{actor} has it tried again{before}")),
                    Wish::Drop(reason) => Failure::new(Class::Permanent, DROPPED, format!("{actor}: {reason}{before}")),
                };
                let sealer = self.sealer(ws, send.conversation.as_ref(), id).await?;
                sealed.why = Some(sealer.seal_json(ws.0, "send.why", id.0, &why)?);
            }
        }
        Ok(Ok(sealed))
    }

    async fn last_words(&self, ws: WorkspaceId, run: Id, actor: &str, reason: &str) -> Result<LastWords> {
        let Some(row) = self.run(ws, run).await? else { return Ok(LastWords { run, why: None, part: None }) };
        let sealer: Sealer = self.sealer(ws, row.conversation.as_ref(), run).await?;
        // The failure itself stands in the journal; its words may be a guest's.
        let before = row.reason.as_ref().map_or_else(String::new, |r| format!("; it stood parked with {}", r.code));
        let why = Failure::new(Class::Permanent, DROPPED, format!("{actor}: {reason}{before}"));
        let entry = Entry::Cancelled { by: actor.to_owned(), reason: reason.to_owned() };
        let seq = self.ids.next(self.clock.now());
        let part = sealer.seal(ws.0, "journal", seq.0, &journal::pack(&[entry]))?;
        Ok(LastWords { run, why: Some(sealer.seal_json(ws.0, "run.why", run.0, &why)?), part: Some((seq, part)) })
    }

    /// Inside the transaction: looks, acts, and writes the audit's line.
    #[expect(clippy::too_many_arguments, reason = "one transaction, told whole")]
    async fn within(
        &self,
        c: &mut Transaction<'_>,
        ws: WorkspaceId,
        kind: ItemKind,
        id: Id,
        actor: &str,
        wish: &Wish,
        sealed: &Sealed,
    ) -> Result<std::result::Result<Acted, Failure>> {
        let now = self.clock.now();
        let plan = match (kind, wish) {
            (ItemKind::Webhook, Wish::Retry) => plan::retry_webhook(c, ws, id).await?,
            (ItemKind::Event, Wish::Retry) => plan::retry_event(c, ws, id, now).await?,
            (ItemKind::Run, Wish::Retry) => plan::retry_run(c, ws, id, now).await?,
            (ItemKind::Send, Wish::Retry) => plan::retry_send(c, ws, id, now, sealed).await?,
            (kind, Wish::Drop(_)) => plan::drop_item(c, ws, kind, id, sealed).await?,
        };
        let (action, words) = match wish {
            Wish::Retry => ("park.retry", String::new()),
            Wish::Drop(reason) => ("park.drop", format!(": {reason}")),
        };
        match plan {
            Ok(plan) => self.carry_out(c, ws, id, plan, (actor, action, &words)).await.map(Ok),
            Err(refused) => Ok(Err(refused)),
        }
    }

    async fn carry_out(
        &self,
        c: &mut Transaction<'_>,
        ws: WorkspaceId,
        id: Id,
        plan: Plan,
        (actor, action, words): (&str, &str, &str),
    ) -> Result<Acted> {
        for (sql, args) in plan.statements {
            c.run(sql, args).await?;
        }
        let with: String = plan.with.iter().map(|id| format!(" with {id}")).collect();
        let detail = format!("{} {id} {}{with}{words}", plan.kind.word(), plan.code);
        self.audit_within(c, ws, actor, action, &detail).await?;
        Ok(Acted { kind: plan.kind, id, code: plan.code, with: plan.with })
    }

    /// Has a run that is parked go on at its failed step, from here on with these versions of plugins (id and digest) in the
    /// place of those to which it was pinned. The inner error is a refusal, as of [`Store::act_on_parked`].
    pub async fn retry_run_with(
        &self,
        ws: WorkspaceId,
        id: Id,
        actor: &str,
        versions: &[(String, String)],
    ) -> Result<std::result::Result<Acted, Failure>> {
        let Some(row) = self.run(ws, id).await? else {
            return Ok(Err(refusal("park.unknown", format!("there is no run {id}, or its contact was erased"))));
        };
        let root = self.outermost(ws, id).await?;
        let entry = |(plugin, digest): &(String, String)| Entry::Replaced {
            plugin: plugin.clone(),
            digest: digest.clone(),
            by: actor.to_owned(),
        };
        let sealer = self.sealer(ws, row.conversation.as_ref(), id).await?;
        let seq = self.ids.next(self.clock.now());
        let part = sealer.seal(ws.0, "journal", seq.0, &journal::pack(&versions.iter().map(entry).collect::<Vec<_>>()))?;
        let names: Vec<String> = versions.iter().map(|(id, digest)| format!("{id}@{digest}")).collect();
        let (actor, words) = (actor.to_owned(), format!(": from here on {}", names.join(", ")));
        self.alone(ws, move |store, c| {
            Box::pin(async move {
                let mut plan = match plan::retry_run(c, ws, root, store.clock.now()).await? {
                    Ok(plan) => plan,
                    Err(refused) => return Ok(Err(refused)),
                };
                plan.statements.push(("insert into journal(ws,run,seq,body) values (?,?,?,?)", row![ws, id, seq, part]));
                store.carry_out(c, ws, id, plan, (&actor, "park.retry", &words)).await.map(Ok)
            })
        })
        .await
    }

    /// The run that has a run's failure in the end: the one that called it, where the failure was handed on; and so on.
    async fn outermost(&self, ws: WorkspaceId, mut id: Id) -> Result<Id> {
        while let Some(row) = self.run(ws, id).await?
            && row.waiting.as_deref() == Some(CALLER)
            && let Some(Entry::Started { caller: Some(caller), .. }) = row.entries.first()
        {
            id = caller.run;
        }
        Ok(id)
    }

    /// The newest line of the audit in each workspace. When it is another than a moment ago, somebody, perhaps in another
    /// process, may want something taken up. One seek a workspace.
    pub async fn newest_audit(&self) -> Result<BTreeMap<WorkspaceId, Id>> {
        let sql = "select w.id,(select max(a.id) from audit a where a.ws=w.id) from workspace w";
        let rows = self.data.rows(sql, Vec::new()).await?;
        rows.iter().map(|row| Ok((row.id(0)?, Id(row.get::<Option<i64>>(1)?.unwrap_or(0))))).collect()
    }

    /// What people did since the lines `heard`, up to the newest, by workspace (see [`Store::newest_audit`]). Where there are only
    /// lines of the house's own, nobody wants anything.
    pub async fn wishes(
        &self,
        heard: &BTreeMap<WorkspaceId, Id>,
        newest: &BTreeMap<WorkspaceId, Id>,
    ) -> Result<BTreeMap<WorkspaceId, Vec<AuditRow>>> {
        let mut wishes = BTreeMap::new();
        for (ws, last) in newest {
            let before = heard.get(ws).copied().unwrap_or_default();
            if before == *last {
                continue;
            }
            let mut lines = self.audit_after(*ws, before).await?;
            lines.retain(|line| !BY_ITSELF.contains(&line.action.as_str()));
            if !lines.is_empty() {
                wishes.insert(*ws, lines);
            }
        }
        Ok(wishes)
    }

    /// Sends of the lanes held that are to be tried again and did not have their turn yet, of all workspaces.
    pub async fn retried_sends(&self) -> Result<Vec<SendRow>> {
        let mine = self.mine("send.ws,conversation");
        self.sends_where(&format!(" where state<3 and state=0 and reason='retried'{mine} order by send.ws,id"), &[]).await
    }

    async fn ids_where(&self, sql: &'static str, ws: WorkspaceId, id: Id) -> Result<Vec<Id>> {
        self.data.rows(sql, row![ws, id]).await?.iter().map(|row| row.id(0)).collect()
    }
}

fn refusal(code: &str, message: String) -> Failure {
    Failure::new(Class::Permanent, code, message)
}

fn erased(id: Id) -> Failure {
    refusal("park.erased", format!("the contact of {id} was erased, and its words with it; drop it"))
}
