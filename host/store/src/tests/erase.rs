//! What is erased is gone: the key's bytes from both files of the key store, the words from every copy of the data.

use std::path::Path;

use super::{House, ON, On, WS, all_shards, answer, house, message, open};
use crate::sheet::row;
use crate::{ContactBody, ConversationBody, Decide, EventEnd, NewNote, Parsed, StateWrite, StoreError, WorkspaceRow};
use pointsman_core::effect::Scope;
use pointsman_core::id::Id;
use pointsman_core::journal::RunState;

super::on_both! {
    the_key_dies_and_an_old_copy_of_the_data_stays_shut,
    what_one_process_erases_the_others_forget_at_the_bell,
    what_waits_ends_with_the_contact_and_an_erasure_that_was_cut_short_goes_on,
}

fn holds(dir: &Path, name: &str, bytes: &[u8]) -> bool {
    std::fs::read(dir.join(name)).unwrap_or_default().windows(bytes.len()).any(|w| w == bytes)
}

async fn the_key_dies_and_an_old_copy_of_the_data_stays_shut() {
    let mut house = house().await;
    let kept = house.take(vec![message("4915112345", "a", "Gartenzaun")]).await;
    let group = house.take(vec![message("4915112345", "b", "x"), message("4917799999", "c", "Regenschirm")]).await;
    house.store.decide(answer(&house, &kept.events[0], "Antwort")).await.unwrap();
    let contact = kept.events[0].conversation.as_ref().unwrap().contact;

    let backup = if house.on_sqlite() {
        Some(the_files_prove_it(&house, contact).await)
    } else {
        house.store.erase_contact(WS, contact, "cli").await.unwrap();
        None
    };
    assert!(house.store.books(WS).await.unwrap().balanced());
    assert_eq!(house.store.erase_contact(WS, contact, "cli").await, Err(StoreError::Missing("contact")));
    assert_eq!(house.store.erase_contact(WS, Id(5), "cli").await, Err(StoreError::Missing("contact")));
    // The open send was dropped by name; the raw payload that both were in is shut for good.
    assert!(house.store.open_sends(&all_shards()).await.unwrap().is_empty());
    assert_eq!(house.store.books(WS).await.unwrap().sends["dropped"], 1);
    assert_eq!(house.store.raw(WS, group.webhook.unwrap()).await, Err(StoreError::Erased));
    // The other contact's words are untouched.
    let other = house.store.open_events((Id(0), Id(0)), 10).await.unwrap();
    assert_eq!(other.len(), 1);
    assert_eq!(other[0].event.text(), Some("Regenschirm"));
    // Even the handle that somebody held opens nothing any more, and seals nothing.
    let held = kept.events[0].conversation.clone().unwrap();
    assert_eq!(house.store.notes(&held, 1).await, Err(StoreError::Erased));
    let late = Decide { notes: vec![NewNote { by: "x".into(), text: "x".into(), marked: false }], ..Decide::default() };
    let late = Decide { workspace: WS, conversation: Some(held), ..late };
    assert_eq!(house.store.decide(late).await, Err(StoreError::Erased));
    // Whoever writes from the same number is a stranger.
    let again = house.take(vec![message("4915112345", "d", "x")]).await;
    assert_ne!(again.events[0].conversation.as_ref().unwrap().contact, contact);

    // The old copy of the data, with the key store of today.
    house.store.close().await.unwrap();
    if let Some(backup) = backup {
        std::fs::write(house.dir.path().join("pointsman.db"), backup).unwrap();
        assert!(!house.dir.path().join("pointsman.db-wal").exists(), "closing takes the log away");
    }
    house.store = open(&house.config, &house.master, &house.clock).await.unwrap();
    assert!(house.store.event(WS, kept.events[0].id).await.unwrap().is_none());
    assert_eq!(house.store.raw(WS, kept.events[0].webhook).await, Err(StoreError::Erased));
}

