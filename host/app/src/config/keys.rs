//! `[keys]`: where the master key comes from, and where contact and day keys lie.

use std::path::Path;

use anyhow::{Context, Result, bail};
use pointsman_store::Place;
use pointsman_vault::MasterKey;
use serde::Deserialize;

use super::store::Address;

/// Keys are never written into the configuration itself.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Keys {
    /// `file:PATH` or `env:NAME`.
    pub master: String,
    /// The key store: `sqlite:PATH`, or `postgres://…`, another database than that of the data.
    pub store: Address,
}

impl Keys {
    /// Where the key store is.
    pub fn place(&self, dir: &Path) -> Result<Place> {
        self.store.place("[keys] store", dir)
    }

    /// The file that holds the master key, when it comes from one.
    #[must_use]
    pub fn master_file(&self) -> Option<&str> {
        self.master.strip_prefix("file:")
    }

    /// The variable that holds the master key, when it comes from one.
    #[must_use]
    pub fn master_variable(&self) -> Option<&str> {
        self.master.strip_prefix("env:")
    }

    /// Reads the master key.
    #[expect(clippy::disallowed_methods, reason = "the variable that [keys] master names")]
    pub fn read_master(&self, dir: &Path) -> Result<MasterKey> {
        let text = if let Some(path) = self.master_file() {
            let path = dir.join(path);
            std::fs::read_to_string(&path).with_context(|| {
                format!("no master key at {}: run `pointsman init`, or put back the key from your recovery note", path.display())
            })?
        } else if let Some(name) = self.master_variable() {
            std::env::var(name).with_context(|| format!("no master key in the variable {name}"))?
        } else {
            bail!("[keys] master must be \"file:PATH\" or \"env:NAME\", never the key itself");
        };
        MasterKey::from_text(text.trim()).context("the master key does not read")
    }
}
