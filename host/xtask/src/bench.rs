//! `cargo xtask bench`: measures what the box and a whole message cost on this machine, in time and in things that can be
//! counted. Never part of the tests: a time is no promise.

use std::process::ExitCode;

use anyhow::Result;

use crate::house::{self, cargo, must};

/// The measurements: `tests/benches/<name>.rs`.
const ALL: [&str; 5] = ["sandbox", "message", "broker", "counts", "waiting"];

/// One selection for building and running, so that dependencies are compiled once.
const PACKAGES: [&str; 4] = ["--package", "pointsman", "--package", "pointsman-tests"];

/// Runs the named measurements, or all; further arguments go to criterion (`--quick`, a filter). `stored` and `knowledge` stand by
/// themselves.
pub fn run(args: &[String]) -> Result<ExitCode> {
    // Not a bench of cargo's: it fills stores and starts hosts.
    if let Some((first, rest)) = args.split_first().filter(|(first, _)| *first == "stored") {
        let rest = rest.iter().map(String::as_str);
        return crate::safety::released(&std::iter::once(first.as_str()).chain(rest).collect::<Vec<_>>());
    }
    // It needs no box, so nothing of that is compiled for it.
    if let Some((first, rest)) = args.split_first().filter(|(first, _)| *first == "knowledge") {
        let mut command = cargo();
        command.args(["bench", "--package", "pointsman-engine", "--bench", first, "--"]).args(rest);
        return Ok(house::exit_code(command.status()?));
    }
    let (named, rest): (Vec<&String>, Vec<&String>) = args.iter().partition(|arg| ALL.contains(&arg.as_str()));
    let benches = || ALL.iter().flat_map(|name| ["--bench", name]);
    // The measured site is made by the real command line, so the binary belongs to it.
    must(cargo().args(["build", "--release", "--bins"]).args(PACKAGES).args(benches()), "building a release")?;
    let wanted = ALL.iter().filter(|name| named.is_empty() || named.iter().any(|given| given == *name));
    let mut command = cargo();
    command.arg("bench").args(PACKAGES).args(wanted.flat_map(|name| ["--bench", name])).arg("--").args(rest);
    Ok(house::exit_code(command.status()?))
}
