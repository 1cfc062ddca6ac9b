//! What host and child say to each other over their socket: a length of four bytes, and so many bytes.

use std::io::{self, Read, Write};

use pointsman_core::failure::{Class, Failure};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::model::Kind;

/// Bytes of one saying at most.
const LONGEST: u32 = 64 << 10;

/// What the host wants.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Wish {
    pub(crate) kind: Kind,
    pub(crate) text: String,
}

/// What the child says: first that it is ready or why not, then a vector for each wish.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum Said {
    Ready,
    Vector(Vec<f32>),
    Failed { class: Class, code: String, message: String },
}

impl From<Failure> for Said {
    fn from(failure: Failure) -> Self {
        Self::Failed { class: failure.class, code: failure.code, message: failure.message }
    }
}

pub(crate) fn write<T: Serialize>(to: &mut impl Write, said: &T) -> io::Result<()> {
    let bytes = postcard::to_allocvec(said).map_err(io::Error::other)?;
    let length = u32::try_from(bytes.len()).ok().filter(|length| *length <= LONGEST).ok_or(io::ErrorKind::InvalidInput)?;
    to.write_all(&[length.to_le_bytes().as_slice(), bytes.as_slice()].concat())
}

/// `None`: the other one is gone.
pub(crate) fn read<T: DeserializeOwned>(from: &mut impl Read) -> io::Result<Option<T>> {
    let mut length = [0; 4];
    match from.read_exact(&mut length) {
        Err(e) if e.kind() == io::ErrorKind::UnexpectedEof => return Ok(None),
        read => read?,
    }
    let length = u32::from_le_bytes(length);
    if length > LONGEST {
        return Err(io::ErrorKind::InvalidData.into());
    }
    let mut bytes = vec![0; length as usize];
    from.read_exact(&mut bytes)?;
    postcard::from_bytes(&bytes).map(Some).map_err(io::Error::other)
}
