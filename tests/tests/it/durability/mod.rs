//! kill -9, for real: the binary is ended by SIGKILL at a named point between any two stages, started again, and judged by
//! the emulator's own list, the acknowledgements that the sender saw, and the books.

mod clock;
mod commits;
mod disk;
mod duplicates;
mod hosts;
mod leases;
mod poison;
pub mod proof;
mod stop;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use pointsman_emulator::WhatsappConfig;

use crate::flow::conversation::SHOP;
use crate::support::{ANA, Folder, Process, Site, eventually, stores};

/// Sends one message to a host that dies at `point`; starts it again; gives the number of acknowledgements and the site.
async fn die_at(point: &str, emulator: WhatsappConfig) -> (bool, Site, Process) {
    let site = Site::with(&[SHOP], emulator).await;
    let mut process = site.serve(&[("POINTSMAN_KILL_AT", point)]);
    let said = site.emulator.say(ANA, "Ana", "order").await;
    let acknowledged = matches!(said, Ok((_, 200)));
    assert_eq!(process.died().await, Some(9), "ended by SIGKILL at {point}");
    let process = site.serve(&[]);
    (acknowledged, site, process)
}

/// Waits until nothing is open and ends the host: no step result may stand twice, and the books must balance.
async fn settled(site: &Site, process: Process, wait: Duration) -> serde_json::Value {
    let deadline = std::time::Instant::now() + wait + stores::lease();
    loop {
        let (_, books) = crate::support::get(&process.private, "/api/v1/books").await;
        let books: serde_json::Value = serde_json::from_str(&books).unwrap();
        let open = books["open"].as_array().map_or(1, Vec::len);
        if open == 0 || std::time::Instant::now() > deadline {
            process.stop();
            step_results(site);
            return site.books();
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// How often each step's result stands in the journals.
fn step_results(site: &Site) -> Vec<usize> {
    let runs = site.done(&["run", "list"]);
    let mut counts = Vec::new();
    for run in runs.as_array().unwrap() {
        let shown = site.done(&["run", "show", run["id"].as_str().unwrap(), "--steps"]);
        let mut paths: Vec<String> = shown["steps"]
            .as_array()
            .unwrap()
            .iter()
            .filter(|s| s["entry"] == "step_done")
            .map(|s| s["path"].as_str().unwrap().to_owned())
            .collect();
        let all = paths.len();
        paths.sort();
        paths.dedup();
        assert_eq!(all, paths.len(), "a step result is recorded twice: {shown}");
        counts.push(all);
    }
    counts
}

#[tokio::test(flavor = "multi_thread")]
async fn before_the_first_commit_nothing_is_acknowledged_and_nothing_is_left() {
    let (acknowledged, site, process) = die_at("keep.before", WhatsappConfig::default()).await;
    assert!(!acknowledged, "no 200 before it is on disk");
    assert_eq!(site.emulator.say(ANA, "Ana", "order").await.unwrap().1, 200, "the provider delivers it again");
    site.taken(1).await;
    let books = settled(&site, process, Duration::from_secs(5)).await;
    assert_eq!((&books["webhooks"]["done"], &books["sends"]["sent"]), (&1.into(), &1.into()), "{books}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_kept_runs_once_wherever_the_host_dies_before_anything_left() {
    for point in ["keep.after", "decide.before"] {
        let (_, site, process) = die_at(point, WhatsappConfig::default()).await;
        site.taken(1).await;
        let books = settled(&site, process, Duration::from_secs(5)).await;
        assert_eq!(site.emulator.calls().len(), 1, "{point}: sent once");
        assert_eq!((&books["webhooks"]["done"], &books["sends"]["sent"]), (&1.into(), &1.into()), "{point}: {books}");
        assert_eq!(step_results(&site).len(), 1, "{point}: one run");
    }
}

/// In flight at the crash: `unknown`, then sent after the time to settle, which is half a minute of the binary's own clock.
async fn unknown_then_sent(point: &str) {
    let (acknowledged, site, process) = die_at(point, WhatsappConfig::default()).await;
    assert!(acknowledged, "{point}");
    let deadline = std::time::Instant::now() + Duration::from_secs(10);
    loop {
        let (_, books) = crate::support::get(&process.private, "/api/v1/books").await;
        let books: serde_json::Value = serde_json::from_str(&books).unwrap();
        if books["sends"]["unknown"] == 1 {
            break;
        }
        assert!(books["sends"]["sending"] == 1 && std::time::Instant::now() < deadline, "{point}: {books}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    eventually_long(&site, 1).await;
    let books = settled(&site, process, Duration::from_secs(5)).await;
    assert_eq!(books["sends"]["sent"], 1, "{point}: {books}");
    assert_eq!(site.emulator.taken().len(), 1);
    assert_eq!(step_results(&site).len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn decided_and_not_yet_sent_is_unknown_and_is_sent_after_the_time_to_settle() {
    unknown_then_sent("decide.after").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn between_intent_and_request_is_unknown_and_is_sent_after_the_time_to_settle() {
    unknown_then_sent("send.before").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_provider_took_before_the_host_died_is_settled_by_its_status_and_not_sent_again() {
    let (_, site, process) = die_at("send.answered", WhatsappConfig::default()).await;
    let sent = site.taken(1).await.remove(0);
    // The status reaches the host that was started again.
    let status = site.emulator.status(sent.id.as_deref().unwrap(), ANA, "delivered", sent.key.as_deref()).await.unwrap();
    assert_eq!(status, 200);
    let books = settled(&site, process, Duration::from_secs(5)).await;
    assert_eq!(books["sends"]["delivered"], 1, "{books}");
    assert_eq!(site.emulator.calls().len(), 1, "sent once");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_known_to_be_taken_when_the_host_died_is_sent_without_a_word_of_the_provider() {
    let (_, site, process) = die_at("outcome.before", WhatsappConfig::default()).await;
    let sent = site.taken(1).await.remove(0);
    let books = settled(&site, process, Duration::from_secs(5)).await;
    assert_eq!((&books["sends"]["sent"], site.emulator.calls().len()), (&1.into(), 1), "{books}");
    // Under the provider's id: a status without our key finds it.
    let process = site.serve(&[]);
    assert_eq!(site.emulator.status(sent.id.as_deref().unwrap(), ANA, "read", None).await.unwrap(), 200);
    let books = settled(&site, process, Duration::from_secs(5)).await;
    assert_eq!(books["sends"]["read"], 1, "{books}");
}

/// Answers with a text of three messages.
const AT_LENGTH: Folder<'static> = (
    "at-length",
    "name: at-length\non: message\nsteps:\n  - script: parts.rhai\n",
    &[("parts.rhai", r#"let text = ""; for part in ["a", "b", "c"] { for n in 0..4096 { text += part; } } reply(text);"#)],
);

#[tokio::test(flavor = "multi_thread")]
async fn a_send_of_several_requests_goes_on_behind_the_last_one_that_was_answered() {
    for point in ["send.answered", "advance.after"] {
        let site = Site::with(&[AT_LENGTH], WhatsappConfig::default()).await;
        let mut process = site.serve(&[("POINTSMAN_KILL_AT", point)]);
        assert_eq!(site.emulator.say(ANA, "Ana", "tell me").await.unwrap().1, 200);
        assert_eq!(process.died().await, Some(9), "ended by SIGKILL at {point}");
        assert_eq!(site.emulator.taken().len(), 1, "{point}: the first part had left");
        let process = site.serve(&[]);
        let books = settled(&site, process, Duration::from_secs(20)).await;
        let said: Vec<String> = site.emulator.taken().iter().filter_map(|s| s.text().map(str::to_owned)).collect();
        assert_eq!(said, ["a", "b", "c"].map(|part| part.repeat(4096)), "{point}: each part once, in their order");
        assert_eq!((&books["sends"]["sent"], step_results(&site)), (&1.into(), vec![1]), "{point}: {books}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn after_the_last_commit_there_is_nothing_left_to_do() {
    let (acknowledged, site, process) = die_at("outcome.after", WhatsappConfig::default()).await;
    assert!(acknowledged);
    let books = settled(&site, process, Duration::from_secs(5)).await;
    assert_eq!((&books["sends"]["sent"], site.emulator.calls().len()), (&1.into(), 1), "{books}");
}

#[tokio::test(flavor = "multi_thread")]
async fn under_load_and_killed_at_four_moments_nothing_acknowledged_is_lost() {
    let site =
        Site::with(&[SHOP], WhatsappConfig { statuses: vec!["sent"], delay: Duration::from_millis(30), ..Default::default() })
            .await;
    let mut process = site.serve(&[]);
    let mut acknowledged = Vec::new();
    for round in 0..4u32 {
        let (mut saying, taken) = (Vec::new(), Arc::new(AtomicUsize::new(0)));
        for n in 0..40u32 {
            let (emulator, taken) = (site.emulator.clone(), Arc::clone(&taken));
            saying.push(tokio::spawn(async move {
                let text = format!("m-{round}-{n}");
                tokio::time::sleep(Duration::from_millis(u64::from(n * 5))).await;
                let ok = matches!(emulator.say(&format!("1555020{n:04}"), "C", &text).await, Ok((_, 200)));
                taken.fetch_add(usize::from(ok), Ordering::Relaxed);
                (text, ok)
            }));
        }
        eventually("an acknowledgement", || (taken.load(Ordering::Relaxed) > 0).then_some(())).await;
        tokio::time::sleep(Duration::from_millis(u64::from(60 + round * 45))).await;
        process.kill();
        for said in saying {
            let (text, ok) = said.await.unwrap();
            if ok {
                acknowledged.push(text);
            }
        }
        process = site.serve(&[]);
    }
    assert!(acknowledged.len() > 20, "the load got through: {}", acknowledged.len());
    let missing = || -> Vec<String> {
        let said: Vec<String> = site.emulator.taken().iter().filter_map(|s| s.text().map(str::to_owned)).collect();
        acknowledged.iter().filter(|a| !said.contains(&format!("You said: {a}"))).cloned().collect()
    };
    let deadline = std::time::Instant::now() + Duration::from_secs(60);
    while !missing().is_empty() && std::time::Instant::now() < deadline {
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    assert_eq!(missing(), Vec::<String>::new(), "acknowledged and never answered");
    let books = settled(&site, process, Duration::from_secs(40)).await;
    assert!(books["unexplained"].as_array().unwrap().is_empty(), "{books}");
}

/// The time to settle is half a minute of real time for the real binary.
async fn eventually_long(site: &Site, count: usize) {
    for _ in 0..500 {
        if site.emulator.taken().len() >= count {
            return;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    eventually("the send after the time to settle", || (site.emulator.taken().len() >= count).then_some(())).await;
}
