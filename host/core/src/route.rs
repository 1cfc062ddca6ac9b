//! Which workflows want an event (SEMANTICS, section 1): by priority, then name; an exclusive one ends the list.
//!
//! An event whose `trigger` is false starts nothing: it was said by the account itself, by a bot, or is news about a
//! message. This is the guard against two bots that answer each other for ever. Facts that no bot answers by itself
//! (comments, reviews, orders, reactions) are told by their kind, but not when an automated sender made them; and facts of the
//! workspace's own are counted ([`crate::trigger::HOPS`]).

use std::sync::Arc;

use crate::clock::Millis;
use crate::event::{Cause, Event, EventBody};
use crate::trigger::{Miss, Trigger, TriggerKind, kind_of};
use crate::workflow::Workflow;

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

/// The trigger by which a workflow wants an event of this kind: one that interrupts before others, else the first of the file.
/// `Err`: how near it came.
fn wanted<'w>(workflow: &'w Workflow, event: &Event, kind: TriggerKind, channel: &str) -> Result<&'w Trigger, Miss> {
    // A schedule, a webhook and a person name the workflow that they mean.
    if let EventBody::Internal(internal) = &event.body
        && matches!(internal.cause, Cause::Schedule | Cause::Webhook | Cause::Manual)
        && *internal.name != *workflow.name
    {
        return Err(Miss::Kind);
    }
    let mut miss = Miss::Kind;
    let mut found: Option<&Trigger> = None;
    for trigger in &workflow.on {
        match trigger.wants(event, kind, channel) {
            Ok(()) if found.is_none_or(|before| trigger.interrupts && !before.interrupts) => found = Some(trigger),
            Ok(()) => {}
            Err(why) => miss = miss.max(why),
        }
    }
    found.ok_or(miss)
}

/// The kind by which workflows are looked for. A pressed button is an interaction; where no workflow listens for interactions
/// on this channel it counts as a message, so that a simple bot understands the buttons that it sent.
fn counts_as(workflows: &[Arc<Workflow>], event: &Event, channel: &str) -> Result<TriggerKind, &'static str> {
    let kind = kind_of(event)?;
    let listens = |t: &Trigger| t.kind == kind && (t.channels.is_empty() || t.channels.iter().any(|c| c == channel));
    if kind == TriggerKind::Interaction && !workflows.iter().any(|w| w.on.iter().any(listens)) {
        return Ok(TriggerKind::Message);
    }
    Ok(kind)
}

/// Decides. `channel` is the short name of the channel's plugin, `whatsapp`; empty where the event has no conversation.
#[must_use]
pub fn route(workflows: &[Arc<Workflow>], event: &Event, channel: &str) -> Route {
    let kind = match counts_as(workflows, event, channel) {
        Ok(kind) => kind,
        Err(rule) => return Route { rule: Some(rule), ..Route::default() },
    };
    let mut run: Vec<Arc<Workflow>> =
        workflows.iter().filter(|w| wanted(w, event, kind, channel).is_ok()).map(Arc::clone).collect();
    run.sort_by(|a, b| b.priority.cmp(&a.priority).then_with(|| a.name.cmp(&b.name)));
    let last = run.iter().position(|w| w.exclusive).map_or(run.len(), |at| at + 1);
    let passed_over = run.split_off(last);
    Route { rule: run.is_empty().then_some("no_workflow"), run, passed_over }
}

/// How a workflow begins that wants an event.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Manner {
    /// When the contact was quiet for so long; at once if absent.
    pub gather: Option<Millis>,
    /// Also where a run waits for the event, which then does not get it.
    pub interrupts: bool,
}

/// How a workflow of the list begins: as the trigger says by which [`route`] has chosen it.
#[must_use]
pub fn manner(workflows: &[Arc<Workflow>], workflow: &Workflow, event: &Event, channel: &str) -> Manner {
    let kind = counts_as(workflows, event, channel);
    let trigger = kind.ok().and_then(|kind| wanted(workflow, event, kind, channel).ok());
    trigger.map_or_else(Manner::default, |trigger| Manner { gather: trigger.gather, interrupts: trigger.interrupts })
}

/// Why a workflow does not run for an event, in a word of ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unwanted {
    /// It listens for other facts.
    Kind,
    /// It listens for such facts on other channels.
    Channel,
    /// The conditions of its trigger are not met.
    Condition,
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
            Self::Condition => "the conditions of its trigger are not met",
            Self::Event => "an event of this kind starts no workflow",
            Self::PassedOver => "an exclusive workflow before it ran",
        }
    }
}

impl From<Miss> for Unwanted {
    fn from(miss: Miss) -> Self {
        match miss {
            Miss::Kind => Self::Kind,
            Miss::Channel => Self::Channel,
            Miss::Condition => Self::Condition,
        }
    }
}

/// For people who ask: each workflow, and why it does not run for this event. `None`: it runs.
#[must_use]
pub fn explain(workflows: &[Arc<Workflow>], event: &Event, channel: &str) -> Vec<(Arc<Workflow>, Option<Unwanted>)> {
    let routed = route(workflows, event, channel);
    let kind = counts_as(workflows, event, channel);
    let same = |a: &Arc<Workflow>, list: &[Arc<Workflow>]| list.iter().any(|b| Arc::ptr_eq(a, b));
    let why = |w: &Arc<Workflow>| match kind {
        _ if same(w, &routed.run) => None,
        _ if same(w, &routed.passed_over) => Some(Unwanted::PassedOver),
        Err(_) => Some(Unwanted::Event),
        Ok(kind) => wanted(w, event, kind, channel).err().map(Unwanted::from),
    };
    workflows.iter().map(|w| (Arc::clone(w), why(w))).collect()
}

#[cfg(test)]
mod tests;
