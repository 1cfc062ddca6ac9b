//! Rebuilding a run from its journal. No expression is worked out here: which steps stand in the journal says which way
//! every guard went, so a run comes back to its place even when the contact's tags have changed since.

use std::sync::Arc;

use super::{APPROVE, ASK, CALL, Machine, RETRY, SLEEP, Started, State, WAIT, Waiting, diverged};
use crate::clock::Instant;
use crate::failure::Failure;
use crate::id::Id;
use crate::journal::Entry;
use crate::mark::Marked;
use crate::ports::{Answered, Names};
use crate::run::RunEnd;
use crate::wait::Want;
use crate::workflow::Workflow;
use crate::workflow::program::{Op, Program, Site, Verb};

impl Machine {
    /// Rebuilds a run from its journal. What is recorded is believed; a journal that this workflow cannot have written is
    /// `replay.diverged`.
    pub fn replay(workflow: Arc<Workflow>, entries: &[Entry], base: Names) -> Result<Self, Failure> {
        let mut rest = entries.iter().peekable();
        let Some(Entry::Started { workflow: hash, plugins, event, at, seed, caller }) = rest.next() else {
            return Err(diverged("the journal does not begin with `started`"));
        };
        if **hash != **workflow.content_hash() {
            return Err(diverged(
                "the journal belongs to another version of the workflow; runs go on with the version they began with",
            ));
        }
        let (plugins, caller) = (plugins.clone(), caller.clone());
        // Its own id is nothing that it works with.
        let started = Started { run: Id(0), event: *event, at: *at, seed: *seed, plugins, caller };
        let mut machine = Self::prepare(Arc::clone(&workflow), started, base);
        let program = &workflow.program;
        while let Some(entry) = rest.next() {
            machine.replay_entry(program, entry, rest.peek().copied())?;
        }
        Ok(machine)
    }

    /// One entry; `next` is the one behind it.
    fn replay_entry(&mut self, program: &Program, entry: &Entry, next: Option<&Entry>) -> Result<(), Failure> {
        match entry {
            Entry::StepDone { path, output, marked, .. } => {
                let site = self.at_step(program, path, false)?.1;
                if matches!(site.verb, Some(Verb::Each(_))) {
                    self.leave_each(program);
                }
                self.passed(program, site, output, *marked);
                self.attempt = 1;
            }
            Entry::StepFailed { path, attempt, error, .. } => {
                let (at, site) = self.at_step(program, path, true)?;
                self.attempt = *attempt;
                let again = match next {
                    Some(Entry::Waiting { path: waits, kind, .. }) if kind == RETRY && waits == path => {
                        self.pc = site.run;
                        return Ok(());
                    }
                    // The journal ends between a failure and what came of it: decide now. (What a person has tried again
                    // has `resumed` behind it: see `Machine::retry`.)
                    None if matches!(site.verb, Some(Verb::Use { .. } | Verb::Script(_))) => {
                        site.retry.next(error, *attempt, self.at, 0.5)
                    }
                    _ => None,
                };
                match again {
                    Some(until) => self.try_again(at, path.as_str().into(), until),
                    None => self.handle(program, site, error.clone()),
                }
            }
            Entry::Leg { path, effects, reads, input, .. } => {
                self.at_step(program, path, false)?;
                self.take_leg(&path.as_str().into(), effects, reads, input.as_ref());
            }
            Entry::CallDone { path, name, arguments, result, marked, at, error, .. } => {
                self.at_step(program, path, false)?;
                let value = error.clone().map_or_else(|| Ok(result.clone()), Err);
                let answer = Answered { name: name.clone(), fingerprint: arguments.clone(), value, at: *at };
                self.heard(&path.as_str().into(), answer, *marked);
            }
            Entry::Each { path, items, marked } => {
                let (at, _) = self.at_step(program, path, false)?;
                self.begin_each(program, at, items.clone(), *marked);
            }
            Entry::Waiting { path, kind, key, until, want, call } => {
                if ![RETRY, ASK, SLEEP, WAIT, APPROVE, CALL].contains(&kind.as_str()) {
                    return Err(diverged(&format!("this version knows no wait of kind {kind}: upgrade the host")));
                }
                let (site, _) = self.at_step(program, path, false)?;
                if let Some(Want::Run(called)) = want.as_deref() {
                    self.note_child(&path.as_str().into(), call.as_ref(), called);
                }
                self.state = State::Waiting(Box::new(Waiting {
                    site,
                    path: path.as_str().into(),
                    kind: kind.as_str().into(),
                    key: key.clone(),
                    until: *until,
                    want: want.clone(),
                    call: call.clone(),
                    woken: false,
                }));
            }
            Entry::Resumed { path, at, .. } => self.replay_resumed(program, path, *at)?,
            // What came of it stands behind `resumed`.
            Entry::Told { .. } => {}
            Entry::Gathered { at, .. } => self.freeze(*at),
            Entry::Replaced { plugin, digest, .. } => self.replaced(plugin, digest),
            Entry::Cancelled { .. } => self.state = State::Ended(RunEnd::Cancelled),
            Entry::Finished { result, marked } => {
                self.state = State::Ended(RunEnd::Done { result: result.clone(), marked: *marked });
            }
            Entry::Started { .. } => return Err(diverged("the journal begins twice")),
        }
        Ok(())
    }

