//! What went into the steps of a run, worked out again for people who look at it. A journal keeps only the hash of an input,
//! since the input follows from what is kept anyway; the hash says whether what was worked out is what it was.

use std::sync::Arc;

use serde_json::Value;

use super::{Action, Machine, Work, hash};
use crate::journal::Entry;
use crate::ports::{Expressions, Names};
use crate::workflow::Workflow;

/// Entries that are looked at: the cost grows with their square.
const ENTRIES: usize = 64;

/// For each entry the input of the step that it tells of. `None`: it tells of none that ran in the sandbox, or the world has
/// changed since (a tag was taken away), so that the input cannot be told any more.
#[must_use]
pub fn inputs(workflow: &Arc<Workflow>, entries: &[Entry], base: &Names, expressions: &dyn Expressions) -> Vec<Option<Value>> {
    let before = |at: usize| entries.get(..at).unwrap_or_default();
    let input = |at: usize, path: &str, kept: &str| {
        let mut machine = Machine::replay(Arc::clone(workflow), before(at), base.clone()).ok()?;
        let Action::Call(call) = machine.next(expressions) else { return None };
        let (Work::Use { input, .. } | Work::Script { input, .. }) = call.work;
        (*call.path == *path && hash(&input) == kept).then_some(input)
    };
    let all = entries.iter().enumerate();
    all.map(|(at, entry)| match entry {
        Entry::StepDone { path, input: kept, .. } if !kept.is_empty() && at < ENTRIES => input(at, path, kept),
        _ => None,
    })
    .collect()
}
