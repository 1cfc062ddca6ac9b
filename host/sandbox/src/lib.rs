//! Runs code that is not ours: plugins and scripts, as WebAssembly components without files, sockets, environment or clock.
//! The only crate that names wasmtime.
//!
//! A plugin gets in through [`Sandbox::load`]: it is counted before it is compiled, its imports are held against its
//! manifest, and it is compiled once, off the line. A call then gives a guest its own memory, a budget of time, memory,
//! stack, output, log and effects ([`Limits`]), and the imports that its manifest asks for, all of them about *this*
//! conversation. Whatever goes wrong ends as a coded [`Failure`]; the host goes on.
//!
//! A stranger's plugin gets a fresh memory for every call, so it cannot carry one conversation's words into another. What
//! the host ships ([`Trust::Bundled`]) is kept warm for a workspace, a script for a workspace and its text, and thrown away
//! on any trap, limit or unusual growth, or after 1,000 calls.
//!
//! A newcomer's map: `loader/` is the way in, `world/` the generated contract and the conversions, `imports/` what a guest
//! may call, `instance` a guest, `pool` those kept warm, `drive` the threads they run on, `own_time` what they compute
//! there, `limit` their named ends.
//! `child` is the box for work in Rust on what strangers made: compiling it, reading it.

use std::collections::{HashMap, HashSet};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use child::ChildConfig;
pub use loader::inspect;
use parking_lot::{Mutex, RwLock};
use pointsman_core::failure::{Class, Failure};
use pointsman_core::limits::Limits;
use pointsman_core::ports::{Meter, Usage};
use pointsman_manifest::{Kind, Manifest};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

mod channel;
pub mod child;
mod ctx;
mod drive;
mod engine;
mod imports;
mod instance;
mod json;
mod limit;
mod loader;
mod own_time;
mod past;
mod pool;
mod step;
#[cfg(test)]
mod tests;
mod world;

pub use loader::compile::serve as compile;

/// How the sandbox is set up.
#[derive(Debug, Clone)]
pub struct SandboxConfig {
    /// Where compiled plugins are kept between starts; made with mode 0700. `None`: nowhere.
    pub cache: Option<PathBuf>,
    /// What compiles the components of strangers. `None`: this process, without a bound on time and memory.
    pub compiler: Option<ChildConfig>,
    /// Threads for guests that take longer than one tick of 5 ms.
    pub threads: usize,
    /// Guests that run at once; further calls wait for a place.
    pub places: usize,
    /// Guests kept warm between calls.
    pub warm: usize,
    /// The limits of one call.
    pub limits: Limits,
    /// Who is told what each call used.
    pub meter: Option<Arc<dyn Meter>>,
}

impl Default for SandboxConfig {
    fn default() -> Self {
        Self { cache: None, compiler: None, threads: 2, places: 128, warm: 64, limits: Limits::STEP, meter: None }
    }
}

/// Slow ones that are remembered.
const SLOW: usize = 10_000;

/// Where a plugin comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trust {
    /// It ships with the host, or the operator signed it. Its guests may be kept warm.
    Bundled,
    /// Anybody's. A fresh memory for every call.
    Stranger,
}

/// A plugin that is in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Loaded {
    /// `pointsman/keyword`.
    pub id: Arc<str>,
    /// SHA-256 of its component, hex: by this a step names it.
    pub digest: Arc<str>,
}

/// The sandbox of this process. A cheap clone.
#[derive(Clone)]
pub struct Sandbox {
    inner: Arc<Inner>,
}

struct Inner {
    // Before the loader, so that guests go before the engine they live in.
    pool: pool::Pool,
    guests: drive::Guests,
    known: RwLock<Known>,
    loader: loader::Loader,
    places: Arc<Semaphore>,
    limits: Limits,
    meter: Option<Arc<dyn Meter>>,
    /// Whose last call took a whole tick: the next one begins on the guests' threads.
    slow: Mutex<HashSet<pool::Key>>,
}

/// The plugins that are in.
#[derive(Default)]
struct Known {
    /// By digest: every version, since a workflow pins one for life. Two ids may stand over the same component: each has its own
    /// manifest, and none takes the other's place.
    plugins: HashMap<Arc<str>, Vec<Arc<loader::Plugin>>>,
    /// By id: the version loaded last.
    channels: HashMap<String, Arc<loader::Plugin>>,
    interpreter: Option<Arc<loader::Plugin>>,
}

