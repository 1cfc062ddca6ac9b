//! `pointsman publish`: workflow versions are stored by content hash, and become the active ones. What that changes is told. A
//! broken one is told and left out; it does not stop the others.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Result;
use pointsman_core::workflow::Workflow;
use pointsman_engine::workflows::publish;
use pointsman_store::Store;
use serde_json::{Value, json};

use super::check::{folders, read};
use super::{Context, say, serve};
use crate::bundled::Installed;
use crate::changes::{Changes, between};
use crate::versions::parse;
use crate::wiring::{self, FIRST_WORKSPACE};

/// Example: `pointsman publish workflows`
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Folders with a `workflow.yaml`, or folders of such folders.
    #[arg(required = true)]
    paths: Vec<PathBuf>,
    /// Only say what would change.
    #[arg(long)]
    dry_run: bool,
}

pub(super) fn run(context: &Context, args: &Args) -> Result<ExitCode> {
    let Outcome { published, broken, told } = publish_folders(context, &args.paths, args.dry_run)?;
    let left_out = broken.len();
    context.answer(&json!({ "published": published, "broken": broken, "dry_run": args.dry_run }), || {
        let (done, then) = match args.dry_run {
            true => ("to be published", "nothing was changed"),
            false => ("published", "a running host takes them over within a second"),
        };
        let summary = format!("{} {done}, {left_out} left out; {then}", published.len());
        told.into_iter().chain([summary]).collect::<Vec<_>>().join("\n")
    });
    Ok(ExitCode::from(u8::from(left_out > 0)))
}

/// What became of the workflows below some paths.
#[derive(Default)]
pub(super) struct Outcome {
    pub published: Vec<Value>,
    pub broken: Vec<Value>,
    /// What the publication changes, for people.
    told: Vec<String>,
}

/// Publishes every workflow below the paths.
pub(super) fn publish_folders(context: &Context, paths: &[PathBuf], dry_run: bool) -> Result<Outcome> {
    let config = context.config()?;
    let expressions = wiring::expressions();
    let points = serve::points();
    wiring::block_on(async {
        let store = wiring::open_store(&config).await?;
        let plugins = Installed::of(&store).await?;
        let mut outcome = Outcome::default();
        for folder in folders(paths)? {
            let sources = read(&folder)?;
            match Workflow::parse(&sources, &*expressions, &plugins) {
                Ok(workflow) => {
                    let (before, changes) = against(&store, &workflow, &sources).await?;
                    let name = &*workflow.name;
                    points.reach("publish.before");
                    if !dry_run {
                        publish(&store, FIRST_WORKSPACE, "cli", &workflow, &sources).await?;
                    }
                    points.reach("publish.after");
                    let hash = &**workflow.content_hash();
                    let changed = before.as_deref() != Some(hash);
                    outcome.told.extend(told(name, before.as_deref(), changed, &changes));
                    outcome.published.push(json!({
                        "name": name, "hash": hash, "before": before, "changed": changed, "changes": changes.json(),
                    }));
                }
                Err(diagnostics) => {
                    if !context.json {
                        for diagnostic in &diagnostics {
                            say(&format!("{diagnostic}  in {}\n", folder.display()));
                        }
                    }
                    // So that `why` can name it when a message finds no workflow.
                    let name = folder.file_name().unwrap_or_default().to_string_lossy();
                    let first = diagnostics.iter().find(|d| d.is_error());
                    let place = first.map_or_else(String::new, |d| format!("{} in {} line {}", d.code, d.file, d.line));
                    if !dry_run {
                        store.audit(FIRST_WORKSPACE, "cli", "workflow.refuse", &format!("{name}: {place}")).await?;
                    }
                    outcome.broken.push(json!({ "folder": folder, "diagnostics": diagnostics }));
                }
            }
        }
        store.close().await?;
        Ok(outcome)
    })
}

/// The active version of the same name, and what the new one changes of it.
async fn against(
    store: &Store,
    workflow: &Workflow,
    sources: &pointsman_core::workflow::SourceSet,
) -> Result<(Option<String>, Changes)> {
    let active = store.active_workflows(FIRST_WORKSPACE).await?.into_iter().find(|row| *row.name == *workflow.name);
    let Some(row) = active else { return Ok((None, Changes::default())) };
    let files: Vec<(String, String)> = sources.files().map(|(name, text)| (name.to_owned(), text.to_string())).collect();
    let before = parse(&row.files);
    Ok((Some(row.hash), between((&row.files, before.as_ref()), (&files, Some(workflow)))))
}

fn told(name: &str, before: Option<&str>, changed: bool, changes: &Changes) -> Vec<String> {
    match before {
        None => vec![format!("{name}: new")],
        Some(_) if !changed => vec![format!("{name}: as before")],
        Some(_) => {
            let lines = changes.lines().into_iter().map(|line| format!("  {line}"));
            std::iter::once(format!("{name}: changed")).chain(lines).collect()
        }
    }
}
