//! Which lanes this host may act for. Lanes fall into shards; a host holds shards of them for a short time and renews that, and
//! whoever takes a shard over raises its fence, so that nothing an earlier holder decides can be written any more (see the pen of
//! Postgres). SQLite has one process, which holds every shard for ever.
//!
//! A shard is free when its holder's row in table `host` is gone or its time is over, by the clock of the database. What a host
//! has beyond its fair share it gives back in two beats: first it begins nothing more there, one beat later the shard is free.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use pointsman_core::id::{Id, WorkspaceId};
use tokio::sync::Notify;
use tokio::time::Instant;

use crate::Store;
use crate::conversation::ConversationRef;
use crate::db::Transaction;
use crate::everywhere::workspaces_in;
use crate::sheet::row;
use crate::types::{Result, StoreError};

/// How many shards there are.
pub const SHARDS: u16 = 256;

/// How long a command that runs no lanes keeps its number, in milliseconds.
const VISIT: i64 = 600_000;

/// The clock of the database, in milliseconds since 1970.
const NOW: &str = "(extract(epoch from clock_timestamp())*1000)::bigint";

/// Whoever joins takes this lock, so that no number is given twice.
const JOINING: i64 = 0x706f_696e_7473;

/// The shard of a lane: a conversation, or the workspace for what belongs to no conversation. Hosts hold shards that lie side by
/// side, and conversations that begin together have ids that do: an odd factor takes them apart. `lane_shard` says the same to
/// Postgres.
#[must_use]
pub fn shard_of(lane: i64) -> u16 {
    let last = i64::from(SHARDS - 1);
    ((((lane ^ (lane >> 22)) & last) * 167) & last) as u16
}

/// The lane of something in this conversation; 0: none.
pub(crate) fn lane(workspace: i64, conversation: i64) -> i64 {
    if conversation == 0 { workspace } else { conversation }
}

/// The lane of something: its conversation, or its workspace where it has none.
#[must_use]
pub fn lane_of(workspace: WorkspaceId, conversation: Option<&Arc<ConversationRef>>) -> i64 {
    lane(workspace.0, conversation.map_or(0, |c| c.id.0))
}

/// What a renewal changed. A shard that stands in both was lost for a while: what was under way there is void, what is open is to
/// be taken up anew.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Change {
    /// Shards whose lanes this host acts for from now on.
    pub gained: Vec<u16>,
    /// Shards whose lanes it must leave alone.
    pub lost: Vec<u16>,
}

/// A shard, and the fence under which this host held it at a moment; 0: it did not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Hold {
    pub shard: u16,
    pub fence: i64,
}

/// The shards of this host, as far as it knows.
#[derive(Debug)]
pub(crate) struct Leases {
    shared: bool,
    term: Duration,
    /// Who this host is to the others; 0: not joined.
    token: AtomicI64,
    /// By shard: the fence under which it is held; 0: it is not.
    fences: [AtomicI64; SHARDS as usize],
    state: Mutex<State>,
    /// Woken when somebody kept something.
    pub kept: Notify,
}

#[derive(Debug, Default)]
struct State {
    number: u16,
    /// When the last renewal that went through was asked for.
    renewed: Option<Instant>,
    /// Shards that are given back at the next renewal.
    resting: Vec<u16>,
}

impl Leases {
    pub(crate) fn new(shared: bool, term: Duration) -> Self {
        Self {
            shared,
            term,
            token: AtomicI64::new(0),
            fences: std::array::from_fn(|_| AtomicI64::new(0)),
            state: Mutex::default(),
            kept: Notify::new(),
        }
    }

    pub(crate) fn token(&self) -> i64 {
        self.token.load(Ordering::Acquire)
    }

    /// For how long a shard is held without a renewal.
    pub(crate) fn term(&self) -> Duration {
        self.term
    }

    /// How a lane is held now. An operation keeps it from when it was made: what was lost and has come back since is held otherwise.
    pub(crate) fn hold(&self, lane: i64) -> Hold {
        let shard = shard_of(lane);
        Hold { shard, fence: self.fences.get(usize::from(shard)).map_or(0, |f| f.load(Ordering::Acquire)) }
    }

