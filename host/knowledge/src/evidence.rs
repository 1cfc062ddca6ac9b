//! How sure it is that the best passage answers the question at all. A ranking always has a first place; what tells an answer from
//! the least bad passage is how much of the question stands in it, how close together, and how far it is ahead.
//!
//! The weights are a logistic regression over questions whose answer was in the base or had been taken out of it, in four
//! languages; `calibrate/fit.py` fits them from what `pointsman knowledge search --jsonl` prints.

use serde::Serialize;

use crate::index::Found;

/// From here on an answer counts as found: the confidence that nine of ten questions reach whose answer is there.
pub const THRESHOLD: f32 = 0.5;

const BIAS: f32 = -7.842;
const COVERAGE: f32 = 1.253;
const SHARE: f32 = 10.834;
const LEAD: f32 = 0.631;
const NEAR: f32 = 3.357;
const MATCHED: f32 = 2.532;

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
}

impl Evidence {
    /// Of a search; `near` is the best passage's ([`crate::quote`]).
    #[must_use]
    pub fn of(found: &Found, near: f32) -> Self {
        let share = |n: usize| found.hits.get(n).map_or(0.0, |hit| hit.share);
        let lead = if share(0) > 0.0 { (share(0) - share(1)) / share(0) } else { 0.0 };
        Self { coverage: found.coverage, share: share(0), lead, near, matched: found.matched.0 }
    }

    /// How likely the passage answers, 0 to 1.
    #[must_use]
    pub fn confidence(&self) -> f32 {
        if self.matched == 0 {
            return 0.0;
        }
        let matched = (self.matched.min(8) as f32).ln_1p();
        let sum = BIAS + COVERAGE * self.coverage + SHARE * self.share + LEAD * self.lead + NEAR * self.near + MATCHED * matched;
        1.0 / (1.0 + (-sum).exp())
    }
}
