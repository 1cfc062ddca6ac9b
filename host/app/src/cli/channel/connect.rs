//! `pointsman channel add`: the token is tried, the account stored with its sealed secrets, the provider told where to
//! deliver, and the first event awaited.

use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use pointsman_core::failure::Failure;
use pointsman_core::id::Id;
use pointsman_core::ports::{Done, Operation};
use pointsman_engine::Engine;
use pointsman_manifest::Manifest;
use pointsman_store::{ChannelNew, ChannelRow, ChannelState, CredentialRow, DISCONNECTED, Store, Wish};
use pointsman_vault::{CredentialPlace, CredentialSealer};
use serde_json::{Map, Value, json};

use super::ask::{self, ready};
use super::secrets::secrets;
use super::{Context, New, manifest};
use crate::config::Config;
use crate::wiring::{self, FIRST_WORKSPACE};

/// How often the provider is told the address: it asks that address at once whether it is ours, and a running host notices a
/// new channel within a second.
const TELLINGS: u32 = 4;

/// Parked things of a channel that are looked at.
const PARKED: usize = 100_000;

/// What was connected.
pub(in crate::cli) struct Added {
    pub(in crate::cli) id: Id,
}

/// Connects an account without asking its provider anything.
pub(in crate::cli) fn add(context: &Context, new: &New) -> Result<Added> {
    let config = context.config()?;
    let draft = Draft::new(new)?;
    wiring::block_on(async {
        let store = wiring::open_store(&config).await?;
        let sealer = wiring::sealer(&config, &store).await?;
        let row = draft.row(&sealer, &store).await?;
        draft.keep(&store, &row).await?;
        store.close().await?;
        Ok(Added { id: row.id })
    })
}

pub(super) fn run(context: &Context, new: &New, offline: bool, wait: u64) -> Result<ExitCode> {
    let config = context.config()?;
    let hook = |id: Id| config.http.hook_url(&id.to_string());
    let told = if offline {
        let id = add(context, new)?.id;
        Told { hook: hook(id), id, ..Told::default() }
    } else {
        wiring::block_on(online(&config, Draft::new(new)?, wait, hook))?
    };
    context.answer(&told.json(), || told.text());
    Ok(ExitCode::from(u8::from(told.trouble.is_some())))
}

/// What the person hears.
#[derive(Default)]
struct Told {
    id: Id,
    plugin: String,
    account: String,
    name: String,
    hook: String,
    again: usize,
    checked: bool,
    subscribed: bool,
    trouble: Option<Failure>,
    waited: u64,
    event: Option<String>,
}

impl Told {
    fn json(&self) -> Value {
        json!({
            "id": self.id, "plugin": self.plugin, "account": self.account, "name": self.name, "hook_url": self.hook,
            "hook_path": format!("/hooks/{}", self.id), "checked": self.checked, "subscribed": self.subscribed,
            "tried_again": self.again, "first_event": self.event, "error": self.trouble,
        })
    }

    fn text(&self) -> String {
        let mut text = match self.checked {
            true => format!("Connected {} ({}) as channel {}.", self.name, self.account, self.id),
            false => format!("Connected as channel {}.", self.id),
        };
        let mut line = |words: String| text.extend(["\n", &words]);
        match &self.trouble {
            Some(why) => line(format!(
                "The provider could not be told where to deliver ({}): {}\nMend that, then: pointsman channel subscribe {}",
                why.code, why.message, self.id
            )),
            None if self.subscribed => line(format!("The provider delivers to {}", self.hook)),
            None => line(format!("Give the provider this webhook address: {}", self.hook)),
        }
        if self.again > 0 {
            line(format!("{} things that waited for this channel are tried again.", self.again));
        }
        match (&self.event, self.waited) {
            (Some(kind), _) => line(format!("The first event is there: a {kind}.")),
            (None, 0) => {}
            (None, seconds) => {
                line(format!("Nothing came within {seconds} s: write to the account, and look at `pointsman books`."))
            }
        }
        line("A running host takes it over within a second.".to_owned());
        text
    }
}

/// An account before it is stored.
struct Draft {
    manifest: Manifest,
    new: ChannelNew,
    secrets: Vec<(String, secrecy::SecretString)>,
}

impl Draft {
    fn new(new: &New) -> Result<Self> {
        let manifest = manifest(&new.plugin)?;
        let mut settings = Map::new();
        for setting in &new.settings {
            let Some((key, value)) = setting.split_once('=') else { bail!("--set {setting}: write it as KEY=VALUE") };
            settings.insert(key.to_owned(), Value::String(value.to_owned()));
        }
        let secrets = secrets(&manifest, new.secrets.as_deref())?;
        let new = ChannelNew {
            workspace: FIRST_WORKSPACE,
            plugin: manifest.id.clone(),
            account: new.account.clone(),
            name: new.name.clone(),
            config: Value::Object(settings),
        };
        Ok(Self { manifest, new, secrets })
    }

