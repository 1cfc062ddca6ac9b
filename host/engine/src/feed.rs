//! From the store into the lanes. New events are found there in the order in which they were kept, a bounded number at a time,
//! and read when they have their turn: so a backlog of any size takes no memory, and a start takes no time for it.
//!
//! Where this process alone keeps events, one that was just kept goes straight into its lane as long as the feed has nothing
//! to do in its workspace; where hosts share a database, all come through the feed, for the order is the database's.

use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use pointsman_core::id::{Id, WorkspaceId};
use pointsman_store::{Kept, StoreError, lane_of};
use tokio::sync::Notify;

use crate::lanes::Place;
use crate::{Engine, Job};

/// Events of a workspace that are in hand at once, at most: what is kept beyond is left to the feed.
const IN_HAND: usize = 2_000;

/// The same once there are ten times as many of all workspaces together.
const WHEN_CROWDED: usize = 50;

/// How often the feed looks by itself, when it is behind or the database is shared.
const LOOK: Duration = Duration::from_millis(500);

/// Where the feed is behind, and when it looks. A workspace that is behind keeps no other from going straight.
#[derive(Debug, Default)]
pub(crate) struct Feed {
    state: Mutex<State>,
    /// Some workspace waits for room.
    hungry: AtomicBool,
    look: Notify,
}

#[derive(Debug)]
struct State {
    /// Nobody knows what is in the store.
    unknown: bool,
    /// There may be new events of these workspaces in the store that are in nobody's hands.
    behind: HashSet<WorkspaceId>,
    /// More of these could be in hand as soon as there is room.
    hungry: HashSet<WorkspaceId>,
    /// Grows with each look, and whenever somebody leaves an event to the feed.
    moves: u64,
    /// The last move that was about every workspace, and the last about each.
    of_all: u64,
    of: HashMap<WorkspaceId, u64>,
}

/// Taken before something is kept: it may go straight into its lane if the feed has not moved in its workspace since.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Ticket(u64);

/// A look at the store, at these workspaces; `None`: at all.
#[derive(Debug)]
struct Look {
    moves: u64,
    at: Option<Vec<WorkspaceId>>,
}

impl Default for State {
    fn default() -> Self {
        let (behind, hungry) = (HashSet::new(), HashSet::new());
        Self { unknown: true, behind, hungry, moves: 0, of_all: 0, of: HashMap::new() }
    }
}

impl State {
    fn moved(&mut self, workspace: WorkspaceId) {
        self.moves += 1;
        self.of.insert(workspace, self.moves);
    }

    fn moved_everywhere(&mut self) {
        self.moves += 1;
        (self.of_all, self.unknown) = (self.moves, true);
    }

    /// The last move that concerned a workspace.
    fn last(&self, workspace: WorkspaceId) -> u64 {
        self.of.get(&workspace).copied().unwrap_or_default().max(self.of_all)
    }
}

impl Feed {
    pub(crate) fn ticket(&self) -> Ticket {
        Ticket(self.state.lock().moves)
    }

    /// Does this if the feed is not behind in the workspace, has not moved there since the ticket was taken, and does not move
    /// meanwhile; else the feed has to look there.
    fn straight(&self, workspace: WorkspaceId, ticket: Option<Ticket>, put: impl FnOnce()) -> bool {
        let mut state = self.state.lock();
        let known = !state.unknown && !state.behind.contains(&workspace);
        let straight = known && ticket.is_some_and(|ticket| state.last(workspace) <= ticket.0);
        if straight {
            put();
        } else {
            state.behind.insert(workspace);
            state.moved(workspace);
        }
        straight
    }

    /// There may be something in the store that nobody has, wherever: the next look is at everything.
    pub(crate) fn forget(&self) {
        self.state.lock().moved_everywhere();
    }

    /// There may be something in the store that nobody has in these workspaces, and it is time for a look there.
    pub(crate) fn look_at(&self, workspaces: impl Iterator<Item = WorkspaceId>) {
        let mut state = self.state.lock();
        for workspace in workspaces {
            state.behind.insert(workspace);
            state.moved(workspace);
        }
        self.look.notify_one();
    }

