//! The books: everything that was kept has ended by a rule, or is open and names what it waits for (invariant 2). What is
//! open without an explanation is a fault of ours, and is told.

use std::collections::BTreeMap;

use pointsman_core::id::WorkspaceId;

use crate::Store;
use crate::db::{Record, Transaction};
use crate::sheet::{Arg, row};
use crate::types::{Books, OpenItem, ParkedItem, Result, RunRow};
use crate::waiting::CALLER;

/// Open things that are listed by name, of each kind.
const LISTED: i64 = 1_000;

const WEBHOOKS: [&str; 5] = ["kept", "unread", "done", "ignored", "parked"];
const EVENTS: [&str; 4] = ["new", "routed", "ended", "parked"];
const RUNS: [&str; 6] = ["queued", "running", "waiting", "done", "failed", "cancelled"];
const SENDS: [&str; 8] = ["ready", "sending", "unknown", "sent", "delivered", "read", "parked", "dropped"];

/// What is open: its table, the condition of a partial index, that index's order, and what it waits for and until when.
pub(crate) const OPEN: [(&str, &str, &str, &str); 4] = [
    ("webhook", "state=1", "id", "'to be parsed',null"),
    ("event", "state<2", "id", "case state when 0 then 'its turn in the lane' else 'its runs' end,null"),
    ("run", "state<3", "until,id", "case when state=2 then coalesce(waiting,'') else 'its turn in the lane' end,until"),
    (
        "send",
        "state<3",
        "due,id",
        "case state when 0 then 'its time to leave' when 1 then 'the answer' else 'an echo of its key' end,due",
    ),
];

/// What must not be, and the words for it. Each asks for ids of one workspace, under one snapshot, and goes over what is open by
/// an index: what has ended is not read, however much it is.
pub(crate) const FAULTS: [(&str, &str); 8] = [
    (
        "select w.id from webhook w where w.ws=? and w.state=0 and w.id not in \
         (select e.webhook from event e where e.ws=? and e.state<2)",
        "webhook {} is open, but no event of it is",
    ),
    (
        "select e.id from event e join webhook w on w.ws=e.ws and w.id=e.webhook where e.ws=? and e.state<2 and w.state>1",
        "event {} is open, but its webhook has ended",
    ),
    (
        "select e.id from event e where e.ws=? and e.state<2 and not exists (select 1 from webhook w where w.ws=e.ws and w.id=e.webhook)",
        "event {} has no webhook",
    ),
    (
        "select e.id from event e where e.ws=? and e.state<2 and e.state=1 and not exists \
         (select 1 from run r where r.ws=e.ws and r.event=e.id and r.state<3)",
        "event {} is routed, but no run of it is open",
    ),
    ("select e.id from event e where e.ws=? and e.state>1 and e.rule is null", "event {} ended without a rule"),
    (
        "select r.id from run r where r.ws=? and r.state<3 and r.state=2 and r.waiting is null",
        "run {} waits, and does not say for what",
    ),
    (
        "select r.id from run r join event e on e.ws=r.ws and e.id=r.event where r.ws=? and r.state<3 and r.state<2 and e.state>1",
        "run {} is not ended, but its event is",
    ),
    ("select s.id from send s where s.ws=? and s.state=6 and s.reason is null", "send {} is parked without a reason"),
];

impl Store {
    /// Counts everything and proves that it balances. Counting goes over every row that is kept. One snapshot: what is committed
    /// meanwhile does not show.
    pub async fn books(&self, ws: WorkspaceId) -> Result<Books> {
        let mut snapshot = self.data.snapshot().await?;
        let mut counts = Vec::new();
        for table in ["webhook", "event", "run", "send"] {
            // From one end of the table to the other: by the index of the key every row would be sought by itself.
            let sql = format!("select state,count(*) from {table} where +ws=? group by state");
            counts.push(snapshot.rows(sql, row![ws]).await?);
        }
        let mut counts = counts.iter();
        let mut books = Books {
            webhooks: count(counts.next(), &WEBHOOKS)?,
            events: count(counts.next(), &EVENTS)?,
            runs: count(counts.next(), &RUNS)?,
            sends: count(counts.next(), &SENDS)?,
            ..Books::default()
        };
        self.prove(ws, &mut snapshot, &mut books).await?;
        snapshot.roll_back().await;
        Ok(books)
    }

    /// What is open, and whether all of it is explained; nothing is counted. Costs as much as what is open, whatever is kept.
    pub async fn open_books(&self, ws: WorkspaceId) -> Result<Books> {
        let mut snapshot = self.data.snapshot().await?;
        let mut books = Books::default();
        self.prove(ws, &mut snapshot, &mut books).await?;
        snapshot.roll_back().await;
        Ok(books)
    }

