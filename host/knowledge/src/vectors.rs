//! Vectors of passages: how they are kept, and which of them lie nearest to a question's. Whoever makes them is the engine's matter.
//!
//! A vector is kept as a byte a number and one scale: a tenth of what a base takes otherwise, and nothing that a ranking notices (an error of
//! about 0.0005 in a likeness). All of a base are looked at for a question: 100,000 of 384 numbers are 42 MB and some twenty milliseconds. The
//! sums are of whole numbers, so they are the same everywhere.

use std::collections::HashMap;

use serde::{Deserialize, Serialize};

use crate::cut::Passage;
use crate::index::Place;

/// Numbers of a vector at most.
const WIDEST: usize = 4_096;

/// The largest of a kept vector's numbers, and of a question's.
const KEPT: f32 = 127.0;
const ASKED: f32 = 2_047.0;

/// A passage's vector, as it is kept.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Vector {
    /// A hash of the text that it was made of.
    pub of: [u8; 16],
    scale: f32,
    values: Vec<i8>,
}

impl Vector {
    /// Of these numbers. `None` where they are no direction: none, too many, all nought or not finite.
    #[must_use]
    pub fn new(of: [u8; 16], numbers: &[f32]) -> Option<Self> {
        let (values, scale) = whole(numbers, KEPT)?;
        #[expect(clippy::cast_possible_truncation, reason = "they are at most 127")]
        let values = values.into_iter().map(|value| value as i8).collect();
        Some(Self { of, scale, values })
    }
}

/// The numbers of a vector, brought to length 1 and to whole numbers up to `most`, and what one of these stands for.
fn whole(numbers: &[f32], most: f32) -> Option<(Vec<i16>, f32)> {
    let length = numbers.iter().map(|x| x * x).sum::<f32>().sqrt();
    if numbers.len() > WIDEST || !length.is_finite() || length <= 0.0 {
        return None;
    }
    let largest = numbers.iter().fold(0.0_f32, |largest, x| largest.max(x.abs()));
    #[expect(clippy::cast_possible_truncation, reason = "they are at most 2047")]
    let values = numbers.iter().map(|x| (x / largest * most).round() as i16).collect();
    Some((values, largest / length / most))
}

/// The text that a passage's vector is made of: its headings and what it says.
#[must_use]
pub fn meant(passage: &Passage) -> String {
    if passage.headings.is_empty() {
        return passage.text.clone();
    }
    [passage.headings.join(" / ").as_str(), passage.text.as_str()].join("\n")
}

/// Vectors of successive passages as bytes; `None` stands for a passage that has none.
#[must_use]
pub fn pack_vectors(vectors: &[Option<Vector>]) -> Vec<u8> {
    postcard::to_allocvec(vectors).unwrap_or_default()
}

/// What [`pack_vectors`] packed; `None` for other bytes.
#[must_use]
pub fn unpack_vectors(bytes: &[u8]) -> Option<Vec<Option<Vector>>> {
    postcard::from_bytes(bytes).ok()
}

/// The vectors of a base in memory.
#[derive(Debug, Default)]
pub struct Vectors {
    width: usize,
    places: Vec<Place>,
    rows: HashMap<Place, usize>,
    scales: Vec<f32>,
    values: Vec<i8>,
}

impl Vectors {
    /// Adds a passage's. False: it has another width than the first, so it is of another model.
    pub fn push(&mut self, place: Place, vector: &Vector) -> bool {
        if self.places.is_empty() {
            self.width = vector.values.len();
        }
        if vector.values.len() != self.width || self.width == 0 {
            return false;
        }
        self.rows.insert(place, self.places.len());
        self.places.push(place);
        self.scales.push(vector.scale);
        self.values.extend_from_slice(&vector.values);
        true
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.places.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.places.is_empty()
    }

    /// Bytes that they take in memory, about.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.values.len() + self.places.len() * 60
    }

    /// How near each of them lies to a question: the cosine of the angle between the two, 1 for the same. In the order in which they
    /// were added; none for a question of another model.
    #[must_use]
    pub fn cosines(&self, question: &[f32]) -> Vec<f32> {
        let Some((asked, scale)) = whole(question, ASKED).filter(|(asked, _)| asked.len() == self.width) else {
            return Vec::new();
        };
        let rows = self.values.chunks_exact(self.width.max(1)).zip(&self.scales);
        rows.map(|(row, own)| {
            let sum: i32 = row.iter().zip(&asked).map(|(a, b)| i32::from(*a) * i32::from(*b)).sum();
            sum as f32 * own * scale
        })
        .collect()
    }

    pub(crate) fn row(&self, place: Place) -> Option<usize> {
        self.rows.get(&place).copied()
    }

    pub(crate) fn place(&self, row: usize) -> Option<Place> {
        self.places.get(row).copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(n: u32) -> Place {
        Place { source: 1, n }
    }

    /// A direction that no other number gives.
    fn numbers(seed: u32, width: usize) -> Vec<f32> {
        let mut state = seed.wrapping_mul(2_654_435_761) | 1;
        let next = || {
            state ^= state << 13;
            state ^= state >> 17;
            state ^= state << 5;
            f32::from((state >> 16) as u16) / 32_768.0 - 1.0
        };
        std::iter::repeat_with(next).take(width).collect()
    }

    fn cosine(a: &[f32], b: &[f32]) -> f32 {
        let dot = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f32>();
        dot(a, b) / (dot(a, a) * dot(b, b)).sqrt()
    }

    #[test]
    fn a_byte_a_number_keeps_the_order_and_nearly_the_likeness() {
        let mut vectors = Vectors::default();
        for n in 0..200 {
            assert!(vectors.push(place(n), &Vector::new([0; 16], &numbers(n + 1, 384)).unwrap()));
        }
        let question: Vec<f32> = numbers(7, 384).iter().zip(numbers(500, 384)).map(|(a, b)| a * 3.0 + b).collect();
        let cosines = vectors.cosines(&question);
        assert_eq!(cosines.len(), 200);
        for (n, told) in (0..).zip(cosines) {
            let right = cosine(&question, &numbers(n + 1, 384));
            assert!((told - right).abs() < 0.002, "{told} {right}");
            assert_eq!(told > 0.9, n == 6);
            assert_eq!(vectors.row(place(n)).and_then(|row| vectors.place(row)), Some(place(n)));
        }
    }

    #[test]
    fn other_models_do_not_meet_and_what_is_no_direction_is_none() {
        let one = Vector::new([1; 16], &numbers(1, 8)).unwrap();
        let mut vectors = Vectors::default();
        assert!(vectors.push(place(0), &one));
        assert!(!vectors.push(place(1), &Vector::new([2; 16], &numbers(2, 16)).unwrap()));
        assert_eq!((vectors.len(), vectors.cosines(&numbers(3, 16)).len(), vectors.cosines(&numbers(3, 8)).len()), (1, 0, 1));
        for none in [&[][..], &[0.0, 0.0], &[f32::NAN, 1.0], &[f32::INFINITY], &vec![1.0; WIDEST + 1]] {
            assert_eq!(Vector::new([0; 16], none), None);
        }
        let packed = pack_vectors(&[Some(one.clone()), None]);
        assert_eq!(unpack_vectors(&packed), Some(vec![Some(one), None]));
        assert_eq!(unpack_vectors(&packed[..packed.len() - 2]), None);
    }
}
