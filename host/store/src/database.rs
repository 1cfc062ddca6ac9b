//! Opening the two files: settings, migrations, the pool of readers.

use std::path::Path;
use std::str::FromStr as _;
use std::time::Duration;

use sqlx::sqlite::{
    SqliteAutoVacuum, SqliteConnectOptions, SqliteConnection, SqliteJournalMode, SqlitePool, SqlitePoolOptions, SqliteSynchronous,
};
use sqlx::{ConnectOptions as _, Row as _};

use crate::fault::meaning;
use crate::types::{Result, StoreError};

/// Texts that stay prepared on the writer's connection.
const PREPARED: usize = 160;

/// One migration: its number and its text.
type Migration = (i64, &'static str);

/// Those of the data.
pub(crate) const DATA: &[Migration] = &[(1, include_str!("../migrations/sqlite/0001_init.sql"))];

/// Those of the key store.
pub(crate) const KEYS: &[Migration] = &[(1, include_str!("../migrations/keys_sqlite/0001_init.sql"))];

/// Which of the two files.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Data,
    Keys,
}

fn options(path: &Path, kind: Kind) -> Result<SqliteConnectOptions> {
    let base = SqliteConnectOptions::from_str("sqlite:").map_err(|e| meaning(&e))?;
    let options = base
        .filename(path)
        .busy_timeout(Duration::from_secs(5))
        .disable_statement_logging()
        .statement_cache_capacity(PREPARED)
        .pragma("temp_store", "memory");
    Ok(match kind {
        Kind::Data => options.pragma("cache_size", "-65536").pragma("secure_delete", "fast"),
        // Keys are few and small; what is deleted among them must leave no trace in a free page.
        Kind::Keys => options.pragma("cache_size", "-8192").pragma("secure_delete", "on"),
    })
}

/// Opens the connection of the writer, making the file and bringing it up to the newest schema.
pub(crate) async fn open_writer(path: &Path, kind: Kind) -> Result<SqliteConnection> {
    if let Some(dir) = path.parent().filter(|d| !d.as_os_str().is_empty()) {
        std::fs::create_dir_all(dir).map_err(|e| StoreError::Disk(format!("{}: {e}", dir.display())))?;
    }
    let connection = options(path, kind)?
        .create_if_missing(true)
        .page_size(8_192)
        .auto_vacuum(SqliteAutoVacuum::Incremental)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full)
        .pragma("wal_autocheckpoint", "2000")
        .connect()
        .await;
    let mut connection = connection.map_err(|e| meaning(&e))?;
    only_for_us(path);
    migrate(&mut connection, if kind == Kind::Data { DATA } else { KEYS }).await?;
    Ok(connection)
}

/// Opens read-only connections. The file must exist.
pub(crate) async fn open_readers(path: &Path, kind: Kind, count: u32) -> Result<SqlitePool> {
    let options = options(path, kind)?.read_only(true);
    SqlitePoolOptions::new()
        .max_connections(count.max(1))
        .min_connections(1)
        .test_before_acquire(false)
        .connect_with(options)
        .await
        .map_err(|e| meaning(&e))
}

/// A connection for checkpoints and the like.
pub(crate) async fn open_keeper(path: &Path, kind: Kind) -> Result<SqliteConnection> {
    options(path, kind)?.connect().await.map_err(|e| meaning(&e))
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
async fn migrate(connection: &mut SqliteConnection, migrations: &[Migration]) -> Result<()> {
    let fail = |e: sqlx::Error| meaning(&e);
    sqlx::raw_sql(
        "create table if not exists schema_version (version integer primary key, at bigint not null default (unixepoch()))",
    )
    .execute(&mut *connection)
    .await
    .map_err(fail)?;
    let row =
        sqlx::query("select coalesce(max(version),0) from schema_version").fetch_one(&mut *connection).await.map_err(fail)?;
    let found: i64 = row.try_get(0).map_err(fail)?;
    let known = migrations.last().map_or(0, |m| m.0);
    if found > known {
        return Err(StoreError::Newer { found, known });
    }
    for (version, text) in migrations.iter().filter(|m| m.0 > found) {
        let mut step = sqlx::Connection::begin(&mut *connection).await.map_err(fail)?;
        sqlx::raw_sql(*text).execute(&mut *step).await.map_err(fail)?;
        sqlx::query("insert into schema_version(version) values (?)").bind(*version).execute(&mut *step).await.map_err(fail)?;
        step.commit().await.map_err(fail)?;
    }
    Ok(())
}

/// Moves the write-ahead log into the file and empties it. `false`: a reader held it up.
pub(crate) async fn checkpoint(connection: &mut SqliteConnection) -> Result<bool> {
    let row = sqlx::query("pragma wal_checkpoint(truncate)").fetch_one(connection).await.map_err(|e| meaning(&e))?;
    Ok(row.try_get::<i64, _>(0).map_err(|e| meaning(&e))? == 0)
}
