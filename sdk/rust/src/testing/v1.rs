//! The flat form of an event (normalized event v1), as fixtures list it and workflows see it. The host has its own copy of
//! this rule over its own types; a plugin's fixture test must not depend on the host.

use serde_json::{Map, Value, json};

use crate::types::{Attachment, AttachmentKind, Comment, Delivery, Event, EventBody, Media, Message};

fn object(json: Option<&String>) -> Map<String, Value> {
    match json.map(|t| serde_json::from_str(t)) {
        Some(Ok(Value::Object(map))) => map,
        _ => Map::new(),
    }
}

/// `channel` is the word in events (`whatsapp`); `account` that of the route, for events that name none.
#[must_use]
pub fn to_v1(event: &Event, channel: &str, account: &str) -> Value {
    let mut out = Flat(object(event.extra.as_ref()));
    if let EventBody::Other(other) = &event.body {
        out.0.extend(object(Some(&other.data)));
    }
    let kind = kind(event);
    let account = event.account.as_deref().unwrap_or(account);
    out.set("kind", json!(kind));
    out.set("channel", json!(channel));
    out.set("account_id", json!(account));
    out.set("conversation_key", json!(event.thread.as_ref().map(|t| format!("{channel}:{account}:{t}"))));
    out.set("timestamp", json!((event.at != 0).then(|| timestamp(event.at))));
    out.set("direction", json!(if kind.starts_with("echo") || kind == "status" { "outbound" } else { "inbound" }));
    out.set("trigger", json!(event.trigger));
    out.set("dedupe_key", json!(event.dedupe_key));
    sender(&mut out, event);
    body(&mut out, &event.body);
    for key in ["id", "sender_id", "sender_name", "text"] {
        out.0.entry(key).or_insert(Value::Null);
    }
    out.0.entry("attachments").or_insert(json!([]));
    Value::Object(out.0)
}

struct Flat(Map<String, Value>);

impl Flat {
    fn set(&mut self, key: &str, value: Value) {
        self.0.insert(key.into(), value);
    }

    fn some(&mut self, key: &str, value: Option<impl Into<Value>>) {
        match value {
            Some(v) => self.set(key, v.into()),
            None => {
                self.0.entry(key).or_insert(Value::Null);
            }
        }
    }
}

fn kind(event: &Event) -> &str {
    match &event.body {
        EventBody::Message(_) => "message",
        EventBody::MessageEdit(_) => "message_edit",
        EventBody::MessageDelete(_) => "message_delete",
        EventBody::Reaction(_) => "reaction",
        EventBody::Interaction(_) => "interaction",
        EventBody::Echo(_) => "echo",
        EventBody::Status(_) => "status",
        EventBody::Comment(_) => "comment",
        EventBody::CommentEdit(_) => "comment_edit",
        EventBody::CommentDelete(_) => "comment_delete",
        EventBody::Review(_) => "review",
        EventBody::Other(o) => &o.kind,
        EventBody::Ignored(_) => "ignored",
    }
}

fn sender(out: &mut Flat, event: &Event) {
    let Some(person) = &event.sender else { return out.set("sender_id", Value::Null) };
    out.set("sender_id", json!(person.id));
    out.some("sender_name", person.name.clone());
    if let Some(username) = &person.username {
        out.set("sender_username", json!(username));
    }
    if let Some(language) = &person.language {
        out.set("language", json!(language));
    }
    if person.automated && !matches!(event.body, EventBody::Echo(_)) {
        out.set("bot", json!(true));
    }
    let mut extra = object(person.extra.as_ref());
    if let Some(ids) = extra.remove("alt_ids") {
        out.set("sender_alt_ids", ids);
    }
    if !extra.is_empty() {
        out.set("sender_attributes", Value::Object(extra));
    }
}

