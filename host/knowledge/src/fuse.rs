//! Words and meaning together. A search by words knows names, numbers and rare words; vectors know what is meant, in any language. Where a
//! question is asked in a language that the base speaks both count; where it is not, the few words that are the same in both are
//! names at best, and letting them count costs more than it brings (nDCG@10 of a hundred Arabic questions to
//! 80 English texts: 0.86 by vectors alone, 0.65 with both ranks summed).

use std::collections::HashMap;

use serde::Serialize;

use crate::index::{Found, Hit, Index, Place};
use crate::vectors::Vectors;
use crate::words::Language;

/// How much the words count beside the meaning, which counts 1.
const WORDS: f32 = 1.0;

/// Passages that are looked at: of those that are nearest, and of those that words find.
pub const DEPTH: usize = 100;

/// What a base's vectors say about a question.
#[derive(Debug, Clone, Default)]
pub struct Meant {
    cosines: Vec<f32>,
    /// Rows, nearest first, at most [`DEPTH`].
    near: Vec<usize>,
    /// How near any text of the base is.
    mean: f32,
}

impl Meant {
    /// Of a question's vector. `None`: there is nothing to compare it with.
    #[must_use]
    pub fn of(vectors: &Vectors, question: &[f32]) -> Option<Self> {
        let cosines = vectors.cosines(question);
        let order = |a: &(usize, f32), b: &(usize, f32)| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0));
        let mut near: Vec<(usize, f32)> = cosines.iter().copied().enumerate().collect();
        if near.len() > DEPTH {
            near.select_nth_unstable_by(DEPTH - 1, order);
            near.truncate(DEPTH);
        }
        near.sort_unstable_by(order);
        let mean = cosines.iter().sum::<f32>() / cosines.len().max(1) as f32;
        (!near.is_empty()).then(|| Self { cosines, near: near.into_iter().map(|(row, _)| row).collect(), mean })
    }

    fn cosine(&self, row: usize) -> Option<f32> {
        self.cosines.get(row).copied()
    }

    fn most(&self) -> f32 {
        self.near.first().and_then(|row| self.cosine(*row)).unwrap_or_default()
    }

    /// How far a cosine stands between what any text has and what the nearest has: 1 for the nearest, 0 for any.
    fn share(&self, cosine: f32) -> f32 {
        let most = self.most();
        if most > self.mean { (cosine - self.mean) / (most - self.mean) } else { 1.0 }
    }
}

/// What words and meaning together found.
#[derive(Debug, Clone, Default)]
pub struct Fused {
    /// Best first. A share tells how a passage stands, of what it could reach: 0 to 1.
    pub hits: Vec<Hit>,
    /// What speaks for the first of them.
    pub likeness: Likeness,
}

/// How alike a question and the best passage are.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
pub struct Likeness {
    /// The cosine of the angle between their vectors.
    pub cosine: f32,
    /// Whether the base speaks the question's language, so that words count too.
    pub spoken: bool,
}

/// Ranks by words and meaning, or by meaning alone where the question is in a language that the base does not speak, or that is wanted.
/// `found` is what the words found, [`DEPTH`] of it.
#[must_use]
pub fn fuse(index: &Index, vectors: &Vectors, question: &str, found: &Found, meant: &Meant, alone: bool, count: usize) -> Fused {
    let spoken = index.speaks(question);
    let weight = if spoken && !alone { WORDS } else { 0.0 };
    let mut hits: HashMap<Place, Hit> = found.hits.iter().map(|hit| (hit.place, *hit)).collect();
    for place in meant.near.iter().filter_map(|row| vectors.place(*row)) {
        let unsaid = Hit { place, score: 0.0, share: 0.0, language: Language::UNKNOWN, cosine: None };
        hits.entry(place).or_insert(unsaid);
    }
    let mut hits: Vec<Hit> = hits.into_values().collect();
    for hit in &mut hits {
        // One that has no vector yet stands where its words alone put it.
        hit.cosine = vectors.row(hit.place).and_then(|row| meant.cosine(row));
        hit.share = (hit.cosine.map_or(0.0, |cosine| meant.share(cosine)) + weight * hit.share) / (1.0 + weight);
    }
    let place = |hit: &Hit| (hit.place.source, hit.place.n);
    hits.sort_by(|a, b| b.share.total_cmp(&a.share).then_with(|| place(a).cmp(&place(b))));
    hits.truncate(count);
    let cosine = hits.first().and_then(|hit| hit.cosine).unwrap_or_default();
    Fused { hits, likeness: Likeness { cosine, spoken } }
}

