//! How a workflow proceeds: a machine without IO. The host asks [`Machine::next`] what to do, does it, and tells how it
//! ended; everything decided or learnt on the way becomes a journal entry, and from the entries alone the machine can be
//! rebuilt ([`Machine::replay`]) at exactly the place where it was.
//!
//! ```text
//! loop { match machine.next(expressions) {
//!     Action::Call(call)    => machine.step_ended(run it),
//!     Action::Finished(end) => break,      // commit machine.take_entries() with their effects
//! } }
//! ```

mod action;
mod calls;
mod each;
mod legs;
mod look;
mod native;
mod replay;
mod waits;
mod wishes;

use std::io;
use std::sync::Arc;

use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};

use crate::clock::Instant;
use crate::effect::{Decided, Effect};
use crate::failure::{Class, Failure};
use crate::journal::{Caller, Entry};
use crate::mark::Marked;
use crate::ports::{Expressions, Names, Outcome, Usage};
use crate::wait::{Approval, Gave};
use crate::workflow::Workflow;
use crate::workflow::program::{Handler, Op, Program, Script, Site, Verb};
use calls::Beginning;
use each::Loop;
use legs::{Asked, Legs, Wished, decided, drafts};
use waits::Waiting;

pub use crate::wait::{APPROVE, ASK, CALL, Called, Filter, RETRY, SLEEP, WAIT, Wait, Wake};
pub use action::{Action, Call, Ended, RunEnd, Started, Work};
pub use calls::{Begin, DEPTH};
pub use look::inputs;
pub(crate) use waits::call_path;
pub(crate) use wishes::moment;

/// A run of one workflow for one event.
#[derive(Debug)]
pub struct Machine {
    workflow: Arc<Workflow>,
    names: Names,
    plugins: Vec<(String, String)>,
    caller: Option<Box<Caller>>,
    /// The frozen `now`.
    at: Instant,
    seed: u64,
    /// The next operation.
    pc: usize,
    /// Of the step at `pc`.
    attempt: u32,
    state: State,
    /// Earlier legs of the step at `pc`.
    legs: Option<Box<Legs>>,
    /// The `each` in which it stands.
    each: Option<Box<Loop>>,
    /// What the run gives in the end.
    result: Marked<Value>,
    /// New ones.
    entries: Vec<Entry>,
}

#[derive(Debug)]
enum State {
    Ready,
    /// The sandbox has it.
    Called {
        site: usize,
        marked: bool,
        input: String,
    },
    /// The sandbox has a step that a script called.
    Asked(Box<Asked>),
    /// The host has a workflow to begin.
    Beginning(Box<Beginning>),
    /// A step suspended: [`Machine::next`] looks at what it wished.
    Wished(Box<Wished>),
    Waiting(Box<Waiting>),
    Ended(RunEnd),
}

/// What is told of a step that ran in the sandbox; of a native one nothing.
#[derive(Default)]
struct Ran {
    /// Hash of the input.
    input: String,
    usage: Option<Usage>,
    ended: Option<Instant>,
}

impl Machine {
    /// A new run. `base` holds `event`, `contact`, `conversation`, `workspace` (see [`crate::conversation::names`]); the
    /// machine adds `vars`, `now` and the outputs of steps.
    #[must_use]
    pub fn start(workflow: Arc<Workflow>, started: Started, base: Names) -> Self {
        let entry = Entry::Started {
            workflow: workflow.content_hash().to_string(),
            plugins: started.plugins.clone(),
            event: started.event,
            at: started.at,
            seed: started.seed,
            caller: started.caller.clone(),
        };
        let mut machine = Self::prepare(workflow, started, base);
        machine.entries.push(entry);
        machine
    }