fn body(out: &mut Flat, body: &EventBody) {
    match body {
        EventBody::Message(m) | EventBody::Echo(m) => message(out, m),
        EventBody::MessageEdit(m) => {
            message(out, m);
            out.some("target_id", m.id.clone());
        }
        EventBody::MessageDelete(id) => {
            out.set("id", json!(id));
            out.set("target_id", json!(id));
        }
        EventBody::Reaction(r) => {
            out.set("target_id", json!(r.target));
            out.some("emoji", r.emoji.clone());
            out.set("action", json!(if r.emoji.is_some() { "add" } else { "remove" }));
        }
        EventBody::Interaction(i) => {
            out.some("id", i.id.clone());
            out.some("text", i.title.clone());
            out.set("payload", json!(i.payload));
            out.some("reply_to", i.source.clone());
            if let Some(answer) = &i.answer {
                out.set("answer_id", json!(answer));
            }
            out.0.entry("interaction").or_insert(json!("button"));
        }
        EventBody::Status(s) => {
            out.set("id", json!(s.message));
            out.set("status", json!(delivery(s.state)));
            if let Some(f) = &s.failure {
                out.0.entry("error").or_insert(json!({ "code": f.code, "title": f.message }));
            }
        }
        EventBody::Comment(c) | EventBody::CommentEdit(c) => comment(out, c),
        EventBody::CommentDelete(id) => out.set("id", json!(id)),
        EventBody::Review(r) => {
            out.set("id", json!(r.id));
            out.some("rating", (1..=5).contains(&r.stars).then_some(r.stars));
            out.some("text", r.text.clone());
            out.set("has_reply", json!(r.reply.is_some()));
            out.some("reply", r.reply.clone());
            out.set("edited", json!(r.edited));
        }
        EventBody::Other(o) => {
            out.some("id", o.id.clone());
            out.some("text", o.text.clone());
        }
        EventBody::Ignored(reason) => out.set("reason", json!(reason)),
    }
}

fn message(out: &mut Flat, m: &Message) {
    for (key, value) in object(m.extra.as_ref()) {
        out.0.entry(key).or_insert(value);
    }
    out.some("id", m.id.clone());
    out.some("text", m.text.clone());
    out.set("attachments", m.attachments.iter().map(attachment).collect());
    out.some("reply_to", m.reply_to.clone());
    if !m.choices.is_empty() {
        out.set("choices", m.choices.iter().map(|c| json!({ "title": c.title, "payload": c.payload, "url": c.url })).collect());
    }
}

fn comment(out: &mut Flat, c: &Comment) {
    out.set("id", json!(c.id));
    out.some("post_id", c.post.clone());
    out.some("parent_id", c.parent.clone());
    out.some("text", c.text.clone());
    out.set("attachments", c.attachments.iter().map(attachment).collect());
    out.set("is_reply", json!(c.parent.is_some() && c.parent != c.post));
}

fn attachment(a: &Attachment) -> Value {
    let mut out = Flat(object(a.extra.as_ref()));
    let word = match a.kind {
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
    };
    out.set("type", json!(word));
    match &a.media {
        Media::None => {}
        Media::Url(url) => out.set("url", json!(url)),
        Media::Provider(id) => out.set("id", json!(id)),
        Media::Blob(blob) => out.set("blob", json!(blob)),
    }
    for (key, value) in [("mime", &a.mime_type), ("filename", &a.file_name)] {
        if let Some(value) = value {
            out.set(key, json!(value));
        }
    }
    if let Some(size) = a.size_bytes {
        out.set("size", json!(size));
    }
    Value::Object(out.0)
}

fn delivery(state: Delivery) -> &'static str {
    match state {
        Delivery::Accepted => "accepted",
        Delivery::Sent => "sent",
        Delivery::Delivered => "delivered",
        Delivery::Read => "read",
        Delivery::Failed => "failed",
        Delivery::Deleted => "deleted",
    }
}

/// RFC 3339 in UTC, milliseconds only where there are some.
#[must_use]
pub fn timestamp(at: i64) -> String {
    let (seconds, millis) = (at.div_euclid(1000), at.rem_euclid(1000));
    let (days, rest) = (seconds.div_euclid(86_400), seconds.rem_euclid(86_400));
    // Civil date from days, after Howard Hinnant's "chrono-compatible low-level date algorithms".
    let z = days + 719_468;
    let era = z.div_euclid(146_097);
    let doe = z.rem_euclid(146_097);
    let yoe = (doe - doe / 1_460 + doe / 36_524 - doe / 146_096) / 365;
    let doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
    let mp = (5 * doy + 2) / 153;
    let (day, month) = (doy - (153 * mp + 2) / 5 + 1, if mp < 10 { mp + 3 } else { mp - 9 });
    let year = yoe + era * 400 + i64::from(month <= 2);
    let (hour, minute, second) = (rest / 3600, rest / 60 % 60, rest % 60);
    let fraction = if millis == 0 { String::new() } else { format!(".{millis:03}") };
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}{fraction}Z")
}

#[cfg(test)]
mod tests {
    use super::timestamp;

    #[test]
    fn days_before_and_after_the_leap_are_right() {
        for (at, text) in [
            (0, "1970-01-01T00:00:00Z"),
            (1_697_043_223_000, "2023-10-11T16:53:43Z"),
            (1_709_164_799_999, "2024-02-28T23:59:59.999Z"),
            (1_709_164_800_000, "2024-02-29T00:00:00Z"),
            (951_868_800_000, "2000-03-01T00:00:00Z"),
            (-1, "1969-12-31T23:59:59.999Z"),
        ] {
            assert_eq!(timestamp(at), text);
        }
    }
}
