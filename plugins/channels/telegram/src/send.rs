//! Messages as calls of the Bot API. One message of ours may become several of theirs: a text beyond the limit, files that take
//! no caption.

mod interactive;
mod media;
mod text;

use pointsman_sdk::prelude::*;
use serde_json::Map;

use crate::address::Address;
use crate::config::Config;

/// A text has at most so many UTF-16 units.
const TEXT: usize = 4096;
/// Words below a file.
const CAPTION: usize = 1024;
/// Words that pop up when a button was pressed.
const POPUP: usize = 200;

/// What a message may say to Telegram alone, in its `extra`. `parse_mode` is `HTML` or `MarkdownV2`.
const OWN: &[&str] = &["disable_notification", "protect_content", "message_effect_id"];

/// One call of a method.
#[derive(Debug)]
pub(crate) struct Call<'a> {
    pub(crate) method: &'static str,
    pub(crate) fields: Map<String, Value>,
    /// Bytes that the host streams, and the field where they go.
    pub(crate) file: Option<(&'static str, &'a Attachment)>,
}

impl<'a> Call<'a> {
    /// A call without a file.
    pub(crate) fn new(method: &'static str, fields: Value) -> Self {
        let fields = if let Value::Object(fields) = fields { fields } else { Map::new() };
        Self { method, fields, file: None }
    }

    fn with(mut self, key: &str, value: impl Into<Value>) -> Self {
        self.fields.insert(key.into(), value.into());
        self
    }

    /// Whether the text has markup that Telegram may find broken.
    pub(crate) fn marked_up(&self) -> bool {
        self.fields.contains_key("parse_mode")
    }

    /// As a request.
    pub(crate) fn request(self, config: &Config) -> HttpRequest {
        let request = config.method(self.method);
        match self.file {
            None => request.json(&Value::Object(self.fields)),
            Some((field, a)) => HttpRequest { body: Body::Multipart(media::parts(&self.fields, field, a)), ..request },
        }
    }
}

/// The field that names the text's markup.
fn markup(extra: &Value, plain: bool) -> Option<(String, Value)> {
    let mode = extra.get("parse_mode").filter(|mode| mode.is_string() && !plain)?;
    Some(("parse_mode".into(), mode.clone()))
}

/// The number of a message, which the contract keeps as text.
fn message_id(id: &str) -> Result<i64, Failure> {
    id.parse().map_err(|_| Failure::rejected("message-id", "this is not the id of a Telegram message"))
}

fn extra(m: &Message) -> Value {
    m.extra.as_deref().and_then(|e| serde_json::from_str(e).ok()).unwrap_or_default()
}

/// The calls of a message, in order. `plain`: without markup, since Telegram could not read it.
pub(crate) fn message<'a>(to: &Address, m: &'a Message, plain: bool) -> Result<Vec<Call<'a>>, Failure> {
    let extra = extra(m);
    let text = m.text.as_deref().filter(|t| !t.trim().is_empty());
    if text.is_none() && m.attachments.is_empty() {
        return Err(if m.choices.is_empty() {
            Failure::rejected("empty", "the message has neither text nor attachment")
        } else {
            Failure::rejected("no-text", "buttons need a text above them")
        });
    }
    let mut place = to.fields();
    for key in OWN {
        place.extend(extra.get(key).filter(|v| !v.is_null()).map(|v| ((*key).to_owned(), v.clone())));
    }
    let markup = markup(&extra, plain);
    let (caption, before) = match (text, m.attachments.first()) {
        (Some(t), Some(a)) if media::takes_caption(a.kind) && text::length(t) <= CAPTION => (Some(t), None),
        (t, _) => (None, t),
    };
    let mut calls: Vec<Call<'a>> = Vec::new();
    for part in before.into_iter().flat_map(|t| text::split(t, TEXT)) {
        let mut call = Call { method: "sendMessage", fields: place.clone(), file: None }.with("text", part);
        call.fields.extend(markup.clone());
        let preview = extra.get("link_preview_options").filter(|v| v.is_object());
        call.fields.extend(preview.map(|p| ("link_preview_options".into(), p.clone())));
        calls.push(call);
    }
    for (n, a) in m.attachments.iter().enumerate() {
        let mut call = media::call(place.clone(), a)?;
        if let Some(caption) = caption.filter(|_| n == 0) {
            call.fields.insert("caption".into(), json!(caption));
            call.fields.extend(markup.clone());
        }
        calls.push(call);
    }
    if let (Some(id), Some(first)) = (&m.reply_to, calls.first_mut()) {
        first.fields.insert("reply_parameters".into(), json!({ "message_id": message_id(id)? }));
    }
    let keyboard = if m.choices.is_empty() {
        extra.get("reply_markup").filter(|v| v.is_object()).cloned()
    } else {
        Some(interactive::keyboard(&m.choices)?)
    };
    if let (Some(keyboard), Some(last)) = (keyboard, calls.last_mut()) {
        last.fields.insert("reply_markup".into(), keyboard);
    }
    Ok(calls)
}

