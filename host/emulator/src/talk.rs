//! What the contacts of an emulated provider see on their screens: both sides of every conversation, in order.

use std::collections::HashMap;
use std::time::{SystemTime, UNIX_EPOCH};

use serde::Serialize;

/// Who writes to the business.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Contact {
    /// The provider's id for them, as text.
    pub id: String,
    /// As they call themselves.
    pub name: String,
}

/// Whose words a line is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum By {
    /// The contact's.
    Contact,
    /// Ours.
    Business,
}

/// A button below a line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Button {
    /// What stands on it.
    pub title: String,
    /// What comes back when it is pressed; empty for one that opens an address.
    pub payload: String,
    /// The address that it opens.
    pub url: Option<String>,
}

/// One line of a conversation, as the contact sees it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Line {
    /// Whose words.
    pub by: By,
    /// In whose conversation.
    pub contact: String,
    /// `text`, `image`, `video`, `audio`, `voice`, `file`, `sticker`, `location`, `template`, `press` (a button was pressed).
    pub kind: String,
    /// The words; a caption; a template's name and parameters.
    pub text: String,
    /// Unix milliseconds.
    pub at: u64,
    /// In order.
    pub buttons: Vec<Button>,
    /// The address or the provider's id of a file.
    pub media: Option<String>,
    /// The message that it answers.
    pub reply_to: Option<String>,
    /// Ours: the last status that was sent, or `deleted`. A contact's: `read` once it was marked so.
    pub status: Option<String>,
    /// The provider's id for it.
    pub provider_id: String,
    /// The key that we gave the provider.
    pub key: Option<String>,
    /// Whether its words were changed later.
    pub edited: bool,
    /// The emoji that the other side put under it.
    pub reaction: Option<String>,
}

impl Line {
    /// A line of this moment, with nothing but words.
    pub(crate) fn new(by: By, contact: &str, kind: &str, text: &str, provider_id: &str) -> Self {
        Self {
            by,
            contact: contact.to_owned(),
            kind: kind.to_owned(),
            text: text.to_owned(),
            at: unix_ms(),
            buttons: Vec::new(),
            media: None,
            reply_to: None,
            status: None,
            provider_id: provider_id.to_owned(),
            key: None,
            edited: false,
            reaction: None,
        }
    }
}

/// Unix microseconds, by the clock of the emulated providers.
#[must_use]
#[expect(clippy::disallowed_methods, reason = "an emulated provider keeps its own time")]
pub fn unix_us() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |d| u64::try_from(d.as_micros()).unwrap_or(u64::MAX))
}

/// Unix milliseconds.
pub(crate) fn unix_ms() -> u64 {
    unix_us() / 1_000
}

/// All conversations of an account.
#[derive(Debug, Default)]
pub(crate) struct Talk {
    contacts: Vec<Contact>,
    lines: Vec<Line>,
    /// Where a line stands, by contact and the provider's id.
    places: HashMap<(String, String), usize>,
}

impl Talk {
    /// Makes a contact known; an empty name keeps the one that is known. Gives the name.
    pub(crate) fn meet(&mut self, id: &str, name: &str) -> String {
        match self.contacts.iter_mut().find(|c| c.id == id) {
            Some(known) => {
                if !name.is_empty() {
                    name.clone_into(&mut known.name);
                }
                known.name.clone()
            }
            None => {
                self.contacts.push(Contact { id: id.to_owned(), name: name.to_owned() });
                name.to_owned()
            }
        }
    }

    pub(crate) fn name(&self, id: &str) -> Option<String> {
        self.contacts.iter().find(|c| c.id == id).map(|c| c.name.clone())
    }

    pub(crate) fn contacts(&self) -> Vec<Contact> {
        self.contacts.clone()
    }

    pub(crate) fn add(&mut self, line: Line) {
        self.places.insert((line.contact.clone(), line.provider_id.clone()), self.lines.len());
        self.lines.push(line);
    }

    /// The lines of one contact, or of all.
    pub(crate) fn lines(&self, contact: Option<&str>) -> Vec<Line> {
        self.lines.iter().filter(|line| contact.is_none_or(|id| line.contact == id)).cloned().collect()
    }

    pub(crate) fn find(&self, contact: &str, provider_id: &str) -> Option<&Line> {
        self.places.get(&(contact.to_owned(), provider_id.to_owned())).and_then(|at| self.lines.get(*at))
    }

    /// Changes a line, where it is known.
    pub(crate) fn change(&mut self, contact: &str, provider_id: &str, change: impl FnOnce(&mut Line)) {
        let at = self.places.get(&(contact.to_owned(), provider_id.to_owned()));
        if let Some(line) = at.and_then(|at| self.lines.get_mut(*at)) {
            change(line);
        }
    }

    /// The contact of a message, where its id alone is told.
    pub(crate) fn whose(&self, provider_id: &str) -> Option<String> {
        self.lines.iter().find(|line| line.provider_id == provider_id).map(|line| line.contact.clone())
    }
}
