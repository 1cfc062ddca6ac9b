//! Leases, as the line sees them: what lies in shards that this host gained is taken up, what lies in those that it lost is let
//! go. Its row is in the database; the new holder takes it up from there, and what this host would still write is refused.

use std::sync::atomic::Ordering;
use std::time::Duration;

use pointsman_store::{Change, StoreError};
use tokio::task::AbortHandle;

use crate::Engine;

impl Engine {
    /// Takes over what a renewal changed.
    pub async fn take_over(&self, change: &Change) -> Result<(), StoreError> {
        // What was at work in a shard that is given back had a beat to end in, for so long its writes are taken. Should the shard
        // come back, nothing that began under the old lease may still be written.
        let mut cut = std::mem::take(&mut *self.leaving.lock());
        if !change.lost.is_empty() {
            let tasks = self.let_go(&change.lost);
            let back = change.lost.iter().any(|shard| change.gained.contains(shard));
            if back {
                cut.extend(tasks);
            } else {
                *self.leaving.lock() = tasks;
            }
        }
        cut.iter().for_each(AbortHandle::abort);
        if !change.gained.is_empty() {
            // What was cut may have asked for its commit already: that is on disk before anybody looks what is there.
            while !cut.iter().all(AbortHandle::is_finished) {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
            self.store.written().await?;
            self.take_up_shards(&change.gained).await?;
        }
        Ok(())
    }

    /// Drops what waits in these shards; gives what is at work in them.
    fn let_go(&self, lost: &[u16]) -> Vec<AbortHandle> {
        self.mark(lost, false);
        let which = |shard: u16| lost.contains(&shard);
        let tasks = self.lanes.let_go(which);
        self.hands.lose(which);
        // An attempt that is under way is heard to its end: that the provider took it is worth knowing.
        self.outbox.let_go(which);
        self.bodies.forget_all();
        tracing::info!(shards = lost.len(), "conversations of this host are let go");
        tasks
    }

    fn mark(&self, shards: &[u16], taken_up: bool) {
        for up in shards.iter().filter_map(|shard| self.taken_up.get(usize::from(*shard))) {
            up.store(taken_up, Ordering::Release);
        }
    }

    async fn take_up_shards(&self, gained: &[u16]) -> Result<(), StoreError> {
        self.bodies.forget_all();
        let sends = self.take_up_sends(gained).await?;
        // From now on whatever is sent in these shards stands behind what was found.
        self.mark(gained, true);
        let (events, more) = self.feed_now().await?;
        self.unread.notify_one();
        if sends > 0 || events > 0 {
            tracing::info!(events, more, sends, "took up what was open");
        }
        Ok(())
    }

    /// Renews on the beat, for ever.
    pub(crate) async fn hold_leases(self, every: Duration) {
        let mut beats = tokio::time::interval(every);
        beats.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        beats.tick().await;
        let mut owed = Change::default();
        loop {
            beats.tick().await;
            if self.closing() {
                return;
            }
            match self.store.renew().await {
                Ok(change) => {
                    owed.gained.retain(|shard| !change.lost.contains(shard));
                    owed.gained.extend(change.gained);
                    owed.lost = change.lost;
                }
                Err(StoreError::Closed) => return,
                Err(error) => {
                    tracing::error!(%error, "the leases could not be renewed; trying again");
                    continue;
                }
            }
            match self.take_over(&owed).await {
                Ok(()) => owed = Change::default(),
                Err(error) => tracing::error!(%error, "what other hosts left cannot be taken up; trying again"),
            }
        }
    }
}
