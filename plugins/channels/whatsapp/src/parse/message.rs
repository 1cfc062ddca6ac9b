//! What people wrote, and what the business itself wrote elsewhere (an echo: it never starts a workflow).

use pointsman_sdk::prelude::*;
use serde_json::Map;

use super::{Place, object, parsed, said};
use crate::wire;

type Extra = Map<String, Value>;

/// A message of a contact.
pub(super) fn inbound(place: &Place, m: &wire::Message, raw: &str) -> Result<Event, &'static str> {
    let sender = sender(place, m).ok_or("a message names no sender")?;
    let thread = said(m.group_id.as_ref()).unwrap_or_else(|| sender.id.clone());
    let mut extra = Extra::new();
    let (body, trigger) = body(m, &mut extra);
    if let Some(group) = &m.group_id {
        extra.insert("group_id".into(), json!(&**group));
    }
    if let Some(referral) = m.referral {
        extra.insert("referral".into(), parsed(referral.get()));
    }
    let context = m.context.as_ref();
    if context.is_some_and(|c| c.forwarded == Some(true) || c.frequently_forwarded == Some(true)) {
        extra.insert("forwarded".into(), json!(true));
    }
    let mut event = place.event(key(place, m, raw), m.timestamp.as_ref(), body);
    event.thread = Some(thread);
    event.sender = Some(sender);
    event.trigger = trigger;
    event.extra = object(extra);
    Ok(event)
}

/// A message of the business, written in the phone app.
pub(super) fn echo(place: &Place, m: &wire::Message, raw: &str) -> Result<Event, &'static str> {
    let to = said(m.to.as_ref()).or_else(|| said(m.to_user_id.as_ref())).ok_or("an echo names no recipient")?;
    let mut extra = Extra::new();
    let body = match body(m, &mut extra).0 {
        EventBody::Message(message) => EventBody::Echo(message),
        EventBody::MessageEdit(message) => other("echo_edit", message.id, message.text, &json!({})),
        EventBody::MessageDelete(id) => other("echo_delete", Some(id), None, &json!({})),
        _ => EventBody::Ignored("an echo that says nothing".into()),
    };
    extra.insert("recipient_id".into(), json!(to));
    let mut event = place.event(key(place, m, raw), m.timestamp.as_ref(), body);
    event.thread = Some(said(m.group_id.as_ref()).unwrap_or(to));
    event.sender = m.from.as_deref().map(|from| Person { automated: true, ..Person::new(from) });
    event.extra = object(extra);
    Ok(event)
}

fn key(place: &Place, m: &wire::Message, raw: &str) -> String {
    match m.id.as_deref() {
        Some(id) if !id.is_empty() => format!("{}:{id}", place.account.unwrap_or_default()),
        _ => place.key_of(raw),
    }
}

