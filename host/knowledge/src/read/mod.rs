//! Reads a file into entries: what is said, under which headings. A reader a format; what cannot be read ends with a code and the
//! cure, and nothing of a file is left out in silence.

mod decode;
mod html;
mod markdown;
mod outline;
mod pdf;
mod products;
mod sitemap;
mod table;

use pointsman_core::failure::{Class, Failure};
use serde::{Deserialize, Serialize};

use crate::words::Language;

/// Bytes of one file at most.
pub const LIMIT: usize = 16 << 20;

/// A file as it was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Document {
    /// How it was read.
    pub kind: Kind,
    /// In the order of the file, none of them empty. At least one, but for a [`Kind::Sitemap`].
    pub entries: Vec<Entry>,
    /// Where a page or a sitemap leads, as it says it; see [`LINKS`].
    pub links: Vec<String>,
    /// What people should know of it, each a part of a sentence: which pages gave no text.
    pub remarks: Vec<String>,
}

/// Links of one page or sitemap that are kept.
pub const LINKS: usize = 5_000;

/// How a file is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Kind {
    /// Paragraphs.
    Text,
    /// Headings and paragraphs.
    Markdown,
    /// A page.
    Html,
    /// Rows: `question` and `answer`, or `title` and `text`.
    Csv,
    /// The same as objects in a list.
    Json,
    /// The same, one object a line.
    JsonLines,
    /// Pages with numbers.
    Pdf,
    /// Addresses of pages, and no text.
    Sitemap,
}

impl Kind {
    /// As people are told.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Markdown => "markdown",
            Self::Html => "html",
            Self::Csv => "csv",
            Self::Json => "json",
            Self::JsonLines => "jsonl",
            Self::Pdf => "pdf",
            Self::Sitemap => "sitemap",
        }
    }

    /// By the end of a file's name.
    #[must_use]
    pub fn of(name: &str) -> Option<Self> {
        let (_, end) = name.rsplit_once('.')?;
        Some(match end.to_ascii_lowercase().as_str() {
            "txt" | "text" => Self::Text,
            "md" | "markdown" => Self::Markdown,
            "html" | "htm" | "xhtml" => Self::Html,
            "csv" | "tsv" => Self::Csv,
            "json" => Self::Json,
            "jsonl" | "ndjson" => Self::JsonLines,
            "pdf" => Self::Pdf,
            _ => return None,
        })
    }
}

/// One thing that is said: a section of a text, or a row of a table.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Entry {
    /// What it is cited by within its source: an anchor made of its heading, or the row's own id. Empty: the source as a whole.
    pub id: String,
    /// From the widest to its own; a question is the heading of its answer.
    pub headings: Vec<String>,
    /// Paragraphs, none empty.
    pub paragraphs: Vec<String>,
    /// Whether it answers as a whole: it was written as the answer to its heading.
    pub whole: bool,
    /// Where the file says it.
    pub language: Option<Language>,
}

/// Reads a file, by the end of its name. Refusals: `knowledge.kind`, and those of [`read_as`].
pub fn read(name: &str, bytes: &[u8]) -> Result<Document, Failure> {
    let Some(kind) = Kind::of(name) else {
        let text = format!("{name}: a file of this kind cannot be read; give .md, .txt, .html, .pdf, .csv, .json or .jsonl");
        return Err(refused("kind", text));
    };
    read_as(kind, name, bytes)
}

/// Reads what is of a kind. Refusals: `knowledge.too_large`, `knowledge.empty`, `knowledge.binary`, `knowledge.encoding`,
/// `knowledge.login_page`, `knowledge.columns`, `knowledge.json`, `knowledge.csv`, `knowledge.encrypted`, `knowledge.damaged`,
/// `knowledge.too_costly`.
pub fn read_as(kind: Kind, name: &str, bytes: &[u8]) -> Result<Document, Failure> {
    if bytes.len() > LIMIT {
        let (has, limit) = (bytes.len().div_ceil(1 << 20), LIMIT >> 20);
        return Err(refused("too_large", format!("{name} has {has} MiB; a source has at most {limit} MiB: split it")));
    }
    let text = || decode::decode(name, bytes);
    let (mut links, mut remarks) = (Vec::new(), Vec::new());
    let entries = match kind {
        Kind::Text => outline::plain(&text()?),
        Kind::Markdown => markdown::read(&text()?),
        Kind::Html => {
            let (entries, found) = html::read(name, &text()?)?;
            links = found;
            entries
        }
        Kind::Csv => table::csv(name, &text()?)?,
        Kind::Json => table::json(name, &text()?)?,
        Kind::JsonLines => table::json_lines(name, &text()?)?,
        Kind::Pdf => {
            let (entries, told) = pdf::read(name, bytes)?;
            remarks = told;
            entries
        }
        Kind::Sitemap => {
            links = sitemap::read(&text()?);
            Vec::new()
        }
    };
    let entries: Vec<Entry> = entries.into_iter().filter(|entry| !entry.paragraphs.is_empty()).collect();
    if entries.is_empty() && (links.is_empty() || kind != Kind::Sitemap) {
        return Err(refused("empty", format!("{name} holds no text")));
    }
    Ok(Document { kind, entries, links, remarks })
}

/// A refusal of a file.
pub(crate) fn refused(code: &str, message: String) -> Failure {
    Failure::new(Class::Permanent, format!("knowledge.{code}"), message)
}

#[cfg(test)]
mod tests;
