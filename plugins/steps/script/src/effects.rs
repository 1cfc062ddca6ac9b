//! Functions that do something, on this conversation: there is no parameter by which another could be named. The host
//! collects what they ask for and carries it out when the leg has ended well.

use rhai::{Array, Dynamic, Engine, ImmutableString, Map};
use serde_json::Value;

use crate::bindings::pointsman::plugin::state::Scope;
use crate::bindings::pointsman::plugin::types::{Attachment, AttachmentKind, Choice, Media, Message, Template};
use crate::failure::{raise, raise_refusal, wrong};
use crate::host::{self, Act};
use crate::leg::{Given, alive};
use crate::library::duration;
use crate::values;

/// Registers them.
pub(crate) fn register(engine: &mut Engine) {
    engine.register_fn("reply", |text: ImmutableString| act("reply", Act::Reply(plain(&text)?)));
    engine.register_fn("reply", |said: Map| act("reply", Act::Reply(message("reply", &said)?)));
    engine.register_fn("template", |name: ImmutableString, language: ImmutableString| template(&name, &language, &Array::new()));
    engine.register_fn("template", |name: ImmutableString, language: ImmutableString, parameters: Array| {
        template(&name, &language, &parameters)
    });
    engine.register_fn("tag", |tag: ImmutableString| act("tag", Act::Tag(tag.into())));
    engine.register_fn("untag", |tag: ImmutableString| act("untag", Act::Untag(tag.into())));
    engine.register_fn("note", |text: ImmutableString| act("note", Act::Note(text.into())));
    engine.register_fn("assign", |to: ImmutableString| act("assign", Act::Assign(to.into())));
    engine.register_fn("set", |name: ImmutableString, value: Dynamic| {
        let json = json(&value)?;
        act("set", Act::Set(name.into(), json))
    });
    engine.register_fn("emit", |name: ImmutableString| act("emit", Act::Emit(name.into(), "{}".to_owned())));
    engine.register_fn("emit", |name: ImmutableString, data: Dynamic| {
        let json = json(&data)?;
        act("emit", Act::Emit(name.into(), json))
    });
    engine.register_fn("history", || history(20));
    engine.register_fn("history", history);
    register_state(engine);
}

fn register_state(engine: &mut Engine) {
    type Text = ImmutableString;
    engine.register_fn("state_get", |key: Text| state_get(Scope::Conversation, &key));
    engine.register_fn("state_get", |of: Text, key: Text| state_get(scope(&of)?, &key));
    engine.register_fn("state_set", |key: Text, value: Dynamic| state_set(Scope::Conversation, &key, &value, None));
    engine.register_fn("state_set", |of: Text, key: Text, value: Dynamic| state_set(scope(&of)?, &key, &value, None));
    engine.register_fn("state_set", |of: Text, key: Text, value: Dynamic, ttl: Text| {
        let Some(millis) = duration(&ttl) else {
            return Err(wrong("`state_set` keeps a value for a time like \"90s\", \"2h\" or \"7d\""));
        };
        state_set(scope(&of)?, &key, &value, Some(millis))
    });
    engine.register_fn("state_delete", |key: Text| state_delete(Scope::Conversation, &key));
    engine.register_fn("state_delete", |of: Text, key: Text| state_delete(scope(&of)?, &key));
    engine.register_fn("state_add", |key: Text, by: i64| state_add(Scope::Conversation, &key, by));
    engine.register_fn("state_add", |of: Text, key: Text, by: i64| state_add(scope(&of)?, &key, by));
}

fn act(what: &str, wish: Act) -> Given<()> {
    alive()?;
    host::act(wish).map_err(|refusal| raise_refusal(what, refusal))
}

fn json(value: &Dynamic) -> Given<String> {
    values::to_json(value).map(|v| v.to_string()).map_err(|reason| raise(&reason))
}

