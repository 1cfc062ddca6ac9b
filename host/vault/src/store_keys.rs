//! What the broker's process hands to the engine's: the content subkeys, and nothing from which another key could be derived. The
//! engine's memory never holds a master key or a credentials subkey, so it cannot lose them.

use std::fmt;

use zeroize::Zeroizing;

use crate::ContentVault;
use crate::envelope::{Cipher, Ring};

/// The subkeys of store and engine: that of the newest master key, and that of the one which it replaces. Wiped when dropped.
#[derive(Clone)]
pub struct StoreKeys {
    current: Subkey,
    previous: Option<Subkey>,
}

#[derive(Clone)]
pub(crate) struct Subkey {
    pub(crate) key_id: u32,
    pub(crate) content: Zeroizing<[u8; 32]>,
}

impl Subkey {
    /// How many bytes one takes.
    const LENGTH: usize = 36;

    fn cipher(&self) -> Cipher {
        Cipher::new(&self.content, self.key_id)
    }

    fn read(bytes: &[u8]) -> Option<(Self, &[u8])> {
        let (id, rest) = bytes.split_first_chunk::<4>()?;
        let (content, rest) = rest.split_first_chunk::<32>()?;
        Some((Self { key_id: u32::from_be_bytes(*id), content: Zeroizing::new(*content) }, rest))
    }
}

impl StoreKeys {
    /// How many bytes [`StoreKeys::to_bytes`] gives at most.
    pub const MOST: usize = 2 * Subkey::LENGTH;

    pub(crate) fn new(current: Subkey, previous: Option<Subkey>) -> Self {
        Self { current, previous }
    }

    /// What wraps the keys of contacts, days and channels.
    #[must_use]
    pub fn content(&self) -> ContentVault {
        ContentVault::new(Ring::new(self.current.cipher(), self.previous.iter().map(Subkey::cipher).collect()))
    }

    /// For the way from one process of this host to the other: key id and content subkey of each.
    #[must_use]
    pub fn to_bytes(&self) -> Zeroizing<Vec<u8>> {
        let mut bytes = Zeroizing::new(Vec::with_capacity(Self::MOST));
        for key in std::iter::once(&self.current).chain(&self.previous) {
            bytes.extend_from_slice(&key.key_id.to_be_bytes());
            bytes.extend_from_slice(key.content.as_slice());
        }
        bytes
    }

    /// What [`StoreKeys::to_bytes`] gave. `None`: something else.
    #[must_use]
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let (current, rest) = Subkey::read(bytes)?;
        let (previous, rest) = match Subkey::read(rest) {
            Some((previous, rest)) => (Some(previous), rest),
            None => (None, rest),
        };
        rest.is_empty().then_some(Self { current, previous })
    }
}

impl fmt::Debug for StoreKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("StoreKeys(..)")
    }
}
