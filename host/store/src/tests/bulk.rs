//! What a message costs. Prints, asserts only that it works: run with `--release -- bulk --ignored --nocapture`.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use pointsman_core::outbox::SendState;

use super::{WS, answer, house, message};
use crate::{Parsed, SendUpdate};

/// Processor time of this process so far, in microseconds.
pub(super) fn cpu() -> u64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap();
    let fields: Vec<&str> = stat.rsplit(") ").next().unwrap().split(' ').collect();
    let ticks = |n: usize| fields[n].parse::<u64>().unwrap();
    (ticks(11) + ticks(12)) * 10_000
}

async fn drive(in_flight: u64, messages: u64, contacts: u64) {
    let house = Arc::new(house().await);
    house.take((0..contacts.min(2_000)).map(|n| message(&format!("c{n}"), &format!("first{n}"), "x")).collect()).await;
    let next = Arc::new(AtomicU64::new(0));
    let (before, start, stats) = (cpu(), Instant::now(), house.store.stats());
    let workers: Vec<_> = (0..in_flight)
        .map(|_| {
            let (house, next) = (house.clone(), next.clone());
            tokio::spawn(async move {
                loop {
                    let n = next.fetch_add(1, Ordering::Relaxed);
                    if n >= messages {
                        break;
                    }
                    let event = message(
                        &format!("c{}", n % contacts),
                        &format!("m{n}"),
                        "Wann habt ihr heute geöffnet? Ich würde gern vorbeikommen.",
                    );
                    let mut coming = house.coming(Parsed::Events(vec![event]));
                    coming.raw = vec![b'r'; 700];
                    let kept = house.store.intake(coming).await.unwrap();
                    let decide = answer(&house, &kept.events[0], "Heute bis 18 Uhr. Bis gleich!");
                    let (id, conversation) = (decide.sends[0].id, decide.conversation.clone());
                    house.store.decide(decide).await.unwrap();
                    let provider_ids = Some(vec![format!("wamid.out{n}")]);
                    let update = SendUpdate {
                        workspace: WS,
                        id,
                        conversation,
                        state: SendState::Sent,
                        attempt: 1,
                        due: 0,
                        provider_ids,
                        reason: None,
                        possible_duplicate: false,
                    };
                    house.store.update_send(update).await.unwrap();
                }
            })
        })
        .collect();
    for worker in workers {
        worker.await.unwrap();
    }
    let (spent, took, after) = (cpu() - before, start.elapsed(), house.store.stats());
    println!(
        "{in_flight:4} in flight, {contacts} contacts: {:6.1} us CPU a message, {:7.0} messages/s, {:5.1} operations a commit, {:.1} rows a message",
        spent as f64 / messages as f64,
        messages as f64 / took.max(Duration::from_millis(1)).as_secs_f64(),
        (after.operations - stats.operations) as f64 / (after.commits - stats.commits) as f64,
        (after.rows - stats.rows) as f64 / messages as f64,
    );
    assert!(house.store.books(WS).await.unwrap().balanced());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "a measurement"]
async fn bulk() {
    // "64,20000,1000" for one case of your own.
    if let Ok(case) = std::env::var("BULK") {
        let numbers: Vec<u64> = case.split(',').map(|n| n.parse().unwrap()).collect();
        return drive(numbers[0], numbers[1], numbers[2]).await;
    }
    for (in_flight, messages, contacts) in
        [(1, 1_000, 100), (8, 5_000, 100), (64, 20_000, 1_000), (64, 20_000, 20_000), (256, 20_000, 1_000)]
    {
        drive(in_flight, messages, contacts).await;
    }
}
