//! Files of SQLite's: settings, migrations, read-only connections, and one for acts beside the writer.

mod log;
pub(crate) mod pen;

use std::path::Path;
use std::str::FromStr as _;
use std::sync::Arc;
use std::time::Duration;

use sqlx::sqlite::{
    SqliteArguments, SqliteAutoVacuum, SqliteConnectOptions, SqliteConnection, SqliteJournalMode, SqlitePool, SqlitePoolOptions,
    SqliteSynchronous,
};
use sqlx::{Arguments as _, AssertSqlSafe, ConnectOptions as _, Connection as _, Row as _};
use tokio::sync::{Mutex, MutexGuard};

use super::fault::meaning;
use super::{Kind, Migration, Record, Sql, missing};
use crate::sheet::{Arg, Sheet};
use crate::types::{Result, StoreError};

/// Texts that stay prepared on the writer's connection.
const PREPARED: usize = 160;

/// Pages given back to the file system in one go; the rest waits for the next time.
const VACUUM_PAGES: &str = "pragma incremental_vacuum(2000)";

const DATA: &[Migration] = &[(1, include_str!("../../migrations/sqlite/0001_init.sql"))];
const KEYS: &[Migration] = &[(1, include_str!("../../migrations/keys_sqlite/0001_init.sql"))];

/// One file, for reading and for acts.
pub(crate) struct Files {
    readers: SqlitePool,
    keeper: Mutex<Option<SqliteConnection>>,
    turn: Turn,
}

/// Who of this process writes in the file, the writer or the keeper. SQLite has a lock of its own, but who meets it taken sleeps
/// for milliseconds and looks again; between processes that is how it is.
type Turn = Arc<Mutex<()>>;

/// Pages that a connection keeps, in KiB. The writer meets the same pages again and again; a reader is content with the system's.
const WRITER_CACHE: &str = "-65536";
const CACHE: &str = "-8192";

/// Pages of the log at which a commit writes it into the file itself. [`log::Log`] has done most of it by then; what is left lets
/// the log begin anew.
const LOG_PAGES: &str = "8000";

fn options(path: &Path, kind: Kind) -> Result<SqliteConnectOptions> {
    let base = SqliteConnectOptions::from_str("sqlite:").map_err(|e| meaning(&e))?;
    let options = base
        .filename(path)
        .busy_timeout(Duration::from_secs(5))
        .disable_statement_logging()
        .statement_cache_capacity(PREPARED)
        .pragma("temp_store", "memory")
        .pragma("wal_autocheckpoint", LOG_PAGES)
        .pragma("cache_size", CACHE);
    Ok(match kind {
        Kind::Data => options.pragma("secure_delete", "fast"),
        // Keys are few and small; what is deleted among them must leave no trace in a free page.
        Kind::Keys => options.pragma("secure_delete", "on"),
    })
}

/// Opens a file, making it and bringing it up to the newest schema: its readers, and the pen of its writer.
pub(crate) async fn open(path: &Path, kind: Kind, readers: u32) -> Result<(Files, pen::Pen)> {
    let connection = open_writer(path, kind).await?;
    let pool = SqlitePoolOptions::new()
        .max_connections(readers.max(1))
        .min_connections(1)
        .test_before_acquire(false)
        .connect_with(options(path, kind)?.read_only(true))
        .await
        .map_err(|e| meaning(&e))?;
    let keeper = options(path, kind)?.connect().await.map_err(|e| meaning(&e))?;
    let log = log::Log::start(options(path, kind)?.connect().await.map_err(|e| meaning(&e))?);
    let turn = Turn::default();
    let files = Files { readers: pool, keeper: Mutex::new(Some(keeper)), turn: Arc::clone(&turn) };
    Ok((files, pen::Pen::new(connection, log, turn)))
}

