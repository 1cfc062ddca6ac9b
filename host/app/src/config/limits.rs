//! `[limits]`: what the host does at the same moment.

use serde::Deserialize;

/// Parallelism of the line.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Limits {
    /// Conversations handled at once.
    pub lanes: usize,
    /// Sends under way at once.
    pub sends: usize,
}
