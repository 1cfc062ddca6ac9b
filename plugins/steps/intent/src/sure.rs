//! How sure the best vote is: the chance that it is right, as it was on other texts. `train/sure.py` fitted these few numbers on
//! training lines of many sets, with some intents of each kept away, so that there were texts without one.

use crate::near::Near;

/// The weights of [`signs`], then the offset.
pub const WEIGHTS: [f64; 5] = [-0.8677, 4.6147, 1.2739, 1.2728, -0.2584];

/// What tells a good guess from a bad one.
#[must_use]
pub fn signs(near: &Near) -> [f64; 4] {
    let vote = |at: usize| near.votes.get(at).map_or(0.0, |(_, vote)| f64::from(*vote));
    let rival = vote(1).max(f64::from(near.other));
    let best = vote(0);
    [best, best - rival, f64::from(near.nearest), best.max(1e-3).ln()]
}

/// 0 to 1.
#[must_use]
pub fn sure(near: &Near) -> f64 {
    let sum: f64 = signs(near).into_iter().chain([1.0]).zip(WEIGHTS).map(|(sign, weight)| sign * weight).sum();
    1.0 / (1.0 + (-sum).exp())
}
