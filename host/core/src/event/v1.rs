//! The flat form of an event: normalized event v1, as workflows, the API and fixtures see it.
//!
//! Typed fields win over what a plugin put into `extra` or `data`: a plugin cannot, by a field of the same name, make an
//! event look as if it came from another kind, account, conversation or sender.

use jiff::Timestamp;
use serde_json::{Map, Value, json};

use super::{Attachment, AttachmentKind, Comment, Event, EventBody, Media, Message};
use crate::clock::Instant;

/// `channel` is the word in events (`whatsapp`), `account` that of the route, for events that name none.
#[must_use]
pub fn to_v1(event: &Event, channel: &str, account: &str) -> Value {
    let mut out = Flat::default();
    out.merge(event.extra.as_ref());
    if let EventBody::Other(other) = &event.body {
        out.merge(Some(&other.data));
    }
    let kind = event.kind();
    let account = event.account.as_deref().unwrap_or(account);
    out.set("kind", kind);
    out.set("channel", channel);
    out.set("account_id", account);
    out.set("conversation_key", event.thread.as_ref().map(|thread| format!("{channel}:{account}:{thread}")));
    out.set("timestamp", Some(event.at).filter(|at| *at != 0).and_then(timestamp));
    out.set("direction", direction(event, kind));
    out.set("trigger", event.trigger);
    out.set("dedupe_key", event.dedupe_key.as_str());
    sender(&mut out, event);
    body(&mut out, &event.body);
    for key in ["id", "text", "sender_name"] {
        out.if_absent(key, Value::Null);
    }
    out.if_absent("attachments", json!([]));
    Value::Object(out.0)
}

/// Which way the fact went.
fn direction(event: &Event, kind: &str) -> &'static str {
    match &event.body {
        EventBody::Internal(_) => "internal",
        _ if kind.starts_with("echo") || kind == "status" => "outbound",
        _ => "inbound",
    }
}

/// RFC 3339 in UTC, cut to milliseconds; absent for moments that no calendar has.
#[must_use]
pub fn timestamp(at: Instant) -> Option<String> {
    Timestamp::from_millisecond(at).ok().map(|moment| moment.to_string())
}

/// An object in the making.
#[derive(Default)]
struct Flat(Map<String, Value>);

impl Flat {
    fn set(&mut self, key: &str, value: impl Into<Value>) {
        self.0.insert(key.to_owned(), value.into());
    }

    /// Sets what is there; what is not leaves a value from `extra` alone, else it is null.
    fn set_some(&mut self, key: &str, value: Option<impl Into<Value>>) {
        match value {
            Some(value) => self.set(key, value),
            None => self.if_absent(key, Value::Null),
        }
    }

    fn if_absent(&mut self, key: &str, value: Value) {
        self.0.entry(key).or_insert(value);
    }

    /// Fields of a JSON object; anything else has none.
    fn merge(&mut self, extra: Option<&Value>) {
        for (key, value) in extra.and_then(Value::as_object).into_iter().flatten() {
            self.0.insert(key.clone(), value.clone());
        }
    }
}

fn sender(out: &mut Flat, event: &Event) {
    let Some(person) = &event.sender else {
        // Nobody, whatever `extra` says: who speaks is a typed fact.
        out.set("sender_id", Value::Null);
        return;
    };
    out.set("sender_id", person.id.as_str());
    out.set_some("sender_name", person.name.as_deref());
    if let Some(username) = &person.username {
        out.set("sender_username", username.as_str());
    }
    if let Some(language) = &person.language {
        out.set("language", language.as_str());
    }
    if person.automated && !matches!(event.body, EventBody::Echo(_)) {
        out.set("bot", true);
    }
    let mut attributes = person.extra.as_ref().and_then(Value::as_object).cloned().unwrap_or_default();
    if let Some(ids) = attributes.remove("alt_ids") {
        out.set("sender_alt_ids", ids);
    }
    if !attributes.is_empty() {
        out.set("sender_attributes", attributes);
    }
}

