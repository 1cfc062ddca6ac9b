//! The trials, by the names that SAFETY and FEATURES give them, with what each must show.

use std::time::Duration;

use anyhow::Result;
use pointsman_emulator::Fault;

use super::check::Seen;
use super::loss::{self, Loss};
use super::sender::Message;
use super::site::Flow;
use super::table::Row;
use super::trial::Trial;
use super::{Dice, Kind, Setting, points};
use crate::attacks;

/// Three steps: a plugin, a script, a reply that both had their part in.
pub const NOTED: Flow = (
    "noted",
    r#"
name: noted
on: message
steps:
  - id: found
    use: keyword
    with:
      text: ${event.text}
      rules:
        - { name: order, any: [order] }
  - id: noted
    script: noted.rhai
    with: { matched: "${found.matched}" }
  - reply: ${noted}
"#,
    &[("noted.rhai", "if matched { `Noted: ${event.text}` } else { `Heard: ${event.text}` }")],
);

/// Messages in each conversation.
const EACH: usize = 10;

/// `count` messages in conversations of ten.
#[must_use]
pub fn conversations(count: usize) -> Vec<Vec<Message>> {
    (0..count.div_ceil(EACH))
        .map(|contact| (0..EACH.min(count - contact * EACH)).map(|place| Message::new(contact, place, "order")).collect())
        .collect()
}

/// A trial in which nothing goes wrong.
#[must_use]
pub fn plain(name: &'static str, strands: Vec<Vec<Message>>) -> Trial {
    Trial {
        name,
        flows: &[NOTED],
        strands,
        many: 32,
        pause: Duration::ZERO,
        kills: None,
        status_after: None,
        settle_after: Duration::from_secs(5),
        shares: Vec::new(),
        refused: Vec::new(),
        patience: Duration::from_secs(1_800),
    }
}

/// Messages of a trial under kill -9, at least: so many that it lasts for longer than the hosts are down.
fn count(setting: &Setting) -> usize {
    setting.scaled(10_000, if setting.store == Kind::Sqlite { 100 } else { 300 })
}

/// Under kill -9 a trial must last: few at a time, with pauses, so that every kill falls into work. At a small scale the kills
/// come sooner one after the other, but on Postgres: what a host held lies still until its lease is over.
fn under_kills(setting: &Setting, least: usize, trial: Trial) -> Trial {
    let latest = if setting.scale < 0.1 && setting.store == Kind::Sqlite { 1_000 } else { 4_000 };
    Trial { many: setting.scaled(100, 10), pause: Duration::from_millis(300), kills: Some((200..latest, least)), ..trial }
}

/// T13: messages of three steps under kill -9. The provider takes at once and is slow to answer every other time, so that
/// kills fall between the two.
#[must_use]
pub fn killed(setting: &Setting, statuses: bool) -> Trial {
    let trial = Trial {
        status_after: statuses.then_some(Duration::from_millis(100)),
        shares: vec![(2, Fault::AnswerLate(Duration::from_millis(250)))],
        ..plain(if statuses { "T13-statuses" } else { "T13" }, conversations(count(setting)))
    };
    under_kills(setting, 3, trial)
}

/// When news of a message that was taken comes back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum News {
    /// Long before the time to settle is over.
    Soon,
    /// After it.
    Late,
    /// Never.
    Never,
}

/// N6: one answer in ten is cut off after the message was taken, and the host is killed at random.
#[must_use]
pub fn cut(setting: &Setting, news: News) -> Trial {
    let (name, status_after, settle_after) = match news {
        // As long as the manifest says: a host that is killed and its lease over, or a busy machine, can hold a status up for seconds.
        News::Soon => ("N6-soon", Some(Duration::from_millis(100)), Duration::from_secs(30)),
        News::Late => ("N6-late", Some(Duration::from_secs(4)), Duration::from_secs(2)),
        News::Never => ("N6-never", None, Duration::from_secs(2)),
    };
    let trial = Trial {
        status_after,
        settle_after,
        shares: vec![(10, Fault::CutAfterDelivery)],
        ..plain(name, conversations(count(setting)))
    };
    under_kills(setting, 2, trial)
}

