//! Tells which language a text is in, without a model's service: by its script, and by words and pieces of words. A workspace that
//! says which languages it has is served better than one that leaves it open, the more so among neighbours.

use pointsman_sdk::prelude::*;
use pointsman_words::{Bag, language};

/// The step plugin.
pub struct Language;

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
    language: Option<&'static str>,
    confidence: f32,
    candidates: Vec<Candidate>,
}

/// A language that it may be.
#[derive(Debug, Serialize)]
pub struct Candidate {
    language: &'static str,
    confidence: f32,
}

impl Step for Language {
    type Input = Input;
    type Config = Config;
    type Output = Output;

    fn run(_: &Context, input: Input, config: Config) -> Result<Output, Failure> {
        let among = input.languages.unwrap_or(config.languages);
        if let Some(unknown) = among.iter().find(|one| language::known().all(|known| known != one.as_str())) {
            let known: Vec<&str> = language::known().collect();
            return Err(Failure::rejected(
                "unknown-language",
                format!("`languages` names {unknown}, which is not among {}", known.join(", ")),
            ));
        }
        let text = input.text.unwrap_or_default();
        let guesses = language::detect(&text, &Bag::of(&text), &among);
        let first = guesses.first();
        Ok(Output {
            language: first.map(|guess| guess.language),
            confidence: first.map_or(0.0, |guess| guess.confidence),
            candidates: guesses
                .iter()
                .take(3)
                .map(|guess| Candidate { language: guess.language, confidence: guess.confidence })
                .collect(),
        })
    }
}

export_step!(Language);

#[cfg(test)]
mod tests {
    use super::*;
    use pointsman_sdk::testing;

    fn run(input: Value, config: Value) -> Result<Value, Failure> {
        testing::run::<Language>(testing::Host::default(), input, config).result
    }

    #[test]
    fn a_text_has_a_language_and_neighbours() {
        let told = run(json!({ "text": "Kak, roti sourdough masih ada? Saya mau pesan dua ya" }), json!({})).unwrap();
        assert_eq!(told["language"], "id");
        let candidates = told["candidates"].as_array().unwrap();
        assert_eq!(candidates.len(), 3);
        assert_eq!(candidates[0]["confidence"], told["confidence"]);
        assert!(told["confidence"].as_f64().unwrap() > 0.5, "{told}");
    }

    #[test]
    fn the_call_limits_more_than_the_settings_do() {
        let text = "Berapa harganya?";
        let told = run(json!({ "text": text, "languages": ["en", "ms"] }), json!({ "languages": ["id"] })).unwrap();
        assert_eq!(told["language"], "ms");
        assert_eq!(run(json!({ "text": text }), json!({ "languages": ["id", "en"] })).unwrap()["language"], "id");
        let refused = run(json!({ "text": text, "languages": ["en", "klingon"] }), json!({})).unwrap_err();
        assert!(refused.code == "unknown-language" && refused.message.contains("klingon"), "{refused:?}");
    }

    #[test]
    fn a_text_without_words_has_none() {
        for input in [json!({}), json!({ "text": null }), json!({ "text": "" }), json!({ "text": "👍🏽 1234 !!" })] {
            assert_eq!(run(input, json!({})).unwrap(), json!({ "language": null, "confidence": 0.0, "candidates": [] }));
        }
    }
}
