//! Updates: what a contact does becomes a webhook, with a rising `update_id` and the secret in its header.

use bytes::Bytes;
use serde_json::{Map, Value, json};

use super::Telegram;
use super::entities::units;
use super::send::told;
use crate::hook::{Parcel, Undelivered};
use crate::talk::{By, Line, unix_ms};

/// A file that a contact sends.
#[derive(Debug, Clone)]
pub struct Share {
    /// `photo`, `video`, `document`, `audio` or `voice`.
    pub kind: &'static str,
    /// Its name.
    pub file_name: String,
    /// Its media type.
    pub mime: String,
    /// What it holds.
    pub bytes: Bytes,
    /// The words below it.
    pub caption: Option<String>,
}

/// Kinds that come only when they were asked for by name.
const ASKED_FOR: [&str; 2] = ["message_reaction", "chat_member"];

impl Telegram {
    /// A contact who started the bot earlier: no update.
    pub fn start_bot(&self, from: &str, name: &str) -> Result<(), Undelivered> {
        self.meet(from, name).map(|_| ())
    }

    /// A contact writes. A word that begins with a slash is a command. Returns the message's id and the host's HTTP status,
    /// or [`crate::HELD`].
    pub async fn say(&self, from: &str, name: &str, text: &str) -> Result<(String, u16), Undelivered> {
        if !(1..=4096).contains(&units(text)) {
            return Err(Undelivered::Invalid("a message has 1 to 4096 characters".to_owned()));
        }
        let mut fields = Map::from_iter([("text".to_owned(), json!(text))]);
        let word = text.split_whitespace().next().unwrap_or_default();
        if word.len() > 1 && text.starts_with('/') {
            let entity = json!({ "type": "bot_command", "offset": 0, "length": units(word) });
            fields.insert("entities".to_owned(), json!([entity]));
        }
        self.write(from, name, fields, |id| Line::new(By::Contact, from, "text", text, id)).await
    }

    /// A contact sends a command: `/command args`.
    pub async fn command(&self, from: &str, name: &str, command: &str, args: &str) -> Result<(String, u16), Undelivered> {
        self.say(from, name, format!("/{command} {args}").trim_end()).await
    }

    /// A contact sends a file.
    pub async fn share(&self, from: &str, name: &str, share: Share) -> Result<(String, u16), Undelivered> {
        let shown = match share.kind {
            "photo" => "image",
            "document" => "file",
            other => other,
        };
        let id = self.0.bot.lock().keep(&format!("{}s", share.kind), &share.file_name, &share.mime, share.bytes.clone());
        let file_name = Some(share.file_name.as_str()).filter(|_| share.kind != "voice");
        let mut file = told(share.kind, &id, &share.mime, file_name);
        if let Some(file) = file.as_object_mut() {
            file.insert("file_size".to_owned(), json!(share.bytes.len()));
        }
        let caption = share.caption.unwrap_or_default();
        let mut fields = Map::from_iter([(share.kind.to_owned(), file)]);
        if !caption.is_empty() {
            fields.insert("caption".to_owned(), json!(caption));
        }
        self.write(from, name, fields, |message| {
            let mut line = Line::new(By::Contact, from, shown, &caption, message);
            line.media = Some(id);
            line
        })
        .await
    }

    /// A contact presses a button of one of our messages. Returns the id of the callback query; for a button that says its
    /// own words, the id of that message.
    pub async fn press(&self, from: &str, message: &str, payload: &str) -> Result<(String, u16), Undelivered> {
        let (chat, id) = place(from, message)?;
        let missing = || Undelivered::Unknown(format!("no message {message} of ours to {from}"));
        let original = self.0.bot.lock().messages.get(&(chat, id)).cloned().ok_or_else(missing)?;
        let title = {
            let talk = self.0.desk.talk.lock();
            let line = talk.find(from, message).filter(|line| line.by == By::Business).ok_or_else(missing)?;
            let button = line.buttons.iter().find(|b| b.url.is_none() && b.payload == payload);
            button.ok_or_else(|| Undelivered::Unknown(format!("message {message} has no such button")))?.title.clone()
        };
        if original.get("reply_markup").is_none() {
            return self.say(from, "", &title).await;
        }
        let query = {
            let mut bot = self.0.bot.lock();
            let query = format!("{}{:06}", chat.unsigned_abs(), bot.queries.len() + 1);
            bot.queries.insert(query.clone(), false);
            query
        };
        let mut line = Line::new(By::Contact, from, "press", &title, &format!("press-{query}"));
        line.reply_to = Some(message.to_owned());
        self.0.desk.talk.lock().add(line);
        let body = json!({
            "id": query, "from": self.user(chat), "message": original, "chat_instance": format!("-{chat}1828607"), "data": payload,
        });
        Ok((query, self.update("callback_query", body).await?))
    }

    /// A contact changes the words of their own message.
    pub async fn edit(&self, from: &str, message: &str, text: &str) -> Result<u16, Undelivered> {
        let (chat, id) = place(from, message)?;
        let changed = {
            let mut bot = self.0.bot.lock();
            let known = bot.messages.get_mut(&(chat, id)).filter(|m| m.pointer("/from/is_bot") == Some(&json!(false)));
            let fields = known.and_then(Value::as_object_mut);
            let fields = fields.ok_or_else(|| Undelivered::Unknown(format!("no message {message} of {from}")))?;
            fields.insert("text".to_owned(), json!(text));
            fields.insert("edit_date".to_owned(), json!(unix_ms() / 1000));
            Value::Object(fields.clone())
        };
        self.0.desk.talk.lock().change(from, message, |line| {
            text.clone_into(&mut line.text);
            line.edited = true;
        });
        self.update("edited_message", changed).await
    }

