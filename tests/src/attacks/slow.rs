//! T11: connections that never come to the end of a request, held open by the thousand, while a provider delivers as before.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use anyhow::{Context as _, Result};
use hmac::{Hmac, KeyInit as _, Mac as _};
use pointsman_emulator::WhatsappConfig;
use serde_json::json;
use thread_priority::unix::{set_thread_priority_and_policy, thread_native_id};
use thread_priority::{NormalThreadSchedulePolicy, ThreadPriority, ThreadSchedulePolicy};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::runtime::{Builder, Runtime};
use tokio::time::Instant;

use super::{Proved, percentile};
use crate::proof::Setting;
use crate::proof::catalog::NOTED;
use crate::proof::provider::{APP_SECRET, Provider};
use crate::proof::site::Site;

/// Where webhooks of an account go.
#[derive(Debug, Clone)]
pub struct Hook {
    /// `http://127.0.0.1:PORT/hooks/ID`.
    pub url: String,
    /// Our side's number, as the provider knows it.
    pub account: String,
    /// What signs.
    pub secret: String,
    /// For whom a proxy says that it asks.
    pub address: Option<String>,
}

impl Hook {
    /// A hook of the proof's own provider.
    #[must_use]
    pub fn of(url: String, account: String) -> Self {
        Self { url, account, secret: APP_SECRET.to_owned(), address: None }
    }

    fn host(&self) -> Result<&str> {
        self.url.strip_prefix("http://").and_then(|rest| rest.split('/').next()).context("an address")
    }

    /// Delivers a signed message over a connection of its own; gives the status.
    pub async fn say(&self, n: usize, text: &str) -> Result<u16> {
        let (account, from) = (&self.account, format!("1555{n:07}"));
        let message = json!({ "from": from, "id": format!("wamid.{account}.{n}"), "timestamp": "1790000000", "type": "text", "text": { "body": text } });
        let value = json!({
            "messaging_product": "whatsapp", "metadata": { "display_phone_number": account, "phone_number_id": account },
            "contacts": [{ "profile": { "name": "Ana" }, "wa_id": from }], "messages": [message],
        });
        let change = json!([{ "field": "messages", "value": value }]);
        let body = json!({ "object": "whatsapp_business_account", "entry": [{ "id": "1", "changes": change }] }).to_string();
        let mut mac = Hmac::<sha2::Sha256>::new_from_slice(self.secret.as_bytes())?;
        mac.update(body.as_bytes());
        let signature = hex::encode(mac.finalize().into_bytes());
        let path = self.url.splitn(4, '/').last().unwrap_or_default();
        let named = self.address.as_ref().map(|address| format!("x-forwarded-for: {address}\r\n")).unwrap_or_default();
        let head = format!(
            "POST /{path} HTTP/1.1\r\nhost: hooks\r\nx-hub-signature-256: sha256={signature}\r\ncontent-type: application/json\r\n{named}\
             content-length: {}\r\nconnection: close\r\n\r\n",
            body.len()
        );
        let mut stream = TcpStream::connect(self.host()?).await?;
        stream.write_all(head.as_bytes()).await?;
        stream.write_all(body.as_bytes()).await?;
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).await?;
        let answer = String::from_utf8_lossy(&answer);
        answer.split(' ').nth(1).and_then(|status| status.parse().ok()).with_context(|| format!("no answer: {answer}"))
    }

    /// Delivers, one after the other, as long as `more` says so; gives how long each took, and how many were not taken. On a
    /// thread of its own: what it waits for is the host, not whoever attacks it from this process.
    async fn deliveries(&self, from: usize, more: impl Fn(usize) -> bool + Send + 'static) -> Result<(Vec<Duration>, usize)> {
        let hook = self.clone();
        let witness = move || -> Result<_> {
            Builder::new_current_thread().enable_all().build()?.block_on(async {
                let (mut took, mut lost) = (Vec::new(), 0);
                while more(took.len() + lost) {
                    let since = Instant::now();
                    match hook.say(from + took.len() + lost, "hello").await {
                        Ok(200) => took.push(since.elapsed()),
                        _ => lost += 1,
                    }
                }
                Ok((took, lost))
            })
        };
        tokio::task::spawn_blocking(witness).await.context("the witness")?
    }
}

/// Connections that are opened in a second: slow ones are an attack by their number, not by their coming. Fast enough that all are
/// held at the same time: each is for five seconds.
const OPENED_A_SECOND: usize = 2_500;

/// How many are held at this moment, and at most.
#[derive(Debug, Default)]
struct Crowd {
    now: AtomicUsize,
    most: AtomicUsize,
}

/// Opens a connection, sends the beginning of a request and then a byte now and then; tells how long it was held.
async fn slow(address: String, crowd: &Crowd) -> Result<Duration> {
    let mut stream = TcpStream::connect(address).await?;
    let now = crowd.now.fetch_add(1, Ordering::Relaxed) + 1;
    crowd.most.fetch_max(now, Ordering::Relaxed);
    let held = hold(&mut stream).await;
    crowd.now.fetch_sub(1, Ordering::Relaxed);
    held
}

