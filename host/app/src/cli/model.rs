//! `pointsman model`: the language models that steps may ask. A key comes from the environment or standard input, never from an argument; it
//! is sealed here, pinned to the address, and only the broker can open it. A model may also be a file that the host itself runs, for the
//! vectors of its knowledge; it is kept under its hash. A running host sees a change at its next question.

use std::io::{IsTerminal as _, Read as _};
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context as _, Result, bail};
use pointsman_core::failure::Failure;
use pointsman_core::model::AiMode;
use pointsman_embed::{Kind, ModelFile};
use pointsman_engine::model::{self, Checked};
use pointsman_model::{KEY, Provider, Settings};
use pointsman_store::{CredentialRow, ModelRow, Store};
use pointsman_vault::{CredentialPlace, fresh_secret};
use secrecy::SecretString;
use serde_json::{Value, json};

use super::Context;
use super::channel::from_environment;
use super::table::table;
use crate::config::{Config, embedder};
use crate::wiring::{self, FIRST_WORKSPACE};

/// Who does it, in the audit.
const ACTOR: &str = "cli";

/// The slot that pins a connection without a key to its address; what is in it goes nowhere.
const PIN: &str = "pin";

/// Example: `POINTSMAN_SECRET_API_KEY=... pointsman model add main --provider openai --model gpt-4o-mini`
///
/// Exit codes: 0 done, 1 there is no such connection, or it does not work, 2 cannot do it.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, clap::Subcommand)]
enum Verb {
    /// Connects a model, or connects it anew under the same name. Its key is read from POINTSMAN_SECRET_API_KEY or from standard input.
    Add(New),
    /// Lists the connections, in the order in which they are asked.
    List,
    /// Removes a connection and its key.
    Remove {
        /// Its name.
        name: String,
    },
    /// Asks a connection as little as it can be asked, and tells whether it works; else the code of what is wrong.
    Check {
        /// Its name.
        name: String,
    },
    /// Says whether steps may ask models: `on`, `on-request` (only in runs that a person began) or `off`. Without a word: how it stands.
    Ai {
        /// on, on-request, off
        #[arg(value_parser = mode)]
        mode: Option<AiMode>,
    },
}

#[derive(Debug, clap::Args)]
struct New {
    /// What steps and people call it by.
    name: String,
    /// openai, azure, anthropic, ollama, vllm, llama-cpp
    #[arg(long, value_parser = provider, required_unless_present = "file")]
    provider: Option<Provider>,
    /// No provider: a model's file that the host itself runs, to make vectors of its own knowledge. It is copied under its hash.
    #[arg(long, conflicts_with_all = ["provider", "url", "model", "embed", "at_once"])]
    file: Option<PathBuf>,
    /// Its address, with the path that the API's own paths follow. Left out: the provider's usual one.
    #[arg(long)]
    url: Option<String>,
    /// The model that answers.
    #[arg(long, required_unless_present_any = ["embed", "file"])]
    model: Option<String>,
    /// The model that makes vectors of texts.
    #[arg(long)]
    embed: Option<String>,
    /// Questions under way at the same moment.
    #[arg(long, default_value_t = 8, value_parser = clap::value_parser!(u32).range(1..=256))]
    at_once: u32,
    /// Its place in the order: the smallest is asked first, the next when that gives no answer.
    #[arg(long, default_value_t = 100)]
    rank: i64,
}

fn mode(word: &str) -> Result<AiMode, String> {
    AiMode::of(word).ok_or_else(|| format!("`{word}` is none of {}", AiMode::ALL.map(AiMode::word).join(", ")))
}

fn provider(word: &str) -> Result<Provider, String> {
    Provider::of(word).ok_or_else(|| format!("`{word}` is none of {}", Provider::ALL.map(Provider::word).join(", ")))
}

pub(super) fn run(context: &Context, args: &Args) -> Result<ExitCode> {
    let config = context.config()?;
    wiring::block_on(async {
        let store = wiring::open_store(&config).await?;
        let done = match &args.verb {
            Verb::Add(new) => add(context, &config, &store, new).await,
            Verb::List => list(context, &store).await,
            Verb::Remove { name } => remove(context, &store, name).await,
            Verb::Check { name } => check(context, &config, &store, name).await,
            Verb::Ai { mode } => ai(context, &store, *mode).await,
        };
        store.close().await?;
        done
    })
}

