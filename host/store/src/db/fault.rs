//! The databases' faults in our words.

use sqlx::error::DatabaseError;
use sqlx::postgres::PgDatabaseError;

use crate::types::StoreError;

/// Why a commit failed.
pub(crate) enum Fault {
    /// One of its operations cannot be: the others may go through without it.
    One(StoreError),
    /// The disk or the database refuses: repeating operations one at a time is no use.
    All(StoreError),
    /// It met another transaction; the same may go through in a moment.
    Again(StoreError),
    /// The connection broke.
    Lost(StoreError),
    /// The disk did not bring to itself what it had taken. The system forgets what it could not write, and says so once: a later
    /// success would mean nothing.
    Unsynced(StoreError),
}

impl Fault {
    pub(crate) fn meaning(self) -> StoreError {
        match self {
            Self::One(error) | Self::All(error) | Self::Again(error) | Self::Lost(error) | Self::Unsynced(error) => error,
        }
    }
}

impl From<sqlx::Error> for Fault {
    fn from(error: sqlx::Error) -> Self {
        let kind = match &error {
            sqlx::Error::Database(e) => match state(e.as_ref()) {
                // SQLITE_IOERR_FSYNC and SQLITE_IOERR_DIR_FSYNC.
                State::Sqlite(10) if matches!(e.code().as_deref(), Some("1034" | "1290")) => Self::Unsynced,
                State::Sqlite(1 | 19 | 20 | 18) => Self::One,
                State::Sqlite(_) => Self::All,
                State::Postgres(code) => match code.get(..2) {
                    _ if matches!(code, "40001" | "40P01" | "55P03") => Self::Again,
                    // It shuts down, starts up, or has become a copy that only reads; or we stood still for too long.
                    _ if matches!(code, "57P01" | "57P02" | "57P03" | "25006" | "25P03") => Self::Lost,
                    Some("08") => Self::Lost,
                    Some("22" | "23" | "42") => Self::One,
                    _ => Self::All,
                },
            },
            sqlx::Error::Encode(_) => Self::One,
            sqlx::Error::Io(_) | sqlx::Error::Protocol(_) => Self::Lost,
            _ => Self::All,
        };
        kind(meaning(&error))
    }
}

/// What the triggers of both schemas say of something that was sealed under a key which was replaced.
const STALE: &str = "stale_key";

/// What the database calls a fault.
enum State<'a> {
    /// A primary result code.
    Sqlite(i64),
    /// An SQLSTATE.
    Postgres(&'a str),
}

fn state(e: &dyn DatabaseError) -> State<'_> {
    match e.try_downcast_ref::<PgDatabaseError>() {
        Some(e) => State::Postgres(e.code()),
        None => State::Sqlite(e.code().and_then(|c| c.parse::<i64>().ok()).map_or(1, |c| c & 0xff)),
    }
}

/// The database's words as ours: constraints by what they mean (STYLE, habit 7).
pub(crate) fn meaning(error: &sqlx::Error) -> StoreError {
    match error {
        sqlx::Error::Database(e) if e.message() == STALE => StoreError::StaleKey,
        sqlx::Error::Database(e) => match state(e.as_ref()) {
            State::Sqlite(19) => StoreError::Taken(taken(e.message()).to_owned()),
            State::Postgres("23505") => StoreError::Taken(taken(e.constraint().unwrap_or_default()).to_owned()),
            State::Sqlite(5 | 6 | 8 | 10 | 11 | 13 | 14 | 26) => StoreError::Disk(e.message().to_owned()),
            State::Postgres(code) if matches!(code.get(..2), Some("08" | "25" | "53" | "57" | "58")) => {
                StoreError::Disk(e.message().to_owned())
            }
            _ => StoreError::Database(e.message().to_owned()),
        },
        sqlx::Error::Io(e) => StoreError::Disk(e.to_string()),
        sqlx::Error::Tls(e) => StoreError::Disk(e.to_string()),
        sqlx::Error::Protocol(e) => StoreError::Disk(e.clone()),
        sqlx::Error::PoolTimedOut => StoreError::Disk("no connection to the database in time".to_owned()),
        sqlx::Error::WorkerCrashed | sqlx::Error::PoolClosed => StoreError::Closed,
        other => StoreError::Database(other.to_string()),
    }
}

/// By SQLite's words (`UNIQUE constraint failed: send.ws, send.key`) or the name of Postgres' constraint (`send_key`).
fn taken(broken: &str) -> &'static str {
    const MEANINGS: [(&str, &str); 9] = [
        ("dedupe", "this event"),
        ("send.ws, send.key", "a send with this key"),
        ("send_key", "a send with this key"),
        ("send.id", "this send"),
        ("send_pkey", "this send"),
        ("run.id", "this run"),
        ("run_pkey", "this run"),
        ("workflow", "this workflow version"),
        ("data_key", "this key"),
    ];
    MEANINGS.into_iter().find(|(part, _)| broken.contains(part)).map_or("such a row", |(_, meaning)| meaning)
}
