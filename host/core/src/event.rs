//! A normalized fact that came in, whatever the provider. The types mirror the contract (`sdk/wit`, interface `types`);
//! [`v1`] turns one into the flat JSON that workflows, the API and fixtures see.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::clock::Instant;
use crate::failure::PluginFailure;

pub mod v1;

/// Someone on the other side, as one channel knows them.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Person {
    /// The provider's id, as text: ids above 2^53 exist.
    pub id: String,
    /// The name they go by.
    pub name: Option<String>,
    /// The public handle, without a leading @.
    pub username: Option<String>,
    /// BCP 47, as told by the provider.
    pub language: Option<String>,
    /// A bot, a page or our own account: never starts a workflow.
    pub automated: bool,
    /// Attributes that the provider tells. `alt_ids` (a list of text) are further ids of the same person.
    pub extra: Option<Value>,
}

/// What an attachment is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "the words say it")]
pub enum AttachmentKind {
    Image,
    Video,
    Audio,
    Voice,
    File,
    Sticker,
    Location,
    Contact,
    Share,
    Story,
    Link,
    /// Something that the channel plugin does not know.
    Unsupported,
}

/// Where the bytes of an attachment are.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Media {
    /// Not applicable, or not told.
    #[default]
    None,
    /// A public https URL.
    Url(String),
    /// The provider's id.
    Provider(String),
    /// Already with the host.
    Blob(String),
}

/// A file, a place, a card.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Attachment {
    /// What it is.
    pub kind: AttachmentKind,
    /// Where its bytes are.
    pub media: Media,
    /// The media type.
    pub mime_type: Option<String>,
    /// Its file name.
    pub file_name: Option<String>,
    /// Its size in bytes.
    pub size_bytes: Option<u64>,
    /// What the kind has of its own: width, latitude, phones ...
    pub extra: Option<Value>,
}

/// A button or quick reply.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Choice {
    /// What the person reads.
    pub title: String,
    /// What comes back in an interaction.
    pub payload: String,
    /// When given, opens this URL instead.
    pub url: Option<String>,
}

/// What was said, in or out.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Message {
    /// The provider's id; absent in a message that is yet to be sent.
    pub id: Option<String>,
    /// Body or caption; never the empty string.
    pub text: Option<String>,
    /// Files.
    #[serde(default)]
    pub attachments: Vec<Attachment>,
    /// Buttons.
    #[serde(default)]
    pub choices: Vec<Choice>,
    /// The message that this one answers.
    pub reply_to: Option<String>,
    /// What one provider alone has.
    pub extra: Option<Value>,
}

impl Message {
    /// A message of nothing but text.
    pub fn text(text: impl Into<String>) -> Self {
        Self { text: Some(text.into()), ..Self::default() }
    }
}

/// A template approved by the provider.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Template {
    /// Its name with the provider.
    pub name: String,
    /// BCP 47.
    pub language: String,
    /// Values for the placeholders, in order.
    pub parameters: Vec<String>,
    /// Header media, buttons, named parameters ...
    pub extra: Option<Value>,
}

/// An emoji under a message.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reaction {
    /// The message.
    pub target: String,
    /// Absent: taken back.
    pub emoji: Option<String>,
}

/// A button that was pressed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Interaction {
    /// The provider's id of the interaction.
    pub id: Option<String>,
    /// What the button said.
    pub title: Option<String>,
    /// What we put behind it.
    pub payload: String,
    /// The message that carried it.
    pub source: Option<String>,
    /// A callback that wants an answer.
    pub answer: Option<String>,
}

/// How far a message of ours has come. The order is that of [`crate::outbox::SendState`]: never back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "the words say it")]
pub enum Delivery {
    Accepted,
    Sent,
    Delivered,
    Read,
    Failed,
    Deleted,
}

