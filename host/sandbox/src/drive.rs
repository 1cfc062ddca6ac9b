//! Where guests run. A call is polled once on the thread of its caller: a guest that is quick, as nearly all are, is done
//! then and has cost no hop between threads. One that is not (it reached a tick, or waits for the host) moves to threads of
//! the sandbox's own and goes on there, so that a slow guest leaves the caller's thread within one tick of 5 ms and shares
//! the few guest threads with other slow ones, a tick each: workspaces take turns, so that however many slow guests one has, one of
//! another waits for a tick and not for all of them. Who was slow the last time begins there, and so does whoever comes while slow
//! ones of his workspace have all of these threads. The threads stand back behind those of the line: a guest that computes for long
//! keeps no message waiting.

use std::cell::Cell;
use std::collections::HashMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use parking_lot::Mutex;
use pointsman_core::failure::{Class, Failure};
use pointsman_core::id::WorkspaceId;
use tokio::runtime::Runtime;
use tokio::sync::{AcquireError, OwnedSemaphorePermit, Semaphore};
use tokio::task::JoinHandle;
use tokio::time::{Instant, Sleep};

/// How far the guests' threads stand back: a third of the time of another thread, where both want all of it. Further, and a guest on a
/// busy machine would meet its end by the wall and not by what it computes.
const BEHIND: i32 = 5;

thread_local! {
    /// Whether this is a thread of the guests.
    static OVER_THERE: Cell<bool> = const { Cell::new(false) };
}

/// The threads of guests that take longer.
pub(crate) struct Guests {
    /// `None` only while it is dropped.
    runtime: Option<Runtime>,
    threads: usize,
    /// On how many of the threads each workspace could compute now, were it alone. Those that compute nothing are forgotten now and
    /// then.
    places: Mutex<HashMap<WorkspaceId, Arc<Semaphore>>>,
}

/// Workspaces of which places are remembered before those that compute nothing are forgotten.
const REMEMBERED: usize = 1_024;

impl Guests {
    /// Starts `threads` threads.
    pub(crate) fn new(threads: usize) -> Result<Self, Failure> {
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
        Ok(Self { runtime: Some(runtime), threads: threads.max(1), places: Mutex::default() })
    }

    /// The places of a workspace.
    fn places(&self, workspace: WorkspaceId) -> Arc<Semaphore> {
        let mut places = self.places.lock();
        if places.len() >= REMEMBERED {
            places.retain(|_, of_one| Arc::strong_count(of_one) > 1);
        }
        Arc::clone(places.entry(workspace).or_insert_with(|| Arc::new(Semaphore::new(self.threads))))
    }

    /// Whether slow guests of a workspace have all threads.
    fn busy(&self, workspace: WorkspaceId) -> bool {
        self.places.lock().get(&workspace).is_some_and(|places| places.available_permits() == 0)
    }

