//! What stands behind the demo's page: how the host stands, and what became of what was done to it.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use async_trait::async_trait;
use parking_lot::Mutex;
use pointsman_core::clock::{Clock as _, SystemClock};
use pointsman_web::{Act, Acting, DemoChannel, Door, Stage, Trouble};
use serde_json::{Value, json};

use super::acts;
use super::child::{Keeper, Standing};
use super::tally::Numbers;

/// Outcomes that the page can still see.
const KEPT: usize = 20;

/// What came of an act, or how far it is.
#[derive(Debug, Clone)]
pub(super) struct Outcome {
    id: u64,
    act: Act,
    at: i64,
    /// Who wrote, and where.
    who: String,
    /// What happened.
    pub(super) words: String,
    /// What it means, once it is over.
    pub(super) verdict: Option<String>,
    /// Whether the promises held.
    pub(super) good: bool,
    pub(super) numbers: Option<Numbers>,
}

impl Outcome {
    fn shown(&self) -> Value {
        let word = match self.act {
            Act::Kill => "kill",
            Act::Cut => "cut",
            Act::Twice => "twice",
        };
        json!({
            "id": self.id, "act": word, "at": self.at, "who": self.who, "words": self.words, "verdict": self.verdict, "good": self.good,
            "state": if self.verdict.is_some() { "done" } else { "running" }, "numbers": self.numbers,
        })
    }
}

/// The demo as its page sees it.
pub(super) struct DemoStage {
    dir: PathBuf,
    channels: Vec<DemoChannel>,
    pub(super) keeper: Keeper,
    pub(super) door: Door,
    outcomes: Arc<Mutex<Vec<Outcome>>>,
    counter: AtomicU64,
}

impl DemoStage {
    pub(super) fn new(dir: PathBuf, channels: Vec<DemoChannel>, keeper: Keeper) -> Self {
        Self { dir, channels, keeper, door: Door::default(), outcomes: Arc::default(), counter: AtomicU64::new(1) }
    }

    pub(super) fn channel(&self, word: &str) -> Option<&DemoChannel> {
        self.channels.iter().find(|channel| channel.word == word)
    }
}

/// Where an act writes how it goes.
#[derive(Clone)]
pub(super) struct Sheet {
    outcomes: Arc<Mutex<Vec<Outcome>>>,
    id: u64,
}

impl Sheet {
    pub(super) fn write(&self, change: impl FnOnce(&mut Outcome)) {
        if let Some(outcome) = self.outcomes.lock().iter_mut().find(|outcome| outcome.id == self.id) {
            change(outcome);
        }
    }

    pub(super) fn say(&self, words: impl Into<String>) {
        self.write(|outcome| outcome.words = words.into());
    }
}

#[async_trait]
impl Stage for DemoStage {
    fn channels(&self) -> &[DemoChannel] {
        &self.channels
    }

    fn dir(&self) -> String {
        self.dir.display().to_string()
    }

    fn host(&self) -> Option<String> {
        self.keeper.up().map(|up| up.private)
    }

    fn state(&self) -> Value {
        let (state, words) = match self.keeper.standing() {
            Standing::Starting => ("starting", "The host is being started.".to_owned()),
            Standing::Up(up) => ("up", format!("The host runs as process {}.", up.pid)),
            Standing::Down(pid, how) => (
                "down",
                format!(
                    "The host is down: process {pid} ended by {how}. It comes back in a moment; write on, nothing gets lost."
                ),
            ),
            Standing::Ended(why) => ("ended", format!("The host has ended for good: {why}. Its log is in the data folder.")),
        };
        let acts: Vec<Value> = self.outcomes.lock().iter().map(Outcome::shown).collect();
        json!({ "host": { "state": state, "words": words }, "acts": acts })
    }

    async fn act(&self, acting: Acting) -> Result<(), Trouble> {
        let found = self.channel(&acting.channel).and_then(|channel| {
            let contact = channel.contacts.iter().find(|(id, _)| *id == acting.contact)?;
            Some((channel.clone(), contact.clone()))
        });
        let Some((channel, contact)) = found else { return Err(Trouble::Missing("contact".to_owned())) };
        if self.keeper.up().is_none() {
            return Err(Trouble::Invalid(
                "demo.host_down".to_owned(),
                "the host is down already: wait until it is back".to_owned(),
            ));
        }
        let sheet = {
            let mut outcomes = self.outcomes.lock();
            if outcomes.iter().any(|outcome| outcome.verdict.is_none()) {
                return Err(Trouble::Invalid("demo.busy".to_owned(), "one at a time: the last one is not over yet".to_owned()));
            }
            let id = self.counter.fetch_add(1, Ordering::Relaxed);
            outcomes.push(Outcome {
                id,
                act: acting.act,
                at: SystemClock.now(),
                who: format!("{} on {}", contact.1, channel.title),
                words: "It begins.".to_owned(),
                verdict: None,
                good: false,
                numbers: None,
            });
            if outcomes.len() > KEPT {
                outcomes.remove(0);
            }
            Sheet { outcomes: Arc::clone(&self.outcomes), id }
        };
        let scene = acts::Scene {
            channels: self.channels.clone(),
            channel,
            contact,
            keeper: self.keeper.clone(),
            door: self.door.clone(),
            sheet,
        };
        tokio::spawn(async move { scene.play(acting.act).await });
        Ok(())
    }
}
