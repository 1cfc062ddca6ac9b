//! The update as it stands on the wire. Text is borrowed from the body. Samples differ from the reference in small things (a flag
//! that is 1, coordinates that are text), so every field is read leniently and by itself ([`Lax`]): one that has another shape
//! than it should is absent, and spoils nothing beside it. No type here contains itself, so depth is bounded.

use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;
use std::ops::Deref;

use serde::Deserialize;
use serde::de::{Deserializer, Error, Visitor};
use serde_json::value::RawValue;

/// A field that is there and has the shape that it should have.
#[derive(Debug, Clone)]
pub(crate) struct Lax<T>(pub(crate) Option<T>);

impl<T> Default for Lax<T> {
    fn default() -> Self {
        Self(None)
    }
}

impl<T> Deref for Lax<T> {
    type Target = Option<T>;

    fn deref(&self) -> &Option<T> {
        &self.0
    }
}

impl<'b, T> IntoIterator for &'b Lax<T> {
    type Item = &'b T;
    type IntoIter = std::option::Iter<'b, T>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.iter()
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Lax<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let raw = <&'de RawValue>::deserialize(deserializer)?.get();
        Ok(Self(serde_json::from_str(raw).ok()))
    }
}

/// Text, or a whole number: ids come as numbers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Text<'a>(Cow<'a, str>);

impl Deref for Text<'_> {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Text<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Reader;
        impl<'de> Visitor<'de> for Reader {
            type Value = Text<'de>;

            fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
                f.write_str("text or a whole number")
            }
            fn visit_borrowed_str<E: Error>(self, text: &'de str) -> Result<Self::Value, E> {
                Ok(Text(Cow::Borrowed(text)))
            }
            fn visit_str<E: Error>(self, text: &str) -> Result<Self::Value, E> {
                Ok(Text(Cow::Owned(text.to_owned())))
            }
            fn visit_u64<E: Error>(self, number: u64) -> Result<Self::Value, E> {
                Ok(Text(Cow::Owned(number.to_string())))
            }
            fn visit_i64<E: Error>(self, number: i64) -> Result<Self::Value, E> {
                Ok(Text(Cow::Owned(number.to_string())))
            }
        }
        deserializer.deserialize_any(Reader)
    }
}

/// A number, also as text.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Number(pub(crate) f64);

impl<'de> Deserialize<'de> for Number {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Either {
            Number(f64),
            Text(String),
        }
        let number = match Either::deserialize(deserializer)? {
            Either::Number(number) => Some(number),
            Either::Text(text) => text.trim().parse().ok(),
        };
        number.filter(|n: &f64| n.is_finite()).map(Self).ok_or_else(|| D::Error::custom("no number"))
    }
}

/// True, or a number that is not 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Flag(pub(crate) bool);

impl<'de> Deserialize<'de> for Flag {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Either {
            Flag(bool),
            Number(i64),
        }
        Ok(Self(match Either::deserialize(deserializer)? {
            Either::Flag(flag) => flag,
            Either::Number(number) => number != 0,
        }))
    }
}

