//! What must never happen: tokens or words in the clear, erased words that come back, a plugin or a script that reaches
//! beyond its box.

mod broker;
mod erasure;
mod hostile;
mod keys;
mod leaks;
