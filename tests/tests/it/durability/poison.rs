//! T12 in small: what can never work is parked after exactly as many tries as its policy says, and holds up nobody but its own
//! conversation.

use std::sync::Arc;

use pointsman_core::clock::VirtualClock;
use pointsman_core::outbox::SendState;
use pointsman_emulator::Fault;

use crate::flow::conversation::SHOP;
use crate::support::{Site, eventually};

const NOW: i64 = 1_790_000_000_000;
/// One of so many contacts is poison: the provider fails whatever is sent to them.
const CONTACTS: usize = 100;
const POISONED: &str = "15550400042";
/// The first attempt, and the repetitions that the channel's manifest allows.
const TRIES: usize = 6;

fn contact(n: usize) -> String {
    format!("15550400{n:03}")
}

#[tokio::test(flavor = "multi_thread")]
async fn one_in_a_hundred_that_always_fails_is_parked_after_its_tries_and_blocks_nobody() {
    let clock = VirtualClock::new(NOW);
    let site = Site::new(&[SHOP]).await;
    let host = site.host_at(Arc::new(clock.clone())).await;
    site.emulator.fail_contact(POISONED, Fault::Status { status: 500, code: 2, retry_after: None });
    for n in 0..CONTACTS {
        assert_eq!(site.emulator.say(&contact(n), "C", &format!("word {n}")).await.unwrap().1, 200);
    }
    // The clock stands still: no repetition can leave, and everybody else has their answer.
    site.taken(CONTACTS - 1).await;
    let to_poisoned = || site.emulator.calls().iter().filter(|call| call.to() == Some(POISONED)).count();
    eventually("the first attempt", || (to_poisoned() == 1).then_some(())).await;
    for tries in 2..=TRIES {
        // The longest wait of the policy, so that whatever is due leaves.
        let before = to_poisoned();
        assert_eq!(before, tries - 1);
        eventually("another attempt", || {
            clock.advance(60_000);
            (to_poisoned() > before).then_some(())
        })
        .await;
    }
    let sends = async || {
        let (ws, mut parked) = (pointsman::wiring::FIRST_WORKSPACE, Vec::new());
        for run in host.store().runs(ws, pointsman_store::RunFilter::default(), 1_000).await.unwrap() {
            parked.extend(
                host.store().sends_of_run(ws, run.id).await.unwrap().into_iter().filter(|s| s.state == SendState::Parked),
            );
        }
        parked
    };
    let mut parked = sends().await;
    for _ in 0..200 {
        if !parked.is_empty() {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        parked = sends().await;
    }
    assert_eq!(parked.len(), 1, "{parked:?}");
    assert_eq!((parked[0].attempt as usize, to_poisoned()), (TRIES, TRIES));
    assert!(parked[0].reason.is_some(), "it says why");
    // Nothing leaves any more, however long one waits.
    clock.advance(86_400_000);
    tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    assert_eq!((to_poisoned(), site.emulator.taken().len()), (TRIES, CONTACTS - 1));
    host.stop().await;
    let books = site.books();
    assert_eq!((&books["sends"]["parked"], &books["sends"]["sent"]), (&1.into(), &(CONTACTS - 1).into()), "{books}");
}