/// N7: all conversations at once, each message up to three times, in a random order.
#[must_use]
pub fn shuffled(setting: &Setting) -> Trial {
    let mut dice = Dice::new(setting.seed);
    let mut strands = Vec::new();
    for message in conversations(setting.scaled(10_000, 200)).into_iter().flatten() {
        for _ in 0..=dice.below(3) {
            strands.push(vec![message.clone()]);
        }
    }
    dice.shuffle(&mut strands);
    Trial { many: 64, ..plain("N7", strands) }
}

/// F10: the provider refuses, is busy, hangs for half a minute, or takes a message and resets the line, one send in eight.
#[must_use]
pub fn faulty(setting: &Setting) -> Trial {
    let busy = Fault::Status { status: 429, code: 130_429, retry_after: Some(1) };
    let broken = Fault::Status { status: 500, code: 2, retry_after: None };
    let shares = vec![
        (30, busy),
        (31, broken),
        (33, Fault::Hang(Duration::from_secs(30))),
        (36, Fault::CutAfterDelivery),
        (41, Fault::CutBeforeDelivery),
    ];
    Trial { shares, ..plain("F10", conversations(setting.scaled(5_000, 200))) }
}

/// Something or somebody is away for a while.
async fn lost(loss: Loss, setting: &Setting) -> Row {
    let (test, target) = match loss {
        Loss::Database => ("F9", "no webhook taken meanwhile, all goes on by itself"),
        Loss::Time => ("F11", "the other host goes on, what came back is refused"),
        Loss::Line { silent: false } => ("F12", "the other host goes on"),
        Loss::Line { silent: true } => ("F12 silent", "the other host goes on"),
    };
    let (seen, held) = match loss::run(loss, setting).await {
        Ok(found) => (found.to_string(), found.held(loss)),
        Err(error) => (format!("{error:#}"), false),
    };
    Row { test: test.to_owned(), target: format!("all sent twice marked, {target}"), seen, held }
}

/// The names that can be asked for.
pub const NAMES: [&str; 16] =
    ["T1", "T2", "T4", "T6", "T7", "T8", "T11", "N15", "T13", "T14", "N6", "N7", "F9", "F10", "F11", "F12"];

/// Those that need a server of their own, and are left out where none is asked for.
pub const ON_POSTGRES: [&str; 3] = ["F9", "F11", "F12"];

/// Runs a proof; tells one row for each of its trials, as it ends.
pub async fn prove(name: &str, setting: &Setting, told: &mut dyn FnMut(Row)) -> Result<()> {
    let always = "0 lost, 0 doubled, 0 reordered, 0 unexplained";
    let mut add = |test: &str, target: &str, seen: Seen, also: bool| {
        let (held, seen) = (seen.sound() && also, seen.to_string());
        told(Row { test: test.to_owned(), target: format!("{always}, {target}"), seen, held });
    };
    match name {
        "T13" => {
            for (test, statuses) in [("T13 with statuses", true), ("T13 without", false)] {
                let seen = killed(setting, statuses).run(setting).await?;
                let few = seen.double_sends <= seen.in_flight;
                add(test, "sent twice <= in flight at kills, all marked", seen, few);
            }
        }
        "T14" => points::all(setting, told).await,
        "N6" => {
            let seen = cut(setting, News::Soon).run(setting).await?;
            let none = seen.double_sends == 0;
            add("N6 statuses in time", "0 sent twice, 0 unresolved", seen, none);
            let seen = cut(setting, News::Late).run(setting).await?;
            add("N6 statuses late", "all sent twice marked, 0 unresolved", seen, true);
            let seen = cut(setting, News::Never).run(setting).await?;
            add("N6 no statuses", "all sent twice marked, 0 unresolved", seen, true);
        }
        "N7" => {
            let seen = shuffled(setting).run(setting).await?;
            let none = seen.double_sends == 0;
            add("N7", "each once, though told up to 3 times", seen, none);
        }
        "F10" => {
            let seen = faulty(setting).run(setting).await?;
            add("F10", "all sent twice marked, 0 unresolved", seen, true);
        }
        "F9" => told(lost(Loss::Database, setting).await),
        "F11" => told(lost(Loss::Time, setting).await),
        "F12" => {
            for silent in [false, true] {
                told(lost(Loss::Line { silent }, setting).await);
            }
        }
        attack => attacks::prove(attack, setting, told).await?,
    }
    Ok(())
}
