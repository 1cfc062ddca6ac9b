//! People, messages, templates.

use pointsman_core::event::{Attachment, AttachmentKind, Choice, Media, Message, Person, Template};

use super::{ForGuest, ID, IntoCore, extra, same_cases, short, text};
use crate::json::Unfit;
use crate::world::types;

same_cases! {
    types::AttachmentKind = AttachmentKind {
        Image, Video, Audio, Voice, File, Sticker, Location, Contact, Share, Story, Link, Unsupported,
    }
}

impl IntoCore<Person> for types::Person {
    fn into_core(self) -> Result<Person, Unfit> {
        Ok(Person {
            id: short(self.id, ID, "an id")?,
            name: self.name,
            username: self.username,
            language: self.language,
            automated: self.automated,
            extra: extra(self.extra)?,
        })
    }
}

impl ForGuest<types::Person> for Person {
    fn for_guest(&self) -> types::Person {
        types::Person {
            id: self.id.clone(),
            name: self.name.clone(),
            username: self.username.clone(),
            language: self.language.clone(),
            automated: self.automated,
            extra: text(self.extra.as_ref()),
        }
    }
}

impl IntoCore<Media> for types::Media {
    fn into_core(self) -> Result<Media, Unfit> {
        Ok(match self {
            Self::None => Media::None,
            Self::Url(url) => Media::Url(url),
            Self::Provider(id) => Media::Provider(short(id, ID, "an id")?),
            Self::Blob(name) => Media::Blob(short(name, ID, "a blob's name")?),
        })
    }
}

impl ForGuest<types::Media> for Media {
    fn for_guest(&self) -> types::Media {
        match self {
            Self::None => types::Media::None,
            Self::Url(url) => types::Media::Url(url.clone()),
            Self::Provider(id) => types::Media::Provider(id.clone()),
            Self::Blob(name) => types::Media::Blob(name.clone()),
        }
    }
}

impl IntoCore<Attachment> for types::Attachment {
    fn into_core(self) -> Result<Attachment, Unfit> {
        Ok(Attachment {
            kind: self.kind.into_core()?,
            media: self.media.into_core()?,
            mime_type: self.mime_type,
            file_name: self.file_name,
            size_bytes: self.size_bytes,
            extra: extra(self.extra)?,
        })
    }
}

impl ForGuest<types::Attachment> for Attachment {
    fn for_guest(&self) -> types::Attachment {
        types::Attachment {
            kind: self.kind.for_guest(),
            media: self.media.for_guest(),
            mime_type: self.mime_type.clone(),
            file_name: self.file_name.clone(),
            size_bytes: self.size_bytes,
            extra: text(self.extra.as_ref()),
        }
    }
}

impl IntoCore<Choice> for types::Choice {
    fn into_core(self) -> Result<Choice, Unfit> {
        Ok(Choice { title: self.title, payload: self.payload, url: self.url })
    }
}

impl ForGuest<types::Choice> for Choice {
    fn for_guest(&self) -> types::Choice {
        types::Choice { title: self.title.clone(), payload: self.payload.clone(), url: self.url.clone() }
    }
}

impl IntoCore<Message> for types::Message {
    fn into_core(self) -> Result<Message, Unfit> {
        Ok(Message {
            id: self.id.map(|id| short(id, ID, "an id")).transpose()?,
            // The contract has no empty text; one that came anyway is none.
            text: self.text.filter(|text| !text.is_empty()),
            attachments: self.attachments.into_core()?,
            choices: self.choices.into_core()?,
            reply_to: self.reply_to.map(|id| short(id, ID, "an id")).transpose()?,
            extra: extra(self.extra)?,
        })
    }
}

impl ForGuest<types::Message> for Message {
    fn for_guest(&self) -> types::Message {
        types::Message {
            id: self.id.clone(),
            text: self.text.clone(),
            attachments: self.attachments.for_guest(),
            choices: self.choices.for_guest(),
            reply_to: self.reply_to.clone(),
            extra: text(self.extra.as_ref()),
        }
    }
}

impl IntoCore<Template> for types::Template {
    fn into_core(self) -> Result<Template, Unfit> {
        Ok(Template { name: self.name, language: self.language, parameters: self.parameters, extra: extra(self.extra)? })
    }
}

impl ForGuest<types::Template> for Template {
    fn for_guest(&self) -> types::Template {
        types::Template {
            name: self.name.clone(),
            language: self.language.clone(),
            parameters: self.parameters.clone(),
            extra: text(self.extra.as_ref()),
        }
    }
}
