//! Opening and tending the store.

use std::sync::Arc;

use parking_lot::Mutex;
use pointsman_core::clock::Clock;
use pointsman_core::id::{Id, IdMaker};
use pointsman_vault::{ContentVault, IndexKey};
use sqlx::sqlite::SqliteConnection;
use sqlx::{Connection as _, Row as _};

use crate::conversation::Conversations;
use crate::database::{Kind, checkpoint, open_keeper, open_readers, open_writer};
use crate::everywhere::workspaces_in;
use crate::fault::meaning;
use crate::keys::Keys;
use crate::op::Op;
use crate::sheet::row;
use crate::taken::Notes;
use crate::types::{Result, Stats, StoreConfig, StoreError};
use crate::webhook::SPAN;
use crate::writer::Writer;
use crate::{Inner, Store};

/// Pages given back to the file system in one go; the rest waits for the next time.
const VACUUM_PAGES: &str = "pragma incremental_vacuum(2000)";

/// What deletes dedupe hashes of spans that are over, workspace by workspace.
const FORGET_HASHES: &str = "with recursive w(ws) as (select min(ws) from dedupe union all \
    select (select min(ws) from dedupe where ws>w.ws) from w where w.ws is not null) \
    delete from dedupe where ws in (select ws from w) and span<?";

/// What deletes values whose time is over.
const FORGET_VALUES: &str = "with recursive w(ws) as (select min(ws) from state where until is not null union all \
    select (select min(ws) from state where until is not null and ws>w.ws) from w where w.ws is not null) \
    delete from state where (ws,scope,owner,key_h) in (select s.ws,s.scope,s.owner,s.key_h from w cross join state s \
    where s.ws=w.ws and s.until is not null and s.until<=?)";

impl Store {
    /// Opens both files, making them if there are none, and starts the writers. `WrongKey` when the key store was made under
    /// another master key, `NoKeys` when there is data and the key store is gone.
    pub async fn open(
        config: StoreConfig,
        content: ContentVault,
        index: IndexKey,
        clock: Arc<dyn Clock>,
        ids: Arc<IdMaker>,
    ) -> Result<Self> {
        if config.data.exists() && !config.keys.exists() {
            return Err(StoreError::NoKeys(config.keys.display().to_string()));
        }
        let mut key_connection = open_writer(&config.keys, Kind::Keys).await?;
        Keys::verify_master(&content, &mut key_connection).await?;
        let mut connection = open_writer(&config.data, Kind::Data).await?;
        let readers = open_readers(&config.data, Kind::Data, config.readers).await?;
        let key_readers = open_readers(&config.keys, Kind::Keys, config.readers.min(2)).await?;
        let keeper = open_keeper(&config.data, Kind::Data).await?;
        let key_keeper = open_keeper(&config.keys, Kind::Keys).await?;
        outrun(&mut connection, &ids).await?;
        let (writer, task) = Writer::start(connection);
        let (key_writer, key_task) = Writer::start(key_connection);
        Ok(Self(Arc::new(Inner {
            writer,
            readers,
            keys: Keys::new(content, key_writer, key_readers, config.key_cache),
            conversations: Conversations::new(config.conversations),
            index,
            clock,
            ids,
            notes: Notes::open(&config.data),
            turn: tokio::sync::Mutex::default(),
            keeper: tokio::sync::Mutex::new(Some(keeper)),
            key_keeper: tokio::sync::Mutex::new(Some(key_keeper)),
            tasks: Mutex::new(vec![task, key_task]),
        })))
    }

    /// What the writers have done since the store was opened.
    #[must_use]
    pub fn stats(&self) -> Stats {
        Stats { key_commits: self.keys.writer.stats().commits, ..self.writer.stats() }
    }

    /// Tends the files: forgets dedupe hashes and values whose time is over, empties the logs, gives free pages back. To be
    /// called every few minutes.
    pub async fn maintain(&self) -> Result<()> {
        let now = self.clock.now();
        let other = vec![(FORGET_HASHES, row![now.div_euclid(SPAN) - 2]), (FORGET_VALUES, row![now])];
        self.writer.commit(Op { other, ..Op::default() }).await?;
        let mut keeper = self.keeper.lock().await;
        let keeper = keeper.as_mut().ok_or(StoreError::Closed)?;
        sqlx::raw_sql(VACUUM_PAGES).execute(&mut *keeper).await.map_err(|e| meaning(&e))?;
        if !checkpoint(keeper).await? {
            tracing::debug!("a reader held the checkpoint up; the next one will do it");
        }
        let mut key_keeper = self.key_keeper.lock().await;
        checkpoint(key_keeper.as_mut().ok_or(StoreError::Closed)?).await.map(|_| ())
    }

    /// Waits until everything that was asked for is on disk, and ends the writers. Whatever is asked later is refused.
    pub async fn close(&self) -> Result<()> {
        self.writer.close();
        self.keys.writer.close();
        let tasks = std::mem::take(&mut *self.tasks.lock());
        for task in tasks {
            let _ = task.await;
        }
        self.readers.close().await;
        self.keys.close().await;
        // The last connection to go empties the log and takes it away.
        for keeper in [&self.keeper, &self.key_keeper] {
            if let Some(connection) = keeper.lock().await.take() {
                connection.close().await.map_err(|e| meaning(&e))?;
            }
        }
        Ok(())
    }
}

/// Makes sure that no id is given twice, even when the clock was set back since the last start.
async fn outrun(connection: &mut SqliteConnection, ids: &IdMaker) -> Result<()> {
    for table in ["webhook", "event", "run", "send", "contact", "conversation", "channel", "note", "audit"] {
        let newest = format!("select coalesce(max((select max(id) from {table} t where t.ws=w.ws)),0) from w");
        let sql = [workspaces_in(table, "true"), newest].concat();
        let row =
            sqlx::query(sqlx::AssertSqlSafe(sql)).persistent(false).fetch_one(&mut *connection).await.map_err(|e| meaning(&e))?;
        let last = Id(row.try_get(0).map_err(|e| meaning(&e))?);
        if last.0 > 0 {
            ids.next(last.made_at() + 1);
        }
    }
    Ok(())
}
