//! T6: a host with many accounts, each with a token of its own, whose provider does its worst: it echoes the request in every way
//! that it can think of, refuses, breaks, hangs, leads elsewhere, hangs up; and a step with a secret of its own that panics with what it
//! got for it. Then the host is killed, and everything that it left or told is swept. All tokens begin alike, with what nothing else has: a part of one is as good a find as a whole.

use std::io::Write as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use flate2::Compression;
use flate2::write::GzEncoder;
use memchr::memmem;
use pointsman_emulator::WhatsappConfig;
use pointsman_package::Package;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::Instant;

use super::forms::{forms, inflated};
use super::slow::Hook;
use super::{Proved, rig};
use crate::proof::Setting;
use crate::proof::provider::Provider;
use crate::proof::site::{Host, Site};

/// What every token begins with. Long enough that each of its forms is found by itself.
const BEGINNING: &str = "EAAq9ZtWk4Xv7Lm2Pd8s";

/// A workflow that answers. Its step asks the provider with a secret of its own, and panics with what it got.
const ECHO: &str = "name: echo\non: message\nsteps:\n  - reply: \"You said: ${event.text}\"\n  - if: event.text != \"hello\"\n    use: acme/desk\n    \
     with: { do: confess, requests: \"${event.text}\" }\n    retry: 0\n";

/// Ways in which the provider answers, by turns.
const WAYS: usize = 8;

/// T6 at the size of the setting.
pub async fn prove(setting: &Setting) -> Proved {
    std::fs::create_dir_all(&setting.folder)?;
    let folder = tempfile::tempdir_in(&setting.folder)?;
    let provider = Provider::start(folder.path(), WhatsappConfig::default())?;
    let site = Site::make(setting, &folder.path().join("site"), &provider, &[], Duration::from_secs(2)).await?;
    let worst = Worst::start().await?;
    let count = setting.scaled(1_000, 2 * WAYS);
    let allowed = format!("[{:?}, {:?}, {:?}]", provider.account.address(), worst.address, worst.named());
    let mut hooks = Vec::with_capacity(count);
    for n in 0..count {
        let token = format!("{BEGINNING}{:024x}", u128::from(n as u64 + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15_F39C));
        let extra = [("POINTSMAN_SECRET_ACCESS_TOKEN", token.as_str()), ("POINTSMAN_EGRESS__ALLOW_PRIVATE", allowed.as_str())];
        let (account, api) = (format!("77{n:08}"), format!("api_url=http://{}", worst.address));
        let args = ["channel", "add", "whatsapp", "--offline", "--account", &account, "--set", &api, "--set", "waba_id=1"];
        let output = site.cli(&args, &extra).await?;
        ensure!(output.status.success(), "channel add: {}", String::from_utf8_lossy(&output.stdout));
        ensure!(!holds(&output.stdout) && !holds(&output.stderr), "the command line shows a token");
        let added: Value = serde_json::from_slice(&output.stdout)?;
        hooks.push((added.get("id").and_then(Value::as_str).context("an id")?.to_owned(), account));
    }
    install(&site, folder.path(), &worst, &allowed).await?;
    let extra = [("POINTSMAN_EGRESS__ALLOW_PRIVATE", allowed.as_str()), ("POINTSMAN_TELEMETRY__LOG", "trace")];
    let host = site.try_start(0, &extra).await?.context("the host did not start")?;
    let (public, _) = host.hook.split_once("/hooks/").context("a hook")?;
    for (n, (channel, account)) in hooks.iter().enumerate() {
        let hook = Hook::of(format!("{public}/hooks/{channel}"), account.clone());
        ensure!(hook.say(n, "hello").await? == 200, "a webhook was not taken");
    }
    worst.was_asked(count).await?;
    // Once for each way in which the provider answers, the hanging one among them.
    let (channel, account) = hooks.first().context("a channel")?;
    let hook = Hook::of(format!("{public}/hooks/{channel}"), account.clone());
    let before = worst.asked.load(Ordering::SeqCst);
    let confession = json!([{ "url": format!("http://{}/", worst.named()), "slot": "token", "place": "bearer" }]).to_string();
    for n in 0..2 * WAYS {
        ensure!(hook.say(count + n, &confession).await? == 200, "a webhook was not taken");
    }
    // What each says is echoed, too.
    worst.was_asked(before + 4 * WAYS).await?;
    // Until the slowest answers have timed out, and what failed was tried again or parked.
    tokio::time::sleep(Duration::from_secs(4)).await;
    let mut places = told(&site, &host).await?;
    host.kill().await?;
    places.extend(files(&site.dir)?);
    let bytes: usize = places.iter().map(|(_, bytes)| bytes.len()).sum();
    let list = places.iter().find(|(name, _)| name == "park list").context("what is parked")?;
    let panicked = memmem::find_iter(&list.1, b"plugin.trap").count();
    ensure!(panicked >= WAYS, "the step panicked {panicked} times: {}", String::from_utf8_lossy(&list.1));
    let hits: Vec<&str> = places.iter().filter(|(_, bytes)| holds(bytes)).map(|(name, _)| name.as_str()).collect();
    // The sweep can find something: the provider saw the tokens.
    ensure!(worst.tokens.load(Ordering::SeqCst) >= count, "the tokens were not in the requests");
    let trace = places.iter().any(|(name, bytes)| name.ends_with(".log") && memmem::find(bytes, b"TRACE").is_some());
    ensure!(trace, "nothing was written at TRACE");
    let seen = format!("{count} tokens, {WAYS} ways, {} places, {} MiB: found in {hits:?}", places.len(), bytes >> 20);
    Ok((seen, hits.is_empty()))
}

