//! Waits: how a run begins one, and how it is woken. A run that waits is nothing but its journal.

use std::sync::Arc;

use serde_json::Value;
use sha2::{Digest, Sha256};

use super::legs::decided;
use super::wishes::length_of;
use super::{Machine, Ran, State, moment, native};
use crate::clock::Instant;
use crate::effect::{Decided, Effect};
use crate::event::Message;
use crate::failure::Failure;
use crate::journal::{CallMade, Entry};
use crate::mark::Marked;
use crate::ports::Expressions;
use crate::wait::{APPROVE, ASK, Approval, DAY, Expect, Filter, LONGEST, Question, RETRY, WAIT, Wait, Wake, Want, Woken, judge};
use crate::workflow::program::{Approve, Ask, Buttons, Expected, Program, Site, Verb, WaitForm};
use crate::workflow::template::to_text;

/// A wait, as the machine holds it.
#[derive(Debug, Clone)]
pub(super) struct Waiting {
    pub site: usize,
    pub path: Arc<str>,
    pub kind: Arc<str>,
    pub key: String,
    pub until: Option<Instant>,
    pub want: Option<Box<Want>>,
    pub call: Option<CallMade>,
    /// Only in a journal that ends between a waking and what came of it.
    pub woken: bool,
}

impl Machine {
    /// Begins a wait.
    pub(super) fn wait(&mut self, waiting: Waiting) {
        self.entries.push(Entry::Waiting {
            path: waiting.path.to_string(),
            kind: waiting.kind.to_string(),
            key: waiting.key.clone(),
            until: waiting.until,
            want: waiting.want.clone(),
            call: waiting.call.clone(),
        });
        self.state = State::Waiting(Box::new(waiting));
    }

    /// A wait of a step that runs natively.
    pub(super) fn native_wait(&mut self, program: &Program, at: usize, verb: &Verb, e: &dyn Expressions) -> Result<(), Failure> {
        let Some(site) = program.sites.get(at) else { return Ok(()) };
        match verb {
            Verb::Ask(form) => {
                let question = self.question(form, e)?;
                let until = self.at.saturating_add(form.timeout);
                self.ask(at, &self.path(site), question, until, None);
            }
            Verb::Wait(form) => match self.moment(form, e)? {
                Ok(until) if until <= self.at => {
                    let over = serde_json::json!({ "event": null, "timed_out": false });
                    self.done(program, site, over, false, Vec::new(), Ran::default());
                }
                Ok(until) => self.wait_until(at, &self.path(site), WAIT, until, None, None),
                Err((filter, until)) => {
                    let want = Some(Box::new(Want::Event(filter)));
                    self.wait_until(at, &self.path(site), WAIT, until, want, None);
                }
            },
            Verb::Approve(form) => {
                let approval = self.approval(form, e)?;
                self.approve(at, &self.path(site), approval, self.at.saturating_add(form.expires), None);
            }
            _ => {}
        }
        Ok(())
    }

    fn question(&self, form: &Ask, e: &dyn Expressions) -> Result<Question, Failure> {
        let Marked { value: message, mut marked } = native::reply(&form.question, e, &self.names)?;
        let again = match &form.again {
            Some(pattern) => {
                let got = pattern.eval(e, &self.names)?;
                marked |= got.marked;
                Some(to_text(got.value)).filter(|text| !text.trim().is_empty())
            }
            None => None,
        };
        let offered = !matches!(&form.question.buttons, Buttons::List(list) if list.is_empty()) && !message.choices.is_empty();
        let expect = match &form.expect {
            Expected::Unsaid if offered => Expect::OneOf(Vec::new()),
            Expected::Unsaid => Expect::Any,
            Expected::Kind(kind) => kind.clone(),
            Expected::OneOf(pattern) => match pattern.eval(e, &self.names)?.value {
                Value::Array(items) if !items.is_empty() => Expect::OneOf(items.into_iter().map(to_text).collect()),
                _ => return Err(Failure::bug("ask.one_of", "`one_of` must come out as a list of texts, with one at least")),
            },
        };
        Ok(Question { message, again, expect, tries: 0, marked })
    }

    /// A moment, or an event and the last moment for it.
    fn moment(&self, form: &WaitForm, e: &dyn Expressions) -> Result<Result<Instant, (Filter, Instant)>, Failure> {
        let until = match form {
            WaitForm::Length(pattern) => {
                let got = pattern.eval(e, &self.names)?.value;
                let length = got.as_str().and_then(length_of);
                let length =
                    length.ok_or_else(|| Failure::bug("wait.length", "`wait` must come out as a length of time: 2h, 3d"))?;
                self.at.saturating_add(length)
            }
            WaitForm::Until(pattern) => {
                let got = pattern.eval(e, &self.names)?.value;
                moment(&got).ok_or_else(|| {
                    Failure::bug("wait.moment", "`until` must come out as a time with its zone, or as milliseconds since 1970")
                })?
            }
            WaitForm::Event { filter, timeout } => return Ok(Err((filter.clone(), self.at.saturating_add(*timeout)))),
        };
        if until > self.at.saturating_add(LONGEST) {
            return Err(Failure::bug("wait.too_long", "a wait ends within a year and a day; make it shorter"));
        }
        Ok(Ok(until))
    }

