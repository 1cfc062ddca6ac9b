//! Webhooks on their way to the host: where they go, what goes wrong with them on demand, and what waits.
//!
//! A webhook that waits for another try, or (Telegram) for an address, stands in a queue and leaves in its order; whose order
//! does not matter to each other wait apart, in lanes, and leave side by side.

use std::collections::{HashMap, VecDeque};
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use axum::body::Bytes;
use http_body_util::Full;
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use parking_lot::Mutex;
use serde::Serialize;
use tokio::sync::Semaphore;

use crate::fault::{Faults, HookFault};
use crate::talk::unix_ms;

/// Stands for the host's HTTP status where there is none yet: a fault holds the webhook back, or it waits in the queue.
pub const HELD: u16 = 0;

/// How long a batch that does not fill is held back; this crate's own tests do not wait so long.
const SHUFFLE_WAIT: Duration = Duration::from_millis(if cfg!(test) { 1_000 } else { 10_000 });
/// How long the host may take to answer.
const ANSWER: Duration = Duration::from_secs(60);
/// How often a webhook is tried that the host answers, but refuses.
const REFUSALS: u32 = 10;
/// How many lanes of what waits are tried at once.
const SIDE_BY_SIDE: usize = 40;
/// How long a webhook that finds nobody is tried again.
const PATIENCE: Duration = Duration::from_secs(24 * 3600);

/// Why a webhook did not reach the host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Undelivered {
    /// The provider knows no address, or nobody subscribed.
    NoHook,
    /// Updates of this kind were not asked for.
    NotWanted(&'static str),
    /// Nobody answered.
    Unreachable(String),
    /// No such contact, message or button.
    Unknown(String),
    /// Nothing that a contact could do.
    Invalid(String),
}

impl fmt::Display for Undelivered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoHook => f.write_str("no webhook address is set: subscribe the channel, or set one"),
            Self::NotWanted(kind) => write!(f, "updates of the kind {kind} were not asked for: name it in allowed_updates"),
            Self::Unreachable(why) => write!(f, "the host did not answer: {why}"),
            Self::Unknown(what) | Self::Invalid(what) => f.write_str(what),
        }
    }
}

impl std::error::Error for Undelivered {}

/// One call that subscribed or ended it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Change {
    /// Milliseconds from the emulator's start.
    pub at_ms: u64,
    /// Whether webhooks leave from then on.
    pub subscribed: bool,
    /// The address that the call named.
    pub url: Option<String>,
}

/// Whether and where webhooks go.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Subscription {
    /// Whether the host asked for webhooks.
    pub subscribed: bool,
    /// Where they go now; nothing when none leave.
    pub url: Option<String>,
    /// Whether a test set the address, subscribed or not.
    pub forced: bool,
    /// Telegram: the kinds that were asked for, where the call named them.
    pub allowed_updates: Option<Vec<String>>,
    /// How many webhooks wait or are held back.
    pub waiting: usize,
    /// Every call that subscribed or ended it, in order.
    pub changes: Vec<Change>,
}

/// A webhook, ready to leave.
#[derive(Debug, Clone)]
pub(crate) struct Parcel {
    /// What it may not overtake: the webhooks of the same name.
    pub(crate) lane: String,
    pub(crate) headers: Vec<(&'static str, String)>,
    pub(crate) body: Bytes,
}

#[derive(Debug, Default)]
struct Addresses {
    forced: Option<String>,
    /// Set apart from subscribing (WhatsApp: in the app's dashboard).
    callback: Option<String>,
    /// Told by the call that subscribed.
    told: Option<String>,
    subscribed: bool,
    changes: Vec<Change>,
}

/// What waits in one lane. Where nothing waits there is none.
#[derive(Debug, Default)]
struct Queue {
    parcels: VecDeque<Parcel>,
    running: bool,
}

#[derive(Debug)]
struct Batch {
    size: usize,
    parcels: Vec<Parcel>,
    number: usize,
}

/// The way out of one account.
#[derive(Debug)]
pub(crate) struct Hooks {
    faults: Arc<Faults>,
    /// Try again after this long; without it, every webhook is tried once.
    retry_every: Option<Duration>,
    /// Whether webhooks without an address wait for one.
    keeps: bool,
    began: Instant,
    /// Where the queue is worked off, whoever sets the address.
    runtime: tokio::runtime::Handle,
    addresses: Mutex<Addresses>,
    lanes: Mutex<HashMap<String, Queue>>,
    places: Semaphore,
    batch: Mutex<Option<Batch>>,
    batches: AtomicUsize,
    late: AtomicUsize,
    /// The last failure: unix seconds, and what it was.
    trouble: Mutex<Option<(u64, String)>>,
}

impl Hooks {
    /// Must be called inside a runtime.
    pub(crate) fn new(faults: Arc<Faults>, retry_every: Option<Duration>, keeps: bool, began: Instant) -> Self {
        Self {
            faults,
            retry_every,
            keeps,
            began,
            runtime: tokio::runtime::Handle::current(),
            addresses: Mutex::default(),
            lanes: Mutex::default(),
            places: Semaphore::new(SIDE_BY_SIDE),
            batch: Mutex::default(),
            batches: AtomicUsize::new(0),
            late: AtomicUsize::new(0),
            trouble: Mutex::default(),
        }
    }

