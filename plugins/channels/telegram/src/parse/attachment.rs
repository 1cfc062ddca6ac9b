//! Files, places, cards. A small picture beside a file is no attachment of its own, and several sizes are one picture.

use pointsman_sdk::prelude::*;

use super::{Extra, id, name, object, said};
use crate::wire::{Contact, File, Lax, Location, Message, Number, Poll, Venue};

/// Options of a poll that are passed on.
const MAX_OPTIONS: usize = 32;

/// All that a message carries.
pub(super) fn all(m: &Message) -> Vec<Attachment> {
    let mut out = Vec::new();
    out.extend(m.photo.as_ref().and_then(|sizes| largest(sizes)).and_then(|size| file(AttachmentKind::Image, size)));
    // A moving picture comes once more as a document, for old programs.
    let document = if m.animation.is_some() { None } else { m.document.as_ref() };
    for (kind, one, word) in [
        (AttachmentKind::Video, m.video.as_ref(), None),
        (AttachmentKind::Video, m.video_note.as_ref(), Some("round")),
        (AttachmentKind::Video, m.animation.as_ref(), Some("animation")),
        (AttachmentKind::Voice, m.voice.as_ref(), None),
        (AttachmentKind::Audio, m.audio.as_ref(), None),
        (AttachmentKind::File, document, None),
        (AttachmentKind::Sticker, m.sticker.as_ref(), None),
    ] {
        let Some(mut attachment) = one.and_then(|one| file(kind, one)) else { continue };
        if let Some(word) = word {
            let mut extra: Extra = attachment.extra.and_then(|e| serde_json::from_str(&e).ok()).unwrap_or_default();
            extra.insert(word.into(), json!(true));
            attachment.extra = object(extra);
        }
        out.push(attachment);
    }
    // A venue comes once more as a location, for old programs.
    let place = m.venue.as_ref().and_then(venue).or_else(|| m.location.as_ref().map(|l| location(l, Extra::new())));
    out.extend(place);
    out.extend(m.contact.as_ref().map(card));
    out.extend(m.poll.as_ref().map(poll));
    out.extend(m.dice.as_ref().map(|d| {
        let extra = [("emoji".into(), json!(said(&d.emoji))), ("value".into(), json!(*d.value))];
        unsupported("dice", extra.into_iter().collect())
    }));
    out
}

/// What has no kind of its own; `what` says what it is.
pub(super) fn unsupported(what: &str, mut extra: Extra) -> Attachment {
    extra.insert("what".into(), json!(what.chars().take(64).collect::<String>()));
    Attachment { extra: object(extra), ..Attachment::new(AttachmentKind::Unsupported, Media::None) }
}

/// The largest by area, whatever the order.
fn largest<'a>(sizes: &'a [Lax<File<'a>>]) -> Option<&'a File<'a>> {
    let area = |f: &&File| f.width.unwrap_or(0).saturating_mul(f.height.unwrap_or(0));
    // Of equals the first.
    sizes.iter().flatten().filter(|f| f.file_id.is_some()).rev().max_by_key(area)
}

fn file(kind: AttachmentKind, f: &File) -> Option<Attachment> {
    let mut extra = Extra::new();
    for (key, value) in [("width", *f.width), ("height", *f.height), ("seconds", *f.duration)] {
        extra.extend(value.map(|v| (key.to_owned(), json!(v))));
    }
    for (key, value) in [("title", &f.title), ("performer", &f.performer), ("emoji", &f.emoji), ("set_name", &f.set_name)] {
        extra.extend(said(value).map(|v| (key.to_owned(), json!(v))));
    }
    for (key, flag) in [("animated", *f.is_animated), ("video", *f.is_video)] {
        extra.extend(flag.filter(|f| f.0).map(|_| (key.to_owned(), json!(true))));
    }
    Some(Attachment {
        mime_type: said(&f.mime_type),
        file_name: said(&f.file_name),
        size_bytes: *f.file_size,
        extra: object(extra),
        ..Attachment::new(kind, Media::Provider(id(&f.file_id)?))
    })
}

fn location(l: &Location, mut extra: Extra) -> Attachment {
    for (key, value) in [("latitude", *l.latitude), ("longitude", *l.longitude)] {
        extra.extend(value.map(|Number(v)| (key.to_owned(), json!(v))));
    }
    extra.extend(l.live_period.map(|s| ("live_seconds".into(), json!(s))));
    Attachment { extra: object(extra), ..Attachment::new(AttachmentKind::Location, Media::None) }
}

fn venue(v: &Venue) -> Option<Attachment> {
    let mut extra = Extra::new();
    for (key, value) in [("name", &v.title), ("address", &v.address)] {
        extra.extend(said(value).map(|v| (key.to_owned(), json!(v))));
    }
    Some(location(v.location.as_ref()?, extra))
}

fn card(c: &Contact) -> Attachment {
    let mut extra = Extra::new();
    extra.insert("name".into(), json!(name(&c.first_name, &c.last_name)));
    extra.insert("phones".into(), json!(said(&c.phone_number).into_iter().collect::<Vec<_>>()));
    extra.extend(id(&c.user_id).map(|u| ("user_id".into(), json!(u))));
    extra.extend(said(&c.vcard).filter(|v| v.len() <= 4096).map(|v| ("vcard".into(), json!(v))));
    Attachment { extra: object(extra), ..Attachment::new(AttachmentKind::Contact, Media::None) }
}

fn poll(p: &Poll) -> Attachment {
    let options = p.options.iter().flatten().flatten().filter_map(|o| said(&o.text)).take(MAX_OPTIONS);
    let extra = [
        ("id".into(), json!(id(&p.id))),
        ("question".into(), json!(said(&p.question))),
        ("options".into(), json!(options.collect::<Vec<_>>())),
    ];
    unsupported("poll", extra.into_iter().collect())
}
