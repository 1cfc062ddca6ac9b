//! Lanes: what belongs to one key is handled one after the other in the order in which it was put in, different keys in
//! parallel. A lane exists only while it has work; it is a queue and one task. When more lanes have work than may work at once,
//! workspaces have their turns one after the other ([`Turns`](crate::turns)): a flood in one keeps no other waiting.
//!
//! The engine has two sets of them: conversations handling events, and conversations sending.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};

use parking_lot::Mutex;
use pointsman_core::id::WorkspaceId;
use pointsman_store::shard_of;
use tokio::task::AbortHandle;

use crate::turns::Turns;

/// Locks, so that neighbours do not wait for each other.
const LOCKS: usize = 64;

/// Where a job belongs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    /// Whose it is: for the turns.
    pub workspace: WorkspaceId,
    /// The lane.
    pub key: i64,
    /// The shard in which the lane is leased.
    pub shard: u16,
}

impl Place {
    /// The place of what belongs to a lane: a conversation, or the workspace itself.
    #[must_use]
    pub fn of(workspace: WorkspaceId, lane: i64) -> Self {
        Self { workspace, key: lane, shard: shard_of(lane) }
    }
}

/// A set of lanes of jobs `J`.
#[derive(Debug)]
pub struct Lanes<J> {
    lanes: Vec<Mutex<HashMap<i64, Lane<J>>>>,
    /// Jobs waiting or being handled.
    jobs: AtomicUsize,
    /// Lanes that may work at the same moment; `None`: all.
    turns: Option<Arc<Turns>>,
    /// Tells a lane from an earlier one of the same key.
    begun: AtomicU64,
    closed: AtomicBool,
}

#[derive(Debug)]
struct Lane<J> {
    number: u64,
    shard: u16,
    queue: VecDeque<J>,
    task: AbortHandle,
}

