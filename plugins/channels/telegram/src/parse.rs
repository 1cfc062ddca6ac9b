//! From the body of a webhook to events. Each POST holds one update, and an update one fact, but for reactions, which come as
//! two lists, and for deletions.
//!
//! Only a body that is no update at all is an error: the platform repeats errors for a day, so what is merely unknown becomes
//! an ignored event with its reason.

mod account;
mod attachment;
mod callback;
mod entity;
mod message;
mod reaction;

use std::collections::BTreeMap;

use pointsman_sdk::channel::{Answer, Reception};
use pointsman_sdk::prelude::*;
use serde_json::Map;
use serde_json::value::RawValue;

use crate::address::Address;
use crate::wire::{Chat, Lax, Text, User};

/// The updates that are understood: what `setWebhook` asks for. Some come only when they are named there.
pub(crate) const UPDATES: &[&str] = &[
    "message",
    "edited_message",
    "channel_post",
    "edited_channel_post",
    "callback_query",
    "message_reaction",
    "my_chat_member",
    "business_connection",
    "business_message",
    "edited_business_message",
    "deleted_business_messages",
];

/// Updates that are known and of no use, with the reason.
const UNUSED: &[(&str, &str)] = &[
    ("inline_query", "the bot offers nothing in other people's chats"),
    ("chosen_inline_result", "the bot offers nothing in other people's chats"),
    ("chat_member", "who else comes and goes is not followed"),
    ("chat_join_request", "who may join is not decided here"),
    ("message_reaction_count", "a count names nobody"),
    ("poll", "a count names nobody"),
    ("poll_answer", "polls are not followed"),
    ("shipping_query", "payments are not taken"),
    ("pre_checkout_query", "payments are not taken"),
];

/// Facts of one update at most.
const MAX_FACTS: usize = 200;

/// A moment after the year 9999 is none.
const MAX_SECONDS: i64 = 253_402_300_799;

/// Bytes of an id at most.
const MAX_ID: usize = 256;

/// More fields of an object than a workflow has use for.
type Extra = Map<String, Value>;

/// What an update says, or why it says nothing.
type Facts = Result<Vec<Event>, String>;

/// Parses a body.
pub(crate) fn parse(body: &[u8]) -> Result<Reception, String> {
    let update: BTreeMap<String, &RawValue> = serde_json::from_slice(body)
        .map_err(|e| format!("the body is not the JSON of a Telegram update (line {}, column {})", e.line(), e.column()))?;
    let Some(id) = update.get("update_id") else {
        return Err("the body is not a Telegram update: it has no `update_id`".into());
    };
    let id = serde_json::from_str::<Text>(id.get()).ok().filter(|id| !id.is_empty() && id.len() <= 64);
    let key = id.map_or_else(|| format!("body:{:016x}", hash(body)), |id| id.to_string());
    let mut events = Vec::new();
    let mut answer = None;
    for (kind, raw) in UPDATES.iter().filter_map(|kind| update.get(*kind).map(|raw| (*kind, raw.get()))) {
        let facts = read(kind, raw, &mut answer);
        let mut facts = facts.unwrap_or_else(|why| vec![event(EventBody::Ignored(format!("{kind}: {why}")))]);
        if facts.len() > MAX_FACTS {
            facts = vec![event(EventBody::Ignored(format!("{kind}: it holds more than {MAX_FACTS} facts")))];
        }
        events.append(&mut facts);
    }
    if events.is_empty() {
        let kind = update.keys().find(|k| *k != "update_id").map_or("update", String::as_str);
        let why = UNUSED.iter().find(|(known, _)| *known == kind).map_or("an unknown update", |(_, why)| why);
        let kind: String = kind.chars().take(64).collect();
        events.push(event(EventBody::Ignored(format!("{kind}: {why}"))));
    }
    for (n, event) in events.iter_mut().enumerate() {
        event.dedupe_key = if n == 0 { key.clone() } else { format!("{key}#{n}") };
    }
    Ok(Reception { events, answer })
}

