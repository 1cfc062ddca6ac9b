//! `pointsman plugin stats`: what plugins and scripts used, and which of them are quarantined.

use std::process::ExitCode;

use anyhow::Result;
use pointsman_store::{PluginUsage, Quarantined};
use serde_json::json;

use super::super::table::table;
use super::Context;
use super::add::{with_store, workspace};

/// Example: `pointsman plugin stats --days 1`
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Over so many days, today among them.
    #[arg(long, default_value_t = 7, value_parser = clap::value_parser!(u32).range(1..=3_650))]
    days: u32,
    /// Of this workspace; default: the first one.
    #[arg(long)]
    workspace: Option<String>,
}

pub(super) fn run(context: &Context, args: &Args) -> Result<ExitCode> {
    with_store(context, async |store| {
        let ws = workspace(store, args.workspace.as_deref()).await?.id;
        let used = store.usage(ws, args.days).await?;
        let mut quarantined = store.quarantined().await?;
        quarantined.retain(|one| one.workspace == ws);
        context.answer(&json!({ "days": args.days, "plugins": used, "quarantined": quarantined }), || text(&used, &quarantined));
        Ok(ExitCode::SUCCESS)
    })
}

fn text(used: &[PluginUsage], quarantined: &[Quarantined]) -> String {
    let row = |one: &PluginUsage| {
        let out = quarantined.iter().any(|other| other.plugin == one.plugin);
        [
            one.plugin.clone(),
            one.calls.to_string(),
            one.failed.to_string(),
            one.limited.to_string(),
            format!("{}.{:03} s", one.cpu_us / 1_000_000, one.cpu_us / 1_000 % 1_000),
            format!("{} KiB", one.memory >> 10),
            one.host_calls.to_string(),
            format!("{} KiB", one.egress.div_ceil(1 << 10)),
            if out { "quarantined" } else { "runs" }.to_owned(),
        ]
    };
    let rows: Vec<_> = used.iter().map(row).collect();
    let names = ["PLUGIN", "CALLS", "FAILED", "LIMITS", "CPU", "MEMORY", "HOST CALLS", "SENT", "STATE"];
    let mut text = if rows.is_empty() { "no plugin was called".to_owned() } else { table(names, &rows) };
    for one in quarantined {
        text.push_str(&format!(
            "\n{} is quarantined: {}; mend it, then: pointsman plugin release {}",
            one.plugin, one.why, one.plugin
        ));
    }
    text
}
