//! What every part of the reading needs: findings with their places, known keys with "did you mean", durations,
//! expressions checked and placed.

use std::collections::BTreeSet;
use std::sync::Arc;

use serde_json::{Map, Value};

use super::Plugins;
use super::diagnostic::{Diagnostic, Place, Severity};
use super::source::SourceSet;
use super::template::{Expression, Part, Pattern, Piece, split};
use super::yaml::{Key, Kind, Node};
use crate::clock::Millis;
use crate::ports::Expressions;

/// Reads one source set.
pub(super) struct Reader<'a> {
    pub sources: &'a SourceSet,
    pub expressions: &'a dyn Expressions,
    pub plugins: &'a dyn Plugins,
    pub found: Vec<Diagnostic>,
    /// Where findings go when there are too many.
    pub spare: Option<Diagnostic>,
    lines: Vec<&'a str>,
    /// Names that some expression uses.
    pub used: BTreeSet<String>,
    /// Each use with its place, until somebody judged it.
    pub uses: Vec<Use>,
}

/// An expression's use of a name.
pub(super) struct Use {
    pub name: String,
    pub expression: Arc<str>,
    pub place: Place,
}

/// A finding under construction.
pub(super) struct Finding<'r> {
    diagnostic: &'r mut Diagnostic,
}

impl Finding<'_> {
    pub(super) fn expected(self, text: impl Into<String>) -> Self {
        self.diagnostic.expected = Some(text.into());
        self
    }

    pub(super) fn help(self, text: impl Into<String>) -> Self {
        self.diagnostic.help = Some(text.into());
        self
    }

    pub(super) fn maybe_help(self, text: Option<String>) -> Self {
        if text.is_some() {
            self.diagnostic.help = text;
        }
        self
    }

    pub(super) fn warning(self) {
        self.diagnostic.severity = Severity::Warning;
    }
}

/// Findings that are kept.
const FINDINGS: usize = 100;

/// Expressions in one text.
const EXPRESSIONS: usize = 100;

impl<'a> Reader<'a> {
    pub(super) fn new(sources: &'a SourceSet, expressions: &'a dyn Expressions, plugins: &'a dyn Plugins) -> Self {
        let lines = sources.yaml().lines().collect();
        Self { sources, expressions, plugins, found: Vec::new(), spare: None, lines, used: BTreeSet::new(), uses: Vec::new() }
    }

