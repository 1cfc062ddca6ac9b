//! Runs and their journals. A run that ends at once is one row; one that waits appends parts to its journal.

use pointsman_core::clock::Instant;
use pointsman_core::id::{Id, WorkspaceId};
use pointsman_core::journal::{self, Entry, RunState};

use crate::Store;
use crate::db::Record;
use crate::everywhere::workspaces_in;
use crate::keys::Sealer;
use crate::lease::lane;
use crate::sheet::{ints, row};
use crate::types::{DueRun, Result, RunFilter, RunRow, StoreError};

const COLUMNS: &str = "select run.ws,id,conversation,event,workflow,state,until,waiting,why,journal from run";

fn run_state(n: i64) -> Option<RunState> {
    use RunState::{Cancelled, Done, Failed, Queued, Running, Waiting};
    [Queued, Running, Waiting, Done, Failed, Cancelled].into_iter().find(|s| *s as i64 == n)
}

impl Store {
    /// One run with its whole journal.
    pub async fn run(&self, ws: WorkspaceId, id: Id) -> Result<Option<RunRow>> {
        let found = self.runs_where(" where ws=? and id=?", &[ws.0, id.0], true).await?;
        Ok(found.into_iter().next())
    }

    /// Runs, newest first, without their journals.
    pub async fn runs(&self, ws: WorkspaceId, filter: RunFilter, limit: usize) -> Result<Vec<RunRow>> {
        let mut rest = String::from(" where ws=?");
        // In the words of the partial indexes, and with an order that the key's own index does not give: without them the few
        // failed or open runs are looked for among all.
        let (words, order) = match filter.state {
            Some(RunState::Failed) => (" and state=4", "+id"),
            Some(RunState::Queued | RunState::Running | RunState::Waiting) => (" and state<3", "+id"),
            _ => ("", "id"),
        };
        rest.push_str(words);
        let mut values = vec![ws.0];
        let wishes = [
            (" and state=?", filter.state.map(|s| s as i64)),
            (" and conversation=?", filter.conversation.map(|c| c.0)),
            (" and id<?", filter.before.map(|b| b.0)),
        ];
        for (text, value) in wishes.into_iter().filter_map(|(text, value)| value.map(|v| (text, v))) {
            rest.push_str(text);
            values.push(value);
        }
        rest.push_str(&format!(" order by {order} desc limit ?"));
        values.push(limit as i64);
        self.runs_where(&rest, &values, false).await
    }

    /// The runs that an event started, with their journals, in order.
    pub async fn runs_of_event(&self, ws: WorkspaceId, event: Id) -> Result<Vec<RunRow>> {
        self.runs_where(" where ws=? and event=? order by id", &[ws.0, event.0], true).await
    }

    /// Waiting runs of the lanes held whose time has come, of all workspaces: of each the first, at most this many, so that
    /// nobody's are behind another's ten thousand. Nothing of them is opened: whoever has his turn reads his run.
    pub async fn due_runs(&self, now: Instant, each: usize) -> Result<Vec<DueRun>> {
        let rows = self.data.rows(self.due_sql(), ints(&[now, each as i64])).await?;
        let due = |row: &Record| {
            let (workspace, run) = (row.id(0)?, row.id(1)?);
            Ok(DueRun { workspace, run, lane: lane(workspace.0, row.get(2)?) })
        };
        rows.iter().map(due).collect()
    }

    pub(crate) fn due_sql(&self) -> String {
        let mine = self.mine("r.ws,r.conversation");
        let first = format!("from run r where r.ws=w.ws and state<3 and until<=? and state=2{mine} order by until,id limit ?");
        // Each says in its own way that the inner question is asked for each workspace.
        let joined = if self.shared() {
            format!("cross join lateral (select r.ws,id,conversation {first}) run")
        } else {
            format!("cross join run on run.ws=w.ws and run.id in (select id {first})")
        };
        [&workspaces_in("run", "state<3"), "select run.ws,run.id,run.conversation from w ", &joined].concat()
    }

    pub(crate) async fn run_event(&self, ws: WorkspaceId, run: Id) -> Result<Option<Id>> {
        let found = self.data.row("select event from run where ws=? and id=?", row![ws, run]).await?;
        found.map(|row| row.id(0)).transpose()
    }

    pub(crate) async fn runs_where(&self, rest: &str, values: &[i64], whole: bool) -> Result<Vec<RunRow>> {
        self.runs_asked([COLUMNS, rest].concat(), values, whole).await
    }

    async fn runs_asked(&self, sql: String, values: &[i64], whole: bool) -> Result<Vec<RunRow>> {
        let mut list = Vec::new();
        for row in self.data.rows(sql, ints(values)).await? {
            match self.read_run(&row, whole).await {
                Ok(run) => list.push(run),
                Err(StoreError::Erased) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(list)
    }

    async fn read_run(&self, row: &Record, whole: bool) -> Result<RunRow> {
        let (ws, id) = (row.id(0)?, row.id(1)?);
        let conversation = self.conversation_of_row(ws.0, row.get(2)?).await?;
        let sealer = self.sealer(ws, conversation.as_ref(), id).await?;
        let state = row.get(5)?;
        let mut run = RunRow {
            workspace: ws,
            id,
            conversation,
            event: row.id(3)?,
            workflow: row.get(4)?,
            state: run_state(state).ok_or_else(|| StoreError::Unreadable(format!("run {id} has state {state}")))?,
            until: row.get(6)?,
            waiting: row.get(7)?,
            reason: row.get::<Option<Vec<u8>>>(8)?.map(|b| sealer.open_json(ws.0, "run.why", id.0, &b)).transpose()?,
            entries: Vec::new(),
        };
        if whole {
            let packed = sealer.open(ws.0, "run", id.0, &row.get::<Vec<u8>>(9)?)?;
            run.entries = unpack(&packed)?;
            self.read_parts(&mut run, &sealer).await?;
        }
        Ok(run)
    }

    async fn read_parts(&self, run: &mut RunRow, sealer: &Sealer) -> Result<()> {
        let sql = "select seq,body from journal where ws=? and run=? order by seq";
        for part in self.data.rows(sql, row![run.workspace, run.id]).await? {
            let body: Vec<u8> = part.get(1)?;
            run.entries.extend(unpack(&sealer.open(run.workspace.0, "journal", part.get(0)?, &body)?)?);
        }
        Ok(())
    }
}

fn unpack(packed: &[u8]) -> Result<Vec<Entry>> {
    journal::unpack(packed).map_err(|e| StoreError::Unreadable(e.to_string()))
}
