//! Runs and their journals. A run that ends at once is one row; one that waits appends parts to its journal.

use pointsman_core::clock::Instant;
use pointsman_core::id::{Id, WorkspaceId};
use pointsman_core::journal::{self, Entry, RunState};
use sqlx::Row as _;
use sqlx::sqlite::SqliteRow;

use crate::Store;
use crate::everywhere::workspaces_in;
use crate::fault::meaning;
use crate::keys::Sealer;
use crate::types::{Result, RunFilter, RunRow, StoreError};

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
        rest.push_str(" order by id desc limit ?");
        values.push(limit as i64);
        self.runs_where(&rest, &values, false).await
    }

    /// The runs that an event started, with their journals, in order.
    pub async fn runs_of_event(&self, ws: WorkspaceId, event: Id) -> Result<Vec<RunRow>> {
        self.runs_where(" where ws=? and event=? order by id", &[ws.0, event.0], true).await
    }

    /// Waiting runs whose time has come, with their journals, of all workspaces.
    pub async fn due_runs(&self, now: Instant, limit: usize) -> Result<Vec<RunRow>> {
        let sql = [
            &workspaces_in("run", "state<3"),
            COLUMNS,
            " join w on run.ws=w.ws where state<3 and until<=? and state=2 order by until,id limit ?",
        ];
        self.runs_asked(sql.concat(), &[now, limit as i64], true).await
    }

    pub(crate) async fn run_event(&self, ws: WorkspaceId, run: Id) -> Result<Option<Id>> {
        let query = sqlx::query("select event from run where ws=? and id=?").bind(ws.0).bind(run.0);
        let found = query.fetch_optional(&self.readers).await.map_err(|e| meaning(&e))?;
        found.map(|row| row.try_get(0).map(Id).map_err(|e| meaning(&e))).transpose()
    }

    pub(crate) async fn runs_where(&self, rest: &str, values: &[i64], whole: bool) -> Result<Vec<RunRow>> {
        self.runs_asked([COLUMNS, rest].concat(), values, whole).await
    }

    async fn runs_asked(&self, sql: String, values: &[i64], whole: bool) -> Result<Vec<RunRow>> {
        let mut query = sqlx::query(sqlx::AssertSqlSafe(sql));
        for value in values {
            query = query.bind(*value);
        }
        let mut list = Vec::new();
        for row in query.fetch_all(&self.readers).await.map_err(|e| meaning(&e))? {
            match self.read_run(&row, whole).await {
                Ok(run) => list.push(run),
                Err(StoreError::Erased) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(list)
    }

    async fn read_run(&self, row: &SqliteRow, whole: bool) -> Result<RunRow> {
        let int = |n: usize| row.try_get::<i64, _>(n).map_err(|e| meaning(&e));
        let text = |n: usize| row.try_get::<Option<String>, _>(n).map_err(|e| meaning(&e));
        let blob = |n: usize| row.try_get::<Option<Vec<u8>>, _>(n).map_err(|e| meaning(&e));
        let (ws, id) = (Id(int(0)?), Id(int(1)?));
        let conversation = self.conversation_of_row(ws.0, int(2)?).await?;
        let sealer = self.sealer(ws, conversation.as_ref(), id).await?;
        let state = int(5)?;
        let mut run = RunRow {
            workspace: ws,
            id,
            conversation,
            event: Id(int(3)?),
            workflow: text(4)?.unwrap_or_default(),
            state: run_state(state).ok_or_else(|| StoreError::Unreadable(format!("run {id} has state {state}")))?,
            until: row.try_get(6).map_err(|e| meaning(&e))?,
            waiting: text(7)?,
            reason: blob(8)?.map(|b| sealer.open_json(ws.0, "run.why", id.0, &b)).transpose()?,
            entries: Vec::new(),
        };
        if whole {
            let packed = sealer.open(ws.0, "run", id.0, &blob(9)?.unwrap_or_default())?;
            run.entries = unpack(&packed)?;
            self.read_parts(&mut run, &sealer).await?;
        }
        Ok(run)
    }

    async fn read_parts(&self, run: &mut RunRow, sealer: &Sealer) -> Result<()> {
        let query =
            sqlx::query("select seq,body from journal where ws=? and run=? order by seq").bind(run.workspace.0).bind(run.id.0);
        for part in query.fetch_all(&self.readers).await.map_err(|e| meaning(&e))? {
            let seq: i64 = part.try_get(0).map_err(|e| meaning(&e))?;
            let body: Vec<u8> = part.try_get(1).map_err(|e| meaning(&e))?;
            run.entries.extend(unpack(&sealer.open(run.workspace.0, "journal", seq, &body)?)?);
        }
        Ok(())
    }
}

fn unpack(packed: &[u8]) -> Result<Vec<Entry>> {
    journal::unpack(packed).map_err(|e| StoreError::Unreadable(e.to_string()))
}