    fn fresh(&self, state: &State) -> bool {
        let margin = Duration::from_secs(2).min(self.term / 5);
        state.renewed.is_some_and(|at| at.elapsed() + margin < self.term)
    }

    fn holds(&self, lane: i64) -> bool {
        let state = self.state.lock();
        let Hold { shard, fence } = self.hold(lane);
        fence != 0 && self.fresh(&state) && !state.resting.contains(&shard)
    }

    /// Takes over what a renewal found: `held` with their fences, of which `resting` are to be given back.
    fn settle(&self, asked: Instant, held: &[(u16, i64)], resting: Vec<u16>) -> Change {
        let mut state = self.state.lock();
        // What was lost for a while may have been acted on by nobody: all of it is taken up anew.
        let stale = !self.fresh(&state);
        let mut now = [0; SHARDS as usize];
        for (shard, fence) in held {
            if let Some(slot) = now.get_mut(usize::from(*shard)) {
                *slot = *fence;
            }
        }
        let mut change = Change::default();
        for ((shard, fence), now) in (0..SHARDS).zip(&self.fences).zip(now) {
            let before = fence.swap(now, Ordering::AcqRel);
            let had = before != 0 && !state.resting.contains(&shard);
            let has = now != 0 && !resting.contains(&shard);
            let changed = before != now || stale;
            if had && (!has || changed) {
                change.lost.push(shard);
            }
            if has && (!had || changed) {
                change.gained.push(shard);
            }
        }
        state.renewed = Some(asked);
        state.resting = resting;
        change
    }
}

impl Store {
    /// Whether several hosts may share this database.
    #[must_use]
    pub fn shared(&self) -> bool {
        self.leases.shared
    }

    /// How often [`Store::renew`] is to be called; `None`: never, this process holds every shard for ever.
    #[must_use]
    pub fn renew_every(&self) -> Option<Duration> {
        self.leases.shared.then(|| self.leases.term / 3)
    }

    /// Renews this host's hold on its shards, takes free ones up to its fair share, and gives back what it has beyond it. The
    /// first call gains. On SQLite the first call gains every shard, and later ones change nothing.
    pub async fn renew(&self) -> Result<Change> {
        if !self.leases.shared {
            let first = self.leases.token.swap(1, Ordering::AcqRel) == 0;
            return Ok(Change { gained: if first { (0..SHARDS).collect() } else { Vec::new() }, lost: Vec::new() });
        }
        let _turn = self.turn.lock().await;
        let asked = Instant::now();
        let mut transaction = self.data.begin().await?;
        let (held, resting) = match self.renewed(&mut transaction).await {
            Ok(found) => found,
            Err(error) => {
                transaction.roll_back().await;
                return Err(error);
            }
        };
        transaction.commit().await?;
        let change = self.leases.settle(asked, &held, resting);
        // What another host did meanwhile is not known here.
        self.conversations.forget_shards(&change);
        Ok(change)
    }

    /// Gives all shards back, and the host's number with them: for a host that leaves.
    pub async fn leave(&self) -> Result<()> {
        if !self.leases.shared {
            return Ok(());
        }
        self.leases.settle(Instant::now(), &[], Vec::new());
        let token = self.leases.token.swap(0, Ordering::AcqRel);
        let mut transaction = self.data.begin().await?;
        transaction.run("update lane_lease set holder=null where holder=?", row![token]).await?;
        transaction.run("delete from host where token=?", row![token]).await?;
        transaction.commit().await
    }

    /// Whether this host may act for the lane now, by its own clock.
    #[must_use]
    pub fn holds(&self, lane: i64) -> bool {
        !self.leases.shared || self.leases.holds(lane)
    }

