//! What a contact says goes first to a run that waits for it, oldest first, and only then to the triggers (SEMANTICS,
//! section 4). Which runs wait stands in the conversation's body, which is at hand anyway: a message costs no search, and a
//! run that waits takes no memory.

use pointsman_core::event::v1;
use pointsman_core::id::Id;
use pointsman_core::journal::{Entry, RunState};
use pointsman_core::run::{ASK, Wake};
use pointsman_store::{CALLER, EventEnd, KeptEvent, RunRow, StoreError, TOLD, lane_of};

use crate::catalog::Channel;
use crate::lanes::Place;
use crate::line::Leg;
use crate::run::InHand;
use crate::step::View;
use crate::{Engine, Job};

/// What a run waits for that wants to ask while another one's question stands: its turn.
pub(crate) const TURN: &str = "turn";

/// How soon a run looks whether it is its turn, should nobody tell it.
pub(crate) const LOOK: i64 = 60_000;

/// The rule by which an event ends that a waiting run took.
pub(crate) const ANSWER: &str = "answer";

impl Engine {
    /// The oldest run of its conversation that waits for an event, woken by it, and what that run is about.
    pub(crate) async fn listener(
        &self,
        kept: &KeptEvent,
        view: &View,
        channel: &Channel,
    ) -> Result<Option<(KeptEvent, InHand)>, StoreError> {
        // One that waits for its turn has heard already what it waited for.
        for waits in view.conversation.waits.iter().filter(|waits| waits.kind != TURN) {
            // A run that was told something by a person, or ended, since its wait was written here.
            let Some(row) = self.store.run(kept.workspace, waits.run).await? else { continue };
            if row.state != RunState::Waiting || row.waiting.as_deref() != Some(&waits.kind) {
                continue;
            }
            let Some(first) = self.about(&row).await? else { continue };
            let Ok(machine) = self.rebuild(&row, &first, view, channel).await? else { continue };
            let mut root = InHand::rebuilt(machine, &row);
            let wanted = root.machine.waits().and_then(|w| w.filter).is_some_and(|f| f.takes(&kept.event, channel.word()));
            let event = v1::to_v1(&kept.event, channel.word(), &channel.account.id);
            if wanted && root.wake(Wake::of(&kept.event, event, kept.id.to_string()), self) {
                return Ok(Some((first, root)));
            }
        }
        Ok(None)
    }

    /// Goes on with a run that took an event.
    pub(crate) async fn answer(&self, kept: &KeptEvent, view: View, first: &KeptEvent, root: InHand) -> Result<(), StoreError> {
        let mut leg = Leg::new(first, view);
        leg.answer = Some((kept.id, kept.webhook, EventEnd::by(ANSWER)));
        self.leg(root, &mut leg).await?;
        self.with_the_others(&mut leg).await?;
        self.commit(leg).await
    }

    /// Wakes a run whose time has come: with what it was told, by a person or before it had to wait for its turn, else with
    /// the end of its patience.
    pub(crate) fn wake(&self, root: &mut InHand, row: &RunRow) {
        let told = row.entries.iter().rev().find_map(|entry| match entry {
            Entry::Told { key, wake, .. } => Some((key, wake)),
            _ => None,
        });
        // Without a wait it goes on from where it stood before it wanted to ask.
        let Some(waits) = root.machine.waits() else {
            // Nothing but its end can be told to it.
            if let (Some(TOLD), Some((_, Wake::Cancelled { by, reason }))) =
                (row.waiting.as_deref(), told.map(|(k, w)| (k, &**w)))
            {
                root.machine.cancel(by, reason);
            }
            return;
        };
        let heard = matches!(row.waiting.as_deref(), Some(TOLD | TURN));
        match told.filter(|(key, _)| heard && waits.key == **key) {
            Some((_, wake)) => root.wake((**wake).clone(), self),
            None => root.wake(Wake::Timeout, self),
        };
    }

    /// Other runs of the same event may still wait; the event ends with the last of them.
    pub(crate) async fn with_the_others(&self, leg: &mut Leg<'_>) -> Result<(), StoreError> {
        for other in self.store.runs_of_event(leg.kept.workspace, leg.kept.id).await? {
            if leg.runs.iter().all(|run| run.id != other.id) {
                leg.open |= matches!(other.state, RunState::Waiting | RunState::Queued | RunState::Running);
                leg.failed |= other.state == RunState::Failed && other.waiting.as_deref() != Some(CALLER);
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
            let place = Place::of(workspace, lane_of(workspace, view.conversation_ref.as_ref()));
            self.put(next.run, place, Job::Resume { workspace, run: next.run });
        }
    }
}
