//! The part of a passage that answers: all of a short one or of a written answer, else the sentence that has most of the question, with
//! what follows it as long as it stays short. Where no word of the question stands in it, as in another language, nothing tells which part
//! it is: then all of it, as far as a quotation goes.

use crate::cut::{Passage, sentences};
use crate::index::{Asked, Found};
use crate::words::words;

/// Bytes up to which a passage is quoted whole.
const SHORT: usize = 360;

/// Bytes of a quotation at most.
const LONGEST: usize = 1_200;

/// A part of a passage.
#[derive(Debug, Clone, PartialEq)]
pub struct Quote {
    /// What it says, word for word.
    pub text: String,
    /// Share of the question's weight that stands together in its best sentence and the heading above it, 0 to 1.
    pub near: f32,
}

/// Quotes a passage that was found.
#[must_use]
pub fn quote(passage: &Passage, found: &Found) -> Quote {
    let none = Vec::new();
    let asked = found.asked.get(&passage.language).unwrap_or(&none);
    let all: f32 = asked.iter().map(|word| word.weight).sum();
    let heading = passage.headings.last().map(|heading| words(heading, passage.language)).unwrap_or_default();
    let sentences = sentences(&passage.text);
    let weights: Vec<(f32, f32)> = sentences
        .iter()
        .map(|sentence| {
            let own = words(sentence, passage.language);
            let has =
                |of: &[crate::words::Word], word: &Asked| of.iter().any(|w| w.hash == word.hash || w.bare == Some(word.hash));
            let alone: f32 = asked.iter().filter(|word| has(&own, word)).map(|word| word.weight).sum();
            let with: f32 = asked.iter().filter(|word| has(&own, word) || has(&heading, word)).map(|word| word.weight).sum();
            (alone, with)
        })
        .collect();
    let near = weights.iter().map(|(_, with)| *with).fold(0.0, f32::max);
    let near = if all > 0.0 { near / all } else { 0.0 };
    if passage.text.len() <= SHORT || (passage.whole && passage.text.len() <= LONGEST) {
        return Quote { text: passage.text.clone(), near };
    }
    let mut best = 0;
    for (n, (alone, _)) in weights.iter().enumerate() {
        if weights.get(best).is_some_and(|(most, _)| alone > most) {
            best = n;
        }
    }
    let said = weights.iter().any(|(alone, _)| *alone > 0.0);
    let most = if said { SHORT } else { LONGEST };
    let mut text = String::new();
    for sentence in sentences.iter().skip(best) {
        if !text.is_empty() && text.len() + sentence.len() > most {
            break;
        }
        text.push_str(if text.is_empty() { "" } else { " " });
        text.push_str(sentence);
    }
    text.truncate(text.floor_char_boundary(LONGEST));
    Quote { text, near }
}
