//! `pointsman approval`: what workflows want a person to look at before it goes on. A decision holds for exactly the text that
//! is shown, in this conversation, of this run; it counts once, and a running host goes on within a second.

use std::process::ExitCode;

use anyhow::{Result, bail};
use pointsman_core::event::Message;
use pointsman_core::id::Id;
use pointsman_core::journal::Entry;
use pointsman_core::wait::{APPROVE, Wake, Want};
use pointsman_store::{RunRow, Store};
use serde_json::{Value, json};

use super::Context;
use super::table::table;
use crate::wiring::{self, FIRST_WORKSPACE};
use crate::words::moment;

/// Approvals that are listed.
const LISTED: usize = 500;

/// Example: `pointsman approval approve RUN --text "We open at nine."`
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
        /// The run that waits.
        run: Id,
        /// Say this in its place.
        #[arg(long)]
        text: Option<String>,
        /// Who decided, for the journal and the audit.
        #[arg(long, default_value = "cli")]
        by: String,
    },
    /// Does not.
    Reject {
        /// The run that waits.
        run: Id,
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
            Verb::Approve { run, text, by } => {
                if text.as_ref().is_some_and(|t| t.trim().is_empty()) {
                    bail!("--text is empty: leave it out to approve the text as it is");
                }
                let wake = Wake::Approved { approved: true, text: text.clone(), by: by.clone() };
                decide(context, &store, *run, by, "approval.approve", wake).await
            }
            Verb::Reject { run, by } => {
                let wake = Wake::Approved { approved: false, text: None, by: by.clone() };
                decide(context, &store, *run, by, "approval.reject", wake).await
            }
        };
        store.close().await?;
        done
    })
}

async fn decide(context: &Context, store: &Store, run: Id, by: &str, action: &'static str, wake: Wake) -> Result<ExitCode> {
    match store.tell_run(FIRST_WORKSPACE, run, APPROVE, by, action, wake).await? {
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
    let wanted: Vec<(&RunRow, Wanted<'_>)> = runs.iter().filter_map(|run| Some((run, wanted(run)?))).collect();
    let shown = |(run, wanted): &(&RunRow, Wanted<'_>)| {
        json!({
            "run": run.id, "conversation": run.conversation.as_ref().map(|c| c.id), "text": wanted.message.text,
            "to": wanted.to, "until": run.until, "since": run.id.made_at(),
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
                    run.id.to_string(),
                    until,
                    wanted.to.unwrap_or_default().to_owned(),
                    wanted.message.text.clone().unwrap_or_default(),
                ]
            })
            .collect();
        table(["RUN", "UNTIL", "ASKED", "TEXT"], &rows)
    });
    Ok(ExitCode::SUCCESS)
}

struct Wanted<'a> {
    message: &'a Message,
    to: Option<&'a str>,
}

/// What a run wants approved: its last wait says so.
fn wanted(run: &RunRow) -> Option<Wanted<'_>> {
    run.entries.iter().rev().find_map(|entry| match entry {
        Entry::Waiting { want: Some(want), .. } => match &**want {
            Want::Approval(approval) => Some(Wanted { message: &approval.message, to: approval.to.as_deref() }),
            _ => None,
        },
        _ => None,
    })
}
