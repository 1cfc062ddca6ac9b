//! The writer's connection to Postgres. One transaction a batch, one statement a sheet. Inside it, in this order: the shards that
//! this host writes for are checked and locked against being taken over; the conversations are locked, in the order of their ids,
//! so that their timelines and the numbers of their events (`event.seq`) have one order on every host; hashes of events are kept,
//! which shows those that are new.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use sqlx::postgres::{PgConnectOptions, PgConnection};
use sqlx::{AssertSqlSafe, Connection as _, Executor as _, Row as _};

use super::{ASK, BEGIN, COMMITTED, PATIENCE, bound, connect, numbered, sheet_query};
use crate::batch::{Batch, Heads, gather};
use crate::db::Committed;
use crate::db::fault::Fault;
use crate::lease::{Hold, Leases};
use crate::op::Op;
use crate::sheet::{ALL, Arg, Sheet};
use crate::types::{Result, StoreError};

/// How often a transaction that met another is tried again.
const AGAIN: u32 = 8;

const FENCES: &str = "select shard,fence from lane_lease where holder=$1 \
    and (shard,fence) in (select * from unnest($2::bigint[],$3::bigint[])) order by shard for share";

/// Events of webhooks that were read late take over their webhook's place.
const PLACES: &str = "update event set seq=k.seq from unnest($1::bigint[],$2::bigint[]) v(ws,id),webhook k \
                      where event.ws=v.ws and event.id=v.id and k.ws=event.ws and k.id=event.webhook";

pub(crate) const HASHES: &str = "with v(ws,span,h,event) as (select * from unnest($1::bigint[],$2::bigint[],$3::bytea[],$4::bigint[])) \
    insert into dedupe(ws,span,h,event) select v.ws,v.span,v.h,v.event from v where not exists \
    (select 1 from dedupe d where d.ws=v.ws and d.h=v.h and d.span in (v.span-1,v.span-2)) order by v.ws,v.span,v.h \
    on conflict do nothing returning ws,h";

pub(crate) const HEADS: &str = "select c.id,c.last,c.thread is null from conversation c \
    where (c.ws,c.id) in (select * from unnest($1::bigint[],$2::bigint[])) order by c.ws,c.id for update";

/// The writer's connection.
pub(crate) struct Pen {
    options: PgConnectOptions,
    connection: Option<PgConnection>,
    leases: Option<Arc<Leases>>,
    /// How long is waited for the answer whether a commit took place: by then another host has the lanes.
    patience: Duration,
}

impl Pen {
    pub(super) fn new(options: PgConnectOptions, connection: PgConnection, leases: Option<Arc<Leases>>) -> Self {
        let patience = leases.as_ref().map_or(PATIENCE, |leases| leases.term()) * 2;
        Self { options, connection: Some(connection), leases, patience }
    }

    pub(crate) async fn commit(&mut self, ops: &[Op]) -> Result<Committed, Fault> {
        let mut tries = 0;
        loop {
            let fault = match self.once(ops).await {
                Ok(committed) => return Ok(committed),
                Err(fault) => fault,
            };
            match fault {
                Fault::Again(_) if tries < AGAIN => tokio::time::sleep(Duration::from_millis(2 << tries)).await,
                // Nothing was committed; perhaps Postgres was started anew.
                Fault::Lost(_) if tries == 0 => {}
                fault => return Err(fault),
            }
            tries += 1;
        }
    }

    pub(crate) async fn close(self) {
        if let Some(connection) = self.connection
            && let Err(e) = connection.close().await
        {
            tracing::warn!(error = %e, "the writer's connection did not close cleanly");
        }
    }

    /// One transaction, unless the connection breaks before its end.
    async fn once(&mut self, ops: &[Op]) -> Result<Committed, Fault> {
        let mut connection = match self.connection.take() {
            Some(connection) => connection,
            None => connect(&self.options).await.map_err(Fault::All)?,
        };
        let written = match begin(&mut connection).await {
            Ok(transaction) => write(&mut connection, ops, self.leases.as_deref()).await.map(|done| (transaction, done)),
            Err(fault) => Err(fault),
        };
        let (transaction, (committed, kept)) = match written {
            Ok(written) => written,
            Err(fault) => {
                if !matches!(fault, Fault::Lost(_)) && connection.execute("rollback").await.is_ok() {
                    self.connection = Some(connection);
                }
                return Err(fault);
            }
        };
        let end = match (&self.leases, kept) {
            (Some(leases), true) => format!("select pg_notify('{}','{}');commit", super::CHANNEL, leases.token()),
            _ => "commit".to_owned(),
        };
        match sqlx::raw_sql(AssertSqlSafe(end)).execute(&mut connection).await.map_err(Fault::from) {
            Ok(_) => self.connection = Some(connection),
            Err(fault @ Fault::Lost(_)) => {
                drop(connection);
                if !self.took_place(&transaction, &fault.meaning()).await? {
                    return Err(Fault::Lost(StoreError::Disk("Postgres went away".to_owned())));
                }
            }
            Err(fault) => {
                if connection.execute("rollback").await.is_ok() {
                    self.connection = Some(connection);
                }
                return Err(fault);
            }
        }
        if let Some(leases) = self.leases.as_ref().filter(|_| kept) {
            leases.kept.notify_one();
        }
        Ok(committed)
    }

