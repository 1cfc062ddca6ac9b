//! Leases, as the line sees them: what lies in shards that this host gained is taken up, what lies in those that it lost is let
//! go. Its row is in the database; the new holder takes it up from there, and what this host would still write is refused.

use std::collections::HashSet;
use std::time::Duration;

use parking_lot::Mutex;
use pointsman_core::id::Id;
use pointsman_store::{Change, SHARDS, SendRow, StoreError};
use tokio::task::AbortHandle;

use crate::Engine;
use crate::outbox::place;

/// By shard: whether what lies there was taken up. Nothing is begun before: it would overtake what is older.
#[derive(Debug)]
pub(crate) struct Gate(Mutex<State>);

#[derive(Debug)]
struct State {
    open: [bool; SHARDS as usize],
    /// Sends that were decided while their shard was shut. None of them has left.
    held: Vec<SendRow>,
}

impl Default for Gate {
    fn default() -> Self {
        Self(Mutex::new(State { open: [false; SHARDS as usize], held: Vec::new() }))
    }
}

impl State {
    fn is_open(&self, shard: u16) -> bool {
        self.open.get(usize::from(shard)).is_some_and(|open| *open)
    }

    fn set(&mut self, shards: &[u16], open: bool) {
        for shard in shards {
            if let Some(slot) = self.open.get_mut(usize::from(*shard)) {
                *slot = open;
            }
        }
    }
}

impl Gate {
    /// Nothing gets through to these shards from now on.
    fn shut(&self, shards: &[u16]) {
        self.0.lock().set(shards, false);
    }

    /// Puts something into its lane where the shard is open, in one breath with the look at it. `None` where it is shut.
    pub(crate) fn through<T>(&self, shard: u16, put: impl FnOnce() -> T) -> Option<T> {
        let state = self.0.lock();
        state.is_open(shard).then(put)
    }

    /// The same for one after the other. Behind one that did not get through none of its shard does, though it was opened
    /// meanwhile: they come in an order, and whoever opens a shard looks again. Gives how many `put` says were new.
    pub(crate) fn through_in_order<T>(
        &self,
        found: impl IntoIterator<Item = T>,
        shard: impl Fn(&T) -> u16,
        put: impl Fn(T) -> bool,
    ) -> usize {
        let mut shut = HashSet::new();
        let mut count = 0;
        for one in found {
            let shard = shard(&one);
            if shut.contains(&shard) {
                continue;
            }
            match self.through(shard, || put(one)) {
                Some(new) => count += usize::from(new),
                None => drop(shut.insert(shard)),
            }
        }
        count
    }

    /// The same for a send, which is held where its shard is shut.
    pub(crate) fn send(&self, send: SendRow, put: impl FnOnce(SendRow)) {
        let mut state = self.0.lock();
        if state.is_open(place(&send).shard) {
            put(send);
        } else {
            state.held.push(send);
        }
    }

    /// Opens these shards. What is held for them and is not among `known` gets through first; what is held for others is theirs
    /// who have them.
    fn open(&self, shards: &[u16], known: &HashSet<Id>, put: impl Fn(SendRow)) {
        let mut state = self.0.lock();
        let held = std::mem::take(&mut state.held);
        held.into_iter().filter(|send| shards.contains(&place(send).shard) && !known.contains(&send.id)).for_each(put);
        state.set(shards, true);
    }
}

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
        self.gate.shut(lost);
        let which = |shard: u16| lost.contains(&shard);
        let tasks = self.lanes.let_go(which);
        self.hands.lose(which);
        // An attempt that is under way is heard to its end: that the provider took it is worth knowing.
        self.outbox.let_go(which);
        self.bodies.forget_all();
        tracing::info!(shards = lost.len(), "conversations of this host are let go");
        tasks
    }

    async fn take_up_shards(&self, gained: &[u16]) -> Result<(), StoreError> {
        self.bodies.forget_all();
        let sends = self.take_up_sends(gained).await?;
        // From now on whatever is sent in these shards stands behind what was found.
        self.gate.open(gained, &sends, |send| self.deliver_in_turn(send, false));
        self.feed.forget();
        let (events, more) = self.feed_now().await?;
        self.unread.look();
        if !sends.is_empty() || events > 0 {
            tracing::info!(events, more, sends = sends.len(), "took up what was open");
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

#[cfg(test)]
mod tests {
    use std::cell::RefCell;

    use pointsman_core::outbox::SendState;
    use pointsman_core::ports::Operation;
    use pointsman_store::shard_of;

    use super::*;

    /// A send of a workspace, outside of any conversation.
    fn send(workspace: i64, id: i64) -> SendRow {
        SendRow {
            workspace: Id(workspace),
            id: Id(id),
            channel: Id(1),
            conversation: None,
            run: Id(1),
            path: String::new(),
            n: 0,
            key: String::new(),
            state: SendState::Sending,
            due: 0,
            attempt: 1,
            possible_duplicate: false,
            marked: false,
            provider_ids: Vec::new(),
            reason: None,
            operation: Operation::Check,
            approval: None,
        }
    }

    #[test]
    fn nothing_gets_through_behind_an_older_one_that_did_not_though_the_shard_opens_in_between() {
        let (gate, put) = (Gate::default(), RefCell::new(Vec::new()));
        gate.open(&[shard_of(8)], &HashSet::new(), |_| ());
        let listed = [(7, 1), (8, 2), (7, 3), (8, 4)].into_iter().inspect(|(_, id)| {
            if *id == 2 {
                gate.open(&[shard_of(7)], &HashSet::new(), |_| ());
            }
        });
        let taken = |(_, id)| {
            put.borrow_mut().push(id);
            id != 4
        };
        assert_eq!(gate.through_in_order(listed, |(lane, _)| shard_of(*lane), taken), 1);
        assert_eq!(gate.through_in_order([(7, 1), (7, 3)], |(lane, _)| shard_of(*lane), taken), 2);
        assert_eq!(put.into_inner(), [2, 4, 1, 3]);
    }

    #[test]
    fn what_is_decided_behind_a_shut_gate_leaves_behind_what_was_taken_up_and_once() {
        let (gate, put) = (Gate::default(), RefCell::new(Vec::new()));
        let taken = |send: SendRow| put.borrow_mut().push(send.id.0);
        let shard = shard_of(7);
        assert_eq!(gate.through(shard, || ()), None, "nothing is open at first");
        // 10 is on disk before the look at what is there, 11 after it; 12 is another host's.
        for (workspace, id) in [(7, 10), (7, 11), (8, 12)] {
            gate.send(send(workspace, id), taken);
        }
        assert!(put.borrow().is_empty());
        gate.open(&[shard], &HashSet::from([Id(10)]), taken);
        gate.send(send(7, 13), taken);
        assert_eq!((put.borrow().as_slice(), gate.through(shard, || ())), ([11, 13].as_slice(), Some(())));
        gate.shut(&[shard]);
        gate.send(send(7, 14), taken);
        gate.open(&[shard_of(8)], &HashSet::new(), taken);
        assert_eq!(put.borrow().as_slice(), [11, 13], "what was held for a shard that others have is theirs");
    }
}
