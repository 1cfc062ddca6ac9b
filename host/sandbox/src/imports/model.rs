//! `model`: language models. This host has none to grant yet, so every call is denied.

use pointsman_core::permission::Permission;
use pointsman_core::ports::Refusal;
use pointsman_manifest::ModelCall;

use super::{Answered, answer};
use crate::ctx::Ctx;
use crate::world::model::{Completion, Host, Prompt};

impl Ctx {
    fn no_model(&mut self, call: ModelCall) -> Refusal {
        let leg = self.called();
        leg.may(&Permission::Model(call), "model = { why = \"...\" }").err().unwrap_or_else(|| {
            Refusal::Denied(format!("denied.model: this host has no language model to grant to {}; go on without", leg.plugin.id))
        })
    }
}

impl Host for Ctx {
    fn chat(&mut self, _: Prompt) -> Answered<Completion> {
        answer(Err(self.no_model(ModelCall::Chat)))
    }

    fn embed(&mut self, _: Option<String>, _: Vec<String>) -> Answered<Vec<Vec<f32>>> {
        answer(Err(self.no_model(ModelCall::Embed)))
    }
}
