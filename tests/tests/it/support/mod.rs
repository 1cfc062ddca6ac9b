//! A site as an operator would have one: made by the command line, spoken to over sockets, with an emulated provider as the
//! independent witness. A host runs either as the real binary (so that it can be killed) or inside the test (so that its
//! clock can be moved).

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use pointsman::config::Config;
use pointsman::house::EngineHouse;
use pointsman_core::clock::{Clock, SystemClock};
use pointsman_emulator::{Whatsapp, WhatsappConfig};
use pointsman_engine::points::Points;
use pointsman_engine::{Engine, Parts};
use pointsman_store::Store;
use serde_json::Value;
use tempfile::TempDir;

pub mod e5;
pub mod models;
pub mod papers;
pub mod parcels;
pub mod stores;
pub mod sweep;
pub mod web;

pub const APP_SECRET: &str = "app-secret-for-tests";
pub const TOKEN: &str = "EAAtest-token-7f3a9c51d2e84b60";
pub const VERIFY_TOKEN: &str = "verify-token-for-tests";
pub const MODEL_KEY: &str = "sk-test-model-key-0f4b8e6a2c9d7351";
pub const ANA: &str = "15550100001";

/// A workflow's folder: its name, the YAML, and the scripts beside it.
pub type Folder<'a> = (&'a str, &'a str, &'a [(&'a str, &'a str)]);

/// A folder with a host in it, and a provider beside it.
pub struct Site {
    pub dir: TempDir,
    pub emulator: Whatsapp,
    pub channel: String,
    /// Further addresses that the host may speak to: `host:port`.
    pub allowed: Vec<String>,
    /// Its databases, where they are Postgres.
    databases: Option<stores::Databases>,
}

/// The binary under test.
pub fn binary() -> PathBuf {
    let mut path = std::env::current_exe().expect("a path of our own");
    path.pop();
    if path.ends_with("deps") {
        path.pop();
    }
    let binary = path.join("pointsman");
    assert!(binary.exists(), "{} is missing: build the whole workspace (cargo xtask test does)", binary.display());
    binary
}

/// Compiled plugins are shared by all tests: they are named by content.
pub fn cache() -> PathBuf {
    let mut path = binary();
    path.pop();
    path.join("test-cache")
}

