//! `cargo xtask safety`: the heavy proofs. Their work is done by `pointsman-safety` (tests/src/bin), which stands outside of the
//! host; here it is built, together with the binary that it judges.

use std::process::{Command, ExitCode};

use anyhow::{Context as _, Result};

use crate::house::{self, EVERYTHING, cargo, must};
use crate::plugins;

/// The selection of the benchmarks, so that a release's dependencies are compiled once. It has the named points.
const RELEASE: [&str; 7] = ["build", "--release", "--bins", "--package", "pointsman", "--package", "pointsman-tests"];

/// Builds both binaries (with `--release` as a release) and runs the proofs with the other arguments.
pub fn run(args: &[String]) -> Result<ExitCode> {
    plugins::build()?;
    let (release, rest): (Vec<&String>, Vec<&String>) = args.iter().partition(|arg| *arg == "--release");
    if !release.is_empty() {
        return released(&rest.into_iter().map(String::as_str).collect::<Vec<_>>());
    }
    must(cargo().args(EVERYTHING), "building")?;
    call("debug", &rest.into_iter().map(String::as_str).collect::<Vec<_>>())
}

/// Builds a release and calls the program with it.
pub fn released(args: &[&str]) -> Result<ExitCode> {
    must(cargo().args(RELEASE), "building a release")?;
    call("release", args)
}

fn call(profile: &str, args: &[&str]) -> Result<ExitCode> {
    let program = house::target()?.join(profile).join("pointsman-safety");
    let status = Command::new(&program).args(args).status().with_context(|| format!("cannot run {}", program.display()))?;
    Ok(house::exit_code(status))
}
