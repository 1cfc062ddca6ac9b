//! From the body of a webhook to events. Any array may hold several items, and several accounts may share one POST.
//!
//! Only a body that is no WhatsApp webhook at all is an error: the platform repeats errors for days, so what is merely
//! unknown becomes an ignored event with its reason.

mod account;
mod message;
mod status;

use pointsman_sdk::prelude::*;

use crate::wire::{Change, Contact, Entry, Envelope, Item, List, Text, Value as Wire};

/// More than the host takes from one webhook.
const MAX_EVENTS: usize = 1000;

/// Parses a body that came in at `received`.
pub(crate) fn parse(body: &[u8], received: i64) -> Result<Vec<Event>, String> {
    let envelope: Envelope = serde_json::from_slice(body)
        .map_err(|e| format!("the body is not the JSON of a WhatsApp webhook (line {}, column {})", e.line(), e.column()))?;
    if envelope.object.as_deref() != Some("whatsapp_business_account") {
        return Err("the body is not a WhatsApp webhook: `object` is not `whatsapp_business_account`".into());
    }
    let mut events = Vec::new();
    for entry in envelope.entry.iter().flatten() {
        for change in entry.changes.iter().flatten() {
            read(entry, change, received, &mut events);
        }
    }
    if events.len() > MAX_EVENTS {
        return Err(format!("the webhook holds {} facts, more than {MAX_EVENTS}", events.len()));
    }
    Ok(events)
}

/// What the items of one change share.
struct Place<'a> {
    entry: &'a Entry<'a>,
    field: &'a str,
    /// The phone number id, or the business account where the platform names no number.
    account: Option<&'a str>,
    contacts: &'a List<Item<'a, Contact<'a>>>,
    received: i64,
}

fn read<'a>(entry: &'a Entry<'a>, change: &'a Change<'a>, received: i64, events: &mut Vec<Event>) {
    let field = change.field.as_deref().unwrap_or_default();
    let place = Place { entry, field, account: entry.id.as_deref(), contacts: &None, received };
    let raw = change.value.map_or("null", |v| v.get());
    if !matches!(field, "messages" | "smb_message_echoes" | "user_preferences") {
        return events.push(account::event(&place, raw));
    }
    let Ok(value) = serde_json::from_str::<Wire>(raw) else {
        return events.push(place.ignored(raw, "the value has an unknown shape"));
    };
    let number = value.metadata.as_ref().and_then(|m| m.phone_number_id.as_deref());
    let place = Place { account: number.or(place.account), contacts: &value.contacts, ..place };
    let before = events.len();
    events.extend(value.messages.iter().flatten().map(|item| place.item(item, message::inbound)));
    events.extend(value.message_echoes.iter().flatten().map(|item| place.item(item, message::echo)));
    events.extend(value.statuses.iter().flatten().map(|item| place.item(item, status::event)));
    events.extend(value.user_preferences.iter().flatten().map(|item| place.item(item, account::preference)));
    events.extend(value.errors.iter().flatten().map(|item| place.item(item, account::error)));
    if events.len() == before {
        events.push(place.ignored(raw, "nothing known in it"));
    }
}

impl<'a> Place<'a> {
    /// One item, or an ignored event when it has another shape than it should, or lacks what it cannot be without.
    fn item<T>(&self, item: &Item<'a, T>, read: impl Fn(&Self, &T, &str) -> Result<Event, &'static str>) -> Event {
        match &item.value {
            Some(value) => read(self, value, item.raw).unwrap_or_else(|why| self.ignored(item.raw, why)),
            None => self.ignored(item.raw, "an item has an unknown shape"),
        }
    }

    /// An event of this account without a conversation.
    fn event(&self, dedupe_key: String, at: Option<&Text>, body: EventBody) -> Event {
        Event {
            dedupe_key: bounded(dedupe_key),
            account: self.account.map(Into::into),
            thread: None,
            sender: None,
            at: self.moment(at),
            trigger: false,
            body,
            extra: None,
        }
    }

    fn ignored(&self, raw: &str, why: &str) -> Event {
        let field: String = self.field.chars().take(64).collect();
        self.event(self.key_of(raw), None, EventBody::Ignored(format!("{field}: {why}")))
    }

    /// A key for what has no id of its own: the field, the account, the time of the entry, and the bytes.
    fn key_of(&self, raw: &str) -> String {
        let (id, time) = (self.entry.id.as_deref().unwrap_or_default(), self.entry.time.as_deref().unwrap_or_default());
        format!("{}:{id}:{time}:{:016x}", self.field, hash(raw))
    }

    /// Unix seconds as text; the platform's entries once in a while carry milliseconds. Without any: when it came in.
    fn moment(&self, at: Option<&Text>) -> i64 {
        let told = at.or(self.entry.time.as_ref()).and_then(|t| t.parse::<i64>().ok()).filter(|n| *n > 0);
        match told {
            Some(seconds) if seconds < 100_000_000_000 => seconds * 1000,
            Some(millis) => millis,
            None => self.received,
        }
    }
}

/// A dedupe key has at most 256 bytes.
fn bounded(key: String) -> String {
    if key.len() <= 256 { key } else { format!("hash:{:016x}:{}", hash(&key), key.len()) }
}

/// FNV-1a. Only the account's own provider writes what it is taken of.
fn hash(text: &str) -> u64 {
    text.bytes().fold(0xcbf2_9ce4_8422_2325, |h, b| (h ^ u64::from(b)).wrapping_mul(0x0100_0000_01b3))
}

/// Text that is there and not empty.
fn said(text: Option<&Text>) -> Option<String> {
    text.map(|t| &**t).filter(|t| !t.is_empty()).map(Into::into)
}

/// JSON of the provider's, passed on; an empty value when it is broken.
fn parsed(raw: &str) -> Value {
    serde_json::from_str(raw).unwrap_or_default()
}

/// The JSON text of an object, or nothing when it has no fields.
fn object(fields: serde_json::Map<String, Value>) -> Option<String> {
    (!fields.is_empty()).then(|| Value::Object(fields).to_string())
}

#[cfg(test)]
mod tests;
