//! Why something was not sealed or opened. No error says anything about what is inside.

use pointsman_core::failure::{Class, Failure};

/// Why something was not sealed or opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum VaultError {
    /// Sealed under another key than the one at hand.
    #[error("this was sealed under another key: start with the master key under which it was written (its recovery note has it)")]
    WrongKey,
    /// Altered, cut, or taken from another place. These cannot be told apart, on purpose.
    #[error("this sealed value was altered or belongs to another place: restore the row from a backup")]
    Damaged,
    /// Written by a later version.
    #[error("this was sealed by a later version of Pointsman: run that version")]
    Newer,
    /// The text is no master key.
    #[error("the text is no master key: {0}")]
    KeyText(&'static str),
    /// One replacement of a master key at a time.
    #[error("another master key is replacing this one already: let that end first")]
    Replacing,
    /// A key out of no keys would be known to everybody.
    #[error("no key was given to seal with")]
    NoKey,
    /// The operating system gave no random bytes, or the value is larger than the cipher takes.
    #[error("sealing failed: the system gave no random numbers, or the value is too large")]
    Sealing,
}

impl VaultError {
    /// Stable: `vault.wrong_key`.
    #[must_use]
    pub fn code(self) -> &'static str {
        match self {
            Self::WrongKey => "vault.wrong_key",
            Self::Damaged => "vault.damaged",
            Self::Newer => "vault.newer",
            Self::KeyText(_) => "vault.key_text",
            Self::Replacing => "vault.replacing",
            Self::NoKey => "vault.no_key",
            Self::Sealing => "vault.sealing",
        }
    }
}

impl From<VaultError> for Failure {
    fn from(error: VaultError) -> Self {
        Self::new(Class::Permanent, error.code(), error.to_string())
    }
}
