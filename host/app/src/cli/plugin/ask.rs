//! What a channel is asked to do, in either of two forms: the contract's own operation (`{"send": {"text": "hi"}}`), or the
//! neutral ask of a channel's `outbound.json` (`{"to": "15550100001", "text": "hi", "buttons": [...]}`). The one place
//! where the second becomes the first.

use pointsman_core::event::{Choice, Message, Template};
use pointsman_core::failure::Failure;
use pointsman_core::ports::Operation;
use pointsman_manifest::Manifest;
use serde_json::{Map, Value};

use super::event::attachment;
use super::unusable;

/// An operation and the thread that it is for.
#[derive(Debug, PartialEq)]
pub(super) struct Asked {
    pub(super) to: Option<String>,
    pub(super) operation: Operation,
}

/// Reads either form.
pub(super) fn read(asked: Value, manifest: &Manifest) -> Result<Asked, Failure> {
    let mut fields = match asked {
        Value::Object(fields) => fields,
        word @ Value::String(_) => return Ok(Asked { to: None, operation: contract(word)? }),
        other => {
            return Err(unusable("operation", format!("an operation is a JSON object or a word of the contract, not {other}")));
        }
    };
    let to = fields.remove("to").map(id).transpose()?;
    if fields.len() == 1 {
        match serde_json::from_value(Value::Object(fields.clone())) {
            Ok(operation) => return Ok(Asked { to, operation }),
            // No operation of this name: an ask, which has other fields.
            Err(e) if e.to_string().starts_with("unknown variant") => {}
            Err(e) => return Err(unusable("operation", format!("the operation is not as the contract says: {e}"))),
        }
    }
    let operation = match fields.remove("action") {
        Some(Value::String(action)) => act(&action, fields, manifest)?,
        Some(other) => return Err(unusable("operation", format!("`action` is a word, not {other}"))),
        None => said(fields)?,
    };
    Ok(Asked { to, operation })
}

fn contract(operation: Value) -> Result<Operation, Failure> {
    serde_json::from_value(operation).map_err(|e| unusable("operation", format!("the contract has no such operation: {e}")))
}

/// An ask with an `action`: one of the channel's own operations, or one of the contract's.
fn act(action: &str, mut fields: Map<String, Value>, manifest: &Manifest) -> Result<Operation, Failure> {
    if manifest.operations.contains_key(action) {
        return Ok(Operation::Other { name: action.to_owned(), input: Value::Object(fields) });
    }
    let mut target = |names: &[&str]| -> Result<String, Failure> {
        let found = names.iter().find_map(|name| fields.remove(*name));
        found.map(id).transpose()?.ok_or_else(|| unusable("operation", format!("`{action}` needs `{}`", names.join("` or `"))))
    };
    Ok(match action {
        "typing" | "typing_on" => Operation::Typing,
        "mark_read" => Operation::MarkRead(target(&["message_id", "id"])?),
        "delete" => Operation::Delete(target(&["message_id", "id"])?),
        "react" => Operation::React { target: target(&["message_id", "target", "id"])?, emoji: word(&mut fields, "emoji")? },
        "edit" => Operation::Edit { target: target(&["message_id", "target", "id"])?, message: message(fields)? },
        "answer_interaction" => {
            Operation::AnswerInteraction { answer: target(&["id", "answer"])?, text: word(&mut fields, "text")? }
        }
        "subscribe" => Operation::Subscribe(target(&["url"])?),
        "fetch_profile" => Operation::FetchProfile(target(&["id"])?),
        "fetch_media" => Operation::FetchMedia(target(&["id"])?),
        other => contract(Value::String(other.to_owned()))?,
    })
}

