//! The webhook as it stands on the wire. Text is borrowed from the body; nothing here fails because of a field that is not
//! known, and what is known but has another shape than it should spoils its own item alone ([`Item`]).

use std::borrow::Cow;
use std::fmt;
use std::ops::Deref;

use serde::Deserialize;
use serde::de::{Deserializer, Error, Visitor};
use serde_json::value::RawValue;

/// Text, or a number that should have been text: ids and timestamps come as either.
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

/// One item of a list: its bytes, and what they mean when they have the shape that is known.
#[derive(Debug)]
pub(crate) struct Item<'a, T> {
    pub(crate) raw: &'a str,
    pub(crate) value: Option<T>,
}

impl<'de: 'a, 'a, T: Deserialize<'de>> Deserialize<'de> for Item<'a, T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let raw = <&'de RawValue>::deserialize(deserializer)?.get();
        Ok(Self { raw, value: serde_json::from_str(raw).ok() })
    }
}

/// A list that may be absent or null.
pub(crate) type List<T> = Option<Vec<T>>;

#[derive(Debug, Deserialize)]
pub(crate) struct Envelope<'a> {
    #[serde(borrow)]
    pub(crate) object: Option<Text<'a>>,
    #[serde(borrow)]
    pub(crate) entry: List<Entry<'a>>,
}

#[derive(Debug, Deserialize)]
pub(crate) struct Entry<'a> {
    #[serde(borrow)]
    pub(crate) id: Option<Text<'a>>,
    #[serde(borrow)]
    pub(crate) time: Option<Text<'a>>,
    #[serde(borrow)]
    pub(crate) changes: List<Change<'a>>,
}

#[derive(Debug, Deserialize)]
pub(crate) struct Change<'a> {
    #[serde(borrow)]
    pub(crate) field: Option<Text<'a>>,
    #[serde(borrow)]
    pub(crate) value: Option<&'a RawValue>,
}

/// The value of the fields that carry people's messages.
#[derive(Debug, Deserialize)]
pub(crate) struct Value<'a> {
    #[serde(borrow)]
    pub(crate) metadata: Option<Metadata<'a>>,
    #[serde(borrow)]
    pub(crate) contacts: List<Item<'a, Contact<'a>>>,
    #[serde(borrow)]
    pub(crate) messages: List<Item<'a, Message<'a>>>,
    #[serde(borrow)]
    pub(crate) message_echoes: List<Item<'a, Message<'a>>>,
    #[serde(borrow)]
    pub(crate) statuses: List<Item<'a, Status<'a>>>,
    #[serde(borrow)]
    pub(crate) user_preferences: List<Item<'a, Preference<'a>>>,
    #[serde(borrow)]
    pub(crate) errors: List<Item<'a, ErrorInfo<'a>>>,
}

#[derive(Debug, Deserialize)]
pub(crate) struct Metadata<'a> {
    #[serde(borrow)]
    pub(crate) phone_number_id: Option<Text<'a>>,
}

/// Who wrote; not to be mixed up with a [`Card`], which somebody shared.
#[derive(Debug, Deserialize)]
pub(crate) struct Contact<'a> {
    #[serde(borrow)]
    pub(crate) profile: Option<Profile<'a>>,
    #[serde(borrow)]
    pub(crate) wa_id: Option<Text<'a>>,
    #[serde(borrow)]
    pub(crate) user_id: Option<Text<'a>>,
}

#[derive(Debug, Deserialize)]
pub(crate) struct Profile<'a> {
    #[serde(borrow)]
    pub(crate) name: Option<Text<'a>>,
    #[serde(borrow)]
    pub(crate) username: Option<Text<'a>>,
}

