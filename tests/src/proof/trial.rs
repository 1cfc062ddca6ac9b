//! A trial: what is said, what goes wrong meanwhile, and the three witnesses around it.

use std::ops::Range;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use pointsman_emulator::{Fault, WhatsappConfig};
use serde_json::Value;
use tokio::time::Instant;

use super::check::Seen;
use super::journal::{Api, Journal};
use super::killer::Killer;
use super::provider::Provider;
use super::sender::{Doors, Message, Sender};
use super::site::{Flow, Site};
use super::{Dice, Setting};

/// What is said, and what goes wrong meanwhile.
#[derive(Debug, Clone)]
pub struct Trial {
    /// The folder's name.
    pub name: &'static str,
    /// The site's workflows.
    pub flows: &'static [Flow],
    /// The messages of a strand are said one after the other.
    pub strands: Vec<Vec<Message>>,
    /// Strands at the same moment.
    pub many: usize,
    /// After each message.
    pub pause: Duration,
    /// Milliseconds from kill to kill, and how many there are at least.
    pub kills: Option<(Range<u64>, usize)>,
    /// How long after a message its status follows; without it none comes.
    pub status_after: Option<Duration>,
    /// How long the host waits for news of a send whose answer never came.
    pub settle_after: Duration,
    /// What goes wrong with every so many-th send.
    pub shares: Vec<(u64, Fault)>,
    /// Contacts whose provider refuses for good.
    pub refused: Vec<String>,
    /// How long it may take until nothing is open, from the last word on.
    pub patience: Duration,
}

/// The witnesses and the hosts of a trial.
#[derive(Debug)]
pub struct Stage {
    /// The provider.
    pub provider: Provider,
    /// The load generator.
    pub sender: Arc<Sender>,
    /// The site.
    pub site: Arc<Site>,
    /// Its hosts.
    pub killer: Killer,
    folder: PathBuf,
    said: usize,
    status_after: Option<Duration>,
    patience: Duration,
}

/// How often the hosts are asked whether anything is open.
const LOOK: Duration = Duration::from_millis(100);

impl Stage {
    /// Sets everything up; the hosts are down.
    pub async fn set(setting: &Setting, trial: &Trial) -> Result<Self> {
        let folder = setting.folder.join(trial.name);
        if folder.exists() {
            std::fs::remove_dir_all(&folder).with_context(|| format!("cannot empty {}", folder.display()))?;
        }
        std::fs::create_dir_all(&folder)?;
        let config = WhatsappConfig {
            statuses: if trial.status_after.is_some() { vec!["delivered"] } else { Vec::new() },
            status_after: trial.status_after.unwrap_or_default(),
            retry_every: Some(LOOK),
            ..WhatsappConfig::default()
        };
        let provider = Provider::start(&folder, config)?;
        let account = provider.account.clone();
        trial.shares.iter().for_each(|(every, fault)| account.fail_share(*every, fault.clone()));
        let no = Fault::Status { status: 400, code: 131_026, retry_after: None };
        trial.refused.iter().for_each(|contact| account.fail_contact(contact, no.clone()));
        let site = Site::make(setting, &folder.join("site"), &provider, trial.flows, trial.settle_after).await?;
        let (site, doors) = (Arc::new(site), Doors::new(setting.hosts));
        let sender = Sender::new(&folder, account.clone(), Arc::clone(&doors))?;
        let killer = Killer::new(Arc::clone(&site), doors, account, setting.hosts);
        let said = trial.strands.iter().flatten().collect::<std::collections::HashSet<_>>().len();
        let (status_after, patience) = (trial.status_after, trial.patience);
        Ok(Self { provider, sender, site, killer, folder, said, status_after, patience })
    }

    /// Waits until nothing is open and every status has been told.
    pub async fn settled(&mut self) -> Result<()> {
        let until = Instant::now() + self.patience;
        loop {
            self.nothing_open(until).await?;
            let before = self.provider.seen()?.taken.len();
            // Statuses that are still to come, and what they move.
            if let Some(after) = self.status_after {
                tokio::time::sleep(after + LOOK).await;
                self.nothing_open(until).await?;
            }
            let quiet = self.provider.account.subscription().waiting == 0 && self.provider.seen()?.taken.len() == before;
            if quiet || Instant::now() > until {
                return Ok(());
            }
        }
    }

    async fn nothing_open(&mut self, until: Instant) -> Result<()> {
        for (number, host) in self.killer.hosts.iter_mut().enumerate() {
            let Some(host) = host else { continue };
            if !host.runs() {
                bail!("host {number} has ended by itself: see {}", self.site.log(number).display());
            }
        }
        let host = self.killer.hosts.iter().flatten().next().context("a host that runs")?;
        let api = Api::new(&host.private);
        loop {
            let books = api.get("books").await?;
            let open = books.get("open").and_then(Value::as_array).map_or(1, Vec::len);
            if open == 0 || Instant::now() > until {
                return Ok(());
            }
            tokio::time::sleep(LOOK).await;
        }
    }

    /// Hears the witnesses, ends the hosts, and joins what was written down. The files go when all is sound.
    pub async fn close(mut self) -> Result<Seen> {
        let host = self.killer.hosts.iter().flatten().next().context("a host that runs")?;
        let journal = Journal::read(&self.site, &Api::new(&host.private)).await?;
        for host in self.killer.hosts.iter_mut().filter_map(Option::take) {
            host.stop().await?;
        }
        let (books, balanced) = self.site.books().await?;
        let length = |name: &str| books.get(name).and_then(Value::as_array).map_or(usize::MAX, Vec::len);
        let log = self.provider.seen()?;
        let seen = Seen {
            said: self.said,
            unexplained: length("unexplained").max(usize::from(!balanced)),
            open: length("open"),
            kills: self.killer.moments.len(),
            in_flight: usize::try_from(self.killer.in_flight)?,
            under_way: self.killer.moments.iter().map(|at| log.under_way(*at)).sum(),
            ..Seen::join(&log, &self.sender.acknowledged()?, &journal)
        };
        if seen.sound() {
            self.clear()?;
        }
        Ok(seen)
    }

    /// Ends the provider and removes all files.
    pub fn clear(self) -> Result<()> {
        drop(self.provider);
        std::fs::remove_dir_all(&self.folder).with_context(|| format!("cannot remove {}", self.folder.display()))
    }
}

impl Trial {
    /// Runs it from nothing to the joined account.
    pub async fn run(&self, setting: &Setting) -> Result<Seen> {
        let mut stage = Stage::set(setting, self).await?;
        stage.killer.start().await?;
        let over = Arc::new(AtomicBool::new(false));
        let (sender, strands, many, pause) = (Arc::clone(&stage.sender), self.strands.clone(), self.many, self.pause);
        let flag = Arc::clone(&over);
        let sending = tokio::spawn(async move {
            let sent = sender.send(strands, many, pause).await;
            flag.store(true, Ordering::Release);
            sent
        });
        if let Some((every, least)) = &self.kills {
            let mut dice = Dice::new(setting.seed);
            stage.killer.rage(every.clone(), *least, || over.load(Ordering::Acquire), &mut dice).await?;
        }
        sending.await.context("the sender")??;
        stage.settled().await?;
        stage.close().await
    }
}