impl Index {
    /// Whether a question is asked in a language that this base speaks, as far as that can be told.
    #[must_use]
    pub fn speaks(&self, question: &str) -> bool {
        Language::of(question).is_none_or(|language| self.languages().any(|own| own == language))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::vectors::Vector;
    use crate::{Passage, cut, pack, read};

    /// A base whose passages point in directions of their own, the n-th along the n-th axis and a little along all others.
    fn base(texts: &[&str]) -> (Index, Vectors) {
        let document = texts.iter().map(|text| format!("## {text}\n\n{text}\n\n")).collect::<String>();
        let passages: Vec<Passage> = cut(&read("base.md", document.as_bytes()).unwrap(), None);
        let index = Index::build([(1, pack(&passages).as_slice())]).unwrap();
        let mut vectors = Vectors::default();
        for n in 0..texts.len() {
            assert!(vectors.push(Place { source: 1, n: u32::try_from(n).unwrap() }, &Vector::new([0; 16], &along(n)).unwrap()));
        }
        (index, vectors)
    }

    fn along(axis: usize) -> Vec<f32> {
        (0..16).map(|n| if n == axis { 1.0 } else { 0.1 }).collect()
    }

    fn ranked(index: &Index, vectors: &Vectors, question: &str, meaning: &[f32]) -> (Vec<u32>, Likeness) {
        let meant = Meant::of(vectors, meaning).unwrap();
        let fused = fuse(index, vectors, question, &index.search(question, DEPTH), &meant, false, 3);
        (fused.hits.iter().map(|hit| hit.place.n).collect(), fused.likeness)
    }

    const ENGLISH: [&str; 4] = [
        "We open at nine in the morning and close at six in the evening, from Monday to Saturday.",
        "The bread is made of wheat and rye, and there are nuts in the same room.",
        "You can bring back what you have bought within thirty days, in Saragossa too.",
        "We deliver to every street of the city for three euros, on the same day.",
    ];

    #[test]
    fn in_a_language_of_the_base_words_and_meaning_count() {
        let (index, vectors) = base(&ENGLISH);
        // The vector hesitates between two, the words do not.
        let halfway: Vec<f32> = along(1).iter().zip(along(3)).map(|(a, b)| a * 1.02 + b).collect();
        let question = "do you deliver to my street on the same day?";
        assert!(index.speaks(question));
        assert_eq!(ranked(&index, &vectors, question, &halfway).0[0], 3);
        // Words that nothing stands behind do not win against what is plainly meant.
        let (places, likeness) = ranked(&index, &vectors, "is there a room where I can wait?", &along(0));
        assert_eq!(places[0], 0);
        assert!(likeness.cosine > 0.99 && likeness.spoken, "{likeness:?}");
    }

    #[test]
    fn in_another_language_the_words_are_names_at_best_and_do_not_count() {
        let (index, vectors) = base(&ENGLISH);
        let question = "¿A qué hora abren por la mañana los lunes en Saragossa y en las otras tiendas?";
        assert!(!index.speaks(question));
        assert_eq!(index.search(question, 3).hits[0].place.n, 2, "the name alone is found by words");
        let close: Vec<f32> = along(0).iter().zip(along(2)).map(|(a, b)| a * 1.02 + b).collect();
        let (places, likeness) = ranked(&index, &vectors, question, &close);
        assert_eq!((places[0], likeness.spoken), (0, false));
    }

    #[test]
    fn a_passage_without_a_vector_is_found_by_its_words() {
        let (index, _) = base(&ENGLISH);
        let mut some = Vectors::default();
        some.push(Place { source: 1, n: 0 }, &Vector::new([0; 16], &along(0)).unwrap());
        some.push(Place { source: 1, n: 1 }, &Vector::new([0; 16], &along(1)).unwrap());
        let (places, _) = ranked(&index, &some, "is there rye and wheat in the bread, and where do you deliver to?", &along(1));
        assert_eq!(places[0], 1);
        assert!(places.contains(&3), "{places:?}");
        assert!(Meant::of(&some, &[1.0; 3]).is_none(), "a question of another model");
        assert!(Meant::of(&Vectors::default(), &along(0)).is_none());
    }
}