impl Delivery {
    /// The word in JSON.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Accepted => "accepted",
            Self::Sent => "sent",
            Self::Delivered => "delivered",
            Self::Read => "read",
            Self::Failed => "failed",
            Self::Deleted => "deleted",
        }
    }
}

/// News about a message that we sent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Status {
    /// The provider's id of it.
    pub message: String,
    /// How far it has come.
    pub state: Delivery,
    /// The key of the job that sent it, where the provider echoes it.
    pub key: Option<String>,
    /// Why it failed.
    pub failure: Option<PluginFailure>,
}

/// A comment under a post.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Comment {
    /// The provider's id.
    pub id: String,
    /// The post, reel, video or listing.
    pub post: Option<String>,
    /// The comment that it answers.
    pub parent: Option<String>,
    /// Its words.
    pub text: Option<String>,
    /// Its files.
    pub attachments: Vec<Attachment>,
}

/// A review of the business.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Review {
    /// The provider's id.
    pub id: String,
    /// 1 to 5; 0 when the provider gives none.
    pub stars: u8,
    /// Its words.
    pub text: Option<String>,
    /// Our reply.
    pub reply: Option<String>,
    /// Whether it was changed.
    pub edited: bool,
}

/// A fact without a case of its own.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Other {
    /// One of the kinds that the contract lists.
    pub kind: String,
    /// The provider's id.
    pub id: Option<String>,
    /// Its words.
    pub text: Option<String>,
    /// The rest.
    pub data: Value,
}

/// What raised a fact of the workspace's own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Cause {
    /// A run, by `emit`.
    Custom,
    /// A tag that was put where it was not.
    TagAdded,
    /// A moment of a schedule.
    Schedule,
    /// A webhook of a workflow's own.
    Webhook,
    /// A person.
    Manual,
}

impl Cause {
    /// The kind of the event, as in [`v1`].
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Custom => "custom",
            Self::TagAdded => "tag_added",
            Self::Schedule => "schedule",
            Self::Webhook => "webhook",
            Self::Manual => "manual",
        }
    }
}

/// A fact of the workspace's own: no provider told it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Internal {
    /// What raised it.
    pub cause: Cause,
    /// The name that `emit` gave it, the tag, the workflow that it is for.
    pub name: String,
    /// What it carries.
    pub data: Value,
    /// Whether words from outside had a part in `name` or `data`.
    pub marked: bool,
    /// How many facts of our own led to it, itself included: the guard against workflows that start each other for ever.
    pub hops: u32,
}

/// The kinds of facts.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "each names the type that it holds")]
pub enum EventBody {
    Message(Message),
    MessageEdit(Message),
    MessageDelete(String),
    Reaction(Reaction),
    Interaction(Interaction),
    /// Said by the account itself, through us or elsewhere.
    Echo(Message),
    Status(Status),
    Comment(Comment),
    CommentEdit(Comment),
    CommentDelete(String),
    Review(Review),
    Other(Other),
    Internal(Internal),
    /// Of no use; the text says why.
    Ignored(String),
}

impl EventBody {
    /// The kind in a word of ours, whatever a plugin writes.
    #[must_use]
    pub fn word(&self) -> &'static str {
        match self {
            Self::Message(_) => "message",
            Self::MessageEdit(_) => "message_edit",
            Self::MessageDelete(_) => "message_delete",
            Self::Reaction(_) => "reaction",
            Self::Interaction(_) => "interaction",
            Self::Echo(_) => "echo",
            Self::Status(_) => "status",
            Self::Comment(_) => "comment",
            Self::CommentEdit(_) => "comment_edit",
            Self::CommentDelete(_) => "comment_delete",
            Self::Review(_) => "review",
            Self::Other(_) => "other",
            Self::Internal(internal) => internal.cause.word(),
            Self::Ignored(_) => "ignored",
        }
    }
}

