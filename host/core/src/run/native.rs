//! Verbs that need no sandbox: they only say what is wanted. Places that could steer the house (a template's name, a URL)
//! take values in which no word from outside had a part (invariant 10).

use serde_json::{Map, Value, json};

use crate::effect::Effect;
use crate::event::{Attachment, Choice, Media, Message, Template};
use crate::failure::{Class, Failure};
use crate::mark::{Marked, Trusted};
use crate::ports::{Expressions, Names};
use crate::workflow::good_assignee;
use crate::workflow::program::{AttachmentForm, ButtonForm, Buttons, Handoff, Reply, Verb};
use crate::workflow::template::{Pattern, to_text};

/// Bytes of a tag or an attribute's name.
const WORD: usize = 128;

/// Bytes of what an event carries, as JSON.
const DATA: usize = 64 << 10;

/// What a native verb gave.
pub(super) struct Applied {
    pub output: Value,
    pub marked: bool,
    pub effects: Vec<(Effect, bool)>,
}

/// Carries out a verb. `kept` says whether anything reads its output.
pub(super) fn apply(verb: &Verb, kept: bool, e: &dyn Expressions, names: &Names) -> Result<Applied, Failure> {
    let mut effects = Vec::new();
    let mut output = Marked::own(Value::Null);
    match verb {
        Verb::Reply(form) => {
            let message = reply(form, e, names)?;
            if kept {
                output = Marked { value: json!({ "message": message.value }), marked: message.marked };
            }
            effects.push((Effect::Reply(message.value), message.marked));
        }
        Verb::Template { name, language, variables } => {
            let template = template(name, language, variables.as_ref(), e, names)?;
            if kept {
                output = Marked { value: json!({ "message": { "template": template.value } }), marked: template.marked };
            }
            effects.push((Effect::Template(template.value), template.marked));
        }
        Verb::Tag(pattern) => words(pattern, "tag", e, names, &mut effects, Effect::Tag)?,
        Verb::Untag(pattern) => words(pattern, "tag", e, names, &mut effects, Effect::Untag)?,
        Verb::Note(pattern) => {
            let note = text(pattern, e, names)?;
            if !note.value.is_empty() {
                effects.push((Effect::Note(note.value), note.marked));
            }
        }
        Verb::Assign(pattern) => {
            let to = text(pattern, e, names)?;
            if !good_assignee(&to.value) {
                return Err(Failure::bug(
                    "assign.nobody",
                    "the text of `assign` is nobody; it must come out as team/NAME or agent/NAME",
                ));
            }
            effects.push((Effect::Assign(to.value), to.marked));
        }
        Verb::Set(entries) => {
            for (name, pattern) in entries {
                let value = pattern.eval(e, names)?;
                effects.push((Effect::Set { name: name.clone(), value: value.value }, value.marked));
            }
        }
        Verb::Stop(Some(reason)) => output = reason.eval(e, names)?,
        Verb::Stop(None) => {}
        Verb::Handoff(form) => {
            let note = handoff_note(form, e, names)?;
            effects.push((Effect::Handoff { to: form.to.clone(), note: note.value }, note.marked));
        }
        Verb::Emit { name, data } => {
            let name = trusted(name, "the name of an event", e, names)?;
            let data = data.as_ref().map_or_else(|| Ok(Marked::own(json!({}))), |data| data.eval(e, names))?;
            effects.push((event(name, data.value)?, data.marked));
        }
        Verb::Use { .. }
        | Verb::Script(_)
        | Verb::Ask(_)
        | Verb::Wait(_)
        | Verb::Approve(_)
        | Verb::Each(_)
        | Verb::Call { .. } => {
            return Err(Failure::bug("run.not_native", "this step is not worked out at once; this is a defect of the host"));
        }
    }
    Ok(Applied { output: output.value, marked: output.marked, effects })
}

/// An event of the workspace's own.
fn event(name: String, data: Value) -> Result<Effect, Failure> {
    if name.trim().is_empty() || name.len() > WORD {
        return Err(Failure::bug("emit.name", format!("the name of an event must come out as 1 to {WORD} bytes")));
    }
    if data.to_string().len() > DATA {
        return Err(Failure::limit("event_data", format!("an event carries at most {DATA} bytes; keep the rest with `set`")));
    }
    Ok(Effect::Emit { name, data })
}

/// What people are told who take a conversation over.
fn handoff_note(form: &Handoff, e: &dyn Expressions, names: &Names) -> Result<Marked<Option<String>>, Failure> {
    if form.of_error {
        let error = names.get("error").map_or(&Value::Null, |known| &known.value);
        let part = |name: &str| error.get(name).and_then(Value::as_str).unwrap_or("?");
        let note = format!("the step `{}` failed: {} ({})", part("step"), part("message"), part("code"));
        return Ok(Marked::outside(Some(note)));
    }
    let Some(pattern) = &form.note else { return Ok(Marked::own(None)) };
    let got = text(pattern, e, names)?;
    Ok(Marked { value: Some(got.value).filter(|note| !note.trim().is_empty()), marked: got.marked })
}

fn text(pattern: &Pattern, e: &dyn Expressions, names: &Names) -> Result<Marked<String>, Failure> {
    let got = pattern.eval(e, names)?;
    Ok(Marked { value: to_text(got.value), marked: got.marked })
}

/// Text in which no word from outside had a part.
fn trusted(pattern: &Pattern, what: &str, e: &dyn Expressions, names: &Names) -> Result<String, Failure> {
    Trusted::new(text(pattern, e, names)?).map(Trusted::into_inner).map_err(|_| {
        Failure::new(
            Class::Denied,
            "marked.refused",
            format!("{what} would come from words of outside; choose it by `if` among values written in the workflow"),
        )
    })
}

