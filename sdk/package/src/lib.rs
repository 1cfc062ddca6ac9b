//! A plugin as one file that a stranger hands over: its manifest, its component, the digest of both, and the publisher's
//! signature over that digest.
//!
//! | bytes | what |
//! | --- | --- |
//! | 8 | `PMPLUGIN` |
//! | 2 | version of the format: 1 |
//! | 2 | 1: signed, 0: not |
//! | 4, 4 | lengths of manifest and component |
//! | | manifest: the text of `plugin.toml` |
//! | | component |
//! | 32 | SHA-256 over everything before |
//! | 32, 64 | where signed: the publisher's public key, and its ed25519 signature over the digest |
//!
//! Numbers are big-endian. Attacks stopped here: nothing is compressed, so nothing grows; there are no names of files, so
//! nothing is unpacked to a place of its own choice; lengths are held against the bytes that are there before anything is
//! copied; not one byte more or less than the lengths say is taken; and whether it is signed is itself under the digest, so a
//! signature cannot be taken off without making another package of it.

mod key;
#[cfg(test)]
mod tests;

use std::io::Read;

pub use key::{PublicKey, PublishingKey};
use pointsman_manifest::{MAX_BYTES, Manifest, ManifestError};
use sha2::{Digest as _, Sha256};

/// How a package begins.
pub const MAGIC: &[u8; 8] = b"PMPLUGIN";

/// The version of the format.
pub const FORMAT: u16 = 1;

/// Bytes of a component at most; a class of plugins may have less.
pub const MAX_COMPONENT: usize = 32 << 20;

/// Bytes of the fixed head.
const HEAD: usize = 20;

/// Bytes of the digest.
const DIGEST: usize = 32;

/// Bytes of key and signature.
const SIGNED: usize = 32 + 64;

/// Bytes of the largest package there can be.
const MAX: usize = HEAD + MAX_BYTES + MAX_COMPONENT + DIGEST + SIGNED;

/// Why a file is no package that can be taken: `package.<what>`, or the manifest's own code.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{code}: {message}")]
pub struct PackageError {
    /// Stable, dotted.
    pub code: &'static str,
    /// What is wrong, and what to do about it.
    pub message: String,
}

impl PackageError {
    pub(crate) fn new(code: &'static str, message: impl Into<String>) -> Self {
        Self { code, message: message.into() }
    }
}

impl From<ManifestError> for PackageError {
    fn from(error: ManifestError) -> Self {
        Self { code: error.code, message: error.message }
    }
}

/// A package whose digest is right, and whose signature is, where it has one. Made by [`Package::read`] alone.
#[derive(Debug, Clone)]
pub struct Package {
    /// What it says of itself.
    pub manifest: Manifest,
    /// The same as its author wrote it.
    pub manifest_text: String,
    /// Its code. Nothing is known of these bytes but that they are the publisher's.
    pub component: Vec<u8>,
    /// SHA-256 over head, manifest and component, hex: the name of this very package.
    pub digest: String,
    /// Who signed it; `None`: nobody.
    pub key: Option<PublicKey>,
}

