//! Events and what they hold.

use pointsman_core::event::{Comment, Delivery, Event, EventBody, Interaction, Other, Reaction, Review, Status};

use super::{ForGuest, ID, IntoCore, extra, same_cases, short, text};
use crate::json::{self, Unfit};
use crate::world::types;

/// Bytes of a dedupe key.
const DEDUPE_KEY: usize = 256;

same_cases! {
    types::Delivery = Delivery { Accepted, Sent, Delivered, Read, Failed, Deleted }
}

impl IntoCore<Event> for types::Event {
    fn into_core(self) -> Result<Event, Unfit> {
        if self.dedupe_key.is_empty() {
            return Err(Unfit::Wrong("an event has no dedupe key".to_owned()));
        }
        Ok(Event {
            dedupe_key: short(self.dedupe_key, DEDUPE_KEY, "a dedupe key")?,
            account: self.account.map(|id| short(id, ID, "an id")).transpose()?,
            thread: self.thread.map(|id| short(id, ID, "an id")).transpose()?,
            sender: self.sender.into_core()?,
            at: self.at,
            trigger: self.trigger,
            body: self.body.into_core()?,
            extra: extra(self.extra)?,
        })
    }
}

impl ForGuest<types::Event> for Event {
    fn for_guest(&self) -> types::Event {
        types::Event {
            dedupe_key: self.dedupe_key.clone(),
            account: self.account.clone(),
            thread: self.thread.clone(),
            sender: self.sender.for_guest(),
            at: self.at,
            trigger: self.trigger,
            body: self.body.for_guest(),
            extra: text(self.extra.as_ref()),
        }
    }
}

impl IntoCore<EventBody> for types::EventBody {
    fn into_core(self) -> Result<EventBody, Unfit> {
        Ok(match self {
            Self::Message(m) => EventBody::Message(m.into_core()?),
            Self::MessageEdit(m) => EventBody::MessageEdit(m.into_core()?),
            Self::MessageDelete(id) => EventBody::MessageDelete(short(id, ID, "an id")?),
            Self::Reaction(r) => EventBody::Reaction(Reaction { target: short(r.target, ID, "an id")?, emoji: r.emoji }),
            Self::Interaction(i) => EventBody::Interaction(Interaction {
                id: i.id,
                title: i.title,
                payload: i.payload,
                source: i.source,
                answer: i.answer,
            }),
            Self::Echo(m) => EventBody::Echo(m.into_core()?),
            Self::Status(s) => EventBody::Status(Status {
                message: short(s.message, ID, "an id")?,
                state: s.state.into_core()?,
                key: s.key.map(|key| short(key, ID, "a key")).transpose()?,
                failure: s.failure.into_core()?,
            }),
            Self::Comment(c) => EventBody::Comment(c.into_core()?),
            Self::CommentEdit(c) => EventBody::CommentEdit(c.into_core()?),
            Self::CommentDelete(id) => EventBody::CommentDelete(short(id, ID, "an id")?),
            Self::Review(r) => EventBody::Review(Review {
                id: short(r.id, ID, "an id")?,
                stars: r.stars,
                text: r.text,
                reply: r.reply,
                edited: r.edited,
            }),
            Self::Other(o) => EventBody::Other(Other {
                kind: short(o.kind, 64, "a kind")?,
                id: o.id,
                text: o.text,
                data: json::parse(&o.data)?,
            }),
            Self::Ignored(why) => EventBody::Ignored(why),
        })
    }
}

impl ForGuest<types::EventBody> for EventBody {
    fn for_guest(&self) -> types::EventBody {
        match self {
            Self::Message(m) => types::EventBody::Message(m.for_guest()),
            Self::MessageEdit(m) => types::EventBody::MessageEdit(m.for_guest()),
            Self::MessageDelete(id) => types::EventBody::MessageDelete(id.clone()),
            Self::Reaction(r) => types::EventBody::Reaction(types::Reaction { target: r.target.clone(), emoji: r.emoji.clone() }),
            Self::Interaction(i) => types::EventBody::Interaction(types::Interaction {
                id: i.id.clone(),
                title: i.title.clone(),
                payload: i.payload.clone(),
                source: i.source.clone(),
                answer: i.answer.clone(),
            }),
            Self::Echo(m) => types::EventBody::Echo(m.for_guest()),
            Self::Status(s) => types::EventBody::Status(types::Status {
                message: s.message.clone(),
                state: s.state.for_guest(),
                key: s.key.clone(),
                failure: s.failure.for_guest(),
            }),
            Self::Comment(c) => types::EventBody::Comment(c.for_guest()),
            Self::CommentEdit(c) => types::EventBody::CommentEdit(c.for_guest()),
            Self::CommentDelete(id) => types::EventBody::CommentDelete(id.clone()),
            Self::Review(r) => types::EventBody::Review(types::Review {
                id: r.id.clone(),
                stars: r.stars,
                text: r.text.clone(),
                reply: r.reply.clone(),
                edited: r.edited,
            }),
            Self::Other(o) => types::EventBody::Other(types::OtherEvent {
                kind: o.kind.clone(),
                id: o.id.clone(),
                text: o.text.clone(),
                data: o.data.to_string(),
            }),
            // The contract has no case of its own for it.
            Self::Internal(i) => types::EventBody::Other(types::OtherEvent {
                kind: i.cause.word().to_owned(),
                id: None,
                text: None,
                data: serde_json::json!({ "name": i.name, "data": i.data, "hops": i.hops }).to_string(),
            }),
            Self::Ignored(why) => types::EventBody::Ignored(why.clone()),
        }
    }
}

impl IntoCore<Comment> for types::Comment {
    fn into_core(self) -> Result<Comment, Unfit> {
        Ok(Comment {
            id: short(self.id, ID, "an id")?,
            post: self.post,
            parent: self.parent,
            text: self.text,
            attachments: self.attachments.into_core()?,
        })
    }
}

impl ForGuest<types::Comment> for Comment {
    fn for_guest(&self) -> types::Comment {
        types::Comment {
            id: self.id.clone(),
            post: self.post.clone(),
            parent: self.parent.clone(),
            text: self.text.clone(),
            attachments: self.attachments.for_guest(),
        }
    }
}
