//! `[sandbox]`: how plugins run.

use serde::Deserialize;

/// The box.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sandbox {
    /// The folder of compiled plugins.
    pub cache: String,
    /// Threads for plugins that take longer than one tick.
    pub threads: usize,
}
