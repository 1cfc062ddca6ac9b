//! A clock that jumps forward, jumps back, and stands still: ids keep their order, what waits for a moment happens once, and
//! nothing is sent twice. The jumps are in the house's clock alone; the test's own time goes on.

use std::sync::Arc;
use std::time::Duration;

use pointsman::wiring::FIRST_WORKSPACE;
use pointsman_core::clock::VirtualClock;
use pointsman_core::ports::Speaker;
use pointsman_emulator::Fault;
use pointsman_store::RunFilter;

use crate::flow::waiting::{DAY, NOW, books, later, said, says};
use crate::support::{Folder, InTest, Site, eventually};

const HOUR: i64 = 3_600_000;

const SLEEPS: Folder<'static> = (
    "sleeps",
    r#"
name: sleeps
on: message
steps:
  - if: event.text == "later"
    do:
      - wait: 2h
      - reply: "Two hours later."
  - else:
      - reply: "You said: ${event.text}"
"#,
    &[],
);

/// The ids of everything kept, in the order in which it was kept, grow.
async fn in_order(host: &InTest) {
    let store = host.store();
    let mut runs = store.runs(FIRST_WORKSPACE, RunFilter::default(), 100).await.unwrap();
    runs.reverse();
    let conversation = runs[0].conversation.clone().unwrap();
    let texts: Vec<String> = store
        .history(&conversation, 100)
        .await
        .unwrap()
        .into_iter()
        .filter(|said| said.by == Speaker::Contact)
        .filter_map(|said| said.message.text)
        .collect();
    let numbers: Vec<u32> = texts.iter().filter_map(|t| t.parse().ok()).collect();
    assert!(numbers.is_sorted() && numbers.len() > 3, "the timeline is in the order of arrival: {texts:?}");
    assert!(runs.windows(2).all(|two| two[0].id < two[1].id && two[0].event < two[1].event), "runs follow their events");
}

#[tokio::test(flavor = "multi_thread")]
async fn jumps_of_hours_change_no_order_and_repeat_nothing() {
    let clock = VirtualClock::new(NOW);
    let site = Site::new(&[SLEEPS]).await;
    let host = site.host_at(Arc::new(clock.clone())).await;
    // Forward, back to before the beginning, standing still, forward by days.
    for (n, jump) in [0, 5 * HOUR, -9 * HOUR, 0, 0, 3 * DAY, -2 * DAY, 0].into_iter().enumerate() {
        later(&clock, jump).await;
        says(&site, &n.to_string()).await;
        assert_eq!(said(&site, n + 1).await[n], format!("You said: {n}"), "after a jump of {jump} ms");
    }
    in_order(&host).await;
    assert_eq!(books(&host).await["sends"]["sent"], 8);
    assert_eq!(site.emulator.calls().len(), 8, "nothing was sent twice");
    // A host that begins while the clock stands before everything that was kept gives no id twice.
    host.stop().await;
    clock.advance(-DAY);
    let host = site.host_at(Arc::new(clock.clone())).await;
    says(&site, "8").await;
    assert_eq!(said(&site, 9).await[8], "You said: 8");
    in_order(&host).await;
    host.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wait_ends_once_however_often_the_clock_passes_its_moment() {
    let clock = VirtualClock::new(NOW);
    let site = Site::new(&[SLEEPS]).await;
    let host = site.host_at(Arc::new(clock.clone())).await;
    says(&site, "later").await;
    assert_eq!(books(&host).await["runs"]["waiting"], 1);
    later(&clock, -3 * HOUR).await;
    later(&clock, HOUR).await;
    assert_eq!(site.emulator.calls().len(), 0, "not while its moment lies ahead");
    later(&clock, 5 * HOUR).await;
    assert_eq!(said(&site, 1).await, ["Two hours later."]);
    // Back before its moment, and past it again: with the same host, and with the next.
    later(&clock, -4 * HOUR).await;
    later(&clock, 6 * HOUR).await;
    host.stop().await;
    clock.advance(-6 * HOUR);
    let host = site.host_at(Arc::new(clock.clone())).await;
    later(&clock, 8 * HOUR).await;
    assert_eq!(books(&host).await["runs"]["done"], 1);
    assert_eq!(site.emulator.calls().len(), 1, "it was sent once");
    host.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_send_that_is_tried_again_is_sent_once_through_all_jumps() {
    let clock = VirtualClock::new(NOW);
    let site = Site::new(&[SLEEPS]).await;
    let host = site.host_at(Arc::new(clock.clone())).await;
    site.emulator.fail([Fault::Status { status: 503, code: 2, retry_after: None }]);
    says(&site, "hello").await;
    eventually("the first attempt", || (site.emulator.calls().len() == 1).then_some(())).await;
    for jump in [-2 * HOUR, 0, HOUR, 2 * HOUR, -HOUR, 3 * HOUR] {
        later(&clock, jump).await;
    }
    assert_eq!(said(&site, 1).await, ["You said: hello"]);
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert_eq!(site.emulator.calls().len(), 2, "one attempt failed, one was taken");
    assert_eq!(books(&host).await["sends"]["sent"], 1);
    host.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_person_stopped_does_not_leave_because_the_clock_was_set_back() {
    let clock = VirtualClock::new(NOW);
    let site = Site::new(&[SLEEPS]).await;
    let host = site.host_at(Arc::new(clock.clone())).await;
    site.emulator.fail([Fault::Status { status: 503, code: 2, retry_after: None }]);
    says(&site, "one").await;
    eventually("the first attempt", || (site.emulator.calls().len() == 1).then_some(())).await;
    says(&site, "two").await;
    eventually("both decided", || (host.engine.under_way() == (0, 2)).then_some(())).await;
    clock.advance(-5 * HOUR);
    // Both wait: the second for its turn behind the first. The channel goes away; both are parked with it.
    site.done(&["channel", "disconnect", &site.channel]);
    later(&clock, 0).await;
    later(&clock, 20 * HOUR).await;
    assert_eq!(site.emulator.calls().len(), 1, "nothing left after the channel was gone");
    assert_eq!(books(&host).await["sends"]["parked"], 2);
    host.stop().await;
}
