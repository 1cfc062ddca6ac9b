//! What a run waits for, what wakes it, and how an answer is judged. All of it is data: a run that waits keeps no memory,
//! and what it needs to go on stands in the journal entry that began the wait.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::clock::{Instant, Millis};
use crate::event::{Event, EventBody, Message};
use crate::failure::{Class, Failure};
use crate::id::Id;
use crate::ports::Usage;
use crate::trigger::{self, Trigger, TriggerKind};

mod expect;

pub use expect::{Expect, Heard};

/// A wait between two attempts of a step.
pub const RETRY: &str = "retry";
/// A question to the contact.
pub const ASK: &str = "ask";
/// A script's pause.
pub const SLEEP: &str = "sleep";
/// A length of time, a moment, or an event.
pub const WAIT: &str = "wait";
/// A person's approval.
pub const APPROVE: &str = "approve";
/// The end of a workflow that was called.
pub const CALL: &str = "call";

/// How long an answer, an event or an approval is waited for when the author says nothing.
pub const DAY: Millis = 86_400_000;

/// The longest wait: a year and a day.
pub const LONGEST: Millis = 366 * DAY;

/// How often a question is said again before it is given up.
const AGAIN: u32 = 3;

/// Which events end a wait: any of these, read like the triggers of a workflow.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Filter {
    /// One of them is enough.
    pub any: Vec<Trigger>,
}

impl Filter {
    /// What can answer a question: something that the contact said or pressed.
    #[must_use]
    pub fn talk() -> Self {
        Self { any: vec![Trigger::on(TriggerKind::Message), Trigger::on(TriggerKind::Interaction)] }
    }

    /// Whether an event on the channel of this short name ends the wait. What could start no workflow (an echo, a bot's word)
    /// ends no wait either. A pressed button counts as a message where only messages are waited for.
    #[must_use]
    pub fn takes(&self, event: &Event, channel: &str) -> bool {
        let wanted = |kind| self.any.iter().any(|trigger| trigger.wants(event, kind, channel).is_ok());
        trigger::kind_of(event)
            .is_ok_and(|kind| wanted(kind) || (kind == TriggerKind::Interaction && wanted(TriggerKind::Message)))
    }
}

/// What a run waits for now.
#[derive(Debug, Clone, PartialEq)]
pub struct Wait {
    /// The step that waits: its path in the run.
    pub path: Arc<str>,
    /// [`RETRY`], [`ASK`], [`SLEEP`], [`WAIT`], [`APPROVE`] or [`CALL`].
    pub kind: Arc<str>,
    /// Names this wait among all of the run; of an approval it is a hash of what is to be approved, for whom.
    pub key: String,
    /// When it ends by itself.
    pub until: Option<Instant>,
    /// The events that end it. `None`: no event does.
    pub filter: Option<Filter>,
    /// Of a question: what was said last. Of an approval: what is to be approved.
    pub message: Option<Message>,
    /// Whose approval is wanted: `team/NAME` or `agent/NAME`; absent: anybody's who may approve.
    pub to: Option<String>,
    /// Whether words from outside had a part in `message`.
    pub marked: bool,
    /// Of a call: the run that it began.
    pub called: Option<Called>,
}

/// What wakes a run that waits.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Wake {
    /// Its time has come.
    Timeout,
    /// Something came in.
    Answer {
        /// The event in its flat form ([`crate::event::v1`]).
        event: Value,
        /// What was said, or what stood on the button.
        text: Option<String>,
        /// What we had put behind the button.
        payload: Option<String>,
        /// The event's id, for the journal.
        id: String,
    },
    /// A person decided.
    Approved {
        /// How.
        approved: bool,
        /// The text that was approved, when it was changed.
        text: Option<String>,
        /// Who.
        by: String,
    },
    /// A person wants it to go on now, as though its time had come.
    Hurried {
        /// Who.
        by: String,
    },
    /// The run that it called has ended.
    Ended {
        /// That run.
        run: Id,
        /// What it gave.
        result: Value,
        /// Whether words from outside had a part in it.
        marked: bool,
        /// Why it ended badly; then `result` is nothing.
        error: Option<Failure>,
    },
    /// The run is to end.
    Cancelled {
        /// By whom.
        by: String,
        /// Why.
        reason: String,
    },
}

impl Wake {
    /// In a word, for people.
    #[must_use]
    pub fn word(&self) -> &'static str {
        match self {
            Self::Timeout => "timeout",
            Self::Answer { .. } => "answer",
            Self::Approved { approved: true, .. } => "approved",
            Self::Approved { .. } => "rejected",
            Self::Hurried { .. } => "hurried",
            Self::Ended { error: None, .. } => "ended",
            Self::Ended { .. } => "failed",
            Self::Cancelled { .. } => "cancelled",
        }
    }

    /// The answer that an event is. `v1` is its flat form, `id` its own id.
    #[must_use]
    pub fn of(event: &Event, v1: Value, id: String) -> Self {
        let payload = match &event.body {
            EventBody::Interaction(pressed) => Some(pressed.payload.clone()),
            _ => None,
        };
        Self::Answer { event: v1, text: event.text().map(str::to_owned), payload, id }
    }
}

