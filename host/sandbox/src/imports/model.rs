//! `model`: language models. A guest says what it asks; which service answers, with which key and at what price, is the engine's matter and
//! stays unknown to it. What comes back is words from outside. Attacks stopped here: prompts without end, and questions without end.

use pointsman_core::failure::{Class, Failure};
use pointsman_core::model::{Completion, Prompt, Role, Turn};
use pointsman_core::permission::Permission;
use pointsman_core::ports::Refusal;
use pointsman_manifest::ModelCall;
use serde::de::DeserializeOwned;

use super::{Answered, answer};
use crate::ctx::Ctx;
use crate::json::{Unfit, parse};
use crate::past::{Question, Told};
use crate::world::model::{Completion as WitCompletion, Host, Prompt as WitPrompt, Role as WitRole};

/// Bytes of a prompt, and of the texts of one call of `embed`.
const BYTES: usize = 256 << 10;

/// Turns of a prompt, and texts of one call.
const COUNT: usize = 256;

/// Bytes of the name of a connection.
const NAME: usize = 64;

impl Ctx {
    fn may_ask(&mut self, call: ModelCall, model: Option<&str>, sizes: impl Iterator<Item = usize>) -> Result<(), Refusal> {
        let leg = self.called();
        leg.may(&Permission::Model(call), "model = { why = \"...\" }")?;
        let (count, bytes) = sizes.fold((0_usize, 0_usize), |(count, bytes), size| (count + 1, bytes.saturating_add(size)));
        if count == 0 || model.is_some_and(|name| name.is_empty() || name.len() > NAME) {
            let sentence = format!("a question to a model has a text at least, and the name of a connection 1 to {NAME} bytes");
            return Err(Refusal::Invalid(sentence));
        }
        if count > COUNT || bytes > BYTES {
            return Err(Refusal::Limit("limit.model-prompt".to_owned()));
        }
        Ok(())
    }

    /// What an earlier leg was told.
    fn told_before<T: DeserializeOwned>(&mut self, question: Question) -> Option<Result<T, Refusal>> {
        self.leg.past.told(question)
    }

    /// Counts a question that is asked now.
    fn asks(&mut self) -> Result<(), Refusal> {
        if self.leg.model_calls >= self.leg.limits.model_calls {
            return Err(Refusal::Limit("limit.model-calls".to_owned()));
        }
        self.leg.model_calls += 1;
        Ok(())
    }

    /// What the guest hears of a failure. What the ledger says, and what only a person can settle, is not the guest's to decide.
    fn unanswered(&mut self, failure: Failure) -> Refusal {
        if failure.code.starts_with("spend.") {
            self.leg.stopped = Some(failure.clone());
        }
        let said = format!("{}: {}", failure.code, failure.message);
        match failure.class {
            Class::Denied => Refusal::Denied(said),
            Class::Limit => Refusal::Limit(failure.code),
            Class::Transient | Class::RateLimited => Refusal::Unavailable(said),
            Class::Permanent | Class::Bug => Refusal::Invalid(said),
        }
    }
}

impl Host for Ctx {
    async fn chat(&mut self, prompt: WitPrompt) -> Answered<WitCompletion> {
        let schema = prompt.schema.as_ref().map_or(0, String::len);
        let sizes = prompt.turns.iter().map(|turn| turn.text.len()).chain((schema > 0).then_some(schema));
        if let Err(refusal) = self.may_ask(ModelCall::Chat, prompt.model.as_deref(), sizes) {
            return answer(Err(refusal));
        }
        let prompt = match into_core(prompt) {
            Ok(prompt) => prompt,
            Err(unfit) => return answer(Err(unfit.into())),
        };
        let question = Question::new(&["model.chat", &serde_json::to_string(&prompt).unwrap_or_default()]);
        if let Some(told) = self.told_before::<Completion>(question) {
            return answer(told.map(for_guest));
        }
        let told = match self.asks().and_then(|()| self.leg.reader()) {
            Ok(host) => host.chat(prompt).await.map_err(|failure| self.unanswered(failure)),
            Err(refusal) => Err(refusal),
        };
        let given = told.clone().map(for_guest);
        self.leg.past.note(question, told.map_or_else(Told::Refused, Told::Completion));
        answer(given)
    }

    async fn embed(&mut self, model: Option<String>, texts: Vec<String>) -> Answered<Vec<Vec<f32>>> {
        if let Err(refusal) = self.may_ask(ModelCall::Embed, model.as_deref(), texts.iter().map(String::len)) {
            return answer(Err(refusal));
        }
        let mut parts = vec!["model.embed", model.as_deref().unwrap_or_default()];
        parts.extend(texts.iter().map(String::as_str));
        let question = Question::new(&parts);
        if let Some(told) = self.told_before::<Vec<Vec<f32>>>(question) {
            return answer(told);
        }
        let told = match self.asks().and_then(|()| self.leg.reader()) {
            Ok(host) => host.embed(model, texts).await.map_err(|failure| self.unanswered(failure)),
            Err(refusal) => Err(refusal),
        };
        let given = told.clone();
        self.leg.past.note(question, told.map_or_else(Told::Refused, Told::Vectors));
        answer(given)
    }
}

fn into_core(prompt: WitPrompt) -> Result<Prompt, Unfit> {
    let role = |role: WitRole| match role {
        WitRole::System => Role::System,
        WitRole::User => Role::User,
        WitRole::Assistant => Role::Assistant,
    };
    Ok(Prompt {
        model: prompt.model,
        turns: prompt.turns.into_iter().map(|turn| Turn { role: role(turn.role), text: turn.text }).collect(),
        schema: prompt.schema.map(|schema| parse(&schema)).transpose()?,
        max_tokens: prompt.max_tokens,
        temperature: prompt.temperature.filter(|t| t.is_finite()),
    })
}

fn for_guest(of: Completion) -> WitCompletion {
    WitCompletion { text: of.text, input_tokens: of.input_tokens, output_tokens: of.output_tokens, truncated: of.truncated }
}
