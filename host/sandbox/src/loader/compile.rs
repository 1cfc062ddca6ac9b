//! Compiles. What the host ships is compiled by its own process; what a stranger hands in by a child of it, one at a time, that
//! has so much processor time and memory and no more, an empty environment, and two pipes. The attack this stops: a component
//! that is small enough for every count of the scan and still takes minutes and gigabytes to compile, or finds a mistake of
//! the compiler: it harms a process that has nothing and is thrown away.

use std::ffi::OsString;
use std::io::{self, Read, Write};
use std::process::{Command, ExitCode, ExitStatus, Stdio};

use parking_lot::Mutex;
use pointsman_core::failure::{Class, Failure};
use rustix::process::{Resource, Rlimit, setrlimit};
use wasmtime::Engine;

use crate::Trust;
use crate::engine::compiler;

/// Bytes of compiled code at most.
const CODE: u64 = 256 << 20;

/// The child's exit code when it has written a sentence in place of code.
const SAID_WHY: u8 = 1;

/// The whole environment of a child: one thread, and memory that is counted when it is used.
const ENVIRONMENT: [(&str, &str); 2] = [("RAYON_NUM_THREADS", "1"), ("MIMALLOC_ARENA_EAGER_COMMIT", "0")];

/// What compiles the components of strangers, and what one of them may take.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CompilerConfig {
    /// A program that ends in [`serve`], with its arguments; `--seconds N --memory N` are put behind them.
    pub program: Vec<OsString>,
    /// Seconds of processor time.
    pub seconds: u64,
    /// Bytes of memory.
    pub memory: u64,
}

impl CompilerConfig {
    /// With the usual bounds: what the scan lets in takes a few seconds and some ten MiB, unless it means harm.
    #[must_use]
    pub fn new(program: Vec<OsString>) -> Self {
        Self { program, seconds: 30, memory: 512 << 20 }
    }
}

/// Compiles.
pub(crate) struct Compiler {
    /// `None`: this process compiles everything.
    child: Option<CompilerConfig>,
    /// One at a time: many at once would have as many times the memory.
    turn: Mutex<()>,
}

impl Compiler {
    pub(crate) fn new(child: Option<CompilerConfig>) -> Self {
        Self { child, turn: Mutex::new(()) }
    }

    /// The compiled form of a component. Blocks.
    pub(crate) fn compile(&self, engine: &Engine, bytes: &[u8], trust: Trust, who: &str) -> Result<Vec<u8>, Failure> {
        match &self.child {
            Some(child) if trust == Trust::Stranger => {
                let _turn = self.turn.lock();
                let (status, output) = run(child, bytes).map_err(|e| {
                    Failure::new(Class::Transient, "sandbox.compiler", format!("the process that compiles {who} cannot run: {e}"))
                })?;
                judge(child, status, output, who)
            }
            _ => engine.precompile_component(bytes).map_err(|e| invalid(who, &sentence(&e))),
        }
    }
}

/// Gives the component to a child and takes what it writes.
fn run(config: &CompilerConfig, bytes: &[u8]) -> io::Result<(ExitStatus, Vec<u8>)> {
    let (program, arguments) = config.program.split_first().ok_or(io::ErrorKind::NotFound)?;
    let bounds = ["--seconds".to_owned(), config.seconds.to_string(), "--memory".to_owned(), config.memory.to_string()];
    let mut command = Command::new(program);
    command.args(arguments).args(bounds).env_clear().envs(ENVIRONMENT);
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn()?;
    if let Some(mut input) = child.stdin.take() {
        // It reads everything before it writes; one that is gone already says why by its end.
        let _ = input.write_all(bytes);
    }
    let mut output = Vec::new();
    let read = child.stdout.take().map_or(Ok(0), |from| from.take(CODE + 1).read_to_end(&mut output));
    if read.is_err() || output.len() as u64 > CODE {
        child.kill()?;
    }
    Ok((child.wait()?, output))
}

fn judge(child: &CompilerConfig, status: ExitStatus, output: Vec<u8>, who: &str) -> Result<Vec<u8>, Failure> {
    match status.code() {
        Some(0) => Ok(output),
        Some(code) if code == i32::from(SAID_WHY) => Err(invalid(who, &String::from_utf8_lossy(&output))),
        _ => Err(Failure::bug(
            "plugin.too_costly",
            format!(
                "{who} cannot be compiled within {} s of processor time and {} MiB of memory ({status}); make it smaller, its \
                 largest functions first",
                child.seconds,
                child.memory >> 20
            ),
        )),
    }
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

/// The child's side: compiles the component that comes on standard input, and writes the code, or why there is none, to
/// standard output. From its first line on it has `seconds` of processor time and `memory` bytes.
#[must_use]
pub fn serve(seconds: u64, memory: u64) -> ExitCode {
    let outcome = confine(seconds, memory).and_then(|()| {
        let mut bytes = Vec::new();
        io::stdin().lock().read_to_end(&mut bytes).map_err(|e| e.to_string())?;
        let engine = compiler().map_err(|e| sentence(&e))?;
        engine.precompile_component(&bytes).map_err(|e| sentence(&e))
    });
    let (output, code) = match outcome {
        Ok(code) => (code, ExitCode::SUCCESS),
        Err(why) => (why.into_bytes(), ExitCode::from(SAID_WHY)),
    };
    let mut out = io::stdout().lock();
    // Half of the code must not pass for all of it.
    if out.write_all(&output).and_then(|()| out.flush()).is_err() { ExitCode::from(SAID_WHY + 1) } else { code }
}

/// Takes from this process what a compiler does not need. `Data` counts private memory that can be written, whatever is reserved.
fn confine(seconds: u64, memory: u64) -> Result<(), String> {
    let limits =
        [(Resource::Cpu, seconds), (Resource::Data, memory), (Resource::Fsize, 0), (Resource::Nofile, 16), (Resource::Core, 0)];
    for (resource, most) in limits {
        let limit = Rlimit { current: Some(most), maximum: Some(most) };
        setrlimit(resource, limit).map_err(|e| format!("the limit on {resource:?} cannot be set: {e}"))?;
    }
    Ok(())
}
