//! How sure it is that the best passage answers the question at all. A ranking always has a first place; what tells an answer from
//! the least bad passage is how much of the question stands in it, how close together, and how far it is ahead.
//!
//! The weights are a logistic regression over questions whose answer was in the base or had been taken out of it, in four
//! languages; `calibrate/fit.py` fits them from what `pointsman knowledge search --jsonl` prints. Where a base has vectors the likeness of
//! question and passage speaks too.

use serde::Serialize;

use crate::fuse::Likeness;
use crate::index::Found;

/// From here on an answer counts as found: the confidence that nine of ten questions reach whose answer is there.
pub const THRESHOLD: f32 = 0.5;

const BIAS: f32 = -7.842;
const COVERAGE: f32 = 1.253;
const SHARE: f32 = 10.834;
const LEAD: f32 = 0.631;
const NEAR: f32 = 3.357;
const MATCHED: f32 = 2.532;

/// With the vectors of multilingual-e5-small, whose cosines all lie between 0.7 and 1: where the base speaks the question's language what the
/// words say counts too, and across languages texts that belong together lie further apart.
const SPOKEN_BIAS: f32 = -40.34;
const SPOKEN_COSINE: f32 = 47.279;
const SPOKEN_WORDS: f32 = 0.546;
const ACROSS_BIAS: f32 = -79.553;
const ACROSS_COSINE: f32 = 102.321;

/// As far as what the words say counts beside a likeness.
const SURE: f32 = 6.0;

/// What speaks for the best passage. Shares from 0 to 1.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
pub struct Evidence {
    /// Weight of the question's words that the passage has.
    pub coverage: f32,
    /// Its score, of what could be reached.
    pub share: f32,
    /// How far it is ahead of the next one.
    pub lead: f32,
    /// Weight of the question's words that stand together in one sentence of it, with its heading.
    pub near: f32,
    /// How many of the question's words it has.
    pub matched: usize,
    /// How alike question and passage are, by a model whose scale is known.
    pub likeness: Option<Likeness>,
}

impl Evidence {
    /// Of a search; `near` is the best passage's ([`crate::quote`]).
    #[must_use]
    pub fn of(found: &Found, near: f32) -> Self {
        let share = |n: usize| found.hits.get(n).map_or(0.0, |hit| hit.share);
        let lead = if share(0) > 0.0 { (share(0) - share(1)) / share(0) } else { 0.0 };
        Self { coverage: found.coverage, share: share(0), lead, near, matched: found.matched.0, likeness: None }
    }

    /// How likely the passage answers, 0 to 1.
    #[must_use]
    pub fn confidence(&self) -> f32 {
        let sum = match self.likeness {
            None if self.matched == 0 => return 0.0,
            None => self.words(),
            Some(Likeness { cosine, spoken: true }) => {
                SPOKEN_BIAS + SPOKEN_COSINE * cosine + SPOKEN_WORDS * self.words().clamp(-SURE, SURE)
            }
            Some(Likeness { cosine, spoken: false }) => ACROSS_BIAS + ACROSS_COSINE * cosine,
        };
        1.0 / (1.0 + (-sum).exp())
    }

    /// What the words say, as the logarithm of odds.
    fn words(&self) -> f32 {
        if self.matched == 0 {
            return -SURE;
        }
        let matched = (self.matched.min(8) as f32).ln_1p();
        BIAS + COVERAGE * self.coverage + SHARE * self.share + LEAD * self.lead + NEAR * self.near + MATCHED * matched
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn likeness_and_words_together_tell_an_answer() {
        let said = Evidence { coverage: 0.9, share: 0.5, lead: 0.4, near: 0.9, matched: 4, likeness: None };
        let like = |cosine, spoken, evidence: Evidence| {
            Evidence { likeness: Some(Likeness { cosine, spoken }), ..evidence }.confidence() >= THRESHOLD
        };
        let unsaid = Evidence::default();
        assert!(said.confidence() > 0.9 && unsaid.confidence() == 0.0);
        // Without a word in common it must lie nearer.
        assert_eq!([0.80, 0.84, 0.95].map(|cosine| like(cosine, true, said)), [true, true, true]);
        assert_eq!([0.80, 0.84, 0.95].map(|cosine| like(cosine, true, unsaid)), [false, false, true]);
        assert!(!like(0.70, true, said), "words alone do not win against what is meant");
        // Across languages words are nothing, and all lies further apart.
        assert_eq!([0.76, 0.80].map(|cosine| like(cosine, false, unsaid)), [false, true]);
        assert_eq!([0.76, 0.80].map(|cosine| like(cosine, false, said)), [false, true]);
    }
}