async fn what_one_process_erases_the_others_forget_at_the_bell() {
    let house = house().await;
    let row = WorkspaceRow { id: WS, name: "Shop".into(), time_zone: "UTC".into(), language: "en".into() };
    house.store.put_workspace(row).await.unwrap();
    let kept = house.take(vec![message("1", "a", "x"), message("2", "b", "x")]).await;
    let two = house.neighbour().await;
    let held = two.event(WS, kept.events[0].id).await.unwrap().unwrap().conversation.unwrap();
    let heard = two.newest_audit().await.unwrap();
    house.store.erase_contact(WS, held.contact, "user/ann").await.unwrap();
    let line = house.store.audit_lines(WS, 1).await.unwrap().remove(0);
    assert_eq!((&*line.actor, &*line.action, line.detail), ("user/ann", "contact.erase", held.contact.to_string()));
    assert!(two.event(WS, kept.events[0].id).await.unwrap().is_some(), "it has the key in memory");
    let newest = two.newest_audit().await.unwrap();
    assert_ne!(heard, newest, "the bell rings");
    two.forget_erased(&two.wishes(&heard, &newest).await.unwrap());
    assert!(two.event(WS, kept.events[0].id).await.unwrap().is_none());
    assert_eq!(two.notes(&held, 1).await, Err(StoreError::Erased), "nor by a handle that somebody holds");
    assert!(two.event(WS, kept.events[1].id).await.unwrap().is_some(), "the other contact is as before");
    assert_eq!(two.audit_check(WS).await.unwrap(), None);
}

async fn what_waits_ends_with_the_contact_and_an_erasure_that_was_cut_short_goes_on() {
    let house = house().await;
    let kept = house.take(vec![message("1", "a", "x"), message("1", "b", "x"), message("2", "c", "x")]).await;
    let mut decide = answer(&house, &kept.events[0], "z");
    (decide.event, decide.runs[0].state) = (None, RunState::Waiting);
    (decide.runs[0].waiting, decide.runs[0].until) = (Some("ask".into()), Some(house.clock_now()));
    house.store.decide(decide).await.unwrap();
    let contact = kept.events[0].conversation.as_ref().unwrap().contact;
    // The process ended when the key was gone and nothing else was done.
    house.store.keys.destroy(WS.0, contact.0).await.unwrap();
    house.store.erase_contact(WS, contact, "cli").await.unwrap();
    let books = house.store.books(WS).await.unwrap();
    assert!(books.balanced(), "{books:?}");
    assert_eq!((books.events["ended"], books.events["new"], books.webhooks["kept"]), (2, 1, 1));
    assert_eq!((books.runs["cancelled"], books.sends["dropped"]), (1, 1));
    let other = &kept.events[2];
    house.store.receipt(other, EventEnd::by("unwanted"), None).await.unwrap();
    assert_eq!(house.store.books(WS).await.unwrap().webhooks["done"], 1, "each of its events was counted once");
}

/// Between the death of the key and the bell.
#[tokio::test]
async fn a_host_that_did_not_hear_of_it_yet_writes_nothing_with_the_dead_key() {
    let one = ON.scope(On::Postgres, house()).await;
    let kept = one.take(vec![message("1", "a", "x"), message("2", "b", "x")]).await;
    let two = one.neighbour().await;
    one.store.leave().await.unwrap();
    assert_eq!(two.renew().await.unwrap().gained.len(), 256);
    let event = two.event(WS, kept.events[0].id).await.unwrap().unwrap();
    let contact = event.conversation.as_ref().unwrap().contact;
    one.store.erase_contact(WS, contact, "cli").await.unwrap();
    let waits = Decide { event: None, sends: Vec::new(), ..answer(&one, &event, "z") };
    assert_eq!(two.decide(answer(&one, &event, "z")).await, Err(StoreError::Erased));
    assert_eq!(two.decide(waits).await, Err(StoreError::Erased));
    assert_eq!(two.receipt(&event, EventEnd::by("done"), None).await, Err(StoreError::Erased));
    assert_eq!(two.books(WS).await.unwrap().runs.values().sum::<u64>(), 0);
    // Whoever writes again is a stranger, also where the one before is in memory. Who else is in the payload stays who they are.
    let events = Parsed::Events(vec![message("1", "c", "back"), message("2", "d", "x")]);
    let again = two.intake(one.coming(events)).await.unwrap();
    assert_eq!((again.events.len(), again.duplicates), (2, 0));
    let contacts: Vec<Id> = again.events.iter().map(|e| e.conversation.as_ref().unwrap().contact).collect();
    assert_ne!(contacts[0], contact);
    assert_eq!(contacts[1], kept.events[1].conversation.as_ref().unwrap().contact);
    let read = one.store.event(WS, again.events[0].id).await.unwrap().unwrap();
    assert_eq!(read.event.text(), Some("back"));
    assert!(two.books(WS).await.unwrap().balanced());
    two.decide(answer(&one, &again.events[0], "z")).await.unwrap();
}

