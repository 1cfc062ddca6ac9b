//! `http`: requests of a step. This host has no grant for them yet, so every request is denied, whatever the manifest asks
//! for; nothing is looked up and nothing leaves.

use pointsman_core::ports::Refusal;

use super::{Answered, answer};
use crate::ctx::Ctx;
use crate::world::http::Host;
use crate::world::types;

impl Host for Ctx {
    fn send(&mut self, _: types::HttpRequest) -> Answered<types::HttpResponse> {
        let leg = self.called();
        answer(Err(if leg.plugin.capabilities.http.is_empty() {
            leg.denied("http", "http = [{ host = \"api.example.com\", methods = [\"GET\"], why = \"...\" }]")
        } else {
            Refusal::Denied(format!(
                "denied.http: this host grants no requests to steps, so none to {}; go on without",
                leg.plugin.id
            ))
        }))
    }
}
