//! Where guests run. A call is polled once on the thread of its caller: a guest that is quick, as nearly all are, is done
//! then and has cost no hop between threads. One that is not (it reached a tick, or waits for the host) moves to threads of
//! the sandbox's own and goes on there, so that a slow guest leaves the caller's thread within one tick of 5 ms and shares
//! the few guest threads with other slow ones, a tick each. Who was slow the last time begins there. These threads stand back behind
//! those of the line: a guest that computes for long keeps no message waiting.

use std::cell::Cell;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use pointsman_core::failure::{Class, Failure};
use tokio::runtime::Runtime;
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
}

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
            .enable_time()
            .build()
            .map_err(|e| Failure::new(Class::Transient, "sandbox.engine", format!("no threads for guests: {e}")))?;
        Ok(Self { runtime: Some(runtime) })
    }

    /// Runs a call to its end: here when it is quick and `here` lets it begin here, else on the guests' threads.
    pub(crate) async fn drive<T: Send + 'static>(
        &self,
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
        let mut task = Task(runtime.spawn(call));
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
    use super::*;

    #[test]
    fn quick_calls_stay_and_slow_ones_move() {
        let guests = Guests::new(1).unwrap();
        let here = std::thread::current().id();
        let caller = tokio::runtime::Builder::new_current_thread().build().unwrap();
        caller.block_on(async {
            assert_eq!(guests.drive(true, async { std::thread::current().id() }).await.unwrap(), here);
            assert_ne!(guests.drive(false, async { std::thread::current().id() }).await.unwrap(), here, "who was slow");
            let moved = guests
                .drive(true, async {
                    tokio::task::yield_now().await;
                    std::thread::current().name().map(str::to_owned)
                })
                .await;
            assert_eq!(moved.unwrap().as_deref(), Some("guest"));
            let panicked = guests
                .drive(true, async {
                    tokio::task::yield_now().await;
                    panic!("on purpose");
                })
                .await;
            assert_eq!(panicked.map(|()| ()).unwrap_err().code, "sandbox.panic");
            for here in [true, false] {
                let late = guests.drive(here, Within::new(Duration::from_millis(20), std::future::pending::<()>())).await;
                assert_eq!(late.unwrap().0, None, "wherever it began");
            }
        });
    }

    #[test]
    fn a_call_that_nobody_waits_for_ends() {
        let guests = Guests::new(1).unwrap();
        let alive = std::sync::Arc::new(());
        let held = alive.clone();
        let caller = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        caller.block_on(async {
            let call = guests.drive(true, async move {
                std::future::pending::<()>().await;
                drop(held);
            });
            assert!(tokio::time::timeout(Duration::from_millis(20), call).await.is_err());
            for _ in 0..500 {
                if std::sync::Arc::strong_count(&alive) == 1 {
                    return;
                }
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
            panic!("it is still there");
        });
    }
}
