//! Tests without wasm. On the machine's own target the host is a [`Host`] of this thread: it answers what the test told it
//! to, and writes down what the step asked for.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet, VecDeque};

use serde_json::Value;

use crate::context::{Completion, Info, Level, Passage, Prompt, Said};
use crate::step::{Call, Outcome, Step, serve};
use crate::types::{Event, Failure, HttpRequest, HttpResponse, Message, Person, Template};

pub(crate) mod double;
pub mod fixtures;
pub mod v1;

thread_local! {
    static HOST: RefCell<Host> = RefCell::new(Host::default());
}

/// What a step asked for, in order.
#[derive(Debug, Clone, PartialEq)]
#[expect(missing_docs, reason = "as the functions of the interface `act`")]
pub enum Act {
    Reply(Message),
    Template(Template),
    Draft(Message),
    Tag(String),
    Untag(String),
    Note(String),
    Assign(String),
    Set(String, Value),
    Emit(String, Value),
}

/// The host as a step sees it.
#[derive(Debug, Clone)]
pub struct Host {
    /// What `now` answers.
    pub now: i64,
    /// Seed of the random numbers.
    pub seed: u64,
    /// 1 at first.
    pub attempt: u32,
    /// What started the run.
    pub event: Option<Event>,
    /// The conversation.
    pub conversation: Info,
    /// What was said in it, oldest first.
    pub history: Vec<Said>,
    /// The small store: `conversation/KEY`, `contact/KEY`, `workspace/KEY`.
    pub state: BTreeMap<String, Value>,
    /// Interfaces that were not granted: `act`, `state`, `http` ...
    pub denied: BTreeSet<&'static str>,
    /// The answers of the network, in order; when there is none left, the network is away.
    pub answers: VecDeque<HttpResponse>,
    /// The answers of knowledge bases, in order.
    pub passages: VecDeque<Vec<Passage>>,
    /// The answers of the model, in order.
    pub completions: VecDeque<Completion>,
    /// What was asked for.
    pub acts: Vec<Act>,
    /// What was logged.
    pub log: Vec<(Level, String)>,
    /// The requests that were made.
    pub requests: Vec<HttpRequest>,
    /// The questions to the model.
    pub prompts: Vec<Prompt>,
}

impl Default for Host {
    fn default() -> Self {
        Self {
            now: 1_700_000_000_000,
            seed: 1,
            attempt: 1,
            event: None,
            conversation: Info {
                id: "1".into(),
                channel: "test".into(),
                contact: Person { name: Some("Ann".into()), ..Person::new("ann") },
                tags: Vec::new(),
                attributes: "{}".into(),
                assigned: None,
                window_ends: None,
            },
            history: Vec::new(),
            state: BTreeMap::new(),
            denied: BTreeSet::new(),
            answers: VecDeque::new(),
            passages: VecDeque::new(),
            completions: VecDeque::new(),
            acts: Vec::new(),
            log: Vec::new(),
            requests: Vec::new(),
            prompts: Vec::new(),
        }
    }
}

impl Host {
    /// The same without this interface: its functions answer `denied`.
    #[must_use]
    pub fn deny(mut self, interface: &'static str) -> Self {
        self.denied.insert(interface);
        self
    }

    /// The same with a value in the store, under `contact/KEY` and the like.
    #[must_use]
    pub fn with_state(mut self, place: impl Into<String>, value: Value) -> Self {
        self.state.insert(place.into(), value);
        self
    }
}

/// How a call ended.
#[derive(Debug, Clone)]
pub struct Ran {
    /// The output, or why there is none.
    pub result: Result<Value, Failure>,
    /// The host afterwards. When the step failed, its acts are gone and the store is as before, as with the real host.
    pub host: Host,
}

impl Ran {
    /// The texts of all replies.
    #[must_use]
    pub fn replies(&self) -> Vec<&str> {
        self.host.acts.iter().filter_map(|a| if let Act::Reply(m) = a { m.text.as_deref() } else { None }).collect()
    }

    /// The tags that were put on.
    #[must_use]
    pub fn tags(&self) -> Vec<&str> {
        self.host.acts.iter().filter_map(|a| if let Act::Tag(t) = a { Some(t.as_str()) } else { None }).collect()
    }
}

/// Runs a step as the host would: input and settings as JSON text, the output read back from it.
pub fn run<S: Step>(host: Host, input: Value, config: Value) -> Ran {
    let before = host.state.clone();
    let call = Call {
        run: "1".into(),
        step: "step".into(),
        attempt: host.attempt,
        at: host.now,
        seed: host.seed,
        input: input.to_string(),
        config: config.to_string(),
        event: host.event.clone(),
        journal: Vec::new(),
    };
    HOST.with(|h| *h.borrow_mut() = host);
    let result = serve::<S>(call).and_then(|outcome| match outcome {
        Outcome::Done(json) => serde_json::from_str(&json).map_err(|_| Failure::malformed("output", "the output is not JSON")),
        Outcome::Suspended(_) => Err(Failure::unsupported("suspended", "the double cannot wait")),
    });
    let mut host = HOST.with(|h| std::mem::take(&mut *h.borrow_mut()));
    if result.is_err() {
        host.acts.clear();
        host.state = before;
    }
    Ran { result, host }
}

#[cfg(test)]
mod tests;
