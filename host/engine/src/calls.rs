//! Workflows that others call: begun, found again when they end after days, ended with their caller.

use std::sync::Arc;

use pointsman_core::failure::{Class, Failure};
use pointsman_core::id::Id;
use pointsman_core::journal::{Caller, Entry, RunState};
use pointsman_core::run::{Begin, Called, Machine, RunEnd, Wake};
use pointsman_store::{CALLER, RunRow, RunWrite, StoreError, TOLD, disconnected};

use crate::Engine;
use crate::line::Leg;
use crate::run::{InHand, caller_of, wake_of};

/// Runs that one leg may begin: workflows that call each other in lists would multiply.
const RUNS: usize = 256;

impl Engine {
    /// Begins the workflow that a run calls, or goes on with the run that this call began before and that failed.
    pub(crate) async fn begin_called(
        &self,
        caller: Id,
        begin: Begin,
        leg: &mut Leg<'_>,
    ) -> Result<Result<(Called, InHand), Failure>, StoreError> {
        let Begin { workflow: name, place, depth, with, again } = begin;
        let routes = self.catalog.routes(leg.kept.workspace);
        if let Some(id) = again
            && let Some(row) = self.store.run(leg.kept.workspace, id).await?
            && row.state == RunState::Failed
        {
            let called = Called { run: id, name: name.to_string(), workflow: row.workflow.clone() };
            return Ok(self.rebuilt(&row, leg).await?.map(|mut machine| {
                machine.retry("caller", self.clock.now());
                (called, InHand::rebuilt(machine, &row))
            }));
        }
        leg.begun += 1;
        if leg.begun > RUNS {
            let sentence = format!("workflows that call each other begin {RUNS} runs at most before one of them waits");
            return Ok(Err(Failure::limit("runs", sentence)));
        }
        let Some(workflow) = routes.workflows.iter().find(|w| *w.name == *name) else {
            let sentence = format!("no workflow `{name}` is active; publish it, then retry");
            return Ok(Err(Failure::new(Class::Permanent, "call.unknown_workflow", sentence)));
        };
        let Some(channel) = self.home(leg.kept) else { return Ok(Err(disconnected())) };
        if let Err(error) = workflow.accepts(&with.value) {
            return Ok(Err(error));
        }
        let run = self.ids.next(self.clock.now());
        let caller = Some(Box::new(Caller { run: caller, place, depth, with }));
        let machine = self.begin(run, workflow, leg, &channel, caller);
        let called = Called { run, name: name.to_string(), workflow: workflow.content_hash().to_string() };
        Ok(Ok((called, InHand::new(machine, run))))
    }

    /// The caller of a run that has ended, woken; none when it does not wait for that any more. One that was told something by
    /// a person has its own turn, and looks at the run itself then.
    pub(crate) async fn caller_in_hand(
        &self,
        mut caller: Id,
        mut wake: Wake,
        leg: &mut Leg<'_>,
    ) -> Result<Option<InHand>, StoreError> {
        loop {
            let Some(row) = self.store.run(leg.kept.workspace, caller).await? else { return Ok(None) };
            if row.state != RunState::Waiting || row.waiting.as_deref() == Some(TOLD) {
                return Ok(None);
            }
            match self.rebuilt(&row, leg).await? {
                Ok(machine) => {
                    let mut below = InHand::rebuilt(machine, &row);
                    return Ok(below.wake(wake, self).then_some(below));
                }
                Err(reason) => match self.lost(&row, reason, leg) {
                    Some(next) => (caller, wake) = next,
                    None => return Ok(None),
                },
            }
        }
    }

    /// A run of this leg's event, rebuilt.
    pub(crate) async fn rebuilt(&self, row: &RunRow, leg: &Leg<'_>) -> Result<Result<Machine, Failure>, StoreError> {
        match self.home(leg.kept) {
            Some(channel) => self.rebuild(row, leg.kept, &leg.view, &channel).await,
            None => Ok(Err(disconnected())),
        }
    }

    /// A run that cannot be rebuilt has failed. Gives what its caller is to be told, and who that is.
    pub(crate) fn lost(&self, row: &RunRow, reason: Failure, leg: &mut Leg<'_>) -> Option<(Id, Wake)> {
        let caller = caller_of(&row.entries).map(|caller| caller.run);
        leg.failed |= caller.is_none();
        let mut write = stands(row, RunState::Failed);
        (write.reason, write.waiting) = (Some(reason.clone()), caller.map(|_| CALLER.to_owned()));
        leg.runs.push(write);
        leg.carried.waits(row.id, None, &mut leg.view);
        let end = RunEnd::Failed { path: "?".into(), error: reason };
        caller.zip(wake_of(row.id, &row.workflow, &end))
    }

    /// What a run that waits for another is to be told of that one, when it has ended meanwhile.
    pub(crate) async fn end_of_called(&self, machine: &Machine, leg: &Leg<'_>) -> Result<Option<Wake>, StoreError> {
        let Some(called) = machine.waits().and_then(|wait| wait.called) else { return Ok(None) };
        let row = self.store.run(leg.kept.workspace, called.run).await?;
        let end = row.and_then(|row| match (row.state, row.entries.last(), row.reason) {
            (RunState::Done, Some(Entry::Finished { result, marked }), _) => {
                Some(RunEnd::Done { result: result.clone(), marked: *marked })
            }
            (RunState::Failed, entry, Some(error)) => {
                let path = match entry {
                    Some(Entry::StepFailed { path, .. }) => path.as_str().into(),
                    _ => Arc::from("?"),
                };
                Some(RunEnd::Failed { path, error })
            }
            (RunState::Cancelled, ..) => Some(RunEnd::Cancelled),
            _ => None,
        });
        Ok(end.and_then(|end| wake_of(called.run, &called.name, &end)))
    }

    /// A run was ended from outside while it waited for this one, which ends with it; and so on.
    pub(crate) async fn cancel_called(&self, called: Called, leg: &mut Leg<'_>) -> Result<(), StoreError> {
        let mut next = Some(called.run);
        while let Some(id) = next.take() {
            let Some(row) = self.store.run(leg.kept.workspace, id).await? else { return Ok(()) };
            if row.state != RunState::Waiting {
                return Ok(());
            }
            if let Ok(machine) = self.rebuilt(&row, leg).await? {
                next = machine.waits().and_then(|wait| wait.called).map(|called| called.run);
            }
            let mut write = stands(&row, RunState::Cancelled);
            let reason = "the run that called it was ended".to_owned();
            write.entries.push(Entry::Cancelled { by: "caller".to_owned(), reason });
            leg.runs.push(write);
            leg.carried.waits(id, None, &mut leg.view);
        }
        Ok(())
    }
}

/// What is written of a run that is on disk.
fn stands(row: &RunRow, state: RunState) -> RunWrite {
    RunWrite {
        id: row.id,
        event: row.event,
        workflow: row.workflow.clone(),
        state,
        until: None,
        waiting: None,
        reason: None,
        entries: Vec::new(),
        first: false,
    }
}
