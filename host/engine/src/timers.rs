//! Waiting for a moment on the house's clock. A virtual clock may jump by days; a waiting task is woken by the next beat
//! after its moment, whichever clock shows it.
//!
//! Nothing here is remembered: what must survive a restart has its `due` in the store.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use pointsman_core::clock::{Clock, Instant};
use tokio::sync::oneshot;

/// How often the clock is looked at.
const BEAT: Duration = Duration::from_millis(20);

/// Everybody who waits, by moment.
pub struct Timers {
    clock: Arc<dyn Clock>,
    waiting: Mutex<BTreeMap<(Instant, u64), oneshot::Sender<()>>>,
    counter: AtomicU64,
}

impl Timers {
    /// Nobody waits yet.
    #[must_use]
    pub fn new(clock: Arc<dyn Clock>) -> Arc<Self> {
        Arc::new(Self { clock, waiting: Mutex::default(), counter: AtomicU64::new(0) })
    }

    /// Returns at or soon after `moment`; at once when it is past.
    pub async fn until(&self, moment: Instant) {
        if moment <= self.clock.now() {
            return;
        }
        let (wake, woken) = oneshot::channel();
        let place = (moment, self.counter.fetch_add(1, Ordering::Relaxed));
        self.waiting.lock().insert(place, wake);
        // Whoever stops waiting before the moment takes his place out of the list.
        let _left = Left { timers: self, place };
        // An error means that the house is closing: then nobody needs to wait any more.
        let _ = woken.await;
    }

    /// Wakes those whose moment has come. Returns how many.
    pub fn beat(&self) -> usize {
        let mut waiting = self.waiting.lock();
        if waiting.first_key_value().is_none_or(|((moment, _), _)| *moment > self.clock.now()) {
            return 0;
        }
        let later = waiting.split_off(&(self.clock.now(), u64::MAX));
        let due = std::mem::replace(&mut *waiting, later);
        drop(waiting);
        let count = due.len();
        for wake in due.into_values() {
            let _ = wake.send(());
        }
        count
    }

    /// Beats for ever.
    pub async fn run(self: Arc<Self>) {
        let mut beats = tokio::time::interval(BEAT);
        beats.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            beats.tick().await;
            self.beat();
        }
    }
}

/// Takes a place out of the list when its waiter is gone.
struct Left<'a> {
    timers: &'a Timers,
    place: (Instant, u64),
}

impl Drop for Left<'_> {
    fn drop(&mut self) {
        self.timers.waiting.lock().remove(&self.place);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use pointsman_core::clock::VirtualClock;

    #[tokio::test]
    async fn a_waiter_wakes_when_its_moment_has_come_and_not_before() {
        let clock = VirtualClock::new(1_000);
        let timers = Timers::new(Arc::new(clock.clone()));
        timers.until(1_000).await;
        let t = Arc::clone(&timers);
        let waiter = tokio::spawn(async move { t.until(90_000_000).await });
        tokio::task::yield_now().await;
        clock.advance(89_998_999);
        assert_eq!(timers.beat(), 0);
        clock.advance(1);
        assert_eq!(timers.beat(), 1);
        waiter.await.unwrap();

        let waiting = tokio::time::timeout(Duration::from_millis(1), timers.until(i64::MAX));
        assert!(waiting.await.is_err());
        assert!(timers.waiting.lock().is_empty(), "who gave up is not remembered");
    }
}