impl<J: Send + 'static> Lanes<J> {
    /// Lanes of which `parallel` may work at once; `None`: all of them.
    #[must_use]
    pub fn new(parallel: Option<usize>) -> Self {
        Self {
            lanes: (0..LOCKS).map(|_| Mutex::new(HashMap::new())).collect(),
            jobs: AtomicUsize::new(0),
            // A quarter is left to the others, whatever one workspace has going on.
            turns: parallel.map(|places| Turns::new(places, places - places / 4)),
            begun: AtomicU64::new(0),
            closed: AtomicBool::new(false),
        }
    }

    /// Jobs waiting or being handled.
    #[must_use]
    pub fn len(&self) -> usize {
        self.jobs.load(Ordering::Relaxed)
    }

    /// Whether there is nothing to do.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Whether the lane `key` has work now.
    #[must_use]
    pub fn busy(&self, key: i64) -> bool {
        self.lock(key).is_some_and(|l| l.lock().contains_key(&key))
    }

    fn lock(&self, key: i64) -> Option<&Mutex<HashMap<i64, Lane<J>>>> {
        // Ids end in a counter, so neighbours fall apart.
        self.lanes.get(usize::try_from(key.rem_euclid(LOCKS as i64)).unwrap_or(0))
    }

    /// Puts a job at the end of its lane; starts the lane when it was idle. `handle` is called for one job at a time; that of
    /// the first job is called for the later ones too, so it must be the same for all. After [`Lanes::close`] the job is dropped:
    /// its row is in the store.
    pub fn push<F, Fut>(self: &Arc<Self>, place: Place, job: J, handle: F)
    where
        F: Fn(J) -> Fut + Send + 'static,
        Fut: Future<Output = ()> + Send + 'static,
    {
        let Some(lock) = self.lock(place.key) else { return };
        let mut lanes = lock.lock();
        if self.closed.load(Ordering::Acquire) {
            return;
        }
        self.jobs.fetch_add(1, Ordering::Relaxed);
        if let Some(lane) = lanes.get_mut(&place.key) {
            lane.queue.push_back(job);
            return;
        }
        let number = self.begun.fetch_add(1, Ordering::Relaxed);
        // Made before it runs for the first time: a task that is cut before that lets its job go all the same.
        let guard = Guard { lanes: Arc::clone(self), key: place.key, number, done: false };
        let task = tokio::spawn(guard.work(place.workspace, job, handle)).abort_handle();
        lanes.insert(place.key, Lane { number, shard: place.shard, queue: VecDeque::new(), task });
    }

    /// The next job of a lane; ends the lane when there is none, in the same breath, so that no job can slip between.
    fn next(&self, key: i64, number: u64) -> Option<J> {
        let mut lanes = self.lock(key)?.lock();
        let lane = lanes.get_mut(&key).filter(|lane| lane.number == number)?;
        let next = lane.queue.pop_front();
        if next.is_none() {
            lanes.remove(&key);
        }
        next
    }

    /// Drops what waits in the lanes of these shards. Gives the tasks that are at work in them, to be cut by whoever does not
    /// want their end.
    pub fn let_go(&self, which: impl Fn(u16) -> bool) -> Vec<AbortHandle> {
        let mut tasks = Vec::new();
        for lock in &self.lanes {
            for (_, lane) in lock.lock().extract_if(|_, lane| which(lane.shard)) {
                self.jobs.fetch_sub(lane.queue.len(), Ordering::Relaxed);
                tasks.push(lane.task);
            }
        }
        tasks
    }

    /// Whether [`Lanes::close`] was called.
    #[must_use]
    pub fn closed(&self) -> bool {
        self.closed.load(Ordering::Acquire)
    }

    /// Takes no more jobs, and drops what waits but for those that must `stay`. What is at work goes on to its end.
    pub fn close(&self, stay: impl Fn(&J) -> bool) {
        self.closed.store(true, Ordering::Release);
        for lock in &self.lanes {
            for lane in lock.lock().values_mut() {
                let before = lane.queue.len();
                lane.queue.retain(&stay);
                self.jobs.fetch_sub(before - lane.queue.len(), Ordering::Relaxed);
            }
        }
    }
}

/// A lane at work.
struct Guard<J: Send + 'static> {
    lanes: Arc<Lanes<J>>,
    key: i64,
    number: u64,
    done: bool,
}

impl<J: Send + 'static> Guard<J> {
    async fn work<F, Fut>(mut self, workspace: WorkspaceId, job: J, handle: F)
    where
        F: Fn(J) -> Fut,
        Fut: Future<Output = ()>,
    {
        let mut next = Some(job);
        while let Some(job) = next {
            let turn = match &self.lanes.turns {
                Some(turns) => Some(turns.take(workspace).await),
                None => None,
            };
            handle(job).await;
            drop(turn);
            self.lanes.jobs.fetch_sub(1, Ordering::Relaxed);
            next = self.lanes.next(self.key, self.number);
        }
        self.done = true;
    }
}

impl<J: Send + 'static> Drop for Guard<J> {
    /// A panic in a job, or its task was cut: the lane must not stay locked for ever. What waited in it comes back from the
    /// store.
    fn drop(&mut self) {
        if self.done {
            return;
        }
        self.lanes.jobs.fetch_sub(1, Ordering::Relaxed);
        let Some(lock) = self.lanes.lock(self.key) else { return };
        let mut lanes = lock.lock();
        if lanes.get(&self.key).is_some_and(|lane| lane.number == self.number)
            && let Some(lane) = lanes.remove(&self.key)
        {
            self.lanes.jobs.fetch_sub(lane.queue.len(), Ordering::Relaxed);
            let left = lane.queue.len();
            if std::thread::panicking() {
                tracing::error!(
                    lane = self.key,
                    left,
                    "a lane ended in a panic; what waited in it is taken up at the next start"
                );
            }
        }
    }
}

#[cfg(test)]
mod tests;