    /// New events of the lanes held, of these workspaces or, with `None`, of all: of each the oldest, at most `limit` of each (so
    /// that a flood in one keeps no other waiting), in the order in which they were kept. Workspace, event and lane of each; no
    /// body is opened.
    pub async fn new_events(&self, of: Option<&[WorkspaceId]>, limit: usize) -> Result<Vec<(WorkspaceId, Id, i64)>> {
        let from = match of {
            None => workspaces_in("event", "state<2"),
            Some([]) => return Ok(Vec::new()),
            // Numbers of our own.
            Some(some) => {
                let rows: Vec<_> = some.iter().map(|ws| format!("({})", ws.0)).collect();
                format!("with w(ws) as (values {}) ", rows.join(","))
            }
        };
        let mine = self.mine("ws,conversation");
        let oldest = "select ws,id,conversation from event where ws=w.ws and state<2 and state=0";
        let sql = if self.leases.shared {
            let oldest = oldest.replacen("conversation", "conversation,seq", 1);
            // What came after a webhook that a host was too busy to read waits for what is in it, whichever host took it.
            let behind = "select 1 from webhook k where k.ws=w.ws and k.state=1 and k.channel=event.channel and k.seq<event.seq";
            format!(
                "{from}select e.ws,e.id,e.conversation from w cross join lateral \
                     ({oldest}{mine} and not exists ({behind}) order by seq,id limit ?) e order by e.ws,e.seq,e.id"
            )
        } else {
            format!(
                "{from}select e.ws,e.id,e.conversation from w cross join event e on e.ws=w.ws and e.id in \
                     (select id from event where ws=w.ws and state<2 and state=0 order by id limit ?) order by e.ws,e.id"
            )
        };
        let mut found = Vec::new();
        for row in self.data.rows(sql, row![i64::try_from(limit).unwrap_or(i64::MAX)]).await? {
            let (ws, id) = (row.id(0)?, row.id(1)?);
            found.push((ws, id, lane(ws.0, row.get(2)?)));
        }
        found.retain(|(_, _, lane)| self.holds(*lane));
        Ok(found)
    }

    /// Woken when somebody kept something: this host or another.
    #[must_use]
    pub fn kept_something(&self) -> &Notify {
        &self.leases.kept
    }

    /// What a question over all workspaces adds to its conditions, so that it finds only what is this host's to act on.
    /// `columns`: those of the workspace and the conversation.
    pub(crate) fn mine(&self, columns: &str) -> String {
        if !self.leases.shared {
            return String::new();
        }
        let token = self.leases.token();
        format!(" and lane_shard({columns}) in (select shard from lane_lease where holder={token})")
    }

    /// Takes a number for this process. It counts as a host only from its first renewal.
    pub(crate) async fn join(&self) -> Result<()> {
        let mut transaction = self.data.begin().await?;
        self.joined(&mut transaction, 0, VISIT).await?;
        transaction.commit().await
    }

    async fn joined(&self, c: &mut Transaction<'_>, lanes: i64, millis: i64) -> Result<()> {
        c.rows("select pg_advisory_xact_lock(?)", row![JOINING]).await?;
        c.run(format!("delete from host where until<={NOW}"), Vec::new()).await?;
        let free = "select min(n)::bigint from generate_series(1,1023) n where not exists (select 1 from host where number=n)";
        let full = || StoreError::Database("1023 hosts have this database open, and no more can".to_owned());
        let number: i64 = c.rows(free, Vec::new()).await?.first().and_then(|row| row.get(0).ok()).ok_or_else(full)?;
        let sql =
            format!("insert into host(number,token,name,lanes,until) select ?,nextval('host_token'),?,?,{NOW}+? returning token");
        let rows = c.rows(sql, row![number, self.name.clone(), lanes, millis]).await?;
        let token = rows.first().ok_or_else(full)?.get(0)?;
        let number = u16::try_from(number).unwrap_or_default();
        self.leases.token.store(token, Ordering::Release);
        self.leases.state.lock().number = number;
        self.ids.set_host(number);
        tracing::info!(number, "this process has a number among the hosts of the database");
        Ok(())
    }