    /// Notes a finding in the YAML file.
    pub(super) fn find(&mut self, code: &str, place: Place, message: impl Into<String>) -> Finding<'_> {
        self.find_in(self.sources.main(), code, place, message)
    }

    /// Notes a finding in any file of the set.
    pub(super) fn find_in(&mut self, file: &str, code: &str, place: Place, message: impl Into<String>) -> Finding<'_> {
        let line = place.line.saturating_sub(1) as usize;
        let source = if file == self.sources.main() {
            self.lines.get(line).copied()
        } else {
            self.sources.get(file).and_then(|text| text.lines().nth(line))
        };
        let diagnostic = Diagnostic {
            severity: Severity::Error,
            code: code.to_owned(),
            message: message.into(),
            file: file.to_owned(),
            line: place.line,
            column: place.column,
            expected: None,
            help: None,
            source: source.unwrap_or_default().trim_end().chars().take(200).collect(),
        };
        let full = self.found.len() >= FINDINGS;
        Finding { diagnostic: if full { self.spare.insert(diagnostic) } else { self.found.push_mut(diagnostic) } }
    }

    /// "This is a map, and text was expected".
    pub(super) fn wrong_kind(&mut self, node: &Node, what: &str, expected: &str) {
        self.find("workflow.wrong_kind", node.place, format!("{what} cannot be {}", node.describe())).expected(expected);
    }

    /// The entries of a map, or a finding.
    pub(super) fn map<'n>(&mut self, node: &'n Node, what: &str, expected: &str) -> &'n [(Key, Node)] {
        if let Kind::Map(entries) = &node.kind {
            return entries;
        }
        self.wrong_kind(node, what, expected);
        &[]
    }

    /// Finds keys that nobody knows.
    pub(super) fn known_keys(&mut self, entries: &[(Key, Node)], what: &str, known: &[&str]) {
        for (key, _) in entries {
            if !known.contains(&key.text.as_str()) {
                self.unknown_key(key, what, known);
            }
        }
    }

    pub(super) fn unknown_key(&mut self, key: &Key, what: &str, known: &[&str]) {
        let help = did_you_mean(&key.text, known.iter().copied());
        self.find("workflow.unknown_key", key.place, format!("{what} has no key `{}`", key.text))
            .expected(format!("one of {}", known.join(", ")))
            .maybe_help(help);
    }

    /// Text without expressions.
    pub(super) fn fixed_text(&mut self, node: &Node, what: &str) -> Option<String> {
        match node.text().filter(|_| !node.is_null()) {
            Some(text) if text.contains("${") => {
                self.find("workflow.fixed", node.place, format!("{what} is read before anything runs and cannot hold ${{...}}"))
                    .expected("plain text");
                None
            }
            Some(text) => Some(text.to_owned()),
            None => {
                self.wrong_kind(node, what, "text");
                None
            }
        }
    }

    /// `500ms`, `8s`, `5m`, `2h`, `1d`.
    pub(super) fn duration(&mut self, node: &Node, what: &str) -> Option<Millis> {
        let read = node.text().and_then(duration);
        if read.is_none() {
            self.find("workflow.duration", node.place, format!("{what} is not a length of time"))
                .expected("a number with its unit: 500ms, 8s, 5m, 2h, 1d");
        }
        read
    }

    /// A whole number within bounds.
    pub(super) fn whole(&mut self, node: &Node, what: &str, from: i64, to: i64) -> Option<i64> {
        let read = node.scalar().as_i64().filter(|n| (from..=to).contains(n));
        if read.is_none() {
            self.find("workflow.number", node.place, format!("{what} is not a whole number that fits"))
                .expected(format!("a whole number from {from} to {to}"));
        }
        read
    }

    /// `true` or `false`.
    pub(super) fn truth(&mut self, node: &Node, what: &str) -> bool {
        node.scalar().as_bool().unwrap_or_else(|| {
            self.wrong_kind(node, what, "true or false");
            false
        })
    }

    /// A value without expressions.
    pub(super) fn fixed_value(&mut self, node: &Node, what: &str) -> Value {
        match &node.kind {
            Kind::Scalar { text, .. } => {
                if text.contains("${") {
                    let _ = self.fixed_text(node, what);
                }
                node.scalar()
            }
            Kind::List(items) => Value::Array(items.iter().map(|item| self.fixed_value(item, what)).collect()),
            Kind::Map(entries) => Value::Object(
                entries.iter().map(|(key, item)| (key.text.clone(), self.fixed_value(item, what))).collect::<Map<_, _>>(),
            ),
        }
    }

    /// A value with expressions.
    pub(super) fn pattern(&mut self, node: &Node) -> Pattern {
        match &node.kind {
            Kind::Scalar { text, .. } if text.contains("${") => self.text_pattern(node, text),
            Kind::Scalar { .. } => Pattern::Fixed(node.scalar()),
            Kind::List(items) => {
                let items: Vec<Pattern> = items.iter().map(|item| self.pattern(item)).collect();
                all_fixed(&items).map_or(Pattern::List(items), |fixed| Pattern::Fixed(Value::Array(fixed)))
            }
            Kind::Map(entries) => {
                Pattern::Map(entries.iter().map(|(key, item)| (key.text.clone(), self.pattern(item))).collect())
            }
        }
    }

    /// A value that must be text, perhaps with expressions.
    pub(super) fn text(&mut self, node: &Node, what: &str) -> Option<Pattern> {
        match &node.kind {
            Kind::Scalar { text, .. } if text.contains("${") => Some(self.text_pattern(node, text)),
            Kind::Scalar { text, .. } if !node.is_null() && !text.trim().is_empty() => {
                Some(Pattern::Fixed(Value::String(text.clone())))
            }
            Kind::Scalar { .. } => {
                self.find("workflow.empty_text", node.place, format!("{what} is empty")).expected("text");
                None
            }
            _ => {
                self.wrong_kind(node, what, "text");
                None
            }
        }
    }

    fn text_pattern(&mut self, node: &Node, text: &str) -> Pattern {
        let pieces = match split(text) {
            Ok(pieces) => pieces,
            Err(rest) => {
                let place = self.locate(node, rest.lines().next().unwrap_or(rest), 0);
                self.find("workflow.unclosed_expression", place, "this `${` has no end")
                    .expected("a closing `}`")
                    .help("write `$${` where the two characters themselves are meant");
                return Pattern::Fixed(Value::Null);
            }
        };
        if pieces.len() > 2 * EXPRESSIONS {
            self.find("limit.expressions", node.place, format!("a text holds at most {EXPRESSIONS} expressions"))
                .help("build the text in a script");
            return Pattern::Fixed(Value::Null);
        }
        let mut earlier: Vec<&str> = Vec::new();
        let mut parts = Vec::new();
        for piece in pieces {
            match piece {
                Piece::Fixed(text) => parts.push(Part::Fixed(text)),
                Piece::Expr(source) => {
                    // The same expression may stand in a text twice: the second one has the second place.
                    let line = source.lines().next().unwrap_or_default();
                    let same = earlier.iter().filter(|e| **e == line).count();
                    earlier.push(line);
                    let mut place = self.locate(node, &format!("${{{line}"), same);
                    if place != node.place || node.text().is_some_and(|t| t.starts_with("${")) {
                        place.column += 2;
                    }
                    parts.push(Part::Expr(self.checked(source, place)));
                }
            }
        }
        match parts.as_slice() {
            [Part::Expr(one)] => Pattern::Expr(one.clone()),
            [Part::Fixed(one)] => Pattern::Fixed(Value::String(one.clone())),
            _ => Pattern::Text(parts),
        }
    }

    /// A guard: an expression as it stands, or within `${...}`.
    pub(super) fn guard(&mut self, node: &Node) -> Expression {
        let nothing = Expression { source: "false".into(), place: node.place };
        let Some(text) = node.text().filter(|_| !node.is_null()) else {
            self.wrong_kind(node, "a condition", "an expression, for example: event.text == \"hello\"");
            return nothing;
        };
        let trimmed = text.trim();
        let source = trimmed.strip_prefix("${").and_then(|t| t.strip_suffix('}')).unwrap_or(trimmed);
        let place = self.locate(node, source.lines().next().unwrap_or_default(), 0);
        self.checked(source, place)
    }

    /// Checks an expression and notes what it uses.
    fn checked(&mut self, source: &str, place: Place) -> Expression {
        let source: Arc<str> = source.into();
        if source.len() > crate::limits::EXPRESSION_SOURCE {
            self.find("expr.too_long", place, format!("this expression has {} bytes", source.len()))
                .expected(format!("at most {} bytes", crate::limits::EXPRESSION_SOURCE))
                .help("move it into a script");
        } else {
            match self.expressions.check(&source) {
                Ok(names) => {
                    for name in names {
                        self.used.insert(name.clone());
                        self.uses.push(Use { name, expression: Arc::clone(&source), place });
                    }
                }
                Err(mistake) => {
                    let at = within(place, mistake.line, mistake.column);
                    self.find("expr.syntax", at, mistake.message);
                }
            }
        }
        Expression { source, place }
    }

    /// Where `needle` stands in the raw text of a scalar; the scalar's own place when it cannot be found (escapes).
    pub(super) fn locate(&self, node: &Node, needle: &str, skip: usize) -> Place {
        if needle.is_empty() {
            return node.place;
        }
        let mut skip = skip;
        for (at, line) in self.lines.iter().enumerate().skip(node.place.line.saturating_sub(1) as usize) {
            let number = u32::try_from(at + 1).unwrap_or(u32::MAX);
            if number > node.end.line {
                break;
            }
            let first = if number == node.place.line { node.place.column.saturating_sub(1) as usize } else { 0 };
            let begin = line.char_indices().nth(first).map_or(line.len(), |(byte, _)| byte);
            let mut from = begin;
            while let Some(found) = line.get(from..).and_then(|rest| rest.find(needle)) {
                if skip == 0 {
                    let column = line.get(..from + found).map_or(0, |before| before.chars().count()) + 1;
                    return Place::new(at + 1, column);
                }
                skip -= 1;
                from += found + needle.len();
            }
        }
        node.place
    }
}

