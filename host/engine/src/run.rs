//! The runs of one leg, in hand one above the other: a run that calls a workflow lies below the one that it called, and goes
//! on when that one has ended. What all of them decided goes into one commit.

use std::sync::Arc;

use pointsman_core::failure::{Class, Failure};
use pointsman_core::id::Id;
use pointsman_core::journal::{Caller, Entry, RunState};
use pointsman_core::run::{ASK, Action, Machine, RunEnd, Wake, effects};
use pointsman_store::{CALLER, RunRow, RunWrite, StoreError};

use crate::Engine;
use crate::answers::{LOOK, TURN, another_asks, hears};
use crate::line::Leg;
use crate::step::CallOf;

/// A run in hand.
pub(crate) struct InHand {
    pub(crate) machine: Machine,
    pub(crate) run: Id,
    /// Whether nothing of it is on disk.
    first: bool,
    /// Entries of its journal that are.
    on_disk: usize,
    /// Entries that stand whatever comes: up to the last call of a workflow.
    settled: usize,
    /// The wait that was woken, and by what.
    woken: Option<Entry>,
}

impl InHand {
    /// A run that begins.
    pub(crate) fn new(machine: Machine, run: Id) -> Self {
        Self { machine, run, first: true, on_disk: 0, settled: 0, woken: None }
    }

    /// One that was rebuilt.
    pub(crate) fn rebuilt(machine: Machine, row: &RunRow) -> Self {
        Self { first: false, on_disk: row.entries.len(), ..Self::new(machine, row.id) }
    }

    /// How much it says that nobody has carried over yet.
    pub(crate) fn says(&self) -> usize {
        let new = self.machine.entries().get(self.settled..).unwrap_or_default();
        effects(new).filter(|decided| decided.effect.says()).count()
    }

    /// For whom a step of it is called that was told so much before.
    pub(crate) fn for_step(&self, (event, by_person): (Id, bool), (path, attempt): (&Arc<str>, u32), told: usize) -> CallOf {
        let workflow = Arc::clone(&self.machine.workflow().name);
        let scope = match self.machine.caller() {
            None => Arc::clone(&workflow),
            Some(_) => self.machine.scope().into(),
        };
        let known = (told, self.on_disk);
        CallOf { run: self.run, event, workflow, scope, by_person, path: Arc::clone(path), attempt, known }
    }

    /// Wakes it. False: it does not wait for this.
    pub(crate) fn wake(&mut self, wake: Wake, engine: &Engine) -> bool {
        let told = self.machine.waits().map(|wait| Entry::Told { key: wait.key, wake: Box::new(wake.clone()), yes: None });
        let woken = self.machine.resume(wake, engine.clock.now());
        if woken {
            self.woken = told;
        }
        woken
    }
}

impl Engine {
    /// Runs one leg: until the run, and those that it called or that called it, end or wait.
    pub(crate) async fn leg(&self, root: InHand, leg: &mut Leg<'_>) -> Result<(), StoreError> {
        let mut stack = vec![root];
        while let Some(top) = stack.last_mut() {
            match top.machine.next(&*self.expressions) {
                Action::Call(call) => {
                    let ended = self.call(top, call, leg).await;
                    top.machine.step_ended(ended);
                }
                Action::Begin(begin) => match self.begin_called(top.run, begin, leg).await? {
                    Ok((called, above)) => {
                        top.machine.began(Ok(called));
                        self.carry(top, leg);
                        stack.push(above);
                    }
                    Err(error) => top.machine.began(Err(error)),
                },
                Action::Finished(end) => {
                    let told = stack.pop().and_then(|ended| self.close(ended, end, leg));
                    let Some((caller, wake)) = told else { continue };
                    match stack.last_mut() {
                        Some(below) => {
                            below.wake(wake, self);
                        }
                        None => stack.extend(self.caller_in_hand(caller, wake, leg).await?),
                    }
                }
            }
        }
        Ok(())
    }

