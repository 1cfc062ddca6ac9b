//! Every way to bring a sealed value where it does not belong is tried and refused; every bit is flipped once.

use std::collections::HashSet;

use super::*;

const NAME: KeyName = KeyName { workspace: 1, kind: KeyKind::Contact, id: 7 };
const PLACE: Aad = Aad { workspace: 1, table: "event", row: 99, owner: 7 };

fn content() -> ContentVault {
    Keyring::generate().unwrap().content()
}

fn key() -> DataKey {
    content().new_key(NAME).unwrap().0
}

fn pinned() -> CredentialPlace {
    CredentialPlace {
        workspace: 1,
        owner: 5,
        slot: "access_token".into(),
        hosts: vec!["https://a.example".into(), "https://b.example".into()],
    }
}

/// Flips every bit of an envelope in turn; none of them may open.
fn no_bit_may_flip(sealed: &[u8], opens: impl Fn(&[u8]) -> bool) {
    assert!(opens(sealed), "untouched, it opens");
    for bit in 0..sealed.len() * 8 {
        let mut spoiled = sealed.to_vec();
        spoiled[bit / 8] ^= 1 << (bit % 8);
        assert!(!opens(&spoiled), "bit {bit} was flipped and it still opened");
    }
    for length in 0..sealed.len() {
        assert!(!opens(&sealed[..length]), "cut to {length} bytes and it still opened");
    }
    assert!(!opens(&[sealed, b"x"].concat()), "one byte more and it still opened");
}

#[test]
fn what_was_sealed_opens_in_its_place_and_nowhere_else() {
    let key = key();
    for plain in [&b""[..], b"x", &[0; 100_000]] {
        let sealed = key.seal(&PLACE, plain).unwrap();
        assert_eq!(sealed.len(), plain.len() + OVERHEAD);
        assert_eq!(key.open(&PLACE, &sealed).unwrap().as_slice(), plain);
        for other in [
            Aad { workspace: 2, ..PLACE },
            Aad { table: "run", ..PLACE },
            Aad { table: "event ", ..PLACE },
            Aad { row: 98, ..PLACE },
            Aad { owner: 8, ..PLACE },
            Aad { row: 7, owner: 99, ..PLACE },
        ] {
            assert_eq!(key.open(&other, &sealed).unwrap_err(), VaultError::Damaged, "{other:?}");
        }
    }
}

#[test]
fn another_key_is_told_from_damage() {
    let sealed = key().seal(&PLACE, b"hello").unwrap();
    assert_eq!(key().open(&PLACE, &sealed).unwrap_err(), VaultError::WrongKey);
    let vault = content();
    let (_, wrapped) = vault.new_key(NAME).unwrap();
    assert_eq!(content().unwrap(NAME, &wrapped).unwrap_err(), VaultError::WrongKey);
    let mut newer = wrapped.clone();
    newer[0] = 2;
    assert_eq!(vault.unwrap(NAME, &newer).unwrap_err(), VaultError::Newer);
    assert_eq!(vault.unwrap(NAME, b"").unwrap_err(), VaultError::Damaged);
}

#[test]
fn a_wrapped_key_moved_to_another_name_is_refused() {
    let vault = content();
    let (key, wrapped) = vault.new_key(NAME).unwrap();
    let sealed = key.seal(&PLACE, b"hello").unwrap();
    assert_eq!(vault.unwrap(NAME, &wrapped).unwrap().open(&PLACE, &sealed).unwrap().as_slice(), b"hello");
    for other in [
        KeyName { workspace: 2, ..NAME },
        KeyName { kind: KeyKind::Day, ..NAME },
        KeyName { kind: KeyKind::Channel, ..NAME },
        KeyName { id: 8, ..NAME },
        KeyName { workspace: 7, id: 1, ..NAME },
    ] {
        assert_eq!(vault.unwrap(other, &wrapped).unwrap_err(), VaultError::Damaged, "{other:?}");
    }
}