async fn open_writer(path: &Path, kind: Kind) -> Result<SqliteConnection> {
    if let Some(dir) = path.parent().filter(|d| !d.as_os_str().is_empty()) {
        std::fs::create_dir_all(dir).map_err(|e| StoreError::Disk(format!("{}: {e}", dir.display())))?;
    }
    let connection = options(path, kind)?
        .create_if_missing(true)
        .page_size(8_192)
        .auto_vacuum(SqliteAutoVacuum::Incremental)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full)
        .pragma("cache_size", if kind == Kind::Data { WRITER_CACHE } else { CACHE })
        .connect()
        .await;
    let mut connection = connection.map_err(|e| meaning(&e))?;
    only_for_us(path);
    migrate(&mut connection, if kind == Kind::Data { DATA } else { KEYS }).await?;
    Ok(connection)
}

#[cfg(unix)]
fn only_for_us(path: &Path) {
    use std::os::unix::fs::PermissionsExt as _;
    if let Err(error) = std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600)) {
        tracing::warn!(%error, path = %path.display(), "cannot take the file's permissions back to its owner");
    }
}

#[cfg(not(unix))]
fn only_for_us(_: &Path) {}

/// Brings a database up to the newest schema, each migration in a transaction of its own.
async fn migrate(connection: &mut SqliteConnection, migrations: &'static [Migration]) -> Result<()> {
    let fail = |e: sqlx::Error| meaning(&e);
    sqlx::raw_sql(
        "create table if not exists schema_version (version integer primary key, at bigint not null default (unixepoch()))",
    )
    .execute(&mut *connection)
    .await
    .map_err(fail)?;
    let row =
        sqlx::query("select coalesce(max(version),0) from schema_version").fetch_one(&mut *connection).await.map_err(fail)?;
    for (version, text) in missing(migrations, row.try_get(0).map_err(fail)?)? {
        let mut step = connection.begin().await.map_err(fail)?;
        sqlx::raw_sql(*text).execute(&mut *step).await.map_err(fail)?;
        sqlx::query("insert into schema_version(version) values (?)").bind(*version).execute(&mut *step).await.map_err(fail)?;
        step.commit().await.map_err(fail)?;
    }
    Ok(())
}

/// Moves the write-ahead log into the file and empties it. `false`: a reader held it up.
async fn checkpoint(connection: &mut SqliteConnection) -> Result<bool> {
    let row = sqlx::query("pragma wal_checkpoint(truncate)").fetch_one(connection).await.map_err(|e| meaning(&e))?;
    Ok(row.try_get::<i64, _>(0).map_err(|e| meaning(&e))? == 0)
}

fn bound(values: &[Arg]) -> Result<SqliteArguments> {
    let mut args = SqliteArguments::default();
    values.iter().try_for_each(|v| add(&mut args, v)).map_err(|e| meaning(&e))?;
    Ok(args)
}

fn add(args: &mut SqliteArguments, value: &Arg) -> Result<(), sqlx::Error> {
    match value {
        Arg::Null => args.add(None::<i64>),
        Arg::Int(n) => args.add(*n),
        Arg::Word(s) => args.add(*s),
        Arg::Text(s) => args.add(s.as_str()),
        Arg::Blob(b) => args.add(b.as_slice()),
    }
    .map_err(sqlx::Error::Encode)
}

impl Files {
    pub(super) async fn rows(&self, sql: Sql, args: &[Arg]) -> Result<Vec<Record>> {
        let rows = sqlx::query_with(AssertSqlSafe(sql), bound(args)?).fetch_all(&self.readers).await;
        Ok(rows.map_err(|e| meaning(&e))?.into_iter().map(Record::Sqlite).collect())
    }

    pub(super) async fn row(&self, sql: Sql, args: &[Arg]) -> Result<Option<Record>> {
        let row = sqlx::query_with(AssertSqlSafe(sql), bound(args)?).fetch_optional(&self.readers).await;
        Ok(row.map_err(|e| meaning(&e))?.map(Record::Sqlite))
    }

