//! Messages of the bot: first everything is checked that the Bot API checks, then the message is made.

use serde_json::{Map, Value, json};

use super::Telegram;
use super::api::Refusal;
use super::body::{Params, Upload};
use super::entities::{self, units};
use super::markup;
use crate::talk::{Button, By, Line, unix_ms};

/// UTF-16 units of a text, after marks are taken out.
const TEXT: usize = 4096;
/// UTF-16 units of a caption.
const CAPTION: usize = 1024;

/// A message that can be sent.
#[derive(Debug)]
pub(super) struct Draft {
    pub(super) chat: i64,
    /// As the contact sees it.
    kind: &'static str,
    content: Content,
    text: String,
    entities: Vec<Value>,
    buttons: Vec<Button>,
    keyboard: Option<Value>,
    reply_to: Option<i64>,
}

#[derive(Debug)]
enum Content {
    Text,
    Location(f64, f64),
    /// The method's own name for the file, and where it is.
    File(&'static str, Source),
}

#[derive(Debug)]
enum Source {
    Known(String),
    Url(String),
    Upload(Upload),
}

/// The field of a method that sends a file, and what the contact sees.
fn file_of(method: &str) -> Option<(&'static str, &'static str)> {
    Some(match method {
        "sendphoto" => ("photo", "image"),
        "sendvideo" => ("video", "video"),
        "senddocument" => ("document", "file"),
        "sendaudio" => ("audio", "audio"),
        "sendvoice" => ("voice", "voice"),
        "sendsticker" => ("sticker", "sticker"),
        _ => return None,
    })
}

/// A contact's chat that can be written to.
pub(super) fn open_chat(emulator: &Telegram, params: &Params) -> Result<i64, Refusal> {
    let Some(told) = params.fields.get("chat_id").filter(|told| **told != json!("")) else {
        return Err(Refusal::bad("chat_id is empty"));
    };
    let bot = emulator.0.bot.lock();
    let chat = super::body::number(told).filter(|chat| bot.started.contains(chat));
    let chat = chat.ok_or_else(|| Refusal::bad("chat not found"))?;
    if bot.blocked.contains(&chat) {
        return Err(Refusal::of(403, "Forbidden: bot was blocked by the user"));
    }
    Ok(chat)
}

/// What a method would send; nothing for a method that sends no message.
pub(super) fn draft(emulator: &Telegram, method: &str, params: &Params) -> Option<Result<Draft, Refusal>> {
    let method = method.to_ascii_lowercase();
    match method.as_str() {
        "sendmessage" => Some(text(emulator, params)),
        "sendlocation" => Some(location(emulator, params)),
        other => file_of(other).map(|(field, kind)| file(emulator, params, field, kind)),
    }
}

fn text(emulator: &Telegram, params: &Params) -> Result<Draft, Refusal> {
    let mut draft = bare(emulator, params, "text", Content::Text)?;
    (draft.text, draft.entities) = words(params, "text", TEXT, "message is too long")?;
    if draft.text.trim().is_empty() {
        return Err(Refusal::bad("message text is empty"));
    }
    Ok(draft)
}

fn location(emulator: &Telegram, params: &Params) -> Result<Draft, Refusal> {
    let degrees = |field: &str, most: f64| {
        let told = params.fields.get(field);
        let degrees = told.and_then(|v| v.as_f64().or_else(|| v.as_str().and_then(|t| t.parse().ok())));
        degrees.filter(|d: &f64| d.abs() <= most).ok_or_else(|| Refusal::bad(format!("{field} is invalid")))
    };
    let content = Content::Location(degrees("latitude", 90.0)?, degrees("longitude", 180.0)?);
    bare(emulator, params, "location", content)
}

fn file(emulator: &Telegram, params: &Params, field: &'static str, kind: &'static str) -> Result<Draft, Refusal> {
    let source = match (params.upload(field), params.text(field).filter(|told| !told.is_empty())) {
        (Some(upload), _) if upload.bytes.is_empty() => return Err(Refusal::bad("file must be non-empty")),
        (Some(upload), _) => Source::Upload(upload.clone()),
        (None, Some(url)) if url.starts_with("http://") || url.starts_with("https://") => Source::Url(url.to_owned()),
        (None, Some(id)) if emulator.0.bot.lock().files.contains_key(id) => Source::Known(id.to_owned()),
        (None, Some(_)) => return Err(Refusal::bad("wrong file identifier/HTTP URL specified")),
        (None, None) => return Err(Refusal::bad(format!("there is no {field} in the request"))),
    };
    let mut draft = bare(emulator, params, kind, Content::File(field, source))?;
    (draft.text, draft.entities) = words(params, "caption", CAPTION, "message caption is too long")?;
    Ok(draft)
}

/// The words of a field without their marks, and the marks.
pub(super) fn words(params: &Params, field: &str, most: usize, long: &str) -> Result<(String, Vec<Value>), Refusal> {
    let told = params.text(field).unwrap_or_default();
    let (text, mut marks) = entities::parse(told, params.text("parse_mode")).map_err(Refusal::bad)?;
    if units(&text) > most {
        return Err(Refusal::bad(long));
    }
    let given = params.json("entities").or_else(|| params.json("caption_entities"));
    if let (true, Some(Value::Array(given))) = (marks.is_empty(), given) {
        marks = given;
    }
    Ok((text, marks))
}

/// What all messages have.
fn bare(emulator: &Telegram, params: &Params, kind: &'static str, content: Content) -> Result<Draft, Refusal> {
    let chat = open_chat(emulator, params)?;
    let (buttons, keyboard) = markup::check(params.json("reply_markup").as_ref()).map_err(Refusal::bad)?;
    let reply =
        params.json("reply_parameters").or_else(|| params.number("reply_to_message_id").map(|id| json!({ "message_id": id })));
    let mut reply_to = None;
    if let Some(reply) = reply {
        let id = reply.get("message_id").and_then(super::body::number);
        let id = id.ok_or_else(|| Refusal::bad("can't parse reply parameters: Can't find field \"message_id\""))?;
        let there = emulator.0.bot.lock().messages.contains_key(&(chat, id));
        if !there && reply.get("allow_sending_without_reply") != Some(&json!(true)) {
            return Err(Refusal::bad("message to be replied not found"));
        }
        reply_to = there.then_some(id);
    }
    Ok(Draft { chat, kind, content, text: String::new(), entities: Vec::new(), buttons, keyboard, reply_to })
}

/// Makes the message. Gives its id, and the message as the API tells it.
pub(super) fn commit(emulator: &Telegram, draft: Draft) -> (i64, Value) {
    let (from, chat) = (emulator.bot_user(), emulator.chat(draft.chat));
    let contact = draft.chat.to_string();
    let mut bot = emulator.0.bot.lock();
    let id = bot.next_message(draft.chat);
    let mut message = Map::from_iter([
        ("message_id".to_owned(), json!(id)),
        ("from".to_owned(), from),
        ("chat".to_owned(), chat),
        ("date".to_owned(), json!(unix_ms() / 1000)),
    ]);
    let mut line = Line::new(By::Business, &contact, draft.kind, &draft.text, &id.to_string());
    if let Some(reply) = draft.reply_to {
        line.reply_to = Some(reply.to_string());
        let original = bot.messages.get(&(draft.chat, reply)).cloned();
        message.extend(original.map(|original| ("reply_to_message".to_owned(), original)));
    }
    let words = if matches!(draft.content, Content::Text) { ("text", "entities") } else { ("caption", "caption_entities") };
    match draft.content {
        Content::Text => {}
        Content::Location(latitude, longitude) => {
            line.text = format!("{latitude}, {longitude}");
            message.insert("location".to_owned(), json!({ "latitude": latitude, "longitude": longitude }));
        }
        Content::File(field, source) => {
            let folder = format!("{field}s");
            let (file_id, shown, name) = match source {
                Source::Known(id) => (id.clone(), id, None),
                Source::Url(url) => {
                    // The bytes of an address are not fetched: an emulator goes nowhere by itself.
                    (bot.keep(&folder, &url, "application/octet-stream", bytes::Bytes::new()), url, None)
                }
                Source::Upload(upload) => {
                    let id = bot.keep(&folder, &upload.name, &upload.mime, upload.bytes);
                    (id.clone(), id, Some(upload.name))
                }
            };
            let mime = bot.files.get(&file_id).map(|file| file.mime.clone()).unwrap_or_default();
            message.insert(field.to_owned(), told(field, &file_id, &mime, name.as_deref()));
            line.media = Some(shown);
        }
    }
    if !draft.text.is_empty() {
        message.insert(words.0.to_owned(), json!(draft.text));
    }
    if !draft.entities.is_empty() {
        message.insert(words.1.to_owned(), json!(draft.entities));
    }
    message.extend(draft.keyboard.map(|keyboard| ("reply_markup".to_owned(), keyboard)));
    line.buttons = draft.buttons;
    let message = Value::Object(message);
    bot.messages.insert((draft.chat, id), message.clone());
    drop(bot);
    emulator.0.desk.talk.lock().add(line);
    (id, message)
}

/// A file as a message tells it. A photo is a list of sizes of one picture, the largest not last.
pub(super) fn told(field: &str, id: &str, mime: &str, name: Option<&str>) -> Value {
    let unique = format!("AQAD{}", id.get(id.len().saturating_sub(6)..).unwrap_or_default());
    if field == "photo" {
        return json!([
            { "file_id": id, "file_unique_id": unique, "width": 1280, "height": 960 },
            { "file_id": format!("{id}-s"), "file_unique_id": format!("{unique}s"), "width": 90, "height": 67 },
        ]);
    }
    let mut told = json!({ "file_id": id, "file_unique_id": unique, "mime_type": mime });
    if let Some(told) = told.as_object_mut() {
        told.extend(name.map(|name| ("file_name".to_owned(), json!(name))));
        match field {
            "video" => told.extend([("width".into(), json!(640)), ("height".into(), json!(480)), ("duration".into(), json!(1))]),
            "audio" | "voice" => told.extend([("duration".to_owned(), json!(1))]),
            "sticker" => told.extend([("width".to_owned(), json!(512)), ("height".to_owned(), json!(512))]),
            _ => {}
        }
    }
    told
}
