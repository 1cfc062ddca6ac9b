//! `[egress]`: where requests may go.

use pointsman_engine::Asking;
use serde::Deserialize;

/// Requests go to the pinned hosts of a credential. Private addresses are refused unless they are named here.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Egress {
    /// Private addresses that are allowed, as `host:port`.
    pub allow_private: Vec<String>,
    /// Milliseconds that an answer may take.
    pub timeout: u64,
    /// Requests of one workspace's steps to one place that are under way at once.
    pub at_once: usize,
    /// The same in a second; 0: as many as there are.
    pub a_second: u32,
}

impl Egress {
    /// How much the steps of one workspace may ask of one place.
    #[must_use]
    pub fn asking(&self) -> Asking {
        Asking { at_once: self.at_once, a_second: self.a_second }
    }
}
