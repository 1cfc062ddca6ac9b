//! The hostile corpus (SAFETY): every case with the named ends that it may have. What needs a whole host, a provider or a
//! database is elsewhere in `security`; here is what a sandbox must stand by itself.

use std::time::Duration;

use anyhow::{Result, bail, ensure};
use pointsman_core::clock::Millis;
use pointsman_core::ports::{Outcome, StepEnd};
use serde_json::{Value, json};
use tokio::time::Instant;

use super::rig::{LIMITS, Rig};
use super::{bombs, scripts};

/// What is done.
#[derive(Debug)]
pub enum Act {
    /// A component is handed in.
    Load(fn() -> Result<Vec<u8>>),
    /// The guest is called whose start function loops.
    Start,
    /// The guest `hostile` is called.
    Call(Value),
    /// It is called beside a store that never answers.
    Hang(Value),
    /// The guest `forger` is called.
    Forge(&'static str),
    /// A script is run, with this input.
    Script(String, Value),
}

/// An attack.
#[derive(Debug)]
pub struct Case {
    /// Its number in SAFETY.
    pub number: u8,
    /// Its name, unique.
    pub name: &'static str,
    /// What is done.
    pub act: Act,
    /// The codes that it may end with; `=` leads a value that is returned, `~` a part of one.
    pub ends: &'static [&'static str],
}

