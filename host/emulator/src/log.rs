//! A provider's own log: an append-only file of what it received, took and answered, one JSON object a line, with a sync of its
//! own. Whoever judges a host reads it; the host under test never does.
//!
//! Lines are written by a thread of their own, many at a time. `at` is unix milliseconds, `us` the same in microseconds.

use std::fs::{File, OpenOptions};
use std::io::Write as _;
use std::path::Path;
use std::sync::mpsc::{Receiver, Sender, channel};

use serde_json::{Value, json};
use tokio::sync::oneshot;

use crate::talk::unix_us;

enum Asked {
    Line(Vec<u8>),
    Sync(oneshot::Sender<()>),
}

/// The door to the log. A cheap handle.
#[derive(Debug, Clone)]
pub(crate) struct Log(Sender<Asked>);

impl Log {
    /// Opens the file, making it if there is none, and starts the thread; it ends with the last handle.
    pub(crate) fn open(path: &Path) -> std::io::Result<Self> {
        let file = OpenOptions::new().create(true).append(true).open(path)?;
        let (door, inbox) = channel();
        std::thread::Builder::new().name("provider-log".to_owned()).spawn(move || write(file, &inbox))?;
        Ok(Self(door))
    }

    /// Notes what happened; it is written soon.
    pub(crate) fn note(&self, what: &str, mut line: Value) {
        if let Some(object) = line.as_object_mut() {
            object.insert("what".to_owned(), json!(what));
            let us = unix_us();
            object.insert("at".to_owned(), json!(us / 1_000));
            object.insert("us".to_owned(), json!(us));
        }
        let _ = self.0.send(Asked::Line(format!("{line}\n").into_bytes()));
    }

    /// Returns when everything that was noted before is on disk.
    pub(crate) async fn synced(&self) {
        let (done, synced) = oneshot::channel();
        if self.0.send(Asked::Sync(done)).is_ok() {
            let _ = synced.await;
        }
    }
}

/// A request that is under way. When the caller goes before it is answered, the log says so.
#[derive(Debug)]
pub(crate) struct Open<'a> {
    log: &'a Log,
    key: Option<&'a str>,
    answered: bool,
}

impl<'a> Open<'a> {
    /// A request has come.
    pub(crate) fn received(log: &'a Log, key: Option<&'a str>, body: &Value) -> Self {
        log.note("received", json!({ "key": key, "body": body }));
        Self { log, key, answered: false }
    }

    /// Its answer leaves.
    pub(crate) fn answered(mut self, status: u16) {
        self.answered = true;
        self.log.note("answered", json!({ "key": self.key, "status": status }));
    }
}

impl Drop for Open<'_> {
    fn drop(&mut self) {
        if !self.answered {
            self.log.note("gone", json!({ "key": self.key }));
        }
    }
}

/// Writes whatever waits together, and syncs once for all who asked.
fn write(mut file: File, inbox: &Receiver<Asked>) {
    while let Ok(first) = inbox.recv() {
        let (mut bytes, mut waiting) = (Vec::new(), Vec::new());
        for asked in std::iter::once(first).chain(inbox.try_iter()) {
            match asked {
                Asked::Line(line) => bytes.extend(line),
                Asked::Sync(done) => waiting.push(done),
            }
        }
        let written = file.write_all(&bytes).and_then(|()| if waiting.is_empty() { Ok(()) } else { file.sync_data() });
        if let Err(error) = written {
            // An oracle that forgets is worse than none: nobody is told that it is on disk.
            tracing::error!(%error, "the provider's log cannot be written");
            return;
        }
        for done in waiting {
            let _ = done.send(());
        }
    }
}