    fn prepare(workflow: Arc<Workflow>, started: Started, mut base: Names) -> Self {
        let Started { plugins, at, seed, caller, .. } = started;
        for outside in ["event", "contact"] {
            if let Some(value) = base.get_mut(outside) {
                value.marked = true;
            }
        }
        let vars = match &caller {
            // The host has asked before whether the workflow accepts what it is given.
            Some(caller) => match calls::given(&workflow, &caller.with.value) {
                Ok(vars) => Marked { value: Value::Object(vars), marked: caller.with.marked },
                Err(_) => Marked::own(workflow.vars.clone()),
            },
            None => Marked::own(workflow.vars.clone()),
        };
        base.insert("vars".to_owned(), vars);
        for id in &workflow.kept {
            base.insert(id.to_string(), Marked::own(Value::Null));
        }
        let mut machine = Self {
            workflow,
            names: base,
            plugins,
            caller,
            at,
            seed,
            pc: 0,
            attempt: 1,
            state: State::Ready,
            legs: None,
            each: None,
            result: Marked::own(Value::Null),
            entries: Vec::new(),
        };
        machine.freeze(at);
        machine
    }

    fn freeze(&mut self, at: Instant) {
        self.at = at;
        self.names.insert("now".to_owned(), Marked::own(Value::from(at)));
    }

    /// What to do next. Native verbs are carried out in here. Asking twice without an answer in between gives the same.
    pub fn next(&mut self, expressions: &dyn Expressions) -> Action {
        let workflow = Arc::clone(&self.workflow);
        let program = &workflow.program;
        loop {
            match &self.state {
                State::Ready | State::Called { .. } => {}
                State::Asked(asked) => return self.asked_call(program, asked),
                State::Beginning(beginning) => return Self::begin_action(beginning),
                State::Wished(_) => {}
                State::Waiting(waiting) => {
                    let (path, kind) = (Arc::clone(&waiting.path), Arc::clone(&waiting.kind));
                    return Action::Finished(RunEnd::Waiting { path, kind, key: waiting.key.clone(), until: waiting.until });
                }
                State::Ended(end) => return Action::Finished(end.clone()),
            }
            if let State::Wished(wished) = std::mem::replace(&mut self.state, State::Ready) {
                self.settle(program, *wished, expressions);
                continue;
            }
            match program.ops.get(self.pc) {
                Some(Op::Branch { site, condition, otherwise }) => match condition.eval(expressions, &self.names) {
                    Ok(Marked { value: Value::Bool(true), .. }) => self.pc += 1,
                    Ok(Marked { value: Value::Bool(false), .. }) => self.go(program.at(*otherwise)),
                    Ok(other) => self.failed(program, *site, not_a_condition(&other.value, condition.place.line), None),
                    Err(error) => self.failed(program, *site, error, None),
                },
                Some(Op::Jump(label)) => self.go(program.at(*label)),
                Some(Op::Handled) => self.handled(),
                Some(Op::Each { site }) => {
                    if let Err(error) = self.each(program, *site, expressions) {
                        self.failed(program, *site, error, None);
                    }
                }
                Some(Op::Next { site }) => {
                    if !self.next_item(program) {
                        self.end_each(program, *site);
                    }
                }
                Some(Op::Run { site }) => {
                    let at = *site;
                    let Some((site, verb)) = program.sites.get(at).and_then(|s| Some((s, s.verb.as_ref()?))) else {
                        self.pc += 1;
                        continue;
                    };
                    let called = match verb {
                        _ if verb.talks() && self.homeless() => Err(no_conversation(verb.word())),
                        Verb::Use { .. } | Verb::Script(_) => self.work(site, expressions).map(Some),
                        Verb::Ask(_) | Verb::Wait(_) | Verb::Approve(_) => {
                            self.native_wait(program, at, verb, expressions).map(|()| None)
                        }
                        Verb::Call { workflow, with } => {
                            self.call_of(at, site, workflow, with.as_ref(), expressions).map(|()| None)
                        }
                        _ => native::apply(verb, site.kept, expressions, &self.names).map(|applied| {
                            let effects = self.decide(&self.path(site), applied.effects);
                            self.done(program, site, applied.output, applied.marked, effects, Ran::default());
                            None
                        }),
                    };
                    match called {
                        Ok(None) => {}
                        Ok(Some((work, marked))) => return self.call(at, site, work, marked),
                        Err(error) => self.failed(program, at, error, None),
                    }
                }
                Some(Op::End) | None => {
                    let Marked { value, marked } = std::mem::replace(&mut self.result, Marked::own(Value::Null));
                    self.entries.push(Entry::Finished { result: value.clone(), marked });
                    self.state = State::Ended(RunEnd::Done { result: value, marked });
                }
            }
        }
    }

