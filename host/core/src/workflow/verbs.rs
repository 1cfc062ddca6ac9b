//! What each verb takes. One function a verb.

use std::sync::Arc;

use serde_json::Value;
use sha2::{Digest, Sha256};

use super::compile::{Compiler, RESERVED};
use super::diagnostic::Place;
use super::program::{AttachmentForm, ButtonForm, Buttons, Handoff, Reply, Script, Verb};
use super::reader::{did_you_mean, within};
use super::steps_called;
use super::template::Pattern;
use super::waiting;
use super::yaml::{Key, Kind, Node};
use crate::event::AttachmentKind;
use crate::limits::SCRIPT_SOURCE;

/// Every verb of the language.
pub(super) const VERBS: [&str; 21] = [
    "use", "script", "reply", "template", "ask", "wait", "gather", "draft", "approve", "tag", "untag", "note", "assign",
    "handoff", "set", "emit", "each", "call", "publish", "stop", "do",
];

/// Those that this version runs.
pub(super) const SUPPORTED: [&str; 19] = [
    "use", "script", "reply", "template", "ask", "wait", "approve", "draft", "tag", "untag", "note", "assign", "handoff", "set",
    "emit", "each", "call", "do", "stop",
];

/// Those that are about a conversation or its contact.
pub(super) const TALKS: [&str; 11] =
    ["reply", "template", "ask", "approve", "draft", "tag", "untag", "note", "assign", "handoff", "set"];

const ATTACHMENTS: [(&str, AttachmentKind); 6] = [
    ("image", AttachmentKind::Image),
    ("video", AttachmentKind::Video),
    ("audio", AttachmentKind::Audio),
    ("voice", AttachmentKind::Voice),
    ("file", AttachmentKind::File),
    ("sticker", AttachmentKind::Sticker),
];

/// Reads the verb `name`. `None` when there was something to find.
pub(super) fn read(c: &mut Compiler<'_>, name: &str, value: &Node, with: Option<&Node>) -> Option<Verb> {
    Some(match name {
        "use" => use_plugin(c, value, with)?,
        "script" => script(c, value, with)?,
        "reply" => Verb::Reply(reply(c, value)?),
        "template" => template(c, value)?,
        "tag" => Verb::Tag(words(c, value, "a tag")?),
        "untag" => Verb::Untag(words(c, value, "a tag")?),
        "note" => Verb::Note(c.r.text(value, "a note")?),
        "assign" => Verb::Assign(assign(c, value)?),
        "set" => {
            let entries = c.r.map(value, "`set`", "a map of attributes: { size: \"${order.size}\" }");
            let read: Vec<_> = entries.iter().map(|(key, node)| (key.text.clone(), c.r.pattern(node))).collect();
            Verb::Set(read)
        }
        "ask" => Verb::Ask(Box::new(waiting::ask(c, value)?)),
        "wait" => Verb::Wait(waiting::wait(c, value)?),
        "approve" => Verb::Approve(waiting::approve(c, value, false)?),
        "draft" => Verb::Approve(waiting::approve(c, value, true)?),
        "handoff" => Verb::Handoff(handoff(c, value)?),
        "emit" => emit(c, value)?,
        "call" => call(c, value)?,
        "stop" if value.is_null() => Verb::Stop(None),
        "stop" => Verb::Stop(Some(c.r.text(value, "the reason")?)),
        _ => return None,
    })
}

fn use_plugin(c: &mut Compiler<'_>, value: &Node, with: Option<&Node>) -> Option<Verb> {
    let word = c.r.fixed_text(value, "a plugin's id")?;
    let file = c.r.sources.main().to_owned();
    let id = known_plugin(c, &word, &file, value.place)?;
    c.plugins.insert(Arc::clone(&id));
    let with = match with {
        Some(node) if !matches!(node.kind, Kind::Map(_)) => {
            c.r.wrong_kind(node, "`with`", "a map: { text: \"${event.text}\" }");
            return None;
        }
        Some(node) => c.r.pattern(node),
        None => Pattern::Fixed(Value::Object(serde_json::Map::new())),
    };
    Some(Verb::Use { plugin: id, with })
}

