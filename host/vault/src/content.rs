//! Keys of contacts, days and channels, and what is sealed with them. Invariant 11: whoever destroys the wrapped form of a
//! key has erased everything that it sealed, in every copy and backup of the data.

use std::fmt;
use std::sync::Arc;

use hkdf::Hkdf;
use zeroize::Zeroizing;

use crate::envelope::{Cipher, Kind, Place, Ring};
use crate::master::expand;
use crate::{IndexKey, VaultError, envelope};

/// Whose key it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum KeyKind {
    /// One person: dies with them.
    Contact = 1,
    /// One day of a workspace: for what nobody could parse and so nobody could ask for. `id` is the day's number.
    Day = 2,
    /// One channel: for facts outside of any conversation.
    Channel = 3,
    /// The house's names for lookups ([`DataKey::index`]).
    Index = 4,
}

/// Names a data key. All of it is bound to the wrapped form: one moved to another row does not open.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct KeyName {
    /// The tenant.
    pub workspace: i64,
    /// Whose.
    pub kind: KeyKind,
    /// The contact's or channel's id, or the day's number.
    pub id: i64,
}

impl KeyName {
    fn place(self) -> Place {
        Place::new(24).number(self.workspace).number(i64::from(self.kind as u8)).number(self.id)
    }
}

/// Where a sealed value belongs. All of it is bound to the value: one moved to another place does not open.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Aad {
    /// The tenant.
    pub workspace: i64,
    /// The table; with more than one sealed column, `table.column`.
    pub table: &'static str,
    /// The row's id.
    pub row: i64,
    /// The contact, channel or day under whose key it is; 0 for a joint key.
    pub owner: i64,
}

impl Aad {
    fn place(&self) -> Place {
        Place::new(32 + self.table.len()).number(self.workspace).text(self.table).number(self.row).number(self.owner)
    }
}

/// Makes, wraps and unwraps data keys. Cheap to clone.
#[derive(Clone)]
pub struct ContentVault {
    ring: Arc<Ring>,
}

impl ContentVault {
    pub(crate) fn new(ring: Ring) -> Self {
        Self { ring: Arc::new(ring) }
    }

    /// A new random key, and its wrapped form for the key store.
    ///
    /// # Errors
    /// The operating system gave no random bytes.
    pub fn new_key(&self, name: KeyName) -> Result<(DataKey, Vec<u8>), VaultError> {
        let mut secret = Zeroizing::new([0; 32]);
        getrandom::fill(secret.as_mut_slice()).map_err(|_| VaultError::Sealing)?;
        let wrapped = self.ring.seal(Kind::WrappedKey, name.place(), secret.as_slice())?;
        Ok((DataKey::new(secret), wrapped))
    }

    /// A key from its wrapped form.
    ///
    /// # Errors
    /// [`VaultError::WrongKey`]: another master key wrapped it. [`VaultError::Damaged`]: altered, or wrapped under another
    /// name.
    pub fn unwrap(&self, name: KeyName, wrapped: &[u8]) -> Result<DataKey, VaultError> {
        let plain = self.ring.open(Kind::WrappedKey, name.place(), wrapped)?;
        let secret: &[u8; 32] = plain.as_slice().try_into().map_err(|_| VaultError::Damaged)?;
        Ok(DataKey::new(Zeroizing::new(*secret)))
    }

    /// The same key, wrapped anew under the newest master key.
    ///
    /// # Errors
    /// As [`ContentVault::unwrap`] and [`ContentVault::new_key`].
    pub fn rewrap(&self, name: KeyName, wrapped: &[u8]) -> Result<Vec<u8>, VaultError> {
        let plain = self.ring.open(Kind::WrappedKey, name.place(), wrapped)?;
        self.ring.seal(Kind::WrappedKey, name.place(), &plain)
    }

    /// The id of the newest master key behind it: the one that wraps.
    #[must_use]
    pub fn key_id(&self) -> u32 {
        self.ring.current.key_id
    }

    /// Whether it opens what was wrapped under this master key.
    #[must_use]
    pub fn knows(&self, key_id: u32) -> bool {
        self.ring.knows(key_id)
    }
}

impl fmt::Debug for ContentVault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ContentVault(..)")
    }
}

struct Secret {
    cipher: Cipher,
    bytes: Zeroizing<[u8; 32]>,
}

/// Seals what belongs to one contact, day or channel, or to several contacts together. Cheap to clone; the last clone to go
/// wipes the key. Holds its key schedule ready: about 700 bytes.
#[derive(Clone)]
pub struct DataKey {
    secret: Arc<Secret>,
}

impl DataKey {
    fn new(bytes: Zeroizing<[u8; 32]>) -> Self {
        let id = u32::from_be_bytes(*expand(&Hkdf::new(None, bytes.as_slice()), "pointsman/v1/data-key-id"));
        Self { secret: Arc::new(Secret { cipher: Cipher::new(&bytes, id), bytes }) }
    }

    /// The key that can be had only by whoever has all of these: for a payload in which several contacts appear, so that the
    /// death of one of their keys is enough. Order and repetition do not matter. Of a single key it is that key itself.
    ///
    /// # Errors
    /// [`VaultError::NoKey`] for an empty list: its key would be known to everybody.
    pub fn joint(keys: &[&Self]) -> Result<Self, VaultError> {
        let mut secrets: Vec<&[u8; 32]> = keys.iter().map(|key| &*key.secret.bytes).collect();
        secrets.sort_unstable();
        secrets.dedup();
        match (keys, secrets.as_slice()) {
            (_, []) | ([], _) => Err(VaultError::NoKey),
            ([one, ..], [_]) => Ok((*one).clone()),
            (_, many) => {
                // Every secret has 32 bytes, so the concatenation is read in one way only.
                let mut all = Zeroizing::new(Vec::with_capacity(many.len() * 32));
                many.iter().for_each(|secret| all.extend_from_slice(secret.as_slice()));
                Ok(Self::new(expand(&Hkdf::new(Some(b"pointsman/v1/joint"), &all), "key")))
            }
        }
    }

    /// The names for lookups that belong to this key: of a key of kind [`KeyKind::Index`]. They outlive the master key, since what
    /// was looked up by them cannot all be named anew.
    #[must_use]
    pub fn index(&self) -> IndexKey {
        IndexKey::new(&expand(&Hkdf::new(None, self.secret.bytes.as_slice()), "pointsman/v1/index"))
    }

    /// Seals a value for its place.
    ///
    /// # Errors
    /// The operating system gave no random bytes.
    pub fn seal(&self, aad: &Aad, plain: &[u8]) -> Result<Vec<u8>, VaultError> {
        self.secret.cipher.seal(Kind::Data, aad.place(), plain)
    }

    /// Opens a value in its place.
    ///
    /// # Errors
    /// [`VaultError::WrongKey`]: sealed with another key. [`VaultError::Damaged`]: altered, or sealed for another place.
    pub fn open(&self, aad: &Aad, sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, VaultError> {
        self.secret.cipher.open(Kind::Data, aad.place(), sealed)
    }
}

impl fmt::Debug for DataKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("DataKey(..)")
    }
}

// A wrapped key is as long as the documentation of the key store says.
const _: () = assert!(envelope::OVERHEAD + 32 == 66);
