//! `pointsman workflow webhook`: the address and the secret of a workflow that listens for webhooks of its own.

use std::process::ExitCode;

use anyhow::{Context as _, Result, bail};
use pointsman_core::trigger::TriggerKind;
use pointsman_engine::hooks::{PLUGIN, SECRET, manifest};
use pointsman_store::{ChannelNew, ChannelState, CredentialRow, Store};
use pointsman_vault::{CredentialPlace, ExposeSecret as _, fresh_secret};
use serde_json::{Value, json};

use super::Context;
use crate::cli::channel::from_environment;
use crate::config::Config;
use crate::versions::parse;
use crate::wiring::{self, FIRST_WORKSPACE};

pub(super) async fn run(context: &Context, config: &Config, store: &Store, name: &str, rotate: bool) -> Result<ExitCode> {
    let row = store.active_workflows(FIRST_WORKSPACE).await?.into_iter().find(|row| row.name == name);
    let Some(workflow) = row.and_then(|row| parse(&row.files)) else {
        bail!("workflow.unknown: no workflow `{name}` is active; `pointsman workflow list` names them");
    };
    if !workflow.on.iter().any(|trigger| trigger.kind == TriggerKind::Webhook) {
        bail!("workflow.no_webhook: `{name}` listens for no webhook; add `webhook` to its `on` and publish it");
    }
    let known = store.channel_of(FIRST_WORKSPACE, PLUGIN, name).await?;
    let open = known.as_ref().is_some_and(|door| door.state == ChannelState::Active && !door.credentials.is_empty());
    let given = from_environment(SECRET);
    let mut shown = None;
    let id = known.map_or_else(|| store.channel_id(), |door| door.id);
    if !open || rotate || given.is_some() {
        let secret = match given {
            Some(secret) => secret,
            None => {
                let made = fresh_secret()?;
                shown = Some(made.expose_secret().to_owned());
                made
            }
        };
        let slot = manifest().and_then(|door| door.slot(SECRET)).context("the host's own manifest does not load")?;
        let hosts = slot.pinned_origins(None)?;
        let place = CredentialPlace { workspace: FIRST_WORKSPACE.0, owner: id.0, slot: SECRET.to_owned(), hosts: hosts.clone() };
        let sealed = wiring::sealer(config, store).await?.seal(&place, &secret)?;
        let new = ChannelNew {
            workspace: FIRST_WORKSPACE,
            plugin: PLUGIN.to_owned(),
            account: name.to_owned(),
            name: name.to_owned(),
            config: Value::Object(serde_json::Map::new()),
        };
        let credential = CredentialRow { workspace: FIRST_WORKSPACE, owner: id, slot: SECRET.to_owned(), hosts, sealed };
        store.connect(id, new, vec![credential]).await?;
        store.audit(FIRST_WORKSPACE, "cli", "workflow.webhook", &format!("{id} {name}")).await?;
    }
    let url = config.http.hook_url(&id.to_string());
    let answer = json!({ "workflow": name, "id": id, "hook_url": url, "hook_path": format!("/hooks/{id}"), "secret": shown });
    context.answer(&answer, || {
        let secret = match &shown {
            Some(secret) => format!("Its secret, which is shown this once: {secret}"),
            None => "Its secret stays as it is; --rotate makes another.".to_owned(),
        };
        format!("Webhooks for `{name}` go to {url}\n{secret}\nA running host takes it over within a second.")
    });
    Ok(ExitCode::SUCCESS)
}
