//! How like texts are to each other: the product of what their terms and pieces weigh. A sum over many texts is taken term by term,
//! and piece by piece of each term, so that what many texts share is looked at once.

use crate::terms::{Terms, Text, place, place_mut};

/// How like a text is to each of others: 0 where they have nothing in common, 1 where they say the same.
pub fn alike(of: &Terms, asked: &Text, texts: &[Text]) -> Vec<f32> {
    let mut sums = Sums::new(of);
    sums.add(asked, 1.0);
    sums.spread(of.numbers(asked).iter().copied());
    sums.gather(0..of.all().len() as u32);
    texts.iter().map(|text| sums.alike(text)).collect()
}

/// How like some texts are to each other, as a matrix that is never written out.
pub struct Among<'t> {
    texts: &'t [Text],
    /// The terms that they have, each once.
    terms: Vec<u32>,
    sums: Sums<'t>,
}

impl<'t> Among<'t> {
    /// Of these texts.
    pub fn new(of: &'t Terms, texts: &'t [Text]) -> Self {
        let mut terms: Vec<u32> = texts.iter().flat_map(|text| of.numbers(text).iter().copied()).collect();
        terms.sort_unstable();
        terms.dedup();
        Self { texts, terms, sums: Sums::new(of) }
    }

    /// The matrix times so much of each text.
    pub fn times(&mut self, amounts: &[f32]) -> Vec<f32> {
        self.sums.clear(&self.terms);
        for (text, amount) in self.texts.iter().zip(amounts) {
            self.sums.add(text, *amount);
        }
        self.sums.spread(self.terms.iter().copied());
        self.sums.gather(self.terms.iter().copied());
        self.texts.iter().map(|text| self.sums.alike(text)).collect()
    }
}

/// Sums over texts.
struct Sums<'t> {
    of: &'t Terms,
    /// Of each term as it is, and of its pieces.
    terms: Vec<(f32, f32)>,
    places: Vec<f32>,
}

impl<'t> Sums<'t> {
    fn new(of: &'t Terms) -> Self {
        Self { of, terms: vec![(0.0, 0.0); of.all().len()], places: vec![0.0; of.places()] }
    }

    /// Forgets what is in these terms and their pieces.
    fn clear(&mut self, numbers: &[u32]) {
        let of = self.of;
        for number in numbers {
            if let Some(sum) = self.terms.get_mut(*number as usize) {
                *sum = (0.0, 0.0);
            }
            for piece in of.all().get(*number as usize).map(|term| of.pieces(term)).unwrap_or_default() {
                if let Some(place) = place_mut(&mut self.places, *piece) {
                    *place = 0.0;
                }
            }
        }
    }

    /// Adds so much of a text to its terms.
    fn add(&mut self, text: &Text, amount: f32) {
        for number in self.of.numbers(text) {
            if let Some(sum) = self.terms.get_mut(*number as usize) {
                *sum = (sum.0 + text.words * amount, sum.1 + text.pieces * amount);
            }
        }
    }

    /// Adds what is in these terms to the places of their pieces.
    fn spread(&mut self, numbers: impl Iterator<Item = u32>) {
        for number in numbers.map(|number| number as usize) {
            let (Some(term), Some(sum)) = (self.of.all().get(number), self.terms.get(number)) else { continue };
            let amount = sum.1;
            for piece in self.of.pieces(term) {
                if let Some(place) = place_mut(&mut self.places, *piece) {
                    *place += amount;
                }
            }
        }
    }

    /// Turns the sums of these terms into what a text gains by having one.
    fn gather(&mut self, numbers: impl Iterator<Item = u32>) {
        for number in numbers.map(|number| number as usize) {
            let (Some(term), Some(sum)) = (self.of.all().get(number), self.terms.get_mut(number)) else { continue };
            let gain = |piece: &u32| Some(place(&self.places, *piece)? * self.of.square(*piece)?);
            *sum = (sum.0 * term.square, self.of.pieces(term).iter().filter_map(gain).sum());
        }
    }

    /// How like a text is to all that was added.
    fn alike(&self, text: &Text) -> f32 {
        let gains = self.of.numbers(text).iter().filter_map(|number| self.terms.get(*number as usize));
        let (words, pieces) = gains.fold((0.0_f32, 0.0_f32), |sum, gain| (sum.0 + gain.0, sum.1 + gain.1));
        words * text.words + pieces * text.pieces
    }
}
