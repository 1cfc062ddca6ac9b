//! Reactions come as the list before and the list after: what was taken back and what was added is the difference.

use pointsman_sdk::prelude::*;

use super::{Extra, Facts, MAX_FACTS, address, event, id, moment, object, person, said, several, speaking};
use crate::wire::{self, Lax, Reactions};

/// One event for each emoji that went, then one for each that came.
pub(super) fn changed(r: &Reactions) -> Facts {
    let place = address(&r.chat).ok_or("a reaction names no chat")?;
    let target = id(&r.message_id).ok_or("a reaction names no message")?;
    let sender = person(&r.user).or_else(|| speaking(&r.actor_chat)).ok_or("a reaction names nobody")?;
    let (old, new) = (emojis(&r.old_reaction), emojis(&r.new_reaction));
    if old.len().max(new.len()) > MAX_FACTS {
        return Err(format!("it holds more than {MAX_FACTS} reactions"));
    }
    let gone = old.iter().filter(|e| !new.contains(e)).map(|e| (None, Some(e.clone())));
    let come = new.iter().filter(|e| !old.contains(e)).map(|e| (Some(e.clone()), None));
    let events: Vec<Event> = gone
        .chain(come)
        .map(|(emoji, removed)| {
            let mut extra = Extra::new();
            several(&r.chat, &mut extra);
            extra.extend(removed.map(|e: String| ("removed".into(), json!(e))));
            Event {
                thread: Some(place.thread()),
                sender: Some(sender.clone()),
                at: moment(*r.date),
                extra: object(extra),
                ..event(EventBody::Reaction(Reaction { target: target.clone(), emoji }))
            }
        })
        .collect();
    if events.is_empty() { Err("no reaction came or went".into()) } else { Ok(events) }
}

/// Emojis of a list, in order: the sign itself, `custom:ID`, or the kind.
fn emojis(list: &Lax<Vec<Lax<wire::Reaction>>>) -> Vec<String> {
    let word = |r: &wire::Reaction| {
        let custom = id(&r.custom_emoji_id).map(|id| format!("custom:{id}"));
        said(&r.emoji).filter(|e| e.len() <= 64).or(custom).or_else(|| id(&r.kind))
    };
    let mut out: Vec<String> = Vec::new();
    for emoji in list.iter().flatten().flatten().filter_map(word) {
        if out.len() <= MAX_FACTS && !out.contains(&emoji) {
            out.push(emoji);
        }
    }
    out
}