/// The person: known by phone where there is one, else by the business-scoped id; the other one is an alias.
fn sender(place: &Place, m: &wire::Message) -> Option<Person> {
    let all = || place.contacts.iter().flatten().filter_map(|item| item.value.as_ref());
    let same = |a: &Option<wire::Text>, b: &Option<wire::Text>| a.is_some() && a == b;
    let nameless = m.from.is_none() && m.from_user_id.is_none();
    let contact = all()
        .find(|c| same(&c.wa_id, &m.from) || same(&c.user_id, &m.from_user_id))
        .or_else(|| all().next().filter(|_| nameless && all().count() == 1));
    let phone = said(m.from.as_ref()).or_else(|| said(contact?.wa_id.as_ref()));
    let scoped = said(m.from_user_id.as_ref()).or_else(|| said(contact?.user_id.as_ref()));
    let profile = contact.and_then(|c| c.profile.as_ref());
    let alias = scoped.as_ref().filter(|_| phone.is_some()).map(|id| format!(r#"{{"alt_ids":[{}]}}"#, json!(id)));
    Some(Person {
        name: profile.and_then(|p| said(p.name.as_ref())),
        username: profile.and_then(|p| said(p.username.as_ref())),
        extra: alias,
        ..Person::new(phone.or(scoped)?)
    })
}

/// What was said, and whether it may start a workflow. Fields without a typed place go into `extra`.
fn body(m: &wire::Message, extra: &mut Extra) -> (EventBody, bool) {
    let id = said(m.id.as_ref());
    let source = m.context.as_ref().and_then(|c| said(c.id.as_ref()));
    let interaction = |extra: &mut Extra, word: &str, title: Option<&wire::Text>, payload: Option<&wire::Text>| {
        extra.insert("interaction".into(), json!(word));
        let payload = payload.or(title).map(|p| p.to_string()).unwrap_or_default();
        (
            EventBody::Interaction(Interaction {
                id: id.clone(),
                title: said(title),
                payload,
                source: source.clone(),
                answer: None,
            }),
            true,
        )
    };
    if let Some(r) = &m.reaction {
        if let Some(own) = id {
            extra.insert("id".into(), json!(own));
        }
        let reaction = Reaction { target: r.message_id.as_deref().unwrap_or_default().into(), emoji: said(r.emoji.as_ref()) };
        return (EventBody::Reaction(reaction), false);
    }
    if let Some(b) = &m.button {
        return interaction(extra, "quick_reply", b.text.as_ref(), b.payload.as_ref());
    }
    if let Some(i) = &m.interactive {
        for (word, pick) in [("button_reply", &i.button_reply), ("list_reply", &i.list_reply)] {
            if let Some(p) = pick {
                if let Some(description) = said(p.description.as_ref()) {
                    extra.insert("description".into(), json!(description));
                }
                return interaction(extra, word, p.title.as_ref(), p.id.as_ref());
            }
        }
        if let Some(f) = &i.nfm_reply {
            if let Some(name) = said(f.name.as_ref()) {
                extra.insert("form".into(), json!(name));
            }
            return interaction(extra, "form", f.body.as_ref(), f.response_json.as_ref());
        }
    }
    if let Some(s) = &m.system {
        let mut data = json!({ "event": s.kind.as_deref().unwrap_or("system") });
        if let (Some(new), Some(data)) = (said(s.wa_id.as_ref().or(s.new_wa_id.as_ref())), data.as_object_mut()) {
            data.insert("new_sender_id".into(), json!(new));
        }
        return (other("account_event", id, said(s.body.as_ref()), &data), false);
    }
    if let Some(order) = m.order {
        let order = parsed(order.get());
        let text = order.get("text").and_then(Value::as_str).filter(|t| !t.is_empty()).map(Into::into);
        return (other("order", id, text, &json!({ "event": "order", "order": order })), true);
    }
    if let Some(e) = &m.edit {
        if let Some(own) = id {
            extra.insert("edit_id".into(), json!(own));
        }
        let mut message = e.message.as_deref().map(content).unwrap_or_default();
        message.id = said(e.original_message_id.as_ref());
        return (EventBody::MessageEdit(message), false);
    }
    if let Some(target) = m.revoke.as_ref().and_then(|r| said(r.original_message_id.as_ref())) {
        return (EventBody::MessageDelete(target), false);
    }
    (EventBody::Message(Message { id, reply_to: source, ..content(m) }), true)
}

fn other(kind: &str, id: Option<String>, text: Option<String>, data: &Value) -> EventBody {
    EventBody::Other(OtherEvent { kind: kind.into(), id, text, data: data.to_string() })
}

/// Words and files.
fn content(m: &wire::Message) -> Message {
    let mut out = Message { text: m.text.as_ref().and_then(|t| said(t.body.as_ref())), ..Message::default() };
    let audio =
        if m.audio.as_ref().is_some_and(|a| a.voice == Some(true)) { AttachmentKind::Voice } else { AttachmentKind::Audio };
    for (kind, file) in [
        (AttachmentKind::Image, &m.image),
        (AttachmentKind::Video, &m.video),
        (audio, &m.audio),
        (AttachmentKind::File, &m.document),
        (AttachmentKind::Sticker, &m.sticker),
    ] {
        if let Some(f) = file {
            out.text = out.text.or_else(|| said(f.caption.as_ref()));
            out.attachments.push(media(kind, f));
        }
    }
    out.attachments.extend(m.location.as_ref().map(location));
    out.attachments.extend(m.contacts.iter().flatten().map(card));
    if out.text.is_none() && out.attachments.is_empty() && m.kind.as_deref() != Some("text") {
        let mut what = Extra::new();
        what.insert("what".into(), json!(m.kind.as_deref().unwrap_or("unknown")));
        if let Some(errors) = m.errors {
            what.insert("errors".into(), parsed(errors.get()));
        }
        out.attachments.push(Attachment { extra: object(what), ..Attachment::new(AttachmentKind::Unsupported, Media::None) });
    }
    out
}

fn media(kind: AttachmentKind, f: &wire::Media) -> Attachment {
    let mut extra = Extra::new();
    if let Some(sha256) = said(f.sha256.as_ref()) {
        extra.insert("sha256".into(), json!(sha256));
    }
    if f.animated == Some(true) {
        extra.insert("animated".into(), json!(true));
    }
    Attachment {
        mime_type: said(f.mime_type.as_ref()),
        file_name: said(f.filename.as_ref()),
        extra: object(extra),
        ..Attachment::new(kind, said(f.id.as_ref()).map_or(Media::None, Media::Provider))
    }
}

fn location(l: &wire::Location) -> Attachment {
    let mut extra = Extra::new();
    for (key, value) in [("latitude", l.latitude), ("longitude", l.longitude)] {
        extra.extend(value.map(|v| (key.to_owned(), json!(v))));
    }
    for (key, value) in [("name", &l.name), ("address", &l.address), ("url", &l.url)] {
        extra.extend(said(value.as_ref()).map(|v| (key.to_owned(), json!(v))));
    }
    Attachment { extra: object(extra), ..Attachment::new(AttachmentKind::Location, Media::None) }
}

fn card(c: &wire::Card) -> Attachment {
    let name = c.name.as_ref().and_then(|n| said(n.formatted_name.as_ref()).or_else(|| said(n.first_name.as_ref())));
    let phones: Vec<String> = c.phones.iter().flatten().filter_map(|p| said(p.phone.as_ref())).collect();
    let emails: Vec<String> = c.emails.iter().flatten().filter_map(|e| said(e.email.as_ref())).collect();
    let mut extra = Extra::new();
    extra.insert("name".into(), json!(name));
    extra.insert("phones".into(), json!(phones));
    if !emails.is_empty() {
        extra.insert("emails".into(), json!(emails));
    }
    Attachment { extra: object(extra), ..Attachment::new(AttachmentKind::Contact, Media::None) }
}
