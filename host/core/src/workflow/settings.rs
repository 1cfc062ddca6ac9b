//! What stands beside steps: `retry`, `on_error`; and at the head of the file: `on`.

use super::reader::{Reader, did_you_mean};
use super::yaml::{Key, Kind, Node};
use super::{Trigger, TriggerKind};
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

/// Triggers that run, with their other names.
const KINDS: [(&str, TriggerKind); 7] = [
    ("message", TriggerKind::Message),
    ("interaction", TriggerKind::Interaction),
    ("postback", TriggerKind::Interaction),
    ("reaction", TriggerKind::Reaction),
    ("comment", TriggerKind::Comment),
    ("review", TriggerKind::Review),
    ("order", TriggerKind::Order),
];

impl TriggerKind {
    /// By its word in a workflow.
    #[must_use]
    pub fn by_word(word: &str) -> Option<Self> {
        KINDS.iter().find(|(known, _)| *known == word).map(|(_, kind)| *kind)
    }
}

/// Triggers that are known and do not run yet.
const LATER: [&str; 7] = ["status", "keyword", "tag-added", "schedule", "webhook", "broadcast-reply", "manual"];

/// `on`: a word, a map, or a list of them.
pub(super) fn triggers(r: &mut Reader<'_>, node: &Node) -> Vec<Trigger> {
    let mut out = Vec::new();
    match &node.kind {
        Kind::List(items) => {
            for item in items {
                out.extend(triggers_of(r, item));
            }
        }
        _ => out.extend(triggers_of(r, node)),
    }
    if out.is_empty() && r.found.is_empty() {
        r.find("workflow.no_trigger", node.place, "nothing starts this workflow").expected("message");
    }
    out
}

fn triggers_of(r: &mut Reader<'_>, node: &Node) -> Vec<Trigger> {
    match &node.kind {
        Kind::Scalar { text, .. } if !node.is_null() => {
            let key = Key { text: text.clone(), place: node.place };
            kind(r, &key).map(|kind| Trigger { kind, channels: Vec::new() }).into_iter().collect()
        }
        Kind::Map(entries) => entries
            .iter()
            .filter_map(|(key, options)| {
                let kind = kind(r, key)?;
                Some(Trigger { kind, channels: channels(r, options) })
            })
            .collect(),
        _ => {
            r.wrong_kind(node, "a trigger", "message, or message: { channels: [whatsapp] }");
            Vec::new()
        }
    }
}

fn kind(r: &mut Reader<'_>, key: &Key) -> Option<TriggerKind> {
    let found = TriggerKind::by_word(&key.text);
    if found.is_none() {
        let words: Vec<&str> = KINDS.iter().map(|(word, _)| *word).collect();
        if LATER.contains(&key.text.as_str()) {
            r.find(
                "workflow.trigger_not_supported",
                key.place,
                format!("`{}` cannot start a workflow in this version yet", key.text),
            )
            .help(format!("these do: {}", words.join(", ")));
        } else {
            let help = did_you_mean(&key.text, words.iter().copied());
            r.find("workflow.unknown_trigger", key.place, format!("there is no trigger `{}`", key.text))
                .expected(format!("one of {}", words.join(", ")))
                .maybe_help(help);
        }
    }
    found
}

fn channels(r: &mut Reader<'_>, node: &Node) -> Vec<String> {
    if node.is_null() {
        return Vec::new();
    }
    let mut out = Vec::new();
    for (key, value) in r.map(node, "a trigger's settings", "a map: { channels: [whatsapp] }").to_vec() {
        match key.text.as_str() {
            "channels" => {
                let items = match &value.kind {
                    Kind::List(items) => items.as_slice(),
                    _ => std::slice::from_ref(&value),
                };
                out.extend(items.iter().filter_map(|item| r.fixed_text(item, "a channel")));
            }
            "gather" | "interrupts" => {
                r.find("workflow.trigger_not_supported", key.place, format!("`{}` is not obeyed in this version yet", key.text))
                    .help("take it away; each message starts a run of its own");
            }
            _ => r.unknown_key(&key, "a trigger", &["channels"]),
        }
    }
    out
}
