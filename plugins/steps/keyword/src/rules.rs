//! Rules and how they are matched.

use serde::Deserialize;

use crate::fold::fold;

/// How the words of a rule are looked for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Match {
    /// As whole words; several words as a phrase.
    #[default]
    Word,
    /// As the beginning of a word.
    Prefix,
    /// Anywhere.
    Contains,
    /// As the whole text, but for punctuation and white space around and between.
    Exact,
}

/// Words to look for.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rule {
    name: Option<String>,
    #[serde(default)]
    any: Vec<String>,
    #[serde(default)]
    all: Vec<String>,
    #[serde(default)]
    none: Vec<String>,
    #[serde(default, rename = "match")]
    how: Match,
}

impl Rule {
    /// What the output calls it: its name, or its first word.
    pub(crate) fn name(&self) -> &str {
        let first = || self.any.first().or(self.all.first()).map(String::as_str);
        self.name.as_deref().or_else(first).unwrap_or_default()
    }

    /// A rule that asks for nothing would fit everything, which nobody means.
    pub(crate) fn is_empty(&self) -> bool {
        !self.any.iter().chain(&self.all).any(|w| !w.trim().is_empty())
    }
}

/// The rule that fits, and which of its words were found, as the rule writes them.
pub(crate) struct Found<'a> {
    pub(crate) rule: &'a Rule,
    pub(crate) words: Vec<String>,
}

/// The first rule that fits.
pub(crate) fn first<'a>(rules: &'a [Rule], text: &str) -> Option<Found<'a>> {
    let text = Text::new(text);
    rules.iter().find_map(|rule| {
        let found = |words: &[String]| -> Vec<String> { words.iter().filter(|w| text.has(w, rule.how)).cloned().collect() };
        let (any, all) = (found(&rule.any), found(&rule.all));
        let fits = (rule.any.is_empty() || !any.is_empty()) && all.len() == rule.all.len() && found(&rule.none).is_empty();
        fits.then(|| Found { rule, words: any.into_iter().chain(all).collect() })
    })
}

/// A text made ready to be looked at many times.
struct Text {
    folded: String,
    /// The words with one space before, between and after them: a phrase is there when `" phrase "` is.
    words: String,
}

impl Text {
    fn new(text: &str) -> Self {
        let folded = fold(text);
        let words = words(&folded);
        Self { folded, words }
    }

    fn has(&self, wanted: &str, how: Match) -> bool {
        let wanted = fold(wanted);
        let phrase = words(&wanted);
        // A "word" without letters (an emoji, "?!") has no word borders: it is looked for as it is.
        if how == Match::Contains || phrase == " " {
            let wanted = wanted.trim();
            return !wanted.is_empty()
                && if how == Match::Exact { self.folded.trim() == wanted } else { self.folded.contains(wanted) };
        }
        match how {
            Match::Prefix => self.words.contains(phrase.trim_end()),
            Match::Exact => self.words == phrase,
            Match::Word | Match::Contains => self.words.contains(&phrase),
        }
    }
}

/// Runs of letters, digits and what joins them, each with a space before it, and one at the end.
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
