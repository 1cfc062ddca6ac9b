//! What a message costs when many are stored: it must cost what it cost on the first day. The same load on stores that hold
//! more and more; processor time of the hosts alone, read from the kernel.

use std::fmt::Write as _;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use tokio::time::Instant;

use super::catalog::{self, NOTED};
use super::fill::fill;
use super::trial::{Stage, Trial};
use super::{Kind, Setting};

/// Messages of one measurement, and those before it that warm everything up.
const MESSAGES: usize = 5_000;
const BEFORE: usize = 500;

/// One measurement.
#[derive(Debug, Clone)]
pub struct Cost {
    /// Messages in the store before.
    pub stored: usize,
    /// Messages handled a second, webhook to reply.
    pub per_second: f64,
    /// Seconds of the hosts' processor time for a thousand messages.
    pub cpu_per_thousand: f64,
}

/// Measures with 0, 100,000 and 1,000,000 stored messages, and with `full` 10,000,000; scaled.
pub async fn measure(setting: &Setting, full: bool) -> Result<Vec<Cost>> {
    let mut costs = Vec::new();
    let sizes = [0, 100_000, 1_000_000, 10_000_000];
    for size in sizes.into_iter().take(if full { 4 } else { 3 }) {
        costs.push(with(setting, setting.scaled(size, 0)).await?);
    }
    Ok(costs)
}

/// The costs as a table.
#[must_use]
pub fn table(setting: &Setting, costs: &[Cost]) -> String {
    let store = if setting.store == Kind::Sqlite { "sqlite" } else { "postgres" };
    let mut text =
        format!("{:8}  {:5}  {:>10}  {:>10}  {:>21}\n", "STORE", "HOSTS", "STORED", "MESSAGES/S", "CPU S/1,000 MESSAGES");
    for cost in costs {
        let Cost { stored, per_second, cpu_per_thousand } = cost;
        let _ = writeln!(text, "{store:8}  {:5}  {stored:10}  {per_second:10.0}  {cpu_per_thousand:21.3}", setting.hosts);
    }
    text
}

async fn with(setting: &Setting, stored: usize) -> Result<Cost> {
    let trial = Trial {
        name: "stored",
        flows: &[NOTED],
        strands: catalog::conversations(BEFORE + MESSAGES),
        ..catalog::plain("stored", Vec::new())
    };
    let mut stage = Stage::set(setting, &trial).await?;
    if stored > 0 {
        let config = stage.site.config()?;
        let list = stage.site.done(&["channel", "list"]).await?;
        let channel = list.pointer("/0/id").and_then(|id| id.as_str()).context("a channel")?.parse().ok().context("an id")?;
        fill(&config, channel, &"0".repeat(64), stored).await?;
    }
    stage.killer.start().await?;
    let mut strands = trial.strands.clone();
    let measured = strands.split_off(BEFORE / 10);
    stage.sender.send(strands, 64, Duration::ZERO).await?;
    taken(&stage, BEFORE).await?;
    let (cpu, since) = (stage.killer.cpu(), Instant::now());
    stage.sender.send(measured, 64, Duration::ZERO).await?;
    taken(&stage, BEFORE + MESSAGES).await?;
    let (cpu, seconds) = (stage.killer.cpu() - cpu, since.elapsed().as_secs_f64());
    for host in stage.killer.hosts.iter_mut().filter_map(Option::take) {
        host.stop().await?;
    }
    let (books, balanced) = stage.site.books().await?;
    if !balanced {
        bail!("the books do not balance: {books}");
    }
    stage.clear()?;
    let thousands = MESSAGES as f64 / 1_000.0;
    Ok(Cost { stored, per_second: MESSAGES as f64 / seconds, cpu_per_thousand: cpu / thousands })
}

/// Waits until the provider has taken so many.
async fn taken(stage: &Stage, count: usize) -> Result<()> {
    let until = Instant::now() + Duration::from_secs(300);
    while stage.provider.account.count_taken() < count {
        if Instant::now() > until {
            bail!("only {} of {count} replies came", stage.provider.account.count_taken());
        }
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    Ok(())
}
