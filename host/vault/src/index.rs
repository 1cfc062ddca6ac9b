//! Names under which rows are looked up by a provider's id. A phone number has few digits: a plain hash of it would be
//! guessed in minutes from a stolen database, an HMAC under a key that is not in the database cannot be.

use std::fmt;

use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;

/// Turns values into names for lookups. Cheap to clone.
#[derive(Clone)]
pub struct IndexKey {
    /// Has absorbed its key: a lookup hashes only its fields.
    start: Hmac<Sha256>,
}

impl IndexKey {
    pub(crate) fn new(key: &[u8; 32]) -> Self {
        // A key of the hash's block size never fails, and HMAC pads a shorter one with zeros itself.
        let mut block = zeroize::Zeroizing::new([0; 64]);
        block.iter_mut().zip(key).for_each(|(to, from)| *to = *from);
        Self { start: Hmac::new((&*block).into()) }
    }

    /// The name of a value: 128 bits of HMAC-SHA256. `domain` says what it is (`identity`, `dedupe`, `message`), so that
    /// the same value has another name in another column, and in another workspace.
    #[must_use]
    pub fn lookup(&self, workspace: i64, domain: &'static str, value: &str) -> [u8; 16] {
        self.lookup_parts(workspace, domain, &[value])
    }

    /// The name of several values together. Each is led by its length: `["ab", "c"]` and `["a", "bc"]` differ.
    #[must_use]
    pub fn lookup_parts(&self, workspace: i64, domain: &'static str, values: &[&str]) -> [u8; 16] {
        let mut mac = self.start.clone();
        mac.update(&workspace.to_be_bytes());
        for field in std::iter::once(&domain).chain(values) {
            mac.update(&(field.len() as u64).to_be_bytes());
            mac.update(field.as_bytes());
        }
        let full: [u8; 32] = mac.finalize().into_bytes().into();
        let mut name = [0; 16];
        name.iter_mut().zip(full).for_each(|(to, from)| *to = from);
        name
    }
}

impl fmt::Debug for IndexKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("IndexKey(..)")
    }
}
