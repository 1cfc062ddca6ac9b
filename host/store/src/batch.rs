//! Many operations as one commit: their rows laid out by sheet, and the values of the one text that writes them all.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use sqlx::Arguments;
use sqlx::sqlite::SqliteArguments;

use crate::conversation::ConversationRef;
use crate::op::{IntakeRows, Link, Op};
use crate::sheet::{self, ALL, Arg, GROUPS, SHEETS, Sheet};
use crate::types::WebhookState;

/// Everything that one commit does, borrowed from its operations.
pub(crate) struct Batch<'a> {
    pub sheets: [Vec<Line<'a>>; SHEETS],
    touches: HashMap<i64, Touch>,
    pub other: Vec<&'a (&'static str, Vec<Arg>)>,
    pub new: Vec<Vec<bool>>,
    /// Heads of timelines as they were, to be put back when the commit fails.
    pub heads: Vec<(&'a Arc<ConversationRef>, i64)>,
    pub rows: usize,
}

/// What changes in a conversation's own row: once a commit, however many items it got.
#[derive(Default)]
struct Touch {
    ws: i64,
    last: i64,
    at: i64,
    inbound: i64,
}

pub(crate) struct Line<'a> {
    args: &'a [Arg],
    tail: Vec<Arg>,
}

/// Lays the rows of all operations out by sheet; settles which events are new and which event follows which.
pub(crate) fn gather<'a>(ops: &'a [Op], known: &HashSet<(i64, [u8; 16])>) -> Batch<'a> {
    let mut batch = Batch {
        sheets: std::array::from_fn(|_| Vec::new()),
        touches: HashMap::new(),
        other: Vec::new(),
        new: Vec::with_capacity(ops.len()),
        heads: Vec::new(),
        rows: 0,
    };
    let mut born = HashSet::new();
    let mut seen = HashSet::new();
    for op in ops {
        let mut news = Vec::new();
        let mut store = true;
        if let Some(intake) = &op.intake {
            news = intake.events.iter().map(|e| !known.contains(&(intake.ws, e.h)) && seen.insert((intake.ws, e.h))).collect();
            // A first delivery of nothing but known facts leaves no trace.
            store = intake.sheet == Sheet::WebhookRead || intake.events.is_empty() || news.contains(&true);
        }
        if store {
            for birth in &op.births {
                if born.insert(birth.id) {
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

impl<'a> Batch<'a> {
    fn push(&mut self, sheet: Sheet, args: &'a [Arg], tail: Vec<Arg>) {
        if let Some(lines) = self.sheets.get_mut(sheet as usize) {
            lines.push(Line { args, tail });
            self.rows += 1;
        }
    }

    /// Puts an item at the head of its conversation's timeline; returns the one before it.
    fn link(&mut self, link: &'a Link) -> i64 {
        let before = link.conversation.set_head(link.id);
        self.heads.push((&link.conversation, before));
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

/// Index into [`sheet::SIZES`] plus one, for each sheet; 0: absent. Sheets of a group share the size of the longest.
pub(crate) fn sizes(batch: &Batch<'_>, from: usize) -> [u8; SHEETS] {
    let mut groups = [0_usize; GROUPS];
    let left = |n: usize| {
        if n == Sheet::Touch as usize { batch.touches.len() } else { batch.sheets.get(n).map_or(0, Vec::len) }
            .saturating_sub(from)
    };
    for (n, sheet) in ALL.into_iter().enumerate() {
        if let Some(g) = groups.get_mut(sheet.spec().group) {
            *g = left(n).max(*g);
        }
    }
    let mut sizes = [0; SHEETS];
    for ((n, sheet), size) in ALL.into_iter().enumerate().zip(&mut sizes) {
        if left(n) > 0 {
            let rows = sheet::size_for(groups.get(sheet.spec().group).copied().unwrap_or(0));
            *size = sheet::SIZES.iter().position(|s| *s == rows).map_or(0, |p| p as u8 + 1);
        }
    }
    sizes
}

pub(crate) fn size_of(size: u8) -> Option<usize> {
    sheet::SIZES.get(usize::from(size).checked_sub(1)?).copied()
}

pub(crate) fn arguments(batch: &Batch<'_>, sizes: [u8; SHEETS], from: usize) -> Result<SqliteArguments, sqlx::Error> {
    let mut args = SqliteArguments::default();
    let total: usize = ALL.iter().zip(sizes).map(|(s, size)| size_of(size).unwrap_or(0) * s.spec().width).sum();
    args.reserve(total, 0);
    for ((sheet, lines), size) in ALL.into_iter().zip(&batch.sheets).zip(sizes) {
        let Some(rows) = size_of(size) else { continue };
        let width = sheet.spec().width;
        let mut written = 0;
        if sheet == Sheet::Touch {
            for (id, touch) in batch.touches.iter().skip(from).take(rows) {
                for v in [touch.ws, *id, touch.last, touch.at, touch.inbound] {
                    args.add(v).map_err(sqlx::Error::Encode)?;
                }
                written += 1;
            }
        } else {
            for line in lines.iter().skip(from).take(rows) {
                line.args.iter().chain(&line.tail).try_for_each(|v| add(&mut args, v))?;
                written += 1;
            }
        }
        (0..(rows - written) * width).try_for_each(|_| add(&mut args, &Arg::Null))?;
    }
    Ok(args)
}

pub(crate) fn add(args: &mut SqliteArguments, value: &Arg) -> Result<(), sqlx::Error> {
    match value {
        Arg::Null => args.add(None::<i64>),
        Arg::Int(n) => args.add(*n),
        Arg::Word(s) => args.add(*s),
        Arg::Text(s) => args.add(s.as_str()),
        Arg::Blob(b) => args.add(b.as_slice()),
    }
    .map_err(sqlx::Error::Encode)
}
