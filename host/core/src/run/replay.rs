//! Rebuilding a run from its journal. No expression is worked out here: which steps stand in the journal says which way
//! every guard went, so a run comes back to its place even when the contact's tags have changed since.

use std::sync::Arc;

use super::{Machine, RETRY, State};
use crate::failure::Failure;
use crate::journal::Entry;
use crate::mark::Marked;
use crate::ports::Names;
use crate::run::RunEnd;
use crate::workflow::Workflow;
use crate::workflow::program::{Op, Program, Verb};

impl Machine {
    /// Rebuilds a run from its journal. What is recorded is believed; a journal that this workflow cannot have written is
    /// `replay.diverged`.
    pub fn replay(workflow: Arc<Workflow>, entries: &[Entry], base: Names) -> Result<Self, Failure> {
        let mut rest = entries.iter().peekable();
        let Some(Entry::Started { workflow: hash, plugins, at, seed, .. }) = rest.next() else {
            return Err(diverged("the journal does not begin with `started`"));
        };
        if **hash != **workflow.content_hash() {
            return Err(diverged(
                "the journal belongs to another version of the workflow; runs go on with the version they began with",
            ));
        }
        let mut machine = Self::prepare(Arc::clone(&workflow), plugins.clone(), *at, *seed, base);
        let program = &workflow.program;
        while let Some(entry) = rest.next() {
            match entry {
                Entry::StepDone { path, output, marked, .. } => {
                    let at = machine.seek(program, path, false)?;
                    let site = program.sites.get(at).ok_or_else(|| unknown(path))?;
                    machine.passed(site, output, *marked);
                    machine.attempt = 1;
                }
                Entry::StepFailed { path, attempt, error, .. } => {
                    let at = machine.seek(program, path, true)?;
                    let site = program.sites.get(at).ok_or_else(|| unknown(path))?;
                    machine.attempt = *attempt;
                    match rest.peek() {
                        Some(Entry::Waiting { .. }) => machine.pc = site.run,
                        // A person had it tried again: see `Machine::retry`.
                        Some(Entry::Resumed { .. }) => machine.handle(program, site, error.clone()),
                        // The journal ends between a failure and what came of it: decide now.
                        None if matches!(site.verb, Some(Verb::Use { .. } | Verb::Script(_))) => {
                            match site.retry.next(error, *attempt, machine.at, 0.5) {
                                Some(until) => machine.wait(at, site, until),
                                None => machine.handle(program, site, error.clone()),
                            }
                        }
                        _ => machine.handle(program, site, error.clone()),
                    }
                }
                Entry::Waiting { path, kind, until, .. } => {
                    if kind != RETRY {
                        return Err(diverged(&format!("this version knows no wait of kind {kind}: upgrade the host")));
                    }
                    let site = *program.by_path.get(path.as_str()).ok_or_else(|| unknown(path))?;
                    machine.state = State::Waiting { site, kind: kind.as_str().into(), until: *until };
                }
                Entry::Resumed { path, at, .. } => match &machine.state {
                    State::Waiting { site, .. } => {
                        let site = program.sites.get(*site).ok_or_else(|| unknown(path))?;
                        machine.awake(site, *at);
                    }
                    State::Ended(RunEnd::Failed { .. }) => {
                        let site = *program.by_path.get(path.as_str()).ok_or_else(|| unknown(path))?;
                        let site = program.sites.get(site).ok_or_else(|| unknown(path))?;
                        machine.afresh(site, *at);
                    }
                    _ => return Err(diverged(&format!("`{path}` was resumed without having waited"))),
                },
                Entry::Cancelled { .. } => machine.state = State::Ended(RunEnd::Cancelled),
                Entry::Finished { result, marked } => {
                    machine.state = State::Ended(RunEnd::Done { result: result.clone(), marked: *marked });
                }
                Entry::Started { .. } | Entry::CallDone { .. } => {
                    return Err(diverged("the journal holds an entry that this version does not write: upgrade the host"));
                }
            }
        }
        Ok(machine)
    }

    /// Walks to the step `path`, which is the next that the journal knows: a guard was true when its body holds that step.
    fn seek(&mut self, program: &Program, path: &str, failed: bool) -> Result<usize, Failure> {
        if !matches!(self.state, State::Ready) {
            return Err(diverged(&format!("`{path}` stands behind the end or in a wait")));
        }
        let target = *program.by_path.get(path).ok_or_else(|| unknown(path))?;
        let goal = program.sites.get(target).map_or(0, |site| site.first);
        // Nothing loops, so no operation is passed twice but by the way out of an `on_error`.
        for _ in 0..=program.ops.len() * 2 {
            match program.ops.get(self.pc) {
                Some(Op::Branch { site, .. }) if *site == target && failed => return Ok(target),
                Some(Op::Branch { site, otherwise, .. }) => {
                    let otherwise = program.at(*otherwise);
                    let inside = *site == target || (goal > self.pc && goal < otherwise);
                    self.pc = if inside { self.pc + 1 } else { otherwise };
                }
                Some(Op::Jump(label)) => self.pc = program.at(*label),
                Some(Op::Handled) => self.handled(),
                Some(Op::Run { site }) if *site == target => return Ok(target),
                Some(Op::Run { site }) => {
                    let met = program.sites.get(*site).map_or("?", |s| &s.path);
                    return Err(diverged(&format!("the workflow comes to `{met}`, the journal to `{path}`")));
                }
                Some(Op::End) | None => break,
            }
        }
        Err(diverged(&format!("the workflow ends before `{path}`")))
    }
}

fn diverged(what: &str) -> Failure {
    Failure::bug("replay.diverged", what)
}

fn unknown(path: &str) -> Failure {
    diverged(&format!("the workflow has no step `{path}`"))
}

impl Machine {
    /// What an expression sees now. For tests and for people who look at a run.
    #[must_use]
    pub fn names(&self) -> &std::collections::BTreeMap<String, Marked<serde_json::Value>> {
        &self.names
    }
}
