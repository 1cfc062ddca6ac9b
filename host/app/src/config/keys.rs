//! `[keys]`: where the master key comes from, and where contact and day keys lie.

mod command;

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result};
use pointsman_core::failure::{Class, Failure};
use pointsman_store::Place;
use pointsman_vault::{MasterKey, Zeroizing};
use serde::Deserialize;

use super::store::Address;

/// Keys are never written into the configuration itself.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Keys {
    /// `file:PATH`, `env:NAME` or `command`.
    pub master: String,
    /// The program that writes the master key, and its arguments.
    pub command: Vec<String>,
    /// Milliseconds that it may take.
    pub command_timeout: u64,
    /// The key store: `sqlite:PATH`, or `postgres://…`, another database than that of the data.
    pub store: Address,
}

/// From where a master key is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source<'a> {
    /// A file, from the host's folder where it is relative.
    File(&'a str),
    /// A variable of the environment.
    Variable(&'a str),
    /// `[keys] command`.
    Command,
}

impl<'a> Source<'a> {
    /// `file:PATH`, `env:NAME` or `command`; `of` is the setting or argument that says so.
    pub fn parse(of: &str, text: &'a str) -> Result<Self, Failure> {
        match text.split_once(':') {
            Some(("file", path)) if !path.is_empty() => Ok(Self::File(path)),
            Some(("env", name)) if !name.is_empty() => Ok(Self::Variable(name)),
            None if text == "command" => Ok(Self::Command),
            // What stands there may be the key: it is not repeated.
            _ => Err(refused("source", format!("{of} must be \"file:PATH\", \"env:NAME\" or \"command\", never the key itself"))),
        }
    }
}

fn refused(code: &str, message: String) -> Failure {
    Failure::new(Class::Permanent, format!("keys.{code}"), message)
}

impl Keys {
    /// Where the key store is.
    pub fn place(&self, dir: &Path) -> Result<Place> {
        self.store.place("[keys] store", dir)
    }

    /// Where the master key comes from.
    pub fn source(&self) -> Result<Source<'_>, Failure> {
        Source::parse("[keys] master", &self.master)
    }

    /// The file that holds the master key, when it comes from one.
    #[must_use]
    pub fn master_file(&self, dir: &Path) -> Option<PathBuf> {
        match self.source() {
            Ok(Source::File(path)) => Some(dir.join(path)),
            _ => None,
        }
    }

    /// The variable that holds the master key, when it comes from one.
    #[must_use]
    pub fn master_variable(&self) -> Option<&str> {
        match self.source() {
            Ok(Source::Variable(name)) => Some(name),
            _ => None,
        }
    }

    /// Reads the master key.
    pub fn read_master(&self, dir: &Path) -> Result<MasterKey> {
        self.read(self.source()?, dir)
    }

    /// Reads a master key from a source. No error repeats what was read.
    #[expect(clippy::disallowed_methods, reason = "the variable that [keys] master names")]
    pub fn read(&self, source: Source<'_>, dir: &Path) -> Result<MasterKey> {
        let text = match source {
            Source::File(path) => {
                let path = dir.join(path);
                Zeroizing::new(std::fs::read_to_string(&path).with_context(|| {
                    format!(
                        "no master key at {}: run `pointsman init`, or put back the key from your recovery note",
                        path.display()
                    )
                })?)
            }
            Source::Variable(name) => {
                Zeroizing::new(std::env::var(name).with_context(|| format!("no master key in the variable {name}"))?)
            }
            Source::Command => command::output(&self.command, Duration::from_millis(self.command_timeout))?,
        };
        let read = MasterKey::from_text(text.trim());
        if let (Source::Command, Err(error)) = (source, &read) {
            return Err(refused("command_output", format!("what [keys] command writes is no master key ({error}); let it write the key, and nothing else, to its standard output")).into());
        }
        read.context("the master key does not read")
    }
}

#[cfg(test)]
mod tests;
