//! `[keys]`: where the master key comes from, and where contact and day keys lie.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use pointsman_vault::MasterKey;
use serde::Deserialize;

/// Keys are never written into the configuration itself.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Keys {
    /// `file:PATH` or `env:NAME`.
    pub master: String,
    /// `sqlite:PATH` of the key store.
    pub store: String,
}

impl Keys {
    /// The key store's file, as written.
    pub fn path(&self) -> Result<PathBuf> {
        super::store::sqlite_path("[keys] store", &self.store)
    }

    /// The file that holds the master key, when it comes from one.
    #[must_use]
    pub fn master_file(&self) -> Option<&str> {
        self.master.strip_prefix("file:")
    }

    /// Reads the master key.
    #[expect(clippy::disallowed_methods, reason = "the variable that [keys] master names")]
    pub fn read_master(&self, dir: &Path) -> Result<MasterKey> {
        let text = if let Some(path) = self.master_file() {
            let path = dir.join(path);
            std::fs::read_to_string(&path).with_context(|| {
                format!("no master key at {}: run `pointsman init`, or put back the key from your recovery note", path.display())
            })?
        } else if let Some(name) = self.master.strip_prefix("env:") {
            std::env::var(name).with_context(|| format!("no master key in the variable {name}"))?
        } else {
            bail!("[keys] master must be \"file:PATH\" or \"env:NAME\", never the key itself");
        };
        MasterKey::from_text(text.trim()).context("the master key does not read")
    }
}
