//! The process that reads a file for a knowledge base: within bounds of its own, so that a file made to be hard to read harms
//! nobody. It takes a task from standard input and writes what it read to standard output.

use std::process::ExitCode;

use crate::reader::serve_reading;

/// Example: none, `pointsman knowledge` starts it.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Processor time in seconds.
    #[arg(long)]
    seconds: u64,
    /// Memory in bytes.
    #[arg(long)]
    memory: u64,
}

pub(super) fn run(args: &Args) -> ExitCode {
    serve_reading(args.seconds, args.memory)
}
