//! Where guests run. A call is polled once on the thread of its caller: a guest that is quick, as nearly all are, is done
//! then and has cost no hop between threads. One that is not (it has computed for 2 ms, or waits for the host) moves to threads
//! of the sandbox's own and goes on there, so that a slow guest leaves the caller's thread within a tick or so and shares the
//! few guest threads with other slow ones, a tick of 5 ms each: crowds take turns, so that however many slow guests one has, one
//! of another waits for a tick and not for all of them. The steps of a workspace are a crowd, its channels are another. Who was slow the
//! last time begins there, and so does a step that comes while slow ones of its workspace wait for each other. The threads stand
//! back behind those of the line, and let go of their processor each millisecond: a guest that computes for long keeps no message
//! waiting.

use std::cell::Cell;
use std::collections::HashMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Waker};

use parking_lot::Mutex;
use pointsman_core::failure::{Class, Failure};
use pointsman_core::id::WorkspaceId;
use tokio::runtime::Runtime;
use tokio::sync::{AcquireError, OwnedSemaphorePermit, Semaphore};
use tokio::task::JoinHandle;

use crate::engine::Computing;
use crate::own_time::Alarm;

thread_local! {
    /// Whether this is a thread of the guests.
    static OVER_THERE: Cell<bool> = const { Cell::new(false) };
}

/// How far the guests' threads stand back: a third of the time of another thread, where both want all of it. Further, and on a busy
/// machine what computes would wait for all that does not; the customer's slow step is a message that waits, too.
const BEHIND: i32 = 5;

/// Whether this is a thread of the guests.
pub(crate) fn over_there() -> bool {
    OVER_THERE.get()
}

/// The threads of guests that take longer.
pub(crate) struct Guests {
    /// `None` only while it is dropped.
    runtime: Option<Runtime>,
    threads: usize,
    computing: Computing,
    /// Those that compute nothing are forgotten now and then.
    places: Mutex<HashMap<Crowd, Arc<Places>>>,
}

/// Where a crowd computes: never on all threads where there are several, so that a processor is left to everybody else.
struct Places {
    most: usize,
    free: Arc<Semaphore>,
    /// Calls that compute there or stand in line for it. Those that wait for the host are none.
    calls: AtomicUsize,
}

/// Crowds of which places are remembered before those that compute nothing are forgotten.
const REMEMBERED: usize = 1_024;

/// Whose slow guests wait for each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Crowd {
    /// What customers wrote: the steps of their workflows.
    Steps(WorkspaceId),
    /// What reads and writes for the providers. No customer's loop keeps a webhook waiting.
    Channels(WorkspaceId),
}

impl Guests {
    /// Starts `threads` threads.
    pub(crate) fn new(threads: usize, computing: Computing) -> Result<Self, Failure> {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(threads.max(1))
            .thread_name("guest")
            .on_thread_start(|| {
                OVER_THERE.set(true);
                // Never forward; where it cannot be had they compete.
                if rustix::process::getpriority_process(None).is_ok_and(|now| now < BEHIND) {
                    let _ = rustix::process::setpriority_process(None, BEHIND);
                }
            })
            // A poll here is long: who comes from elsewhere, and whose time is over, is looked for after each, and not after dozens.
            .global_queue_interval(2)
            .event_interval(1)
            .enable_time()
            .build()
            .map_err(|e| Failure::new(Class::Transient, "sandbox.engine", format!("no threads for guests: {e}")))?;
        Ok(Self { runtime: Some(runtime), threads: threads.max(1), computing, places: Mutex::default() })
    }

    fn places(&self, crowd: Crowd) -> Arc<Places> {
        let mut places = self.places.lock();
        if places.len() >= REMEMBERED {
            places.retain(|_, of_one| Arc::strong_count(of_one) > 1);
        }
        let new = || {
            let most = self.threads.saturating_sub(1).max(1);
            Arc::new(Places { most, free: Arc::new(Semaphore::new(most)), calls: AtomicUsize::new(0) })
        };
        Arc::clone(places.entry(crowd).or_insert_with(new))
    }

    /// Whether slow guests of a crowd wait for each other.
    pub(crate) fn busy(&self, crowd: Crowd) -> bool {
        self.places.lock().get(&crowd).is_some_and(|places| places.calls.load(Ordering::Relaxed) > places.most)
    }

    /// Runs a call of one of a crowd to its end: here when it is quick and `here` lets it begin here, else on the guests' threads.
    pub(crate) async fn drive<T: Send + 'static>(
        &self,
        crowd: Crowd,
        here: bool,
        call: impl Future<Output = T> + Send + 'static,
    ) -> Result<T, Failure> {
        let mut call: Pin<Box<dyn Future<Output = T> + Send>> = Box::pin(call);
        // Nobody needs to be woken: if it is not ready it is polled again at once, over there.
        if here && let Poll::Ready(done) = call.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
            return Ok(done);
        }
        let Some(runtime) = &self.runtime else {
            return Err(Failure::new(Class::Transient, "sandbox.closed", "the sandbox is closing"));
        };
        let mut task = Task(runtime.spawn(ByTurns::new(call, self.places(crowd), Arc::clone(&self.computing))));
        (&mut task.0).await.map_err(|e| {
            if e.is_panic() {
                Failure::bug("sandbox.panic", "the host broke off while a guest ran; this is a mistake in the host")
            } else {
                Failure::new(Class::Transient, "sandbox.closed", "the sandbox is closing")
            }
        })
    }
}

