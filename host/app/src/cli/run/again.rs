//! A person has a run go on. `resume` is for any run that stands: one that waits goes on as though its time had come, one that
//! failed goes on at the step at which it failed. `retry` is for the failed ones, and can have them go on with another version
//! of a plugin. What a run did before is not done again.

use std::process::ExitCode;

use anyhow::{Result, bail};
use pointsman_core::failure::Failure;
use pointsman_core::id::Id;
use pointsman_core::journal::{Entry, RunState};
use pointsman_core::run::{APPROVE, ASK, RETRY, SLEEP, WAIT, Wake};
use pointsman_store::{RunRow, Store, Wish};
use serde_json::json;

use super::Context;
use crate::bundled;
use crate::wiring::FIRST_WORKSPACE;

/// Who does it, in journal and audit.
const ACTOR: &str = "cli";

/// Waits that a person may end. Where another run or a person's word is waited for, that is what must come.
const HURRIED: [&str; 4] = [WAIT, SLEEP, ASK, RETRY];

pub(super) async fn resume(context: &Context, store: &Store, id: Id) -> Result<ExitCode> {
    let run = standing(store, id).await?;
    let done = match run.state {
        RunState::Failed => store.act_on_parked(FIRST_WORKSPACE, id, ACTOR, &Wish::Retry).await?.map(drop),
        RunState::Waiting => {
            let waits = run.waiting.unwrap_or_default();
            let Some(kind) = HURRIED.into_iter().find(|kind| *kind == waits) else {
                let cure = if waits == APPROVE {
                    "`pointsman approval approve` or `reject` decides it"
                } else {
                    "`pointsman run cancel` ends it"
                };
                bail!("run.not_resumable: run {id} waits for `{waits}`, which no resuming brings about; {cure}");
            };
            let wake = Wake::Hurried { by: ACTOR.to_owned() };
            store.tell_run(FIRST_WORKSPACE, id, kind, ACTOR, "run.resume", wake).await?
        }
        _ => bail!("run.ended: run {id} stands neither failed nor waiting; `pointsman run show {id}` says how it ended"),
    };
    answer(context, id, done)
}

pub(super) async fn retry(context: &Context, store: &Store, id: Id, with: &[String]) -> Result<ExitCode> {
    let run = standing(store, id).await?;
    if with.is_empty() {
        if run.state != RunState::Failed {
            bail!("park.not_parked: run {id} did not fail; `pointsman run resume {id}` has one that waits go on now");
        }
        return answer(context, id, store.act_on_parked(FIRST_WORKSPACE, id, ACTOR, &Wish::Retry).await?.map(drop));
    }
    bundled::keep(store).await?;
    let mut versions = Vec::new();
    for asked in with {
        versions.push(version(store, &run, asked).await?);
    }
    let done = store.retry_run_with(FIRST_WORKSPACE, id, ACTOR, &versions).await?;
    answer(context, id, done.map(drop))
}

async fn standing(store: &Store, id: Id) -> Result<RunRow> {
    match store.run(FIRST_WORKSPACE, id).await? {
        Some(run) => Ok(run),
        None => bail!("run.unknown: there is no run {id}, or its contact was erased"),
    }
}

/// The version that `PLUGIN` or `PLUGIN@DIGEST` names, for a run that uses the plugin.
async fn version(store: &Store, run: &RunRow, asked: &str) -> Result<(String, String)> {
    let (word, digest) = asked.split_once('@').unwrap_or((asked, ""));
    let id = if word.contains('/') { word.to_owned() } else { format!("pointsman/{word}") };
    let pinned: Vec<&str> = run.entries.iter().flat_map(pinned).collect();
    if !pinned.contains(&id.as_str()) {
        bail!("plugin.not_pinned: run {} uses no {id}; it is pinned to versions of: {}", run.id, pinned.join(", "));
    }
    let digest = match digest {
        "" => bundled::digest(store, &id).await?,
        _ => Some(digest.to_owned()),
    };
    let Some(digest) = digest else {
        bail!("plugin.version_unknown: this host brings no {id}; name a version of `pointsman plugin versions`");
    };
    let kept = store.plugin_versions().await?;
    let found: Vec<_> = kept.into_iter().filter(|kept| kept.id == id && kept.digest.starts_with(&digest)).collect();
    match found.as_slice() {
        [one] if one.yanked.is_some() => bail!("plugin.yanked: {id} {} was taken back too", super::short(&one.digest)),
        [one] => Ok((id, one.digest.clone())),
        [] => bail!("plugin.version_unknown: no version of {id} begins with {digest}; `pointsman plugin versions` names them"),
        _ => bail!("plugin.ambiguous: {} versions of {id} begin with {digest}; give more of the digest", found.len()),
    }
}

fn pinned(entry: &Entry) -> Vec<&str> {
    match entry {
        Entry::Started { plugins, .. } => plugins.iter().map(|(id, _)| id.as_str()).collect(),
        _ => Vec::new(),
    }
}

fn answer(context: &Context, id: Id, done: Result<(), Failure>) -> Result<ExitCode> {
    match done {
        Ok(()) => {
            context.answer(&json!({ "run": id, "done": true }), || {
                format!("run {id} goes on; a running host takes it up within a second")
            });
            Ok(ExitCode::SUCCESS)
        }
        Err(refused) => {
            context.answer(&json!({ "run": id, "done": false, "error": refused }), || refused.to_string());
            Ok(ExitCode::from(1))
        }
    }
}