/// A place inside a text that begins at `base`.
pub(super) fn within(base: Place, line: u32, column: u32) -> Place {
    match line {
        0 | 1 => Place { line: base.line, column: base.column + column.saturating_sub(1) },
        _ => Place { line: base.line + line - 1, column: column.max(1) },
    }
}

/// Reads a length of time.
pub(crate) fn duration(text: &str) -> Option<Millis> {
    let text = text.trim();
    let unit_at = text.find(|c: char| !c.is_ascii_digit())?;
    let (number, unit) = text.split_at(unit_at);
    let unit = match unit.trim() {
        "ms" => 1,
        "s" => 1_000,
        "m" => 60_000,
        "h" => 3_600_000,
        "d" => 86_400_000,
        _ => return None,
    };
    number.parse::<Millis>().ok()?.checked_mul(unit).filter(|ms| *ms <= 366 * 86_400_000)
}

/// "did you mean `reply`?", for a word that is nearly a known one.
pub(super) fn did_you_mean<'k>(word: &str, known: impl Iterator<Item = &'k str>) -> Option<String> {
    let most = (word.chars().count() / 3).max(1);
    known
        .map(|k| (distance(word, k), k))
        .filter(|(d, _)| *d <= most)
        .min_by_key(|(d, _)| *d)
        .map(|(_, k)| format!("did you mean `{k}`?"))
}

