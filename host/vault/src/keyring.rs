//! The master key, and while it is being replaced the one before it. Whoever has either of the two gets the other from the
//! [`Succession`] that lies in the key store meanwhile: so a running host follows, a start with the old key or with the new one is
//! right, and nobody has to be told a key. When the succession is deleted, and everything is sealed anew, the old key opens nothing.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::credential::{self, CredentialOpener, CredentialSealer};
use crate::envelope::{Cipher, Kind, Place, Ring};
use crate::store_keys::{StoreKeys, Subkey};
use crate::{AnswerKey, ContentVault, MasterKey, VaultError};

/// Two master keys, each sealed under the other.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Succession {
    /// The id of the key that comes.
    pub new: u32,
    /// The id of the key that goes.
    pub old: u32,
    /// The new one, sealed under the old one.
    #[serde(with = "serde_bytes")]
    pub forth: Vec<u8>,
    /// The old one, sealed under the new one.
    #[serde(with = "serde_bytes")]
    pub back: Vec<u8>,
}

impl Succession {
    fn place(&self) -> Place {
        Place::new(16).number(i64::from(self.old)).number(i64::from(self.new))
    }
}

impl fmt::Debug for Succession {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Succession").field("new", &self.new).field("old", &self.old).finish_non_exhaustive()
    }
}

/// The master key that seals, and the one that it replaces. Wiped when dropped.
pub struct Keyring {
    current: MasterKey,
    previous: Option<MasterKey>,
}

impl Keyring {
    /// A master key that replaces none.
    #[must_use]
    pub fn new(master: MasterKey) -> Self {
        Self { current: master, previous: None }
    }

    /// A new master key.
    ///
    /// # Errors
    /// The operating system gave no random bytes.
    pub fn generate() -> Result<Self, VaultError> {
        MasterKey::generate().map(Self::new)
    }

    /// Begins to replace the master key: what is to lie in the key store until it is done.
    ///
    /// # Errors
    /// The operating system gave no random bytes. [`VaultError::Replacing`]: it is being replaced already.
    pub fn replace(&mut self, new: MasterKey) -> Result<Succession, VaultError> {
        if self.previous.is_some() {
            return Err(VaultError::Replacing);
        }
        let mut link = Succession { new: new.key_id(), old: self.current.key_id(), forth: Vec::new(), back: Vec::new() };
        link.forth = cipher(&self.current).seal(Kind::Master, link.place(), new.bytes())?;
        link.back = cipher(&new).seal(Kind::Master, link.place(), self.current.bytes())?;
        self.previous = Some(std::mem::replace(&mut self.current, new));
        Ok(link)
    }

    /// Gets the other of the two keys.
    ///
    /// # Errors
    /// [`VaultError::WrongKey`]: ours is neither. [`VaultError::Damaged`]: it was altered.
    pub fn follow(&mut self, link: &Succession) -> Result<(), VaultError> {
        let (ours, sealed, other) = match self.current.key_id() {
            id if id == link.old => (id, &link.forth, link.new),
            id if id == link.new => (id, &link.back, link.old),
            _ => return Err(VaultError::WrongKey),
        };
        if ours == link.new && self.previous.as_ref().is_some_and(|previous| previous.key_id() == link.old) {
            return Ok(());
        }
        let plain = cipher(&self.current).open(Kind::Master, link.place(), sealed)?;
        let secret: &[u8; 32] = plain.as_slice().try_into().map_err(|_| VaultError::Damaged)?;
        let found = MasterKey::from_bytes(secret);
        if found.key_id() != other {
            return Err(VaultError::Damaged);
        }
        // What was before an earlier replacement is not needed any more: it had an end before this one began.
        self.previous = Some(if ours == link.old { std::mem::replace(&mut self.current, found) } else { found });
        Ok(())
    }

    /// Forgets the key that was replaced.
    pub fn forget(&mut self) {
        self.previous = None;
    }

    /// The master key that seals.
    #[must_use]
    pub fn current(&self) -> &MasterKey {
        &self.current
    }

    /// What seals credentials, and what opens them. The second goes to the broker and to nobody else, but for who seals anew.
    #[must_use]
    pub fn credential_vault(&self) -> (CredentialSealer, CredentialOpener) {
        credential::pair(self.ring("pointsman/v1/credentials"))
    }

    /// What seals providers' answers until they are kept: for the broker.
    #[must_use]
    pub fn answers(&self) -> AnswerKey {
        AnswerKey::new(self.ring("pointsman/v1/answers"))
    }

    /// What wraps the keys of contacts, days and channels: for store and engine.
    #[must_use]
    pub fn content(&self) -> ContentVault {
        self.store_keys().content()
    }

    /// All that store and engine may hold, to be handed to another process.
    #[must_use]
    pub fn store_keys(&self) -> StoreKeys {
        let subkey = |master: &MasterKey| Subkey { key_id: master.key_id(), content: master.subkey("pointsman/v1/content") };
        StoreKeys::new(subkey(&self.current), self.previous.as_ref().map(subkey))
    }

    fn ring(&self, label: &str) -> Ring {
        Ring::new(self.current.cipher(label), self.previous.iter().map(|master| master.cipher(label)).collect())
    }
}

fn cipher(master: &MasterKey) -> Cipher {
    master.cipher("pointsman/v1/succession")
}

impl fmt::Debug for Keyring {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Keyring(..)")
    }
}
