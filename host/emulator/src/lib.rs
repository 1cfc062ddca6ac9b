//! Providers in small: the real wire formats over real sockets, with faults on demand. The demo, the tests and the rehearsals
//! speak to them as to the real ones; nobody calls a function of the engine.
//!
//! An emulator is also an oracle: it keeps its own list of what it received and when, independent of the host under test.
//!
//! What all of them share: faults of answers and of webhooks ([`Fault`], [`HookFault`]), where webhooks go
//! ([`Subscription`]), what a contact sees ([`Line`]), and a small door for who plays the contact (`/_emulator/..`).

mod control;
mod desk;
mod fault;
mod hook;
mod llm;
mod log;
mod talk;
pub mod telegram;
pub mod whatsapp;

#[cfg(test)]
mod tests;

pub use fault::{Fault, HookFault};
pub use hook::{Change, HELD, Subscription, Undelivered};
pub use llm::{Asked, Llm, LlmConfig, Mode};
pub use talk::{Button, By, Contact, Line, unix_us};
pub use telegram::{Call, Share, Telegram, TelegramConfig};
pub use whatsapp::{Sent, Whatsapp, WhatsappConfig};
