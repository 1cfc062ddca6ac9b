//! `cargo xtask peers`: Pointsman in the side-by-side benchmark with what a user would take instead.
//!
//! The benchmark lies outside of this checkout, in `../shared/bench` or where `POINTSMAN_BENCH` says. It drives `tests/bench/peer.sh`.

use std::path::PathBuf;
use std::process::{Command, ExitCode};

use anyhow::{Context as _, Result, bail};

use crate::house;

/// Builds a release and runs `run.sh` (or, with `--checks`, `checks.sh`) with the other arguments and Pointsman.
pub fn run(args: &[String]) -> Result<ExitCode> {
    let bench = house::variable("POINTSMAN_BENCH").map_or_else(|| house::root().join("../shared/bench"), PathBuf::from);
    let (script, args) = plan(args);
    let script = bench.join(script);
    if !script.is_file() {
        bail!("there is no benchmark in {}: set POINTSMAN_BENCH to the folder that holds run.sh", bench.display());
    }
    house::must(house::cargo().args(["build", "--release", "--package", "pointsman"]), "building a release")?;
    let status = Command::new(&script)
        .args(&args)
        .current_dir(house::root())
        .env("POINTSMAN_ROOT", house::root())
        .env("POINTSMAN_BINARY", house::target()?.join("release/pointsman"))
        .status()
        .with_context(|| format!("cannot run {}", script.display()))?;
    Ok(house::exit_code(status))
}

/// Which script, and its arguments: as given, with `pointsman` among the systems.
fn plan(args: &[String]) -> (&'static str, Vec<String>) {
    let script = if args.iter().any(|arg| arg == "--checks") { "checks.sh" } else { "run.sh" };
    let mut rest: Vec<String> = args.iter().filter(|arg| *arg != "--checks").cloned().collect();
    if !rest.iter().any(|arg| arg == "pointsman") {
        rest.push("pointsman".to_owned());
    }
    (script, rest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pointsman_is_always_among_the_systems_and_only_once() {
        let plan = |args: &[&str]| plan(&args.iter().map(|&arg| arg.to_owned()).collect::<Vec<_>>());
        assert_eq!(plan(&[]), ("run.sh", vec!["pointsman".to_owned()]));
        assert_eq!(plan(&["--quick", "bullmq"]).1, ["--quick", "bullmq", "pointsman"]);
        assert_eq!(plan(&["pointsman", "--checks"]), ("checks.sh", vec!["pointsman".to_owned()]));
    }
}
