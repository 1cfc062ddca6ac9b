//! Where things lie in this checkout, and how cargo is called for the house's own workspace.

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use anyhow::{Context as _, Result, bail};
use serde_json::Value;

/// The root of the checkout.
pub fn root() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.ancestors().nth(2).unwrap_or(here).to_path_buf()
}

/// Tells the person something. Standard error, so that what a verb prints can be piped.
pub fn tell(text: &str) {
    eprintln!("{}", text.trim_end());
}

/// A variable of the environment.
#[expect(clippy::disallowed_methods, reason = "a tool of the checkout has no configuration file")]
pub fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

/// The cargo that runs us, at the root, with the person's own settings and without a rustup that downloads. It is not told that this
/// program is what cargo runs: build scripts that look there (ring's) would have all that depends on them compiled anew.
pub fn cargo() -> Command {
    let mut command = Command::new(variable("CARGO").unwrap_or_else(|| "cargo".to_owned()));
    command.current_dir(root()).env("RUSTUP_AUTO_INSTALL", "0");
    for (name, _) in std::env::vars_os() {
        if name.to_str().is_some_and(|name| ["CARGO_PKG_", "CARGO_MANIFEST_"].iter().any(|told| name.starts_with(told))) {
            command.env_remove(name);
        }
    }
    command
}

/// Whether `cargo <name>` is installed.
pub fn cargo_has(name: &str) -> bool {
    cargo().args([name, "--version"]).output().is_ok_and(|output| output.status.success())
}

/// Runs a command and tells what failed.
pub fn must(command: &mut Command, what: &str) -> Result<()> {
    tell(&format!("== {what}"));
    let status = command.status().with_context(|| format!("cannot run {}", command.get_program().to_string_lossy()))?;
    if !status.success() {
        bail!("{what}: {status}");
    }
    Ok(())
}

/// The folder that cargo builds into.
pub fn target() -> Result<PathBuf> {
    let output = cargo().args(["metadata", "--no-deps", "--format-version", "1"]).output().context("cannot run cargo")?;
    if !output.status.success() {
        bail!("cargo metadata: {}", String::from_utf8_lossy(&output.stderr).trim());
    }
    let metadata: Value = serde_json::from_slice(&output.stdout).context("cargo metadata is no JSON")?;
    let folder = metadata.get("target_directory").and_then(Value::as_str).context("cargo metadata names no target folder")?;
    Ok(PathBuf::from(folder))
}

/// The exit code of a child becomes ours.
pub fn exit_code(status: std::process::ExitStatus) -> ExitCode {
    status.code().and_then(|code| u8::try_from(code).ok()).map_or(ExitCode::FAILURE, ExitCode::from)
}

/// The one selection with which everything is built. Another one (fewer packages, no tests) means other features of the shared
/// dependencies, and cargo would compile the large ones once more.
pub const EVERYTHING: [&str; 4] = ["build", "--workspace", "--bins", "--tests"];
