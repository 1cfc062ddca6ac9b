//! What a guest may call, one file an interface. Each asks first whether the manifest covers the call; an answer of
//! `denied` names the line that would allow it, and never traps.
//!
//! Every function acts on the conversation of the call: there is no parameter by which a guest could name another
//! conversation, recipient or workspace.

mod act;
mod clock;
mod conversation;
mod http;
mod knowledge;
pub(crate) mod log;
mod model;
pub(crate) mod random;
mod state;

use pointsman_core::ports::Refusal;

use crate::ctx::{Ctx, Leg};
use crate::json::Unfit;
use crate::world::{journal, types};

impl types::Host for Ctx {}
impl journal::Host for Ctx {}

/// What an import returns: the outer error ends the guest, the inner one is told to it.
type Answered<T> = wasmtime::Result<Result<T, types::Refusal>>;

impl Ctx {
    /// Counts a call and gives the leg.
    fn called(&mut self) -> &mut Leg {
        self.leg.host_calls = self.leg.host_calls.saturating_add(1);
        &mut self.leg
    }
}

impl From<Unfit> for Refusal {
    fn from(unfit: Unfit) -> Self {
        Self::Invalid(unfit.to_string())
    }
}

/// Into the two layers of an answer.
fn answer<T>(result: Result<T, Refusal>) -> Answered<T> {
    Ok(result.map_err(types::Refusal::from))
}
