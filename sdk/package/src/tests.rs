//! Packages come back as they were made; whatever is changed of one is refused.

use super::*;

const MANIFEST: &str =
    "id = \"acme/shout\"\nversion = \"1.0.0\"\nworld = \"pointsman:plugin/step@0.1.0\"\nsummary = \"Says it louder\"\n";

fn key(n: u8) -> PublishingKey {
    PublishingKey::from_text(&format!("pointsman-publishing-secret:{}", hex::encode([n; 32]))).unwrap()
}

fn code(bytes: &[u8]) -> &'static str {
    Package::read(bytes).map_or_else(|e| e.code, |_| "taken")
}

#[test]
fn what_was_packed_is_read_again() {
    for signer in [None, Some(key(7))] {
        let bytes = Package::write(MANIFEST, b"code", signer.as_ref()).unwrap();
        let read = Package::read_from(bytes.as_slice()).unwrap();
        assert_eq!((read.manifest.id.as_str(), read.manifest_text.as_str()), ("acme/shout", MANIFEST));
        assert_eq!((read.component.as_slice(), read.key), (&b"code"[..], signer.as_ref().map(PublishingKey::public)));
        assert_eq!(read.digest.len(), 64);
    }
    let kept = PublishingKey::generate().unwrap();
    let again = PublishingKey::from_text(&format!("{}\n", kept.to_text().as_str())).unwrap();
    assert_eq!((again.public(), again.public().id().len()), (kept.public(), 16));
    assert!(!format!("{kept:?}").contains(kept.to_text().trim_start_matches("pointsman-publishing-secret:")));
}

#[test]
fn not_one_bit_of_a_signed_package_can_be_changed() {
    let bytes = Package::write(MANIFEST, b"code", Some(&key(7))).unwrap();
    for at in 0..bytes.len() {
        for bit in [1, 0x80] {
            let mut changed = bytes.clone();
            changed[at] ^= bit;
            assert_ne!(code(&changed), "taken", "byte {at}, bit {bit}");
        }
        assert_ne!(code(&bytes[..at]), "taken", "cut at {at}");
    }
    assert_eq!(code(&[bytes.as_slice(), b"x"].concat()), "package.length");
}

#[test]
fn a_signature_is_good_for_one_package_and_of_one_key() {
    let bytes = Package::write(MANIFEST, b"code", Some(&key(7))).unwrap();
    let body = bytes.len() - SIGNED;
    let other = Package::write(MANIFEST, b"core", Some(&key(7))).unwrap();
    assert_eq!(code(&[&other[..body], &bytes[body..]].concat()), "package.signature", "of another package");
    let mut swapped = bytes.clone();
    swapped[body..body + 32].copy_from_slice(key(8).public().as_bytes());
    assert_eq!(code(&swapped), "package.signature", "of another key");
    let unsigned = Package::write(MANIFEST, b"code", None).unwrap();
    assert_eq!(code(&bytes[..body]), "package.length", "its signature taken off");
    assert_ne!(Package::read(&unsigned).unwrap().digest, Package::read(&bytes).unwrap().digest);
}

#[test]
fn lengths_are_not_believed() {
    let bytes = Package::write(MANIFEST, b"code", None).unwrap();
    for (at, length) in [(12, u32::MAX), (16, u32::MAX), (12, 0), (16, 0), (16, (32 << 20) + 1), (12, 5), (16, 5)] {
        let mut claims = bytes.clone();
        claims[at..at + 4].copy_from_slice(&length.to_be_bytes());
        assert!(["package.length", "package.digest"].contains(&code(&claims)), "{at} {length}: {}", code(&claims));
    }
    let endless = std::io::repeat(0).chain(&b""[..]);
    assert_eq!(Package::read_from(endless).unwrap_err().code, "package.not_one");
    let endless = (&MAGIC[..]).chain(std::io::repeat(0));
    assert_eq!(Package::read_from(endless).unwrap_err().code, "package.length");
    assert_eq!(Package::write("id = 1", b"code", None).unwrap_err().code, "manifest.syntax");
}
