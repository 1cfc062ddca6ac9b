//! `pointsman channel`: connected accounts. Secrets come from the environment or standard input, never from an argument
//! that a process list would show.

use std::process::ExitCode;

use anyhow::{Result, bail};
use pointsman_core::id::Id;
use pointsman_manifest::Manifest;
use pointsman_store::ChannelRow;
use secrecy::SecretString;
use serde_json::{Value, json};

use super::{Context, say};
use crate::bundled;
use crate::wiring::{self, FIRST_WORKSPACE};

mod ask;
mod connect;
mod disconnect;
mod secrets;

pub(super) use connect::add;
pub(super) use secrets::{from_environment, one_secret};

/// Example: `POINTSMAN_SECRET_ACCESS_TOKEN=... pointsman channel add whatsapp --account 106540352242922`
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, clap::Subcommand)]
enum Verb {
    /// Connects an account, or connects it again. Each secret that the channel needs is read from POINTSMAN_SECRET_<SLOT>,
    /// or from standard input as lines `slot=value`. The token is tried with a harmless call before anything is stored;
    /// then the provider is told where to deliver webhooks.
    Add {
        /// The channel's plugin: whatsapp, telegram.
        plugin: String,
        /// The provider's id of your side; for whatsapp the phone number id. Where the token tells it (telegram), it may
        /// be left out.
        #[arg(long, default_value = "")]
        account: String,
        /// What people call it. Left out: the name that the provider has for it.
        #[arg(long, default_value = "")]
        name: String,
        /// A setting of the channel, `key=value`; may be repeated. `api_url` pins the credentials to another origin.
        #[arg(long = "set", value_name = "KEY=VALUE")]
        settings: Vec<String>,
        /// Stores it without asking the provider anything.
        #[arg(long)]
        offline: bool,
        /// Wait this many seconds for the first event, and say what came.
        #[arg(long, default_value_t = 0, value_name = "SECONDS")]
        wait: u64,
    },
    /// Lists the accounts and how they stand.
    List,
    /// Asks the provider a harmless question with the account's token.
    Check {
        /// The channel's id.
        id: String,
    },
    /// Tells the provider again where to deliver webhooks.
    Subscribe {
        /// The channel's id.
        id: String,
    },
    /// Ends the subscription with the provider, deletes the secrets and parks what waits to leave. What was said stays.
    Disconnect {
        /// The channel's id.
        id: String,
        /// Go on where the provider cannot be told.
        #[arg(long)]
        force: bool,
    },
}

pub(super) fn run(context: &Context, args: Args) -> Result<ExitCode> {
    match args.verb {
        Verb::Add { plugin, account, name, settings, offline, wait } => {
            let new = New { plugin, account, name, settings, secrets: None };
            connect::run(context, &new, offline, wait)
        }
        Verb::List => list(context),
        Verb::Check { id } => ask::check(context, &id),
        Verb::Subscribe { id } => ask::subscribe(context, &id),
        Verb::Disconnect { id, force } => disconnect::run(context, &id, force),
    }
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

fn manifest(name: &str) -> Result<Manifest> {
    let id = if name.contains('/') { name.to_owned() } else { format!("pointsman/{name}") };
    let all = bundled::all()?;
    let known: Vec<String> = all.iter().filter(|(m, _)| m.webhook.is_some()).map(|(m, _)| m.id.clone()).collect();
    match all.into_iter().find(|(m, _)| m.id == id && m.webhook.is_some()) {
        Some((manifest, _)) => Ok(manifest),
        None => bail!("there is no channel plugin {id}; installed are {}", known.join(", ")),
    }
}

/// The channel of an id as a person types it.
async fn stored(store: &pointsman_store::Store, id: &str) -> Result<ChannelRow> {
    let unknown = || anyhow::anyhow!("there is no channel {id}; `pointsman channel list` names them");
    let parsed: Id = id.parse().map_err(|_| unknown())?;
    store.channel(FIRST_WORKSPACE, parsed).await?.ok_or_else(unknown)
}

fn list(context: &Context) -> Result<ExitCode> {
    let config = context.config()?;
    let channels = wiring::block_on(async {
        let store = wiring::open_store(&config).await?;
        let channels = store.channels(FIRST_WORKSPACE).await?;
        store.close().await?;
        Ok(channels)
    })?;
    let shown = |c: &ChannelRow| {
        let hook = config.http.hook_url(&c.id.to_string());
        json!({ "id": c.id, "plugin": c.plugin, "account": c.account, "name": c.name, "state": c.state, "hook_url": hook })
    };
    let list = Value::Array(channels.iter().map(shown).collect());
    if context.json {
        say(&list.to_string());
    } else if channels.is_empty() {
        say("no account is connected: pointsman channel add --help");
    } else {
        for c in &channels {
            let state = serde_json::to_value(c.state).unwrap_or_default();
            let state = state.as_str().unwrap_or_default();
            say(&format!("{}  {state:7}  {}  {}  {}", c.id, c.plugin, c.account, config.http.hook_url(&c.id.to_string())));
        }
    }
    Ok(ExitCode::SUCCESS)
}
