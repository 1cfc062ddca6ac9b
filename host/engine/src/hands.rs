//! Who has a send in his hands. A send may be found twice (by whoever decided it, by a start, by a person who had it tried
//! again), but one task at a time drives it; while that one waits, it can be told that the row was changed.

use std::collections::HashMap;
use std::sync::Arc;

use parking_lot::Mutex;
use pointsman_core::id::Id;
use tokio::sync::oneshot;

/// The sends that are being driven; with an ear while their task waits.
#[derive(Debug, Clone, Default)]
pub(crate) struct Hands(Arc<Mutex<HashMap<Id, Option<oneshot::Sender<()>>>>>);

/// What became of the news that a row was changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Told {
    /// Nobody has the send.
    Nobody,
    /// Whoever waits with it looks at its row.
    Heard,
    /// It is under way, or just ending: ask again.
    Busy,
}

/// A send that is ours until this is dropped.
#[derive(Debug)]
pub(crate) struct Hand {
    hands: Hands,
    send: Id,
}

impl Hands {
    /// Takes a send; `None` when somebody has it.
    pub(crate) fn take(&self, send: Id) -> Option<Hand> {
        let mut map = self.0.lock();
        if map.contains_key(&send) {
            return None;
        }
        map.insert(send, None);
        Some(Hand { hands: self.clone(), send })
    }

    /// Tells whoever waits with this send that its row was changed.
    pub(crate) fn tell(&self, send: Id) -> Told {
        match self.0.lock().get_mut(&send).map(Option::take) {
            None => Told::Nobody,
            Some(None) => Told::Busy,
            // An ear that is closed belongs to one who has stopped waiting.
            Some(Some(ear)) => ear.send(()).map_or(Told::Busy, |()| Told::Heard),
        }
    }

    /// Opens an ear for a send that is in hand. Whoever does so looks at the row afterwards: what was told before is not
    /// heard.
    pub(crate) fn listen(&self, send: Id) -> oneshot::Receiver<()> {
        let (told, heard) = oneshot::channel();
        if let Some(ear) = self.0.lock().get_mut(&send) {
            *ear = Some(told);
        }
        heard
    }
}

impl Drop for Hand {
    fn drop(&mut self) {
        self.hands.0.lock().remove(&self.send);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_hand_at_a_time_and_it_can_be_told() {
        let hands = Hands::default();
        assert_eq!(hands.tell(Id(1)), Told::Nobody);
        let hand = hands.take(Id(1)).unwrap();
        assert!(hands.take(Id(1)).is_none() && hands.take(Id(2)).is_some());
        assert_eq!(hands.tell(Id(1)), Told::Busy, "it is in hand, and nobody listens");
        let mut heard = hands.listen(Id(1));
        assert!(heard.try_recv().is_err());
        assert_eq!(hands.tell(Id(1)), Told::Heard);
        assert!(heard.try_recv().is_ok());
        drop(hands.listen(Id(1)));
        assert_eq!(hands.tell(Id(1)), Told::Busy, "it waits no longer");
        drop(hand);
        assert!(hands.take(Id(1)).is_some());
    }
}
