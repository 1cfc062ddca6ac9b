//! A host that loses its conversations and gets them back: what waited is taken up from the store, what was at work is cut or
//! heard to its end, and nothing happens twice. Here with one host, whose leases the test takes away and gives back.

use std::sync::Arc;
use std::time::Duration;

use pointsman_core::clock::VirtualClock;
use pointsman_emulator::{Fault, WhatsappConfig};
use pointsman_store::{Change, SHARDS};

use crate::flow::conversation::SHOP;
use crate::flow::waiting::{NOW, later};
use crate::support::{ANA, Site, eventually};

#[tokio::test(flavor = "multi_thread")]
async fn what_is_lost_and_comes_back_in_the_middle_of_work_is_done_once() {
    let slow = WhatsappConfig { delay: Duration::from_millis(40), ..Default::default() };
    let site = Site::with(&[SHOP], slow).await;
    let clock = VirtualClock::new(NOW);
    let host = site.host_at(Arc::new(clock.clone())).await;
    let saying: Vec<_> = (0..120u32)
        .map(|n| {
            let emulator = site.emulator.clone();
            tokio::spawn(async move {
                tokio::time::sleep(Duration::from_millis(u64::from(n * 5))).await;
                emulator.say(&format!("1555060{:04}", n % 20), "C", &format!("m-{n}")).await.unwrap().1
            })
        })
        .collect();
    for n in 0..12u16 {
        tokio::time::sleep(Duration::from_millis(50)).await;
        // In turns: a part of them for a beat, and all of them for a moment.
        let part: Vec<u16> = (0..SHARDS).filter(|shard| shard % 3 == n % 3).collect();
        let all: Vec<u16> = (0..SHARDS).collect();
        host.engine.take_over(&Change { gained: Vec::new(), lost: part.clone() }).await.unwrap();
        host.engine.take_over(&Change { gained: part, lost: Vec::new() }).await.unwrap();
        host.engine.take_over(&Change { gained: all.clone(), lost: all }).await.unwrap();
    }
    for said in saying {
        assert_eq!(said.await.unwrap(), 200);
    }
    // What was written down as leaving when its lane was lost had not left: that is found after the time to settle.
    for _ in 0..40 {
        if host.engine.under_way() == (0, 0) && site.emulator.taken().len() >= 120 {
            break;
        }
        later(&clock, 31_000).await;
    }
    host.idle().await;
    host.stop().await;
    let mut said: Vec<String> = site.emulator.taken().iter().filter_map(|s| s.text().map(str::to_owned)).collect();
    said.sort();
    let mut expected: Vec<String> = (0..120).map(|n| format!("You said: m-{n}")).collect();
    expected.sort();
    assert_eq!(said, expected, "once each");
    let books = site.books();
    assert_eq!((&books["runs"]["done"], &books["sends"]["sent"]), (&120.into(), &120.into()), "{books}");
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_begun_in_a_lane_before_its_older_sends_are_taken_up() {
    let clock = VirtualClock::new(NOW);
    let site = Site::new(&[SHOP]).await;
    let host = site.host_at(Arc::new(clock.clone())).await;
    site.emulator.fail([Fault::Status { status: 503, code: 2, retry_after: None }]);
    site.emulator.say(ANA, "Ana", "one").await.unwrap();
    eventually("the first attempt", || (site.emulator.calls().len() == 1).then_some(())).await;
    // Lost, and held again: but what is there is not taken up yet, as when the store is slow to tell it.
    let all: Vec<u16> = (0..SHARDS).collect();
    host.engine.take_over(&Change { gained: Vec::new(), lost: all.clone() }).await.unwrap();
    site.emulator.say(ANA, "Ana", "two").await.unwrap();
    later(&clock, 0).await;
    assert_eq!(site.emulator.calls().len(), 1, "the second would overtake the first");
    host.engine.take_over(&Change { gained: all, lost: Vec::new() }).await.unwrap();
    later(&clock, 60_000).await;
    site.taken(2).await;
    assert_eq!(site.emulator.said_to(ANA), ["You said: one", "You said: two"]);
    host.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_attempt_of_before_that_ends_without_an_answer_lets_nothing_overtake() {
    let clock = VirtualClock::new(NOW);
    let site = Site::new(&[SHOP]).await;
    let host = site.host_at(Arc::new(clock.clone())).await;
    let long = Duration::from_millis(400);
    site.emulator.fail([Fault::CutLate(long)]);
    site.emulator.say(ANA, "Ana", "one").await.unwrap();
    let all: Vec<u16> = (0..SHARDS).collect();
    while host.store().open_sends(&all).await.unwrap().is_empty() {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    tokio::time::sleep(long / 4).await;
    // Lost and taken up anew, while the attempt of before is heard to its end: nobody knows whether it arrives.
    host.engine.take_over(&Change { gained: all.clone(), lost: all }).await.unwrap();
    site.emulator.say(ANA, "Ana", "two").await.unwrap();
    tokio::time::sleep(long * 2).await;
    later(&clock, 0).await;
    assert_eq!(site.emulator.calls().len(), 1, "the second would overtake the first");
    later(&clock, 31_000).await;
    site.taken(2).await;
    assert_eq!(site.emulator.said_to(ANA), ["You said: one", "You said: two"]);
    host.stop().await;
}