    /// The channel with its sealed secrets, as it will stand. An account that was connected before keeps its id, and with it
    /// its address and its conversations.
    async fn row(&self, sealer: &CredentialSealer, store: &Store) -> Result<ChannelRow> {
        if self.new.account.is_empty() {
            bail!("name the account: --account, the provider's id of your side");
        }
        let known = store.channel_of(FIRST_WORKSPACE, &self.new.plugin, &self.new.account).await?;
        self.row_as(sealer, known.map_or_else(|| store.channel_id(), |c| c.id))
    }

    fn row_as(&self, sealer: &CredentialSealer, id: Id) -> Result<ChannelRow> {
        let api_url = self.new.config.get("api_url").and_then(Value::as_str);
        let mut credentials = Vec::new();
        for (slot, secret) in &self.secrets {
            let known = self.manifest.credentials.iter().find(|c| c.slot == *slot);
            let known = known.with_context(|| format!("{} has no secret `{slot}`", self.manifest.id))?;
            let hosts = known.pinned_origins(api_url)?;
            let place = CredentialPlace { workspace: FIRST_WORKSPACE.0, owner: id.0, slot: slot.clone(), hosts: hosts.clone() };
            let sealed = sealer.seal(&place, secret)?;
            credentials.push(CredentialRow { workspace: FIRST_WORKSPACE, owner: id, slot: slot.clone(), hosts, sealed });
        }
        let ChannelNew { workspace, plugin, account, name, config } = self.new.clone();
        Ok(ChannelRow { workspace, id, plugin, account, name, config, state: ChannelState::Active, credentials })
    }

    /// Stores it and has tried again what was parked for want of it; says how many things.
    async fn keep(&self, store: &Store, row: &ChannelRow) -> Result<usize> {
        store.connect(row.id, self.new.clone(), row.credentials.clone()).await?;
        let mut again = 0;
        for item in store.parked(FIRST_WORKSPACE, PARKED).await? {
            let wanted = item.channel == Some(row.id) && (item.code == DISCONNECTED || item.code == "channel_disconnected");
            if wanted && store.act_on_parked(FIRST_WORKSPACE, item.id, "cli", &Wish::Retry).await?.is_ok() {
                again += 1;
            }
        }
        // Last: this line is what a running host hears.
        store.audit(FIRST_WORKSPACE, "cli", "channel.add", &format!("{} {}", row.id, row.plugin)).await?;
        Ok(again)
    }
}

async fn online(config: &Config, mut draft: Draft, wait: u64, hook: impl Fn(Id) -> String) -> Result<Told> {
    let engine = ask::engine(config).await?;
    let sealer = wiring::sealer(config, engine.store()).await?;
    let asked = draft.row_as(&sealer, engine.store().channel_id())?;
    let answer = engine.ask(&ready(&engine, asked)?, Operation::Check).await;
    let profile = match answer {
        Ok(Done::Profile(profile)) => Some(profile),
        Ok(_) => None,
        Err(why) => bail!("the provider does not take this account ({}): {}\nNothing was stored.", why.code, why.message),
    };
    if let Some(profile) = profile {
        if draft.new.account.is_empty() {
            draft.new.account.clone_from(&profile.id);
        }
        if draft.new.name.is_empty() {
            draft.new.name = profile.name.unwrap_or_default();
        }
    }
    let row = draft.row(&sealer, engine.store()).await?;
    let since = engine.store().channel_id();
    let again = draft.keep(engine.store(), &row).await?;
    let mut told = Told {
        id: row.id,
        plugin: row.plugin.clone(),
        account: row.account.clone(),
        name: row.name.clone(),
        hook: hook(row.id),
        again,
        checked: true,
        ..Told::default()
    };
    match tell(&engine, row, &told.hook).await {
        Ok(()) => told.subscribed = true,
        Err(why) => told.trouble = Some(why),
    }
    if told.subscribed && wait > 0 {
        told.waited = wait;
        told.event = first_event(engine.store(), told.id, since, wait).await?;
    }
    engine.store().close().await?;
    Ok(told)
}

/// Tells the provider where to deliver; again when it does not find the address yet.
async fn tell(engine: &Engine, row: ChannelRow, hook: &str) -> Result<(), Failure> {
    let channel = ready(engine, row).map_err(|e| Failure::bug("channel.plugin", e.to_string()))?;
    let mut last = Ok(());
    for telling in 0..TELLINGS {
        if telling > 0 {
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
        last = engine.ask(&channel, Operation::Subscribe(hook.to_owned())).await.map(drop);
        if last.is_ok() {
            break;
        }
    }
    last
}

/// Waits for the first event of a channel; gives its kind.
async fn first_event(store: &Store, channel: Id, since: Id, seconds: u64) -> Result<Option<String>> {
    for _ in 0..seconds.saturating_mul(4) {
        if let Some(kind) = store.first_event_after(FIRST_WORKSPACE, channel, since).await? {
            return Ok(Some(kind));
        }
        tokio::time::sleep(Duration::from_millis(250)).await;
    }
    Ok(None)
}
