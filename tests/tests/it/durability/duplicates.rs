//! T10 in small: providers deliver again for days, in any order, and each event is handled once. A virtual clock lets the days
//! pass; a provider that signs no time makes the table of hashes the only defence against a replay.

use std::sync::Arc;

use bytes::Bytes;
use pointsman_core::clock::VirtualClock;
use pointsman_tests::proof::Dice;

use crate::flow::conversation::SHOP;
use crate::support::Site;

const NOW: i64 = 1_790_000_000_000;
const HOUR: i64 = 3_600_000;
/// Messages, and how often each is delivered.
const MESSAGES: usize = 100;
const TIMES: usize = 5;

#[tokio::test(flavor = "multi_thread")]
async fn each_event_delivered_five_times_over_seven_days_runs_once() {
    let clock = VirtualClock::new(NOW);
    let site = Site::new(&[SHOP]).await;
    let mut dice = Dice::new(10);
    let mut deliveries: Vec<(u64, usize)> = (0..MESSAGES * TIMES).map(|n| (dice.below(7 * 24), n % MESSAGES)).collect();
    deliveries.sort_unstable();
    let bodies: Vec<Bytes> = (0..MESSAGES)
        .map(|n| {
            site.emulator
                .message(&format!("wamid.t10.{n}"), &format!("15550300{:03}", n % 20), "Ana", &format!("word {n}"))
                .into()
        })
        .collect();
    let (mut host, mut hour) = (site.host_at(Arc::new(clock.clone())).await, 0);
    for (n, (at, message)) in deliveries.into_iter().enumerate() {
        clock.advance((at - hour).cast_signed() * HOUR);
        hour = at;
        assert_eq!(site.emulator.deliver(bodies[message].clone(), None).await.unwrap(), 200);
        if n % 120 == 119 {
            // What is forgotten over the days must not be forgotten too early, nor by a restart.
            host.store().maintain().await.unwrap();
            host.stop().await;
            host = site.host_at(Arc::new(clock.clone())).await;
        }
    }
    site.taken(MESSAGES).await;
    host.stop().await;
    assert_eq!(site.emulator.calls().len(), MESSAGES, "each was answered once");
    let books = site.books();
    assert_eq!((&books["runs"]["done"], &books["events"]["ended"]), (&MESSAGES.into(), &MESSAGES.into()), "{books}");
}
