//! Figures of merit for a search, as information retrieval has them.

/// nDCG at 10: how high the relevant ones stand among the first ten, 1 for all at the top. Each id counts once.
#[must_use]
pub fn ndcg(ranked: &[String], relevant: &[String]) -> f64 {
    let gain = |rank: usize| 1.0 / (rank as f64 + 2.0).log2();
    let best: f64 = (0..relevant.len().min(10)).map(gain).sum();
    let got: f64 = ranked.iter().take(10).enumerate().filter(|(_, id)| relevant.contains(id)).map(|(rank, _)| gain(rank)).sum();
    if best > 0.0 { got / best } else { 0.0 }
}

/// Share of the relevant ones among the first `k`.
#[must_use]
pub fn recall(ranked: &[String], relevant: &[String], k: usize) -> f64 {
    let found = relevant.iter().filter(|id| ranked.iter().take(k).any(|other| other == *id)).count();
    if relevant.is_empty() { 0.0 } else { found as f64 / relevant.len() as f64 }
}

/// How often a question that has an answer gets a higher confidence than one that has none; 0.5 is chance. `None` without both kinds.
#[must_use]
pub fn auroc(with: &[f32], without: &[f32]) -> Option<f64> {
    if with.is_empty() || without.is_empty() {
        return None;
    }
    let mut sorted = without.to_vec();
    sorted.sort_by(f32::total_cmp);
    let won: f64 = with
        .iter()
        .map(|one| {
            let below = sorted.partition_point(|other| other < one);
            let level = sorted.partition_point(|other| other <= one) - below;
            below as f64 + level as f64 / 2.0
        })
        .sum();
    Some(won / (with.len() as f64 * without.len() as f64))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ids(text: &str) -> Vec<String> {
        text.split_whitespace().map(str::to_owned).collect()
    }

    #[test]
    fn figures_are_those_of_the_books() {
        assert_eq!(ndcg(&ids("a b c"), &ids("a")), 1.0);
        assert!((ndcg(&ids("b a c"), &ids("a")) - 1.0 / 3f64.log2()).abs() < 1e-12);
        assert_eq!(ndcg(&ids("x y"), &ids("a")), 0.0);
        assert_eq!((recall(&ids("x a"), &ids("a b"), 1), recall(&ids("x a"), &ids("a b"), 5)), (0.0, 0.5));
        assert_eq!(auroc(&[0.9, 0.8], &[0.1, 0.2]), Some(1.0));
        assert_eq!(auroc(&[0.5, 0.5], &[0.5]), Some(0.5));
        assert_eq!(auroc(&[0.1], &[0.9]), Some(0.0));
        assert_eq!(auroc(&[], &[0.9]), None);
    }
}
