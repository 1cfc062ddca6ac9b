//! The database's faults in our words.

use crate::types::StoreError;

/// Whether the fault is the disk's or the database's, so that repeating operations one at a time is no use.
pub(crate) fn refuses_all(error: &sqlx::Error) -> bool {
    match error {
        sqlx::Error::Database(e) => !matches!(primary_code(e.as_ref()), Some(1 | 19 | 20 | 18)),
        sqlx::Error::Encode(_) => false,
        _ => true,
    }
}

fn primary_code(e: &dyn sqlx::error::DatabaseError) -> Option<i64> {
    e.code().and_then(|c| c.parse::<i64>().ok()).map(|c| c & 0xff)
}

/// The database's words as ours: constraints by what they mean (STYLE, habit 7).
pub(crate) fn meaning(error: &sqlx::Error) -> StoreError {
    match error {
        sqlx::Error::Database(e) => match primary_code(e.as_ref()) {
            Some(19) => StoreError::Taken(taken(e.message()).to_owned()),
            Some(5 | 6 | 8 | 10 | 11 | 13 | 14 | 26) => StoreError::Disk(e.message().to_owned()),
            _ => StoreError::Database(e.message().to_owned()),
        },
        sqlx::Error::Io(e) => StoreError::Disk(e.to_string()),
        sqlx::Error::WorkerCrashed | sqlx::Error::PoolClosed => StoreError::Closed,
        other => StoreError::Database(other.to_string()),
    }
}

fn taken(message: &str) -> &'static str {
    const MEANINGS: [(&str, &str); 6] = [
        ("dedupe", "this event"),
        ("send.ws, send.key", "a send with this key"),
        ("send.id", "this send"),
        ("run.id", "this run"),
        ("workflow.", "this workflow version"),
        ("data_key", "this key"),
    ];
    MEANINGS.into_iter().find(|(part, _)| message.contains(part)).map_or("such a row", |(_, meaning)| meaning)
}
