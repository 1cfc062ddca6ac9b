//! What every emulated account has: its server's address, its conversations, its faults, its way out; and the functions that
//! are the same for all of them.

use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::Router;
use parking_lot::Mutex;
use tokio::net::TcpListener;

use crate::fault::Faults;
use crate::hook::Hooks;
use crate::talk::Talk;

/// The shared half of an emulated account.
#[derive(Debug)]
pub(crate) struct Desk {
    pub(crate) url: String,
    pub(crate) talk: Mutex<Talk>,
    pub(crate) faults: Arc<Faults>,
    pub(crate) hooks: Arc<Hooks>,
    /// How long answers take.
    pub(crate) delay: Mutex<Duration>,
    began: Instant,
}

impl Desk {
    /// Binds the server's socket. `keeps`: whether webhooks without an address wait for one.
    #[expect(clippy::disallowed_methods, reason = "an emulated provider keeps its own time")]
    pub(crate) async fn open(
        listen: &str,
        delay: Duration,
        retry_every: Option<Duration>,
        keeps: bool,
    ) -> std::io::Result<(Self, TcpListener)> {
        let listener = TcpListener::bind(listen).await?;
        let url = format!("http://{}", listener.local_addr()?);
        let began = Instant::now();
        let faults = Arc::new(Faults::default());
        let hooks = Arc::new(Hooks::new(Arc::clone(&faults), retry_every, keeps, began));
        Ok((Self { url, talk: Mutex::default(), faults, hooks, delay: Mutex::new(delay), began }, listener))
    }

    /// Milliseconds from the emulator's start.
    pub(crate) fn at_ms(&self) -> u64 {
        u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    /// How long an answer takes now.
    pub(crate) fn delay(&self) -> Duration {
        *self.delay.lock()
    }

    /// The port, which makes ids differ between two emulators of one kind.
    pub(crate) fn port(&self) -> &str {
        self.url.rsplit(':').next().unwrap_or("0")
    }
}

/// Serves until the runtime ends.
pub(crate) fn serve(listener: TcpListener, router: Router) {
    tokio::spawn(async move {
        if let Err(error) = axum::serve(listener, router).await {
            tracing::error!(%error, "the emulated provider ended");
        }
    });
}

/// The functions that are the same for every provider.
macro_rules! shared {
    ($provider:ty) => {
        impl $provider {
            /// Its address, `http://127.0.0.1:PORT`.
            #[must_use]
            pub fn url(&self) -> &str {
                &self.0.desk.url
            }

            /// `127.0.0.1:PORT`, as `[egress] allow_private` wants it.
            #[must_use]
            pub fn address(&self) -> &str {
                self.0.desk.url.trim_start_matches("http://")
            }

            /// Where webhooks go from now on, whether the host subscribed or not.
            pub fn set_hook(&self, url: impl Into<String>) {
                self.0.desk.hooks.force(Some(url.into()));
            }

            /// Webhooks go again where the host told the provider.
            pub fn clear_hook(&self) {
                self.0.desk.hooks.force(None);
            }

            /// What goes wrong with the next sends, one each.
            pub fn fail(&self, faults: impl IntoIterator<Item = $crate::Fault>) {
                self.0.desk.faults.add(None, faults);
            }

            /// What goes wrong with every `every`-th send from now on.
            pub fn fail_share(&self, every: u64, fault: $crate::Fault) {
                self.0.desk.faults.share(every, fault);
            }

            /// What goes wrong with every send to this contact from now on.
            pub fn fail_contact(&self, contact: &str, fault: $crate::Fault) {
                self.0.desk.faults.to(contact, fault);
            }

            /// What goes wrong with the next call of this name.
            pub fn fail_call(&self, call: &str, fault: $crate::Fault) {
                self.0.desk.faults.add(Some(call), [fault]);
            }

            /// What goes wrong with the next webhooks, one each; statuses are webhooks too.
            pub fn fail_hooks(&self, faults: impl IntoIterator<Item = $crate::HookFault>) {
                self.0.desk.faults.add_hooks(faults);
            }

            /// Takes back all faults that wait.
            pub fn clear_faults(&self) {
                self.0.desk.faults.clear();
            }

            /// How long answers take from now on.
            pub fn set_delay(&self, delay: std::time::Duration) {
                *self.0.desk.delay.lock() = delay;
            }

            /// Who wrote so far, in the order of their first words.
            #[must_use]
            pub fn contacts(&self) -> Vec<$crate::Contact> {
                self.0.desk.talk.lock().contacts()
            }

            /// Both sides of a conversation, in order.
            #[must_use]
            pub fn lines(&self, contact: &str) -> Vec<$crate::Line> {
                self.0.desk.talk.lock().lines(Some(contact))
            }
        }
    };
}
pub(crate) use shared;
