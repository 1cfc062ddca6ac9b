//! Inside the transaction: whether an item is parked, and which rows change so that the books balance afterwards.

use pointsman_core::clock::Instant;
use pointsman_core::failure::Failure;
use pointsman_core::id::{Id, WorkspaceId};
use pointsman_core::journal::RunState;
use pointsman_core::outbox::SendState;

use super::{DROPPED, ItemKind, LastWords, RETRIED, Sealed, refusal};
use crate::db::Transaction;
use crate::sheet::{Arg, row};
use crate::types::{EventState, Result, WebhookState};

/// A statement and its values.
pub(super) type Statement = (&'static str, Vec<Arg>);

/// What is to be done about one item that is parked, or why not.
pub(super) type Planned = Result<std::result::Result<Plan, Failure>>;

/// Statements, and what the audit says of them.
pub(super) struct Plan {
    pub kind: ItemKind,
    /// The code or rule with which it was parked.
    pub code: String,
    pub with: Vec<Id>,
    pub statements: Vec<Statement>,
}

pub(super) async fn retry_webhook(c: &mut Transaction<'_>, ws: WorkspaceId, id: Id) -> Planned {
    let kind = ItemKind::Webhook;
    let code = match parked(c, ws, kind, id).await? {
        Ok((code, _)) => code,
        Err(refused) => return Ok(Err(refused)),
    };
    let sql = "update webhook set state=?,reason=null,why=null where ws=? and id=?";
    Ok(Ok(Plan { kind, code, with: Vec::new(), statements: vec![(sql, row![WebhookState::Unread as i64, ws, id])] }))
}

/// An event whose runs failed goes on with them: what they did is not done again. One without runs is routed again.
pub(super) async fn retry_event(c: &mut Transaction<'_>, ws: WorkspaceId, id: Id, now: Instant) -> Planned {
    let kind = ItemKind::Event;
    let (code, webhook) = match parked(c, ws, kind, id).await? {
        Ok(found) => found,
        Err(refused) => return Ok(Err(refused)),
    };
    let runs = "select id,state from run where ws=? and event=? and (waiting is null or waiting<>'caller') order by id";
    let runs = c.hold(runs, row![ws, id]).await?;
    let mut failed = Vec::new();
    for run in &runs {
        if run.get::<i64>(1)? == RunState::Failed as i64 {
            failed.push(run.id(0)?);
        }
    }
    if failed.is_empty() && !runs.is_empty() {
        return Ok(Err(refusal("park.no_failed_run", format!("event {id} has runs, and none of them failed; drop it"))));
    }
    let (state, rule) = if failed.is_empty() { (EventState::New, Some(RETRIED)) } else { (EventState::Routed, None) };
    let mut statements = match open_again(c, ws, id, webhook, state, rule).await? {
        Ok(statements) => statements,
        Err(refused) => return Ok(Err(refused)),
    };
    statements.extend(failed.iter().map(|run| run_again(ws, *run, now)));
    Ok(Ok(Plan { kind, code, with: failed, statements }))
}

pub(super) async fn retry_run(c: &mut Transaction<'_>, ws: WorkspaceId, id: Id, now: Instant) -> Planned {
    let kind = ItemKind::Run;
    let (code, event) = match parked(c, ws, kind, id).await? {
        Ok(found) => found,
        Err(refused) => return Ok(Err(refused)),
    };
    let Some(row) = c.hold_one("select state,webhook from event where ws=? and id=?", row![ws, event]).await? else {
        return Ok(Err(refusal("park.gone", format!("the event of run {id} is not kept any more; drop it"))));
    };
    let (mut statements, mut with) = (Vec::new(), Vec::new());
    // Open still, when another run of the same event waits.
    if row.get::<i64>(0)? > EventState::Routed as i64 {
        match open_again(c, ws, event, row.id(1)?, EventState::Routed, None).await? {
            Ok(opened) => statements = opened,
            Err(refused) => return Ok(Err(refused)),
        }
        with.push(event);
    }
    statements.push(run_again(ws, id, now));
    Ok(Ok(Plan { kind, code, with, statements }))
}

pub(super) async fn retry_send(c: &mut Transaction<'_>, ws: WorkspaceId, id: Id, now: Instant, sealed: &Sealed) -> Planned {
    let kind = ItemKind::Send;
    let code = match parked(c, ws, kind, id).await? {
        Ok((code, _)) => code,
        Err(refused) => return Ok(Err(refused)),
    };
    // What may have arrived, and is sent again, may arrive twice.
    let twice = code == "send.unknown";
    let sql = "update send set state=?,due=?,attempt=0,reason=?,why=?,possible_duplicate=case when ?=1 then 1 else possible_duplicate end where ws=? and id=?";
    let args = row![SendState::Ready as i64, now, RETRIED, sealed.why.clone(), twice, ws, id];
    Ok(Ok(Plan { kind, code, with: Vec::new(), statements: vec![(sql, args)] }))
}

pub(super) async fn drop_item(c: &mut Transaction<'_>, ws: WorkspaceId, kind: ItemKind, id: Id, sealed: &Sealed) -> Planned {
    let (code, event) = match parked(c, ws, kind, id).await? {
        Ok(found) => found,
        Err(refused) => return Ok(Err(refused)),
    };
    let mut plan = Plan { kind, code, with: Vec::new(), statements: Vec::new() };
    let ended = |event: Id| -> Statement {
        let sql = "update event set state=?,rule=? where ws=? and id=? and state=3";
        (sql, row![EventState::Ended as i64, DROPPED, ws, event])
    };
    match kind {
        ItemKind::Webhook => {
            let sql = "update webhook set state=?,rule=? where ws=? and id=?";
            plan.statements.push((sql, row![WebhookState::Ignored as i64, DROPPED, ws, id]));
        }
        ItemKind::Send => {
            let sql = "update send set state=?,reason=?,why=? where ws=? and id=?";
            plan.statements.push((sql, row![SendState::Dropped as i64, DROPPED, sealed.why.clone(), ws, id]));
        }
        ItemKind::Event => {
            plan.statements.push(ended(id));
            plan.with = sealed.runs.iter().map(|last| last.run).collect();
        }
        ItemKind::Run => {
            let other = "select 1 from run where ws=? and event=? and id<>? and state=4 and waiting is null";
            if c.hold_one(other, row![ws, event, id]).await?.is_none() {
                plan.statements.push(ended(event));
            }
        }
    }
    for LastWords { run, why, part } in &sealed.runs {
        let sql = "update run set state=?,until=null,waiting=null,reason=?,why=? where ws=? and id=? and state=4";
        plan.statements.push((sql, row![RunState::Cancelled as i64, DROPPED, why.clone(), ws, *run]));
        if let Some((seq, part)) = part {
            let sql = "insert into journal(ws,run,seq,body) values (?,?,?,?)";
            plan.statements.push((sql, row![ws, *run, *seq, part.clone()]));
        }
    }
    Ok(Ok(plan))
}

/// The code of an item that is parked, and what it hangs on: the webhook of an event, the event of a run, else 0.
async fn parked(
    c: &mut Transaction<'_>,
    ws: WorkspaceId,
    kind: ItemKind,
    id: Id,
) -> Result<std::result::Result<(String, Id), Failure>> {
    let (state, sql) = match kind {
        ItemKind::Webhook => {
            (WebhookState::Parked as i64, "select state,reason,cast(0 as bigint) from webhook where ws=? and id=?")
        }
        ItemKind::Event => (EventState::Parked as i64, "select state,rule,webhook from event where ws=? and id=?"),
        ItemKind::Run => (
            RunState::Failed as i64,
            "select state,reason,event from run where ws=? and id=? and (waiting is null or waiting<>'caller')",
        ),
        ItemKind::Send => (SendState::Parked as i64, "select state,reason,cast(0 as bigint) from send where ws=? and id=?"),
    };
    match c.hold_one(sql, row![ws, id]).await? {
        Some(row) if row.get::<i64>(0)? == state => Ok(Ok((row.get::<Option<String>>(1)?.unwrap_or_default(), row.id(2)?))),
        _ => Ok(Err(refusal(
            "park.not_parked",
            format!("{} {id} is not parked; `pointsman why {id}` says how it stands", kind.word()),
        ))),
    }
}

/// An ended event is open again, and so is its webhook.
async fn open_again(
    c: &mut Transaction<'_>,
    ws: WorkspaceId,
    event: Id,
    webhook: Id,
    state: EventState,
    rule: Option<&'static str>,
) -> Result<std::result::Result<Vec<Statement>, Failure>> {
    if c.hold_one("select 1 from webhook where ws=? and id=?", row![ws, webhook]).await?.is_none() {
        return Ok(Err(refusal("park.gone", format!("the webhook of event {event} is not kept any more; drop it"))));
    }
    Ok(Ok(vec![
        ("update event set state=?,rule=? where ws=? and id=?", row![state as i64, rule, ws, event]),
        ("update webhook set state=?,open=open+1 where ws=? and id=?", row![WebhookState::Kept as i64, ws, webhook]),
    ]))
}

fn run_again(ws: WorkspaceId, run: Id, now: Instant) -> Statement {
    let sql = "update run set state=?,until=?,waiting=?,reason=null,why=null where ws=? and id=?";
    (sql, row![RunState::Waiting as i64, now, RETRIED, ws, run])
}
