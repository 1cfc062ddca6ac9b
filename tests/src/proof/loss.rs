//! F9, F11, F12: for a while the database is gone, a host stands still, or a host cannot reach the database. The others go on by
//! themselves, and whoever comes back does no harm and works again.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use pointsman_emulator::Fault;
use pointsman_postgres::Server;
use tokio::net::{TcpListener, UnixStream};
use tokio::sync::watch;
use tokio::time::Instant;

use super::catalog::{conversations, plain};
use super::check::Seen;
use super::site::{LEASE, Site};
use super::trial::{Stage, Trial};
use super::{Kind, Setting};

/// What is taken away.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Loss {
    /// F9: the database, as by a power cut.
    Database,
    /// F11: a host's time. It stands still for longer than its lease, and then goes on as if nothing had been.
    Time,
    /// F12: a host's way to the database. `silent`: nobody tells it; its connections stay open and nothing comes through.
    Line {
        /// A cable that was pulled, not a server that hung up.
        silent: bool,
    },
}

/// What was seen.
#[derive(Debug)]
pub struct Found {
    /// By the three witnesses.
    pub seen: Seen,
    /// Webhooks that were not taken: come again later.
    pub busy: usize,
    /// Answers that contacts got while something was gone.
    pub meanwhile: usize,
    /// What the host that came back still wanted to write, and might not.
    pub refused: usize,
}

impl Found {
    /// Whether all was as it must be.
    #[must_use]
    pub fn held(&self, loss: Loss) -> bool {
        self.seen.sound()
            && match loss {
                Loss::Database => self.busy > 0,
                Loss::Time => self.meanwhile > 0 && self.refused > 0,
                Loss::Line { .. } => self.meanwhile > 0,
            }
    }
}

impl fmt::Display for Found {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { seen, busy, meanwhile, refused } = self;
        write!(f, "{seen}; meanwhile {meanwhile} answered, {busy} webhooks not taken, {refused} writes refused")
    }
}

/// Writes its log at this level, so that what was refused can be counted.
const LOG: (&str, &str) = ("POINTSMAN_TELEMETRY__LOG", "info,pointsman_engine=debug");
/// What stands in the log for each.
const REFUSED: &str = "is let go";
/// How long messages come before something is gone.
const BEFORE: Duration = Duration::from_secs(2);
/// The host that is lost.
const LOST: usize = 1;

/// The last of so many conversations are begun only after everything has come back.
const AFTERWARDS: usize = 4;

fn trial(loss: Loss, setting: &Setting) -> Trial {
    let name = match loss {
        Loss::Database => "F9",
        Loss::Time => "F11",
        Loss::Line { silent: false } => "F12",
        Loss::Line { silent: true } => "F12-silent",
    };
    Trial {
        many: setting.scaled(100, 10),
        pause: Duration::from_millis(500),
        settle_after: Duration::from_secs(2),
        // Requests that are under way when it happens.
        shares: vec![(1, Fault::AnswerLate(Duration::from_secs(1)))],
        ..plain(name, conversations(setting.scaled(2_000, 200)))
    }
}

