//! Several hosts on one database of Postgres: who holds what, what is refused, who is born once, and in which order things are
//! handed on.

use std::sync::Arc;
use std::time::Duration;

use pointsman_core::id::Id;
use pointsman_core::outbox::SendState;
use tokio::time::Instant;

use super::{CHANNEL, House, ON, On, START, WS, all_shards, answer, house, message};
use crate::lease::Hold;
use crate::op::Op;
use crate::sheet::row;
use crate::{Decide, Intake, Parsed, SendUpdate, Store, StoreConfig, StoreError, shard_of};

async fn shared_house() -> House {
    ON.scope(On::Postgres, house()).await
}

fn coming(key: &str, from: &str) -> Intake {
    let parsed = Parsed::Events(vec![message(from, key, key)]);
    Intake { workspace: WS, channel: CHANNEL, at: START, raw: b"{}".to_vec(), parsed }
}

/// Renews until neither has anything to give or take.
async fn settle(hosts: &[&Store]) {
    for _ in 0..4 {
        for host in hosts {
            host.renew().await.unwrap();
        }
    }
}

fn held(store: &Store) -> Vec<u16> {
    // A lane below 256 is its own shard.
    all_shards().into_iter().filter(|s| store.holds(i64::from(*s))).collect()
}

#[tokio::test]
async fn two_hosts_share_the_lanes_and_one_that_leaves_gives_its_own() {
    let one = shared_house().await;
    assert_eq!(held(&one.store).len(), 256);
    let two = one.neighbour().await;
    assert!(held(&two).is_empty(), "a command that only opens the database takes nothing");
    assert!(two.renew().await.unwrap().gained.is_empty(), "nothing is free");
    let change = one.store.renew().await.unwrap();
    assert_eq!((change.gained.len(), change.lost.len()), (0, 128));
    assert!(two.renew().await.unwrap().gained.is_empty(), "what rests is not free yet");
    assert_eq!(one.store.renew().await.unwrap(), crate::Change::default());
    let change = two.renew().await.unwrap();
    assert_eq!((change.gained.len(), held(&one.store).len(), held(&two).len()), (128, 128, 128));
    let both = [held(&one.store), held(&two)].concat();
    assert!(all_shards().iter().all(|s| both.contains(s)), "each lane has one holder");
    two.close().await.unwrap();
    assert_eq!(one.store.renew().await.unwrap().gained.len(), 128);
}

#[tokio::test]
async fn a_host_that_dies_loses_its_lanes_when_its_time_is_over() {
    let mut one = shared_house().await;
    one.store.close().await.unwrap();
    one.config.lease = Duration::from_millis(600);
    let config = one.config.clone();
    let open = async |config: &StoreConfig| super::open(config, &one.master, &one.clock).await.unwrap();
    let (dead, alive) = (open(&config).await, open(&config).await);
    settle(&[&dead, &alive]).await;
    assert_eq!((held(&dead).len(), held(&alive).len()), (128, 128));
    let began = Instant::now();
    while held(&alive).len() < 256 {
        assert!(began.elapsed() < Duration::from_secs(10), "took nothing over");
        tokio::time::sleep(Duration::from_millis(50)).await;
        alive.renew().await.unwrap();
        if began.elapsed() < Duration::from_millis(300) {
            assert_eq!(held(&alive).len(), 128, "not before its time is over");
        }
    }
    assert!(held(&dead).is_empty(), "by its own clock too");
    // Not dead at all, only slow: it joins again with nothing, and takes its share later.
    let change = dead.renew().await.unwrap();
    assert_eq!((change.lost.len(), change.gained.len()), (128, 0));
}

