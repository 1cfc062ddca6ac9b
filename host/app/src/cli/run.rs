//! `pointsman run`: runs and their steps, from the journal.

use std::process::ExitCode;

use anyhow::{Context as _, Result, bail};
use pointsman_core::id::Id;
use pointsman_store::RunFilter;

use super::Context;
use crate::{house, wiring};

/// Example: `pointsman run show 123456789 --steps`
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, clap::Subcommand)]
enum Verb {
    /// Lists runs, newest first.
    List {
        /// At most so many.
        #[arg(long, default_value_t = 50)]
        limit: usize,
    },
    /// Shows one run.
    Show {
        /// Its id.
        id: String,
        /// With every step's output and effects.
        #[arg(long)]
        steps: bool,
    },
}

pub(super) fn run(context: &Context, args: &Args) -> Result<ExitCode> {
    let config = context.config()?;
    let answer = wiring::block_on(async {
        let store = wiring::open_store(&config).await?;
        let answer = match &args.verb {
            Verb::List { limit } => {
                let runs = store.runs(wiring::FIRST_WORKSPACE, RunFilter::default(), *limit).await?;
                serde_json::Value::Array(runs.iter().map(|r| house::run_json(r, None)).collect())
            }
            Verb::Show { id, steps } => {
                let id: Id = id.parse().with_context(|| format!("{id} is no id of a run"))?;
                let Some(run) = store.run(wiring::FIRST_WORKSPACE, id).await? else { bail!("there is no run {id}") };
                let mut shown = house::run_json(&run, None);
                if *steps {
                    house::add_steps(&mut shown, &run, None);
                }
                shown
            }
        };
        store.close().await?;
        Ok(answer)
    })?;
    context.answer(&answer, || serde_json::to_string_pretty(&answer).unwrap_or_default());
    Ok(ExitCode::SUCCESS)
}