fn read(kind: &str, raw: &str, answer: &mut Option<Answer>) -> Facts {
    fn shape<'a, T: serde::Deserialize<'a>>(raw: &'a str) -> Result<T, String> {
        serde_json::from_str(raw).map_err(|_| "it has an unknown shape".into())
    }
    match kind {
        "message" | "business_message" => message::new(&shape(raw)?, raw),
        "channel_post" => message::posted(&shape(raw)?, raw),
        "edited_message" | "edited_business_message" | "edited_channel_post" => message::edited(&shape(raw)?, raw),
        "deleted_business_messages" => message::deleted(&shape(raw)?),
        "callback_query" => callback::pressed(&shape(raw)?, answer),
        "message_reaction" => reaction::changed(&shape(raw)?),
        "my_chat_member" => account::membership(&shape(raw)?),
        "business_connection" => account::connection(&shape(raw)?),
        _ => Err("an unknown update".into()),
    }
}

/// An event outside of any conversation; its key follows from the update.
fn event(body: EventBody) -> Event {
    Event { dedupe_key: String::new(), account: None, thread: None, sender: None, at: 0, trigger: false, body, extra: None }
}

fn other(kind: &str, id: Option<String>, data: &Value) -> EventBody {
    EventBody::Other(OtherEvent { kind: kind.into(), id, text: None, data: data.to_string() })
}

/// Unix seconds; 0 where there are none that a calendar has.
fn moment(seconds: Option<i64>) -> i64 {
    seconds.filter(|s| (1..=MAX_SECONDS).contains(s)).map_or(0, |s| s * 1000)
}

/// A chat, without topic or business account.
fn address(chat: &Lax<Chat>) -> Option<Address> {
    let chat = id(&chat.as_ref()?.id)?;
    // What cannot be answered is no conversation.
    chat.parse::<i64>().is_ok().then_some(Address { chat, topic: None, business: None })
}

/// A person or a bot.
fn person(user: &Lax<User>) -> Option<Person> {
    let user = user.as_ref()?;
    Some(Person {
        name: name(&user.first_name, &user.last_name),
        username: said(&user.username),
        language: said(&user.language_code),
        automated: user.is_bot.is_some_and(|f| f.0),
        ..Person::new(id(&user.id)?)
    })
}

/// A chat that speaks: a channel, or a group's administrator who does not show themself.
fn speaking(chat: &Lax<Chat>) -> Option<Person> {
    let chat = chat.as_ref()?;
    Some(Person { name: title(chat), username: said(&chat.username), automated: true, ..Person::new(id(&chat.id)?) })
}

fn title(chat: &Chat) -> Option<String> {
    said(&chat.title).or_else(|| name(&chat.first_name, &chat.last_name))
}

fn name(first: &Lax<Text>, last: &Lax<Text>) -> Option<String> {
    let both: Vec<&str> = [first, last].iter().filter_map(|t| t.as_deref()).filter(|t| !t.is_empty()).collect();
    (!both.is_empty()).then(|| both.join(" "))
}

/// What `extra` tells about a chat of several people.
fn several(chat: &Lax<Chat>, extra: &mut Extra) {
    let Some(chat) = chat.as_ref() else { return };
    let word = match chat.kind.as_deref() {
        Some("group" | "supergroup") => "group",
        Some("channel") => "channel_post",
        _ => return,
    };
    extra.insert(word.into(), json!(true));
    extra.extend(title(chat).map(|t| ("thread_name".into(), json!(t))));
}

/// Text that is there and not empty.
fn said(text: &Lax<Text>) -> Option<String> {
    text.as_deref().filter(|t| !t.is_empty()).map(Into::into)
}

/// An id that is there, not empty, and not longer than ids are.
fn id(text: &Lax<Text>) -> Option<String> {
    said(text).filter(|id| id.len() <= MAX_ID)
}

/// The JSON text of an object, or nothing when it has no fields.
fn object(fields: Extra) -> Option<String> {
    (!fields.is_empty()).then(|| Value::Object(fields).to_string())
}

/// FNV-1a. Only the account's own provider writes what it is taken of.
fn hash(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |h, b| (h ^ u64::from(*b)).wrapping_mul(0x0100_0000_01b3))
}

#[cfg(test)]
mod tests;
