//! `cargo xtask ci`: what must pass before a change goes in. The cheapest check first, the tests last, so that their closing line is
//! the last thing to be read.

use std::path::Path;
use std::process::{Command, ExitCode};

use anyhow::Result;

use crate::house::{self, cargo, cargo_has, must, tell};
use crate::{plugins, tests};

const PLUGINS: &str = "plugins/Cargo.toml";

/// Runs every check; the first that fails ends it.
pub fn run() -> Result<ExitCode> {
    // A lock file that does not belong to its manifests means that tomorrow's build is another one.
    for manifest in ["Cargo.toml", PLUGINS] {
        must(
            quiet(cargo().args(["metadata", "--locked", "--format-version", "1", "--manifest-path", manifest])),
            &format!("lock file of {manifest}"),
        )?;
    }
    let mut missing = Vec::new();
    if cargo_has("fmt") {
        must(cargo().args(["fmt", "--all", "--check"]), "format")?;
        must(cargo().args(["fmt", "--all", "--check", "--manifest-path", PLUGINS]), "format of the plugins")?;
    } else {
        missing.push("rustfmt");
    }
    let built = plugins::build()?;
    tell(&format!("{} plugins", built.len()));
    if cargo_has("clippy") {
        // Without test code: its lints are off by clippy.toml anyway, and leaving it out saves minutes.
        must(cargo().args(["clippy", "--workspace", "--", "-D", "warnings"]), "lints")?;
        must(
            cargo().args(["clippy", "--workspace", "--manifest-path", PLUGINS, "--", "-D", "warnings"]),
            "lints of the plugins",
        )?;
    } else {
        missing.push("clippy");
    }
    if cargo_has("deny") && house::root().join("deny.toml").is_file() {
        must(cargo().args(["deny", "--offline", "check", "bans", "licenses", "sources"]), "dependencies")?;
    }
    let code = tests::run(&[]);
    for component in missing {
        tell(&format!("not checked: {component} is not installed (`rustup component add {component}`)"));
    }
    code
}

fn quiet(command: &mut Command) -> &mut Command {
    command.stdout(std::process::Stdio::null())
}

/// The manifest of the plugins' workspace.
pub fn plugins_manifest() -> &'static Path {
    Path::new(PLUGINS)
}