    pub(crate) fn force(self: &Arc<Self>, url: Option<String>) {
        self.addresses.lock().forced = url;
        self.run();
    }

    pub(crate) fn set_callback(&self, url: String) {
        self.addresses.lock().callback = Some(url);
    }

    /// The host asks for webhooks, at this address or at the one that was set apart.
    pub(crate) fn subscribe(self: &Arc<Self>, url: Option<String>) {
        self.change(true, url);
        self.run();
    }

    pub(crate) fn unsubscribe(&self) {
        self.change(false, None);
    }

    fn change(&self, subscribed: bool, url: Option<String>) {
        let at_ms = u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX);
        let mut addresses = self.addresses.lock();
        addresses.subscribed = subscribed;
        addresses.told.clone_from(&url);
        addresses.changes.push(Change { at_ms, subscribed, url });
    }

    /// The address that the provider was told; not one that a test set.
    pub(crate) fn told(&self) -> Option<String> {
        let addresses = self.addresses.lock();
        addresses.subscribed.then(|| addresses.told.clone()).flatten()
    }

    fn address(&self) -> Option<String> {
        let addresses = self.addresses.lock();
        let asked = || addresses.told.clone().or_else(|| addresses.callback.clone()).filter(|_| addresses.subscribed);
        addresses.forced.clone().or_else(asked)
    }

    /// How many wait or are held back.
    pub(crate) fn waiting(&self) -> usize {
        let held = self.batch.lock().as_ref().map_or(0, |b| b.parcels.len());
        self.lanes.lock().values().map(|queue| queue.parcels.len()).sum::<usize>() + held + self.late.load(Ordering::Relaxed)
    }

    /// Forgets what waits in the queue.
    pub(crate) fn drop_waiting(&self) {
        self.lanes.lock().values_mut().for_each(|queue| queue.parcels.clear());
    }

    pub(crate) fn trouble(&self) -> Option<(u64, String)> {
        self.trouble.lock().clone()
    }

    pub(crate) fn subscription(&self, allowed_updates: Option<Vec<String>>) -> Subscription {
        let url = self.address();
        let waiting = self.waiting();
        let addresses = self.addresses.lock();
        Subscription {
            subscribed: addresses.subscribed,
            url,
            forced: addresses.forced.is_some(),
            allowed_updates,
            waiting,
            changes: addresses.changes.clone(),
        }
    }

    /// Sends a webhook once, past all faults and queues. Gives the host's HTTP status.
    pub(crate) async fn send_raw(&self, parcel: Parcel) -> Result<u16, Undelivered> {
        let Some(url) = self.address() else { return Err(Undelivered::NoHook) };
        self.post(&url, parcel).await
    }

    /// Sends a webhook, or does with it what the next fault says. Gives the host's HTTP status, or [`HELD`].
    pub(crate) async fn send(self: &Arc<Self>, parcel: Parcel) -> Result<u16, Undelivered> {
        if self.address().is_none() {
            return if self.keeps { Ok(self.wait(parcel)) } else { Err(Undelivered::NoHook) };
        }
        let batch = match self.gather(parcel.clone()) {
            Gathered::Held => return Ok(HELD),
            Gathered::Full(batch) => Some(batch),
            Gathered::No => None,
        };
        if let Some(batch) = batch {
            return self.send_reversed(batch).await;
        }
        match self.faults.next_hook() {
            None => self.attempt(parcel).await,
            Some(HookFault::Doubled) => {
                let (one, two) = futures::join!(self.attempt(parcel.clone()), self.attempt(parcel));
                Ok(one?.max(two?))
            }
            Some(HookFault::Late(long)) => {
                let hooks = Arc::clone(self);
                hooks.late.fetch_add(1, Ordering::Relaxed);
                tokio::spawn(async move {
                    tokio::time::sleep(long).await;
                    hooks.late.fetch_sub(1, Ordering::Relaxed);
                    told(hooks.attempt(parcel).await);
                });
                Ok(HELD)
            }
            Some(HookFault::Shuffled(size)) if size > 1 => {
                let number = self.batches.fetch_add(1, Ordering::Relaxed);
                *self.batch.lock() = Some(Batch { size, parcels: vec![parcel], number });
                let hooks = Arc::clone(self);
                tokio::spawn(async move {
                    tokio::time::sleep(SHUFFLE_WAIT).await;
                    let batch = hooks.batch.lock().take_if(|b| b.number == number);
                    if let Some(batch) = batch {
                        told(hooks.send_reversed(batch.parcels).await);
                    }
                });
                Ok(HELD)
            }
            Some(HookFault::Shuffled(_)) => self.attempt(parcel).await,
        }
    }