impl std::fmt::Debug for Sandbox {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Sandbox").field("plugins", &self.inner.known.read().plugins.len()).finish_non_exhaustive()
    }
}

impl Sandbox {
    /// Starts the engine, its ticks and the guests' threads.
    ///
    /// # Errors
    /// When this machine cannot run it, or the limits make no sense.
    pub fn new(config: SandboxConfig) -> Result<Self, Failure> {
        step::sound(&config.limits)?;
        let places = config.places.clamp(1, 4_096);
        // A place more for each thread: a guest that is being dropped still holds its own.
        let computing = engine::Computing::default();
        let engine = engine::engine(places + config.warm + config.threads.max(1) + 16, config.limits.memory, &computing)?;
        Ok(Self {
            inner: Arc::new(Inner {
                pool: pool::Pool::new(config.warm),
                guests: drive::Guests::new(config.threads, computing)?,
                known: RwLock::default(),
                loader: loader::Loader {
                    linkers: loader::Linkers::new(&engine)?,
                    engine,
                    cache: config.cache.and_then(loader::cache::Cache::open),
                    compiler: loader::compile::Compiler::new(config.compiler),
                    memory: config.limits.memory,
                    count: AtomicU64::new(0),
                },
                places: Arc::new(Semaphore::new(places)),
                limits: config.limits,
                meter: config.meter,
                slow: Mutex::default(),
            }),
        })
    }

    /// Lets a plugin in: scans it, holds its imports against its manifest, compiles it on a thread for blocking work, and
    /// makes it known. A stranger's is compiled by a child process within bounds. A channel or interpreter replaces the one of the same id; versions of a step stand side by side.
    ///
    /// # Errors
    /// `plugin.refused`, `plugin.too_costly`, `plugin.invalid`, `plugin.no_component`, `plugin.precompiled`, `plugin.world` for what is no plugin of
    /// this contract; `denied.import` for one that imports what its manifest does not ask for, `denied.interpreter` for an
    /// interpreter of a stranger.
    pub async fn load(&self, manifest: Manifest, component: &[u8], trust: Trust) -> Result<Loaded, Failure> {
        let this = self.clone();
        let bytes = component.to_vec();
        let loaded = tokio::task::spawn_blocking(move || this.load_blocking(manifest, &bytes, trust)).await;
        loaded.map_err(|_| Failure::new(Class::Transient, "sandbox.closed", "the host is closing"))?
    }

    /// [`Sandbox::load`] for a caller that may block.
    ///
    /// # Errors
    /// The same.
    pub fn load_blocking(&self, manifest: Manifest, component: &[u8], trust: Trust) -> Result<Loaded, Failure> {
        let plugin = Arc::new(self.inner.loader.load(Arc::new(manifest), component, trust)?);
        let loaded = Loaded { id: plugin.manifest.id.as_str().into(), digest: Arc::clone(&plugin.digest) };
        let mut known = self.inner.known.write();
        match plugin.manifest.kind() {
            Kind::Step => {}
            Kind::Channel => {
                known.channels.insert(plugin.manifest.id.clone(), Arc::clone(&plugin));
            }
            Kind::Interpreter => known.interpreter = Some(Arc::clone(&plugin)),
        }
        let same = known.plugins.entry(Arc::clone(&plugin.digest)).or_default();
        same.retain(|other| other.manifest.id != plugin.manifest.id);
        same.push(plugin);
        Ok(loaded)
    }

    /// Whether the last call of these took a whole tick.
    fn was_slow(&self, key: &pool::Key) -> bool {
        let slow = self.inner.slow.lock();
        // Mostly none was.
        !slow.is_empty() && slow.contains(key)
    }

    /// Remembers whether a call took a whole tick.
    fn note_pace(&self, key: &pool::Key, usage: &Usage) {
        let mut slow = self.inner.slow.lock();
        if usage.ticks > 0 {
            if slow.len() >= SLOW {
                slow.clear();
            }
            slow.insert(key.clone());
        } else if !slow.is_empty() {
            slow.remove(key);
        }
    }

    /// A place for one guest; waits for one when all are taken.
    async fn place(&self) -> Result<OwnedSemaphorePermit, Failure> {
        let places = Arc::clone(&self.inner.places);
        places.acquire_owned().await.map_err(|_| Failure::new(Class::Transient, "sandbox.closed", "the sandbox is closing"))
    }
}
