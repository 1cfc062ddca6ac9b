//! A row of an answer.

use pointsman_core::id::Id;
use sqlx::postgres::{PgRow, Postgres};
use sqlx::sqlite::{Sqlite, SqliteRow};
use sqlx::{Decode, Row as _, Type};

use super::fault::meaning;
use crate::types::Result;

/// A row of an answer. Columns are read by their number.
pub(crate) enum Record {
    Sqlite(SqliteRow),
    Postgres(PgRow),
}

/// What a column may hold: 64-bit integers, text and bytes, or nothing.
pub(crate) trait Value: for<'r> Decode<'r, Sqlite> + Type<Sqlite> + for<'r> Decode<'r, Postgres> + Type<Postgres> {}

impl Value for i64 {}
impl Value for String {}
impl Value for Vec<u8> {}
impl<T: Value> Value for Option<T> {}

impl Record {
    pub(crate) fn get<T: Value>(&self, n: usize) -> Result<T> {
        match self {
            Self::Sqlite(row) => row.try_get(n),
            Self::Postgres(row) => row.try_get(n),
        }
        .map_err(|e| meaning(&e))
    }

    pub(crate) fn id(&self, n: usize) -> Result<Id> {
        self.get(n).map(Id)
    }

    pub(crate) fn flag(&self, n: usize) -> Result<bool> {
        self.get::<i64>(n).map(|v| v != 0)
    }
}
