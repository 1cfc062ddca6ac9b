//! `pointsman plugin secret`: a secret for a plugin that calls an outside service. It is sealed for the hosts that the plugin's
//! manifest names, and no plugin ever sees it.

use std::process::ExitCode;

use anyhow::{Result, bail};
use pointsman_core::permission::{Permission, asks};
use pointsman_manifest::Manifest;
use pointsman_store::{CredentialRow, PackageRow, PackageState, Store, plugin_owner};
use pointsman_vault::CredentialPlace;
use serde_json::json;

use super::super::channel::one_secret;
use super::Context;
use super::add::{with_store, workspace};
use crate::bundled;

/// Example: `POINTSMAN_SECRET_TOKEN=... pointsman plugin secret acme/desk token`
#[derive(Debug, clap::Args)]
pub(super) struct Secret {
    /// The plugin's whole id, as `plugin list` names it.
    plugin: String,
    /// The name that its manifest gives the secret, as `plugin caps` shows it: `token` of `secret:token@api.example.com:bearer`.
    slot: String,
    /// For this workspace; default: the first one.
    #[arg(long)]
    workspace: Option<String>,
    /// Delete it.
    #[arg(long)]
    drop: bool,
}

pub(super) fn run(context: &Context, args: &Secret) -> Result<ExitCode> {
    let config = context.config()?;
    let Secret { plugin, slot, .. } = args;
    with_store(context, async |store| {
        let workspace = workspace(store, args.workspace.as_deref()).await?;
        if args.drop {
            let dropped = store.drop_plugin_secret(workspace.id, "cli", plugin, slot).await?;
            let words = if dropped { "is deleted" } else { "was not there" };
            context.answer(&json!({ "id": plugin, "slot": slot, "workspace": workspace.name, "dropped": dropped }), || {
                format!("The secret `{slot}` of {plugin} {words}.")
            });
            return Ok(ExitCode::SUCCESS);
        }
        let manifest = manifest(store, plugin).await?;
        let Some(named) = manifest.slot(slot) else {
            let names: Vec<String> = manifest.slots().into_iter().map(|slot| slot.slot).collect();
            bail!("plugin.no_slot: {plugin} names no secret `{slot}`; it names: {}", names.join(", "));
        };
        let mut hosts = named.pinned_origins(None)?;
        let opened = |host: &&String| config.egress.allow_private.contains(host);
        hosts.extend(named.hosts.iter().filter(opened).map(|host| format!("http://{host}")));
        let owner = plugin_owner(plugin);
        let place = CredentialPlace { workspace: workspace.id.0, owner: owner.0, slot: slot.clone(), hosts: hosts.clone() };
        let sealed = crate::wiring::sealer(&config, store).await?.seal(&place, &one_secret(slot)?)?;
        let row = CredentialRow { workspace: workspace.id, owner, slot: slot.clone(), hosts: hosts.clone(), sealed };
        store.put_plugin_secret("cli", plugin, row).await?;
        context.answer(&json!({ "id": plugin, "slot": slot, "workspace": workspace.name, "hosts": hosts, "done": true }), || {
            format!("The secret `{slot}` of {plugin} is kept; it goes to {} alone.", hosts.join(", "))
        });
        Ok(ExitCode::SUCCESS)
    })
}

/// What a plugin says of itself: the package that serves, or else the one that waits, or what ships with the host.
async fn manifest(store: &Store, id: &str) -> Result<Manifest> {
    if let Some((manifest, _)) = bundled::all()?.into_iter().find(|(manifest, _)| manifest.id == id) {
        return Ok(manifest);
    }
    let rows = store.packages().await?;
    let of = |state| rows.iter().find(|row| row.id == id && row.state == state);
    match of(PackageState::Serves).or_else(|| of(PackageState::Waiting)) {
        Some(row) => Ok(Manifest::parse(&row.manifest)?),
        None => bail!("plugin.not_installed: there is no plugin `{id}`; `pointsman plugin list` names the plugins"),
    }
}

/// The granted secrets of a package that are not kept in the first workspace.
pub(super) async fn missing(store: &Store, package: &PackageRow, granted: &[Permission]) -> Result<Vec<String>> {
    let kept = store.plugin_secrets(workspace(store, None).await?.id, &package.id).await?;
    let mut missing = Vec::new();
    for ask in asks(&Manifest::parse(&package.manifest)?) {
        if let Permission::Secret { slot, .. } = &ask
            && granted.iter().any(|granted| granted.covers(&ask))
            && !missing.contains(slot)
            && !kept.iter().any(|kept| kept.slot == *slot)
        {
            missing.push(slot.clone());
        }
    }
    Ok(missing)
}
