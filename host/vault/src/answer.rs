//! What providers answered, sealed until the answer's meaning is kept elsewhere. It stands in a file for a moment, without the
//! contact's own key: the broker, who writes it, knows no contacts.

use std::fmt;

use zeroize::Zeroizing;

use crate::VaultError;
use crate::envelope::{Kind, Place, Ring};

/// Seals and opens answers. The broker has it, and nobody else.
pub struct AnswerKey {
    ring: Ring,
}

impl AnswerKey {
    pub(crate) fn new(ring: Ring) -> Self {
        Self { ring }
    }

    /// Seals an answer for its slot of the file.
    ///
    /// # Errors
    /// The operating system gave no random bytes.
    pub fn seal(&self, slot: i64, plain: &[u8]) -> Result<Vec<u8>, VaultError> {
        self.ring.seal(Kind::Answer, Place::new(8).number(slot), plain)
    }

    /// Opens the answer of a slot.
    ///
    /// # Errors
    /// [`VaultError::WrongKey`]: under another master key. [`VaultError::Damaged`]: altered, torn, or of another slot.
    pub fn open(&self, slot: i64, sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, VaultError> {
        self.ring.open(Kind::Answer, Place::new(8).number(slot), sealed)
    }
}

impl fmt::Debug for AnswerKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AnswerKey(..)")
    }
}
