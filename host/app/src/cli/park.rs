//! `pointsman park`: what cannot go on, and why. Nothing is ever dropped in silence; this is where it stands.

use std::process::ExitCode;

use anyhow::Result;

use super::Context;
use crate::wiring;

/// Example: `pointsman park list --json`
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, clap::Subcommand)]
enum Verb {
    /// Lists what is parked, newest first.
    List {
        /// At most so many.
        #[arg(long, default_value_t = 100)]
        limit: usize,
    },
}

pub(super) fn run(context: &Context, args: &Args) -> Result<ExitCode> {
    let Verb::List { limit } = args.verb;
    let config = context.config()?;
    let parked = wiring::block_on(async {
        let store = wiring::open_store(&config).await?;
        let parked = store.parked(wiring::FIRST_WORKSPACE, limit).await?;
        store.close().await?;
        Ok(parked)
    })?;
    context.answer(&serde_json::to_value(&parked)?, || {
        let line = |p: &pointsman_store::ParkedItem| {
            let why = p.reason.as_ref().map_or("", |r| r.message.as_str());
            format!("{:8} {}  {}  {why}", p.kind, p.id, p.code)
        };
        if parked.is_empty() { "nothing is parked".to_owned() } else { parked.iter().map(line).collect::<Vec<_>>().join("\n") }
    });
    Ok(ExitCode::SUCCESS)
}