fn words(
    pattern: &Pattern,
    what: &str,
    e: &dyn Expressions,
    names: &Names,
    effects: &mut Vec<(Effect, bool)>,
    make: fn(String) -> Effect,
) -> Result<(), Failure> {
    let got = pattern.eval(e, names)?;
    let items = match got.value {
        Value::Array(items) => items,
        one => vec![one],
    };
    for item in items {
        let word = to_text(item).trim().to_owned();
        if word.is_empty() || word.len() > WORD {
            return Err(Failure::bug(format!("{what}.length"), format!("a {what} must come out as 1 to {WORD} bytes")));
        }
        effects.push((make(word), got.marked));
    }
    Ok(())
}

pub(super) fn reply(form: &Reply, e: &dyn Expressions, names: &Names) -> Result<Marked<Message>, Failure> {
    let mut marked = false;
    let mut message = Message::default();
    if let Some(pattern) = &form.text {
        let got = text(pattern, e, names)?;
        marked |= got.marked;
        message.text = Some(got.value).filter(|t| !t.trim().is_empty());
    }
    for one in &form.attachments {
        message.attachments.push(attachment(one, &mut marked, e, names)?);
    }
    match &form.buttons {
        Buttons::List(list) => {
            for one in list {
                message.choices.push(button(one, &mut marked, e, names)?);
            }
        }
        Buttons::Expr(pattern) => {
            let got = pattern.eval(e, names)?;
            marked |= got.marked;
            message.choices = buttons(got)?;
        }
    }
    if let Some(pattern) = &form.quote {
        let got = text(pattern, e, names)?;
        marked |= got.marked;
        message.reply_to = Some(got.value).filter(|id| !id.is_empty());
    }
    if message.text.is_none() && message.attachments.is_empty() {
        return Err(Failure::bug("reply.empty", "the reply came out empty; guard it with `if`, or give the text another source"));
    }
    Ok(Marked { value: message, marked })
}

fn attachment(form: &AttachmentForm, marked: &mut bool, e: &dyn Expressions, names: &Names) -> Result<Attachment, Failure> {
    let mut optional = |pattern: &Option<Pattern>| -> Result<Option<String>, Failure> {
        let Some(pattern) = pattern else { return Ok(None) };
        let got = text(pattern, e, names)?;
        *marked |= got.marked;
        Ok(Some(got.value).filter(|t| !t.is_empty()))
    };
    Ok(Attachment {
        kind: form.kind,
        mime_type: optional(&form.mime)?,
        file_name: optional(&form.filename)?,
        media: Media::Url(trusted(&form.url, "the url of an attachment", e, names)?),
        size_bytes: None,
        extra: None,
    })
}

fn button(form: &ButtonForm, marked: &mut bool, e: &dyn Expressions, names: &Names) -> Result<Choice, Failure> {
    let title = text(&form.title, e, names)?;
    *marked |= title.marked;
    let payload = match &form.payload {
        Some(pattern) => {
            let got = text(pattern, e, names)?;
            *marked |= got.marked;
            got.value
        }
        None => title.value.clone(),
    };
    let url = form.url.as_ref().map(|pattern| trusted(pattern, "the url of a button", e, names)).transpose()?;
    Ok(Choice { title: title.value, payload, url })
}

/// A list of texts, or of `{title, payload, url}`.
fn buttons(got: Marked<Value>) -> Result<Vec<Choice>, Failure> {
    let wrong = || Failure::bug("reply.buttons", "`buttons` must come out as a list of texts, or of { title, payload }");
    let Value::Array(items) = got.value else { return Err(wrong()) };
    items
        .into_iter()
        .map(|item| match item {
            Value::Object(map) => {
                let field = |name: &str| map.get(name).filter(|v| !v.is_null()).cloned().map(to_text);
                let title = field("title").ok_or_else(wrong)?;
                let url = field("url");
                if url.is_some() && got.marked {
                    return Err(Failure::new(
                        Class::Denied,
                        "marked.refused",
                        "the url of a button would come from words of outside; write the button into the workflow",
                    ));
                }
                Ok(Choice { payload: field("payload").unwrap_or_else(|| title.clone()), title, url })
            }
            Value::Null | Value::Array(_) => Err(wrong()),
            one => {
                let title = to_text(one);
                Ok(Choice { payload: title.clone(), title, url: None })
            }
        })
        .collect()
}

fn template(
    name: &Pattern,
    language: &Pattern,
    variables: Option<&Pattern>,
    e: &dyn Expressions,
    names: &Names,
) -> Result<Marked<Template>, Failure> {
    let mut template = Template {
        name: trusted(name, "the name of a template", e, names)?,
        language: trusted(language, "the language of a template", e, names)?,
        parameters: Vec::new(),
        extra: None,
    };
    let mut marked = false;
    if let Some(pattern) = variables {
        let got = pattern.eval(e, names)?;
        marked = got.marked;
        match got.value {
            Value::Array(items) => template.parameters = items.into_iter().map(to_text).collect(),
            Value::Object(map) => {
                let named: Map<String, Value> = map.into_iter().map(|(k, v)| (k, Value::String(to_text(v)))).collect();
                template.extra = Some(json!({ "named": named }));
            }
            Value::Null => {}
            one => template.parameters.push(to_text(one)),
        }
    }
    Ok(Marked { value: template, marked })
}
