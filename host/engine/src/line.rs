//! An event in its conversation's lane: which workflows want it, what they decide, and one commit for all of it.
//!
//! Pure steps leave no trace until that commit: a run with three of them and one reply costs one (invariant 4). When the
//! process ends before it, the event is taken up again from the beginning, and nothing had left the house.

use std::sync::Arc;

use pointsman_core::conversation;
use pointsman_core::event::{EventBody, v1};
use pointsman_core::failure::Failure;
use pointsman_core::id::Id;
use pointsman_core::journal::RunState;
use pointsman_core::ports::{Code, Names, Outcome, StepCall};
use pointsman_core::route::route;
use pointsman_core::run::{ASK, Action, Call, Ended, Machine, RunEnd, Started, Work, effects};
use pointsman_core::workflow::Workflow;
use pointsman_store::{Decide, EventEnd, EventState, KeptEvent, RETRIED, RunRow, RunWrite, SendRow, StoreError, disconnected};

use crate::answers::{LOOK, TURN, another_asks, hears};
use crate::catalog::Channel;
use crate::effects::Carried;
use crate::step::{Host, View};
use crate::workflows::Routes;
use crate::{Engine, Job};

impl Engine {
    /// One job of a lane, to its end. Errors of the store are met with patience: the lane waits, nothing is lost.
    pub(crate) async fn handle(&self, job: Job) {
        loop {
            let done = match &job {
                Job::Event(kept) => self.event(kept).await,
                Job::Resume { workspace, run } => self.resume(*workspace, *run).await,
            };
            match done {
                Ok(()) => return,
                Err(StoreError::Closed) => return,
                Err(error) if error.passing() => {
                    tracing::error!(%error, "a lane waits for the store");
                    tokio::time::sleep(std::time::Duration::from_millis(500)).await;
                }
                Err(error) => {
                    self.give_up(&job, &error).await;
                    return;
                }
            }
        }
    }

    /// What no waiting will mend: the contact was erased (then everything open of theirs has ended already), or a row does
    /// not open. The event is parked with the code, so that the books can say so.
    async fn give_up(&self, job: &Job, error: &StoreError) {
        tracing::error!(%error, code = error.code(), "an event cannot go on");
        let Job::Event(kept) = job else { return };
        if let Some(conversation) = &kept.conversation {
            self.bodies.forget(conversation);
        }
        if *error != StoreError::Erased
            && let Err(error) = self.end(kept, EventEnd::parked(error.code())).await
        {
            tracing::error!(%error, event = %kept.id, "an event could not be parked; it is taken up at the next start");
        }
    }

    async fn event(&self, kept: &KeptEvent) -> Result<(), StoreError> {
        // Taken up again for a person, and perhaps twice: it has its turn when its row still says so.
        if kept.rule.as_deref() == Some(RETRIED)
            && self.store.bare_event(kept.workspace, kept.id).await?.is_none_or(|row| row.state != EventState::New)
        {
            return Ok(());
        }
        if let EventBody::Status(status) = &kept.event.body {
            return self.receipt(kept, status).await;
        }
        let Some(channel) = self.catalog.channel(kept.channel) else {
            return self.end(kept, EventEnd::parked("channel_disconnected")).await;
        };
        // One app may deliver for several numbers: what is not for this account must not be answered by it.
        if kept.event.account.as_deref().is_some_and(|account| account != channel.account.id) && kept.conversation.is_some() {
            return self.end(kept, EventEnd::by("other_account")).await;
        }
        let view = match &kept.conversation {
            Some(conversation) => Some(self.view(conversation, channel.word()).await?),
            None => None,
        };
        if let Some(view) = view.as_ref().filter(|view| !view.conversation.waits.is_empty())
            && self.answered(kept, view, &channel).await?
        {
            return Ok(());
        }
        let routes = self.catalog.routes(kept.workspace);
        let route = route(&routes.workflows, &kept.event, channel.word());
        let (Some(view), false) = (view, route.run.is_empty()) else {
            return self.end(kept, EventEnd::by(route.rule.unwrap_or("no_conversation"))).await;
        };
        if view.conversation.silenced {
            return self.end(kept, EventEnd::by("handed_off")).await;
        }
        let mut leg = Leg::new(kept, view);
        for workflow in &route.run {
            let run = self.ids.next(self.clock.now());
            let machine = self.begin(run, kept, workflow, &leg.view, &routes, &channel);
            self.leg(machine, run, true, &mut leg).await;
        }
        self.commit(leg).await
    }

