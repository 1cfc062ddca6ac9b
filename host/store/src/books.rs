//! The books: everything that was kept has ended by a rule, or is open and names what it waits for (invariant 2). What is
//! open without an explanation is a fault of ours, and is told.

use std::collections::BTreeMap;

use pointsman_core::id::{Id, WorkspaceId};
use sqlx::Row as _;
use sqlx::sqlite::SqliteRow;

use crate::Store;
use crate::fault::meaning;
use crate::types::{Books, OpenItem, ParkedItem, Result};

/// Open things that are listed by name, of each kind.
const LISTED: i64 = 1_000;

const WEBHOOKS: [&str; 5] = ["kept", "unread", "done", "ignored", "parked"];
const EVENTS: [&str; 4] = ["new", "routed", "ended", "parked"];
const RUNS: [&str; 6] = ["queued", "running", "waiting", "done", "failed", "cancelled"];
const SENDS: [&str; 8] = ["ready", "sending", "unknown", "sent", "delivered", "read", "parked", "dropped"];

/// What must not be, and the words for it. Each asks for ids of one workspace, under one snapshot.
const FAULTS: [(&str, &str); 8] = [
    (
        "select w.id from webhook w where w.ws=? and w.state=0 and not exists \
         (select 1 from event e where e.ws=w.ws and e.webhook=w.id and e.state<2)",
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
        "select e.id from event e where e.ws=? and e.state=1 and not exists \
         (select 1 from run r where r.ws=e.ws and r.event=e.id and r.state<3)",
        "event {} is routed, but no run of it is open",
    ),
    ("select e.id from event e where e.ws=? and e.state in (2,3) and e.rule is null", "event {} ended without a rule"),
    ("select r.id from run r where r.ws=? and r.state=2 and r.waiting is null", "run {} waits, and does not say for what"),
    (
        "select r.id from run r join event e on e.ws=r.ws and e.id=r.event where r.ws=? and r.state<2 and e.state>1",
        "run {} is not ended, but its event is",
    ),
    ("select s.id from send s where s.ws=? and s.state=6 and s.reason is null", "send {} is parked without a reason"),
];

impl Store {
    /// Counts everything and proves that it balances. One snapshot: what is committed meanwhile does not show.
    pub async fn books(&self, ws: WorkspaceId) -> Result<Books> {
        let mut snapshot = self.readers.begin().await.map_err(|e| meaning(&e))?;
        let mut counts = Vec::new();
        for table in ["webhook", "event", "run", "send"] {
            let sql = format!("select state,count(*) from {table} where ws=? group by state");
            let rows =
                sqlx::query(sqlx::AssertSqlSafe(sql)).bind(ws.0).fetch_all(&mut *snapshot).await.map_err(|e| meaning(&e))?;
            counts.push(rows);
        }
        let mut counts = counts.iter();
        let mut books = Books {
            webhooks: count(counts.next(), &WEBHOOKS)?,
            events: count(counts.next(), &EVENTS)?,
            runs: count(counts.next(), &RUNS)?,
            sends: count(counts.next(), &SENDS)?,
            ..Books::default()
        };
        let open: [(&'static str, &str); 4] = [
            ("webhook", "select id,'to be parsed',null from webhook where ws=? and state=1 order by id limit ?"),
            (
                "event",
                "select id,case state when 0 then 'its turn in the lane' else 'its runs' end,null from event where ws=? and state<2 order by id limit ?",
            ),
            (
                "run",
                "select id,case when state=2 then coalesce(waiting,'') else 'its turn in the lane' end,until from run where ws=? and state<3 order by id limit ?",
            ),
            (
                "send",
                "select id,case state when 0 then 'its time to leave' when 1 then 'the answer' else 'an echo of its key' end,due from send where ws=? and state<3 order by id limit ?",
            ),
        ];
        for (kind, sql) in open {
            let rows = sqlx::query(sql).bind(ws.0).bind(LISTED).fetch_all(&mut *snapshot).await.map_err(|e| meaning(&e))?;
            for row in rows {
                let read = || -> Result<OpenItem, sqlx::Error> {
                    Ok(OpenItem { kind, id: Id(row.try_get(0)?), waits_for: row.try_get(1)?, until: row.try_get(2)? })
                };
                books.open.push(read().map_err(|e| meaning(&e))?);
            }
        }
        for (sql, words) in FAULTS {
            let sql = [sql, " limit 100"].concat();
            let rows =
                sqlx::query(sqlx::AssertSqlSafe(sql)).bind(ws.0).fetch_all(&mut *snapshot).await.map_err(|e| meaning(&e))?;
            for row in rows {
                let id: i64 = row.try_get(0).map_err(|e| meaning(&e))?;
                books.unexplained.push(words.replace("{}", &id.to_string()));
            }
        }
        Ok(books)
    }

    /// What cannot go on, newest first.
    pub async fn parked(&self, ws: WorkspaceId, limit: usize) -> Result<Vec<ParkedItem>> {
        let mut list = Vec::new();
        let sql = "select id,channel,reason,why from webhook where ws=? and state=4 order by id desc limit ?";
        for row in sqlx::query(sql).bind(ws.0).bind(limit as i64).fetch_all(&self.readers).await.map_err(|e| meaning(&e))? {
            let id = Id(row.try_get(0).map_err(|e| meaning(&e))?);
            let why: Option<Vec<u8>> = row.try_get(3).map_err(|e| meaning(&e))?;
            let reason = match why {
                Some(why) => self.webhook_reason(ws, id, &why).await.ok(),
                None => None,
            };
            let code: Option<String> = row.try_get(2).map_err(|e| meaning(&e))?;
            let channel = row.try_get(1).map(Id).map_err(|e| meaning(&e))?;
            list.push(ParkedItem {
                kind: "webhook",
                id,
                at: id.made_at(),
                channel: Some(channel),
                conversation: None,
                code: code.unwrap_or_default(),
                reason,
            });
        }
        let sql = "select id,channel,conversation,rule from event where ws=? and state=3 order by id desc limit ?";
        for row in sqlx::query(sql).bind(ws.0).bind(limit as i64).fetch_all(&self.readers).await.map_err(|e| meaning(&e))? {
            let int = |n: usize| row.try_get::<i64, _>(n).map(Id).map_err(|e| meaning(&e));
            let code: Option<String> = row.try_get(3).map_err(|e| meaning(&e))?;
            let conversation = Some(int(2)?).filter(|c| c.0 != 0);
            list.push(ParkedItem {
                kind: "event",
                id: int(0)?,
                at: int(0)?.made_at(),
                channel: Some(int(1)?),
                conversation,
                code: code.unwrap_or_default(),
                reason: None,
            });
        }
        let filter = crate::types::RunFilter { state: Some(pointsman_core::journal::RunState::Failed), ..Default::default() };
        for run in self.runs(ws, filter, limit).await? {
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

fn count(rows: Option<&Vec<SqliteRow>>, words: &'static [&'static str]) -> Result<BTreeMap<&'static str, u64>> {
    let mut counts: BTreeMap<&'static str, u64> = words.iter().map(|w| (*w, 0)).collect();
    for row in rows.into_iter().flatten() {
        let state: i64 = row.try_get(0).map_err(|e| meaning(&e))?;
        let n: i64 = row.try_get(1).map_err(|e| meaning(&e))?;
        let word = usize::try_from(state).ok().and_then(|s| words.get(s)).copied().unwrap_or("unknown state");
        *counts.entry(word).or_default() += n.unsigned_abs();
    }
    Ok(counts)
}
