//! What providers took, noted the moment it is known. The commit that says so comes a little later, with others; a process that
//! is killed in between would not know that the message has arrived, and send it again. So each send that was taken stands in a
//! slot of a small file until that commit is on disk. A note is one write without a sync: it survives the death of the process,
//! and where the power goes too, the send is `unknown` as ever. Its body is sealed with the contact's key.
//!
//! A slot is 512 bytes: length (2), workspace (8), send (8), sealed ids. One that is not used any more is left as it is: it
//! names a send whose row says the same.

use std::collections::HashMap;
use std::fs::{File, OpenOptions};
use std::path::Path;

use parking_lot::Mutex;
use pointsman_core::id::{Id, WorkspaceId};

use crate::Store;
use crate::types::{Result, SendRow, StoreError};

const SLOT: usize = 512;
const HEAD: usize = 18;
/// Sends that may be noted at once; what comes beyond goes without a note.
const SLOTS: u16 = 1_024;

/// The file of notes.
#[derive(Debug)]
pub(crate) struct Notes {
    file: Option<File>,
    free: Mutex<Vec<u16>>,
    /// What stood there at the start.
    found: Mutex<HashMap<(WorkspaceId, Id), Vec<u8>>>,
}

/// A note, until its send's row is on disk.
#[derive(Debug)]
pub struct Note {
    store: Store,
    slot: Option<u16>,
}

impl Drop for Note {
    fn drop(&mut self) {
        self.store.notes.free.lock().extend(self.slot);
    }
}

impl Notes {
    /// Opens the file beside the data, making it if there is none. A host without it works all the same.
    pub(crate) fn open(data: &Path) -> Self {
        let mut name = data.as_os_str().to_owned();
        name.push("-taken");
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let opened = options.open(Path::new(&name)).inspect_err(|error| {
            tracing::warn!(%error, "what providers took cannot be noted; what is under way at a crash may be sent twice, marked");
        });
        let file = opened.ok();
        let found = file.as_ref().map(read_all).unwrap_or_default();
        Self { file, free: Mutex::new((0..SLOTS).rev().collect()), found: Mutex::new(found) }
    }

    fn write(&self, ws: WorkspaceId, send: Id, sealed: &[u8]) -> Option<u16> {
        let file = self.file.as_ref()?;
        let length = u16::try_from(sealed.len()).ok().filter(|_| sealed.len() <= SLOT - HEAD)?;
        let slot = self.free.lock().pop()?;
        let mut bytes = Vec::with_capacity(HEAD + sealed.len());
        bytes.extend_from_slice(&length.to_be_bytes());
        bytes.extend_from_slice(&ws.0.to_be_bytes());
        bytes.extend_from_slice(&send.0.to_be_bytes());
        bytes.extend_from_slice(sealed);
        if let Err(error) = write_at(file, &bytes, u64::from(slot) * SLOT as u64) {
            tracing::warn!(%error, "what a provider took could not be noted");
        }
        Some(slot)
    }
}

#[cfg(unix)]
fn write_at(file: &File, bytes: &[u8], at: u64) -> std::io::Result<()> {
    std::os::unix::fs::FileExt::write_all_at(file, bytes, at)
}

#[cfg(not(unix))]
fn write_at(_: &File, _: &[u8], _: u64) -> std::io::Result<()> {
    Err(std::io::ErrorKind::Unsupported.into())
}

fn read_all(file: &File) -> HashMap<(WorkspaceId, Id), Vec<u8>> {
    use std::io::Read as _;
    let mut bytes = Vec::new();
    let mut reader = file;
    if let Err(error) = reader.read_to_end(&mut bytes) {
        tracing::warn!(%error, "the notes of what providers took cannot be read");
    }
    bytes.chunks(SLOT).filter_map(read_slot).collect()
}

fn read_slot(slot: &[u8]) -> Option<((WorkspaceId, Id), Vec<u8>)> {
    let (length, rest) = slot.split_first_chunk::<2>()?;
    let (ws, rest) = rest.split_first_chunk::<8>()?;
    let (send, rest) = rest.split_first_chunk::<8>()?;
    let sealed = rest.get(..usize::from(u16::from_be_bytes(*length)))?;
    let id = |bytes: &[u8; 8]| Id(i64::from_be_bytes(*bytes));
    (!sealed.is_empty()).then(|| ((id(ws), id(send)), sealed.to_vec()))
}

impl Store {
    /// Notes that the provider took a send, under these ids. To be held until [`Store::update_send`] has said so.
    pub async fn note_taken(&self, send: &SendRow, ids: &[String]) -> Result<Note> {
        let sealer = self.sealer(send.workspace, send.conversation.as_ref(), send.id).await?;
        let sealed = sealer.seal_json(send.workspace.0, "send.taken", send.id.0, &ids)?;
        Ok(Note { store: self.clone(), slot: self.notes.write(send.workspace, send.id, &sealed) })
    }

    /// The ids under which the provider took a send, when the process ended before its row could say so.
    pub async fn was_taken(&self, send: &SendRow) -> Result<Option<Vec<String>>> {
        let Some(sealed) = self.notes.found.lock().remove(&(send.workspace, send.id)) else { return Ok(None) };
        let sealer = self.sealer(send.workspace, send.conversation.as_ref(), send.id).await?;
        match sealer.open_json(send.workspace.0, "send.taken", send.id.0, &sealed) {
            Ok(ids) => Ok(Some(ids)),
            // Torn, or of another life of this file: as if it were not there.
            Err(StoreError::Unreadable(_)) => Ok(None),
            Err(error) => Err(error),
        }
    }
}
