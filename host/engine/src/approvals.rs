//! What wanted a person's yes is judged once more at the moment of leaving, by what the run's journal holds: whatever became of the row since,
//! nothing leaves that a person did not approve, letter for letter, for this recipient, and no yes lets two things leave.

use pointsman_core::approval::{Place, check};
use pointsman_core::failure::{Class, Failure};
use pointsman_core::id::Id;
use pointsman_core::ports::Operation;
use pointsman_store::{SendRow, StoreError};

use crate::Engine;

impl Engine {
    /// Whether a send may leave as it stands. Most wanted no approval. The inner error is the refusal: `approval.missing`,
    /// `approval.changed`, `approval.expired`, `approval.used`.
    pub(crate) async fn approved(&self, send: &SendRow) -> Result<Result<(), Failure>, StoreError> {
        let Some(key) = &send.approval else { return Ok(Ok(())) };
        let refused = |code: &str, sentence: &str| Ok(Err(Failure::new(Class::Denied, format!("approval.{code}"), sentence)));
        let Some(run) = self.store.run(send.workspace, send.run).await? else {
            return refused("missing", "the run that was to have it approved is not there any more; nothing left, drop it");
        };
        let others = self.store.sends_of_run(send.workspace, send.run).await?;
        // Of this conversation, whose sends leave one after the other. In another one nothing can leave by it.
        let within = |send: &SendRow| send.conversation.as_ref().map(|c| c.id);
        let same =
            |other: &&SendRow| other.id != send.id && other.approval.as_ref() == Some(key) && within(other) == within(send);
        if others.iter().filter(same).any(|other| other.state.leaves()) {
            return refused("used", "the approval has let a message leave before, and counts once; nothing left, drop it");
        }
        let to = send.conversation.as_ref();
        let place = Place {
            workspace: send.workspace,
            channel: send.channel,
            conversation: to.map_or(Id(0), |c| c.id),
            peer: to.map_or("", |c| &c.thread),
            run: send.run,
            workflow: &run.workflow,
            key,
        };
        Ok(match &send.operation {
            Operation::Send(message) => check(&place, &send.path, message, &run.entries),
            _ => return refused("changed", "what was approved was a message, and this is none; nothing left, drop it"),
        })
    }
}
