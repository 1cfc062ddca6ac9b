//! `pointsman check`: mistakes with file, line and column, before anything is published. Needs no host and no key.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context as _, Result, bail};
use pointsman_core::workflow::{Severity, SourceSet, Workflow};
use pointsman_engine::workflows::MAIN;
use serde_json::json;

use super::{Context, report, say};
use crate::bundled::Installed;
use crate::wiring;

/// Example: `pointsman check workflows/answers workflows/order-desk`
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Folders with a `workflow.yaml`, or folders of such folders.
    #[arg(required = true)]
    pub(super) paths: Vec<PathBuf>,
}

pub(super) fn run(context: &Context, args: &Args) -> Result<ExitCode> {
    let (expressions, plugins) = (wiring::expressions(), installed(context)?);
    let (mut good, mut findings) = (Vec::new(), Vec::new());
    for folder in folders(&args.paths)? {
        match Workflow::parse(&read(&folder)?, &*expressions, &plugins) {
            Ok(workflow) => {
                findings.extend(workflow.warnings.iter().cloned().map(|d| (folder.clone(), d)));
                good.push(json!({ "folder": folder, "name": &*workflow.name, "hash": &**workflow.content_hash() }));
            }
            Err(diagnostics) => findings.extend(diagnostics.into_iter().map(|d| (folder.clone(), d))),
        }
    }
    let errors = findings.iter().filter(|(_, d)| d.severity == Severity::Error).count();
    if context.json {
        let list: Vec<_> = findings.iter().map(|(folder, d)| json!({ "folder": folder, "diagnostic": d })).collect();
        say(&json!({ "workflows": good, "findings": list, "errors": errors }).to_string());
    } else {
        for (folder, diagnostic) in &findings {
            say(&format!("{diagnostic}  in {}\n", folder.display()));
        }
        say(&format!("{} in order, {errors} mistakes", good.len()));
    }
    Ok(ExitCode::from(u8::from(errors > 0)))
}

/// The plugins of the host in this folder; without one, those that every host has.
fn installed(context: &Context) -> Result<Installed> {
    let here = context.config().and_then(|config| {
        wiring::block_on(async {
            let Some(store) = wiring::store_if_any(&config).await? else { return Ok(None) };
            let installed = Installed::of(&store).await;
            store.close().await?;
            installed.map(Some)
        })
    });
    match here {
        Ok(Some(installed)) => Ok(installed),
        Ok(None) => Installed::bundled(),
        Err(error) => {
            report(&format!(
                "the host in {} does not open, so plugins that were added to it are not known: {error:#}",
                context.dir.display()
            ));
            Installed::bundled()
        }
    }
}

/// The folders with a workflow, below what was named.
pub(super) fn folders(paths: &[PathBuf]) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for path in paths {
        let folder = if path.file_name().is_some_and(|n| n == MAIN) { path.parent().unwrap_or(Path::new(".")) } else { path };
        if folder.join(MAIN).is_file() {
            found.push(folder.to_path_buf());
            continue;
        }
        let entries = std::fs::read_dir(folder).with_context(|| format!("cannot read {}", folder.display()))?;
        let mut below: Vec<PathBuf> =
            entries.filter_map(|e| e.ok().map(|e| e.path())).filter(|p| p.join(MAIN).is_file()).collect();
        if below.is_empty() {
            bail!("no {MAIN} in {} or the folders in it", folder.display());
        }
        below.sort();
        found.extend(below);
    }
    Ok(found)
}

/// Reads a workflow's folder: the YAML and the scripts beside it.
pub(super) fn read(folder: &Path) -> Result<SourceSet> {
    let text = |path: &Path| std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()));
    let mut set = SourceSet::new(MAIN, text(&folder.join(MAIN))?);
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        if path.extension().is_some_and(|e| e == "rhai") {
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            set = set.with(name, text(&path)?);
        }
    }
    Ok(set)
}
