//! The one place where bytes are sealed and opened: header, nonce, ciphertext, tag (layout in the crate's documentation).

use aes_gcm::aead::{AeadInOut, KeyInit};
use aes_gcm::{Aes256Gcm, Nonce, Tag};
use zeroize::Zeroizing;

use crate::{VaultError, nonce};

const VERSION: u8 = 1;
const HEADER: usize = 6;
const START: usize = HEADER + nonce::LENGTH;
const TAG: usize = 16;

/// How many bytes longer than its content an envelope is.
pub const OVERHEAD: usize = START + TAG;

/// What an envelope holds. In its header and therefore in its additional data: none passes for another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Kind {
    WrappedKey = 1,
    Credential = 2,
    Data = 3,
    Master = 4,
    Answer = 5,
}

/// A cipher with the id of its key. About 600 bytes; wiped when dropped.
pub(crate) struct Cipher {
    aes: Aes256Gcm,
    pub(crate) key_id: u32,
}

impl Cipher {
    pub(crate) fn new(key: &[u8; 32], key_id: u32) -> Self {
        Self { aes: Aes256Gcm::new(key.into()), key_id }
    }

    pub(crate) fn seal(&self, kind: Kind, place: Place, plain: &[u8]) -> Result<Vec<u8>, VaultError> {
        let header = header(kind, self.key_id);
        let nonce = nonce::next()?;
        let mut sealed = Vec::with_capacity(plain.len() + OVERHEAD);
        sealed.extend_from_slice(&header);
        sealed.extend_from_slice(&nonce);
        sealed.extend_from_slice(plain);
        let body = sealed.get_mut(START..).ok_or(VaultError::Sealing)?;
        let tag = self
            .aes
            .encrypt_inout_detached(&Nonce::from(nonce), &place.bound_to(header), body.into())
            .map_err(|_| VaultError::Sealing)?;
        sealed.extend_from_slice(&tag);
        Ok(sealed)
    }

    pub(crate) fn open(&self, kind: Kind, place: Place, sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, VaultError> {
        let header = header(kind, self.key_id);
        let (found, rest) = sealed.split_first_chunk::<HEADER>().ok_or(VaultError::Damaged)?;
        if *found != header {
            let [version, found_kind, ..] = *found;
            return Err(match version {
                VERSION if found_kind == kind as u8 => VaultError::WrongKey,
                VERSION | 0 => VaultError::Damaged,
                _ => VaultError::Newer,
            });
        }
        let (nonce, rest) = rest.split_first_chunk::<{ nonce::LENGTH }>().ok_or(VaultError::Damaged)?;
        let (body, tag) = rest.split_last_chunk::<TAG>().ok_or(VaultError::Damaged)?;
        // The exact capacity: a buffer that grew or shrank would leave an unwiped copy behind.
        let mut plain = Zeroizing::new(body.to_vec());
        self.aes
            .decrypt_inout_detached(&Nonce::from(*nonce), &place.bound_to(header), plain.as_mut_slice().into(), &Tag::from(*tag))
            .map_err(|_| VaultError::Damaged)?;
        Ok(plain)
    }
}

/// The key that seals, and those that still open what was sealed before: each envelope names its own.
pub(crate) struct Ring {
    pub(crate) current: Cipher,
    previous: Vec<Cipher>,
}

impl Ring {
    pub(crate) fn new(current: Cipher, previous: Vec<Cipher>) -> Self {
        Self { current, previous }
    }

    pub(crate) fn seal(&self, kind: Kind, place: Place, plain: &[u8]) -> Result<Vec<u8>, VaultError> {
        self.current.seal(kind, place, plain)
    }

    pub(crate) fn open(&self, kind: Kind, place: Place, sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, VaultError> {
        let named = key_id(sealed).and_then(|id| self.previous.iter().find(|cipher| cipher.key_id == id));
        named.unwrap_or(&self.current).open(kind, place, sealed)
    }

    pub(crate) fn knows(&self, id: u32) -> bool {
        self.current.key_id == id || self.previous.iter().any(|cipher| cipher.key_id == id)
    }
}

/// The id of the key under which something was sealed. `None`: it is no envelope.
#[must_use]
pub fn key_id(sealed: &[u8]) -> Option<u32> {
    let (header, _) = sealed.split_first_chunk::<HEADER>()?;
    let [_, _, a, b, c, d] = *header;
    Some(u32::from_be_bytes([a, b, c, d]))
}

fn header(kind: Kind, key_id: u32) -> [u8; HEADER] {
    let [a, b, c, d] = key_id.to_be_bytes();
    [VERSION, kind as u8, a, b, c, d]
}

/// Where an envelope belongs: the additional data, collected field by field behind a gap for the header. Numbers have eight
/// bytes, texts are led by their length, so two different places never give the same bytes.
pub(crate) struct Place(Vec<u8>);

impl Place {
    pub(crate) fn new(capacity: usize) -> Self {
        let mut bytes = Vec::with_capacity(HEADER + capacity);
        bytes.extend_from_slice(&[0; HEADER]);
        Self(bytes)
    }

    pub(crate) fn number(mut self, number: i64) -> Self {
        self.0.extend_from_slice(&number.to_be_bytes());
        self
    }

    pub(crate) fn text(mut self, text: &str) -> Self {
        self.0.extend_from_slice(&(text.len() as u64).to_be_bytes());
        self.0.extend_from_slice(text.as_bytes());
        self
    }

    fn bound_to(mut self, header: [u8; HEADER]) -> Vec<u8> {
        if let Some(gap) = self.0.first_chunk_mut::<HEADER>() {
            *gap = header;
        }
        self.0
    }
}
