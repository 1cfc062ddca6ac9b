//! A text as numbers: how often which word, pair of words and piece of a word occurs in it. Each is known by a hash alone, so
//! no list of words is kept anywhere.

use crate::cut::{cut, is_word};

/// The pieces of words: so many letters, a word's borders among them.
const LETTERS: std::ops::RangeInclusive<usize> = 2..=5;

/// What occurs and how often (1 + ln of the count), by rising hash.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Bag {
    /// Words, signs, and pairs of what stands side by side.
    pub words: Vec<(u32, f32)>,
    /// Pieces of words.
    pub letters: Vec<(u32, f32)>,
}

impl Bag {
    /// Counts what is in a text.
    #[must_use]
    pub fn of(text: &str) -> Self {
        let (mut words, mut letters) = (Vec::new(), Vec::new());
        let pieces = cut(text);
        for piece in &pieces {
            words.push(hash(b'w', &[piece]));
            within(piece, |hash| letters.push(hash));
        }
        words.extend(pieces.iter().zip(pieces.iter().skip(1)).map(|(one, next)| hash(b'p', &[one, next])));
        Self { words: counted(words), letters: counted(letters) }
    }

    /// Whether nothing is in it: an empty text, or one of links.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.words.is_empty()
    }
}

/// The hash of every piece of a word with its borders, as often as it occurs: "hi" gives " h", " hi", " hi ", "hi", "hi ", "i ". A sign
/// has none.
pub fn within(word: &str, mut take: impl FnMut(u32)) {
    if !is_word(word) {
        return;
    }
    let bordered = [b" ", word.as_bytes(), b" "].concat();
    let begins = |at: usize| bordered.get(at).is_none_or(|byte| byte & 0xc0 != 0x80);
    for start in (0..bordered.len()).filter(|start| begins(*start)) {
        let (mut hash, mut letters) = (Hash::new(b'l'), 0);
        for (at, byte) in bordered.iter().enumerate().skip(start) {
            hash.byte(*byte);
            if begins(at + 1) {
                letters += 1;
                if LETTERS.contains(&letters) {
                    take(hash.done());
                }
                if letters == *LETTERS.end() {
                    break;
                }
            }
        }
    }
}

/// Of a kind of thing and its parts.
#[must_use]
pub fn hash(kind: u8, parts: &[&str]) -> u32 {
    let mut hash = Hash::new(kind);
    for part in parts.iter().take(parts.len().saturating_sub(1)) {
        hash.take(part);
        hash.end();
    }
    hash.take(parts.last().copied().unwrap_or_default());
    hash.done()
}

/// FNV-1a.
#[derive(Clone, Copy)]
struct Hash(u32);

impl Hash {
    fn new(kind: u8) -> Self {
        let mut hash = Self(0x811c_9dc5);
        hash.byte(kind);
        hash
    }

    fn byte(&mut self, byte: u8) {
        self.0 = (self.0 ^ u32::from(byte)).wrapping_mul(0x0100_0193);
    }

    fn take(&mut self, part: &str) {
        part.bytes().for_each(|byte| self.byte(byte));
    }

    /// After a part: no byte of any text, so that parts are not run together.
    fn end(&mut self) {
        self.byte(0xff);
    }

    /// Stirred, so that the lowest bits are as good as any.
    fn done(mut self) -> u32 {
        self.end();
        stirred(self.0)
    }
}

/// The last step of murmur3.
pub(crate) fn stirred(mut hash: u32) -> u32 {
    hash = (hash ^ (hash >> 16)).wrapping_mul(0x85eb_ca6b);
    hash = (hash ^ (hash >> 13)).wrapping_mul(0xc2b2_ae35);
    hash ^ (hash >> 16)
}

fn counted(mut hashes: Vec<u32>) -> Vec<(u32, f32)> {
    hashes.sort_unstable();
    hashes.chunk_by(|a, b| a == b).filter_map(|same| Some((*same.first()?, 1.0 + (same.len() as f32).ln()))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bag_counts_and_forgets_the_order_of_far_words() {
        let one = Bag::of("good bread, good cake");
        assert_eq!(one.words.len(), 4 + 4, "good bread , cake; four pairs");
        let good = hash(b'w', &["good"]);
        let value = one.words.iter().find(|(hash, _)| *hash == good).unwrap().1;
        assert!((value - (1.0 + 2_f32.ln())).abs() < 1e-6);
        assert!(one.words.is_sorted_by_key(|(hash, _)| *hash) && one.letters.is_sorted_by_key(|(hash, _)| *hash));
        assert_eq!(Bag::of("GOOD  Bread, good cake"), one);
        assert_ne!(Bag::of("bread good, good cake").words, one.words);
        assert_eq!(Bag::of("bread good, good cake").letters, one.letters);
    }

    #[test]
    fn pieces_of_words_keep_their_borders() {
        let mut found = Vec::new();
        within("né", |piece| found.push(piece));
        assert_eq!(found, [" n", " né", " né ", "né", "né ", "é "].map(|piece| hash(b'l', &[piece])));
        assert!(Bag::of("  https://t.co/x ").is_empty());
        assert!(Bag::of("🎉").letters.is_empty() && !Bag::of("🎉").is_empty());
    }

    #[test]
    fn what_is_joined_is_not_what_is_apart() {
        assert_ne!(hash(b'p', &["ab", "c"]), hash(b'p', &["a", "bc"]));
        assert_ne!(hash(b'w', &["a"]), hash(b'l', &["a"]));
    }
}
