//! The account of what plugins and scripts use, and the quarantine of those that break their limits again and again. The attack:
//! a plugin that computes for ever in every call takes from all others what it wastes, as long as somebody writes to it. After a few
//! such calls within a while it runs in this workspace no more; what comes to it is parked with the cure, and everything else goes on.
//!
//! It takes more than half of its calls: a contact whose words make a good plugin run in circles stops nobody but herself.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use pointsman_core::clock::{Clock, Instant, Millis};
use pointsman_core::failure::{Class, Failure};
use pointsman_core::id::WorkspaceId;
use pointsman_core::ports::{Meter, Usage};
use pointsman_core::run::QUARANTINED;
use pointsman_store::{PluginUsage, StoreError};
use tokio::sync::Notify;

use crate::Engine;
use crate::trends::Counts;

/// How often the accounts are written down.
const WRITE: Duration = Duration::from_secs(5);
/// Plugins that have names of their own among the metrics; the rest is `other`.
const NAMED: usize = 100;

/// Who is an offender.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Offence {
    /// So many calls that a limit ended; 0: nobody is.
    pub after: u32,
    /// Within so many milliseconds.
    pub within: Millis,
}

type Name = (WorkspaceId, Arc<str>);

/// The accounts of a host.
pub struct Ledger {
    pub(crate) clock: Arc<dyn Clock>,
    offence: Offence,
    pub(crate) state: Mutex<State>,
    caught: Notify,
}

#[derive(Default)]
pub(crate) struct State {
    /// Since the accounts were last written down.
    used: HashMap<Name, PluginUsage>,
    pub(crate) felt: Counts,
    watched: HashMap<Name, Watched>,
    /// With what they did.
    quarantined: HashMap<Name, Arc<str>>,
    /// Those of them that are not in the store yet.
    fresh: Vec<Name>,
    named: HashSet<Name>,
}

/// The calls of one in the present stretch of time.
struct Watched {
    since: Instant,
    calls: u32,
    limited: u32,
}

impl Ledger {
    /// Empty accounts.
    #[must_use]
    pub fn new(clock: Arc<dyn Clock>, offence: Offence) -> Arc<Self> {
        Arc::new(Self { clock, offence, state: Mutex::default(), caught: Notify::new() })
    }

    /// Why this may not run here, if it may not.
    pub(crate) fn refusal(&self, workspace: WorkspaceId, name: &Arc<str>) -> Option<Failure> {
        let state = self.state.lock();
        // Mostly none is.
        if state.quarantined.is_empty() {
            return None;
        }
        let why = state.quarantined.get(&(workspace, Arc::clone(name)))?;
        let sentence = format!("{name} is quarantined: {why}; mend it, then `pointsman plugin release {name}` has this go on");
        Some(Failure::new(Class::Denied, QUARANTINED, sentence))
    }

    /// Looks at the end of a step's call: who breaks limits too often is out from now on. True: a limit ended it.
    pub(crate) fn watch(&self, workspace: WorkspaceId, name: &Arc<str>, failure: Option<&Failure>) -> bool {
        let who: Name = (workspace, Arc::clone(name));
        let limited = failure.and_then(limit);
        let mut state = self.state.lock();
        let Some(why) = state.offends(&who, limited, self.clock.now(), self.offence) else { return limited.is_some() };
        if state.quarantined.insert(who.clone(), why.into()).is_none() {
            state.fresh.push(who);
            drop(state);
            self.caught.notify_one();
        }
        limited.is_some()
    }

    /// Bytes that left for one.
    pub(crate) fn sent(&self, workspace: WorkspaceId, name: &Arc<str>, bytes: usize) {
        self.state.lock().account(workspace, name).egress += bytes as u64;
    }

    /// Puts those in the store in the place of those before; what was caught and is not there yet stays.
    fn set_quarantined(&self, stored: Vec<(Name, Arc<str>)>) {
        let mut state = self.state.lock();
        let mut all: HashMap<Name, Arc<str>> = stored.into_iter().collect();
        for name in &state.fresh {
            if let Some(why) = state.quarantined.get(name) {
                all.insert(name.clone(), Arc::clone(why));
            }
        }
        // Who was released begins anew.
        let released: Vec<Name> = state.quarantined.keys().filter(|name| !all.contains_key(*name)).cloned().collect();
        for name in released {
            state.watched.remove(&name);
        }
        state.quarantined = all;
    }
}

/// The failure, when a limit ended the call.
fn limit(failure: &Failure) -> Option<&Failure> {
    Some(failure).filter(|failure| failure.class == Class::Limit && failure.code.starts_with("limit."))
}

impl State {
    fn account(&mut self, workspace: WorkspaceId, name: &Arc<str>) -> &mut PluginUsage {
        self.used.entry((workspace, Arc::clone(name))).or_insert_with(|| PluginUsage {
            workspace,
            plugin: name.to_string(),
            ..PluginUsage::default()
        })
    }

