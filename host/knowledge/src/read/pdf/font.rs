//! A font of a PDF: which letters its codes stand for, and how wide they are. Widths are what tells a gap between words from none.

use std::collections::HashMap;

use lopdf::{Dictionary, Document, Encoding, Object};

/// A font as text needs it.
pub(super) struct Font<'a> {
    /// `None`: it says of no code which letter it is.
    letters: Option<Encoding<'a>>,
    /// Whether a code has two bytes.
    wide: bool,
    /// In thousandths of the size, by code.
    widths: HashMap<u32, f64>,
    /// Of a code that is not among them. `None`: as in a usual font.
    other: Option<f64>,
}

impl<'a> Font<'a> {
    /// Streams of it may unpack to `unpacked` bytes.
    pub(super) fn new(font: &'a Dictionary, document: &'a Document, unpacked: usize) -> Self {
        let name = |key: &[u8]| font.get_deref(key, document).and_then(Object::as_name).unwrap_or_default();
        let wide = name(b"Subtype") == b"Type0";
        let telling = !wide
            || font.get_deref(b"ToUnicode", document).and_then(Object::as_stream).is_ok()
            || matches!(name(b"Encoding"), b"UniGB-UCS2-H" | b"UniGB-UTF16-H");
        let letters = font.get_font_encoding_with_limit(document, unpacked).ok().filter(|_| telling);
        let (widths, other) = if wide { composite(font, document) } else { simple(font, document) };
        Self { letters, wide, widths, other }
    }

    /// What codes say.
    pub(super) fn text(&self, codes: &[u8]) -> Option<String> {
        self.letters.as_ref()?.bytes_to_string(codes).ok()
    }

    /// How far codes lead, in units of text.
    pub(super) fn advance(&self, codes: &[u8], size: f64, (letter, word): (f64, f64)) -> f64 {
        let step = if self.wide { 2 } else { 1 };
        let width = |code: &[u8]| {
            let number = code.iter().fold(0_u32, |number, byte| number << 8 | u32::from(*byte));
            let width = self.widths.get(&number).copied().or(self.other).unwrap_or_else(|| usual(number));
            let space = if !self.wide && number == 32 { word } else { 0.0 };
            width / 1_000.0 * size + letter + space
        };
        codes.chunks(step).map(width).sum()
    }
}

/// The widths of a sans-serif, for the fonts that need not bring theirs.
fn usual(code: u32) -> f64 {
    match char::from_u32(code).unwrap_or(' ') {
        ' ' | '!' | ',' | '.' | '/' | ':' | ';' | 'I' | 'f' | 't' | '[' | ']' | '\\' => 278.0,
        'i' | 'j' | 'l' | '\'' | '|' => 222.0,
        '(' | ')' | '-' | 'r' | '`' => 333.0,
        'c' | 'k' | 's' | 'v' | 'x' | 'y' | 'z' | 'J' => 500.0,
        'm' | 'M' => 833.0,
        'w' | 'C' | 'D' | 'H' | 'N' | 'R' | 'U' => 722.0,
        'G' | 'O' | 'Q' => 778.0,
        'W' => 944.0,
        'A' | 'B' | 'E' | 'K' | 'P' | 'S' | 'V' | 'X' | 'Y' => 667.0,
        _ => 556.0,
    }
}

type Widths = (HashMap<u32, f64>, Option<f64>);

fn number(object: &Object, document: &Document) -> Option<f64> {
    document.dereference(object).ok().and_then(|(_, object)| object.as_float().ok()).map(f64::from)
}

fn simple(font: &Dictionary, document: &Document) -> Widths {
    let Ok(all) = font.get_deref(b"Widths", document).and_then(Object::as_array) else { return (HashMap::new(), None) };
    let first = font.get(b"FirstChar").ok().and_then(|first| number(first, document)).map_or(0, |first| first as u32);
    let widths = (first..).zip(all).filter_map(|(code, width)| Some((code, number(width, document)?)));
    // A Type 3 font counts in units of its own.
    let scale = font.get_deref(b"FontMatrix", document).and_then(Object::as_array).ok();
    let scale = scale.and_then(|matrix| matrix.first()).and_then(|x| number(x, document)).map_or(1.0, |x| x * 1_000.0);
    (widths.map(|(code, width)| (code, width * scale)).collect(), None)
}

/// `W` holds `first [widths]` and `first last width` by turns.
fn composite(font: &Dictionary, document: &Document) -> Widths {
    let below = font.get_deref(b"DescendantFonts", document).and_then(Object::as_array).ok();
    let below = below.and_then(|list| list.first()).and_then(|one| document.dereference(one).ok());
    let Some(below) = below.and_then(|(_, one)| one.as_dict().ok()) else { return (HashMap::new(), Some(1_000.0)) };
    let other = below.get(b"DW").ok().and_then(|width| number(width, document)).unwrap_or(1_000.0);
    let mut widths = HashMap::new();
    let mut rest = below.get_deref(b"W", document).and_then(Object::as_array).map(Vec::as_slice).unwrap_or_default();
    while let [first, second, tail @ ..] = rest {
        rest = tail;
        let Some(first) = number(first, document) else { break };
        let list = document.dereference(second).ok().and_then(|(_, list)| list.as_array().ok());
        if let Some(list) = list {
            widths.extend((first as u32..).zip(list).filter_map(|(code, width)| Some((code, number(width, document)?))));
        } else if let ([width, tail @ ..], Some(last)) = (tail, number(second, document)) {
            rest = tail;
            let width = number(width, document).unwrap_or(other);
            widths.extend((first as u32..=(last as u32).min(0xffff)).map(|code| (code, width)));
        }
    }
    (widths, Some(other))
}
