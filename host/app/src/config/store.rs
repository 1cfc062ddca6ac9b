//! `[store]`: where the data lies.

use std::path::Path;
use std::time::Duration;

use anyhow::{Result, bail};
use pointsman_store::Place;
use serde::Deserialize;

/// The database.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Store {
    /// `sqlite:PATH`, or `postgres://USER:PASSWORD@HOST/NAME` for several hosts.
    pub url: Address,
    /// For how long a host holds its conversations without a sign of life, in milliseconds; with Postgres only.
    #[serde(default = "lease_ms")]
    pub lease_ms: u64,
}

fn lease_ms() -> u64 {
    15_000
}

/// The address of a database. It may hold a password, so it is never shown.
#[derive(Clone, Deserialize)]
#[serde(transparent)]
pub struct Address(String);

impl std::fmt::Debug for Address {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("…")
    }
}

impl Address {
    /// The place that it names; a file's path begins at the host's folder. `key` is the setting that holds it.
    pub(super) fn place(&self, key: &str, dir: &Path) -> Result<Place> {
        match self.0.strip_prefix("sqlite:") {
            Some(path) if !path.is_empty() => Ok(Place::Sqlite(dir.join(path))),
            None if self.0.starts_with("postgres://") || self.0.starts_with("postgresql://") => {
                Ok(Place::Postgres(self.0.clone()))
            }
            _ => bail!("{key} names no database; write \"sqlite:PATH\" or \"postgres://USER:PASSWORD@HOST/NAME\""),
        }
    }
}

impl Store {
    /// Where the data is.
    pub fn place(&self, dir: &Path) -> Result<Place> {
        self.url.place("[store] url", dir)
    }

    /// How long a lease lasts: long enough for a renewal to be late.
    pub fn lease(&self) -> Result<Duration> {
        if self.lease_ms < 3_000 {
            bail!("[store] lease_ms = {}: a lease lasts 3000 ms at least", self.lease_ms);
        }
        Ok(Duration::from_millis(self.lease_ms))
    }
}
