//! An event in its conversation's lane: which workflows want it, what they decide, and one commit for all of it.
//!
//! Pure steps leave no trace until that commit: a run with three of them and one reply costs one (invariant 4). When the
//! process ends before it, the event is taken up again from the beginning, and nothing had left the house.

use std::sync::Arc;

use pointsman_core::conversation;
use pointsman_core::effect::Effect;
use pointsman_core::event::{Cause, EventBody, v1};
use pointsman_core::failure::Failure;
use pointsman_core::id::{Id, WorkspaceId};
use pointsman_core::journal::{Caller, RunState};
use pointsman_core::ports::{Code, Meter as _, Names, Outcome, StepCall, StepEnd, Usage};
use pointsman_core::route::{Route, manner, route};
use pointsman_core::run::{Call, Ended, Machine, Started, Work, no_conversation};
use pointsman_core::trigger::LOOP_GUARD;
use pointsman_core::workflow::Workflow;
use pointsman_store::{Decide, EventEnd, EventState, KeptEvent, RETRIED, RunRow, RunWrite, SendRow, StoreError, disconnected};

use crate::answers::TURN;
use crate::catalog::Channel;
use crate::effects::Carried;
use crate::gather::GATHER;
use crate::run::InHand;
use crate::step::{Host, View};
use crate::triggers::PACE;
use crate::workflows::Routes;
use crate::{Engine, Job};

