//! News about the bot's own place: blocked and unblocked, added and removed, a chat that got another id, a business account.

use pointsman_sdk::prelude::*;

use super::{Extra, Facts, address, event, id, moment, object, other, person, said, several};
use crate::wire::{Connection, Membership, Message};

/// In a private chat: whether the person lets the bot write. In others: whether the bot is in it.
pub(super) fn membership(m: &Membership) -> Facts {
    let place = address(&m.chat).ok_or("a membership names no chat")?;
    let status = |member: &crate::wire::Lax<crate::wire::Member>| member.as_ref().and_then(|m| said(&m.status));
    let new = status(&m.new_chat_member).ok_or("a membership has no status")?;
    let old = status(&m.old_chat_member);
    let out = |status: &str| matches!(status, "kicked" | "left");
    let private = m.chat.as_ref().and_then(|c| c.kind.as_deref()) == Some("private");
    let (kind, word) = match (private, out(&new), old.as_deref().is_none_or(out)) {
        (true, true, _) => ("subscription", "block"),
        (true, false, _) => ("subscription", "unblock"),
        (false, true, _) => ("account_event", "removed"),
        (false, false, true) => ("account_event", "added"),
        (false, false, false) => ("account_event", "rights_changed"),
    };
    let mut extra = Extra::new();
    several(&m.chat, &mut extra);
    Ok(vec![Event {
        thread: Some(place.thread()),
        sender: person(&m.from),
        at: moment(*m.date),
        extra: object(extra),
        ..event(other(kind, None, &json!({ "event": word, "status": new, "old_status": old })))
    }])
}

/// A group became a supergroup: it has another id from now on. Both name the same conversation. Told twice, once in each chat.
pub(super) fn migration(m: &Message) -> Option<Event> {
    let here = address(&m.chat)?;
    let (old, new) = match (id(&m.migrate_to_chat_id), id(&m.migrate_from_chat_id)) {
        (Some(new), _) => (here.chat, new),
        (None, Some(old)) => (old, here.chat),
        (None, None) => return None,
    };
    let body = other("account_event", id(&m.message_id), &json!({ "event": "migrated", "old_id": old, "new_id": new }));
    let mut extra = Extra::new();
    several(&m.chat, &mut extra);
    let name = extra.get("thread_name").and_then(Value::as_str).map(Into::into);
    // The group itself, under both of its ids.
    let group = Person { name, extra: Some(json!({ "alt_ids": [new] }).to_string()), ..Person::new(old.clone()) };
    Some(Event { thread: Some(old), sender: Some(group), at: moment(*m.date), extra: object(extra), ..event(body) })
}

/// The bot may, or may no longer, speak for somebody's business account.
pub(super) fn connection(c: &Connection) -> Facts {
    let connection = id(&c.id).ok_or("a connection has no id")?;
    let enabled = c.is_enabled.is_some_and(|f| f.0);
    let word = if enabled { "business_connected" } else { "business_disconnected" };
    let owner = c.user.as_ref().and_then(|u| id(&u.id));
    let data = json!({ "event": word, "connection_id": connection, "user_id": owner });
    Ok(vec![Event { at: moment(*c.date), ..event(other("account_event", Some(connection), &data)) }])
}
