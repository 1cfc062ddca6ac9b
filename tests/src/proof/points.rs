//! T14: the host is killed at each named point of the line, once, while a mix of messages passes all of them; then it is
//! started again and must come to the same end as if nothing had been.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use pointsman_emulator::Fault;
use pointsman_engine::points::ALL;
use tokio::time::Instant;

use super::check::{LATER, PARKED, Seen};
use super::sender::Message;
use super::site::Flow;
use super::table::Row;
use super::trial::{Stage, Trial};
use super::{Dice, Setting};

/// Runs that end at once, ask, wait, fail, or hand over to people.
pub const TOUR: Flow = (
    "tour",
    r#"
name: tour
on: message
steps:
  - id: found
    use: keyword
    with:
      text: ${event.text}
      rules:
        - { name: ask, any: [ask] }
        - { name: later, any: [later] }
        - { name: fail, any: [fail] }
        - { name: people, any: [people] }
  - id: noted
    script: noted.rhai
  - if: found.rule == "ask"
    do:
      - id: answer
        ask: { text: "${noted}", timeout: 2h }
      - reply: "Noted: ${answer.text}"
  - elif: found.rule == "later"
    do:
      - wait: 1s
      - reply: ${noted}
  - elif: found.rule == "fail"
    script: fail.rhai
  - elif: found.rule == "people"
    handoff: team/care
  - else:
      - reply: ${noted}
"#,
    &[("noted.rhai", "`Noted: ${event.text}`"), ("fail.rhai", "throw \"on purpose\"")],
);

/// Points that the messages of a tour do not pass: a webhook is kept unread only when the box is too busy to read it, and the tour asks no
/// model (`tests/it/flow/models` is killed there).
pub const NOT_ON_THE_TOUR: [&str; 4] = ["unread.before", "unread.after", "model.answered", "model.settled"];

/// How long a point may take to be reached.
const REACH: Duration = Duration::from_secs(60);

/// `count` messages of all kinds.
fn tour(count: usize) -> Trial {
    let (mut strands, mut refused) = (Vec::new(), Vec::new());
    let mut contact = 0;
    while strands.iter().map(Vec::len).sum::<usize>() < count {
        let words: &[&str] = match contact % 8 {
            0 => &["ask", "answer", "thanks"],
            1 => &[LATER],
            2 => &["park fail"],
            3 => &["park refused"],
            // After a hand-over workflows keep quiet, and an event ends by that rule.
            4 => &["park people", "park and more"],
            _ => &["order", "order", "order"],
        };
        let strand: Vec<Message> = words.iter().enumerate().map(|(n, words)| Message::new(contact, n, words)).collect();
        refused.extend(strand.iter().filter(|m| m.text.contains("refused")).map(|m| m.contact.clone()));
        strands.push(strand);
        contact += 1;
    }
    debug_assert!(PARKED == "park" && LATER == "later", "the words of the tour are those that the check knows");
    Trial {
        name: "T14",
        flows: &[TOUR],
        strands,
        many: 8,
        pause: Duration::from_millis(5),
        kills: None,
        status_after: Some(Duration::from_millis(300)),
        settle_after: Duration::from_millis(1_500),
        shares: vec![
            (7, Fault::CutBeforeDelivery),
            (9, Fault::Status { status: 500, code: 2, retry_after: None }),
            (2, Fault::AnswerLate(Duration::from_millis(20))),
        ],
        refused,
        patience: Duration::from_secs(60),
    }
}

/// Kills at one point while `count` messages are under way. Fails when the point is not reached.
pub async fn at(point: &'static str, count: usize, setting: &Setting) -> Result<Seen> {
    let trial = Trial { name: point, ..tour(count) };
    let mut stage = Stage::set(setting, &trial).await?;
    // A start and a bell pass their points once; of the other kinds of things there is at least one in twenty messages.
    let once = point.starts_with("start") || point.starts_with("bell");
    // Where hosts share the work, this one passes its part of them.
    let times = if once { 1 } else { (count / 20 / setting.hosts.pow(2)).max(1) as u64 };
    let nth = 1 + Dice::new(setting.seed ^ point.len() as u64).below(times);
    let order = format!("{point}:{nth}");
    let order = [("POINTSMAN_KILL_AT", order.as_str())];
    if point.starts_with("publish") {
        stage.site.edit_flows()?;
        let killed = stage.site.publish(&[("POINTSMAN_KILL_AT", point)]).await?;
        if killed.status.code().is_some() {
            bail!("{point} was not reached: {}", killed.status);
        }
        let again = stage.site.publish(&[]).await?;
        if !again.status.success() {
            bail!("after {point} nothing can be published: {}", String::from_utf8_lossy(&again.stdout));
        }
        stage.killer.start().await?;
    } else {
        if let Some(host) = stage.site.try_start(0, &order).await? {
            stage.killer.open(0, host);
        }
        for number in 1..setting.hosts {
            stage.killer.revive(number).await?;
        }
    }
    let (sender, strands, many, pause) = (Arc::clone(&stage.sender), trial.strands.clone(), trial.many, trial.pause);
    let sending = tokio::spawn(async move { sender.send(strands, many, pause).await });
    if point.starts_with("bell") {
        stage.site.edit_flows()?;
        stage.site.publish(&[]).await?;
    }
    if !point.starts_with("publish") {
        died(&mut stage, point).await?;
        stage.killer.moments.push(pointsman_core::clock::Clock::now(&pointsman_core::clock::SystemClock));
        stage.killer.gone(0).await?;
        stage.killer.start().await?;
    }
    sending.await.context("the sender")??;
    stage.settled().await?;
    stage.close().await
}

/// Waits until host 0 has died, which it may have done before it said a word.
async fn died(stage: &mut Stage, point: &str) -> Result<()> {
    let until = Instant::now() + REACH;
    while let Some(Some(host)) = stage.killer.hosts.first_mut() {
        if !host.runs() {
            stage.killer.hosts.iter_mut().take(1).for_each(|host| *host = None);
            return Ok(());
        }
        if Instant::now() > until {
            bail!("{point} was not reached within {} s", REACH.as_secs());
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    Ok(())
}

/// All points that can be reached from outside: one row each, told as it ends.
pub async fn all(setting: &Setting, told: &mut dyn FnMut(Row)) {
    let count = setting.scaled(200, 20);
    for point in ALL.into_iter().filter(|point| !NOT_ON_THE_TOUR.contains(point)) {
        let (seen, held) = match at(point, count, setting).await {
            Ok(seen) => (seen.to_string(), seen.sound() && seen.double_sends <= seen.in_flight),
            Err(error) => (format!("{error:#}"), false),
        };
        let target = "as if nothing had been, but for marked sends".to_owned();
        told(Row { test: format!("T14 {point}"), target, seen, held });
    }
}