    /// Whether a transaction was committed whose connection broke in the middle of it. Nobody is told anything before that is
    /// known, for a while; after that the writer goes on, and it shows later (`StoreError::Unknown`).
    async fn took_place(&mut self, transaction: &str, lost: &StoreError) -> Result<bool, Fault> {
        let began = tokio::time::Instant::now();
        while began.elapsed() < self.patience {
            tokio::time::sleep(ASK).await;
            let Ok(mut connection) = connect(&self.options).await else { continue };
            let asked = sqlx::query(AssertSqlSafe(numbered(COMMITTED))).bind(transaction).fetch_one(&mut connection).await;
            match asked.and_then(|row| row.try_get::<Option<String>, _>(0)) {
                Ok(Some(status)) if status == "in progress" => {}
                Ok(status) => {
                    self.connection = Some(connection);
                    return Ok(status.as_deref() == Some("committed"));
                }
                Err(_) => {}
            }
        }
        tracing::error!(error = %lost, "Postgres went away in the middle of a commit, and whether it took place is not known yet");
        Err(Fault::All(StoreError::Unknown(transaction.to_owned())))
    }
}

/// Begins, and gives the transaction's name.
async fn begin(c: &mut PgConnection) -> Result<String, Fault> {
    let sql = format!("{BEGIN};select pg_current_xact_id()::text");
    let rows = sqlx::raw_sql(AssertSqlSafe(sql)).fetch_all(c).await?;
    let row = rows.first().ok_or_else(|| Fault::All(StoreError::Database("a transaction without a name".to_owned())))?;
    Ok(row.try_get(0)?)
}

/// Everything between begin and commit. Says too whether there is something for the lanes.
async fn write(c: &mut PgConnection, ops: &[Op], leases: Option<&Leases>) -> Result<(Committed, bool), Fault> {
    let mut refused = match leases {
        Some(leases) => fenced(c, ops, leases).await?,
        None => vec![None; ops.len()],
    };
    let heads = lock_conversations(c, ops, &mut refused).await?;
    let known = keep_hashes(c, ops.iter().zip(&refused).filter(|(_, refused)| refused.is_none()).map(|(op, _)| op)).await?;
    let batch = gather(ops, &refused, &known, Heads::Database(heads));
    // Begin with the transaction's name, commit; fences, conversations and hashes where there are any.
    let fences = ops.iter().any(|op| op.hold.is_some());
    let hashes = ops.iter().any(|op| op.intake.as_ref().is_some_and(|intake| !intake.events.is_empty()));
    let heads = ops.iter().any(|op| conversations(op).next().is_some());
    let mut statements = 3 + usize::from(fences) + usize::from(hashes) + usize::from(heads) + batch.other.len();
    for sheet in ALL.into_iter().filter(|s| !matches!(s, Sheet::Dedupe | Sheet::WebhookEnd)) {
        statements += usize::from(put(c, &batch, sheet).await?);
    }
    if batch.holds(Sheet::WebhookRead) {
        statements += 1;
        in_their_place(c, ops).await?;
    }
    for (text, values) in &batch.other {
        sqlx::query_with(AssertSqlSafe(numbered(text)), bound(values)?).execute(&mut *c).await?;
    }
    let kept = batch.holds(Sheet::Event) || batch.holds(Sheet::Webhook);
    let answers = batch.new.into_iter().zip(refused).map(|(new, refused)| refused.map_or(Ok(new), Err));
    Ok((Committed { answers: answers.collect(), rows: batch.rows, statements }, kept))
}

/// Events of webhooks that were kept unread stand where their webhook was kept, and not behind what came after it.
async fn in_their_place(c: &mut PgConnection, ops: &[Op]) -> Result<(), Fault> {
    let read = ops.iter().filter_map(|op| op.intake.as_ref()).filter(|intake| intake.sheet == Sheet::WebhookRead);
    let (ws, ids): (Vec<i64>, Vec<i64>) = read.flat_map(|i| i.events.iter().map(|event| (i.ws, event.id))).unzip();
    sqlx::query(PLACES).bind(ws).bind(ids).execute(c).await?;
    Ok(())
}