    /// Inside the transaction of a renewal: all shards held with their fences, and those of them that are to rest.
    async fn renewed(&self, c: &mut Transaction<'_>) -> Result<(Vec<(u16, i64)>, Vec<u16>)> {
        let term = self.leases.term.as_millis() as i64;
        let row = format!("update host set until={NOW}+?,lanes=1 where token=? returning number");
        if c.rows(row, row![term, self.leases.token()]).await?.is_empty() {
            self.joined(c, 1, term).await?;
        }
        let token = self.leases.token();
        let resting = self.leases.state.lock().resting.clone();
        if !resting.is_empty() {
            // Numbers of our own, in the one order in which rows of this table are ever locked.
            let list = resting.iter().map(u16::to_string).collect::<Vec<_>>().join(",");
            let rows = format!("select shard from lane_lease where holder=? and shard in ({list}) order by shard for update");
            c.run(format!("update lane_lease set holder=null where shard in ({rows})"), row![token]).await?;
        }
        let read = |rows: Vec<crate::db::Record>| -> Result<Vec<(u16, i64)>> {
            rows.iter().map(|r| Ok((u16::try_from(r.get::<i64>(0)?).unwrap_or_default(), r.get(1)?))).collect()
        };
        let mut held = read(c.rows("select shard,fence from lane_lease where holder=? order by shard", row![token]).await?)?;
        let hosts = c.rows(format!("select count(*) from host where lanes=1 and until>{NOW}"), Vec::new()).await?;
        let hosts = hosts.first().map_or(Ok(1), |r| r.get::<i64>(0))?.max(1) as usize;
        let fair = usize::from(SHARDS).div_ceil(hosts);
        if held.len() < fair {
            let free = format!(
                "select l.shard from lane_lease l where l.holder is null or (l.holder<>? and not exists \
                 (select 1 from host h where h.token=l.holder and h.until>{NOW})) order by l.shard limit ? for update skip locked"
            );
            let sql = format!("update lane_lease set holder=?,fence=fence+1 where shard in ({free}) returning shard,fence");
            held.extend(read(c.rows(sql, row![token, token, (fair - held.len()) as i64]).await?)?);
        }
        let beyond = held.iter().skip(fair).map(|h| h.0).collect();
        Ok((held, beyond))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shard_is_always_below_the_number_of_shards_and_neighbours_fall_apart() {
        for lane in [0, 1, 77, i64::MAX, 1_234_567_890_123_456_789] {
            assert!(shard_of(lane) < SHARDS);
        }
        // Ids of one millisecond and one host differ in their counter only.
        let shards: std::collections::HashSet<u16> = (0..256).map(|n| shard_of((1 << 40) + n)).collect();
        assert_eq!(shards.len(), 256);
    }

    #[test]
    fn what_was_held_too_long_without_renewal_is_taken_up_anew() {
        let leases = Leases::new(true, Duration::from_secs(15));
        let lane = |shard| (0..256).find(|lane| shard_of(*lane) == shard).unwrap();
        let now = Instant::now();
        let first = leases.settle(now, &[(3, 1), (4, 1)], Vec::new());
        assert_eq!(first, Change { gained: vec![3, 4], lost: vec![] });
        assert_eq!(leases.settle(now, &[(3, 1), (4, 2)], Vec::new()), Change { gained: vec![4], lost: vec![4] });
        assert!(leases.holds(lane(3)) && !leases.holds(lane(5)));
        // Resting: nothing more begins there, what is under way may still be written.
        assert_eq!(leases.settle(now, &[(3, 1), (4, 2)], vec![4]), Change { gained: vec![], lost: vec![4] });
        assert!(!leases.holds(lane(4)) && leases.hold(lane(4)).fence != 0);
        let Some(old) = now.checked_sub(Duration::from_secs(14)) else { return };
        assert_eq!(leases.settle(old, &[(3, 1)], Vec::new()), Change::default());
        assert!(!leases.holds(lane(3)), "by its own clock the time is over");
        assert_eq!(leases.settle(now, &[(3, 1)], Vec::new()), Change { gained: vec![3], lost: vec![3] });
    }
}
