//! Knowledge bases as they go in and come out.

use pointsman_core::clock::Instant;
use pointsman_core::id::Id;
use serde::Serialize;

/// A knowledge base.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct KnowledgeBase {
    /// Its id.
    pub id: Id,
    /// What steps call it by.
    pub name: String,
    /// In which language its texts are read, where that was said: an ISO 639-1 code.
    pub language: Option<String>,
    /// The connection that makes vectors of its passages, where there is one.
    pub embed: Option<String>,
    /// When it was made.
    pub at: Instant,
    /// Another after every change.
    pub version: Id,
}

/// A source of a base, without its words.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct KnowledgeSource {
    /// The path under which it was given.
    pub name: String,
    /// Under which its passages are kept. Another after every change.
    pub id: Id,
    /// Of its bytes and of how they were read.
    pub hash: String,
    /// `markdown`, `csv`, ...
    pub kind: String,
    /// When it was read last.
    pub at: Instant,
    /// How many passages it has.
    pub passages: u64,
}

/// A source that was read anew.
#[derive(Debug, Clone)]
pub struct NewSource {
    /// The path under which it was given.
    pub name: String,
    /// Of its bytes and of how they were read.
    pub hash: String,
    /// `markdown`, `csv`, ...
    pub kind: String,
    /// Its counted words.
    pub words: Vec<u8>,
    /// Its passages, each as bytes of the caller's own making.
    pub passages: Vec<Vec<u8>>,
    /// Vectors that are known already.
    pub vectors: Vec<VectorRow>,
}

/// Vectors of some passages of a source, one after the other.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VectorRow {
    /// The first of these passages.
    pub n: u32,
    /// Whose vectors they are.
    pub model: String,
    /// The vectors, as bytes of the caller's own making.
    pub body: Vec<u8>,
}