    async fn prove(&self, ws: WorkspaceId, snapshot: &mut Transaction<'_>, books: &mut Books) -> Result<()> {
        for (kind, condition, order, waits_for) in OPEN {
            let sql = format!("select count(*) from {kind} where ws=? and {condition}");
            for row in snapshot.rows(sql, row![ws]).await? {
                books.open_count += row.get::<i64>(0)?.unsigned_abs();
            }
            let sql = format!("select id,{waits_for} from {kind} where ws=? and {condition} order by {order} limit ?");
            for row in snapshot.rows(sql, row![ws, LISTED]).await? {
                books.open.push(OpenItem { kind, id: row.id(0)?, waits_for: row.get(1)?, until: row.get(2)? });
            }
        }
        for (sql, words) in FAULTS {
            let args = sql.matches('?').map(|_| Arg::Int(ws.0)).collect();
            for row in snapshot.rows([sql, " limit 100"].concat(), args).await? {
                books.unexplained.push(words.replace("{}", &row.id(0)?.to_string()));
            }
        }
        Ok(())
    }

    /// What cannot go on, newest first.
    pub async fn parked(&self, ws: WorkspaceId, limit: usize) -> Result<Vec<ParkedItem>> {
        let mut list = Vec::new();
        let sql = "select id,channel,reason,why from webhook where ws=? and state=4 order by id desc limit ?";
        for row in self.data.rows(sql, row![ws, limit as i64]).await? {
            let id = row.id(0)?;
            let reason = match row.get::<Option<Vec<u8>>>(3)? {
                Some(why) => self.webhook_reason(ws, id, &why).await.ok(),
                None => None,
            };
            list.push(ParkedItem {
                kind: "webhook",
                id,
                at: id.made_at(),
                channel: Some(row.id(1)?),
                conversation: None,
                code: row.get::<Option<String>>(2)?.unwrap_or_default(),
                reason,
            });
        }
        let sql = "select id,channel,conversation,rule from event where ws=? and state=3 order by id desc limit ?";
        for row in self.data.rows(sql, row![ws, limit as i64]).await? {
            list.push(ParkedItem {
                kind: "event",
                id: row.id(0)?,
                at: row.id(0)?.made_at(),
                channel: Some(row.id(1)?),
                conversation: Some(row.id(2)?).filter(|c| c.0 != 0),
                code: row.get::<Option<String>>(3)?.unwrap_or_default(),
                reason: None,
            });
        }
        let filter = crate::types::RunFilter { state: Some(pointsman_core::journal::RunState::Failed), ..Default::default() };
        // A run whose caller has its failure is no case of its own.
        let own = |run: &RunRow| run.waiting.as_deref() != Some(CALLER);
        for run in self.runs(ws, filter, limit).await?.into_iter().filter(own) {
            let code = run.reason.as_ref().map(|r| r.code.clone()).unwrap_or_default();
            let conversation = run.conversation.as_ref();
            list.push(ParkedItem {
                kind: "run",
                id: run.id,
                at: run.id.made_at(),
                channel: conversation.map(|c| c.channel),
                conversation: conversation.map(|c| c.id),
                code,
                reason: run.reason,
            });
        }
        for send in self.sends_where(" where ws=? and state=6 order by id desc limit ?", &[ws.0, limit as i64]).await? {
            let code = send.reason.as_ref().map(|r| r.code.clone()).unwrap_or_default();
            let conversation = send.conversation.as_ref().map(|c| c.id);
            list.push(ParkedItem {
                kind: "send",
                id: send.id,
                at: send.id.made_at(),
                channel: Some(send.channel),
                conversation,
                code,
                reason: send.reason,
            });
        }
        list.sort_by_key(|item| std::cmp::Reverse(item.id));
        list.truncate(limit);
        Ok(list)
    }
}

fn count(rows: Option<&Vec<Record>>, words: &'static [&'static str]) -> Result<BTreeMap<&'static str, u64>> {
    let mut counts: BTreeMap<&'static str, u64> = words.iter().map(|w| (*w, 0)).collect();
    for row in rows.into_iter().flatten() {
        let (state, n): (i64, i64) = (row.get(0)?, row.get(1)?);
        let word = usize::try_from(state).ok().and_then(|s| words.get(s)).copied().unwrap_or("unknown state");
        *counts.entry(word).or_default() += n.unsigned_abs();
    }
    Ok(counts)
}
