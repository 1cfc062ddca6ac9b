//! The line on real input: a signed webhook in, a reply out, and everything around it that a provider or an operator would
//! notice.

mod channels;
mod connect;
pub mod conversation;
mod intake;
mod outbox;
mod parked;
mod shipped;
mod try_plugin;
mod waiting;
mod why;
mod workflows;
