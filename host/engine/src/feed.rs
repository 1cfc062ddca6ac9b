//! From the store into the lanes. New events are found there in the order in which they were kept, a bounded number at a time,
//! and read when they have their turn: so a backlog of any size takes no memory, and a start takes no time for it.
//!
//! Where this process alone keeps events, one that was just kept goes straight into its lane as long as the feed has nothing
//! to do; where hosts share a database, all come through the feed, for the order is the database's.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use pointsman_core::id::{Id, WorkspaceId};
use pointsman_store::{Kept, StoreError, lane_of};
use tokio::sync::Notify;

use crate::lanes::Place;
use crate::{Engine, Job};

/// Events of a workspace that are in hand at once, at most; and of all, before what is kept is left to the feed.
const IN_HAND: usize = 2_000;

/// How often the feed looks by itself, when it is behind or the database is shared.
const LOOK: Duration = Duration::from_millis(500);

/// Whether the feed is behind, and when it looks.
#[derive(Debug)]
pub(crate) struct Feed {
    state: Mutex<State>,
    /// More could be in hand as soon as there is room.
    hungry: AtomicBool,
    look: Notify,
}

#[derive(Debug)]
struct State {
    /// There may be new events in the store that are in nobody's hands.
    behind: bool,
    /// Grows whenever somebody leaves an event to the feed, and with each look.
    moves: u64,
}

/// Taken before something is kept: it may go straight into its lane if the feed has not moved since.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Ticket(u64);

impl Default for Feed {
    fn default() -> Self {
        Self { state: Mutex::new(State { behind: true, moves: 0 }), hungry: AtomicBool::new(false), look: Notify::new() }
    }
}

impl Feed {
    /// A ticket, unless the feed is behind.
    pub(crate) fn ticket(&self) -> Option<Ticket> {
        let state = self.state.lock();
        (!state.behind).then_some(Ticket(state.moves))
    }

    /// Does this if the feed has not moved since the ticket was taken, and does not move meanwhile; else the feed has to look.
    fn straight(&self, ticket: Option<Ticket>, put: impl FnOnce()) -> bool {
        let mut state = self.state.lock();
        let straight = ticket.is_some_and(|ticket| !state.behind && ticket == Ticket(state.moves));
        if straight {
            put();
        } else {
            (state.behind, state.moves) = (true, state.moves + 1);
        }
        straight
    }

    /// There is something in the store that nobody has.
    pub(crate) fn wake(&self) {
        self.straight(None, || ());
        self.look.notify_one();
    }

    fn begin(&self) -> u64 {
        let mut state = self.state.lock();
        (state.behind, state.moves) = (true, state.moves + 1);
        state.moves
    }

    /// Ends a look that began with `moves`. Unless it found `all`, or somebody left something to the feed meanwhile, there is
    /// more.
    fn end(&self, moves: u64, all: bool) -> bool {
        let mut state = self.state.lock();
        state.behind = !all || state.moves != moves;
        state.behind
    }
}

impl Engine {
    /// Events that were just kept: into their conversations' lanes, in the order in which they were kept.
    pub(crate) fn enqueue(&self, kept: Kept, ticket: Option<Ticket>) {
        if kept.events.is_empty() {
            return;
        }
        self.hand_on(ticket, || {
            for event in kept.events {
                let place = Place::of(event.workspace, lane_of(event.workspace, event.conversation.as_ref()));
                self.put(event.id, place, Job::Event(event));
            }
        });
    }

    /// An event that was written together with other things: into its lane, too. It is read there, so the feed may have found it
    /// meanwhile.
    pub(crate) fn enqueue_written(&self, workspace: WorkspaceId, event: Id, lane: i64) {
        self.hand_on(self.feed.ticket(), || {
            self.put(event, Place::of(workspace, lane), Job::Found { workspace, event });
        });
    }

    fn hand_on(&self, ticket: Option<Ticket>, put: impl FnOnce()) {
        let room = self.hands.len() < IN_HAND;
        if self.feed.straight(ticket.filter(|_| room && !self.store.shared()), put) {
            return;
        }
        if room {
            self.feed.look.notify_one();
        } else {
            self.feed.hungry.store(true, Ordering::Release);
            // It may have become empty in between.
            self.has_room();
        }
    }

    /// A job of a lane has ended: there is room for another.
    pub(crate) fn has_room(&self) {
        let hungry = &self.feed.hungry;
        if hungry.load(Ordering::Acquire) && self.hands.len() <= IN_HAND / 2 && hungry.swap(false, Ordering::AcqRel) {
            self.feed.look.notify_one();
        }
    }

    /// Puts new events that nobody has into their lanes. Gives how many, and whether there may be more.
    pub(crate) async fn feed_now(&self) -> Result<(usize, bool), StoreError> {
        let moves = self.feed.begin();
        let found = self.store.new_events(IN_HAND).await?;
        let all = found.chunk_by(|one, next| one.0 == next.0).all(|of_workspace| of_workspace.len() < IN_HAND);
        let place = |(ws, _, lane): &(WorkspaceId, Id, i64)| Place::of(*ws, *lane);
        let count = self.gate.through_in_order(
            found,
            |one| place(one).shard,
            |one| self.push(one.1, place(&one), Job::Found { workspace: one.0, event: one.1 }),
        );
        if !all {
            self.feed.hungry.store(true, Ordering::Release);
            self.has_room();
        }
        Ok((count, self.feed.end(moves, all)))
    }

    /// Feeds for ever.
    pub(crate) async fn feed(self) {
        let mut behind = true;
        loop {
            let shared = self.store.shared();
            tokio::select! {
                () = self.feed.look.notified() => {}
                () = self.store.kept_something().notified(), if shared => {}
                () = tokio::time::sleep(LOOK), if shared || behind => {}
            }
            if self.closing() {
                return;
            }
            behind = match self.feed_now().await {
                Ok((_, behind)) => behind,
                Err(StoreError::Closed) => return,
                Err(error) => {
                    tracing::error!(%error, "new events cannot be listed");
                    true
                }
            };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_goes_straight_only_when_the_feed_has_not_moved_since_before_it_was_kept() {
        let feed = Feed::default();
        assert_eq!(feed.ticket(), None, "at first nobody knows what is in the store");
        let look = feed.begin();
        assert!(!feed.end(look, true));
        let ticket = feed.ticket();
        assert!(feed.straight(ticket, || ()), "nothing to do: straight");
        // The feed looks between keeping and putting: it may have found the event, and handled it to its end.
        let look = feed.begin();
        assert!(!feed.end(look, true));
        assert!(!feed.straight(ticket, || unreachable!()));
        assert_eq!(feed.ticket(), None, "what was left to the feed comes before whatever is kept from now on");
    }

    #[test]
    fn what_is_left_to_the_feed_while_it_looks_makes_it_look_again() {
        let feed = Feed::default();
        let look = feed.begin();
        feed.wake();
        assert!(feed.end(look, true), "its answer may be older than what was left");
        let look = feed.begin();
        assert!(feed.end(look, false), "there is more than fits in hand");
        let look = feed.begin();
        assert!(!feed.end(look, true));
        assert!(feed.ticket().is_some());
    }
}
