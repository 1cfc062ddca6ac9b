//! The bot's own matters: who it is, its webhook, its commands, its chats and files, the presses that it must answer.

use serde_json::{Value, json};

use super::Telegram;
use super::api::{Done, Refusal};
use super::body::Params;
use super::entities::units;
use super::send::open_chat;

/// Every kind of update that can be asked for.
const KINDS: [&str; 23] = [
    "message",
    "edited_message",
    "channel_post",
    "edited_channel_post",
    "business_connection",
    "business_message",
    "edited_business_message",
    "deleted_business_messages",
    "message_reaction",
    "message_reaction_count",
    "inline_query",
    "chosen_inline_result",
    "callback_query",
    "shipping_query",
    "pre_checkout_query",
    "purchased_paid_media",
    "poll",
    "poll_answer",
    "my_chat_member",
    "chat_member",
    "chat_join_request",
    "chat_boost",
    "removed_chat_boost",
];

const ACTIONS: [&str; 11] = [
    "typing",
    "upload_photo",
    "record_video",
    "upload_video",
    "record_voice",
    "upload_voice",
    "upload_document",
    "choose_sticker",
    "find_location",
    "record_video_note",
    "upload_video_note",
];

pub(super) fn me(emulator: &Telegram) -> Value {
    let mut me = emulator.bot_user();
    if let Some(me) = me.as_object_mut() {
        me.insert("can_join_groups".to_owned(), json!(true));
        me.insert("can_read_all_group_messages".to_owned(), json!(false));
        me.insert("supports_inline_queries".to_owned(), json!(false));
    }
    me
}

fn flag(params: &Params, field: &str) -> bool {
    params.fields.get(field).is_some_and(|told| *told == json!(true) || *told == json!("true"))
}

fn said(result: bool, description: &'static str) -> Done {
    Done { result: json!(result), description: Some(description) }
}

pub(super) fn set_webhook(emulator: &Telegram, params: &Params) -> Result<Done, Refusal> {
    let url = params.text("url").unwrap_or_default();
    if url.is_empty() {
        return Ok(delete_webhook(emulator, params));
    }
    let parsed: Option<hyper::Uri> = url.parse().ok();
    let whole =
        parsed.is_some_and(|u| matches!(u.scheme_str(), Some("http" | "https")) && u.host().is_some_and(|h| !h.is_empty()));
    if !whole {
        return Err(Refusal::bad("bad webhook: An HTTPS URL must be provided for webhook"));
    }
    let secret = params.text("secret_token").map(str::to_owned);
    if let Some(secret) = &secret {
        if secret.len() > 256 {
            return Err(Refusal::bad("secret token is too long"));
        }
        if secret.is_empty() || !secret.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-') {
            return Err(Refusal::bad("secret token contains unallowed characters"));
        }
    }
    let allowed = match params.json("allowed_updates") {
        None => None,
        Some(Value::Array(list)) => {
            let kinds: Vec<String> = list.iter().filter_map(|k| k.as_str().map(str::to_owned)).collect();
            if kinds.len() < list.len() || !kinds.iter().all(|kind| KINDS.contains(&kind.as_str())) {
                return Err(Refusal::bad("can't parse allowed updates: an unknown kind of update is named"));
            }
            Some(kinds)
        }
        Some(_) => return Err(Refusal::bad("can't parse allowed updates: an Array of String is expected")),
    };
    let connections = params.number("max_connections").unwrap_or(40);
    if !(1..=100).contains(&connections) {
        return Err(Refusal::bad("max_connections must be from 1 to 100"));
    }
    let hooks = &emulator.0.desk.hooks;
    if flag(params, "drop_pending_updates") {
        hooks.drop_waiting();
    }
    let known = hooks.told().as_deref() == Some(url);
    let same = {
        let mut bot = emulator.0.bot.lock();
        let same = known && bot.secret == secret && allowed.as_ref().is_none_or(|a| bot.allowed.as_ref() == Some(a));
        bot.secret = secret;
        bot.max_connections = connections;
        // Without the field, what was asked for last stays; an empty list means the default.
        if let Some(allowed) = allowed {
            bot.allowed = Some(allowed).filter(|a| !a.is_empty());
        }
        same
    };
    hooks.subscribe(Some(url.to_owned()));
    Ok(said(true, if same { "Webhook is already set" } else { "Webhook was set" }))
}

