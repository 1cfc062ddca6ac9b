//! What the broker's process hands to the engine's: the content and index subkeys, and nothing from which another key could be
//! derived. The engine's memory never holds the master key or the credentials subkey, so it cannot lose them.

use std::fmt;

use zeroize::Zeroizing;

use crate::envelope::Cipher;
use crate::{ContentVault, IndexKey};

/// The subkeys of store and engine. Wiped when dropped.
#[derive(Clone)]
pub struct StoreKeys {
    content: Zeroizing<[u8; 32]>,
    index: Zeroizing<[u8; 32]>,
    key_id: u32,
}

impl StoreKeys {
    /// How many bytes [`StoreKeys::to_bytes`] gives.
    pub const LENGTH: usize = 68;

    pub(crate) fn new(content: Zeroizing<[u8; 32]>, index: Zeroizing<[u8; 32]>, key_id: u32) -> Self {
        Self { content, index, key_id }
    }

    /// What seals messages, names, journals.
    #[must_use]
    pub fn content(&self) -> ContentVault {
        ContentVault::new(Cipher::new(&self.content, self.key_id))
    }

    /// What turns a provider's id into a name for lookups.
    #[must_use]
    pub fn index(&self) -> IndexKey {
        IndexKey::new(&self.index)
    }

    /// For the way from one process of this host to the other: content subkey, index subkey, key id.
    #[must_use]
    pub fn to_bytes(&self) -> Zeroizing<[u8; Self::LENGTH]> {
        let mut bytes = Zeroizing::new([0; Self::LENGTH]);
        let id = self.key_id.to_be_bytes();
        bytes.iter_mut().zip(self.content.iter().chain(self.index.iter()).chain(&id)).for_each(|(to, from)| *to = *from);
        bytes
    }

    /// What [`StoreKeys::to_bytes`] gave.
    #[must_use]
    pub fn from_bytes(bytes: &[u8; Self::LENGTH]) -> Self {
        let mut keys = Self::new(Zeroizing::new([0; 32]), Zeroizing::new([0; 32]), 0);
        let mut id = [0; 4];
        let places = keys.content.iter_mut().chain(keys.index.iter_mut()).chain(&mut id);
        places.zip(bytes).for_each(|(to, from)| *to = *from);
        keys.key_id = u32::from_be_bytes(id);
        keys
    }
}

impl fmt::Debug for StoreKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("StoreKeys(..)")
    }
}
