//! Words in a text, as people type them: capitals, accents and punctuation make no difference, and a word is a word, not a
//! part of one.

use serde::{Deserialize, Serialize};
use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::is_combining_mark;

/// How words are looked for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Match {
    /// As whole words anywhere; several as a phrase.
    #[default]
    Word,
    /// As the whole text.
    Exact,
}

impl Match {
    /// Whether it is what is meant when nothing is said.
    #[must_use]
    #[expect(clippy::trivially_copy_pass_by_ref, reason = "as serde asks it")]
    pub fn is_usual(&self) -> bool {
        *self == Self::Word
    }
}

/// Whether one of these words or phrases is in a text.
#[must_use]
pub fn fits(text: &str, wanted: &[String], how: Match) -> bool {
    let folded = fold(text);
    let said = words(&folded);
    wanted.iter().any(|wanted| {
        let wanted = fold(wanted);
        let phrase = words(&wanted);
        match how {
            // What has no letters (an emoji, "?!") has no borders either.
            Match::Word if phrase == " " => !wanted.trim().is_empty() && folded.contains(wanted.trim()),
            Match::Exact if phrase == " " => folded.trim() == wanted.trim(),
            Match::Word => said.contains(&phrase),
            Match::Exact => said == phrase,
        }
    })
}

/// The words with one space before, between and after them: a phrase is there when `" phrase "` is.
fn words(folded: &str) -> String {
    let mut out = String::with_capacity(folded.len() + 2);
    for word in folded.split(|c: char| !c.is_alphanumeric() && c != '\'' && c != '’') {
        let word = word.trim_matches(['\'', '’']);
        if !word.is_empty() {
            out.push(' ');
            out.extend(word.chars().map(|c| if c == '’' { '\'' } else { c }));
        }
    }
    out.push(' ');
    out
}

/// Lower case, and Latin and Greek letters without their accents. Marks of other scripts are letters of their own there
/// (й is not и) and stay.
fn fold(text: &str) -> String {
    if text.is_ascii() {
        return text.to_ascii_lowercase();
    }
    let mut base = ' ';
    let bare = text.nfd().filter(move |c| {
        if !is_combining_mark(*c) {
            base = *c;
            return true;
        }
        !matches!(base, 'a'..='z' | 'A'..='Z' | '\u{00c0}'..='\u{024f}' | '\u{0370}'..='\u{03ff}' | '\u{1e00}'..='\u{1fff}')
    });
    bare.nfc().flat_map(char::to_lowercase).map(|c| if c == 'ς' { 'σ' } else { c }).collect::<String>().replace('ß', "ss")
}
