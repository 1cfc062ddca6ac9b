//! A guest's own time: how long it was on a processor, by the clock of its thread. A look tells what it computed since the last one,
//! wherever it went on; [`Within`] tells all of it, and sets a limit to it and to its waiting.

use std::cell::Cell;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

use parking_lot::Mutex;
use tokio::time::{Instant, Sleep};

use crate::drive::over_there;

thread_local! {
    /// The processor time of this thread when it last began with a guest, or looked at one.
    static LOOKED: Cell<Duration> = const { Cell::new(Duration::ZERO) };
    /// What that guest had computed when it went to wait, and nobody had looked.
    static UNSEEN: Cell<Duration> = const { Cell::new(Duration::ZERO) };
}

/// How long the guest of this thread has computed since the last look at it.
pub(crate) fn computed() -> Duration {
    let now = of_this_thread();
    UNSEEN.take() + now.saturating_sub(LOOKED.replace(now))
}

/// A future that is measured, with a limit on its time: that on a processor, and that for which it waits for somebody. While it
/// waits only for its turn, or for a processor, no time passes for it: a guest is not cut because the machine is busy. The limit
/// costs nothing when a poll on the caller's thread is enough: the timer is made at the first poll on the guests' threads.
pub(crate) struct Within<F> {
    inner: Pin<Box<F>>,
    limit: Duration,
    over_there: Option<OverThere>,
    own: Own,
}

/// Its time on a processor.
#[derive(Default)]
struct Own {
    busy: Duration,
    /// What it computed after the last look at it, before it went to wait: that counts when it goes on.
    unseen: Duration,
}

impl Own {
    /// Before a poll: looks at the guest that it is. Gives the thread's processor time.
    fn begin(&self) -> Duration {
        UNSEEN.set(self.unseen);
        let now = of_this_thread();
        LOOKED.set(now);
        now
    }

    /// After a poll that began at this time of the thread.
    fn end(&mut self, before: Duration) {
        self.unseen = computed();
        self.busy += LOOKED.get().saturating_sub(before);
    }
}

/// What it takes to count there.
struct OverThere {
    timer: Pin<Box<Sleep>>,
    alarm: Arc<Alarm>,
    waited: Duration,
    /// Since when it is not on a processor.
    left: Instant,
}

/// A poll that took no longer, and was the last, was on its processor all the time: that is not worth a look at the clock.
const SHORT: Duration = Duration::from_millis(1);

/// The processor time that this thread has had.
fn of_this_thread() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    time.try_into().unwrap_or_default()
}

impl<F: Future> Within<F> {
    /// `inner`, for at most `limit`.
    pub(crate) fn new(limit: Duration, inner: F) -> Self {
        Self { inner: Box::pin(inner), limit, over_there: None, own: Own::default() }
    }
}

impl<F: Future> Future for Within<F> {
    /// What it gave, `None` when time ran out; and for how long it was on a processor.
    type Output = (Option<F::Output>, Duration);

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = &mut *self;
        let (since, before) = (Instant::now(), this.own.begin());
        // On the caller's thread: the next poll follows at once, over there.
        if !over_there() {
            let polled = this.inner.as_mut().poll(cx);
            let took = since.elapsed();
            if polled.is_ready() && took < SHORT {
                this.own.busy += took;
            } else {
                this.own.end(before);
            }
            return polled.map(|done| (Some(done), this.own.busy));
        }
        let there = this.over_there.get_or_insert_with(|| OverThere {
            timer: Box::pin(tokio::time::sleep(this.limit)),
            alarm: Arc::default(),
            waited: Duration::ZERO,
            left: since,
        });
        // Woken by nobody but the timer, it waited until now.
        there.waited += there.alarm.reset().unwrap_or(since).saturating_duration_since(there.left);
        let polled = this.inner.as_mut().poll(&mut Context::from_waker(&Waker::from(Arc::clone(&there.alarm))));
        there.left = Instant::now();
        this.own.end(before);
        if let Poll::Ready(done) = polled {
            return Poll::Ready((Some(done), this.own.busy));
        }
        let rest = this.limit.saturating_sub(this.own.busy + there.waited);
        if rest.is_zero() {
            return Poll::Ready((None, this.own.busy));
        }
        if there.alarm.tell(cx.waker()) {
            cx.waker().wake_by_ref();
        }
        while there.timer.as_mut().poll(cx).is_ready() {
            there.timer.as_mut().reset(Instant::now() + rest);
        }
        Poll::Pending
    }
}

/// A waker between a future and the task that polls it.
#[derive(Default)]
pub(crate) struct Alarm(Mutex<Rung>);

#[derive(Default)]
struct Rung {
    /// When it rang since it was reset.
    at: Option<Instant>,
    /// Whom it wakes then.
    waker: Option<Waker>,
}

impl Alarm {
    /// Before a poll: when it rang, if it did. From here on it wakes nobody, and remembers.
    pub(crate) fn reset(&self) -> Option<Instant> {
        std::mem::take(&mut *self.0.lock()).at
    }

    /// After a poll: whom to wake when it rings. True when it has rung already; then nobody will be.
    pub(crate) fn tell(&self, waker: &Waker) -> bool {
        let mut rung = self.0.lock();
        rung.waker = rung.at.is_none().then(|| waker.clone());
        rung.at.is_some()
    }
}

impl Wake for Alarm {
    fn wake(self: Arc<Self>) {
        let waker = {
            let mut rung = self.0.lock();
            rung.at.get_or_insert_with(Instant::now);
            rung.waker.take()
        };
        if let Some(waker) = waker {
            waker.wake();
        }
    }
}

#[cfg(test)]
mod tests {
    use pointsman_core::id::Id;

    use super::*;
    use crate::drive::{Crowd, Guests};
    use crate::engine::Computing;

    const ONE: Crowd = Crowd::Steps(Id(1));

    #[test]
    fn a_thread_that_loses_the_processor_costs_its_guest_nothing() {
        let guests = Guests::new(1, Computing::default()).unwrap();
        let caller = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        caller.block_on(async {
            let away = Duration::from_millis(200);
            for here in [true, false] {
                let asleep = Within::new(Duration::from_secs(10), async move { std::thread::sleep(away) });
                let (done, busy) = guests.drive(ONE, here, asleep).await.unwrap();
                assert!(done.is_some() && busy < away / 2, "{busy:?}, here: {here}");
            }
        });
    }

    #[test]
    fn what_is_computed_before_a_wait_counts_after_it() {
        let guests = Guests::new(1, Computing::default()).unwrap();
        let caller = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        caller.block_on(async {
            for here in [true, false] {
                let waits_often = async {
                    for _ in 0..5 {
                        let since = of_this_thread();
                        while of_this_thread() - since < Duration::from_millis(1) {}
                        tokio::time::sleep(Duration::from_millis(1)).await;
                    }
                    computed()
                };
                let (seen, busy) = guests.drive(ONE, here, Within::new(Duration::from_secs(10), waits_often)).await.unwrap();
                let seen = seen.unwrap();
                assert!(seen >= Duration::from_millis(5) && seen <= busy, "{seen:?} of {busy:?}, here: {here}");
            }
        });
    }
}