/// Hands the step in that panics, with a secret of its own, and the workflow.
async fn install(site: &Site, folder: &std::path::Path, worst: &Worst, allowed: &str) -> Result<()> {
    let asks = format!(
        "http = [{{ host = {:?}, methods = [\"GET\"], paths = [\"/\"], credential = \"token\", why = \"asks\" }}]",
        worst.named()
    );
    let file = folder.join("desk.plugin");
    std::fs::write(&file, Package::write(&rig::manifest_text("acme/desk", &asks), &rig::guest("hostile")?, None)?)?;
    let secret = format!("{BEGINNING}{:024x}", 0xDE5C_u64);
    let extra = [("POINTSMAN_SECRET_TOKEN", secret.as_str()), ("POINTSMAN_EGRESS__ALLOW_PRIVATE", allowed)];
    let file = file.to_string_lossy();
    for args in [&["plugin", "add", &file, "--unsigned", "--grant", "all"][..], &["plugin", "secret", "acme/desk", "token"]] {
        let output = site.cli(args, &extra).await?;
        ensure!(output.status.success(), "{args:?}: {}", String::from_utf8_lossy(&output.stdout));
        ensure!(!holds(&output.stdout) && !holds(&output.stderr), "the command line shows a secret");
    }
    let flow = site.dir.join("workflows/echo");
    std::fs::create_dir_all(&flow)?;
    std::fs::write(flow.join("workflow.yaml"), ECHO)?;
    let published = site.publish(&[]).await?;
    ensure!(published.status.success(), "publish: {}", String::from_utf8_lossy(&published.stdout));
    Ok(())
}

/// Whether a token, or its beginning, stands somewhere in these bytes, also behind gzip.
fn holds(bytes: &[u8]) -> bool {
    let plain = |bytes: &[u8]| forms(BEGINNING).iter().any(|(_, form)| memmem::find(bytes, form).is_some());
    plain(bytes) || inflated(bytes).iter().any(|text| plain(text))
}

/// What the host tells when it is asked: its lists, and each thing that stands in them.
async fn told(site: &Site, host: &Host) -> Result<Vec<(String, Vec<u8>)>> {
    let mut places = Vec::new();
    let lists = ["metrics", "readyz", "api/v1/books", "api/v1/parked", "api/v1/channels", "api/v1/workflows", "api/v1/spend"];
    for list in lists {
        places.push(asked(host, format!("/{list}")).await?);
    }
    for (list, part) in [("runs", ""), ("conversations", "/messages")] {
        let (path, answer) = asked(host, format!("/api/v1/{list}?limit={LISTED}")).await?;
        let ids = ids(&answer);
        ensure!(!ids.is_empty(), "{path} lists nothing");
        places.push((path, answer));
        for id in ids {
            places.push(asked(host, format!("/api/v1/{list}/{id}{part}")).await?);
        }
    }
    for args in [&["park", "list"][..], &["channel", "list"], &["run", "list"]] {
        let output = site.cli(args, &[]).await?;
        let parked = if args == ["park", "list"] { ids(&output.stdout) } else { Vec::new() };
        places.push((args.join(" "), [output.stdout, output.stderr].concat()));
        for id in parked.iter().take(SHOWN) {
            let output = site.cli(&["park", "show", id, "--reveal"], &[]).await?;
            ensure!(output.status.success(), "park show {id}: {}", String::from_utf8_lossy(&output.stderr));
            places.push((format!("park show {id}"), [output.stdout, output.stderr].concat()));
        }
    }
    Ok(places)
}

/// What is listed at most, and of what is parked so many are shown.
const LISTED: usize = 200;
const SHOWN: usize = 40;

