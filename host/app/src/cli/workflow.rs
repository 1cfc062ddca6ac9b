//! `pointsman workflow`: the versions of workflows. Every version that was ever published is kept under the hash of its
//! content; which one was active when, and by whom, is kept too.

use std::process::ExitCode;

use anyhow::{Result, bail};
use pointsman_store::{Store, WorkflowChange, WorkflowRow};
use serde_json::{Value, json};

use super::Context;
use super::table::table;
use crate::changes::between;
use crate::versions::{before, parse};
use crate::wiring::{self, FIRST_WORKSPACE};
use crate::words::moment;

mod webhook;

/// Example: `pointsman workflow diff order-desk`
///
/// Exit codes: 0 done, 1 refused, 2 cannot do it.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, clap::Subcommand)]
enum Verb {
    /// Lists the workflows that new runs take, and those that are out of use.
    List,
    /// Lists the versions of a workflow, and which was active when.
    Versions {
        /// The workflow.
        name: String,
    },
    /// Shows what differs: from the version before to the active one, from A to the active one, or from A to B.
    Diff {
        /// The workflow.
        name: String,
        /// A version: its hash, or how that begins.
        a: Option<String>,
        /// Another one.
        b: Option<String>,
    },
    /// Shows a version whole: its steps and files.
    Show {
        /// The workflow.
        name: String,
        /// A version; absent: the active one.
        version: Option<String>,
    },
    /// Opens the address for a workflow that listens for webhooks, and says it. The secret is read from
    /// POINTSMAN_SECRET_SIGNING_SECRET, or made and shown once.
    Webhook {
        /// The workflow.
        name: String,
        /// Makes another secret; the one before is good no more.
        #[arg(long)]
        rotate: bool,
    },
    /// Takes a workflow out of use: no new run takes it, those that wait go on. `pointsman rollback` brings it back.
    Retire {
        /// The workflow.
        name: String,
    },
}

pub(super) fn run(context: &Context, args: &Args) -> Result<ExitCode> {
    let config = context.config()?;
    wiring::block_on(async {
        let store = wiring::open_store(&config).await?;
        let done = match &args.verb {
            Verb::List => list(context, &store).await,
            Verb::Versions { name } => versions(context, &store, name).await,
            Verb::Diff { name, a, b } => diff(context, &store, name, a.as_deref(), b.as_deref()).await,
            Verb::Show { name, version } => show(context, &store, name, version.as_deref()).await,
            Verb::Webhook { name, rotate } => webhook::run(context, &config, &store, name, *rotate).await,
            Verb::Retire { name } => retire(context, &store, name).await,
        };
        store.close().await?;
        done
    })
}

/// How a hash is shown.
pub(super) fn short(hash: &str) -> &str {
    hash.get(..12).unwrap_or(hash)
}

/// The version whose hash begins like this.
pub(super) fn version<'a>(versions: &'a [WorkflowRow], name: &str, asked: &str) -> Result<&'a WorkflowRow> {
    if versions.is_empty() {
        bail!("workflow.unknown: there is no workflow `{name}`; `pointsman workflow list` names them");
    }
    let found: Vec<&WorkflowRow> = versions.iter().filter(|row| row.hash.starts_with(asked)).collect();
    match found.as_slice() {
        [one] => Ok(one),
        [] => bail!("workflow.unknown: there is no version {asked} of `{name}`; `pointsman workflow versions {name}` names them"),
        _ => bail!("workflow.ambiguous: {} versions of `{name}` begin with {asked}; give more of the hash", found.len()),
    }
}

fn active<'a>(versions: &'a [WorkflowRow], name: &str) -> Result<&'a WorkflowRow> {
    match versions.iter().find(|row| row.active) {
        Some(row) => Ok(row),
        None if versions.is_empty() => {
            bail!("workflow.unknown: there is no workflow `{name}`; `pointsman workflow list` names them")
        }
        None => bail!("workflow.retired: `{name}` is out of use; name a version of `pointsman workflow versions {name}`"),
    }
}

async fn list(context: &Context, store: &Store) -> Result<ExitCode> {
    let (changes, open) =
        (store.workflow_changes(FIRST_WORKSPACE, None).await?, store.open_runs_by_version(FIRST_WORKSPACE).await?);
    let mut names: Vec<&str> = changes.iter().map(|change| change.name.as_str()).collect();
    names.sort_unstable();
    names.dedup();
    let (mut shown, mut rows) = (Vec::new(), Vec::new());
    for name in names {
        let versions = store.workflow_versions(FIRST_WORKSPACE, name).await?;
        let runs: u64 = versions.iter().filter_map(|row| open.get(&row.hash)).sum();
        let Some(last) = changes.iter().rev().find(|change| change.name == name) else { continue };
        shown.push(json!({
            "name": name, "active": last.hash, "since": last.at, "by": last.actor, "versions": versions.len(), "open_runs": runs,
        }));
        let hash = last.hash.as_deref().map_or("out of use", short);
        let by = last.actor.clone().unwrap_or_default();
        rows.push([name.to_owned(), hash.to_owned(), moment(last.at), by, versions.len().to_string(), runs.to_string()]);
    }
    context.answer(&Value::Array(shown), || match rows.is_empty() {
        true => "no workflow was published yet".to_owned(),
        false => table(["WORKFLOW", "VERSION", "SINCE", "BY", "VERSIONS", "OPEN RUNS"], &rows),
    });
    Ok(ExitCode::SUCCESS)
}

