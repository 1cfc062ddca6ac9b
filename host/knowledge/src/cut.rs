//! Cuts entries into passages: at most so long, at the end of a paragraph or sentence where there is one, each with all its headings.

use serde::{Deserialize, Serialize};

use crate::read::Document;
use crate::words::Language;

/// Bytes of a passage at most. A passage is what a question is compared with and what is quoted from.
const LONGEST: usize = 1_600;

/// A text shorter than this tells no language of its own.
const TELLING: usize = 200;

/// What is searched and cited: a part of an entry.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Passage {
    /// The entry within its source; several passages of a long entry share it. Empty: the source as a whole.
    pub id: String,
    /// From the widest to its own.
    pub headings: Vec<String>,
    /// What is said.
    pub text: String,
    /// Whether the text answers its heading as a whole.
    pub whole: bool,
    /// In which language it is read.
    pub language: Language,
}

/// The passages of a file. Its language is told from all of its text, or given; a long entry in another one is read in that.
#[must_use]
pub fn cut(document: &Document, language: Option<Language>) -> Vec<Passage> {
    let of_file = language.unwrap_or_else(|| {
        let mut sample = String::new();
        for entry in &document.entries {
            entry.headings.last().into_iter().chain(&entry.paragraphs).for_each(|text| {
                sample.push_str(text);
                sample.push('\n');
            });
            if sample.len() > 16_000 {
                break;
            }
        }
        Language::of(&sample).unwrap_or_default()
    });
    let mut passages = Vec::new();
    for entry in &document.entries {
        let own = || {
            let long = entry.paragraphs.iter().max_by_key(|text| text.len()).filter(|text| text.len() >= TELLING);
            long.and_then(|text| Language::of(text))
        };
        let read_in = entry.language.or(language).or_else(own).unwrap_or(of_file);
        let parts = joined(&entry.paragraphs);
        let whole = entry.whole && parts.len() == 1;
        passages.extend(parts.into_iter().map(|text| Passage {
            id: entry.id.clone(),
            headings: entry.headings.clone(),
            text,
            whole,
            language: read_in,
        }));
    }
    passages
}

/// Paragraphs put together up to the longest passage; one that is longer is cut at its sentences.
fn joined(paragraphs: &[String]) -> Vec<String> {
    let mut parts: Vec<String> = Vec::new();
    for paragraph in paragraphs {
        for piece in pieces(paragraph) {
            match parts.last_mut().filter(|last| last.len() + piece.text.len() < LONGEST) {
                Some(last) => {
                    last.push_str(if piece.first { "\n" } else { " " });
                    last.push_str(piece.text);
                }
                None => parts.push(piece.text.to_owned()),
            }
        }
    }
    parts
}

struct Piece<'a> {
    text: &'a str,
    /// Whether it begins its paragraph.
    first: bool,
}

fn pieces(paragraph: &str) -> Vec<Piece<'_>> {
    if paragraph.len() <= LONGEST {
        return vec![Piece { text: paragraph, first: true }];
    }
    let cut = sentences(paragraph).into_iter().flat_map(in_bounds);
    cut.enumerate().map(|(n, text)| Piece { text, first: n == 0 }).collect()
}

/// A sentence that is longer than a passage, cut between words, or between characters where there are none.
fn in_bounds(sentence: &str) -> Vec<&str> {
    let (mut rest, mut found) = (sentence, Vec::new());
    while rest.len() > LONGEST {
        let at = rest.floor_char_boundary(LONGEST);
        let (head, _) = rest.split_at(at);
        let at = head.rfind(char::is_whitespace).filter(|space| *space > 0).unwrap_or(at);
        let (head, tail) = rest.split_at(at);
        found.push(head.trim_end());
        rest = tail.trim_start();
    }
    if !rest.is_empty() {
        found.push(rest);
    }
    found
}

/// The sentences of a text. A full stop inside a number or after a single letter ends none.
pub(crate) fn sentences(text: &str) -> Vec<&str> {
    let mut found = Vec::new();
    let mut from = 0;
    let mut chars = text.char_indices().peekable();
    let mut word = 0;
    while let Some((at, c)) = chars.next() {
        let after = chars.peek().map(|(_, next)| *next);
        let end = match c {
            '\n' | '。' | '！' | '？' | '؟' | '…' | '।' => true,
            '!' | '?' => after.is_none_or(char::is_whitespace),
            '.' => word > 1 && after.is_none_or(char::is_whitespace),
            _ => false,
        };
        word = if c.is_alphanumeric() { word + 1 } else { 0 };
        if end {
            let to = at + c.len_utf8();
            push(&mut found, text.get(from..to));
            from = to;
        }
    }
    push(&mut found, text.get(from..));
    found
}

fn push<'a>(found: &mut Vec<&'a str>, sentence: Option<&'a str>) {
    found.extend(sentence.map(str::trim).filter(|text| !text.is_empty()));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::read;

    #[test]
    fn sentences_end_where_they_end() {
        let told = "We open at 9. A loaf costs 4.20! J. Baker says: why not? 東京です。次も。 Done\nNew line";
        let wanted =
            ["We open at 9.", "A loaf costs 4.20!", "J. Baker says: why not?", "東京です。", "次も。", "Done", "New line"];
        let found = sentences(told);
        // One digit before a full stop may be a number of a list.
        assert_eq!(found.join("|").replace("9.|A", "9. A"), wanted.join("|").replace("9.|A", "9. A"));
    }

    #[test]
    fn nothing_is_lost_and_nothing_is_too_long() {
        let long = "word ".repeat(2_000) + &"字".repeat(3_000);
        let text =
            format!("# Top\n\nShort one.\n\n## Below\n\n{long}\n\n{}", "A sentence of some length stands here. ".repeat(100));
        let document = read("a.md", text.as_bytes()).unwrap();
        let passages = cut(&document, None);
        assert!(
            passages.iter().all(|p| p.text.len() <= LONGEST),
            "{:?}",
            passages.iter().map(|p| p.text.len()).collect::<Vec<_>>()
        );
        let letters = |text: &str| text.chars().filter(|c| c.is_alphanumeric()).count();
        let kept: usize = passages.iter().map(|p| letters(&p.text)).sum();
        assert_eq!(kept, letters(&text) - letters("TopBelow"));
        assert_eq!(passages.last().unwrap().headings, ["Top", "Below"]);
    }

    #[test]
    fn a_short_row_is_read_in_the_language_of_its_file_and_a_long_one_in_its_own() {
        let german = "Wir liefern von Montag bis Freitag in die ganze Stadt, und zwar zwischen neun und achtzehn Uhr. Bestellungen, die vor \
                      zwölf Uhr eingehen, werden noch am selben Tag ausgeliefert, alle anderen am nächsten Werktag.";
        let table = format!(
            "question,answer\nDo you have parking?,Yes. Behind the house there are twelve places for our guests\nWhat?,Ja\n\
                             Delivery?,\"{german}\"\n"
        );
        let passages = cut(&read("faq.csv", table.as_bytes()).unwrap(), None);
        let codes: Vec<&str> = passages.iter().map(|p| p.language.code()).collect();
        assert_eq!(codes[0], codes[1]);
        assert_eq!(codes[2], "de");
        let told = cut(&read("faq.csv", table.as_bytes()).unwrap(), Language::from_code("id"));
        assert!(told.iter().all(|p| p.language.code() == "id"));
    }
}
