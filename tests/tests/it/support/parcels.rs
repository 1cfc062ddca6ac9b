//! Packages of plugins as publishers make them, and as attackers do: put together here byte by byte, apart from the code that reads
//! them.

use std::path::Path;
use std::sync::OnceLock;

use pointsman_package::PublishingKey;
use sha2::{Digest as _, Sha256};

/// What the guest of `tests/guests/hostile` imports, asked for in the smallest measure.
pub const SMALL: &str = r#"
act = { effects = ["reply"], why = "answers at the desk" }
conversation = { why = "reads what was said" }
state = { scope = "contact", why = "counts its answers" }
knowledge = { why = "looks answers up" }
http = [{ host = "api.example.com", methods = ["GET"], paths = ["/v1"], credential = "token", why = "looks orders up" }]
"#;

/// A key that is always the same for a number.
pub fn key(n: u8) -> PublishingKey {
    PublishingKey::from_text(&format!("pointsman-publishing-secret:{}", hex::encode([n; 32]))).expect("a key")
}

/// A step that does what its input says, marked so that each mark is a version of its own.
pub fn component(mark: u8) -> Vec<u8> {
    static BUILT: OnceLock<Vec<u8>> = OnceLock::new();
    let built = BUILT.get_or_init(|| {
        let guest = Path::new(env!("CARGO_MANIFEST_DIR")).join("guests/hostile");
        std::fs::read(pointsman_build::build_guest(&guest).expect("it builds")).expect("a component")
    });
    // A custom section: its id, its length, the length of its name, its name.
    [built.as_slice(), &[0, 2, 1, mark]].concat()
}

/// A manifest with these capabilities.
pub fn manifest(id: &str, version: &str, capabilities: &str) -> String {
    format!(
        "id = \"{id}\"\nversion = \"{version}\"\nworld = \"pointsman:plugin/step@0.1.0\"\nsummary = \"Answers at the desk\"\n\
         [capabilities]\n{capabilities}"
    )
}

/// Head, manifest, component and digest.
pub fn body(manifest: &[u8], component: &[u8], signed: bool) -> Vec<u8> {
    let mut bytes = b"PMPLUGIN\0\x01\0".to_vec();
    bytes.push(u8::from(signed));
    for part in [manifest, component] {
        bytes.extend(u32::try_from(part.len()).expect("a length").to_be_bytes());
    }
    bytes.extend([manifest, component].concat());
    let digest = Sha256::digest(&bytes);
    bytes.extend(digest);
    bytes
}

/// A package; `key` 0: unsigned.
pub fn package(manifest: &[u8], component: &[u8], key: u8) -> Vec<u8> {
    let mut bytes = body(manifest, component, key != 0);
    if key != 0 {
        let signer = self::key(key);
        let signature = signer.sign(&bytes[bytes.len() - 32..]);
        bytes.extend(signer.public().as_bytes());
        bytes.extend(signature);
    }
    bytes
}
