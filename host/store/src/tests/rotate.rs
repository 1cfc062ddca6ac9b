//! Another master key: everybody goes on with both until all is sealed anew, whoever is cut off goes on, and then the old one opens
//! nothing. Another host stands for the process that has not heard of it.

use std::sync::Arc;

use pointsman_core::id::Id;
use pointsman_vault::{CredentialPlace, Keyring, MasterKey, SecretString, Succession};
use serde_json::json;

use super::{CHANNEL, House, WS, all_shards, house, message, open};
use crate::sheet::row;
use crate::{ChannelNew, CredentialRow, HeldKeys, Store, StoreError};

super::on_both! {
    both_keys_serve_until_all_is_sealed_anew_and_then_the_new_one_alone,
    who_is_cut_off_goes_on_where_the_tables_say,
    what_is_erased_meanwhile_stays_erased,
    a_second_replacement_waits_for_the_first,
}

/// The next master key, and the link by which the present one becomes it.
fn next(house: &House) -> (String, Succession) {
    let new = MasterKey::generate().unwrap();
    let text = new.to_text().to_string();
    let link = keyring(&house.master).replace(new).unwrap();
    (text, link)
}

fn keyring(text: &str) -> Keyring {
    Keyring::new(MasterKey::from_text(text).unwrap())
}

fn place(id: Id) -> CredentialPlace {
    CredentialPlace { workspace: WS.0, owner: id.0, slot: "token".into(), hosts: vec!["https://a.example".into()] }
}

async fn connect(store: &Store, keyring: &Keyring, id: Id) -> Result<(), StoreError> {
    let sealed = keyring.credential_vault().0.seal(&place(id), &SecretString::from("a token")).unwrap();
    let new = ChannelNew { workspace: WS, plugin: "x/y".into(), account: id.to_string(), name: "A".into(), config: json!({}) };
    let CredentialPlace { slot, hosts, .. } = place(id);
    store.connect(id, new, vec![CredentialRow { workspace: WS, owner: id, slot, hosts, sealed }]).await
}

/// Seals everything anew, a few at a time; gives how many keys and credentials that were.
async fn sweep(store: &Store, held: &HeldKeys, old: u32) -> (u64, u64) {
    let (sealer, opener) = held.with(|keyring| keyring.credential_vault());
    let anew = |row: &CredentialRow| {
        let place = place(row.owner);
        Ok(sealer.seal(&place, &opener.open(&place, &row.sealed).unwrap()).unwrap())
    };
    let (mut keys, mut credentials, mut at) = (0, 0, None);
    loop {
        let (count, next) = store.rewrap_keys(at, 2).await.unwrap();
        (keys, at) = (keys + count, next);
        credentials += store.reseal_credentials(old, 1, anew).await.unwrap();
        if at.is_none() {
            break;
        }
    }
    while store.reseal_credentials(old, 1, anew).await.unwrap() > 0 {
        credentials += 1;
    }
    (keys, credentials)
}

async fn neighbour(house: &House, master: &str) -> (Store, Arc<HeldKeys>) {
    let held = HeldKeys::new(keyring(master));
    let clock = Arc::new(house.clock.clone());
    let ids = Arc::new(pointsman_core::id::IdMaker::new(3));
    (Store::open(house.config.clone(), held.clone(), clock, ids).await.unwrap(), held)
}

async fn both_keys_serve_until_all_is_sealed_anew_and_then_the_new_one_alone() {
    let mut house = house().await;
    let kept = house.take((0..5).map(|n| message(&n.to_string(), &format!("k{n}"), "Gartenzaun")).collect()).await;
    connect(&house.store, &keyring(&house.master), CHANNEL).await.unwrap();
    connect(&house.store, &keyring(&house.master), Id(78)).await.unwrap();
    let (new, link) = next(&house);
    let (rotating, held) = neighbour(&house, &house.master).await;
    rotating.begin_rotation(WS, "cli", &link).await.unwrap();
    // The host has not heard of it: it makes a key, and is refused with a credential that it sealed under the old one.
    let late = house.take(vec![message("9", "late", "Regenschirm")]).await;
    assert_eq!(connect(&house.store, &keyring(&house.master), Id(79)).await, Err(StoreError::StaleKey));
    let (_, Some(under_way)) = rotating.rotation().await.unwrap() else { panic!("it is under way") };
    assert_eq!((under_way.old, under_way.new, under_way.credentials), (link.old, link.new, 2));
    assert!(under_way.keys >= 6, "five contacts, the channel's, that of names: {under_way:?}");
    assert_eq!(rotating.end_rotation(WS, "cli").await.unwrap_err().code(), "store.rotation");
    let (keys, credentials) = sweep(&rotating, &held, link.old).await;
    assert_eq!((keys, credentials), (under_way.keys, 2));
    // Who starts now may have either of the two.
    for master in [&house.master, &new] {
        let (store, _) = neighbour(&house, master).await;
        assert_eq!(store.event(WS, late.events[0].id).await.unwrap().unwrap().event.text(), Some("Regenschirm"));
        assert_eq!(store.channels(WS).await.unwrap().len(), 2);
        store.close().await.unwrap();
    }
    rotating.end_rotation(WS, "cli").await.unwrap();
    assert_eq!(rotating.rotation().await.unwrap(), (link.new, None));
    assert_eq!(house.store.follow_keys().await, Ok(()), "it heard of it in time");
    rotating.close().await.unwrap();
    house.store.close().await.unwrap();
    let refused = open(&house.config, &house.master, &house.clock).await.err();
    assert_eq!(refused, Some(StoreError::OldKey { new: link.new }));
    house.master = new;
    house.store = open(&house.config, &house.master, &house.clock).await.unwrap();
    for event in kept.events.iter().chain(&late.events) {
        assert!(house.store.event(WS, event.id).await.unwrap().is_some());
    }
    // A duplicate is known, and the chain of the audit holds: names did not change.
    assert!(house.take(vec![message("1", "k1", "x")]).await.events.is_empty());
    assert_eq!(house.store.audit_check(WS).await.unwrap(), None);
    let lines: Vec<String> = house.store.audit_lines(WS, 9).await.unwrap().into_iter().map(|line| line.action).collect();
    assert_eq!(lines, ["key.retire", "key.rotate"]);
    let opener = keyring(&house.master).credential_vault().1;
    for channel in house.store.channels(WS).await.unwrap() {
        assert!(opener.open(&place(channel.id), &channel.credentials[0].sealed).is_ok());
    }
}