async fn hold(stream: &mut TcpStream) -> Result<Duration> {
    let since = Instant::now();
    stream.write_all(b"POST /hooks/1 HTTP/1.1\r\nhost: hooks\r\nx-slow: ").await?;
    let (mut from, mut to) = stream.split();
    let dripping = async {
        while to.write_all(b"a").await.is_ok() {
            tokio::time::sleep(Duration::from_millis(500)).await;
        }
        std::future::pending::<()>().await;
    };
    let cut = async {
        // A reset is an end too.
        let _ = from.read_to_end(&mut Vec::new()).await;
    };
    tokio::select! {
        () = cut => Ok(since.elapsed()),
        () = dripping => Ok(since.elapsed()),
        () = tokio::time::sleep(Duration::from_secs(60)) => anyhow::bail!("a connection was held for 60 s"),
    }
}

/// The strangers' thread. They come from elsewhere: what it costs to be them is not the host's, so they have the time that it leaves.
pub(super) fn strangers() -> Result<Runtime> {
    let stand_back = || {
        let idle = ThreadSchedulePolicy::Normal(NormalThreadSchedulePolicy::Idle);
        // Where it cannot be had they compete.
        let _ = set_thread_priority_and_policy(thread_native_id(), ThreadPriority::Min, idle);
    };
    Ok(Builder::new_multi_thread().worker_threads(1).thread_name("strangers").on_thread_start(stand_back).enable_all().build()?)
}

/// What was seen.
#[derive(Debug)]
pub struct Found {
    /// Connections that were held open, and how many at the same moment.
    pub count: usize,
    /// At the same moment.
    pub at_once: usize,
    /// Those that could not be opened, or were not cut.
    pub failed: usize,
    /// For how long the last one was held.
    pub longest: Duration,
    /// Webhooks that were not taken.
    pub lost: usize,
    /// Whether the books balance in the end.
    pub balanced: bool,
    /// Webhooks delivered beside the slow connections.
    pub said: usize,
    /// The 99th percentile of deliveries alone, before and after the slow connections, and beside them.
    pub alone: Duration,
    /// Beside.
    pub beside: Duration,
}

impl fmt::Display for Found {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { count, at_once, failed, longest, lost, balanced, said, alone, beside } = self;
        let books = if *balanced { "balance" } else { "do not balance" };
        write!(
            f,
            "{count} held open, {at_once} at once, longest {longest:.1?}, {failed} not opened or not cut; webhooks: {said} \
             beside, {lost} not taken, p99 {alone:.1?} alone, {beside:.1?} beside; books {books}"
        )
    }
}

/// T11 at the size of the setting.
pub async fn prove(setting: &Setting) -> Proved {
    let found = measure(setting).await?;
    let in_time = found.longest <= Duration::from_secs(10) && found.beside <= found.alone * 3 / 2;
    let crowded = found.at_once * 10 >= found.count * 9;
    Ok((found.to_string(), crowded && found.failed + found.lost == 0 && found.balanced && in_time))
}

/// Holds connections open and delivers beside them.
pub async fn measure(setting: &Setting) -> Result<Found> {
    std::fs::create_dir_all(&setting.folder)?;
    let folder = tempfile::tempdir_in(&setting.folder)?;
    let provider = Provider::start(folder.path(), WhatsappConfig::default())?;
    let site = Site::make(setting, &folder.path().join("site"), &provider, &[NOTED], Duration::from_secs(2)).await?;
    let host = site.start(0).await?;
    let hook = Hook::of(host.hook.clone(), provider.account.config().phone_number_id.clone());
    // About as many alone as come beside the slow connections, so that the one percentile is as steady as the other.
    let (count, few) = (setting.scaled(10_000, 60), setting.scaled(6_000, 50));
    // What is used for the first time is made ready.
    hook.deliveries(0, move |n| n < few / 4).await?;
    // Half of it before the slow connections and half of it after: a machine may change its pace meanwhile.
    let (mut alone, lost) = hook.deliveries(few, move |n| n < few / 2).await?;
    let address = hook.host()?.to_owned();
    let (held, crowd, strangers) = (Arc::new(AtomicUsize::new(count)), Arc::new(Crowd::default()), strangers()?);
    let all: Vec<_> = (0..count)
        .map(|n| {
            let (address, held, crowd) = (address.clone(), Arc::clone(&held), Arc::clone(&crowd));
            let after = Duration::from_secs_f64(n as f64 / OPENED_A_SECOND as f64);
            strangers.spawn(async move {
                tokio::time::sleep(after).await;
                let ended = slow(address, &crowd).await;
                held.fetch_sub(1, Ordering::Relaxed);
                ended
            })
        })
        .collect();
    // As long as anybody is slow.
    let (beside, refused) = hook.deliveries(3 * few, move |_| held.load(Ordering::Relaxed) > 0).await?;
    let (mut longest, mut failed) = (Duration::ZERO, 0);
    for one in all {
        match one.await? {
            Ok(held) => longest = longest.max(held),
            Err(_) => failed += 1,
        }
    }
    strangers.shutdown_background();
    let (after, lost_after) = hook.deliveries(2 * few, move |n| n < few / 2).await?;
    alone.extend(after);
    let lost = lost + refused + lost_after;
    host.stop().await?;
    let (_, balanced) = site.books().await?;
    let (said, alone, beside) = (beside.len(), percentile(alone), percentile(beside));
    let at_once = crowd.most.load(Ordering::Relaxed);
    Ok(Found { count, at_once, failed, longest, lost, balanced, said, alone, beside })
}
