//! How sure the best vote is: the chance that it is right, as it was on other texts. `train/sure.py` found these few numbers on
//! training lines of six sets, with some intents of each kept away, so that there were texts without one; and of each set a part with
//! a few intents alone, as a small shop has them.

use crate::near::Near;

/// The weights of [`signs`], then the offset.
pub const WEIGHTS: [f64; 5] = [8.3386, 2.4313, 2.8854, -2.7813, -3.3905];

/// How sure a guess must be to be told, where nobody says. Chosen by a rule: the highest whole hundredth at which at most 1 of 100 texts
/// that have an intent lose their right guess, as the mean of these sets, each judged by weights found on the others.
pub const THRESHOLD: f64 = 0.08;

/// What tells a good guess from a bad one.
#[must_use]
pub fn signs(near: &Near) -> [f64; 4] {
    [near.said, near.lead, near.nearest, near.known].map(f64::from)
}

/// 0 to 1.
#[must_use]
pub fn sure(near: &Near) -> f64 {
    let sum: f64 = signs(near).into_iter().chain([1.0]).zip(WEIGHTS).map(|(sign, weight)| sign * weight).sum();
    1.0 / (1.0 + (-sum).exp())
}
