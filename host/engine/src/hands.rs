//! Who has what in his hands. An event, a run that is due or a send may be found twice (by whoever kept or decided it, by a
//! start, by a person who had it tried again), but one task at a time has it. While that one waits, it can be told that the
//! row was changed; and when another host takes its lane over, it is not ours any more.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::Arc;

use parking_lot::Mutex;
use pointsman_core::id::{Id, WorkspaceId};
use tokio::sync::oneshot;

use crate::lanes::Place;

/// The things in hand; with an ear while their task waits.
#[derive(Debug, Clone, Default)]
pub(crate) struct Hands(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    held: HashMap<Id, Held>,
    /// How much of each workspace is held.
    of: HashMap<WorkspaceId, usize>,
    taken: u64,
}

#[derive(Debug)]
struct Held {
    workspace: WorkspaceId,
    shard: u16,
    /// Which taking this is: a thing that was lost may be taken again while its old task still ends.
    number: u64,
    ear: Option<oneshot::Sender<()>>,
}

/// What became of the news that a row was changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Told {
    /// Nobody has the thing.
    Nobody,
    /// Whoever waits with it looks at its row.
    Heard,
    /// It is under way, or just ending: ask again.
    Busy,
}

/// A thing that is ours until this is dropped, or its shard is lost.
#[derive(Debug)]
pub(crate) struct Hand {
    hands: Hands,
    id: Id,
    number: u64,
}

impl State {
    fn let_go(&mut self, id: Id) {
        let Some(Held { workspace, .. }) = self.held.remove(&id) else { return };
        if let Entry::Occupied(mut count) = self.of.entry(workspace) {
            *count.get_mut() -= 1;
            if *count.get() == 0 {
                count.remove();
            }
        }
    }
}

impl Hands {
    /// Takes a thing that belongs there; `None` when somebody has it.
    pub(crate) fn take(&self, id: Id, Place { workspace, shard, .. }: Place) -> Option<Hand> {
        let mut state = self.0.lock();
        if state.held.contains_key(&id) {
            return None;
        }
        state.taken += 1;
        let number = state.taken;
        state.held.insert(id, Held { workspace, shard, number, ear: None });
        *state.of.entry(workspace).or_default() += 1;
        Some(Hand { hands: self.clone(), id, number })
    }

    /// How much is in hand.
    pub(crate) fn len(&self) -> usize {
        self.0.lock().held.len()
    }

    /// How much of a workspace is in hand, and how much in all.
    pub(crate) fn count(&self, workspace: WorkspaceId) -> (usize, usize) {
        let state = self.0.lock();
        (state.of.get(&workspace).copied().unwrap_or_default(), state.held.len())
    }

    /// Tells whoever waits with this thing that its row was changed.
    pub(crate) fn tell(&self, id: Id) -> Told {
        match self.0.lock().held.get_mut(&id).map(|held| held.ear.take()) {
            None => Told::Nobody,
            Some(None) => Told::Busy,
            // An ear that is closed belongs to one who has stopped waiting.
            Some(Some(ear)) => ear.send(()).map_or(Told::Busy, |()| Told::Heard),
        }
    }

    /// Takes everything of these shards out of the hands that have it. Whoever waits is woken.
    pub(crate) fn lose(&self, which: impl Fn(u16) -> bool) {
        let mut state = self.0.lock();
        let lost: Vec<Id> = state.held.iter().filter(|(_, held)| which(held.shard)).map(|(id, _)| *id).collect();
        for id in lost {
            state.let_go(id);
        }
    }

    /// Wakes whoever waits.
    pub(crate) fn wake_all(&self) {
        self.0.lock().held.values_mut().for_each(|held| held.ear = None);
    }
}

impl Hand {
    /// Whether it is ours still.
    pub(crate) fn ours(&self) -> bool {
        self.hands.0.lock().held.get(&self.id).is_some_and(|held| held.number == self.number)
    }

    /// Whether somebody has taken it anew since it was lost.
    pub(crate) fn taken_over(&self) -> bool {
        self.hands.0.lock().held.get(&self.id).is_some_and(|held| held.number != self.number)
    }

    /// Opens an ear; it is closed at once when the thing is not ours any more. Whoever does so looks at the row afterwards: what
    /// was told before is not heard.
    pub(crate) fn listen(&self) -> oneshot::Receiver<()> {
        let (told, heard) = oneshot::channel();
        if let Some(held) = self.hands.0.lock().held.get_mut(&self.id).filter(|held| held.number == self.number) {
            held.ear = Some(told);
        }
        heard
    }
}

impl Drop for Hand {
    fn drop(&mut self) {
        let mut state = self.hands.0.lock();
        if state.held.get(&self.id).is_some_and(|held| held.number == self.number) {
            state.let_go(self.id);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(shard: u16) -> Place {
        Place { workspace: Id(9), key: 0, shard }
    }

    #[test]
    fn one_hand_at_a_time_and_it_can_be_told() {
        let hands = Hands::default();
        assert_eq!(hands.tell(Id(1)), Told::Nobody);
        let hand = hands.take(Id(1), at(0)).unwrap();
        assert!(hands.take(Id(1), at(0)).is_none() && hands.take(Id(2), at(0)).is_some());
        assert_eq!(hands.tell(Id(1)), Told::Busy, "it is in hand, and nobody listens");
        let mut heard = hand.listen();
        assert!(heard.try_recv().is_err());
        assert_eq!(hands.tell(Id(1)), Told::Heard);
        assert!(heard.try_recv().is_ok());
        drop(hand.listen());
        assert_eq!(hands.tell(Id(1)), Told::Busy, "it waits no longer");
        drop(hand);
        assert!(hands.take(Id(1), at(0)).is_some());
    }

    #[test]
    fn what_is_lost_can_be_taken_anew_and_the_old_hand_has_no_say_in_it() {
        let hands = Hands::default();
        let (old, other) = (hands.take(Id(1), at(7)).unwrap(), hands.take(Id(2), at(8)).unwrap());
        let mut heard = old.listen();
        hands.lose(|shard| shard == 7);
        assert!(!old.ours() && !old.taken_over() && other.ours());
        assert_eq!(heard.try_recv(), Err(oneshot::error::TryRecvError::Closed), "who waits is woken");
        let new = hands.take(Id(1), at(7)).unwrap();
        assert!(old.taken_over() && !new.taken_over());
        assert_eq!(old.listen().try_recv(), Err(oneshot::error::TryRecvError::Closed));
        drop(old);
        assert!(new.ours() && hands.take(Id(1), at(7)).is_none());
        assert_eq!(hands.len(), 2);
    }
}
