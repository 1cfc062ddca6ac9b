//! N15: a workspace in which every plugin computes for ever, under load, beside one that does its business. The witnesses: the
//! provider's log says when each reply came, the store's books what became of everything that was offered.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use pointsman::versions::parse;
use pointsman::wiring;
use pointsman_core::id::{Id, WorkspaceId};
use pointsman_emulator::unix_us;
use pointsman_store::{Books, ChannelNew, CredentialRow, Store, WorkspaceRow};
use pointsman_vault::{CredentialPlace, SecretString};
use serde_json::json;
use tokio::time::Instant;

use super::Proved;
use super::slow::{Hook, strangers};
use crate::proof::catalog::plain;
use crate::proof::provider::{APP_SECRET, TOKEN};
use crate::proof::trial::Stage;
use crate::proof::{Seen, Setting};

/// The noisy workspace.
const NOISY: WorkspaceId = Id(2);
/// Its number, as the provider would know it.
const NUMBER: &str = "7700000015";
/// Deliveries of noise at once.
const AT_ONCE: usize = 16;
/// Deliveries of noise in a second: far more than endless plugins can be cut, and no flood of webhooks, which is another attack.
const A_SECOND: f64 = 250.0;
/// Between two messages of the other workspace.
const PAUSE: Duration = Duration::from_millis(10);

/// What was seen.
#[derive(Debug)]
pub struct Found {
    /// Endless plugins.
    pub plugins: usize,
    /// Events that the noisy workspace was offered, those that are done, those that are parked.
    pub offered: u64,
    /// Ended by a rule.
    pub done: u64,
    /// Parked with a reason.
    pub parked: u64,
    /// Plugins in quarantine at the end.
    pub quarantined: usize,
    /// From a message of the other workspace to its reply at the provider, the 99th percentile: alone, and beside the noise.
    pub before: Duration,
    /// Beside.
    pub beside: Duration,
    /// Messages of the other workspace.
    pub said: usize,
    /// Those that were not answered.
    pub unanswered: usize,
    /// Bytes of memory of the host: before, and the most beside the noise.
    pub memory: (u64, u64),
    /// How long there was noise.
    pub took: Duration,
    /// The other witnesses' word.
    pub seen: Seen,
}

impl fmt::Display for Found {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { plugins, offered, done, parked, quarantined, before, beside, said, unanswered, memory, took, .. } = self;
        write!(
            f,
            "{plugins} endless plugins, {offered} events in {took:.0?} = {done} done + {parked} parked, {quarantined} quarantined; "
        )?;
        write!(f, "others: {said} said, {unanswered} not answered, p99 {before:.1?} alone, {beside:.1?} beside; ")?;
        write!(f, "memory {} -> {} MiB", memory.0 >> 20, memory.1 >> 20)
    }
}

impl Found {
    /// Whether nothing was lost on either side.
    #[must_use]
    pub fn balanced(&self) -> bool {
        self.offered == self.done + self.parked && self.unanswered == 0 && self.seen.unexplained == 0 && self.seen.open == 0
    }
}

/// N15 at the size of the setting.
pub async fn prove(setting: &Setting) -> Proved {
    let found = run(setting).await?;
    let quiet = found.beside.as_micros() * 5 <= found.before.as_micros() * 6;
    let bounded = found.memory.1 <= found.memory.0 + (512 << 20);
    Ok((found.to_string(), found.balanced() && found.quarantined == found.plugins && quiet && bounded))
}

/// Makes noise beside a workspace that does its business.
pub async fn run(setting: &Setting) -> Result<Found> {
    let (plugins, each) = (setting.scaled(100, 4), setting.scaled(40, 15));
    let mut stage = Stage::set(setting, &plain("N15", Vec::new())).await?;
    let channel = noisy_workspace(&stage, plugins).await?;
    stage.killer.start().await?;
    let host = stage.killer.hosts.first().and_then(Option::as_ref).context("a host")?;
    let (public, _) = host.hook.split_once("/hooks/").context("a hook")?;
    let noise = Hook::of(format!("{public}/hooks/{channel}"), NUMBER.to_owned());
    let account = stage.provider.account.config().phone_number_id.clone();
    let business = Hook::of(host.hook.clone(), account);

    // So many that a percentile of them is steady, and about as many as come beside the noise.
    let few = setting.scaled(4_000, 40);
    // What is used for the first time is made ready.
    let mut said = talk(&business, 0, few / 4).await?;
    // Half of it before the noise and half of it after: a machine may change its pace meanwhile.
    let mut alone = talk(&business, few, few / 2).await?;
    let memory = host.memory();
    let began = Instant::now();
    let strangers = strangers()?;
    let noisy = strangers.spawn(deliver(noise, plugins, each));
    let store = wiring::open_store(&stage.site.config()?).await?;
    let (mut beside, mut most, mut from) = (HashMap::new(), memory, 3 * few);
    loop {
        let talked = talk(&business, from, few.min(40)).await?;
        from += few.min(40);
        beside.extend(talked);
        most = most.max(host.memory());
        let books = store.books(NOISY).await?;
        if noisy.is_finished() && open(&books) == 0 {
            break;
        }
        ensure!(began.elapsed() < Duration::from_secs(1_800), "the noise does not end: {books:?}");
    }
    let took = began.elapsed();
    let offered = noisy.await.context("the noise")??;
    strangers.shutdown_background();
    stage.settled().await?;
    alone.extend(talk(&business, from, few / 2).await?);
    stage.settled().await?;
    let books = store.books(NOISY).await?;
    let quarantined = store.quarantined().await?.into_iter().filter(|one| one.workspace == NOISY).count();
    store.close().await?;

    let log = stage.provider.seen()?;
    let answered: HashMap<&str, u64> = log.taken.iter().rev().map(|taken| (taken.to.as_str(), taken.us)).collect();
    let waits = |said: &HashMap<String, u64>| -> Vec<Duration> {
        let took =
            |(contact, us): (&String, &u64)| Some(Duration::from_micros(answered.get(contact.as_str())?.saturating_sub(*us)));
        said.iter().filter_map(took).collect()
    };
    let (before, during) = (waits(&alone), waits(&beside));
    said.extend(alone);
    said.extend(beside);
    let unanswered = said.keys().filter(|contact| !answered.contains_key(contact.as_str())).count();
    let count = |state: &str| books.events.get(state).copied().unwrap_or_default();
    let (done, parked) = (count("ended"), count("parked"));
    let (before, beside) = (super::percentile(before), super::percentile(during));
    let (said, memory) = (said.len(), (memory, most));
    let seen = stage.close().await?;
    Ok(Found { plugins, offered, done, parked, quarantined, before, beside, said, unanswered, memory, took, seen })
}