#[test]
fn no_flipped_bit_and_no_cut_is_accepted() {
    let master = Keyring::generate().unwrap();
    let vault = master.content();
    let (key, wrapped) = vault.new_key(NAME).unwrap();
    no_bit_may_flip(&wrapped, |sealed| vault.unwrap(NAME, sealed).is_ok());
    no_bit_may_flip(&key.seal(&PLACE, b"hello").unwrap(), |sealed| key.open(&PLACE, sealed).is_ok());
    let (sealer, opener) = master.credential_vault();
    let token = sealer.seal(&pinned(), &SecretString::from("token")).unwrap();
    no_bit_may_flip(&token, |sealed| opener.open(&pinned(), sealed).is_ok());
}

#[test]
fn a_nonce_never_repeats() {
    let key = key();
    let place = PLACE;
    let mut seen = HashSet::new();
    for envelopes in std::thread::scope(|scope| {
        let threads: Vec<_> =
            (0..4).map(|_| scope.spawn(|| (0..25_000).map(|_| key.seal(&place, b"").unwrap()).collect::<Vec<_>>())).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect::<Vec<_>>()
    }) {
        for envelope in envelopes {
            assert!(seen.insert(<[u8; 12]>::try_from(&envelope[6..18]).unwrap()), "a nonce came twice");
        }
    }
    assert_eq!(seen.len(), 100_000);
}

#[test]
fn a_joint_key_needs_every_one_of_its_keys() {
    let (a, b, c) = (key(), key(), key());
    let joint = DataKey::joint(&[&a, &b, &c]).unwrap();
    let sealed = joint.seal(&PLACE, b"hello").unwrap();
    for same in [vec![&c, &a, &b], vec![&b, &b, &a, &c, &a]] {
        assert_eq!(DataKey::joint(&same).unwrap().open(&PLACE, &sealed).unwrap().as_slice(), b"hello");
    }
    let d = key();
    for less in [vec![&a], vec![&a, &b], vec![&b, &c], vec![&a, &c], vec![&a, &b, &d], vec![&a, &b, &c, &d]] {
        assert!(DataKey::joint(&less).unwrap().open(&PLACE, &sealed).is_err());
    }
    let alone = DataKey::joint(&[&a, &a]).unwrap().seal(&PLACE, b"x").unwrap();
    assert!(a.open(&PLACE, &alone).is_ok(), "of one key it is that key");
    assert_eq!(DataKey::joint(&[]).unwrap_err(), VaultError::NoKey);
}

#[test]
fn while_a_master_key_is_replaced_either_of_the_two_opens_everything_and_the_new_one_seals() {
    let (old, new) = (MasterKey::generate().unwrap(), MasterKey::generate().unwrap());
    let again = |key: &MasterKey| Keyring::new(MasterKey::from_text(&key.to_text()).unwrap());
    let before = again(&old);
    let (_, wrapped) = before.content().new_key(NAME).unwrap();
    let sealed = before.credential_vault().0.seal(&pinned(), &SecretString::from("token")).unwrap();
    let mut ring = again(&old);
    let link = ring.replace(MasterKey::from_text(&new.to_text()).unwrap()).unwrap();
    assert_eq!(ring.replace(MasterKey::generate().unwrap()).unwrap_err(), VaultError::Replacing, "one at a time");
    for mut from in [again(&old), again(&new)] {
        from.follow(&link).unwrap();
        from.follow(&link).unwrap();
        assert_eq!(from.current().key_id(), new.key_id());
        assert!(from.content().unwrap(NAME, &wrapped).is_ok() && from.content().knows(old.key_id()));
        assert!(from.credential_vault().1.open(&pinned(), &sealed).is_ok());
        let anew = from.content().rewrap(NAME, &wrapped).unwrap();
        assert_eq!((key_id(&wrapped), key_id(&anew)), (Some(old.key_id()), Some(new.key_id())));
        let key = again(&old).content().unwrap(NAME, &wrapped).unwrap().seal(&PLACE, b"words").unwrap();
        assert!(from.content().unwrap(NAME, &anew).unwrap().open(&PLACE, &key).is_ok(), "it is the same key");
        assert_eq!(again(&old).content().unwrap(NAME, &anew).unwrap_err(), VaultError::WrongKey);
        from.forget();
        assert_eq!(from.content().unwrap(NAME, &wrapped).unwrap_err(), VaultError::WrongKey);
        assert!(again(&new).content().unwrap(NAME, &anew).is_ok());
    }
    assert_eq!(Keyring::generate().unwrap().follow(&link).unwrap_err(), VaultError::WrongKey);
    no_bit_may_flip(&link.forth, |forth| again(&old).follow(&Succession { forth: forth.to_vec(), ..link.clone() }).is_ok());
    let turned = Succession { forth: link.back.clone(), back: link.forth.clone(), ..link.clone() };
    assert!(again(&old).follow(&turned).is_err() && again(&new).follow(&turned).is_err());
}