    /// A waiting run goes on.
    async fn resume(&self, workspace: Id, run: Id) -> Result<(), StoreError> {
        let Some(row) = self.store.run(workspace, run).await? else { return Ok(()) };
        // Not yet: it went on and waits anew since this job was put into the lane.
        let turn = row.waiting.as_deref() == Some(TURN);
        if row.state != RunState::Waiting || (!turn && row.until.is_none_or(|until| until > self.clock.now())) {
            return Ok(());
        }
        let Some(kept) = self.store.event(workspace, row.event).await? else { return Ok(()) };
        let Some(conversation) = kept.conversation.clone() else { return Ok(()) };
        let channel = self.catalog.channel(kept.channel);
        let mut leg = Leg::new(&kept, self.view(&conversation, channel.as_ref().map_or("", |c| c.word())).await?);
        let rebuilt = match &channel {
            Some(channel) => self.rebuild(&row, &kept, &leg.view, channel).await?,
            None => Err(disconnected()),
        };
        match rebuilt {
            Ok(mut machine) => {
                if row.waiting.as_deref() == Some(RETRIED) {
                    machine.retry("operator", self.clock.now());
                } else {
                    self.wake(&mut machine, &row);
                }
                self.leg(machine, run, false, &mut leg).await;
            }
            Err(reason) => {
                leg.failed = true;
                leg.runs.push(RunWrite {
                    id: run,
                    event: kept.id,
                    workflow: row.workflow.clone(),
                    state: RunState::Failed,
                    until: None,
                    waiting: None,
                    reason: Some(reason),
                    entries: Vec::new(),
                    first: false,
                });
            }
        }
        self.with_the_others(run, &mut leg).await?;
        self.commit(leg).await
    }

    pub(crate) async fn rebuild(
        &self,
        row: &RunRow,
        kept: &KeptEvent,
        view: &View,
        channel: &Channel,
    ) -> Result<Result<Machine, Failure>, StoreError> {
        let Some(workflow) = self.pinned(kept.workspace, &row.workflow).await? else {
            let text = "the version to which this run is pinned does not load any more; publish it again, then retry";
            return Ok(Err(Failure::bug("workflow.missing", text)));
        };
        let routes = self.catalog.routes(kept.workspace);
        Ok(Machine::replay(workflow, &row.entries, self.names(kept, view, &routes, channel)))
    }

    fn begin(
        &self,
        run: Id,
        kept: &KeptEvent,
        workflow: &Arc<Workflow>,
        view: &View,
        routes: &Routes,
        channel: &Channel,
    ) -> Machine {
        let plugins = workflow
            .plugins
            .iter()
            .filter_map(|id| self.catalog.plugin(id).map(|p| (p.id.to_string(), p.digest.to_string())))
            .collect();
        let seed = (run.0 as u64).wrapping_mul(0x9E37_79B9_7F4A_7C15);
        let started = Started { run, event: kept.id, at: self.clock.now(), seed, plugins };
        Machine::start(Arc::clone(workflow), started, self.names(kept, view, routes, channel))
    }

    pub(crate) fn names(&self, kept: &KeptEvent, view: &View, routes: &Routes, channel: &Channel) -> Names {
        let event = v1::to_v1(&kept.event, channel.word(), &channel.account.id);
        let (contact, opted_out) = (view.conversation_ref.contact, view.contact.opted_out);
        conversation::names(event, contact, &view.info(), opted_out, &routes.workspace, self.clock.now())
    }

    /// Runs one leg: until the run ends or waits.
    pub(crate) async fn leg(&self, mut machine: Machine, run: Id, first: bool, leg: &mut Leg<'_>) {
        let end = loop {
            match machine.next(&*self.expressions) {
                Action::Call(call) => {
                    let ended = self.call(run, call, leg).await;
                    machine.step_ended(ended);
                }
                Action::Finished(end) => break end,
            }
        };
        let workflow = machine.workflow();
        let hash = workflow.content_hash().to_string();
        if matches!(&end, RunEnd::Waiting { kind, .. } if **kind == *ASK) && another_asks(&leg.view, run) {
            // As if this leg had not been: nothing of it has left, and it is played again when its turn comes.
            leg.open = true;
            leg.carried.waits(run, Some(TURN), &mut leg.view);
            let entries = if first { machine.take_entries().into_iter().take(1).collect() } else { Vec::new() };
            leg.runs.push(RunWrite {
                id: run,
                event: leg.kept.id,
                workflow: hash,
                state: RunState::Waiting,
                until: Some(self.clock.now() + LOOK),
                waiting: Some(TURN.to_owned()),
                reason: None,
                entries,
                first,
            });
            return;
        }
        let (state, until, waiting, reason) = match end {
            RunEnd::Done { .. } => (RunState::Done, None, None, None),
            RunEnd::Failed { path, error } => {
                tracing::warn!(run = %run, workflow = %workflow.name, step = %path, code = %error.code, "a run failed; it is parked");
                (RunState::Failed, None, None, Some(error))
            }
            RunEnd::Waiting { kind, until, .. } => (RunState::Waiting, until, Some(kind.to_string()), None),
            RunEnd::Cancelled => (RunState::Cancelled, None, None, None),
        };
        leg.open |= state == RunState::Waiting;
        leg.carried.waits(run, waiting.as_deref().filter(|kind| hears(kind)), &mut leg.view);
        leg.failed |= state == RunState::Failed;
        let outcome = if state == RunState::Done {
            "done"
        } else if state == RunState::Waiting {
            "waiting"
        } else {
            "failed"
        };
        metrics::counter!("pointsman_runs_total", "outcome" => outcome).increment(1);
        let name = Arc::clone(&workflow.name);
        let entries = machine.take_entries();
        for decided in effects(&entries) {
            leg.carried.add(self, (run, &name), leg.kept, decided, &mut leg.view);
        }
        leg.runs.push(RunWrite { id: run, event: leg.kept.id, workflow: hash, state, until, waiting, reason, entries, first });
    }