async fn versions(context: &Context, store: &Store, name: &str) -> Result<ExitCode> {
    let versions = store.workflow_versions(FIRST_WORKSPACE, name).await?;
    if versions.is_empty() {
        bail!("workflow.unknown: there is no workflow `{name}`; `pointsman workflow list` names them");
    }
    let open = store.open_runs_by_version(FIRST_WORKSPACE).await?;
    let changes = store.workflow_changes(FIRST_WORKSPACE, Some(name)).await?;
    let runs = |row: &WorkflowRow| open.get(&row.hash).copied().unwrap_or(0);
    let kept = |row: &WorkflowRow| json!({ "hash": row.hash, "stored": row.at, "active": row.active, "open_runs": runs(row) });
    let shown = json!({
        "name": name, "versions": versions.iter().map(kept).collect::<Vec<_>>(), "history": changes, "before": before(&changes),
    });
    context.answer(&shown, || {
        let row = |row: &WorkflowRow| {
            let word = if row.active { "active" } else { "" };
            [short(&row.hash).to_owned(), moment(row.at), runs(row).to_string(), word.to_owned()]
        };
        let change = |change: &WorkflowChange| {
            let how = change.action.as_deref().and_then(|action| action.rsplit('.').next()).unwrap_or("?");
            let hash = change.hash.as_deref().map_or("-", short);
            [moment(change.at), how.to_owned(), hash.to_owned(), change.actor.clone().unwrap_or_default()]
        };
        let kept = table(["VERSION", "STORED", "OPEN RUNS", ""], &versions.iter().map(row).collect::<Vec<_>>());
        let history = table(["WHEN", "WHAT", "VERSION", "BY"], &changes.iter().map(change).collect::<Vec<_>>());
        format!("{kept}\n\n{history}")
    });
    Ok(ExitCode::SUCCESS)
}

async fn diff(context: &Context, store: &Store, name: &str, a: Option<&str>, b: Option<&str>) -> Result<ExitCode> {
    let versions = store.workflow_versions(FIRST_WORKSPACE, name).await?;
    let a = match a {
        Some(asked) => version(&versions, name, asked)?,
        None => {
            let changes = store.workflow_changes(FIRST_WORKSPACE, Some(name)).await?;
            active(&versions, name)?;
            let Some(hash) = before(&changes) else {
                bail!("workflow.no_version_before: nothing was active before the present version of `{name}`; name two versions");
            };
            version(&versions, name, hash)?
        }
    };
    let b = match b {
        Some(asked) => version(&versions, name, asked)?,
        None => active(&versions, name)?,
    };
    let changes = between((&a.files, parse(&a.files).as_ref()), (&b.files, parse(&b.files).as_ref()));
    let mut shown = json!({ "name": name, "a": a.hash, "b": b.hash });
    if let (Some(shown), Value::Object(changes)) = (shown.as_object_mut(), changes.json()) {
        shown.extend(changes);
    }
    context.answer(&shown, || {
        if changes.files.is_empty() {
            return format!("{name}: {} and {} are the same", short(&a.hash), short(&b.hash));
        }
        let steps = changes.lines().into_iter().take(changes.added.len() + changes.removed.len());
        let head = std::iter::once(format!("{name}: from {} to {}", short(&a.hash), short(&b.hash)));
        let files = changes.files.iter().map(|file| format!("\n{}", file.text.trim_end()));
        head.chain(steps.map(|step| format!("  {step}"))).chain(files).collect::<Vec<_>>().join("\n")
    });
    Ok(ExitCode::SUCCESS)
}

async fn show(context: &Context, store: &Store, name: &str, asked: Option<&str>) -> Result<ExitCode> {
    let versions = store.workflow_versions(FIRST_WORKSPACE, name).await?;
    let row = match asked {
        Some(asked) => version(&versions, name, asked)?,
        None => active(&versions, name)?,
    };
    let workflow = parse(&row.files);
    let steps = workflow.iter().flat_map(|w| w.outline());
    let steps: Vec<Value> =
        steps.map(|s| json!({ "path": s.path, "verb": s.verb, "if": s.guard.map(|guard| guard.0) })).collect();
    let plugins: Vec<String> = workflow.iter().flat_map(|w| w.plugins.iter().map(ToString::to_string)).collect();
    let files: serde_json::Map<String, Value> = row.files.iter().map(|(name, text)| (name.clone(), json!(text))).collect();
    let shown = json!({
        "name": name, "hash": row.hash, "stored": row.at, "active": row.active, "plugins": plugins, "steps": steps, "files": files,
    });
    context.answer(&shown, || {
        let state = if row.active { "active" } else { "not active" };
        let mut lines = vec![format!("{name} {} ({state}), stored {}", short(&row.hash), moment(row.at))];
        lines.extend((!plugins.is_empty()).then(|| format!("  uses {}", plugins.join(", "))));
        let outline = workflow.iter().flat_map(|w| w.outline());
        lines.extend(outline.map(|step| {
            let guard = step.guard.map_or_else(String::new, |guard| format!(" if {}", guard.0));
            format!("  {} ({}){guard}", step.path, step.verb)
        }));
        lines.extend(row.files.iter().map(|(name, text)| format!("\n--- {name}\n{}", text.trim_end())));
        lines.join("\n")
    });
    Ok(ExitCode::SUCCESS)
}

async fn retire(context: &Context, store: &Store, name: &str) -> Result<ExitCode> {
    match store.retire_workflow(FIRST_WORKSPACE, "cli", name).await? {
        Ok(()) => {
            context.answer(&json!({ "name": name, "done": true }), || {
                format!("{name} is out of use; runs that wait go on; `pointsman rollback {name}` brings it back")
            });
            Ok(ExitCode::SUCCESS)
        }
        Err(refused) => {
            context.answer(&json!({ "done": false, "error": refused }), || refused.to_string());
            Ok(ExitCode::from(1))
        }
    }
}
