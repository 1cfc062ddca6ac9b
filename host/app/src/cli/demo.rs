//! `pointsman demo`: a host, an emulated WhatsApp and a page, in a folder that it names. Everything is what an operator would
//! have: `init`, `channel add`, `publish`, `serve`; the emulator is reached over sockets, and the page calls no function of
//! the engine.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context as _, Result};
use pointsman_emulator::{Whatsapp, WhatsappConfig};
use pointsman_web::DemoLink;
use secrecy::SecretString;

use super::{Context, channel, init, publish, say, serve};
use crate::telemetry;

/// Example: `pointsman demo --private 127.0.0.1:8081`
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Where the workflows lie.
    #[arg(long, default_value = "workflows")]
    workflows: PathBuf,
    /// Where the page is served.
    #[arg(long, default_value = "127.0.0.1:8081")]
    private: String,
    /// Where webhooks are taken.
    #[arg(long, default_value = "127.0.0.1:8080")]
    public: String,
    /// Say this as a contact, print what came back, and end: for trying without a browser.
    #[arg(long)]
    say: Option<String>,
}

const CONTACT: (&str, &str) = ("15550100001", "Ana");

pub(super) fn run(context: &Context, args: &Args) -> Result<ExitCode> {
    // A folder of its own each time: nothing of an earlier demo is in the way, and nothing of yours is touched.
    let dir = if context.dir == Path::new(".") {
        std::env::temp_dir().join(format!("pointsman-demo-{}", std::process::id()))
    } else {
        context.dir.clone()
    };
    let context = Context { dir: dir.clone(), json: context.json };
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let emulator = runtime.block_on(Whatsapp::start(WhatsappConfig {
        statuses: vec!["sent", "delivered", "read"],
        delay: Duration::from_millis(40),
        ..WhatsappConfig::default()
    }))?;
    init::make(&context, "demo bakery", "UTC")?;
    let account = emulator.config();
    let secret = |slot: &str, value: &str| (slot.to_owned(), SecretString::from(value.to_owned()));
    let added = channel::add(
        &context,
        &channel::New {
            plugin: "whatsapp".to_owned(),
            account: account.phone_number_id.clone(),
            name: "Demo bakery".to_owned(),
            settings: vec![format!("api_url={}", emulator.url()), format!("waba_id={}", account.waba_id)],
            secrets: Some(vec![
                secret("access_token", &account.token),
                secret("app_secret", &account.app_secret),
                secret("verify_token", "demo-verify-token"),
            ]),
        },
    )?;
    publish::publish_folders(&context, std::slice::from_ref(&args.workflows))
        .with_context(|| format!("the workflows in {}", args.workflows.display()))?;
    let mut config = context.config()?;
    config.egress.allow_private = vec![emulator.address().to_owned()];
    config.http.public.clone_from(&args.public);
    config.http.private.clone_from(&args.private);
    telemetry::start(&config.telemetry)?;
    say(&format!(
        "made a host in {}: configuration, master key, stores, one channel, the workflows of {}",
        dir.display(),
        args.workflows.display()
    ));
    let demo = DemoLink { emulator: emulator.url().to_owned() };
    runtime.block_on(async {
        let (ready, started) = tokio::sync::oneshot::channel();
        let talk = async {
            let public = started.await.context("the host did not start")?;
            emulator.set_hook(format!("http://{public}/hooks/{}", added.id));
            match &args.say {
                Some(text) => converse(&emulator, text).await,
                None => std::future::pending().await,
            }
        };
        let host = serve::serve(&config, Some(demo), |public, private| {
            say(&format!("emulated WhatsApp on {}, webhooks on http://{public}", emulator.url()));
            say(&format!(
                "open http://{private}/ and write as Ana: \"what are your hours?\", \"order 2 loaves\", \"terrible service\""
            ));
            let _ = ready.send(public.to_owned());
        });
        tokio::select! {
            ended = host => ended,
            said = talk => said,
        }
    })?;
    Ok(ExitCode::SUCCESS)
}

/// Says one thing as a contact and prints what comes back.
async fn converse(emulator: &Whatsapp, text: &str) -> Result<()> {
    let (_, status) = emulator.say(CONTACT.0, CONTACT.1, text).await?;
    say(&format!("{}: {text}   (webhook answered {status})", CONTACT.1));
    let mut seen = 0;
    for _ in 0..100 {
        tokio::time::sleep(Duration::from_millis(100)).await;
        let answers = emulator.said_to(CONTACT.0);
        for answer in answers.iter().skip(seen) {
            say(&format!("bakery: {answer}"));
        }
        if !answers.is_empty() && answers.len() == seen {
            return Ok(());
        }
        seen = answers.len();
    }
    anyhow::bail!("no workflow answered within 10 s")
}
