//! The ledger of what models and paid templates cost. Before a call its greatest cost is reserved against every cap, in one short transaction that is alone in
//! the workspace, on whichever host: so the sum of what is spent and what is under way never exceeds a cap. After the call it is settled.
//! No transaction is open while a model is asked.
//!
//! What is reserved and never settled, because its process ended in between, goes on counting: nobody knows whether it was paid. An answer
//! is kept in the transaction that settles what it cost: whoever asks the same for the same event at the same place is told it again and
//! pays nothing. Rows are kept for ninety days, then they become a line a month and model.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use pointsman_core::clock::Instant;
use pointsman_core::id::{Id, WorkspaceId};

use crate::Store;
use crate::conversation::ConversationRef;
use crate::db::{Record, Transaction};
use crate::sheet::row;
use crate::types::{
    CapReached, Caps, KeptAnswer, NewSpend, Result, Settled, SpendFor, SpendRow, SpendSum, SpendTotal, StoreError,
};

const DAY: i64 = 86_400_000;

/// For how long rows are kept, in milliseconds.
const KEPT: i64 = 90 * DAY;

/// For how long answers are kept: a host is back by then.
const ANSWERS: i64 = DAY;

/// Rows that are folded in one transaction.
const FOLDED: i64 = 20_000;

const OPEN_OF_SEND: &str = "select id from spend where ws=? and send=? and state=0 and send<>0";

const ADD_TOTAL: &str = "insert into spend_total(ws,month,model,calls,amount,input,output) values (?,?,?,?,?,?,?) \
    on conflict (ws,month,model) do update set calls=spend_total.calls+excluded.calls,amount=spend_total.amount+excluded.amount,\
    input=spend_total.input+excluded.input,output=spend_total.output+excluded.output";

/// The sums of the ledger, as they are stored.
const SCOPES: [&str; 4] = ["day", "month", "workflow", "contact"];

/// How a row of the ledger stands, as it is stored.
const STATES: [&str; 3] = ["reserved", "settled", "whole"];

impl Store {
    /// Reserves what a call can cost at most. An inner error: a cap would be exceeded; nothing is reserved, and the refusal is counted.
    pub async fn reserve_spend(&self, new: NewSpend, caps: Caps) -> Result<Result<Id, CapReached>> {
        let ws = new.of.workspace;
        self.alone(ws, move |store, c| {
            Box::pin(async move {
                let amount = new.amount.max(0);
                let send = new.send.unwrap_or(Id(0));
                if new.send.is_some()
                    && let Some(open) = c.hold_one(OPEN_OF_SEND, row![ws, send]).await?
                {
                    return Ok(Ok(open.id(0)?));
                }
                // The day is that of the id, by which it is found again when it is settled.
                let id = store.ids.next(store.clock.now());
                let sums = sums(&new.of, id.made_at());
                for (key, cap) in sums.iter().zip([caps.day, caps.month, caps.workflow, caps.contact]) {
                    let (Some(key @ (scope, owner, day)), Some(cap)) = (key, cap) else { continue };
                    let sql = "select amount from spend_sum where ws=? and scope=? and owner=? and day=?";
                    let found = c.hold_one(sql, row![ws, *scope, owner.clone(), *day]).await?;
                    let spent = found.map_or(Ok(0), |row| row.get::<i64>(0))?;
                    if spent.saturating_add(amount) > cap {
                        add(c, ws, key.clone(), 0, 1).await?;
                        return Ok(Err(CapReached { scope: named(&SCOPES, *scope)?, spent, cap }));
                    }
                }
                for key in sums.into_iter().flatten() {
                    add(c, ws, key, amount, 0).await?;
                }
                let sql = "insert into spend(ws,id,model,workflow,contact,run,send,state,amount,input,output,flag) \
                           values (?,?,?,?,?,?,?,0,?,?,?,?)";
                let contact = new.of.contact.unwrap_or(Id(0));
                let mut args = row![ws, id, new.model, new.of.workflow, contact, new.of.run, send];
                args.extend(row![amount, new.tokens.0, new.tokens.1, new.flag]);
                c.run(sql, args).await?;
                Ok(Ok(id))
            })
        })
        .await
    }

