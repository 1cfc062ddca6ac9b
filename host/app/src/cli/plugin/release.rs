//! `pointsman plugin release`: lets a quarantined plugin or script run again, and has what was parked for it tried again.

use std::process::ExitCode;

use anyhow::Result;
use pointsman_core::run::QUARANTINED;
use pointsman_store::{ParkedItem, Wish};
use serde_json::json;

use super::Context;
use super::add::{with_store, workspace};

/// Example: `pointsman plugin release acme/mood`
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The plugin's id, or the name of the script, as `plugin stats` shows them.
    plugin: String,
    /// In this workspace; default: the first one.
    #[arg(long)]
    workspace: Option<String>,
    /// Let it run again, and leave parked what is.
    #[arg(long)]
    keep_parked: bool,
}

pub(super) fn run(context: &Context, args: &Args) -> Result<ExitCode> {
    let plugin = args.plugin.as_str();
    with_store(context, async |store| {
        let ws = workspace(store, args.workspace.as_deref()).await?.id;
        if let Err(refused) = store.release(ws, "cli", plugin).await? {
            context.answer(&json!({ "released": null, "error": refused }), || refused.to_string());
            return Ok(ExitCode::from(1));
        }
        let named = format!("{plugin} is quarantined");
        let its = |item: &ParkedItem| {
            item.code == QUARANTINED && item.reason.as_ref().is_none_or(|reason| reason.message.starts_with(&named))
        };
        let mut parked = store.parked(ws, if args.keep_parked { 0 } else { usize::MAX >> 1 }).await?;
        parked.retain(its);
        parked.sort_by_key(|item| item.id);
        let (mut again, mut left) = (0, Vec::new());
        for item in parked {
            match store.act_on_parked(ws, item.id, "cli", &Wish::Retry).await? {
                Ok(_) => again += 1,
                Err(refused) => left.push(refused),
            }
        }
        context.answer(&json!({ "released": plugin, "retried": again, "refused": left }), || {
            let left: String = left.iter().map(|refused| format!("\nrefused {refused}")).collect();
            format!("{plugin} runs again; {again} parked runs are tried again.{left}")
        });
        Ok(ExitCode::from(u8::from(!left.is_empty())))
    })
}
