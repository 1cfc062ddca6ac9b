//! `[sandbox]`: how plugins run.

use pointsman_sandbox::CompilerConfig;
use serde::Deserialize;

/// The box.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sandbox {
    /// The folder of compiled plugins.
    pub cache: String,
    /// Threads for plugins that take longer than one tick.
    pub threads: usize,
    /// The program that compiles what strangers hand in; empty: this one.
    pub compiler: String,
}

/// What compiles the components of strangers: the hidden verb of `program` or, when that is empty, of this program, also when its
/// file was replaced by another version meanwhile.
#[must_use]
pub fn compiler(program: &str) -> CompilerConfig {
    let program = if program.is_empty() { "/proc/self/exe" } else { program };
    CompilerConfig::new(vec![program.into(), "compile".into()])
}
