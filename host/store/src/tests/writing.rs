//! The writer: many in one commit, one bad among them, a wrong key.

use pointsman_core::id::Id;
use pointsman_vault::MasterKey;

use super::intake::futures_join;
use super::{ON, On, WS, all_shards, answer, house, message, open};
use crate::{Parsed, StoreError};

super::on_both! {
    two_hundred_at_once_take_far_fewer_commits,
    one_bad_operation_does_not_fail_the_others,
    another_master_key_is_refused_and_nothing_is_changed,
    a_newer_schema_is_refused,
    a_closed_store_answers_closed_and_loses_nothing,
    a_key_without_its_contact_does_no_harm,
    strangers_who_come_fast_share_the_commits_of_their_keys,
}

async fn two_hundred_at_once_take_far_fewer_commits() {
    let house = house().await;
    house.take((0..200).map(|n| message(&format!("c{n}"), &format!("first{n}"), "x")).collect()).await;
    let before = house.store.stats();
    let coming: Vec<_> =
        (0..200).map(|n| house.coming(Parsed::Events(vec![message(&format!("c{n}"), &format!("m{n}"), "x")]))).collect();
    let kept = futures_join(coming.into_iter().map(|c| house.store.intake(c))).await;
    assert!(kept.iter().all(|k| k.events.len() == 1));
    let after = house.store.stats();
    assert_eq!(after.operations - before.operations, 200);
    assert!(after.commits - before.commits <= 40, "{} commits", after.commits - before.commits);
    assert_eq!(house.store.open_events((Id(0), Id(0)), 1_000).await.unwrap().len(), 400);
}

async fn one_bad_operation_does_not_fail_the_others() {
    let house = house().await;
    let kept = house.take(vec![message("1", "a", "x"), message("2", "b", "x"), message("3", "c", "x")]).await;
    let taken = answer(&house, &kept.events[0], "first");
    house.store.decide(taken.clone()).await.unwrap();
    // The same run and send again: a key that is taken. Around it, good ones.
    let (one, bad, two) = tokio::join!(
        house.store.decide(answer(&house, &kept.events[1], "one")),
        house.store.decide(taken),
        house.store.decide(answer(&house, &kept.events[2], "two")),
    );
    one.unwrap();
    two.unwrap();
    assert!(matches!(bad, Err(StoreError::Taken(_))), "{bad:?}");
    assert_eq!(house.store.stats().repeats, 1, "they were in one batch");
    assert!(house.store.open_events((Id(0), Id(0)), 10).await.unwrap().is_empty());
    assert_eq!(house.store.open_sends(&all_shards()).await.unwrap().len(), 3);
    // The failed commit left no link in the timeline of its conversation.
    let conversation = kept.events[0].conversation.clone().unwrap();
    assert_eq!(house.store.timeline(&conversation, 10).await.unwrap().len(), 2);
}

async fn another_master_key_is_refused_and_nothing_is_changed() {
    let house = house().await;
    house.take(vec![message("1", "a", "x")]).await;
    house.store.close().await.unwrap();
    let other = MasterKey::generate().unwrap().to_text().to_string();
    assert_eq!(open(&house.config, &other, &house.clock).await.err(), Some(StoreError::WrongKey));
    let store = open(&house.config, &house.master, &house.clock).await.unwrap();
    assert_eq!(store.open_events((Id(0), Id(0)), 10).await.unwrap().len(), 1);
}

async fn a_newer_schema_is_refused() {
    let house = house().await;
    house.meddle("insert into schema_version(version) values (?1)", Id(99)).await;
    house.store.close().await.unwrap();
    let refused = open(&house.config, &house.master, &house.clock).await.err();
    assert!(matches!(refused, Some(StoreError::Newer { found: 99, .. })), "{refused:?}");
}

async fn a_closed_store_answers_closed_and_loses_nothing() {
    let mut house = house().await;
    let kept = house.take(vec![message("1", "a", "x")]).await;
    house.store.close().await.unwrap();
    assert_eq!(house.store.intake(house.coming(Parsed::Unread)).await.err(), Some(StoreError::Closed));
    house.again().await;
    assert_eq!(house.store.event(WS, kept.events[0].id).await.unwrap().unwrap().id, kept.events[0].id);
}

async fn a_key_without_its_contact_does_no_harm() {
    // A crash between the commit of the key and that of the data.
    let mut house = house().await;
    let name = pointsman_vault::KeyName { workspace: 1, kind: pointsman_vault::KeyKind::Contact, id: house.id().0 };
    // The clock is set back in between.
    let ahead = pointsman_vault::KeyName { id: house.store.ids.next(house.clock_now() + 60_000).0, ..name };
    house.store.keys.make(&[name, ahead]).await.unwrap();
    house.again().await;
    assert!(house.id().0 > ahead.id, "nobody is given an id for which there is a key");
    assert_eq!(house.take(vec![message("1", "a", "x")]).await.events.len(), 1);
    assert!(house.store.books(WS).await.unwrap().balanced());
}

async fn strangers_who_come_fast_share_the_commits_of_their_keys() {
    let mut house = house().await;
    let say = async |house: &super::House, n: usize| house.take(vec![message(&format!("c{n}"), &format!("m{n}"), "x")]).await;
    for n in 0..300 {
        let kept = say(&house, n).await;
        let conversation = kept.events[0].conversation.clone().unwrap();
        assert!(house.store.contact_body(&conversation).await.is_ok());
    }
    let commits = house.store.stats().key_commits;
    assert!(commits <= 40, "{commits} commits for the keys of 300");
    let events = house.store.open_events((Id(0), Id(0)), 1_000).await.unwrap();
    let contacts: std::collections::HashSet<Id> = events.iter().map(|e| e.conversation.as_ref().unwrap().contact).collect();
    assert_eq!(contacts.len(), 300, "each has a key of its own");
    // What was read with keys that were made beforehand is read after a start, too.
    house.again().await;
    assert_eq!(house.store.open_events((Id(0), Id(0)), 1_000).await.unwrap().len(), 300);
    say(&house, 300).await;
}

/// The log goes into its file beside the writer, long before a commit would have to do it.
#[tokio::test]
async fn the_log_is_written_back_beside_the_writer() {
    let house = ON.scope(On::Sqlite, house()).await;
    let file = house.dir.path().join("pointsman.db");
    let size = || std::fs::metadata(&file).unwrap().len();
    let before = size();
    for n in 0..400 {
        house.take(vec![message(&format!("4917{n:08}"), &format!("m{n}"), "Guten Tag")]).await;
    }
    let log = std::fs::metadata(house.dir.path().join("pointsman.db-wal")).unwrap().len();
    assert!(log < 8_000 * 8_192, "no commit has met its bound: {log} bytes");
    for _ in 0..500 {
        if size() > before {
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    panic!("after 400 commits nothing of the log is in its file: {before} bytes before and after");
}
