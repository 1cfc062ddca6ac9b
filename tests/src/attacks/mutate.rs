//! Makes inputs that are nearly right: a good one with a few things changed, the same again with the same seed.

use crate::proof::Dice;

/// What breaks parsers, put in anywhere.
const WORDS: [&str; 40] = [
    "null",
    "true",
    "{}",
    "[]",
    "\"\"",
    "0",
    "-1",
    "1e999",
    "-0",
    "9223372036854775808",
    "18446744073709551616",
    "NaN",
    "1e-400",
    "\\u0000",
    "\\ud800",
    "\u{0}",
    "\u{202e}",
    "\u{feff}",
    "\u{fffd}",
    "é",
    "😀",
    "${",
    "}",
    "`",
    "|x|",
    "'",
    "\"",
    "\\",
    "\r\n",
    "\t",
    ": ",
    "- ",
    "&a ",
    "*a",
    "!!str ",
    "<<: ",
    "@",
    "//",
    "..",
    "%00",
];

/// Inputs to begin with, and their changes.
#[derive(Debug)]
pub struct Mutator {
    seeds: Vec<Vec<u8>>,
    dice: Dice,
}

impl Mutator {
    /// From these inputs; one that is empty stands in where there are none.
    #[must_use]
    pub fn new(mut seeds: Vec<Vec<u8>>, seed: u64) -> Self {
        if seeds.is_empty() {
            seeds.push(Vec::new());
        }
        Self { seeds, dice: Dice::new(seed) }
    }

    fn below(&mut self, end: usize) -> usize {
        usize::try_from(self.dice.below(end as u64)).unwrap_or(0)
    }

    fn seed(&mut self) -> Vec<u8> {
        let at = self.below(self.seeds.len());
        self.seeds.get(at).cloned().unwrap_or_default()
    }

    /// The next input: now and then a good one as it is.
    pub fn input(&mut self) -> Vec<u8> {
        let mut input = self.seed();
        for _ in 0..self.below(6) {
            self.change(&mut input);
        }
        input
    }

    fn change(&mut self, input: &mut Vec<u8>) {
        let at = self.below(input.len() + 1);
        let length = 1 + self.below(32);
        let end = (at + length).min(input.len());
        match self.below(9) {
            0 => {
                let bit = self.below(8);
                if let Some(byte) = input.get_mut(at) {
                    *byte ^= 1 << bit;
                }
            }
            1 => {
                let byte = self.below(256);
                input.insert(at, u8::try_from(byte).unwrap_or(0));
            }
            2 => drop(input.drain(at..end)),
            3 | 4 => {
                let word = self.below(WORDS.len());
                let word = WORDS.get(word).copied().unwrap_or_default();
                let over = if self.below(2) == 0 { at } else { end };
                input.splice(at..over, word.bytes());
            }
            // A piece again, once or very often.
            5 => {
                let piece = input.get(at..end).unwrap_or_default().to_vec();
                let times = if self.below(20) == 0 { 2_000 } else { 1 + self.below(3) };
                input.splice(at..at, piece.repeat(times));
            }
            // The end of another one.
            6 => {
                let other = self.seed();
                let from = self.below(other.len() + 1);
                input.truncate(at);
                input.extend_from_slice(other.get(from..).unwrap_or_default());
            }
            7 => input.truncate(at),
            // Deep.
            _ => {
                let (open, close) = if self.below(2) == 0 { ("[", "]") } else { ("{\"a\":", "}") };
                let deep = 1 + self.below(500);
                let nest = format!("{}1{}", open.repeat(deep), close.repeat(deep));
                input.splice(at..at, nest.bytes());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_gives_the_same_and_another_gives_others() {
        let inputs = |seed| {
            let mut mutator = Mutator::new(vec![b"{\"a\": [1, 2, 3]}".to_vec(), b"name: x".to_vec()], seed);
            (0..200).map(|_| mutator.input()).collect::<Vec<_>>()
        };
        assert_eq!(inputs(1), inputs(1));
        assert_ne!(inputs(1), inputs(2));
        let distinct: std::collections::HashSet<_> = inputs(1).into_iter().collect();
        assert!(distinct.len() > 100, "{}", distinct.len());
    }
}