/// Which operations are not this host's to write: those of a lane whose shard another has taken over. The others' shards cannot
/// be taken until the transaction ends.
async fn fenced(c: &mut PgConnection, ops: &[Op], leases: &Leases) -> Result<Vec<Option<StoreError>>, Fault> {
    let place = |hold: Hold| (i64::from(hold.shard), hold.fence);
    let wanted: BTreeSet<(i64, i64)> = ops.iter().filter_map(|op| op.hold).map(place).collect();
    let mut mine = HashSet::new();
    if !wanted.is_empty() {
        let (shards, fences): (Vec<i64>, Vec<i64>) = wanted.into_iter().unzip();
        let query = sqlx::query(FENCES).bind(leases.token()).bind(shards).bind(fences);
        for row in query.fetch_all(c).await? {
            mine.insert((row.try_get(0)?, row.try_get(1)?));
        }
    }
    let fenced = |op: &Op| op.hold.is_some_and(|hold| !mine.contains(&place(hold)));
    Ok(ops.iter().map(|op| fenced(op).then_some(StoreError::Fenced)).collect())
}

/// Keeps the hashes of all events that come in; gives those that were known.
async fn keep_hashes<'a>(c: &mut PgConnection, ops: impl Iterator<Item = &'a Op>) -> Result<HashSet<(i64, [u8; 16])>, Fault> {
    let mut known = HashSet::new();
    let (mut ws, mut span, mut h, mut ids) = (Vec::new(), Vec::new(), Vec::<&[u8]>::new(), Vec::new());
    for (intake, event) in ops.filter_map(|op| op.intake.as_ref()).flat_map(|i| i.events.iter().map(move |e| (i, e))) {
        if known.insert((intake.ws, event.h)) {
            ws.push(intake.ws);
            span.push(intake.span);
            h.push(&event.h);
            ids.push(event.id);
        }
    }
    if !known.is_empty() {
        for row in sqlx::query(HASHES).bind(ws).bind(span).bind(h).bind(ids).fetch_all(c).await? {
            if let Ok(h) = row.try_get::<Vec<u8>, _>(1)?.try_into() {
                known.remove(&(row.try_get(0)?, h));
            }
        }
    }
    Ok(known)
}

/// Locks the conversations in which something is done; gives the heads of their timelines. What is done in one whose contact
/// was erased, perhaps by another host and a moment ago, is refused: it was sealed with a key that is gone.
async fn lock_conversations(
    c: &mut PgConnection,
    ops: &[Op],
    refused: &mut [Option<StoreError>],
) -> Result<HashMap<i64, i64>, Fault> {
    let allowed = ops.iter().zip(refused.iter()).filter(|(_, refused)| refused.is_none());
    let wanted: BTreeSet<(i64, i64)> = allowed.flat_map(|(op, _)| conversations(op)).collect();
    let (mut heads, mut erased) = (HashMap::new(), HashSet::new());
    if !wanted.is_empty() {
        let (ws, ids): (Vec<i64>, Vec<i64>) = wanted.into_iter().unzip();
        for row in sqlx::query(HEADS).bind(ws).bind(ids).fetch_all(c).await? {
            let id: i64 = row.try_get(0)?;
            heads.insert(id, row.try_get(1)?);
            if row.try_get(2)? {
                erased.insert(id);
            }
        }
    }
    if !erased.is_empty() {
        for (op, refused) in ops.iter().zip(refused).filter(|(_, refused)| refused.is_none()) {
            *refused = conversations(op).any(|(_, id)| erased.contains(&id)).then_some(StoreError::Erased);
        }
    }
    Ok(heads)
}

/// The conversations in which an operation does something, each with its workspace.
fn conversations(op: &Op) -> impl Iterator<Item = (i64, i64)> {
    let coming = op.intake.iter().flat_map(|i| &i.events).filter_map(|e| e.link.as_ref());
    let links = coming.chain(op.rows.iter().filter_map(|r| r.link.as_ref())).map(|l| &l.conversation);
    links.chain(&op.within).map(|c| (c.workspace.0, c.id.0))
}

/// Says whether the sheet had rows.
async fn put(c: &mut PgConnection, batch: &Batch<'_>, sheet: Sheet) -> Result<bool, Fault> {
    let (text, args) = if sheet == Sheet::Touch {
        let rows: Vec<[Arg; 5]> = batch
            .touches
            .iter()
            .map(|(id, t)| [t.ws.into(), (*id).into(), t.last.into(), t.at.into(), t.inbound.into()])
            .collect();
        if rows.is_empty() {
            return Ok(false);
        }
        sheet_query(sheet, rows.len(), |row, column| rows.get(row)?.get(column))?
    } else {
        let Some(lines) = batch.sheets.get(sheet as usize).filter(|lines| !lines.is_empty()) else { return Ok(false) };
        sheet_query(sheet, lines.len(), |row, column| lines.get(row)?.get(column))?
    };
    sqlx::query_with(text, args).execute(c).await?;
    Ok(true)
}
