//! What a business knows, made searchable: its texts are read, cut into passages, and ranked for a question. Pure: no files, no
//! clock, no store. The engine keeps what comes out of here, and asks.
//!
//! ```text
//! read(name, bytes) -> Document          a file of whatever kind: entries with their headings
//! Task -> Reading                        the same and cut, as a task for another process
//! cut(&Document, language) -> [Passage]  at most so long, headings kept, each with its language
//! pack(&[Passage]) -> bytes              the hashed words of the passages of one source, as they are kept
//! Index::build([packed]) -> Index        the passages of a base, in memory; search(question, count) -> Found
//! fuse(Index, Vectors, Found, ..)        words and meaning together, where passages and question have vectors
//! quote(&Passage, question) -> text      the sentences of a passage that answer best
//! Evidence::confidence() -> 0..1         how sure it is that the best passage answers at all
//! ```
//!
//! Ranking is BM25 over stemmed words ([`words`]). It is worked out here and not by a database, so both databases rank the same.
//! Every language of a base has its own counts, and a question is read in each of them: nobody has to guess the language of
//! four words.
//!
//! Files come from wherever a business has them, and the libraries that read them were not written for enemies. So reading is a
//! task ([`Task`]) that goes to a process of its own, with little memory and time and nothing else (`host/app/src/reader`): what a
//! reader does wrong there, it does to nobody. Here it is a function from bytes to bytes, stopped by [`read::LIMIT`], which
//! follows no reference out of the file.

mod cut;
mod evidence;
mod fuse;
mod index;
pub mod metrics;
mod quote;
pub mod read;
mod task;
mod vectors;
pub mod words;

pub use cut::{Passage, cut};
pub use evidence::{Evidence, THRESHOLD};
pub use fuse::{DEPTH, Fused, Likeness, Meant, fuse};
pub use index::{Found, Hit, Index, Place, READING, pack};
pub use quote::quote;
pub use read::{Document, Entry, read};
pub use task::{Reading, Task, told, work};
pub use vectors::{Vector, Vectors, meant, pack_vectors, unpack_vectors};
pub use words::Language;
