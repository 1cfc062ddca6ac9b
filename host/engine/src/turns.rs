//! Places to work in, given out fairly: when all are taken, workspaces get the next free one by turns, however many of each
//! wait. Inside a workspace whoever came first is first. One workspace never has all places: what it holds for long (steps that compute
//! until they are cut) keeps no other waiting. Where it matters how many of one work at all, because others share a processor or a
//! commit with them, it has fewer places still while others are about, and all that it may have when it is alone.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use pointsman_core::id::WorkspaceId;
use tokio::sync::oneshot;
use tokio::time::Instant;

/// So long after one workspace asked for a place after another, others are about.
const ABOUT: Duration = Duration::from_secs(5);

/// So long is a workspace set back.
const SET_BACK: Duration = Duration::from_secs(10);

/// Places that one has then, while others are about.
const OF_ONE_SET_BACK: usize = 1;

/// A number of places.
#[derive(Debug)]
pub(crate) struct Turns(Mutex<State>);

#[derive(Debug)]
struct State {
    free: usize,
    /// Places that one workspace may have: alone, and while others are about.
    alone: usize,
    among: usize,
    /// Who asked for a place last (or had its turn to), and when that was last another than before.
    last: Option<WorkspaceId>,
    changed: Option<Instant>,
    /// Who is set back, and until when.
    set_back: HashMap<WorkspaceId, Instant>,
    /// What each has.
    held: HashMap<WorkspaceId, usize>,
    waiting: HashMap<WorkspaceId, VecDeque<oneshot::Sender<Turn>>>,
    /// The workspaces that wait, the next one first.
    order: VecDeque<WorkspaceId>,
}

/// A place that is ours until this is dropped.
#[derive(Debug)]
pub(crate) struct Turn(Option<(Arc<Turns>, WorkspaceId)>);

impl Turns {
    /// So many places, of which one workspace may have `most`.
    pub(crate) fn new(places: usize, most: usize) -> Arc<Self> {
        Self::among_others(places, most, most)
    }

    /// So many places, of which one workspace may have `alone` while it is alone, and `among` while others are about.
    pub(crate) fn among_others(places: usize, alone: usize, among: usize) -> Arc<Self> {
        Arc::new(Self(Mutex::new(State {
            free: places,
            alone: alone.max(1),
            among: among.max(1),
            last: None,
            changed: None,
            set_back: HashMap::new(),
            held: HashMap::new(),
            waiting: HashMap::new(),
            order: VecDeque::new(),
        })))
    }

    /// Sets a workspace back for a while: while others are about it has one place, and what it wastes costs them little. Called
    /// again and again, it lasts.
    pub(crate) fn set_back(&self, workspace: WorkspaceId) {
        let (mut state, now) = (self.0.lock(), Instant::now());
        state.set_back.retain(|_, until| *until > now);
        state.set_back.insert(workspace, now + SET_BACK);
    }

    /// Whether a place is free now.
    pub(crate) fn free(&self) -> bool {
        self.0.lock().free > 0
    }

    /// Waits for a place.
    pub(crate) async fn take(self: &Arc<Self>, workspace: WorkspaceId) -> Turn {
        let called = {
            let mut state = self.0.lock();
            if state.grant(workspace) {
                return Turn(Some((Arc::clone(self), workspace)));
            }
            let (call, called) = oneshot::channel();
            let line = state.waiting.entry(workspace).or_default();
            line.push_back(call);
            if line.len() == 1 {
                state.order.push_back(workspace);
            }
            called
        };
        match called.await {
            Ok(turn) => turn,
            // Nobody drops a caller's place in the line but the end of the house; there is no place any more.
            Err(_) => std::future::pending().await,
        }
    }

    /// A place that `workspace` had is free: whose turn it is now. Several, when one may have more than before.
    fn next(&self, workspace: WorkspaceId) -> Vec<(WorkspaceId, oneshot::Sender<Turn>)> {
        let mut state = self.0.lock();
        state.free += 1;
        if let Some(held) = state.held.get_mut(&workspace) {
            *held -= 1;
            if *held == 0 {
                state.held.remove(&workspace);
            }
        }
        let mut called = Vec::new();
        // Those who have all that they may have keep their place in the order.
        let mut refused = 0;
        while refused < state.order.len() && state.free > 0 {
            let Some(workspace) = state.order.pop_front() else { break };
            if !state.waiting.contains_key(&workspace) {
                continue;
            }
            if !state.grant(workspace) {
                state.order.push_back(workspace);
                refused += 1;
                continue;
            }
            refused = 0;
            if let Some(line) = state.waiting.get_mut(&workspace) {
                called.extend(line.pop_front().map(|call| (workspace, call)));
                if line.is_empty() {
                    state.waiting.remove(&workspace);
                } else {
                    state.order.push_back(workspace);
                }
            }
        }
        called
    }
}

impl State {
    /// Places that one may have while others are about.
    fn among_others(&self, workspace: WorkspaceId, now: Instant) -> usize {
        let back = !self.set_back.is_empty() && self.set_back.get(&workspace).is_some_and(|until| *until > now);
        if back { self.among.min(OF_ONE_SET_BACK) } else { self.among }
    }

