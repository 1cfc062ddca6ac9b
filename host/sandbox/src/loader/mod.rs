//! How a plugin gets in: scanned, its imports held against its manifest, compiled (or found compiled), linked. All of it
//! once, at install or start, never while a request waits.

mod asks;
pub(crate) mod cache;
pub(crate) mod compile;
mod scan;

use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use pointsman_core::failure::{Class, Failure};
use pointsman_core::limits::Limits;
use pointsman_manifest::{Kind, Manifest};
use sha2::{Digest as _, Sha256};
use wasmtime::Engine;
use wasmtime::component::{HasSelf, Linker};

use crate::Trust;
use crate::ctx::Ctx;
use crate::loader::cache::Cache;
use crate::loader::compile::{Compiler, sentence};
use crate::loader::scan::Bounds;
use crate::world::{channel, log, script, step, types};

/// A plugin, ready to be instantiated.
pub(crate) struct Plugin {
    /// SHA-256 of the component, hex.
    pub(crate) digest: Arc<str>,
    pub(crate) manifest: Arc<Manifest>,
    pub(crate) trust: Trust,
    /// Its number in this process: the short name under which instances are kept.
    pub(crate) number: u64,
    pub(crate) code: Linked,
}

/// Code with its imports bound.
pub(crate) enum Linked {
    Step(step::StepPre<Ctx>),
    Script(script::ScriptPre<Ctx>),
    Channel(channel::ChannelPre<Ctx>),
}

/// What a component is linked against.
pub(crate) struct Linkers {
    /// Steps and scripts: all imports.
    step: Linker<Ctx>,
    /// Channels: the log.
    channel: Linker<Ctx>,
}

impl Linkers {
    /// Binds the host's functions.
    pub(crate) fn new(engine: &Engine) -> Result<Self, Failure> {
        let mut step = Linker::new(engine);
        let mut channel = Linker::new(engine);
        script::Script::add_to_linker::<_, HasSelf<Ctx>>(&mut step, |ctx| ctx)
            .and_then(|()| types::add_to_linker::<_, HasSelf<Ctx>>(&mut channel, |ctx| ctx))
            .and_then(|()| log::add_to_linker::<_, HasSelf<Ctx>>(&mut channel, |ctx| ctx))
            .map_err(|e| Failure::bug("sandbox.engine", format!("the imports do not link: {e}")))?;
        Ok(Self { step, channel })
    }
}

/// What loading takes.
pub(crate) struct Loader {
    pub(crate) engine: Engine,
    pub(crate) linkers: Linkers,
    pub(crate) cache: Option<Cache>,
    pub(crate) compiler: Compiler,
    /// The cap of a guest's memory.
    pub(crate) memory: usize,
    /// Plugins loaded so far.
    pub(crate) count: AtomicU64,
}

/// Looks at a plugin without compiling it: the names of what its component imports, in order.
///
/// # Errors
/// `plugin.refused`, `plugin.invalid`, `plugin.no_component`, `plugin.precompiled`; `denied.import` where the manifest does not
/// ask for what the component imports.
pub fn inspect(manifest: &Manifest, component: &[u8]) -> Result<Vec<String>, Failure> {
    let found = scan::scan(component, Bounds::step(Limits::STEP.memory))?;
    asks::check(manifest, &found.imports)?;
    Ok(found.imports)
}

impl Loader {
    /// Checks, compiles and links. Blocks: seconds for a large component that was not kept.
    pub(crate) fn load(&self, manifest: Arc<Manifest>, bytes: &[u8], trust: Trust) -> Result<Plugin, Failure> {
        let (engine, linkers, cache, memory) = (&self.engine, &self.linkers, self.cache.as_ref(), self.memory);
        let kind = manifest.kind();
        if kind == Kind::Interpreter && trust != Trust::Bundled {
            return Err(Failure::new(
                Class::Denied,
                "denied.interpreter",
                format!(
                    "{} asks for the world of the script interpreter; only the one that ships with the host is loaded",
                    manifest.id
                ),
            ));
        }
        let found =
            scan::scan(bytes, if kind == Kind::Interpreter { Bounds::interpreter(memory) } else { Bounds::step(memory) })?;
        asks::check(&manifest, &found.imports)?;

        let digest = hex::encode(Sha256::digest(bytes));
        // wasmtime's version, its settings and the processor are in its own hash; code of another is refused anyway.
        let mut settings = DefaultHasher::new();
        engine.precompile_compatibility_hash().hash(&mut settings);
        let key = format!("{digest}-{:016x}", settings.finish());
        let component = match cache.and_then(|cache| cache.get(engine, &key)) {
            Some(component) => component,
            None => {
                let code = self.compiler.compile(engine, bytes, trust, &manifest.id)?;
                if let Some(cache) = cache {
                    cache.put(&key, &code);
                }
                cache::load(engine, &code).ok_or_else(|| {
                    let why = "it was compiled by another version of this program; start the host again";
                    Failure::new(Class::Transient, "sandbox.compiler", format!("{} cannot be loaded: {why}", manifest.id))
                })?
            }
        };

        let code = match kind {
            Kind::Step => linkers.step.instantiate_pre(&component).and_then(step::StepPre::new).map(Linked::Step),
            Kind::Interpreter => linkers.step.instantiate_pre(&component).and_then(script::ScriptPre::new).map(Linked::Script),
            Kind::Channel => linkers.channel.instantiate_pre(&component).and_then(channel::ChannelPre::new).map(Linked::Channel),
        };
        let code = code.map_err(|e| {
            Failure::bug("plugin.world", format!("{} is not a {kind} of this contract: {}", manifest.id, sentence(&e)))
        })?;
        let number = self.count.fetch_add(1, Ordering::Relaxed);
        Ok(Plugin { digest: digest.into(), manifest, trust, number, code })
    }
}
