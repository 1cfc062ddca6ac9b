//! The hostile corpus (SAFETY): every case with the named ends that it may have. What needs a whole host, a provider or a
//! database is elsewhere in `security`; here is what a sandbox must stand by itself.

use anyhow::{Result, bail, ensure};
use pointsman_core::failure::Failure;
use pointsman_core::ports::{Outcome, StepEnd};
use serde_json::{Value, json};

use super::rig::Rig;
use super::{bombs, scripts};

/// What is done.
#[derive(Debug)]
pub enum Act {
    /// A component is handed in.
    Load(fn() -> Result<Vec<u8>>),
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
        case(14, "wasi: files", Load(|| bombs::importing("wasi:filesystem/types@0.2.0")), &["denied.import"]),
        case(14, "wasi: sockets", Load(|| bombs::importing("wasi:sockets/tcp@0.2.0")), &["denied.import"]),
        case(14, "wasi: environment", Load(|| bombs::importing("wasi:cli/environment@0.2.0")), &["denied.import"]),
        case(1, "spin-in-start of a core module", Load(bombs::spins_when_started), &["plugin.world"]),
    ]
}

fn called() -> Vec<Case> {
    use Act::{Call, Forge, Hang};
    vec![
        case(1, "spin", Call(json!({"do": "spin"})), &["limit.cpu"]),
        case(3, "grow-mem", Call(json!({"do": "hoard"})), &["limit.memory"]),
        case(3, "grow-mem at once", Call(json!({"do": "grow", "bytes": 100 << 20})), &["limit.memory"]),
        case(6, "deep-call", Call(json!({"do": "recurse"})), &["limit.stack"]),
        case(6, "deep-call by pointer", Call(json!({"do": "recurse-by-pointer"})), &["limit.stack"]),
        case(7, "bulk-fill", Call(json!({"do": "fill"})), &["limit.cpu"]),
        case(16, "list-bomb: all of the memory", Forge("all-memory"), &["limit.copy", "plugin.trap"]),
        case(16, "list-bomb: outside of it", Forge("outside"), &["plugin.trap"]),
        case(16, "list-bomb: round the end", Forge("wraps"), &["plugin.trap"]),
        case(16, "list-bomb: no such case", Forge("no-such-level"), &["plugin.trap"]),
        case(16, "list-bomb: no text", Forge("no-text"), &["plugin.trap"]),
        case(16, "list-bomb: 2^20 empty ones", Call(json!({"do": "headers", "count": 1 << 20})), &["limit.copy", "limit.cpu"]),
        case(16, "list-bomb: 4 GB of random", Call(json!({"do": "many-bytes"})), &["limit.copy"]),
        case(17, "handle-flood", Forge("many-handles"), &["limit.handles"]),
        case(17, "handle-forge: guessed", Forge("guess-a-handle"), &["plugin.trap"]),
        case(17, "handle-forge: read", Forge("read-a-handle"), &["plugin.trap"]),
        case(17, "handle-forge: twice", Forge("drop-twice"), &["plugin.trap"]),
        case(22, "host-hang", Hang(json!({"do": "conversation"})), &["limit.wall"]),
        case(
            22,
            "host-hang: requests",
            Hang(json!({"do": "fetch", "requests": [{ "url": "https://api.example.com/" }]})),
            &["limit.wall"],
        ),
        case(
            24,
            "header-flood",
            Call(json!({"do": "headers", "count": 40_000, "name": "x", "value": "y"})),
            &["limit.copy", "~limit.http-headers"],
        ),
        case(25, "smuggle", Call(json!({"do": "headers", "count": 1, "name": "Host", "value": "a"})), &["~denied.http_header"]),
        case(31, "ssrf by a step", Call(json!({"do": "http"})), &["~denied.http"]),
        case(35, "kv-fill: 1,000 writes", Call(json!({"do": "fill-state", "count": 1_000, "bytes": 1})), &["limit.effects"]),
        case(35, "kv-fill: large values", Call(json!({"do": "fill-state", "count": 200, "bytes": 60 << 10})), &["limit.effects"]),
        case(36, "log-bomb", Call(json!({"do": "log-bomb", "lines": 4_000})), &["=null"]),
        case(36, "log-bomb at once", Call(json!({"do": "big-log", "bytes": 8 << 20})), &["limit.copy"]),
        case(38, "journal-poison: large", Call(json!({"do": "big-output", "bytes": 900 << 10})), &["limit.output"]),
        case(38, "journal-poison: 8 MB", Call(json!({"do": "big-output", "bytes": 8 << 20})), &["limit.copy"]),
        case(38, "journal-poison: 100,000 deep", Call(json!({"do": "deep-output", "depth": 100_000})), &["limit.output"]),
        case(38, "journal-poison: NaN", Call(json!({"do": "raw-output", "text": "NaN"})), &["plugin.output"]),
        case(38, "journal-poison: twice", Call(json!({"do": "raw-output", "text": "{\"a\":1,\"a\":2}"})), &["plugin.output"]),
        case(39, "send-storm", Call(json!({"do": "send-storm", "count": 10_000})), &["limit.effects"]),
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
}

impl Case {
    /// Tries it. An error when it ended otherwise than it may, or left something behind.
    pub async fn run(&self, rig: &Rig) -> Result<Ended> {
        let ended = match &self.act {
            Act::Load(component) => of_load(rig.load(&component()?).await),
            Act::Call(input) => of_call(rig.hostile(1, input.clone()).await),
            Act::Hang(input) => of_call(rig.hung(input.clone()).await),
            Act::Forge(deed) => of_call(rig.forger(deed).await),
            Act::Script(source, input) => of_call(rig.script(1, source, input.clone()).await),
        }?;
        let meant = |end: &&str| match end.strip_prefix('~') {
            Some(part) => ended.by.starts_with('=') && ended.by.contains(part),
            None => ended.by == **end,
        };
        if !self.ends.iter().any(meant) {
            bail!("{} {}: ended by {}, not by {:?}", self.number, self.name, ended.by, self.ends);
        }
        // 50 ms of its own time, and the tick in which it is cut.
        ensure!(ended.ticks <= 11, "{} {}: {} ticks", self.number, self.name, ended.ticks);
        Ok(ended)
    }
}

fn of_load(loaded: Result<(), Failure>) -> Result<Ended> {
    match loaded {
        Ok(()) => bail!("it was let in"),
        Err(failure) => Ok(Ended { by: failure.code, ticks: 0 }),
    }
}

fn of_call(end: StepEnd) -> Result<Ended> {
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
    Ok(Ended { by, ticks: end.usage.ticks })
}
