//! Headings and paragraphs on their way into entries: one entry a section.

use std::collections::HashMap;

use super::Entry;

/// Characters of a heading that are kept.
const HEADING: usize = 200;

/// Collects what a reader meets.
#[derive(Default)]
pub(super) struct Outline {
    /// The headings that hold, with their levels.
    path: Vec<(u8, String)>,
    open: Vec<String>,
    entries: Vec<Entry>,
    /// How many entries have this heading.
    same: HashMap<String, usize>,
}

impl Outline {
    /// A heading of a level from 1.
    pub(super) fn heading(&mut self, level: u8, text: &str) {
        self.close();
        let text: String = squeezed(text).chars().take(HEADING).collect();
        self.path.retain(|(above, _)| *above < level);
        if !text.is_empty() {
            self.path.push((level, text));
        }
    }

    /// A paragraph, an item of a list, a row of a table.
    pub(super) fn paragraph(&mut self, text: &str) {
        let text = squeezed(text);
        if !text.is_empty() {
            self.open.push(text);
        }
    }

    fn close(&mut self) {
        let paragraphs = std::mem::take(&mut self.open);
        if paragraphs.is_empty() {
            return;
        }
        let headings: Vec<String> = self.path.iter().map(|(_, text)| text.clone()).collect();
        let mut id = headings.last().map(|text| anchor(text)).unwrap_or_default();
        let same = self.same.entry(headings.last().cloned().unwrap_or_default()).or_default();
        *same += 1;
        if *same > 1 && !id.is_empty() {
            id = format!("{id}-{same}");
        }
        // A heading that asks is answered by all that stands under it.
        let whole = headings.last().is_some_and(|text| text.trim_end().ends_with(['?', '？', '؟']));
        self.entries.push(Entry { id, headings, paragraphs, whole, language: None });
    }

    pub(super) fn finish(mut self) -> Vec<Entry> {
        self.close();
        self.entries
    }
}

/// A text without marks: paragraphs are set off by empty lines.
pub(super) fn plain(text: &str) -> Vec<Entry> {
    let mut outline = Outline::default();
    let mut paragraph = String::new();
    for line in text.lines().chain([""]) {
        if line.trim().is_empty() {
            outline.paragraph(&std::mem::take(&mut paragraph));
        } else {
            paragraph.push_str(line);
            paragraph.push('\n');
        }
    }
    outline.finish()
}

/// One space between words, and none around them.
pub(super) fn squeezed(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// `Opening hours?` as `opening-hours`.
fn anchor(heading: &str) -> String {
    let words = heading.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty());
    let joined = words.map(str::to_lowercase).collect::<Vec<_>>().join("-");
    joined.chars().take(80).collect()
}
