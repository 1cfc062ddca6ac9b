//! From the flat form of an event (normalized event v1) back to the typed one that a step gets: the other way round of
//! `core/event/v1`. What no field of the contract takes goes along in `extra`.

use pointsman_core::event::{
    Attachment, AttachmentKind, Choice, Comment, Delivery, Event, EventBody, Interaction, Media, Message, Other, Person,
    Reaction, Review, Status,
};
use pointsman_core::failure::{Failure, Fault, PluginFailure};
use serde_json::{Map, Value};

use super::unusable;

/// Reads an event; `now` is its moment where it tells none.
pub(super) fn from_v1(event: Value, now: i64) -> Result<Event, Failure> {
    let Value::Object(fields) = event else { return Err(wrong("the event is a JSON object")) };
    let mut flat = Flat(fields);
    let kind = flat.text("kind").ok_or_else(|| wrong("the event has no `kind`; write for example \"kind\": \"message\""))?;
    let channel = flat.text("channel").unwrap_or_default();
    let account = flat.text("account_id");
    let thread = flat.text("conversation_key").map(|key| {
        let front = format!("{channel}:{}:", account.as_deref().unwrap_or_default());
        key.strip_prefix(&front).map_or_else(|| key.clone(), str::to_owned)
    });
    let at = match flat.0.remove("timestamp") {
        None | Some(Value::Null) => now,
        Some(Value::Number(ms)) => ms.as_i64().ok_or_else(|| wrong("`timestamp` is RFC 3339 or milliseconds"))?,
        Some(told) => {
            let moment = told.as_str().and_then(|text| text.parse::<jiff::Timestamp>().ok());
            moment.ok_or_else(|| wrong("`timestamp` is RFC 3339, like 2026-01-31T12:00:00Z"))?.as_millisecond()
        }
    };
    flat.0.remove("direction");
    let trigger = flat.flag("trigger").unwrap_or(kind == "message");
    let sender = sender(&mut flat, &kind);
    let dedupe_key = flat.text("dedupe_key");
    let id = flat.0.get("id").and_then(Value::as_str).map(str::to_owned);
    let body = body(&kind, &mut flat)?;
    flat.0.retain(|_, value| !value.is_null() && value.as_array().is_none_or(|all| !all.is_empty()));
    let extra = if flat.0.is_empty() { None } else { Some(Value::Object(flat.0)) };
    let dedupe_key = dedupe_key.or(id).unwrap_or_else(|| "1".to_owned());
    Ok(Event { dedupe_key, account, thread, sender, at, trigger, body, extra })
}

fn wrong(message: impl Into<String>) -> Failure {
    unusable("event", message)
}

/// Fields that are taken one by one; the rest is `extra`.
struct Flat(Map<String, Value>);

impl Flat {
    /// A text, or a number's digits.
    fn text(&mut self, name: &str) -> Option<String> {
        match self.0.remove(name)? {
            Value::String(text) => Some(text),
            Value::Number(number) => Some(number.to_string()),
            _ => None,
        }
    }

    fn must(&mut self, name: &str) -> Result<String, Failure> {
        self.text(name).ok_or_else(|| wrong(format!("an event of this kind needs `{name}`")))
    }

    fn flag(&mut self, name: &str) -> Option<bool> {
        self.0.remove(name)?.as_bool()
    }

    fn list(&mut self, name: &str) -> Vec<Value> {
        match self.0.remove(name) {
            Some(Value::Array(all)) => all,
            _ => Vec::new(),
        }
    }
}

fn sender(flat: &mut Flat, kind: &str) -> Option<Person> {
    let id = flat.text("sender_id")?;
    let mut extra = match flat.0.remove("sender_attributes") {
        Some(Value::Object(attributes)) => attributes,
        _ => Map::new(),
    };
    if let Some(ids) = flat.0.remove("sender_alt_ids").filter(|ids| !ids.is_null()) {
        extra.insert("alt_ids".to_owned(), ids);
    }
    Some(Person {
        id,
        name: flat.text("sender_name"),
        username: flat.text("sender_username"),
        language: flat.text("language"),
        automated: flat.flag("bot").unwrap_or(kind.starts_with("echo")),
        extra: if extra.is_empty() { None } else { Some(Value::Object(extra)) },
    })
}