    /// Whether this call makes an offender; what it did.
    fn offends(&mut self, who: &Name, limited: Option<&Failure>, now: Instant, offence: Offence) -> Option<String> {
        let fresh = Watched { since: now, calls: 0, limited: 0 };
        let watched = match limited {
            Some(_) => self.watched.entry(who.clone()).or_insert(fresh),
            // Good ones are counted where a bad one was.
            None => self.watched.get_mut(who)?,
        };
        if now - watched.since > offence.within {
            *watched = Watched { since: now, calls: 0, limited: 0 };
        }
        watched.calls += 1;
        watched.limited += u32::from(limited.is_some());
        let Watched { calls, limited: ends, .. } = *watched;
        let offends = offence.after > 0 && ends >= offence.after && ends > calls / 2;
        let code = &limited.filter(|_| offends)?.code;
        Some(format!("{ends} of {calls} calls within {} s were ended by a limit, the last by {code}", offence.within / 1_000))
    }
}

impl Meter for Ledger {
    fn used(&self, workspace: WorkspaceId, name: &str, usage: Usage, failure: Option<&Failure>) {
        let mut state = self.state.lock();
        let account = state.account(workspace, &name.into());
        account.calls += 1;
        account.failed += u64::from(failure.is_some());
        account.limited += u64::from(failure.and_then(limit).is_some());
        account.cpu_us += usage.cpu_us;
        account.memory = account.memory.max(usage.memory);
        account.host_calls += u64::from(usage.host_calls);
    }
}

impl std::fmt::Debug for Ledger {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Ledger").field("offence", &self.offence).finish_non_exhaustive()
    }
}

impl Engine {
    /// Reads who is in quarantine.
    pub async fn load_quarantined(&self) -> Result<(), StoreError> {
        let stored = self.store.quarantined().await?;
        let stored = stored.into_iter().map(|one| ((one.workspace, one.plugin.into()), one.why.into())).collect();
        self.ledger.set_quarantined(stored);
        Ok(())
    }

    /// Why this may not run here, if it may not. Whoever was just released may come here before the bell was heard: the store is
    /// asked before anything is parked.
    pub(crate) async fn quarantined(&self, workspace: WorkspaceId, name: &Arc<str>) -> Option<Failure> {
        let refusal = self.ledger.refusal(workspace, name)?;
        let read = match self.store.in_quarantine(workspace, name).await {
            Ok(true) => return Some(refusal),
            // Released, or caught and not written yet.
            Ok(false) => self.load_quarantined().await,
            Err(error) => Err(error),
        };
        if let Err(error) = read {
            tracing::warn!(%error, "who is in quarantine cannot be read; it stays as it was");
        }
        self.ledger.refusal(workspace, name)
    }

    /// Writes the accounts down every now and then, and who was caught at once.
    pub(crate) async fn keep_accounts(self) {
        let mut beats = tokio::time::interval_at(tokio::time::Instant::now() + WRITE, WRITE);
        loop {
            let written = tokio::select! {
                _ = beats.tick() => self.write_accounts().await,
                () = self.ledger.caught.notified() => self.write_caught().await,
            };
            match written {
                Ok(()) => {}
                Err(StoreError::Closed) => return,
                Err(error) => tracing::error!(%error, "the account of what plugins use cannot be written; it is tried again"),
            }
        }
    }

    /// What was used since the last time.
    pub(crate) async fn write_accounts(&self) -> Result<(), StoreError> {
        self.write_caught().await?;
        self.write_felt().await?;
        let used: Vec<PluginUsage> = {
            let mut state = self.ledger.state.lock();
            let (now, within) = (self.clock.now(), self.ledger.offence.within);
            state.watched.retain(|_, watched| now - watched.since <= within);
            std::mem::take(&mut state.used).into_values().collect()
        };
        if used.is_empty() {
            return Ok(());
        }
        if let Err(error) = self.store.add_usage(used.clone()).await {
            let mut state = self.ledger.state.lock();
            for one in used {
                let account = state.account(one.workspace, &one.plugin.as_str().into());
                account.calls += one.calls;
                account.failed += one.failed;
                account.limited += one.limited;
                account.cpu_us += one.cpu_us;
                account.memory = account.memory.max(one.memory);
                account.host_calls += one.host_calls;
                account.egress += one.egress;
            }
            return Err(error);
        }
        self.ledger.measure(&used);
        Ok(())
    }

    async fn write_caught(&self) -> Result<(), StoreError> {
        loop {
            let next = {
                let state = self.ledger.state.lock();
                state.fresh.first().and_then(|who| Some((who.clone(), Arc::clone(state.quarantined.get(who)?))))
            };
            let Some((who, why)) = next else { return Ok(()) };
            tracing::warn!(workspace = %who.0, plugin = %who.1, %why, "quarantined: it runs in this workspace no more until it is released");
            self.store.quarantine(who.0, &who.1, &why).await?;
            self.ledger.state.lock().fresh.retain(|fresh| *fresh != who);
        }
    }
}

