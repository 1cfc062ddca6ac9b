//! What must never happen: tokens or words in the clear, erased words that come back, a plugin or a script that reaches
//! beyond its box.

mod ai_off;
mod approvals;
mod archives;
mod astray;
mod attacks;
mod broker;
mod erasure;
mod front;
mod hostile;
mod injected;
mod keys;
mod leaks;
mod packages;
mod quarantine;
mod quota;
mod tenants;
