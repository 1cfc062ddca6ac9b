//! Providers in small: the real wire formats over real sockets, with faults on demand. The demo, the tests and the rehearsals
//! speak to them as to the real ones; nobody calls a function of the engine.
//!
//! An emulator is also an oracle: it keeps its own list of what it received and when, independent of the host under test.

pub mod control;
pub mod whatsapp;

#[cfg(test)]
mod tests;

pub use whatsapp::{Fault, Sent, Whatsapp, WhatsappConfig};
