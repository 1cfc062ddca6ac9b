//! The host as a child process: started, watched, killed on demand, started again a second later. Its standard input is a
//! pipe from here; when this process ends, however it ends, the pipe closes and the host ends too.

use std::fs::OpenOptions;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use serde_json::Value;
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::{Child, ChildStdin, Command};
use tokio::sync::{mpsc, oneshot, watch};

use crate::shutdown::Closing;

/// Where the host's log goes, in the demo's folder.
pub(super) const LOG: &str = "host.log";
/// How long a host that ended stays down.
const REST: Duration = Duration::from_secs(1);
/// How long a clean end may take.
const FAREWELL: Duration = Duration::from_secs(12);
/// Starts in a row that may fail.
const TRIES: u32 = 5;

/// A running host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Up {
    pub(super) pid: u32,
    pub(super) public: String,
    pub(super) private: String,
}

/// How the host stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Standing {
    /// It is being started.
    Starting,
    /// It takes webhooks.
    Up(Up),
    /// It ended, and is started again in a moment: the process that it was, and how it ended.
    Down(u32, String),
    /// It ended for good: why.
    Ended(String),
}

/// The host's keeper. A cheap handle.
#[derive(Clone)]
pub(super) struct Keeper(Arc<Inner>);

struct Inner {
    standing: watch::Receiver<Standing>,
    kill: mpsc::Sender<oneshot::Sender<u32>>,
    end: watch::Sender<bool>,
    dir: PathBuf,
}

impl Keeper {
    /// Starts the host of `dir`, and keeps it running until `closing` or [`Keeper::end`].
    pub(super) fn start(dir: &Path, mut closing: Closing) -> Self {
        let (tell, standing) = watch::channel(Standing::Starting);
        let (kill, kills) = mpsc::channel(1);
        let (end, mut ending) = watch::channel(false);
        let host = Host { dir: dir.to_path_buf(), tell };
        tokio::spawn(async move {
            let stop = async {
                tokio::select! {
                    _ = closing.wait_for(|now| *now) => {}
                    _ = ending.wait_for(|now| *now) => {}
                }
            };
            host.keep(kills, stop).await;
        });
        Self(Arc::new(Inner { standing, kill, end, dir: dir.to_path_buf() }))
    }

    /// How the host stands now.
    pub(super) fn standing(&self) -> Standing {
        self.0.standing.borrow().clone()
    }

    /// The running host, where there is one.
    pub(super) fn up(&self) -> Option<Up> {
        match self.standing() {
            Standing::Up(up) => Some(up),
            _ => None,
        }
    }

    /// Waits for the first start; an error tells what the host's log ends with.
    pub(super) async fn first(&self) -> Result<Up> {
        let mut standing = self.0.standing.clone();
        let settled = standing.wait_for(|s| !matches!(s, Standing::Starting)).await.context("the host's keeper ended")?.clone();
        match settled {
            Standing::Up(up) => Ok(up),
            Standing::Down(_, why) | Standing::Ended(why) => bail!("the host did not start: {why}\n{}", self.last_words()),
            Standing::Starting => bail!("the host did not start"),
        }
    }

    fn last_words(&self) -> String {
        let log = std::fs::read_to_string(self.0.dir.join(LOG)).unwrap_or_default();
        let lines: Vec<&str> = log.lines().collect();
        lines.get(lines.len().saturating_sub(5)..).unwrap_or_default().join("\n")
    }

    /// SIGKILL. Returns the process that is dead now; `None` when none ran.
    pub(super) async fn kill(&self) -> Option<u32> {
        self.up()?;
        let (dead, heard) = oneshot::channel();
        self.0.kill.send(dead).await.ok()?;
        heard.await.ok()
    }

    /// Ends the host in good order.
    pub(super) async fn end(&self) {
        let _ = self.0.end.send(true);
        self.ended().await;
    }

