//! `on`, and `for` of a wait: which facts, under which conditions.

use super::reader::{Reader, did_you_mean};
use super::template::Pattern;
use super::yaml::{Key, Kind, Node};
use crate::clock::Millis;
use crate::event::Delivery;
use crate::trigger::{Binding, CATCH_UP, Match, Only, Schedule, Trigger, TriggerKind};

/// How short and how long a burst may be waited for.
const GATHER: (Millis, Millis) = (500, 600_000);

/// How late a moment of a schedule may run at most: older ones may have been forgotten.
const LATEST: Millis = 7 * 86_400_000;

/// What a status may say of a message.
const STATES: [Delivery; 5] = [Delivery::Sent, Delivery::Delivered, Delivery::Read, Delivery::Failed, Delivery::Deleted];

/// Where triggers stand.
#[derive(Clone, Copy, PartialEq, Eq)]
enum At {
    /// At the head of the file.
    On,
    /// In a wait.
    Wait,
}

/// `on`: a word, a map, or a list of them.
pub(super) fn on(r: &mut Reader<'_>, node: &Node) -> Vec<Trigger> {
    triggers(r, node, At::On)
}

/// `for` of a wait: the same, but what happens outside of conversations.
pub(super) fn awaited(r: &mut Reader<'_>, node: &Node) -> Vec<Trigger> {
    triggers(r, node, At::Wait)
}

fn triggers(r: &mut Reader<'_>, node: &Node, at: At) -> Vec<Trigger> {
    let mut out = Vec::new();
    for item in items(node) {
        match &item.kind {
            Kind::Scalar { text, .. } if !item.is_null() => {
                let key = Key { text: text.clone(), place: item.place };
                out.extend(trigger(r, &key, &[], at));
            }
            Kind::Map(entries) => {
                for (key, options) in entries {
                    out.extend(with_options(r, key, options, at));
                }
            }
            _ => r.wrong_kind(item, "a trigger", "message, or message: { channels: [whatsapp] }"),
        }
    }
    if out.is_empty() && r.found.is_empty() {
        r.find("workflow.no_trigger", node.place, "nothing starts this workflow").expected("message");
    }
    out
}

/// A value, or each of a list.
fn items(node: &Node) -> &[Node] {
    match &node.kind {
        Kind::List(items) => items,
        _ => std::slice::from_ref(node),
    }
}

/// A trigger with a map of settings, or with the one value that says most: `keyword: stop`.
fn with_options(r: &mut Reader<'_>, key: &Key, options: &Node, at: At) -> Option<Trigger> {
    let main = TriggerKind::by_word(&key.text).and_then(main_key);
    match (&options.kind, main) {
        _ if options.is_null() => trigger(r, key, &[], at),
        (Kind::Map(entries), _) => trigger(r, key, entries, at),
        (_, Some(main)) => {
            let entry = (Key { text: main.to_owned(), place: options.place }, options.clone());
            trigger(r, key, std::slice::from_ref(&entry), at)
        }
        _ => {
            r.wrong_kind(options, "a trigger's settings", "a map: { channels: [whatsapp] }");
            None
        }
    }
}

/// The setting that is meant when a trigger is given a value alone.
fn main_key(kind: TriggerKind) -> Option<&'static str> {
    Some(match kind {
        TriggerKind::Keyword => "words",
        TriggerKind::Interaction => "payloads",
        TriggerKind::Comment => "posts",
        TriggerKind::Review => "stars",
        TriggerKind::Status => "state",
        TriggerKind::TagAdded => "tag",
        TriggerKind::Event => "name",
        TriggerKind::Schedule => "cron",
        _ => return None,
    })
}

/// The settings that a trigger of this kind may have.
fn keys(kind: TriggerKind, at: At) -> Vec<&'static str> {
    let mut keys: Vec<&str> = match kind {
        TriggerKind::Message => vec!["channels", "languages", "words", "match", "gather", "interrupts"],
        TriggerKind::Keyword => vec!["words", "match", "channels", "languages", "interrupts"],
        TriggerKind::Interaction => vec!["payloads", "channels", "languages", "gather", "interrupts"],
        TriggerKind::Comment => vec!["posts", "words", "match", "channels", "languages", "gather", "interrupts"],
        TriggerKind::Review => vec!["stars", "words", "match", "channels", "languages", "interrupts"],
        TriggerKind::Reaction | TriggerKind::Order => vec!["channels", "languages", "interrupts"],
        TriggerKind::Status => vec!["state", "channels"],
        TriggerKind::TagAdded => vec!["tag", "channels"],
        TriggerKind::Event => vec!["name", "channels"],
        TriggerKind::Schedule => vec!["cron", "time_zone", "catch_up"],
        TriggerKind::Webhook => vec!["contact"],
        TriggerKind::Manual => vec!["channels"],
    };
    keys.retain(|key| at == At::On || !matches!(*key, "gather" | "interrupts"));
    keys
}

