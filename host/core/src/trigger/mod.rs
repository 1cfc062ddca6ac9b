//! What starts a workflow: a kind of fact, and the conditions that it must meet. Read from `on` ([`crate::workflow`]), asked
//! by [`crate::route`] and by runs that wait for an event.

use serde::{Deserialize, Serialize};

use crate::clock::Millis;
use crate::event::{Cause, Delivery, Event, EventBody};

mod burst;
mod schedule;
mod words;

pub use burst::{AT_MOST, gathered, until};
pub use schedule::{CATCH_UP, Schedule};
pub use words::{Match, fits};

/// The facts that can start a workflow.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "the words of the file")]
pub enum TriggerKind {
    Message,
    Keyword,
    Interaction,
    Reaction,
    Comment,
    Review,
    Order,
    Status,
    TagAdded,
    Event,
    Schedule,
    Webhook,
    Manual,
}

/// Kinds by their words in a file; some have two.
const KINDS: [(&str, TriggerKind); 14] = [
    ("message", TriggerKind::Message),
    ("keyword", TriggerKind::Keyword),
    ("interaction", TriggerKind::Interaction),
    ("postback", TriggerKind::Interaction),
    ("reaction", TriggerKind::Reaction),
    ("comment", TriggerKind::Comment),
    ("review", TriggerKind::Review),
    ("order", TriggerKind::Order),
    ("status", TriggerKind::Status),
    ("tag-added", TriggerKind::TagAdded),
    ("event", TriggerKind::Event),
    ("schedule", TriggerKind::Schedule),
    ("webhook", TriggerKind::Webhook),
    ("manual", TriggerKind::Manual),
];

impl TriggerKind {
    /// By its word in a workflow.
    #[must_use]
    pub fn by_word(word: &str) -> Option<Self> {
        KINDS.iter().find(|(known, _)| *known == word).map(|(_, kind)| *kind)
    }

    /// Its word in a workflow.
    #[must_use]
    pub fn word(self) -> &'static str {
        KINDS.iter().find(|(_, kind)| *kind == self).map_or("", |(word, _)| word)
    }

    /// All words.
    pub fn words() -> impl Iterator<Item = &'static str> {
        KINDS.iter().map(|(word, _)| *word)
    }

    /// Whether a run may wait for it: it happens in a conversation, while the run waits there.
    #[must_use]
    pub fn awaited(self) -> bool {
        !matches!(self, Self::Status | Self::Schedule | Self::Webhook | Self::Manual)
    }

    /// Whether it brings words of a contact.
    #[must_use]
    pub fn speaks(self) -> bool {
        matches!(self, Self::Message | Self::Keyword | Self::Interaction | Self::Comment | Self::Review)
    }
}

/// What starts a workflow.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Trigger {
    /// Which facts.
    pub kind: TriggerKind,
    /// On which channels, by the short names of their plugins; empty: all.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub channels: Vec<String>,
    /// Of contacts whose language is one of these, as the provider tells it (`pt` takes `pt-BR`); empty: all.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub languages: Vec<String>,
    /// With one of these words or phrases in it; empty: whatever it says.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub words: Vec<String>,
    /// How the words are looked for.
    #[serde(default, skip_serializing_if = "Match::is_usual")]
    pub matches: Match,
    /// What a kind has of its own.
    #[serde(default, skip_serializing_if = "Only::is_any")]
    pub only: Only,
    /// How long the contact must have been quiet before one run starts for all that was said, in milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gather: Option<Millis>,
    /// Whether it takes what a run in this conversation waits for.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub interrupts: bool,
}

/// The condition that a kind has of its own.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Only {
    /// None.
    #[default]
    Any,
    /// Of a button: its payload; one that ends with `*` takes what begins so.
    Payloads(Vec<String>),
    /// Of a comment: the post, by the provider's id.
    Posts(Vec<String>),
    /// Of a review: its stars, both ends included. One without stars has none of them.
    Stars(u8, u8),
    /// Of a status: how far the message has come.
    States(Vec<Delivery>),
    /// Of a tag: the tag. Of an event of the workspace's own: its name.
    Names(Vec<String>),
    /// The moments of a schedule.
    Moments(Schedule),
    /// Of a webhook: whose conversation it is about.
    About(Binding),
}

impl Only {
    fn is_any(&self) -> bool {
        *self == Self::Any
    }
}

/// Says to which conversation a webhook belongs: one that is there already, never a new one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Binding {
    /// The short name of the channel's plugin.
    pub channel: String,
    /// The expression, over `event`, that gives the contact's id on that channel.
    pub id: String,
}

/// Why a trigger does not want an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Miss {
    /// It listens for other kinds of facts.
    Kind,
    /// On other channels.
    Channel,
    /// Its conditions are not met.
    Condition,
}

