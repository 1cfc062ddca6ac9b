//! The words of the contract (`sdk/wit`, interface `types`), with what makes them pleasant to write.

use serde::Serialize;
use serde_json::Value;

pub use crate::bindings::step::pointsman::plugin::types::{
    Attachment, AttachmentKind, BasicUser, Body, Choice, Comment, Credential, Delivery, Event, EventBody, Failure, Fault, Field,
    Header, HeaderPlace, HttpRequest, HttpResponse, Interaction, Media, Message, Method, OtherEvent, Part, PartContent, Person,
    Placement, Reaction, Refusal, Review, Status, Template,
};

#[expect(clippy::derivable_impls, reason = "the type is generated from the contract, so it cannot carry a derive of ours")]
impl Default for Message {
    fn default() -> Self {
        Self { id: None, text: None, attachments: Vec::new(), choices: Vec::new(), reply_to: None, extra: None }
    }
}

impl Message {
    /// A message of nothing but text; empty text is no text.
    pub fn text(text: impl Into<String>) -> Self {
        Self { text: Some(text.into()).filter(|t| !t.is_empty()), ..Self::default() }
    }

    /// The same with one more button.
    #[must_use]
    pub fn button(mut self, title: impl Into<String>, payload: impl Into<String>) -> Self {
        self.choices.push(Choice { title: title.into(), payload: payload.into(), url: None });
        self
    }

    /// The same with one more attachment.
    #[must_use]
    pub fn attach(mut self, attachment: Attachment) -> Self {
        self.attachments.push(attachment);
        self
    }

    /// The same as an answer to the message of this id.
    #[must_use]
    pub fn answering(mut self, id: impl Into<String>) -> Self {
        self.reply_to = Some(id.into());
        self
    }
}

impl From<&str> for Message {
    fn from(text: &str) -> Self {
        Self::text(text)
    }
}

impl From<String> for Message {
    fn from(text: String) -> Self {
        Self::text(text)
    }
}

impl Attachment {
    /// An attachment of this kind whose bytes are there.
    #[must_use]
    pub fn new(kind: AttachmentKind, media: Media) -> Self {
        Self { kind, media, mime_type: None, file_name: None, size_bytes: None, extra: None }
    }
}

impl Person {
    /// Somebody of whom only the id is known.
    pub fn new(id: impl Into<String>) -> Self {
        Self { id: id.into(), name: None, username: None, language: None, automated: false, extra: None }
    }
}

impl HttpRequest {
    /// A request without body, headers or credentials.
    pub fn new(method: Method, url: impl Into<String>) -> Self {
        Self {
            method,
            url: url.into(),
            headers: Vec::new(),
            body: Body::None,
            credentials: Vec::new(),
            keep_body: false,
            timeout: None,
        }
    }

    /// The same with a JSON body.
    #[must_use]
    pub fn json(mut self, body: &Value) -> Self {
        self.headers.push(Header { name: "content-type".into(), value: "application/json".into() });
        self.body = Body::Bytes(body.to_string().into_bytes());
        self
    }

    /// The same with the secret of `slot` as bearer token.
    #[must_use]
    pub fn bearer(self, slot: impl Into<String>) -> Self {
        self.secret(slot, Placement::Bearer)
    }

    /// The same with the secret of `slot` at this place. The manifest must let it stand there.
    #[must_use]
    pub fn secret(mut self, slot: impl Into<String>, place: Placement) -> Self {
        self.credentials.push(Credential { slot: slot.into(), place });
        self
    }
}

impl HttpResponse {
    /// The first header of this name (in lower case).
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|h| h.name == name).map(|h| h.value.as_str())
    }
}

impl Failure {
    /// A failure of this kind. The message is one sentence for a person, without secrets or message contents.
    pub fn new(fault: Fault, code: impl Into<String>, message: impl Into<String>) -> Self {
        Self { fault, code: code.into(), message: message.into(), retry_after: None }
    }

    /// Will never work as it is.
    pub fn rejected(code: impl Into<String>, message: impl Into<String>) -> Self {
        Self::new(Fault::Rejected, code, message)
    }

    /// May work in a moment; nothing was done.
    pub fn retryable(code: impl Into<String>, message: impl Into<String>) -> Self {
        Self::new(Fault::Retryable, code, message)
    }

    /// Cannot be done here at all.
    pub fn unsupported(code: impl Into<String>, message: impl Into<String>) -> Self {
        Self::new(Fault::Unsupported, code, message)
    }

    /// Makes no sense.
    pub fn malformed(code: impl Into<String>, message: impl Into<String>) -> Self {
        Self::new(Fault::Malformed, code, message)
    }

    /// The same, not before so many milliseconds have passed.
    #[must_use]
    pub fn after(mut self, milliseconds: u64) -> Self {
        self.retry_after = Some(milliseconds);
        self
    }
}

impl From<Refusal> for Failure {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::Denied(cure) => Self::rejected("denied", cure),
            Refusal::Limit(name) => Self::rejected(name, "a limit was reached"),
            Refusal::Invalid(why) => Self::malformed("invalid", why),
            Refusal::Unavailable(why) => Self::retryable("unavailable", why),
        }
    }
}

/// JSON text of a value. A value that JSON cannot hold (a map with keys that are no text) becomes `null`.
pub fn to_json(value: &impl Serialize) -> String {
    serde_json::to_string(value).unwrap_or_else(|_| String::from("null"))
}
