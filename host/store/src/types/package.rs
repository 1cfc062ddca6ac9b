//! Packages of plugins, and decisions about what each may do.

use pointsman_core::id::Id;
use pointsman_core::permission::{Decision, Permission};
use serde::Serialize;

/// A package that is handed in. Whoever makes one has verified its signature and its code.
#[derive(Debug, Clone)]
pub struct PackageNew {
    /// `acme/shout`.
    pub id: String,
    /// Of the plugin, as its manifest says.
    pub version: String,
    /// SHA-256 over all that is signed, hex.
    pub digest: String,
    /// The text of its `plugin.toml`.
    pub manifest: String,
    /// Its code.
    pub component: Vec<u8>,
    /// SHA-256 of its code, hex: by this runs are pinned.
    pub component_digest: String,
    /// Short name of the key that signed it; absent: nobody did.
    pub publisher: Option<String>,
    /// Whether the operator named this key in the place of the one that was known.
    pub rekeyed: bool,
}

/// How a package stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum PackageState {
    /// It asks for more than was decided about.
    Waiting,
    /// Workflows use it.
    Serves,
    /// It served before another.
    Superseded,
    /// It was removed, or passed over before it served.
    Gone,
}

/// A package that is kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PackageRow {
    /// `acme/shout`.
    pub id: String,
    /// SHA-256 over all that is signed, hex.
    pub digest: String,
    /// When it was taken in last: the time is in the id.
    pub taken: Id,
    /// How it stands.
    pub state: PackageState,
    /// Of the plugin.
    pub version: String,
    /// SHA-256 of its code, hex.
    pub component: String,
    /// Short name of the key that signed it.
    pub publisher: Option<String>,
    /// The text of its `plugin.toml`.
    #[serde(skip)]
    pub manifest: String,
}

/// What an operator wills about what a plugin may do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Will {
    /// This it may.
    Grant(Permission),
    /// This it may not.
    Revoke(Permission),
    /// Everything that it asks for.
    GrantAll,
    /// Nothing.
    RevokeAll,
    /// Nothing of what is not decided yet.
    RevokeRest,
}

/// How a plugin stands after an act.
#[derive(Debug, Clone)]
pub struct Standing {
    /// The package that the act was about: the one that waits, or else the one that serves.
    pub package: PackageRow,
    /// Everything that was decided.
    pub decisions: Vec<Decision>,
    /// What the package asks for and nobody has decided.
    pub undecided: Vec<Permission>,
    /// The version that serves now.
    pub serves: Option<String>,
}
