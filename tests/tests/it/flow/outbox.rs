//! Sending when the provider has a bad day: refusals by class, lost answers, statuses that settle them.

use std::sync::Arc;
use std::time::Duration;

use pointsman_core::clock::VirtualClock;
use pointsman_core::outbox::SendState;
use pointsman_emulator::{Fault, WhatsappConfig};
use pointsman_store::SendRow;

use super::conversation::SHOP;
use crate::support::{ANA, InTest, Site, eventually};

const NOW: i64 = 1_790_000_000_000;

async fn sends(host: &InTest) -> Vec<SendRow> {
    let ws = pointsman::wiring::FIRST_WORKSPACE;
    let mut found = Vec::new();
    for run in host.store().runs(ws, pointsman_store::RunFilter::default(), 100).await.unwrap() {
        found.extend(host.store().sends_of_run(ws, run.id).await.unwrap());
    }
    found
}

async fn the_send_is(host: &InTest, state: SendState) -> SendRow {
    for _ in 0..1000 {
        if let Some(send) = sends(host).await.into_iter().find(|s| s.state == state) {
            return send;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("no send became {state:?}: {:?}", sends(host).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_transient_refusal_is_tried_again_with_the_same_key_and_the_providers_time_is_obeyed() {
    let clock = VirtualClock::new(NOW);
    let site = Site::new(&[SHOP]).await;
    let host = site.host_at(Arc::new(clock.clone())).await;
    site.emulator.fail([
        Fault::Status { status: 500, code: 2, retry_after: None },
        Fault::Status { status: 429, code: 130_429, retry_after: Some(60) },
    ]);
    site.emulator.say(ANA, "Ana", "hello").await.unwrap();
    eventually("the first call", || (site.emulator.calls().len() == 1).then_some(())).await;
    let first = the_send_is(&host, SendState::Ready).await;
    assert!((NOW + 500..=NOW + 1_000).contains(&first.due), "within the second half of a second: {}", first.due - NOW);
    clock.advance(1_300);
    eventually("the second call", || (site.emulator.calls().len() == 2).then_some(())).await;
    let mut second = the_send_is(&host, SendState::Ready).await;
    while second.attempt < 2 {
        tokio::time::sleep(Duration::from_millis(10)).await;
        second = the_send_is(&host, SendState::Ready).await;
    }
    assert!(second.due >= NOW + 1_300 + 60_000, "Retry-After is obeyed: {}", second.due - NOW);
    clock.advance(59_000);
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert_eq!(site.emulator.calls().len(), 2, "not before the provider's time");
    clock.advance(2_000);
    site.taken(1).await;
    let calls = site.emulator.calls();
    assert_eq!(calls.len(), 3);
    assert!(calls.iter().all(|c| c.key == calls[0].key && c.key.is_some()), "one key for all attempts");
    the_send_is(&host, SendState::Sent).await;
    host.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_will_never_work_is_parked_at_once_and_later_messages_go_on() {
    let site = Site::new(&[SHOP]).await;
    let host = site.host().await;
    for (status, code, parked) in [
        (400, 131_047, "provider.window_closed"),
        (400, 131_026, "provider.unreachable"),
        (401, 190, "provider.unauthorized"),
        (400, 132_001, "provider.rejected"),
    ] {
        let before = site.emulator.calls().len();
        site.emulator.fail([Fault::Status { status, code, retry_after: None }]);
        site.emulator.say(ANA, "Ana", "hello").await.unwrap();
        eventually("the call", || (site.emulator.calls().len() == before + 1).then_some(())).await;
        host.idle().await;
        let found = sends(&host).await;
        assert!(
            found.iter().any(|s| s.state == SendState::Parked && s.reason.as_ref().is_some_and(|r| r.code == parked)),
            "{code} parks as {parked}: {found:?}"
        );
    }
    site.emulator.say(ANA, "Ana", "fine again").await.unwrap();
    site.taken(1).await;
    host.stop().await;
    let books = site.books();
    assert_eq!((&books["sends"]["parked"], &books["sends"]["sent"]), (&4.into(), &1.into()), "{books}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_answer_is_unknown_and_a_status_with_our_key_settles_it_without_a_second_send() {
    let clock = VirtualClock::new(NOW);
    let site = Site::with(&[SHOP], WhatsappConfig { statuses: vec!["sent", "delivered"], ..WhatsappConfig::default() }).await;
    let host = site.host_at(Arc::new(clock.clone())).await;
    site.emulator.fail([Fault::CutAfterDelivery]);
    site.emulator.say(ANA, "Ana", "hello").await.unwrap();
    site.taken(1).await;
    let send = the_send_is(&host, SendState::Delivered).await;
    assert!(!send.possible_duplicate);
    clock.advance(300_000);
    host.idle().await;
    tokio::time::sleep(Duration::from_millis(150)).await;
    assert_eq!(site.emulator.calls().len(), 1, "settled by the echo of our key: sent once");
    host.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_status_that_comes_before_the_loss_is_noticed_settles_it_too() {
    let clock = VirtualClock::new(NOW);
    let site = Site::with(&[SHOP], WhatsappConfig { statuses: vec!["sent"], ..WhatsappConfig::default() }).await;
    let host = site.host_at(Arc::new(clock.clone())).await;
    site.emulator.fail([Fault::AnswerLate(Duration::from_secs(30))]);
    site.emulator.say(ANA, "Ana", "one").await.unwrap();
    the_send_is(&host, SendState::Sent).await;
    site.emulator.say(ANA, "Ana", "two").await.unwrap();
    // The answer's time runs out; nothing is unknown, and the later one is not held.
    site.taken(2).await;
    clock.advance(300_000);
    host.idle().await;
    assert_eq!(site.emulator.said_to(ANA), ["You said: one", "You said: two"]);
    assert_eq!(site.emulator.calls().len(), 2, "each was sent once");
    host.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_answer_without_an_echo_is_sent_again_after_the_time_to_settle_and_marked() {
    let clock = VirtualClock::new(NOW);
    let site = Site::new(&[SHOP]).await;
    let host = site.host_at(Arc::new(clock.clone())).await;
    site.emulator.fail([Fault::CutBeforeDelivery]);
    site.emulator.say(ANA, "Ana", "one").await.unwrap();
    let unknown = the_send_is(&host, SendState::Unknown).await;
    assert_eq!(unknown.due, NOW + 30_000);
    site.emulator.say(ANA, "Ana", "two").await.unwrap();
    clock.advance(29_000);
    tokio::time::sleep(Duration::from_millis(150)).await;
    assert_eq!(site.emulator.calls().len(), 1, "it waits, and holds the later ones");
    clock.advance(2_000);
    site.taken(2).await;
    assert_eq!(site.emulator.said_to(ANA), ["You said: one", "You said: two"]);
    host.idle().await;
    let found = sends(&host).await;
    let again = found.iter().find(|s| s.id == unknown.id).unwrap();
    assert!(again.possible_duplicate && again.key == unknown.key && again.state == SendState::Sent, "{again:?}");
    host.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_send_that_is_tried_again_holds_the_later_ones_for_two_minutes_at_most() {
    let clock = VirtualClock::new(NOW);
    let site = Site::new(&[SHOP]).await;
    let host = site.host_at(Arc::new(clock.clone())).await;
    site.emulator.fail([Fault::Status { status: 429, code: 131_056, retry_after: Some(600) }]);
    site.emulator.say(ANA, "Ana", "one").await.unwrap();
    eventually("the refusal", || (site.emulator.calls().len() == 1).then_some(())).await;
    the_send_is(&host, SendState::Ready).await;
    site.emulator.say(ANA, "Ana", "two").await.unwrap();
    clock.advance(110_000);
    tokio::time::sleep(Duration::from_millis(150)).await;
    assert!(site.emulator.taken().is_empty(), "held");
    clock.advance(15_000);
    site.taken(1).await;
    assert_eq!(site.emulator.said_to(ANA), ["You said: two"]);
    clock.advance(600_000);
    site.taken(2).await;
    host.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_account_whose_provider_said_too_many_sends_at_the_pace_of_its_manifest_for_a_minute() {
    let clock = VirtualClock::new(NOW);
    let site = Site::new(&[SHOP]).await;
    let host = site.host_at(Arc::new(clock.clone())).await;
    site.emulator.fail([Fault::Status { status: 429, code: 130_429, retry_after: Some(600) }]);
    site.emulator.say(ANA, "Ana", "hello").await.unwrap();
    the_send_is(&host, SendState::Ready).await;
    let others: Vec<String> = (0..5).map(|n| format!("1555100000{n}")).collect();
    for other in &others {
        site.emulator.say(other, "Ben", "hello").await.unwrap();
    }
    let after = |ms: i64| {
        let (clock, site) = (&clock, &site);
        async move {
            clock.advance(ms);
            tokio::time::sleep(Duration::from_millis(200)).await;
            site.emulator.taken().len()
        }
    };
    // 80 a second: one in 12.5 ms, however many wait.
    assert_eq!(after(0).await, 0);
    assert_eq!(after(13).await, 1);
    assert_eq!(after(25).await, 3);
    assert_eq!(after(25).await, 5);
    clock.advance(60_000);
    for other in &others {
        site.emulator.say(other, "Ben", "again").await.unwrap();
    }
    assert_eq!(site.taken(10).await.len(), 10, "as fast as they are decided");
    host.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn statuses_move_a_message_forward_and_never_back() {
    let site = Site::new(&[SHOP]).await;
    let host = site.host().await;
    site.emulator.say(ANA, "Ana", "hello").await.unwrap();
    let sent = site.taken(1).await.remove(0);
    let (id, key) = (sent.id.clone().unwrap(), sent.key.clone().unwrap());
    for (status, expected) in [("read", SendState::Read), ("delivered", SendState::Read), ("sent", SendState::Read)] {
        assert_eq!(site.emulator.status(&id, ANA, status, None).await.unwrap(), 200);
        host.idle().await;
        let send = the_send_is(&host, expected).await;
        assert_eq!(send.key, key);
    }
    assert_eq!(site.emulator.status("wamid.foreign", ANA, "delivered", None).await.unwrap(), 200);
    host.idle().await;
    host.stop().await;
    let books = site.books();
    assert_eq!(books["events"]["ended"], 5, "{books}");
}
