//! `pointsman approval`: what workflows want a person to look at before it goes on. It is named by what is to be approved, so a decision is
//! about what was read; it holds for exactly that text, in this conversation, of this run, counts once, and a running host goes on
//! within a second.

use std::process::ExitCode;

use anyhow::{Result, bail};
use pointsman_core::approval::{Named, Wanted, wanted};
use pointsman_core::wait::APPROVE;
use pointsman_store::{RunRow, Store};
use serde_json::{Value, json};

use super::Context;
use super::table::table;
use crate::wiring::{self, FIRST_WORKSPACE};
use crate::words::moment;

/// Approvals that are listed.
const LISTED: usize = 500;

/// Example: `pointsman approval approve 7301234567890123456.3fa29c01d4e5 --text "We open at nine."`
///
/// Exit codes: 0 done, 1 refused (it was decided before, or its time is over), 2 cannot do it.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, clap::Subcommand)]
enum Verb {
    /// Lists what waits for a person, oldest first.
    List,
    /// Lets it go on.
    Approve {
        /// Its name, as `list` shows it: RUN.HASH
        approval: Named,
        /// Say this in its place.
        #[arg(long)]
        text: Option<String>,
        /// Who decided, for the journal and the audit.
        #[arg(long, default_value = "cli")]
        by: String,
    },
    /// Does not.
    Reject {
        /// Its name, as `list` shows it: RUN.HASH
        approval: Named,
        /// Who decided.
        #[arg(long, default_value = "cli")]
        by: String,
    },
}

pub(super) fn run(context: &Context, args: &Args) -> Result<ExitCode> {
    let config = context.config()?;
    wiring::block_on(async {
        let store = wiring::open_store(&config).await?;
        let done = match &args.verb {
            Verb::List => list(context, &store).await,
            Verb::Approve { approval, text, by } => {
                if text.as_ref().is_some_and(|t| t.trim().is_empty()) {
                    bail!("--text is empty: leave it out to approve the text as it is");
                }
                decide(context, &store, approval, by, true, text.as_deref()).await
            }
            Verb::Reject { approval, by } => decide(context, &store, approval, by, false, None).await,
        };
        store.close().await?;
        done
    })
}

async fn decide(context: &Context, store: &Store, named: &Named, by: &str, yes: bool, text: Option<&str>) -> Result<ExitCode> {
    let run = named.run;
    match store.decide_approval(FIRST_WORKSPACE, named, by, yes, text).await? {
        Ok(()) => {
            context.answer(&json!({ "run": run, "done": true }), || format!("run {run} goes on"));
            Ok(ExitCode::SUCCESS)
        }
        Err(refused) => {
            context.answer(&json!({ "run": run, "done": false, "error": refused }), || refused.to_string());
            Ok(ExitCode::from(1))
        }
    }
}

async fn list(context: &Context, store: &Store) -> Result<ExitCode> {
    let runs = store.runs_waiting_for(FIRST_WORKSPACE, APPROVE, LISTED).await?;
    let wanted: Vec<(&RunRow, Wanted<'_>)> = runs.iter().filter_map(|run| Some((run, wanted(&run.entries)?))).collect();
    let shown = |(run, wanted): &(&RunRow, Wanted<'_>)| {
        json!({
            "approval": Named::new(run.id, wanted.key).to_string(), "run": run.id,
            "conversation": run.conversation.as_ref().map(|c| c.id), "text": wanted.approval.message.text,
            "to": wanted.approval.to, "until": run.until, "since": run.id.made_at(),
        })
    };
    let json = Value::Array(wanted.iter().map(shown).collect());
    context.answer(&json, || {
        if wanted.is_empty() {
            return "nothing waits for an approval".to_owned();
        }
        let rows: Vec<[String; 4]> = wanted
            .iter()
            .map(|(run, wanted)| {
                let until = run.until.map_or_else(String::new, moment);
                [
                    Named::new(run.id, wanted.key).to_string(),
                    until,
                    wanted.approval.to.clone().unwrap_or_default(),
                    wanted.approval.message.text.clone().unwrap_or_default(),
                ]
            })
            .collect();
        table(["APPROVAL", "UNTIL", "ASKED", "TEXT"], &rows)
    });
    Ok(ExitCode::SUCCESS)
}
