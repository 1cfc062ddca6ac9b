//! The file of one process: slots of 512 bytes. A note takes as many as it needs, side by side: its length (4 bytes, big-endian),
//! then the sealed note. A slot that begins with zeros is free.
//!
//! The file's name begins with the number of this run of the machine: what is *not* in a file can be relied on only while the
//! machine has not been switched off since.

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};
use std::fs::{File, OpenOptions, TryLockError};
use std::io;
use std::io::Read as _;
use std::ops::Range;
use std::os::unix::fs::{DirBuilderExt as _, FileExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use pointsman_vault::AnswerKey;
use serde::{Deserialize, Serialize};

use super::{Name, name};
use crate::ask::{Exchange, Outcome};

const SLOT: usize = 512;
/// 16 MiB.
const SLOTS: usize = 32_768;
const LENGTH: usize = 4;
const ENDING: &str = "answers";

/// What stands sealed in a note.
#[derive(Serialize, Deserialize)]
struct Note<'a> {
    #[serde(borrow)]
    exchange: Exchange<'a>,
    /// Absent: it begins.
    outcome: Option<Cow<'a, Outcome>>,
}

/// The file of this process.
#[derive(Debug)]
pub(super) struct Notes {
    file: File,
    pub(super) path: PathBuf,
    taken: Vec<bool>,
    /// Slots by the key of their send.
    by_key: HashMap<String, Vec<Range<usize>>>,
}

impl Notes {
    /// Makes the file and takes its lock before anybody can see it under its name.
    pub(super) fn make(folder: &Path) -> io::Result<Self> {
        std::fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
        let mut random = [0; 8];
        getrandom::fill(&mut random).map_err(io::Error::other)?;
        let path = folder.join(format!("{}-{}.{ENDING}", boot(), hex::encode(random)));
        let hidden = path.with_extension("new");
        let file = OpenOptions::new().read(true).write(true).create_new(true).mode(0o600).open(&hidden)?;
        file.lock()?;
        std::fs::rename(&hidden, &path)?;
        Ok(Self { file, path, taken: Vec::new(), by_key: HashMap::new() })
    }

    pub(super) fn write(&mut self, key: &AnswerKey, exchange: Exchange<'_>, outcome: Option<&Outcome>) -> io::Result<()> {
        let note = postcard::to_stdvec(&Note { exchange, outcome: outcome.map(Cow::Borrowed) }).map_err(io::Error::other)?;
        let length = note.len() + pointsman_vault::OVERHEAD;
        let slots = self.free((LENGTH + length).div_ceil(SLOT)).ok_or_else(|| io::Error::other("no slot is free"))?;
        let sealed = key.seal(at(slots.start), &note).map_err(io::Error::other)?;
        let mut bytes = Vec::with_capacity(LENGTH + length);
        bytes.extend_from_slice(&u32::try_from(length).map_err(io::Error::other)?.to_be_bytes());
        bytes.extend_from_slice(&sealed);
        self.take(slots.clone(), true);
        match self.by_key.get_mut(exchange.key) {
            Some(all) => all.push(slots.clone()),
            None => drop(self.by_key.insert(exchange.key.to_owned(), vec![slots.clone()])),
        }
        self.file.write_all_at(&bytes, offset(slots.start))
    }

    pub(super) fn forget(&mut self, key: &str) -> io::Result<()> {
        for slots in self.by_key.remove(key).unwrap_or_default() {
            self.file.write_all_at(&vec![0; slots.len() * SLOT], offset(slots.start))?;
            self.take(slots, false);
        }
        Ok(())
    }

    /// The first so many free slots side by side.
    fn free(&self, count: usize) -> Option<Range<usize>> {
        let mut from = 0;
        (0..SLOTS).find_map(|slot| {
            if self.taken.get(slot) == Some(&true) {
                from = slot + 1;
            }
            (slot + 1 == from + count).then_some(from..slot + 1)
        })
    }

    fn take(&mut self, slots: Range<usize>, taken: bool) {
        self.taken.resize(self.taken.len().max(slots.end), false);
        self.taken.iter_mut().take(slots.end).skip(slots.start).for_each(|slot| *slot = taken);
    }
}

impl Drop for Notes {
    fn drop(&mut self) {
        // What still stands there is for the next process.
        if self.by_key.is_empty() {
            let _ = std::fs::remove_file(&self.path);
        }
    }
}

/// What earlier processes noted.
#[derive(Debug, Default)]
pub(super) struct Found {
    /// By exchange; `None`: it began.
    pub(super) notes: HashMap<Name, Option<Outcome>>,
    /// Exchanges from files in which nothing is missing.
    pub(super) whole: HashSet<Name>,
    /// The files that were read.
    pub(super) files: Vec<PathBuf>,
}

/// The files of all processes.
pub(super) fn all(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path());
    entries.filter(|path| path.extension().is_some_and(|ending| ending == ENDING)).collect()
}

/// Reads the file of a process that has ended; false when it has not.
pub(super) fn read(path: &Path, key: &AnswerKey, found: &mut Found) -> io::Result<bool> {
    let mut file = match File::open(path) {
        // It ended in good order just now, and took its file away.
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(true),
        opened => opened?,
    };
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => return Ok(false),
        Err(TryLockError::Error(error)) => return Err(error),
    }
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes)?;
    let whole = path.file_name().is_some_and(|name| name.to_string_lossy().starts_with(&boot()));
    let mut slot = 0;
    while let Some(rest) = bytes.get(slot * SLOT..).filter(|rest| !rest.is_empty()) {
        slot += read_note(rest, slot, key, found, whole).unwrap_or(1);
    }
    found.files.push(path.to_path_buf());
    Ok(true)
}

/// Reads the note that begins here; gives its slots. `None`: none does, or it is torn.
fn read_note(rest: &[u8], slot: usize, key: &AnswerKey, found: &mut Found, whole: bool) -> Option<usize> {
    let (length, rest) = rest.split_first_chunk::<LENGTH>()?;
    let length = usize::try_from(u32::from_be_bytes(*length)).ok().filter(|length| *length > 0)?;
    let plain = key.open(at(slot), rest.get(..length)?).ok()?;
    let note: Note<'_> = postcard::from_bytes(&plain).ok()?;
    let name = name(note.exchange);
    if whole {
        found.whole.insert(name.clone());
    }
    // That it began stands beside what came of it.
    match note.outcome {
        Some(outcome) => drop(found.notes.insert(name, Some(outcome.into_owned()))),
        None => drop(found.notes.entry(name).or_insert(None)),
    }
    Some((LENGTH + length).div_ceil(SLOT))
}

/// This run of the machine.
fn boot() -> String {
    let id = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
    // Without one, no two processes are of the same run.
    if id.len() < 8 { hex::encode(std::process::id().to_be_bytes()) } else { id.chars().take(8).collect() }
}

fn at(slot: usize) -> i64 {
    i64::try_from(slot).unwrap_or(i64::MAX)
}

fn offset(slot: usize) -> u64 {
    slot as u64 * SLOT as u64
}