fn body(out: &mut Flat, body: &EventBody) {
    match body {
        EventBody::Message(m) | EventBody::Echo(m) => message(out, m),
        EventBody::MessageEdit(m) => {
            message(out, m);
            out.set_some("target_id", m.id.as_deref());
        }
        EventBody::MessageDelete(id) => {
            out.set("id", id.as_str());
            out.set("target_id", id.as_str());
        }
        EventBody::Reaction(r) => {
            out.set("target_id", r.target.as_str());
            out.set_some("emoji", r.emoji.as_deref());
            out.set("action", if r.emoji.is_some() { "add" } else { "remove" });
        }
        EventBody::Interaction(i) => {
            out.set_some("id", i.id.as_deref());
            out.set_some("text", i.title.as_deref());
            out.set("payload", i.payload.as_str());
            out.set_some("reply_to", i.source.as_deref());
            if let Some(answer) = &i.answer {
                out.set("answer_id", answer.as_str());
            }
            out.if_absent("interaction", json!("button"));
        }
        EventBody::Status(s) => {
            out.set("id", s.message.as_str());
            out.set("status", s.state.word());
            // The provider's own words, where the plugin passed them on, say more than the failure made of them.
            if let Some(failure) = &s.failure {
                out.if_absent("error", json!({ "code": failure.code, "title": failure.message }));
            }
        }
        EventBody::Comment(c) | EventBody::CommentEdit(c) => comment(out, c),
        EventBody::CommentDelete(id) => out.set("id", id.as_str()),
        EventBody::Review(r) => {
            out.set("id", r.id.as_str());
            out.set_some("rating", (1..=5).contains(&r.stars).then_some(r.stars));
            out.set_some("text", r.text.as_deref());
            out.set("has_reply", r.reply.is_some());
            out.set_some("reply", r.reply.as_deref());
            out.set("edited", r.edited);
        }
        EventBody::Other(o) => {
            out.set_some("id", o.id.as_deref());
            out.set_some("text", o.text.as_deref());
        }
        EventBody::Internal(i) => {
            out.set("name", i.name.as_str());
            out.set("data", i.data.clone());
            out.set("hops", i.hops);
        }
        EventBody::Ignored(reason) => out.set("reason", reason.as_str()),
    }
}

fn message(out: &mut Flat, m: &Message) {
    for (key, value) in m.extra.as_ref().and_then(Value::as_object).into_iter().flatten() {
        out.if_absent(key, value.clone());
    }
    out.set_some("id", m.id.as_deref());
    out.set_some("text", m.text.as_deref());
    out.set("attachments", m.attachments.iter().map(attachment).collect::<Vec<_>>());
    out.set_some("reply_to", m.reply_to.as_deref());
    if !m.choices.is_empty() {
        let choices = m.choices.iter().map(|c| json!({ "title": c.title, "payload": c.payload, "url": c.url }));
        out.set("choices", choices.collect::<Vec<_>>());
    }
}

fn comment(out: &mut Flat, c: &Comment) {
    out.set("id", c.id.as_str());
    out.set_some("post_id", c.post.as_deref());
    out.set_some("parent_id", c.parent.as_deref());
    out.set_some("text", c.text.as_deref());
    out.set("attachments", c.attachments.iter().map(attachment).collect::<Vec<_>>());
    // Some providers name the post itself as the parent of a comment at the top level.
    out.set("is_reply", c.parent.is_some() && c.parent != c.post);
}

fn attachment(a: &Attachment) -> Value {
    let mut out = Flat::default();
    out.merge(a.extra.as_ref());
    out.set("type", word(a.kind));
    match &a.media {
        Media::None => {}
        Media::Url(url) => out.set("url", url.as_str()),
        Media::Provider(id) => out.set("id", id.as_str()),
        Media::Blob(blob) => out.set("blob", blob.as_str()),
    }
    if let Some(mime) = &a.mime_type {
        out.set("mime", mime.as_str());
    }
    if let Some(name) = &a.file_name {
        out.set("filename", name.as_str());
    }
    if let Some(size) = a.size_bytes {
        out.set("size", size);
    }
    Value::Object(out.0)
}

fn word(kind: AttachmentKind) -> &'static str {
    match kind {
        AttachmentKind::Image => "image",
        AttachmentKind::Video => "video",
        AttachmentKind::Audio => "audio",
        AttachmentKind::Voice => "voice",
        AttachmentKind::File => "file",
        AttachmentKind::Sticker => "sticker",
        AttachmentKind::Location => "location",
        AttachmentKind::Contact => "contact",
        AttachmentKind::Share => "share",
        AttachmentKind::Story => "story_mention",
        AttachmentKind::Link => "link",
        AttachmentKind::Unsupported => "unsupported",
    }
}

#[cfg(test)]
mod tests;