impl Site {
    /// A site with the workflows of the shop, and an account on a fresh emulator.
    pub async fn new(workflows: &[Folder<'_>]) -> Self {
        Self::with(workflows, WhatsappConfig::default()).await
    }

    /// A site with an emulator that has its own ways.
    pub async fn with(workflows: &[Folder<'_>], emulator: WhatsappConfig) -> Self {
        let config = WhatsappConfig { app_secret: APP_SECRET.into(), token: TOKEN.into(), ..emulator };
        let emulator = Whatsapp::start(config).await.expect("an emulator");
        let dir = tempfile::tempdir().expect("a folder");
        let databases = stores::databases().await;
        let mut site = Self { dir, emulator, channel: String::new(), allowed: Vec::new(), databases };
        site.init();
        let api = format!("api_url={}", site.emulator.url());
        let account = site.emulator.config().phone_number_id.clone();
        let waba = format!("waba_id={}", site.emulator.config().waba_id);
        let added = site.done(&["channel", "add", "whatsapp", "--offline", "--account", &account, "--set", &api, "--set", &waba]);
        site.channel = added["id"].as_str().expect("an id").to_owned();
        for (name, yaml, scripts) in workflows {
            site.write_workflow(name, yaml, scripts);
        }
        if !workflows.is_empty() {
            site.done(&["publish", &site.workflows().to_string_lossy()]);
        }
        site
    }

    pub fn workflows(&self) -> PathBuf {
        self.dir.path().join("workflows")
    }

    pub fn write_workflow(&self, name: &str, yaml: &str, scripts: &[(&str, &str)]) {
        let folder = self.workflows().join(name);
        std::fs::create_dir_all(&folder).expect("a folder");
        std::fs::write(folder.join("workflow.yaml"), yaml).expect("a file");
        for (script, text) in scripts {
            std::fs::write(folder.join(script), text).expect("a file");
        }
    }

    fn environment(&self) -> Vec<(String, String)> {
        let allowed: Vec<&str> =
            std::iter::once(self.emulator.address()).chain(self.allowed.iter().map(String::as_str)).collect();
        let variables = [
            ("POINTSMAN_HTTP__PUBLIC", "127.0.0.1:0".to_owned()),
            ("POINTSMAN_HTTP__PRIVATE", "127.0.0.1:0".to_owned()),
            ("POINTSMAN_EGRESS__ALLOW_PRIVATE", format!("{allowed:?}")),
            ("POINTSMAN_EGRESS__TIMEOUT", "2000".to_owned()),
            ("POINTSMAN_SANDBOX__CACHE", cache().to_string_lossy().into_owned()),
            ("POINTSMAN_SANDBOX__COMPILER", binary().to_string_lossy().into_owned()),
            // Beside the site: a model is large, and the same for all.
            ("POINTSMAN_MODELS__FOLDER", cache().with_file_name("test-models").to_string_lossy().into_owned()),
            ("POINTSMAN_MODELS__PROGRAM", binary().to_string_lossy().into_owned()),
            ("POINTSMAN_TELEMETRY__LOG", "trace".to_owned()),
            ("POINTSMAN_SECRET_ACCESS_TOKEN", TOKEN.to_owned()),
            ("POINTSMAN_SECRET_APP_SECRET", APP_SECRET.to_owned()),
            ("POINTSMAN_SECRET_VERIFY_TOKEN", VERIFY_TOKEN.to_owned()),
        ];
        variables.into_iter().map(|(k, v)| (k.to_owned(), v)).collect()
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(binary());
        command.arg("--dir").arg(self.dir.path()).arg("--json").args(args).envs(self.environment());
        command.stdin(Stdio::null());
        command
    }

    /// Runs a verb of the command line.
    pub fn cli(&self, args: &[&str]) -> Output {
        self.cli_with(args, &[])
    }

    /// Runs a verb of the command line with further variables.
    pub fn cli_with(&self, args: &[&str], variables: &[(&str, &str)]) -> Output {
        let output = self.command(args).envs(variables.iter().copied()).output().expect("the binary runs");
        let answer = vec![("its answer".to_owned(), output.stdout.clone()), ("its errors".to_owned(), output.stderr.clone())];
        for secret in sweep::SECRETS {
            assert_eq!(sweep::hits(&answer, secret), Vec::<String>::new(), "pointsman {args:?}");
        }
        output
    }

    /// Runs a verb that must succeed; gives its JSON.
    pub fn done(&self, args: &[&str]) -> Value {
        let output = self.cli(args);
        let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        assert!(output.status.success(), "pointsman {args:?}: {}\n{out}\n{err}", output.status);
        serde_json::from_str(out.trim()).unwrap_or_else(|e| panic!("pointsman {args:?} answers no JSON ({e}): {out}"))
    }

    /// The books, which must balance.
    pub fn books(&self) -> Value {
        self.done(&["books", "--strict"])
    }

    /// Where the log of the binary goes.
    pub fn log(&self) -> PathBuf {
        self.dir.path().join("log.txt")
    }

    /// Starts the real binary.
    pub fn serve(&self, extra: &[(&str, &str)]) -> Process {
        let log = std::fs::OpenOptions::new().create(true).append(true).open(self.log()).expect("a log");
        let mut command = self.command(&["serve"]);
        command.envs(extra.iter().copied()).stdout(Stdio::piped()).stderr(log);
        let mut child = command.spawn().expect("the binary starts");
        let mut line = String::new();
        let out = child.stdout.as_mut().expect("its output");
        std::io::BufRead::read_line(&mut std::io::BufReader::new(out), &mut line).expect("a line");
        let told: Value = serde_json::from_str(&line)
            .unwrap_or_else(|_| panic!("the host did not start: {}", std::fs::read_to_string(self.log()).unwrap_or_default()));
        let public = told["public"].as_str().expect("an address").to_owned();
        let private = told["private"].as_str().expect("an address").to_owned();
        self.emulator.set_hook(format!("http://{public}/hooks/{}", self.channel));
        Process { child, public, private }
    }

    /// How many secrets the store still holds.
    pub async fn secrets_left(&self) -> usize {
        let store = pointsman::wiring::open_store(&self.config()).await.expect("the store");
        let channels = store.channels(pointsman::wiring::FIRST_WORKSPACE).await.expect("channels");
        store.close().await.expect("a clean end");
        channels.iter().map(|c| c.credentials.len()).sum()
    }

    /// The configuration as the host reads it.
    pub fn config(&self) -> Config {
        let file = std::fs::read_to_string(self.dir.path().join("pointsman.toml")).unwrap_or_default();
        Config::layered(self.dir.path(), &file, self.environment()).expect("a configuration")
    }

    /// Runs a host inside the test, with the system's clock.
    pub async fn host(&self) -> InTest {
        self.host_at(Arc::new(SystemClock)).await
    }

    /// Runs a host inside the test, with a clock that the test holds.
    pub async fn host_at(&self, clock: Arc<dyn Clock>) -> InTest {
        self.host_with(clock, |parts| parts).await
    }

    /// Runs a host inside the test, with a part of it exchanged.
    pub async fn host_with(&self, clock: Arc<dyn Clock>, change: impl FnOnce(Parts) -> Parts) -> InTest {
        let config = self.config();
        let parts = pointsman::wiring::parts(&config, clock, Points::default()).await.expect("parts");
        let engine = pointsman::wiring::assemble(change(parts)).await.expect("an engine");
        engine.start().await.expect("a start");
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let public = listener.local_addr().expect("an address").to_string();
        let (close, closing) = tokio::sync::watch::channel(false);
        let granted = config.public();
        let house = Arc::new(EngineHouse::new(engine.clone(), config.http, config.models.caps()));
        let server = tokio::spawn(pointsman_web::serve_public(listener, house, closing, granted));
        self.emulator.set_hook(format!("http://{public}/hooks/{}", self.channel));
        InTest { engine, public, close, server }
    }

    /// Waits until the emulator has taken `count` messages.
    pub async fn taken(&self, count: usize) -> Vec<pointsman_emulator::Sent> {
        eventually(&format!("{count} messages taken"), || {
            let taken = self.emulator.taken();
            (taken.len() >= count).then_some(taken)
        })
        .await
    }

    /// Every file below the site's folder, with its bytes.
    pub fn files(&self) -> Vec<(PathBuf, Vec<u8>)> {
        fn walk(dir: &Path, found: &mut Vec<(PathBuf, Vec<u8>)>) {
            for entry in std::fs::read_dir(dir).expect("a folder") {
                let path = entry.expect("an entry").path();
                if path.is_dir() {
                    walk(&path, found);
                } else {
                    found.push((path.clone(), std::fs::read(&path).unwrap_or_default()));
                }
            }
        }
        let mut found = Vec::new();
        walk(self.dir.path(), &mut found);
        found
    }
}

/// Asks until there is an answer, for at most 20 s.
pub async fn eventually<T>(what: &str, mut ask: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + Duration::from_secs(20);
    loop {
        if let Some(answer) = ask() {
            return answer;
        }
        assert!(Instant::now() < deadline, "waited 20 s for: {what}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// The real binary, running.
pub struct Process {
    child: Child,
    pub public: String,
    pub private: String,
}

impl Process {
    /// Where webhooks of a channel go.
    pub fn hook(&self, channel: &str) -> String {
        format!("http://{}/hooks/{channel}", self.public)
    }

    /// Its process id.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// SIGKILL, and wait until it is gone.
    pub fn kill(mut self) {
        self.child.kill().expect("a kill");
        self.child.wait().expect("an end");
    }

    /// Waits until it ended by itself.
    pub async fn ended(&mut self) -> std::process::ExitStatus {
        eventually("the host ends", || self.child.try_wait().expect("a status")).await
    }

    /// Waits until it ended by itself; the signal that ended it.
    pub async fn died(&mut self) -> Option<i32> {
        use std::os::unix::process::ExitStatusExt;
        self.ended().await.signal()
    }

    /// SIGTERM, and wait for a clean end.
    pub fn stop(mut self) {
        let pid = self.child.id().to_string();
        assert!(Command::new("kill").args(["-TERM", &pid]).status().expect("kill").success());
        let status = self.child.wait().expect("an end");
        assert!(status.success(), "the host did not end cleanly: {status}");
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // Of a test that failed: nothing of ours stays behind.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A host inside the test.
pub struct InTest {
    pub engine: Engine,
    pub public: String,
    close: tokio::sync::watch::Sender<bool>,
    server: tokio::task::JoinHandle<std::io::Result<()>>,
}

impl InTest {
    pub fn store(&self) -> &Store {
        self.engine.store()
    }

    /// Waits until nothing is under way.
    pub async fn idle(&self) {
        let deadline = Instant::now() + Duration::from_secs(20);
        loop {
            // Where hosts share a database, an event that was kept is in nobody's hands for a moment.
            let books = self.store().books(pointsman::wiring::FIRST_WORKSPACE).await.expect("the books");
            let kept = self.store().shared() && books.events.get("new").is_some_and(|count| *count > 0);
            if !kept && self.engine.under_way() == (0, 0) {
                return;
            }
            assert!(Instant::now() < deadline, "waited 20 s for: nothing under way");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    /// Ends it in good order.
    pub async fn stop(self) {
        let _ = self.close.send(true);
        let _ = self.server.await;
        self.engine.drain(Duration::from_secs(5)).await;
        self.engine.store().close().await.expect("a clean end");
    }
}

/// A plain HTTP request over a socket of its own: status, head and body.
pub async fn http(address: &str, request: &str) -> (u16, String, String) {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let mut stream = tokio::net::TcpStream::connect(address).await.expect("a connection");
    // A server may answer and close before it has read everything.
    let _ = stream.write_all(request.as_bytes()).await;
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer).await;
    let answer = String::from_utf8_lossy(&answer).into_owned();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or((&answer, ""));
    let status = head.split(' ').nth(1).and_then(|s| s.parse().ok()).unwrap_or(0);
    (status, head.to_owned(), body.to_owned())
}

/// GET, closing the connection.
pub async fn get(address: &str, path: &str) -> (u16, String) {
    let (status, _, body) = http(address, &format!("GET {path} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n\r\n")).await;
    let answer = vec![(path.to_owned(), body.clone().into_bytes())];
    for secret in sweep::SECRETS {
        assert_eq!(sweep::hits(&answer, secret), Vec::<String>::new());
    }
    (status, body)
}

/// The first whole signature of Meta's form.
pub fn sign(body: &[u8]) -> String {
    use hmac::{Hmac, KeyInit, Mac};
    let mut mac = Hmac::<sha2::Sha256>::new_from_slice(APP_SECRET.as_bytes()).expect("any key");
    mac.update(body);
    format!("sha256={}", hex::encode(mac.finalize().into_bytes()))
}