pub(super) fn delete_webhook(emulator: &Telegram, params: &Params) -> Done {
    let hooks = &emulator.0.desk.hooks;
    if flag(params, "drop_pending_updates") {
        hooks.drop_waiting();
    }
    let was = hooks.told().is_some();
    hooks.unsubscribe();
    emulator.0.bot.lock().secret.clone_from(&emulator.0.config.webhook_secret);
    said(true, if was { "Webhook was deleted" } else { "Webhook is already deleted" })
}

pub(super) fn webhook_info(emulator: &Telegram) -> Value {
    let hooks = &emulator.0.desk.hooks;
    let url = hooks.told().unwrap_or_default();
    let mut info = json!({ "url": url, "has_custom_certificate": false, "pending_update_count": hooks.waiting() });
    let bot = emulator.0.bot.lock();
    if let Some(info) = info.as_object_mut().filter(|_| !url.is_empty()) {
        info.insert("max_connections".to_owned(), json!(bot.max_connections));
        info.extend(bot.allowed.as_ref().map(|allowed| ("allowed_updates".to_owned(), json!(allowed))));
        if let Some((at, why)) = hooks.trouble() {
            info.insert("last_error_date".to_owned(), json!(at));
            info.insert("last_error_message".to_owned(), json!(why));
        }
    }
    info
}

pub(super) fn set_commands(emulator: &Telegram, params: &Params) -> Result<Done, Refusal> {
    let list = params.json("commands");
    let Some(list) = list.as_ref().and_then(Value::as_array) else {
        return Err(Refusal::bad("can't parse commands: an Array of BotCommand is expected"));
    };
    if list.len() > 100 {
        return Err(Refusal::bad("BOT_COMMANDS_TOO_MUCH"));
    }
    for command in list {
        let field = |name: &str| command.get(name).and_then(Value::as_str).unwrap_or_default();
        let name = field("command");
        let plain = name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_');
        if !plain || !(1..=32).contains(&name.len()) {
            return Err(Refusal::bad("BOT_COMMAND_INVALID"));
        }
        if !(1..=256).contains(&units(field("description"))) {
            return Err(Refusal::bad("BOT_COMMAND_DESCRIPTION_INVALID"));
        }
    }
    emulator.0.bot.lock().commands.clone_from(list);
    Ok(json!(true).into())
}

pub(super) fn chat(emulator: &Telegram, params: &Params) -> Result<Done, Refusal> {
    let chat = params.number("chat_id").filter(|chat| emulator.0.bot.lock().started.contains(chat));
    let chat = chat.ok_or_else(|| Refusal::bad("chat not found"))?;
    Ok(emulator.chat(chat).into())
}

pub(super) fn file(emulator: &Telegram, params: &Params) -> Result<Done, Refusal> {
    let id = params.text("file_id").ok_or_else(|| Refusal::bad("file_id not specified"))?;
    let bot = emulator.0.bot.lock();
    // The smaller size of a photo is kept as the same file.
    let file = bot.files.get(id).or_else(|| bot.files.get(id.trim_end_matches("-s")));
    let file = file.ok_or_else(|| Refusal::bad("invalid file_id"))?;
    let unique = format!("AQAD{}", id.get(id.len().saturating_sub(6)..).unwrap_or_default());
    Ok(json!({ "file_id": id, "file_unique_id": unique, "file_size": file.bytes.len(), "file_path": file.path }).into())
}

pub(super) fn answer_query(emulator: &Telegram, params: &Params) -> Result<Done, Refusal> {
    if params.text("text").is_some_and(|text| units(text) > 200) {
        return Err(Refusal::bad("MESSAGE_TOO_LONG"));
    }
    let mut bot = emulator.0.bot.lock();
    let query = params.text("callback_query_id").and_then(|id| bot.queries.get_mut(id));
    let query = query.ok_or_else(|| Refusal::bad("query is too old and response timeout expired or query ID is invalid"))?;
    *query = true;
    Ok(json!(true).into())
}

pub(super) fn chat_action(emulator: &Telegram, params: &Params) -> Result<Done, Refusal> {
    open_chat(emulator, params)?;
    match params.text("action") {
        Some(action) if ACTIONS.contains(&action) => Ok(json!(true).into()),
        _ => Err(Refusal::bad("wrong parameter action in request")),
    }
}