    fn approval(&self, form: &Approve, e: &dyn Expressions) -> Result<Approval, Failure> {
        let got = form.text.eval(e, &self.names)?;
        let text = to_text(got.value);
        if text.trim().is_empty() {
            return Err(Failure::bug("approve.empty", "there is nothing to approve: the text came out empty"));
        }
        Ok(Approval { message: Message::text(text), to: form.to.clone(), send: form.send, marked: got.marked, gave: None })
    }

    /// A step of the sandbox ended and drafted this: what else it wants is done, and its end waits for a person.
    pub(super) fn drafted(&mut self, at: usize, path: &Arc<str>, draft: Approval, effects: Vec<(Effect, bool)>) {
        let effects = self.decide(path, effects);
        if !effects.is_empty() {
            self.take_leg(path, &effects, &[], None);
            let attempt = self.attempt;
            self.entries.push(Entry::Leg { path: path.to_string(), attempt, effects, reads: Vec::new(), input: None });
        }
        self.approve(at, path, draft, self.at.saturating_add(DAY), None);
    }

    /// Asks, and waits. `call`: the call of a script that asks.
    pub(super) fn ask(&mut self, at: usize, path: &Arc<str>, question: Question, until: Instant, call: Option<CallMade>) {
        let said = question.message.clone();
        self.say(path, &said, &question, call.as_ref());
        self.await_answer(at, path, question, until, call);
    }

    /// Decides to say a question, or to say it again.
    fn say(&mut self, path: &Arc<str>, said: &Message, question: &Question, call: Option<&CallMade>) {
        let (place, n) = match call {
            Some(call) => (call_path(path, call.n), question.tries),
            None => (path.to_string(), self.legs.as_ref().map_or(0, |legs| legs.said)),
        };
        let effect = Decided { path: place, n, effect: Effect::Reply(said.clone()), marked: question.marked, approval: None };
        // A script's question rides in the entry of the leg that asks it.
        if call.is_some()
            && question.tries == 0
            && let Some(Entry::Leg { effects, .. }) = self.entries.last_mut()
        {
            effects.push(effect);
            return;
        }
        let attempt = self.attempt;
        self.entries.push(Entry::Leg { path: path.to_string(), attempt, effects: vec![effect], reads: Vec::new(), input: None });
        if call.is_none() {
            self.legs_of(path).said += 1;
        }
    }

    fn await_answer(&mut self, at: usize, path: &Arc<str>, question: Question, until: Instant, call: Option<CallMade>) {
        let n = match &call {
            Some(_) => question.tries,
            None => self.legs.as_ref().map_or(0, |legs| legs.said),
        };
        let key = format!("{ASK}:{}#{n}", call.as_ref().map_or_else(|| path.to_string(), |call| call_path(path, call.n)));
        let want = Some(Box::new(Want::Answer(question)));
        let path = Arc::clone(path);
        self.wait(Waiting { site: at, path, kind: ASK.into(), key, until: Some(until), want, call, woken: false });
    }

    /// Waits for a moment, or for an event until then.
    pub(super) fn wait_until(
        &mut self,
        at: usize,
        path: &Arc<str>,
        kind: &str,
        until: Instant,
        want: Option<Box<Want>>,
        call: Option<CallMade>,
    ) {
        let place = call.as_ref().map_or_else(|| path.to_string(), |call| call_path(path, call.n));
        let key = format!("{kind}:{place}#{until}");
        self.wait(Waiting {
            site: at,
            path: Arc::clone(path),
            kind: kind.into(),
            key,
            until: Some(until),
            want,
            call,
            woken: false,
        });
    }

    /// Waits for a person. The key holds for exactly these bytes, in this conversation, of this run.
    pub(super) fn approve(&mut self, at: usize, path: &Arc<str>, approval: Approval, until: Instant, call: Option<CallMade>) {
        let place = call.as_ref().map_or_else(|| path.to_string(), |call| call_path(path, call.n));
        let mut hash = Sha256::new();
        let mut add = |bytes: &[u8]| {
            hash.update((bytes.len() as u64).to_be_bytes());
            hash.update(bytes);
        };
        add(&serde_json::to_vec(&approval.message).unwrap_or_default());
        let conversation = self.names.get("conversation").map(|known| &known.value);
        for part in ["id", "channel"] {
            add(conversation.and_then(|c| c.get(part)).and_then(Value::as_str).unwrap_or_default().as_bytes());
        }
        // The seed is the run's own.
        add(&self.seed.to_be_bytes());
        add(place.as_bytes());
        add(&until.to_be_bytes());
        let key = hex::encode(hash.finalize());
        let want = Some(Box::new(Want::Approval(approval)));
        let path = Arc::clone(path);
        self.wait(Waiting { site: at, path, kind: APPROVE.into(), key, until: Some(until), want, call, woken: false });
    }

