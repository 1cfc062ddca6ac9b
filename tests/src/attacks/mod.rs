//! Attacks against the product on this machine, with the ends that they must have: the hostile corpus, and the proofs of
//! SAFETY that are about attackers. Small in the tests of every day (`tests/it/security`), whole by `cargo xtask safety`.
//!
//! [`corpus`] lists what a sandbox must stand ([`bombs`] and [`scripts`] are its ammunition, [`rig`] the sandbox), [`canary`] looks
//! for what one guest leaves to another, [`crypto`] tries ciphertexts and signatures, [`rotation`] replaces the master key under
//! load and kill -9, [`leaks`] sweeps a host whose providers do
//! their worst, [`slow`] holds connections open, [`noisy`] computes for ever beside others, [`fuzz`] gives everything
//! that reads its input nearly right ([`mutate`]).

pub mod bombs;
pub mod canary;
pub mod corpus;
pub mod crypto;
pub mod forms;
pub mod fuzz;
pub mod leaks;
pub mod mutate;
pub mod noisy;
pub mod rig;
pub mod rotation;
pub mod scripts;
pub mod slow;

use anyhow::{Context as _, Result, bail};
use futures::future::try_join_all;
use tokio::time::{Duration, Instant};

use crate::proof::{Row, Setting, resident};
use corpus::{Act, Case, LATE};
use rig::Rig;

/// The names that can be asked for.
pub const NAMES: [&str; 8] = ["T1", "T2", "T4", "T6", "T7", "T8", "T11", "N15"];

/// Runs a proof; tells its rows.
pub async fn prove(name: &str, setting: &Setting, told: &mut dyn FnMut(Row)) -> Result<()> {
    let mut tell = |test: &str, target: &str, proved: Proved| {
        let (seen, held) = match proved {
            Ok((seen, held)) => (seen, held),
            Err(error) => (format!("{error:#}"), false),
        };
        told(Row { test: test.to_owned(), target: target.to_owned(), seen, held });
    };
    if name == "T7" {
        let target = "rotated under load and kill -9: 0 failed reads, 0 failed sends, 0 left on the old key";
        tell("T7 rotation", target, rotation::prove(setting).await);
    }
    let (target, proved) = match name {
        "T1" => (
            "each ends by its name, p99 <= its budget + 100 ms, neighbours p99 <= 1.2x, memory within 5 %",
            hostile(setting).await,
        ),
        "T2" => ("no panic, no trap of a parser, no way inside", fuzz::prove(setting).await),
        "T4" => ("nothing of one guest is found by another", canaries(setting).await),
        "T6" => ("no token in anything left behind, in any form", leaks::prove(setting).await),
        "T7" => ("no nonce twice, nothing moved opens", crypto::envelopes(setting.scaled(1_000_000, 20_000))),
        "T8" => ("0 forged accepted, 0 right refused", crypto::signatures(setting.scaled(1_000_000, 20_000)).await),
        "N15" => ("others p99 <= 1.2x, memory bounded, offered = done + parked, all quarantined", noisy::prove(setting).await),
        "T11" => ("all cut within 10 s, webhooks p99 <= 1.5x", slow::prove(setting).await),
        other => bail!("there is no proof {other}; there are {}", NAMES.join(", ")),
    };
    tell(name, target, proved);
    Ok(())
}

/// What was seen, and whether it is what must be.
pub type Proved = Result<(String, bool)>;

async fn canaries(setting: &Setting) -> Proved {
    let rig = Rig::new(&setting.binary, setting.cache.clone()).await?;
    let count = setting.scaled(10_000, 50);
    canary::fresh(&rig, count).await?;
    canary::warm(&rig, count).await?;
    Ok((format!("{count} fresh, {count} warm: nothing"), true))
}

/// Calls beside a store that never answers, at once.
const HANGING: usize = 20;

/// For how long one component is handed in again and again.
const LOADING: Duration = Duration::from_secs(30);

/// What an allocator may keep beside the 5 % that a case may leave behind, in bytes.
const KEPT: u64 = 4 << 20;

/// Runs of what uses up a stack, before memory is looked at.
const DEEP: usize = 200;

/// A case that was tried again and again.
struct Tried {
    name: &'static str,
    /// By when it should have ended; `None` where a compiler is at work.
    bound: Option<Duration>,
    /// How long each run took, less the time for which we stood in line for a processor: that is the machine's, not ours.
    took: Vec<Duration>,
    /// Bytes of our memory before and after.
    memory: (u64, u64),
}

impl Tried {
    /// Whether more than one run in a hundred ended late. One can, on a machine that halts.
    fn late(&self) -> bool {
        let late = |bound| self.took.iter().filter(|took| **took > bound).count();
        self.bound.is_some_and(|bound| late(bound) > self.took.len().div_ceil(100))
    }

    /// How long before its bound the 99th of a hundred ended.
    fn spare(&self) -> Option<Duration> {
        self.bound.map(|bound| bound.saturating_sub(percentile(self.took.clone())))
    }

    /// Bytes that it left behind.
    fn left(&self) -> u64 {
        self.memory.1.saturating_sub(self.memory.0)
    }

    /// Whether our memory is what it was.
    fn flat(&self) -> bool {
        self.left() <= self.memory.0 / 20 + KEPT
    }
}

