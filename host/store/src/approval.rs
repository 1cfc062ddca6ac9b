//! A person's decision about what a run wants approved. It is about what was read, by its name, and not about whatever stands there by now;
//! it is given in time or not at all; and a yes is kept with a seal over the bytes, the recipient, the channel and the version, by which
//! the sender judges what is about to leave.

use pointsman_core::approval::{Named, Place, Yes, wanted};
use pointsman_core::failure::Failure;
use pointsman_core::id::{Id, WorkspaceId};
use pointsman_core::journal::Entry;
use pointsman_core::run::{APPROVE, Wake};

use crate::Store;
use crate::types::{Result, RunRow};
use crate::waiting::refusal;

impl Store {
    /// Decides: `yes` with the text that is said in the place of what was drafted, or no. Counts once. The inner error is a refusal:
    /// `run.unknown`, `run.not_waiting`, `approval.other`, `approval.expired`.
    pub async fn decide_approval(
        &self,
        ws: WorkspaceId,
        named: &Named,
        actor: &str,
        yes: bool,
        text: Option<&str>,
    ) -> Result<std::result::Result<(), Failure>> {
        let seen = match self.seen(ws, named.run, APPROVE).await? {
            Ok(seen) => seen,
            Err(refused) => return Ok(Err(refused)),
        };
        let list = "`pointsman approval list` shows what waits now";
        let Some(wanted) = wanted(&seen.run.entries).filter(|wanted| wanted.key.starts_with(&named.key)) else {
            let sentence = format!("the run waits for an approval of something else than {named} by now; {list}");
            return Ok(Err(refusal("approval.other", sentence)));
        };
        let at = self.clock.now();
        if seen.run.until.is_some_and(|until| until <= at) {
            return Ok(Err(refusal("approval.expired", format!("the time for {named} is over; {list}"))));
        }
        let seal = || place_of(&seen.run, wanted.key).seal(&wanted.approval.says(text));
        let entry = Entry::Told {
            key: wanted.key.to_owned(),
            wake: Box::new(Wake::Approved { approved: yes, text: text.map(str::to_owned), by: actor.to_owned() }),
            yes: yes.then(|| Yes { seal: seal(), at }),
        };
        let action = if yes { "approval.approve" } else { "approval.reject" };
        self.tell(seen, APPROVE, entry, (actor, action)).await
    }
}

/// Where a run waits for an approval.
fn place_of<'a>(run: &'a RunRow, key: &'a str) -> Place<'a> {
    let of = run.conversation.as_ref();
    Place {
        workspace: run.workspace,
        channel: of.map_or(Id(0), |c| c.channel),
        conversation: of.map_or(Id(0), |c| c.id),
        peer: of.map_or("", |c| &c.thread),
        run: run.id,
        workflow: &run.workflow,
        key,
    }
}
