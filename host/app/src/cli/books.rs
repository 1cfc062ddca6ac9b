//! `pointsman books`: every kept webhook has ended, or says what it waits for. With `--strict` anything unexplained is
//! exit code 1.

use std::process::ExitCode;

use anyhow::Result;

use super::Context;
use crate::wiring;

/// Example: `pointsman books --strict`
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Exit with 1 when anything is unexplained.
    #[arg(long)]
    strict: bool,
    /// Only what is open, and whether it is explained: costs nothing for what has ended, however much is kept. Without it
    /// everything is counted too, which reads every row.
    #[arg(long)]
    open: bool,
}

pub(super) fn run(context: &Context, args: &Args) -> Result<ExitCode> {
    let config = context.config()?;
    let books = wiring::block_on(async {
        let store = wiring::open_store(&config).await?;
        let books = match args.open {
            true => store.open_books(wiring::FIRST_WORKSPACE).await?,
            false => store.books(wiring::FIRST_WORKSPACE).await?,
        };
        store.close().await?;
        Ok(books)
    })?;
    context.answer(&serde_json::to_value(&books)?, || {
        let mut lines = Vec::new();
        for (what, counts) in
            [("webhooks", &books.webhooks), ("events", &books.events), ("runs", &books.runs), ("sends", &books.sends)]
        {
            if args.open {
                break;
            }
            let told: Vec<String> = counts.iter().filter(|(_, n)| **n > 0).map(|(state, n)| format!("{n} {state}")).collect();
            lines.push(format!("{what:9} {}", if told.is_empty() { "none".to_owned() } else { told.join(", ") }));
        }
        lines.push(format!("open: {}, unexplained: {}", books.open_count, books.unexplained.len()));
        lines.extend(books.open.iter().take(20).map(|o| format!("  {} {} waits for {}", o.kind, o.id, o.waits_for)));
        lines.extend(books.unexplained.iter().map(|u| format!("  unexplained: {u}")));
        lines.join("\n")
    });
    Ok(ExitCode::from(u8::from(args.strict && !books.balanced())))
}
