//! `[sandbox]`: how plugins run.

use pointsman_sandbox::child::ChildConfig;
use serde::Deserialize;

/// The box.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sandbox {
    /// The folder of compiled plugins.
    pub cache: String,
    /// Threads for plugins that take longer than one tick.
    pub threads: usize,
    /// The program that compiles and reads what strangers hand in; empty: this one.
    pub compiler: String,
}

/// What compiles the components of strangers: a hidden verb of `program`.
#[must_use]
pub fn compiler(program: &str) -> ChildConfig {
    child(program, "compile")
}

/// What reads the files that go into knowledge bases, as [`compiler`].
#[must_use]
pub fn reader(program: &str) -> ChildConfig {
    ChildConfig { seconds: 20, ..child(program, "read") }
}

/// The hidden verb of `program` or, when that is empty, of this program, also when its file was replaced by another version
/// meanwhile.
fn child(program: &str, verb: &str) -> ChildConfig {
    let program = if program.is_empty() { "/proc/self/exe" } else { program };
    ChildConfig::new(vec![program.into(), verb.into()])
}
