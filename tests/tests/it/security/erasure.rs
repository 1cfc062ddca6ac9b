//! Erasing is the death of a key: what was kept of a contact cannot be opened any more, a copy of the data made before
//! included.

use std::sync::Arc;

use pointsman_core::clock::VirtualClock;
use pointsman_emulator::Fault;

use crate::flow::conversation::SHOP;
use crate::support::stores::skipped;
use crate::support::{ANA, Site, eventually};

#[tokio::test(flavor = "multi_thread")]
async fn after_the_key_is_destroyed_nothing_of_the_contact_opens_not_even_in_an_older_copy() {
    if skipped("a copy of the data is a copy of files") {
        return;
    }
    let workspace = pointsman::wiring::FIRST_WORKSPACE;
    let site = Site::new(&[SHOP]).await;
    let host = site.host().await;
    site.emulator.say(ANA, "Ana", "order bread").await.unwrap();
    site.emulator.say("15550100002", "Ben", "order cake").await.unwrap();
    site.taken(2).await;
    host.idle().await;
    let data = site.dir.path().join("data");
    host.store().maintain().await.unwrap();
    let copy: Vec<(std::path::PathBuf, Vec<u8>)> = site
        .files()
        .into_iter()
        .filter(|(p, _)| p.file_name().is_some_and(|n| n.to_string_lossy().starts_with("pointsman.db")))
        .collect();
    assert!(!copy.is_empty());

    let rows = host.store().conversations(workspace, 10).await.unwrap();
    let ana = rows.iter().find(|c| c.contact.person.name.as_deref() == Some("Ana")).unwrap().conversation.clone();
    let ben = rows.iter().find(|c| c.contact.person.name.as_deref() == Some("Ben")).unwrap().conversation.clone();
    let (contact, conversation) = (ana.contact, ana.id);
    let runs: Vec<_> = host.store().runs(workspace, Default::default(), 10).await.unwrap();
    let of = |c: pointsman_core::id::Id| runs.iter().find(|r| r.conversation.as_ref().is_some_and(|x| x.id == c)).unwrap();
    let (ana_run, ana_event) = (of(conversation).id, of(conversation).event);
    let (ben_run, ben_event) = (of(ben.id).id, of(ben.id).event);
    let webhook = |e: Option<pointsman_store::KeptEvent>| e.unwrap().webhook;
    let ana_webhook = webhook(host.store().event(workspace, ana_event).await.unwrap());
    let ben_webhook = webhook(host.store().event(workspace, ben_event).await.unwrap());
    drop(runs);
    drop(ana);
    host.store().erase_contact(workspace, contact, "cli").await.unwrap();
    host.stop().await;

    // The copy of the data from before comes back in the place of today's.
    for (path, bytes) in copy {
        std::fs::write(path, bytes).unwrap();
    }
    for rest in ["pointsman.db-wal", "pointsman.db-shm"] {
        let path = data.join(rest);
        if path.exists() && rest.ends_with("-shm") {
            std::fs::remove_file(path).unwrap();
        }
    }
    let store = pointsman::wiring::open_store(&site.config()).await.unwrap();
    let opened = store.conversation(workspace, conversation).await;
    let readable = match opened {
        Ok(Some(c)) => store.timeline(&c, 10).await.is_ok_and(|items| !items.is_empty()),
        _ => false,
    };
    assert!(!readable, "the erased contact's conversation opened from the older copy");
    // Event, journal, sends and raw payload: nothing of hers opens, all of his does.
    assert!(!store.event(workspace, ana_event).await.is_ok_and(|e| e.is_some()), "her event opened");
    assert!(!store.run(workspace, ana_run).await.is_ok_and(|r| r.is_some_and(|r| !r.entries.is_empty())), "her journal opened");
    assert!(!store.sends_of_run(workspace, ana_run).await.is_ok_and(|s| !s.is_empty()), "her send opened");
    assert!(!store.raw(workspace, ana_webhook).await.is_ok_and(|r| r.is_some()), "her raw payload opened");
    assert!(store.event(workspace, ben_event).await.unwrap().is_some());
    assert!(!store.run(workspace, ben_run).await.unwrap().unwrap().entries.is_empty());
    assert!(!store.sends_of_run(workspace, ben_run).await.unwrap().is_empty());
    assert!(store.raw(workspace, ben_webhook).await.unwrap().is_some());
    let ben = store.conversation(workspace, ben.id).await.unwrap().expect("Ben is still there");
    assert!(!store.timeline(&ben, 10).await.unwrap().is_empty(), "others are untouched");
    store.close().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_to_leave_ends_with_the_contact_and_others_go_on() {
    let workspace = pointsman::wiring::FIRST_WORKSPACE;
    let clock = VirtualClock::new(1_790_000_000_000);
    let site = Site::new(&[SHOP]).await;
    let host = site.host_at(Arc::new(clock.clone())).await;
    site.emulator.fail([Fault::Status { status: 500, code: 2, retry_after: None }]);
    site.emulator.say(ANA, "Ana", "hello").await.unwrap();
    eventually("the refusal", || (site.emulator.calls().len() == 1).then_some(())).await;
    let rows = host.store().conversations(workspace, 10).await.unwrap();
    host.store().erase_contact(workspace, rows[0].conversation.contact, "cli").await.unwrap();
    drop(rows);
    clock.advance(600_000);
    host.idle().await;
    assert_eq!(site.emulator.calls().len(), 1, "nothing leaves for who is erased");
    site.emulator.say(ANA, "Ana", "again").await.unwrap();
    site.taken(1).await;
    host.stop().await;
    let books = site.books();
    assert_eq!((&books["sends"]["dropped"], &books["sends"]["sent"]), (&1.into(), &1.into()), "{books}");
}