    /// What it waits for.
    #[must_use]
    pub fn waits(&self) -> Option<Wait> {
        let State::Waiting(waiting) = &self.state else { return None };
        let mut wait = Wait {
            path: Arc::clone(&waiting.path),
            kind: Arc::clone(&waiting.kind),
            key: waiting.key.clone(),
            until: waiting.until,
            filter: None,
            message: None,
            to: None,
            marked: false,
            called: None,
        };
        match waiting.want.as_deref() {
            Some(Want::Answer(question)) => {
                wait.filter = Some(Filter::talk());
                (wait.message, wait.marked) = (Some(question.message.clone()), question.marked);
            }
            Some(Want::Event(filter)) => wait.filter = Some(filter.clone()),
            Some(Want::Approval(approval)) => {
                (wait.message, wait.marked) = (Some(approval.message.clone()), approval.marked);
                wait.to.clone_from(&approval.to);
            }
            Some(Want::Run(called)) => wait.called = Some(called.clone()),
            None => {}
        }
        Some(wait)
    }

    /// Wakes a run that waits. False, and nothing happens, when it does not wait, or for something else.
    pub fn resume(&mut self, wake: Wake, at: Instant) -> bool {
        let by = match &wake {
            Wake::Timeout => "timeout".to_owned(),
            Wake::Answer { id, .. } => id.clone(),
            Wake::Approved { by, .. } => by.clone(),
            Wake::Ended { run, .. } => run.to_string(),
            Wake::Hurried { by } => return self.woken(&by.clone(), Wake::Timeout, at),
            Wake::Cancelled { by, reason } => {
                let waits = matches!(self.state, State::Waiting(_));
                if waits {
                    self.cancel(by, reason);
                }
                return waits;
            }
        };
        self.woken(&by, wake, at)
    }

    /// Wakes it, by somebody's name.
    pub(super) fn woken(&mut self, by: &str, wake: Wake, at: Instant) -> bool {
        let State::Waiting(waiting) = &self.state else { return false };
        let workflow = Arc::clone(&self.workflow);
        let program = &workflow.program;
        let Some(site) = program.sites.get(waiting.site) else { return false };
        let retry = &*waiting.kind == RETRY && wake == Wake::Timeout;
        let woken = match &wake {
            _ if retry => Woken::No,
            _ => judge(&waiting.kind, waiting.want.as_deref(), wake),
        };
        if woken == Woken::No && !retry {
            return false;
        }
        let Some(waiting) = self.rouse(site, at) else { return false };
        self.entries.push(Entry::Resumed { path: waiting.path.to_string(), by: by.to_owned(), at });
        match woken {
            Woken::No => self.attempt = self.attempt.saturating_add(1),
            Woken::Over { output, marked, send } => match waiting.call {
                Some(call) => {
                    // A draft that was approved.
                    let place = call_path(&waiting.path, call.n);
                    let effects = decided(&place, 0, send.map(|message| (Effect::Reply(message), true)).into_iter().collect());
                    let effects = approved(effects, &waiting.key);
                    self.answer(&waiting.path, call, Ok(output), marked, Ran::default(), effects);
                }
                None => {
                    let (marked_send, gave) = match waiting.want.map(|want| *want) {
                        Some(Want::Approval(approval)) => (approval.marked, approval.gave),
                        _ => (marked, None),
                    };
                    let ran =
                        gave.map_or_else(Ran::default, |gave| Ran { input: gave.input, usage: gave.usage, ended: Some(at) });
                    let effects = send.map(|message| (Effect::Reply(message), marked_send)).into_iter().collect();
                    let effects = approved(self.decide(&waiting.path, effects), &waiting.key);
                    self.done(program, site, output, marked, effects, ran);
                }
            },
            Woken::Again(question, said) => {
                let until = waiting.until.unwrap_or(at);
                self.say(&waiting.path, &said, &question, waiting.call.as_ref());
                self.await_answer(waiting.site, &waiting.path, question, until, waiting.call);
            }
            Woken::Failed(error) => match waiting.call {
                Some(call) => self.answer(&waiting.path, call, Err(error), false, Ran::default(), Vec::new()),
                None => self.failed(program, waiting.site, error, None),
            },
        }
        true
    }

    /// Ends the wait: the run stands at its step, and its time is `at`.
    pub(super) fn rouse(&mut self, site: &Site, at: Instant) -> Option<Waiting> {
        let State::Waiting(_) = &self.state else { return None };
        self.freeze(at);
        self.pc = site.run;
        match std::mem::replace(&mut self.state, State::Ready) {
            State::Waiting(waiting) => Some(*waiting),
            _ => None,
        }
    }
}

/// What leaves because a person said yes, and not without.
fn approved(effects: Vec<Decided>, key: &str) -> Vec<Decided> {
    effects.into_iter().map(|effect| Decided { approval: Some(key.to_owned()), ..effect }).collect()
}

/// The path of a call of a script, under which its own effects stand.
pub(crate) fn call_path(path: &str, n: u32) -> String {
    format!("{path}.calls[{n}]")
}