    /// Gives a place away, when there is one and the workspace may have it.
    fn grant(&mut self, workspace: WorkspaceId) -> bool {
        if self.free == 0 {
            return false;
        }
        let held = self.held.get(&workspace).copied().unwrap_or(0);
        if self.alone > self.among {
            let now = Instant::now();
            if self.last.replace(workspace).is_some_and(|last| last != workspace) {
                self.changed = Some(now);
            }
            let others = self.changed.is_some_and(|changed| now.duration_since(changed) < ABOUT);
            if others && held >= self.among_others(workspace, now) {
                return false;
            }
        }
        if held >= self.alone {
            return false;
        }
        self.free -= 1;
        self.held.insert(workspace, held + 1);
        true
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        let Some((turns, workspace)) = self.0.take() else { return };
        let (mut next, mut given_back) = (Some(workspace), Vec::new());
        while let Some(workspace) = next {
            for (waiter, call) in turns.next(workspace) {
                // He has stopped waiting. It is handed on here, and not by its own end.
                if let Err(mut turn) = call.send(Self(Some((Arc::clone(&turns), waiter)))) {
                    turn.0 = None;
                    given_back.push(waiter);
                }
            }
            next = given_back.pop();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use pointsman_core::id::Id;

    #[tokio::test]
    async fn a_workspace_with_one_waits_for_one_turn_however_many_another_has_waiting() {
        let turns = Turns::new(1, 1);
        let (busy, quiet) = (Id(1), Id(2));
        let held = turns.take(busy).await;
        let order = Arc::new(Mutex::new(Vec::new()));
        let mut tasks = Vec::new();
        for n in 0..10_001 {
            let (turns, order) = (Arc::clone(&turns), Arc::clone(&order));
            let workspace = if n == 10_000 { quiet } else { busy };
            tasks.push(tokio::spawn(async move {
                let _turn = turns.take(workspace).await;
                order.lock().push((workspace, n));
            }));
            tokio::task::yield_now().await;
        }
        drop(held);
        for task in tasks {
            task.await.unwrap();
        }
        let order = order.lock();
        let quiet_at = order.iter().position(|(workspace, _)| *workspace == quiet).unwrap();
        assert!(quiet_at <= 1, "its turn came after {quiet_at} of the busy one's");
        assert!(order.iter().filter(|(workspace, _)| *workspace == busy).is_sorted(), "first come, first served");
        assert!(turns.free());
    }

    #[tokio::test]
    async fn one_workspace_never_has_all_places_and_gets_its_next_when_it_gives_one_back() {
        let turns = Turns::new(3, 2);
        let (busy, quiet) = (Id(1), Id(2));
        let first = turns.take(busy).await;
        let _second = turns.take(busy).await;
        let waiting = {
            let turns = Arc::clone(&turns);
            tokio::spawn(async move { turns.take(busy).await })
        };
        tokio::task::yield_now().await;
        assert!(turns.free() && !waiting.is_finished(), "it has all that it may have");
        let other = turns.take(quiet).await;
        drop(other);
        tokio::task::yield_now().await;
        assert!(turns.free() && !waiting.is_finished(), "nor does it get what another gave back");
        drop(first);
        let third = waiting.await.unwrap();
        drop(third);
        assert_eq!(turns.0.lock().held.get(&busy), Some(&1));
    }

    #[tokio::test]
    async fn one_has_fewer_places_while_others_are_about_and_gets_them_back_when_it_is_alone() {
        let turns = Turns::among_others(100, 8, 2);
        let (busy, other) = (Id(1), Id(2));
        let end = Arc::new(tokio::sync::Semaphore::new(0));
        let tasks: Vec<_> = (0..100)
            .map(|_| {
                let (turns, end) = (Arc::clone(&turns), Arc::clone(&end));
                tokio::spawn(async move {
                    let _turn = turns.take(busy).await;
                    end.acquire().await.unwrap().forget();
                })
            })
            .collect();
        let rest = || async {
            for _ in 0..100 {
                tokio::task::yield_now().await;
            }
        };
        let held = || turns.0.lock().held.get(&busy).copied();
        rest().await;
        assert_eq!(held(), Some(8), "alone");
        drop(turns.take(other).await);
        end.add_permits(1);
        rest().await;
        assert_eq!(held(), Some(7), "another is about: what is given back is not given out again");
        end.add_permits(17);
        rest().await;
        assert_eq!(held(), Some(2), "but for these");
        turns.0.lock().changed = Some(Instant::now() - ABOUT);
        end.add_permits(1);
        rest().await;
        assert_eq!(held(), Some(8), "those who wait come forward by themselves when nobody else is about any more");
        end.add_permits(100);
        for task in tasks {
            task.await.unwrap();
        }
    }

    #[tokio::test]
    async fn who_is_set_back_has_one_place_while_others_are_about() {
        let turns = Turns::among_others(100, 8, 4);
        let (busy, other) = (Id(1), Id(2));
        turns.set_back(busy);
        let (first, second) = (turns.take(busy).await, turns.take(busy).await);
        drop((first, second, turns.take(other).await));
        let held = turns.take(busy).await;
        let more = tokio::time::timeout(Duration::from_millis(1), turns.take(busy));
        assert!(more.await.is_err(), "another is about");
        let _others = (turns.take(other).await, turns.take(other).await);
        turns.0.lock().set_back.insert(busy, Instant::now());
        let second = tokio::time::timeout(Duration::from_secs(5), turns.take(busy)).await;
        assert!(second.is_ok(), "its time is over");
        drop(held);
    }

    #[tokio::test]
    async fn who_stops_waiting_takes_no_place() {
        let turns = Turns::new(1, 1);
        let held = turns.take(Id(1)).await;
        for n in 0..3 {
            let waiting = tokio::time::timeout(Duration::from_millis(1), turns.take(Id(n)));
            assert!(waiting.await.is_err());
        }
        assert!(!turns.free());
        drop(held);
        assert!(turns.free());
        assert!(turns.0.lock().waiting.is_empty());
    }
}