impl Package {
    /// Reads a whole package.
    ///
    /// # Errors
    /// `package.not_one`, `package.format`, `package.length`, `package.digest`, `package.key`, `package.signature`,
    /// `package.manifest`, and what [`Manifest::parse`] refuses.
    pub fn read(bytes: &[u8]) -> Result<Self, PackageError> {
        let mut rest = Cursor(bytes);
        let magic = rest.take(MAGIC.len()).filter(|magic| magic == MAGIC);
        if magic.is_none() {
            let text = "this file is no package of a plugin; `pointsman plugin pack` makes one";
            return Err(PackageError::new("package.not_one", text));
        }
        let format = rest.short()?;
        if format != FORMAT {
            let text = format!("this package has format {format} and this host reads {FORMAT}; pack it with a matching version");
            return Err(PackageError::new("package.format", text));
        }
        let signed = match rest.short()? {
            0 => false,
            1 => true,
            other => return Err(PackageError::new("package.format", format!("{other} says neither signed (1) nor not (0)"))),
        };
        let (manifest, component) = (rest.long()?, rest.long()?);
        if manifest > MAX_BYTES || component > MAX_COMPONENT {
            let text = format!(
                "a manifest has at most {MAX_BYTES} bytes and a component {MAX_COMPONENT}; this claims {manifest} and {component}"
            );
            return Err(PackageError::new("package.length", text));
        }
        let whole = HEAD + manifest + component + DIGEST + if signed { SIGNED } else { 0 };
        if bytes.len() != whole {
            let text = format!("its head speaks of {whole} bytes and {} are there; get the file again", bytes.len());
            return Err(PackageError::new("package.length", text));
        }
        let (manifest, component) = (rest.bytes(manifest)?, rest.bytes(component)?);
        let covered = bytes.get(..HEAD + manifest.len() + component.len()).unwrap_or_default();
        let digest = Sha256::digest(covered);
        if rest.bytes(DIGEST)? != digest.as_slice() {
            let text = "its bytes do not have the digest that it carries: it was damaged or changed; get the file again";
            return Err(PackageError::new("package.digest", text));
        }
        let key = if signed {
            let key = PublicKey::from_bytes(rest.bytes(32)?)?;
            key.verify(&digest, rest.bytes(64)?)?;
            Some(key)
        } else {
            None
        };
        let manifest_text = std::str::from_utf8(manifest)
            .map_err(|_| PackageError::new("package.manifest", "its manifest is no text"))?
            .to_owned();
        let manifest = Manifest::parse(&manifest_text)?;
        Ok(Self { manifest, manifest_text, component: component.to_vec(), digest: hex::encode(digest), key })
    }

    /// Reads a package from a file or a pipe, and never more of it than a package can have.
    ///
    /// # Errors
    /// `package.unreadable`; else as [`Package::read`].
    pub fn read_from(source: impl Read) -> Result<Self, PackageError> {
        let mut bytes = Vec::new();
        let most = MAX as u64 + 1;
        source
            .take(most)
            .read_to_end(&mut bytes)
            .map_err(|e| PackageError::new("package.unreadable", format!("cannot be read: {e}")))?;
        if bytes.len() > MAX && bytes.starts_with(MAGIC) {
            return Err(PackageError::new("package.length", format!("it has more than {MAX} bytes")));
        }
        Self::read(&bytes)
    }

    /// Makes a package. What it holds is checked as a reader would.
    ///
    /// # Errors
    /// As [`Package::read`].
    pub fn write(manifest: &str, component: &[u8], key: Option<&PublishingKey>) -> Result<Vec<u8>, PackageError> {
        let length = |bytes: usize| {
            u32::try_from(bytes).map_err(|_| PackageError::new("package.length", format!("{bytes} bytes are too many")))
        };
        let mut bytes = MAGIC.to_vec();
        bytes.extend(FORMAT.to_be_bytes());
        bytes.extend(u16::from(key.is_some()).to_be_bytes());
        bytes.extend(length(manifest.len())?.to_be_bytes());
        bytes.extend(length(component.len())?.to_be_bytes());
        bytes.extend(manifest.as_bytes());
        bytes.extend(component);
        let digest = Sha256::digest(&bytes);
        bytes.extend(digest);
        if let Some(key) = key {
            bytes.extend(key.public().as_bytes());
            bytes.extend(key.sign(&digest));
        }
        Self::read(&bytes).map(|_| bytes)
    }
}

/// What is left to read.
struct Cursor<'a>(&'a [u8]);

impl<'a> Cursor<'a> {
    fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(count)?;
        self.0 = rest;
        Some(taken)
    }

    fn bytes(&mut self, count: usize) -> Result<&'a [u8], PackageError> {
        self.take(count).ok_or_else(|| PackageError::new("package.length", "it ends too early; get the file again"))
    }

    fn short(&mut self) -> Result<u16, PackageError> {
        Ok(self.bytes(2)?.iter().fold(0, |n, byte| (n << 8) | u16::from(*byte)))
    }

    fn long(&mut self) -> Result<usize, PackageError> {
        Ok(self.bytes(4)?.iter().fold(0, |n, byte| (n << 8) | usize::from(*byte)))
    }
}
