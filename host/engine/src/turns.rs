//! Places to work in, given out fairly: when all are taken, workspaces get the next free one by turns, however many of each
//! wait. Inside a workspace whoever came first is first.

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
    waiting: HashMap<WorkspaceId, VecDeque<oneshot::Sender<Turn>>>,
    /// The workspaces that wait, the next one first.
    order: VecDeque<WorkspaceId>,
}

/// A place that is ours until this is dropped.
#[derive(Debug)]
pub(crate) struct Turn(Option<Arc<Turns>>);

impl Turns {
    pub(crate) fn new(places: usize) -> Arc<Self> {
        Arc::new(Self(Mutex::new(State { free: places, waiting: HashMap::new(), order: VecDeque::new() })))
    }

    /// Whether a place is free now.
    pub(crate) fn free(&self) -> bool {
        self.0.lock().free > 0
    }

    /// Waits for a place.
    pub(crate) async fn take(self: &Arc<Self>, workspace: WorkspaceId) -> Turn {
        let called = {
            let mut state = self.0.lock();
            if state.free > 0 {
                state.free -= 1;
                return Turn(Some(Arc::clone(self)));
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

    /// Whose turn it is; a place is free when nobody waits.
    fn next(&self) -> Option<oneshot::Sender<Turn>> {
        let mut state = self.0.lock();
        while let Some(workspace) = state.order.pop_front() {
            let Some(line) = state.waiting.get_mut(&workspace) else { continue };
            let next = line.pop_front();
            if line.is_empty() {
                state.waiting.remove(&workspace);
            } else {
                state.order.push_back(workspace);
            }
            if next.is_some() {
                return next;
            }
        }
        state.free += 1;
        None
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        let Some(turns) = self.0.take() else { return };
        while let Some(next) = turns.next() {
            match next.send(Self(Some(Arc::clone(&turns)))) {
                Ok(()) => return,
                // He has stopped waiting. It is handed on here, once, and not by its own end.
                Err(mut turn) => turn.0 = None,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use pointsman_core::id::Id;

    #[tokio::test]
    async fn a_workspace_with_one_waits_for_one_turn_however_many_another_has_waiting() {
        let turns = Turns::new(1);
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
    async fn who_stops_waiting_takes_no_place() {
        let turns = Turns::new(1);
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
