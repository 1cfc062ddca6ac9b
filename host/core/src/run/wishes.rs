//! What a script or a plugin asks for when it suspends: its arguments read, strictly, for they come out of the sandbox.

use std::sync::Arc;

use serde_json::{Map, Value};

use crate::clock::{Instant, Millis};
use crate::event::{Choice, Message};
use crate::failure::{Class, Failure};
use crate::trigger::{Only, Trigger, TriggerKind};
use crate::wait::{Approval, DAY, Expect, Filter, LONGEST, Question};
use crate::workflow::{duration, good_assignee};

/// Why a script cannot make a request.
const NO_HTTP: &str = "a script needs the grant http = [{ host = \"api.example.com\", methods = [\"GET\"], why = \"...\" }] for this, \
                       and this host gives it to no script; catch the error, or go on without the request";

/// A wish that was understood.
#[derive(Debug)]
pub(super) enum Wish {
    Ask {
        question: Question,
        timeout: Millis,
    },
    /// For a length of time.
    Sleep(Millis),
    /// Until a moment.
    Until(Instant),
    Event {
        filter: Filter,
        timeout: Millis,
    },
    Approve {
        approval: Approval,
        expires: Millis,
    },
    Step {
        plugin: String,
        input: Value,
    },
    Call {
        workflow: Arc<str>,
        with: Value,
    },
}

/// Reads a wish: a list of arguments. `None`: there is no such wish in this version. An error is for the script to catch.
pub(super) fn read(name: &str, arguments: Value) -> Option<Result<Wish, Failure>> {
    let mut arguments = match arguments {
        Value::Array(list) => list.into_iter(),
        one => vec![one].into_iter(),
    };
    let (first, second) = (arguments.next().unwrap_or_default(), arguments.next());
    Some(match name {
        "ask" => ask(first, second),
        "sleep" => length(name, &first).map(Wish::Sleep),
        "wait" => wait(first),
        "approve" => approve(name, first, second, false),
        "draft" => approve(name, first, second, true),
        "step" => step(first, second),
        "call" => call(first, second),
        "http" => Err(Failure::new(Class::Denied, "denied.http", NO_HTTP)),
        _ => return None,
    })
}

fn wrong(sentence: impl Into<String>) -> Failure {
    Failure::new(Class::Bug, "script.arguments", sentence)
}

/// A number of seconds, `90s`, `2h`, `1d`, `2w`.
fn length(what: &str, value: &Value) -> Result<Millis, Failure> {
    let said = match value {
        Value::Number(seconds) => {
            seconds.as_f64().map(|s| s * 1_000.0).filter(|ms| *ms >= 0.0 && *ms <= 1e12).map(|ms| ms as Millis)
        }
        Value::String(text) => length_of(text),
        _ => None,
    };
    match said {
        Some(length) if length <= LONGEST => Ok(length),
        Some(_) => Err(wrong(format!("`{what}` waits for a year and a day at most"))),
        None => Err(wrong(format!("`{what}` takes a length of time: \"90s\", \"2h\", \"1d\", or a number of seconds"))),
    }
}

/// As in a workflow, and weeks; a number alone is seconds.
pub(super) fn length_of(text: &str) -> Option<Millis> {
    let text = text.trim();
    duration(text)
        .or_else(|| text.strip_suffix('w').and_then(|n| n.trim().parse::<Millis>().ok()?.checked_mul(7 * DAY)))
        .or_else(|| text.parse::<u32>().ok().map(|seconds| Millis::from(seconds) * 1_000))
        .filter(|length| *length >= 0)
}

/// A moment: milliseconds since 1970, or RFC 3339 with its zone.
pub(crate) fn moment(value: &Value) -> Option<Instant> {
    match value {
        Value::Number(millis) => millis.as_i64(),
        Value::String(text) => Some(text.trim().parse::<jiff::Timestamp>().ok()?.as_millisecond()),
        _ => None,
    }
}

/// The options of a call: the second argument, or the first where that is a map. Gives the text too.
fn said(what: &str, first: Value, second: Option<Value>, known: &[&str]) -> Result<(String, Map<String, Value>), Failure> {
    let (text, mut options) = match (first, second) {
        (Value::String(text), None | Some(Value::Null)) => (Some(text), Map::new()),
        (Value::String(text), Some(Value::Object(options))) => (Some(text), options),
        (Value::Object(options), None) => (None, options),
        _ => return Err(wrong(format!("`{what}` takes a text, and a map of options: {}", known.join(", ")))),
    };
    if let Some(stranger) = options.keys().find(|key| *key != "text" && !known.contains(&key.as_str())) {
        return Err(wrong(format!("`{what}` knows {}, not `{stranger}`", known.join(", "))));
    }
    let text = match text {
        Some(text) => text,
        None => match options.remove("text") {
            Some(Value::String(text)) => text,
            _ => String::new(),
        },
    };
    if text.trim().is_empty() {
        return Err(wrong(format!("`{what}` needs a text")));
    }
    Ok((text, options))
}