/// Erases; gives a backup of the data that was taken before.
async fn the_files_prove_it(house: &House, contact: Id) -> Vec<u8> {
    let row = house.store.keys.db.row("select wrapped from data_key where kind=1 and id=?", row![contact]).await.unwrap();
    let wrapped: Vec<u8> = row.unwrap().get(0).unwrap();
    let secret = &wrapped[wrapped.len() - 32..];
    assert!(
        holds(house.dir.path(), "keys.db-wal", secret) || holds(house.dir.path(), "keys.db", secret),
        "the scan sees a living key"
    );
    house.store.maintain().await.unwrap();
    let backup = std::fs::read(house.dir.path().join("pointsman.db")).unwrap();

    house.store.erase_contact(WS, contact, "cli").await.unwrap();
    for name in ["keys.db", "keys.db-wal", "pointsman.db", "pointsman.db-wal"] {
        assert!(!holds(house.dir.path(), name, secret), "{name} still has the wrapped key");
    }
    backup
}

/// Everything that a contact said or is called, in every table that can hold it, and no trace of it in any file.
#[tokio::test]
async fn no_word_stands_in_plain_anywhere() {
    let house = house().await;
    let kept = house.take(vec![message("4915112345678", "dedupe-Q7", "Kartoffelpuffer mit Apfelmus")]).await;
    let event = &kept.events[0];
    let mut decide = answer(&house, event, "Blumenkohlsuppe");
    decide.notes.push(NewNote { by: "run/1".into(), text: "Sauerkirsche".into(), marked: true });
    decide.conversation_body = Some(ConversationBody { tags: vec!["Holunderbeere".into()], ..ConversationBody::default() });
    let attributes = serde_json::json!({"shoe": "Stiefelknecht"});
    decide.contact_body = Some(ContactBody { attributes, ..ContactBody::default() });
    for scope in [Scope::Conversation, Scope::Contact, Scope::Workspace] {
        let value = Some("Pfifferling".into());
        decide.state.push(StateWrite { scope, key: "Pilzsammler".into(), value, until: None, marked: true });
    }
    let send = decide.sends[0].id;
    house.store.decide(decide).await.unwrap();
    let update = crate::SendUpdate {
        workspace: WS,
        id: send,
        conversation: event.conversation.clone(),
        state: pointsman_core::outbox::SendState::Parked,
        attempt: 1,
        due: 0,
        provider_ids: Some(vec!["wamid.HBgLprovider".into()]),
        reason: Some(pointsman_core::failure::Failure::bug("provider.rejected", "Stachelbeerkompott")),
        possible_duplicate: false,
    };
    house.store.update_send(update).await.unwrap();
    let channel = crate::ChannelNew {
        workspace: WS,
        plugin: "pointsman/whatsapp".into(),
        account: "106540352242922".into(),
        name: "Hauptfiliale".into(),
        config: serde_json::json!({"waba_id": "wabaNummer"}),
    };
    house.store.connect(house.id(), channel, Vec::new()).await.unwrap();
    house.store.receipt(event, EventEnd::by("done"), None).await.unwrap();
    let words = [
        "4915112345678",
        "dedupe-Q7",
        "Kartoffelpuffer",
        "Apfelmus",
        "Blumenkohlsuppe",
        "Sauerkirsche",
        "Holunderbeere",
        "Stiefelknecht",
        "Pfifferling",
        "Pilzsammler",
        "HBgLprovider",
        "Stachelbeerkompott",
        "106540352242922",
        "Hauptfiliale",
        "wabaNummer",
        "Quastenflosser",
        "Wilhelmine",
        "Zwetschgendatschi",
        "shoe",
    ];
    let scan = |when: &str| {
        for file in std::fs::read_dir(house.dir.path()).unwrap() {
            let file = file.unwrap();
            let name = file.file_name().into_string().unwrap();
            for word in words {
                assert!(!holds(house.dir.path(), &name, word.as_bytes()), "{word} stands in {name} {when}");
            }
        }
    };
    assert!(holds(house.dir.path(), "pointsman.db-wal", b"provider.rejected"), "the scan sees what is plain");
    scan("before the checkpoint");
    house.store.maintain().await.unwrap();
    assert!(holds(house.dir.path(), "pointsman.db", b"provider.rejected"), "the scan sees what is plain");
    scan("after it");
}