fn scope(name: &str) -> Given<Scope> {
    match name {
        "conversation" => Ok(Scope::Conversation),
        "contact" => Ok(Scope::Contact),
        "workspace" => Ok(Scope::Workspace),
        _ => Err(wrong("state belongs to a \"conversation\", a \"contact\" or the \"workspace\"")),
    }
}

fn state_get(scope: Scope, key: &str) -> Given<Dynamic> {
    alive()?;
    match host::state_get(scope, key).map_err(|r| raise_refusal("state", r))? {
        Some(json) => values::from_json(&json).map_err(|reason| raise(&reason)),
        None => Ok(Dynamic::UNIT),
    }
}

fn state_set(scope: Scope, key: &str, value: &Dynamic, ttl: Option<u64>) -> Given<()> {
    alive()?;
    host::state_set(scope, key, &json(value)?, ttl).map_err(|r| raise_refusal("state", r))
}

fn state_delete(scope: Scope, key: &str) -> Given<()> {
    alive()?;
    host::state_delete(scope, key).map_err(|r| raise_refusal("state", r))
}

fn state_add(scope: Scope, key: &str, by: i64) -> Given<i64> {
    alive()?;
    host::state_add(scope, key, by).map_err(|r| raise_refusal("state", r))
}

/// `[#{by: "contact", at: 1700000000000, text: "Hi", attachments: ["image"]}, ...]`, oldest first.
fn history(count: i64) -> Given<Array> {
    alive()?;
    let count = u32::try_from(count.clamp(1, 100)).unwrap_or(100);
    let said = host::history(count).map_err(|r| raise_refusal("conversation", r))?;
    Ok(said
        .into_iter()
        .map(|one| {
            let mut map = Map::new();
            map.insert("by".into(), host::speaker(one.by).into());
            map.insert("at".into(), one.at.into());
            map.insert("text".into(), one.message.text.map_or(Dynamic::UNIT, Dynamic::from));
            let kinds: Array = one.message.attachments.iter().map(|a| kind_name(a.kind).into()).collect();
            map.insert("attachments".into(), kinds.into());
            Dynamic::from_map(map)
        })
        .collect())
}

fn plain(text: &str) -> Given<Message> {
    if text.is_empty() {
        return Err(wrong("a message needs a text or an attachment"));
    }
    Ok(Message {
        id: None,
        text: Some(text.to_owned()),
        attachments: Vec::new(),
        choices: Vec::new(),
        reply_to: None,
        extra: None,
    })
}

fn text(what: &str, key: &str, value: &Dynamic) -> Given<Option<String>> {
    if value.is_unit() {
        return Ok(None);
    }
    if value.is_int() || value.is_float() || value.is_char() {
        return Ok(Some(value.to_string()));
    }
    match value.clone().into_string() {
        Ok(text) => Ok(Some(text).filter(|t| !t.is_empty())),
        Err(_) => Err(wrong(format!("`{what}`: `{key}` is a text"))),
    }
}

fn list(what: &str, key: &str, value: &Dynamic) -> Given<Array> {
    if value.is_unit() {
        return Ok(Array::new());
    }
    value.clone().into_array().map_err(|_| wrong(format!("`{what}`: `{key}` is an array")))
}

/// `#{text, buttons, attachments, quote, extra}`.
fn message(what: &str, said: &Map) -> Given<Message> {
    let mut message = Message { id: None, text: None, attachments: Vec::new(), choices: Vec::new(), reply_to: None, extra: None };
    for (key, value) in said {
        match key.as_str() {
            "text" => message.text = text(what, key, value)?,
            "quote" => message.reply_to = text(what, key, value)?,
            "buttons" => message.choices = list(what, key, value)?.iter().map(|b| button(what, b)).collect::<Given<_>>()?,
            "attachments" => {
                message.attachments = list(what, key, value)?.iter().map(|a| attachment(what, a)).collect::<Given<_>>()?
            }
            "extra" => message.extra = Some(json(value)?),
            other => return Err(wrong(format!("`{what}` knows text, buttons, attachments, quote and extra, not `{other}`"))),
        }
    }
    if message.text.is_none() && message.attachments.is_empty() {
        return Err(wrong("a message needs a text or an attachment"));
    }
    Ok(message)
}