    /// Begins a look wherever the feed is behind and there is room; with `everywhere`, at all workspaces.
    fn begin(&self, everywhere: bool) -> Look {
        let mut state = self.state.lock();
        if everywhere || state.unknown {
            state.moved_everywhere();
            return Look { moves: state.moves, at: None };
        }
        state.moves += 1;
        let at: Vec<_> = state.behind.iter().copied().filter(|workspace| !state.hungry.contains(workspace)).collect();
        let moves = state.moves;
        state.of.extend(at.iter().map(|workspace| (*workspace, moves)));
        Look { moves, at: Some(at) }
    }

    /// Ends a look. Where it found no end, or somebody left something to the feed meanwhile, there is more. Says whether.
    fn end(&self, look: Look, endless: &[WorkspaceId]) -> bool {
        let mut guard = self.state.lock();
        let state = &mut *guard;
        state.unknown &= look.at.is_some() || state.of_all > look.moves;
        state.behind.retain(|workspace| {
            let seen = look.at.as_ref().is_none_or(|at| at.contains(workspace));
            !seen || state.of.get(workspace).is_some_and(|moved| *moved > look.moves)
        });
        state.behind.extend(endless);
        state.unknown || !state.behind.is_empty()
    }
}

/// How much of a workspace may be in hand while there is so much in all.
fn at_most(of_all: usize) -> usize {
    if of_all < 10 * IN_HAND { IN_HAND } else { WHEN_CROWDED }
}

impl Engine {
    /// Events that were just kept: into their conversations' lanes, in the order in which they were kept.
    pub(crate) fn enqueue(&self, kept: Kept, ticket: Ticket) {
        let Some(workspace) = kept.events.first().map(|event| event.workspace) else { return };
        self.hand_on(workspace, ticket, || {
            for event in kept.events {
                let place = Place::of(event.workspace, lane_of(event.workspace, event.conversation.as_ref()));
                self.put(event.id, place, Job::Event(event));
            }
        });
    }

    /// An event that was written together with other things: into its lane, too. It is read there, so the feed may have found it
    /// meanwhile.
    pub(crate) fn enqueue_written(&self, workspace: WorkspaceId, event: Id, lane: i64) {
        self.hand_on(workspace, self.feed.ticket(), || {
            self.put(event, Place::of(workspace, lane), Job::Found { workspace, event });
        });
    }

    fn hand_on(&self, workspace: WorkspaceId, ticket: Ticket, put: impl FnOnce()) {
        let (of_it, of_all) = self.hands.count(workspace);
        let room = of_it < at_most(of_all);
        if self.feed.straight(workspace, Some(ticket).filter(|_| room && !self.store.shared()), put) {
            return;
        }
        if room {
            self.feed.look.notify_one();
        } else {
            self.wants_room(workspace);
        }
    }

    fn wants_room(&self, workspace: WorkspaceId) {
        self.feed.state.lock().hungry.insert(workspace);
        self.feed.hungry.store(true, Ordering::Release);
        // Its last job may have ended in between.
        self.has_room(workspace);
    }

    /// A job of a lane has ended: there is room for another.
    pub(crate) fn has_room(&self, workspace: WorkspaceId) {
        if !self.feed.hungry.load(Ordering::Acquire) {
            return;
        }
        let (of_it, of_all) = self.hands.count(workspace);
        if of_it > at_most(of_all) / 2 {
            return;
        }
        let mut state = self.feed.state.lock();
        if state.hungry.remove(&workspace) {
            self.feed.hungry.store(!state.hungry.is_empty(), Ordering::Release);
            self.feed.look.notify_one();
        }
    }

    /// Puts new events that nobody has into their lanes. Gives how many, and whether there may be more.
    pub(crate) async fn feed_now(&self) -> Result<(usize, bool), StoreError> {
        let look = self.feed.begin(self.store.shared());
        let found = self.store.new_events(look.at.as_deref(), IN_HAND).await?;
        let of_each = found.chunk_by(|one, next| one.0 == next.0);
        let endless: Vec<_> =
            of_each.filter(|of_one| of_one.len() >= IN_HAND).filter_map(|of_one| Some(of_one.first()?.0)).collect();
        let place = |(ws, _, lane): &(WorkspaceId, Id, i64)| Place::of(*ws, *lane);
        let count = self.gate.through_in_order(
            found,
            |one| place(one).shard,
            |one| self.push(one.1, place(&one), Job::Found { workspace: one.0, event: one.1 }),
        );
        let behind = self.feed.end(look, &endless);
        for workspace in endless {
            self.wants_room(workspace);
        }
        Ok((count, behind))
    }