#[tokio::test]
async fn the_old_holder_writes_nothing_and_the_others_of_its_batch_are_written() {
    let one = shared_house().await;
    let kept = one.take((0..40).map(|n| message(&format!("c{n}"), &format!("m{n}"), "x")).collect()).await;
    let two = one.neighbour().await;
    settle(&[&two, &one.store]).await;
    settle(&[&two, &one.store]).await;
    let lane = |n: usize| kept.events[n].conversation.as_ref().unwrap().id.0;
    let mine = (0..40).find(|n| one.store.holds(lane(*n))).unwrap();
    let theirs = (0..40).find(|n| two.holds(lane(*n))).unwrap();
    let before = one.store.stats().commits;
    let (good, late, taken_in) = tokio::join!(
        one.store.decide(answer(&one, &kept.events[mine], "good")),
        one.store.decide(answer(&one, &kept.events[theirs], "late")),
        one.store.intake(coming("other", "c-new")),
    );
    good.unwrap();
    assert_eq!(late, Err(StoreError::Fenced));
    assert!(!StoreError::Fenced.passing());
    assert_eq!(taken_in.unwrap().events.len(), 1, "any host may keep what comes in");
    assert!(one.store.stats().commits - before <= 3);
    let event = one.store.event(WS, kept.events[theirs].id).await.unwrap().unwrap();
    assert_eq!(event.state, crate::EventState::New, "nothing of it was written");
    assert!(one.store.runs_of_event(WS, event.id).await.unwrap().is_empty());
    assert!(one.store.books(WS).await.unwrap().balanced());
    // A write that carries no decision is refused as well.
    let end = crate::EventEnd::by("unwanted");
    assert_eq!(one.store.receipt(&kept.events[theirs], end.clone(), None).await, Err(StoreError::Fenced));
    let update = SendUpdate {
        workspace: WS,
        id: Id(5),
        conversation: kept.events[theirs].conversation.clone(),
        state: SendState::Sent,
        attempt: 1,
        due: 0,
        provider_ids: None,
        reason: None,
        possible_duplicate: false,
    };
    assert_eq!(one.store.update_send(update).await, Err(StoreError::Fenced));
    let theirs = two.event(WS, kept.events[theirs].id).await.unwrap().unwrap();
    two.receipt(&theirs, end, None).await.unwrap();
}

#[tokio::test]
async fn what_was_decided_under_an_earlier_lease_is_refused_though_the_lane_has_come_back() {
    let one = shared_house().await;
    let lane = 7;
    let op = |hold: Hold| {
        let channel = row![WS, Id(lane), "p".to_owned(), 1_i64, vec![1_u8]];
        let other = vec![("insert into channel(ws,id,plugin,state,body) values (?,?,?,?,?)", channel)];
        Op { hold: Some(hold), other, ..Op::default() }
    };
    let before = one.store.leases.hold(lane);
    one.store.leave().await.unwrap();
    let two = one.neighbour().await;
    two.renew().await.unwrap();
    two.close().await.unwrap();
    settle(&[&one.store]).await;
    let now = one.store.leases.hold(lane);
    assert!(one.store.holds(lane) && now.fence > before.fence);
    assert_eq!(one.store.writer.commit(op(before)).await, Err(StoreError::Fenced));
    one.store.writer.commit(op(now)).await.unwrap();
}