    /// Takes over what a run decided since the last time: in its order among what others decide.
    fn carry(&self, run: &mut InHand, leg: &mut Leg<'_>) {
        let scope = run.machine.scope();
        let entries = run.machine.entries();
        leg.carried.felt.read(run.machine.workflow(), entries.get(run.settled..).unwrap_or_default());
        for decided in effects(entries.get(run.settled..).unwrap_or_default()) {
            leg.carried.add(self, (run.run, &scope), leg.kept, decided, &mut leg.view);
        }
        run.settled = entries.len();
    }

    /// A leg of a run is over. Gives what its caller is to be told, and who that is, when the run has ended.
    fn close(&self, mut ended: InHand, end: RunEnd, leg: &mut Leg<'_>) -> Option<(Id, Wake)> {
        let (run, first) = (ended.run, ended.first);
        let workflow = Arc::clone(ended.machine.workflow());
        let mut write = RunWrite {
            id: run,
            event: leg.kept.id,
            workflow: workflow.content_hash().to_string(),
            state: RunState::Waiting,
            until: None,
            waiting: None,
            reason: None,
            entries: Vec::new(),
            first,
        };
        if matches!(&end, RunEnd::Waiting { kind, .. } if **kind == *ASK) && another_asks(&leg.view, run) {
            // As if this leg had not been since its last call: nothing of it has left, and it is played again when its turn
            // comes, woken by what woke it now.
            leg.open = true;
            leg.carried.waits(run, Some(TURN), &mut leg.view);
            write.entries = ended.machine.take_entries();
            write.entries.truncate(ended.settled.max(usize::from(first)));
            write.entries.extend(ended.woken.filter(|_| ended.settled == 0));
            (write.until, write.waiting) = (Some(self.clock.now() + LOOK), Some(TURN.to_owned()));
            leg.runs.push(write);
            return None;
        }
        self.carry(&mut ended, leg);
        let caller = ended.machine.caller().map(|caller| caller.run);
        let told = caller.zip(wake_of(run, &workflow.name, &end));
        match end {
            RunEnd::Done { .. } => write.state = RunState::Done,
            RunEnd::Failed { path, error } => {
                tracing::warn!(run = %run, workflow = %workflow.name, step = %path, code = %error.code, called = caller.is_some(), "a run failed");
                (write.state, write.reason) = (RunState::Failed, Some(error));
                write.waiting = caller.map(|_| CALLER.to_owned());
                leg.failed |= caller.is_none();
            }
            RunEnd::Waiting { kind, until, .. } => (write.until, write.waiting) = (until, Some(kind.to_string())),
            RunEnd::Cancelled => write.state = RunState::Cancelled,
        }
        leg.open |= write.state == RunState::Waiting;
        let waiting = write.waiting.as_deref().filter(|kind| write.state == RunState::Waiting && hears(kind));
        leg.carried.waits(run, waiting, &mut leg.view);
        let outcome = match write.state {
            RunState::Done => "done",
            RunState::Waiting => "waiting",
            RunState::Cancelled => "cancelled",
            _ => "failed",
        };
        metrics::counter!("pointsman_runs_total", "outcome" => outcome).increment(1);
        write.entries = ended.machine.take_entries();
        leg.runs.push(write);
        told
    }
}

/// What a caller is told of the run that it called.
pub(crate) fn wake_of(run: Id, workflow: &str, end: &RunEnd) -> Option<Wake> {
    let ended = |result, marked, error| Some(Wake::Ended { run, result, marked, error });
    match end {
        RunEnd::Done { result, marked } => ended(result.clone(), *marked, None),
        RunEnd::Failed { path, error } => {
            let message = format!("{} (in the workflow `{workflow}`, step `{path}`)", error.message);
            ended(serde_json::Value::Null, false, Some(Failure { message, ..error.clone() }))
        }
        RunEnd::Cancelled => {
            let sentence = format!("the run {run} of `{workflow}`, which was called, was ended from outside");
            ended(serde_json::Value::Null, false, Some(Failure::new(Class::Permanent, "call.cancelled", sentence)))
        }
        RunEnd::Waiting { .. } => None,
    }
}

/// Who called the run of this journal.
pub(crate) fn caller_of(entries: &[Entry]) -> Option<&Caller> {
    match entries.first() {
        Some(Entry::Started { caller, .. }) => caller.as_deref(),
        _ => None,
    }
}
