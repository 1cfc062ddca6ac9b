//! Frames, in both directions. What is to be written is collected in one buffer, and one task writes what has gathered: under
//! load one call of the operating system carries many frames.

use std::io;
use std::sync::atomic::{AtomicBool, Ordering};

use bytes::{Buf as _, Bytes, BytesMut};
use parking_lot::Mutex;
use serde::Serialize;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};
use tokio::sync::Notify;

use super::MAX_FRAME;

const LENGTH: usize = 4;
const NUMBER: usize = 8;
/// A buffer that has grown beyond this is not kept.
const KEEP: usize = 1 << 20;

/// What is to be written.
#[derive(Debug, Default)]
pub(super) struct Outgoing {
    gathered: Mutex<Vec<u8>>,
    more: Notify,
    closed: AtomicBool,
}

impl Outgoing {
    /// Adds a frame. False when it is too large for one.
    pub(super) fn push<T: Serialize>(&self, number: u64, body: &T) -> bool {
        let mut gathered = self.gathered.lock();
        let start = gathered.len();
        gathered.extend_from_slice(&[0; LENGTH]);
        gathered.extend_from_slice(&number.to_le_bytes());
        let written = postcard::to_io(body, &mut *gathered).is_ok();
        let length = gathered.len() - start - LENGTH;
        let fits = written && length <= MAX_FRAME;
        match (fits, gathered.get_mut(start..start + LENGTH), u32::try_from(length)) {
            (true, Some(place), Ok(length)) => place.copy_from_slice(&length.to_le_bytes()),
            _ => gathered.truncate(start),
        }
        drop(gathered);
        self.more.notify_one();
        fits
    }

    /// Nothing more comes: what has gathered is written, and the socket is closed in this direction.
    pub(super) fn close(&self) {
        self.closed.store(true, Ordering::Release);
        self.more.notify_one();
    }

    /// Writes until [`Outgoing::close`], or until nobody reads any more.
    pub(super) async fn write(&self, mut out: OwnedWriteHalf) -> io::Result<()> {
        let mut ready = Vec::new();
        loop {
            // Asked first: what was pushed before the end is in the buffer by now.
            let last = self.closed.load(Ordering::Acquire);
            std::mem::swap(&mut ready, &mut *self.gathered.lock());
            if !ready.is_empty() {
                out.write_all(&ready).await?;
                ready.clear();
                if ready.capacity() > KEEP {
                    ready = Vec::new();
                }
            } else if last {
                return out.shutdown().await;
            } else {
                self.more.notified().await;
            }
        }
    }
}

/// Reads frames.
#[derive(Debug)]
pub(super) struct Incoming {
    socket: OwnedReadHalf,
    buffer: BytesMut,
}

impl Incoming {
    pub(super) fn new(socket: OwnedReadHalf) -> Self {
        Self { socket, buffer: BytesMut::with_capacity(64 << 10) }
    }

    /// The next frame: number and body. `None` at the end of the socket; what was cut off there is no frame.
    pub(super) async fn next(&mut self) -> io::Result<Option<(u64, Bytes)>> {
        loop {
            if let Some(length) = self.buffer.first_chunk::<LENGTH>() {
                let length = u32::from_le_bytes(*length) as usize;
                if !(NUMBER..=MAX_FRAME).contains(&length) {
                    return Err(io::Error::new(io::ErrorKind::InvalidData, "a frame of this length is none of ours"));
                }
                if self.buffer.len() >= LENGTH + length {
                    self.buffer.advance(LENGTH);
                    let mut frame = self.buffer.split_to(length).freeze();
                    return Ok(Some((frame.get_u64_le(), frame)));
                }
                self.buffer.reserve(LENGTH + length - self.buffer.len());
            }
            if self.socket.read_buf(&mut self.buffer).await? == 0 {
                return Ok(None);
            }
        }
    }
}