fn open(books: &Books) -> u64 {
    ["new", "routed"].iter().filter_map(|state| books.events.get(state)).sum()
}

/// Says something in so many conversations, one after the other; gives when each was on its way, by its contact.
async fn talk(hook: &Hook, from: usize, count: usize) -> Result<HashMap<String, u64>> {
    let mut said = HashMap::with_capacity(count);
    for n in from..from + count {
        let at = unix_us();
        ensure!(hook.say(n, "order").await? == 200, "a webhook was not taken");
        said.insert(format!("1555{n:07}"), at);
        tokio::time::sleep(PAUSE).await;
    }
    Ok(said)
}

/// Delivers the noise; gives how many events that were.
async fn deliver(hook: Hook, plugins: usize, each: usize) -> Result<u64> {
    let hook = Arc::new(hook);
    let next = Arc::new(AtomicUsize::new(0));
    let began = Instant::now();
    let mut workers: Vec<tokio::task::JoinHandle<Result<u64>>> = Vec::new();
    for _ in 0..AT_ONCE {
        let (hook, next) = (Arc::clone(&hook), Arc::clone(&next));
        workers.push(tokio::spawn(async move {
            let mut taken = 0;
            loop {
                let n = next.fetch_add(1, Ordering::Relaxed);
                if n >= plugins * each {
                    return Ok(taken);
                }
                tokio::time::sleep_until(began + Duration::from_secs_f64(n as f64 / A_SECOND)).await;
                while hook.say(n, &format!("spin {}", n % plugins)).await? != 200 {
                    tokio::time::sleep(Duration::from_millis(100)).await;
                }
                taken += 1;
            }
        }));
    }
    let mut offered = 0;
    for worker in workers {
        offered += worker.await.context("a worker")??;
    }
    Ok(offered)
}

/// A workspace beside that of the site, with a channel and a workflow of endless scripts; gives the channel.
async fn noisy_workspace(stage: &Stage, plugins: usize) -> Result<Id> {
    let config = stage.site.config()?;
    let store = wiring::open_store(&config).await?;
    let row = WorkspaceRow { id: NOISY, name: "noisy".to_owned(), time_zone: "UTC".to_owned(), language: "en".to_owned() };
    store.put_workspace(row).await?;
    let (sealer, id) = (wiring::sealer(&config, &store).await?, store.channel_id());
    let api = stage.provider.account.url();
    let mut credentials = Vec::new();
    for (slot, secret, hosts) in
        [("access_token", TOKEN, vec![api.to_owned()]), ("app_secret", APP_SECRET, Vec::new()), ("verify_token", "v", Vec::new())]
    {
        let place = CredentialPlace { workspace: NOISY.0, owner: id.0, slot: slot.to_owned(), hosts: hosts.clone() };
        let sealed = sealer.seal(&place, &SecretString::from(secret))?;
        credentials.push(CredentialRow { workspace: NOISY, owner: id, slot: slot.to_owned(), hosts, sealed });
    }
    let new = ChannelNew {
        workspace: NOISY,
        plugin: "pointsman/whatsapp".to_owned(),
        account: NUMBER.to_owned(),
        name: "Noise".to_owned(),
        config: json!({ "api_url": api, "waba_id": "1" }),
    };
    store.connect(id, new, credentials).await?;
    publish(&store, plugins).await?;
    store.close().await?;
    Ok(id)
}

async fn publish(store: &Store, plugins: usize) -> Result<()> {
    let steps = (0..plugins).map(|n| format!("  - if: event.text == \"spin {n}\"\n    script: \"let n = {n}; loop {{ }}\"\n"));
    let yaml = format!("name: noise\non: message\nsteps:\n{}", steps.collect::<String>());
    let files = vec![("workflow.yaml".to_owned(), yaml)];
    let workflow = parse(&files).context("the workflow does not load")?;
    store.publish_workflow(NOISY, "proof", &workflow.name, workflow.content_hash(), files).await?;
    Ok(())
}
