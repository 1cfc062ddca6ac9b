//! What a person says to a run that waits: an approval, a refusal, or that it is over. It is written into the run's journal and
//! makes the run due; the host that has the conversation's lane takes it from there. So it holds beside a host that runs on the
//! same files, across a restart, and counts once. Here too: a conversation that people give back to the workflows.

use pointsman_core::failure::{Class, Failure};
use pointsman_core::id::{Id, WorkspaceId};
use pointsman_core::journal::{self, Entry, RunState};
use pointsman_core::run::Wake;

use crate::Store;
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
        let seen = match self.seen(ws, id, kind).await? {
            Ok(seen) => seen,
            Err(refused) => return Ok(Err(refused)),
        };
        let key = seen.run.entries.iter().rev().find_map(|entry| match entry {
            Entry::Waiting { key, .. } => Some(key.clone()),
            _ => None,
        });
        let entry = Entry::Told { key: key.unwrap_or_default(), wake: Box::new(wake), yes: None };
        self.tell(seen, kind, entry, (actor, action)).await
    }

    /// A run that waits for this, as it stands now.
    pub(crate) async fn seen(&self, ws: WorkspaceId, id: Id, kind: &str) -> Result<std::result::Result<Seen, Failure>> {
        // Before the run is read: what is written behind it is not seen.
        let newest = self.data.row(NEWEST, row![ws, id]).await?.map_or(Ok(0), |row| row.get(0))?;
        let Some(run) = self.run(ws, id).await? else {
            return Ok(Err(refusal("run.unknown", format!("there is no run {id}"))));
        };
        let waiting = run.waiting.as_deref().unwrap_or_default();
        if run.state != RunState::Waiting || waiting == TOLD || !(kind.is_empty() || waiting == kind) {
            return Ok(Err(not_waiting(id, kind)));
        }
        Ok(Ok(Seen { run, newest }))
    }

    /// Writes down what a person says to a run, if it still stands as it was seen.
    pub(crate) async fn tell(
        &self,
        seen: Seen,
        kind: &'static str,
        entry: Entry,
        (actor, action): (&str, &'static str),
    ) -> Result<std::result::Result<(), Failure>> {
        let (ws, id) = (seen.run.workspace, seen.run.id);
        let sealer = self.sealer(ws, seen.run.conversation.as_ref(), id).await?;
        let now = self.clock.now();
        let seq = self.ids.next(now);
        let part = sealer.seal(ws.0, "journal", seq.0, &journal::pack(&[entry]))?;
        let actor = actor.to_owned();
        self.alone(ws, move |store, c| {
            Box::pin(async move {
                // Looks again, now that nobody else can write.
                let still = "select until from run where ws=? and id=? and state=2 and waiting=?";
                let waiting = seen.run.waiting.unwrap_or_default();
                let newest = c.hold_one(NEWEST, row![ws, id]).await?.map_or(Ok(0), |row| row.get::<i64>(0))?;
                if c.hold_one(still, row![ws, id, waiting]).await?.is_none() || newest != seen.newest {
                    return Ok(Err(not_waiting(id, kind)));
                }
                c.run("update run set until=?,waiting=? where ws=? and id=?", row![now, TOLD, ws, id]).await?;
                c.run("insert into journal(ws,run,seq,body) values (?,?,?,?)", row![ws, id, seq, part]).await?;
                store.audit_within(c, ws, &actor, action, &id.to_string()).await?;
                Ok(Ok(()))
            })
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
}

/// A run as it was seen by whoever tells it something.
#[derive(Debug)]
pub(crate) struct Seen {
    pub(crate) run: RunRow,
    /// The newest part of its journal.
    newest: i64,
}

const NEWEST: &str = "select seq from journal where ws=? and run=? order by seq desc limit 1";

fn not_waiting(id: Id, kind: &str) -> Failure {
    let what = if kind.is_empty() { "anything".to_owned() } else { format!("`{kind}`") };
    refusal(
        "run.not_waiting",
        format!("run {id} does not wait for {what} any more; `pointsman run show {id}` says how it stands"),
    )
}

pub(crate) fn refusal(code: &str, message: String) -> Failure {
    Failure::new(Class::Permanent, code, message)
}
