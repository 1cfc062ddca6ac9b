//! What the verbs take that wait: `ask`, `wait`, `approve`, `draft`.

use serde_json::Value;

use super::compile::Compiler;
use super::program::{Approve, Ask, Buttons, Expected, WaitForm};
use super::reader::{did_you_mean, duration};
use super::template::Pattern;
use super::triggers;
use super::verbs::{message, person};
use super::yaml::{Key, Kind, Node};
use crate::clock::Millis;
use crate::wait::{DAY, Expect, Filter};

/// The words of `expect`.
const KINDS: [&str; 5] = ["any", "number", "yes_no", "email", "phone"];

/// Text, or `{text, buttons, expect, timeout, again}`.
pub(super) fn ask(c: &mut Compiler<'_>, value: &Node) -> Option<Ask> {
    let nothing = |question| Ask { question, expect: Expected::Unsaid, again: None, timeout: DAY };
    let Kind::Map(entries) = &value.kind else {
        let text = Some(c.r.text(value, "a question")?);
        return Some(nothing(super::program::Reply { text, ..Default::default() }));
    };
    c.r.known_keys(entries, "an ask", &["text", "buttons", "expect", "timeout", "again"]);
    if get(entries, "text").is_none() {
        c.r.find("workflow.missing_key", value.place, "an ask has a `text`: the question").expected("{ text: \"Which size?\" }");
        return None;
    }
    let mut ask = nothing(message(c, entries));
    ask.timeout = length(c, entries, "timeout");
    ask.again = get(entries, "again").and_then(|node| c.r.text(node, "`again`"));
    if let Some(node) = get(entries, "expect") {
        ask.expect = expect(c, node)?;
        if let (Buttons::List(list), Expected::Kind(Expect::Any)) = (&ask.question.buttons, &ask.expect)
            && !list.is_empty()
        {
            c.r.find("workflow.buttons_of_any", node.place, "with `expect: any` the buttons are only proposals").warning();
        }
    }
    Some(ask)
}

fn get<'n>(entries: &'n [(Key, Node)], name: &str) -> Option<&'n Node> {
    entries.iter().find(|(k, _)| k.text == name).map(|(_, v)| v)
}

/// A length of time, a day when it is not said.
fn length(c: &mut Compiler<'_>, entries: &[(Key, Node)], key: &str) -> Millis {
    get(entries, key).and_then(|node| c.r.duration(node, &format!("`{key}`"))).unwrap_or(DAY)
}

/// `number`, or `{one_of: [...]}`.
fn expect(c: &mut Compiler<'_>, node: &Node) -> Option<Expected> {
    let all = || format!("one of {}, or {{ one_of: [...] }}", KINDS.join(", "));
    match &node.kind {
        Kind::Map(entries) => {
            c.r.known_keys(entries, "`expect`", &["one_of"]);
            let Some(list) = get(entries, "one_of") else {
                c.r.find("workflow.missing_key", node.place, "this expects nothing").expected(all());
                return None;
            };
            match &list.kind {
                Kind::List(items) if !items.is_empty() => {
                    let texts: Vec<Pattern> = items.iter().filter_map(|item| c.r.text(item, "one of the answers")).collect();
                    Some(Expected::OneOf(Pattern::List(texts)))
                }
                Kind::Scalar { .. } => match c.r.pattern(list) {
                    pattern @ Pattern::Expr(_) => Some(Expected::OneOf(pattern)),
                    _ => {
                        c.r.wrong_kind(list, "`one_of`", "a list of texts, or one ${...} that gives it");
                        None
                    }
                },
                _ => {
                    c.r.wrong_kind(list, "`one_of`", "a list of texts, or one ${...} that gives it");
                    None
                }
            }
        }
        Kind::Scalar { text, .. } if !node.is_null() => {
            let found = Expect::by_word(text).map(Expected::Kind);
            if found.is_none() {
                let help = did_you_mean(text, KINDS.into_iter());
                c.r.find("workflow.expect", node.place, format!("there is no kind of answer `{text}`"))
                    .expected(all())
                    .maybe_help(help);
            }
            found
        }
        _ => {
            c.r.wrong_kind(node, "`expect`", &all());
            None
        }
    }
}

const WAIT: &str = "a length of time (2h), { until: ... }, or { for: message, timeout: 2h }";

/// A length of time, `{until}`, or `{for, timeout}`.
pub(super) fn wait(c: &mut Compiler<'_>, value: &Node) -> Option<WaitForm> {
    match &value.kind {
        Kind::Map(entries) => {
            let keys: &[&str] = if get(entries, "for").is_some() { &["for", "timeout"] } else { &["until"] };
            match (get(entries, "for"), get(entries, "until")) {
                (Some(node), None) => {
                    c.r.known_keys(entries, "a wait for an event", keys);
                    let any = triggers::awaited(&mut c.r, node);
                    Some(WaitForm::Event { filter: Filter { any }, timeout: length(c, entries, "timeout") })
                }
                (None, Some(node)) => {
                    c.r.known_keys(entries, "a wait until a moment", keys);
                    let moment = c.r.pattern(node);
                    if let Pattern::Fixed(fixed) = &moment
                        && crate::run::moment(fixed).is_none()
                    {
                        c.r.find("workflow.moment", node.place, "this is no moment").expected(
                            "a time with its zone (2026-01-31T09:00:00Z), or ${...} that gives one or milliseconds: ${now + 3600000}",
                        );
                    }
                    Some(WaitForm::Until(moment))
                }
                _ => {
                    c.r.find("workflow.wait", value.place, "this waits for nothing, or for two things").expected(WAIT);
                    None
                }
            }
        }
        Kind::Scalar { .. } if !value.is_null() => {
            let pattern = c.r.text(value, "a wait")?;
            if let Pattern::Fixed(Value::String(text)) = &pattern
                && duration(text).is_none()
            {
                c.r.find("workflow.duration", value.place, "this is not a length of time").expected(WAIT);
                return None;
            }
            Some(WaitForm::Length(pattern))
        }
        _ => {
            c.r.wrong_kind(value, "`wait`", WAIT);
            None
        }
    }
}

/// Text, or `{text, to, expires}`.
pub(super) fn approve(c: &mut Compiler<'_>, value: &Node, send: bool) -> Option<Approve> {
    let what = if send { "a draft" } else { "an approve" };
    let Kind::Map(entries) = &value.kind else {
        return Some(Approve { text: c.r.text(value, what)?, to: None, expires: DAY, send });
    };
    c.r.known_keys(entries, what, &["text", "to", "expires"]);
    let Some(text) = get(entries, "text") else {
        c.r.find("workflow.missing_key", value.place, format!("{what} has a `text`: what is to be approved"))
            .expected("{ text: \"...\", to: team/care }");
        return None;
    };
    Some(Approve {
        text: c.r.text(text, "the text to approve")?,
        to: get(entries, "to").and_then(|node| person(c, node)),
        expires: length(c, entries, "expires"),
        send,
    })
}
