//! Plugins that a script calls by `step("...")`: those that stand there as texts are pinned with the workflow, so that a run
//! which waits for days goes on with the version it began with. And workflows that it calls by `call_workflow("...")`: it can
//! reach those that stand there as texts, and no other, whatever a contact writes.

use std::sync::Arc;

use super::compile::Compiler;
use super::diagnostic::Place;
use super::reader::within;
use super::verbs::known_plugin;

/// Pins what the script names. `name` is its file, `base` where its text begins there.
pub(super) fn pin(c: &mut Compiler<'_>, source: &str, name: &str, base: Place) {
    c.calls.extend(literals(source, "call_workflow").into_iter().map(|(_, name)| Arc::from(name)));
    for (at, word) in literals(source, "step") {
        let before = source.get(..at).unwrap_or_default();
        let line = before.matches('\n').count() + 1;
        let column = before.rsplit('\n').next().map_or(0, |text| text.chars().count()) + 1;
        let inner = Place::new(line, column);
        // Every line of an inline script is indented by as much as its first.
        let inline = name == c.r.sources.main() && inner.line > 1;
        let place = if inline {
            Place { line: base.line + inner.line - 1, column: base.column + inner.column - 1 }
        } else {
            within(base, inner.line, inner.column)
        };
        if let Some(id) = known_plugin(c, &word, name, place) {
            c.plugins.insert(id);
        }
    }
}

/// The full id of a plugin by its word: `keyword` is `pointsman/keyword`.
pub(crate) fn full_id(word: &str) -> Arc<str> {
    if word.contains('/') { word.into() } else { format!("pointsman/{word}").into() }
}

/// The texts that stand as the first argument of a function, each with its place in bytes. Comments and other texts are passed
/// over; a text with an escape or an expression in it is none that could be known.
fn literals(source: &str, function: &str) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    let mut at = 0;
    // What stood before: the function's name, and then its bracket.
    let mut word = "";
    let mut opened = false;
    while let Some(rest) = source.get(at..).filter(|rest| !rest.is_empty()) {
        let taken = if let Some(comment) = rest.strip_prefix("//") {
            2 + comment.find('\n').unwrap_or(comment.len())
        } else if let Some(comment) = rest.strip_prefix("/*") {
            2 + comment.find("*/").map_or(comment.len(), |end| end + 2)
        } else if let Some(quote) = rest.chars().next().filter(|c| matches!(c, '"' | '`' | '\'')) {
            let (text, taken) = quoted(rest, quote);
            if opened && quote != '\'' && !text.contains('\\') && !text.contains("${") && !text.is_empty() {
                found.push((at, text.to_owned()));
            }
            (word, opened) = ("", false);
            taken
        } else if rest.starts_with(is_word) {
            let taken = rest.find(|c: char| !is_word(c)).unwrap_or(rest.len());
            word = rest.get(..taken).unwrap_or_default();
            opened = false;
            taken
        } else {
            let c = rest.chars().next().unwrap_or(' ');
            if !c.is_whitespace() {
                opened = c == '(' && word == function;
                word = "";
            }
            c.len_utf8()
        };
        at += taken.max(1);
    }
    found
}

fn is_word(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_'
}

/// What stands between quotes, and how many bytes that is with them.
fn quoted(rest: &str, quote: char) -> (&str, usize) {
    let mut escaped = false;
    for (at, c) in rest.char_indices().skip(1) {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            _ if c == quote => return (rest.get(1..at).unwrap_or_default(), at + 1),
            _ => {}
        }
    }
    ("", rest.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_texts_right_behind_step_are_found() {
        for (source, wanted) in [
            ("step(\"a\", #{})", vec![(5, "a")]),
            ("let x = step ( `acme/b` , #{x: \"step(\"});", vec![(15, "acme/b")]),
            ("step(/* which */ \"a\")", vec![(17, "a")]),
            ("// step(\"no\")\n/* step(\"no\") */ step(\"a\")", vec![(36, "a")]),
            ("reply(\"step(\\\"no\\\")\"); mystep(\"no\"); step(name); step(`${x}`); step(\"\")", vec![]),
            ("step(x, \"no\"); let step = (\"no\")", vec![]),
            ("'\"'; step(\"a\")", vec![(10, "a")]),
            ("step(\"open", vec![]),
            ("é; step(\"a\")", vec![(9, "a")]),
        ] {
            let found = literals(source, "step");
            assert_eq!(found.iter().map(|(at, w)| (*at, w.as_str())).collect::<Vec<_>>(), wanted, "{source}");
        }
        let calls = "step(\"a\"); call_workflow(\"b\", #{}); call_workflow(event.text); // call_workflow(\"c\")";
        assert_eq!(literals(calls, "call_workflow"), [(25, "b".to_owned())]);
    }
}