    pub(super) async fn snapshot(&self) -> Result<Transaction<'_>> {
        self.readers.begin().await.map(Transaction::Reading).map_err(|e| meaning(&e))
    }

    /// Takes the write lock of the file.
    pub(super) async fn begin(&self) -> Result<Transaction<'_>> {
        let mut keeper = self.keeper.lock().await;
        let turn = self.turn.lock().await;
        run(keeper.as_mut().ok_or(StoreError::Closed)?, "begin immediate".into(), &[]).await?;
        Ok(Transaction::Writing(keeper, turn))
    }

    pub(super) async fn tend(&self) -> Result<()> {
        let mut keeper = self.keeper.lock().await;
        let keeper = keeper.as_mut().ok_or(StoreError::Closed)?;
        let _turn = self.turn.lock().await;
        sqlx::raw_sql(VACUUM_PAGES).execute(&mut *keeper).await.map_err(|e| meaning(&e))?;
        if !checkpoint(keeper).await? {
            tracing::debug!("a reader held the checkpoint up; the next one will do it");
        }
        Ok(())
    }

    /// Writes the log into its file until nothing of it is left; a reader can hold that up for a moment.
    pub(super) async fn empty_log(&self) -> Result<()> {
        let mut keeper = self.keeper.lock().await;
        let keeper = keeper.as_mut().ok_or(StoreError::Closed)?;
        for _ in 0..100 {
            let turn = self.turn.lock().await;
            if checkpoint(keeper).await? {
                return Ok(());
            }
            drop(turn);
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        Err(StoreError::Disk("the key is deleted, but a reader keeps the key store's log from being emptied; try again".into()))
    }

    /// The last connection to go empties the log and takes it away.
    pub(super) async fn close(&self) -> Result<()> {
        self.readers.close().await;
        match self.keeper.lock().await.take() {
            Some(keeper) => keeper.close().await.map_err(|e| meaning(&e)),
            None => Ok(()),
        }
    }
}

/// One moment to read from, or the write lock of the file.
pub(crate) enum Transaction<'a> {
    Reading(sqlx::Transaction<'static, sqlx::Sqlite>),
    Writing(MutexGuard<'a, Option<SqliteConnection>>, #[expect(dead_code, reason = "held until the end")] MutexGuard<'a, ()>),
}

impl Transaction<'_> {
    fn connection(&mut self) -> Result<&mut SqliteConnection> {
        match self {
            Self::Reading(transaction) => Ok(transaction),
            Self::Writing(keeper, _) => keeper.as_mut().ok_or(StoreError::Closed),
        }
    }

    pub(super) async fn rows(&mut self, sql: Sql, args: &[Arg]) -> Result<Vec<Record>> {
        let query = sqlx::query_with(AssertSqlSafe(sql), bound(args)?).persistent(false);
        let rows = query.fetch_all(self.connection()?).await.map_err(|e| meaning(&e))?;
        Ok(rows.into_iter().map(Record::Sqlite).collect())
    }

    pub(super) async fn run(&mut self, sql: Sql, args: &[Arg]) -> Result<()> {
        run(self.connection()?, sql, args).await
    }

    /// A row of a sheet.
    pub(super) async fn put(&mut self, sheet: Sheet, args: &[Arg]) -> Result<()> {
        let mut sql = String::new();
        pen::statement(&mut sql, sheet, 1);
        self.run(sql.into(), args).await
    }

    pub(super) async fn commit(mut self) -> Result<()> {
        let done = self.run("commit".into(), &[]).await;
        if done.is_err() {
            self.roll_back().await;
        }
        done
    }

    pub(super) async fn roll_back(mut self) {
        // An error is the answer when SQLite has rolled back by itself.
        let _ = self.run("rollback".into(), &[]).await;
    }
}

async fn run(connection: &mut SqliteConnection, sql: Sql, args: &[Arg]) -> Result<()> {
    let query = sqlx::query_with(AssertSqlSafe(sql), bound(args)?).persistent(false);
    query.execute(connection).await.map(|_| ()).map_err(|e| meaning(&e))
}
