//! The provider as a witness: an emulated WhatsApp account on a thread of its own, with a log of its own. Its log is read from
//! the file, so what it says is what was on its disk.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use pointsman_emulator::{Whatsapp, WhatsappConfig};
use serde_json::Value;

/// What signs webhooks.
pub const APP_SECRET: &str = "app-secret-of-the-proof";
/// What the host must show.
pub const TOKEN: &str = "EAAproof-token-51d2e84b607f3a9c";

/// The emulated account, running.
#[derive(Debug)]
pub struct Provider {
    /// The account.
    pub account: Whatsapp,
    log: PathBuf,
    runtime: Option<tokio::runtime::Runtime>,
}

impl Provider {
    /// Starts it, with its log in `folder`.
    pub fn start(folder: &Path, config: WhatsappConfig) -> Result<Self> {
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(1).thread_name("provider").enable_all().build()?;
        let log = folder.join("provider.log");
        let config = WhatsappConfig { app_secret: APP_SECRET.into(), token: TOKEN.into(), log: Some(log.clone()), ..config };
        let (told, started) = std::sync::mpsc::channel();
        runtime.spawn(async move {
            let _ = told.send(Whatsapp::start(config).await);
        });
        let account = started.recv().context("the provider did not start")??;
        Ok(Self { account, log, runtime: Some(runtime) })
    }

    /// What its log says by now.
    pub fn seen(&self) -> Result<Log> {
        Log::read(&self.log)
    }
}

impl Drop for Provider {
    fn drop(&mut self) {
        // Dropped inside another runtime, where waiting is not allowed.
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

/// A request for one message that the provider took.
#[derive(Debug, Clone)]
pub struct Taken {
    /// Our key, which it echoes.
    pub key: String,
    /// What it says.
    pub text: String,
    /// To whom.
    pub to: String,
    /// When: unix milliseconds.
    pub at: i64,
    /// When: unix microseconds.
    pub us: u64,
}

/// The log, read.
#[derive(Debug, Default)]
pub struct Log {
    /// What was taken, in order.
    pub taken: Vec<Taken>,
    /// Requests that came, taken or not: unix milliseconds of coming, and of the answer or of the caller's going.
    pub requests: Vec<(i64, Option<i64>)>,
}

impl Log {
    fn read(path: &Path) -> Result<Self> {
        let text = std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
        let mut log = Self::default();
        // Requests of one key come one after the other: the last that came is the one that is taken or answered.
        let mut last: HashMap<String, (Value, usize)> = HashMap::new();
        for line in text.lines() {
            let line: Value = serde_json::from_str(line).with_context(|| format!("not JSON: {line}"))?;
            let word = |name: &str| line.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
            let at = line.get("at").and_then(Value::as_i64).unwrap_or_default();
            match word("what").as_str() {
                "received" => {
                    last.insert(word("key"), (line.clone(), log.requests.len()));
                    log.requests.push((at, None));
                }
                "taken" => {
                    let text = last.get(&word("key")).and_then(|(line, _)| line.pointer("/body/text/body")?.as_str());
                    let to = last.get(&word("key")).and_then(|(line, _)| line.pointer("/body/to")?.as_str());
                    let (text, to) = (text.unwrap_or_default().to_owned(), to.unwrap_or_default().to_owned());
                    let us = line.get("us").and_then(Value::as_u64).unwrap_or_default();
                    log.taken.push(Taken { key: word("key"), text, to, at, us });
                }
                _ => {
                    let request = last.get(&word("key")).and_then(|(_, n)| log.requests.get_mut(*n));
                    request.into_iter().for_each(|request| request.1 = Some(at));
                }
            }
        }
        Ok(log)
    }

    /// How many requests were under way at a moment: they had come, and their answer had not left for long enough to be read.
    #[must_use]
    pub fn under_way(&self, at: i64) -> usize {
        /// Milliseconds for which an answer may be on its way into the host, a request on its way out of it.
        const ON_THE_WAY: i64 = 100;
        self.requests
            .iter()
            .filter(|(came, left)| *came <= at + ON_THE_WAY && left.is_none_or(|left| left >= at - ON_THE_WAY))
            .count()
    }
}
