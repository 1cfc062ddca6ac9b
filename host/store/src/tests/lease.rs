//! One process on its files: it holds everything from its first renewal on. And what a start finds.

use pointsman_core::id::Id;

use super::{ON, On, WS, answer, house, message};
use crate::sheet::row;
use crate::{Intake, Parsed, SHARDS, lane_of, shard_of};

super::on_both! {
    new_events_are_found_by_workspace_in_their_order_and_only_until_they_had_their_turn,
}

#[tokio::test]
async fn on_files_of_its_own_a_host_gains_every_shard_once_and_keeps_them() {
    let house = house().await;
    let store = house.neighbour().await;
    assert!(!store.shared() && store.renew_every().is_none());
    let change = store.renew().await.unwrap();
    assert_eq!((change.gained, change.lost), ((0..SHARDS).collect(), Vec::new()));
    assert_eq!(store.renew().await.unwrap(), crate::Change::default());
    store.leave().await.unwrap();
    assert!(store.holds(7));
}

#[test]
fn neighbours_lie_in_different_shards() {
    let first = 800_000_000_000_i64 << 22;
    let mut seen = [0; SHARDS as usize];
    for ms in 0..256 {
        for counter in 0..16 {
            seen[usize::from(shard_of(first + (ms << 22) + counter))] += 1;
        }
    }
    assert!(seen.iter().all(|n| *n == 16), "{seen:?}");
    // Of ten that begin in one moment, or one a millisecond, neither of two hosts has fewer than three.
    for step in [1, 1 << 22] {
        let low = (0..10).filter(|n| shard_of(first + n * step) < SHARDS / 2).count();
        assert!((3..=7).contains(&low), "{low} of ten that are {step} apart");
    }
}

#[tokio::test]
async fn postgres_knows_the_shards_by_the_same_rule() {
    let house = ON.scope(On::Postgres, house()).await;
    for lane in [1, 7, 255, 256, (800_000_000_000_i64 << 22) + 3, i64::MAX] {
        for (ws, conversation) in [(lane, 0), (9, lane)] {
            let row = house.store.data.row("select lane_shard(?,?)", row![ws, conversation]).await.unwrap().unwrap();
            assert_eq!(row.get::<i64>(0).unwrap(), i64::from(shard_of(lane)), "{lane}");
        }
    }
}

async fn new_events_are_found_by_workspace_in_their_order_and_only_until_they_had_their_turn() {
    let house = house().await;
    let other = Id(WS.0 + 1);
    let mut expected = Vec::new();
    for n in 0..5 {
        for ws in [WS, other] {
            let coming = house.coming(Parsed::Events(vec![message("ana", &format!("k{n}"), "one")]));
            let kept = house.store.intake(Intake { workspace: ws, ..coming }).await.unwrap();
            let event = &kept.events[0];
            expected.push((ws, event.id, lane_of(ws, event.conversation.as_ref())));
            if (ws, n) == (WS, 0) {
                house.store.decide(answer(&house, event, "two")).await.unwrap();
                expected.clear();
            }
        }
    }
    expected.sort();
    assert_eq!(house.store.new_events(None, 100).await.unwrap(), expected);
    let of = |ws: Id, n: usize| expected.iter().filter(move |e| e.0 == ws).take(n).copied();
    let two_of_each: Vec<_> = of(WS, 2).chain(of(other, 2)).collect();
    assert_eq!(house.store.new_events(None, 2).await.unwrap(), two_of_each, "a flood in one workspace hides no other");
    let of_other: Vec<_> = of(other, 9).collect();
    assert_eq!(house.store.new_events(Some(&[other]), 100).await.unwrap(), of_other, "one of them alone");
    assert_eq!(house.store.new_events(Some(&[]), 100).await.unwrap(), []);
    let event = house.store.event(expected[0].0, expected[0].1).await.unwrap().unwrap();
    let mut decide = answer(&house, &event, "wait");
    decide.event = None;
    decide.runs[0].state = pointsman_core::journal::RunState::Waiting;
    house.store.decide(decide).await.unwrap();
    assert_eq!(house.store.new_events(None, 100).await.unwrap(), expected[1..], "one whose runs wait is not new");
}
