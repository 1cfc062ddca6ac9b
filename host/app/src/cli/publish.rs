//! `pointsman publish`: workflow versions are stored by content hash, and become the active ones. A broken one is told and
//! left out; it does not stop the others.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Result;
use pointsman_engine::workflows::publish;
use serde_json::{Value, json};

use super::check::{folders, read};
use super::{Context, say};
use crate::bundled::Installed;
use crate::wiring::{self, FIRST_WORKSPACE};

/// Example: `pointsman publish workflows`
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Folders with a `workflow.yaml`, or folders of such folders.
    #[arg(required = true)]
    paths: Vec<PathBuf>,
}

pub(super) fn run(context: &Context, args: &Args) -> Result<ExitCode> {
    let (published, broken) = publish_folders(context, &args.paths)?;
    let left_out = broken.len();
    context.answer(&json!({ "published": published, "broken": broken }), || {
        format!("{} published, {left_out} left out; a running host takes them over within a second", published.len())
    });
    Ok(ExitCode::from(u8::from(left_out > 0)))
}

/// Publishes every workflow below the paths. Returns what was published and what was left out.
pub(super) fn publish_folders(context: &Context, paths: &[PathBuf]) -> Result<(Vec<Value>, Vec<Value>)> {
    let config = context.config()?;
    let (expressions, plugins) = (wiring::expressions(), Installed::bundled()?);
    wiring::block_on(async {
        let store = wiring::open_store(&config).await?;
        let (mut published, mut broken) = (Vec::new(), Vec::new());
        for folder in folders(paths)? {
            match publish(&store, FIRST_WORKSPACE, &read(&folder)?, &*expressions, &plugins).await? {
                Ok(workflow) => {
                    let hash = workflow.content_hash().to_string();
                    store.audit(FIRST_WORKSPACE, "cli", "workflow.publish", &format!("{} {hash}", workflow.name)).await?;
                    published.push(json!({ "name": &*workflow.name, "hash": hash }));
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
                    store.audit(FIRST_WORKSPACE, "cli", "workflow.refuse", &format!("{name}: {place}")).await?;
                    broken.push(json!({ "folder": folder, "diagnostics": diagnostics }));
                }
            }
        }
        store.close().await?;
        Ok((published, broken))
    })
}
