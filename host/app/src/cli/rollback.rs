//! `pointsman rollback`: new runs take the version before again, or any other that is kept. Runs that wait stay on theirs. One
//! transaction: the active version, its history, the audit, the bell for running hosts.

use std::process::ExitCode;

use anyhow::{Result, bail};
use pointsman_core::workflow::Workflow;
use pointsman_engine::workflows::sources;
use serde_json::json;

use super::Context;
use super::workflow::{short, version};
use crate::bundled::Installed;
use crate::changes::between;
use crate::versions::{before, parse};
use crate::wiring::{self, FIRST_WORKSPACE};

/// Example: `pointsman rollback order-desk`
///
/// Exit codes: 0 done, 1 somebody changed it in between, 2 cannot do it.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The workflow.
    name: String,
    /// The version to go to: its hash, or how that begins. Absent: the one before the present one.
    version: Option<String>,
}

pub(super) fn run(context: &Context, args: &Args) -> Result<ExitCode> {
    let config = context.config()?;
    wiring::block_on(async {
        let store = wiring::open_store(&config).await?;
        let name = &args.name;
        let versions = store.workflow_versions(FIRST_WORKSPACE, name).await?;
        let from = versions.iter().find(|row| row.active);
        let to = match &args.version {
            Some(asked) => version(&versions, name, asked)?,
            None => {
                let changes = store.workflow_changes(FIRST_WORKSPACE, Some(name)).await?;
                let Some(hash) = before(&changes) else {
                    bail!(
                        "workflow.no_version_before: nothing was active before the present version of `{name}`; name one of `pointsman workflow versions {name}`"
                    );
                };
                version(&versions, name, hash)?
            }
        };
        if to.active {
            bail!("workflow.as_before: version {} of `{name}` is the active one", short(&to.hash));
        }
        if let Err(found) = Workflow::parse(&sources(&to.files), &*wiring::expressions(), &Installed::of(&store).await?) {
            let first = found.iter().find(|d| d.is_error()).map_or_else(String::new, ToString::to_string);
            bail!("workflow.does_not_load: version {} of `{name}` cannot run here any more: {first}", short(&to.hash));
        }
        let active = from.map(|row| row.hash.as_str());
        let done = store.roll_back_workflow(FIRST_WORKSPACE, "cli", name, active, &to.hash).await?;
        let changes =
            from.map(|from| between((&from.files, parse(&from.files).as_ref()), (&to.files, parse(&to.files).as_ref())));
        store.close().await?;
        if let Err(refused) = done {
            context.answer(&json!({ "done": false, "error": refused }), || refused.to_string());
            return Ok(ExitCode::from(1));
        }
        let changes = changes.unwrap_or_default();
        let shown = json!({ "name": name, "hash": to.hash, "before": active, "changes": changes.json(), "done": true });
        context.answer(&shown, || {
            let lines = changes.lines().into_iter().map(|line| format!("  {line}"));
            let head = format!("{name}: {} is active again; a running host takes it over within a second", short(&to.hash));
            std::iter::once(head).chain(lines).collect::<Vec<_>>().join("\n")
        });
        Ok(ExitCode::SUCCESS)
    })
}