    /// Puts a webhook to the batch that is being held back, if there is one.
    fn gather(&self, parcel: Parcel) -> Gathered {
        let mut held = self.batch.lock();
        let Some(batch) = held.as_mut() else { return Gathered::No };
        batch.parcels.push(parcel);
        if batch.parcels.len() < batch.size {
            return Gathered::Held;
        }
        held.take().map_or(Gathered::No, |batch| Gathered::Full(batch.parcels))
    }

    /// Gives the answer to the one that came last and leaves first.
    async fn send_reversed(self: &Arc<Self>, batch: Vec<Parcel>) -> Result<u16, Undelivered> {
        let mut first = None;
        for parcel in batch.into_iter().rev() {
            let answer = self.attempt(parcel).await;
            first.get_or_insert(answer);
        }
        first.unwrap_or(Ok(HELD))
    }

    /// Tries it; what fails waits for another try, where there are such.
    async fn attempt(self: &Arc<Self>, parcel: Parcel) -> Result<u16, Undelivered> {
        if self.lanes.lock().contains_key(&parcel.lane) {
            return Ok(self.wait(parcel));
        }
        if self.retry_every.is_none() {
            return self.send_raw(parcel).await;
        }
        match self.send_raw(parcel.clone()).await {
            Ok(status) if (200..300).contains(&status) => Ok(status),
            Ok(status) => {
                self.wait(parcel);
                Ok(status)
            }
            Err(Undelivered::Unreachable(_)) => Ok(self.wait(parcel)),
            Err(other) => Err(other),
        }
    }

    fn wait(self: &Arc<Self>, parcel: Parcel) -> u16 {
        let lane = parcel.lane.clone();
        self.lanes.lock().entry(lane.clone()).or_default().parcels.push_back(parcel);
        self.work_off(lane);
        HELD
    }

    /// Works off what waits.
    fn run(self: &Arc<Self>) {
        let lanes: Vec<String> = self.lanes.lock().keys().cloned().collect();
        for lane in lanes {
            self.work_off(lane);
        }
    }

    /// Works one lane off, in its order, while there is an address.
    fn work_off(self: &Arc<Self>, lane: String) {
        let address = self.address().is_some();
        match self.lanes.lock().get_mut(&lane) {
            Some(queue) if address && !queue.running => queue.running = true,
            _ => return,
        }
        let hooks = Arc::clone(self);
        self.runtime.spawn(async move {
            let (mut refusals, mut waited) = (0, Duration::ZERO);
            while let Some(parcel) = hooks.head(&lane) {
                // Held while it rests too: who finds nobody does not call a thousand times a second.
                let _place = hooks.places.acquire().await;
                let answer = hooks.send_raw(parcel).await;
                let done = match (&answer, hooks.retry_every) {
                    (Ok(200..300), _) | (_, None) => true,
                    (Ok(_), _) => {
                        refusals += 1;
                        refusals >= REFUSALS
                    }
                    (Err(_), Some(_)) => waited >= PATIENCE,
                };
                told(answer);
                if done {
                    hooks.lanes.lock().get_mut(&lane).and_then(|queue| queue.parcels.pop_front());
                    (refusals, waited) = (0, Duration::ZERO);
                } else if let Some(long) = hooks.retry_every {
                    tokio::time::sleep(long).await;
                    waited += long;
                }
            }
        });
    }

    /// What leaves next in a lane; without an address or a webhook, the work ends.
    fn head(&self, lane: &str) -> Option<Parcel> {
        let address = self.address().is_some();
        let mut lanes = self.lanes.lock();
        let queue = lanes.get_mut(lane)?;
        let head = queue.parcels.front().cloned();
        if head.is_none() {
            lanes.remove(lane);
        } else if !address {
            queue.running = false;
            return None;
        }
        head
    }

    async fn post(&self, url: &str, parcel: Parcel) -> Result<u16, Undelivered> {
        let mut request = hyper::Request::post(url).header("content-type", "application/json");
        for (name, value) in parcel.headers {
            request = request.header(name, value);
        }
        let answer = match request.body(Full::new(parcel.body)) {
            Ok(request) => {
                let client: Client<_, Full<Bytes>> = Client::builder(TokioExecutor::new()).build_http();
                match tokio::time::timeout(ANSWER, client.request(request)).await {
                    Ok(Ok(response)) => Ok(response.status()),
                    Ok(Err(error)) => Err(error.to_string()),
                    Err(_) => Err(format!("no answer within {} s", ANSWER.as_secs())),
                }
            }
            Err(error) => Err(error.to_string()),
        };
        let trouble = match &answer {
            Ok(status) if status.is_success() => None,
            Ok(status) => Some(format!("Wrong response from the webhook: {status}")),
            Err(why) => Some(why.clone()),
        };
        if let Some(why) = trouble {
            *self.trouble.lock() = Some((unix_ms() / 1000, why));
        }
        answer.map(|status| status.as_u16()).map_err(Undelivered::Unreachable)
    }
}

enum Gathered {
    No,
    Held,
    Full(Vec<Parcel>),
}

/// Nobody waits for the answer to a webhook that left later.
fn told(answer: Result<u16, Undelivered>) {
    if let Err(error) = answer {
        tracing::debug!(%error, "a webhook found nobody");
    }
}