impl Ledger {
    /// For `/metrics`: so many have names of their own, whatever is installed.
    fn measure(&self, used: &[PluginUsage]) {
        let mut state = self.state.lock();
        for one in used {
            let name: Name = (one.workspace, one.plugin.as_str().into());
            let named = state.named.contains(&name) || (state.named.len() < NAMED && state.named.insert(name));
            let labels = match named {
                true => [("workspace", one.workspace.to_string()), ("plugin", one.plugin.clone())],
                false => [("workspace", "other".to_owned()), ("plugin", "other".to_owned())],
            };
            metrics::counter!("pointsman_plugin_calls_total", &labels).increment(one.calls);
            metrics::counter!("pointsman_plugin_limited_total", &labels).increment(one.limited);
            metrics::counter!("pointsman_plugin_cpu_microseconds_total", &labels).increment(one.cpu_us);
            metrics::counter!("pointsman_plugin_host_calls_total", &labels).increment(one.host_calls);
            metrics::counter!("pointsman_plugin_egress_bytes_total", &labels).increment(one.egress);
            metrics::gauge!("pointsman_plugin_memory_bytes", &labels).set(one.memory as f64);
        }
        metrics::gauge!("pointsman_plugins_quarantined").set(state.quarantined.len() as f64);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use pointsman_core::clock::VirtualClock;
    use pointsman_core::id::Id;

    const SHOP: WorkspaceId = Id(1);

    struct House {
        clock: VirtualClock,
        ledger: Arc<Ledger>,
    }

    impl House {
        fn new(after: u32) -> Self {
            let clock = VirtualClock::new(1_000_000);
            let ledger = Ledger::new(Arc::new(clock.clone()), Offence { after, within: 60_000 });
            Self { clock, ledger }
        }

        fn good(&self, name: &str) {
            self.ledger.used(SHOP, name, Usage { cpu_us: 100, memory: 1 << 20, host_calls: 2, ..Usage::default() }, None);
            self.ledger.watch(SHOP, &name.into(), None);
        }

        fn bad(&self, name: &str) {
            let failure = Failure::limit("cpu", "x");
            self.ledger.used(SHOP, name, Usage { cpu_us: 50_000, memory: 2 << 20, ..Usage::default() }, Some(&failure));
            self.ledger.watch(SHOP, &name.into(), Some(&failure));
        }

        fn out(&self, workspace: WorkspaceId, name: &str) -> bool {
            self.ledger.refusal(workspace, &name.into()).is_some()
        }
    }

    #[test]
    fn who_breaks_limits_again_and_again_is_out_there_and_nowhere_else() {
        let house = House::new(3);
        house.bad("a/spin");
        house.bad("a/spin");
        assert!(!house.out(SHOP, "a/spin"));
        house.bad("a/spin");
        let refused = house.ledger.refusal(SHOP, &"a/spin".into()).unwrap();
        assert_eq!(refused.code, QUARANTINED);
        assert!(refused.message.contains("3 of 3 calls") && refused.message.contains("plugin release a/spin"), "{refused}");
        assert!(!house.out(SHOP, "a/other") && !house.out(Id(2), "a/spin"));
    }

    #[test]
    fn a_few_bad_calls_among_many_or_far_apart_are_no_offence() {
        let house = House::new(3);
        for _ in 0..10 {
            house.bad("a/mixed");
            house.good("a/mixed");
            house.good("a/mixed");
        }
        assert!(!house.out(SHOP, "a/mixed"), "most of its calls are good");
        for _ in 0..10 {
            house.bad("a/rare");
            house.clock.advance(31_000);
        }
        assert!(!house.out(SHOP, "a/rare"), "never three within the minute");
        let house = House::new(0);
        (0..100).for_each(|_| house.bad("a/spin"));
        assert!(!house.out(SHOP, "a/spin"), "switched off");
    }

    #[test]
    fn who_is_released_begins_anew_and_who_is_not_written_yet_stays() {
        let house = House::new(2);
        (0..2).for_each(|_| house.bad("a/spin"));
        house.ledger.set_quarantined(Vec::new());
        assert!(house.out(SHOP, "a/spin"), "it is not in the store yet");
        house.ledger.state.lock().fresh.clear();
        house.ledger.set_quarantined(Vec::new());
        assert!(!house.out(SHOP, "a/spin"));
        house.bad("a/spin");
        assert!(!house.out(SHOP, "a/spin"), "one is no offence");
        house.bad("a/spin");
        assert!(house.out(SHOP, "a/spin"));
        let house = House::new(2);
        house.ledger.set_quarantined(vec![((SHOP, "a/spin".into()), "as before the restart".into())]);
        assert!(house.out(SHOP, "a/spin"));
    }

    #[test]
    fn accounts_are_sums_and_the_largest_memory() {
        let house = House::new(10);
        house.good("a/b");
        house.bad("a/b");
        house.ledger.sent(SHOP, &"a/b".into(), 700);
        let state = house.ledger.state.lock();
        let used = &state.used[&(SHOP, "a/b".into())];
        assert_eq!((used.calls, used.failed, used.limited, used.cpu_us), (2, 1, 1, 50_100));
        assert_eq!((used.memory, used.host_calls, used.egress), (2 << 20, 2, 700));
    }
}
