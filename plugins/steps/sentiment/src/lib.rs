//! Tells whether a text is positive, neutral or negative, without a model's service: a linear model a language, over words and
//! pieces of words. Which languages it has learnt, from what, and how well: `train/MODEL.md`.

mod model;
pub mod tone;

use model::Mood;
use pointsman_sdk::prelude::*;
use pointsman_words::{Bag, language};

/// The step plugin.
pub struct Sentiment;

/// What the workflow passes.
#[derive(Debug, Deserialize)]
pub struct Input {
    text: Option<String>,
    languages: Option<Vec<String>>,
}

/// The operator's settings.
#[derive(Debug, Deserialize)]
pub struct Config {
    #[serde(default)]
    languages: Vec<String>,
}

/// What later steps see.
#[derive(Debug, Serialize)]
pub struct Output {
    label: &'static str,
    score: f32,
    confidence: f32,
    language: Option<&'static str>,
    learnt: bool,
}

impl Step for Sentiment {
    type Input = Input;
    type Config = Config;
    type Output = Output;

    fn run(_: &Context, input: Input, config: Config) -> Result<Output, Failure> {
        let text = input.text.unwrap_or_default();
        let bag = Bag::of(&text);
        if bag.is_empty() {
            return Ok(Output { label: "neutral", score: 0.0, confidence: 0.0, language: None, learnt: false });
        }
        let guesses = language::detect(&text, &bag, &input.languages.unwrap_or(config.languages));
        let Mood { negative, neutral, positive } = model::mood(&bag, &tone::signs(&text), &guesses);
        let (label, confidence) = if neutral >= negative && neutral >= positive {
            ("neutral", neutral)
        } else if positive > negative {
            ("positive", positive)
        } else {
            ("negative", negative)
        };
        let language = guesses.first().map(|guess| guess.language);
        Ok(Output { label, score: positive - negative, confidence, language, learnt: language.is_some_and(model::learnt) })
    }
}

export_step!(Sentiment);

#[cfg(test)]
mod tests;
