//! What Telegram marks inside of a text: commands, links, names. Its offsets count UTF-16 units, so that a text must not be cut
//! by bytes or characters.

use pointsman_sdk::prelude::*;

use super::{Extra, id, said};
use crate::wire::{Entity, Lax};

/// What is passed on: bold and the like say nothing that a workflow could use.
const TELLING: &[&str] = &[
    "bot_command",
    "cashtag",
    "custom_emoji",
    "email",
    "hashtag",
    "mention",
    "phone_number",
    "text_link",
    "text_mention",
    "url",
];

/// Bytes of all that is passed on, at most: entities may lie inside of each other.
const MAX_BYTES: usize = 16 << 10;

/// Tells a command at the beginning (`command`, `command_args`, and in a group `command_to`), and the `entities` with their text.
pub(super) fn told(text: &str, entities: &[Lax<Entity>], extra: &mut Extra) {
    let mut told = Vec::new();
    let mut room = MAX_BYTES;
    for entity in entities.iter().flatten() {
        let Some(kind) = entity.kind.as_deref().filter(|kind| TELLING.contains(kind)) else { continue };
        let (Some(offset), Some(length)) = (*entity.offset, *entity.length) else { continue };
        let Some((part, rest)) = slice(text, offset, length) else { continue };
        if kind == "bot_command" && offset == 0 {
            command(part, rest, extra);
        }
        let url = said(&entity.url);
        let Some(left) = room.checked_sub(part.len() + url.as_ref().map_or(0, String::len) + 64) else { break };
        room = left;
        let mut one = json!({ "type": kind, "text": part });
        if let Some(one) = one.as_object_mut() {
            one.extend(url.map(|u| ("url".into(), json!(u))));
            one.extend(entity.user.as_ref().and_then(|u| id(&u.id)).map(|u| ("user_id".into(), json!(u))));
        }
        told.push(one);
    }
    if !told.is_empty() {
        extra.insert("entities".into(), Value::Array(told));
    }
}

/// `/start@my_bot ref_42`
fn command(part: &str, rest: &str, extra: &mut Extra) {
    let Some(name) = part.strip_prefix('/').filter(|n| !n.is_empty()) else { return };
    let (name, to) = name.split_once('@').map_or((name, None), |(name, to)| (name, Some(to)));
    extra.insert("command".into(), json!(name));
    let arguments = rest.trim();
    extra.insert("command_args".into(), if arguments.is_empty() { Value::Null } else { json!(arguments) });
    extra.extend(to.map(|to| ("command_to".into(), json!(to))));
}

/// The part of a text that begins after `offset` UTF-16 units and has `length` of them, and what follows; `None` where a cut
/// would go through a character or past the end.
fn slice(text: &str, offset: usize, length: usize) -> Option<(&str, &str)> {
    let (_, from) = text.split_at_checked(at(text, offset)?)?;
    from.split_at_checked(at(from, length)?)
}

/// The byte at which the UTF-16 unit of this number begins.
fn at(text: &str, unit: usize) -> Option<usize> {
    let mut units = 0_usize;
    for (byte, c) in text.char_indices() {
        if units >= unit {
            return (units == unit).then_some(byte);
        }
        units += c.len_utf16();
    }
    (units == unit).then_some(text.len())
}

#[cfg(test)]
mod tests {
    use super::slice;

    #[test]
    fn offsets_are_utf_16() {
        assert_eq!(slice("👍 /go x", 3, 3), Some(("/go", " x")));
        assert_eq!(slice("é /go", 2, 3), Some(("/go", "")));
        assert_eq!(slice("abc", 0, 0), Some(("", "abc")));
        assert_eq!(slice("👍", 1, 1), None, "inside of a character");
        assert_eq!(slice("👍", 0, 1), None, "inside of a character");
        assert_eq!(slice("abc", 2, 2), None, "past the end");
        assert_eq!(slice("abc", usize::MAX, usize::MAX), None);
        assert_eq!(slice("abc", 1, usize::MAX), None);
    }
}
