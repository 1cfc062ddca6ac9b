//! What the host knows of a guest while it runs: who it is, what it may do, what it has asked for. One [`Leg`] a call; nothing
//! of it outlives the call in a kept instance.

use std::sync::Arc;
use std::time::Duration;

use pointsman_core::clock::Instant;
use pointsman_core::effect::Effect;
use pointsman_core::failure::{Class, Failure};
use pointsman_core::limits::Limits;
use pointsman_core::permission::Permission;
use pointsman_core::ports::{Refusal, StepHost};
use pointsman_manifest::Manifest;

use crate::imports::log::Book;
use crate::imports::random::SplitMix;
use crate::limit::Fence;
use crate::past::{Past, Question, Told};

/// Reads of conversation and state by one call: each may reach the store.
const READS: u32 = 256;

/// The data of a wasmtime store.
pub(crate) struct Ctx {
    /// The fence around its memory.
    pub(crate) fence: Fence,
    /// Processor time that it had of the tick that it is in.
    pub(crate) spent: Duration,
    /// Ticks that passed while the guest ran, since the budget was last set.
    pub(crate) ticks: u32,
    /// Ticks that it has.
    pub(crate) budget: u32,
    /// The call that it serves.
    pub(crate) leg: Leg,
}

/// One call.
pub(crate) struct Leg {
    /// Whose code runs.
    pub(crate) plugin: Arc<Manifest>,
    /// What it may read. `None` in a channel, and while a script is loaded.
    pub(crate) host: Option<Arc<dyn StepHost>>,
    /// Its limits.
    pub(crate) limits: Limits,
    /// The frozen `now`.
    pub(crate) at: Instant,
    /// Its random numbers.
    pub(crate) random: SplitMix,
    /// What it wants done that it did not do in an earlier leg, in order.
    pub(crate) effects: Vec<Effect>,
    /// Bytes of these, about.
    pub(crate) effect_bytes: usize,
    /// Set when it asked for more effects than it may: then none is done.
    pub(crate) overran: bool,
    /// Its log.
    pub(crate) log: Book,
    /// Calls of host functions.
    pub(crate) host_calls: u32,
    /// Those that may reach the store.
    pub(crate) reads: u32,
    /// Requests to hosts.
    pub(crate) requests: u32,
    /// Bytes of the answers to these.
    pub(crate) answers: usize,
    /// Questions to models.
    pub(crate) model_calls: u32,
    /// Why the call fails, whatever it does with what it was told.
    pub(crate) stopped: Option<Failure>,
    /// Its earlier legs.
    pub(crate) past: Past,
    /// The first thing that the operator does not let it do, and it tried: the code, and the sentence with the cure.
    withheld: Option<(String, String)>,
}

impl Leg {
    /// A leg with nothing in it yet.
    pub(crate) fn new(plugin: Arc<Manifest>, limits: Limits, host: Option<Arc<dyn StepHost>>, at: Instant, seed: u64) -> Self {
        Self {
            plugin,
            host,
            limits,
            at,
            random: SplitMix::new(seed),
            effects: Vec::new(),
            effect_bytes: 0,
            overran: false,
            log: Book::new(limits.log),
            host_calls: 0,
            reads: 0,
            requests: 0,
            answers: 0,
            model_calls: 0,
            stopped: None,
            past: Past::default(),
            withheld: None,
        }
    }

    /// Notes an effect of about `bytes` bytes, unless it was taken of an earlier leg.
    pub(crate) fn want(&mut self, effect: Effect, bytes: usize) -> Result<(), Refusal> {
        if self.past.taken(&effect)? {
            return Ok(());
        }
        let bytes = self.effect_bytes.saturating_add(bytes).saturating_add(64);
        if self.overran || self.effects.len() >= self.limits.effects || bytes > self.limits.copy {
            // The guest is told, and the call fails even if it does not listen: half of what it wanted is not what it wanted.
            self.overran = true;
            self.effects = Vec::new();
            return Err(Refusal::Limit("limit.effects".to_owned()));
        }
        self.effect_bytes = bytes;
        self.effects.push(effect);
        Ok(())
    }

    /// The failure of a call that wanted too much.
    pub(crate) fn overrun(&self) -> Option<Failure> {
        self.overran.then(|| {
            Failure::limit(
                "effects",
                format!(
                    "{} wanted more than {} things done in one call, or more than {} KiB of them; none was done",
                    self.plugin.id,
                    self.limits.effects,
                    self.limits.copy >> 10
                ),
            )
        })
    }

    /// The failure of a call that did something else than in its earlier legs.
    pub(crate) fn divergence(&self, ended: bool) -> Option<Failure> {
        self.past.divergence(ended).map(|why| {
            let sentence = format!("{} must do the same on every run, up to its last wait: {why}", self.plugin.id);
            Failure::bug("replay.diverged", sentence)
        })
    }

    /// The door to reads of the store.
    pub(crate) fn reader(&mut self) -> Result<Arc<dyn StepHost>, Refusal> {
        if self.reads >= READS {
            return Err(Refusal::Limit("limit.reads".to_owned()));
        }
        self.reads += 1;
        self.host.clone().ok_or_else(|| Refusal::Denied("there is no conversation here to read".to_owned()))
    }

    /// Whether it may do this: its manifest must ask for it, and the operator must grant it. A denial prints its cure; `line` is
    /// what would stand in the manifest. What an earlier leg was denied it is denied again, though it may by now: a replay is
    /// exact, and what is decided meanwhile holds from the next call on.
    pub(crate) fn may(&mut self, permission: &Permission, line: &str) -> Result<(), Refusal> {
        let question = Question::new(&["denied", &permission.to_string()]);
        if let Some(refusal) = self.past.denied(question) {
            return Err(refusal);
        }
        let (id, code) = (&self.plugin.id, format!("denied.{}", permission.interface()));
        let sentence = if !permission.asked_by(&self.plugin) {
            format!("the manifest of {id} does not ask for it; add `{line}` under [capabilities] of its plugin.toml")
        } else if let Some(command) = self.host.as_ref().and_then(|host| host.withheld(permission)) {
            let sentence = format!("{id} may not do this here; {command} allows it");
            self.withheld.get_or_insert_with(|| (code.clone(), sentence.clone()));
            sentence
        } else if self.host.is_none() {
            "there is no conversation here to do it in".to_owned()
        } else {
            return Ok(());
        };
        if let Some(host) = &self.host {
            host.denied(permission);
        }
        let refusal = Refusal::Denied(format!("{code}: {sentence}"));
        self.past.note(question, Told::Refused(refusal.clone()));
        Err(refusal)
    }

    /// The failure of a call that was not let do what it wanted: in the place of its own word for it, which may say less.
    pub(crate) fn withheld(&self) -> Option<Failure> {
        self.withheld.as_ref().map(|(code, sentence)| Failure::new(Class::Denied, code.clone(), sentence.clone()))
    }
}
