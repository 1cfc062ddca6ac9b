//! Messages as the Graph API wants them. One message of ours may become several of theirs: a text beyond the limit, files
//! that take no caption.

mod interactive;
mod media;
mod text;

use std::collections::BTreeMap;

use pointsman_sdk::prelude::*;
use serde_json::Map;

/// A text message has at most so many characters.
const TEXT: usize = 4096;
/// A caption, and the body above buttons.
const CAPTION: usize = 1024;

/// To whom, and under which key.
pub(crate) struct Envelope<'a> {
    pub(crate) thread: &'a str,
    pub(crate) key: &'a str,
}

/// One request of a job.
#[derive(Debug)]
pub(crate) enum Step<'a> {
    /// Uploads the attachment of this number.
    Upload(usize, &'a Attachment),
    /// Sends this body.
    Send(Value),
}

impl Envelope<'_> {
    /// A body of this type. A phone number goes into `to`, a business-scoped id ("US.1349...") into `recipient`, and anything
    /// else is a group.
    fn body(&self, kind: &str, content: Value) -> Value {
        let mut out = Map::new();
        out.insert("messaging_product".into(), json!("whatsapp"));
        let phone = self.thread.bytes().all(|b| b.is_ascii_digit() || b == b'+');
        let group = !phone && !self.thread.contains('.');
        out.insert("recipient_type".into(), json!(if group { "group" } else { "individual" }));
        out.insert(if phone || group { "to" } else { "recipient" }.into(), json!(self.thread));
        out.insert("type".into(), json!(kind));
        out.insert(kind.into(), content);
        // The provider echoes it in every status of the message: this is how a send whose answer was lost is settled.
        if !self.key.is_empty() {
            out.insert("biz_opaque_callback_data".into(), json!(self.key));
        }
        Value::Object(out)
    }
}

/// The steps of a message; `uploaded` are the ids of files that are with the provider already.
pub(crate) fn message<'a>(to: &Envelope, m: &'a Message, uploaded: &BTreeMap<usize, String>) -> Result<Vec<Step<'a>>, Failure> {
    let extra: Value = m.extra.as_deref().and_then(|e| serde_json::from_str(e).ok()).unwrap_or_default();
    let text = m.text.as_deref().filter(|t| !t.is_empty());
    let mut uploads = Vec::new();
    for (n, a) in m.attachments.iter().enumerate() {
        if let Media::Blob(_) = a.media {
            uploads.push(Step::Upload(n, a));
        }
    }
    let mut bodies = Vec::new();
    if m.choices.is_empty() {
        let (caption, before) = match (text, m.attachments.first()) {
            (Some(t), Some(a)) if media::takes_caption(a.kind) && t.chars().count() <= CAPTION => (Some(t), None),
            (t, _) => (None, t),
        };
        let preview = extra.get("preview_url").and_then(Value::as_bool).unwrap_or(false);
        bodies.extend(before.into_iter().flat_map(|t| text::split(t, TEXT)).map(|part| said(to, part, preview)));
        for (n, a) in m.attachments.iter().enumerate() {
            bodies.push(media::body(to, a, uploaded.get(&n), caption.filter(|_| n == 0))?);
        }
    } else {
        let text = text.ok_or_else(|| Failure::rejected("no-text", "buttons need a text above them"))?;
        let (header, rest) = match m.attachments.as_slice() {
            [one] if media::takes_caption(one.kind) && interactive::takes_header(&m.choices) => (Some(one), None),
            all => (None, Some(all)),
        };
        for (n, a) in rest.into_iter().flatten().enumerate() {
            bodies.push(media::body(to, a, uploaded.get(&n), None)?);
        }
        let mut parts = text::split(text, CAPTION);
        let last = parts.pop().unwrap_or_default();
        bodies.extend(parts.into_iter().map(|part| said(to, part, false)));
        let header = header.map(|a| media::content(a, uploaded.get(&0))).transpose()?;
        bodies.push(to.body("interactive", interactive::content(&m.choices, last, header, &extra)?));
    }
    if let (Some(id), Some(first)) = (&m.reply_to, bodies.first_mut().and_then(Value::as_object_mut)) {
        first.insert("context".into(), json!({ "message_id": id }));
    }
    if bodies.is_empty() {
        return Err(Failure::rejected("empty", "the message has neither text nor attachment"));
    }
    uploads.extend(bodies.into_iter().map(Step::Send));
    Ok(uploads)
}

fn said(to: &Envelope, text: &str, preview: bool) -> Value {
    to.body("text", json!({ "body": text, "preview_url": preview }))
}

/// A template. `extra.components` are sent as they are, before the body (header, buttons); `extra.named` are parameters by
/// name, for a template that was made with names.
pub(crate) fn template(to: &Envelope, t: &Template) -> Result<Value, Failure> {
    let extra: Value = t.extra.as_deref().and_then(|e| serde_json::from_str(e).ok()).unwrap_or_default();
    let mut components = match extra.get("components") {
        None | Some(Value::Null) => Vec::new(),
        Some(Value::Array(all)) => all.clone(),
        Some(_) => return Err(Failure::rejected("components", "a template's `components` must be a list")),
    };
    let plain = t.parameters.iter().map(|p| json!({ "type": "text", "text": p }));
    let named = extra.get("named").and_then(Value::as_object).into_iter().flatten().map(|(name, value)| {
        let text = value.as_str().map_or_else(|| value.to_string(), Into::into);
        json!({ "type": "text", "parameter_name": name, "text": text })
    });
    let parameters: Vec<Value> = plain.chain(named).collect();
    if !parameters.is_empty() {
        components.push(json!({ "type": "body", "parameters": parameters }));
    }
    let mut content = json!({ "name": t.name, "language": { "code": t.language.replace('-', "_") } });
    if let (false, Some(content)) = (components.is_empty(), content.as_object_mut()) {
        content.insert("components".into(), Value::Array(components));
    }
    Ok(to.body("template", content))
}

/// An emoji under a message; none takes it back.
pub(crate) fn reaction(to: &Envelope, target: &str, emoji: Option<&str>) -> Value {
    to.body("reaction", json!({ "message_id": target, "emoji": emoji.unwrap_or_default() }))
}

/// Marks a message as read; with `typing`, shows for up to 25 seconds that an answer is being written.
pub(crate) fn mark_read(id: &str, typing: bool) -> Value {
    let mut out = json!({ "messaging_product": "whatsapp", "status": "read", "message_id": id });
    if let (true, Some(out)) = (typing, out.as_object_mut()) {
        out.insert("typing_indicator".into(), json!({ "type": "text" }));
    }
    out
}

/// The parts of an upload.
pub(crate) fn parts(a: &Attachment) -> Vec<Part> {
    let field = |name: &str, text: &str| Part {
        name: name.into(),
        file_name: None,
        mime_type: None,
        content: PartContent::Text(text.into()),
    };
    let mime = a.mime_type.as_deref().unwrap_or("application/octet-stream");
    let mut all = vec![field("messaging_product", "whatsapp"), field("type", mime)];
    if let Media::Blob(blob) = &a.media {
        all.push(Part {
            name: "file".into(),
            file_name: Some(a.file_name.clone().unwrap_or_else(|| "file".into())),
            mime_type: Some(mime.into()),
            content: PartContent::Blob(blob.clone()),
        });
    }
    all
}