    /// Waits until the host has ended for good.
    pub(super) async fn ended(&self) {
        let _ = self.0.standing.clone().wait_for(|s| matches!(s, Standing::Ended(_))).await;
    }
}

/// What the keeper's task holds.
struct Host {
    dir: PathBuf,
    tell: watch::Sender<Standing>,
}

impl Host {
    async fn keep(self, mut kills: mpsc::Receiver<oneshot::Sender<u32>>, stop: impl Future<Output = ()>) {
        tokio::pin!(stop);
        let mut failures = 0;
        loop {
            let mut child = match self.spawn() {
                Ok(child) => child,
                Err(error) => return self.say(Standing::Ended(format!("{error:#}"))),
            };
            let pid = child.id().unwrap_or_default();
            // Held here, for waiting for a child closes the input that it still has.
            let input = child.stdin.take();
            let ready = tokio::select! {
                ready = ready(&mut child) => ready,
                () = &mut stop => return self.farewell(child, input).await,
            };
            match ready {
                Ok((public, private)) => {
                    failures = 0;
                    self.say(Standing::Up(Up { pid, public, private }));
                }
                Err(error) => {
                    failures += 1;
                    // Its own words are in its log by the time it is gone.
                    let _ = child.kill().await;
                    if failures >= TRIES || matches!(*self.tell.borrow(), Standing::Starting) {
                        return self.say(Standing::Ended(format!("{error:#}")));
                    }
                }
            }
            let how = tokio::select! {
                status = child.wait() => status.map_or_else(|error| error.to_string(), |status| status.to_string()),
                Some(asked) = kills.recv() => {
                    let _ = child.start_kill();
                    let status = child.wait().await;
                    let _ = asked.send(pid);
                    status.map_or_else(|error| error.to_string(), |status| status.to_string())
                }
                () = &mut stop => return self.farewell(child, input).await,
            };
            self.say(Standing::Down(pid, how));
            tokio::select! {
                () = tokio::time::sleep(REST) => {}
                () = &mut stop => return self.say(Standing::Ended("closed".to_owned())),
            }
        }
    }

    fn say(&self, standing: Standing) {
        self.tell.send_replace(standing);
    }

    fn spawn(&self) -> Result<Child> {
        let log = self.dir.join(LOG);
        let log =
            OpenOptions::new().create(true).append(true).open(&log).with_context(|| format!("cannot write {}", log.display()))?;
        let program = std::env::current_exe().context("this program's own file cannot be found")?;
        Command::new(&program)
            .arg("--dir")
            .arg(&self.dir)
            .args(["--json", "serve", "--until-closed"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(log)
            // Ctrl-C in a terminal reaches everybody; the host is told by its pipe, after the page's server has closed.
            .process_group(0)
            .kill_on_drop(true)
            .spawn()
            .with_context(|| format!("cannot run {}", program.display()))
    }

    /// A clean end: its input closes, it finishes what is under way.
    async fn farewell(&self, mut child: Child, input: Option<ChildStdin>) {
        drop(input);
        if tokio::time::timeout(FAREWELL, child.wait()).await.is_err() {
            let _ = child.kill().await;
        }
        self.say(Standing::Ended("closed".to_owned()));
    }
}

/// Waits for the line in which a host tells its addresses.
async fn ready(child: &mut Child) -> Result<(String, String)> {
    let out = child.stdout.as_mut().context("the host has no output")?;
    let mut line = String::new();
    BufReader::new(out).read_line(&mut line).await.context("the host's output")?;
    let told: Value = serde_json::from_str(&line).unwrap_or_default();
    let address = |key: &str| told.get(key).and_then(Value::as_str).map(str::to_owned);
    match (address("public"), address("private")) {
        (Some(public), Some(private)) => Ok((public, private)),
        _ => match told.get("error").and_then(Value::as_str) {
            Some(error) => bail!("{error}"),
            None => bail!("it ended before its ports were open"),
        },
    }
}
