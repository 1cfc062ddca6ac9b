//! `[egress]`: where requests may go.

use serde::Deserialize;

/// Requests go to the pinned hosts of a credential. Private addresses are refused unless they are named here.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Egress {
    /// Private addresses that are allowed, as `host:port`.
    pub allow_private: Vec<String>,
    /// Milliseconds that an answer may take.
    pub timeout: u64,
}
