//! What a step may do. Everything here concerns the one conversation that the step runs in: no call takes a recipient.

use serde::Serialize;
use serde::de::DeserializeOwned;

pub use crate::bindings::step::pointsman::plugin::conversation::{Info, Said, Speaker};
pub use crate::bindings::step::pointsman::plugin::knowledge::Passage;
pub use crate::bindings::step::pointsman::plugin::log::Level;
pub use crate::bindings::step::pointsman::plugin::model::{Completion, Prompt, Role, Turn};
pub use crate::bindings::step::pointsman::plugin::state::Scope;
use crate::host;
use crate::step::Call;
use crate::types::{Event, HttpRequest, HttpResponse, Message, Refusal, Template, to_json};

/// One call of a step.
#[derive(Debug)]
pub struct Context {
    run: String,
    step: String,
    attempt: u32,
    at: i64,
    event: Option<Event>,
}

impl Context {
    pub(crate) fn new(call: Call) -> Self {
        Self { run: call.run, step: call.step, attempt: call.attempt, at: call.at, event: call.event }
    }

    /// The run's id.
    #[must_use]
    pub fn run(&self) -> &str {
        &self.run
    }

    /// The step's id in the workflow.
    #[must_use]
    pub fn step(&self) -> &str {
        &self.step
    }

    /// 1 at first; larger when the host tries a failed step again.
    #[must_use]
    pub fn attempt(&self) -> u32 {
        self.attempt
    }

    /// When the step began, in milliseconds since 1970.
    #[must_use]
    pub fn at(&self) -> i64 {
        self.at
    }

    /// What started the run, or answered it last.
    #[must_use]
    pub fn event(&self) -> Option<&Event> {
        self.event.as_ref()
    }

    // -------------------------------------------------------------------------------------- always granted

    /// The present moment, frozen while this step runs: milliseconds since 1970.
    #[must_use]
    pub fn now(&self) -> i64 {
        host::clock::now()
    }

    /// A random number, the same when the step is replayed. Not for keys.
    #[must_use]
    pub fn random(&self) -> u64 {
        host::random::next()
    }

    /// Random bytes, the same when the step is replayed. Not for keys.
    #[must_use]
    pub fn random_bytes(&self, count: u32) -> Vec<u8> {
        host::random::bytes(count)
    }

    /// One line of log. Never the words or the name of a contact: logs are read by people who may not see those.
    pub fn log(&self, level: Level, line: impl AsRef<str>) {
        host::log::log(level, line.as_ref());
    }

    /// [`Context::log`] at `info`.
    pub fn info(&self, line: impl AsRef<str>) {
        self.log(Level::Info, line);
    }

    /// [`Context::log`] at `warn`.
    pub fn warn(&self, line: impl AsRef<str>) {
        self.log(Level::Warn, line);
    }

    // -------------------------------------------------------------------------------------- act

    /// Says something. Carried out when the step has ended well.
    pub fn reply(&self, message: impl Into<Message>) -> Result<(), Refusal> {
        host::act::reply(&message.into())
    }

    /// Sends a template of the provider: the only thing that may go outside of the messaging window.
    pub fn send_template(&self, template: &Template) -> Result<(), Refusal> {
        host::act::send_template(template)
    }

    /// Says something once a person has approved exactly this.
    pub fn draft(&self, message: impl Into<Message>) -> Result<(), Refusal> {
        host::act::draft(&message.into())
    }

    /// Puts a tag on the conversation.
    pub fn tag(&self, tag: impl AsRef<str>) -> Result<(), Refusal> {
        host::act::tag(tag.as_ref())
    }

    /// Takes a tag off.
    pub fn untag(&self, tag: impl AsRef<str>) -> Result<(), Refusal> {
        host::act::untag(tag.as_ref())
    }

    /// A note that only the team sees.
    pub fn note(&self, text: impl AsRef<str>) -> Result<(), Refusal> {
        host::act::note(text.as_ref())
    }

    /// Gives the conversation to `team/NAME` or `agent/NAME`.
    pub fn assign(&self, to: impl AsRef<str>) -> Result<(), Refusal> {
        host::act::assign(to.as_ref())
    }

    /// Sets an attribute of the contact.
    pub fn set(&self, name: impl AsRef<str>, value: impl Serialize) -> Result<(), Refusal> {
        host::act::set(name.as_ref(), &to_json(&value))
    }

    /// Raises an event of the workspace's own, which may start other workflows.
    pub fn emit(&self, name: impl AsRef<str>, data: impl Serialize) -> Result<(), Refusal> {
        host::act::emit(name.as_ref(), &to_json(&data))
    }

    // -------------------------------------------------------------------------------------- conversation, state

    /// The conversation that the step runs in.
    pub fn conversation(&self) -> Result<Info, Refusal> {
        host::conversation::get()
    }

    /// Its last messages, oldest first; at most 100.
    pub fn history(&self, count: u32) -> Result<Vec<Said>, Refusal> {
        host::conversation::history(count)
    }

    /// The small store of this conversation, contact or workspace.
    #[must_use]
    pub fn state(&self, scope: Scope) -> State {
        State(scope)
    }

    // -------------------------------------------------------------------------------------- world

    /// Makes a request to a host that the manifest pins. Any status is an answer; redirects are not followed.
    pub fn http(&self, request: &HttpRequest) -> Result<HttpResponse, Refusal> {
        host::http::send(request)
    }

    /// Searches a knowledge base that the grant names.
    pub fn search(&self, base: &str, query: &str, count: u32) -> Result<Vec<Passage>, Refusal> {
        host::knowledge::search(base, query, count)
    }

    /// Asks a model.
    pub fn chat(&self, prompt: &Prompt) -> Result<Completion, Refusal> {
        host::model::chat(prompt)
    }

    /// One vector a text; at most 256 texts.
    pub fn embed(&self, model: Option<&str>, texts: &[String]) -> Result<Vec<Vec<f32>>, Refusal> {
        host::model::embed(model, texts)
    }
}

/// A small store of JSON values, written with the step's result or not at all.
#[derive(Debug, Clone, Copy)]
pub struct State(Scope);

impl State {
    /// The value under `key`, if there is one.
    ///
    /// # Errors
    /// What the host refuses, and [`Refusal::Invalid`] when the value is not a `T`.
    pub fn get<T: DeserializeOwned>(self, key: &str) -> Result<Option<T>, Refusal> {
        host::state::get(self.0, key)?
            .map(|json| {
                serde_json::from_str(&json).map_err(|_| Refusal::Invalid(format!("the value of `{key}` has another type")))
            })
            .transpose()
    }

    /// Sets a value that stays.
    pub fn set(self, key: &str, value: impl Serialize) -> Result<(), Refusal> {
        host::state::set(self.0, key, &to_json(&value), None)
    }

    /// Sets a value that is forgotten after so many milliseconds.
    pub fn set_for(self, key: &str, value: impl Serialize, ttl: u64) -> Result<(), Refusal> {
        host::state::set(self.0, key, &to_json(&value), Some(ttl))
    }

    /// Forgets a value.
    pub fn delete(self, key: &str) -> Result<(), Refusal> {
        host::state::delete(self.0, key)
    }

    /// Adds to an integer (0 when absent) and returns the sum.
    pub fn add(self, key: &str, by: i64) -> Result<i64, Refusal> {
        host::state::add(self.0, key, by)
    }
}
