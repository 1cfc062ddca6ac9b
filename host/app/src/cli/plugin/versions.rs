//! `pointsman plugin versions|yank|unyank`: the versions of step plugins that are kept, so that runs go on with the one to
//! which they are pinned; and taking one back, so that it runs nowhere any more.

use std::process::ExitCode;

use anyhow::{Result, bail};
use pointsman_store::{PluginVersion, Store};
use serde_json::{Value, json};

use super::super::table::table;
use super::Context;
use crate::bundled;
use crate::wiring::{self, FIRST_WORKSPACE};
use crate::words::moment;

/// Characters of a reason.
const REASON: usize = 500;

pub(super) fn list(context: &Context) -> Result<ExitCode> {
    with_store(context, async |store| {
        let kept = store.plugin_versions().await?;
        let (mut shown, mut rows) = (Vec::new(), Vec::new());
        for one in &kept {
            let here = bundled::digest(store, &one.id).await?.as_deref() == Some(&one.digest);
            let state = match (&one.yanked, here) {
                (Some(_), _) => "yanked",
                (None, true) => "active",
                (None, false) => "superseded",
            };
            shown.push(json!({ "id": one.id, "digest": one.digest, "kept": one.at, "state": state, "yanked": one.yanked }));
            let why = one.yanked.clone().unwrap_or_default();
            rows.push([one.id.clone(), short(&one.digest).to_owned(), moment(one.at), state.to_owned(), why]);
        }
        context.answer(&Value::Array(shown), || table(["PLUGIN", "VERSION", "KEPT", "STATE", "WHY"], &rows));
        Ok(ExitCode::SUCCESS)
    })
}

/// Takes a version back, or (`why` absent) lets it run again.
pub(super) fn yank(context: &Context, asked: &str, why: Option<&str>) -> Result<ExitCode> {
    let why = why.map(|why| why.chars().map(|c| if c.is_control() { ' ' } else { c }).take(REASON).collect::<String>());
    if why.as_deref().is_some_and(|why| why.trim().is_empty()) {
        bail!("plugin.reason: taking a version back needs a reason; give it with --reason \"...\"");
    }
    with_store(context, async |store| {
        let one = find(store, asked).await?;
        let done = store.yank_plugin(FIRST_WORKSPACE, "cli", (&one.id, &one.digest), why.as_deref()).await?;
        let (id, digest) = (&one.id, short(&one.digest));
        match done {
            Ok(()) => {
                context.answer(&json!({ "id": id, "digest": one.digest, "yanked": why, "done": true }), || match &why {
                    Some(_) => format!("{id} {digest} is taken back: runs that come to it are parked with plugin.yanked"),
                    None => format!(
                        "{id} {digest} may run again; `pointsman park retry --all --code plugin.yanked` has the parked runs go on"
                    ),
                });
                Ok(ExitCode::SUCCESS)
            }
            Err(refused) => {
                context.answer(&json!({ "done": false, "error": refused }), || refused.to_string());
                Ok(ExitCode::from(1))
            }
        }
    })
}

/// The version that `PLUGIN@DIGEST` names.
async fn find(store: &Store, asked: &str) -> Result<PluginVersion> {
    let Some((word, digest)) = asked.split_once('@').filter(|(_, digest)| !digest.is_empty()) else {
        bail!("plugin.version_unknown: name the version too, PLUGIN@DIGEST, as `pointsman plugin versions` does");
    };
    let id = if word.contains('/') { word.to_owned() } else { format!("pointsman/{word}") };
    let kept = store.plugin_versions().await?;
    let mut found = kept.into_iter().filter(|kept| kept.id == id && kept.digest.starts_with(digest));
    match (found.next(), found.next()) {
        (Some(one), None) => Ok(one),
        (None, _) => {
            bail!("plugin.version_unknown: no version of {id} begins with {digest}; `pointsman plugin versions` names them")
        }
        _ => bail!("plugin.ambiguous: several versions of {id} begin with {digest}; give more of the digest"),
    }
}

fn with_store(context: &Context, work: impl AsyncFnOnce(&Store) -> Result<ExitCode>) -> Result<ExitCode> {
    let config = context.config()?;
    wiring::block_on(async {
        let store = wiring::open_store(&config).await?;
        bundled::keep(&store).await?;
        let done = work(&store).await;
        store.close().await?;
        done
    })
}

fn short(digest: &str) -> &str {
    digest.get(..12).unwrap_or(digest)
}
