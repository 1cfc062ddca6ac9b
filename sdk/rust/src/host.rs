//! The host's functions: the real ones in wasm, those of the test double elsewhere. One list of signatures, so that what
//! compiles natively compiles in wasm too.

#[cfg(target_arch = "wasm32")]
pub(crate) use crate::bindings::step::pointsman::plugin::{act, clock, conversation, http, knowledge, log, model, random, state};
#[cfg(not(target_arch = "wasm32"))]
pub(crate) use crate::testing::double::{act, clock, conversation, http, knowledge, log, model, random, state};
