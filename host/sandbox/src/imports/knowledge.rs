//! `knowledge`: search in knowledge bases. This host has none to grant yet, so every search is denied.

use pointsman_core::ports::Refusal;

use super::{Answered, answer};
use crate::ctx::Ctx;
use crate::world::knowledge::{Host, Passage};

impl Host for Ctx {
    fn search(&mut self, _: String, _: String, _: u32) -> Answered<Vec<Passage>> {
        let leg = self.called();
        answer(Err(if leg.plugin.capabilities.knowledge.is_none() {
            leg.denied("knowledge", "knowledge = { why = \"...\" }")
        } else {
            Refusal::Denied(format!(
                "denied.knowledge: this host has no knowledge base to grant to {}; go on without",
                leg.plugin.id
            ))
        }))
    }
}