#[derive(Debug, Deserialize)]
pub(crate) struct Message<'a> {
    #[serde(borrow)]
    pub(crate) id: Option<Text<'a>>,
    #[serde(borrow)]
    pub(crate) from: Option<Text<'a>>,
    #[serde(borrow)]
    pub(crate) from_user_id: Option<Text<'a>>,
    #[serde(borrow)]
    pub(crate) to: Option<Text<'a>>,
    #[serde(borrow)]
    pub(crate) to_user_id: Option<Text<'a>>,
    #[serde(borrow)]
    pub(crate) group_id: Option<Text<'a>>,
    #[serde(borrow)]
    pub(crate) timestamp: Option<Text<'a>>,
    #[serde(borrow, rename = "type")]
    pub(crate) kind: Option<Text<'a>>,
    #[serde(borrow)]
    pub(crate) context: Option<Context<'a>>,
    #[serde(borrow)]
    pub(crate) text: Option<Body<'a>>,
    #[serde(borrow)]
    pub(crate) image: Option<Media<'a>>,
    #[serde(borrow)]
    pub(crate) video: Option<Media<'a>>,
    #[serde(borrow)]
    pub(crate) audio: Option<Media<'a>>,
    #[serde(borrow)]
    pub(crate) document: Option<Media<'a>>,
    #[serde(borrow)]
    pub(crate) sticker: Option<Media<'a>>,
    #[serde(borrow)]
    pub(crate) location: Option<Location<'a>>,
    #[serde(borrow)]
    pub(crate) contacts: List<Card<'a>>,
    #[serde(borrow)]
    pub(crate) reaction: Option<Reaction<'a>>,
    #[serde(borrow)]
    pub(crate) button: Option<Button<'a>>,
    #[serde(borrow)]
    pub(crate) interactive: Option<Interactive<'a>>,
    #[serde(borrow)]
    pub(crate) system: Option<System<'a>>,
    #[serde(borrow)]
    pub(crate) edit: Option<Edit<'a>>,
    #[serde(borrow)]
    pub(crate) revoke: Option<Revoke<'a>>,
    #[serde(borrow)]
    pub(crate) order: Option<&'a RawValue>,
    #[serde(borrow)]
    pub(crate) referral: Option<&'a RawValue>,
    #[serde(borrow)]
    pub(crate) errors: Option<&'a RawValue>,
}

#[derive(Debug, Deserialize)]
pub(crate) struct Context<'a> {
    #[serde(borrow)]
    pub(crate) id: Option<Text<'a>>,
    pub(crate) forwarded: Option<bool>,
    pub(crate) frequently_forwarded: Option<bool>,
}

#[derive(Debug, Deserialize)]
pub(crate) struct Body<'a> {
    #[serde(borrow)]
    pub(crate) body: Option<Text<'a>>,
}

#[derive(Debug, Deserialize)]
pub(crate) struct Media<'a> {
    #[serde(borrow)]
    pub(crate) id: Option<Text<'a>>,
    #[serde(borrow)]
    pub(crate) mime_type: Option<Text<'a>>,
    #[serde(borrow)]
    pub(crate) sha256: Option<Text<'a>>,
    #[serde(borrow)]
    pub(crate) caption: Option<Text<'a>>,
    #[serde(borrow)]
    pub(crate) filename: Option<Text<'a>>,
    pub(crate) voice: Option<bool>,
    pub(crate) animated: Option<bool>,
}

#[derive(Debug, Deserialize)]
pub(crate) struct Location<'a> {
    pub(crate) latitude: Option<f64>,
    pub(crate) longitude: Option<f64>,
    #[serde(borrow)]
    pub(crate) name: Option<Text<'a>>,
    #[serde(borrow)]
    pub(crate) address: Option<Text<'a>>,
    #[serde(borrow)]
    pub(crate) url: Option<Text<'a>>,
}

/// A card that was shared.
#[derive(Debug, Deserialize)]
pub(crate) struct Card<'a> {
    #[serde(borrow)]
    pub(crate) name: Option<CardName<'a>>,
    #[serde(borrow)]
    pub(crate) phones: List<CardPhone<'a>>,
    #[serde(borrow)]
    pub(crate) emails: List<CardEmail<'a>>,
}

#[derive(Debug, Deserialize)]
pub(crate) struct CardName<'a> {
    #[serde(borrow)]
    pub(crate) formatted_name: Option<Text<'a>>,
    #[serde(borrow)]
    pub(crate) first_name: Option<Text<'a>>,
}

#[derive(Debug, Deserialize)]
pub(crate) struct CardPhone<'a> {
    #[serde(borrow)]
    pub(crate) phone: Option<Text<'a>>,
}

#[derive(Debug, Deserialize)]
pub(crate) struct CardEmail<'a> {
    #[serde(borrow)]
    pub(crate) email: Option<Text<'a>>,
}

