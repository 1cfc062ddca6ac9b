//! Messages that are there already: edited, deleted, reacted to.

use serde_json::{Value, json};

use super::Telegram;
use super::api::{Done, Refusal};
use super::body::Params;
use super::markup;
use super::send::{open_chat, words};
use crate::talk::unix_ms;

/// The only emoji that a bot may react with.
const REACTIONS: &str = "❤ 👍 👎 🔥 🥰 👏 😁 🤔 🤯 😱 🤬 😢 🎉 🤩 🤮 💩 🙏 👌 🕊 🤡 🥱 🥴 😍 🐳 ❤‍🔥 🌚 🌭 💯 🤣 ⚡ 🍌 🏆 💔 🤨 😐 🍓 🍾 💋 🖕 \
    😈 😴 😭 🤓 👻 👨‍💻 👀 🎃 🙈 😇 😨 🤝 ✍ 🤗 🫡 🎅 🎄 ☃ 💅 🤪 🗿 🆒 💘 🙉 🦄 😘 💊 🙊 😎 👾 🤷‍♂ 🤷 🤷‍♀ 😡";

/// The message that a call is about.
fn target(emulator: &Telegram, params: &Params, missing: &str) -> Result<((i64, i64), Value), Refusal> {
    let chat = open_chat(emulator, params)?;
    let id = params.number("message_id").ok_or_else(|| Refusal::bad("message identifier is not specified"))?;
    let message = emulator.0.bot.lock().messages.get(&(chat, id)).cloned();
    message.map(|message| ((chat, id), message)).ok_or_else(|| Refusal::bad(missing))
}

/// Changes the words or the buttons of a message of ours.
pub(super) fn edit(emulator: &Telegram, params: &Params, field: &'static str) -> Result<Done, Refusal> {
    let (place, old) = target(emulator, params, "message to edit not found")?;
    if old.pointer("/from/is_bot") != Some(&json!(true)) {
        return Err(Refusal::bad("message can't be edited"));
    }
    let mut new = old.clone();
    let Some(fields) = new.as_object_mut() else { return Err(Refusal::of(500, "Internal Server Error")) };
    let (buttons, keyboard) = markup::check(params.json("reply_markup").as_ref()).map_err(Refusal::bad)?;
    // An edit without a keyboard takes the old one away.
    fields.remove("reply_markup");
    fields.extend(keyboard.map(|keyboard| ("reply_markup".to_owned(), keyboard)));
    let mut text = None;
    if field != "reply_markup" {
        if field == "text" && !fields.contains_key("text") {
            return Err(Refusal::bad("there is no text in the message to edit"));
        }
        let (most, long, marks) = match field {
            "text" => (4096, "message is too long", "entities"),
            _ => (1024, "message caption is too long", "caption_entities"),
        };
        let (plain, entities) = words(params, field, most, long)?;
        if field == "text" && plain.trim().is_empty() {
            return Err(Refusal::bad("message text is empty"));
        }
        fields.insert(field.to_owned(), json!(plain));
        fields.remove(marks);
        if !entities.is_empty() {
            fields.insert(marks.to_owned(), json!(entities));
        }
        text = Some(plain);
    }
    let unchanged = |field: &str| new.get(field) == old.get(field);
    if ["text", "caption", "entities", "caption_entities", "reply_markup"].into_iter().all(unchanged) {
        return Err(Refusal::bad(
            "message is not modified: specified new message content and reply markup are exactly the same as a current \
             content and reply markup of the message",
        ));
    }
    if let Some(fields) = new.as_object_mut() {
        fields.insert("edit_date".to_owned(), json!(unix_ms() / 1000));
    }
    emulator.0.bot.lock().messages.insert(place, new.clone());
    emulator.0.desk.talk.lock().change(&place.0.to_string(), &place.1.to_string(), |line| {
        line.edited = true;
        line.buttons = buttons;
        if let Some(text) = text {
            line.text = text;
        }
    });
    Ok(new.into())
}

/// Takes a message away, for both sides.
pub(super) fn delete(emulator: &Telegram, params: &Params) -> Result<Done, Refusal> {
    let (place, _) = target(emulator, params, "message to delete not found")?;
    emulator.0.bot.lock().messages.remove(&place);
    emulator.0.desk.talk.lock().change(&place.0.to_string(), &place.1.to_string(), |line| {
        line.status = Some("deleted".to_owned());
        line.buttons.clear();
    });
    Ok(json!(true).into())
}

/// Puts an emoji under a message; an empty list takes it back.
pub(super) fn react(emulator: &Telegram, params: &Params) -> Result<Done, Refusal> {
    let (place, _) = target(emulator, params, "message to react not found")?;
    let list = params.json("reaction").unwrap_or_else(|| json!([]));
    let list = list.as_array().ok_or_else(|| Refusal::bad("can't parse reaction list JSON object"))?;
    let emoji = match list.as_slice() {
        [] => None,
        [one] => {
            let told = one.get("emoji").and_then(Value::as_str).map(|emoji| emoji.replace('\u{fe0f}', ""));
            let known = told.filter(|emoji| REACTIONS.split_whitespace().any(|known| known == emoji));
            Some(known.ok_or_else(|| Refusal::bad("REACTION_INVALID"))?)
        }
        _ => return Err(Refusal::bad("REACTIONS_TOO_MANY")),
    };
    emulator.0.desk.talk.lock().change(&place.0.to_string(), &place.1.to_string(), |line| line.reaction = emoji);
    Ok(json!(true).into())
}
