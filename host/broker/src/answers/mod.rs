//! What providers answered, noted the moment it is known. The commit that says so comes a little later, in another process; when
//! that process is killed in between, this one lives on for a moment, finishes what is under way and notes it. The next start
//! asks for the notes and plays the exchange again with the recorded answer, so that nothing is sent twice.
//!
//! A note is one write without a sync: it survives the death of every process. Where the power goes too, the send is `unknown`
//! as if there were no notes. A note is sealed, and wiped when the outcome is kept.
//!
//! Each process writes a file of its own, made before anything leaves, and holds its lock for as long as it lives; the lock tells
//! the next one whether there may be more to come.

use std::path::PathBuf;
use std::time::Duration;

use parking_lot::{Mutex, RwLock};
use pointsman_vault::AnswerKey;
use tokio::sync::OnceCell;
use tokio::time::Instant;

use crate::ask::{Exchange, Outcome, Recalled};

mod file;

use file::{Found, Notes};

/// How long an earlier process may take to finish; it gives itself less.
const OTHERS: Duration = Duration::from_secs(35);
/// How often it is looked whether it has.
const LOOK: Duration = Duration::from_millis(25);

/// The notes of this process and of those before it.
#[derive(Debug)]
pub(crate) struct Answers {
    folder: PathBuf,
    key: RwLock<AnswerKey>,
    own: Mutex<Own>,
    others: OnceCell<()>,
    found: Mutex<Found>,
}

/// The file of this process.
#[derive(Debug)]
enum Own {
    None,
    Open(Notes),
    /// It could not be made; that was told.
    Failed,
}

/// Names an exchange in a map.
type Name = (String, u32, u32);

fn name(exchange: Exchange<'_>) -> Name {
    (exchange.key.to_owned(), exchange.attempt, exchange.number)
}

impl Answers {
    pub(crate) fn new(folder: PathBuf, key: AnswerKey) -> Self {
        let (own, others, found) = (Mutex::new(Own::None), OnceCell::new(), Mutex::default());
        Self { folder, key: RwLock::new(key), own, others, found }
    }

    /// From now on notes are sealed and opened with this key.
    pub(crate) fn seal_under(&self, key: AnswerKey) {
        *self.key.write() = key;
    }

    /// Makes the file of this process, unless it is there. Whoever does it before he sends is waited for by the next process.
    pub(crate) fn open(&self) {
        let mut own = self.own.lock();
        if matches!(*own, Own::None) {
            *own = Notes::make(&self.folder).map_or_else(
                |error| {
                    let folder = self.folder.display();
                    tracing::warn!(%error, %folder, "answers cannot be noted; what is under way at a crash may be sent twice, marked");
                    Own::Failed
                },
                Own::Open,
            );
        }
    }

    /// Notes what came of an exchange, or, with `None`, that it begins. What cannot be noted goes on without.
    pub(crate) fn note(&self, exchange: Exchange<'_>, outcome: Option<&Outcome>) {
        if let Own::Open(notes) = &mut *self.own.lock()
            && let Err(error) = notes.write(&self.key.read(), exchange, outcome)
        {
            tracing::warn!(%error, "an answer could not be noted");
        }
    }

    /// Wipes the notes of a send.
    pub(crate) fn forget(&self, key: &str) {
        if let Own::Open(notes) = &mut *self.own.lock()
            && let Err(error) = notes.forget(key)
        {
            tracing::warn!(%error, "a note could not be wiped");
        }
    }

    /// What an earlier process noted of an exchange. Waits while one of them is still finishing.
    pub(crate) async fn recall(&self, exchange: Exchange<'_>) -> Recalled {
        self.others.get_or_init(|| self.read_others()).await;
        let found = self.found.lock();
        let before = exchange.number.checked_sub(1).map(|number| Exchange { number, ..exchange });
        match found.notes.get(&name(exchange)) {
            Some(Some(outcome)) => Recalled::Made(outcome.clone()),
            Some(None) => Recalled::Unknown,
            // That one was made is on disk, and that the next one began would be too: but for a power cut in between.
            None if before.is_some_and(|before| found.whole.contains(&name(before))) => Recalled::NotBegun,
            None => Recalled::Unknown,
        }
    }

    async fn read_others(&self) {
        let deadline = Instant::now() + OTHERS;
        let mut waiting = file::all(&self.folder);
        // Asked after the folder was: a file of our own that stands in the list is known by now.
        let own = self.own_path();
        waiting.retain(|path| Some(path) != own.as_ref());
        loop {
            waiting.retain(|path| match file::read(path, &self.key.read(), &mut self.found.lock()) {
                Ok(read) => !read,
                Err(error) => {
                    tracing::warn!(%error, path = %path.display(), "the notes of an earlier process cannot be read");
                    false
                }
            });
            if waiting.is_empty() {
                return;
            }
            if Instant::now() > deadline {
                tracing::warn!(
                    files = waiting.len(),
                    "an earlier process of this host does not end; what it sends now is unknown"
                );
                return;
            }
            tokio::time::sleep(LOOK).await;
        }
    }

    fn own_path(&self) -> Option<PathBuf> {
        match &*self.own.lock() {
            Own::Open(notes) => Some(notes.path.clone()),
            _ => None,
        }
    }

    /// Deletes the files of earlier processes, when they have ended.
    pub(crate) async fn forget_found(&self) {
        self.others.get_or_init(|| self.read_others()).await;
        let found = std::mem::take(&mut *self.found.lock());
        for path in found.files {
            if let Err(error) = std::fs::remove_file(&path) {
                tracing::warn!(%error, path = %path.display(), "the notes of an earlier process cannot be deleted");
            }
        }
    }
}

#[cfg(test)]
mod tests;