/// Changes the words of a message of ours, or the buttons alone.
pub(crate) fn edit<'a>(to: &Address, target: &str, m: &Message, plain: bool) -> Result<Call<'a>, Failure> {
    if !m.attachments.is_empty() {
        return Err(Failure::unsupported("attachment", "Telegram changes words and buttons; send a file as a new message"));
    }
    let mut fields = to.fields();
    // A message is changed where it stands: the topic says nothing.
    fields.remove("message_thread_id");
    fields.insert("message_id".into(), json!(message_id(target)?));
    if !m.choices.is_empty() {
        fields.insert("reply_markup".into(), interactive::keyboard(&m.choices)?);
    }
    let Some(text) = m.text.as_deref().filter(|t| !t.trim().is_empty()) else {
        return if m.choices.is_empty() {
            Err(Failure::rejected("empty", "there is nothing to change the message into"))
        } else {
            Ok(Call { method: "editMessageReplyMarkup", fields, file: None })
        };
    };
    if text::length(text) > TEXT {
        return Err(Failure::rejected("too-long", format!("a message is changed into at most {TEXT} UTF-16 units: shorten it")));
    }
    fields.insert("text".into(), json!(text));
    fields.extend(markup(&extra(m), plain));
    Ok(Call { method: "editMessageText", fields, file: None })
}

/// Takes a message away.
pub(crate) fn delete<'a>(to: &Address, target: &str) -> Result<Call<'a>, Failure> {
    let id = message_id(target)?;
    Ok(match &to.business {
        Some(b) => Call::new("deleteBusinessMessages", json!({ "business_connection_id": b, "message_ids": [id] })),
        None => Call::new("deleteMessage", json!({ "chat_id": to.chat_id(), "message_id": id })),
    })
}

/// An emoji under a message, `custom:ID` for one of a person's own; none takes it back.
pub(crate) fn reaction<'a>(to: &Address, target: &str, emoji: Option<&str>) -> Result<Call<'a>, Failure> {
    let list = match emoji.map(|e| (e, e.strip_prefix("custom:"))) {
        None => json!([]),
        Some((_, Some(id))) => json!([{ "type": "custom_emoji", "custom_emoji_id": id }]),
        Some((emoji, None)) => json!([{ "type": "emoji", "emoji": emoji }]),
    };
    let fields = json!({ "chat_id": to.chat_id(), "message_id": message_id(target)?, "reaction": list });
    Ok(Call::new("setMessageReaction", fields))
}

/// Shows for some seconds that an answer is being written.
pub(crate) fn typing<'a>(to: &Address) -> Call<'a> {
    Call { method: "sendChatAction", fields: to.fields(), file: None }.with("action", "typing")
}

/// Marks a message as read. Only in the chats of a business account: a bot's own chats have no such mark.
pub(crate) fn mark_read<'a>(to: &Address, target: &str) -> Result<Option<Call<'a>>, Failure> {
    let Some(business) = &to.business else { return Ok(None) };
    let fields = json!({ "business_connection_id": business, "chat_id": to.chat_id(), "message_id": message_id(target)? });
    Ok(Some(Call::new("readBusinessMessage", fields)))
}

/// Answers the press of a button, with words that pop up where there are some.
pub(crate) fn answer<'a>(query: &str, text: Option<&str>) -> Result<Call<'a>, Failure> {
    let call = Call::new("answerCallbackQuery", json!({ "callback_query_id": query }));
    match text.filter(|t| !t.is_empty()) {
        None => Ok(call),
        Some(text) if text::length(text) <= POPUP => Ok(call.with("text", text)),
        Some(_) => Err(Failure::rejected("too-long", format!("what pops up has at most {POPUP} UTF-16 units: shorten it"))),
    }
}

/// The menu of commands: `{commands: [{command, description}], language_code?, scope?}`, as the manifest's schema says.
pub(crate) fn set_commands<'a>(input: &str) -> Result<Call<'a>, Failure> {
    let wrong = |why: &str| Failure::rejected("commands", why);
    let input: Value = serde_json::from_str(input).unwrap_or_default();
    let all = input.get("commands").and_then(Value::as_array).filter(|all| all.len() <= 100);
    let all = all.ok_or_else(|| wrong("name the `commands`, at most 100, each with `command` and `description`"))?;
    for one in all {
        let text = |key: &str| one.get(key).and_then(Value::as_str).unwrap_or_default();
        let (name, about) = (text("command"), text("description"));
        let letters = name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_');
        if !letters || !(1..=32).contains(&name.len()) {
            return Err(wrong("a command has 1 to 32 lower-case letters, digits and underscores, without the slash"));
        }
        if !(1..=256).contains(&text::length(about)) {
            return Err(wrong("a command's description has 1 to 256 characters"));
        }
    }
    let mut call = Call::new("setMyCommands", json!({ "commands": all }));
    for key in ["language_code", "scope"] {
        call.fields.extend(input.get(key).filter(|v| !v.is_null()).map(|v| (key.to_owned(), v.clone())));
    }
    Ok(call)
}
