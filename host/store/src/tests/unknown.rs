//! The connection breaks in the middle of a commit: what became of it is found out, and nobody is told anything else.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use pointsman_core::clock::VirtualClock;
use pointsman_vault::MasterKey;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::watch;

use super::{House, START, WS, answer, message, open};
use crate::{Place, StoreConfig, StoreError};

/// What a line to Postgres does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Line {
    Up,
    /// Goes down when a commit is asked for: behind it, unheard, or before it.
    Cut {
        behind: bool,
    },
    Down,
}

/// Stands between a store and Postgres.
struct Proxy {
    dir: tempfile::TempDir,
    line: Arc<watch::Sender<Line>>,
}

impl Proxy {
    fn new(server: PathBuf) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let listener = UnixListener::bind(dir.path().join(SOCKET)).unwrap();
        let line = Arc::new(watch::Sender::new(Line::Up));
        let held = line.clone();
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                if *held.borrow() != Line::Down {
                    tokio::spawn(carry(client, server.join(SOCKET), held.clone()));
                }
            }
        });
        Self { dir, line }
    }
}

const SOCKET: &str = ".s.PGSQL.5432";

/// Carries what the two say to each other until the line goes down.
async fn carry(mut client: UnixStream, server: PathBuf, line: Arc<watch::Sender<Line>>) {
    let mut server = UnixStream::connect(server).await.unwrap();
    let mut watched = line.subscribe();
    let (mut asked, mut answered) = (vec![0; 65_536], vec![0; 65_536]);
    loop {
        tokio::select! {
            n = client.read(&mut asked) => {
                let Ok(n @ 1..) = n else { return };
                let cut = match *line.borrow() {
                    // The writer alone says it in small letters.
                    Line::Cut { behind } if asked[..n].windows(6).any(|w| w == b"commit") => Some(behind),
                    _ => None,
                };
                if cut != Some(false) {
                    server.write_all(&asked[..n]).await.unwrap();
                }
                if let Some(behind) = cut {
                    if behind {
                        let _ = server.read(&mut answered).await;
                    }
                    line.send_replace(Line::Down);
                    return;
                }
            }
            n = server.read(&mut answered) => {
                let Ok(n @ 1..) = n else { return };
                if client.write_all(&answered[..n]).await.is_err() {
                    return;
                }
            }
            () = async { drop(watched.wait_for(|line| *line == Line::Down).await) } => return,
        }
    }
}

/// The folder of the socket in an address, and the address with another.
fn through(url: &str, dir: &Path) -> (PathBuf, String) {
    let (before, socket) = url.split_once("?host=").unwrap();
    let dir = dir.to_string_lossy().replace('/', "%2F");
    (socket.replace("%2F", "/").into(), format!("{before}?host={dir}"))
}

async fn house_behind() -> (House, Proxy) {
    let url = pointsman_postgres::database().await;
    let proxy = Proxy::new(through(&url, Path::new("")).0);
    let dir = tempfile::tempdir().unwrap();
    let mut config = StoreConfig::in_dir(dir.path());
    config.data = Place::Postgres(through(&url, proxy.dir.path()).1);
    config.keys = Place::Postgres(pointsman_postgres::database().await);
    config.lease = Duration::from_millis(500);
    let master = MasterKey::generate().unwrap().to_text().to_string();
    let clock = VirtualClock::new(START);
    let store = open(&config, &master, &clock).await.unwrap();
    (House { store, clock, dir, config, master }, proxy)
}

/// A decision whose commit is cut, and Postgres away for so long afterwards.
async fn check(behind: bool, away: Duration) {
    let (house, proxy) = house_behind().await;
    let kept = house.take(vec![message("1", "a", "x")]).await;
    let decide = answer(&house, &kept.events[0], "z");
    proxy.line.send_replace(Line::Cut { behind });
    let back = async {
        let mut watched = proxy.line.subscribe();
        watched.wait_for(|line| *line == Line::Down).await.unwrap();
        tokio::time::sleep(away).await;
        proxy.line.send_replace(Line::Up);
    };
    let (decided, ()) = tokio::join!(house.store.decide(decide.clone()), back);
    let kept_it = house.store.run(WS, decide.runs[0].id).await.unwrap().is_some();
    if behind {
        assert_eq!((decided, kept_it), (Ok(()), true), "it took place");
    } else if let Err(error) = decided {
        assert!(error.passing() && !matches!(error, StoreError::Unknown(_)) && !kept_it, "{error:?}");
        house.store.decide(decide).await.unwrap();
    } else {
        assert!(kept_it, "tried again by the writer");
    }
    let books = house.store.books(WS).await.unwrap();
    assert!(books.balanced());
    assert_eq!((books.events["ended"], books.runs["done"], books.sends["sending"]), (1, 1, 1), "once");
    assert_eq!(house.store.timeline(kept.events[0].conversation.as_ref().unwrap(), 9).await.unwrap().len(), 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_commit_that_nobody_heard_of_is_found() {
    check(true, Duration::from_millis(200)).await;
    check(false, Duration::from_millis(200)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_decision_waits_for_its_fate_however_long_postgres_is_away() {
    // Longer than the writer asks.
    check(true, Duration::from_millis(2_500)).await;
    check(false, Duration::from_millis(2_500)).await;
}