/// An optional text among options.
fn optional(what: &str, options: &Map<String, Value>, key: &str) -> Result<Option<String>, Failure> {
    match options.get(key) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => Ok(Some(text.clone())),
        Some(_) => Err(wrong(format!("`{what}`: `{key}` is a text"))),
    }
}

fn timed(what: &str, options: &Map<String, Value>, key: &str) -> Result<Millis, Failure> {
    options.get(key).filter(|v| !v.is_null()).map_or(Ok(DAY), |value| length(what, value))
}

fn ask(first: Value, second: Option<Value>) -> Result<Wish, Failure> {
    let (text, options) = said("ask", first, second, &["buttons", "expect", "timeout", "again"])?;
    let mut message = Message::text(text);
    if let Some(buttons) = options.get("buttons").filter(|v| !v.is_null()) {
        let Value::Array(items) = buttons else { return Err(wrong("`ask`: `buttons` is a list")) };
        message.choices = items.iter().map(choice).collect::<Result<_, _>>()?;
    }
    let texts = |list: &Vec<Value>| list.iter().map(|v| v.as_str().map(str::to_owned)).collect::<Option<Vec<_>>>();
    let expect = match options.get("expect") {
        None | Some(Value::Null) if message.choices.is_empty() => Some(Expect::Any),
        None | Some(Value::Null) => Some(Expect::OneOf(Vec::new())),
        Some(Value::String(word)) => Expect::by_word(word),
        Some(Value::Array(list)) => texts(list).map(Expect::OneOf),
        Some(Value::Object(map)) if map.len() == 1 => {
            map.get("one_of").and_then(Value::as_array).and_then(texts).map(Expect::OneOf)
        }
        Some(_) => None,
    };
    let Some(expect) = expect else {
        return Err(wrong("`ask` expects any, number, yes_no, email, phone, or #{one_of: [\"a\", \"b\"]}"));
    };
    let question = Question { message, again: optional("ask", &options, "again")?, expect, tries: 0, marked: true };
    Ok(Wish::Ask { question, timeout: timed("ask", &options, "timeout")? })
}

/// A text, or `#{title, payload}`. A button that opens a page is no answer.
fn choice(value: &Value) -> Result<Choice, Failure> {
    let field = |name: &str| value.get(name).and_then(Value::as_str).map(str::to_owned);
    let title = value.as_str().map(str::to_owned).or_else(|| field("title")).filter(|title| !title.trim().is_empty());
    let Some(title) = title else { return Err(wrong("`ask`: a button is a text, or #{title, payload}")) };
    Ok(Choice { payload: field("payload").unwrap_or_else(|| title.clone()), title, url: None })
}

fn wait(first: Value) -> Result<Wish, Failure> {
    let Value::Object(options) = first else { return length("wait", &first).map(Wish::Sleep) };
    if let Some(stranger) = options.keys().find(|key| !["for", "until", "timeout"].contains(&key.as_str())) {
        return Err(wrong(format!("`wait` knows for, timeout and until, not `{stranger}`")));
    }
    match (options.get("for"), options.get("until")) {
        (Some(wanted), None) => Ok(Wish::Event { filter: filter(wanted)?, timeout: timed("wait", &options, "timeout")? }),
        (None, Some(until)) => moment(until)
            .map(Wish::Until)
            .ok_or_else(|| wrong("`wait`: `until` is milliseconds (now + 3600000) or a time with its zone")),
        _ => Err(wrong("`wait` takes a length of time, #{until: ...} or #{for: \"message\", timeout: \"2h\"}")),
    }
}

/// A word, a list of them, or a map of words to `#{channels: [...], words: [...], name: [...]}`.
fn filter(value: &Value) -> Result<Filter, Failure> {
    let unknown =
        || wrong("`wait`: `for` is message, keyword, interaction, reaction, comment, review, order, tag-added or event");
    let trigger = |word: &str| TriggerKind::by_word(word).filter(|kind| kind.awaited()).map(Trigger::on).ok_or_else(unknown);
    let texts = |value: Option<&Value>| -> Vec<String> {
        let all = value.map(|v| v.as_array().map_or(std::slice::from_ref(v), Vec::as_slice)).unwrap_or_default();
        all.iter().filter_map(Value::as_str).map(str::to_owned).collect()
    };
    let any = match value {
        Value::String(word) => vec![trigger(word)?],
        Value::Array(list) => {
            list.iter().map(|v| v.as_str().ok_or_else(unknown).and_then(trigger)).collect::<Result<_, Failure>>()?
        }
        Value::Object(map) => map
            .iter()
            .map(|(word, options)| {
                let mut one = trigger(word)?;
                one.channels = texts(options.get("channels"));
                one.words = texts(options.get("words"));
                if let Some(names) = options.get(if one.kind == TriggerKind::TagAdded { "tag" } else { "name" }) {
                    one.only = Only::Names(texts(Some(names)));
                }
                Ok(one)
            })
            .collect::<Result<_, Failure>>()?,
        _ => return Err(unknown()),
    };
    let wordless = |one: &Trigger| one.kind == TriggerKind::Keyword && one.words.is_empty();
    if any.is_empty() || any.iter().any(wordless) { Err(unknown()) } else { Ok(Filter { any }) }
}

