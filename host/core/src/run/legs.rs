//! Legs of a step that suspends: what it did on the way is taken once, what it wished for is waited for or worked out, and
//! then it is called again from the top with all the answers. Nothing of this costs a step that just ends.

use std::sync::Arc;

use serde_json::Value;

use super::wishes::{self, Wish};
use super::{Action, Call, Machine, Ran, State, Work, call_path, diverged, seed_of};
use crate::clock::Instant;
use crate::effect::{Decided, Effect};
use crate::event::Message;
use crate::failure::Failure;
use crate::id::Id;
use crate::journal::{CallMade, Entry, Read};
use crate::mark::Marked;
use crate::ports::{Answered, Expressions};
use crate::wait::{LONGEST, SLEEP, WAIT, Want};
use crate::workflow::full_id;
use crate::workflow::program::{Program, Site, Verb};

/// Calls of one step that are answered: each makes the next leg longer.
const CALLS: usize = 256;

/// What is known of the earlier legs of the step at which the run stands.
#[derive(Debug)]
pub(super) struct Legs {
    path: Arc<str>,
    /// When the step began.
    pub began: Instant,
    /// Its input. `None` for a native step.
    pub input: Option<Marked<Value>>,
    pub answers: Vec<Answered>,
    /// Whether words from outside are in the answers.
    pub marked: bool,
    /// Fingerprints of the effects that were taken of the step's own.
    pub taken: Vec<String>,
    pub reads: Vec<Read>,
    /// Effects of a native step that were decided.
    pub said: u32,
    /// Runs that a native step began.
    pub children: Vec<Id>,
}

/// A wish that nobody has looked at yet.
#[derive(Debug)]
pub(super) struct Wished {
    pub site: usize,
    pub marked: bool,
    pub name: String,
    pub arguments: Value,
    pub fingerprint: String,
    pub consumed: u32,
    pub effects: Vec<Effect>,
    pub reads: Vec<Read>,
}

/// A step that a script called and that the sandbox has.
#[derive(Debug)]
pub(super) struct Asked {
    pub site: usize,
    path: Arc<str>,
    pub call: CallMade,
    plugin: Arc<str>,
    digest: Arc<str>,
    input: Value,
}

impl Machine {
    /// The legs of the step at which the run stands; new ones when it has none.
    pub(super) fn legs_of(&mut self, path: &Arc<str>) -> &mut Legs {
        if self.legs.as_ref().is_some_and(|legs| legs.path != *path) {
            self.legs = None;
        }
        let began = self.at;
        self.legs.get_or_insert_with(|| {
            Box::new(Legs {
                path: Arc::clone(path),
                began,
                input: None,
                answers: Vec::new(),
                marked: false,
                taken: Vec::new(),
                reads: Vec::new(),
                said: 0,
                children: Vec::new(),
            })
        })
    }

    /// What the sandbox is told of the earlier legs of the step that is to be called, and when the step began.
    pub(super) fn before(&self) -> (Vec<Answered>, Vec<String>, Vec<Read>, Instant) {
        match &self.legs {
            Some(legs) => (legs.answers.clone(), legs.taken.clone(), legs.reads.clone(), legs.began),
            None => (Vec::new(), Vec::new(), Vec::new(), self.at),
        }
    }

    /// Looks at a wish: takes what the leg did, and waits, answers or calls.
    pub(super) fn settle(&mut self, program: &Program, wished: Wished, expressions: &dyn Expressions) {
        let at = wished.site;
        let Some(site) = program.sites.get(at) else { return };
        let path = self.path(site);
        let answered = self.legs.as_ref().map_or(0, |legs| legs.answers.len());
        if usize::try_from(wished.consumed).ok() != Some(answered) {
            let sentence = format!(
                "the step asked for `{}` after {} of {answered} recorded answers; it must do the same on every run",
                wished.name, wished.consumed
            );
            return self.failed(program, at, diverged(&sentence), None);
        }
        if answered >= CALLS {
            let sentence = format!("a step asks, waits or calls {CALLS} times at most; make it several steps");
            return self.failed(program, at, Failure::limit("calls", sentence), None);
        }
        let Some(wish) = wishes::read(&wished.name, wished.arguments) else {
            let sentence = format!(
                "`{}` is nothing that a step can wait for in this version; use ask, sleep, wait, approve, step or \
                 call_workflow",
                wished.name
            );
            return self.failed(program, at, Failure::bug("script.wait_not_supported", sentence), None);
        };
        if wished.effects.iter().any(|effect| matches!(effect, Effect::Draft(_))) {
            let sentence = "a step that waits cannot draft on the way: wish for `draft` instead of the effect".to_owned();
            return self.failed(program, at, Failure::bug("step.drafts", sentence), None);
        }
        // The names have not changed since the leg began, so this is the input that it had.
        let input = match &self.legs {
            Some(legs) if legs.input.is_some() => None,
            _ => match self.work(site, expressions) {
                Ok((Work::Use { input, .. } | Work::Script { input, .. }, marked)) => Some(Marked { value: input, marked }),
                Err(error) => return self.failed(program, at, error, None),
            },
        };
        let effects = wished.effects.into_iter().map(|effect| (effect, wished.marked)).collect();
        let effects = self.decide(&path, effects);
        self.take_leg(&path, &effects, &wished.reads, input.as_ref());
        self.entries.push(Entry::Leg { path: path.to_string(), attempt: self.attempt, effects, reads: wished.reads, input });
        let n = u32::try_from(answered).unwrap_or(u32::MAX);
        let call = CallMade { n, name: wished.name, arguments: wished.fingerprint };
        self.grant(at, &path, call, wish);
    }

