//! The journal of a run: everything that was decided or learnt, in order, from which the run can always be rebuilt.
//!
//! The one persisted enum. Its stored form is versioned: one byte [`FORMAT`], then the entries as a JSON array, sealed with
//! the contact's key. Entries are only ever appended; a case may be added, none may change its meaning.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::approval::Yes;
use crate::clock::Instant;
use crate::effect::Decided;
use crate::failure::Failure;
use crate::id::Id;
use crate::mark::Marked;
use crate::ports::{Refusal, Usage};
use crate::wait::{Wake, Want};

/// The version of the stored form.
pub const FORMAT: u8 = 1;

/// One line of the journal.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "entry", rename_all = "snake_case")]
pub enum Entry {
    /// The run began.
    Started {
        /// Content hash of the workflow version, for life.
        workflow: String,
        /// Plugin id and digest, as pinned.
        plugins: Vec<(String, String)>,
        /// The event.
        event: Id,
        /// The frozen `now`.
        at: Instant,
        /// Seed of the run's random numbers.
        seed: u64,
        /// The run that called it, and with what.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        caller: Option<Box<Caller>>,
    },
    /// A step ended well.
    StepDone {
        /// Where in the workflow: ids or positions, `order`, `3.do.1`.
        path: String,
        /// 1 at first.
        attempt: u32,
        /// Hash of the input.
        input: String,
        /// What it gave.
        output: Value,
        /// Whether words from outside had a part in the output.
        marked: bool,
        /// What it wants done.
        effects: Vec<Decided>,
        /// What it used of its limits, when it ran in the sandbox. Not part of what the run depends on.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        usage: Option<Usage>,
        /// When it ended, when it ran in the sandbox: native verbs take no time. Not part of what the run depends on either.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        ended: Option<Instant>,
    },
    /// A step failed.
    StepFailed {
        /// Where.
        path: String,
        /// 1 at first.
        attempt: u32,
        /// Why.
        error: Failure,
        /// What it used of its limits, when it ran in the sandbox.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        usage: Option<Usage>,
        /// When it failed; for a native verb or a guard, when its leg began.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        ended: Option<Instant>,
    },
    /// A script's call was answered.
    CallDone {
        /// The step's path.
        path: String,
        /// Its number among the calls of the step.
        n: u32,
        /// `ask`, `sleep`, `step` ...
        name: String,
        /// Hash of name and arguments.
        arguments: String,
        /// The answer.
        result: Value,
        /// Whether words from outside had a part in it.
        marked: bool,
        /// When it was recorded.
        at: Instant,
        /// What was asked for failed; then `result` is nothing.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        error: Option<Failure>,
        /// What a step that a script called wants done.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        effects: Vec<Decided>,
        /// What that step used of its limits.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        usage: Option<Usage>,
        /// When it ended.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        ended: Option<Instant>,
    },
    /// A step came to a wait, or to a call that is answered at once: what it did on the way there, since the entry of the same
    /// kind before. A later leg of the step does the same again, and it is dropped.
    Leg {
        /// The step's path.
        path: String,
        /// 1 at first.
        attempt: u32,
        /// What it wants done; of this leg alone.
        effects: Vec<Decided>,
        /// What it read; of this leg alone.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        reads: Vec<Read>,
        /// Its input, with the first leg: later ones get the same, whatever became of the world.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        input: Option<Marked<Value>>,
    },
    /// An `each` began.
    Each {
        /// Where.
        path: String,
        /// What it goes through.
        items: Vec<Value>,
        /// Whether words from outside are in them.
        marked: bool,
    },
    /// The run waits.
    Waiting {
        /// Where.
        path: String,
        /// `ask`, `sleep`, `approve`, `retry` ...
        kind: String,
        /// What wakes it.
        key: String,
        /// When it wakes at the latest.
        until: Option<Instant>,
        /// What it waits for beside that.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        want: Option<Box<Want>>,
        /// The call of a script, when one waits.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        call: Option<CallMade>,
    },
    /// A person told the waiting run something. It is the run's next waking, when it still waits for what `key` names.
    Told {
        /// The key of the wait.
        key: String,
        /// What was said.
        wake: Box<Wake>,
        /// What a person's yes holds for.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        yes: Option<Yes>,
    },
    /// It goes on.
    Resumed {
        /// Where.
        path: String,
        /// By an event's id, `timeout`, a person.
        by: String,
        /// The new frozen `now`.
        at: Instant,
    },
    /// Before its first step it waited for the contact to be quiet (`gather`).
    Gathered {
        /// What was said meanwhile, and is part of what it is about; absent: nothing more, and it goes on.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        event: Option<Id>,
        /// The new frozen `now`.
        at: Instant,
    },
    /// A person had it go on with another version of a plugin: from here on the run is pinned to that one.
    Replaced {
        /// The plugin's id.
        plugin: String,
        /// Of the version that it is pinned to now.
        digest: String,
        /// By whom.
        by: String,
    },
    /// It was ended from outside.
    Cancelled {
        /// By whom.
        by: String,
        /// Why.
        reason: String,
    },
    /// It ended.
    Finished {
        /// What it gave.
        result: Value,
        /// Whether words from outside had a part in it.
        marked: bool,
    },
}

/// What a run knows of the one that called it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Caller {
    /// The run.
    pub run: Id,
    /// The place of the call among all of the event, from the outermost workflow on: `desk/3.do.1>refund/2`.
    pub place: String,
    /// How many calls deep: 1 where the calling run was called by none.
    pub depth: u32,
    /// What it was given.
    pub with: Marked<Value>,
}

/// A call of a script that is not answered yet.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CallMade {
    /// Its number among the calls of the step, from 0.
    pub n: u32,
    /// `ask`, `sleep`, `step` ...
    pub name: String,
    /// The step's own hash of name and arguments.
    pub arguments: String,
}

/// What a step read of the conversation, the state or another import of its own.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Read {
    /// Hash of what was asked.
    pub call: String,
    /// What it was told.
    pub answer: Result<Value, Refusal>,
}

/// How a run stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[repr(i16)]
pub enum RunState {
    /// Wants the lane.
    Queued = 0,
    /// Has it.
    Running = 1,
    /// Waits for something outside.
    Waiting = 2,
    /// Ended well.
    Done = 3,
    /// Ended badly: parked.
    Failed = 4,
    /// Ended from outside.
    Cancelled = 5,
}

/// Packs entries into the stored form.
#[must_use]
pub fn pack(entries: &[Entry]) -> Vec<u8> {
    let mut out = vec![FORMAT];
    // Entries hold nothing that JSON cannot say; writing into memory cannot fail.
    if serde_json::to_writer(&mut out, entries).is_err() {
        out.truncate(1);
        out.extend_from_slice(b"[]");
    }
    out
}

/// Reads the stored form.
pub fn unpack(stored: &[u8]) -> Result<Vec<Entry>, Failure> {
    match stored.split_first() {
        Some((&FORMAT, json)) => serde_json::from_slice(json)
            .map_err(|e| Failure::bug("journal.unreadable", format!("a journal of format {FORMAT} does not parse: {e}"))),
        Some((other, _)) => Err(Failure::bug(
            "journal.format",
            format!("this journal has format {other}; this host reads up to {FORMAT}: upgrade the host"),
        )),
        None => Ok(Vec::new()),
    }
}