#[tokio::test]
async fn a_host_finds_the_work_of_its_own_lanes_only() {
    let one = shared_house().await;
    let kept = one.take((0..40).map(|n| message(&format!("c{n}"), &format!("m{n}"), "x")).collect()).await;
    let two = one.neighbour().await;
    settle(&[&two, &one.store]).await;
    let (mine, theirs) = (one.store.new_events(None, 100).await.unwrap(), two.new_events(None, 100).await.unwrap());
    assert_eq!(mine.len() + theirs.len(), 40);
    assert!(!mine.is_empty() && !theirs.is_empty());
    for (host, found) in [(&one.store, &mine), (&two, &theirs)] {
        assert!(found.iter().all(|(_, _, lane)| host.holds(*lane)));
        let order: Vec<Id> = found.iter().map(|(_, id, _)| *id).collect();
        assert!(order.is_sorted(), "as they were kept");
        assert_eq!(host.open_events((Id(0), Id(0)), 100).await.unwrap().len(), found.len());
    }
    // What waits to leave, after a decision of each holder.
    for (host, found) in [(&one.store, &mine), (&two, &theirs)] {
        let event = host.event(WS, found[0].1).await.unwrap().unwrap();
        let mut decide = answer(&one, &event, "z");
        decide.sends[0].state = SendState::Ready;
        host.decide(decide).await.unwrap();
        let due = host.due_sends(START + 9, 10).await.unwrap();
        assert_eq!(due.len(), 1);
        let shard = shard_of(found[0].2);
        assert_eq!(host.open_sends(&[shard]).await.unwrap()[0].id, due[0].id);
        assert!(host.open_sends(&[shard ^ 1]).await.unwrap().is_empty());
    }
    drop(kept);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_same_person_on_two_hosts_at_once_is_one_contact() {
    let one = shared_house().await;
    let two = one.neighbour().await;
    for n in 0..20 {
        let from = format!("stranger{n}");
        let (a, b) =
            tokio::join!(one.store.intake(coming(&format!("a{n}"), &from)), two.intake(coming(&format!("b{n}"), &from)),);
        let (a, b) = (a.unwrap().events.remove(0), b.unwrap().events.remove(0));
        let (a, b) = (a.conversation.unwrap(), b.conversation.unwrap());
        assert_eq!((a.id, a.contact), (b.id, b.contact));
        let timeline = one.store.timeline(&a, 10).await.unwrap();
        assert_eq!(timeline.len(), 2, "both stand in its timeline");
    }
    assert_eq!(one.store.conversations(WS, 100).await.unwrap().len(), 20);
    // And the same fact, delivered to both at once, is one event.
    let (a, b) = tokio::join!(one.store.intake(coming("same", "x")), two.intake(coming("same", "x")));
    let (a, b) = (a.unwrap(), b.unwrap());
    assert_eq!((a.events.len() + b.events.len(), a.duplicates + b.duplicates), (1, 1));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_one_host_keeps_wakes_the_other() {
    let one = Arc::new(shared_house().await);
    let two = one.neighbour().await;
    // The listener says once that it listens.
    let woken =
        |store: Store| async move { tokio::time::timeout(Duration::from_secs(5), store.kept_something().notified()).await };
    woken(two.clone()).await.unwrap();
    let waits = tokio::spawn(woken(two.clone()));
    one.store.intake(coming("a", "1")).await.unwrap();
    waits.await.unwrap().unwrap();
    woken(one.store.clone()).await.unwrap();
    // Nobody is woken by what is no news.
    let kept = one.store.new_events(None, 1).await.unwrap();
    let event = one.store.event(WS, kept[0].1).await.unwrap().unwrap();
    one.store.decide(answer(&one, &event, "x")).await.unwrap();
    let quiet = tokio::time::timeout(Duration::from_millis(300), two.kept_something().notified()).await;
    assert!(quiet.is_err());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_conversation_has_one_order_whoever_keeps_it() {
    let one = Arc::new(shared_house().await);
    let two = one.neighbour().await;
    one.take(vec![message("1", "first", "x"), message("2", "second", "x")]).await;
    let mut tasks = Vec::new();
    for (n, host) in [one.store.clone(), two.clone(), one.store.clone(), two.clone()].into_iter().enumerate() {
        tasks.push(tokio::spawn(async move {
            for m in 0..30 {
                let from = if (m + n) % 2 == 0 { "1" } else { "2" };
                host.intake(coming(&format!("{n}-{m}"), from)).await.unwrap();
            }
        }));
    }
    for task in tasks {
        task.await.unwrap();
    }
    // The lanes' order and the timeline's are the same, and nothing is missing from either.
    let lanes = one.store.new_events(None, 1_000).await.unwrap();
    assert_eq!(lanes.len(), 122);
    for c in one.store.conversations(WS, 10).await.unwrap() {
        let in_lane: Vec<Id> = lanes.iter().filter(|(_, _, lane)| *lane == c.conversation.id.0).map(|e| e.1).collect();
        let said: Vec<Id> = one.store.timeline(&c.conversation, 1_000).await.unwrap().iter().map(crate::Item::id).collect();
        assert_eq!(said, in_lane);
    }
}

#[tokio::test]
async fn what_one_host_had_no_time_to_read_keeps_its_place_before_what_another_kept_later() {
    let one = shared_house().await;
    let two = one.neighbour().await;
    let unread = |key: &str| Intake { parsed: Parsed::Unread, ..coming(key, "1") };
    one.store.intake(coming("first", "1")).await.unwrap();
    one.store.intake(unread("second")).await.unwrap();
    one.store.intake(unread("third")).await.unwrap();
    // The other host is less busy; another channel has nothing to wait for.
    two.intake(coming("fourth", "1")).await.unwrap();
    two.intake(Intake { channel: Id(CHANNEL.0 + 1), ..coming("elsewhere", "1") }).await.unwrap();
    let dedupe = async |host: &Store| {
        let mut keys = Vec::new();
        for (ws, id, _) in host.new_events(None, 10).await.unwrap() {
            keys.push(host.event(ws, id).await.unwrap().unwrap().event.dedupe_key.clone());
        }
        keys
    };
    assert_eq!(dedupe(&one.store).await, ["first", "elsewhere"], "nobody overtakes what is not read yet");
    for (webhook, key) in one.store.unread(10).await.unwrap().into_iter().zip(["second", "third"]) {
        one.store.normalize(webhook, Parsed::Events(vec![message("1", key, key)])).await.unwrap();
    }
    assert_eq!(dedupe(&one.store).await, ["first", "second", "third", "fourth", "elsewhere"]);
}

/// Whatever two hosts keep and decide at the same time: the order in which events are handed on is that of the timeline, with
/// everything that was said in between, and each item stands in it once.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_order_of_keeping_is_that_of_the_timeline_whatever_two_hosts_do_at_once() {
    let one = Arc::new(shared_house().await);
    let two = one.neighbour().await;
    settle(&[&one.store, &two]).await;
    for round in 0..12_usize {
        let people: Vec<String> = (0..=round % 3).map(|n| format!("{round}-{n}")).collect();
        let mut tasks = Vec::new();
        for task in 0..4_usize {
            let (house, people) = (one.clone(), people.clone());
            let (mine, other) =
                if task % 2 == 0 { (house.store.clone(), two.clone()) } else { (two.clone(), house.store.clone()) };
            tasks.push(tokio::spawn(async move {
                for n in 0..2 + (round * 7 + task * 3) % 9 {
                    // Up to three people in one delivery, each time in another order.
                    let count = 1 + (n + task) % people.len();
                    let from = |k: usize| &people[(n * 5 + task + k) % people.len()];
                    let events = (0..count).map(|k| message(from(k), &format!("{round}-{task}-{n}-{k}"), "x")).collect();
                    let kept = mine.intake(Intake { parsed: Parsed::Events(events), ..coming("", "") }).await.unwrap();
                    let Some(event) = kept.events.first().filter(|_| n % 3 == 0) else { continue };
                    // An answer of whoever holds the lane. It leaves the event new, so that the feed tells of it below.
                    let mut decide = Decide { event: None, ..answer(&house, event, "z") };
                    decide.runs.clear();
                    let lane = event.conversation.as_ref().unwrap().id.0;
                    if mine.holds(lane) { &mine } else { &other }.decide(decide).await.unwrap();
                }
            }));
        }
        for task in tasks {
            task.await.unwrap();
        }
    }
    let lanes = [one.store.new_events(None, 1_000).await.unwrap(), two.new_events(None, 1_000).await.unwrap()].concat();
    let (mut events, mut sends) = (0, 0);
    for c in one.store.conversations(WS, 100).await.unwrap() {
        let in_lane: Vec<Id> = lanes.iter().filter(|(_, _, lane)| *lane == c.conversation.id.0).map(|e| e.1).collect();
        let timeline = one.store.timeline(&c.conversation, 1_000).await.unwrap();
        let said: Vec<Id> = timeline.iter().filter(|i| matches!(i, crate::Item::Event(_))).map(crate::Item::id).collect();
        assert_eq!(said, in_lane);
        events += said.len();
        sends += timeline.len() - said.len();
    }
    let books = one.store.books(WS).await.unwrap();
    assert_eq!((events as u64, sends as u64), (books.events["new"], books.sends["sending"]));
    assert!(events > 200 && sends > 40, "{events} events, {sends} sends");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn postgres_may_stop_and_start_and_everything_goes_on() {
    let server = pointsman_postgres::Server::start().unwrap();
    let dir = tempfile::tempdir().unwrap();
    let mut config = StoreConfig::in_dir(dir.path());
    config.data = crate::Place::Postgres(server.database().unwrap());
    config.keys = crate::Place::Postgres(server.database().unwrap());
    let master = pointsman_vault::MasterKey::generate().unwrap().to_text().to_string();
    let clock = pointsman_core::clock::VirtualClock::new(START);
    let store = super::open(&config, &master, &clock).await.unwrap();
    let kept = store.intake(coming("before", "1")).await.unwrap();
    // Started anew between two operations: nobody notices.
    server.stop().unwrap();
    server.up().unwrap();
    assert_eq!(store.books(WS).await.unwrap().events["new"], 1);
    assert_eq!(store.intake(coming("after", "1")).await.unwrap().events.len(), 1);
    // Down: whoever asks is told so, soon and plainly, and may ask again.
    server.stop().unwrap();
    let began = Instant::now();
    for refused in [store.intake(coming("down", "1")).await.err(), store.event(WS, kept.events[0].id).await.err()] {
        assert!(refused.as_ref().is_some_and(StoreError::passing), "{refused:?}");
    }
    assert!(store.renew().await.is_err());
    assert!(began.elapsed() < Duration::from_secs(20), "{:?}", began.elapsed());
    server.up().unwrap();
    assert_eq!(store.intake(coming("down", "1")).await.unwrap().events.len(), 1);
    store.renew().await.unwrap();
    assert_eq!(store.new_events(None, 10).await.unwrap().len(), 3);
    assert!(store.books(WS).await.unwrap().balanced());
    // It hears again, too.
    let other = super::open(&config, &master, &clock).await.unwrap();
    let heard = async {
        loop {
            other.intake(coming(&format!("w{}", began.elapsed().as_nanos()), "2")).await.unwrap();
            if tokio::time::timeout(Duration::from_millis(200), store.kept_something().notified()).await.is_ok() {
                break;
            }
        }
    };
    tokio::time::timeout(Duration::from_secs(20), heard).await.unwrap();
}
