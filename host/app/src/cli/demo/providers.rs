//! The emulated providers of the demo: their accounts, and the people who write there.

use std::time::Duration;

use anyhow::Result;
use pointsman_emulator::{Telegram, TelegramConfig, Whatsapp, WhatsappConfig};
use pointsman_web::DemoChannel;
use secrecy::SecretString;

use crate::cli::channel;

/// How long an answer of a provider takes.
const DELAY: Duration = Duration::from_millis(40);
/// How soon a provider delivers again what found nobody. Real ones wait longer.
const AGAIN: Duration = Duration::from_millis(400);
/// What the business is called.
const BUSINESS: &str = "Demo bakery";

/// The providers. They live as long as the runtime.
pub(super) struct Providers {
    whatsapp: Whatsapp,
    telegram: Telegram,
}

/// An account to connect, and who writes to it.
pub(super) struct Connected {
    pub(super) new: channel::New,
    pub(super) title: &'static str,
    pub(super) emulator: String,
    pub(super) contacts: &'static [(&'static str, &'static str)],
}

fn secret(slot: &str, value: &str) -> (String, SecretString) {
    (slot.to_owned(), SecretString::from(value.to_owned()))
}

impl Providers {
    pub(super) async fn start() -> Result<Self> {
        let whatsapp = Whatsapp::start(WhatsappConfig {
            statuses: vec!["sent", "delivered", "read"],
            delay: DELAY,
            retry_every: Some(AGAIN),
            verified_name: BUSINESS.to_owned(),
            ..WhatsappConfig::default()
        });
        let telegram = Telegram::start(TelegramConfig {
            delay: DELAY,
            retry_every: Some(AGAIN),
            webhook_secret: Some("demo-webhook-secret".to_owned()),
            bot_name: BUSINESS.to_owned(),
            ..TelegramConfig::default()
        });
        Ok(Self { whatsapp: whatsapp.await?, telegram: telegram.await? })
    }

    /// `host:port` of each, as `[egress] allow_private` wants them.
    pub(super) fn addresses(&self) -> Vec<String> {
        vec![self.whatsapp.address().to_owned(), self.telegram.address().to_owned()]
    }

    /// The accounts, as `pointsman channel add` takes them.
    pub(super) fn connected(&self) -> [Connected; 2] {
        let (whatsapp, telegram) = (self.whatsapp.config(), self.telegram.config());
        [
            Connected {
                new: channel::New {
                    plugin: "whatsapp".to_owned(),
                    account: whatsapp.phone_number_id.clone(),
                    name: format!("{BUSINESS} on WhatsApp"),
                    settings: vec![format!("api_url={}", self.whatsapp.url()), format!("waba_id={}", whatsapp.waba_id)],
                    secrets: Some(vec![
                        secret("access_token", &whatsapp.token),
                        secret("app_secret", &whatsapp.app_secret),
                        secret("verify_token", "demo-verify-token"),
                    ]),
                },
                title: "WhatsApp",
                emulator: self.whatsapp.url().to_owned(),
                contacts: &[("15550100001", "Ana"), ("15550100002", "Ben"), ("15550100003", "Chloé")],
            },
            Connected {
                new: channel::New {
                    plugin: "telegram".to_owned(),
                    account: telegram.bot_id.to_string(),
                    name: format!("{BUSINESS} on Telegram"),
                    settings: vec![format!("api_url={}", self.telegram.url())],
                    secrets: Some(vec![
                        secret("bot_token", &telegram.bot_token),
                        secret("webhook_secret", telegram.webhook_secret.as_deref().unwrap_or_default()),
                    ]),
                },
                title: "Telegram",
                emulator: self.telegram.url().to_owned(),
                contacts: &[("427770117", "Dana"), ("427770118", "Emre"), ("427770119", "Faye")],
            },
        ]
    }

    /// Tells each provider where its webhooks go.
    pub(super) fn aim(&self, public: &str, channels: &[DemoChannel]) {
        for channel in channels {
            let hook = format!("http://{public}/hooks/{}", channel.id);
            match channel.word.as_str() {
                "telegram" => self.telegram.set_hook(hook),
                _ => self.whatsapp.set_hook(hook),
            }
        }
    }
}

impl Connected {
    /// The channel as the page shows it.
    pub(super) fn shown(&self, id: String) -> DemoChannel {
        DemoChannel {
            word: self.new.plugin.clone(),
            title: self.title.to_owned(),
            business: BUSINESS.to_owned(),
            id,
            emulator: self.emulator.clone(),
            contacts: self.contacts.iter().map(|(id, name)| ((*id).to_owned(), (*name).to_owned())).collect(),
        }
    }
}