#[derive(Debug, Deserialize)]
pub(crate) struct Reaction<'a> {
    #[serde(borrow)]
    pub(crate) message_id: Option<Text<'a>>,
    #[serde(borrow)]
    pub(crate) emoji: Option<Text<'a>>,
}

/// The quick reply of a template.
#[derive(Debug, Deserialize)]
pub(crate) struct Button<'a> {
    #[serde(borrow)]
    pub(crate) payload: Option<Text<'a>>,
    #[serde(borrow)]
    pub(crate) text: Option<Text<'a>>,
}

#[derive(Debug, Deserialize)]
pub(crate) struct Interactive<'a> {
    #[serde(borrow)]
    pub(crate) button_reply: Option<Pick<'a>>,
    #[serde(borrow)]
    pub(crate) list_reply: Option<Pick<'a>>,
    #[serde(borrow)]
    pub(crate) nfm_reply: Option<Form<'a>>,
}

#[derive(Debug, Deserialize)]
pub(crate) struct Pick<'a> {
    #[serde(borrow)]
    pub(crate) id: Option<Text<'a>>,
    #[serde(borrow)]
    pub(crate) title: Option<Text<'a>>,
    #[serde(borrow)]
    pub(crate) description: Option<Text<'a>>,
}

/// A filled-in form (a "flow").
#[derive(Debug, Deserialize)]
pub(crate) struct Form<'a> {
    #[serde(borrow)]
    pub(crate) response_json: Option<Text<'a>>,
    #[serde(borrow)]
    pub(crate) body: Option<Text<'a>>,
    #[serde(borrow)]
    pub(crate) name: Option<Text<'a>>,
}

#[derive(Debug, Deserialize)]
pub(crate) struct System<'a> {
    #[serde(borrow)]
    pub(crate) body: Option<Text<'a>>,
    #[serde(borrow, rename = "type")]
    pub(crate) kind: Option<Text<'a>>,
    #[serde(borrow)]
    pub(crate) wa_id: Option<Text<'a>>,
    #[serde(borrow)]
    pub(crate) new_wa_id: Option<Text<'a>>,
}

#[derive(Debug, Deserialize)]
pub(crate) struct Edit<'a> {
    #[serde(borrow)]
    pub(crate) original_message_id: Option<Text<'a>>,
    #[serde(borrow)]
    pub(crate) message: Option<Box<Message<'a>>>,
}

#[derive(Debug, Deserialize)]
pub(crate) struct Revoke<'a> {
    #[serde(borrow)]
    pub(crate) original_message_id: Option<Text<'a>>,
}

#[derive(Debug, Deserialize)]
pub(crate) struct Status<'a> {
    #[serde(borrow)]
    pub(crate) id: Option<Text<'a>>,
    #[serde(borrow)]
    pub(crate) status: Option<Text<'a>>,
    #[serde(borrow)]
    pub(crate) timestamp: Option<Text<'a>>,
    #[serde(borrow)]
    pub(crate) recipient_id: Option<Text<'a>>,
    #[serde(borrow)]
    pub(crate) recipient_user_id: Option<Text<'a>>,
    #[serde(borrow)]
    pub(crate) biz_opaque_callback_data: Option<Text<'a>>,
    #[serde(borrow)]
    pub(crate) errors: List<Item<'a, ErrorInfo<'a>>>,
}

#[derive(Debug, Deserialize)]
pub(crate) struct ErrorInfo<'a> {
    pub(crate) code: Option<i64>,
    #[serde(borrow)]
    pub(crate) title: Option<Text<'a>>,
    #[serde(borrow)]
    pub(crate) error_data: Option<ErrorData<'a>>,
}

#[derive(Debug, Deserialize)]
pub(crate) struct ErrorData<'a> {
    #[serde(borrow)]
    pub(crate) details: Option<Text<'a>>,
}

#[derive(Debug, Deserialize)]
pub(crate) struct Preference<'a> {
    #[serde(borrow)]
    pub(crate) wa_id: Option<Text<'a>>,
    #[serde(borrow)]
    pub(crate) user_id: Option<Text<'a>>,
    #[serde(borrow)]
    pub(crate) category: Option<Text<'a>>,
    #[serde(borrow)]
    pub(crate) value: Option<Text<'a>>,
    #[serde(borrow)]
    pub(crate) detail: Option<Text<'a>>,
    #[serde(borrow)]
    pub(crate) timestamp: Option<Text<'a>>,
}