/// Structs of lenient fields.
macro_rules! wire {
    ($($(#[$doc:meta])* $name:ident { $($(#[$attribute:meta])* $field:ident: $type:ty),* $(,)? })*) => { $(
        $(#[$doc])*
        #[derive(Debug, Default, Deserialize)]
        #[serde(default, bound(deserialize = "'de: 'a"))]
        pub(crate) struct $name<'a> {
            $($(#[$attribute])* pub(crate) $field: Lax<$type>,)*
            #[serde(skip)]
            life: PhantomData<&'a ()>,
        }
    )* };
}

wire! {
    User { id: Text<'a>, is_bot: Flag, first_name: Text<'a>, last_name: Text<'a>, username: Text<'a>, language_code: Text<'a> }

    Chat {
        id: Text<'a>, #[serde(rename = "type")] kind: Text<'a>, title: Text<'a>, username: Text<'a>, first_name: Text<'a>,
        last_name: Text<'a>,
    }

    Message {
        message_id: Text<'a>, from: User<'a>, sender_chat: Chat<'a>, chat: Chat<'a>, date: i64, edit_date: i64,
        message_thread_id: i64, is_topic_message: Flag, is_automatic_forward: Flag, business_connection_id: Text<'a>,
        sender_business_bot: User<'a>, forward_origin: &'a RawValue, forward_date: i64, media_group_id: Text<'a>,
        reply_to_message: Target<'a>, quote: Quote<'a>, via_bot: User<'a>,
        text: Text<'a>, entities: Vec<Lax<Entity<'a>>>, caption: Text<'a>, caption_entities: Vec<Lax<Entity<'a>>>,
        photo: Vec<Lax<File<'a>>>, video: File<'a>, video_note: File<'a>, animation: File<'a>, voice: File<'a>, audio: File<'a>,
        document: File<'a>, sticker: File<'a>, location: Location<'a>, venue: Venue<'a>, contact: Contact<'a>, poll: Poll<'a>,
        dice: Dice<'a>, web_app_data: WebAppData<'a>, successful_payment: Payment<'a>, migrate_to_chat_id: Text<'a>,
        migrate_from_chat_id: Text<'a>, reply_markup: Markup<'a>,
    }

    /// A message that another one names: only what says which.
    Target { message_id: Text<'a> }

    Quote { text: Text<'a> }

    /// `offset` and `length` are counted in UTF-16 units.
    Entity {
        #[serde(rename = "type")] kind: Text<'a>, offset: usize, length: usize, url: Text<'a>, user: User<'a>,
    }

    /// A file of any kind, or one size of a picture.
    File {
        file_id: Text<'a>, file_name: Text<'a>, mime_type: Text<'a>, file_size: u64, width: u64, height: u64, duration: u64,
        title: Text<'a>, performer: Text<'a>, emoji: Text<'a>, set_name: Text<'a>, is_animated: Flag, is_video: Flag,
    }

    Location { latitude: Number, longitude: Number, live_period: i64 }

    Venue { location: Location<'a>, title: Text<'a>, address: Text<'a> }

    Contact { phone_number: Text<'a>, first_name: Text<'a>, last_name: Text<'a>, user_id: Text<'a>, vcard: Text<'a> }

    Poll { id: Text<'a>, question: Text<'a>, options: Vec<Lax<PollOption<'a>>> }

    PollOption { text: Text<'a> }

    Dice { emoji: Text<'a>, value: i64 }

    /// What a page inside of the chat sent.
    WebAppData { data: Text<'a>, button_text: Text<'a> }

    /// `total_amount` is counted in the smallest units of the currency.
    Payment {
        currency: Text<'a>, total_amount: i64, invoice_payload: Text<'a>, telegram_payment_charge_id: Text<'a>,
        provider_payment_charge_id: Text<'a>,
    }

    Markup { inline_keyboard: Vec<Vec<Lax<Button<'a>>>> }

    Button { text: Text<'a>, callback_data: Text<'a> }

    Callback {
        id: Text<'a>, from: User<'a>, message: Message<'a>, inline_message_id: Text<'a>, data: Text<'a>,
        game_short_name: Text<'a>,
    }

    Reactions {
        chat: Chat<'a>, message_id: Text<'a>, user: User<'a>, actor_chat: Chat<'a>, date: i64,
        old_reaction: Vec<Lax<Reaction<'a>>>, new_reaction: Vec<Lax<Reaction<'a>>>,
    }

    Reaction { #[serde(rename = "type")] kind: Text<'a>, emoji: Text<'a>, custom_emoji_id: Text<'a> }

    /// What became of the bot's own place in a chat.
    Membership { chat: Chat<'a>, from: User<'a>, date: i64, old_chat_member: Member<'a>, new_chat_member: Member<'a> }

    Member { status: Text<'a> }

    /// A person's account for which the bot may speak.
    Connection { id: Text<'a>, user: User<'a>, user_chat_id: Text<'a>, date: i64, is_enabled: Flag }

    Deleted { business_connection_id: Text<'a>, chat: Chat<'a>, message_ids: Vec<Lax<Text<'a>>> }
}
