//! Files, places and cards: by URL, by the provider's id, or as bytes that the host streams.

use pointsman_sdk::prelude::*;
use serde_json::Map;

use super::Call;

/// Whether a file of this kind takes words beneath it.
pub(super) fn takes_caption(kind: AttachmentKind) -> bool {
    use AttachmentKind as Kind;
    matches!(kind, Kind::Image | Kind::Video | Kind::Audio | Kind::Voice | Kind::File)
}

/// The call that sends an attachment. `to` are the fields that say where.
pub(super) fn call<'a>(to: Map<String, Value>, a: &'a Attachment) -> Result<Call<'a>, Failure> {
    let (method, field) = match a.kind {
        AttachmentKind::Image if a.mime_type.as_deref() == Some("image/gif") => ("sendAnimation", "animation"),
        AttachmentKind::Image => ("sendPhoto", "photo"),
        AttachmentKind::Video => ("sendVideo", "video"),
        AttachmentKind::Audio => ("sendAudio", "audio"),
        AttachmentKind::Voice => ("sendVoice", "voice"),
        AttachmentKind::File => ("sendDocument", "document"),
        AttachmentKind::Sticker => ("sendSticker", "sticker"),
        AttachmentKind::Location => return location(to, a),
        AttachmentKind::Contact => return contact(to, a),
        AttachmentKind::Link => return link(to, a),
        _ => return Err(Failure::unsupported("attachment", "Telegram cannot send an attachment of this kind")),
    };
    let mut call = Call { method, fields: to, file: None };
    match &a.media {
        Media::Url(place) | Media::Provider(place) => {
            call.fields.insert(field.into(), json!(place));
        }
        Media::Blob(_) => call.file = Some((field, a)),
        Media::None => return Err(Failure::rejected("attachment", "the attachment has neither a URL nor a file")),
    }
    Ok(call)
}

fn extra(a: &Attachment) -> Value {
    a.extra.as_deref().and_then(|e| serde_json::from_str(e).ok()).unwrap_or_default()
}

/// With a name and an address it is a venue.
fn location(mut to: Map<String, Value>, a: &Attachment) -> Result<Call<'_>, Failure> {
    let extra = extra(a);
    for key in ["latitude", "longitude"] {
        let number = extra.get(key).filter(|v| v.is_number()).cloned();
        let number = number.ok_or_else(|| Failure::rejected("location", format!("a location needs `{key}` as a number")))?;
        to.insert(key.into(), number);
    }
    let text = |key: &str| extra.get(key).and_then(Value::as_str).filter(|t| !t.is_empty());
    let (Some(name), Some(address)) = (text("name"), text("address")) else {
        return Ok(Call { method: "sendLocation", fields: to, file: None });
    };
    to.insert("title".into(), json!(name));
    to.insert("address".into(), json!(address));
    Ok(Call { method: "sendVenue", fields: to, file: None })
}

/// A card has `name` and `phones`, as one that came in has.
fn contact(mut to: Map<String, Value>, a: &Attachment) -> Result<Call<'_>, Failure> {
    let extra = extra(a);
    let name = extra.get("name").and_then(Value::as_str).filter(|n| !n.is_empty());
    let phone = extra.pointer("/phones/0").and_then(Value::as_str).filter(|p| !p.is_empty());
    let (Some(name), Some(phone)) = (name, phone) else {
        return Err(Failure::rejected("contact", "a contact card needs a `name` and one of `phones`"));
    };
    to.insert("phone_number".into(), json!(phone));
    to.insert("first_name".into(), json!(name));
    Ok(Call { method: "sendContact", fields: to, file: None })
}

fn link(mut to: Map<String, Value>, a: &Attachment) -> Result<Call<'_>, Failure> {
    let Media::Url(url) = &a.media else { return Err(Failure::rejected("link", "a link needs a URL")) };
    to.insert("text".into(), json!(url));
    Ok(Call { method: "sendMessage", fields: to, file: None })
}

/// The parts of a request that carries bytes: what is no text travels as JSON.
pub(super) fn parts(fields: &Map<String, Value>, field: &str, a: &Attachment) -> Vec<Part> {
    let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), Into::into);
    let mut parts: Vec<Part> = fields
        .iter()
        .map(|(name, value)| Part {
            name: name.clone(),
            file_name: None,
            mime_type: None,
            content: PartContent::Text(text(value)),
        })
        .collect();
    if let Media::Blob(blob) = &a.media {
        parts.push(Part {
            name: field.into(),
            file_name: Some(a.file_name.clone().unwrap_or_else(|| "file".into())),
            mime_type: Some(a.mime_type.clone().unwrap_or_else(|| "application/octet-stream".into())),
            content: PartContent::Blob(blob.clone()),
        });
    }
    parts
}