/// The full id of a plugin that is installed, or a finding.
pub(super) fn known_plugin(c: &mut Compiler<'_>, word: &str, file: &str, place: Place) -> Option<Arc<str>> {
    let id = steps_called::full_id(word);
    if c.r.plugins.knows(&id) {
        return Some(id);
    }
    let names = c.r.plugins.names();
    let short: Vec<&str> = names.iter().map(|n| n.strip_prefix("pointsman/").unwrap_or(n)).collect();
    let help = did_you_mean(word, short.iter().copied());
    let all = short.join(", ");
    c.r.find_in(file, "workflow.unknown_plugin", place, format!("no plugin `{id}` is installed"))
        .expected(if all.is_empty() { "an installed plugin (there is none)".to_owned() } else { format!("one of {all}") })
        .maybe_help(help);
    None
}

fn script(c: &mut Compiler<'_>, value: &Node, with: Option<&Node>) -> Option<Verb> {
    let Some(text) = value.text().filter(|t| !t.trim().is_empty() && !value.is_null()) else {
        c.r.wrong_kind(value, "`script`", "a file (take-order.rhai), or the script itself");
        return None;
    };
    let one_line = !text.trim_end().contains('\n');
    let (file, source): (Option<String>, Arc<str>) = if one_line && text.trim().ends_with(".rhai") {
        let name = text.trim();
        let Some(source) = c.r.sources.get(name) else {
            let help = did_you_mean(name, c.r.sources.files().map(|(n, _)| n).filter(|n| n.ends_with(".rhai")));
            c.r.find("workflow.script_missing", value.place, format!("there is no file `{name}` beside this workflow"))
                .maybe_help(help);
            return None;
        };
        c.files.insert(name.to_owned());
        (Some(name.to_owned()), Arc::clone(source))
    } else {
        (None, text.into())
    };
    let base = match &file {
        Some(_) => Place { line: 1, column: 1 },
        None => c.r.locate(value, source.lines().find(|l| !l.trim().is_empty()).unwrap_or_default(), 0),
    };
    let name = file.clone().unwrap_or_else(|| c.r.sources.main().to_owned());
    if source.len() > SCRIPT_SOURCE {
        c.r.find_in(&name, "script.too_long", base, format!("this script has {} bytes", source.len()))
            .expected(format!("at most {SCRIPT_SOURCE} bytes"))
            .help("make it two scripts");
        return None;
    }
    if let Err(mistake) = c.r.expressions.check_script(&source) {
        // Every line of an inline script is indented by as much as its first.
        let place = if file.is_none() && mistake.line > 1 {
            Place { line: base.line + mistake.line - 1, column: base.column + mistake.column.saturating_sub(1) }
        } else {
            within(base, mistake.line, mistake.column)
        };
        c.r.find_in(&name, "script.syntax", place, mistake.message);
        return None;
    }
    steps_called::pin(c, &source, &name, base);
    let mut given = Vec::new();
    if let Some(node) = with {
        for (key, node) in c.r.map(node, "`with`", "a map: { size: 3 }") {
            if RESERVED.contains(&key.text.as_str()) {
                c.r.find("workflow.reserved_name", key.place, format!("`{}` is a name that every script sees already", key.text))
                    .help("choose another name");
            }
            given.push((key.text.clone(), c.r.pattern(node)));
        }
    }
    let hash = hex::encode(Sha256::digest(source.as_bytes()));
    Some(Verb::Script(Script { mentions: identifiers(&source), source, hash: hash.into(), with: given }))
}

