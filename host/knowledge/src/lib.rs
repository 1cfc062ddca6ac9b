//! What a business knows, made searchable: its texts are read, cut into passages, and ranked for a question. Pure: no files, no
//! clock, no store. The engine keeps what comes out of here, and asks.
//!
//! ```text
//! read(name, bytes) -> Document          a file of whatever kind: entries with their headings
//! cut(&Document, language) -> [Passage]  at most so long, headings kept, each with its language
//! pack(&[Passage]) -> bytes              the hashed words of the passages of one source, as they are kept
//! Index::build([packed]) -> Index        the passages of a base, in memory; search(question, count) -> Found
//! quote(&Passage, question) -> text      the sentences of a passage that answer best
//! Evidence::confidence() -> 0..1         how sure it is that the best passage answers at all
//! ```
//!
//! Ranking is BM25 over stemmed words ([`words`]). It is worked out here and not by a database, so both databases rank the same.
//! Every language of a base has its own counts, and a question is read in each of them: nobody has to guess the language of
//! four words.
//!
//! Files are read natively, not in the box, because what is read are texts of a few formats that the operator hands over on the
//! command line: the readers are safe Rust without IO, linear in their input, stopped by [`read::LIMIT`], and follow no reference out
//! of the file. What strangers send, or a format that needs a real parser (PDF, office files), belongs into the box.

mod cut;
mod evidence;
mod index;
pub mod metrics;
mod quote;
pub mod read;
pub mod words;

pub use cut::{Passage, cut};
pub use evidence::{Evidence, THRESHOLD};
pub use index::{Found, Hit, Index, Place, READING, pack};
pub use quote::quote;
pub use read::{Document, Entry, read};
pub use words::Language;