    /// Settles what a send cost, where anything is reserved for it.
    pub async fn settle_send(&self, ws: WorkspaceId, send: Id, settled: Settled) -> Result<()> {
        match self.data.row(OPEN_OF_SEND, row![ws, send]).await? {
            Some(open) => self.settle_spend(ws, open.id(0)?, settled, None).await,
            None => Ok(()),
        }
    }

    /// Puts in the place of a reservation what the call did cost, and keeps what was answered. Once: what is settled stays as it is.
    pub async fn settle_spend(&self, ws: WorkspaceId, id: Id, settled: Settled, answer: Option<KeptAnswer>) -> Result<()> {
        let answer = match answer {
            Some(answer) => {
                let sealer = self.sealer(ws, answer.conversation.as_ref(), id).await?;
                let body = sealer.seal(ws.0, "model_answer", id.0, &answer.body)?;
                Some(row![ws, answer.event, answer.question.to_vec(), id, body])
            }
            None => None,
        };
        self.alone(ws, move |_, c| {
            Box::pin(async move {
                let sql = "select workflow,contact,run,amount,input,output from spend where ws=? and id=? and state=0";
                let Some(row) = c.hold_one(sql, row![ws, id]).await? else { return Ok(()) };
                let of = SpendFor {
                    workspace: ws,
                    workflow: row.get(0)?,
                    contact: Some(row.id(1)?).filter(|id| id.0 != 0),
                    run: row.id(2)?,
                };
                let reserved: i64 = row.get(3)?;
                let (state, amount, input, output) = match settled {
                    Settled::Cost { amount, input, output } => (1, amount.max(0), input, output),
                    Settled::AsReserved => (1, reserved, row.get(4)?, row.get(5)?),
                    Settled::Nothing => (1, 0, 0, 0),
                    Settled::Whole => (2, reserved, row.get(4)?, row.get(5)?),
                };
                // Of the day on which it was reserved, whatever day it is by now.
                for key in sums(&of, id.made_at()).into_iter().flatten() {
                    add(c, ws, key, amount - reserved, 0).await?;
                }
                let sql = "update spend set state=?,amount=?,input=?,output=? where ws=? and id=?";
                c.run(sql, row![state, amount, input, output, ws, id]).await?;
                let Some(answer) = answer else { return Ok(()) };
                let sql = "insert into model_answer(ws,event,question,id,body) values (?,?,?,?,?) on conflict do nothing";
                c.run(sql, answer).await
            })
        })
        .await
    }

    /// What was answered to this question, where it was kept.
    pub async fn kept_answer(
        &self,
        ws: WorkspaceId,
        to: Option<&Arc<ConversationRef>>,
        event: Id,
        question: [u8; 32],
    ) -> Result<Option<Vec<u8>>> {
        let sql = "select id,body from model_answer where ws=? and event=? and question=?";
        let Some(found) = self.data.row(sql, row![ws, event, question.to_vec()]).await? else { return Ok(None) };
        let id: Id = found.id(0)?;
        self.sealer(ws, to, id).await?.open(ws.0, "model_answer", id.0, &found.get::<Vec<u8>>(1)?).map(Some)
    }

