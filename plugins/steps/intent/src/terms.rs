//! What stands in texts: words, signs and pairs of them ("terms"), and the pieces of words. Each weighs the more, the fewer examples
//! have it (TF-IDF). A word's pieces are found once, however many examples have the word: that makes most of the speed.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};
use std::ops::Range;

use pointsman_words::{bag, cut};

/// Words, signs and pairs are this part of the likeness of two texts, pieces of words the rest.
const WORDS: f32 = 0.5;

/// At most so many places for pieces of words; two that share one are taken for the same.
const PLACES: usize = 1 << 17;

/// Terms, and texts as lists of them.
#[derive(Default)]
pub struct Terms {
    all: Vec<Term>,
    /// The number of a term, by the hash of a word or the numbers of a pair.
    known: HashMap<u64, u32, BuildHasherDefault<Spread>>,
    /// The pieces of the words, one word after the other: their hashes.
    pieces: Vec<u32>,
    /// What a piece weighs, squared, by its place.
    squares: Vec<f32>,
    /// The terms of the texts, one text after the other.
    listed: Vec<u32>,
    /// How many texts were read.
    read: u32,
    /// What that weighs, squared, which no example has.
    rarest: f32,
}

/// A word, a sign, or a pair of those.
pub struct Term {
    /// How many examples have it.
    texts: u32,
    /// The last text that had it; 0 for none yet.
    last: u32,
    pieces: Range<usize>,
    /// What it weighs, squared.
    pub square: f32,
    /// What its pieces weigh, each squared, in all.
    spelt: f32,
}

/// A text: its terms, each once.
#[derive(Debug, Clone)]
pub struct Text {
    terms: Range<usize>,
    /// What its terms are multiplied with, so that all texts are of the same length,
    pub words: f32,
    /// and what their pieces are.
    pub pieces: f32,
}

