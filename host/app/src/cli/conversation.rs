//! `pointsman conversation`: who is talked with, and who has it. While people have a conversation, workflows keep quiet there.

use std::process::ExitCode;

use anyhow::Result;
use pointsman_core::id::Id;
use serde_json::{Value, json};

use super::Context;
use super::table::table;
use crate::wiring::{self, FIRST_WORKSPACE};
use crate::words::moment;

/// Example: `pointsman conversation handback CONVERSATION`
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, clap::Subcommand)]
enum Verb {
    /// Lists conversations, the newest first.
    List {
        /// Only those that people have.
        #[arg(long)]
        handed_off: bool,
        /// At most so many.
        #[arg(long, default_value_t = 50)]
        limit: usize,
    },
    /// Gives a conversation back to the workflows.
    Handback {
        /// Its id.
        id: Id,
    },
}

pub(super) fn run(context: &Context, args: &Args) -> Result<ExitCode> {
    let config = context.config()?;
    wiring::block_on(async {
        let store = wiring::open_store(&config).await?;
        let done = match &args.verb {
            Verb::List { handed_off, limit } => {
                let mut rows = store.conversations(FIRST_WORKSPACE, *limit).await?;
                rows.retain(|row| !handed_off || row.body.silenced);
                let shown = |row: &pointsman_store::ConversationRow| {
                    json!({
                        "id": row.conversation.id, "channel": row.conversation.channel, "last_at": row.last_at,
                        "tags": row.body.tags, "assigned": row.body.assigned, "handed_off": row.body.silenced,
                        "waits": row.body.waits,
                    })
                };
                context.answer(&Value::Array(rows.iter().map(shown).collect()), || {
                    let line = |row: &pointsman_store::ConversationRow| {
                        let has = if row.body.silenced { "people" } else { "workflows" };
                        let assigned = row.body.assigned.clone().unwrap_or_default();
                        [row.conversation.id.to_string(), moment(row.last_at), has.to_owned(), assigned, row.body.tags.join(", ")]
                    };
                    let lines: Vec<_> = rows.iter().map(line).collect();
                    table(["CONVERSATION", "LAST", "WITH", "ASSIGNED", "TAGS"], &lines)
                });
                Ok(ExitCode::SUCCESS)
            }
            Verb::Handback { id } => match store.hand_back(FIRST_WORKSPACE, *id, "cli").await? {
                Ok(()) => {
                    context.answer(&json!({ "conversation": id, "done": true }), || format!("the workflows have {id} again"));
                    Ok(ExitCode::SUCCESS)
                }
                Err(refused) => {
                    context.answer(&json!({ "done": false, "error": refused }), || refused.to_string());
                    Ok(ExitCode::from(1))
                }
            },
        };
        store.close().await?;
        done
    })
}
