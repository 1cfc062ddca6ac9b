//! The one writer of a database. Operations of all kinds come through a bounded channel; whatever waits is taken, up to
//! [`BATCH`] of them, and committed together; then each is answered. It never waits for a batch to fill: the number in
//! flight makes the batches.
//!
//! A commit costs one hop to the connection's thread (two when it holds webhooks), because hops and not SQL are what is
//! expensive: `begin`, all statements and `commit` are one text. A failed batch is rolled back and its operations are
//! repeated one at a time, so that one bad operation cannot fail the others; when the disk refuses, all are answered with the
//! error and the writer goes on.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::RwLock;
use sqlx::sqlite::{SqliteArguments, SqliteConnection};
use sqlx::{Arguments, AssertSqlSafe, Connection, Row as _};
use tokio::sync::{mpsc, oneshot};

use crate::batch::{Batch, add, arguments, gather, size_of, sizes};
use crate::fault::{meaning, refuses_all};
use crate::op::Op;
use crate::sheet::{self, ALL, Arg, SHEETS};
use crate::types::{Result, Stats, StoreError};

/// Operations in one commit at most.
const BATCH: usize = 256;

/// How often everybody else has a turn before a commit is put together.
const LET_OTHERS_RUN: usize = 2;

/// Operations that may wait. Whoever comes later waits with them in its hands: that is the back-pressure.
const QUEUE: usize = 1_024;

struct Asked {
    op: Op,
    answer: oneshot::Sender<Result<Vec<bool>>>,
}

/// The door to the writer.
pub(crate) struct Writer {
    ops: RwLock<Option<mpsc::Sender<Asked>>>,
    counters: Arc<Counters>,
}

#[derive(Default)]
struct Counters {
    commits: AtomicU64,
    operations: AtomicU64,
    rows: AtomicU64,
    repeats: AtomicU64,
}

impl Writer {
    /// Starts the writer on its connection. It ends when the door is closed or dropped.
    pub(crate) fn start(connection: SqliteConnection) -> (Self, tokio::task::JoinHandle<()>) {
        let (ops, inbox) = mpsc::channel(QUEUE);
        let counters = Arc::new(Counters::default());
        let task = Task { connection, counters: counters.clone(), texts: HashMap::new() };
        (Self { ops: RwLock::new(Some(ops)), counters }, tokio::spawn(task.run(inbox)))
    }

    /// Takes no more; what was asked before is still done.
    pub(crate) fn close(&self) {
        self.ops.write().take();
    }

    /// Commits an operation. The answer says for each event of its intake whether it was new.
    pub(crate) async fn commit(&self, op: Op) -> Result<Vec<bool>> {
        let (answer, answered) = oneshot::channel();
        let ops = self.ops.read().clone().ok_or(StoreError::Closed)?;
        ops.send(Asked { op, answer }).await.map_err(|_| StoreError::Closed)?;
        answered.await.map_err(|_| StoreError::Closed)?
    }

    pub(crate) fn stats(&self) -> Stats {
        let read = |n: &AtomicU64| n.load(Ordering::Relaxed);
        let c = &self.counters;
        Stats {
            commits: read(&c.commits),
            operations: read(&c.operations),
            rows: read(&c.rows),
            repeats: read(&c.repeats),
            key_commits: 0,
        }
    }
}

struct Task {
    connection: SqliteConnection,
    counters: Arc<Counters>,
    /// Texts by the sizes of their sheets (0: absent), made once.
    texts: HashMap<([u8; SHEETS], bool, bool), Arc<str>>,
}

