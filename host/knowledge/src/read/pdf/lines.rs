//! Text as it is placed on a page, on its way into words, lines and paragraphs: a gap is a space, a step down a new line, a larger
//! step or one up a new paragraph. What is drawn in another order than it is read stays so.

use lopdf::Object;
use unicode_normalization::UnicodeNormalization as _;

use super::order;

/// Of the size of the letters: a gap that parts words, a step that parts lines, one that parts paragraphs.
const GAP: f64 = 0.15;
const STEP: f64 = 0.4;
const FAR: f64 = 1.9;

/// A transformation: `[a b c d e f]` as PDF writes it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Matrix(pub(super) [f64; 6]);

impl Matrix {
    pub(super) const SAME: Self = Self([1.0, 0.0, 0.0, 1.0, 0.0, 0.0]);

    pub(super) fn of(numbers: &[Object]) -> Option<Self> {
        let numbers: Vec<f64> = numbers.iter().filter_map(|n| n.as_float().ok()).map(f64::from).collect();
        numbers.try_into().ok().map(Self)
    }

    /// First this one, then the other.
    pub(super) fn then(&self, other: &Self) -> Self {
        let ([a, b, c, d, e, f], [g, h, i, j, k, l]) = (self.0, other.0);
        Self([a * g + b * i, a * h + b * j, c * g + d * i, c * h + d * j, e * g + f * i + k, e * h + f * j + l])
    }

    /// Begins so much further on, in its own units.
    pub(super) fn moved(&self, x: f64, y: f64) -> Self {
        Self([1.0, 0.0, 0.0, 1.0, x, y]).then(self)
    }
}

/// The text of a page.
#[derive(Default)]
pub(super) struct Lines {
    done: Vec<Line>,
    open: Line,
    /// Where it ended.
    end: Option<(f64, f64)>,
}

#[derive(Default)]
struct Line {
    text: String,
    /// Whether a paragraph begins with it.
    first: bool,
    /// Steps forwards less steps backwards: a line that is drawn backwards is written in the order in which it is read.
    forwards: i32,
}

impl Lines {
    /// Adds what stands at a place, so long and so large in units of that place.
    pub(super) fn put(&mut self, text: &str, place: Matrix, length: f64, size: f64) {
        let [a, b, c, d, x, y] = place.0;
        let (along, across) = (a.hypot(b).max(f64::MIN_POSITIVE), c.hypot(d).max(f64::MIN_POSITIVE));
        let em = (size * across).abs().max(f64::MIN_POSITIVE);
        if let Some((from_x, from_y)) = self.end {
            let (dx, dy) = (x - from_x, y - from_y);
            let gap = (dx * a + dy * b) / along;
            // Down is away from the tops of the letters.
            let down = -(dx * c + dy * d) / across;
            if down.abs() > STEP * em {
                let line = Line { first: down > FAR * em || down < 0.0, ..Line::default() };
                self.done.push(std::mem::replace(&mut self.open, line));
            } else {
                self.open.forwards += if gap < -em { -1 } else { 1 };
                if gap.abs() > GAP * em {
                    self.open.text.push(' ');
                }
            }
        }
        self.open.text.extend(text.chars().filter(|c| *c != '\0'));
        self.end = Some((x + length * a, y + length * b));
    }

    /// Lines put together; a word that was parted at the end of one is whole again.
    pub(super) fn paragraphs(&self) -> Vec<String> {
        let mut found: Vec<String> = Vec::new();
        let mut first = true;
        for line in self.done.iter().chain([&self.open]) {
            let text = if line.forwards < 0 { line.text.clone() } else { order::read(&line.text) };
            let text: String = text.chars().flat_map(plain).collect();
            let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
            first |= line.first;
            match found.last_mut().filter(|_| !first) {
                _ if text.is_empty() => continue,
                None => found.push(text),
                Some(paragraph) => {
                    let parted = paragraph.ends_with(['-', '\u{ad}']) && text.starts_with(char::is_lowercase);
                    if parted && paragraph.chars().rev().nth(1).is_some_and(char::is_alphabetic) {
                        paragraph.pop();
                    } else {
                        paragraph.push(' ');
                    }
                    paragraph.push_str(&text);
                }
            }
            first = false;
        }
        found.iter_mut().for_each(|paragraph| paragraph.retain(|c| c != '\u{ad}'));
        found
    }
}

/// Letters that are drawn as one, or in the form that they have within a word, as they are typed.
fn plain(letter: char) -> impl Iterator<Item = char> {
    let drawn = matches!(letter, '\u{fb00}'..='\u{fb4f}' | '\u{fb50}'..='\u{fdff}' | '\u{fe70}'..='\u{feff}');
    let typed: Vec<char> = if drawn { std::iter::once(letter).nfkc().collect() } else { vec![letter] };
    typed.into_iter()
}