/// The answer of the private side, which must be a good one.
async fn asked(host: &Host, path: String) -> Result<(String, Vec<u8>)> {
    let mut stream = TcpStream::connect(&host.private).await?;
    let request = format!("GET {path} HTTP/1.1\r\nhost: {}\r\nconnection: close\r\n\r\n", host.private);
    stream.write_all(request.as_bytes()).await?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await?;
    ensure!(answer.starts_with(b"HTTP/1.1 200"), "{path}: {}", String::from_utf8_lossy(&answer));
    Ok((path, answer))
}

/// The ids of a list in JSON, behind a head or alone.
fn ids(answer: &[u8]) -> Vec<String> {
    let body = memmem::find(answer, b"\r\n\r\n").and_then(|end| answer.get(end + 4..)).unwrap_or(answer);
    let list: Value = serde_json::from_slice(body).unwrap_or_default();
    let id = |one: &Value| one.get("id").and_then(Value::as_str).map(str::to_owned);
    list.as_array().into_iter().flatten().filter_map(id).collect()
}

/// Everything below a folder.
fn files(folder: &std::path::Path) -> Result<Vec<(String, Vec<u8>)>> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            found.extend(files(&path)?);
        } else {
            found.push((path.display().to_string(), std::fs::read(&path)?));
        }
    }
    Ok(found)
}

/// The provider.
struct Worst {
    address: String,
    /// Requests that came.
    asked: Arc<AtomicUsize>,
    /// Those with a token.
    tokens: Arc<AtomicUsize>,
}

impl Worst {
    async fn start() -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?.to_string();
        let (asked, tokens) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        let (counted, with) = (Arc::clone(&asked), Arc::clone(&tokens));
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (counted, with) = (Arc::clone(&counted), Arc::clone(&with));
                tokio::spawn(async move {
                    // A host that was killed hangs up in the middle.
                    let _ = answer(stream, &counted, &with).await;
                });
            }
        });
        Ok(Self { address, asked, tokens })
    }

    /// Its address by name: manifests know no others.
    fn named(&self) -> String {
        self.address.replace("127.0.0.1", "worst.localhost")
    }

    /// Waits until so many requests came.
    async fn was_asked(&self, count: usize) -> Result<()> {
        let deadline = Instant::now() + Duration::from_secs(60);
        while self.asked.load(Ordering::SeqCst) < count {
            ensure!(Instant::now() < deadline, "only {} of {count} requests came", self.asked.load(Ordering::SeqCst));
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        Ok(())
    }
}

/// Answers one request in the next way, and closes.
async fn answer(mut stream: TcpStream, counted: &AtomicUsize, with: &AtomicUsize) -> Result<()> {
    let mut request = vec![0; 16 << 10];
    let read = stream.read(&mut request).await?;
    request.truncate(read);
    let text = String::from_utf8_lossy(&request).into_owned();
    with.fetch_add(usize::from(text.contains(BEGINNING)), Ordering::SeqCst);
    let way = counted.fetch_add(1, Ordering::SeqCst) % WAYS;
    let taken = json!({ "messaging_product": "whatsapp", "messages": [{ "id": format!("wamid.{way}") }], "echo": text });
    let refused =
        json!({ "error": { "message": text, "type": "OAuthException", "code": 100, "error_data": { "details": text } } });
    let (status, headers, body) = match way {
        0 => ("200 OK", String::new(), taken.to_string().into_bytes()),
        1 => ("400 Bad Request", String::new(), refused.to_string().into_bytes()),
        2 => ("500 Internal Server Error", String::new(), request.clone()),
        3 => {
            tokio::time::sleep(Duration::from_secs(30)).await;
            return Ok(());
        }
        4 => {
            let target = text.lines().find_map(|line| line.strip_prefix("authorization: Bearer ")).unwrap_or_default();
            ("302 Found", format!("location: http://127.0.0.1:9/?token={target}\r\nx-echo: {target}\r\n"), Vec::new())
        }
        5 => {
            let mut file = GzEncoder::new(Vec::new(), Compression::fast());
            file.write_all(taken.to_string().as_bytes())?;
            ("200 OK", "content-encoding: gzip\r\n".to_owned(), file.finish()?)
        }
        6 => {
            let encoded = STANDARD.encode(&request);
            ("401 Unauthorized", format!("x-echo: {encoded}\r\n"), format!("{encoded} {}", hex::encode(&request)).into_bytes())
        }
        7 => return Ok(()),
        other => bail!("there is no way {other}"),
    };
    let head = format!(
        "HTTP/1.1 {status}\r\n{headers}content-type: application/json\r\ncontent-length: {}\r\nconnection: close\r\n\r\n",
        body.len()
    );
    stream.write_all(head.as_bytes()).await?;
    stream.write_all(&body).await?;
    Ok(())
}