impl Trigger {
    /// All facts of a kind.
    #[must_use]
    pub fn on(kind: TriggerKind) -> Self {
        Self {
            kind,
            channels: Vec::new(),
            languages: Vec::new(),
            words: Vec::new(),
            matches: Match::default(),
            only: Only::Any,
            gather: None,
            // Who writes a keyword means it, whatever he was asked.
            interrupts: kind == TriggerKind::Keyword,
        }
    }

    /// Whether what it starts has no conversation.
    #[must_use]
    pub fn homeless(&self) -> bool {
        match self.kind {
            TriggerKind::Schedule => true,
            TriggerKind::Webhook => !matches!(self.only, Only::About(_)),
            _ => false,
        }
    }

    /// Whether it wants a fact that counts as `kind` ([`kind_of`]), on the channel of this short name.
    pub fn wants(&self, event: &Event, kind: TriggerKind, channel: &str) -> Result<(), Miss> {
        let keyword = self.kind == TriggerKind::Keyword && kind == TriggerKind::Message;
        if self.kind != kind && !keyword {
            return Err(Miss::Kind);
        }
        if !self.channels.is_empty() && !self.channels.iter().any(|c| c == channel) {
            return Err(Miss::Channel);
        }
        let good = self.speaks_one_of(event) && self.said(event) && self.meets(event);
        if good { Ok(()) } else { Err(Miss::Condition) }
    }

    fn speaks_one_of(&self, event: &Event) -> bool {
        let told = event.sender.as_ref().and_then(|sender| sender.language.as_deref()).unwrap_or_default();
        let is = |wanted: &String| {
            let (whole, rest) = (told.get(..wanted.len()), told.get(wanted.len()..));
            whole.is_some_and(|whole| whole.eq_ignore_ascii_case(wanted))
                && rest.is_some_and(|r| r.is_empty() || r.starts_with(['-', '_']))
        };
        self.languages.is_empty() || self.languages.iter().any(is)
    }

    fn said(&self, event: &Event) -> bool {
        self.words.is_empty() || event.text().is_some_and(|text| fits(text, &self.words, self.matches))
    }

    fn meets(&self, event: &Event) -> bool {
        let one_of = |list: &[String], found: &str| list.iter().any(|wanted| wanted == found);
        match (&self.only, &event.body) {
            (Only::Any | Only::Moments(_) | Only::About(_), _) => true,
            (Only::Payloads(list), EventBody::Interaction(pressed)) => list.iter().any(|wanted| match wanted.strip_suffix('*') {
                Some(start) => pressed.payload.starts_with(start),
                None => pressed.payload == *wanted,
            }),
            (Only::Posts(list), EventBody::Comment(comment)) => comment.post.as_deref().is_some_and(|post| one_of(list, post)),
            (Only::Stars(from, to), EventBody::Review(review)) => (*from..=*to).contains(&review.stars),
            (Only::States(list), EventBody::Status(status)) => list.contains(&status.state),
            (Only::Names(list), EventBody::Internal(internal)) => one_of(list, &internal.name),
            _ => false,
        }
    }
}

/// How many facts of our own may follow from each other: the one with this number ends by the rule [`LOOP_GUARD`].
pub const HOPS: u32 = 10;

/// The rule under which a fact ends that workflows would go round with for ever.
pub const LOOP_GUARD: &str = "loop_guard";

/// The rule under which a moment of a schedule ends that was missed for too long.
pub const MISSED: &str = "schedule_missed";

/// The kind that an event counts as. `Err` is the rule that says why it starts nothing: what the account itself or a bot said
/// starts no workflow, and facts of our own do not follow from each other for ever.
pub fn kind_of(event: &Event) -> Result<TriggerKind, &'static str> {
    if event.hops() >= HOPS {
        return Err(LOOP_GUARD);
    }
    let kind = match &event.body {
        EventBody::Message(_) if event.trigger => TriggerKind::Message,
        EventBody::Interaction(_) if event.trigger => TriggerKind::Interaction,
        EventBody::Other(other) if other.kind == "order" => TriggerKind::Order,
        EventBody::Comment(_) => TriggerKind::Comment,
        EventBody::Review(_) => TriggerKind::Review,
        EventBody::Reaction(_) => TriggerKind::Reaction,
        EventBody::Status(_) => TriggerKind::Status,
        EventBody::Internal(_) if !event.trigger => return Err(MISSED),
        EventBody::Internal(internal) => match internal.cause {
            Cause::Custom => TriggerKind::Event,
            Cause::TagAdded => TriggerKind::TagAdded,
            Cause::Schedule => TriggerKind::Schedule,
            Cause::Webhook => TriggerKind::Webhook,
            Cause::Manual => TriggerKind::Manual,
        },
        EventBody::Message(_) | EventBody::Interaction(_) => return Err("not_a_trigger"),
        EventBody::Echo(_) => return Err("echo"),
        EventBody::Ignored(_) => return Err("ignored"),
        _ => return Err("no_trigger"),
    };
    if event.sender.as_ref().is_some_and(|s| s.automated) {
        return Err("automated_sender");
    }
    Ok(kind)
}

#[cfg(test)]
mod tests;