impl Drop for Guests {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            // Not waiting: the last handle may be dropped inside another runtime.
            runtime.shutdown_background();
        }
    }
}

type Place = Result<OwnedSemaphorePermit, AcquireError>;

/// A call that has a place of its crowd for each poll, and while it stands in the threads' queue for the next: whoever has none is not in
/// that queue, so there are never more of a crowd in it than it has places. While it waits for the host it has none.
struct ByTurns<T> {
    call: Pin<Box<dyn Future<Output = T> + Send>>,
    places: Arc<Places>,
    place: Option<Place>,
    /// While it waits for its place.
    turn: Option<Pin<Box<dyn Future<Output = Place> + Send>>>,
    /// Whether it is one of the calls that are counted.
    counted: bool,
    computing: Computing,
    alarm: Arc<Alarm>,
}

/// One more that computes, until it is dropped.
struct Computes<'a>(&'a Computing);

impl<'a> Computes<'a> {
    fn now(computing: &'a Computing) -> Self {
        computing.fetch_add(1, Ordering::Relaxed);
        Self(computing)
    }
}

impl Drop for Computes<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl<T> ByTurns<T> {
    fn new(call: Pin<Box<dyn Future<Output = T> + Send>>, places: Arc<Places>, computing: Computing) -> Self {
        Self { call, places, place: None, turn: None, counted: false, computing, alarm: Arc::default() }
    }

    fn count(&mut self, counted: bool) {
        if counted && !self.counted {
            self.places.calls.fetch_add(1, Ordering::Relaxed);
        } else if self.counted && !counted {
            self.places.calls.fetch_sub(1, Ordering::Relaxed);
        }
        self.counted = counted;
    }

    /// A place, or it stands in the line for one.
    fn place(&mut self, cx: &mut Context<'_>) -> Option<Place> {
        if let Some(place) = self.place.take() {
            return Some(place);
        }
        let free = &self.places.free;
        let turn = self.turn.get_or_insert_with(|| Box::pin(Arc::clone(free).acquire_owned()));
        let Poll::Ready(place) = turn.as_mut().poll(cx) else { return None };
        self.turn = None;
        Some(place)
    }
}

impl<T> Drop for ByTurns<T> {
    fn drop(&mut self) {
        self.count(false);
    }
}

impl<T> Future for ByTurns<T> {
    type Output = T;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<T> {
        let this = &mut *self;
        this.count(true);
        let Some(place) = this.place(cx) else { return Poll::Pending };
        this.alarm.reset();
        let computes = Computes::now(&this.computing);
        let polled = this.call.as_mut().poll(&mut Context::from_waker(&Waker::from(Arc::clone(&this.alarm))));
        drop((computes, place));
        // It would go on: behind those of its crowd that wait already.
        let goes_on = polled.is_pending() && this.alarm.tell(cx.waker());
        this.count(goes_on);
        if goes_on {
            this.place = this.place(cx);
            if this.place.is_some() {
                cx.waker().wake_by_ref();
            }
            std::thread::yield_now();
        }
        polled
    }
}

/// A task that ends when nobody waits for it any more.
struct Task<T>(JoinHandle<T>);

