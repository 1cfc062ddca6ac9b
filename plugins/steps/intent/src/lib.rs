//! Tells what somebody wants, of intents that are given by examples; or that it is none of them. There is nothing to train and no
//! model to keep: each call compares the text with the examples and weighs the nearest against each other (`near`).

pub mod near;
pub mod sure;

use std::collections::BTreeMap;

use near::Examples;
use pointsman_sdk::prelude::*;

/// The step plugin.
pub struct Intent;

/// How sure a guess must be to be told.
const THRESHOLD: f64 = 0.25;

/// A call must end in time.
const MOST: usize = 5_000;

/// What the workflow passes.
#[derive(Debug, Deserialize)]
pub struct Input {
    text: Option<String>,
    #[serde(flatten)]
    own: Config,
}

/// The operator's settings.
#[derive(Debug, Default, Deserialize)]
pub struct Config {
    intents: Option<BTreeMap<String, Vec<String>>>,
    other: Option<Vec<String>>,
    threshold: Option<f64>,
}

/// What later steps see.
#[derive(Debug, Serialize)]
pub struct Output {
    intent: Option<String>,
    confidence: f64,
    candidates: Vec<Candidate>,
}

/// An intent that it may be.
#[derive(Debug, Serialize)]
pub struct Candidate {
    intent: String,
    confidence: f64,
}

impl Step for Intent {
    type Input = Input;
    type Config = Config;
    type Output = Output;

    fn run(_: &Context, input: Input, config: Config) -> Result<Output, Failure> {
        let intents = input.own.intents.or(config.intents).unwrap_or_default();
        let other = input.own.other.or(config.other).unwrap_or_default();
        let threshold = input.own.threshold.or(config.threshold).unwrap_or(THRESHOLD);
        if let Some((empty, _)) = intents.iter().find(|(_, texts)| texts.iter().all(|text| text.trim().is_empty())) {
            return Err(Failure::rejected("no-examples", format!("the intent {empty} has no examples: give it two or more")));
        }
        let count = intents.values().map(Vec::len).sum::<usize>() + other.len();
        if intents.is_empty() || count > MOST {
            return Err(Failure::rejected(
                "examples",
                format!(
                    "there are {} intents with {count} examples: give 1 intent or more, and {MOST} examples at most",
                    intents.len()
                ),
            ));
        }
        let examples = intents.iter().flat_map(|(name, texts)| texts.iter().map(|text| (Some(name.as_str()), text.as_str())));
        let examples = Examples::new(examples.chain(other.iter().map(|text| (None, text.as_str()))));
        let Some(found) = examples.near(&input.text.unwrap_or_default()) else {
            return Ok(Output { intent: None, confidence: 0.0, candidates: Vec::new() });
        };
        let confidence = found.votes.first().map_or(0.0, |_| sure::sure(&found));
        let best = found.votes.first().map_or(0.0, |(_, vote)| *vote).max(f32::MIN_POSITIVE);
        let candidates: Vec<Candidate> = found
            .votes
            .iter()
            .take(3)
            .map(|(intent, vote)| Candidate {
                intent: (*intent).to_owned(),
                confidence: confidence * f64::from(vote.max(0.0) / best),
            })
            .collect();
        let intent = candidates.first().filter(|_| confidence >= threshold).map(|first| first.intent.clone());
        Ok(Output { intent, confidence, candidates })
    }
}

export_step!(Intent);

#[cfg(test)]
mod tests;
