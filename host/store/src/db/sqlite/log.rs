//! The way of a write-ahead log into its file. Left to itself SQLite goes it inside a commit, whenever the log has grown to a bound:
//! whoever waits for that commit waits until megabytes are on the disk. Here a connection of its own goes it beside the writer,
//! often, so that little is left when the bound is met after all.

use std::sync::{Arc, OnceLock};

use sqlx::Connection as _;
use sqlx::sqlite::SqliteConnection;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use crate::db::fault::Fault;
use crate::types::StoreError;

/// Pages of the log, as they are estimated, after which it is written into its file.
const PAGES: usize = 1_000;

/// Pages that a commit writes beside one for each of its rows: a row's indexes, and what all share.
const OF_A_COMMIT: usize = 4;

/// The log of one file.
pub(super) struct Log {
    /// Pages since it was last called for.
    grown: usize,
    call: mpsc::Sender<()>,
    lost: Arc<OnceLock<StoreError>>,
    task: JoinHandle<()>,
}

impl Log {
    /// Starts with a connection of its own.
    pub(super) fn start(connection: SqliteConnection) -> Self {
        let (call, called) = mpsc::channel(1);
        let lost = Arc::new(OnceLock::new());
        let task = tokio::spawn(write_back(connection, called, Arc::clone(&lost)));
        Self { grown: 0, call, lost, task }
    }

    /// A commit wrote so many rows.
    pub(super) fn grew(&mut self, rows: usize) {
        self.grown += rows + OF_A_COMMIT;
        // Where it is still at work it will be called for by one of the next commits.
        if self.grown >= PAGES && self.call.try_send(()).is_ok() {
            self.grown = 0;
        }
    }

    /// What the disk lost on this way: nothing may be committed any more.
    pub(super) fn lost(&self) -> Option<Fault> {
        self.lost.get().cloned().map(Fault::Unsynced)
    }

    /// Ends, when what is under way is done.
    pub(super) async fn close(self) {
        drop(self.call);
        if let Err(error) = self.task.await {
            tracing::warn!(%error, "the connection that writes the log back did not close cleanly");
        }
    }
}

async fn write_back(mut connection: SqliteConnection, mut called: mpsc::Receiver<()>, lost: Arc<OnceLock<StoreError>>) {
    while called.recv().await.is_some() {
        // Passive: it waits for nobody, and nobody for it. What it cannot write back yet waits for its next time.
        match sqlx::raw_sql("pragma wal_checkpoint(passive)").execute(&mut connection).await.map_err(Fault::from) {
            Ok(_) => {}
            Err(Fault::Unsynced(error)) => {
                let _ = lost.set(error);
                // Closed without a farewell: a last checkpoint would build on what was lost.
                return;
            }
            Err(fault) => tracing::warn!(error = %fault.meaning(), "the log could not be written back; it is tried again"),
        }
    }
    if let Err(error) = connection.close().await {
        tracing::warn!(%error, "the connection that writes the log back did not close cleanly");
    }
}
