//! What stands beside steps: `retry`, `on_error`.

use super::reader::{Reader, did_you_mean};
use super::yaml::{Kind, Node};
use crate::retry::Policy;

/// What `on_error` says.
pub(super) struct OnError<'n> {
    pub retry: Option<Policy>,
    pub then: Then<'n>,
    /// Whether `then` was written; else what is around decides.
    pub says_then: bool,
}

/// And when nothing helped.
pub(super) enum Then<'n> {
    Stop,
    Continue,
    Handoff,
    Steps(&'n [Node]),
}

const ON_ERROR: &str = "continue, stop, handoff, a list of steps, or { retry: 3, then: ... }";

/// `continue | stop | [steps] | {retry, then}`.
pub(super) fn on_error<'n>(r: &mut Reader<'_>, node: &'n Node) -> OnError<'n> {
    match &node.kind {
        Kind::Map(entries) if entries.iter().any(|(k, _)| k.text == "retry" || k.text == "then") => {
            r.known_keys(entries, "an `on_error`", &["retry", "then"]);
            let get = |name: &str| entries.iter().find(|(k, _)| k.text == name).map(|(_, v)| v);
            let retry = get("retry").map(|node| retry(r, node));
            match get("then") {
                Some(node) => OnError { retry, then: then(r, node), says_then: true },
                None => OnError { retry, then: Then::Stop, says_then: false },
            }
        }
        _ => OnError { retry: None, then: then(r, node), says_then: true },
    }
}

fn then<'n>(r: &mut Reader<'_>, node: &'n Node) -> Then<'n> {
    match (&node.kind, node.text()) {
        (Kind::List(items), _) => Then::Steps(items),
        (_, Some("continue")) => Then::Continue,
        (_, Some("stop")) => Then::Stop,
        (_, Some("handoff")) => Then::Handoff,
        (_, Some(word)) => {
            let help = did_you_mean(word, ["continue", "stop", "handoff"].into_iter());
            r.find("workflow.on_error", node.place, format!("`{word}` says nothing about an error"))
                .expected(ON_ERROR)
                .maybe_help(help);
            Then::Stop
        }
        (Kind::Map(_), _) => {
            r.wrong_kind(node, "`on_error`", ON_ERROR);
            Then::Stop
        }
        _ => Then::Stop,
    }
}

/// A number, or `{max, first, factor, cap}`.
pub(super) fn retry(r: &mut Reader<'_>, node: &Node) -> Policy {
    let mut policy = Policy::default();
    let max = |r: &mut Reader<'_>, node: &Node| r.whole(node, "the number of retries", 0, 20).and_then(|n| u32::try_from(n).ok());
    let Kind::Map(entries) = &node.kind else {
        policy.max = max(r, node).unwrap_or(policy.max);
        return policy;
    };
    r.known_keys(entries, "`retry`", &["max", "first", "factor", "cap"]);
    for (key, value) in entries {
        match key.text.as_str() {
            "max" => policy.max = max(r, value).unwrap_or(policy.max),
            "first" => policy.first = r.duration(value, "`first`").unwrap_or(policy.first),
            "cap" => policy.cap = r.duration(value, "`cap`").unwrap_or(policy.cap),
            "factor" => match value.scalar().as_f64().filter(|f| (1.0..=10.0).contains(f)) {
                Some(factor) => policy.factor = factor,
                None => {
                    r.find("workflow.number", value.place, "`factor` does not fit").expected("a number from 1 to 10");
                }
            },
            _ => {}
        }
    }
    policy
}