async fn who_is_cut_off_goes_on_where_the_tables_say() {
    let house = house().await;
    house.take((0..9).map(|n| message(&n.to_string(), &format!("k{n}"), "x")).collect()).await;
    connect(&house.store, &keyring(&house.master), CHANNEL).await.unwrap();
    let (new, link) = next(&house);
    let (first, _) = neighbour(&house, &house.master).await;
    first.begin_rotation(WS, "cli", &link).await.unwrap();
    assert_eq!(first.rewrap_keys(None, 4).await.unwrap().0, 4);
    first.close().await.unwrap();
    // With the new key this time; and begun again, as by one who was killed between the two databases.
    let (second, held) = neighbour(&house, &new).await;
    assert_eq!(second.succession().await.unwrap(), Some(link.clone()));
    second.begin_rotation(WS, "cli", &link).await.unwrap();
    let left = second.rotation().await.unwrap().1.unwrap();
    assert_eq!(sweep(&second, &held, link.old).await, (left.keys, 1));
    second.end_rotation(WS, "cli").await.unwrap();
    second.end_rotation(WS, "cli").await.unwrap();
    assert_eq!(second.audit_lines(WS, 9).await.unwrap().len(), 2, "each is told once");
    // A host that stood still for all of it cannot know the new key: it says so as soon as it needs a key that it has not made
    // already, and nothing is read wrongly.
    let mut taken = Vec::new();
    let refused = loop {
        let stranger = message(&format!("stranger{}", taken.len()), &format!("s{}", taken.len()), "x");
        match house.store.intake(house.coming(crate::Parsed::Events(vec![stranger]))).await {
            Ok(mut kept) => taken.append(&mut kept.events),
            Err(error) => break error,
        }
        assert!(taken.len() < 100, "it goes on for ever");
    };
    assert_eq!(refused, StoreError::OldKey { new: link.new });
    house.store.outlived().await;
    for event in taken {
        assert!(second.event(WS, event.id).await.unwrap().is_some());
    }
}

async fn what_is_erased_meanwhile_stays_erased() {
    let house = house().await;
    let kept = house.take(vec![message("1", "a", "x"), message("2", "b", "x")]).await;
    let (_, link) = next(&house);
    let (rotating, held) = neighbour(&house, &house.master).await;
    rotating.begin_rotation(WS, "cli", &link).await.unwrap();
    let contact = kept.events[0].conversation.as_ref().unwrap().contact;
    house.store.erase_contact(WS, contact, "cli").await.unwrap();
    sweep(&rotating, &held, link.old).await;
    rotating.end_rotation(WS, "cli").await.unwrap();
    let gone = rotating.keys.db.row("select 1 from data_key where ws=? and id=?", row![WS, contact]).await.unwrap();
    assert!(gone.is_none());
    assert!(rotating.event(WS, kept.events[0].id).await.unwrap().is_none());
    assert!(rotating.event(WS, kept.events[1].id).await.unwrap().is_some());
}

async fn a_second_replacement_waits_for_the_first() {
    let house = house().await;
    let (_, link) = next(&house);
    let (_, other) = next(&house);
    house.store.begin_rotation(WS, "cli", &link).await.unwrap();
    assert_eq!(house.store.begin_rotation(WS, "cli", &other).await.unwrap_err().code(), "store.rotation");
    house.store.begin_rotation(WS, "cli", &link).await.unwrap();
    assert_eq!(house.store.rotation().await.unwrap().1.unwrap().new, link.new);
    assert!(house.store.open_sends(&all_shards()).await.unwrap().is_empty());
}