    /// Whether it runs outside of any conversation.
    fn homeless(&self) -> bool {
        self.names.get("conversation").is_some_and(|known| known.value.is_null())
    }

    /// The burst that it waited for is over: it begins now. See [`Entry::Gathered`].
    pub fn gathered(&mut self, at: Instant) {
        self.freeze(at);
        self.entries.push(Entry::Gathered { event: None, at });
    }

    /// A script is given the names that its text mentions. What it gives is always marked: it may read the conversation.
    fn script_input(&self, script: &Script, expressions: &dyn Expressions) -> Result<Value, Failure> {
        let mut input = Map::new();
        for name in &script.mentions {
            let value = self.names.get(&**name).map_or(Value::Null, |known| known.value.clone());
            input.insert(name.to_string(), value);
        }
        for (name, pattern) in &script.with {
            input.insert(name.clone(), pattern.eval(expressions, &self.names)?.value);
        }
        Ok(Value::Object(input))
    }

    fn call(&mut self, at: usize, site: &Site, work: Work, marked: bool) -> Action {
        let (Work::Use { input, .. } | Work::Script { input, .. }) = &work;
        self.state = State::Called { site: at, marked, input: hash(input) };
        let path = self.path(site);
        let (journal, taken, reads, began) = self.before();
        Action::Call(Call {
            attempt: self.attempt,
            at: began,
            seed: seed_of(self.seed, &path),
            path,
            timeout: site.timeout,
            work,
            marked,
            journal,
            taken,
            reads,
        })
    }

    /// Tells how the call ended that [`Machine::next`] asked for. Without such a call nothing happens.
    pub fn step_ended(&mut self, ended: Ended) {
        let workflow = Arc::clone(&self.workflow);
        let program = &workflow.program;
        let (at, marked, input) = match std::mem::replace(&mut self.state, State::Ready) {
            State::Called { site, marked, input } => (site, marked, input),
            State::Asked(asked) => return self.asked_ended(program, *asked, ended),
            other => {
                self.state = other;
                return;
            }
        };
        let marked = marked || ended.saw_outside || self.legs.as_ref().is_some_and(|legs| legs.marked);
        let Some(site) = program.sites.get(at) else { return };
        match ended.result {
            Ok(Outcome::Done(output)) => {
                let path = self.path(site);
                let (draft, effects) = drafts(ended.effects);
                let effects = effects.into_iter().map(|effect| (effect, marked)).collect();
                if let Some(message) = draft {
                    let gave = Some(Box::new(Gave { output, input, usage: ended.usage }));
                    return self.drafted(at, &path, Approval { message, to: None, send: true, marked, gave }, effects);
                }
                let effects = self.decide(&path, effects);
                self.done(program, site, output, marked, effects, Ran { input, usage: ended.usage, ended: Some(ended.now) });
            }
            Ok(Outcome::Suspended { name, arguments, fingerprint, consumed }) => {
                let (effects, reads) = (ended.effects, ended.reads);
                let wished = Wished { site: at, marked, name, arguments, fingerprint, consumed, effects, reads };
                self.state = State::Wished(Box::new(wished));
            }
            Err(error) => self.failed(program, at, error, Some((ended.now, ended.random, ended.usage))),
        }
    }

    /// The effects of the step at which the run stands: their numbers go on where its earlier legs ended.
    fn decide(&self, path: &str, effects: Vec<(Effect, bool)>) -> Vec<Decided> {
        let taken = self.legs.as_ref().map_or(0, |legs| {
            let own = u32::try_from(legs.taken.len()).unwrap_or(u32::MAX);
            own.saturating_add(legs.said)
        });
        decided(path, taken, effects)
    }

