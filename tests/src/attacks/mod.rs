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
use tokio::time::{Duration, Instant};

use crate::proof::{Row, Setting, resident};
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
        "T1" => ("each ends by its name, no neighbour harmed, memory within 5 %", hostile(setting).await),
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

/// T1: each case again and again, a neighbour beside it.
async fn hostile(setting: &Setting) -> Proved {
    let rig = Rig::new(&setting.binary, setting.cache.clone()).await?;
    let cases = corpus::all();
    let alone = neighbours(&rig, 200).await?;
    let (mut slowest, mut runs) = (Duration::ZERO, 0);
    // Once for what stays after the first time: caches, pools, threads.
    for case in &cases {
        case.run(&rig).await?;
    }
    let before = resident("self").context("the system does not tell our memory")?;
    for case in &cases {
        // What the scan refuses is refused the same way each time; what is compiled takes seconds.
        let rounds = if matches!(case.act, corpus::Act::Load(_)) { 3 } else { setting.scaled(1_000, 20) };
        for _ in 0..rounds {
            let since = Instant::now();
            case.run(&rig).await?;
            if !matches!(case.act, corpus::Act::Load(_) | corpus::Act::Hang(_)) {
                slowest = slowest.max(since.elapsed());
            }
            runs += 1;
            rig.neighbour().await?;
        }
    }
    let after = resident("self").context("the system does not tell our memory")?;
    let beside = {
        let attack = async {
            loop {
                rig.hostile(1, serde_json::json!({"do": "spin"})).await;
            }
        };
        tokio::select! {
            beside = neighbours(&rig, 200) => beside?,
            () = attack => bail!("it never ends"),
        }
    };
    let flat = after <= before + before / 20;
    let seen = format!(
        "{} cases, {runs} runs, slowest {slowest:.0?}, memory {} -> {} MiB, neighbour p99 {alone:.1?} alone, {beside:.1?} beside a loop",
        cases.len(),
        before >> 20,
        after >> 20
    );
    Ok((seen, flat))
}

/// The 99th percentile of what an ordinary script takes.
async fn neighbours(rig: &Rig, count: usize) -> Result<Duration> {
    let mut took = Vec::with_capacity(count);
    for _ in 0..count {
        took.push(rig.neighbour().await?);
    }
    Ok(percentile(took))
}

/// The 99th percentile.
#[must_use]
pub fn percentile(mut took: Vec<Duration>) -> Duration {
    took.sort_unstable();
    took.get((took.len() * 99 / 100).min(took.len().saturating_sub(1))).copied().unwrap_or_default()
}
