//! `pointsman channel`: connected accounts. Secrets come from the environment or standard input, never from an argument
//! that a process list would show.

use std::io::{BufRead, IsTerminal};
use std::process::ExitCode;

use anyhow::{Context as _, Result, bail};
use pointsman_core::id::Id;
use pointsman_manifest::Manifest;
use pointsman_store::{ChannelNew, CredentialRow};
use pointsman_vault::CredentialPlace;
use secrecy::SecretString;
use serde_json::{Map, Value, json};

use super::{Context, say};
use crate::bundled;
use crate::wiring::{self, FIRST_WORKSPACE};

/// Example: `POINTSMAN_SECRET_ACCESS_TOKEN=... pointsman channel add whatsapp --account 106540352242922`
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, clap::Subcommand)]
enum Verb {
    /// Connects an account. Each secret that the channel needs is read from POINTSMAN_SECRET_<SLOT>, or from standard input
    /// as lines `slot=value`.
    Add {
        /// The channel's plugin: whatsapp.
        plugin: String,
        /// The provider's id of your side; for whatsapp the phone number id.
        #[arg(long)]
        account: String,
        /// What people call it.
        #[arg(long, default_value = "")]
        name: String,
        /// A setting of the channel, `key=value`; may be repeated. `api_url` pins the credentials to another origin.
        #[arg(long = "set", value_name = "KEY=VALUE")]
        settings: Vec<String>,
    },
    /// Lists the connected accounts.
    List,
}

pub(super) fn run(context: &Context, args: Args) -> Result<ExitCode> {
    match args.verb {
        Verb::Add { plugin, account, name, settings } => {
            let added = add(context, &New { plugin, account, name, settings, secrets: None })?;
            context.answer(&added.json, || added.text.clone());
        }
        Verb::List => list(context)?,
    }
    Ok(ExitCode::SUCCESS)
}

/// An account to connect.
pub(super) struct New {
    pub(super) plugin: String,
    pub(super) account: String,
    pub(super) name: String,
    pub(super) settings: Vec<String>,
    /// Given by the host itself (the demo); `None`: from the environment or standard input.
    pub(super) secrets: Option<Vec<(String, SecretString)>>,
}

pub(super) struct Added {
    pub(super) json: Value,
    pub(super) text: String,
    pub(super) id: Id,
}

pub(super) fn add(context: &Context, new: &New) -> Result<Added> {
    let config = context.config()?;
    let manifest = manifest(&new.plugin)?;
    let mut settings = Map::new();
    for setting in &new.settings {
        let Some((key, value)) = setting.split_once('=') else { bail!("--set {setting}: write it as KEY=VALUE") };
        settings.insert(key.to_owned(), Value::String(value.to_owned()));
    }
    let api_url = settings.get("api_url").and_then(Value::as_str).map(str::to_owned);
    let secrets = secrets(&manifest, new.secrets.as_deref())?;
    let master = config.keys.read_master(&config.dir)?;
    let (sealer, _opener) = master.credential_vault();
    let id = wiring::block_on(async {
        let store = wiring::open_store(&config).await?;
        let channel = ChannelNew {
            workspace: FIRST_WORKSPACE,
            plugin: manifest.id.clone(),
            account: new.account.clone(),
            name: new.name.clone(),
            config: Value::Object(settings),
        };
        let id = store.add_channel(channel).await?;
        for (slot, secret) in secrets {
            let hosts = manifest
                .credentials
                .iter()
                .find(|c| c.slot == slot)
                .map(|c| c.pinned_origins(api_url.as_deref()))
                .transpose()?
                .unwrap_or_default();
            let place = CredentialPlace { workspace: FIRST_WORKSPACE.0, owner: id.0, slot: slot.clone(), hosts: hosts.clone() };
            let sealed = sealer.seal(&place, &secret)?;
            store.put_credential(CredentialRow { workspace: FIRST_WORKSPACE, owner: id, slot, hosts, sealed }).await?;
        }
        store.audit(FIRST_WORKSPACE, "cli", "channel.add", &format!("{id} {}", manifest.id)).await?;
        store.close().await?;
        Ok(id)
    })?;
    let hook = config.http.hook_url(&id.to_string());
    Ok(Added {
        json: json!({ "id": id, "plugin": manifest.id, "hook_url": hook, "hook_path": format!("/hooks/{id}") }),
        text: format!(
            "Connected as channel {id}.\nGive the provider this webhook address: {hook}\nA running host takes it at its next start."
        ),
        id,
    })
}

fn manifest(name: &str) -> Result<Manifest> {
    let id = if name.contains('/') { name.to_owned() } else { format!("pointsman/{name}") };
    let all = bundled::all()?;
    let known: Vec<String> = all.iter().filter(|(m, _)| m.webhook.is_some()).map(|(m, _)| m.id.clone()).collect();
    match all.into_iter().find(|(m, _)| m.id == id && m.webhook.is_some()) {
        Some((manifest, _)) => Ok(manifest),
        None => bail!("there is no channel plugin {id}; installed are {}", known.join(", ")),
    }
}

/// One secret for every slot of the manifest.
#[expect(clippy::disallowed_methods, reason = "secrets come from the environment, and are read only here")]
fn secrets(manifest: &Manifest, given: Option<&[(String, SecretString)]>) -> Result<Vec<(String, SecretString)>> {
    if let Some(given) = given {
        return Ok(given.to_vec());
    }
    let mut found = Vec::new();
    let variable = |slot: &str| format!("POINTSMAN_SECRET_{}", slot.to_uppercase().replace('-', "_"));
    for slot in &manifest.credentials {
        if let Ok(value) = std::env::var(variable(&slot.slot)) {
            found.push((slot.slot.clone(), SecretString::from(value)));
        }
    }
    let missing = |found: &[(String, SecretString)]| -> Vec<String> {
        let wanted = manifest.credentials.iter().filter(|s| !s.optional).map(|s| s.slot.clone());
        wanted.filter(|slot| !found.iter().any(|(have, _)| have == slot)).collect()
    };
    if !missing(&found).is_empty() && !std::io::stdin().is_terminal() {
        for line in std::io::stdin().lock().lines() {
            let line = line.context("standard input")?;
            if let Some((slot, value)) = line.split_once('=') {
                found.push((slot.trim().to_owned(), SecretString::from(value.trim().to_owned())));
            }
        }
    }
    match missing(&found).as_slice() {
        [] => Ok(found),
        slots => bail!(
            "missing: {}. Give each in its variable ({}) or on standard input as lines slot=value",
            slots.join(", "),
            slots.iter().map(|s| variable(s)).collect::<Vec<_>>().join(", ")
        ),
    }
}

fn list(context: &Context) -> Result<()> {
    let config = context.config()?;
    let channels = wiring::block_on(async {
        let store = wiring::open_store(&config).await?;
        let channels = store.channels(FIRST_WORKSPACE).await?;
        store.close().await?;
        Ok(channels)
    })?;
    if context.json {
        let list: Vec<Value> = channels
            .iter()
            .map(|c| json!({ "id": c.id, "plugin": c.plugin, "account": c.account, "name": c.name, "state": c.state }))
            .collect();
        say(&Value::Array(list).to_string());
    } else {
        for c in &channels {
            say(&format!("{}  {}  {}  {}", c.id, c.plugin, c.account, config.http.hook_url(&c.id.to_string())));
        }
    }
    Ok(())
}
