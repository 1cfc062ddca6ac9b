//! The name of a conversation: the chat, with the topic of a forum or the business account on whose behalf the bot speaks where
//! there is one. `427770117`, `-100123/77` (a topic), `427770117@CONNECTION` (a business account).
//!
//! Both must be in the name: an answer without them would go to another place of the same chat, or come from another sender.

use pointsman_sdk::prelude::*;
use serde_json::Map;

/// Where a message comes from or goes to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Address {
    /// The id of the chat, or `@name` of a public channel.
    pub(crate) chat: String,
    /// `message_thread_id` of a topic.
    pub(crate) topic: Option<i64>,
    /// `business_connection_id`.
    pub(crate) business: Option<String>,
}

impl Address {
    /// As the conversation's thread.
    pub(crate) fn thread(&self) -> String {
        let topic = self.topic.map(|t| format!("/{t}")).unwrap_or_default();
        let business = self.business.as_ref().map(|b| format!("@{b}")).unwrap_or_default();
        format!("{}{topic}{business}", self.chat)
    }

    /// Back from a thread.
    pub(crate) fn of(thread: &str) -> Result<Self, Failure> {
        let wrong = || Failure::malformed("thread", "the conversation is not named by the id of a Telegram chat");
        // The name of a public channel begins with the sign that stands before a connection.
        let split_at = thread.char_indices().skip(1).find(|(_, c)| *c == '@').map_or(thread.len(), |(at, _)| at);
        let (chat, business) = thread.split_at_checked(split_at).ok_or_else(wrong)?;
        let business = business.strip_prefix('@').map(Into::into);
        let (chat, topic) = match chat.split_once('/') {
            Some((chat, topic)) => (chat, Some(topic.parse().map_err(|_| wrong())?)),
            None => (chat, None),
        };
        let named = chat.strip_prefix('@').is_some_and(|n| !n.is_empty());
        if chat.parse::<i64>().is_err() && !named {
            return Err(wrong());
        }
        Ok(Self { chat: chat.into(), topic, business })
    }

    /// The chat as the API takes it: ids are numbers.
    pub(crate) fn chat_id(&self) -> Value {
        self.chat.parse::<i64>().map_or_else(|_| json!(self.chat), |id| json!(id))
    }

    /// The fields of a request to this place.
    pub(crate) fn fields(&self) -> Map<String, Value> {
        let mut out = Map::new();
        out.insert("chat_id".into(), self.chat_id());
        out.extend(self.topic.map(|t| ("message_thread_id".into(), json!(t))));
        out.extend(self.business.as_ref().map(|b| ("business_connection_id".into(), json!(b))));
        out
    }
}

#[cfg(test)]
mod tests {
    use super::Address;
    use serde_json::{Value, json};

    #[test]
    fn threads_name_chat_topic_and_business() {
        for (thread, fields) in [
            ("427770117", json!({ "chat_id": 427_770_117 })),
            ("-1001234567890", json!({ "chat_id": -1_001_234_567_890_i64 })),
            ("-100/77", json!({ "chat_id": -100, "message_thread_id": 77 })),
            ("5@abc-D_1", json!({ "chat_id": 5, "business_connection_id": "abc-D_1" })),
            ("5/6@b", json!({ "chat_id": 5, "message_thread_id": 6, "business_connection_id": "b" })),
            ("@shop_news", json!({ "chat_id": "@shop_news" })),
        ] {
            let address = Address::of(thread).unwrap();
            assert_eq!(Value::Object(address.fields()), fields, "{thread}");
            assert_eq!(address.thread(), thread);
        }
        for wrong in ["", "ann", "1/", "1/x", "/1", "@", "99999999999999999999", "1 2"] {
            assert!(Address::of(wrong).is_err(), "{wrong}");
        }
    }
}