async fn add(context: &Context, config: &Config, store: &Store, new: &New) -> Result<ExitCode> {
    let good = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    if new.name.is_empty() || new.name.len() > 64 || !new.name.chars().all(good) {
        bail!("model.name: `{}` is no name of a connection: 1 to 64 letters, digits, `-`, `_`, `.`", new.name);
    }
    let Some(provider) = new.provider else { return add_file(context, config, store, new).await };
    let url = Settings::address(provider, new.url.as_deref()).map_err(|why| coded(&why))?;
    let key = key()?;
    if key.is_none() && !provider.at_home() {
        bail!("missing: the key of {}. Give it in POINTSMAN_SECRET_API_KEY or on standard input", provider.word());
    }
    let known = store.models(FIRST_WORKSPACE).await?.into_iter().find(|row| row.name == new.name);
    let id = known.map_or_else(|| store.channel_id(), |row| row.id);
    let settings = Settings {
        provider,
        url,
        model: new.model.clone(),
        embed: new.embed.clone(),
        at_once: new.at_once,
        key: key.is_some(),
        file: None,
    };
    let (slot, secret) = match key {
        Some(key) => (KEY, key),
        None => (PIN, fresh_secret()?),
    };
    let hosts = vec![settings.origin()];
    let sealer = wiring::sealer(config, store).await?;
    let place = CredentialPlace { workspace: FIRST_WORKSPACE.0, owner: id.0, slot: slot.to_owned(), hosts: hosts.clone() };
    let sealed = sealer.seal(&place, &secret)?;
    let credential = CredentialRow { workspace: FIRST_WORKSPACE, owner: id, slot: slot.to_owned(), hosts, sealed };
    let row = ModelRow {
        workspace: FIRST_WORKSPACE,
        id,
        name: new.name.clone(),
        rank: new.rank,
        settings: serde_json::to_value(&settings)?,
        credentials: vec![credential],
    };
    let price = new.model.as_ref().filter(|model| !config.models.prices.contains_key(*model) && !provider.at_home());
    let shown = shown(&row);
    store.put_model(ACTOR, row).await?;
    context.answer(&shown, || {
        let mut text = format!("Connected {} to {} at {}.", new.name, provider.word(), settings.url);
        if let Some(model) = price {
            text.push_str(&format!(
                "\nWrite what it costs into pointsman.toml, or it is not asked while anything is capped:\n[models.prices]\n\
                 \"{model}\" = {{ input = 0.0, output = 0.0 }}"
            ));
        }
        text
    });
    Ok(ExitCode::SUCCESS)
}

/// Adds a model that the host itself runs: tried once before it counts.
async fn add_file(context: &Context, config: &Config, store: &Store, new: &New) -> Result<ExitCode> {
    let Some(from) = &new.file else { bail!("missing: --provider or --file") };
    let file = ModelFile::at(from).map_err(|why| coded(&why))?;
    let vector = embedder(&config.models.program).embed(&file, Kind::Query, &new.name).await.map_err(|why| coded(&why))?;
    let file = file.install(&config.path(&config.models.folder)).map_err(|why| coded(&why))?;
    let width = vector.len();
    let known = store.models(FIRST_WORKSPACE).await?.into_iter().find(|row| row.name == new.name);
    let settings = Settings {
        provider: Provider::Local,
        url: String::new(),
        model: None,
        embed: from.file_name().map(|name| name.to_string_lossy().into_owned()),
        at_once: 1,
        key: false,
        file: Some(file.digest),
    };
    let row = ModelRow {
        workspace: FIRST_WORKSPACE,
        id: known.map_or_else(|| store.channel_id(), |row| row.id),
        name: new.name.clone(),
        rank: new.rank,
        settings: serde_json::to_value(&settings)?,
        credentials: Vec::new(),
    };
    let mut shown = shown(&row);
    if let Some(shown) = shown.as_object_mut() {
        shown.insert("width".to_owned(), json!(width));
    }
    store.put_model(ACTOR, row).await?;
    context.answer(&shown, || {
        format!(
            "Added {name}: vectors of {width} numbers, made by this host. Say which knowledge it is for:\n\
             pointsman knowledge embed BASE --model {name}",
            name = new.name
        )
    });
    Ok(ExitCode::SUCCESS)
}

fn coded(why: &Failure) -> anyhow::Error {
    anyhow::anyhow!("{}: {}", why.code, why.message)
}

fn key() -> Result<Option<SecretString>> {
    if let Some(key) = from_environment(KEY) {
        return Ok(Some(key));
    }
    if std::io::stdin().is_terminal() {
        return Ok(None);
    }
    let mut text = String::new();
    std::io::stdin().lock().take(16 << 10).read_to_string(&mut text).context("standard input")?;
    let key = text.trim();
    // As `channel add` takes it, too.
    let key = key.strip_prefix("api_key=").unwrap_or(key);
    Ok((!key.is_empty()).then(|| SecretString::from(key.to_owned())))
}