/// An ask without: a template, a remark under something, or a message.
fn said(mut fields: Map<String, Value>) -> Result<Operation, Failure> {
    if let Some(template) = fields.remove("template") {
        return self::template(template);
    }
    let mut remark = |name: &str| fields.remove(name).map(id).transpose();
    let hidden = remark("hide_comment")?;
    let deleted = remark("delete_comment")?;
    let remarks = [remark("reply_to_comment")?, remark("private_reply_to_comment")?, remark("reply_to_review")?];
    match (hidden, deleted) {
        (Some(target), _) => return Ok(Operation::HideComment { target, hidden: true }),
        (_, Some(target)) => return Ok(Operation::Delete(target)),
        (None, None) => {}
    }
    let [comment, privately, review] = remarks;
    let text = |fields: &mut Map<String, Value>| Ok::<_, Failure>(word(fields, "text")?.unwrap_or_default());
    if let Some(target) = comment {
        return Ok(Operation::ReplyComment { target, text: text(&mut fields)? });
    }
    if let Some(target) = privately {
        return Ok(Operation::ReplyPrivately { target, text: text(&mut fields)? });
    }
    if let Some(target) = review {
        return Ok(Operation::ReplyReview { target, text: text(&mut fields)? });
    }
    message(fields).map(Operation::Send)
}

fn template(template: Value) -> Result<Operation, Failure> {
    let Value::Object(mut fields) = template else {
        return Err(unusable("operation", "`template` is {\"name\", \"language\", \"body\": [\"...\"]}"));
    };
    let name = word(&mut fields, "name")?.ok_or_else(|| unusable("operation", "a template needs its `name`"))?;
    let language = word(&mut fields, "language")?.ok_or_else(|| unusable("operation", "a template needs its `language`"))?;
    let parameters = match fields.remove("body").or_else(|| fields.remove("parameters")) {
        Some(Value::Array(all)) => all.into_iter().map(id).collect::<Result<_, _>>()?,
        Some(_) => return Err(unusable("operation", "a template's `body` is a list of texts")),
        None => Vec::new(),
    };
    Ok(Operation::SendTemplate(Template { name, language, parameters, extra: rest(fields) }))
}

/// Text, files, buttons and what is answered; what one provider alone knows goes along as `extra`.
fn message(mut fields: Map<String, Value>) -> Result<Message, Failure> {
    let text = word(&mut fields, "text")?.filter(|text| !text.is_empty());
    let reply_to = word(&mut fields, "reply_to")?;
    let files = [fields.remove("attachment"), fields.remove("attachments")];
    let attachments = files.into_iter().flatten().flat_map(many).map(attachment).collect::<Result<_, _>>()?;
    let buttons = [fields.remove("buttons"), fields.remove("quick_replies")];
    let choices = buttons.into_iter().flatten().flat_map(many).map(choice).collect::<Result<_, _>>()?;
    Ok(Message { id: None, text, attachments, choices, reply_to, extra: rest(fields) })
}

/// A button: `title`, and behind it `payload` (some call it `id`) or `url`.
fn choice(button: Value) -> Result<Choice, Failure> {
    let Value::Object(mut fields) = button else {
        return Err(unusable("operation", "a button is {\"title\", \"payload\"} or {\"title\", \"url\"}"));
    };
    let title = word(&mut fields, "title")?.ok_or_else(|| unusable("operation", "a button needs a `title`"))?;
    let payload = word(&mut fields, "payload")?;
    let payload = if payload.is_some() { payload } else { word(&mut fields, "id")? };
    Ok(Choice { payload: payload.unwrap_or_else(|| title.clone()), title, url: word(&mut fields, "url")? })
}

fn many(value: Value) -> Vec<Value> {
    match value {
        Value::Array(all) => all,
        Value::Null => Vec::new(),
        one => vec![one],
    }
}

fn rest(fields: Map<String, Value>) -> Option<Value> {
    if fields.is_empty() { None } else { Some(Value::Object(fields)) }
}

/// Text of a field; an id may be written as a number.
fn word(fields: &mut Map<String, Value>, name: &str) -> Result<Option<String>, Failure> {
    fields.remove(name).filter(|value| !value.is_null()).map(id).transpose()
}

fn id(value: Value) -> Result<String, Failure> {
    match value {
        Value::String(text) => Ok(text),
        Value::Number(number) => Ok(number.to_string()),
        other => Err(unusable("operation", format!("a text was expected, not {other}"))),
    }
}
