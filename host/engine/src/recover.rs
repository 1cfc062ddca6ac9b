//! Beginning and going on: after a start everything that is open is taken up, in the order in which it was kept; after that
//! a beat looks for waiting runs whose time has come, for what a person had tried again, and keeps the files small.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use pointsman_core::id::{Id, WorkspaceId};
use pointsman_store::{EventState, StoreError};

use crate::hands::Told;
use crate::{Engine, Job};

/// Events taken up in one read.
const PAGE: usize = 500;
/// How often waiting runs are looked for.
const RUNS: Duration = Duration::from_millis(500);
/// How often the files are tidied.
const MAINTAIN: Duration = Duration::from_secs(300);

impl Engine {
    /// Takes up what is open and starts the beats. Call before the public port opens, so that what was there comes first.
    pub async fn start(&self) -> Result<(), StoreError> {
        tokio::spawn(Arc::clone(&self.timers).run());
        // Before anything is taken up, so that what comes in between is looked at twice and not missed.
        let bell = self.store.newest_audit().await?;
        let sends = self.take_up_sends().await?;
        let mut events = 0u64;
        let mut after = (Id(0), Id(0));
        loop {
            let page = self.store.open_events(after, PAGE).await?;
            let Some(last) = page.last() else { break };
            after = (last.workspace, last.id);
            // A routed one has its runs already: they are woken when their time has come.
            for kept in page.into_iter().filter(|kept| kept.state == EventState::New) {
                events += 1;
                let lane = kept.conversation.as_ref().map_or(kept.channel.0, |c| c.id.0);
                self.put(lane, Job::Event(kept));
            }
        }
        if sends > 0 || events > 0 {
            tracing::info!(events, sends, "took up what was open");
        }
        self.read_unread_now().await?;
        tokio::spawn(self.clone().read_the_unread());
        tokio::spawn(self.clone().wake_runs());
        tokio::spawn(self.clone().answer_the_bell(bell));
        tokio::spawn(self.clone().maintain());
        Ok(())
    }

    /// Waits until nothing is under way, at most this long. What is left is on disk and taken up at the next start.
    pub async fn drain(&self, at_most: Duration) {
        let deadline = tokio::time::Instant::now() + at_most;
        while self.under_way() != (0, 0) && tokio::time::Instant::now() < deadline {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    async fn wake_runs(self) {
        let mut beats = tokio::time::interval(RUNS);
        loop {
            beats.tick().await;
            let now = self.clock.now();
            match self.store.due_runs(now, 256).await {
                Ok(due) => {
                    for run in due {
                        let lane = run.conversation.as_ref().map_or(run.event.0, |c| c.id.0);
                        self.put(lane, Job::Resume { workspace: run.workspace, run: run.id });
                    }
                }
                Err(StoreError::Closed) => return,
                Err(error) => tracing::error!(%error, "waiting runs cannot be listed"),
            }
        }
    }

    /// Takes over what a person changed, perhaps in another process on the same files: channels and workflows are read anew, and
    /// what is to be tried again is taken up. A run is found by its time like any other; the rest carries a mark. What is taken
    /// up twice is done once: whoever has his turn reads his row again.
    async fn answer_the_bell(self, mut heard: BTreeMap<WorkspaceId, Id>) {
        let mut beats = tokio::time::interval(RUNS);
        loop {
            beats.tick().await;
            let answered = async {
                let now = self.store.newest_audit().await?;
                if now == heard {
                    return Ok(None);
                }
                self.outbox.changed(self.clock.now());
                self.bodies.forget_all();
                self.load_channels().await?;
                self.load_workflows().await?;
                for kept in self.store.retried_events().await? {
                    let lane = kept.conversation.as_ref().map_or(kept.channel.0, |c| c.id.0);
                    self.put(lane, Job::Event(kept));
                }
                let mut all = true;
                for send in self.store.retried_sends().await? {
                    match self.outbox.tell(send.id) {
                        Told::Nobody => self.dispatch(send),
                        Told::Heard => {}
                        Told::Busy => all = false,
                    }
                }
                self.unread.notify_one();
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
        let mut beats = tokio::time::interval(MAINTAIN);
        loop {
            beats.tick().await;
            if let Err(error) = self.store.maintain().await {
                if error == StoreError::Closed {
                    return;
                }
                tracing::warn!(%error, "the store could not be tidied; it is tried again later");
            }
        }
    }
}
