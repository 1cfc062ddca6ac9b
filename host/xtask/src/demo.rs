//! `cargo xtask demo`: from a fresh clone to a chat in the browser.

use std::os::unix::process::CommandExt as _;
use std::process::{Command, ExitCode};

use anyhow::{Context as _, Result};

use crate::{house, plugins};

/// Builds everything and becomes `pointsman demo`, so that signals and the exit code are its own.
pub fn run(args: &[String]) -> Result<ExitCode> {
    plugins::build()?;
    house::must(house::cargo().args(house::EVERYTHING), "building (the first time takes minutes)")?;
    let program = house::target()?.join("debug/pointsman");
    let error = Command::new(&program).arg("demo").args(args).exec();
    Err(error).with_context(|| format!("cannot run {}", program.display()))
}
