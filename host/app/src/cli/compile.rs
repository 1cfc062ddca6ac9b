//! The process that compiles a plugin which did not come with the host: within bounds of its own, so that a component made to be
//! hard to compile harms nobody else. It reads the component from standard input and writes the code to standard output.

use std::process::ExitCode;

/// Example: none, a host starts it.
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
    pointsman_sandbox::compile(args.seconds, args.memory)
}
