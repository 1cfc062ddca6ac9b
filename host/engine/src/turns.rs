//! Places to work in, given out fairly: when all are taken, workspaces get the next free one by turns, however many of each
//! wait. Inside a workspace whoever came first is first. One workspace never has all places: what it holds for long (steps that compute
//! until they are cut) keeps no other waiting.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use parking_lot::Mutex;
use pointsman_core::id::WorkspaceId;
use tokio::sync::oneshot;

/// A number of places.
#[derive(Debug)]
pub(crate) struct Turns(Mutex<State>);

#[derive(Debug)]
struct State {
    free: usize,
    /// Places that one workspace may have.
    most: usize,
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
        let (held, waiting, order) = (HashMap::new(), HashMap::new(), VecDeque::new());
        Arc::new(Self(Mutex::new(State { free: places, most: most.max(1), held, waiting, order })))
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

    /// A place that `workspace` had is free: whose turn it is now.
    fn next(&self, workspace: WorkspaceId) -> Option<(WorkspaceId, oneshot::Sender<Turn>)> {
        let mut state = self.0.lock();
        state.free += 1;
        if let Some(held) = state.held.get_mut(&workspace) {
            *held -= 1;
            if *held == 0 {
                state.held.remove(&workspace);
            }
        }
        // Those who have all that they may have keep their place in the order.
        for _ in 0..state.order.len() {
            let workspace = state.order.pop_front()?;
            let Some(line) = state.waiting.get_mut(&workspace).filter(|line| !line.is_empty()) else {
                state.waiting.remove(&workspace);
                continue;
            };
            let only = line.len() == 1;
            if !state.grant(workspace) {
                state.order.push_back(workspace);
                continue;
            }
            let next = state.waiting.get_mut(&workspace).and_then(VecDeque::pop_front);
            if only {
                state.waiting.remove(&workspace);
            } else {
                state.order.push_back(workspace);
            }
            return next.map(|next| (workspace, next));
        }
        None
    }
}

impl State {
    /// Gives a place away, when there is one and the workspace may have it.
    fn grant(&mut self, workspace: WorkspaceId) -> bool {
        let held = self.held.get(&workspace).copied().unwrap_or(0);
        let granted = self.free > 0 && held < self.most;
        if granted {
            self.free -= 1;
            self.held.insert(workspace, held + 1);
        }
        granted
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        let Some((turns, mut workspace)) = self.0.take() else { return };
        while let Some((waiter, next)) = turns.next(workspace) {
            match next.send(Self(Some((Arc::clone(&turns), waiter)))) {
                Ok(()) => return,
                // He has stopped waiting. It is handed on here, once, and not by its own end.
                Err(mut turn) => turn.0 = None,
            }
            workspace = waiter;
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
    async fn who_stops_waiting_takes_no_place() {
        let turns = Turns::new(1, 1);
        let held = turns.take(Id(1)).await;
        for n in 0..3 {
            let waiting = tokio::time::timeout(std::time::Duration::from_millis(1), turns.take(Id(n)));
            assert!(waiting.await.is_err());
        }
        assert!(!turns.free());
        drop(held);
        assert!(turns.free());
        assert!(turns.0.lock().waiting.is_empty());
    }
}