    fn done(&mut self, program: &Program, site: &Site, output: Value, marked: bool, effects: Vec<Decided>, ran: Ran) {
        let path = self.path(site).to_string();
        self.passed(program, site, &output, marked);
        let attempt = std::mem::replace(&mut self.attempt, 1);
        let Ran { input, usage, ended } = ran;
        self.entries.push(Entry::StepDone { path, attempt, input, output, marked, effects, usage, ended });
    }

    /// Moves behind a step that gave `output`. Only an output that something reads is copied.
    fn passed(&mut self, program: &Program, site: &Site, output: &Value, marked: bool) {
        self.legs = None;
        if let Some(slot) = site.id.as_ref().filter(|_| site.kept).and_then(|id| self.names.get_mut(&**id)) {
            *slot = Marked { value: output.clone(), marked };
        }
        if self.each.is_some() {
            self.gave(program, &site.path, output, marked);
        }
        match &site.verb {
            Some(Verb::Stop(_)) => {
                self.result = Marked { value: output.clone(), marked };
                self.pc = usize::MAX;
            }
            Some(Verb::Each(each)) => self.pc = each.next + 1,
            _ => self.pc = site.run + 1,
        }
        self.state = State::Ready;
    }

    fn go(&mut self, to: usize) {
        self.pc = to;
        self.attempt = 1;
        self.legs = None;
    }

    fn handled(&mut self) {
        self.names.remove("error");
        self.pc += 1;
    }

    /// A step failed: again later, or to its handler. `ran`: for what may be tried again, the moment, a random number and what
    /// the sandbox measured.
    fn failed(&mut self, program: &Program, at: usize, error: Failure, ran: Option<(Instant, f64, Option<Usage>)>) {
        let Some(site) = program.sites.get(at) else { return };
        let (path, usage) = (self.path(site), ran.and_then(|(.., usage)| usage));
        let ended = Some(ran.map_or(self.at, |(now, ..)| now));
        let attempt = self.attempt;
        self.entries.push(Entry::StepFailed { path: path.to_string(), attempt, error: error.clone(), usage, ended });
        let again = ran.and_then(|(now, random, _)| site.retry.next(&error, self.attempt, now, random));
        match again {
            Some(until) => self.try_again(at, path, until),
            None => self.handle(program, site, error),
        }
    }

    fn try_again(&mut self, at: usize, path: Arc<str>, until: Instant) {
        let key = format!("{path}#{}", self.attempt + 1);
        let until = Some(until);
        self.wait(Waiting { site: at, path, kind: RETRY.into(), key, until, want: None, call: None, woken: false });
    }

    fn handle(&mut self, program: &Program, site: &Site, error: Failure) {
        self.state = State::Ready;
        let path = self.path(site);
        let to = match site.handler {
            _ if UNCAUGHT.contains(&&*error.code) => None,
            Handler::Fail => None,
            Handler::GoOn(label) => Some(label),
            Handler::Steps(label) => {
                let seen = json!({ "code": error.code, "class": error.class, "message": error.message, "step": *path });
                // A provider's or plugin's own words may be in it.
                self.names.insert("error".to_owned(), Marked::outside(seen));
                Some(label)
            }
        };
        let Some(to) = to.map(|label| program.at(label)) else {
            self.state = State::Ended(RunEnd::Failed { path, error });
            return;
        };
        self.go(to);
        if self.each.is_some() {
            self.leave_each_for(program, to);
        }
    }

    /// Has a run that failed go on at the step at which it failed, as if that step had not been tried: its guard is worked
    /// out again, its attempts are counted from one; what its earlier legs did and heard stays. `by` is a person. A run that
    /// waits for its next attempt is woken instead. False, and nothing happens, when the run has ended otherwise or waits for
    /// something else.
    pub fn retry(&mut self, by: &str, at: Instant) -> bool {
        let path = match &self.state {
            State::Ended(RunEnd::Failed { path, .. }) => Arc::clone(path),
            State::Waiting(waiting) if &*waiting.kind == RETRY => return self.woken(by, Wake::Timeout, at),
            _ => return false,
        };
        let workflow = Arc::clone(&self.workflow);
        let program = &workflow.program;
        let Some(site) = program.find(&path).and_then(|(site, _)| program.sites.get(site)) else { return false };
        self.entries.push(Entry::Resumed { path: path.to_string(), by: by.to_owned(), at });
        self.afresh(site, at);
        true
    }

