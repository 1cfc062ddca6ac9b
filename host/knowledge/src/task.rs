//! Reading as a task for another process: what is to be read goes in as bytes, what was read comes back as bytes. Whoever has
//! files of others to read gives them to a process that is thrown away, so neither a mistake of a reader nor a file made to
//! exhaust one harms more than that.

use pointsman_core::failure::Failure;
use serde::{Deserialize, Serialize};

use crate::cut::{Passage, cut};
use crate::read::{self, Kind, refused};
use crate::words::Language;

/// Passages of one source at most.
const PASSAGES: usize = 100_000;

/// What is to be read. The bytes stand behind it.
#[derive(Debug, Serialize, Deserialize)]
pub struct Task<'a> {
    /// What people call it.
    pub name: &'a str,
    /// `None`: by the end of its name.
    pub kind: Option<Kind>,
    /// In which language it is read, where that was said.
    pub language: Option<Language>,
}

/// What was read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reading {
    /// How it was read.
    pub kind: Kind,
    /// None for a [`Kind::Sitemap`].
    pub passages: Vec<Passage>,
    /// Where a page or a sitemap leads, as it says it.
    pub links: Vec<String>,
    /// What people should know of it, each a part of a sentence.
    pub remarks: Vec<String>,
}

/// A refusal on its way: code and message. All are permanent: the same bytes are refused again.
type Told = Result<Reading, (String, String)>;

impl Task<'_> {
    /// The task with its bytes, for [`work`].
    #[must_use]
    pub fn with(&self, bytes: &[u8]) -> Vec<u8> {
        let mut task = postcard::to_allocvec(self).unwrap_or_default();
        task.extend_from_slice(bytes);
        task
    }

    /// Reads. Refusals are those of [`read::read`] and [`read::read_as`].
    pub fn read(&self, bytes: &[u8]) -> Result<Reading, Failure> {
        let document = match self.kind {
            Some(kind) => read::read_as(kind, self.name, bytes)?,
            None => read::read(self.name, bytes)?,
        };
        let passages = cut(&document, self.language);
        if passages.len() > PASSAGES {
            let text = format!("{} gives {} passages; a source has at most {PASSAGES}: split it", self.name, passages.len());
            return Err(refused("too_large", text));
        }
        Ok(Reading { kind: document.kind, passages, links: document.links, remarks: document.remarks })
    }
}

/// Does a task: for [`told`]. `Err`: it is none.
pub fn work(task: &[u8]) -> Result<Vec<u8>, String> {
    let (task, bytes) = postcard::take_from_bytes::<Task<'_>>(task).map_err(|e| e.to_string())?;
    let told: Told = task.read(bytes).map_err(|failure| (failure.code, failure.message));
    postcard::to_allocvec(&told).map_err(|e| e.to_string())
}

/// What came of a task; `None` when these are no such words.
#[must_use]
pub fn told(answer: &[u8]) -> Option<Result<Reading, Failure>> {
    let told: Told = postcard::from_bytes(answer).ok()?;
    // Whoever read it may be in the hands of the file: it refuses with no code but its own.
    let code = |code: String| code.strip_prefix("knowledge.").map_or_else(|| "damaged".to_owned(), str::to_owned);
    Some(told.map_err(|(own, message)| refused(&code(own), message)))
}