    /// Notes what a leg did, live or from the journal.
    pub(super) fn take_leg(&mut self, path: &Arc<str>, effects: &[Decided], reads: &[Read], input: Option<&Marked<Value>>) {
        let legs = self.legs_of(path);
        let own = effects.iter().filter(|decided| *decided.path == **path);
        if legs.input.is_some() || input.is_some() {
            legs.taken.extend(own.map(|decided| decided.effect.fingerprint()));
        } else {
            legs.said = legs.said.saturating_add(u32::try_from(own.count()).unwrap_or(u32::MAX));
        }
        legs.reads.extend_from_slice(reads);
        if let Some(input) = input {
            legs.input = Some(input.clone());
        }
    }

    fn grant(&mut self, at: usize, path: &Arc<str>, call: CallMade, wish: Result<Wish, Failure>) {
        let now = self.at;
        match wish {
            Ok(Wish::Ask { question, timeout }) => self.ask(at, path, question, now.saturating_add(timeout), Some(call)),
            Ok(Wish::Sleep(length)) => {
                let kind = if call.name == SLEEP { SLEEP } else { WAIT };
                self.wait_until(at, path, kind, now.saturating_add(length), None, Some(call));
            }
            Ok(Wish::Until(moment)) => {
                self.wait_until(at, path, WAIT, moment.min(now.saturating_add(LONGEST)), None, Some(call));
            }
            Ok(Wish::Event { filter, timeout }) => {
                let want = Some(Box::new(Want::Event(filter)));
                self.wait_until(at, path, WAIT, now.saturating_add(timeout), want, Some(call));
            }
            Ok(Wish::Approve { approval, expires }) => {
                self.approve(at, path, approval, now.saturating_add(expires), Some(call));
            }
            Ok(Wish::Step { plugin, input }) => {
                let plugin = full_id(&plugin);
                match self.pinned(&plugin) {
                    Ok(digest) => {
                        let path = Arc::clone(path);
                        self.state = State::Asked(Box::new(Asked { site: at, path, call, plugin, digest, input }));
                    }
                    Err(error) => self.refused(path, call, error),
                }
            }
            Ok(Wish::Call { workflow, with }) => {
                // What a script makes is always marked.
                if let Err(error) = self.call_workflow(at, path, workflow, Marked::outside(with), Some(call.clone())) {
                    self.refused(path, call, error);
                }
            }
            Err(error) => self.refused(path, call, error),
        }
    }

    /// A call that is not so much as begun.
    pub(super) fn refused(&mut self, path: &Arc<str>, call: CallMade, error: Failure) {
        self.answer(path, call, Err(error), false, Ran::default(), Vec::new());
    }

    /// The version of a plugin to which the run is pinned.
    pub(super) fn pinned(&self, plugin: &str) -> Result<Arc<str>, Failure> {
        let digest = self.plugins.iter().find(|(id, _)| **id == *plugin).map(|(_, digest)| digest.as_str().into());
        digest.ok_or_else(|| {
            let sentence = format!(
                "this run has no version of {plugin}; name the plugin in the workflow, by `use` or as the text in step(\"...\"), \
                 and publish it again"
            );
            Failure::bug("plugin.not_pinned", sentence)
        })
    }

    /// From here on another version of a plugin.
    pub(super) fn replaced(&mut self, plugin: &str, digest: &str) {
        self.plugins.retain(|(id, _)| id != plugin);
        self.plugins.push((plugin.to_owned(), digest.to_owned()));
    }

    /// The call of a step that a script called.
    pub(super) fn asked_call(&self, program: &Program, asked: &Asked) -> Action {
        let path: Arc<str> = call_path(&asked.path, asked.call.n).into();
        let work = Work::Use { plugin: Arc::clone(&asked.plugin), digest: Arc::clone(&asked.digest), input: asked.input.clone() };
        Action::Call(Call {
            attempt: self.attempt,
            at: self.at,
            seed: seed_of(self.seed, &path),
            path,
            timeout: program.sites.get(asked.site).and_then(|site| site.timeout),
            work,
            // What a script makes is always marked.
            marked: true,
            journal: Vec::new(),
            taken: Vec::new(),
            reads: Vec::new(),
        })
    }

