//! A text as the pieces of words that a model knows: its characters are made plain by the model's own table, spaces become marks, and of
//! all ways to lay it out in pieces the likeliest is taken.

use std::collections::HashMap;

use pointsman_core::failure::Failure;

use crate::file::{Reader, wrong};

/// What stands for a space.
const MARK: char = '\u{2581}';

/// How much less likely than the rarest piece a character is that no piece has.
const UNKNOWN: f32 = 10.0;

/// The pieces of a model. The numbers are those of its table.
pub(crate) struct Tokens {
    pieces: HashMap<Box<[u8]>, (u32, f32)>,
    plain: HashMap<char, Box<[char]>>,
    begin: u32,
    end: u32,
    unknown: u32,
    unlikely: f32,
    longest: usize,
}

/// The best way to a place in the text.
#[derive(Clone, Copy)]
struct Way {
    score: f32,
    piece: u32,
    from: usize,
}

impl Tokens {
    /// Reads the tables; `most` is how many pieces there may be.
    pub(crate) fn read(from: &mut Reader<'_>, most: usize) -> Result<Self, Failure> {
        let count = from.count(most)?;
        let [begin, end, pad, unknown] = [from.u32()?, from.u32()?, from.u32()?, from.u32()?];
        if [begin, end, pad, unknown].iter().any(|special| *special as usize >= count) {
            return Err(wrong("a mark is no piece"));
        }
        let bytes = usize::try_from(from.u64()?).map_err(|_| wrong("its pieces are too long"))?;
        let offsets = (0..=count).map(|_| from.u32()).collect::<Result<Vec<u32>, _>>()?;
        let scores = (0..count).map(|_| from.f32()).collect::<Result<Vec<f32>, _>>()?;
        let text = from.take(bytes)?;
        let (mut pieces, mut rarest, mut longest) = (HashMap::with_capacity(count), f32::MAX, 1);
        for ((number, ends), score) in (0_u32..).zip(offsets.array_windows()).zip(scores) {
            let [from, to] = ends.map(|end| end as usize);
            let piece = text.get(from..to).ok_or_else(|| wrong("a piece lies nowhere"))?;
            (rarest, longest) = (rarest.min(score), longest.max(piece.len()));
            // What marks a text's ends is never read out of a text.
            if !piece.is_empty() && ![begin, end, pad, unknown].contains(&number) {
                pieces.entry(piece.into()).or_insert((number, score));
            }
        }
        let (count, _bytes) = (from.count(most)?, from.u32()?);
        let mut plain = HashMap::with_capacity(count);
        let letter = |code: u32| char::from_u32(code).ok_or_else(|| wrong("a character is none"));
        for _ in 0..count {
            let (of, many) = (letter(from.u32()?)?, from.u8()?);
            plain.insert(of, (0..many).map(|_| letter(from.u32()?)).collect::<Result<Box<[char]>, _>>()?);
        }
        Ok(Self { pieces, plain, begin, end, unknown, unlikely: rarest - UNKNOWN, longest })
    }

    /// The marks of a text's beginning and end.
    pub(crate) fn ends(&self) -> (u32, u32) {
        (self.begin, self.end)
    }

    /// The pieces of a text, at most so many.
    pub(crate) fn of(&self, text: &str, most: usize) -> Vec<u32> {
        let (text, starts) = self.marked(text);
        let bytes = text.as_bytes();
        let mut ways = vec![Way { score: f32::NEG_INFINITY, piece: self.unknown, from: 0 }; starts.len()];
        if let Some(first) = ways.first_mut() {
            first.score = 0.0;
        }
        for (from, start) in starts.iter().enumerate() {
            let score = ways.get(from).map_or(f32::NEG_INFINITY, |way| way.score);
            let ends = starts.iter().enumerate().skip(from + 1);
            for (to, end) in ends.take_while(|(_, end)| *end - start <= self.longest) {
                if let Some((piece, likely)) = bytes.get(*start..*end).and_then(|piece| self.pieces.get(piece)) {
                    improve(&mut ways, to, Way { score: score + likely, piece: *piece, from });
                }
            }
            improve(&mut ways, from + 1, Way { score: score + self.unlikely, piece: self.unknown, from });
        }
        let mut found = Vec::new();
        let mut at = ways.len().saturating_sub(1);
        while at > 0 {
            let Some(way) = ways.get(at) else { break };
            found.push(way.piece);
            at = way.from;
        }
        found.reverse();
        found.truncate(most);
        found
    }

    /// The text made plain, with marks for its spaces and one before it, and where its characters begin and it ends.
    fn marked(&self, text: &str) -> (String, Vec<usize>) {
        let (mut out, mut starts, mut before) = (String::with_capacity(text.len() + 8), Vec::new(), None);
        let mut push = |c: char| {
            let double = c == ' ' && before == Some(' ');
            if before.is_none() && c != ' ' {
                starts.push(out.len());
                out.push(MARK);
            }
            before = Some(c);
            if !double {
                starts.push(out.len());
                out.push(if c == ' ' { MARK } else { c });
            }
        };
        for c in text.chars() {
            match self.plain.get(&c) {
                Some(plain) => plain.iter().for_each(|c| push(*c)),
                None => push(c),
            }
        }
        starts.push(out.len());
        (out, starts)
    }
}

fn improve(ways: &mut [Way], to: usize, way: Way) {
    if let Some(known) = ways.get_mut(to).filter(|known| way.score > known.score) {
        *known = way;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tokens() -> Tokens {
        let pieces = [("\u{2581}", -3.0), ("\u{2581}a", -2.0), ("ab", -2.5), ("b", -4.0), ("c", -4.0), ("\u{2581}abc", -9.0)];
        let pieces = (4_u32..).zip(pieces).map(|(n, (piece, score))| (piece.as_bytes().into(), (n, score))).collect();
        let plain = HashMap::from([('A', ['a'].into()), ('\t', [' '].into()), ('\u{200b}', [].into())]);
        Tokens { pieces, plain, begin: 0, end: 2, unknown: 3, unlikely: -20.0, longest: 6 }
    }

    #[test]
    fn the_likeliest_pieces_are_taken() {
        let tokens = tokens();
        // a|b|c costs 10, the whole piece 9.
        assert_eq!(tokens.of("abc", 9), [9]);
        assert_eq!(tokens.of("ab", 9), [4, 6]);
        assert_eq!(tokens.of("A\t \u{200b} a", 9), [5, 5], "many spaces are one, and letters are made plain");
        assert_eq!(tokens.of("axb", 9), [5, 3, 7], "a letter that no piece has");
        assert_eq!(tokens.of("a a a a", 2), [5, 5]);
        assert_eq!(tokens.of(" a", 9), [5]);
    }
}
