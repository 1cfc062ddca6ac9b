//! Steps and scripts: one call from its beginning to its end.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use pointsman_core::failure::{Failure, Fault};
use pointsman_core::limits::{Limits, SCRIPT_SOURCE};
use pointsman_core::ports::{Answered, Code, Outcome, StepCall, StepEnd, StepHost, StepRunner, Usage};
use pointsman_manifest::{Kind, Manifest};
use serde_json::Value;
use tokio::time::Instant;
use wasmtime::{Engine, Store};

use crate::ctx::{Ctx, Leg};
use crate::drive::Crowd;
use crate::instance::{self, Instance};
use crate::limit;
use crate::loader::Plugin;
use crate::own_time::Within;
use crate::past::Past;
use crate::pool::Key;
use crate::world::convert::ForGuest as _;
use crate::world::{journal, types};
use crate::{Sandbox, Trust};

#[async_trait]
impl StepRunner for Sandbox {
    fn knows(&self, id: &str, digest: &str) -> bool {
        let known = self.inner.known.read();
        known.plugins.get(digest).is_some_and(|same| same.iter().any(|plugin| *plugin.manifest.id == *id))
    }

    async fn load_version(&self, manifest: &str, component: &[u8]) -> Result<(), Failure> {
        let manifest = Manifest::parse(manifest).map_err(|e| Failure::bug("plugin.manifest", e.to_string()))?;
        if manifest.kind() != Kind::Step {
            return Err(instance::wrong_kind(&manifest.id));
        }
        self.load(manifest, component, Trust::Stranger).await.map(drop)
    }

    async fn run(&self, call: StepCall, host: Arc<dyn StepHost>) -> StepEnd {
        let since = Instant::now();
        let plugin = match self.find(&call.code) {
            Ok(plugin) => plugin,
            Err(failure) => return failed(failure),
        };
        let (script, source) = match &call.code {
            Code::Plugin { .. } => (None, None),
            Code::Script { source, hash } => (Some(Arc::clone(hash)), Some(Arc::clone(source))),
        };
        let place = match self.place().await {
            Ok(place) => place,
            Err(failure) => return failed(failure),
        };
        let name = call.code.name();
        let key = Key { workspace: call.workspace, plugin: plugin.number, script };
        let warm = if plugin.trust == Trust::Bundled { self.inner.pool.take(&key) } else { None };
        let mut call = call;
        let mut limits = self.inner.limits;
        if plugin.manifest.capabilities.model.is_some() {
            limits.wall = limits.wall.saturating_add(limits.model);
        }
        let mut leg = Leg::new(Arc::clone(&plugin.manifest), limits, Some(host), call.at, call.seed);
        leg.past = Past::new(std::mem::take(&mut call.taken), std::mem::take(&mut call.reads));
        let engine = self.inner.loader.engine.clone();
        let run = Run { engine, plugin: Arc::clone(&plugin), source, call: for_guest(call), since };
        let crowd = Crowd::Steps(key.workspace);
        let here = !self.was_slow(&key) && !self.inner.guests.busy(crowd);
        let ended = self.inner.guests.drive(crowd, here, async move {
            let ended = run.finish(warm, leg).await;
            drop(place);
            ended
        });
        match ended.await {
            Ok((end, kept)) => {
                self.note_pace(&key, &end.usage);
                if let Some(meter) = &self.inner.meter {
                    meter.used(key.workspace, &name, end.usage, end.result.as_ref().err());
                }
                if let Some(guest) = kept {
                    self.inner.pool.put(key, guest);
                }
                end
            }
            Err(failure) => failed(failure),
        }
    }
}

impl Sandbox {
    /// The plugin that a step names.
    fn find(&self, code: &Code) -> Result<Arc<Plugin>, Failure> {
        let known = self.inner.known.read();
        match code {
            Code::Plugin { id, digest } => {
                let same = known.plugins.get(digest).map(Vec::as_slice).unwrap_or_default();
                match same.iter().find(|plugin| *plugin.manifest.id == **id) {
                    Some(plugin) if plugin.manifest.kind() == Kind::Step => Ok(Arc::clone(plugin)),
                    Some(_) => Err(instance::wrong_kind(id)),
                    None => Err(Failure::bug(
                        "plugin.unknown",
                        format!(
                            "{id} is not installed in this version ({}); add it with `pointsman plugin add`",
                            digest.get(..12).unwrap_or(digest)
                        ),
                    )),
                }
            }
            Code::Script { source, .. } if source.len() > SCRIPT_SOURCE => {
                Err(Failure::limit("source", format!("a script has at most {} KiB; split it", SCRIPT_SOURCE >> 10)))
            }
            Code::Script { .. } => known.interpreter.clone().ok_or_else(|| {
                Failure::bug("plugin.unknown", "no script interpreter is installed; it ships with the host as pointsman/script")
            }),
        }
    }
}

/// One call, with all that it needs on another thread.
struct Run {
    engine: Engine,
    plugin: Arc<Plugin>,
    source: Option<Arc<str>>,
    call: journal::Call,
    since: Instant,
}