/// Runs it, on a server of its own. How long the database is gone, or a host stands still, grows with the scale, to a minute.
pub async fn run(loss: Loss, setting: &Setting) -> Result<Found> {
    let server = Server::start()?;
    let hosts = if loss == Loss::Database { setting.hosts } else { LOST + 1 };
    let setting = Setting { store: Kind::Postgres(server.database()?), hosts, ..setting.clone() };
    let trial = trial(loss, &setting);
    let mut stage = Stage::set(&setting, &trial).await?;
    let line = Line::to(server.socket(), loss == Loss::Line { silent: true }).await?;
    for number in 0..hosts {
        let (data, keys) = (line.along(&stage.site, "STORE__URL")?, line.along(&stage.site, "KEYS__STORE")?);
        let mut extra = vec![LOG];
        if matches!(loss, Loss::Line { .. }) && number == LOST {
            extra.extend([("POINTSMAN_STORE__URL", data.as_str()), ("POINTSMAN_KEYS__STORE", &keys)]);
        }
        let host = stage.site.try_start(number, &extra).await?.with_context(|| format!("host {number} did not start"))?;
        stage.killer.open(number, host);
    }
    if hosts > 1 {
        // The first has everything, and gives half of it back in two beats.
        tokio::time::sleep(2 * LEASE).await;
    }
    let (before, after) = trial.strands.split_at(trial.strands.len() - trial.strands.len() / AFTERWARDS);
    let (sender, strands, many, pause) = (stage.sender.clone(), before.to_vec(), trial.many, trial.pause);
    let sending = tokio::spawn(async move { sender.send(strands, many, pause).await });
    tokio::time::sleep(BEFORE).await;

    let answered = |stage: &Stage| anyhow::Ok(stage.provider.seen()?.taken.len());
    let meanwhile = match loss {
        Loss::Database => {
            server.stop()?;
            // What was committed a moment before may still be told.
            tokio::time::sleep(Duration::from_millis(500)).await;
            let acknowledged = stage.sender.acknowledged()?.len();
            tokio::time::sleep(Duration::from_secs(setting.scaled(60, 6) as u64)).await;
            ensure!(stage.sender.acknowledged()?.len() == acknowledged, "a webhook was acknowledged that nobody can have kept");
            server.up()?;
            sending.await.context("the sender")??;
            0
        }
        Loss::Time => {
            let host = stage.killer.hosts.get_mut(LOST).and_then(Option::take).context("a host to stop")?;
            host.signal("-STOP").await?;
            let stopped = Instant::now();
            stage.killer.gone(LOST).await?;
            tokio::time::sleep(LEASE).await;
            let first = answered(&stage)?;
            sending.await.context("the sender")??;
            // Everything that was begun is ended by the other host alone.
            stage.settled().await?;
            let meanwhile = answered(&stage)? - first;
            tokio::time::sleep_until(stopped + Duration::from_secs(setting.scaled(60, 4) as u64)).await;
            host.signal("-CONT").await?;
            stage.killer.open(LOST, host);
            meanwhile
        }
        Loss::Line { .. } => {
            line.cut(true);
            tokio::time::sleep(LEASE).await;
            // Whoever spreads the webhooks has seen by now that this one is not ready.
            stage.killer.doors.set(LOST, None);
            let first = answered(&stage)?;
            sending.await.context("the sender")??;
            stage.settled().await?;
            let meanwhile = answered(&stage)? - first;
            line.cut(false);
            let hook = stage.killer.hosts.get(LOST).and_then(Option::as_ref).map(|host| host.hook.clone());
            stage.killer.doors.set(LOST, hook);
            meanwhile
        }
    };
    // Who was away renews, and is told what the others did.
    tokio::time::sleep(LEASE).await;
    if hosts > 1 {
        let (all, others) = (&stage.killer.doors, 0..LOST);
        others.for_each(|other| all.set(other, None));
    }
    stage.sender.send(after.to_vec(), trial.many, Duration::ZERO).await?;
    stage.settled().await?;
    let refused = std::fs::read_to_string(stage.site.log(LOST)).map_or(0, |log| log.matches(REFUSED).count());
    let busy = stage.sender.busy();
    Ok(Found { seen: stage.close().await?, busy, meanwhile, refused })
}

/// A way to the database that can be cut.
struct Line {
    port: u16,
    whole: watch::Sender<bool>,
}

impl Line {
    async fn to(socket: PathBuf, silent: bool) -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let port = listener.local_addr()?.port();
        let (whole, state) = watch::channel(true);
        tokio::spawn(async move {
            while let Ok((mut near, _)) = listener.accept().await {
                let (socket, mut state) = (socket.clone(), state.clone());
                tokio::spawn(async move {
                    let Ok(mut far) = UnixStream::connect(socket).await else { return };
                    tokio::select! {
                        _ = tokio::io::copy_bidirectional(&mut near, &mut far) => return,
                        _ = state.wait_for(|whole| !whole) => {}
                    }
                    if silent {
                        let _ = state.wait_for(|whole| *whole).await;
                    }
                });
            }
        });
        Ok(Self { port, whole })
    }

    /// The address of a site's database, along this line.
    fn along(&self, site: &Site, setting: &str) -> Result<String> {
        let address = site.address(&format!("POINTSMAN_{setting}"))?;
        let (server, _) = address.split_once('?').context("the address of a socket")?;
        Ok(server.replace("@localhost/", &format!("@127.0.0.1:{}/", self.port)))
    }

    fn cut(&self, cut: bool) {
        let _ = self.whole.send(!cut);
    }
}
