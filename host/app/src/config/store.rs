//! `[store]`: where the data lies.

use std::path::PathBuf;

use anyhow::{Result, bail};
use serde::Deserialize;

/// The database.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Store {
    /// `sqlite:PATH`.
    pub url: String,
}

/// The path in a `sqlite:` address.
pub(super) fn sqlite_path(key: &str, url: &str) -> Result<PathBuf> {
    match url.strip_prefix("sqlite:") {
        Some(path) if !path.is_empty() => Ok(PathBuf::from(path)),
        _ => bail!("{key} = {url:?}: this version stores in SQLite; write \"sqlite:PATH\""),
    }
}

impl Store {
    /// The database file, as written: relative to the host's folder.
    pub fn path(&self) -> Result<PathBuf> {
        sqlite_path("[store] url", &self.url)
    }
}
