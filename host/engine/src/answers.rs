//! What a contact says goes first to a run that waits for it, oldest first, and only then to the triggers (SEMANTICS,
//! section 4). Which runs wait stands in the conversation's body, which is at hand anyway: a message costs no search, and a
//! run that waits takes no memory.

use pointsman_core::event::v1;
use pointsman_core::id::Id;
use pointsman_core::journal::{Entry, RunState};
use pointsman_core::run::{ASK, Machine, Wake};
use pointsman_store::{EventEnd, KeptEvent, RunRow, StoreError, TOLD};

use crate::catalog::Channel;
use crate::line::Leg;
use crate::step::View;
use crate::{Engine, Job};

/// What a run waits for that wants to ask while another one's question stands: its turn.
pub(crate) const TURN: &str = "turn";

/// How soon a run looks whether it is its turn, should nobody tell it.
pub(crate) const LOOK: i64 = 60_000;

/// The rule by which an event ends that a waiting run took.
pub(crate) const ANSWER: &str = "answer";

impl Engine {
    /// Gives an event to the oldest run of its conversation that waits for it. False: none does.
    pub(crate) async fn answered(&self, kept: &KeptEvent, view: &View, channel: &Channel) -> Result<bool, StoreError> {
        for waits in &view.conversation.waits {
            // A run that was told something by a person, or ended, since its wait was written here.
            let Some(row) = self.store.run(kept.workspace, waits.run).await? else { continue };
            if row.state != RunState::Waiting || row.waiting.as_deref() != Some(&waits.kind) {
                continue;
            }
            let Some(first) = self.store.event(kept.workspace, row.event).await? else { continue };
            let Ok(mut machine) = self.rebuild(&row, &first, view, channel).await? else { continue };
            let wanted = machine.waits().and_then(|w| w.filter).is_some_and(|f| f.takes(&kept.event, channel.word()));
            let event = v1::to_v1(&kept.event, channel.word(), &channel.account.id);
            if !wanted || !machine.resume(Wake::of(&kept.event, event, kept.id.to_string()), self.clock.now()) {
                continue;
            }
            let mut leg = Leg::new(&first, view.clone());
            leg.answer = Some((kept.id, kept.webhook, EventEnd::by(ANSWER)));
            self.leg(machine, row.id, false, &mut leg).await;
            self.with_the_others(row.id, &mut leg).await?;
            self.commit(leg).await?;
            return Ok(true);
        }
        Ok(false)
    }

    /// Wakes a machine whose time has come: with what a person told it, else with the end of its patience.
    pub(crate) fn wake(&self, machine: &mut Machine, row: &RunRow) {
        let told = row.entries.iter().rev().find_map(|entry| match entry {
            Entry::Told { key, wake } => Some((key, wake)),
            _ => None,
        });
        // It goes on from where it stood before it wanted to ask.
        if row.waiting.as_deref() == Some(TURN) && machine.waits().is_none() {
            return;
        }
        let (now, waits) = (self.clock.now(), machine.waits());
        match told.filter(|(key, _)| row.waiting.as_deref() == Some(TOLD) && waits.as_ref().is_some_and(|w| w.key == **key)) {
            Some((_, wake)) => machine.resume((**wake).clone(), now),
            None => machine.resume(Wake::Timeout, now),
        };
    }

    /// Other runs of the same event may still wait; the event ends with the last of them.
    pub(crate) async fn with_the_others(&self, run: Id, leg: &mut Leg<'_>) -> Result<(), StoreError> {
        for other in self.store.runs_of_event(leg.kept.workspace, leg.kept.id).await? {
            if other.id != run {
                leg.open |= matches!(other.state, RunState::Waiting | RunState::Queued | RunState::Running);
                leg.failed |= other.state == RunState::Failed;
            }
        }
        Ok(())
    }
}

/// Whether a run that waits for this is to be found when the contact says or does something, or when its turn comes.
pub(crate) fn hears(kind: &str) -> bool {
    kind == ASK || kind == TURN || kind == pointsman_core::run::WAIT
}

/// Whether another run's question stands in this conversation: then this one's has to wait, for an answer would be anybody's.
pub(crate) fn another_asks(view: &View, run: Id) -> bool {
    view.conversation.waits.iter().any(|w| w.run != run && w.kind == ASK)
}

impl Engine {
    /// After a commit: when nobody asks any more, the oldest run that wants to has its turn.
    pub(crate) fn next_turn(&self, workspace: Id, view: &View) {
        let waits = &view.conversation.waits;
        let next = waits.iter().find(|w| w.kind == TURN).filter(|_| waits.iter().all(|w| w.kind != ASK));
        if let Some(next) = next {
            self.put(view.conversation_ref.id.0, Job::Resume { workspace, run: next.run });
        }
    }
}