impl Engine {
    /// One job of a lane, to its end. Errors of the store are met with patience: the lane waits, nothing is lost.
    pub(crate) async fn handle(&self, job: Job) {
        loop {
            let done = match &job {
                Job::Event(kept) => self.event(kept).await,
                Job::Found { workspace, event } => self.found(*workspace, *event).await,
                Job::Resume { workspace, run } => self.resume(*workspace, *run).await,
            };
            match done {
                Ok(()) => return,
                Err(StoreError::Closed) => return,
                // The new holder takes it up from the database.
                Err(error @ StoreError::Fenced) => {
                    tracing::debug!(%error, "a job is let go");
                    self.bodies.forget_all();
                    return;
                }
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

    /// An event that was found in the store has its turn, if its row still says so.
    async fn found(&self, workspace: WorkspaceId, event: Id) -> Result<(), StoreError> {
        let turn = self.working.take(workspace).await;
        let row = self.store.event(workspace, event).await?;
        drop(turn);
        match row {
            Some(kept) if kept.state == EventState::New => self.event(&kept).await,
            _ => Ok(()),
        }
    }

    async fn event(&self, kept: &KeptEvent) -> Result<(), StoreError> {
        if let EventBody::Status(status) = &kept.event.body {
            return self.receipt(kept, status).await;
        }
        self.routed(kept).await
    }

    /// An event goes to a run that waits for it, else to the workflows that want it.
    pub(crate) async fn routed(&self, kept: &KeptEvent) -> Result<(), StoreError> {
        let Some(channel) = self.home(kept) else {
            return self.end(kept, EventEnd::parked("channel_disconnected")).await;
        };
        // One app may deliver for several numbers: what is not for this account must not be answered by it.
        if kept.event.account.as_deref().is_some_and(|account| account != channel.account.id) && kept.conversation.is_some() {
            return self.end(kept, EventEnd::by("other_account")).await;
        }
        let view = match &kept.conversation {
            Some(conversation) => {
                let _turn = self.working.take(kept.workspace).await;
                Some(self.view(conversation, channel.word()).await?)
            }
            None => matches!(kept.event.body, EventBody::Internal(_)).then(View::homeless),
        };
        let routes = self.catalog.routes(kept.workspace);
        let Route { mut run, rule, .. } = route(&routes.workflows, &kept.event, channel.word());
        let manner = |workflow: &Workflow| manner(&routes.workflows, workflow, &kept.event, channel.word());
        if self.too_fast(kept) {
            tracing::warn!(event = %kept.id, rule = PACE, "a conversation gets more replies than a person reads; its message is parked");
            return self.end(kept, EventEnd::parked(PACE)).await;
        }
        if let Some(view) = view.as_ref().filter(|view| !view.conversation.waits.is_empty())
            && let Some((first, root)) = self.listener(kept, view, &channel).await?
        {
            run.retain(|workflow| !view.conversation.silenced && manner(workflow).interrupts);
            if run.is_empty() {
                return self.answer(kept, view.clone(), &first, root).await;
            }
        }
        let (Some(view), false) = (view, run.is_empty()) else {
            if rule == Some(LOOP_GUARD) {
                tracing::warn!(event = %kept.id, hops = kept.event.hops(), "workflows start each other for ever; the event ends here");
            }
            return self.end(kept, EventEnd::by(rule.unwrap_or("no_conversation"))).await;
        };
        if view.conversation.silenced {
            return self.end(kept, EventEnd::by(HANDED_OFF)).await;
        }
        let mut leg = Leg::new(kept, view);
        for workflow in &run {
            if self.gathers(workflow, manner(workflow).gather, &channel, &mut leg).await? {
                continue;
            }
            let run = self.ids.next(self.clock.now());
            let machine = self.begin(run, workflow, &leg, &channel, None);
            self.leg(InHand::new(machine, run), &mut leg).await?;
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
        let Some(kept) = self.about(&row).await? else { return Ok(()) };
        let channel = self.home(&kept);
        let view = match &kept.conversation {
            Some(conversation) => self.view(conversation, channel.as_ref().map_or("", |c| c.word())).await?,
            None => View::homeless(),
        };
        let mut leg = Leg::new(&kept, view);
        let rebuilt = match &channel {
            Some(channel) => self.rebuild(&row, &kept, &leg.view, channel).await?,
            None => Err(disconnected()),
        };
        match rebuilt {
            Ok(machine) => {
                let mut root = InHand::rebuilt(machine, &row);
                if row.waiting.as_deref() == Some(GATHER) {
                    self.burst_is_over(&mut root, &mut leg);
                }
                let called = root.machine.waits().and_then(|wait| wait.called);
                if row.waiting.as_deref() == Some(RETRIED) {
                    root.machine.retry("operator", self.clock.now());
                } else {
                    self.wake(&mut root, &row);
                }
                if let Some(called) = called {
                    match self.end_of_called(&root.machine, &leg).await? {
                        Some(end) => drop(root.wake(end, self)),
                        // A person ended it.
                        None if root.machine.waits().is_none() => self.cancel_called(called, &mut leg).await?,
                        None => {}
                    }
                }
                self.leg(root, &mut leg).await?;
            }
            Err(reason) => {
                if let Some((caller, wake)) = self.lost(&row, reason, &mut leg)
                    && let Some(below) = self.caller_in_hand(caller, wake, &mut leg).await?
                {
                    self.leg(below, &mut leg).await?;
                }
            }
        }
        self.with_the_others(&mut leg).await?;
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

    pub(crate) fn begin(
        &self,
        run: Id,
        workflow: &Arc<Workflow>,
        leg: &Leg<'_>,
        channel: &Channel,
        caller: Option<Box<Caller>>,
    ) -> Machine {
        let routes = self.catalog.routes(leg.kept.workspace);
        let plugins = workflow
            .plugins
            .iter()
            .filter_map(|id| self.catalog.plugin(id).map(|p| (p.id.to_string(), p.digest.to_string())))
            .collect();
        let seed = (run.0 as u64).wrapping_mul(0x9E37_79B9_7F4A_7C15);
        let started = Started { run, event: leg.kept.id, at: self.clock.now(), seed, plugins, caller };
        Machine::start(Arc::clone(workflow), started, self.names(leg.kept, &leg.view, &routes, channel))
    }

    pub(crate) fn names(&self, kept: &KeptEvent, view: &View, routes: &Routes, channel: &Channel) -> Names {
        let event = v1::to_v1(&kept.event, channel.word(), &channel.account.id);
        let Some(contact) = view.conversation_ref.as_ref().map(|c| c.contact) else {
            return conversation::homeless(event, &routes.workspace);
        };
        conversation::names(event, contact, &view.info(), view.contact.opted_out, &routes.workspace, self.clock.now())
    }

    /// Runs one step in the box.
    pub(crate) async fn call(&self, of: &InHand, call: Call, leg: &Leg<'_>) -> Ended {
        let (run, said) = (of.run, leg.carried.says() + of.says());
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
            Work::Use { plugin, digest, input } => {
                if let Err(failure) = self.admit(run, &plugin, &digest).await {
                    return ended(Err(failure), Vec::new(), false, None, Vec::new());
                }
                (Code::Plugin { id: plugin, digest }, input)
            }
            Work::Script { source, hash, input } => (Code::Script { source, hash }, input),
        };
        let (ws, name) = (leg.kept.workspace, code.name());
        let _turn = self.stepping.take(ws).await;
        if let Some(failure) = self.quarantined(ws, &name).await {
            self.working.set_back(ws);
            return ended(Err(failure), Vec::new(), false, None, Vec::new());
        }
        let plugin = match &code {
            Code::Plugin { id, .. } => Some(Arc::clone(id)),
            Code::Script { .. } => None,
        };
        let by_person = matches!(&leg.kept.event.body, EventBody::Internal(internal) if internal.cause == Cause::Manual);
        let of = of.for_step((leg.kept.id, by_person), (&path, attempt), journal.len() + reads.len());
        let host = Arc::new(Host::new(self.clone(), leg.kept.workspace, &leg.view, plugin.clone(), of));
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
            Some(bound) => {
                tokio::time::timeout(std::time::Duration::from_millis(bound.unsigned_abs()), running).await.map_err(|_| bound)
            }
            None => Ok(running.await),
        };
        if let Some(plugin) = plugin {
            self.tell_withheld(leg.kept.workspace, &plugin, host.take_denied()).await;
        }
        let end = match end {
            Ok(end) => end,
            Err(bound) => {
                let text = format!("the step's own timeout of {bound} ms is over; make it longer, or the step lighter");
                let late = Failure::limit("timeout", text);
                self.ledger.used(ws, &name, Usage::default(), Some(&late));
                if self.ledger.watch(ws, &name, Some(&late)) {
                    self.working.set_back(ws);
                }
                return ended(Err(late), Vec::new(), false, None, Vec::new());
            }
        };
        if self.ledger.watch(ws, &name, end.result.as_ref().err()) {
            self.working.set_back(ws);
        }
        for line in &end.log {
            tracing::debug!(run = %run, step = %path, level = line.level, bytes = line.text.len(), "a step wrote to its log");
        }
        metrics::histogram!("pointsman_step_seconds").record(end.usage.wall_us as f64 / 1e6);
        if leg.view.conversation_ref.is_none()
            && let Some(what) = talks(&end)
        {
            return ended(Err(no_conversation(what)), Vec::new(), false, Some(end.usage), Vec::new());
        }
        let end = self.within_pace(&leg.view, (said, by_person), end);
        let end = self.within_quota(leg.kept.workspace, &leg.view, end).await;
        // Every step is given the event, so whatever it makes has words from outside in it.
        ended(end.result, end.effects, true, Some(end.usage), end.reads)
    }

    /// Ends an event for which nothing runs.
    async fn end(&self, kept: &KeptEvent, end: EventEnd) -> Result<(), StoreError> {
        let _turn = self.working.take(kept.workspace).await;
        self.points.reach("end.before");
        self.store.receipt(kept, end, None).await?;
        self.points.reach("end.after");
        Ok(())
    }

    /// Commit 2, then the sends go.
    pub(crate) async fn commit(&self, mut leg: Leg<'_>) -> Result<(), StoreError> {
        let workspace = leg.kept.workspace;
        // Only where a run waited or waits: the usual message keeps nothing of it.
        let leg_view = leg.runs.iter().any(|run| !run.first || run.state == RunState::Waiting).then(|| leg.view.clone());
        let kinds = leg.kinds();
        let kept = leg.kept;
        let felt = std::mem::take(&mut leg.carried.felt);
        let (decide, sends) = leg.into_decide();
        let raised: Vec<Id> = decide.raised.iter().map(|raised| raised.id).collect();
        let conversation = decide.conversation.clone();
        let (body, contact) = (decide.conversation_body.clone(), decide.contact_body.clone());
        let turns = leg_view.filter(|view| !view.conversation.waits.is_empty());
        let turn = self.working.take(workspace).await;
        kinds.iter().filter(|kind| kind.0).for_each(|(_, before, _)| self.points.reach(before));
        self.store.decide(decide).await?;
        drop(turn);
        if let Some(conversation) = conversation {
            // Not before: what could not be written is decided again, and said once.
            self.pace.said(conversation.id, sends.len(), self.clock.now());
            self.bodies.put(&conversation, body.map(Arc::new), contact.map(Arc::new));
        }
        kinds.iter().filter(|kind| kind.0).for_each(|(_, _, after)| self.points.reach(after));
        self.ledger.felt(workspace, kept.channel, felt);
        for send in sends {
            self.dispatch(send);
        }
        for raised in raised {
            self.take_up_raised(kept, raised);
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
    pub(crate) view: View,
    pub(crate) runs: Vec<RunWrite>,
    pub(crate) carried: Carried,
    /// Runs that were begun by a call.
    pub(crate) begun: usize,
    /// A run waits: the event has not ended.
    pub(crate) open: bool,
    /// A run failed: the event ends parked.
    pub(crate) failed: bool,
    /// The event that a run of `kept` waited for, and how it ends.
    pub(crate) answer: Option<(Id, Id, EventEnd)>,
    /// The rule by which the event ends, when no run of its own says more.
    pub(crate) rule: Option<String>,
}

/// The rule by which an event ends in a conversation that people have.
pub(crate) const HANDED_OFF: &str = "handed_off";

/// What a step did that needs a conversation.
fn talks(end: &StepEnd) -> Option<&str> {
    let asks = match &end.result {
        Ok(Outcome::Suspended { name, .. }) if ["ask", "approve", "draft"].contains(&name.as_str()) => Some(name.as_str()),
        _ => None,
    };
    asks.or_else(|| end.effects.iter().find(|effect| effect.talks()).map(Effect::word))
}

impl<'a> Leg<'a> {
    pub(crate) fn new(kept: &'a KeptEvent, view: View) -> Self {
        Self {
            kept,
            view,
            runs: Vec::new(),
            carried: Carried::default(),
            begun: 0,
            open: false,
            failed: false,
            answer: None,
            rule: None,
        }
    }

    /// The points before and after its commit: what kinds of things it holds.
    fn kinds(&self) -> [(bool, &'static str, &'static str); 5] {
        let goes_on = self.answer.is_none() && self.runs.iter().any(|run| !run.first);
        [
            (true, "decide.before", "decide.after"),
            (self.open, "wait.before", "wait.after"),
            (self.failed, "fail.before", "fail.after"),
            (self.answer.is_some(), "answer.before", "answer.after"),
            (goes_on, "resume.before", "resume.after"),
        ]
    }

    fn into_decide(mut self) -> (Decide, Vec<SendRow>) {
        // Those of the event itself first: they say why it is open.
        self.runs.sort_by_key(|run| run.event != self.kept.id);
        let own = self.runs.iter().any(|run| run.event == self.kept.id && run.state != RunState::Cancelled);
        let end = match self.rule.take().filter(|_| !own) {
            _ if self.failed => EventEnd::parked("run_failed"),
            Some(rule) => EventEnd::by(rule),
            None => EventEnd::by("done"),
        };
        let mut decide = Decide {
            workspace: self.kept.workspace,
            event: (!self.open).then_some((self.kept.id, self.kept.webhook, end)),
            answer: self.answer,
            conversation: self.view.conversation_ref.clone(),
            runs: self.runs,
            ..Decide::default()
        };
        let sends = self.carried.into_decide(self.view, self.kept, &mut decide);
        (decide, sends)
    }
}
