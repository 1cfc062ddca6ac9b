//! `plugin.toml`: what a plugin says of itself before a byte of it runs.
//!
//! A manifest is the plugin's half of every permission (the operator's grant is the other half), and the operator reads its
//! sentences before deciding. So it is parsed strictly: a key that nobody knows is refused rather than ignored, a reason is
//! one visible line, a pinned host is an exact name, a schema never points to another place. Host, command line and test
//! kit all read it through [`Manifest::parse`].
//!
//! ```
//! let manifest = pointsman_manifest::Manifest::parse(r#"
//!     id = "acme/shout"
//!     version = "1.0.0"
//!     world = "pointsman:plugin/step@0.1.0"
//!     summary = "Says it louder"
//!     [capabilities]
//!     act = { effects = ["reply"], why = "answers in capital letters" }
//! "#)?;
//! assert_eq!(manifest.kind(), pointsman_manifest::Kind::Step);
//! assert!(manifest.imports_allowed().contains("act"));
//! assert!(!manifest.imports_allowed().contains("http"));
//! # Ok::<(), pointsman_manifest::ManifestError>(())
//! ```
//!
//! `testdata/` holds a whole example of a channel and of a step.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::Value;

mod capability;
mod channel;
mod check;
mod duration;
mod origin;
#[cfg(test)]
mod tests;

pub use capability::{ActUse, Scopes};
pub use capability::{
    Capabilities, EffectKind, HttpMethod, HttpUse, KnowledgeUse, ModelCall, ModelUse, Reason, StateScope, StateUse, path_under,
};
pub use channel::{
    CredentialSlot, Encoding, Handshake, HandshakeKind, MessageLimits, OnUnknown, OtherOperation, PlacementKind, RetryRules,
    SignatureScheme, VerifyScheme, WebhookRules, Window,
};
pub use origin::{host, origin};

/// The version of the contract that this host speaks.
pub const WORLD_VERSION: &str = "0.1.0";

/// A manifest is no place for data: larger ones are refused before they are parsed.
pub const MAX_BYTES: usize = 64 << 10;

/// Which world a plugin is built for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// Speaks for one provider; imports nothing but `log`.
    Channel,
    /// One box of a workflow.
    Step,
    /// Runs scripts. Only the one that ships with the host is ever loaded; the loader refuses any other.
    Interpreter,
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Channel => "channel",
            Self::Step => "step",
            Self::Interpreter => "interpreter",
        })
    }
}

/// JSON Schemas. Absent: anything goes.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Schemas {
    /// What `with:` may hold.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub input: Option<Value>,
    /// The operator's settings: of the plugin, or of one account for a channel. Never secrets.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub config: Option<Value>,
    /// What later steps see.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub output: Option<Value>,
}

/// A whole `plugin.toml`. Made by [`Manifest::parse`] alone, so that one in hand has been checked.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// `publisher/name`.
    pub id: String,
    /// Semantic version.
    pub version: String,
    /// `pointsman:plugin/step@0.1.0`.
    pub world: String,
    /// One line for people.
    pub summary: String,
    /// What it asks for. Always empty for a channel.
    #[serde(default)]
    pub capabilities: Capabilities,
    /// Shapes of what goes in and out.
    #[serde(default)]
    pub schema: Schemas,
    /// How the provider calls us. Channels only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub webhook: Option<WebhookRules>,
    /// Secrets by name, each with the hosts to which alone it may go. Channels only: a step names its slots in `http`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub credentials: Vec<CredentialSlot>,
    /// What the provider refuses. Channels only.
    #[serde(default)]
    pub limits: MessageLimits,
    /// How long after the contact's last message a free message may be sent; absent: for ever. Channels only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub window: Option<Window>,
    /// How sends are repeated and slowed down. Channels only.
    #[serde(default)]
    pub retry: RetryRules,
    /// Operations beyond those of the contract, by name. Channels only.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub operations: BTreeMap<String, OtherOperation>,
}

