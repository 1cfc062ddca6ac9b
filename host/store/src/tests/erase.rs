//! What is erased is gone: the key's bytes from both files of the key store, the words from every copy of the data.

use std::path::Path;

use sqlx::Row as _;

use super::{WS, answer, house, message, open};
use crate::{ContactBody, ConversationBody, Decide, EventEnd, NewNote, StateWrite, StoreError};
use pointsman_core::effect::Scope;
use pointsman_core::id::Id;

fn holds(dir: &Path, name: &str, bytes: &[u8]) -> bool {
    std::fs::read(dir.join(name)).unwrap_or_default().windows(bytes.len()).any(|w| w == bytes)
}

#[tokio::test]
async fn the_key_dies_and_an_old_copy_of_the_data_stays_shut() {
    let mut house = house().await;
    let kept = house.take(vec![message("4915112345", "a", "Gartenzaun")]).await;
    let group = house.take(vec![message("4915112345", "b", "x"), message("4917799999", "c", "Regenschirm")]).await;
    house.store.decide(answer(&house, &kept.events[0], "Antwort")).await.unwrap();
    let contact = kept.events[0].conversation.as_ref().unwrap().contact;

    let row = sqlx::query("select wrapped from data_key where kind=1 and id=?").bind(contact.0);
    let mut keeper = house.store.key_keeper.lock().await;
    let wrapped: Vec<u8> = row.fetch_one(keeper.as_mut().unwrap()).await.unwrap().try_get(0).unwrap();
    drop(keeper);
    let secret = &wrapped[wrapped.len() - 32..];
    assert!(
        holds(house.dir.path(), "keys.db-wal", secret) || holds(house.dir.path(), "keys.db", secret),
        "the scan sees a living key"
    );
    // A backup of the data, taken before.
    house.store.maintain().await.unwrap();
    let backup = std::fs::read(house.dir.path().join("pointsman.db")).unwrap();

    house.store.erase_contact(WS, contact).await.unwrap();
    for name in ["keys.db", "keys.db-wal", "pointsman.db", "pointsman.db-wal"] {
        assert!(!holds(house.dir.path(), name, secret), "{name} still has the wrapped key");
    }
    assert!(house.store.books(WS).await.unwrap().balanced());
    assert_eq!(house.store.erase_contact(WS, contact).await, Err(StoreError::Missing("contact")));
    assert_eq!(house.store.erase_contact(WS, Id(5)).await, Err(StoreError::Missing("contact")));
    // The open send was dropped by name; the raw payload that both were in is shut for good.
    assert!(house.store.open_sends().await.unwrap().is_empty());
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
    std::fs::write(house.dir.path().join("pointsman.db"), backup).unwrap();
    assert!(!house.dir.path().join("pointsman.db-wal").exists(), "closing takes the log away");
    house.store = open(house.dir.path(), &house.master, &house.clock).await.unwrap();
    assert!(house.store.event(WS, kept.events[0].id).await.unwrap().is_none());
    assert_eq!(house.store.raw(WS, kept.events[0].webhook).await, Err(StoreError::Erased));
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
    house.store.receipt(WS, event.id, event.webhook, EventEnd::by("done"), None).await.unwrap();
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
