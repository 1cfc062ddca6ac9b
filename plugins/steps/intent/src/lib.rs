//! Tells what somebody wants, of intents that are given by examples; or that it is none of them. There is nothing to train and no
//! model to keep: each call reads the examples (`terms`), compares the text with them and weighs the nearest against each other
//! (`near`), and says how sure that is (`sure`).

mod alike;
pub mod near;
mod solve;
pub mod sure;
mod terms;

use std::collections::BTreeMap;

use near::Examples;
use pointsman_sdk::prelude::*;
use pointsman_words::cut::MOST;

/// The step plugin.
pub struct Intent;

/// So many examples at most, with so many characters in all: a call that reads them ends in less than half of its 50 ms.
const EXAMPLES: usize = 5_000;
const CHARACTERS: usize = 200_000;

/// What the workflow passes.
#[derive(Debug, Deserialize)]
pub struct Input {
    text: Option<String>,
    intents: Option<BTreeMap<String, Vec<String>>>,
    other: Option<Vec<String>>,
    threshold: Option<f64>,
}

/// The operator's settings.
#[derive(Debug, Deserialize)]
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
        let intents = input.intents.or(config.intents).unwrap_or_default();
        let other = input.other.or(config.other).unwrap_or_default();
        let threshold = input.threshold.or(config.threshold).unwrap_or(sure::THRESHOLD);
        if let Some((empty, _)) = intents.iter().find(|(_, texts)| texts.iter().all(|text| text.trim().is_empty())) {
            return Err(Failure::rejected("no-examples", format!("the intent {empty} has no examples: give it two or more")));
        }
        if intents.is_empty() {
            return Err(Failure::rejected("examples", "there are no intents: give one or more, each with its examples"));
        }
        let texts = || intents.values().flatten().chain(&other);
        let (count, characters) = (texts().count(), texts().map(|text| text.chars().take(MOST).count()).sum::<usize>());
        if count > EXAMPLES || characters > CHARACTERS {
            return Err(Failure::rejected(
                "examples",
                format!(
                    "there are {count} examples with {characters} characters, and a call can read {EXAMPLES} with {CHARACTERS}: leave \
                     out the longest and those that say the same, or put a step before this one that tells groups of intents apart"
                ),
            ));
        }
        let examples = intents.iter().flat_map(|(name, texts)| texts.iter().map(|text| (Some(name.as_str()), text.as_str())));
        let mut examples = Examples::new(examples.chain(other.iter().map(|text| (None, text.as_str()))));
        let Some(found) = examples.near(&input.text.unwrap_or_default()) else {
            return Ok(Output { intent: None, confidence: 0.0, candidates: Vec::new() });
        };
        let confidence = sure::sure(&found);
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
