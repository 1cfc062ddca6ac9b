//! `gather`: a burst of what a contact says is answered by one run. The first event begins the run, which then waits for quiet and
//! is nothing but its row meanwhile; each further event is noted in its journal and ends in the books by the rule that names
//! the run. When it is quiet, the run begins with all of them, in the order in which they were said.

use std::sync::Arc;

use pointsman_core::clock::Millis;
use pointsman_core::event::EventBody;
use pointsman_core::id::Id;
use pointsman_core::journal::{Entry, RunState};
use pointsman_core::trigger::{gathered, until};
use pointsman_core::workflow::Workflow;
use pointsman_store::{KeptEvent, RunRow, RunWrite, StoreError};

use crate::Engine;
use crate::catalog::Channel;
use crate::line::{HANDED_OFF, Leg};
use crate::run::{InHand, caller_of};

/// What a run waits for that did not begin yet.
pub(crate) const GATHER: &str = "gather";

/// How an event ends that is part of a burst: the rest of the rule is the run's id.
const GATHERED: &str = "gathered/";

impl Engine {
    /// Puts the event of a leg into a burst of this workflow: into the one that waits, else, when there is a `quiet` to wait for,
    /// into a new one. False: the workflow runs at once.
    pub(crate) async fn gathers(
        &self,
        workflow: &Arc<Workflow>,
        quiet: Option<Millis>,
        channel: &Channel,
        leg: &mut Leg<'_>,
    ) -> Result<bool, StoreError> {
        let now = self.clock.now();
        if let Some((row, began, own)) = self.burst(&workflow.name, leg).await? {
            leg.runs.push(RunWrite {
                until: Some(until(began, now, quiet.or(own).unwrap_or_default())),
                entries: vec![Entry::Gathered { event: Some(leg.kept.id), at: now }],
                first: false,
                ..waits(row.id, row.event, row.workflow)
            });
            leg.rule.get_or_insert(format!("{GATHERED}{}", row.id));
            return Ok(true);
        }
        let Some(quiet) = quiet else { return Ok(false) };
        let run = self.ids.next(now);
        let mut machine = self.begin(run, workflow, leg, channel, None);
        leg.runs.push(RunWrite {
            until: Some(until(now, now, quiet)),
            entries: machine.take_entries(),
            first: true,
            ..waits(run, leg.kept.id, workflow.content_hash().to_string())
        });
        leg.open = true;
        leg.carried.waits(run, Some(GATHER), &mut leg.view);
        Ok(true)
    }

    /// The burst of a workflow that waits in the conversation: its run, when that began, and how long its own version waits.
    async fn burst(&self, name: &str, leg: &Leg<'_>) -> Result<Option<(RunRow, i64, Option<i64>)>, StoreError> {
        for waits in leg.view.conversation.waits.iter().filter(|waits| waits.kind == GATHER) {
            let Some(row) = self.store.run(leg.kept.workspace, waits.run).await? else { continue };
            if row.state != RunState::Waiting || row.waiting.as_deref() != Some(GATHER) {
                continue;
            }
            let Some(pinned) = self.pinned(leg.kept.workspace, &row.workflow).await? else { continue };
            if *pinned.name == *name {
                let began = row.id.made_at();
                return Ok(Some((row, began, pinned.on.iter().find_map(|trigger| trigger.gather))));
            }
        }
        Ok(None)
    }

    /// It is quiet: the run of a burst begins, unless people took the conversation over meanwhile.
    pub(crate) fn burst_is_over(&self, root: &mut InHand, leg: &mut Leg<'_>) {
        if leg.view.conversation.silenced {
            leg.rule = Some(HANDED_OFF.to_owned());
            root.machine.cancel(HANDED_OFF, "people took the conversation over before it began");
        } else {
            root.machine.gathered(self.clock.now());
        }
    }

    /// What a run is about: its event, and of a burst all of them as one.
    pub(crate) async fn about(&self, row: &RunRow) -> Result<Option<KeptEvent>, StoreError> {
        let Some(mut kept) = self.store.event(row.workspace, row.event).await? else { return Ok(None) };
        if let EventBody::Status(_) = &kept.event.body {
            return self.counted(&kept).await.map(Some);
        }
        let (waiting, entries) = self.root_of(row).await?;
        let further: Vec<Id> = entries
            .iter()
            .filter_map(|entry| match entry {
                Entry::Gathered { event, .. } => *event,
                _ => None,
            })
            .collect();
        let burst = waiting || entries.iter().any(|entry| matches!(entry, Entry::Gathered { .. }));
        if burst {
            let mut events = vec![(kept.at, (*kept.event).clone())];
            for id in further {
                if let Some(more) = self.store.event(row.workspace, id).await? {
                    events.push((more.at, (*more.event).clone()));
                }
            }
            if let Some(all) = gathered(events) {
                kept.event = Arc::new(all);
            }
        }
        Ok(Some(kept))
    }

    /// Whether the run waits for its burst, and its journal; of a run that was called, those of the one at the bottom.
    async fn root_of(&self, row: &RunRow) -> Result<(bool, Vec<Entry>), StoreError> {
        let mut caller = caller_of(&row.entries).map(|caller| caller.run);
        let mut root = None;
        while let Some(id) = caller {
            root = self.store.run(row.workspace, id).await?;
            caller = root.as_ref().and_then(|row| caller_of(&row.entries)).map(|caller| caller.run);
        }
        let row = root.as_ref().unwrap_or(row);
        Ok((row.waiting.as_deref() == Some(GATHER), row.entries.clone()))
    }
}

/// A run that waits for its burst.
fn waits(id: Id, event: Id, workflow: String) -> RunWrite {
    RunWrite {
        id,
        event,
        workflow,
        state: RunState::Waiting,
        until: None,
        waiting: Some(GATHER.to_owned()),
        reason: None,
        entries: Vec::new(),
        first: false,
    }
}
