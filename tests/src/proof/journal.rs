//! The host's own account, read from outside: its list of runs by the command line, their steps and the sends by its API.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use anyhow::{Context as _, Result, bail};
use bytes::Bytes;
use http_body_util::{BodyExt as _, Empty};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use parking_lot::Mutex;
use serde_json::Value;

use super::site::Site;

/// Requests to the API at the same moment.
const MANY: usize = 8;

/// The API of a host.
#[derive(Debug, Clone)]
pub struct Api {
    client: Client<HttpConnector, Empty<Bytes>>,
    address: String,
}

impl Api {
    /// At `127.0.0.1:PORT`.
    #[must_use]
    pub fn new(address: &str) -> Self {
        Self { client: Client::builder(TokioExecutor::new()).build_http(), address: address.to_owned() }
    }

    /// Asks for `/api/v1/<what>`.
    pub async fn get(&self, what: &str) -> Result<Value> {
        let answer = self.client.get(format!("http://{}/api/v1/{what}", self.address).parse()?).await?;
        let status = answer.status();
        let body = answer.into_body().collect().await?.to_bytes();
        if !status.is_success() {
            bail!("{what}: {status} {}", String::from_utf8_lossy(&body));
        }
        Ok(serde_json::from_slice(&body)?)
    }

    /// Asks many things, in no order.
    async fn all(&self, what: Vec<String>) -> Result<Vec<Value>> {
        let waiting = Arc::new(Mutex::new(what));
        let mut workers = Vec::new();
        for _ in 0..MANY {
            let (api, waiting) = (self.clone(), Arc::clone(&waiting));
            workers.push(tokio::spawn(async move {
                let mut answers = Vec::new();
                loop {
                    let Some(what) = waiting.lock().pop() else { return Ok::<_, anyhow::Error>(answers) };
                    answers.push(api.get(&what).await?);
                }
            }));
        }
        let mut answers = Vec::new();
        for worker in workers {
            answers.extend(worker.await.context("a question")??);
        }
        Ok(answers)
    }
}

/// A send, as its host tells it.
#[derive(Debug, Clone)]
pub struct Told {
    /// Whether it says that it may have been sent twice.
    pub marked: bool,
    /// How it stands.
    pub state: String,
}

/// What the host has in its books.
#[derive(Debug, Default)]
pub struct Journal {
    /// Runs.
    pub runs: usize,
    /// Events that more than one run of the same version is for, and step results that stand twice.
    pub doubled: usize,
    /// Sends, by key.
    pub sends: HashMap<String, Told>,
}

impl Journal {
    /// Reads all of it.
    pub async fn read(site: &Site, api: &Api) -> Result<Self> {
        let list = site.done(&["run", "list", "--limit", "10000000"]).await?;
        let list = list.as_array().context("a list of runs")?;
        let word = |value: &Value, name: &str| value.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
        let mut journal = Self { runs: list.len(), ..Self::default() };
        let mut events = BTreeSet::new();
        for run in list {
            journal.doubled += usize::from(!events.insert((word(run, "event"), word(run, "workflow"))));
        }
        let shown = api.all(list.iter().map(|run| format!("runs/{}", word(run, "id"))).collect()).await?;
        for run in &shown {
            let mut results = BTreeSet::new();
            for step in run.get("steps").and_then(Value::as_array).into_iter().flatten() {
                if word(step, "entry") == "step_done" {
                    journal.doubled += usize::from(!results.insert(word(step, "path")));
                }
            }
        }
        let conversations: BTreeSet<String> = list.iter().map(|run| word(run, "conversation")).collect();
        let asked = conversations.iter().map(|id| format!("conversations/{id}/messages?limit=200")).collect();
        for messages in api.all(asked).await? {
            for message in messages.as_array().into_iter().flatten().filter(|m| word(m, "by") == "bot") {
                let marked = message.get("possible_duplicate").and_then(Value::as_bool).unwrap_or_default();
                journal.sends.insert(word(message, "key"), Told { marked, state: word(message, "state") });
            }
        }
        Ok(journal)
    }
}
