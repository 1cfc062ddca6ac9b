//! A text made ready to be read: tokens, what the lexicon says of each, and which of them a field has taken.

use crate::lexicon::{Mark, Tag, Unit, marks};
use crate::text::{Kind, Token, forms, tokens};

/// A message.
#[derive(Debug)]
pub(crate) struct Text<'a> {
    pub(crate) said: &'a str,
    pub(crate) tokens: Vec<Token>,
    marks: Vec<Vec<Mark>>,
    forms: Vec<Vec<String>>,
    /// Tokens that belong to a phone number, an address, a name, a time.
    taken: Vec<bool>,
}

/// A number at a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Number {
    /// In thousandths.
    pub(crate) milli: i64,
    pub(crate) unit: Option<Unit>,
    pub(crate) len: usize,
    /// How many of its tokens are the number without its unit.
    pub(crate) bare: usize,
    /// "a", "un".
    pub(crate) article: bool,
}

/// No order counts further; it keeps sums far from the end of an i64.
const MOST: i64 = 1_000_000 * 1000;

impl<'a> Text<'a> {
    pub(crate) fn new(said: &'a str) -> Self {
        let tokens = tokens(said);
        let marks = marks(&tokens);
        let forms = tokens.iter().map(|token| if token.kind == Kind::Word { forms(&token.text) } else { Vec::new() }).collect();
        let taken = vec![false; tokens.len()];
        Self { said, tokens, marks, forms, taken }
    }

    pub(crate) fn len(&self) -> usize {
        self.tokens.len()
    }

    pub(crate) fn token(&self, at: usize) -> Option<&Token> {
        self.tokens.get(at)
    }

    pub(crate) fn is(&self, at: usize, text: &str) -> bool {
        self.token(at).is_some_and(|token| token.is(text))
    }

    pub(crate) fn is_word(&self, at: usize) -> bool {
        self.token(at).is_some_and(|token| token.kind == Kind::Word)
    }

    pub(crate) fn is_end(&self, at: usize) -> bool {
        self.token(at).is_none_or(Token::is_end)
    }

    /// What the lexicon says of the phrases that begin here.
    pub(crate) fn marks(&self, at: usize) -> &[Mark] {
        self.marks.get(at).map_or(&[], Vec::as_slice)
    }

    /// The longest phrase here whose meaning `wanted` takes, with what it made of it.
    pub(crate) fn find<T>(&self, at: usize, wanted: impl Fn(Tag) -> Option<T>) -> Option<(T, usize)> {
        let fits = self.marks(at).iter().filter_map(|mark| Some((wanted(mark.tag)?, mark.len)));
        fits.fold(
            None,
            |best: Option<(T, usize)>, next| if best.as_ref().is_none_or(|b| next.1 > b.1) { Some(next) } else { best },
        )
    }

    /// How many tokens the longest phrase of this meaning has here.
    pub(crate) fn has(&self, at: usize, tag: Tag) -> Option<usize> {
        self.find(at, |t| (t == tag).then_some(())).map(|(_, len)| len)
    }

    /// What else the word here may be: see [`forms`].
    pub(crate) fn forms(&self, at: usize) -> &[String] {
        self.forms.get(at).map_or(&[], Vec::as_slice)
    }

    /// Whether the lexicon knows the word.
    pub(crate) fn is_known(&self, at: usize) -> bool {
        self.marks(at).iter().any(|mark| mark.len == 1)
    }

    pub(crate) fn is_taken(&self, at: usize) -> bool {
        self.taken.get(at).copied().unwrap_or(false)
    }

    pub(crate) fn take(&mut self, from: usize, to: usize) {
        for taken in self.taken.iter_mut().take(to).skip(from) {
            *taken = true;
        }
    }