fn approve(what: &str, first: Value, second: Option<Value>, send: bool) -> Result<Wish, Failure> {
    let (text, options) = said(what, first, second, &["to", "expires"])?;
    let to = optional(what, &options, "to")?;
    if to.as_deref().is_some_and(|to| !good_assignee(to)) {
        return Err(wrong(format!("`{what}`: `to` is team/NAME or agent/NAME")));
    }
    let approval = Approval { message: Message::text(text), to, send, marked: true, gave: None };
    Ok(Wish::Approve { approval, expires: timed(what, &options, "expires")? })
}

fn step(first: Value, second: Option<Value>) -> Result<Wish, Failure> {
    let input = match second {
        None | Some(Value::Null) => Value::Object(Map::new()),
        Some(input @ Value::Object(_)) => input,
        Some(_) => return Err(wrong("`step` takes a plugin and a map: step(\"keyword\", #{text: event.text})")),
    };
    match first {
        Value::String(plugin) if !plugin.is_empty() => Ok(Wish::Step { plugin, input }),
        _ => Err(wrong("`step` takes a plugin and a map: step(\"keyword\", #{text: event.text})")),
    }
}

fn call(first: Value, second: Option<Value>) -> Result<Wish, Failure> {
    let with = match second {
        None | Some(Value::Null) => Value::Object(Map::new()),
        Some(with @ Value::Object(_)) => with,
        Some(_) => return Err(wrong("`call_workflow` takes a name and a map: call_workflow(\"refund\", #{order: 7})")),
    };
    match first {
        Value::String(name) if !name.is_empty() => Ok(Wish::Call { workflow: name.into(), with }),
        _ => Err(wrong("`call_workflow` takes a name and a map: call_workflow(\"refund\", #{order: 7})")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn code(name: &str, arguments: Value) -> String {
        match read(name, arguments) {
            None => "unknown".into(),
            Some(Err(failure)) => failure.message,
            Some(Ok(wish)) => format!("{wish:?}"),
        }
    }

    #[test]
    fn wishes_are_read_strictly() {
        for (name, arguments, has) in [
            ("ask", json!(["Size?"]), "expect: Any"),
            ("ask", json!(["Size?", {"timeout": "2h"}]), "timeout: 7200000"),
            ("ask", json!([{"text": "Size?", "buttons": ["S", {"title": "L", "payload": "l"}]}]), "expect: OneOf([])"),
            ("ask", json!(["How many?", {"expect": "number", "again": "A number!"}]), "again: Some(\"A number!\")"),
            ("ask", json!(["Which?", {"expect": {"one_of": ["a", "b"]}}]), "OneOf([\"a\", \"b\"])"),
            ("ask", json!(["Size?", {"tiemout": "2h"}]), "not `tiemout`"),
            ("ask", json!([""]), "needs a text"),
            ("ask", json!([5]), "takes a text"),
            ("ask", json!(["Size?", {"expect": "date"}]), "expects any"),
            ("ask", json!(["Size?", {"buttons": [3]}]), "a button is"),
            ("sleep", json!([90]), "Sleep(90000)"),
            ("sleep", json!([1.5]), "Sleep(1500)"),
            ("sleep", json!(["1d"]), "Sleep(86400000)"),
            ("sleep", json!(["2w"]), "Sleep(1209600000)"),
            ("sleep", json!(["5"]), "Sleep(5000)"),
            ("sleep", json!([-5]), "length of time"),
            ("sleep", json!(["60w"]), "a year"),
            ("sleep", json!([1e300]), "length of time"),
            ("wait", json!(["2h"]), "Sleep(7200000)"),
            ("wait", json!([{"until": 5000}]), "Until(5000)"),
            ("wait", json!([{"until": "1970-01-01T00:00:05Z"}]), "Until(5000)"),
            ("wait", json!([{"until": "soon"}]), "`until` is"),
            ("wait", json!([{"for": "message", "timeout": "1h"}]), "kind: Message"),
            ("wait", json!([{"for": {"order": {"channels": ["whatsapp"]}}}]), "channels: [\"whatsapp\"]"),
            ("wait", json!([{"for": "nothing"}]), "`for` is"),
            ("wait", json!([{}]), "takes a length"),
            ("approve", json!(["Send it?", {"to": "team/care", "expires": "1h"}]), "expires: 3600000"),
            ("approve", json!(["Send it?", {"to": "ann"}]), "`to` is"),
            ("step", json!(["keyword", {"text": "x"}]), "plugin: \"keyword\""),
            ("step", json!(["keyword", 5]), "takes a plugin"),
            ("call", json!(["other", {"x": 1}]), "workflow: \"other\""),
            ("call", json!(["other", 5]), "takes a name"),
            ("draft", json!(["Dear Ann", {"expires": "1h"}]), "send: true"),
            ("http", json!(["https://example.com"]), "http = [{ host"),
            ("fetch", json!(["https://example.com"]), "unknown"),
        ] {
            let got = code(name, arguments.clone());
            assert!(got.contains(has), "{name}{arguments}: {got}");
        }
    }
}