impl Task {
    async fn run(mut self, mut inbox: mpsc::Receiver<Asked>) {
        let mut waiting: Vec<Asked> = Vec::with_capacity(BATCH);
        loop {
            if waiting.is_empty() && inbox.recv_many(&mut waiting, BATCH).await == 0 {
                break;
            }
            // Whoever is ready to run now, runs first: those just answered bring their next operation, and the commit holds
            // half as many again (measured: 40 operations a commit without this, 64 with it, at 64 in flight). Nobody is
            // waited for: on an idle machine this takes a microsecond.
            for _ in 0..LET_OTHERS_RUN {
                tokio::task::yield_now().await;
            }
            while waiting.len() < BATCH {
                match inbox.try_recv() {
                    Ok(asked) => waiting.push(asked),
                    Err(_) => break,
                }
            }
            let rest = waiting.split_off(together(&waiting));
            let batch = std::mem::replace(&mut waiting, rest);
            self.serve(batch).await;
        }
        if let Err(e) = self.connection.close().await {
            tracing::warn!(error = %e, "the writer's connection did not close cleanly");
        }
    }

    async fn serve(&mut self, batch: Vec<Asked>) {
        let (ops, answers): (Vec<Op>, Vec<_>) = batch.into_iter().map(|a| (a.op, a.answer)).unzip();
        match self.commit(&ops).await {
            Ok(news) => {
                for (answer, new) in answers.into_iter().zip(news) {
                    let _ = answer.send(Ok(new));
                }
            }
            Err(error) if ops.len() == 1 || refuses_all(&error) => {
                let error = meaning(&error);
                tracing::error!(error = %error, operations = ops.len(), "a commit failed; nothing of it was kept");
                for answer in answers {
                    let _ = answer.send(Err(error.clone()));
                }
            }
            Err(_) => {
                self.counters.repeats.fetch_add(1, Ordering::Relaxed);
                for (op, answer) in ops.into_iter().zip(answers) {
                    let result = self.commit(std::slice::from_ref(&op)).await;
                    let result = result.map(|mut n| n.pop().unwrap_or_default());
                    let _ = answer.send(result.map_err(|e| meaning(&e)));
                }
            }
        }
    }

    /// One transaction. On an error nothing of it remains, on disk or in memory.
    async fn commit(&mut self, ops: &[Op]) -> Result<Vec<Vec<bool>>, sqlx::Error> {
        let begun = ops.iter().any(|op| op.intake.as_ref().is_some_and(|i| !i.events.is_empty()));
        let known = if begun { self.begin_and_ask(ops).await } else { Ok(HashSet::new()) };
        let mut batch = match known {
            Ok(known) => gather(ops, &known),
            Err(error) => {
                self.roll_back().await;
                return Err(error);
            }
        };
        if batch.rows == 0 && !begun {
            return Ok(batch.new);
        }
        match self.write(&batch, begun).await {
            Ok(()) => {
                self.counters.commits.fetch_add(1, Ordering::Relaxed);
                self.counters.operations.fetch_add(ops.len() as u64, Ordering::Relaxed);
                self.counters.rows.fetch_add(batch.rows as u64, Ordering::Relaxed);
                ops.iter().flat_map(|op| &op.births).for_each(|b| b.set_done());
                Ok(std::mem::take(&mut batch.new))
            }
            Err(error) => {
                for (conversation, head) in batch.heads.iter().rev() {
                    conversation.set_head(*head);
                }
                self.roll_back().await;
                Err(error)
            }
        }
    }

    async fn roll_back(&mut self) {
        // "no transaction is active" is the answer when SQLite has rolled back by itself.
        let _ = sqlx::query("rollback").persistent(false).execute(&mut self.connection).await;
    }