#[test]
fn a_credential_moved_or_pinned_anew_does_not_open() {
    let master = Keyring::generate().unwrap();
    let (sealer, opener) = master.credential_vault();
    let sealed = sealer.seal(&pinned(), &SecretString::from("EAAB-token")).unwrap();
    assert_eq!(opener.open(&pinned(), &sealed).unwrap().expose_secret(), "EAAB-token");
    let mut turned = pinned();
    turned.hosts.reverse();
    assert!(opener.open(&turned, &sealed).is_ok(), "the order of hosts means nothing");

    let change = |edit: fn(&mut CredentialPlace)| {
        let mut place = pinned();
        edit(&mut place);
        place
    };
    for other in [
        change(|p| p.workspace = 2),
        change(|p| p.owner = 6),
        change(|p| p.slot = "app_secret".into()),
        change(|p| p.hosts = vec!["https://evil.example".into()]),
        change(|p| p.hosts.push("https://evil.example".into())),
        change(|p| p.hosts.truncate(1)),
        change(|p| p.hosts.clear()),
        change(|p| p.hosts = vec!["https://a.examplehttps://b.example".into()]),
        change(|p| p.slot = "access_tokenhttps://a.example".into()),
    ] {
        assert_eq!(opener.open(&other, &sealed).unwrap_err(), VaultError::Damaged, "{other:?}");
    }
    let (_, stranger) = Keyring::generate().unwrap().credential_vault();
    assert_eq!(stranger.open(&pinned(), &sealed).unwrap_err(), VaultError::WrongKey);
}

#[test]
fn the_keys_that_are_handed_over_are_those_of_the_master_and_no_more() {
    let master = Keyring::generate().unwrap();
    let handed = StoreKeys::from_bytes(&master.store_keys().to_bytes()).unwrap();
    let (_, wrapped) = master.content().new_key(NAME).unwrap();
    assert!(handed.content().unwrap(NAME, &wrapped).is_ok());
    assert_eq!(handed.content().key_id(), master.current().key_id());
    let mut two = master;
    two.replace(MasterKey::generate().unwrap()).unwrap();
    let handed = StoreKeys::from_bytes(&two.store_keys().to_bytes()).unwrap();
    assert!(handed.content().unwrap(NAME, &wrapped).is_ok());
    assert_eq!(handed.content().key_id(), two.current().key_id());
    assert!(StoreKeys::from_bytes(&two.store_keys().to_bytes()[1..]).is_none());
}

#[test]
fn an_answer_opens_in_its_slot_under_its_master_alone() {
    let master = Keyring::generate().unwrap();
    let sealed = master.answers().seal(3, b"200").unwrap();
    no_bit_may_flip(&sealed, |sealed| master.answers().open(3, sealed).is_ok());
    assert_eq!(master.answers().open(4, &sealed).unwrap_err(), VaultError::Damaged);
    assert_eq!(Keyring::generate().unwrap().answers().open(3, &sealed).unwrap_err(), VaultError::WrongKey);
}

#[test]
fn one_kind_of_envelope_never_passes_for_another() {
    let master = Keyring::generate().unwrap();
    let (vault, (_, opener)) = (master.content(), master.credential_vault());
    let (key, wrapped) = vault.new_key(NAME).unwrap();
    assert!(key.open(&PLACE, &wrapped).is_err());
    assert!(opener.open(&pinned(), &wrapped).is_err());
}

