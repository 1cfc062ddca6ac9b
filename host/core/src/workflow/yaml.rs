//! YAML as a tree in which every key and value knows its place. Aliases, tags and further documents are refused: they
//! would let a small file become a huge tree, and nobody needs them here.

use std::collections::BTreeSet;
use std::iter::Peekable;

use granit_parser::{Event, Options, Parser, ScalarStyle, Span};
use serde_json::{Number, Value};

use super::diagnostic::Place;

/// How deep lists and maps may be nested.
const DEPTH: usize = 64;

/// A key of a map.
#[derive(Debug, Clone)]
pub(super) struct Key {
    pub text: String,
    pub place: Place,
}

/// A value and where it stands.
#[derive(Debug, Clone)]
pub(super) struct Node {
    pub place: Place,
    pub end: Place,
    pub kind: Kind,
}

/// What a value is.
#[derive(Debug, Clone)]
pub(super) enum Kind {
    /// A scalar: its text, and whether it was written without quotes (so that `5` is a number and `"5"` is not).
    Scalar {
        text: String,
        plain: bool,
    },
    List(Vec<Node>),
    Map(Vec<(Key, Node)>),
}

/// What is wrong with the YAML itself.
pub(super) struct Trouble {
    pub code: &'static str,
    pub message: String,
    pub place: Place,
}

impl Node {
    /// The scalar's text, whatever it would mean.
    pub(super) fn text(&self) -> Option<&str> {
        match &self.kind {
            Kind::Scalar { text, .. } => Some(text),
            _ => None,
        }
    }

    /// Nothing: an empty place, `null`, `~`.
    pub(super) fn is_null(&self) -> bool {
        matches!(&self.kind, Kind::Scalar { text, plain: true } if matches!(text.as_str(), "" | "null" | "~" | "Null" | "NULL"))
    }

    /// In words, for diagnostics.
    pub(super) fn describe(&self) -> &'static str {
        match &self.kind {
            _ if self.is_null() => "nothing",
            Kind::Scalar { .. } => match self.scalar() {
                Value::Bool(_) => "true or false",
                Value::Number(_) => "a number",
                _ => "text",
            },
            Kind::List(_) => "a list",
            Kind::Map(_) => "a map",
        }
    }

    /// A scalar as JSON, by the core schema of YAML 1.2. Lists and maps give null.
    pub(super) fn scalar(&self) -> Value {
        let Kind::Scalar { text, plain } = &self.kind else { return Value::Null };
        if !plain {
            return Value::String(text.clone());
        }
        match text.as_str() {
            _ if self.is_null() => Value::Null,
            "true" | "True" | "TRUE" => Value::Bool(true),
            "false" | "False" | "FALSE" => Value::Bool(false),
            other => number(other).map_or_else(|| Value::String(other.to_owned()), Value::Number),
        }
    }
}

/// Numbers start with a digit, a sign or a point; everything else is a word.
fn number(text: &str) -> Option<Number> {
    let digits = text.trim_start_matches(['-', '+']);
    if text.len() > digits.len() + 1 || !digits.starts_with(|c: char| c.is_ascii_digit() || c == '.') {
        return None;
    }
    if let Some(hex) = text.strip_prefix("0x") {
        return i64::from_str_radix(hex, 16).ok().map(Number::from);
    }
    if let Ok(whole) = text.parse::<i64>() {
        return Some(Number::from(whole));
    }
    if !digits.chars().all(|c| c.is_ascii_digit() || matches!(c, '.' | 'e' | 'E' | '+' | '-')) {
        return None;
    }
    text.parse::<f64>().ok().and_then(Number::from_f64)
}

