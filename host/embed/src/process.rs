//! The host's side: a child process that is started when the first text comes, started anew when it died, and ended when nothing was asked
//! for a while. One text at a time; whoever asks while too many wait is told so, and goes on without.

use std::ffi::OsString;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::time::Duration;

use parking_lot::Mutex;
use pointsman_core::failure::{Class, Failure};
use tokio::sync::oneshot;
use tokio::time::Instant;

use crate::TEXT;
use crate::file::ModelFile;
use crate::model::Kind;
use crate::wire::{self, Said, Wish};

/// Texts that wait at most.
const WAITING: usize = 64;

/// How long a text waits for its turn.
const PATIENCE: Duration = Duration::from_secs(3);

/// How long a child has to read its model.
const START: Duration = Duration::from_secs(20);

/// How long nothing was asked before the child is let go: it holds its model in memory.
const IDLE: Duration = Duration::from_secs(600);

/// How long nobody is started after a child that ended by itself: a text that ends each of them must not keep a processor busy.
const REST: Duration = Duration::from_secs(1);

/// The whole environment of a child: memory that is counted when it is used.
const ENVIRONMENT: [(&str, &str); 1] = [("MIMALLOC_ARENA_EAGER_COMMIT", "0")];

/// What runs the model, and what it may take.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EmbedderConfig {
    /// A program that ends in [`crate::serve`], with its arguments; `--file F --digest D --memory N` are put behind them.
    pub program: Vec<OsString>,
    /// Bytes of memory. The model takes some 190 MiB.
    pub memory: u64,
    /// How long one text may take.
    pub text: Duration,
}

impl EmbedderConfig {
    /// With the usual bounds.
    #[must_use]
    pub fn new(program: Vec<OsString>) -> Self {
        Self { program, memory: 384 << 20, text: Duration::from_secs(10) }
    }
}

/// Makes vectors. A cheap handle; the child ends with the last of them.
#[derive(Clone)]
pub struct Embedder(Arc<Inner>);

struct Inner {
    config: EmbedderConfig,
    /// To the thread that has the child; none before the first text.
    hand: Mutex<Option<SyncSender<Order>>>,
}

struct Order {
    file: ModelFile,
    wish: Wish,
    until: Instant,
    done: oneshot::Sender<Result<Vec<f32>, Failure>>,
}

impl Embedder {
    /// Nothing is started yet.
    #[must_use]
    pub fn new(config: EmbedderConfig) -> Self {
        Self(Arc::new(Inner { config, hand: Mutex::default() }))
    }

    /// The vector of a text by a model, of length 1. Of a text longer than [`TEXT`] the beginning is read. Needs no runtime.
    ///
    /// # Errors
    /// `vectors.busy`, `vectors.crashed`, `vectors.too_slow`, `model.missing`, `model.changed`, `model.file`
    pub async fn embed(&self, file: &ModelFile, kind: Kind, text: &str) -> Result<Vec<f32>, Failure> {
        let text = text.get(..text.floor_char_boundary(TEXT)).unwrap_or(text).to_owned();
        let (done, told) = oneshot::channel();
        let order = Order { file: file.clone(), wish: Wish { kind, text }, until: Instant::now() + PATIENCE, done };
        self.hand()?.try_send(order).map_err(|_| busy())?;
        told.await.map_err(|_| crashed("its thread ended"))?
    }

    fn hand(&self) -> Result<SyncSender<Order>, Failure> {
        let mut hand = self.0.hand.lock();
        if let Some(hand) = &*hand {
            return Ok(hand.clone());
        }
        let (orders, taken) = sync_channel(WAITING);
        let config = self.0.config.clone();
        let thread = std::thread::Builder::new().name("vectors".to_owned()).spawn(move || Worker::new(config).work(&taken));
        thread.map_err(|e| crashed(&e.to_string()))?;
        *hand = Some(orders.clone());
        Ok(orders)
    }
}

impl std::fmt::Debug for Embedder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Embedder").field("config", &self.0.config).finish_non_exhaustive()
    }
}

/// The thread's own.
struct Worker {
    config: EmbedderConfig,
    child: Option<Running>,
    /// When the last one ended by itself.
    fell: Option<Instant>,
}

/// A child, ready to be asked. Ends when it is dropped.
struct Running {
    child: Child,
    socket: UnixStream,
    file: ModelFile,
}

