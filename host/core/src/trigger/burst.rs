//! `gather`: what a contact says in one breath is answered once.

use serde_json::{Map, Value};

use crate::clock::{Instant, Millis};
use crate::event::{Attachment, Event, EventBody};

/// How many times the quiet that is asked for a burst may last in all.
pub const AT_MOST: i64 = 5;

/// When a burst is over, if nothing more comes: `quiet` after the last event, but no later than [`AT_MOST`] times that after
/// the first.
#[must_use]
pub fn until(first: Instant, last: Instant, quiet: Millis) -> Instant {
    last.saturating_add(quiet).min(first.saturating_add(quiet.saturating_mul(AT_MOST)))
}

/// One event out of many, each with the moment at which it was kept, in that order. It is the last one by the provider's time,
/// and of those of one moment the one that was kept last, with the text of all in a line each, and all their attachments; beside it
/// stand `texts` and the providers' `ids`. `None` of nothing.
#[must_use]
pub fn gathered(mut events: Vec<(Instant, Event)>) -> Option<Event> {
    // A stable sort: what was kept first stays before what the provider dates alike.
    events.sort_by_key(|(kept, event)| if event.at == 0 { *kept } else { event.at });
    let texts: Vec<String> = events.iter().filter_map(|(_, event)| event.text().map(str::to_owned)).collect();
    let ids: Vec<Value> = events.iter().filter_map(|(_, event)| id(event).map(Value::from)).collect();
    let attachments: Vec<Attachment> = events.iter().flat_map(|(_, event)| files(event)).cloned().collect();
    let (_, mut all) = events.pop()?;
    let text = Some(texts.join("\n")).filter(|text| !text.is_empty());
    match &mut all.body {
        EventBody::Message(message) => (message.text, message.attachments) = (text, attachments),
        EventBody::Comment(comment) => (comment.text, comment.attachments) = (text, attachments),
        EventBody::Interaction(pressed) => pressed.title = text,
        _ => {}
    }
    let mut extra = match all.extra.take() {
        Some(Value::Object(extra)) => extra,
        _ => Map::new(),
    };
    extra.insert("texts".to_owned(), texts.into());
    extra.insert("ids".to_owned(), ids.into());
    all.extra = Some(Value::Object(extra));
    Some(all)
}

fn id(event: &Event) -> Option<&str> {
    match &event.body {
        EventBody::Message(message) => message.id.as_deref(),
        EventBody::Interaction(pressed) => pressed.id.as_deref(),
        EventBody::Comment(comment) => Some(&comment.id),
        _ => None,
    }
}

fn files(event: &Event) -> &[Attachment] {
    match &event.body {
        EventBody::Message(message) => &message.attachments,
        EventBody::Comment(comment) => &comment.attachments,
        _ => &[],
    }
}
