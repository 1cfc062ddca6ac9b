//! `[models]`: what questions to language models may cost, how long they may take, and what may be told to them. Which models there are is
//! no matter of this file: `pointsman model add`.

use std::collections::BTreeMap;

use pointsman_embed::{Embedder, EmbedderConfig};
use pointsman_engine::model::ModelsConfig;
use pointsman_model::{Price, price};
use pointsman_store::Caps;
use serde::Deserialize;

/// What runs models at home: the hidden verb of `program` or, when that is empty, of this program, also when its file was replaced by
/// another version meanwhile.
#[must_use]
pub fn embedder(program: &str) -> Embedder {
    let program = if program.is_empty() { "/proc/self/exe" } else { program };
    Embedder::new(EmbedderConfig::new(vec![program.into(), "embed".into()]))
}

/// Questions to models.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Models {
    /// Milliseconds for one question, with every try and every connection.
    pub timeout: u32,
    /// Tokens of an answer, at most.
    pub max_tokens: u32,
    /// Whether phone numbers, mail addresses and card numbers stay in the house.
    pub redact: bool,
    /// For how many seconds the same question of the same contact has the same answer; 0: each is asked.
    pub cache: u32,
    /// What a workspace may spend in a day; 0: no bound.
    pub cap_day: f64,
    /// In a month.
    pub cap_month: f64,
    /// What a workflow may spend in a day.
    pub cap_workflow: f64,
    /// What may be spent for a contact in a day.
    pub cap_contact: f64,
    /// The folder of the models that the host itself runs, by their hash.
    pub folder: String,
    /// The program that runs them. Empty: this one.
    pub program: String,
    /// What models cost, by their name: `{ input, output }` for a million tokens.
    #[serde(default)]
    pub prices: BTreeMap<String, Price>,
}

impl Models {
    /// As the engine takes it.
    #[must_use]
    pub fn engine(&self) -> ModelsConfig {
        ModelsConfig {
            timeout: self.timeout.into(),
            max_tokens: self.max_tokens,
            redact: self.redact,
            cache: i64::from(self.cache) * 1_000,
            caps: self.caps(),
            prices: self.prices.clone(),
        }
    }

    /// What may be spent.
    #[must_use]
    pub fn caps(&self) -> Caps {
        let cap = |value: f64| (value > 0.0).then(|| price::amount(value));
        Caps {
            day: cap(self.cap_day),
            month: cap(self.cap_month),
            workflow: cap(self.cap_workflow),
            contact: cap(self.cap_contact),
        }
    }
}
