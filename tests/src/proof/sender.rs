//! The load generator as a witness: delivers signed webhooks as Meta does, again until they are acknowledged, and notes each
//! acknowledgement in a log of its own the moment it comes.

use std::collections::HashMap;
use std::fs::File;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use anyhow::{Context as _, Result};
use bytes::Bytes;
use hmac::{Hmac, KeyInit as _, Mac as _};
use http_body_util::{BodyExt as _, Full};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use parking_lot::{Mutex, RwLock};
use pointsman_emulator::Whatsapp;
use serde_json::json;
use tokio::time::Instant;

use super::provider::APP_SECRET;

/// How long an acknowledgement may take.
const ANSWER: Duration = Duration::from_secs(20);
/// How soon what was not acknowledged is delivered again.
const AGAIN: Duration = Duration::from_millis(100);

/// A message that a contact says.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Message {
    /// The contact's number.
    pub contact: String,
    /// Its place among the contact's messages, from 0.
    pub place: usize,
    /// What it says, with `#contact-place` at the end.
    pub text: String,
}

impl Message {
    /// A message that begins with `words`.
    #[must_use]
    pub fn new(contact: usize, place: usize, words: &str) -> Self {
        let contact = format!("1555{contact:07}");
        Self { text: format!("{words} #{contact}-{place}"), contact, place }
    }
}

/// When a message was first on its way, and when it was first acknowledged: microseconds of the sender's clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Times {
    /// The first delivery began.
    pub begun: u64,
    /// The first acknowledgement was read.
    pub acknowledged: u64,
}

/// Where the hosts take webhooks now; a host that is down has no address.
#[derive(Debug, Default)]
pub struct Doors(RwLock<Vec<Option<String>>>);

impl Doors {
    /// For so many hosts, all of them down.
    #[must_use]
    pub fn new(hosts: usize) -> Arc<Self> {
        Arc::new(Self(RwLock::new(vec![None; hosts])))
    }

    /// A host has come up, or gone.
    pub fn set(&self, host: usize, hook: Option<String>) {
        if let Some(door) = self.0.write().get_mut(host) {
            *door = hook;
        }
    }

    /// The door of the host whose turn it is, or of another one that is up.
    #[must_use]
    pub fn pick(&self, turn: usize) -> Option<String> {
        let doors = self.0.read();
        (0..doors.len()).find_map(|n| doors.get((turn + n) % doors.len()).cloned().flatten())
    }
}

/// The load generator.
#[derive(Debug)]
pub struct Sender {
    account: Whatsapp,
    doors: Arc<Doors>,
    client: Client<HttpConnector, Full<Bytes>>,
    log: Mutex<File>,
    path: PathBuf,
    began: Instant,
    turn: AtomicUsize,
    busy: AtomicUsize,
}

impl Sender {
    /// A sender with its log in `folder`.
    pub fn new(folder: &Path, account: Whatsapp, doors: Arc<Doors>) -> Result<Arc<Self>> {
        let path = folder.join("sender.log");
        let log = Mutex::new(File::options().create(true).append(true).open(&path)?);
        let client = Client::builder(TokioExecutor::new()).build_http();
        let (began, turn, busy) = (Instant::now(), AtomicUsize::new(0), AtomicUsize::new(0));
        Ok(Arc::new(Self { account, doors, client, log, path, began, turn, busy }))
    }

    fn now(&self) -> u64 {
        u64::try_from(self.began.elapsed().as_micros()).unwrap_or(u64::MAX)
    }

    /// Sends strands: the messages of one go one after the other, `many` strands at once, with a pause after each message.
    pub async fn send(self: &Arc<Self>, strands: Vec<Vec<Message>>, many: usize, pause: Duration) -> Result<()> {
        let waiting = Arc::new(Mutex::new(strands.into_iter().collect::<std::collections::VecDeque<_>>()));
        let mut workers: Vec<tokio::task::JoinHandle<Result<()>>> = Vec::new();
        for _ in 0..many {
            let (sender, waiting) = (Arc::clone(self), Arc::clone(&waiting));
            workers.push(tokio::spawn(async move {
                loop {
                    let Some(strand) = waiting.lock().pop_front() else { return Ok(()) };
                    for message in strand {
                        sender.deliver(&message).await?;
                        tokio::time::sleep(pause).await;
                    }
                }
            }));
        }
        for worker in workers {
            worker.await.context("a worker of the sender")??;
        }
        self.log.lock().sync_data()?;
        Ok(())
    }

    /// Delivers a message until it is acknowledged: the same bytes, as a provider does.
    async fn deliver(&self, message: &Message) -> Result<()> {
        let id = format!("wamid.{}.{}", message.contact, message.place);
        let body = Bytes::from(self.account.message(&id, &message.contact, "Ana", &message.text));
        let mut mac = Hmac::<sha2::Sha256>::new_from_slice(APP_SECRET.as_bytes()).context("any key will do")?;
        mac.update(&body);
        let signature = format!("sha256={}", hex::encode(mac.finalize().into_bytes()));
        let begun = self.now();
        loop {
            let turn = self.turn.fetch_add(1, Ordering::Relaxed);
            if let Some(hook) = self.doors.pick(turn) {
                let request = hyper::Request::post(&hook)
                    .header("content-type", "application/json")
                    .header("x-hub-signature-256", &signature)
                    .body(Full::new(body.clone()))?;
                let answer = tokio::time::timeout(ANSWER, self.client.request(request)).await;
                if let Ok(Ok(answer)) = answer {
                    let status = answer.status().as_u16();
                    let whole = answer.into_body().collect().await.is_ok();
                    if status == 200 && whole {
                        return self.note(message, begun);
                    }
                    self.busy.fetch_add(usize::from(status == 503), Ordering::Relaxed);
                }
            }
            tokio::time::sleep(AGAIN).await;
        }
    }

    fn note(&self, message: &Message, begun: u64) -> Result<()> {
        let line = json!({
            "contact": message.contact, "place": message.place, "text": message.text, "begun": begun, "acknowledged": self.now(),
        });
        self.log.lock().write_all(format!("{line}\n").as_bytes()).context("the sender's log")
    }

    /// How often it was told to come again later.
    #[must_use]
    pub fn busy(&self) -> usize {
        self.busy.load(Ordering::Relaxed)
    }

    /// What its log says: each message with its times, over all of its deliveries.
    pub fn acknowledged(&self) -> Result<HashMap<Message, Times>> {
        let text = std::fs::read_to_string(&self.path)?;
        let mut all: HashMap<Message, Times> = HashMap::new();
        for line in text.lines() {
            let line: serde_json::Value = serde_json::from_str(line)?;
            let word = |name: &str| line.get(name).and_then(|v| v.as_str()).unwrap_or_default().to_owned();
            let number = |name: &str| line.get(name).and_then(serde_json::Value::as_u64).unwrap_or_default();
            let place = usize::try_from(number("place"))?;
            let message = Message { contact: word("contact"), place, text: word("text") };
            let new = Times { begun: number("begun"), acknowledged: number("acknowledged") };
            let times = all.entry(message).or_insert(new);
            times.begun = times.begun.min(new.begun);
            times.acknowledged = times.acknowledged.min(new.acknowledged);
        }
        Ok(all)
    }
}