    /// Makes lines a month of rows that are older than they are kept, forgets what contacts cost on days so long ago, and answers
    /// that no leg can ask for any more.
    pub async fn fold_spends(&self, ws: WorkspaceId) -> Result<()> {
        let now = self.clock.now();
        let (kept, answers) = (Id::first_of(now - KEPT), Id::first_of(now - ANSWERS));
        let idle = "select 1 from spend where ws=? and id<? union all select 1 from model_answer where ws=? and id<? limit 1";
        if self.data.row(idle, row![ws, kept, ws, answers]).await?.is_none() {
            return Ok(());
        }
        self.alone(ws, move |_, c| {
            Box::pin(async move {
                c.run("delete from model_answer where ws=? and id<?", row![ws, answers]).await?;
                let sql = "select id,model,amount,input,output from spend where ws=? and id<? order by id limit ?";
                let rows = c.rows(sql, row![ws, kept, FOLDED]).await?;
                let mut totals: BTreeMap<(i64, String), [i64; 4]> = BTreeMap::new();
                let mut last = None;
                for row in &rows {
                    let id: Id = row.id(0)?;
                    let total = totals.entry((month(id.made_at()), row.get(1)?)).or_default();
                    for (sum, more) in total.iter_mut().zip([1, row.get(2)?, row.get(3)?, row.get(4)?]) {
                        *sum = sum.saturating_add(more);
                    }
                    last = Some(id);
                }
                for ((month, model), [calls, amount, input, output]) in totals {
                    c.run(ADD_TOTAL, row![ws, month, model, calls, amount, input, output]).await?;
                }
                if let Some(last) = last {
                    c.run("delete from spend where ws=? and id<=?", row![ws, last]).await?;
                }
                // The sums of the house stay; those of a person go with the calls.
                c.run("delete from spend_sum where ws=? and scope=3 and day<?", row![ws, (now - KEPT).div_euclid(DAY)]).await
            })
        })
        .await
    }

    /// What models cost in months of which calls are not kept any more, newest first.
    pub async fn spend_totals(&self, ws: WorkspaceId) -> Result<Vec<SpendTotal>> {
        let sql = "select month,model,calls,amount,input,output from spend_total where ws=? order by month desc,model";
        self.data.rows(sql, row![ws]).await?.iter().map(total).collect()
    }

    /// What models cost on the day of a moment, the dearest first.
    pub async fn spend_models(&self, ws: WorkspaceId, at: Instant) -> Result<Vec<SpendTotal>> {
        let sql = "select cast(? as bigint),model,count(*),cast(sum(amount) as bigint),cast(sum(input) as bigint),\
                   cast(sum(output) as bigint) from spend where ws=? and id>=? and id<? group by model order by 4 desc,2";
        let day = at.div_euclid(DAY);
        let (from, to) = (Id::first_of(day * DAY), Id::first_of((day + 1) * DAY));
        self.data.rows(sql, row![day, ws, from, to]).await?.iter().map(total).collect()
    }

    /// The newest calls of the ledger.
    pub async fn spends(&self, ws: WorkspaceId, limit: usize) -> Result<Vec<SpendRow>> {
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        self.spends_where("where ws=? order by id desc limit ?", vec![ws.into(), limit.into()]).await
    }

    /// Reservations older than this that nobody settled.
    pub async fn open_spends(&self, ws: WorkspaceId, before: Instant) -> Result<Vec<SpendRow>> {
        let rows = self.spends_where("where ws=? and state=0 order by id", row![ws]).await?;
        Ok(rows.into_iter().filter(|row| row.at < before).collect())
    }

    async fn spends_where(&self, condition: &'static str, args: Vec<crate::sheet::Arg>) -> Result<Vec<SpendRow>> {
        let sql = ["select id,model,workflow,contact,run,state,amount,input,output,flag from spend ", condition].concat();
        let read = |row: &Record| -> Result<SpendRow> {
            let id: Id = row.id(0)?;
            Ok(SpendRow {
                id,
                at: id.made_at(),
                model: row.get(1)?,
                workflow: row.get(2)?,
                contact: Some(row.id(3)?).filter(|id| id.0 != 0),
                run: row.id(4)?,
                state: named(&STATES, row.get(5)?)?,
                amount: row.get(6)?,
                input: row.get(7)?,
                output: row.get(8)?,
                flag: row.get(9)?,
            })
        };
        self.data.rows(sql, args).await?.iter().map(read).collect()
    }