/// Every identifier in a text, comments and strings included: more than it uses, never less.
fn identifiers(source: &str) -> Vec<Arc<str>> {
    let mut found: Vec<&str> = source
        .split(|c: char| !(c.is_ascii_alphanumeric() || c == '_'))
        .filter(|word| word.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_'))
        .collect();
    found.sort_unstable();
    found.dedup();
    found.into_iter().map(Arc::from).collect()
}

fn reply(c: &mut Compiler<'_>, value: &Node) -> Option<Reply> {
    let Kind::Map(entries) = &value.kind else {
        return Some(Reply { text: Some(c.r.text(value, "a reply")?), ..Reply::default() });
    };
    c.r.known_keys(entries, "a reply", &["text", "attachments", "buttons", "quote"]);
    let out = message(c, entries);
    if out.text.is_none() && out.attachments.is_empty() && c.r.found.is_empty() {
        c.r.find("workflow.empty_text", value.place, "this reply says nothing").expected("a `text` or `attachments`");
    }
    Some(out)
}

/// What a reply and a question have in common; other keys are somebody else's.
pub(super) fn message(c: &mut Compiler<'_>, entries: &[(Key, Node)]) -> Reply {
    let mut out = Reply::default();
    for (key, node) in entries {
        match key.text.as_str() {
            "text" => out.text = c.r.text(node, "the text of a reply"),
            "attachments" => {
                for item in list(c, node, "`attachments`") {
                    out.attachments.extend(attachment(c, item));
                }
            }
            "buttons" if matches!(node.kind, Kind::Scalar { .. }) => match c.r.pattern(node) {
                pattern @ Pattern::Expr(_) => out.buttons = Buttons::Expr(pattern),
                _ => c.r.wrong_kind(node, "`buttons`", "a list, or one ${...} that gives a list"),
            },
            "buttons" => {
                let items = list(c, node, "`buttons`");
                out.buttons = Buttons::List(items.iter().filter_map(|item| button(c, item)).collect());
            }
            "quote" => {
                out.quote = match node.scalar() {
                    Value::Bool(true) => c.quote_event(node),
                    Value::Bool(false) => None,
                    _ => c.r.text(node, "`quote`"),
                }
            }
            _ => {}
        }
    }
    out
}

fn list<'n>(c: &mut Compiler<'_>, node: &'n Node, what: &str) -> &'n [Node] {
    if let Kind::List(items) = &node.kind {
        return items;
    }
    c.r.wrong_kind(node, what, "a list");
    &[]
}

fn attachment(c: &mut Compiler<'_>, node: &Node) -> Option<AttachmentForm> {
    let entries = c.r.map(node, "an attachment", "a map: { type: image, url: \"https://...\" }");
    c.r.known_keys(entries, "an attachment", &["type", "url", "mime", "filename"]);
    let get = |name: &str| entries.iter().find(|(k, _)| k.text == name).map(|(_, v)| v);
    let words: Vec<&str> = ATTACHMENTS.iter().map(|(w, _)| *w).collect();
    let (Some(kind), Some(url)) = (get("type"), get("url")) else {
        c.r.find("workflow.missing_key", node.place, "an attachment has a `type` and a `url`")
            .expected(format!("type: one of {}", words.join(", ")));
        return None;
    };
    let Some((_, kind)) = ATTACHMENTS.iter().find(|(w, _)| Some(*w) == kind.text()) else {
        let help = did_you_mean(kind.text().unwrap_or_default(), words.iter().copied());
        c.r.find("workflow.attachment_type", kind.place, "there is no such type of attachment")
            .expected(format!("one of {}", words.join(", ")))
            .maybe_help(help);
        return None;
    };
    Some(AttachmentForm {
        kind: *kind,
        url: c.r.text(url, "the url of an attachment")?,
        mime: get("mime").and_then(|n| c.r.text(n, "`mime`")),
        filename: get("filename").and_then(|n| c.r.text(n, "`filename`")),
    })
}

fn button(c: &mut Compiler<'_>, node: &Node) -> Option<ButtonForm> {
    let Kind::Map(entries) = &node.kind else {
        return Some(ButtonForm { title: c.r.text(node, "a button")?, payload: None, url: None });
    };
    c.r.known_keys(entries, "a button", &["title", "payload", "url"]);
    let get = |name: &str| entries.iter().find(|(k, _)| k.text == name).map(|(_, v)| v);
    let Some(title) = get("title") else {
        c.r.find("workflow.missing_key", node.place, "a button has no title").expected("{ title: \"Yes\", payload: yes }");
        return None;
    };
    Some(ButtonForm {
        title: c.r.text(title, "the title of a button")?,
        payload: get("payload").and_then(|n| c.r.text(n, "`payload`")),
        url: get("url").and_then(|n| c.r.text(n, "the url of a button")),
    })
}

fn template(c: &mut Compiler<'_>, value: &Node) -> Option<Verb> {
    let entries = c.r.map(value, "`template`", "a map: { name: welcome, language: en, variables: [Ann] }");
    c.r.known_keys(entries, "a template", &["name", "language", "variables"]);
    let get = |name: &str| entries.iter().find(|(k, _)| k.text == name).map(|(_, v)| v);
    let (Some(name), Some(language)) = (get("name"), get("language")) else {
        if !entries.is_empty() {
            c.r.find("workflow.missing_key", value.place, "a template has a `name` and a `language`")
                .expected("{ name: welcome, language: en }");
        }
        return None;
    };
    let variables = match get("variables") {
        Some(node) if matches!(&node.kind, Kind::Scalar { text, .. } if !text.contains("${")) => {
            c.r.wrong_kind(node, "`variables`", "a list in the order of the placeholders, or a map by their names");
            None
        }
        Some(node) => Some(c.r.pattern(node)),
        None => None,
    };
    Some(Verb::Template {
        name: c.r.text(name, "the name of a template")?,
        language: c.r.text(language, "the language of a template")?,
        variables,
    })
}

/// One word, or a list of them.
fn words(c: &mut Compiler<'_>, value: &Node, what: &str) -> Option<Pattern> {
    match &value.kind {
        Kind::List(items) => Some(Pattern::List(items.iter().filter_map(|item| c.r.text(item, what)).collect())),
        _ => c.r.text(value, what),
    }
}

fn assign(c: &mut Compiler<'_>, value: &Node) -> Option<Pattern> {
    let pattern = c.r.text(value, "`assign`")?;
    if let Pattern::Fixed(Value::String(to)) = &pattern
        && !somebody(c, to, value)
    {
        return None;
    }
    Some(pattern)
}

/// Finds who is nobody.
fn somebody(c: &mut Compiler<'_>, to: &str, value: &Node) -> bool {
    let good = super::good_assignee(to);
    if !good {
        c.r.find("workflow.assignee", value.place, format!("`{to}` is nobody")).expected("team/NAME or agent/NAME");
    }
    good
}

/// A person or team that is written out.
pub(super) fn person(c: &mut Compiler<'_>, value: &Node) -> Option<String> {
    let to = c.r.fixed_text(value, "`to`")?;
    somebody(c, &to, value).then_some(to)
}

/// `handoff:`, `handoff: team/care`, `handoff: { to, note }`.
fn handoff(c: &mut Compiler<'_>, value: &Node) -> Option<Handoff> {
    let mut out = Handoff::default();
    match &value.kind {
        _ if value.is_null() => {}
        Kind::Map(entries) => {
            c.r.known_keys(entries, "a handoff", &["to", "note"]);
            for (key, node) in entries {
                match key.text.as_str() {
                    "to" => out.to = Some(person(c, node)?),
                    "note" => out.note = Some(c.r.text(node, "the note of a handoff")?),
                    _ => {}
                }
            }
        }
        _ => out.to = Some(person(c, value)?),
    }
    Some(out)
}

/// `emit: NAME`, `emit: { event, data }`.
fn emit(c: &mut Compiler<'_>, value: &Node) -> Option<Verb> {
    let Kind::Map(entries) = &value.kind else {
        return Some(Verb::Emit { name: c.r.text(value, "the name of an event")?, data: None });
    };
    c.r.known_keys(entries, "an emit", &["event", "data"]);
    let get = |name: &str| entries.iter().find(|(k, _)| k.text == name).map(|(_, v)| v);
    let Some(name) = get("event") else {
        c.r.find("workflow.missing_key", value.place, "an emit has an `event`: its name").expected("{ event: order_taken }");
        return None;
    };
    let data = get("data").map(|node| c.r.pattern(node));
    Some(Verb::Emit { name: c.r.text(name, "the name of an event")?, data })
}

/// `call: NAME`, `call: { workflow, with }`.
fn call(c: &mut Compiler<'_>, value: &Node) -> Option<Verb> {
    let (name, with) = match &value.kind {
        Kind::Map(entries) => {
            c.r.known_keys(entries, "a call", &["workflow", "with"]);
            let get = |name: &str| entries.iter().find(|(k, _)| k.text == name).map(|(_, v)| v);
            let Some(name) = get("workflow") else {
                c.r.find("workflow.missing_key", value.place, "a call has a `workflow`: its name")
                    .expected("{ workflow: refund, with: { order: \"${order.id}\" } }");
                return None;
            };
            (name, get("with"))
        }
        _ => (value, None),
    };
    let workflow = c.r.fixed_text(name, "the name of a workflow")?;
    if !super::good_name(&workflow) {
        c.r.find("workflow.bad_name", name.place, format!("`{workflow}` cannot be a workflow's name"))
            .expected("at most 64 of a-z, 0-9, -, _ and .");
        return None;
    }
    let with = match with {
        Some(node) if !matches!(node.kind, Kind::Map(_)) => {
            c.r.wrong_kind(node, "`with`", "a map: { order: \"${order.id}\" }");
            return None;
        }
        Some(node) => Some(c.r.pattern(node)),
        None => None,
    };
    let workflow: Arc<str> = workflow.into();
    c.calls.insert(Arc::clone(&workflow));
    Some(Verb::Call { workflow, with })
}

impl Compiler<'_> {
    /// `quote: true`: the message that started the run.
    fn quote_event(&mut self, node: &Node) -> Option<Pattern> {
        self.r.used.insert("event".to_owned());
        Some(Pattern::Expr(super::template::Expression { source: "event.id".into(), place: node.place }))
    }
}