fn trigger(r: &mut Reader<'_>, key: &Key, entries: &[(Key, Node)], at: At) -> Option<Trigger> {
    let kind = kind(r, key, at)?;
    let mut out = Trigger::on(kind);
    let known = keys(kind, at);
    r.known_keys(entries, &format!("the trigger `{}`", key.text), &known);
    let get = |name: &str| entries.iter().find(|(k, _)| k.text == name && known.contains(&name)).map(|(_, v)| v);
    let list = |r: &mut Reader<'_>, name: &str, what: &str| get(name).map(|node| texts(r, node, what)).unwrap_or_default();
    out.channels = list(r, "channels", "a channel");
    out.languages = list(r, "languages", "a language");
    out.words = list(r, "words", "a word");
    if let Some(node) = get("match") {
        out.matches = how(r, node);
    }
    if let Some(node) = get("gather") {
        out.gather = gather(r, node);
    }
    if let Some(node) = get("interrupts") {
        out.interrupts = r.truth(node, "`interrupts`");
    }
    out.only = match kind {
        TriggerKind::Interaction if get("payloads").is_some() => Only::Payloads(list(r, "payloads", "a payload")),
        TriggerKind::Comment if get("posts").is_some() => Only::Posts(list(r, "posts", "a post's id")),
        TriggerKind::Review => get("stars").and_then(|node| stars(r, node)).unwrap_or_default(),
        TriggerKind::Status => get("state").map(|node| states(r, node)).unwrap_or_default(),
        TriggerKind::TagAdded if get("tag").is_some() => Only::Names(list(r, "tag", "a tag")),
        TriggerKind::Event if get("name").is_some() => Only::Names(list(r, "name", "an event's name")),
        TriggerKind::Schedule => schedule(r, key, get("cron"), get("time_zone"), get("catch_up")),
        TriggerKind::Webhook => get("contact").and_then(|node| about(r, node)).unwrap_or_default(),
        _ => Only::Any,
    };
    if kind == TriggerKind::Keyword && get("words").is_none() {
        r.find("workflow.missing_key", key.place, "a keyword has its `words`").expected("keyword: [stop, unsubscribe]");
    }
    Some(out)
}

fn kind(r: &mut Reader<'_>, key: &Key, at: At) -> Option<TriggerKind> {
    let fits = |kind: &TriggerKind| at == At::On || kind.awaited();
    let words: Vec<&str> =
        TriggerKind::words().filter(|word| TriggerKind::by_word(word).is_some_and(|kind| fits(&kind))).collect();
    let all = words.join(", ");
    match TriggerKind::by_word(&key.text) {
        Some(kind) if fits(&kind) => return Some(kind),
        Some(_) => r
            .find("workflow.trigger_not_awaited", key.place, format!("a run cannot wait for `{}`", key.text))
            .expected(format!("one of {all}")),
        None if key.text == "broadcast-reply" => r
            .find(
                "workflow.trigger_not_supported",
                key.place,
                "there are no broadcasts in this version, and so no answers to them",
            )
            .help("an answer to anything that was sent is a `message`"),
        None => {
            let help = did_you_mean(&key.text, words.iter().copied());
            r.find("workflow.unknown_trigger", key.place, format!("there is no trigger `{}`", key.text))
                .expected(format!("one of {all}"))
                .maybe_help(help)
        }
    };
    None
}

/// A text, or a list of at least one.
fn texts(r: &mut Reader<'_>, node: &Node, what: &str) -> Vec<String> {
    if matches!(&node.kind, Kind::List(items) if items.is_empty()) {
        r.find("workflow.empty_list", node.place, format!("this list has no {}", what.trim_start_matches("a ")))
            .help("take the setting away to have all of them");
    }
    let mut out = Vec::new();
    for item in items(node) {
        match r.fixed_text(item, what) {
            Some(text) if text.trim().is_empty() => {
                r.find("workflow.empty_text", item.place, format!("{what} is empty")).expected("text");
            }
            text => out.extend(text),
        }
    }
    out
}

fn how(r: &mut Reader<'_>, node: &Node) -> Match {
    match node.text() {
        Some("word") => Match::Word,
        Some("exact") => Match::Exact,
        _ => {
            r.find("workflow.match", node.place, "words are not looked for in this way")
                .expected("word (anywhere in the text), or exact (the whole text)");
            Match::Word
        }
    }
}

