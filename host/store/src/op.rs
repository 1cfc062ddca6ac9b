//! What is asked of the writer: rows that must be committed together.

use std::sync::Arc;

use crate::conversation::{Birth, ConversationRef};
use crate::lease::Hold;
use crate::sheet::{Arg, Sheet};
use crate::types::WebhookState;

/// A place in the timeline of a conversation.
#[derive(Debug, Clone)]
pub(crate) struct Link {
    pub conversation: Arc<ConversationRef>,
    pub id: i64,
    pub at: i64,
    /// When the contact wrote this; 0 for anything else.
    pub inbound: i64,
}

/// A row for a sheet. With a link, the writer adds `prev` as the last value.
#[derive(Debug)]
pub(crate) struct Row {
    pub sheet: Sheet,
    pub args: Vec<Arg>,
    pub link: Option<Link>,
    /// Two rows with the same key may not be in one statement.
    pub key: Option<(u8, i64)>,
}

impl Row {
    pub(crate) fn new(sheet: Sheet, args: Vec<Arg>) -> Self {
        Self { sheet, args, link: None, key: None }
    }

    pub(crate) fn once(sheet: Sheet, domain: u8, id: i64, args: Vec<Arg>) -> Self {
        Self { sheet, args, link: None, key: Some((domain, id)) }
    }
}

/// Domains of [`Row::key`].
pub(crate) mod domain {
    pub const EVENT: u8 = 0;
    pub const RUN: u8 = 1;
    pub const SEND: u8 = 2;
    pub const CONVERSATION: u8 = 3;
    pub const CONTACT: u8 = 4;
    pub const STATE: u8 = 5;
    pub const WEBHOOK: u8 = 6;
}

/// An event that is kept if its hash is not known yet.
#[derive(Debug)]
pub(crate) struct EventRow {
    pub h: [u8; 16],
    pub id: i64,
    pub ignored: bool,
    /// All columns but `prev`.
    pub args: Vec<Arg>,
    pub link: Option<Link>,
}

/// A webhook with its events.
#[derive(Debug)]
pub(crate) struct IntakeRows {
    pub ws: i64,
    pub span: i64,
    /// [`Sheet::Webhook`], or [`Sheet::WebhookRead`] for one that was kept unread.
    pub sheet: Sheet,
    /// All columns but `state`, `rule`, `open`.
    pub webhook: Vec<Arg>,
    /// Set when it has no events to decide its state.
    pub fixed: Option<(WebhookState, Option<&'static str>)>,
    pub events: Vec<EventRow>,
}

/// One operation: what must be committed together.
#[derive(Debug, Default)]
pub(crate) struct Op {
    /// How the lane was held when this was decided, where only the holder of the lane may do it.
    pub hold: Option<Hold>,
    /// The conversation in which it is done, if that is not told by a [`Link`]: once its contact is erased it cannot be done.
    pub within: Option<Arc<ConversationRef>>,
    pub births: Vec<Arc<Birth>>,
    pub intake: Option<IntakeRows>,
    pub rows: Vec<Row>,
    /// Rows that it touches without a [`Row::key`].
    pub claims: Vec<(u8, i64)>,
    /// Seldom things, each a statement of its own.
    pub other: Vec<(&'static str, Vec<Arg>)>,
}
