//! Compiles. What the host ships is compiled by its own process; what a stranger hands in by a child of it ([`crate::child`]), one
//! at a time: a component can be small enough for every count of the scan and still take minutes and gigabytes to compile.

use std::process::ExitCode;

use parking_lot::Mutex;
use pointsman_core::failure::{Class, Failure};
use wasmtime::Engine;

use crate::Trust;
use crate::child::{self, ChildConfig, Ended};
use crate::engine::compiler;

/// Bytes of compiled code at most.
const CODE: u64 = 256 << 20;

/// Compiles.
pub(crate) struct Compiler {
    /// `None`: this process compiles everything.
    child: Option<ChildConfig>,
    /// One at a time: many at once would have as many times the memory.
    turn: Mutex<()>,
}

impl Compiler {
    pub(crate) fn new(child: Option<ChildConfig>) -> Self {
        Self { child, turn: Mutex::new(()) }
    }

    /// The compiled form of a component. Blocks.
    pub(crate) fn compile(&self, engine: &Engine, bytes: &[u8], trust: Trust, who: &str) -> Result<Vec<u8>, Failure> {
        match &self.child {
            Some(child) if trust == Trust::Stranger => {
                let _turn = self.turn.lock();
                let ended = child.run(bytes, CODE).map_err(|e| {
                    Failure::new(Class::Transient, "sandbox.compiler", format!("the process that compiles {who} cannot run: {e}"))
                })?;
                judge(child, ended, who)
            }
            _ => engine.precompile_component(bytes).map_err(|e| invalid(who, &sentence(&e))),
        }
    }
}

fn judge(child: &ChildConfig, ended: Ended, who: &str) -> Result<Vec<u8>, Failure> {
    let how = match ended {
        Ended::Done(code) => return Ok(code),
        Ended::Said(why) => return Err(invalid(who, &why)),
        Ended::Broken(status) => status.to_string(),
        Ended::TooMuch => "too much code".to_owned(),
    };
    Err(Failure::bug(
        "plugin.too_costly",
        format!(
            "{who} cannot be compiled within {} s of processor time and {} MiB of memory ({how}); make it smaller, its largest \
             functions first",
            child.seconds,
            child.memory >> 20
        ),
    ))
}

/// A component that does not compile.
fn invalid(who: &str, why: &str) -> Failure {
    Failure::bug("plugin.invalid", format!("{who} does not compile: {}", plain(why)))
}

/// The root of an error of wasmtime, in one line.
pub(crate) fn sentence(error: &wasmtime::Error) -> String {
    plain(&error.root_cause().to_string())
}

fn plain(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(300).collect()
}

/// The child's side: compiles the component that comes on standard input.
#[must_use]
pub fn serve(seconds: u64, memory: u64) -> ExitCode {
    child::serve(seconds, memory, |bytes| {
        let engine = compiler().map_err(|e| sentence(&e))?;
        engine.precompile_component(bytes).map_err(|e| sentence(&e))
    })
}