    /// Runs a call of a workspace to its end: here when it is quick and `here` lets it begin here, else on the guests' threads.
    pub(crate) async fn drive<T: Send + 'static>(
        &self,
        workspace: WorkspaceId,
        here: bool,
        call: impl Future<Output = T> + Send + 'static,
    ) -> Result<T, Failure> {
        let mut call: Pin<Box<dyn Future<Output = T> + Send>> = Box::pin(call);
        // Nobody needs to be woken: if it is not ready it is polled again at once, over there.
        if here
            && !self.busy(workspace)
            && let Poll::Ready(done) = call.as_mut().poll(&mut Context::from_waker(Waker::noop()))
        {
            return Ok(done);
        }
        let Some(runtime) = &self.runtime else {
            return Err(Failure::new(Class::Transient, "sandbox.closed", "the sandbox is closing"));
        };
        let mut task = Task(runtime.spawn(ByTurns { call, places: self.places(workspace), turn: None }));
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

type Place = Pin<Box<dyn Future<Output = Result<OwnedSemaphorePermit, AcquireError>> + Send>>;

/// A call that has a place of its workspace for each poll, one after the other with the workspace's other calls. While it waits for
/// the host it has none.
struct ByTurns<T> {
    call: Pin<Box<dyn Future<Output = T> + Send>>,
    places: Arc<Semaphore>,
    /// While it waits for its place.
    turn: Option<Place>,
}

impl<T> Future for ByTurns<T> {
    type Output = T;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<T> {
        let this = &mut *self;
        let places = &this.places;
        let turn = this.turn.get_or_insert_with(|| Box::pin(Arc::clone(places).acquire_owned()));
        let Poll::Ready(place) = turn.as_mut().poll(cx) else { return Poll::Pending };
        this.turn = None;
        let polled = this.call.as_mut().poll(cx);
        drop(place);
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

/// A future that is measured, with a limit on wall time that costs nothing when a poll on the caller's thread is enough: the timer is made
/// at the first poll on the guests' threads.
pub(crate) struct Within<F> {
    inner: Pin<Box<F>>,
    limit: Duration,
    timer: Option<Pin<Box<Sleep>>>,
    busy: Duration,
}

impl<F: Future> Within<F> {
    /// `inner`, for at most `limit`.
    pub(crate) fn new(limit: Duration, inner: F) -> Self {
        Self { inner: Box::pin(inner), limit, timer: None, busy: Duration::ZERO }
    }
}

impl<F: Future> Future for Within<F> {
    /// What it gave, `None` when time ran out; and for how long it was on a processor.
    type Output = (Option<F::Output>, Duration);

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = &mut *self;
        let since = Instant::now();
        let polled = this.inner.as_mut().poll(cx);
        this.busy += since.elapsed();
        if let Poll::Ready(done) = polled {
            return Poll::Ready((Some(done), this.busy));
        }
        // On the caller's thread: the next poll follows at once, over there.
        if !OVER_THERE.get() {
            return Poll::Pending;
        }
        let limit = this.limit;
        let over = this.timer.get_or_insert_with(|| Box::pin(tokio::time::sleep(limit))).as_mut().poll(cx);
        over.map(|()| (None, this.busy))
    }
}

#[cfg(test)]
mod tests {
    use pointsman_core::id::Id;

    use super::*;

    const ONE: WorkspaceId = Id(1);
    const OTHER: WorkspaceId = Id(2);

    #[test]
    fn a_slow_guest_of_another_workspace_waits_for_no_crowd() {
        let guests = Arc::new(Guests::new(1).unwrap());
        let caller = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        caller.block_on(async {
            let polls = Arc::new(std::sync::atomic::AtomicUsize::new(0));
            let crowd: Vec<_> = (0..50)
                .map(|_| {
                    let (guests, polls) = (Arc::clone(&guests), Arc::clone(&polls));
                    tokio::spawn(async move {
                        let forever = async move {
                            loop {
                                polls.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
                                std::thread::sleep(Duration::from_millis(1));
                                tokio::task::yield_now().await;
                            }
                        };
                        guests.drive(ONE, false, forever).await.map(|(): ()| ())
                    })
                })
                .collect();
            while !guests.busy(ONE) {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
            // One of the other workspace has ten polls of its own: each of them behind one of the crowd, or a few, and not all.
            let before = polls.load(std::sync::atomic::Ordering::Relaxed);
            let ten = async {
                for _ in 0..10 {
                    tokio::task::yield_now().await;
                }
            };
            guests.drive(OTHER, false, ten).await.unwrap();
            let between = polls.load(std::sync::atomic::Ordering::Relaxed) - before;
            assert!(between < 100, "{between} polls of the crowd went before ten of another");
            // What of the crowd's workspace would have been quick begins over there, too.
            let there = guests.drive(ONE, true, async { std::thread::current().name().map(str::to_owned) }).await.unwrap();
            assert_eq!(there.as_deref(), Some("guest"));
            crowd.iter().for_each(JoinHandle::abort);
        });
    }

    #[test]
    fn quick_calls_stay_and_slow_ones_move() {
        let guests = Guests::new(1).unwrap();
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
    fn a_call_that_nobody_waits_for_ends() {
        let guests = Guests::new(1).unwrap();
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