/// Where the guest is while it runs: a store alone until it has started.
enum Place {
    Gone,
    Bare(Box<Store<Ctx>>),
    Started(Box<Instance>),
}

impl Run {
    /// Runs it; gives back the guest if it may serve again.
    async fn finish(self, warm: Option<Instance>, leg: Leg) -> (StepEnd, Option<Instance>) {
        let limits = leg.limits;
        let who = if self.source.is_some() { limit::SCRIPT } else { self.plugin.manifest.id.as_str() };
        let mut place = Place::Gone;
        let wall = Duration::from_millis(u64::try_from(limits.wall).unwrap_or(0));
        let (result, busy) = Within::new(wall, self.inside(&mut place, warm, leg, who)).await;
        let result = result.unwrap_or_else(|| Err(limit::wall(who, &limits)));
        let mut kept = None;
        let suspended = matches!(result, Ok(Ok(Outcome::Suspended { .. })));
        let mut end = match place {
            Place::Gone => failed(Failure::bug("sandbox.lost", "the guest was lost")),
            Place::Bare(mut store) => ended(&mut store, self.since, suspended),
            Place::Started(mut guest) => {
                let end = ended(&mut guest.store, self.since, suspended);
                if result.is_ok() && self.plugin.trust == Trust::Bundled && guest.fit_to_keep() {
                    guest.rest(&self.plugin.manifest);
                    kept = Some(*guest);
                }
                end
            }
        };
        end.usage.cpu_us = u64::try_from(busy.as_micros()).unwrap_or(u64::MAX);
        end.result = match result {
            Ok(own) => own,
            Err(failure) => Err(failure),
        };
        if end.result.is_err() {
            end.effects.clear();
        }
        (end, kept)
    }

    /// What counts against the wall: starting, loading, running. The outer error means that the guest is not to be used again.
    async fn inside(
        &self,
        place: &mut Place,
        warm: Option<Instance>,
        leg: Leg,
        who: &str,
    ) -> Result<Result<Outcome, Failure>, Failure> {
        let limits = leg.limits;
        let guest = match warm {
            Some(mut guest) => {
                guest.begin(leg);
                put(place, guest)?
            }
            None => {
                let guest = match Instance::start(instance::store(&self.engine, leg), &self.plugin).await {
                    Ok(guest) => put(place, guest)?,
                    Err((store, error)) => {
                        *place = Place::Bare(store);
                        return Err(limit::explain(&error, who, &limits));
                    }
                };
                if let Some(source) = &self.source {
                    guest.load_script(source, who).await?;
                }
                guest
            }
        };
        guest.run(&self.call, who).await
    }
}

/// Puts a started guest where its end will look for it.
fn put(place: &mut Place, guest: Instance) -> Result<&mut Instance, Failure> {
    *place = Place::Started(Box::new(guest));
    match place {
        Place::Started(guest) => Ok(guest),
        _ => Err(Failure::bug("sandbox.lost", "the guest was lost")),
    }
}

/// What is left of a call in its store.
fn ended(store: &mut Store<Ctx>, since: Instant, suspended: bool) -> StepEnd {
    let usage = instance::usage(store, since);
    let leg = &mut store.data_mut().leg;
    let reads = if suspended { leg.past.take_reads() } else { Vec::new() };
    let effects = std::mem::take(&mut leg.effects);
    StepEnd { result: Ok(Outcome::Done(Value::Null)), effects, log: leg.log.take(), usage, reads }
}

/// A call that did not begin.
fn failed(failure: Failure) -> StepEnd {
    StepEnd { result: Err(failure), effects: Vec::new(), log: Vec::new(), usage: Usage::default(), reads: Vec::new() }
}

/// The call in the contract's words.
fn for_guest(call: StepCall) -> journal::Call {
    let object = |value: &Value| if value.is_null() { "{}".to_owned() } else { value.to_string() };
    journal::Call {
        run: call.run,
        step: call.path,
        attempt: call.attempt,
        at: call.at,
        seed: call.seed,
        input: object(&call.input),
        config: object(&call.config),
        event: call.event.as_ref().map(|event| event.for_guest()),
        journal: call.journal.into_iter().map(entry).collect(),
    }
}

/// A recorded answer in the contract's words.
fn entry(answered: Answered) -> journal::Entry {
    let value = match answered.value {
        Ok(value) => journal::Answer::Value(value.to_string()),
        Err(failure) => journal::Answer::Failed(types::Failure {
            fault: Fault::Rejected.for_guest(),
            code: failure.code,
            message: failure.message,
            retry_after: failure.retry_after.and_then(|ms| u64::try_from(ms).ok()),
        }),
    };
    journal::Entry { name: answered.name, fingerprint: answered.fingerprint, value, at: answered.at }
}

/// The limits of a guest, as a check that they are ones that the engine can keep.
pub(crate) fn sound(limits: &Limits) -> Result<(), Failure> {
    if limits.cpu < 5 || limits.wall < limits.cpu || limits.memory < 1 << 20 {
        return Err(Failure::bug(
            "sandbox.limits",
            "the limits of a step are too small: 5 ms of guest time, as much on the wall, 1 MiB of memory at least",
        ));
    }
    Ok(())
}
