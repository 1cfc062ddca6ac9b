//! `pointsman demo`: a supervisor with a host as its child. Here run the emulated providers and the page's server; the host
//! is a process of its own (`pointsman serve`), made by what an operator would use (`init`, `channel add`, `publish`), so
//! that the page can kill it for real and see it come back. The host is spoken to over its two ports alone.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use clap::ValueEnum;
use pointsman_web::{Door, serve_demo};
use serde_json::{Value, json};
use tokio::net::TcpListener;

use super::{Context, say};
use crate::{shutdown, telemetry};

mod acts;
mod child;
mod folder;
mod providers;
mod stage;
mod tally;

use child::Keeper;
use providers::Providers;
use stage::DemoStage;

/// Example: `pointsman demo --page 127.0.0.1:9000`
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Where the workflows lie.
    #[arg(long, default_value = "workflows")]
    workflows: PathBuf,
    /// Where the page is served.
    #[arg(long, default_value = "127.0.0.1:8081")]
    page: String,
    /// Where the host takes webhooks; port 0 takes a free one.
    #[arg(long, default_value = "127.0.0.1:0")]
    public: String,
    /// Say this as a contact, print what came back, and end: for trying without a browser.
    #[arg(long)]
    say: Option<String>,
    /// On which channel to say it.
    #[arg(long, default_value = "whatsapp", requires = "say")]
    on: On,
}

/// The emulated providers.
#[derive(Debug, Clone, Copy, ValueEnum)]
enum On {
    /// WhatsApp.
    Whatsapp,
    /// Telegram.
    Telegram,
}

impl On {
    fn word(self) -> &'static str {
        match self {
            Self::Whatsapp => "whatsapp",
            Self::Telegram => "telegram",
        }
    }
}

pub(super) fn run(context: &Context, args: &Args) -> Result<ExitCode> {
    // A folder of its own each time: nothing of an earlier demo is in the way, and nothing of yours is touched.
    let dir = if context.dir == Path::new(".") {
        std::env::temp_dir().join(format!("pointsman-demo-{}", std::process::id()))
    } else {
        context.dir.clone()
    };
    let context = Context { dir, json: context.json };
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let providers = runtime.block_on(Providers::start())?;
    // The verbs have runtimes of their own, so they are called outside of this one.
    let made = folder::make(&context, args, &providers)?;
    telemetry::start(&context.config()?.telemetry)?;
    runtime.block_on(supervise(&context, args, providers, made))
}

/// Runs the host and serves the page, until a signal or until what was to be said is answered.
async fn supervise(context: &Context, args: &Args, providers: Providers, made: folder::Made) -> Result<ExitCode> {
    let mut closing = shutdown::listen()?;
    let page = match &args.say {
        Some(_) => None,
        None => {
            let bound = TcpListener::bind(&args.page).await;
            Some(bound.with_context(|| format!("--page {}: the port cannot be opened; name another one", args.page))?)
        }
    };
    let keeper = Keeper::start(&context.dir, closing.clone());
    let up = tokio::select! {
        up = keeper.first() => up?,
        _ = closing.wait_for(|now| *now) => {
            keeper.ended().await;
            return Ok(ExitCode::SUCCESS);
        }
    };
    folder::settle(context, &providers, &up)?;
    providers.aim(&up.public, &made.channels);
    if !context.json {
        say(&format!("data folder: {} (its log: host.log)", context.dir.display()));
        say(&format!("host: process {}, webhooks on http://{}, pages and API on http://{}", up.pid, up.public, up.private));
    }
    let stage = Arc::new(DemoStage::new(context.dir.clone(), made.channels, keeper.clone()));
    let ended = match (&args.say, page) {
        (Some(text), _) => tokio::select! {
            said = converse(context, &stage, args.on.word(), text) => said,
            _ = closing.wait_for(|now| *now) => Ok(()),
        },
        (None, Some(page)) => {
            let address = page.local_addr()?;
            if context.json {
                let told = json!({
                    "page": address.to_string(), "dir": context.dir, "public": up.public, "private": up.private, "pid": up.pid,
                });
                say(&told.to_string());
            } else {
                say(&format!("open http://{address}/ (Ctrl-C ends everything)"));
            }
            serve_demo(page, stage, closing).await.map_err(Into::into)
        }
        (None, None) => Ok(()),
    };
    keeper.end().await;
    ended.map(|()| ExitCode::SUCCESS)
}

/// How long an answer may take: the first one finds everything cold.
const PATIENCE: Duration = Duration::from_secs(20);

/// Says one thing as a contact and prints what comes back, until nothing more does.
async fn converse(context: &Context, stage: &DemoStage, word: &str, text: &str) -> Result<()> {
    let door = Door::default();
    let channel = stage.channel(word).with_context(|| format!("the demo has no channel {word}"))?;
    let (contact, name) = channel.contacts.first().context("the channel has no contacts")?;
    let told = door
        .tell(&format!("{}/_emulator/say", channel.emulator), &json!({ "from": contact, "name": name, "text": text }))
        .await?;
    if !context.json {
        let status = told.get("status").and_then(Value::as_u64).map_or("not yet".to_owned(), |status| status.to_string());
        say(&format!("{name} on {}: {text}   (webhook answered: {status})", channel.title));
    }
    let (mut seen, mut quiet) = (Vec::<Value>::new(), 0);
    let began = tokio::time::Instant::now();
    while began.elapsed() < PATIENCE {
        tokio::time::sleep(Duration::from_millis(100)).await;
        let answers = tally::lines(&door, channel, Some(contact)).await?.into_iter().filter(|line| line["by"] == "business");
        let answers: Vec<Value> = answers.collect();
        quiet = if answers.len() == seen.len() { quiet + 1 } else { 0 };
        for answer in answers.iter().skip(seen.len()) {
            let buttons = answer["buttons"].as_array().into_iter().flatten();
            let buttons: String = buttons.filter_map(|b| b["title"].as_str()).map(|title| format!(" [{title}]")).collect();
            if context.json {
                say(&json!({ "text": answer["text"], "buttons": answer["buttons"] }).to_string());
            } else {
                say(&format!("{}: {}{buttons}", channel.business, answer["text"].as_str().unwrap_or_default()));
            }
        }
        seen = answers;
        if !seen.is_empty() && quiet >= 5 {
            return Ok(());
        }
    }
    bail!("no workflow answered within {} s; {} may say why", PATIENCE.as_secs(), context.dir.join(child::LOG).display())
}
