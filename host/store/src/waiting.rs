//! What a person says to a run that waits: an approval, a refusal, or that it is over. It is written into the run's journal and
//! makes the run due; the host that has the conversation's lane takes it from there. So it holds beside a host that runs on the
//! same files, across a restart, and counts once. Here too: a conversation that people give back to the workflows.

use pointsman_core::clock::Instant;
use pointsman_core::failure::{Class, Failure};
use pointsman_core::id::{Id, WorkspaceId};
use pointsman_core::journal::{self, Entry, RunState};
use pointsman_core::run::Wake;

use crate::Store;
use crate::db::Transaction;
use crate::sheet::row;
use crate::types::{Result, RunRow};

/// What a failed run waits for whose caller has its failure: nothing of its own. It goes on when its caller is tried again.
pub const CALLER: &str = "caller";

/// What a run waits for that was told something and did not have its turn yet.
pub const TOLD: &str = "told";

impl Store {
    /// Runs of a workspace that wait for this, oldest first, with their journals.
    pub async fn runs_waiting_for(&self, ws: WorkspaceId, kind: &str, limit: usize) -> Result<Vec<RunRow>> {
        let mut list = Vec::new();
        let sql = "select id from run where ws=? and state<3 and state=2 and waiting=? order by id limit ?";
        for found in self.data.rows(sql, row![ws, kind.to_owned(), limit as i64]).await? {
            list.extend(self.run(ws, found.id(0)?).await?);
        }
        Ok(list)
    }

    /// Tells a waiting run something. `kind` is what it must wait for now; empty: anything. The inner error is a refusal:
    /// `run.unknown`, `run.not_waiting`.
    pub async fn tell_run(
        &self,
        ws: WorkspaceId,
        id: Id,
        kind: &'static str,
        actor: &str,
        action: &'static str,
        wake: Wake,
    ) -> Result<std::result::Result<(), Failure>> {
        let Some(found) = self.run(ws, id).await? else {
            return Ok(Err(refusal("run.unknown", format!("there is no run {id}"))));
        };
        let key = found.entries.iter().rev().find_map(|entry| match entry {
            Entry::Waiting { key, .. } => Some(key.clone()),
            _ => None,
        });
        let entry = Entry::Told { key: key.unwrap_or_default(), wake: Box::new(wake) };
        let sealer = self.sealer(ws, found.conversation.as_ref(), id).await?;
        let seq = self.ids.next(self.clock.now());
        let part = sealer.seal(ws.0, "journal", seq.0, &journal::pack(&[entry]))?;
        let waiting = found.waiting.unwrap_or_default();
        if found.state != RunState::Waiting || waiting == TOLD || !(kind.is_empty() || waiting == kind) {
            return Ok(Err(not_waiting(id, kind)));
        }
        let (actor, now) = (actor.to_owned(), self.clock.now());
        self.alone(ws, move |store, c| {
            Box::pin(async move { store.told(c, ws, id, kind, &waiting, (seq, part), now, (&actor, action)).await })
        })
        .await
    }

    /// Gives a conversation that people have back to the workflows. The inner error is a refusal: `conversation.unknown`,
    /// `conversation.not_handed_off`.
    pub async fn hand_back(&self, ws: WorkspaceId, id: Id, actor: &str) -> Result<std::result::Result<(), Failure>> {
        let Some(conversation) = self.conversation(ws, id).await? else {
            return Ok(Err(refusal("conversation.unknown", format!("there is no conversation {id}"))));
        };
        let mut body = self.conversation_body(&conversation).await?;
        if !body.silenced {
            return Ok(Err(refusal("conversation.not_handed_off", format!("the workflows have conversation {id} already"))));
        }
        body.silenced = false;
        let sealed = conversation.sealer()?.seal_json(ws.0, "conversation.body", id.0, &body)?;
        let actor = actor.to_owned();
        self.alone(ws, move |store, c| {
            Box::pin(async move {
                c.run("update conversation set body=? where ws=? and id=?", row![sealed, ws, id]).await?;
                store.audit_within(c, ws, &actor, "conversation.handback", &id.to_string()).await?;
                Ok(Ok(()))
            })
        })
        .await
    }

    /// Inside the transaction: looks again, now that nobody else can write.
    #[expect(clippy::too_many_arguments, reason = "one transaction, told whole")]
    async fn told(
        &self,
        c: &mut Transaction<'_>,
        ws: WorkspaceId,
        id: Id,
        kind: &str,
        waiting: &str,
        (seq, part): (Id, Vec<u8>),
        now: Instant,
        (actor, action): (&str, &str),
    ) -> Result<std::result::Result<(), Failure>> {
        let still = "select until from run where ws=? and id=? and state=2 and waiting=?";
        if c.hold_one(still, row![ws, id, waiting.to_owned()]).await?.is_none() {
            return Ok(Err(not_waiting(id, kind)));
        }
        c.run("update run set until=?,waiting=? where ws=? and id=?", row![now, TOLD, ws, id]).await?;
        c.run("insert into journal(ws,run,seq,body) values (?,?,?,?)", row![ws, id, seq, part]).await?;
        self.audit_within(c, ws, actor, action, &id.to_string()).await?;
        Ok(Ok(()))
    }
}

fn not_waiting(id: Id, kind: &str) -> Failure {
    let what = if kind.is_empty() { "anything".to_owned() } else { format!("`{kind}`") };
    refusal(
        "run.not_waiting",
        format!("run {id} does not wait for {what} any more; `pointsman run show {id}` says how it stands"),
    )
}

fn refusal(code: &str, message: String) -> Failure {
    Failure::new(Class::Permanent, code, message)
}
