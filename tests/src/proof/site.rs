//! A site made by the command line, and its hosts: the real binary, one process tree each, on one database.

use std::path::{Path, PathBuf};
use std::process::{Output, Stdio};
use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};
use serde_json::Value;
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::{Child, Command};

use super::provider::{APP_SECRET, Provider, TOKEN};
use super::{Kind, Setting};

/// A workflow: its folder's name, the YAML, and the scripts beside it.
pub type Flow = (&'static str, &'static str, &'static [(&'static str, &'static str)]);

/// How long a host may take to say where it listens.
const START: Duration = Duration::from_secs(60);

/// For how long hosts that share a database hold their conversations without a sign of life: the shortest time there is.
pub const LEASE: Duration = Duration::from_secs(3);

/// A site. Its files lie below `dir`.
#[derive(Debug)]
pub struct Site {
    /// Its folder.
    pub dir: PathBuf,
    /// The channel's id.
    pub channel: String,
    setting: Setting,
    environment: Vec<(String, String)>,
}

/// A host that runs.
#[derive(Debug)]
pub struct Host {
    child: Child,
    /// Where webhooks go: `http://127.0.0.1:PORT/hooks/ID`.
    pub hook: String,
    /// The private port: `127.0.0.1:PORT`.
    pub private: String,
}

impl Site {
    /// Makes a site with these workflows, connected to the provider. `settle_after`: how long its hosts wait for news of a send
    /// whose answer never came.
    pub async fn make(
        setting: &Setting,
        dir: &Path,
        provider: &Provider,
        flows: &[Flow],
        settle_after: Duration,
    ) -> Result<Self> {
        if setting.hosts > 1 && setting.store == Kind::Sqlite {
            bail!("several hosts need a database that they can share: --store postgres://...");
        }
        std::fs::create_dir_all(dir)?;
        let mut environment = vec![
            ("HTTP__PUBLIC", "127.0.0.1:0".to_owned()),
            ("HTTP__PRIVATE", "127.0.0.1:0".to_owned()),
            ("EGRESS__ALLOW_PRIVATE", format!("[{:?}]", provider.account.address())),
            ("EGRESS__TIMEOUT", "2000".to_owned()),
            ("SANDBOX__CACHE", setting.cache.to_string_lossy().into_owned()),
            ("SETTLE_AFTER", settle_after.as_millis().to_string()),
            ("SECRET_ACCESS_TOKEN", TOKEN.to_owned()),
            ("SECRET_APP_SECRET", APP_SECRET.to_owned()),
            ("SECRET_VERIFY_TOKEN", "verify-token-of-the-proof".to_owned()),
        ];
        if let Kind::Postgres(server) = &setting.store {
            environment.push(("STORE__URL", database(server, "data").await?));
            environment.push(("KEYS__STORE", database(server, "keys").await?));
            environment.push(("STORE__LEASE_MS", LEASE.as_millis().to_string()));
        }
        let environment = environment.into_iter().map(|(name, value)| (format!("POINTSMAN_{name}"), value)).collect();
        let mut site = Self { dir: dir.to_owned(), channel: String::new(), setting: setting.clone(), environment };
        site.done(&["init"]).await?;
        let (api, account) = (format!("api_url={}", provider.account.url()), provider.account.config());
        let waba = format!("waba_id={}", account.waba_id);
        let number = account.phone_number_id.as_str();
        let added =
            site.done(&["channel", "add", "whatsapp", "--offline", "--account", number, "--set", &api, "--set", &waba]).await?;
        site.channel = added.get("id").and_then(Value::as_str).context("a channel has an id")?.to_owned();
        for (name, yaml, scripts) in flows {
            let folder = site.dir.join("workflows").join(name);
            std::fs::create_dir_all(&folder)?;
            std::fs::write(folder.join("workflow.yaml"), yaml)?;
            for (script, text) in *scripts {
                std::fs::write(folder.join(script), text)?;
            }
        }
        if !flows.is_empty() {
            let published = site.publish(&[]).await?;
            ensure!(published.status.success(), "publish: {}", String::from_utf8_lossy(&published.stdout));
        }
        // A second host has a folder of its own: the same configuration and master key, its own notes.
        for number in 1..setting.hosts {
            let folder = site.folder(number);
            std::fs::create_dir_all(folder.join("data"))?;
            for file in ["pointsman.toml", "data/master.key"] {
                std::fs::copy(site.dir.join(file), folder.join(file)).with_context(|| format!("cannot copy {file}"))?;
            }
        }
        Ok(site)
    }

    fn folder(&self, host: usize) -> PathBuf {
        if host == 0 { self.dir.clone() } else { self.dir.join(format!("host-{host}")) }
    }

    /// The address of the database, by the name of its setting.
    pub fn address(&self, setting: &str) -> Result<&str> {
        let found = self.environment.iter().find(|(name, _)| name == setting);
        found.map(|(_, value)| value.as_str()).with_context(|| format!("{setting} is not set"))
    }

    /// Where a host writes its log.
    #[must_use]
    pub fn log(&self, host: usize) -> PathBuf {
        self.dir.join(format!("host-{host}.log"))
    }

    /// A command of a host, not yet run.
    pub fn command(&self, host: usize, args: &[&str], extra: &[(&str, &str)]) -> Command {
        let mut command = Command::new(&self.setting.binary);
        command.arg("--dir").arg(self.folder(host)).arg("--json").args(args);
        command.envs(self.environment.iter().map(|(name, value)| (name, value))).envs(extra.iter().copied());
        command.stdin(Stdio::null()).kill_on_drop(true);
        command
    }

    /// The configuration as the first host reads it.
    pub fn config(&self) -> Result<pointsman::config::Config> {
        let file = std::fs::read_to_string(self.dir.join("pointsman.toml"))?;
        pointsman::config::Config::layered(&self.dir, &file, self.environment.iter().cloned())
    }

    /// Runs a verb of the command line, however it ends.
    pub async fn cli(&self, args: &[&str], extra: &[(&str, &str)]) -> Result<Output> {
        Ok(self.command(0, args, extra).output().await?)
    }

    /// Runs a verb that must succeed; gives its JSON.
    pub async fn done(&self, args: &[&str]) -> Result<Value> {
        let output = self.cli(args, &[]).await?;
        let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        if !output.status.success() {
            bail!("pointsman {args:?}: {}\n{out}\n{err}", output.status);
        }
        serde_json::from_str(out.trim()).with_context(|| format!("pointsman {args:?} answers no JSON: {out}"))
    }

    /// Makes a new version of each workflow, so that there is something to publish.
    pub fn edit_flows(&self) -> Result<()> {
        for folder in std::fs::read_dir(self.dir.join("workflows"))? {
            let path = folder?.path().join("workflow.yaml");
            let text = std::fs::read_to_string(&path)?;
            std::fs::write(&path, text + "# Another version.\n")?;
        }
        Ok(())
    }

    /// Publishes the site's workflows.
    pub async fn publish(&self, extra: &[(&str, &str)]) -> Result<Output> {
        self.cli(&["publish", &self.dir.join("workflows").to_string_lossy()], extra).await
    }

    /// The books, and whether they balance.
    pub async fn books(&self) -> Result<(Value, bool)> {
        let output = self.cli(&["books", "--strict"], &[]).await?;
        let out = String::from_utf8_lossy(&output.stdout);
        Ok((serde_json::from_str(out.trim()).with_context(|| format!("no books: {out}"))?, output.status.success()))
    }

    /// Starts a host; `None` when it dies before it says where it listens, as it may at a named point.
    pub async fn try_start(&self, host: usize, extra: &[(&str, &str)]) -> Result<Option<Host>> {
        let log = std::fs::OpenOptions::new().create(true).append(true).open(self.log(host))?;
        let mut command = self.command(host, &["serve"], extra);
        let mut child = command.stdout(Stdio::piped()).stderr(log).spawn().context("the binary does not start")?;
        let mut lines = BufReader::new(child.stdout.take().context("its output")?).lines();
        let line = tokio::time::timeout(START, lines.next_line()).await.context("the host does not say where it listens")??;
        let Some(line) = line else {
            child.wait().await?;
            return Ok(None);
        };
        let told: Value = serde_json::from_str(&line).with_context(|| format!("the host says {line}"))?;
        let word = |name: &str| told.get(name).and_then(Value::as_str).map(str::to_owned).context("an address");
        Ok(Some(Host { child, hook: format!("http://{}/hooks/{}", word("public")?, self.channel), private: word("private")? }))
    }

    /// Starts a host.
    pub async fn start(&self, host: usize) -> Result<Host> {
        let log = self.log(host);
        self.try_start(host, &[]).await?.with_context(|| format!("host {host} did not start: see {}", log.display()))
    }
}

impl Host {
    /// Sends a signal to its whole process tree in one call.
    pub async fn signal(&self, signal: &str) -> Result<()> {
        let Some(root) = self.child.id() else { return Ok(()) };
        let tree = tree(root).into_iter().map(|pid| pid.to_string());
        // One that ended by itself meanwhile is no failure.
        Command::new("kill").arg(signal).args(tree).stderr(Stdio::null()).status().await?;
        Ok(())
    }

    /// SIGKILL, and wait until it is gone.
    pub async fn kill(mut self) -> Result<()> {
        self.signal("-KILL").await?;
        self.child.wait().await?;
        Ok(())
    }

    /// Processor time that its process tree has used so far, in seconds.
    #[must_use]
    pub fn cpu(&self) -> f64 {
        /// The kernel counts in hundredths of a second, on every machine that Linux runs on today.
        const TICKS: f64 = 100.0;
        let used = |pid: u32| -> Option<u64> {
            let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
            // After the name, which may hold anything: user and system time are the 12th and 13th.
            let mut fields = stat.rsplit_once(')')?.1.split_whitespace().skip(11);
            Some(fields.next()?.parse::<u64>().ok()? + fields.next()?.parse::<u64>().ok()?)
        };
        let ticks: u64 = self.child.id().map(tree).unwrap_or_default().into_iter().filter_map(used).sum();
        ticks as f64 / TICKS
    }

    /// Bytes of memory that its process tree really has.
    #[must_use]
    pub fn memory(&self) -> u64 {
        self.child.id().map(tree).unwrap_or_default().into_iter().filter_map(|pid| super::resident(&pid.to_string())).sum()
    }

    /// Whether it still runs.
    pub fn runs(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }

    /// SIGTERM, and wait for a clean end.
    pub async fn stop(mut self) -> Result<()> {
        let pid = self.child.id().context("the host has ended already")?.to_string();
        Command::new("kill").args(["-TERM", &pid]).status().await?;
        let status = self.child.wait().await?;
        if !status.success() {
            bail!("the host did not end cleanly: {status}");
        }
        Ok(())
    }
}

/// A process and all below it.
fn tree(root: u32) -> Vec<u32> {
    let mut found = vec![root];
    let mut next = 0;
    while let Some(pid) = found.get(next).copied() {
        next += 1;
        let Ok(threads) = std::fs::read_dir(format!("/proc/{pid}/task")) else { continue };
        for thread in threads.flatten() {
            let children = std::fs::read_to_string(thread.path().join("children")).unwrap_or_default();
            found.extend(children.split_whitespace().filter_map(|pid| pid.parse::<u32>().ok()));
        }
    }
    found
}

/// Makes an empty database on a server; gives its address.
async fn database(server: &str, what: &str) -> Result<String> {
    let name = format!("proof_{what}_{}_{}", std::process::id(), NUMBER.fetch_add(1, std::sync::atomic::Ordering::Relaxed));
    let made = Command::new("psql").args([server, "-q", "-c", &format!("create database {name}")]).output().await;
    let made = made.context("psql is needed to make databases")?;
    if !made.status.success() {
        bail!("no database on {server}: {}", String::from_utf8_lossy(&made.stderr).trim());
    }
    let (before, options) = server.split_once('?').map_or((server, String::new()), |(before, rest)| (before, format!("?{rest}")));
    let (host, _) = before.rsplit_once('/').with_context(|| format!("{server} names no database"))?;
    Ok(format!("{host}/{name}{options}"))
}

static NUMBER: std::sync::atomic::AtomicU32 = std::sync::atomic::AtomicU32::new(0);
