//! Which workflows want an event (SEMANTICS, section 1): by priority, then name; an exclusive one ends the list.
//!
//! An event whose `trigger` is false starts nothing: it was said by the account itself, by a bot, or is news about a
//! message. This is the guard against two bots that answer each other for ever. Facts that no bot answers by itself
//! (comments, reviews, orders, reactions) are told by their kind, but not when an automated sender made them.

use std::sync::Arc;

use crate::event::{Event, EventBody};
use crate::workflow::{Trigger, TriggerKind, Workflow};

/// What becomes of an event.
#[derive(Debug, Clone, Default)]
pub struct Route {
    /// The workflows to run, in this order, one after the other.
    pub run: Vec<Arc<Workflow>>,
    /// Those that matched too but stand behind an exclusive one.
    pub passed_over: Vec<Arc<Workflow>>,
    /// Why nothing runs: the rule under which the event ends. `None` when something runs.
    pub rule: Option<&'static str>,
}

/// The kind that an event counts as. `Err` is the rule that says why it starts nothing.
pub(crate) fn kind(event: &Event) -> Result<TriggerKind, &'static str> {
    let kind = match &event.body {
        EventBody::Message(_) if event.trigger => TriggerKind::Message,
        EventBody::Interaction(_) if event.trigger => TriggerKind::Interaction,
        EventBody::Other(other) if other.kind == "order" => TriggerKind::Order,
        EventBody::Comment(_) => TriggerKind::Comment,
        EventBody::Review(_) => TriggerKind::Review,
        EventBody::Reaction(_) => TriggerKind::Reaction,
        EventBody::Message(_) | EventBody::Interaction(_) => return Err("not_a_trigger"),
        EventBody::Echo(_) => return Err("echo"),
        EventBody::Status(_) => return Err("status"),
        EventBody::Ignored(_) => return Err("ignored"),
        _ => return Err("no_trigger"),
    };
    if event.sender.as_ref().is_some_and(|s| s.automated) {
        return Err("automated_sender");
    }
    Ok(kind)
}

/// Whether a trigger listens for such facts on this channel.
pub(crate) fn wants(trigger: &Trigger, kind: TriggerKind, channel: &str) -> bool {
    trigger.kind == kind && (trigger.channels.is_empty() || trigger.channels.iter().any(|c| c == channel))
}

/// Decides. `channel` is the short name of the channel's plugin, `whatsapp`.
///
/// A pressed button is an interaction; where no workflow listens for interactions on this channel it counts as a message,
/// so that a simple bot understands the buttons that it sent.
#[must_use]
pub fn route(workflows: &[Arc<Workflow>], event: &Event, channel: &str) -> Route {
    let kind = match kind(event) {
        Ok(kind) => kind,
        Err(rule) => return Route { rule: Some(rule), ..Route::default() },
    };
    let find = |kind| -> Vec<Arc<Workflow>> {
        workflows.iter().filter(|w| w.on.iter().any(|t| wants(t, kind, channel))).cloned().collect()
    };
    let mut run = find(kind);
    if run.is_empty() && kind == TriggerKind::Interaction {
        run = find(TriggerKind::Message);
    }
    run.sort_by(|a, b| b.priority.cmp(&a.priority).then_with(|| a.name.cmp(&b.name)));
    let last = run.iter().position(|w| w.exclusive).map_or(run.len(), |at| at + 1);
    let passed_over = run.split_off(last);
    Route { rule: run.is_empty().then_some("no_workflow"), run, passed_over }
}

/// Why a workflow does not run for an event, in a word of ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unwanted {
    /// It listens for other facts.
    Kind,
    /// It listens for such facts on other channels.
    Channel,
    /// The event starts nothing at all: [`Route::rule`] says why.
    Event,
    /// An exclusive one of a higher place ran.
    PassedOver,
}

impl Unwanted {
    /// As a sentence.
    #[must_use]
    pub fn sentence(self) -> &'static str {
        match self {
            Self::Kind => "it listens for other kinds of events",
            Self::Channel => "it listens on other channels",
            Self::Event => "an event of this kind starts no workflow",
            Self::PassedOver => "an exclusive workflow before it ran",
        }
    }
}

/// For people who ask: each workflow, and why it does not run for this event. `None`: it runs.
#[must_use]
pub fn explain(workflows: &[Arc<Workflow>], event: &Event, channel: &str) -> Vec<(Arc<Workflow>, Option<Unwanted>)> {
    let routed = route(workflows, event, channel);
    let same = |a: &Arc<Workflow>, list: &[Arc<Workflow>]| list.iter().any(|b| Arc::ptr_eq(a, b));
    let why = |w: &Arc<Workflow>| match kind(event) {
        _ if same(w, &routed.run) => None,
        _ if same(w, &routed.passed_over) => Some(Unwanted::PassedOver),
        Err(_) => Some(Unwanted::Event),
        Ok(kind) if w.on.iter().any(|t| t.kind == kind) => Some(Unwanted::Channel),
        Ok(_) => Some(Unwanted::Kind),
    };
    workflows.iter().map(|w| (Arc::clone(w), why(w))).collect()
}

#[cfg(test)]
mod tests;
