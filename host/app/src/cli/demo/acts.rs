//! Breaking things on purpose: each act lets a contact write at the worst moment, waits until nothing is under way, and then
//! counts on both sides.

use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use pointsman_web::{Act, DemoChannel, Door};
use serde_json::{Value, json};
use tokio::time::Instant;

use super::child::{Keeper, Up};
use super::stage::Sheet;
use super::tally::{Mark, Tally};

/// How long an act may take: a send whose receipt never came waits 30 s for an echo before it is sent again.
const PATIENCE: Duration = Duration::from_secs(120);
/// How often is looked.
const LOOK: Duration = Duration::from_millis(30);
/// How long nothing must be under way before it counts as over.
const QUIET: Duration = Duration::from_millis(600);

/// Everybody who has a part in an act.
pub(super) struct Scene {
    pub(super) channels: Vec<DemoChannel>,
    pub(super) channel: DemoChannel,
    /// Id and name.
    pub(super) contact: (String, String),
    pub(super) keeper: Keeper,
    pub(super) door: Door,
    pub(super) sheet: Sheet,
}

impl Scene {
    /// Plays it to its end; what came of it stands on the sheet.
    pub(super) async fn play(self, act: Act) {
        let played = async {
            let up = self.up(Instant::now() + PATIENCE).await?;
            self.settle(&up, None).await?;
            let mark = self.tally(&up).begin().await?;
            let up = match act {
                Act::Kill => self.kill(up, &mark).await?,
                Act::Cut => self.cut(up, &mark).await?,
                Act::Twice => self.twice(up, &mark).await?,
            };
            self.close(&up, &mark).await
        };
        if let Err(error) = played.await {
            self.sheet.write(|outcome| {
                outcome.verdict = Some(format!("It could not be played to its end: {error:#}"));
                outcome.good = false;
            });
        }
    }

    fn tally<'a>(&'a self, up: &'a Up) -> Tally<'a> {
        Tally { door: &self.door, channels: &self.channels, channel: &self.channel, contact: &self.contact.0, host: &up.private }
    }

    async fn say(&self, text: &str) -> Result<Value> {
        let said = json!({ "from": self.contact.0, "name": self.contact.1, "text": text });
        Ok(self.door.tell(&format!("{}/_emulator/say", self.channel.emulator), &said).await?)
    }

    async fn fault(&self, kind: &str) -> Result<()> {
        self.door.tell(&format!("{}/_emulator/fault", self.channel.emulator), &json!({ "kind": kind })).await?;
        Ok(())
    }

    /// Waits until the host is up.
    async fn up(&self, deadline: Instant) -> Result<Up> {
        loop {
            if let Some(up) = self.keeper.up() {
                return Ok(up);
            }
            if Instant::now() > deadline {
                bail!("the host did not come back");
            }
            tokio::time::sleep(LOOK).await;
        }
    }

    /// Waits until nothing is under way, and everything that the contact wrote since `mark` is kept.
    async fn settle(&self, up: &Up, mark: Option<&Mark>) -> Result<()> {
        let (deadline, tally) = (Instant::now() + PATIENCE, self.tally(up));
        let mut since = Instant::now();
        loop {
            // A host that is just coming up may not answer yet.
            let over = match mark {
                None => tally.quiet().await.unwrap_or(false),
                Some(mark) => {
                    tally.quiet().await.unwrap_or(false)
                        && tally.count(mark).await.is_ok_and(|n| n.wrote > 0 && n.kept >= n.wrote)
                }
            };
            if !over {
                since = Instant::now();
            } else if since.elapsed() >= QUIET {
                return Ok(());
            }
            if Instant::now() > deadline {
                bail!("after {} s something is still under way", PATIENCE.as_secs());
            }
            tokio::time::sleep(LOOK).await;
        }
    }