fn body(kind: &str, flat: &mut Flat) -> Result<EventBody, Failure> {
    Ok(match kind {
        "message" => EventBody::Message(message(flat)?),
        "echo" => EventBody::Echo(message(flat)?),
        "message_edit" => {
            flat.0.remove("target_id");
            EventBody::MessageEdit(message(flat)?)
        }
        "message_delete" => {
            let target = flat.text("target_id");
            let id = flat.text("id");
            EventBody::MessageDelete(target.or(id).ok_or_else(|| wrong("a message_delete needs `target_id`"))?)
        }
        "reaction" => {
            flat.0.remove("action");
            EventBody::Reaction(Reaction { target: flat.must("target_id")?, emoji: flat.text("emoji") })
        }
        "interaction" => EventBody::Interaction(Interaction {
            id: flat.text("id"),
            title: flat.text("text"),
            payload: flat.must("payload")?,
            source: flat.text("reply_to"),
            answer: flat.text("answer_id"),
        }),
        "status" => status(flat)?,
        "comment" => EventBody::Comment(comment(flat)?),
        "comment_edit" => EventBody::CommentEdit(comment(flat)?),
        "comment_delete" => EventBody::CommentDelete(flat.must("id")?),
        "review" => {
            flat.0.remove("has_reply");
            let stars = flat.0.remove("rating").and_then(|n| n.as_u64()).and_then(|n| u8::try_from(n).ok()).unwrap_or(0);
            EventBody::Review(Review {
                id: flat.must("id")?,
                stars,
                text: flat.text("text"),
                reply: flat.text("reply"),
                edited: flat.flag("edited").unwrap_or(false),
            })
        }
        "ignored" => EventBody::Ignored(flat.text("reason").unwrap_or_default()),
        other => EventBody::Other(Other {
            kind: other.to_owned(),
            id: flat.text("id"),
            text: flat.text("text"),
            data: Value::Object(Map::new()),
        }),
    })
}

fn status(flat: &mut Flat) -> Result<EventBody, Failure> {
    let word = flat.must("status")?;
    let all = [Delivery::Accepted, Delivery::Sent, Delivery::Delivered, Delivery::Read, Delivery::Failed, Delivery::Deleted];
    let state = all.into_iter().find(|state| state.word() == word);
    // Stays in `extra` too, where a provider's own words may stand in it.
    let failure = flat.0.get("error").and_then(Value::as_object).map(|error| PluginFailure {
        fault: Fault::Rejected,
        code: error.get("code").map(|code| code.as_str().map_or_else(|| code.to_string(), str::to_owned)).unwrap_or_default(),
        message: error.get("title").and_then(Value::as_str).unwrap_or_default().to_owned(),
        retry_after: None,
    });
    Ok(EventBody::Status(Status {
        message: flat.must("id")?,
        state: state.ok_or_else(|| wrong(format!("there is no status `{word}`")))?,
        key: flat.text("key"),
        failure,
    }))
}

fn message(flat: &mut Flat) -> Result<Message, Failure> {
    Ok(Message {
        id: flat.text("id"),
        text: flat.text("text").filter(|text| !text.is_empty()),
        attachments: attachments(flat)?,
        choices: flat.list("choices").iter().map(choice).collect(),
        reply_to: flat.text("reply_to"),
        extra: None,
    })
}

fn choice(button: &Value) -> Choice {
    let word = |name: &str| button.get(name).and_then(Value::as_str).map(str::to_owned);
    Choice { title: word("title").unwrap_or_default(), payload: word("payload").unwrap_or_default(), url: word("url") }
}

fn comment(flat: &mut Flat) -> Result<Comment, Failure> {
    flat.0.remove("is_reply");
    Ok(Comment {
        id: flat.must("id")?,
        post: flat.text("post_id"),
        parent: flat.text("parent_id"),
        text: flat.text("text"),
        attachments: attachments(flat)?,
    })
}

fn attachments(flat: &mut Flat) -> Result<Vec<Attachment>, Failure> {
    flat.list("attachments").into_iter().map(attachment).collect()
}

/// `{"type", "url" or "id" or "blob", "mime", "filename", "size", ...}`
pub(super) fn attachment(value: Value) -> Result<Attachment, Failure> {
    let Value::Object(fields) = value else { return Err(wrong("an attachment is a JSON object with a `type`")) };
    let mut flat = Flat(fields);
    let kind = match flat.must("type")?.as_str() {
        "image" => AttachmentKind::Image,
        "video" => AttachmentKind::Video,
        "audio" => AttachmentKind::Audio,
        "voice" => AttachmentKind::Voice,
        "file" => AttachmentKind::File,
        "sticker" => AttachmentKind::Sticker,
        "location" => AttachmentKind::Location,
        "contact" => AttachmentKind::Contact,
        "share" => AttachmentKind::Share,
        "story_mention" => AttachmentKind::Story,
        "link" => AttachmentKind::Link,
        _ => AttachmentKind::Unsupported,
    };
    let media = match (flat.text("url"), flat.text("id"), flat.text("blob")) {
        (Some(url), None, None) => Media::Url(url),
        (None, Some(id), None) => Media::Provider(id),
        (None, None, Some(blob)) => Media::Blob(blob),
        (None, None, None) => Media::None,
        _ => return Err(wrong("an attachment is at one place: `url`, `id` or `blob`")),
    };
    let mime_type = flat.text("mime");
    let file_name = flat.text("filename");
    let size_bytes = flat.0.remove("size").and_then(|size| size.as_u64());
    let extra = if flat.0.is_empty() { None } else { Some(Value::Object(flat.0)) };
    Ok(Attachment { kind, media, mime_type, file_name, size_bytes, extra })
}