    /// A contact blocks the bot, or takes that back.
    pub async fn block(&self, from: &str, blocked: bool) -> Result<u16, Undelivered> {
        let chat = self.meet(from, "")?;
        let member = |status: &str| {
            let until = (status == "kicked").then(|| ("until_date".to_owned(), json!(0)));
            let mut member = Map::from_iter([("user".to_owned(), self.bot_user()), ("status".to_owned(), json!(status))]);
            member.extend(until);
            Value::Object(member)
        };
        let (old, new) = if blocked { ("member", "kicked") } else { ("kicked", "member") };
        {
            let mut bot = self.0.bot.lock();
            if blocked {
                bot.blocked.insert(chat)
            } else {
                bot.blocked.remove(&chat)
            };
        }
        let body = json!({
            "chat": self.chat(chat), "from": self.user(chat), "date": unix_ms() / 1000,
            "old_chat_member": member(old), "new_chat_member": member(new),
        });
        self.update("my_chat_member", body).await
    }

    /// A contact puts an emoji under a message, or takes it back. It leaves only when `message_reaction` was asked for.
    pub async fn react(&self, from: &str, message: &str, emoji: Option<&str>) -> Result<u16, Undelivered> {
        let (chat, id) = place(from, message)?;
        let list = |emoji: Option<&str>| -> Vec<Value> {
            emoji.map(|emoji| json!({ "type": "emoji", "emoji": emoji })).into_iter().collect()
        };
        let old = {
            let mut bot = self.0.bot.lock();
            if !bot.messages.contains_key(&(chat, id)) {
                return Err(Undelivered::Unknown(format!("no message {message} in the chat of {from}")));
            }
            match emoji {
                Some(emoji) => bot.reactions.insert((chat, id), emoji.to_owned()),
                None => bot.reactions.remove(&(chat, id)),
            }
        };
        self.0.desk.talk.lock().change(from, message, |line| line.reaction = emoji.map(str::to_owned));
        let body = json!({
            "chat": self.chat(chat), "message_id": id, "user": self.user(chat), "date": unix_ms() / 1000,
            "old_reaction": list(old.as_deref()), "new_reaction": list(emoji),
        });
        self.update("message_reaction", body).await
    }

    /// Delivers a body, with the right secret unless another is given; such a one leaves at once and once. Returns the
    /// host's HTTP status, or [`crate::HELD`].
    pub async fn deliver(&self, body: Bytes, secret: Option<&str>) -> Result<u16, Undelivered> {
        let right = self.0.bot.lock().secret.clone();
        let told = secret.map(str::to_owned).or(right);
        let headers = told.map(|told| ("x-telegram-bot-api-secret-token", told)).into_iter().collect();
        let parcel = Parcel { lane: String::new(), headers, body };
        match secret {
            None => self.0.desk.hooks.send(parcel).await,
            Some(_) => self.0.desk.hooks.send_raw(parcel).await,
        }
    }

    /// Makes a contact known, and their chat open. Their id is an integer, as text.
    fn meet(&self, from: &str, name: &str) -> Result<i64, Undelivered> {
        let chat = integer(from)?;
        self.0.desk.talk.lock().meet(from, name);
        self.0.bot.lock().started.insert(chat);
        Ok(chat)
    }

    /// A message of a contact, with what it holds.
    async fn write(
        &self,
        from: &str,
        name: &str,
        fields: Map<String, Value>,
        line: impl FnOnce(&str) -> Line,
    ) -> Result<(String, u16), Undelivered> {
        let chat = self.meet(from, name)?;
        if self.0.bot.lock().blocked.contains(&chat) {
            return Err(Undelivered::Invalid(format!("{from} has blocked the bot: unblock it first")));
        }
        let (user, place) = (self.user(chat), self.chat(chat));
        let (id, message) = {
            let mut bot = self.0.bot.lock();
            let id = bot.next_message(chat);
            let mut message = Map::from_iter([
                ("message_id".to_owned(), json!(id)),
                ("from".to_owned(), user),
                ("chat".to_owned(), place),
                ("date".to_owned(), json!(unix_ms() / 1000)),
            ]);
            message.extend(fields);
            let message = Value::Object(message);
            bot.messages.insert((chat, id), message.clone());
            (id.to_string(), message)
        };
        self.0.desk.talk.lock().add(line(&id));
        Ok((id, self.update("message", message).await?))
    }

    /// Sends an update of this kind, if such were asked for.
    async fn update(&self, kind: &'static str, content: Value) -> Result<u16, Undelivered> {
        let number = {
            let mut bot = self.0.bot.lock();
            let wanted = match &bot.allowed {
                Some(allowed) => allowed.iter().any(|asked| asked == kind),
                None => !ASKED_FOR.contains(&kind),
            };
            if !wanted {
                return Err(Undelivered::NotWanted(kind));
            }
            bot.last_update += 1;
            bot.last_update
        };
        let body = Map::from_iter([("update_id".to_owned(), json!(number)), (kind.to_owned(), content)]);
        self.deliver(Bytes::from(Value::Object(body).to_string()), None).await
    }
}

fn integer(text: &str) -> Result<i64, Undelivered> {
    text.parse().map_err(|_| Undelivered::Invalid(format!("{text:?} is no id of Telegram: it is an integer")))
}

/// A chat and a message in it.
fn place(from: &str, message: &str) -> Result<(i64, i64), Undelivered> {
    Ok((integer(from)?, integer(message)?))
}
