//! Is a sentence an order? What speaks for it and what speaks against it, weighed.

use crate::catalog::Hit;
use crate::lexicon::Tag;
use crate::read::Text;

/// What speaks for an order, and against one.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Weight {
    pub(crate) for_it: i32,
    pub(crate) against: i32,
    /// It says that something is ordered, even where it names nothing.
    said: bool,
    /// It calls an order off.
    cancels: bool,
}

impl Weight {
    pub(crate) fn sum(self) -> i32 {
        self.for_it - self.against
    }

    /// The one that says more for an order; of those that say nothing for one, what says most against it.
    pub(crate) fn stronger(self, other: Self) -> Self {
        let key = |weight: Self| if weight.sum() > 0 { weight.sum() } else { -weight.against.min(1) };
        let mut out = if key(other) > key(self) || (key(self) <= 0 && other.against > self.against) { other } else { self };
        out.against = if out.sum() > 0 { out.against } else { self.against.max(other.against) };
        out
    }

    /// Whether the sentence is read at all: where an order is open, a word may answer a question.
    pub(crate) fn counts(self, open: bool) -> bool {
        self.sum() > 0 || (open && self.against == 0)
    }

    /// Whether it orders even if it names nothing.
    pub(crate) fn orders(self) -> bool {
        self.said && self.sum() > 0
    }

    /// Whether it calls an order off, even if none is known.
    pub(crate) fn cancels(self) -> bool {
        self.cancels && self.sum() > 0
    }

    /// How sure the decision is, from 0.5 to 0.99.
    pub(crate) fn confidence(self, is_order: bool) -> f32 {
        let weight = if is_order { self.sum().max(1) } else { self.against - self.for_it + 2 };
        let steps = [0.5, 0.6, 0.75, 0.85, 0.92, 0.96];
        let last = steps.len() - 1;
        usize::try_from(weight).map_or(0.5, |weight| steps.get(weight.min(last)).copied().unwrap_or(0.5))
    }
}

/// Weighs the tokens of a sentence. `open`: an order stands already, so words that change one mean something. `free`: there is
/// no catalogue, so only words can tell.
pub(crate) fn weigh(text: &Text, from: usize, to: usize, hits: &[Option<Hit>], open: bool, free: bool) -> Weight {
    let tag =
        |wanted: fn(Tag) -> bool| (from..to).any(|at| !text.is_taken(at) && text.find(at, |t| wanted(t).then_some(())).is_some());
    let hit = hits.get(from..to.min(hits.len())).unwrap_or_default().iter().any(Option::is_some);
    let count = (from..to).any(|at| !text.is_taken(at) && text.number(at).is_some_and(|n| !n.article));
    let want = tag(|t| t == Tag::Want);
    let cancel = tag(|t| t == Tag::Cancel);
    let (verb, noun) = order(text, from, to);
    // "cancel my order" orders nothing.
    let (order, noun) = (verb && !cancel, noun || verb && cancel);
    let change = tag(|t| matches!(t, Tag::Remove | Tag::Set | Tag::Replace | Tag::More | Tag::Another));
    let mut out = Weight { for_it: 0, against: 0, said: order, cancels: cancel && noun };
    out.for_it +=
        2 * i32::from(order) + i32::from(want) + i32::from(hit) + i32::from(hit && count) + i32::from(free && want && count);
    out.for_it += 2 * i32::from(cancel && (noun || open)) + i32::from(cancel && noun) + 2 * i32::from(open && change);
    out.against += 3 * i32::from(tag(|t| t == Tag::Inquiry))
        + 3 * i32::from(tag(|t| t == Tag::Past))
        + 4 * i32::from(tag(|t| t == Tag::Elsewhere));
    let question = (from..to).any(|at| text.is(at, "?"));
    out.against += i32::from(question && !order && !want && !count);
    out
}

/// Whether "order" is said as a verb, and whether as a noun: the longer phrase tells.
fn order(text: &Text, from: usize, to: usize) -> (bool, bool) {
    let (mut verb, mut noun, mut at) = (false, false, from);
    while at < to {
        let (order, thing) = (text.has(at, Tag::Order).unwrap_or(0), text.has(at, Tag::OrderNoun).unwrap_or(0));
        if !text.is_taken(at) {
            verb |= order > 0 && order >= thing;
            noun |= thing > order;
        }
        at += order.max(thing).max(1);
    }
    (verb, noun)
}