fn case(number: u8, name: &'static str, act: Act, ends: &'static [&'static str]) -> Case {
    Case { number, name, act, ends }
}

/// Every case.
#[must_use]
pub fn all() -> Vec<Case> {
    let mut all = loaded();
    all.extend(called());
    all.extend(scripts::cases());
    all
}

fn loaded() -> Vec<Case> {
    use Act::Load;
    vec![
        case(4, "huge-min memory", Load(bombs::huge_memory), &["plugin.refused"]),
        case(4, "huge-min table", Load(bombs::huge_table), &["plugin.refused"]),
        case(8, "compile-bomb: 100,000 functions", Load(bombs::many_functions), &["plugin.refused"]),
        case(8, "compile-bomb: 200 x 50,000 locals", Load(bombs::many_locals), &["plugin.refused"]),
        case(8, "compile-bomb: one of 10 MB", Load(bombs::long_function), &["plugin.refused"]),
        case(8, "compile-bomb: under every count", Load(bombs::under_every_count), &["plugin.too_costly"]),
        case(12, "matryoshka: 1,000 deep", Load(bombs::nested), &["plugin.refused"]),
        case(12, "matryoshka: 100,000 aliases", Load(bombs::many_aliases), &["plugin.refused"]),
        case(12, "matryoshka: 100,000 types", Load(bombs::many_types), &["plugin.refused"]),
        case(14, "wasi: files", Load(|| bombs::importing("wasi:filesystem/types@0.2.0")), &["denied.import"]),
        case(14, "wasi: sockets", Load(|| bombs::importing("wasi:sockets/tcp@0.2.0")), &["denied.import"]),
        case(14, "wasi: environment", Load(|| bombs::importing("wasi:cli/environment@0.2.0")), &["denied.import"]),
        case(1, "spin-in-start of no plugin", Load(bombs::spins_when_started), &["plugin.world"]),
    ]
}

/// The ends of one that says as much as its memory holds.
const TOO_MUCH: &[&str] = &["limit.copy", "limit.cpu"];

// The contract has no resources: a guest has no handles but those of its own component, by their numbers, each in a table of this
// one instance. A handle of another instance is there a number like any other ("guessed"); what can be foreign is its kind.
//
// Nor does a guest hand over lists of lists: the only ones (vectors of a model) come from the host. A text is a list of bytes, so
// the parameters of a template stand for them.
fn called() -> Vec<Case> {
    use Act::{Call, Forge, Hang, Start};
    let header = |name: &str, value: &str| Call(json!({"do": "headers", "count": 1, "name": name, "value": value}));
    let requests = vec![json!({ "url": "https://api.example.com/" }); 16];
    vec![
        case(1, "spin", Call(json!({"do": "spin"})), &["limit.cpu"]),
        case(1, "spin-in-start", Start, &["limit.cpu"]),
        case(3, "grow-mem", Call(json!({"do": "hoard"})), &["limit.memory"]),
        case(3, "grow-mem at once", Call(json!({"do": "grow", "bytes": 100 << 20})), &["limit.memory"]),
        // It is not told -1: at the cap its call ends. Each page of WebAssembly is written to.
        case(3, "grow-mem, all of it touched", Call(json!({"do": "touch", "step": 64 << 10})), &["limit.memory"]),
        case(6, "deep-call", Call(json!({"do": "recurse"})), &["limit.stack"]),
        case(6, "deep-call by pointer", Call(json!({"do": "recurse-by-pointer"})), &["limit.stack"]),
        case(7, "bulk-fill", Call(json!({"do": "fill"})), &["limit.cpu"]),
        case(16, "list-bomb: text of 4 GiB", Forge("all-memory"), &["plugin.trap"]),
        case(16, "list-bomb: outside of it", Forge("outside"), &["plugin.trap"]),
        case(16, "list-bomb: round the end", Forge("wraps"), &["plugin.trap"]),
        case(16, "list-bomb: no such case", Forge("no-such-level"), &["plugin.trap"]),
        case(16, "list-bomb: no text", Forge("no-text"), &["plugin.trap"]),
        case(16, "list-bomb: bytes of 4 GiB", Forge("bytes-of-4-gib"), &["plugin.trap"]),
        case(16, "list-bomb: all of the memory", Forge("bytes-of-all-memory"), &["limit.copy"]),
        case(16, "list-bomb: 2^20 empty ones", Forge("empty-lists"), &["limit.copy"]),
        case(16, "list-bomb: 2^20 headers", Call(json!({"do": "headers", "count": 1 << 20})), &["limit.copy", "limit.cpu"]),
        case(16, "list-bomb: 4 GB of random", Call(json!({"do": "many-bytes"})), &["limit.copy"]),
        case(17, "handle-flood", Forge("many-handles"), &["limit.handles"]),
        case(17, "handle-forge: guessed", Forge("guess-a-handle"), &["plugin.trap"]),
        case(17, "handle-forge: read", Forge("read-a-handle"), &["plugin.trap"]),
        case(17, "handle-forge: of another kind", Forge("drop-another's"), &["plugin.trap"]),
        case(17, "handle-forge: twice", Forge("drop-twice"), &["plugin.trap"]),
        case(22, "host-hang", Hang(json!({"do": "conversation"})), &["limit.wall"]),
        case(22, "host-hang: 16 requests", Hang(json!({"do": "fetch", "requests": requests})), &["limit.wall"]),
        case(
            24,
            "header-flood",
            Call(json!({"do": "headers", "count": 40_000, "name": "x", "value": "y"})),
            &["limit.copy", "~limit.http-headers"],
        ),
        case(
            24,
            "header of 1 MB",
            Call(json!({"do": "headers", "count": 1, "name": "x", "value": "y", "times": 1_000_000})),
            &["~limit.http-headers"],
        ),
        case(24, "CRLF in a header", header("x", "y\r\nx-more: z"), &["~egress.request"]),
        case(24, "CRLF in a header's name", header("x: y\r\nx-more", "z"), &["~egress.request"]),
        case(24, "NUL in a header", header("x", "y\0z"), &["~egress.request"]),
        case(24, "NUL in a header's name", header("x\0", "y"), &["~egress.request"]),
        case(25, "smuggle: Host", header("Host", "a"), &["~denied.http_header"]),
        case(25, "smuggle: Transfer-Encoding", header("Transfer-Encoding", "chunked"), &["~denied.http_header"]),
        case(25, "smuggle: Content-Length", header("Content-Length", "0"), &["~denied.http_header"]),
        case(25, "smuggle: Authorization", header("Authorization", "Bearer a"), &["~denied.http_header"]),
        case(31, "ssrf by a step", Call(json!({"do": "http"})), &["~denied.http"]),
        case(35, "kv-fill: 1,000 writes", Call(json!({"do": "fill-state", "count": 1_000, "bytes": 1})), &["limit.effects"]),
        case(35, "kv-fill: large values", Call(json!({"do": "fill-state", "count": 200, "bytes": 60 << 10})), &["limit.effects"]),
        case(35, "kv-fill: 8 MB", Call(json!({"do": "fill-state", "count": 1, "bytes": 8 << 20})), &["limit.copy"]),
        // As large as a guest can have them, below. To have so much takes most of its time; on a slow machine all of it.
        case(35, "kv-fill: 60 MB", Call(json!({"do": "fill-state", "count": 1, "bytes": 60 << 20})), TOO_MUCH),
        case(36, "log-bomb", Call(json!({"do": "log-bomb", "lines": 4_000})), &["=null"]),
        case(36, "log-bomb at once", Call(json!({"do": "big-log", "bytes": 8 << 20})), &["limit.copy"]),
        case(38, "journal-poison: large", Call(json!({"do": "big-output", "bytes": 900 << 10})), &["limit.output"]),
        case(38, "journal-poison: 8 MB", Call(json!({"do": "big-output", "bytes": 8 << 20})), &["limit.copy"]),
        case(38, "journal-poison: 60 MB", Call(json!({"do": "big-output", "bytes": 60 << 20})), TOO_MUCH),
        case(38, "journal-poison: 100,000 deep", Call(json!({"do": "deep-output", "depth": 100_000})), &["limit.output"]),
        case(38, "journal-poison: 1,000,000 deep", Call(json!({"do": "deep-output", "depth": 1_000_000})), &["limit.copy"]),
        case(38, "journal-poison: NaN", Call(json!({"do": "raw-output", "text": "NaN"})), &["plugin.output"]),
        case(38, "journal-poison: twice", Call(json!({"do": "raw-output", "text": "{\"a\":1,\"a\":2}"})), &["plugin.output"]),
        // It goes on when it has been told; on a busy machine its time is over first.
        case(39, "send-storm", Call(json!({"do": "send-storm", "count": 10_000})), &["limit.effects", "limit.cpu"]),
        case(0, "panic", Call(json!({"do": "panic"})), &["plugin.trap"]),
        case(0, "files and sockets", Call(json!({"do": "file"})), &["=[true,true,true]"]),
        case(0, "environment", Call(json!({"do": "env"})), &["=true"]),
    ]
}

/// How a case ended: the code, or `=` and the value.
#[derive(Debug)]
pub struct Ended {
    /// As in [`Case::ends`].
    pub by: String,
    /// Ticks of its own time, of 5 ms; 0 where it never ran.
    pub ticks: u32,
    /// Bytes of its memory; 0 where it never ran.
    pub memory: u64,
    /// Its time on a processor, that of the host for it included.
    pub busy: Duration,
    /// How long it took.
    pub took: Duration,
}

/// How much later than its budget a case may end: what it takes to start it, to read what it says, and to clear it away.
pub const LATE: Duration = Duration::from_millis(100);

/// Within this time is refused what the scan refuses.
const SCAN: Duration = Duration::from_millis(50);

impl Case {
    /// For how long it may go on: on a processor or, where it waits, on the wall. `None` where a compiler is at work.
    #[must_use]
    pub fn budget(&self) -> Option<Duration> {
        match self.act {
            Act::Load(_) => None,
            Act::Hang(_) => Some(millis(LIMITS.wall)),
            Act::Start | Act::Call(_) | Act::Forge(_) | Act::Script(..) => Some(millis(LIMITS.cpu)),
        }
    }

    /// The component that it hands in; empty where it does something else. To make it takes more time and memory than it does.
    pub fn made(&self) -> Result<Vec<u8>> {
        match self.act {
            Act::Load(component) => component(),
            _ => Ok(Vec::new()),
        }
    }

    /// Tries it, with what was made for it. An error when it ended otherwise than it may, or left something behind.
    pub async fn run(&self, rig: &Rig, made: &[u8]) -> Result<Ended> {
        let since = Instant::now();
        let end = match &self.act {
            Act::Load(_) => return self.load(rig, made).await,
            Act::Start => rig.starter().await,
            Act::Call(input) => rig.hostile(1, input.clone()).await,
            Act::Hang(input) => rig.hung(input.clone()).await,
            Act::Forge(deed) => rig.forger(deed).await,
            Act::Script(source, input) => rig.script(1, source, input.clone()).await,
        };
        let ended = of_call(end, since.elapsed())?;
        self.expect(&ended)?;
        let (number, name) = (self.number, self.name);
        // 50 ms of its own time, and the tick in which it is cut.
        ensure!(ended.ticks <= 11, "{number} {name}: {} ticks", ended.ticks);
        // Where it waits it computes no longer, either.
        ensure!(ended.busy <= millis(LIMITS.cpu) + LATE, "{number} {name}: {:?} on a processor", ended.busy);
        ensure!(ended.memory <= LIMITS.memory as u64, "{number} {name}: {} bytes", ended.memory);
        Ok(ended)
    }

    /// Hands a component in: again when that took long, for a machine can be busy, though not three times.
    async fn load(&self, rig: &Rig, component: &[u8]) -> Result<Ended> {
        let mut took = Duration::MAX;
        for _ in 0..3 {
            let since = Instant::now();
            let Err(failure) = rig.load(component).await else { bail!("{} {}: it was let in", self.number, self.name) };
            took = took.min(since.elapsed());
            let scanned = matches!(failure.code.as_str(), "plugin.refused" | "denied.import");
            let ended = Ended { by: failure.code, ticks: 0, memory: 0, busy: Duration::ZERO, took };
            self.expect(&ended)?;
            if !scanned || took < SCAN {
                return Ok(ended);
            }
        }
        bail!("{} {}: refused after {took:?}", self.number, self.name)
    }

    /// An error when it ended otherwise than it may.
    fn expect(&self, ended: &Ended) -> Result<()> {
        let meant = |end: &&str| match end.strip_prefix('~') {
            Some(part) => ended.by.starts_with('=') && ended.by.contains(part),
            None => ended.by == **end,
        };
        let (number, name) = (self.number, self.name);
        ensure!(self.ends.iter().any(meant), "{number} {name}: ended by {}, not by {:?}", ended.by, self.ends);
        Ok(())
    }
}

fn of_call(end: StepEnd, took: Duration) -> Result<Ended> {
    let logged: usize = end.log.iter().map(|line| line.text.len()).sum();
    ensure!(logged <= 65 << 10, "{logged} bytes of log");
    let by = match end.result {
        Ok(Outcome::Done(value)) => format!("={value}"),
        Ok(Outcome::Suspended { name, .. }) => format!("=waits for {name}"),
        Err(failure) => {
            ensure!(end.effects.is_empty(), "a call that failed left {} effects", end.effects.len());
            failure.code
        }
    };
    Ok(Ended { by, ticks: end.usage.ticks, memory: end.usage.memory, busy: Duration::from_micros(end.usage.cpu_us), took })
}

fn millis(of: Millis) -> Duration {
    Duration::from_millis(of.unsigned_abs())
}
