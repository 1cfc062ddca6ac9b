//! Tokens and secrets of channels and connections. Sealing and opening are two types: the room that stores a token cannot
//! read one back, and the one room that can, the broker, has nothing but the opener.
//!
//! The attack: someone who can write to the database points a stored token at a host of his own, or moves it into his own
//! workspace, and lets the house send it there. Workspace, owner, slot and every pinned host are bound to the envelope, so
//! such a row no longer opens.

use std::fmt;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use secrecy::{ExposeSecret, SecretString};
use zeroize::{Zeroize, Zeroizing};

use crate::VaultError;
use crate::envelope::{Kind, Place, Ring};

/// Where a secret belongs and to which hosts alone it may go.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct CredentialPlace {
    /// The tenant.
    pub workspace: i64,
    /// The channel's or connection's id.
    pub owner: i64,
    /// The slot of the manifest.
    pub slot: String,
    /// Pinned origins (`https://graph.facebook.com`), in any order. Empty: it never leaves the house.
    pub hosts: Vec<String>,
}

impl CredentialPlace {
    fn place(&self) -> Place {
        let mut hosts: Vec<&str> = self.hosts.iter().map(String::as_str).collect();
        hosts.sort_unstable();
        hosts.dedup();
        let size = 40 + self.slot.len() + hosts.iter().map(|host| 8 + host.len()).sum::<usize>();
        let count = i64::try_from(hosts.len()).unwrap_or(i64::MAX);
        let start = Place::new(size).number(self.workspace).number(self.owner).text(&self.slot).number(count);
        hosts.into_iter().fold(start, Place::text)
    }
}

/// A new secret that nobody else knows: 43 letters, digits, `-` and `_`, which is 256 bits.
///
/// # Errors
/// `VaultError::Sealing`: the system gives no random bytes.
pub fn fresh_secret() -> Result<SecretString, VaultError> {
    let mut bytes = Zeroizing::new([0_u8; 32]);
    getrandom::fill(bytes.as_mut_slice()).map_err(|_| VaultError::Sealing)?;
    Ok(SecretString::from(URL_SAFE_NO_PAD.encode(bytes.as_slice())))
}

/// Seals secrets and cannot open them. Cheap to clone.
#[derive(Clone)]
pub struct CredentialSealer {
    ring: Arc<Ring>,
}

/// Opens secrets. There is one, and the broker has it.
pub struct CredentialOpener {
    ring: Arc<Ring>,
}

pub(crate) fn pair(ring: Ring) -> (CredentialSealer, CredentialOpener) {
    let ring = Arc::new(ring);
    (CredentialSealer { ring: Arc::clone(&ring) }, CredentialOpener { ring })
}

impl CredentialSealer {
    /// Seals a secret for its place and its hosts.
    ///
    /// # Errors
    /// The operating system gave no random bytes.
    pub fn seal(&self, place: &CredentialPlace, secret: &SecretString) -> Result<Vec<u8>, VaultError> {
        self.ring.seal(Kind::Credential, place.place(), secret.expose_secret().as_bytes())
    }
}

impl CredentialOpener {
    /// Opens a secret, if the row is the one that was sealed: same workspace, owner, slot, and the very same hosts.
    ///
    /// # Errors
    /// [`VaultError::WrongKey`]: under another master key. [`VaultError::Damaged`]: altered, moved or pinned anew.
    pub fn open(&self, place: &CredentialPlace, sealed: &[u8]) -> Result<SecretString, VaultError> {
        let mut plain: Zeroizing<Vec<u8>> = self.ring.open(Kind::Credential, place.place(), sealed)?;
        // The buffer has its exact size, so it becomes the secret without being copied.
        match String::from_utf8(std::mem::take(&mut *plain)) {
            Ok(text) => Ok(SecretString::from(text)),
            Err(error) => {
                error.into_bytes().zeroize();
                Err(VaultError::Damaged)
            }
        }
    }
}

impl fmt::Debug for CredentialSealer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("CredentialSealer(..)")
    }
}

impl fmt::Debug for CredentialOpener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("CredentialOpener(..)")
    }
}
