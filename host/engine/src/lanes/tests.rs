//! Order inside a lane, lanes beside each other, turns between workspaces, and lanes that are taken away.

use std::time::Duration;

use pointsman_core::id::Id;

use super::*;

type Seen = Arc<Mutex<Vec<(i64, u32)>>>;

/// Notes what it handled, and takes a moment for it.
fn noting(seen: &Seen) -> impl Fn((i64, u32)) -> std::pin::Pin<Box<dyn Future<Output = ()> + Send>> + Send + 'static {
    let seen = Arc::clone(seen);
    move |job| {
        let seen = Arc::clone(&seen);
        Box::pin(async move {
            tokio::time::sleep(Duration::from_micros(u64::from(job.1 % 7))).await;
            seen.lock().push(job);
        })
    }
}

async fn emptied<J: Send + 'static>(lanes: &Lanes<J>) {
    while !lanes.is_empty() {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

#[tokio::test]
async fn a_lane_keeps_its_order_and_lanes_run_beside_each_other() {
    let lanes = Arc::new(Lanes::new(Some(8)));
    let seen = Seen::default();
    for n in 0..200u32 {
        for key in 0..5i64 {
            lanes.push(Place::of(Id(1), key), (key, n), noting(&seen));
        }
    }
    emptied(&lanes).await;
    for key in 0..5 {
        let of_lane: Vec<u32> = seen.lock().iter().filter(|(k, _)| *k == key).map(|(_, n)| *n).collect();
        assert_eq!(of_lane, (0..200).collect::<Vec<_>>());
        assert!(!lanes.busy(key));
    }
    assert!(!seen.lock().windows(200).all(|w| w.iter().all(|(k, _)| *k == w[0].0)), "not one lane after the other");
}

#[tokio::test]
async fn ten_thousand_jobs_of_one_workspace_keep_another_waiting_for_one_turn_only() {
    let lanes = Arc::new(Lanes::new(Some(4)));
    let seen = Seen::default();
    for n in 0..10_000u32 {
        let key = i64::from(n % 1_000);
        lanes.push(Place::of(Id(1), key), (key, n), noting(&seen));
    }
    // The busy workspace has every place and a line behind each.
    while seen.lock().is_empty() {
        tokio::task::yield_now().await;
    }
    let before = seen.lock().len();
    lanes.push(Place::of(Id(2), 5_000), (5_000, 0), noting(&seen));
    emptied(&lanes).await;
    let at = seen.lock().iter().position(|(key, _)| *key == 5_000).unwrap();
    assert!(at <= before + 12, "it was put in after {before} jobs and handled as number {at}");
    assert_eq!(seen.lock().len(), 10_001);
}

#[tokio::test]
async fn a_lane_that_is_let_go_drops_what_waits_and_its_task_can_be_cut() {
    let lanes = Arc::new(Lanes::new(Some(8)));
    let (seen, gate) = (Seen::default(), Arc::new(tokio::sync::Notify::new()));
    let slow = |seen: &Seen, gate: &Arc<tokio::sync::Notify>| {
        let (seen, gate) = (Arc::clone(seen), Arc::clone(gate));
        move |job| {
            let (seen, gate) = (Arc::clone(&seen), Arc::clone(&gate));
            async move {
                gate.notified().await;
                seen.lock().push(job);
            }
        }
    };
    let (lost, kept) = (Place::of(Id(1), 1), Place::of(Id(1), 2));
    assert_ne!(lost.shard, kept.shard);
    for n in 0..3 {
        lanes.push(lost, (1, n), slow(&seen, &gate));
    }
    lanes.push(kept, (2, 0), slow(&seen, &gate));
    tokio::task::yield_now().await;
    let tasks = lanes.let_go(|shard| shard == lost.shard);
    assert_eq!((tasks.len(), lanes.len()), (1, 2), "one is at work in it, two are dropped");
    // Taken anew while the old task still ends.
    lanes.push(lost, (1, 7), slow(&seen, &gate));
    tasks.iter().for_each(AbortHandle::abort);
    while lanes.len() > 2 {
        tokio::task::yield_now().await;
    }
    assert!(lanes.busy(1), "the new lane is not the old one's to end");
    for _ in 0..2 {
        gate.notify_one();
        tokio::task::yield_now().await;
    }
    emptied(&lanes).await;
    let mut seen = seen.lock().clone();
    seen.sort_unstable();
    assert_eq!(seen, [(1, 7), (2, 0)]);
}

#[tokio::test]
async fn closed_lanes_end_what_is_at_work_and_take_nothing_new() {
    let lanes = Arc::new(Lanes::new(Some(1)));
    let seen = Seen::default();
    for n in 0..4 {
        lanes.push(Place::of(Id(1), 1), (1, n), noting(&seen));
    }
    lanes.close(|job| job.1 == 3);
    lanes.push(Place::of(Id(1), 2), (2, 9), noting(&seen));
    emptied(&lanes).await;
    assert_eq!(*seen.lock(), [(1, 0), (1, 3)]);
}

#[tokio::test]
async fn a_panic_ends_its_lane_and_gives_its_place_back() {
    let lanes = Arc::new(Lanes::new(Some(1)));
    let seen = Seen::default();
    for n in 0..3 {
        lanes.push(Place::of(Id(1), 1), n, |_| async { panic!("a job that panics, on purpose") });
    }
    emptied(&lanes).await;
    assert!(!lanes.busy(1));
    let lanes = Arc::new(Lanes::new(Some(1)));
    lanes.push(Place::of(Id(1), 1), (1, 1), noting(&seen));
    emptied(&lanes).await;
    assert_eq!(*seen.lock(), [(1, 1)]);
}