#[test]
fn the_text_form_comes_back_and_a_typo_is_told() {
    let master = MasterKey::generate().unwrap();
    let text = master.to_text();
    assert!(text.starts_with("pmk1_") && text.len() == 57, "pmk1_ and 52 characters");
    assert_eq!(MasterKey::from_text(&format!(" {}\n", text.as_str())).unwrap().to_text(), text);
    assert_eq!(MasterKey::from_text(&text).unwrap().key_id(), master.key_id());

    for at in 5..text.len() {
        for other in ['A', 'b', '7', '-'] {
            let mut typo: Vec<char> = text.chars().collect();
            if typo[at] == other {
                continue;
            }
            typo[at] = other;
            let typo: String = typo.into_iter().collect();
            assert!(matches!(MasterKey::from_text(&typo), Err(VaultError::KeyText(_))), "a typo at {at} was not told");
        }
    }
    let swapped: String = text.chars().rev().collect();
    for bad in [
        "",
        "pmk1_",
        "pmk2_AAAA",
        &text[..56],
        &format!("{}A", text.as_str()),
        &swapped,
        &text.replace('_', "+"),
        "pmk1_ééééééééééééééééééééééééééé",
    ] {
        let error = MasterKey::from_text(bad).unwrap_err();
        assert_eq!(error.code(), "vault.key_text");
        assert!(bad.len() < 6 || !error.to_string().contains(&bad[5..]), "an error shows nothing of the key");
    }
}

#[test]
fn the_derivation_is_fixed() {
    // A change of any label or of the layout would leave every stored value unreadable: these values must never change.
    // They were computed by another implementation (Python: hashlib, hmac, cryptography) from the documented layout, for the
    // master key 00 01 .. 1f.
    let master = MasterKey::from_text("pmk1_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh944mBNtS1Q").unwrap();
    assert_eq!(master.key_id(), 0x7ee8_7a01);
    let wrapped = hex(
        "01017ee87a01000102030405060708090a0b475410fcdda1243b28bcd2e508a26cced495de3786b98d310fa6fd0b93b259ce20e3f7b831cc3a7c4883549f891fc10e",
    );
    let key = Keyring::new(master).content().unwrap(NAME, &wrapped).unwrap();
    assert_eq!(u128::from_be_bytes(key.index().lookup(1, "identity", "15550100001")), 0x75d6cf25_3ba92005_92ae0c85_d34c5267);
    assert_eq!(
        key.open(&PLACE, &hex("0103d0d32d920c0d0e0f1011121314151617f32d56c94b48c54b79eabdebacc88b0a21616505e9ee3be278cf67"))
            .unwrap()
            .as_slice(),
        "grüß dich".as_bytes()
    );
}

fn hex(text: &str) -> Vec<u8> {
    (0..text.len()).step_by(2).map(|at| u8::from_str_radix(&text[at..at + 2], 16).unwrap()).collect()
}

#[test]
fn names_for_lookups_differ_by_workspace_domain_value_and_key() {
    let index = || content().new_key(NAME).unwrap().0.index();
    let other = index();
    let index = index();
    let name = index.lookup(1, "identity", "15550100001");
    assert_eq!(index.clone().lookup(1, "identity", "15550100001"), name);
    let others = [
        index.lookup(2, "identity", "15550100001"),
        index.lookup(1, "message", "15550100001"),
        index.lookup(1, "identity", "15550100002"),
        index.lookup(1, "identity", ""),
        index.lookup_parts(1, "identity", &["1555", "0100001"]),
        index.lookup_parts(1, "identity", &["15550", "100001"]),
        index.lookup_parts(1, "identity", &["15550100001", ""]),
        index.lookup_parts(1, "identity", &[]),
        other.lookup(1, "identity", "15550100001"),
    ];
    let distinct: HashSet<_> = others.iter().chain([&name]).collect();
    assert_eq!(distinct.len(), others.len() + 1);
}

#[test]
fn nothing_secret_is_printed() {
    let master = Keyring::generate().unwrap();
    let (sealer, opener) = master.credential_vault();
    let vault = master.content();
    let key = vault.new_key(NAME).unwrap().0;
    let printed = format!("{master:?} {vault:?} {:?} {:?} {sealer:?} {opener:?}", key, key.index());
    assert_eq!(printed, "Keyring(..) ContentVault(..) DataKey(..) IndexKey(..) CredentialSealer(..) CredentialOpener(..)");
    assert_eq!(
        format!("{:?} {:?} {:?}", master.answers(), master.store_keys(), master.current()),
        "AnswerKey(..) StoreKeys(..) MasterKey(..)"
    );
}
