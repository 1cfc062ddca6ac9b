//! One guest with a memory of its own: made fresh, given a budget, thrown away at the first thing that is out of order.

use std::sync::Arc;
use std::time::Duration;

use pointsman_core::failure::{Class, Failure, PluginFailure};
use pointsman_core::ports::{Outcome, Usage};
use tokio::time::Instant;
use wasmtime::{Engine, Store, StoreContextMut, UpdateDeadline};

use crate::ctx::{Ctx, Leg};
use crate::drive;
use crate::engine::TICK;
use crate::json;
use crate::limit::{Fence, HANDLES, Hit, explain};
use crate::loader::{Linked, Plugin};
use crate::own_time;
use crate::world::convert::IntoCore as _;
use crate::world::{channel, journal, script, step, types};

/// Calls that a kept guest serves before it is made anew.
const USES: u32 = 1_000;

/// How long a guest may keep its caller's thread. Nobody is quick who is still there when the beat comes after that.
const HERE: Duration = Duration::from_millis(2);

/// A guest.
pub(crate) struct Instance {
    pub(crate) store: Store<Ctx>,
    pub(crate) guest: Guest,
    uses: u32,
    /// Bytes of memory after it was made.
    first: usize,
}

/// What it exports.
pub(crate) enum Guest {
    Step(step::Step),
    Script(script::Script),
    Channel(channel::Channel),
}

/// A store whose guest has nothing yet. Kept apart from [`Instance`], so that log and usage of a guest that fails while it is
/// made are not lost.
pub(crate) fn store(engine: &Engine, leg: Leg) -> Store<Ctx> {
    let limits = leg.limits;
    let budget = u32::try_from(limits.cpu / i64::try_from(TICK.as_millis()).unwrap_or(1)).unwrap_or(1).max(1);
    let mut store = Store::new(engine, Ctx { fence: Fence::new(limits.memory), spent: Duration::ZERO, ticks: 0, budget, leg });
    store.limiter(|ctx| &mut ctx.fence);
    store.set_hostcall_fuel(limits.copy);
    store.set_max_component_handles(HANDLES);
    store.epoch_deadline_callback(|mut cx: StoreContextMut<'_, Ctx>| {
        let ctx = cx.data_mut();
        // By its own time: one operation can take many beats, and a thread that lost the processor had none of them.
        ctx.spent += own_time::computed();
        let ticks = u32::try_from(ctx.spent.as_micros() / TICK.as_micros()).unwrap_or(u32::MAX);
        if ticks == 0 {
            if !drive::over_there() {
                return Ok(if ctx.spent < HERE { UpdateDeadline::Continue(1) } else { UpdateDeadline::Yield(1) });
            }
            std::thread::yield_now();
            return Ok(UpdateDeadline::Continue(1));
        }
        ctx.spent = ctx.spent.saturating_sub(TICK * ticks);
        ctx.ticks = ctx.ticks.saturating_add(ticks).min(ctx.budget + 1);
        if ctx.ticks > ctx.budget {
            return Err(Hit::Cpu.into());
        }
        Ok(UpdateDeadline::Yield(1))
    });
    store
}

impl Instance {
    /// Makes a guest in its store. What it does while it starts counts like any call.
    pub(crate) async fn start(mut store: Store<Ctx>, plugin: &Plugin) -> Result<Self, (Box<Store<Ctx>>, wasmtime::Error)> {
        store.set_epoch_deadline(1);
        let made = match &plugin.code {
            Linked::Step(code) => code.instantiate_async(&mut store).await.map(Guest::Step),
            Linked::Script(code) => code.instantiate_async(&mut store).await.map(Guest::Script),
            Linked::Channel(code) => code.instantiate_async(&mut store).await.map(Guest::Channel),
        };
        match made {
            Ok(guest) => {
                let first = store.data().fence.bytes();
                Ok(Self { store, guest, uses: 0, first })
            }
            Err(error) => Err((Box::new(store), error)),
        }
    }

    /// Gives it a new call, with a whole budget.
    pub(crate) fn begin(&mut self, leg: Leg) {
        self.store.data_mut().leg = leg;
        self.budget();
    }

    /// A whole budget of guest time.
    fn budget(&mut self) {
        let ctx = self.store.data_mut();
        (ctx.spent, ctx.ticks) = (Duration::ZERO, 0);
        self.store.set_epoch_deadline(1);
    }

    /// Loads a script into an interpreter that is new.
    pub(crate) async fn load_script(&mut self, source: &str, who: &str) -> Result<(), Failure> {
        let Guest::Script(interpreter) = &self.guest else { return Err(wrong_kind(who)) };
        let limits = self.store.data().leg.limits;
        let loaded = interpreter.pointsman_plugin_interpreter().call_load(&mut self.store, source).await;
        let loaded = loaded.map_err(|e| explain(&e, who, &limits));
        // What it took to read it is not the run's.
        own_time::computed();
        self.budget();
        loaded?.map_err(|diagnostics| {
            let first = diagnostics.into_iter().next();
            let (line, column, message) =
                first.map_or((0, 0, "it does not compile".to_owned()), |d| (d.line, d.column, d.message));
            let message: String = message.chars().filter(|c| !c.is_control()).take(500).collect();
            Failure::bug("script.syntax", format!("line {line}, column {column}: {message}"))
        })
    }

