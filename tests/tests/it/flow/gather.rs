//! `gather`: what a contact says in one breath is answered once, in the order in which it was said, whatever happens between.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use pointsman_core::clock::{Clock as _, SystemClock, VirtualClock};
use serde_json::{Value, json};

use crate::support::{ANA, Folder, InTest, Site, eventually, sign};

/// Answers a burst with the number of texts, and all of them on one line.
const ECHO: Folder<'static> = (
    "burst",
    "name: burst\non: { message: { gather: 8s } }\nsteps:\n  - reply: '${event.texts.len()}: ${event.texts.join(\" / \")}'\n",
    &[],
);

async fn said(site: &Site, count: usize) -> Vec<String> {
    site.taken(count).await.iter().map(|sent| sent.text().unwrap_or("?").to_owned()).collect()
}

async fn says(site: &Site, text: &str) {
    assert_eq!(site.emulator.say(ANA, "Ana", text).await.unwrap().1, 200);
}

async fn later(clock: &VirtualClock, ms: i64) {
    clock.advance(ms);
    tokio::time::sleep(Duration::from_millis(800)).await;
}

async fn books(host: &InTest) -> Value {
    host.idle().await;
    let books = host.store().books(pointsman::wiring::FIRST_WORKSPACE).await.unwrap();
    assert!(books.balanced(), "{books:?}");
    serde_json::to_value(books).unwrap()
}

