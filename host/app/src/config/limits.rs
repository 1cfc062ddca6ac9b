//! `[limits]`: what the host does at the same moment.

use pointsman_engine::ledger::Offence;
use serde::Deserialize;

/// Parallelism of the line.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Limits {
    /// Conversations handled at once.
    pub lanes: usize,
    /// Sends under way at once.
    pub sends: usize,
    /// Bytes of webhooks under way at once; more are answered 503.
    pub webhook_bytes: usize,
    /// Webhooks of one channel that are taken in a second.
    pub webhooks_a_second: u32,
    /// Requests with a wrong signature that are looked at in a second.
    pub refused_a_second: u32,
    /// Replies that a conversation gets in a minute; 0: as many as there are.
    pub replies_a_minute: usize,
    /// Calls of a plugin or script that a limit ends before it is quarantined; 0: it never is.
    pub quarantine_after: u32,
    /// Within so many seconds.
    pub quarantine_within: u32,
}

impl Limits {
    /// Who is an offender.
    #[must_use]
    pub fn offence(&self) -> Offence {
        Offence { after: self.quarantine_after, within: i64::from(self.quarantine_within) * 1_000 }
    }
}
