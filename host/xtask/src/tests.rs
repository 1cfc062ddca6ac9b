//! `cargo xtask test`: builds what the tests need, runs all of them, and ends with the runner's closing lines.
//!
//! By cargo-nextest where it is installed (each test in a process of its own), else by `cargo test`.

use std::io::{BufRead as _, BufReader, IsTerminal as _, Read, Write};
use std::process::{Command, ExitCode, Stdio};
use std::sync::{Mutex, PoisonError};

use anyhow::{Context as _, Result};

use crate::checks::plugins_manifest;
use crate::closing::{Closing, Runner};
use crate::house::{self, EVERYTHING, cargo, cargo_has, tell};
use crate::{pages, plugins, postgres};

/// Runs all tests, or those whose names contain one of `filter`.
pub fn run(filter: &[String]) -> Result<ExitCode> {
    plugins::build()?;
    plugins::build_guests()?;
    if !binaries()? {
        tell("it does not build: see above");
        return Ok(ExitCode::FAILURE);
    }
    postgres::ready()?;
    let swept = house::target()?.join("tmp/swept.log");
    let _ = std::fs::remove_file(&swept);
    let main = if cargo_has("nextest") { Runner::Nextest } else { Runner::CargoTest };
    let mut all = Vec::new();

    let mut command = cargo();
    runner(&mut command, main).arg("--manifest-path").arg(plugins_manifest()).args(named(filter));
    all.push(watch("plugins, natively", main, &mut command)?);
    if main == Runner::Nextest {
        // It leaves out the examples in the documentation.
        let mut command = cargo();
        command.args(["test", "--workspace", "--doc", "--no-fail-fast"]).args(named(filter));
        all.push(watch("examples in the documentation", Runner::CargoTest, &mut command)?);
    }
    let mut command = cargo();
    runner(&mut command, main).args(named(filter)).env_remove(STORE);
    all.push(watch("the house", main, &mut command)?);
    if house::variable(STORE).as_deref() == Some("postgres") {
        all.push(on_postgres(filter)?);
    }
    let paged = filter.is_empty() || filter.iter().any(|part| part.starts_with("pages"));
    if paged && pages::browser() {
        all.push(in_browser(main)?);
    }

    tell("");
    let mut failed = false;
    for part in &all {
        for line in part.closing.lines() {
            tell(&format!("{}: {line}", part.name));
        }
        failed |= !part.succeeded;
    }
    if let Ok(log) = std::fs::read_to_string(&swept) {
        tell(&sweep(&log));
    }
    if paged && !pages::browser() {
        tell(pages::MISSING);
    }
    let sum = all.iter().fold(Closing::default(), |sum, part| sum.and(&part.closing));
    if sum.ran() == 0 {
        tell(&format!("no test ran {}", filter.join(" ")));
        failed = true;
    }
    tell(&sum.sentence(failed));
    Ok(if failed { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

/// Runs the house's tests with this in their names; whether there were some and all passed, and the closing line.
pub fn some(filter: &str) -> Result<(bool, String)> {
    plugins::build()?;
    plugins::build_guests()?;
    if !binaries()? {
        return Ok((false, "it does not build".to_owned()));
    }
    let mut command = cargo();
    runner(&mut command, Runner::CargoTest).args(["--lib", "--tests", "--", filter]);
    let part = watch(&format!("the house: {filter}"), Runner::CargoTest, &mut command)?;
    Ok((part.succeeded && part.closing.ran() > 0, part.closing.lines().join(", ")))
}

/// What the tests swept for secrets when they ended: a line a site, with its files, their bytes and the needles.
fn sweep(log: &str) -> String {
    let mut sums = [0_u64; 3];
    for line in log.lines() {
        for (sum, number) in sums.iter_mut().zip(line.split(' ')) {
            *sum += number.parse().unwrap_or(0);
        }
    }
    let [files, bytes, needles] = sums;
    format!(
        "swept for secrets and private words: {} sites, {files} files, {} MiB, {needles} needles in 11 forms each; a hit fails its test",
        log.lines().count(),
        bytes >> 20
    )
}

/// Builds everything. The tests of the whole run the real binary, which belongs to another package than theirs: no runner builds
/// it by itself.
fn binaries() -> Result<bool> {
    tell("== build");
    let mut command = cargo();
    command.args(EVERYTHING).stdin(Stdio::null());
    Ok(command.status().context("cannot run cargo")?.success())
}

/// `postgres`: the tests of the whole run a second time, with their sites there.
const STORE: &str = "POINTSMAN_TEST_STORE";

/// The tests of the whole once more, with their sites on Postgres. In one process, which starts one server for all of them. Left
/// out: what says the same there (the rules of the house), and pages whose commands name a file as the database.
fn on_postgres(filter: &[String]) -> Result<Part> {
    let mut command = cargo();
    command.args(["test", "--workspace", "--no-fail-fast", "--test", "it", "--"]).args(filter);
    for part in ["doors::", "pages::", "tidy::"] {
        command.args(["--skip", part]);
    }
    command.env(STORE, "postgres");
    watch("the house, on Postgres", Runner::CargoTest, &mut command)
}

/// The tests that need a browser: they are marked as ignored, as are measurements, which stay left out.
fn in_browser(main: Runner) -> Result<Part> {
    let mut command = cargo();
    match main {
        Runner::Nextest => runner(&mut command, main).args(["--run-ignored", "only", "--", pages::TESTS]),
        Runner::CargoTest => runner(&mut command, main).args(["--", "--ignored", pages::TESTS]),
    };
    watch("the pages, in a browser", main, &mut command)
}

fn runner(command: &mut Command, runner: Runner) -> &mut Command {
    match runner {
        Runner::Nextest => {
            // The longest tests mostly wait: for a lease to end, for a host to come back.
            let at_once = std::thread::available_parallelism().map_or(1, usize::from) + 1;
            command.args(["nextest", "run", "--workspace", "--no-fail-fast", "--no-tests", "pass", "--test-threads"]);
            command.arg(at_once.to_string())
        }
        Runner::CargoTest => command.args(["test", "--workspace", "--no-fail-fast"]),
    }
}

/// The filter as both runners take it: after `--`, any number of parts of names.
fn named(filter: &[String]) -> impl Iterator<Item = &str> {
    let start = if filter.is_empty() { None } else { Some("--") };
    start.into_iter().chain(filter.iter().map(String::as_str))
}

/// How one run of a runner ended.
struct Part {
    name: String,
    succeeded: bool,
    closing: Closing,
}

/// Runs a test runner, passes on what it prints as it comes, and reads the closing lines in it.
fn watch(name: &str, runner: Runner, command: &mut Command) -> Result<Part> {
    tell(&format!("== tests: {name}"));
    if std::io::stderr().is_terminal() {
        command.env("CARGO_TERM_COLOR", "always");
    }
    let mut child =
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().context("cannot run cargo")?;
    let closing = Mutex::new(Closing::default());
    let (out, err) = (child.stdout.take(), child.stderr.take());
    std::thread::scope(|scope| {
        scope.spawn(|| out.map(|from| pass_on(from, std::io::stdout(), runner, &closing)));
        scope.spawn(|| err.map(|from| pass_on(from, std::io::stderr(), runner, &closing)));
    });
    let status = child.wait().context("cannot wait for cargo")?;
    let closing = closing.into_inner().unwrap_or_else(PoisonError::into_inner);
    Ok(Part { name: name.to_owned(), succeeded: status.success(), closing })
}

fn pass_on(from: impl Read, mut to: impl Write, runner: Runner, closing: &Mutex<Closing>) {
    for line in BufReader::new(from).split(b'\n') {
        let Ok(mut line) = line else { return };
        closing.lock().unwrap_or_else(PoisonError::into_inner).see(runner, &String::from_utf8_lossy(&line));
        line.push(b'\n');
        // A reader that went away is no reason to stop the tests.
        let _ = to.write_all(&line);
    }
}