    /// Feeds for ever.
    pub(crate) async fn feed(self) {
        let mut behind = true;
        loop {
            let shared = self.store.shared();
            tokio::select! {
                () = self.feed.look.notified() => {}
                () = self.store.kept_something().notified(), if shared => {}
                // By the clock it looks wherever it is behind, whatever it knows of room there.
                () = tokio::time::sleep(LOOK), if shared || behind => self.feed.state.lock().hungry.clear(),
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

    const ONE: WorkspaceId = Id(1);
    const OTHER: WorkspaceId = Id(2);

    /// Nothing to do anywhere.
    fn at_rest() -> Feed {
        let feed = Feed::default();
        let look = feed.begin(false);
        assert_eq!(look.at, None, "at first nobody knows what is in the store");
        assert!(!feed.end(look, &[]));
        feed
    }

    #[test]
    fn an_event_goes_straight_only_when_the_feed_has_not_moved_since_before_it_was_kept() {
        let feed = Feed::default();
        assert!(!feed.straight(ONE, Some(feed.ticket()), || unreachable!()), "nobody knows what is in the store");
        let feed = at_rest();
        let ticket = Some(feed.ticket());
        assert!(feed.straight(ONE, ticket, || ()), "nothing to do: straight");
        // The feed looks between keeping and putting: it may have found the event, and handled it to its end.
        let look = feed.begin(true);
        assert!(!feed.end(look, &[]));
        assert!(!feed.straight(ONE, ticket, || unreachable!()));
        assert!(!feed.straight(ONE, Some(feed.ticket()), || unreachable!()), "what was left to the feed comes first");
        let (ticket, look) = (Some(feed.ticket()), feed.begin(false));
        assert_eq!(look.at.as_deref(), Some([ONE].as_slice()));
        assert!(!feed.end(look, &[]));
        assert!(!feed.straight(ONE, ticket, || unreachable!()), "a look at this workspace alone is a look");
    }

    #[test]
    fn what_is_left_to_the_feed_while_it_looks_makes_it_look_again() {
        let feed = at_rest();
        let look = feed.begin(true);
        feed.forget();
        assert!(feed.end(look, &[]), "its answer may be older than what was left");
        let look = feed.begin(false);
        assert_eq!(look.at, None);
        assert!(!feed.straight(ONE, Some(feed.ticket()), || unreachable!()));
        assert!(feed.end(look, &[]), "so may it be of one workspace");
        let look = feed.begin(false);
        assert!(feed.end(look, &[ONE]), "there is more than fits in hand");
        let look = feed.begin(false);
        assert!(!feed.end(look, &[]));
        assert!(feed.straight(ONE, Some(feed.ticket()), || ()));
    }

    #[test]
    fn where_there_is_no_room_nothing_is_looked_for_and_it_stays_behind() {
        let feed = at_rest();
        feed.look_at([ONE, OTHER].into_iter());
        feed.state.lock().hungry.insert(ONE);
        let look = feed.begin(false);
        assert_eq!(look.at.as_deref(), Some([OTHER].as_slice()));
        assert!(feed.end(look, &[]), "one has more, for when there is room");
        assert!(feed.straight(OTHER, Some(feed.ticket()), || ()));
        assert!(!feed.straight(ONE, Some(feed.ticket()), || unreachable!()));
        feed.state.lock().hungry.clear();
        let look = feed.begin(false);
        assert_eq!(look.at.as_deref(), Some([ONE].as_slice()));
        assert!(!feed.end(look, &[]));
    }

    #[test]
    fn a_workspace_that_is_behind_keeps_no_other_from_going_straight() {
        let feed = at_rest();
        let ticket = Some(feed.ticket());
        assert!(!feed.straight(ONE, None, || unreachable!()));
        assert!(feed.straight(OTHER, ticket, || ()));
        let look = feed.begin(false);
        assert_eq!(look.at.as_deref(), Some([ONE].as_slice()), "it is looked at alone");
        assert!(feed.straight(OTHER, ticket, || ()), "and even meanwhile the other goes straight");
        assert!(feed.end(look, &[ONE]));
        assert!(feed.straight(OTHER, ticket, || ()));
        assert!(!feed.straight(ONE, Some(feed.ticket()), || unreachable!()));
    }
}