    /// Kills the host while an answer is under way; the next message finds nobody.
    async fn kill(&self, up: Up, mark: &Mark) -> Result<Up> {
        let (name, title) = (&self.contact.1, &self.channel.title);
        self.say("order 1 baguette").await?;
        let dead = self.keeper.kill().await.context("the host was not there to be killed")?;
        let killed = Instant::now();
        let told = self.say("what are your hours?").await?;
        let refused = told.get("status").is_none_or(Value::is_null);
        self.sheet.say(format!(
            "Process {dead} was killed right after it had kept a message of {name}. A second one {}.",
            if refused { "came while it was down and found nobody" } else { "came when it was back already" }
        ));
        // The address is the same; what changes is the process.
        let deadline = Instant::now() + PATIENCE;
        let mut back = self.up(deadline).await?;
        while back.pid == up.pid {
            tokio::time::sleep(LOOK).await;
            back = self.up(deadline).await?;
        }
        let down = killed.elapsed().as_secs_f32();
        self.settle(&back, Some(mark)).await?;
        self.sheet.say(format!(
            "Process {dead} was killed right after it had kept a message of {name}; a second one {}. After {down:.1} s process {} took \
             up what was open, and {title} delivered again what had found nobody.",
            if refused { "came while it was down" } else { "came right after" },
            back.pid
        ));
        Ok(back)
    }

    /// The provider takes the answer, and the line breaks before its receipt.
    async fn cut(&self, up: Up, mark: &Mark) -> Result<Up> {
        let title = &self.channel.title;
        self.fault("cut_after_delivery").await?;
        self.say("what are your hours?").await?;
        let tally = self.tally(&up);
        let deadline = Instant::now() + PATIENCE;
        let mut lost: Option<Instant> = None;
        let (how, after) = loop {
            let messages = tally.messages().await?;
            let send = messages.iter().rev().find(|m| m["by"] == "bot" && mark.is_new(m));
            match send.and_then(|send| Some((send, send["state"].as_str()?))) {
                Some((_, "unknown")) if lost.is_none() => {
                    lost = Some(Instant::now());
                    self.sheet.say(format!(
                        "{title} took the answer, and the line was cut before its receipt. The send is \"unknown\": it waits for news that \
                         carry its key, for 30 s at most."
                    ));
                }
                Some((_, "parked")) => {
                    break (
                        "No news came, so it is parked, and not sent again blindly",
                        lost.map_or(0.0, |since| since.elapsed().as_secs_f32()),
                    );
                }
                Some((send, "sent" | "delivered" | "read")) => {
                    let again = send["attempt"].as_u64().unwrap_or(1) > 1;
                    let how = if again {
                        "Then it was sent again, marked as possibly doubled"
                    } else {
                        "Then the provider's news about it settled it"
                    };
                    break (how, lost.map_or(0.0, |since| since.elapsed().as_secs_f32()));
                }
                _ => {}
            }
            if Instant::now() > deadline {
                bail!("after {} s the send is still not settled", PATIENCE.as_secs());
            }
            tokio::time::sleep(LOOK).await;
        };
        self.settle(&up, Some(mark)).await?;
        let waited = if after < 0.05 { String::new() } else { format!(" The send was \"unknown\" for {after:.1} s.") };
        self.sheet.say(format!("{title} took the answer, and the line was cut before its receipt.{waited} {how}."));
        Ok(up)
    }

    /// The provider delivers one webhook twice.
    async fn twice(&self, up: Up, mark: &Mark) -> Result<Up> {
        let tally = self.tally(&up);
        let before = tally.duplicates().await?;
        self.fault("doubled").await?;
        self.say("order 2 loaves").await?;
        self.settle(&up, Some(mark)).await?;
        let known = tally.duplicates().await?.saturating_sub(before);
        if known == 0 {
            bail!("the second delivery did not come");
        }
        self.sheet.say(format!(
            "{} delivered the webhook of \"order 2 loaves\" twice. The host answered both, and knew the second by its key: one order.",
            self.channel.title
        ));
        Ok(up)
    }

    /// Counts on both sides, and says what it means.
    async fn close(&self, up: &Up, mark: &Mark) -> Result<()> {
        let tally = self.tally(up);
        let numbers = tally.count(mark).await?;
        let balanced = tally.balanced().await?;
        let (mut verdict, mut good) = numbers.verdict(&self.channel.title);
        if !balanced {
            verdict.push_str(" The books do not balance.");
            good = false;
        }
        self.sheet.write(|outcome| {
            outcome.numbers = Some(numbers);
            outcome.verdict = Some(verdict);
            outcome.good = good;
        });
        Ok(())
    }
}