impl<T> Drop for Task<T> {
    fn drop(&mut self) {
        self.0.abort();
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use pointsman_core::id::Id;
    use tokio::time::Instant;

    use super::*;
    use crate::own_time::Within;

    const ONE: Crowd = Crowd::Steps(Id(1));
    const OTHER: Crowd = Crowd::Steps(Id(2));

    /// What a guest does at each tick.
    async fn ticks(count: usize) {
        for _ in 0..count {
            let mut back = false;
            std::future::poll_fn(|cx| {
                if std::mem::replace(&mut back, true) {
                    return Poll::Ready(());
                }
                cx.waker().wake_by_ref();
                Poll::Pending
            })
            .await;
        }
    }

    #[test]
    fn a_slow_guest_of_another_workspace_waits_for_no_crowd() {
        let guests = Arc::new(Guests::new(1, Computing::default()).unwrap());
        let caller = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        caller.block_on(async {
            let polls = Arc::new(AtomicUsize::new(0));
            let crowd: Vec<_> = (0..50)
                .map(|_| {
                    let (guests, polls) = (Arc::clone(&guests), Arc::clone(&polls));
                    tokio::spawn(async move {
                        let forever = async move {
                            loop {
                                polls.fetch_add(1, Ordering::Relaxed);
                                std::thread::sleep(Duration::from_millis(1));
                                ticks(1).await;
                            }
                        };
                        guests.drive(ONE, false, forever).await.map(|(): ()| ())
                    })
                })
                .collect();
            while guests.places(ONE).calls.load(Ordering::Relaxed) == 0 {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
            // One of the other workspace has ten polls of its own: each of them behind one of the crowd, or a few, and not all.
            let seen = Arc::clone(&polls);
            let ten = async move {
                let before = seen.load(Ordering::Relaxed);
                ticks(10).await;
                seen.load(Ordering::Relaxed) - before
            };
            let between = guests.drive(OTHER, false, ten).await.unwrap();
            assert!(between < 100, "{between} polls of the crowd went before ten of another");
            crowd.iter().for_each(JoinHandle::abort);
        });
    }

    #[test]
    fn who_waits_for_his_turn_loses_no_time() {
        let guests = Arc::new(Guests::new(1, Computing::default()).unwrap());
        let caller = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        caller.block_on(async {
            let hog = {
                let guests = Arc::clone(&guests);
                let forever = async {
                    loop {
                        std::thread::sleep(Duration::from_millis(40));
                        ticks(1).await;
                    }
                };
                tokio::spawn(async move { guests.drive(ONE, false, forever).await.map(|(): ()| ()) })
            };
            while guests.places(ONE).calls.load(Ordering::Relaxed) == 0 {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
            // Behind the other's polls it takes longer than its limit, and has used next to nothing of it.
            let limit = Duration::from_millis(200);
            let since = Instant::now();
            let (done, busy) = guests.drive(ONE, false, Within::new(limit, ticks(10))).await.unwrap();
            assert!(since.elapsed() > limit, "it waited {:?}", since.elapsed());
            assert!(done.is_some(), "cut after {busy:?}");
            // Waiting for somebody does count, also when its turn comes late.
            let slow = Within::new(limit, std::future::pending::<()>());
            assert_eq!(guests.drive(ONE, false, slow).await.unwrap().0, None);
            hog.abort();
        });
    }

    #[test]
    fn quick_calls_stay_and_slow_ones_move() {
        let guests = Guests::new(1, Computing::default()).unwrap();
        let here = std::thread::current().id();
        let caller = tokio::runtime::Builder::new_current_thread().build().unwrap();
        caller.block_on(async {
            assert_eq!(guests.drive(ONE, true, async { std::thread::current().id() }).await.unwrap(), here);
            assert_ne!(guests.drive(ONE, false, async { std::thread::current().id() }).await.unwrap(), here, "who was slow");
            let moved = guests
                .drive(ONE, true, async {
                    tokio::task::yield_now().await;
                    std::thread::current().name().map(str::to_owned)
                })
                .await;
            assert_eq!(moved.unwrap().as_deref(), Some("guest"));
            let panicked = guests
                .drive(ONE, true, async {
                    tokio::task::yield_now().await;
                    panic!("on purpose");
                })
                .await;
            assert_eq!(panicked.map(|()| ()).unwrap_err().code, "sandbox.panic");
            for here in [true, false] {
                let late = guests.drive(ONE, here, Within::new(Duration::from_millis(20), std::future::pending::<()>())).await;
                assert_eq!(late.unwrap().0, None, "wherever it began");
            }
        });
    }

    #[test]
    fn those_who_wait_for_the_host_are_no_crowd() {
        let guests = Arc::new(Guests::new(1, Computing::default()).unwrap());
        let caller = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        caller.block_on(async {
            let (polled, mut heard) = tokio::sync::mpsc::unbounded_channel();
            let waiting: Vec<_> = (0..9)
                .map(|_| {
                    let (guests, polled) = (Arc::clone(&guests), polled.clone());
                    tokio::spawn(async move {
                        let asks = async move {
                            polled.send(()).unwrap();
                            std::future::pending::<()>().await;
                        };
                        guests.drive(ONE, false, asks).await
                    })
                })
                .collect();
            for _ in 0..9 {
                heard.recv().await.unwrap();
            }
            // Whoever comes now has seen the last of them go to wait.
            guests.drive(ONE, false, ticks(2)).await.unwrap();
            assert!(!guests.busy(ONE));
            waiting.iter().for_each(JoinHandle::abort);
        });
    }

    #[test]
    fn a_call_that_nobody_waits_for_ends() {
        let guests = Guests::new(1, Computing::default()).unwrap();
        let alive = Arc::new(());
        let held = alive.clone();
        let caller = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        caller.block_on(async {
            let call = guests.drive(ONE, true, async move {
                std::future::pending::<()>().await;
                drop(held);
            });
            assert!(tokio::time::timeout(Duration::from_millis(20), call).await.is_err());
            for _ in 0..500 {
                if Arc::strong_count(&alive) == 1 {
                    return;
                }
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
            panic!("it is still there");
        });
    }
}
