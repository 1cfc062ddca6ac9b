//! Many operations as one commit: their rows laid out by sheet.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use crate::conversation::{Birth, ConversationRef};
use crate::op::{IntakeRows, Link, Op};
use crate::sheet::{Arg, SHEETS, Sheet};
use crate::types::{StoreError, WebhookState};

/// Everything that one commit does, borrowed from its operations.
pub(crate) struct Batch<'a> {
    pub sheets: [Vec<Line<'a>>; SHEETS],
    pub touches: HashMap<i64, Touch>,
    pub other: Vec<&'a (&'static str, Vec<Arg>)>,
    pub new: Vec<Vec<bool>>,
    /// What is born in it.
    pub births: Vec<&'a Arc<Birth>>,
    heads: Heads,
    /// Heads of timelines as they were in memory, to be put back when the commit fails.
    pub before: Vec<(&'a Arc<ConversationRef>, i64)>,
    pub rows: usize,
}

/// Where the head of a conversation's timeline is known.
pub(crate) enum Heads {
    /// In memory: one process has the database.
    Memory,
    /// In the database, as read under a lock: by conversation.
    Database(HashMap<i64, i64>),
}

/// What changes in a conversation's own row: once a commit, however many items it got.
#[derive(Default)]
pub(crate) struct Touch {
    pub ws: i64,
    pub last: i64,
    pub at: i64,
    pub inbound: i64,
}

/// A row of a sheet: what the operation brought, and what the writer added.
pub(crate) struct Line<'a> {
    pub args: &'a [Arg],
    pub tail: Vec<Arg>,
}

/// Lays the rows of all operations out by sheet; settles which events are new and which event follows which.
/// Operations that are refused leave nothing.
pub(crate) fn gather<'a>(
    ops: &'a [Op],
    refused: &[Option<StoreError>],
    known: &HashSet<(i64, [u8; 16])>,
    heads: Heads,
) -> Batch<'a> {
    let mut batch = Batch {
        sheets: std::array::from_fn(|_| Vec::new()),
        touches: HashMap::new(),
        other: Vec::new(),
        new: Vec::with_capacity(ops.len()),
        births: Vec::new(),
        heads,
        before: Vec::new(),
        rows: 0,
    };
    let mut born = HashSet::new();
    let mut seen = HashSet::new();
    for (n, op) in ops.iter().enumerate() {
        let mut news = Vec::new();
        let mut store = !matches!(refused.get(n), Some(Some(_)));
        if let Some(intake) = op.intake.as_ref().filter(|_| store) {
            news = intake.events.iter().map(|e| !known.contains(&(intake.ws, e.h)) && seen.insert((intake.ws, e.h))).collect();
            // A first delivery of nothing but known facts leaves no trace.
            store = intake.sheet == Sheet::WebhookRead || intake.events.is_empty() || news.contains(&true);
        }
        if store {
            for birth in &op.births {
                if born.insert(birth.id) {
                    batch.births.push(birth);
                    birth.rows.iter().for_each(|(sheet, args)| batch.push(*sheet, args, Vec::new()));
                }
            }
            if let Some(intake) = &op.intake {
                batch.intake(intake, &news);
            }
            for row in &op.rows {
                let tail = row.link.as_ref().map(|l| vec![Arg::Int(batch.link(l))]).unwrap_or_default();
                batch.push(row.sheet, &row.args, tail);
            }
            batch.other.extend(&op.other);
        }
        batch.new.push(news);
    }
    batch.rows += batch.touches.len() + batch.other.len();
    batch
}

impl Line<'_> {
    pub(crate) fn get(&self, column: usize) -> Option<&Arg> {
        self.args.get(column).or_else(|| self.tail.get(column.checked_sub(self.args.len())?))
    }
}

impl<'a> Batch<'a> {
    pub(crate) fn holds(&self, sheet: Sheet) -> bool {
        self.sheets.get(sheet as usize).is_some_and(|lines| !lines.is_empty())
    }

    fn push(&mut self, sheet: Sheet, args: &'a [Arg], tail: Vec<Arg>) {
        if let Some(lines) = self.sheets.get_mut(sheet as usize) {
            lines.push(Line { args, tail });
            self.rows += 1;
        }
    }

    /// Puts an item at the head of its conversation's timeline; returns the one before it.
    fn link(&mut self, link: &'a Link) -> i64 {
        let before = match &mut self.heads {
            Heads::Memory => {
                let before = link.conversation.set_head(link.id);
                self.before.push((&link.conversation, before));
                before
            }
            Heads::Database(heads) => heads.insert(link.conversation.id.0, link.id).unwrap_or(0),
        };
        let touch = self.touches.entry(link.conversation.id.0).or_default();
        (touch.ws, touch.last, touch.at) = (link.conversation.workspace.0, link.id, link.at);
        touch.inbound = touch.inbound.max(link.inbound);
        link.conversation.heard(link.inbound);
        before
    }

    fn intake(&mut self, intake: &'a IntakeRows, news: &[bool]) {
        let mut open = 0;
        let mut any = false;
        for (event, _) in intake.events.iter().zip(news).filter(|(_, new)| **new) {
            let prev = event.link.as_ref().map_or(0, |l| self.link(l));
            self.push(Sheet::Event, &event.args, vec![Arg::Int(prev)]);
            let dedupe = vec![Arg::Int(intake.ws), Arg::Int(intake.span), Arg::Blob(event.h.to_vec()), Arg::Int(event.id)];
            self.push(Sheet::Dedupe, &[], dedupe);
            any = true;
            open += i64::from(!event.ignored);
        }
        let (state, rule) = match intake.fixed {
            Some(fixed) => fixed,
            None if open > 0 => (WebhookState::Kept, None),
            None if any => (WebhookState::Ignored, Some("ignored")),
            None if intake.events.is_empty() => (WebhookState::Ignored, Some("empty")),
            None => (WebhookState::Ignored, Some("duplicate")),
        };
        self.push(intake.sheet, &intake.webhook, vec![Arg::Int(state as i64), Arg::from(rule), Arg::Int(open)]);
    }
}
