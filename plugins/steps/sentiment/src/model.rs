//! The models, one after the other in one file, and how they are asked: a text whose language is in doubt is put to those of each
//! likely language, and each counts as much as its language is likely.

use pointsman_words::Bag;
use pointsman_words::language::Guess;
use pointsman_words::linear::{Counts, Linear, softmax};

/// In the order of the file; one more, which learnt from all, is there for every other language.
const LANGUAGES: [&str; 6] = ["ar", "en", "id", "jv", "pt", "su"];

/// Negative, neutral, positive.
const CLASSES: usize = 3;

static MODELS: &[u8] = include_bytes!("model.bin");

/// A language that is less likely is not asked.
const LIKELY: f32 = 0.05;

/// Three parts of one.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Mood {
    pub(crate) negative: f32,
    pub(crate) neutral: f32,
    pub(crate) positive: f32,
}

/// Whether a model of this language is there.
pub(crate) fn learnt(language: &str) -> bool {
    LANGUAGES.contains(&language)
}

/// The mood of a text that is in one of these languages.
pub(crate) fn mood(bag: &Bag, tone: Counts, guesses: &[Guess]) -> Mood {
    let mut parts = [0.0; LANGUAGES.len() + 1];
    for guess in guesses.iter().filter(|guess| guess.confidence >= LIKELY) {
        let at = LANGUAGES.iter().position(|language| *language == guess.language).unwrap_or(LANGUAGES.len());
        if let Some(part) = parts.get_mut(at) {
            *part += guess.confidence;
        }
    }
    let sum: f32 = parts.iter().sum();
    if let Some(rest) = parts.last_mut().filter(|_| sum == 0.0) {
        // Signs alone, or a script that no language is known of.
        *rest = 1.0;
    }
    let mut mood = Mood::default();
    for (part, file) in parts.iter().zip(MODELS.chunks(MODELS.len() / parts.len())).filter(|(part, _)| **part > 0.0) {
        let Some(model) = Linear::new(file, CLASSES) else { continue };
        if let [negative, neutral, positive] = *softmax(&model.scores(&[&bag.words, &bag.letters, tone])) {
            let share = part / sum.max(f32::MIN_POSITIVE).max(*part);
            mood.negative += share * negative;
            mood.neutral += share * neutral;
            mood.positive += share * positive;
        }
    }
    mood
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_file_holds_a_model_for_each() {
        let count = LANGUAGES.len() + 1;
        assert_eq!(MODELS.len() % count, 0);
        assert!(MODELS.chunks(MODELS.len() / count).all(|file| Linear::new(file, CLASSES).is_some()));
    }

    #[test]
    fn moods_are_parts_of_one_whatever_the_languages() {
        let bag = Bag::of("the bread was very good");
        for guesses in [
            vec![],
            vec![Guess { language: "en", confidence: 1.0 }],
            vec![Guess { language: "en", confidence: 0.5 }, Guess { language: "de", confidence: 0.3 }],
            vec![Guess { language: "fr", confidence: 0.02 }],
        ] {
            let Mood { negative, neutral, positive } = mood(&bag, &[], &guesses);
            assert!((negative + neutral + positive - 1.0).abs() < 1e-4, "{guesses:?}");
        }
    }
}