fn gather(r: &mut Reader<'_>, node: &Node) -> Option<Millis> {
    let quiet = r.duration(node, "`gather`")?;
    if !(GATHER.0..=GATHER.1).contains(&quiet) {
        r.find("workflow.gather", node.place, "nobody waits so short or so long for the end of a sentence")
            .expected("a length of time from 500ms to 10m, for example 8s");
        return None;
    }
    Some(quiet)
}

/// `1`, or `{ from: 1, to: 3 }`.
fn stars(r: &mut Reader<'_>, node: &Node) -> Option<Only> {
    let star = |r: &mut Reader<'_>, node: &Node| r.whole(node, "`stars`", 1, 5).and_then(|n| u8::try_from(n).ok());
    let Kind::Map(entries) = &node.kind else {
        let one = star(r, node)?;
        return Some(Only::Stars(one, one));
    };
    r.known_keys(entries, "`stars`", &["from", "to"]);
    let get = |name: &str| entries.iter().find(|(k, _)| k.text == name).map(|(_, v)| v);
    let from = get("from").map_or(Some(1), |node| star(r, node))?;
    let to = get("to").map_or(Some(5), |node| star(r, node))?;
    if from > to {
        r.find("workflow.stars", node.place, "no review has these stars").expected("{ from: 1, to: 3 }");
    }
    Some(Only::Stars(from, to))
}

fn states(r: &mut Reader<'_>, node: &Node) -> Only {
    let words: Vec<&str> = STATES.iter().map(|state| state.word()).collect();
    let mut found = Vec::new();
    for item in items(node) {
        match STATES.iter().find(|state| Some(state.word()) == item.text()) {
            Some(state) => found.push(*state),
            None => {
                let help = did_you_mean(item.text().unwrap_or_default(), words.iter().copied());
                r.find("workflow.state", item.place, "a message never comes to this")
                    .expected(format!("one of {}", words.join(", ")))
                    .maybe_help(help);
            }
        }
    }
    Only::States(found)
}

fn schedule(r: &mut Reader<'_>, key: &Key, cron: Option<&Node>, zone: Option<&Node>, catch_up: Option<&Node>) -> Only {
    const FIVE: &str = "minute, hour, day of the month, month, day of the week: \"0 9 * * MON-FRI\"";
    let Some(node) = cron else {
        r.find("workflow.missing_key", key.place, "a schedule has its `cron`").expected(FIVE);
        return Only::Any;
    };
    let cron = r.fixed_text(node, "`cron`").unwrap_or_default();
    if let Err(why) = Schedule::check(&cron)
        && !cron.is_empty()
    {
        r.find("workflow.schedule", node.place, format!("this is no schedule ({})", why.trim_end_matches('.'))).expected(FIVE);
    }
    let time_zone = zone.and_then(|node| {
        let name = r.fixed_text(node, "`time_zone`")?;
        if !Schedule::knows_zone(&name) {
            r.find("workflow.time_zone", node.place, format!("there is no time zone `{name}`"))
                .expected("a name like Asia/Jakarta");
        }
        Some(name)
    });
    let mut late = CATCH_UP;
    if let Some(node) = catch_up {
        late = r.duration(node, "`catch_up`").unwrap_or(late);
        if late > LATEST {
            r.find("workflow.catch_up", node.place, "what is so old is not known any more").expected("at most 7d");
        }
    }
    Only::Moments(Schedule { cron, time_zone, catch_up: late })
}

/// `{ channel: whatsapp, id: "${event.data.phone}" }`.
fn about(r: &mut Reader<'_>, node: &Node) -> Option<Only> {
    const FORM: &str = "{ channel: whatsapp, id: \"${event.data.phone}\" }";
    let entries = r.map(node, "`contact`", FORM);
    r.known_keys(entries, "`contact`", &["channel", "id"]);
    let get = |name: &str| entries.iter().find(|(k, _)| k.text == name).map(|(_, v)| v);
    let (Some(channel), Some(id)) = (get("channel"), get("id")) else {
        r.find("workflow.missing_key", node.place, "a contact is found by a `channel` and an `id`").expected(FORM);
        return None;
    };
    let channel = r.fixed_text(channel, "a channel")?;
    let before = r.uses.len();
    let Pattern::Expr(expression) = r.pattern(id) else {
        r.find("workflow.contact", id.place, "the id of a contact comes from the webhook").expected(FORM);
        return None;
    };
    if let Some(other) = r.uses.get(before..).unwrap_or_default().iter().find(|used| used.name != "event") {
        let (name, place) = (other.name.clone(), other.place);
        r.find("workflow.contact", place, format!("`{name}` is not known before the contact is")).expected("event");
        return None;
    }
    Some(Only::About(Binding { channel, id: expression.source.to_string() }))
}
