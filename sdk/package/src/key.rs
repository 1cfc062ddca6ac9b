//! Keys of publishers. A host remembers with which key a plugin was signed when it first came, and takes its updates from that
//! key alone. The only place of the project that signs for others to verify.

use std::fmt;

use ring::signature::{ED25519, Ed25519KeyPair, KeyPair as _, UnparsedPublicKey};
use sha2::{Digest as _, Sha256};
use zeroize::Zeroizing;

use crate::PackageError;

/// What is signed begins with this, so that no other use of a key signs a package by chance.
const CONTEXT: &[u8] = b"pointsman plugin package 1\0";

/// How the text of a secret key begins.
const SECRET: &str = "pointsman-publishing-secret:";

fn message(digest: &[u8]) -> Vec<u8> {
    [CONTEXT, digest].concat()
}

/// The public half: 32 bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PublicKey([u8; 32]);

impl PublicKey {
    /// A key from its bytes.
    ///
    /// # Errors
    /// `package.key`.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, PackageError> {
        let wrong = |_| PackageError::new("package.key", "a publisher's key has 32 bytes");
        bytes.try_into().map(Self).map_err(wrong)
    }

    /// Its bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// Its short name, by which people tell keys apart: the first 16 hex digits of its SHA-256.
    #[must_use]
    pub fn id(&self) -> String {
        hex::encode(Sha256::digest(self.0).get(..8).unwrap_or_default())
    }

    pub(crate) fn verify(&self, digest: &[u8], signature: &[u8]) -> Result<(), PackageError> {
        UnparsedPublicKey::new(&ED25519, &self.0).verify(&message(digest), signature).map_err(|_| {
            let text = "its signature is not that of the key that it names: it was changed; get it from its publisher";
            PackageError::new("package.signature", text)
        })
    }
}

impl fmt::Display for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.as_bytes()))
    }
}

/// The secret half. Never shown.
pub struct PublishingKey {
    seed: Zeroizing<[u8; 32]>,
    pair: Ed25519KeyPair,
}

impl fmt::Debug for PublishingKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("PublishingKey").field(&self.public().id()).finish()
    }
}

impl PublishingKey {
    fn new(seed: Zeroizing<[u8; 32]>) -> Result<Self, PackageError> {
        let pair = Ed25519KeyPair::from_seed_unchecked(seed.as_slice());
        let pair = pair.map_err(|_| PackageError::new("package.key", "no key can be made of these bytes"))?;
        Ok(Self { seed, pair })
    }

    /// A new key.
    ///
    /// # Errors
    /// `package.key` when the system gives no random numbers.
    pub fn generate() -> Result<Self, PackageError> {
        let mut seed = Zeroizing::new([0; 32]);
        getrandom::fill(seed.as_mut_slice())
            .map_err(|e| PackageError::new("package.key", format!("the system gives no random numbers: {e}")))?;
        Self::new(seed)
    }

    /// Reads what [`PublishingKey::to_text`] wrote.
    ///
    /// # Errors
    /// `package.key`.
    pub fn from_text(text: &str) -> Result<Self, PackageError> {
        let wrong =
            || PackageError::new("package.key", "this file holds no publishing key; `pointsman plugin key new` makes one");
        let digits = text.trim().strip_prefix(SECRET).ok_or_else(wrong)?;
        let mut seed = Zeroizing::new([0; 32]);
        hex::decode_to_slice(digits, seed.as_mut_slice()).map_err(|_| wrong())?;
        Self::new(seed)
    }

    /// For the file that holds it.
    #[must_use]
    pub fn to_text(&self) -> Zeroizing<String> {
        Zeroizing::new([SECRET, Zeroizing::new(hex::encode(self.seed.as_slice())).as_str()].concat())
    }

    /// Its public half.
    #[must_use]
    pub fn public(&self) -> PublicKey {
        let mut bytes = [0; 32];
        // ring hands out a slice of exactly so many.
        bytes.iter_mut().zip(self.pair.public_key().as_ref()).for_each(|(to, from)| *to = *from);
        PublicKey(bytes)
    }

    /// The signature over a package of this digest: 64 bytes.
    #[must_use]
    pub fn sign(&self, digest: &[u8]) -> Vec<u8> {
        self.pair.sign(&message(digest)).as_ref().to_vec()
    }
}
