//! What goes into the store and comes out of it. All times are integers in milliseconds, all states small numbers; words
//! are sealed before they reach a table.

use std::path::{Path, PathBuf};
use std::time::Duration;

use pointsman_core::failure::{Class, Failure};
use serde::Serialize;

mod decide;
mod knowledge;
mod model;
mod package;
mod rows;
mod send;
mod webhook;

pub use decide::*;
pub use knowledge::*;
pub use model::*;
pub use package::*;
pub use rows::*;
pub use send::*;
pub use webhook::*;

pub use crate::conversation::ConversationRef;

/// Where a database is.
#[derive(Clone, PartialEq, Eq)]
pub enum Place {
    /// A file, for one host.
    Sqlite(PathBuf),
    /// The address of a database of Postgres 13 or newer: `postgres://USER:PASSWORD@HOST/NAME`. Hosts may share it.
    Postgres(String),
}

impl std::fmt::Display for Place {
    /// Without secrets.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Sqlite(path) => path.display().fmt(f),
            Self::Postgres(url) => f.write_str(&crate::db::postgres::shown(url)),
        }
    }
}

impl std::fmt::Debug for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        std::fmt::Display::fmt(self, f)
    }
}

/// Where the two databases are, and how much is kept in memory.
#[derive(Debug, Clone)]
pub struct StoreConfig {
    /// The data: sealed, and worthless without the keys.
    pub data: Place,
    /// The keys of contacts, days and channels. Never part of a backup of the data, never in the same database.
    pub keys: Place,
    /// What this host is called in the table of hosts.
    pub name: String,
    /// For how long a host holds its lanes without a renewal, where several share the data.
    pub lease: Duration,
    /// Conversations kept in memory, each with its unwrapped key.
    pub conversations: usize,
    /// Further unwrapped keys kept in memory.
    pub key_cache: usize,
    /// Read-only connections.
    pub readers: u32,
}

impl StoreConfig {
    /// The usual names in a directory.
    #[must_use]
    pub fn in_dir(dir: &Path) -> Self {
        Self {
            data: Place::Sqlite(dir.join("pointsman.db")),
            keys: Place::Sqlite(dir.join("keys.db")),
            name: "host".to_owned(),
            lease: Duration::from_secs(15),
            conversations: 20_000,
            key_cache: 4_000,
            readers: 3,
        }
    }
}

/// Why the store did not do it.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum StoreError {
    /// The key store was made under another master key.
    #[error(
        "the master key does not belong to this key store; give the key that `pointsman init` wrote, or restore the key store that goes with it"
    )]
    WrongKey,
    /// The key store is under another master key since this one was replaced.
    #[error(
        "this master key was replaced and opens nothing any more; start with the new one, {new:08x}: the \
         key file of the host that replaced it has it, and its recovery note"
    )]
    OldKey {
        /// The id of the key that replaced it.
        new: u32,
    },
    /// It was sealed under a master key that is being replaced.
    #[error("the master key was replaced a moment ago; nothing was kept: do it again")]
    StaleKey,
    /// Another master key is replacing this one already, or the new one was in use before.
    #[error("{0}")]
    Rotation(&'static str),
    /// There is data, and the key store that opens it is gone.
    #[error("the key store {0} is missing: nothing in the data can be read without it; put the newest copy of it in its place")]
    NoKeys(String),
    /// The database was made by a newer version.
    #[error("the database has schema {found}, this version knows up to {known}; upgrade pointsman")]
    Newer {
        /// In the file.
        found: i64,
        /// In this program.
        known: i64,
    },
    /// No such row.
    #[error("no such {0}")]
    Missing(&'static str),
    /// A unique key is in use.
    #[error("{0} exists already")]
    Taken(String),
    /// The contact was erased: its key is gone and its words with it.
    #[error("the contact was erased")]
    Erased,
    /// Sealed content does not open, or does not parse.
    #[error("stored content cannot be read: {0}")]
    Unreadable(String),
    /// The disk or the database refuses; nothing was kept.
    #[error("the database cannot write: {0}; look at free space and permissions")]
    Disk(String),
    /// Anything else that the database says.
    #[error("database: {0}")]
    Database(String),
    /// The connection broke in the middle of a commit, and for a while nobody could be asked whether it took place. Holds the
    /// transaction's name.
    #[error("the database went away in the middle of a commit; whether it was kept shows when it is back")]
    Unknown(String),
    /// Another host acts for this conversation now.
    #[error("another host has taken over this conversation; nothing was written")]
    Fenced,
    /// The writer has ended (shutdown).
    #[error("the store is closed")]
    Closed,
}

impl StoreError {
    /// Whether the same may work in a moment: the disk was full, the database busy or away.
    #[must_use]
    pub fn passing(&self) -> bool {
        matches!(self, Self::Disk(_) | Self::Database(_) | Self::Unknown(_))
    }

    /// The stable code.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::WrongKey => "store.wrong_key",
            Self::OldKey { .. } => "store.old_key",
            Self::StaleKey => "store.stale_key",
            Self::Rotation(_) => "store.rotation",
            Self::NoKeys(_) => "store.no_keys",
            Self::Newer { .. } => "store.newer",
            Self::Missing(_) => "store.missing",
            Self::Taken(_) => "store.taken",
            Self::Erased => "store.erased",
            Self::Unreadable(_) => "store.unreadable",
            Self::Disk(_) => "store.disk",
            Self::Database(_) => "store.database",
            Self::Unknown(_) => "store.unknown",
            Self::Fenced => "store.fenced",
            Self::Closed => "store.closed",
        }
    }

    /// As people and journals see it.
    #[must_use]
    pub fn failure(&self) -> Failure {
        let class = match self {
            Self::Disk(_) | Self::Database(_) | Self::Unknown(_) | Self::Closed => Class::Transient,
            _ => Class::Permanent,
        };
        Failure::new(class, self.code(), self.to_string())
    }
}

/// The store's result.
pub type Result<T, E = StoreError> = std::result::Result<T, E>;

/// What the writer has done since it was opened.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Stats {
    /// Commits of the data.
    pub commits: u64,
    /// Operations that they held.
    pub operations: u64,
    /// Rows that they held.
    pub rows: u64,
    /// SQL statements that they took, with begin and commit.
    pub statements: u64,
    /// Commits of the key store.
    pub key_commits: u64,
    /// Batches that had to be repeated one operation at a time.
    pub repeats: u64,
}
