//! The broker as a process of its own. One socket joins it to the engine's process; each frame is a question or an answer, many
//! at once, told apart by a number.
//!
//! ```text
//! broker -> engine, once    1, or 0 and why there is no broker
//! frame                     length of the rest (4 bytes, little-endian), number (8), body (postcard)
//! ```
//!
//! A question has the next number, and its answer the same one. Number 0 is for what has no answer: from the engine what it
//! does not wait for, from the broker the wish to close.
//!
//! The end of the socket is the end of the other process. The broker then finishes what is under way, notes it, and ends; an
//! engine without its broker has nothing to live for.

mod client;
mod frames;
mod server;

pub use client::{Client, Connection, connect};
pub use server::{refuse, serve};

/// Bytes of a frame at most.
const MAX_FRAME: usize = 8 << 20;
/// The greeting's first byte.
const READY: u8 = 1;
const REFUSED: u8 = 0;
/// Bytes of a refusal at most.
const MAX_REASON: usize = 16 << 10;

#[cfg(test)]
mod tests;