fn shown(row: &ModelRow) -> Value {
    let mut shown = row.settings.clone();
    if let Some(shown) = shown.as_object_mut() {
        shown.insert("name".to_owned(), json!(row.name));
        shown.insert("rank".to_owned(), json!(row.rank));
        let provider = shown.get("provider").and_then(Value::as_str).and_then(Provider::of);
        shown.insert("no_training".to_owned(), json!(provider.and_then(Provider::no_training)));
    }
    shown
}

async fn list(context: &Context, store: &Store) -> Result<ExitCode> {
    let models = store.models(FIRST_WORKSPACE).await?;
    let ai = store.ai(FIRST_WORKSPACE).await?;
    let all: Vec<Value> = models.iter().map(shown).collect();
    context.answer(&json!({ "ai": ai.word(), "models": all }), || {
        if models.is_empty() {
            return "no model is connected: steps go on without; pointsman model add --help".to_owned();
        }
        let text = |row: &Value, name: &str| match row.get(name) {
            Some(Value::String(text)) => text.clone(),
            Some(Value::Bool(true)) => "sealed".to_owned(),
            _ => "-".to_owned(),
        };
        let rows: Vec<[String; 7]> = all
            .iter()
            .map(|row| ["name", "provider", "model", "embed", "url", "key", "no_training"].map(|name| text(row, name)))
            .collect();
        let heads = ["NAME", "PROVIDER", "MODEL", "EMBED", "ADDRESS", "KEY", "SENT AGAINST TRAINING"];
        format!("{}\nsteps may ask them: {}", table(heads, &rows), ai.word())
    });
    Ok(ExitCode::SUCCESS)
}

async fn remove(context: &Context, store: &Store, name: &str) -> Result<ExitCode> {
    let removed = store.remove_model(FIRST_WORKSPACE, ACTOR, name).await?;
    context.answer(&json!({ "name": name, "removed": removed }), || match removed {
        true => format!("removed {name}, and its key"),
        false => format!("there is no connection {name}; `pointsman model list` names them"),
    });
    Ok(ExitCode::from(u8::from(!removed)))
}

async fn check(context: &Context, config: &Config, store: &Store, name: &str) -> Result<ExitCode> {
    match asked(config, store, name).await? {
        Ok(checked) => {
            context.answer(&json!({ "name": name, "works": true, "checked": checked }), || {
                let one = |one: &Checked| format!("{name} answers ({}) within {} ms", one.asked, one.millis);
                checked.iter().map(one).collect::<Vec<_>>().join("\n")
            });
            Ok(ExitCode::SUCCESS)
        }
        Err(failure) => {
            context.answer(&json!({ "name": name, "works": false, "error": failure }), || failure.to_string());
            Ok(ExitCode::from(1))
        }
    }
}

/// What a connection, or the model of a file, says to as little as it can be asked.
async fn asked(config: &Config, store: &Store, name: &str) -> Result<Result<Vec<Checked>, Failure>> {
    let row = store.models(FIRST_WORKSPACE).await?.into_iter().find(|row| row.name == name);
    let settings = row.and_then(|row| serde_json::from_value::<Settings>(row.settings).ok());
    if let Some(digest) = settings.and_then(|settings| settings.file) {
        let file = ModelFile::installed(&config.path(&config.models.folder), &digest);
        let began = tokio::time::Instant::now();
        let vector = embedder(&config.models.program).embed(&file, Kind::Query, name).await;
        let millis = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX);
        return Ok(vector.map(|v| vec![Checked { asked: "embed", millis, tokens: None, dimensions: Some(v.len()) }]));
    }
    let broker = wiring::broker(config)?;
    // While the master key is being replaced, secrets are sealed under either.
    broker.keys(store.succession().await?.as_ref()).await?;
    Ok(model::check(store.clone(), broker, config.models.engine(), FIRST_WORKSPACE, name).await)
}

async fn ai(context: &Context, store: &Store, mode: Option<AiMode>) -> Result<ExitCode> {
    if let Some(mode) = mode {
        store.set_ai(FIRST_WORKSPACE, ACTOR, mode).await?;
    }
    let mode = store.ai(FIRST_WORKSPACE).await?;
    context.answer(&json!({ "ai": mode.word() }), || match mode {
        AiMode::On => "on: steps that were granted it may ask models".to_owned(),
        AiMode::OnRequest => "on-request: models are asked only in runs that a person began".to_owned(),
        AiMode::Off => "off: no model is asked".to_owned(),
    });
    Ok(ExitCode::SUCCESS)
}