    /// Calls `run`. The outer error ends the guest, the inner one is its own answer.
    pub(crate) async fn run(&mut self, call: &journal::Call, who: &str) -> Result<Result<Outcome, Failure>, Failure> {
        let limits = self.store.data().leg.limits;
        let answered = match &self.guest {
            Guest::Step(step) => step.pointsman_plugin_work().call_run(&mut self.store, call).await,
            Guest::Script(script) => script.pointsman_plugin_interpreter().call_run(&mut self.store, call).await,
            Guest::Channel(_) => return Err(wrong_kind(who)),
        };
        let answered = answered.map_err(|e| explain(&e, who, &limits))?;
        let leg = &self.store.data().leg;
        if let Some(failure) = leg.overrun().or_else(|| leg.stopped.clone()) {
            return Err(failure);
        }
        if let Some(diverged) = leg.divergence(answered.is_ok()) {
            // What it may not do any more it did not do again.
            return Err(leg.withheld().unwrap_or(diverged));
        }
        let unfit = |what: &'static str| {
            move |why: json::Unfit| match why {
                json::Unfit::Wrong(_) => {
                    Failure::bug("plugin.output", format!("the {what} of {who} is not as the contract says: {why}"))
                }
                _ => Failure::limit("output", format!("the {what} of {who} is too large: {why}")),
            }
        };
        match answered {
            Ok(journal::Outcome::Done(value)) => {
                json::parse_within(&value, limits.output).map(|value| Ok(Outcome::Done(value))).map_err(unfit("output"))
            }
            Ok(journal::Outcome::Suspended(wish)) => {
                let arguments = json::parse_within(&wish.arguments, limits.output).map_err(unfit("wish"))?;
                Ok(Ok(Outcome::Suspended { name: wish.name, arguments, fingerprint: wish.fingerprint, consumed: wish.consumed }))
            }
            Err(failure) => {
                let withheld = leg.withheld().filter(|_| failure.code == "denied");
                let own = said(failure, matches!(self.guest, Guest::Script(_)));
                own.map(|own| Err(withheld.unwrap_or(own))).map_err(unfit("failure"))
            }
        }
    }

    /// Whether it may serve again, after a call that ended in order.
    pub(crate) fn fit_to_keep(&mut self) -> bool {
        self.uses += 1;
        self.uses < USES && self.store.data().fence.bytes() <= self.first.saturating_mul(2)
    }

    /// Forgets the call.
    pub(crate) fn rest(&mut self, plugin: &Arc<pointsman_manifest::Manifest>) {
        let limits = self.store.data().leg.limits;
        self.store.data_mut().leg = Leg::new(Arc::clone(plugin), limits, None, 0, 0);
    }
}

/// What a call used.
pub(crate) fn usage(store: &Store<Ctx>, since: Instant) -> Usage {
    let ctx = store.data();
    Usage {
        wall_us: u64::try_from(since.elapsed().as_micros()).unwrap_or(u64::MAX),
        // Who drives it knows.
        cpu_us: 0,
        ticks: ctx.ticks,
        memory: ctx.fence.bytes() as u64,
        host_calls: ctx.leg.host_calls,
    }
}

pub(crate) fn wrong_kind(who: &str) -> Failure {
    Failure::bug("plugin.world", format!("{who} is not a plugin of this kind"))
}

/// A step's own failure. Its code is its own word and stands behind `plugin.`, or `script.`, unless it has a dot of its own, so
/// that `on_error` can tell one from another. A plugin cannot give a code of ours; the interpreter can, for it passes on what
/// the host refused.
fn said(failure: types::Failure, script: bool) -> Result<Failure, json::Unfit> {
    let PluginFailure { fault, code, message, retry_after } = failure.into_core()?;
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    let place = if script { "script" } else { "plugin" };
    let code = match () {
        () if code.is_empty() || !code.chars().all(plain) => format!("{place}.{}", fault.word()),
        () if code.contains('.') && (script || !OURS.iter().any(|ours| code.starts_with(ours))) => code,
        () => format!("{place}.{code}"),
    };
    let class = match code.split('.').next() {
        Some("limit") => Class::Limit,
        Some("denied") => Class::Denied,
        Some("unavailable") if script => Class::Transient,
        _ => fault.class(),
    };
    Ok(Failure { code, class, message, retry_after })
}

/// Codes that only the host gives.
const OURS: &[&str] = &["limit.", "denied.", "provider.", "sandbox.", "send.", "journal."];