    /// The sums of the day and the month of a moment, the largest first in each kind.
    pub async fn spend_sums(&self, ws: WorkspaceId, at: Instant) -> Result<Vec<SpendSum>> {
        let mut reserved: HashMap<Key, i64> = HashMap::new();
        for open in self.open_spends(ws, Instant::MAX).await? {
            let of = SpendFor { workspace: ws, workflow: open.workflow, contact: open.contact, run: open.run };
            for key in sums(&of, open.at).into_iter().flatten() {
                *reserved.entry(key).or_default() += open.amount;
            }
        }
        let sql = "select scope,owner,amount,refused,day from spend_sum where ws=? and day=? and scope<>1 union all \
                   select scope,owner,amount,refused,day from spend_sum where ws=? and day=? and scope=1 order by 1,3 desc,2";
        let read = |row: &Record| -> Result<SpendSum> {
            let (scope, owner, amount): (i64, String, i64) = (row.get(0)?, row.get(1)?, row.get(2)?);
            let reserved = reserved.get(&(scope, owner.clone(), row.get(4)?)).copied().unwrap_or_default();
            // One that was settled between the two questions is in the sum as what it cost.
            Ok(SpendSum { scope: named(&SCOPES, scope)?, owner, amount, reserved: reserved.min(amount), refused: row.get(3)? })
        };
        self.data.rows(sql, row![ws, at.div_euclid(DAY), ws, month(at)]).await?.iter().map(read).collect()
    }
}

fn named(words: &[&'static str], number: i64) -> Result<&'static str> {
    let word = usize::try_from(number).ok().and_then(|n| words.get(n).copied());
    word.ok_or_else(|| StoreError::Unreadable(format!("the ledger has a {number} that is not known")))
}

/// A sum: scope, owner, day.
type Key = (i64, String, i64);

/// The sums to which a call belongs, in the order of [`SCOPES`].
fn sums(of: &SpendFor, at: Instant) -> [Option<Key>; 4] {
    let day = at.div_euclid(DAY);
    [
        Some((0, String::new(), day)),
        Some((1, String::new(), month(at))),
        Some((2, of.workflow.clone(), day)),
        of.contact.map(|contact| (3, contact.to_string(), day)),
    ]
}

/// The first day of a moment's month, in days since 1970 (civil calendar, UTC).
fn month(at: Instant) -> i64 {
    // After Howard Hinnant's days_from_civil: the day of the month falls out of the day of a year that begins in March.
    let day = at.div_euclid(DAY);
    let of_era = (day + 719_468).rem_euclid(146_097);
    let year_of_era = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month = (5 * of_year + 2) / 153;
    day - (of_year - (153 * month + 2) / 5)
}

/// Adds to a sum what a call costs, or one that its cap refused.
async fn add(c: &mut Transaction<'_>, ws: WorkspaceId, (scope, owner, day): Key, amount: i64, refused: i64) -> Result<()> {
    let sql = "insert into spend_sum(ws,scope,owner,day,amount,refused) values (?,?,?,?,?,?) on conflict (ws,scope,owner,day) \
               do update set amount=spend_sum.amount+excluded.amount,refused=spend_sum.refused+excluded.refused";
    c.run(sql, row![ws, scope, owner, day, amount, refused]).await
}

/// First day, model, calls, amount, tokens of questions and of answers.
fn total(row: &Record) -> Result<SpendTotal> {
    Ok(SpendTotal {
        since: row.get::<i64>(0)? * DAY,
        model: row.get(1)?,
        calls: row.get(2)?,
        amount: row.get(3)?,
        input: row.get(4)?,
        output: row.get(5)?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_month_begins_on_its_first() {
        for (day, first) in [(0, 0), (30, 0), (31, 31), (58, 31), (59, 59), (11_016, 10_988), (11_017, 11_017), (20_779, 20_758)]
        {
            assert_eq!(month(day * DAY + 5), first, "{day}");
        }
    }
}
