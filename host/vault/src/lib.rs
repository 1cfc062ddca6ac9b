//! The house's keys: one master key, the subkeys that each room may hold, and the sealing of everything that is sealed.
//!
//! The attacks it stops: a copied database or backup that is read at leisure; a row moved to another tenant, table or
//! person, or a credential's row whose list of hosts was edited, so that the house itself would open it for the wrong one;
//! a person's words that live on in a backup after they were erased.
//!
//! # Who holds what
//!
//! ```text
//! MasterKey  -HKDF-SHA256->  pointsman/v1/credentials  CredentialSealer (app), CredentialOpener (broker alone)
//!                            pointsman/v1/content      ContentVault: wraps data keys   (store, engine)
//!                            pointsman/v1/answers      AnswerKey: providers' answers until kept (broker alone)
//!                            pointsman/v1/succession   seals the master key that replaces it, or is replaced (broker alone)
//! ContentVault  -wraps->     DataKey of a contact, a day, a channel: seals bodies; its death is the erasure
//!                            DataKey of the house -> IndexKey: names for lookups, and the chain of the audit
//! ```
//!
//! Where the broker is a process of its own, it alone reads the master key; [`StoreKeys`] is what it hands to the engine's.
//!
//! # Another master key
//!
//! Nothing but other keys and credentials is sealed under a key that comes from the master key, so a new one costs some hundred
//! bytes a contact and no message. A [`Keyring`] holds both keys while that goes on, and seals under the new one; each envelope names
//! the key that opens it. What is looked up by a name cannot be named anew without what it named (of a duplicate nothing else is
//! kept), so the key of these names is a data key: it is wrapped anew and stays what it is.
//!
//! Whoever can seal a credential cannot open one: they are two types. A [`DataKey`] has no way out but its wrapped form.
//!
//! # The envelope, version 1
//!
//! ```text
//! byte  0      version, 1
//! byte  1      kind: 1 wrapped data key, 2 credential, 3 data, 4 master key, 5 answer
//! bytes 2-5    key id, big-endian: of the master key but for kind 3, there of the data key
//! bytes 6-17   nonce, random
//! bytes 18-    AES-256-GCM ciphertext, then its tag of 16 bytes
//! ```
//!
//! Additional data is bytes 0-5 and then the place, every field of variable length led by its length. So no bit of an
//! envelope can change, none can be opened anywhere but where it was sealed, and none of one kind passes for another.
//! An envelope is [`OVERHEAD`] bytes longer than what it holds; lengths are not hidden.
//!
//! Nonces are 96 random bits. Under one data key, four thousand million envelopes keep the chance of a repeat below one in
//! four thousand million; a contact or a day stays far below.
//!
//! # The text form of the master key
//!
//! `pmk1_` and 52 characters of unpadded base64url: the 32 bytes of the key, then 7 bytes of SHA-256 over a label and the
//! key, so that a slip of the pen is told from a wrong key.
//!
//! ```
//! use pointsman_vault::{Aad, KeyKind, KeyName, Keyring};
//!
//! let content = Keyring::generate()?.content();
//! let (key, wrapped) = content.new_key(KeyName { workspace: 1, kind: KeyKind::Contact, id: 7 })?;
//! let place = Aad { workspace: 1, table: "event", row: 99, owner: 7 };
//! let sealed = key.seal(&place, b"hello")?;
//!
//! let again = content.unwrap(KeyName { workspace: 1, kind: KeyKind::Contact, id: 7 }, &wrapped)?;
//! assert_eq!(again.open(&place, &sealed)?.as_slice(), b"hello");
//! assert!(again.open(&Aad { row: 100, ..place }, &sealed).is_err());
//! # Ok::<(), pointsman_vault::VaultError>(())
//! ```

mod answer;
mod content;
mod credential;
mod envelope;
mod error;
mod index;
mod keyring;
mod master;
mod nonce;
mod store_keys;
#[cfg(test)]
mod tests;

pub use answer::AnswerKey;
pub use content::{Aad, ContentVault, DataKey, KeyKind, KeyName};
pub use credential::{CredentialOpener, CredentialPlace, CredentialSealer, fresh_secret};
pub use envelope::{OVERHEAD, key_id};
pub use error::VaultError;
pub use index::IndexKey;
pub use keyring::{Keyring, Succession};
pub use master::MasterKey;
pub use store_keys::StoreKeys;
// What signatures of this crate name, so that no other room has to agree on versions.
pub use secrecy::{ExposeSecret, SecretString};
pub use zeroize::Zeroizing;