    /// What was said from one token up to another, without it.
    pub(crate) fn span(&self, from: usize, to: usize) -> &'a str {
        let (Some(first), Some(last)) = (self.token(from), to.checked_sub(1).and_then(|at| self.token(at))) else { return "" };
        self.said.get(first.start..last.end).unwrap_or_default()
    }

    /// The tokens that begin within these bytes.
    pub(crate) fn within(&self, start: usize, end: usize) -> (usize, usize) {
        let at = |byte: usize| self.tokens.iter().position(|token| token.start >= byte).unwrap_or(self.len());
        (at(start), at(end))
    }

    /// The number that begins here, in digits or words, with its unit: "2", "dua puluh", "half a dozen", "1,5 kg".
    pub(crate) fn number(&self, at: usize) -> Option<Number> {
        let mut to = at;
        let mut article = false;
        let mut value = match self.plain(at) {
            Some((value, len)) => {
                to += len;
                value
            }
            None => match self.find(at, |t| matches!(t, Tag::Half | Tag::Quarter | Tag::Times(_) | Tag::Article).then_some(t)) {
                Some((Tag::Half, len)) => {
                    to += len;
                    500
                }
                Some((Tag::Quarter, len)) => {
                    to += len;
                    250
                }
                Some((Tag::Article, len)) => {
                    to += len;
                    article = true;
                    1000
                }
                Some((Tag::Times(_), _)) => 1000,
                _ => return None,
            },
        };
        // "half a dozen", "a dozen", "dua puluh lima", "twenty five", "lima belas".
        loop {
            let skip = usize::from(self.has(to, Tag::Article).is_some() && self.times(to + 1).is_some());
            if let Some((times, len)) = self.times(to + skip) {
                value = value.checked_mul(times)? / 1000;
                to += skip + len;
                article = false;
            } else if let Some(len) = self.has(to, Tag::Teen).filter(|_| value < 10_000) {
                value += 10_000;
                to += len;
            } else if let Some((more, len)) = self.smaller(to, value) {
                value += more;
                to += len;
            } else {
                break;
            }
            if value > MOST {
                return None;
            }
        }
        if let Some(len) = self.has(to, Tag::AndHalf) {
            value += 500;
            to += len;
        }
        let bare = to - at;
        let of = usize::from(["of", "de"].iter().any(|of| self.is(to, of)));
        let unit =
            self.unit(to).map(|(unit, len)| (unit, len, 0)).or_else(|| self.unit(to + of).map(|(unit, len)| (unit, len, of)));
        let mut kind = None;
        if let Some((unit, len, skip)) = unit {
            kind = Some(unit);
            to += len + skip;
            article = false;
            if let Some(len) = self.has(to, Tag::AndHalf) {
                value += 500;
                to += len;
            } else if unit != Unit::Piece && value >= 1000 && self.has(to, Tag::Half).is_some() && !self.is_word(to + 1) {
                value += 500;
                to += 1;
            }
        }
        (value > 0 && value <= MOST).then_some(Number { milli: value, unit: kind, len: to - at, bare, article })
    }

    /// A unit without a number: "kilo nasi". One of it.
    pub(crate) fn unit(&self, at: usize) -> Option<(Unit, usize)> {
        self.find(at, |t| if let Tag::Unit(unit) = t { Some(unit) } else { None })
    }

    fn times(&self, at: usize) -> Option<(i64, usize)> {
        self.find(at, |t| if let Tag::Times(times) = t { Some(times) } else { None })
    }

    /// A number without a multiplier.
    fn plain(&self, at: usize) -> Option<(i64, usize)> {
        let token = self.token(at)?;
        if token.kind == Kind::Number {
            return Some((milli(&token.text)?, 1));
        }
        self.find(at, |t| if let Tag::Num(value) = t { Some(value) } else { None })
    }

    /// "five" after "twenty", "lima" after "dua puluh", "e cinco" after "vinte".
    fn smaller(&self, at: usize, value: i64) -> Option<(i64, usize)> {
        if value < 20_000 || value % 10_000 != 0 || self.token(at).is_none_or(|token| token.kind != Kind::Word) {
            return None;
        }
        let and = usize::from(["e", "y", "und", "و", "et"].iter().any(|and| self.is(at, and)));
        let (more, len) = self.plain(at + and)?;
        let fits = more < 10_000 && self.is_word(at + and);
        fits.then_some((more, len + and))
    }
}

/// A number in digits as thousandths: "2", "1.5", "1,5", "1.000".
pub(crate) fn milli(digits: &str) -> Option<i64> {
    let (whole, part) = digits.split_once(['.', ',']).unwrap_or((digits, ""));
    if part.contains(['.', ',', ':']) || whole.contains(':') {
        return None;
    }
    // Three digits after a mark are thousands, as prices and large numbers are written.
    let (whole, part) = if part.len() == 3 { (format!("{whole}{part}"), "") } else { (whole.to_owned(), part) };
    let whole: i64 = whole.parse().ok().filter(|whole| *whole <= MOST / 1000)?;
    let part = part.get(..part.len().min(3))?;
    let part: i64 = format!("{part:0<3}").parse().ok()?;
    Some(whole * 1000 + part)
}