/// A title, or `#{title, payload, url}`.
fn button(what: &str, value: &Dynamic) -> Given<Choice> {
    if let Ok(title) = value.clone().into_string() {
        return Ok(Choice { payload: title.clone(), title, url: None });
    }
    let Some(map) = value.read_lock::<Map>() else {
        return Err(wrong(format!("`{what}`: a button is a text or #{{title, payload, url}}")));
    };
    let (mut title, mut payload, mut url) = (None, None, None);
    for (key, value) in map.iter() {
        match key.as_str() {
            "title" => title = text(what, key, value)?,
            "payload" => payload = text(what, key, value)?,
            "url" => url = text(what, key, value)?,
            other => return Err(wrong(format!("`{what}`: a button has title, payload and url, not `{other}`"))),
        }
    }
    let Some(title) = title else { return Err(wrong(format!("`{what}`: a button needs a title"))) };
    Ok(Choice { payload: payload.unwrap_or_else(|| title.clone()), title, url })
}

/// `#{type: "image", url | id, mime, filename}`, and what else the kind has.
fn attachment(what: &str, value: &Dynamic) -> Given<Attachment> {
    let Some(map) = value.read_lock::<Map>() else {
        return Err(wrong(format!("`{what}`: an attachment is #{{type, url}} or #{{type, id}}")));
    };
    let mut kind = None;
    let mut extra = serde_json::Map::new();
    let mut attachment = Attachment {
        kind: AttachmentKind::File,
        media: Media::None,
        mime_type: None,
        file_name: None,
        size_bytes: None,
        extra: None,
    };
    for (key, value) in map.iter() {
        match key.as_str() {
            "type" => kind = text(what, key, value)?,
            "url" => {
                if let Some(url) = text(what, key, value)? {
                    attachment.media = Media::Url(url);
                }
            }
            "id" => {
                if let Some(id) = text(what, key, value)? {
                    attachment.media = Media::Provider(id);
                }
            }
            "mime" => attachment.mime_type = text(what, key, value)?,
            "filename" => attachment.file_name = text(what, key, value)?,
            other => {
                extra.insert(other.to_owned(), values::to_json(value).map_err(|reason| raise(&reason))?);
            }
        }
    }
    attachment.kind = match kind.as_deref().and_then(|name| KINDS.iter().find(|(_, known)| *known == name)) {
        Some((kind, _)) => *kind,
        None => {
            return Err(wrong(format!(
                "`{what}`: an attachment has a type: image, video, audio, voice, file, sticker, location, contact or link"
            )));
        }
    };
    attachment.extra = (!extra.is_empty()).then(|| Value::Object(extra).to_string());
    Ok(attachment)
}

const KINDS: &[(AttachmentKind, &str)] = &[
    (AttachmentKind::Image, "image"),
    (AttachmentKind::Video, "video"),
    (AttachmentKind::Audio, "audio"),
    (AttachmentKind::Voice, "voice"),
    (AttachmentKind::File, "file"),
    (AttachmentKind::Sticker, "sticker"),
    (AttachmentKind::Location, "location"),
    (AttachmentKind::Contact, "contact"),
    (AttachmentKind::Share, "share"),
    (AttachmentKind::Story, "story"),
    (AttachmentKind::Link, "link"),
];

fn kind_name(kind: AttachmentKind) -> &'static str {
    KINDS.iter().find(|(known, _)| *known == kind).map_or("unsupported", |(_, name)| name)
}

fn template(name: &str, language: &str, parameters: &Array) -> Given<()> {
    let parameters =
        parameters.iter().map(|p| Ok(text("template", "parameters", p)?.unwrap_or_default())).collect::<Given<Vec<_>>>()?;
    act("template", Act::Template(Template { name: name.to_owned(), language: language.to_owned(), parameters, extra: None }))
}
