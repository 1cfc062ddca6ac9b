//! Figures, each with its interval: which values a figure would have had for other draws of as many lines.

use std::collections::BTreeSet;

/// How often lines are drawn anew.
const DRAWS: usize = 1000;

/// A figure and the bounds between which 95 of 100 draws lie.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Estimate {
    pub(super) value: f64,
    pub(super) low: f64,
    pub(super) high: f64,
    /// How many lines it was measured on.
    pub(super) lines: usize,
}

/// A figure of all items and its interval by the bootstrap: as many items drawn with replacement, by a fixed seed.
pub(super) fn estimate<T: Copy>(items: &[T], figure: impl Fn(&[T]) -> f64) -> Estimate {
    let mut seed = 0x9e37_79b9_7f4a_7c15;
    let mut drawn: Vec<f64> = (0..DRAWS)
        .map(|_| {
            let draw: Vec<T> = (0..items.len()).filter_map(|_| items.get(below(&mut seed, items.len())).copied()).collect();
            figure(&draw)
        })
        .filter(|value| value.is_finite())
        .collect();
    drawn.sort_by(f64::total_cmp);
    let value = figure(items);
    let bound = |part: f64| quantile(&drawn, part).unwrap_or(value);
    Estimate { value, low: bound(0.025), high: bound(0.975), lines: items.len() }
}

/// A number below `limit`, by splitmix64.
fn below(seed: &mut u64, limit: usize) -> usize {
    *seed = seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut z = *seed;
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^= z >> 31;
    usize::try_from(z % (limit.max(1) as u64)).unwrap_or_default()
}

/// The value below which this part of the sorted values lies.
pub(super) fn quantile(sorted: &[f64], part: f64) -> Option<f64> {
    let last = sorted.len().checked_sub(1)?;
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a part of a length is an index")]
    let at = (part * last as f64).round() as usize;
    sorted.get(at.min(last)).copied()
}

/// The part of the pairs (wanted, given) that are alike.
pub(super) fn accuracy(pairs: &[(&str, &str)]) -> f64 {
    pairs.iter().filter(|(wanted, given)| wanted == given).count() as f64 / pairs.len() as f64
}

/// The mean over all wanted labels of the F1 of each, of pairs (wanted, given).
pub(super) fn macro_f1(pairs: &[(&str, &str)]) -> f64 {
    let labels: BTreeSet<&str> = pairs.iter().map(|(wanted, _)| *wanted).collect();
    let sum: f64 = labels.iter().map(|label| f1(pairs, label)).sum();
    sum / labels.len() as f64
}

/// The F1 of one label, of pairs (wanted, given).
pub(super) fn f1(pairs: &[(&str, &str)], label: &str) -> f64 {
    let count = |fits: fn(bool, bool) -> bool| {
        pairs.iter().filter(|(wanted, given)| fits(*wanted == label, *given == label)).count() as f64
    };
    let right = count(|wanted, given| wanted && given);
    let (missed, false_alarm) = (count(|wanted, given| wanted && !given), count(|wanted, given| !wanted && given));
    if right == 0.0 { 0.0 } else { 2.0 * right / (2.0 * right + missed + false_alarm) }
}

/// How often a positive has the higher score than a negative, of pairs (positive?, score); a tie is half.
pub(super) fn auroc(pairs: &[(bool, f64)]) -> f64 {
    let mut sorted = pairs.to_vec();
    sorted.sort_by(|a, b| a.1.total_cmp(&b.1));
    let positives = sorted.iter().filter(|(positive, _)| *positive).count() as f64;
    let negatives = sorted.len() as f64 - positives;
    let (mut below, mut won) = (0.0, 0.0);
    for tie in sorted.chunk_by(|a, b| a.1.total_cmp(&b.1).is_eq()) {
        let up = tie.iter().filter(|(positive, _)| *positive).count() as f64;
        let down = tie.len() as f64 - up;
        won += up * (below + down / 2.0);
        below += down;
    }
    won / (positives * negatives)
}

/// Pearson's correlation.
pub(super) fn pearson(pairs: &[(f64, f64)]) -> f64 {
    let count = pairs.len() as f64;
    let (mx, my) = pairs.iter().fold((0.0, 0.0), |(x, y), pair| (x + pair.0 / count, y + pair.1 / count));
    let (mut xy, mut xx, mut yy) = (0.0, 0.0, 0.0);
    for (x, y) in pairs {
        xy += (x - mx) * (y - my);
        xx += (x - mx).powi(2);
        yy += (y - my).powi(2);
    }
    xy / (xx * yy).sqrt()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_of_small_tables() {
        let pairs = [("a", "a"), ("a", "b"), ("b", "b"), ("b", "b"), ("c", "a")];
        assert!((accuracy(&pairs) - 0.6).abs() < 1e-9);
        assert!((f1(&pairs, "a") - 0.5).abs() < 1e-9);
        assert!((f1(&pairs, "b") - 0.8).abs() < 1e-9);
        assert!((f1(&pairs, "c")).abs() < 1e-9);
        assert!((macro_f1(&pairs) - 1.3 / 3.0).abs() < 1e-9);
        assert!((auroc(&[(true, 2.0), (false, 1.0), (true, 1.0), (false, 0.0)]) - 0.875).abs() < 1e-9);
        assert!((pearson(&[(1.0, 2.0), (2.0, 4.0), (3.0, 6.0)]) - 1.0).abs() < 1e-9);
        assert!((pearson(&[(1.0, 3.0), (2.0, 2.0), (3.0, 1.0)]) + 1.0).abs() < 1e-9);
    }

    #[test]
    fn an_interval_holds_its_figure_and_shrinks_with_lines() {
        let few: Vec<(&str, &str)> = (0..40).map(|i| ("a", if i % 4 == 0 { "b" } else { "a" })).collect();
        let many: Vec<(&str, &str)> = few.iter().cycle().take(4000).copied().collect();
        let (few, many) = (estimate(&few, accuracy), estimate(&many, accuracy));
        assert!((few.value - 0.75).abs() < 1e-9 && (many.value - 0.75).abs() < 1e-9);
        for e in [few, many] {
            assert!(e.low < e.value && e.value < e.high, "{e:?}");
        }
        // A binomial's: 1.96 * sqrt(p * (1 - p) / n).
        assert!((few.high - few.low - 0.268).abs() < 0.06, "{few:?}");
        assert!((many.high - many.low - 0.0268).abs() < 0.004, "{many:?}");
        assert_eq!(estimate(&[("a", "a")], accuracy), Estimate { value: 1.0, low: 1.0, high: 1.0, lines: 1 });
    }
}
