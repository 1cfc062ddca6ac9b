//! Pointsman put together: configuration, wiring, command line. The binary is three lines over this; tests use it as a
//! library.
//!
//! Errors: rooms below speak in typed, coded errors; here, where only a person reads them, they become `anyhow` with the
//! story of what was being done.

pub mod bundled;
pub mod changes;
pub mod cli;
pub mod config;
pub mod harden;
pub mod house;
pub mod packages;
pub mod reader;
pub mod shutdown;
pub mod spend;
pub mod telemetry;
pub mod trends;
pub mod versions;
pub mod why;
pub mod wiring;
pub mod words;
