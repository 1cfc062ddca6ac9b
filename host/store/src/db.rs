//! The databases behind the store: files of SQLite's, or Postgres. This module and what lies in it is all that names the library; the
//! nouns hold SQL with `?` for each value, and read [`Record`]s.

pub(crate) mod fault;
pub(crate) mod postgres;
mod record;
pub(crate) mod sqlite;

use std::borrow::Cow;
use std::sync::Arc;

use fault::Fault;
pub(crate) use record::Record;

use crate::lease::Leases;
use crate::op::Op;
use crate::sheet::{Arg, Sheet};
use crate::types::{Place, Result, StoreError};

/// A text of SQL: written down here, or put together from such texts. Never anybody's input.
pub(crate) type Sql = Cow<'static, str>;

/// Which of the two databases.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Data,
    Keys,
}

/// One migration: its number and its text.
pub(crate) type Migration = (i64, &'static str);

/// The migrations that a database lacks; `Newer` for one that knows more than this program.
fn missing(migrations: &'static [Migration], found: i64) -> Result<impl Iterator<Item = &'static Migration>> {
    let known = migrations.last().map_or(0, |m| m.0);
    if found > known {
        return Err(StoreError::Newer { found, known });
    }
    Ok(migrations.iter().filter(move |m| m.0 > found))
}

/// A database, open: for reading, and for acts in a transaction of their own beside the writer.
pub(crate) enum Database {
    Sqlite(sqlite::Files),
    Postgres(postgres::Server),
}

/// Whether there is anything at a place.
pub(crate) async fn exists(place: &Place) -> Result<bool> {
    match place {
        Place::Sqlite(path) => Ok(path.exists()),
        Place::Postgres(url) => postgres::exists(url).await,
    }
}

/// Opens a database, making what is missing of it, and the pen of its writer.
pub(crate) async fn open(place: &Place, kind: Kind, readers: u32, leases: Option<Arc<Leases>>) -> Result<(Database, Pen)> {
    match place {
        Place::Sqlite(path) => {
            sqlite::open(path, kind, readers).await.map(|(files, pen)| (Database::Sqlite(files), Pen::Sqlite(pen)))
        }
        Place::Postgres(url) => {
            let (server, pen) = postgres::open(url, kind, readers, leases).await?;
            Ok((Database::Postgres(server), Pen::Postgres(Box::new(pen))))
        }
    }
}

impl Database {
    /// All rows of an answer.
    pub(crate) async fn rows(&self, sql: impl Into<Sql>, args: Vec<Arg>) -> Result<Vec<Record>> {
        match self {
            Self::Sqlite(files) => files.rows(sql.into(), &args).await,
            Self::Postgres(server) => server.rows(sql.into(), &args).await,
        }
    }

    /// The first row of an answer.
    pub(crate) async fn row(&self, sql: impl Into<Sql>, args: Vec<Arg>) -> Result<Option<Record>> {
        match self {
            Self::Sqlite(files) => files.row(sql.into(), &args).await,
            Self::Postgres(server) => Ok(server.rows(sql.into(), &args).await?.into_iter().next()),
        }
    }

    /// One moment to read from: what is committed meanwhile does not show.
    pub(crate) async fn snapshot(&self) -> Result<Transaction<'_>> {
        match self {
            Self::Sqlite(files) => files.snapshot().await.map(Transaction::Sqlite),
            Self::Postgres(server) => server.snapshot().await.map(Transaction::Postgres),
        }
    }

    /// A transaction to write in. What it [holds](Transaction::hold) nobody else changes until it ends.
    pub(crate) async fn begin(&self) -> Result<Transaction<'_>> {
        match self {
            Self::Sqlite(files) => files.begin().await.map(Transaction::Sqlite),
            Self::Postgres(server) => server.begin().await.map(Transaction::Postgres),
        }
    }

    /// Waits until the database says whether a transaction of the writer took place. An error: it did not.
    pub(crate) async fn took_place(&self, transaction: &str) -> Result<()> {
        match self {
            Self::Sqlite(_) => Err(StoreError::Unknown(transaction.to_owned())),
            Self::Postgres(server) => server.took_place(transaction).await,
        }
    }

    /// Gives free room back. To be called every few minutes.
    pub(crate) async fn tend(&self) -> Result<()> {
        match self {
            Self::Sqlite(files) => files.tend().await,
            // Its own cleaner does that.
            Self::Postgres(_) => Ok(()),
        }
    }

    /// Makes sure that no log holds a copy of what was deleted, where that can be done.
    pub(crate) async fn empty_log(&self) -> Result<()> {
        match self {
            Self::Sqlite(files) => files.empty_log().await,
            // Its log is also its copies': nothing can be proven about it from here.
            Self::Postgres(_) => Ok(()),
        }
    }

    pub(crate) async fn close(&self) -> Result<()> {
        match self {
            Self::Sqlite(files) => files.close().await,
            Self::Postgres(server) => {
                server.close().await;
                Ok(())
            }
        }
    }
}

