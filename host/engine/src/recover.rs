//! Beginning, going on and ending: after a start everything that is open is taken up, in the order in which it was kept; after
//! that a beat looks for waiting runs whose time has come, for what a person had tried again, and keeps the files small.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use pointsman_core::id::{Id, WorkspaceId};
use pointsman_store::{DueRun, StoreError};

use crate::hands::Told;
use crate::lanes::Place;
use crate::{Engine, Job};

/// How often waiting runs are looked for.
const RUNS: Duration = Duration::from_millis(500);
/// How many of a workspace are taken up at once.
const DUE: usize = 256;
/// How often the files are tidied.
const MAINTAIN: Duration = Duration::from_secs(300);

impl Engine {
    /// Takes up what is open and starts the beats. Call before the public port opens, so that what was there comes first.
    pub async fn start(&self) -> Result<(), StoreError> {
        tokio::spawn(Arc::clone(&self.timers).run());
        // What an earlier process left in the log goes into the files before anything is built upon it.
        if let Err(error) = self.store.maintain().await {
            tracing::warn!(%error, "the store could not be tidied; it is tried again later");
        }
        // Before anything is taken up, so that what comes in between is looked at twice and not missed.
        let bell = self.store.newest_audit().await?;
        self.points.reach("start.before");
        self.take_over(&self.store.renew().await?).await?;
        self.points.reach("start.after");
        self.read_unread_now().await?;
        self.models.tell_open(self.clock.now()).await?;
        if let Some(every) = self.store.renew_every() {
            tokio::spawn(self.clone().hold_leases(every));
        }
        tokio::spawn(self.clone().feed());
        tokio::spawn(self.clone().read_the_unread());
        tokio::spawn(self.clone().wake_runs());
        tokio::spawn(self.clone().keep_schedules());
        tokio::spawn(self.clone().answer_the_bell(bell));
        tokio::spawn(self.clone().maintain());
        tokio::spawn(self.clone().keep_accounts());
        Ok(())
    }

    /// Ends in good order, in at most this time: nothing is taken up any more, what waits for a moment waits in the store, and
    /// what is in the lanes is handled. After half of the time only what was begun is brought to its end. What is left is on
    /// disk, and taken up at the next start.
    pub async fn drain(&self, at_most: Duration) {
        let began = tokio::time::Instant::now();
        self.closing.store(true, Ordering::Release);
        self.outbox.stop_waiting();
        until(began + at_most / 2, || self.lanes.is_empty() && self.outbox.quiet()).await;
        self.lanes.close(|_| false);
        until(began + at_most, || self.lanes.is_empty()).await;
        // Only now: what was just decided may be written down as leaving, and then leaves.
        self.outbox.close();
        until(began + at_most, || self.outbox.quiet()).await;
        if let Err(error) = self.write_accounts().await {
            tracing::warn!(%error, "the account of what plugins used in the last seconds is lost");
        }
        if let Err(error) = self.store.leave().await {
            tracing::warn!(%error, "the leases could not be given back; they run out by themselves");
        }
    }

    async fn wake_runs(self) {
        let mut beats = tokio::time::interval(RUNS);
        loop {
            beats.tick().await;
            if self.closing() {
                return;
            }
            let now = self.clock.now();
            match self.store.due_runs(now, DUE).await {
                Ok(due) => {
                    for DueRun { workspace, run, lane } in due {
                        self.put(run, Place::of(workspace, lane), Job::Resume { workspace, run });
                    }
                }
                Err(StoreError::Closed) => return,
                Err(error) => tracing::error!(%error, "waiting runs cannot be listed"),
            }
        }
    }

    /// Takes over what a person changed, perhaps in another process on the same files: channels, and the workflows of that workspace,
    /// are read anew, and what is to be tried again is taken up. A run is found by its time like any other; the rest carries a mark.
    /// What is taken up twice is done once: whoever has his turn reads his row again. What another host noted down of itself is a
    /// plugin in quarantine, if anything.
    async fn answer_the_bell(self, mut heard: BTreeMap<WorkspaceId, Id>) {
        let mut beats = tokio::time::interval(RUNS);
        loop {
            beats.tick().await;
            if self.closing() {
                return;
            }
            let answered = async {
                let now = self.store.newest_audit().await?;
                if now == heard {
                    return Ok(None);
                }
                self.load_quarantined().await?;
                let wishes = self.store.wishes(&heard, &now).await?;
                if wishes.is_empty() {
                    return Ok(Some(now));
                }
                self.outbox.changed(self.ids.next(self.clock.now()));
                self.store.forget_erased(&wishes);
                self.store.follow_keys().await?;
                self.bodies.forget_all();
                self.models.forget_all();
                self.load_channels().await?;
                self.load_yanked().await?;
                self.load_packages().await?;
                // A plugin may have been what a workflow anywhere was lacking.
                let plugins = wishes.values().flatten().any(|line| line.action.starts_with("plugin."));
                self.load_workflows_of(|workspace| plugins || wishes.contains_key(&workspace)).await?;
                self.feed.look_at(wishes.keys().copied());
                let mut all = true;
                for send in self.store.retried_sends().await? {
                    match self.outbox.tell(send.id) {
                        Told::Nobody => self.dispatch(send),
                        Told::Heard => {}
                        Told::Busy => all = false,
                    }
                }
                self.unread.look();
                self.points.reach("bell.after");
                Ok(all.then_some(now))
            };
            match answered.await {
                Ok(Some(now)) => heard = now,
                Ok(None) => {}
                Err(StoreError::Closed) => return,
                Err(error) => tracing::error!(%error, "what is to be tried again cannot be listed"),
            }
        }
    }

    async fn maintain(self) {
        let mut beats = tokio::time::interval_at(tokio::time::Instant::now() + MAINTAIN, MAINTAIN);
        loop {
            beats.tick().await;
            let tidied = async {
                self.store.follow_keys().await?;
                self.store.maintain().await
            };
            if let Err(error) = tidied.await {
                if error == StoreError::Closed {
                    return;
                }
                tracing::warn!(%error, "the store could not be tidied; it is tried again later");
            }
        }
    }
}

/// Waits until it is so, or the time is over.
async fn until(end: tokio::time::Instant, so: impl Fn() -> bool) {
    while !so() && tokio::time::Instant::now() < end {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}
