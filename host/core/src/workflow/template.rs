//! Text with `${...}` in it, and whole values made of such text. Words from outside only ever come in as values: what an
//! expression gave is never read as a template again.

use std::sync::Arc;

use serde_json::{Map, Value};

use super::diagnostic::Place;
use crate::failure::Failure;
use crate::mark::Marked;
use crate::ports::{Expressions, Names};

/// An expression of the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Expression {
    /// Its text.
    pub source: Arc<str>,
    /// Where it stands.
    pub place: Place,
}

impl Expression {
    /// Works it out. A failure names the line.
    pub fn eval(&self, expressions: &dyn Expressions, names: &Names) -> Result<Marked<Value>, Failure> {
        expressions.eval(&self.source, names).map_err(|mut failure| {
            failure.message = format!("{} (line {}, column {})", failure.message, self.place.line, self.place.column);
            failure
        })
    }
}

/// A piece of text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Part {
    /// As it stands.
    Fixed(String),
    /// `${...}`.
    Expr(Expression),
}

/// A value of the file, before its expressions are worked out.
#[derive(Debug, Clone, PartialEq)]
pub enum Pattern {
    /// Without expressions.
    Fixed(Value),
    /// Nothing but `${...}`: keeps the expression's type.
    Expr(Expression),
    /// Text with expressions in it: gives text.
    Text(Vec<Part>),
    /// A list.
    List(Vec<Pattern>),
    /// A map.
    Map(Vec<(String, Pattern)>),
}

impl Pattern {
    /// Works out every expression. Marked when any of them is.
    pub fn eval(&self, expressions: &dyn Expressions, names: &Names) -> Result<Marked<Value>, Failure> {
        let mut marked = false;
        let value = self.fill(expressions, names, &mut marked)?;
        Ok(Marked { value, marked })
    }

    fn fill(&self, expressions: &dyn Expressions, names: &Names, marked: &mut bool) -> Result<Value, Failure> {
        Ok(match self {
            Self::Fixed(value) => value.clone(),
            Self::Expr(expression) => {
                let got = expression.eval(expressions, names)?;
                *marked |= got.marked;
                got.value
            }
            Self::Text(parts) => {
                let mut out = String::new();
                for part in parts {
                    match part {
                        Part::Fixed(text) => out.push_str(text),
                        Part::Expr(expression) => {
                            let got = expression.eval(expressions, names)?;
                            *marked |= got.marked;
                            push_text(&mut out, &got.value);
                        }
                    }
                }
                Value::String(out)
            }
            Self::List(items) => {
                Value::Array(items.iter().map(|item| item.fill(expressions, names, marked)).collect::<Result<_, _>>()?)
            }
            Self::Map(entries) => {
                let mut map = Map::new();
                for (key, item) in entries {
                    map.insert(key.clone(), item.fill(expressions, names, marked)?);
                }
                Value::Object(map)
            }
        })
    }
}

/// A value as text: text as it is, null as nothing, lists and maps as JSON.
#[must_use]
pub fn to_text(value: Value) -> String {
    match value {
        Value::String(text) => text,
        other => {
            let mut out = String::new();
            push_text(&mut out, &other);
            out
        }
    }
}

fn push_text(out: &mut String, value: &Value) {
    match value {
        Value::Null => {}
        Value::String(text) => out.push_str(text),
        other => out.push_str(&other.to_string()),
    }
}

/// A piece of text as [`split`] finds it.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Piece<'a> {
    Fixed(String),
    Expr(&'a str),
}

/// Takes text apart at `${...}`. Braces and quotes inside an expression are understood; `$${` stands for `${` itself.
/// `Err` is the rest of the text from a `${` that has no end.
pub(super) fn split(text: &str) -> Result<Vec<Piece<'_>>, &str> {
    let mut pieces = Vec::new();
    let mut fixed = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("${") {
        if let Some(before) = before.strip_suffix('$') {
            fixed.push_str(before);
            fixed.push_str("${");
            rest = after;
            continue;
        }
        fixed.push_str(before);
        let Some((expr, behind)) = end_of_expression(after) else {
            return Err(rest.get(before.len()..).unwrap_or(rest));
        };
        if !fixed.is_empty() {
            pieces.push(Piece::Fixed(std::mem::take(&mut fixed)));
        }
        pieces.push(Piece::Expr(expr));
        rest = behind;
    }
    fixed.push_str(rest);
    if !fixed.is_empty() || pieces.is_empty() {
        pieces.push(Piece::Fixed(fixed));
    }
    Ok(pieces)
}

/// Splits behind the brace that closes the expression.
fn end_of_expression(text: &str) -> Option<(&str, &str)> {
    let mut depth = 0_usize;
    let mut quote: Option<char> = None;
    let mut escaped = false;
    for (at, c) in text.char_indices() {
        match quote {
            Some(_) if escaped => escaped = false,
            Some(_) if c == '\\' => escaped = true,
            Some(q) if c == q => quote = None,
            Some(_) => {}
            None => match c {
                '"' | '\'' | '`' => quote = Some(c),
                '{' => depth += 1,
                '}' if depth == 0 => return Some((text.get(..at)?, text.get(at + 1..)?)),
                '}' => depth -= 1,
                _ => {}
            },
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pieces(text: &str) -> String {
        match split(text) {
            Ok(pieces) => pieces
                .iter()
                .map(|p| match p {
                    Piece::Fixed(t) => format!("[{t}]"),
                    Piece::Expr(e) => format!("<{e}>"),
                })
                .collect(),
            Err(rest) => format!("open: {rest}"),
        }
    }

    #[test]
    fn text_is_taken_apart_at_its_expressions() {
        for (text, wanted) in [
            ("", "[]"),
            ("plain $5 {x}", "[plain $5 {x}]"),
            ("${a}", "<a>"),
            ("Hi ${a.b}!", "[Hi ]<a.b>[!]"),
            ("${a}${b}", "<a><b>"),
            ("${#{x: 1}.x} y", "<#{x: 1}.x>[ y]"),
            ("${\"}\" + '}'}", "<\"}\" + '}'>"),
            (r#"${"\"}"}x"#, r#"<"\"}">[x]"#),
            ("a $${b} ${c}", "[a ${b} ]<c>"),
            ("é ${ü", "open: ${ü"),
            ("${`${x}`}", "<`${x}`>"),
        ] {
            assert_eq!(pieces(text), wanted, "{text}");
        }
    }

    #[test]
    fn values_become_text() {
        assert_eq!(to_text(Value::Null), "");
        assert_eq!(to_text(serde_json::json!("a")), "a");
        assert_eq!(to_text(serde_json::json!(1.5)), "1.5");
        assert_eq!(to_text(serde_json::json!({"a": [1]})), "{\"a\":[1]}");
    }
}
