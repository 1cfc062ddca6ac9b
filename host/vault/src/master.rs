//! The master key: how it is made, written down, read back, and what is derived from it.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hkdf::Hkdf;
use sha2::{Digest as _, Sha256};
use zeroize::Zeroizing;

use crate::VaultError;
use crate::envelope::Cipher;

const PREFIX: &str = "pmk1_";
const TEXT: usize = 52;
const CHECKSUM: usize = 7;

/// 32 random bytes from which every other key comes. Wiped when dropped.
pub struct MasterKey {
    secret: Zeroizing<[u8; 32]>,
}

impl MasterKey {
    /// From its 32 bytes.
    pub(crate) fn from_bytes(secret: &[u8; 32]) -> Self {
        Self { secret: Zeroizing::new(*secret) }
    }

    pub(crate) fn bytes(&self) -> &[u8; 32] {
        &self.secret
    }

    /// A new one.
    ///
    /// # Errors
    /// The operating system gave no random bytes.
    pub fn generate() -> Result<Self, VaultError> {
        let mut secret = Zeroizing::new([0; 32]);
        getrandom::fill(secret.as_mut_slice()).map_err(|_| VaultError::Sealing)?;
        Ok(Self { secret })
    }

    /// Reads the text form. White space around it is ignored.
    ///
    /// # Errors
    /// [`VaultError::KeyText`], which says what is wrong with it and nothing of what it is.
    pub fn from_text(text: &str) -> Result<Self, VaultError> {
        let refuse = |why| Err(VaultError::KeyText(why));
        let Some(body) = text.trim().strip_prefix(PREFIX) else {
            return refuse("it begins with `pmk1_`; copy the whole line of the key file or of the recovery note");
        };
        if body.len() != TEXT {
            return refuse("52 characters follow `pmk1_`; copy the whole line, nothing before or after it");
        }
        let Ok(bytes) = URL_SAFE_NO_PAD.decode(body).map(Zeroizing::new) else {
            return refuse("after `pmk1_` stand only letters, digits, `-` and `_`; compare it with the recovery note");
        };
        let Some((secret, checksum)) = bytes.split_first_chunk::<32>() else {
            return refuse("52 characters follow `pmk1_`; copy the whole line, nothing before or after it");
        };
        if checksum != check(secret) {
            return refuse("a character of it is wrong; compare it with the recovery note");
        }
        Ok(Self::from_bytes(secret))
    }

    /// The text form, for a key file and a recovery note.
    #[must_use]
    pub fn to_text(&self) -> Zeroizing<String> {
        let mut bytes = Zeroizing::new([0; 32 + CHECKSUM]);
        let (secret, checksum) = bytes.split_at_mut(32);
        secret.copy_from_slice(self.secret.as_slice());
        checksum.copy_from_slice(&check(&self.secret));
        let mut text = Zeroizing::new(String::with_capacity(PREFIX.len() + TEXT));
        text.push_str(PREFIX);
        // The capacity is reserved: the text is never moved.
        URL_SAFE_NO_PAD.encode_string(bytes.as_slice(), &mut text);
        text
    }

    /// Tells one master key from another, in envelopes and to people. Says nothing of the key.
    #[must_use]
    pub fn key_id(&self) -> u32 {
        u32::from_be_bytes(*expand(&self.hkdf(), "pointsman/v1/key-id"))
    }

    pub(crate) fn cipher(&self, label: &str) -> Cipher {
        Cipher::new(&self.subkey(label), self.key_id())
    }

    pub(crate) fn subkey(&self, label: &str) -> Zeroizing<[u8; 32]> {
        expand(&self.hkdf(), label)
    }

    fn hkdf(&self) -> Hkdf<Sha256> {
        Hkdf::new(Some(b"pointsman/v1/master"), self.secret.as_slice())
    }
}

impl fmt::Debug for MasterKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("MasterKey(..)")
    }
}

/// HKDF-Expand. It fails for more than 255 blocks of output alone, which does not compile.
pub(crate) fn expand<const N: usize>(hkdf: &Hkdf<Sha256>, label: &str) -> Zeroizing<[u8; N]> {
    const { assert!(N <= 255 * 32) };
    let mut out = Zeroizing::new([0; N]);
    let done = hkdf.expand(label.as_bytes(), out.as_mut_slice());
    debug_assert!(done.is_ok(), "the length was checked when this was compiled");
    out
}

fn check(secret: &[u8; 32]) -> [u8; CHECKSUM] {
    let digest: [u8; 32] = Sha256::new().chain_update(b"pointsman/v1/master-text").chain_update(secret).finalize().into();
    let mut out = [0; CHECKSUM];
    out.iter_mut().zip(digest).for_each(|(to, from)| *to = from);
    out
}
