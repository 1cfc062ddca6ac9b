//! The end of a write-ahead log, looked at before SQLite reads it. SQLite takes over whole commits up to the first frame that
//! does not fit, and says nothing of what follows. Mostly that is a commit which the process was killed in: nobody was told that
//! it is done. But frames of the same log behind one that is damaged were commits, and may have been acknowledged.
//!
//! The form is SQLite's (fileformat2, "The Write-Ahead Log"): 32 bytes of head, then frames of 24 bytes and a page. A checksum
//! runs over all of them; salts tell the frames of this log from older ones whose place it takes.

use std::fs::File;
use std::io::{self, BufReader, Read as _};
use std::path::Path;

use crate::types::Place;

/// What SQLite will not take over.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Torn {
    /// Bytes up to the end of the last whole commit.
    pub whole: u64,
    /// Frames of this log after it.
    pub frames: u64,
    /// Of these, frames that end a commit: acknowledged, perhaps.
    pub commits: u64,
}

/// Looks at the log beside a database; `None` when it ends with a whole commit, or there is none.
pub(crate) fn look(database: &Path) -> io::Result<Option<Torn>> {
    let mut name = database.as_os_str().to_owned();
    name.push("-wal");
    let file = match File::open(name) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    let size = file.metadata()?.len();
    let mut log = BufReader::with_capacity(1 << 20, file);
    let mut head = [0; 32];
    // A log whose head is not whole holds no commit.
    if size < 32 || log.read_exact(&mut head).is_err() {
        return Ok(None);
    }
    let little = match word(&head, 0) {
        0x377f_0682 => true,
        0x377f_0683 => false,
        _ => return Ok(None),
    };
    let (page, salts) = (word(&head, 8) as usize, (word(&head, 16), word(&head, 20)));
    let mut sum = checksum((0, 0), head.get(..24).unwrap_or_default(), little);
    if sum != (word(&head, 24), word(&head, 28)) || !(512..=65_536).contains(&page) {
        return Ok(None);
    }
    let mut torn = Torn { whole: 32, ..Torn::default() };
    let mut frame = vec![0; 24 + page];
    let (mut read, mut fits) = (32, true);
    while size - read >= 24 {
        let left = usize::try_from(size - read).unwrap_or(usize::MAX).min(frame.len());
        let frame = frame.get_mut(..left).unwrap_or_default();
        log.read_exact(frame)?;
        read += left as u64;
        if (word(frame, 8), word(frame, 12)) != salts {
            break;
        }
        sum = checksum(checksum(sum, frame.get(..8).unwrap_or_default(), little), frame.get(24..).unwrap_or_default(), little);
        fits &= left == 24 + page && sum == (word(frame, 16), word(frame, 20));
        let commit = word(frame, 4) != 0;
        if fits && commit {
            torn = Torn { whole: read, ..Torn::default() };
        } else {
            torn.frames += 1;
            torn.commits += u64::from(commit && left == 24 + page);
        }
    }
    Ok((torn.frames > 0).then_some(torn))
}

/// The big-endian number at this place; 0 beyond the end.
fn word(bytes: &[u8], at: usize) -> u32 {
    bytes.get(at..at + 4).and_then(|b| b.try_into().ok()).map_or(0, u32::from_be_bytes)
}

/// SQLite's running checksum over words of eight bytes, in the order of bytes that the head names.
fn checksum((mut a, mut b): (u32, u32), bytes: &[u8], little: bool) -> (u32, u32) {
    let read = |four: &[u8]| {
        let word = four.try_into().unwrap_or_default();
        if little { u32::from_le_bytes(word) } else { u32::from_be_bytes(word) }
    };
    for eight in bytes.chunks_exact(8) {
        let (first, second) = eight.split_at(4);
        a = a.wrapping_add(read(first)).wrapping_add(b);
        b = b.wrapping_add(read(second)).wrapping_add(a);
    }
    (a, b)
}

/// Tells the operator what will be cut.
pub(crate) fn tell(place: &Place) {
    // A server looks after its own log.
    let Place::Sqlite(file) = place else { return };
    let shown = file.display();
    match look(file) {
        Ok(None) => {}
        Ok(Some(Torn { whole, frames, commits: 0 })) => {
            tracing::warn!(
                file = %shown, whole, frames,
                "the write-ahead log ends in a commit that was never finished: it is cut; nothing of it was acknowledged"
            );
        }
        Ok(Some(Torn { whole, frames, commits })) => {
            tracing::error!(
                file = %shown, whole, frames, commits,
                "the write-ahead log is damaged: what stands behind the damage cannot be read and is cut, and it may have been \
                 acknowledged; stop here and restore a backup, or go on and compare with what the providers have delivered"
            );
        }
        Err(error) => tracing::warn!(file = %shown, %error, "the write-ahead log cannot be looked at"),
    }
}