/// Edits between two words, a swap of neighbours being one.
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut before: Vec<usize> = Vec::new();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    let mut last = None;
    for (i, ca) in a.chars().enumerate() {
        let mut next = vec![i + 1];
        for (j, cb) in b.iter().enumerate() {
            let get = |row: &[usize], at: usize| row.get(at).copied().unwrap_or(usize::MAX - 1);
            let mut best = (get(&row, j) + usize::from(ca != *cb)).min(get(&row, j + 1) + 1).min(get(&next, j) + 1);
            let swapped = j > 0 && b.get(j - 1) == Some(&ca) && last == Some(*cb);
            if swapped && i > 0 {
                best = best.min(get(&before, j - 1) + 1);
            }
            next.push(best);
        }
        before = std::mem::replace(&mut row, next);
        last = Some(ca);
    }
    row.last().copied().unwrap_or(usize::MAX)
}

fn all_fixed(items: &[Pattern]) -> Option<Vec<Value>> {
    items
        .iter()
        .map(|item| match item {
            Pattern::Fixed(value) => Some(value.clone()),
            _ => None,
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_of_time() {
        for (text, wanted) in [
            ("500ms", Some(500)),
            ("8s", Some(8_000)),
            ("5m", Some(300_000)),
            ("2h", Some(7_200_000)),
            ("1d", Some(86_400_000)),
            ("5", None),
            ("s", None),
            ("-5s", None),
            ("1.5h", None),
            ("9999999999999999999s", None),
            ("400d", None),
        ] {
            assert_eq!(duration(text), wanted, "{text}");
        }
    }

    #[test]
    fn near_words_are_found_and_far_ones_not() {
        let known = ["reply", "retry", "script", "template", "untag"];
        let ask = |word| did_you_mean(word, known.iter().copied());
        assert_eq!(ask("repyl").as_deref(), Some("did you mean `reply`?"));
        assert_eq!(ask("scrpt").as_deref(), Some("did you mean `script`?"));
        assert_eq!(ask("banana"), None);
        assert_eq!(distance("", "abc"), 3);
        assert_eq!(distance("abc", ""), 3);
        assert_eq!(distance("same", "same"), 0);
    }
}
