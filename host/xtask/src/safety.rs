//! `cargo xtask safety`: the heavy proofs. Their work is done by `pointsman-safety` (tests/src/bin), which stands outside of the
//! host; here it is built, together with the binary that it judges. What the tests of every day prove whole is run as they do.

use std::process::{Command, ExitCode};

use anyhow::{Context as _, Result};

use crate::house::{self, EVERYTHING, cargo, must};
use crate::{plugins, tests};

/// What the tests of every day prove at its full size: its name, what must hold, and a part of its tests' names.
const IN_TESTS: [(&str, &str, &str); 3] = [
    ("T5", "200 URLs that lead inside: 0 connections; 50 public addresses: 0 refused", "egress::ssrf"),
    ("T12", "1 % poison: parked after exactly its tries, nobody else waits", "durability::poison"),
    ("T24", "40 tampered packages refused; 10 wider updates wait, 10 narrower do not", "security::packages"),
];

/// Options that are followed by a value.
const VALUED: [&str; 4] = ["--store", "--hosts", "--scale", "--seed"];

/// The selection of the benchmarks, so that a release's dependencies are compiled once. It has the named points.
const RELEASE: [&str; 7] = ["build", "--release", "--bins", "--package", "pointsman", "--package", "pointsman-tests"];

/// Builds both binaries (with `--release` as a release) and runs the proofs with the other arguments.
pub fn run(args: &[String]) -> Result<ExitCode> {
    let (release, rest): (Vec<&str>, Vec<&str>) = args.iter().map(String::as_str).partition(|arg| *arg == "--release");
    let (small, rest): (Vec<&str>, Vec<&str>) = rest.into_iter().partition(|arg| IN_TESTS.iter().any(|(name, ..)| name == arg));
    let all = small.is_empty() && !named(&rest);
    let mut code = ExitCode::SUCCESS;
    if all || named(&rest) {
        plugins::build()?;
        code = if release.is_empty() {
            must(cargo().args(EVERYTHING), "building")?;
            call("debug", &rest)?
        } else {
            released(&rest)?
        };
    }
    if all || !small.is_empty() {
        let rows = IN_TESTS.iter().filter(|(name, ..)| all || small.contains(name));
        if !in_tests(&rows.collect::<Vec<_>>())? {
            code = ExitCode::FAILURE;
        }
    }
    Ok(code)
}

/// Whether a proof is named in these arguments.
fn named(args: &[&str]) -> bool {
    let after = |at: usize| at.checked_sub(1).and_then(|before| args.get(before));
    args.iter().enumerate().any(|(at, arg)| !arg.starts_with("--") && !after(at).is_some_and(|option| VALUED.contains(option)))
}

/// Runs proofs that are tests, and prints a table of them. Whether all held.
fn in_tests(rows: &[&(&str, &str, &str)]) -> Result<bool> {
    let mut told = Vec::new();
    for (name, target, filter) in rows {
        let (passed, seen) = tests::some(filter)?;
        told.push((passed, format!("{name:6}  {target:75}  {seen}  {}", if passed { "held" } else { "BROKEN" })));
    }
    house::tell("");
    told.iter().for_each(|(_, line)| house::tell(line));
    Ok(told.iter().all(|(passed, _)| *passed))
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

#[cfg(test)]
mod tests_of_names {
    use super::*;

    #[test]
    fn a_value_is_no_name() {
        for (args, is) in [("", false), ("T11", true), ("--store postgres --hosts 2", false), ("--scale 0.1 T11", true)] {
            assert_eq!(named(&args.split_whitespace().collect::<Vec<_>>()), is, "{args}");
        }
    }
}
