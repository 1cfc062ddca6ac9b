//! kill -9, again and again: ends a host's whole process tree at a random moment, looks into its books while it is down, and
//! starts it again.

use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Result;
use pointsman_core::clock::{Clock as _, SystemClock};
use pointsman_emulator::Whatsapp;
use serde_json::Value;

use super::Dice;
use super::sender::Doors;
use super::site::{Host, Site};

/// The hosts of a site, those that run.
#[derive(Debug)]
pub struct Killer {
    site: Arc<Site>,
    /// Where webhooks go.
    pub doors: Arc<Doors>,
    account: Whatsapp,
    /// By number; `None` is down.
    pub hosts: Vec<Option<Host>>,
    /// When somebody was killed: unix milliseconds.
    pub moments: Vec<i64>,
    /// Sends whose intent was on disk and whose outcome was not, summed over all kills.
    pub in_flight: u64,
}

impl Killer {
    /// The hosts of a site, all of them down.
    #[must_use]
    pub fn new(site: Arc<Site>, doors: Arc<Doors>, account: Whatsapp, hosts: usize) -> Self {
        let hosts = (0..hosts).map(|_| None).collect();
        Self { site, doors, account, hosts, moments: Vec::new(), in_flight: 0 }
    }

    /// Starts all hosts that are down.
    pub async fn start(&mut self) -> Result<()> {
        for number in 0..self.hosts.len() {
            if self.hosts.get(number).is_some_and(Option::is_none) {
                self.revive(number).await?;
            }
        }
        Ok(())
    }

    /// Starts a host that is down, and points the provider's statuses to one that runs.
    pub async fn revive(&mut self, number: usize) -> Result<()> {
        let host = self.site.start(number).await?;
        self.open(number, host);
        Ok(())
    }

    /// A host has come up: webhooks and statuses go to it.
    pub fn open(&mut self, number: usize, host: Host) {
        self.doors.set(number, Some(host.hook.clone()));
        self.account.set_hook(host.hook.clone());
        if let Some(place) = self.hosts.get_mut(number) {
            *place = Some(host);
        }
    }

    /// A host has gone, by our hand or by itself: counts what was in flight.
    pub async fn gone(&mut self, number: usize) -> Result<()> {
        self.doors.set(number, None);
        if let Some(other) = self.doors.pick(0) {
            self.account.set_hook(other);
        }
        let (books, _) = self.site.books().await?;
        self.in_flight += books.pointer("/sends/sending").and_then(Value::as_u64).unwrap_or_default();
        Ok(())
    }

    /// Kills a host and counts what was in flight.
    pub async fn kill(&mut self, number: usize) -> Result<()> {
        let Some(host) = self.hosts.get_mut(number).and_then(Option::take) else { return Ok(()) };
        self.moments.push(SystemClock.now());
        host.kill().await?;
        self.gone(number).await
    }

    /// Processor time that the hosts have used so far, with all their processes: seconds.
    #[must_use]
    pub fn cpu(&self) -> f64 {
        self.hosts.iter().flatten().map(Host::cpu).sum()
    }

    /// Kills until `over`, at least `least` times, with a pause from `every` (milliseconds) before each.
    pub async fn rage(&mut self, every: Range<u64>, least: usize, over: impl Fn() -> bool, dice: &mut Dice) -> Result<()> {
        while !over() || self.moments.len() < least {
            let pause = every.start + dice.below(every.end - every.start);
            tokio::time::sleep(Duration::from_millis(pause)).await;
            let number = self.moments.len() % self.hosts.len().max(1);
            self.kill(number).await?;
            self.revive(number).await?;
        }
        Ok(())
    }
}
