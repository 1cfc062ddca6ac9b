//! `[broker]`: who opens secrets and makes requests.

use serde::Deserialize;

/// The broker.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Broker {
    /// Whether `serve` runs it as a process of its own.
    pub process: bool,
    /// The folder of providers' answers that are not kept yet.
    pub answers: String,
}
