//! The line on real input: a signed webhook in, a reply out, and everything around it that a provider or an operator would
//! notice.

mod calls;
mod channels;
mod connect;
pub mod conversation;
mod gather;
mod intake;
mod knowledge;
mod models;
mod outbox;
mod packages;
mod parked;
mod requests;
mod shipped;
mod sites;
mod sources;
mod spend;
mod trends;
mod triggers;
mod try_plugin;
mod vectors;
mod versions;
pub mod waiting;
mod why;
mod workflows;