/// T1: each case again and again, a neighbour beside it.
async fn hostile(setting: &Setting) -> Proved {
    let rig = Rig::new(&setting.binary, setting.cache.clone()).await?;
    let cases = corpus::all().into_iter().map(|case| Ok((case.made()?, case))).collect::<Result<Vec<_>>>()?;
    let few = setting.scaled(2_000, 200);
    run_in(&cases, &rig).await?;
    let before = memory()?;
    let mut tried = Vec::new();
    for (made, case) in &cases {
        let most = (setting.scaled(1_000, 20), LOADING.mul_f64(setting.scale));
        tried.push(again(case, made, &rig, most).await?);
    }
    let after = memory()?;
    // Half of it before the loop and half of it after: a machine may change its pace meanwhile.
    let mut alone = neighbours(&rig, few / 2).await?;
    let beside = {
        let attack = async {
            loop {
                rig.hostile(1, serde_json::json!({"do": "spin"})).await;
            }
        };
        tokio::select! {
            beside = neighbours(&rig, few) => beside?,
            () = attack => bail!("it never ends"),
        }
    };
    alone.extend(neighbours(&rig, few / 2).await?);
    let (alone, beside) = (percentile(alone), percentile(beside));
    let in_time = !tried.iter().any(Tried::late);
    let flat = after <= before + before / 20 && tried.iter().all(Tried::flat);
    let unharmed = beside.as_micros() * 5 <= alone.as_micros() * 6;
    let slowest = tried.iter().filter(|one| one.bound.is_some()).min_by_key(|one| one.spare()).context("no case has a bound")?;
    let largest = tried.iter().max_by_key(|one| one.left()).context("no case")?;
    let seen = format!(
        "{} cases, {} runs, p99 of {} {:.0?} of {:.0?} (longest {:.0?}), memory {} -> {} MiB, most by {} {} -> {} MiB, \
         neighbour p99 {alone:.1?} alone, {beside:.1?} beside a loop",
        cases.len(),
        tried.iter().map(|one| one.took.len()).sum::<usize>(),
        slowest.name,
        percentile(slowest.took.clone()),
        slowest.bound.unwrap_or_default(),
        slowest.took.iter().max().copied().unwrap_or_default(),
        before >> 20,
        after >> 20,
        largest.name,
        largest.memory.0 >> 20,
        largest.memory.1 >> 20,
    );
    Ok((seen, in_time && flat && unharmed))
}

/// For what stays after the first times: caches, threads, and stacks. What a stack once had it keeps, and the box takes the one that
/// was longest unused: when as many guests were there at once as ever will be, and deep calls came after them, all have had it.
async fn run_in(cases: &[(Vec<u8>, Case)], rig: &Rig) -> Result<()> {
    for (made, case) in cases {
        case.run(rig, made).await?;
    }
    for (made, case) in cases {
        let rounds = match case.act {
            Act::Hang(_) => HANGING,
            _ if case.ends.contains(&"limit.stack") => DEEP,
            _ => 0,
        };
        again(case, made, rig, (rounds, Duration::ZERO)).await?;
    }
    Ok(())
}

/// A case so many times, a neighbour after each; one that is compiled at least three times, and not for longer than that.
async fn again(case: &Case, made: &[u8], rig: &Rig, (rounds, loading): (usize, Duration)) -> Result<Tried> {
    // Who waits keeps nobody from waiting beside it.
    let at_once = if matches!(case.act, Act::Hang(_)) { HANGING } else { 1 };
    let (before, began) = (memory()?, Instant::now());
    let mut took = Vec::with_capacity(rounds);
    while took.len() < rounds {
        if matches!(case.act, Act::Load(_)) && took.len() >= 3 && began.elapsed() > loading {
            break;
        }
        let count = at_once.min(rounds - took.len());
        let stood = in_line();
        let ended = try_join_all((0..count).map(|_| case.run(rig, made))).await?;
        let stood = in_line().saturating_sub(stood);
        took.extend(ended.iter().map(|one| one.took.saturating_sub(stood)));
        rig.neighbour().await?;
    }
    Ok(Tried { name: case.name, bound: case.budget().map(|budget| budget + LATE), took, memory: (before, memory()?) })
}

/// For how long our threads have stood in line for a processor, all together. Nothing where the system does not tell.
fn in_line() -> Duration {
    let waited = |task: std::fs::DirEntry| {
        let told = std::fs::read_to_string(task.path().join("schedstat")).ok()?;
        told.split_whitespace().nth(1)?.parse::<u64>().ok()
    };
    let tasks = std::fs::read_dir("/proc/self/task").into_iter().flatten().flatten();
    Duration::from_nanos(tasks.filter_map(waited).sum())
}

/// Bytes of our memory.
fn memory() -> Result<u64> {
    resident("self").context("the system does not tell our memory")
}

/// How long an ordinary script takes, each time.
async fn neighbours(rig: &Rig, count: usize) -> Result<Vec<Duration>> {
    let mut took = Vec::with_capacity(count);
    for _ in 0..count {
        took.push(rig.neighbour().await?);
    }
    Ok(took)
}

/// The 99th percentile.
#[must_use]
pub fn percentile(mut took: Vec<Duration>) -> Duration {
    took.sort_unstable();
    took.get((took.len() * 99 / 100).min(took.len().saturating_sub(1))).copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tried(took: &[u64], memory: (u64, u64)) -> Tried {
        let took = took.iter().map(|ms| Duration::from_millis(*ms)).collect();
        Tried { name: "a case", bound: Some(Duration::from_millis(150)), took, memory }
    }

    #[test]
    fn one_in_a_hundred_may_be_late_and_a_twentieth_of_memory_may_be_left() {
        let usual = [60; 99];
        assert!(!tried(&[&usual[..], &[900]].concat(), (0, 0)).late());
        assert!(tried(&[&usual[..], &[151, 900]].concat()[1..], (0, 0)).late());
        assert!(tried(&[151; 20], (0, 0)).late());
        assert!(tried(&[60; 20], (100 << 20, 109 << 20)).flat());
        assert!(!tried(&[60; 20], (100 << 20, 110 << 20)).flat());
        assert!(tried(&[60; 20], (100 << 20, 90 << 20)).flat());
    }
}
