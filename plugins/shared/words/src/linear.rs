//! A linear model over counts, as a trainer laid it down: one signed byte a slot and class. What is counted falls into slots by
//! its hashes; every list (the words of a text, its pieces of words) weighs alike, however long the text is.

use crate::bag::stirred;

/// What was counted: hashes and values.
pub type Counts<'a> = &'a [(u32, f32)];

/// A model in its file: per class a scale and an offset (`f32`, little endian), then for each slot one byte a class.
#[derive(Debug, Clone, Copy)]
pub struct Linear<'a> {
    head: &'a [u8],
    /// A whole power of two of slots.
    table: &'a [u8],
    classes: usize,
}

impl<'a> Linear<'a> {
    /// Reads a file of so many classes; none when its length cannot be that of such a model.
    #[must_use]
    pub fn new(file: &'a [u8], classes: usize) -> Option<Self> {
        let (head, table) = file.split_at_checked(classes.checked_mul(8)?)?;
        let slots = table.len().checked_div(classes)?;
        (slots.is_power_of_two() && slots * classes == table.len()).then_some(Self { head, table, classes })
    }

    /// The score of each class.
    #[must_use]
    pub fn scores(&self, lists: &[Counts]) -> Vec<f32> {
        let slots = self.table.len() / self.classes;
        let mut sums = vec![0.0_f32; self.classes];
        for list in lists {
            let length = list.iter().map(|(_, value)| value * value).sum::<f32>().sqrt().max(f32::MIN_POSITIVE);
            for (hash, value) in *list {
                let slot = stirred(*hash) as usize & (slots - 1);
                let weights = self.table.get(slot * self.classes..).unwrap_or_default();
                for (sum, weight) in sums.iter_mut().zip(weights) {
                    *sum += f32::from(weight.cast_signed()) * value / length;
                }
            }
        }
        let scale = self.numbers(0);
        let offset = self.numbers(self.classes);
        sums.iter().zip(scale.zip(offset)).map(|(sum, (scale, offset))| sum * scale + offset).collect()
    }

    /// The numbers of the head from this one on.
    fn numbers(&self, from: usize) -> impl Iterator<Item = f32> {
        self.head.as_chunks::<4>().0.iter().skip(from).map(|bytes| f32::from_le_bytes(*bytes))
    }
}

/// Scores as parts of one.
#[must_use]
pub fn softmax(scores: &[f32]) -> Vec<f32> {
    let most = scores.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let powers: Vec<f32> = scores.iter().map(|score| (score - most).exp()).collect();
    let sum: f32 = powers.iter().sum();
    powers.iter().map(|power| power / sum).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Two classes over four slots: scales 0.5 and 1, offsets 0 and 2.
    fn file() -> Vec<u8> {
        let mut file: Vec<u8> = [0.5_f32, 1.0, 0.0, 2.0].iter().flat_map(|number| number.to_le_bytes()).collect();
        for slot in 0..4_i8 {
            file.extend([slot.cast_unsigned(), (-slot).cast_unsigned()]);
        }
        file
    }

    #[test]
    fn a_score_is_the_sum_of_what_occurs() {
        let file = file();
        let model = Linear::new(&file, 2).unwrap();
        let hash = (0..).find(|hash| stirred(*hash) & 3 == 3).unwrap();
        let slot = 3.0;
        assert_eq!(model.scores(&[&[(hash, 3.0)]]), [slot * 0.5, 2.0 - slot]);
        assert_eq!(model.scores(&[]), [0.0, 2.0]);
        assert_eq!(model.scores(&[&[(hash, 3.0)], &[(hash, 1.0)]]), [slot, 2.0 - 2.0 * slot], "lists weigh alike");
    }

    #[test]
    fn a_file_of_another_length_is_no_model() {
        let file = file();
        assert!(Linear::new(&file[..file.len() - 1], 2).is_none());
        assert!(Linear::new(&file, 3).is_none());
        assert!(Linear::new(&[], 2).is_none());
    }

    #[test]
    fn parts_of_one() {
        let parts = softmax(&[1.0, 1.0, 1.0 + 2_f32.ln()]);
        assert!((parts[2] - 0.5).abs() < 1e-6 && (parts[0] - 0.25).abs() < 1e-6);
    }
}