fn clock() -> VirtualClock {
    VirtualClock::new(SystemClock.now())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_burst_is_answered_once_and_every_event_names_its_run() {
    let clock = clock();
    let site = Site::new(&[ECHO]).await;
    let host = site.host_at(Arc::new(clock.clone())).await;
    for text in ["two loaves", "please", "and a cake"] {
        says(&site, text).await;
        host.idle().await;
        later(&clock, 5_000).await;
    }
    let waits = books(&host).await;
    assert_eq!(
        (&waits["runs"]["waiting"], &waits["events"]["routed"], &waits["events"]["ended"]),
        (&json!(1), &json!(1), &json!(2))
    );
    assert!(waits["open"].as_array().unwrap().iter().any(|open| open["waits_for"] == "gather"), "{waits}");
    assert!(site.emulator.taken().is_empty(), "it is not quiet yet");
    later(&clock, 3_100).await;
    assert_eq!(said(&site, 1).await, ["3: two loaves / please / and a cake"]);
    let books = books(&host).await;
    assert_eq!((&books["runs"]["done"], &books["events"]["ended"], &books["sends"]["sent"]), (&json!(1), &json!(3), &json!(1)));
    says(&site, "thanks").await;
    host.idle().await;
    later(&clock, 8_100).await;
    assert_eq!(said(&site, 2).await[1], "1: thanks", "the next burst is a new one");
    host.stop().await;

    let run = site.done(&["run", "list"])[1]["id"].as_str().unwrap().to_owned();
    let shown = site.done(&["run", "show", &run, "--steps"]);
    let joined: Vec<&Value> =
        shown["steps"].as_array().unwrap().iter().filter(|s| s["entry"] == "gathered" && !s["event"].is_null()).collect();
    assert_eq!(joined.len(), 2, "its events stand in its journal: {shown}");
    for entry in joined {
        let event = entry["event"].as_str().map_or_else(|| entry["event"].to_string(), str::to_owned);
        let told: Value = serde_json::from_slice(&site.cli(&["why", &event]).stdout).unwrap();
        assert_eq!(told["event"]["rule"], format!("gathered/{run}"), "{told}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_talks_for_ever() {
    let clock = clock();
    let site = Site::new(&[ECHO]).await;
    let host = site.host_at(Arc::new(clock.clone())).await;
    for n in 0..6 {
        says(&site, &n.to_string()).await;
        host.idle().await;
        later(&clock, 7_000).await;
    }
    // 42 s after the first: five times eight seconds are over, though it was never quiet for eight.
    assert_eq!(said(&site, 1).await, ["6: 0 / 1 / 2 / 3 / 4 / 5"]);
    host.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_burst_survives_kill_9_between_its_messages() {
    let mut slow = ECHO;
    let yaml = ECHO.1.replace("8s", "3s");
    slow.1 = &yaml;
    let site = Site::new(&[slow]).await;
    let process = site.serve(&[]);
    says(&site, "one").await;
    process.kill();
    let process = site.serve(&[]);
    says(&site, "two").await;
    process.kill();
    let process = site.serve(&[]);
    assert_eq!(said(&site, 1).await, ["2: one / two"]);
    process.stop();
    let books = site.books();
    assert_eq!((&books["runs"]["done"], &books["events"]["ended"]), (&json!(1), &json!(2)), "{books}");
}

#[tokio::test(flavor = "multi_thread")]
async fn other_workflows_run_at_once_and_an_exclusive_one_keeps_its_place() {
    let quick = "name: quick\non: message\npriority: 9\nsteps:\n  - id: sure\n    if: event.text == \"ask\"\n    ask: Sure?\n";
    let late = "name: late\non: message\npriority: -1\nsteps:\n  - reply: late\n";
    let exclusive = ECHO.1.replace("on:", "exclusive: true\non:");
    let clock = clock();
    let site = Site::new(&[("quick", quick, &[]), ("late", late, &[]), ("burst", &exclusive, &[])]).await;
    let host = site.host_at(Arc::new(clock.clone())).await;
    says(&site, "one").await;
    host.idle().await;
    // This event is open for the sake of the question, and part of the burst as well.
    says(&site, "ask").await;
    assert_eq!(said(&site, 1).await, ["Sure?"]);
    later(&clock, 8_100).await;
    assert_eq!(said(&site, 2).await, ["Sure?", "2: one / ask"]);
    assert_eq!(books(&host).await["events"]["routed"], 1, "the question stands");
    says(&site, "yes").await;
    later(&clock, 8_100).await;
    let books = books(&host).await;
    assert_eq!((&books["events"]["routed"], &books["runs"]["waiting"]), (&json!(0), &json!(0)), "{books}");
    assert_eq!(said(&site, 2).await.len(), 2, "the answer was the question's");
    host.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_burst_can_be_cancelled_and_is_not_begun_where_people_took_over() {
    let people = "name: people\non: { keyword: person }\nsteps:\n  - handoff: { to: team/care }\n";
    let clock = clock();
    let site = Site::new(&[ECHO, ("people", people, &[])]).await;
    let host = site.host_at(Arc::new(clock.clone())).await;
    says(&site, "leave it, 4711").await;
    host.idle().await;
    let run = site.done(&["run", "list"])[0]["id"].as_str().unwrap().to_owned();
    site.done(&["run", "cancel", &run, "--reason", "written by mistake"]);
    // The command line has a clock of its own, which goes on.
    later(&clock, 60_000).await;
    eventually("it has ended", || (site.done(&["run", "list", "--state", "cancelled"]).as_array()?.len() == 1).then_some(()))
        .await;
    assert_eq!(books(&host).await["events"]["routed"], 0);

    says(&site, "I have a question").await;
    says(&site, "for a person").await;
    host.idle().await;
    later(&clock, 8_100).await;
    let books = books(&host).await;
    assert_eq!(
        (&books["runs"]["cancelled"], &books["runs"]["waiting"], &books["runs"]["done"]),
        (&json!(2), &json!(0), &json!(1))
    );
    assert!(site.emulator.taken().is_empty(), "people have it now");
    host.stop().await;
}

/// Numbers without a pattern that anybody would see, the same in every run.
fn shuffle<T>(items: &mut [T], mut seed: u64) {
    for at in (1..items.len()).rev() {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        items.swap(at, usize::try_from(seed >> 33).unwrap() % (at + 1));
    }
}

/// N7. `POINTSMAN_GATHER_CONVERSATIONS=1000` is the full size.
#[tokio::test(flavor = "multi_thread")]
async fn shuffled_and_doubled_bursts_of_many_contacts_are_each_answered_once_and_in_order() {
    let conversations: usize = std::env::var("POINTSMAN_GATHER_CONVERSATIONS").ok().and_then(|n| n.parse().ok()).unwrap_or(60);
    let clock = clock();
    let site = Site::new(&[ECHO]).await;
    let host = site.host_at(Arc::new(clock.clone())).await;
    let base = clock.now() / 1_000;
    let mut all = Vec::new();
    for contact in 0..conversations {
        for n in 0..10 {
            let from = format!("1555020{contact:05}");
            let body =
                String::from_utf8(site.emulator.message(&format!("wamid.{contact}.{n}"), &from, "Somebody", &n.to_string()));
            let body = body.unwrap();
            let at = body.find("\"timestamp\":\"").expect("a time") + 13;
            let end = at + body[at..].find('"').unwrap();
            let body = Bytes::from(format!("{}{}{}", &body[..at], base + n, &body[end..]));
            all.extend([body.clone(), body]);
        }
    }
    shuffle(&mut all, 20_260_101);
    for body in all {
        let signature = sign(&body);
        assert_eq!(site.emulator.deliver(body, Some(&signature)).await.unwrap(), 200);
    }
    host.idle().await;
    assert!(site.emulator.taken().is_empty(), "nothing before it is quiet");
    clock.advance(8_100);
    let taken = eventually("every burst is answered", || {
        let taken = site.emulator.taken();
        (taken.len() >= conversations).then_some(taken)
    })
    .await;
    tokio::time::sleep(Duration::from_millis(700)).await;
    host.idle().await;
    assert_eq!(site.emulator.taken().len(), conversations, "one reply a burst");
    for sent in &taken {
        assert_eq!(sent.text(), Some("10: 0 / 1 / 2 / 3 / 4 / 5 / 6 / 7 / 8 / 9"), "to {:?}", sent.to());
    }
    let books = books(&host).await;
    assert_eq!(
        (&books["runs"]["done"], &books["events"]["ended"]),
        (&json!(conversations), &json!(conversations * 10)),
        "{books}"
    );
    host.stop().await;
}