/// A normalized fact.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Event {
    /// The same for every delivery of the same fact. At most 256 bytes.
    pub dedupe_key: String,
    /// Our side. Absent: the account of the route.
    pub account: Option<String>,
    /// The peer or thread, which names the conversation. Absent for facts outside of any.
    pub thread: Option<String>,
    /// Who said it.
    pub sender: Option<Person>,
    /// When the provider says it happened; 0 when it does not say.
    pub at: Instant,
    /// Whether it may start a message workflow: the guard against two bots answering each other for ever.
    pub trigger: bool,
    /// What happened.
    pub body: EventBody,
    /// Provider fields that a workflow may want: a JSON object.
    pub extra: Option<Value>,
}

impl Event {
    /// The kind in words, as in [`v1`]: for [`EventBody::Other`] the plugin's own.
    #[must_use]
    pub fn kind(&self) -> &str {
        match &self.body {
            EventBody::Other(other) => &other.kind,
            body => body.word(),
        }
    }

    /// How many facts of our own led to this one; 0 for what came from outside.
    #[must_use]
    pub fn hops(&self) -> u32 {
        match &self.body {
            EventBody::Internal(internal) => internal.hops,
            // News about what a workflow said: the line counts it when a workflow listens for it.
            EventBody::Status(_) => {
                let told = self.extra.as_ref().and_then(|extra| extra.get("hops")).and_then(Value::as_u64);
                told.and_then(|hops| u32::try_from(hops).ok()).unwrap_or(0)
            }
            _ => 0,
        }
    }

    /// What was said, where something was.
    #[must_use]
    pub fn text(&self) -> Option<&str> {
        match &self.body {
            EventBody::Message(m) | EventBody::MessageEdit(m) | EventBody::Echo(m) => m.text.as_deref(),
            EventBody::Interaction(i) => i.title.as_deref(),
            EventBody::Comment(c) | EventBody::CommentEdit(c) => c.text.as_deref(),
            EventBody::Review(r) => r.text.as_deref(),
            EventBody::Other(o) => o.text.as_deref(),
            _ => None,
        }
    }

    /// Every id by which this event knows its contact: thread first, then sender, then aliases. Without repeats. In a thread
    /// of several people (a group) the thread alone: its speakers have conversations of their own.
    #[must_use]
    pub fn identities(&self) -> Vec<&str> {
        let mut ids: Vec<&str> = Vec::new();
        let sender = self.contact_is_sender().then(|| self.sender_ids()).into_iter().flatten();
        for id in self.thread.as_deref().into_iter().chain(sender) {
            if !id.is_empty() && !ids.contains(&id) {
                ids.push(id);
            }
        }
        ids
    }

    /// Who is on the other side: the sender, or a thread of several people under its own name.
    #[must_use]
    pub fn contact(&self) -> Person {
        let named = self.extra.as_ref().and_then(|e| e.get("thread_name")).and_then(Value::as_str);
        match (&self.sender, &self.thread) {
            (Some(sender), _) if self.contact_is_sender() => sender.clone(),
            (Some(_), Some(thread)) if !matches!(self.body, EventBody::Echo(_)) => {
                Person { id: thread.clone(), name: named.map(str::to_owned), ..Person::default() }
            }
            _ => Person::default(),
        }
    }

    /// Whether the thread, where there is one, is the sender's own: one of the ids by which the event knows them.
    fn contact_is_sender(&self) -> bool {
        let thread = self.thread.as_deref().filter(|t| !t.is_empty());
        !matches!(self.body, EventBody::Echo(_)) && thread.is_none_or(|t| self.sender_ids().any(|id| id == t))
    }

    fn sender_ids(&self) -> impl Iterator<Item = &str> {
        let aliases = self.sender.iter().filter_map(|p| p.extra.as_ref()?.get("alt_ids")?.as_array()).flatten();
        self.sender.iter().map(|p| p.id.as_str()).chain(aliases.filter_map(Value::as_str))
    }
}

#[cfg(test)]
mod tests;
