//! What a run asks of the host, and how its leg ends.

use std::sync::Arc;

use serde_json::Value;

use crate::clock::{Instant, Millis};
use crate::effect::Effect;
use crate::failure::Failure;
use crate::id::Id;
use crate::journal::{Caller, Read};
use crate::ports::{Answered, Outcome, Usage};

/// What a run begins with. All but its own id is journaled.
#[derive(Debug, Clone)]
pub struct Started {
    /// The run's own id.
    pub run: Id,
    /// The event that started it.
    pub event: Id,
    /// The frozen `now`.
    pub at: Instant,
    /// Seed of the run's random numbers.
    pub seed: u64,
    /// Plugin id and digest, for every id in [`crate::workflow::Workflow::plugins`].
    pub plugins: Vec<(String, String)>,
    /// The run that called it, and with what.
    pub caller: Option<Box<Caller>>,
}

/// What the host must do next for the run.
#[derive(Debug, Clone, PartialEq)]
pub enum Action {
    /// Run this step in the sandbox, then call [`super::Machine::step_ended`].
    Call(Call),
    /// Begin this workflow as a run of its own, then call [`super::Machine::began`].
    Begin(super::Begin),
    /// This leg is over. Asking again gives the same answer.
    Finished(RunEnd),
}

/// A step that runs in the sandbox.
#[derive(Debug, Clone, PartialEq)]
pub struct Call {
    /// Where in the workflow.
    pub path: Arc<str>,
    /// 1 at first.
    pub attempt: u32,
    /// The frozen `now`: when the step began.
    pub at: Instant,
    /// Seed of the step's random numbers, from the run's seed and the path.
    pub seed: u64,
    /// The author's own bound on wall time; absent: the class's.
    pub timeout: Option<Millis>,
    /// What to run.
    pub work: Work,
    /// Whether words from outside are in the input.
    pub marked: bool,
    /// For [`crate::ports::StepCall`]: the answers of its earlier legs.
    pub journal: Vec<Answered>,
    /// Likewise: what was taken of these.
    pub taken: Vec<String>,
    /// Likewise: what they read.
    pub reads: Vec<Read>,
}

/// What runs in a step.
#[derive(Debug, Clone, PartialEq)]
pub enum Work {
    /// A plugin.
    Use {
        /// `pointsman/keyword`.
        plugin: Arc<str>,
        /// Its pinned digest.
        digest: Arc<str>,
        /// Its input, expressions worked out.
        input: Value,
    },
    /// A script.
    Script {
        /// The whole text.
        source: Arc<str>,
        /// SHA-256 of it, hex.
        hash: Arc<str>,
        /// The names that its text mentions, and those of `with`: a JSON object.
        input: Value,
    },
}

/// How a call ended, as the host saw it.
#[derive(Debug, Clone, PartialEq)]
pub struct Ended {
    /// The output, or why there is none.
    pub result: Result<Outcome, Failure>,
    /// What it wants done, in order; ignored when it failed.
    pub effects: Vec<Effect>,
    /// Whether the call was given words from outside by another way than its input: the event, the conversation, stored
    /// state, an answer of a host. Its output and effects are marked then.
    pub saw_outside: bool,
    /// When it ended.
    pub now: Instant,
    /// In 0..1: spreads the back-off of a retry.
    pub random: f64,
    /// What it used, for people who look at the run.
    pub usage: Option<Usage>,
    /// What it read, when it suspended.
    pub reads: Vec<Read>,
}

/// How a leg of a run ended.
#[derive(Debug, Clone, PartialEq)]
pub enum RunEnd {
    /// Ended well.
    Done {
        /// What it gave.
        result: Value,
        /// Whether words from outside had a part in it.
        marked: bool,
    },
    /// Ended badly: park it.
    Failed {
        /// The step that failed.
        path: Arc<str>,
        /// Why.
        error: Failure,
    },
    /// Waits: see [`super::Machine::resume`].
    Waiting {
        /// The step that waits.
        path: Arc<str>,
        /// [`super::RETRY`], [`super::ASK`] ...
        kind: Arc<str>,
        /// What names this wait: see [`super::Wait::key`].
        key: String,
        /// When it wakes at the latest.
        until: Option<Instant>,
    },
    /// Was ended from outside.
    Cancelled,
}