/// Why a manifest was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{code}: {message}")]
pub struct ManifestError {
    /// Stable, dotted: `manifest.syntax`, `manifest.host`.
    pub code: &'static str,
    /// What is wrong, where, and how to mend it.
    pub message: String,
    /// From 1, where it is known.
    pub line: Option<usize>,
}

impl ManifestError {
    pub(crate) fn new(code: &'static str, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), line: None }
    }
}

impl Manifest {
    /// Reads and checks a manifest.
    ///
    /// # Errors
    /// `manifest.syntax` (with its line) for what is no TOML, unknown keys and values of a wrong type; `manifest.<topic>` for
    /// what reads well and is not allowed.
    pub fn parse(text: &str) -> Result<Self, ManifestError> {
        if text.len() > MAX_BYTES {
            return Err(ManifestError::new(
                "manifest.too_large",
                format!("a manifest has at most {MAX_BYTES} bytes, this one {}", text.len()),
            ));
        }
        let manifest: Self = toml::from_str(text).map_err(|error| {
            let line = error.span().and_then(|span| text.get(..span.start)).map(|before| before.matches('\n').count() + 1);
            let place = line.map_or_else(String::new, |line| format!("line {line}: "));
            ManifestError { code: "manifest.syntax", message: format!("{place}{}", error.message().trim_end()), line }
        })?;
        check::manifest(&manifest)?;
        Ok(manifest)
    }

    /// Which world it is built for.
    #[must_use]
    pub fn kind(&self) -> Kind {
        match check::world(&self.world) {
            Ok(kind) => kind,
            // `parse` refused any other world; the smallest of the three for a value that was made by hand.
            Err(_) => Kind::Channel,
        }
    }

    /// The part of the id after the slash: the word for a channel in events (`whatsapp`).
    #[must_use]
    pub fn short_name(&self) -> &str {
        self.id.split_once('/').map_or(self.id.as_str(), |(_, name)| name)
    }

    /// Interfaces of `pointsman:plugin` that its component may import: `log`, `clock`, `random` and the type-only `types` and
    /// `journal` always, the others when a capability asks for them; for a channel `log` and `types` alone. A component that
    /// imports more is refused at install.
    #[must_use]
    pub fn imports_allowed(&self) -> BTreeSet<&'static str> {
        let mut all = BTreeSet::from(["log", "types"]);
        if self.kind() == Kind::Channel {
            return all;
        }
        all.extend(["clock", "journal", "random"]);
        let asks = &self.capabilities;
        for (name, asked) in [
            ("conversation", asks.conversation.is_some()),
            ("state", asks.state.is_some()),
            ("knowledge", asks.knowledge.is_some()),
            ("model", asks.model.is_some()),
            ("http", !asks.http.is_empty()),
            ("act", asks.act.is_some()),
        ] {
            if asked {
                all.insert(name);
            }
        }
        all
    }

    /// Every secret that the plugin names: `[[credentials]]` of a channel, the `credential` of each `http` use of a step
    /// (uses of one slot are merged).
    #[must_use]
    pub fn slots(&self) -> Vec<CredentialSlot> {
        let mut slots = self.credentials.clone();
        for site in &self.capabilities.http {
            let Some(name) = &site.credential else { continue };
            match slots.iter_mut().find(|slot| &slot.slot == name) {
                Some(slot) => {
                    if !slot.hosts.contains(&site.host) {
                        slot.hosts.push(site.host.clone());
                    }
                    for place in &site.placements {
                        if !slot.placements.contains(place) {
                            slot.placements.push(*place);
                        }
                    }
                }
                None => slots.push(CredentialSlot {
                    slot: name.clone(),
                    hosts: vec![site.host.clone()],
                    placements: site.placements.clone(),
                    why: site.why.clone(),
                    optional: false,
                    generate: false,
                }),
            }
        }
        slots
    }

    /// One of [`Manifest::slots`].
    #[must_use]
    pub fn slot(&self, name: &str) -> Option<CredentialSlot> {
        self.slots().into_iter().find(|slot| slot.slot == name)
    }
}