impl Drop for Running {
    fn drop(&mut self) {
        // Neither can fail for a child of ours that is not waited for yet.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Worker {
    fn new(config: EmbedderConfig) -> Self {
        Self { config, child: None, fell: None }
    }

    fn work(mut self, orders: &Receiver<Order>) {
        loop {
            let order = match orders.recv_timeout(IDLE) {
                Ok(order) => order,
                Err(RecvTimeoutError::Disconnected) => return,
                Err(RecvTimeoutError::Timeout) => {
                    self.child = None;
                    match orders.recv() {
                        Ok(order) => order,
                        Err(_) => return,
                    }
                }
            };
            let made = if order.until < Instant::now() { Err(busy()) } else { self.make(&order) };
            // Whoever asked may be gone.
            let _ = order.done.send(made);
        }
    }

    fn make(&mut self, order: &Order) -> Result<Vec<f32>, Failure> {
        if self.child.as_ref().is_none_or(|child| child.file != order.file) {
            self.child = None;
            if self.fell.is_some_and(|fell| fell.elapsed() < REST) {
                return Err(crashed("it ended a moment ago"));
            }
            self.child = Some(self.start(&order.file)?);
        }
        let Some(child) = &mut self.child else { return Err(crashed("it is gone")) };
        let asked = wire::write(&mut child.socket, &order.wish).and_then(|()| wire::read(&mut child.socket));
        let failure = match asked {
            Ok(Some(Said::Vector(vector))) => return Ok(vector),
            Ok(Some(Said::Failed { class, code, message })) => Failure::new(class, code, message),
            Ok(_) => crashed("it ended"),
            Err(e) if timed_out(&e) => {
                let text = format!("a text took more than {} s; it has no vector", self.config.text.as_secs());
                Failure::new(Class::Limit, "vectors.too_slow", text)
            }
            Err(e) => crashed(&e.to_string()),
        };
        self.child = None;
        self.fell = Some(Instant::now());
        Err(failure)
    }

    fn start(&mut self, file: &ModelFile) -> Result<Running, Failure> {
        let unable = |e: io::Error| crashed(&e.to_string());
        let (program, arguments) = self.config.program.split_first().ok_or_else(|| crashed("it has no name"))?;
        let (socket, theirs) = UnixStream::pair().map_err(unable)?;
        let mut command = Command::new(program);
        command.args(arguments).arg("--file").arg(&file.path).args(["--digest", &file.digest]);
        command.args(["--memory", &self.config.memory.to_string()]);
        command.env_clear().envs(ENVIRONMENT).stdin(OwnedFd::from(theirs)).stdout(Stdio::null()).stderr(Stdio::null());
        let child = command.spawn().map_err(unable)?;
        let mut running = Running { child, socket, file: file.clone() };
        // It holds the other end now, and nobody else does: its end is seen here.
        drop(command);
        running.socket.set_read_timeout(Some(START)).map_err(unable)?;
        let failure = match wire::read(&mut running.socket) {
            Ok(Some(Said::Ready)) => {
                running.socket.set_read_timeout(Some(self.config.text)).map_err(unable)?;
                return Ok(running);
            }
            Ok(Some(Said::Failed { class, code, message })) => Failure::new(class, code, message),
            Ok(_) => crashed("it ended before it was ready"),
            Err(e) => crashed(&e.to_string()),
        };
        self.fell = Some(Instant::now());
        Err(failure)
    }
}

fn timed_out(e: &io::Error) -> bool {
    matches!(e.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut)
}

fn busy() -> Failure {
    Failure::new(Class::Transient, "vectors.busy", "too many texts wait for their vectors; it is found by its words meanwhile")
}

fn crashed(why: &str) -> Failure {
    let text = format!("the process that makes vectors failed ({why}); it is started again");
    Failure::new(Class::Transient, "vectors.crashed", text)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A child in shell: it says that it is ready, reads a wish, and does this. The numbers are those of the wire: a length, a form.
    fn shell(then: &str) -> Embedder {
        let ready = r"printf '\001\000\000\000\000' >&0; head -c 4 >/dev/null <&0;";
        let program = ["/bin/sh", "-c", &format!("{ready} {then}"), "sh"];
        Embedder::new(EmbedderConfig {
            text: Duration::from_millis(500),
            ..EmbedderConfig::new(program.map(OsString::from).to_vec())
        })
    }

    fn file() -> ModelFile {
        ModelFile { path: "/none".into(), digest: "0".to_owned() }
    }

    async fn code(embedder: &Embedder) -> String {
        embedder.embed(&file(), Kind::Query, "what?").await.unwrap_err().code
    }

    #[tokio::test]
    async fn whatever_becomes_of_a_child_is_told() {
        let well = shell(r"printf '\006\000\000\000\001\001\000\000\200\077' >&0; sleep 5");
        assert_eq!(well.embed(&file(), Kind::Query, "what?").await.unwrap(), [1.0]);
        let dies = shell("exit 3");
        assert_eq!(code(&dies).await, "vectors.crashed");
        // Not at once: a text that ends every child must not keep a processor busy.
        let why = dies.embed(&file(), Kind::Query, "again").await.unwrap_err().message;
        assert!(why.contains("a moment ago"), "{why}");
        assert_eq!(code(&shell("sleep 60")).await, "vectors.too_slow");
        assert_eq!(code(&shell(r"printf '\377\377\377\377' >&0; sleep 5")).await, "vectors.crashed");
        let none = Embedder::new(EmbedderConfig::new(vec!["/no/such/program".into()]));
        assert_eq!(code(&none).await, "vectors.crashed");
    }

    #[tokio::test]
    async fn a_child_is_started_again_after_a_rest() {
        let folder = tempfile::tempdir().unwrap();
        let mark = folder.path().join("once");
        let embedder = shell(&format!(
            r"if [ -e {0} ]; then printf '\006\000\000\000\001\001\000\000\200\077' >&0; sleep 5; else : > {0}; exit 1; fi",
            mark.display()
        ));
        assert_eq!(code(&embedder).await, "vectors.crashed");
        tokio::time::sleep(REST).await;
        assert_eq!(embedder.embed(&file(), Kind::Query, "what?").await.unwrap(), [1.0]);
    }
}