    /// Answers a call: the step is called again.
    pub(super) fn answer(
        &mut self,
        path: &Arc<str>,
        call: CallMade,
        value: Result<Value, Failure>,
        marked: bool,
        ran: Ran,
        effects: Vec<Decided>,
    ) {
        let (result, error) = match &value {
            Ok(value) => (value.clone(), None),
            Err(error) => (Value::Null, Some(error.clone())),
        };
        self.entries.push(Entry::CallDone {
            path: path.to_string(),
            n: call.n,
            name: call.name.clone(),
            arguments: call.arguments.clone(),
            result,
            marked,
            at: self.at,
            error,
            effects,
            usage: ran.usage,
            ended: ran.ended,
        });
        self.heard(path, Answered { name: call.name, fingerprint: call.arguments, value, at: self.at }, marked);
    }

    /// Notes an answer, live or from the journal. The next leg has all its attempts.
    pub(super) fn heard(&mut self, path: &Arc<str>, answer: Answered, marked: bool) {
        let legs = self.legs_of(path);
        legs.answers.push(answer);
        legs.marked |= marked;
        self.attempt = 1;
        self.state = State::Ready;
    }

    /// How a step ended that a script had called. What may work later has the script's own step tried again.
    pub(super) fn asked_ended(&mut self, program: &Program, asked: Asked, ended: super::Ended) {
        let ran = Ran { input: String::new(), usage: ended.usage, ended: Some(ended.now) };
        match ended.result {
            Ok(super::Outcome::Done(_)) if ended.effects.iter().any(|effect| matches!(effect, Effect::Draft(_))) => {
                let sentence = "the step drafts a message, which waits for a person; use it by `use`, not within a script";
                let error = Failure::bug("step.drafts", sentence.to_owned());
                self.answer(&asked.path, asked.call, Err(error), false, ran, Vec::new());
            }
            Ok(super::Outcome::Done(output)) => {
                let place: Arc<str> = call_path(&asked.path, asked.call.n).into();
                let effects = ended.effects.into_iter().map(|effect| (effect, true)).collect();
                let effects = decided(&place, 0, effects);
                self.answer(&asked.path, asked.call, Ok(output), true, ran, effects);
            }
            Ok(super::Outcome::Suspended { name, .. }) => {
                let sentence =
                    format!("the step waits for something (`{name}`), which it cannot within a script; use it by `use`");
                self.answer(&asked.path, asked.call, Err(Failure::bug("step.waits", sentence)), false, ran, Vec::new());
            }
            Err(error) => {
                let again = |site: &Site| site.retry.next(&error, self.attempt, ended.now, ended.random).is_some();
                if super::UNCAUGHT.contains(&&*error.code) || program.sites.get(asked.site).is_some_and(again) {
                    return self.failed(program, asked.site, error, Some((ended.now, ended.random, ended.usage)));
                }
                self.answer(&asked.path, asked.call, Err(error), true, ran, Vec::new());
            }
        }
    }

    /// What a step of the sandbox is to do: with the input of its first leg, where there was one.
    pub(super) fn work(&self, site: &Site, expressions: &dyn Expressions) -> Result<(Work, bool), Failure> {
        let known = self.legs.as_ref().and_then(|legs| legs.input.clone());
        match &site.verb {
            Some(Verb::Use { plugin, with }) => {
                let digest = self.pinned(plugin)?;
                let input = known.map_or_else(|| with.eval(expressions, &self.names), Ok)?;
                Ok((Work::Use { plugin: Arc::clone(plugin), digest, input: input.value }, input.marked))
            }
            Some(Verb::Script(script)) => {
                let input = known.map_or_else(|| self.script_input(script, expressions), |input| Ok(input.value))?;
                Ok((Work::Script { source: Arc::clone(&script.source), hash: Arc::clone(&script.hash), input }, true))
            }
            _ => Err(Failure::bug("run.native", "this step does not run in the sandbox; this is a defect of the host")),
        }
    }
}

/// What is drafted, which waits for a person, and the other effects. The sandbox lets a step draft once.
pub(super) fn drafts(effects: Vec<Effect>) -> (Option<Message>, Vec<Effect>) {
    let mut draft = None;
    let mut others = Vec::with_capacity(effects.len());
    for effect in effects {
        match effect {
            Effect::Draft(message) if draft.is_none() => draft = Some(message),
            other => others.push(other),
        }
    }
    (draft, others)
}

/// Effects with their numbers, from `first` on.
pub(super) fn decided(path: &str, first: u32, effects: Vec<(Effect, bool)>) -> Vec<Decided> {
    effects
        .into_iter()
        .zip(first..)
        .map(|((effect, marked), n)| Decided { path: path.to_owned(), n, effect, marked, approval: None })
        .collect()
}