/// Reads one document.
pub(super) fn read(text: &str) -> Result<Node, Trouble> {
    let mut options = Options::default();
    options.set_emit_comments(false);
    options.disallow_directives = true;
    options.block_nesting_limit = DEPTH;
    options.flow_nesting_limit = DEPTH;
    let mut events = Events { inner: Parser::new_from_str_with_options(text, options).peekable() };
    loop {
        match events.next()? {
            Some((Event::StreamStart | Event::DocumentStart(..), _)) => {}
            Some((Event::StreamEnd, span)) => {
                return Err(Trouble { code: "workflow.empty", message: "the file is empty".into(), place: start(&span) });
            }
            Some((event, span)) => {
                let node = events.node(event, &span)?;
                return match events.next()? {
                    Some((Event::DocumentEnd, _)) => match events.next()? {
                        Some((Event::StreamEnd, _)) | None => Ok(node),
                        Some((_, span)) => {
                            Err(feature(&span, "a second document", "one file holds one workflow: move it to a file of its own"))
                        }
                    },
                    _ => Ok(node),
                };
            }
            None => {
                return Err(Trouble {
                    code: "workflow.empty",
                    message: "the file is empty".into(),
                    place: Place { line: 1, column: 1 },
                });
            }
        }
    }
}

fn start(span: &Span) -> Place {
    Place::new(span.start.line(), span.start.col() + 1)
}

fn feature(span: &Span, what: &str, cure: &str) -> Trouble {
    Trouble { code: "workflow.yaml_feature", message: format!("{what} is not read here; {cure}"), place: start(span) }
}

struct Events<'a, P: Iterator<Item = Result<(Event<'a>, Span), granit_parser::ScanError>>> {
    inner: Peekable<P>,
}

impl<'a, P: Iterator<Item = Result<(Event<'a>, Span), granit_parser::ScanError>>> Events<'a, P> {
    fn next(&mut self) -> Result<Option<(Event<'a>, Span)>, Trouble> {
        self.inner.next().transpose().map_err(|error| Trouble {
            code: "workflow.yaml",
            message: format!("this is not YAML: {}", error.info()),
            place: Place::new(error.marker().line(), error.marker().col() + 1),
        })
    }

    fn some(&mut self, from: &Span) -> Result<(Event<'a>, Span), Trouble> {
        self.next()?.ok_or_else(|| Trouble {
            code: "workflow.yaml",
            message: "the file ends in the middle".into(),
            place: start(from),
        })
    }

    /// Depth is bounded by the parser's own limits.
    fn node(&mut self, event: Event<'a>, span: &Span) -> Result<Node, Trouble> {
        if event.is_alias() {
            return Err(feature(span, "an alias (`*name`)", "write the value again"));
        }
        if event.tag().is_some() {
            return Err(feature(span, "a tag (`!name`)", "take it away"));
        }
        if event.anchor_id().is_some() {
            return Err(feature(span, "an anchor (`&name`)", "take it away, or quote the text"));
        }
        let place = start(span);
        let mut end = Place::new(span.end.line(), span.end.col() + 1);
        let kind = match event {
            Event::Scalar(text, style, ..) => Kind::Scalar { text: text.into_owned(), plain: style == ScalarStyle::Plain },
            Event::SequenceStart(..) => {
                let mut items = Vec::new();
                loop {
                    let (event, at) = self.some(span)?;
                    if event == Event::SequenceEnd {
                        end = Place::new(at.end.line(), at.end.col() + 1);
                        break Kind::List(items);
                    }
                    items.push(self.node(event, &at)?);
                }
            }
            Event::MappingStart(..) => {
                let mut entries: Vec<(Key, Node)> = Vec::new();
                let mut seen = BTreeSet::new();
                loop {
                    let (event, at) = self.some(span)?;
                    if event == Event::MappingEnd {
                        end = Place::new(at.end.line(), at.end.col() + 1);
                        break Kind::Map(entries);
                    }
                    let key = self.node(event, &at)?;
                    let Some(text) = key.text().map(str::to_owned) else {
                        return Err(feature(&at, "a list or map as a key", "keys are words"));
                    };
                    if !seen.insert(text.clone()) {
                        return Err(Trouble {
                            code: "workflow.duplicate_key",
                            message: format!("`{text}` stands here a second time; a key may stand once in a map"),
                            place: key.place,
                        });
                    }
                    let (event, at) = self.some(span)?;
                    let value = self.node(event, &at)?;
                    entries.push((Key { text, place: key.place }, value));
                }
            }
            _ => return Err(feature(span, "this", "see the guide of workflows")),
        };
        Ok(Node { place, end, kind })
    }
}