impl Terms {
    /// Reads the examples: their terms are counted, and weighed by how many have them.
    pub fn of_examples<'a>(examples: impl Iterator<Item = &'a str>) -> (Self, Vec<Text>) {
        let mut terms = Self::default();
        let lists: Vec<Range<usize>> = examples.map(|text| terms.list(text)).collect();
        for at in &terms.listed {
            if let Some(term) = terms.all.get_mut(*at as usize) {
                term.texts += 1;
            }
        }
        terms.weigh(lists.len());
        let texts = lists.into_iter().map(|list| terms.text(list)).collect();
        (terms, texts)
    }

    /// Reads a text that is no example. What no example has weighs most: it makes the text less like any of them.
    pub fn ask(&mut self, text: &str) -> Text {
        let list = self.list(text);
        let text = self.text(list);
        self.measure(&text, &mut vec![0.0; self.places()])
    }

    /// Lists the terms of a text.
    fn list(&mut self, text: &str) -> Range<usize> {
        let start = self.listed.len();
        self.read += 1;
        let mut before = None;
        cut::each(text, |piece| {
            // No pair of numbers is so high.
            let word = self.number(u64::from(bag::hash(b'w', &[piece])) | (1 << 63), piece);
            if let Some(before) = before.replace(word) {
                self.number((u64::from(before) << 32) | u64::from(word), "");
            }
        });
        start..self.listed.len()
    }

    /// The number of a term; the text at hand has it.
    fn number(&mut self, key: u64, word: &str) -> u32 {
        let new = self.all.len() as u32;
        let number = *self.known.entry(key).or_insert(new);
        if number == new {
            let start = self.pieces.len();
            bag::within(word, |hash| self.pieces.push(hash));
            self.all.push(Term { texts: 0, last: 0, pieces: start..self.pieces.len(), square: self.rarest, spelt: 0.0 });
        }
        if let Some(term) = self.all.get_mut(number as usize).filter(|term| term.last != self.read) {
            term.last = self.read;
            self.listed.push(number);
        }
        number
    }

    /// Tells what everything weighs, once all examples are counted.
    fn weigh(&mut self, examples: usize) {
        let square = |count: u32| (((1.0 + examples as f32) / (1.0 + count as f32)).ln() + 1.0).powi(2);
        let squares: Vec<f32> = (0..=examples as u32).map(square).collect();
        let weight = |count: u32| squares.get(count as usize).copied().unwrap_or(1.0);
        let mut texts = vec![0_u32; (4 * self.pieces.len()).next_power_of_two().min(PLACES)];
        for term in &mut self.all {
            term.square = weight(term.texts);
            for piece in self.pieces.get(term.pieces.clone()).unwrap_or_default() {
                if let Some(count) = place_mut(&mut texts, *piece) {
                    *count += term.texts;
                }
            }
        }
        self.squares = texts.into_iter().map(weight).collect();
        self.rarest = weight(0);
        for term in &mut self.all {
            let pieces = self.pieces.get(term.pieces.clone()).unwrap_or_default();
            term.spelt = pieces.iter().filter_map(|piece| place(&self.squares, *piece)).sum();
        }
    }

    /// A text of these terms; the length of its pieces is taken as if its words shared none, which is nearly so and soon done.
    fn text(&self, terms: Range<usize>) -> Text {
        let text = Text { terms, words: 0.0, pieces: 0.0 };
        let sum = |sum: (f32, f32), term: &Term| (sum.0 + term.square, sum.1 + term.spelt);
        let (words, pieces) = self.terms(&text).fold((0.0, 0.0), sum);
        Text { words: part(WORDS, words), pieces: part(1.0 - WORDS, pieces), ..text }
    }

    /// The same text, its length taken exactly. The room is of places, empty, and left so.
    pub fn measure(&self, text: &Text, room: &mut [f32]) -> Text {
        let mut sum = 0.0_f32;
        for piece in self.terms(text).flat_map(|term| self.pieces(term)) {
            if let (Some(count), Some(square)) = (place_mut(room, *piece), place(&self.squares, *piece)) {
                // As it grows from one square to the next.
                sum += square * (2.0 * *count + 1.0);
                *count += 1.0;
            }
        }
        for piece in self.terms(text).flat_map(|term| self.pieces(term)) {
            if let Some(count) = place_mut(room, *piece) {
                *count = 0.0;
            }
        }
        Text { pieces: part(1.0 - WORDS, sum), ..text.clone() }
    }

    /// All terms.
    pub fn all(&self) -> &[Term] {
        &self.all
    }

    /// How many places there are.
    pub fn places(&self) -> usize {
        self.squares.len()
    }

    /// The numbers of a text's terms.
    pub fn numbers(&self, text: &Text) -> &[u32] {
        self.listed.get(text.terms.clone()).unwrap_or_default()
    }

    /// The pieces of a term.
    pub fn pieces(&self, term: &Term) -> &[u32] {
        self.pieces.get(term.pieces.clone()).unwrap_or_default()
    }

    /// What a piece weighs, squared.
    pub fn square(&self, piece: u32) -> Option<f32> {
        place(&self.squares, piece)
    }

    fn terms(&self, text: &Text) -> impl Iterator<Item = &Term> {
        self.numbers(text).iter().filter_map(move |number| self.all.get(*number as usize))
    }
}

/// What makes a part of a text so long, of the sum of its squares.
fn part(long: f32, squares: f32) -> f32 {
    (long / squares.max(f32::MIN_POSITIVE)).sqrt()
}

/// What belongs to a piece, in a table of a whole power of two.
pub fn place<T: Copy>(table: &[T], piece: u32) -> Option<T> {
    table.get(piece as usize & table.len().wrapping_sub(1)).copied()
}

/// The same, to change it.
pub fn place_mut<T>(table: &mut [T], piece: u32) -> Option<&mut T> {
    let last = table.len().wrapping_sub(1);
    table.get_mut(piece as usize & last)
}

/// Keys whose bits are uneven, spread over all bits.
#[derive(Default)]
pub struct Spread(u64);

impl Hasher for Spread {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write_u64(&mut self, key: u64) {
        let mixed = (key ^ (key >> 32)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        self.0 = mixed ^ (mixed >> 32);
    }

    fn write(&mut self, bytes: &[u8]) {
        bytes.iter().for_each(|byte| self.write_u64((self.0 << 8) | u64::from(*byte)));
    }
}
