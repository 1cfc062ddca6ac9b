//! The one writer of a database. Operations of all kinds come through a bounded channel; whatever waits is taken, up to
//! [`BATCH`] of them, and committed together; then each is answered. It never waits for a batch to fill: the number in
//! flight makes the batches.
//!
//! A failed batch is rolled back and its operations are repeated one at a time, so that one bad operation cannot fail the
//! others; when the database refuses, all are answered with the error and the writer goes on. When the disk could not bring to
//! itself what it had taken (a failed `fsync`), nothing may be assumed any more: the writer ends, and tells it
//! ([`Writer::lost`]).

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::RwLock;
use tokio::sync::{Notify, mpsc, oneshot};

use crate::db::fault::Fault;
use crate::db::{Committed, Pen};
use crate::op::Op;
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
    statements: AtomicU64,
    repeats: AtomicU64,
    /// Woken when the writer ended because of the disk.
    lost: Notify,
}

impl Writer {
    /// Starts the writer with its pen. It ends when the door is closed or dropped.
    pub(crate) fn start(pen: Pen) -> (Self, tokio::task::JoinHandle<()>) {
        let (ops, inbox) = mpsc::channel(QUEUE);
        let counters = Arc::new(Counters::default());
        let task = Task { pen, counters: counters.clone() };
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

    /// Waits until the writer ends because the disk lost what it had taken. For one who waits.
    pub(crate) async fn lost(&self) {
        self.counters.lost.notified().await;
    }

    pub(crate) fn stats(&self) -> Stats {
        let read = |n: &AtomicU64| n.load(Ordering::Relaxed);
        let c = &self.counters;
        Stats {
            commits: read(&c.commits),
            operations: read(&c.operations),
            rows: read(&c.rows),
            statements: read(&c.statements),
            repeats: read(&c.repeats),
            key_commits: 0,
        }
    }
}

struct Task {
    pen: Pen,
    counters: Arc<Counters>,
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
            if !self.serve(batch).await {
                // Closed without a farewell: a last checkpoint would build on what was lost.
                self.counters.lost.notify_one();
                return;
            }
        }
        self.pen.close().await;
    }

    /// Commits a batch and answers it. False: the disk lost something.
    async fn serve(&mut self, batch: Vec<Asked>) -> bool {
        let (ops, answers): (Vec<Op>, Vec<_>) = batch.into_iter().map(|a| (a.op, a.answer)).unzip();
        match self.commit(&ops).await {
            Ok(results) => {
                for (answer, result) in answers.into_iter().zip(results) {
                    let _ = answer.send(result);
                }
            }
            Err(Fault::One(_)) if ops.len() > 1 => {
                self.counters.repeats.fetch_add(1, Ordering::Relaxed);
                for (op, answer) in ops.into_iter().zip(answers) {
                    let (result, lost) = match self.commit(std::slice::from_ref(&op)).await {
                        Ok(mut results) => (results.pop().unwrap_or(Err(StoreError::Closed)), false),
                        Err(fault) => {
                            let lost = matches!(fault, Fault::Unsynced(_));
                            (Err(fault.meaning()), lost)
                        }
                    };
                    let _ = answer.send(result);
                    if lost {
                        return false;
                    }
                }
            }
            Err(fault) => {
                let lost = matches!(fault, Fault::Unsynced(_));
                let error = fault.meaning();
                let what = if lost {
                    "fsync failed: the writer ends, for what the disk has kept is not known"
                } else {
                    "nothing of it was kept"
                };
                tracing::error!(error = %error, operations = ops.len(), what, "a commit failed");
                for answer in answers {
                    let _ = answer.send(Err(error.clone()));
                }
                return !lost;
            }
        }
        true
    }

    async fn commit(&mut self, ops: &[Op]) -> Result<Vec<Result<Vec<bool>>>, Fault> {
        let Committed { answers, rows, statements } = self.pen.commit(ops).await?;
        if rows > 0 {
            self.counters.commits.fetch_add(1, Ordering::Relaxed);
            self.counters.operations.fetch_add(ops.len() as u64, Ordering::Relaxed);
            self.counters.rows.fetch_add(rows as u64, Ordering::Relaxed);
            self.counters.statements.fetch_add(statements as u64, Ordering::Relaxed);
        }
        Ok(answers)
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
