//! Files, places and cards, by link or by the provider's id.

use pointsman_sdk::prelude::*;

use super::Envelope;

/// Whether a file of this kind takes words beneath it (and may stand above buttons).
pub(super) fn takes_caption(kind: AttachmentKind) -> bool {
    matches!(kind, AttachmentKind::Image | AttachmentKind::Video | AttachmentKind::File)
}

/// The platform's word for files of this kind.
fn word(kind: AttachmentKind) -> Option<&'static str> {
    Some(match kind {
        AttachmentKind::Image => "image",
        AttachmentKind::Video => "video",
        AttachmentKind::Audio | AttachmentKind::Voice => "audio",
        AttachmentKind::File => "document",
        AttachmentKind::Sticker => "sticker",
        _ => return None,
    })
}

/// A whole message that carries this attachment.
pub(super) fn body(to: &Envelope, a: &Attachment, uploaded: Option<&String>, caption: Option<&str>) -> Result<Value, Failure> {
    match a.kind {
        AttachmentKind::Location => Ok(to.body("location", location(a)?)),
        AttachmentKind::Contact => Ok(to.body("contacts", contacts(a)?)),
        AttachmentKind::Link => match &a.media {
            Media::Url(url) => Ok(to.body("text", json!({ "body": url, "preview_url": true }))),
            _ => Err(Failure::rejected("link", "a link needs a URL")),
        },
        kind => {
            let (word, mut file) = content(a, uploaded)?;
            if let (Some(caption), true, Some(file)) = (caption, takes_caption(kind), file.as_object_mut()) {
                file.insert("caption".into(), json!(caption));
            }
            Ok(to.body(word, file))
        }
    }
}

/// A file without words: its kind and where it is.
pub(super) fn content(a: &Attachment, uploaded: Option<&String>) -> Result<(&'static str, Value), Failure> {
    let word =
        word(a.kind).ok_or_else(|| Failure::unsupported("attachment", "WhatsApp cannot send an attachment of this kind"))?;
    let mut file = match (&a.media, uploaded) {
        (Media::Url(url), _) => json!({ "link": url }),
        (Media::Provider(id), _) | (Media::Blob(_), Some(id)) => json!({ "id": id }),
        // Planned before the upload; the plan is made again when its id is known.
        (Media::Blob(_), None) => json!({ "id": null }),
        (Media::None, _) => return Err(Failure::rejected("attachment", "the attachment has neither a URL nor a file")),
    };
    if let (AttachmentKind::File, Some(name), Some(file)) = (a.kind, &a.file_name, file.as_object_mut()) {
        file.insert("filename".into(), json!(name));
    }
    Ok((word, file))
}

fn extra(a: &Attachment) -> Value {
    a.extra.as_deref().and_then(|e| serde_json::from_str(e).ok()).unwrap_or_default()
}

fn location(a: &Attachment) -> Result<Value, Failure> {
    let extra = extra(a);
    let number = |key: &str| {
        extra
            .get(key)
            .filter(|v| v.is_number())
            .cloned()
            .ok_or_else(|| Failure::rejected("location", format!("a location needs `{key}` as a number")))
    };
    let mut out = json!({ "latitude": number("latitude")?, "longitude": number("longitude")? });
    for key in ["name", "address"] {
        if let (Some(value), Some(out)) = (extra.get(key).filter(|v| v.is_string()), out.as_object_mut()) {
            out.insert(key.into(), value.clone());
        }
    }
    Ok(out)
}

/// A card has `name` and `phones`, as one that came in has.
fn contacts(a: &Attachment) -> Result<Value, Failure> {
    let extra = extra(a);
    let name = extra.get("name").and_then(Value::as_str).filter(|n| !n.is_empty());
    let name = name.ok_or_else(|| Failure::rejected("contact", "a contact card needs a `name`"))?;
    let list = |key: &str, field: &str| -> Vec<Value> {
        let all = extra.get(key).and_then(Value::as_array).into_iter().flatten();
        all.filter_map(Value::as_str).map(|v| json!({ field: v })).collect()
    };
    let (phones, emails) = (list("phones", "phone"), list("emails", "email"));
    let mut card = json!({ "name": { "formatted_name": name, "first_name": name } });
    for (key, all) in [("phones", phones), ("emails", emails)] {
        if let (false, Some(card)) = (all.is_empty(), card.as_object_mut()) {
            card.insert(key.into(), Value::Array(all));
        }
    }
    Ok(json!([card]))
}
