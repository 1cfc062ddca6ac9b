//! Lanes: what belongs to one key is handled one after the other in the order in which it was put in, different keys in
//! parallel. A lane exists only while it has work; it is a queue and one task.
//!
//! The engine has two sets of them: conversations handling events, and conversations sending. On SQLite one process owns
//! every lane.

use std::collections::{HashMap, VecDeque};
use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use parking_lot::Mutex;
use tokio::sync::Semaphore;

const SHARDS: usize = 64;

/// A set of lanes of jobs `J`.
#[derive(Debug)]
pub struct Lanes<J> {
    shards: Vec<Mutex<HashMap<i64, VecDeque<J>>>>,
    /// Jobs waiting or being handled.
    jobs: AtomicUsize,
    /// Lanes that may work at the same moment.
    slots: Arc<Semaphore>,
}

impl<J: Send + 'static> Lanes<J> {
    /// Lanes of which `parallel` may work at once.
    #[must_use]
    pub fn new(parallel: usize) -> Self {
        Self {
            shards: (0..SHARDS).map(|_| Mutex::new(HashMap::new())).collect(),
            jobs: AtomicUsize::new(0),
            slots: Arc::new(Semaphore::new(parallel)),
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
        self.shard(key).is_some_and(|s| s.lock().contains_key(&key))
    }

    fn shard(&self, key: i64) -> Option<&Mutex<HashMap<i64, VecDeque<J>>>> {
        // Ids end in a counter, so neighbours fall into different shards.
        self.shards.get(usize::try_from(key.rem_euclid(SHARDS as i64)).unwrap_or(0))
    }

    /// Puts a job at the end of lane `key`; starts the lane when it was idle. `handle` is called for one job at a time.
    pub fn push<F, Fut>(self: &Arc<Self>, key: i64, job: J, handle: F)
    where
        F: Fn(J) -> Fut + Send + 'static,
        Fut: Future<Output = ()> + Send,
    {
        self.jobs.fetch_add(1, Ordering::Relaxed);
        let Some(shard) = self.shard(key) else { return };
        {
            let mut shard = shard.lock();
            if let Some(queue) = shard.get_mut(&key) {
                queue.push_back(job);
                return;
            }
            shard.insert(key, VecDeque::new());
        }
        let lanes = Arc::clone(self);
        tokio::spawn(async move {
            // A panic in one job must not leave its lane locked for ever: the guard frees it, and the jobs that were
            // waiting come back from the store at the next start.
            let guard = Guard { lanes: &lanes, key };
            let mut next = Some(job);
            while let Some(job) = next {
                let permit = lanes.slots.acquire().await;
                handle(job).await;
                drop(permit);
                lanes.jobs.fetch_sub(1, Ordering::Relaxed);
                next = lanes.take_next(key);
            }
            std::mem::forget(guard);
        });
    }

    /// The next job of a lane; ends the lane when there is none, in the same breath, so that no job can slip between.
    fn take_next(&self, key: i64) -> Option<J> {
        let mut shard = self.shard(key)?.lock();
        let next = shard.get_mut(&key).and_then(VecDeque::pop_front);
        if next.is_none() {
            shard.remove(&key);
        }
        next
    }
}

struct Guard<'a, J: Send + 'static> {
    lanes: &'a Lanes<J>,
    key: i64,
}

impl<J: Send + 'static> Drop for Guard<'_, J> {
    fn drop(&mut self) {
        if let Some(shard) = self.lanes.shard(self.key) {
            let left = shard.lock().remove(&self.key).map_or(0, |queue| queue.len());
            self.lanes.jobs.fetch_sub(left + 1, Ordering::Relaxed);
            tracing::error!(lane = self.key, left, "a lane ended in a panic; what waited in it is taken up at the next start");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[tokio::test]
    async fn a_lane_keeps_its_order_and_lanes_run_beside_each_other() {
        let lanes: Arc<Lanes<u32>> = Arc::new(Lanes::new(8));
        let seen: Arc<Mutex<HashMap<i64, Vec<u32>>>> = Arc::default();
        for n in 0..200u32 {
            for key in 0..5i64 {
                let seen = Arc::clone(&seen);
                lanes.push(key, n, move |job| {
                    let seen = Arc::clone(&seen);
                    async move {
                        tokio::time::sleep(Duration::from_micros(u64::from(job % 7))).await;
                        seen.lock().entry(key).or_default().push(job);
                    }
                });
            }
        }
        while !lanes.is_empty() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        for key in 0..5 {
            assert_eq!(seen.lock()[&key], (0..200).collect::<Vec<_>>());
            assert!(!lanes.busy(key));
        }
    }
}