/// What a wait needs beside its time, kept with the entry that began it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Want {
    /// An answer of the contact.
    Answer(Question),
    /// An event.
    Event(Filter),
    /// A person's approval.
    Approval(Approval),
    /// The end of another run.
    Run(Called),
}

/// A workflow that was called.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Called {
    /// The run that it is.
    pub run: Id,
    /// Its name.
    pub name: String,
    /// Content hash of the version that was active then, for life.
    pub workflow: String,
}

/// A question that was asked.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Question {
    /// As it was said; its buttons are offered answers.
    pub message: Message,
    /// What is said when an answer does not fit; absent: the question again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub again: Option<String>,
    /// What fits.
    #[serde(default)]
    pub expect: Expect,
    /// How often it was said again.
    #[serde(default)]
    pub tries: u32,
    /// Whether words from outside had a part in it.
    #[serde(default)]
    pub marked: bool,
}

/// Something that a person must approve.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Approval {
    /// What is to be approved.
    pub message: Message,
    /// Whose approval is wanted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<String>,
    /// Whether it is sent when it was approved.
    #[serde(default)]
    pub send: bool,
    /// Whether words from outside had a part in it.
    #[serde(default)]
    pub marked: bool,
    /// How the step ended that drafted it, where that was a plugin's. Else the decision is what the step gives.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gave: Option<Box<Gave>>,
}

/// How a step of the sandbox ended that drafted something: so it ends for its workflow once a person has decided.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Gave {
    /// Its output; marked as the draft is.
    pub output: Value,
    /// Hash of its input.
    pub input: String,
    /// What it used.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub usage: Option<Usage>,
}

/// What a waking gave.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Woken {
    /// The wait is over.
    Over {
        /// What the step gives.
        output: Value,
        /// Whether words from outside are in it.
        marked: bool,
        /// What is said now that it was approved.
        send: Option<Message>,
    },
    /// The answer did not fit: this is to be said, and waited on.
    Again(Question, Message),
    /// It is given up.
    Failed(Failure),
    /// This wakes no such wait.
    No,
}

/// Judges what came. `want` absent: a wait for nothing but its time.
pub(crate) fn judge(kind: &str, want: Option<&Want>, wake: Wake) -> Woken {
    let over = |output, marked| Woken::Over { output, marked, send: None };
    match (want, wake) {
        (Some(Want::Answer(question)), Wake::Answer { event, text, payload, .. }) => question.hear(event, text, payload),
        (Some(Want::Answer(_)), Wake::Timeout) => {
            over(json!({ "text": null, "value": null, "payload": null, "event": null, "timed_out": true }), false)
        }
        (Some(Want::Event(_)), Wake::Answer { event, .. }) => over(json!({ "event": event, "timed_out": false }), true),
        (Some(Want::Event(_)), Wake::Timeout) => over(json!({ "event": null, "timed_out": true }), false),
        (Some(Want::Approval(approval)), Wake::Approved { approved, text, by }) => approval.decided(approved, text, &by),
        (Some(Want::Approval(approval)), Wake::Timeout) => approval.decided(false, None, "expired"),
        (Some(Want::Run(called)), Wake::Ended { run, result, marked, error }) if called.run == run => match error {
            None => over(result, marked),
            Some(error) => Woken::Failed(error),
        },
        (None, Wake::Timeout) if kind == SLEEP => over(Value::Null, false),
        (None, Wake::Timeout) => over(json!({ "event": null, "timed_out": false }), false),
        _ => Woken::No,
    }
}

impl Question {
    fn hear(&self, event: Value, text: Option<String>, payload: Option<String>) -> Woken {
        if let Some(Heard { text, payload, value }) = self.expect.hear(&self.message.choices, text, payload) {
            let output = json!({ "text": text, "value": value, "payload": payload, "event": event, "timed_out": false });
            return Woken::Over { output, marked: true, send: None };
        }
        if self.tries >= AGAIN {
            let sentence = format!(
                "no answer was {}, though it was asked {} times; deal with it in `on_error`, or expect something wider",
                self.expect.describe(),
                AGAIN + 1
            );
            return Woken::Failed(Failure::new(Class::Permanent, "ask.not_understood", sentence));
        }
        let mut said = self.message.clone();
        if let Some(again) = &self.again {
            said.text = Some(again.clone());
            said.attachments.clear();
        }
        Woken::Again(Self { tries: self.tries + 1, ..self.clone() }, said)
    }
}

impl Approval {
    /// What is said when it is approved with this text in the place of its own.
    #[must_use]
    pub fn says(&self, text: Option<&str>) -> Message {
        let mut message = self.message.clone();
        if let Some(text) = text.filter(|text| !text.trim().is_empty()) {
            message.text = Some(text.to_owned());
        }
        message
    }

    fn decided(&self, approved: bool, text: Option<String>, by: &str) -> Woken {
        let message = self.says(text.as_deref());
        let decision = || json!({ "approved": approved, "text": message.text, "by": by });
        let output = self.gave.as_ref().map_or_else(decision, |gave| gave.output.clone());
        Woken::Over { output, marked: self.marked, send: Some(message).filter(|_| approved && self.send) }
    }
}

#[cfg(test)]
mod tests;