    fn afresh(&mut self, site: &Site, at: Instant) {
        self.freeze(at);
        // A step that has done something already was let in by its guard.
        self.pc = if self.legs.is_some() { site.run } else { site.first };
        self.attempt = 1;
        self.state = State::Ready;
    }

    /// Ends the run from outside. A run that has ended stays as it is.
    pub fn cancel(&mut self, by: &str, reason: &str) {
        if !matches!(self.state, State::Ended(_)) {
            self.entries.push(Entry::Cancelled { by: by.to_owned(), reason: reason.to_owned() });
            self.state = State::Ended(RunEnd::Cancelled);
        }
    }

    /// The entries that were not taken yet.
    #[must_use]
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// Takes the new entries, to be committed together with their effects ([`effects`]).
    pub fn take_entries(&mut self) -> Vec<Entry> {
        std::mem::take(&mut self.entries)
    }

    /// The workflow that it runs.
    #[must_use]
    pub fn workflow(&self) -> &Arc<Workflow> {
        &self.workflow
    }
}

/// The effects that these entries decided, in order.
pub fn effects(entries: &[Entry]) -> impl Iterator<Item = &Decided> {
    entries
        .iter()
        .filter_map(|entry| match entry {
            Entry::StepDone { effects, .. } | Entry::Leg { effects, .. } | Entry::CallDone { effects, .. } => Some(effects),
            _ => None,
        })
        .flatten()
}

/// The code of a run that does not do what its journal says.
const DIVERGED: &str = "replay.diverged";
/// The code of a run whose version of a plugin was taken back.
pub const YANKED: &str = "plugin.yanked";
/// The code of a run whose version of a plugin is not there, or cannot be used any more.
pub const GONE: &str = "plugin.gone";

/// The code of a run whose plugin or script broke its limits again and again.
pub const QUARANTINED: &str = "plugin.quarantined";

/// What no `on_error` and no script catches, for a person must decide: what was taken of a step and what it does now are not
/// the same, or the code to which the run is pinned may not run.
const UNCAUGHT: [&str; 4] = [DIVERGED, YANKED, GONE, QUARANTINED];

/// Why something that is about a conversation cannot be done where there is none.
#[must_use]
pub fn no_conversation(what: &str) -> Failure {
    Failure::new(
        Class::Permanent,
        "run.no_conversation",
        format!("`{what}` needs a conversation, and this run has none: test `conversation != ()` before it"),
    )
}

fn diverged(what: &str) -> Failure {
    Failure::bug(DIVERGED, what)
}

fn not_a_condition(value: &Value, line: u32) -> Failure {
    let kind = match value {
        Value::Null => "()",
        Value::Number(_) => "a number",
        Value::String(_) => "text",
        Value::Array(_) => "a list",
        _ => "a map",
    };
    Failure::bug(
        "expr.not_bool",
        format!("the condition in line {line} gave {kind}, not true or false; compare it with something"),
    )
}

/// Random numbers of a step: equal on every replay, different for every step.
fn seed_of(seed: u64, path: &str) -> u64 {
    let mut hash = Sha256::new();
    hash.update(seed.to_be_bytes());
    hash.update(path.as_bytes());
    let digest = hash.finalize();
    digest.iter().take(8).fold(0, |n, byte| (n << 8) | u64::from(*byte))
}

/// A short hash of an input, to see on a replay that it is the same.
fn hash(input: &Value) -> String {
    struct Into256(Sha256);
    impl io::Write for Into256 {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.update(bytes);
            Ok(bytes.len())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    let mut to = Into256(Sha256::new());
    if serde_json::to_writer(&mut to, input).is_err() {
        return String::new();
    }
    let digest = to.0.finalize();
    hex::encode(digest.get(..16).unwrap_or_default())
}

#[cfg(test)]
mod tests;
