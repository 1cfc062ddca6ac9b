//! The limits of a step, with their defaults (DESIGN, section 5). Each is a named error `limit.<name>`.

use crate::clock::Millis;

/// What one call of a plugin may use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Linear memory in bytes: `limit.memory`.
    pub memory: usize,
    /// Guest time in milliseconds, measured in ticks of 5 ms: `limit.cpu`.
    pub cpu: Millis,
    /// Wall time with host calls in milliseconds: `limit.wall`.
    pub wall: Millis,
    /// Wall time in milliseconds that a plugin has beside that when it asks for models: they are slow.
    pub model: Millis,
    /// Questions to models: `limit.model-calls`.
    pub model_calls: u32,
    /// Requests to hosts: `limit.http-requests`.
    pub http_requests: u32,
    /// Bytes of output: `limit.output`.
    pub output: usize,
    /// Bytes of log lines; what is more is dropped and counted.
    pub log: usize,
    /// Effects of one call: `limit.effects`.
    pub effects: usize,
    /// Bytes that one host call may copy: `limit.copy`.
    pub copy: usize,
}

impl Limits {
    /// The class `step`, which everything gets that was granted no other.
    pub const STEP: Self = Self {
        memory: 64 << 20,
        cpu: 50,
        wall: 10_000,
        model: 60_000,
        model_calls: 16,
        http_requests: 16,
        output: 256 << 10,
        log: 64 << 10,
        effects: 256,
        copy: 1 << 20,
    };
}

impl Default for Limits {
    fn default() -> Self {
        Self::STEP
    }
}

/// Bytes of a script's source.
pub const SCRIPT_SOURCE: usize = 64 << 10;

/// Bytes of one expression's source.
pub const EXPRESSION_SOURCE: usize = 2 << 10;

/// Bytes of a webhook's body, unless the channel's manifest says otherwise.
pub const WEBHOOK_BODY: usize = 1 << 20;

/// Bytes of a provider's response after decompression, when kept as a blob.
pub const RESPONSE_BODY: usize = 8 << 20;