    fn replay_resumed(&mut self, program: &Program, path: &str, at: Instant) -> Result<(), Failure> {
        match &mut self.state {
            State::Waiting(waiting) if *waiting.kind == *RETRY => {
                let site = program.sites.get(waiting.site).ok_or_else(|| unknown(path))?;
                self.rouse(site, at);
                self.attempt = self.attempt.saturating_add(1);
            }
            // What it was told stands in what came of it, behind this. Should the journal end here, then it still waits.
            State::Waiting(waiting) => {
                waiting.woken = true;
                self.freeze(at);
            }
            State::Ended(RunEnd::Failed { .. }) => {
                let (site, _) = program.find(path).ok_or_else(|| unknown(path))?;
                let site = program.sites.get(site).ok_or_else(|| unknown(path))?;
                self.afresh(site, at);
            }
            _ => return Err(diverged(&format!("`{path}` was resumed without having waited"))),
        }
        Ok(())
    }

    /// Goes to the step that an entry is about.
    fn at_step<'p>(&mut self, program: &'p Program, path: &str, failed: bool) -> Result<(usize, &'p Site), Failure> {
        if let State::Waiting(waiting) = &self.state
            && waiting.woken
            && let Some(site) = program.sites.get(waiting.site)
        {
            self.rouse(site, self.at);
        }
        let at = self.seek(program, path, failed)?;
        Ok((at, program.sites.get(at).ok_or_else(|| unknown(path))?))
    }

    /// Walks to the step `path`, which is the next that the journal knows: a guard was true when its body holds that step.
    fn seek(&mut self, program: &Program, path: &str, failed: bool) -> Result<usize, Failure> {
        if !matches!(self.state, State::Ready) {
            return Err(diverged(&format!("`{path}` stands behind the end or in a wait")));
        }
        let (target, item) = program.find(path).ok_or_else(|| unknown(path))?;
        let goal = program.sites.get(target).map_or(0, |site| site.first);
        // But for an `each` nothing loops, so no operation is passed twice but by the way out of an `on_error`.
        for _ in 0..=program.ops.len() * 2 * self.rounds() {
            match program.ops.get(self.pc) {
                Some(Op::Branch { site, .. }) if *site == target && failed && !self.before_item(target, item) => {
                    return Ok(target);
                }
                Some(Op::Branch { site, otherwise, .. }) => {
                    let otherwise = program.at(*otherwise);
                    let inside = *site == target || (goal > self.pc && goal < otherwise);
                    self.pc = if inside && !self.before_item(target, item) { self.pc + 1 } else { otherwise };
                }
                Some(Op::Jump(label)) => self.pc = program.at(*label),
                Some(Op::Handled) => self.handled(),
                Some(Op::Next { site }) if self.before_item(target, item) => {
                    if !self.next_item(program) {
                        if *site == target {
                            return Ok(target);
                        }
                        break;
                    }
                }
                Some(Op::Run { site } | Op::Each { site }) if *site == target && !self.before_item(target, item) => {
                    return Ok(target);
                }
                Some(Op::Run { site } | Op::Each { site } | Op::Next { site }) => {
                    let met = program.sites.get(*site).map_or("?", |s| &s.path);
                    return Err(diverged(&format!("the workflow comes to `{met}`, the journal to `{path}`")));
                }
                Some(Op::End) | None => break,
            }
        }
        Err(diverged(&format!("the workflow ends before `{path}`")))
    }
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