    /// Begins, and asks which hashes are known: inside the transaction, so nobody can come between.
    async fn begin_and_ask(&mut self, ops: &[Op]) -> Result<HashSet<(i64, [u8; 16])>, sqlx::Error> {
        let intakes = ops.iter().filter_map(|op| op.intake.as_ref());
        let hashes: Vec<(i64, i64, [u8; 16])> = intakes.flat_map(|i| i.events.iter().map(|e| (i.ws, i.span, e.h))).collect();
        let mut known = HashSet::new();
        let mut left = hashes.as_slice();
        let mut first = true;
        while !left.is_empty() {
            let size = sheet::size_for(left.len());
            let (now, later) = left.split_at(size.min(left.len()));
            let mut args = SqliteArguments::default();
            for (ws, span, h) in now {
                add(&mut args, &Arg::Int(*ws))?;
                add(&mut args, &Arg::Int(*span))?;
                args.add(h.as_slice()).map_err(sqlx::Error::Encode)?;
            }
            (0..(size - now.len()) * 3).try_for_each(|_| add(&mut args, &Arg::Null))?;
            left = later;
            let text = known_text(size, std::mem::take(&mut first));
            for found in sqlx::query_with(AssertSqlSafe(text), args).fetch_all(&mut self.connection).await? {
                if let Ok(h) = found.try_get::<Vec<u8>, _>(1)?.try_into() {
                    known.insert((found.try_get(0)?, h));
                }
            }
        }
        Ok(known)
    }

    async fn write(&mut self, batch: &Batch<'_>, begun: bool) -> Result<(), sqlx::Error> {
        let largest = batch.sheets.iter().map(Vec::len).max().unwrap_or(0);
        if largest <= 192 && batch.other.is_empty() {
            // The usual case: one text from begin to commit, one hop.
            let sizes = sizes(batch, 0);
            let text = self.text(sizes, !begun, true);
            let args = arguments(batch, sizes, 0)?;
            sqlx::query_with(AssertSqlSafe(text), args).execute(&mut self.connection).await?;
            return Ok(());
        }
        if !begun {
            sqlx::query("begin immediate").persistent(false).execute(&mut self.connection).await?;
        }
        let mut from = 0;
        while from < largest {
            let sizes = sizes(batch, from);
            let text = self.text(sizes, false, false);
            let args = arguments(batch, sizes, from)?;
            sqlx::query_with(AssertSqlSafe(text), args).execute(&mut self.connection).await?;
            from += 192;
        }
        for (text, values) in &batch.other {
            let mut args = SqliteArguments::default();
            values.iter().try_for_each(|v| add(&mut args, v))?;
            sqlx::query_with(*text, args).execute(&mut self.connection).await?;
        }
        sqlx::query("commit").persistent(false).execute(&mut self.connection).await?;
        Ok(())
    }

    fn text(&mut self, sizes: [u8; SHEETS], begin: bool, commit: bool) -> Arc<str> {
        let make = || {
            let mut sql = String::new();
            if begin {
                sql.push_str("begin immediate;");
            }
            for (sheet, size) in ALL.into_iter().zip(sizes) {
                if let Some(rows) = size_of(size) {
                    sheet::statement(&mut sql, sheet, rows);
                }
            }
            if commit {
                sql.push_str("commit;");
            }
            Arc::from(sql)
        };
        if self.texts.len() > 4_096 {
            self.texts.clear();
        }
        self.texts.entry((sizes, begin, commit)).or_insert_with(make).clone()
    }
}

/// How many of the waiting operations may share a commit: up to the first that touches a row which an earlier one touches.
fn together(waiting: &[Asked]) -> usize {
    let mut seen = HashSet::new();
    for (n, asked) in waiting.iter().enumerate() {
        let keys = || asked.op.rows.iter().filter_map(|r| r.key).chain(asked.op.claims.iter().copied());
        if keys().any(|k| seen.contains(&k)) {
            return n;
        }
        seen.extend(keys());
    }
    waiting.len()
}

/// Asks which (workspace, hash) stand in the present span or the two before.
fn known_text(size: usize, begin: bool) -> String {
    let mut sql = String::from(if begin { "begin immediate;" } else { "" });
    sql.push_str("with v(ws,span,h) as (values ");
    sheet::values(&mut sql, size, 3);
    sql.push_str(
        ") select v.ws,v.h from v where exists (select 1 from dedupe d where d.ws=v.ws and d.h=v.h \
         and d.span in (v.span,v.span-1,v.span-2))",
    );
    sql
}