    /// Runs one step in the box.
    async fn call(&self, run: Id, call: Call, leg: &Leg<'_>) -> Ended {
        let Call { path, attempt, at, seed, timeout, work, marked: _, journal, taken, reads } = call;
        let ended = |result: Result<Outcome, Failure>, effects, saw_outside, usage, reads| Ended {
            result,
            effects,
            saw_outside,
            usage,
            reads,
            now: self.clock.now(),
            random: (seed >> 11) as f64 / (1u64 << 53) as f64,
        };
        let (code, input) = match work {
            Work::Use { plugin, digest, input } => (Code::Plugin { id: plugin, digest }, input),
            Work::Script { source, hash, input } => (Code::Script { source, hash }, input),
        };
        let host = Arc::new(Host::new(self.clone(), &leg.view));
        let step = StepCall {
            workspace: leg.kept.workspace,
            code,
            run: run.to_string(),
            path: path.to_string(),
            attempt,
            at,
            seed,
            input,
            config: serde_json::Value::Object(serde_json::Map::new()),
            event: Some(Arc::clone(&leg.kept.event)),
            journal,
            taken,
            reads,
        };
        let running = self.steps.run(step, Arc::clone(&host) as Arc<dyn pointsman_core::ports::StepHost>);
        let end = match timeout {
            Some(bound) => match tokio::time::timeout(std::time::Duration::from_millis(bound.unsigned_abs()), running).await {
                Ok(end) => end,
                Err(_elapsed) => {
                    let text = format!("the step's own timeout of {bound} ms is over; make it longer, or the step lighter");
                    return ended(Err(Failure::limit("timeout", text)), Vec::new(), false, None, Vec::new());
                }
            },
            None => running.await,
        };
        for line in &end.log {
            tracing::debug!(run = %run, step = %path, level = line.level, bytes = line.text.len(), "a step wrote to its log");
        }
        metrics::histogram!("pointsman_step_seconds").record(end.usage.wall_us as f64 / 1e6);
        // Every step is given the event, so whatever it makes has words from outside in it.
        ended(end.result, end.effects, true, Some(end.usage), end.reads)
    }

    /// Ends an event for which nothing runs.
    async fn end(&self, kept: &KeptEvent, end: EventEnd) -> Result<(), StoreError> {
        self.store.receipt(kept.workspace, kept.id, kept.webhook, end, None).await
    }

    /// Commit 2, then the sends go.
    pub(crate) async fn commit(&self, leg: Leg<'_>) -> Result<(), StoreError> {
        let workspace = leg.kept.workspace;
        // Only where a run waited or waits: the usual message keeps nothing of it.
        let leg_view = leg.runs.iter().any(|run| !run.first || run.state == RunState::Waiting).then(|| leg.view.clone());
        let (decide, sends) = leg.into_decide();
        let conversation = decide.conversation.clone();
        let (body, contact) = (decide.conversation_body.clone(), decide.contact_body.clone());
        let turns = leg_view.filter(|view| !view.conversation.waits.is_empty());
        self.points.reach("decide.before");
        self.store.decide(decide).await?;
        if let Some(conversation) = conversation {
            self.bodies.put(&conversation, body.map(Arc::new), contact.map(Arc::new));
        }
        self.points.reach("decide.after");
        for send in sends {
            self.dispatch(send);
        }
        if let Some(view) = turns {
            self.next_turn(workspace, &view);
        }
        Ok(())
    }
}

/// What the runs of one event add up to, for one commit.
pub(crate) struct Leg<'a> {
    pub(crate) kept: &'a KeptEvent,
    view: View,
    runs: Vec<RunWrite>,
    carried: Carried,
    /// A run waits: the event has not ended.
    pub(crate) open: bool,
    /// A run failed: the event ends parked.
    pub(crate) failed: bool,
    /// The event that a run of `kept` waited for, and how it ends.
    pub(crate) answer: Option<(Id, Id, EventEnd)>,
}

impl<'a> Leg<'a> {
    pub(crate) fn new(kept: &'a KeptEvent, view: View) -> Self {
        Self { kept, view, runs: Vec::new(), carried: Carried::default(), open: false, failed: false, answer: None }
    }

    fn into_decide(self) -> (Decide, Vec<SendRow>) {
        let end = if self.failed { EventEnd::parked("run_failed") } else { EventEnd::by("done") };
        let mut decide = Decide {
            workspace: self.kept.workspace,
            event: (!self.open).then_some((self.kept.id, self.kept.webhook, end)),
            answer: self.answer,
            conversation: Some(Arc::clone(&self.view.conversation_ref)),
            runs: self.runs,
            ..Decide::default()
        };
        let sends = self.carried.into_decide(self.view, self.kept, &mut decide);
        (decide, sends)
    }
}
