//! The process that runs a model at home: within bounds of its own, so that a text which is made to be slow, or to find a mistake, harms
//! nobody else. It is spoken to over its standard input, a socket.

use std::path::PathBuf;
use std::process::ExitCode;

/// Example: none, a host starts it.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The model's file.
    #[arg(long)]
    file: PathBuf,
    /// SHA-256 of what must be in it.
    #[arg(long)]
    digest: String,
    /// Memory in bytes.
    #[arg(long)]
    memory: u64,
}

pub(super) fn run(args: &Args) -> ExitCode {
    pointsman_embed::serve(&args.file, &args.digest, args.memory)
}