/// A transaction. It must be brought to its end by [`Transaction::commit`] or [`Transaction::roll_back`].
pub(crate) enum Transaction<'a> {
    Sqlite(sqlite::Transaction<'a>),
    Postgres(postgres::Transaction<'a>),
}

impl Transaction<'_> {
    pub(crate) async fn rows(&mut self, sql: impl Into<Sql>, args: Vec<Arg>) -> Result<Vec<Record>> {
        match self {
            Self::Sqlite(t) => t.rows(sql.into(), &args).await,
            Self::Postgres(t) => t.rows(sql.into(), &args).await,
        }
    }

    /// Reads rows that nobody else may change until the transaction ends.
    pub(crate) async fn hold(&mut self, sql: &'static str, args: Vec<Arg>) -> Result<Vec<Record>> {
        match self {
            // It has the write lock of the whole file.
            Self::Sqlite(t) => t.rows(sql.into(), &args).await,
            Self::Postgres(t) => t.rows(format!("{sql} for update").into(), &args).await,
        }
    }

    /// As [`Transaction::hold`], for a question that one row answers.
    pub(crate) async fn hold_one(&mut self, sql: &'static str, args: Vec<Arg>) -> Result<Option<Record>> {
        Ok(self.hold(sql, args).await?.into_iter().next())
    }

    pub(crate) async fn run(&mut self, sql: impl Into<Sql>, args: Vec<Arg>) -> Result<()> {
        match self {
            Self::Sqlite(t) => t.run(sql.into(), &args).await,
            Self::Postgres(t) => t.run(sql.into(), &args).await,
        }
    }

    /// Writes one row of a sheet.
    pub(crate) async fn put(&mut self, sheet: Sheet, args: &[Arg]) -> Result<()> {
        match self {
            Self::Sqlite(t) => t.put(sheet, args).await,
            Self::Postgres(t) => t.put(sheet, args).await,
        }
    }

    pub(crate) async fn commit(self) -> Result<()> {
        match self {
            Self::Sqlite(t) => t.commit().await,
            Self::Postgres(t) => t.commit().await,
        }
    }

    pub(crate) async fn roll_back(self) {
        match self {
            Self::Sqlite(t) => t.roll_back().await,
            Self::Postgres(t) => t.roll_back().await,
        }
    }
}

/// What a commit did: an answer for each operation, the number of rows, and of the statements that it took.
pub(crate) struct Committed {
    pub answers: Vec<Result<Vec<bool>>>,
    pub rows: usize,
    pub statements: usize,
}

/// The connection of a writer.
pub(crate) enum Pen {
    Sqlite(sqlite::pen::Pen),
    Postgres(Box<postgres::pen::Pen>),
}

impl Pen {
    /// One transaction. On a fault nothing of it remains, on disk or in memory.
    pub(crate) async fn commit(&mut self, ops: &[Op]) -> Result<Committed, Fault> {
        match self {
            Self::Sqlite(pen) => pen.commit(ops).await,
            Self::Postgres(pen) => pen.commit(ops).await,
        }
    }

    pub(crate) async fn close(self) {
        match self {
            Self::Sqlite(pen) => pen.close().await,
            Self::Postgres(pen) => pen.close().await,
        }
    }
}
