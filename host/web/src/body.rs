//! Reads a request's body: bounded in bytes and in time. The attacks that stop here: a body without end, a body that drips,
//! and many large bodies at once that would fill the memory before anybody verified a signature.

use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http_body_util::BodyExt;
use hyper::body::Body;

/// The longest silence inside a body, and the longest body.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Pace {
    pub(crate) silence: Duration,
    pub(crate) whole: Duration,
}

impl Pace {
    pub(crate) const USUAL: Self = Self { silence: Duration::from_secs(5), whole: Duration::from_secs(20) };
}

/// Why there is no body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unread {
    /// More than the limit: 413.
    TooLarge,
    /// It dripped: 408.
    TooSlow,
    /// The client broke off: 400, which nobody will read.
    Broken,
    /// Too many large bodies at once: 503.
    Busy,
}

/// Bytes that all bodies under way may hold beyond their first [`SMALL`].
#[derive(Debug)]
pub(crate) struct Budget(AtomicUsize);

/// A body up to this size costs nothing of the budget: nearly all webhooks.
const SMALL: usize = 64 << 10;

impl Budget {
    pub(crate) const fn new(bytes: usize) -> Self {
        Self(AtomicUsize::new(bytes))
    }

    fn take(&self, bytes: usize) -> bool {
        self.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(bytes)).is_ok()
    }
}

/// What one body took of the budget; given back when this is dropped, which is when its request is answered.
#[derive(Debug)]
pub(crate) struct Share<'a>(&'a Budget, usize);

impl Share<'_> {
    fn grow(&mut self, to: usize) -> bool {
        let more = to.saturating_sub(SMALL).saturating_sub(self.1);
        if more == 0 {
            return true;
        }
        let granted = self.0.take(more);
        if granted {
            self.1 += more;
        }
        granted
    }
}

impl Drop for Share<'_> {
    fn drop(&mut self) {
        self.0.0.fetch_add(self.1, Ordering::Relaxed);
    }
}

/// The whole body, with its share of the budget. What is announced as too large is not read at all; what turns out too large is read no further.
pub(crate) async fn collect<B>(body: B, limit: usize, pace: Pace, budget: &Budget) -> Result<(Bytes, Share<'_>), Unread>
where
    B: Body<Data = Bytes> + Unpin,
{
    if body.size_hint().lower() > limit as u64 {
        return Err(Unread::TooLarge);
    }
    if body.is_end_stream() {
        return Ok((Bytes::new(), Share(budget, 0)));
    }
    tokio::time::timeout(pace.whole, frames(body, limit, pace.silence, budget)).await.unwrap_or(Err(Unread::TooSlow))
}

async fn frames<B>(mut body: B, limit: usize, silence: Duration, budget: &Budget) -> Result<(Bytes, Share<'_>), Unread>
where
    B: Body<Data = Bytes> + Unpin,
{
    let mut share = Share(budget, 0);
    // A body that came in one piece is passed on as it is, without a copy.
    let mut first = Bytes::new();
    let mut rest = BytesMut::new();
    loop {
        let frame = tokio::time::timeout(silence, Pin::new(&mut body).frame()).await.map_err(|_| Unread::TooSlow)?;
        let Some(frame) = frame else { break };
        let Ok(data) = frame.map_err(|_| Unread::Broken)?.into_data() else { continue };
        let so_far = first.len() + rest.len() + data.len();
        if so_far > limit {
            return Err(Unread::TooLarge);
        }
        if !share.grow(so_far) {
            return Err(Unread::Busy);
        }
        if first.is_empty() && rest.is_empty() {
            first = data;
        } else {
            if rest.is_empty() {
                rest.extend_from_slice(&std::mem::take(&mut first));
            }
            rest.extend_from_slice(&data);
        }
        if body.is_end_stream() {
            break;
        }
    }
    Ok((if rest.is_empty() { first } else { rest.freeze() }, share))
}

#[cfg(test)]
mod tests {
    use futures::stream;
    use http_body_util::StreamBody;
    use hyper::body::Frame;

    use super::*;

    fn pieces(count: usize, size: usize) -> impl Body<Data = Bytes> + Unpin {
        let frames = (0..count).map(move |i| Ok::<_, std::io::Error>(Frame::data(Bytes::from(vec![i as u8; size]))));
        StreamBody::new(stream::iter(frames.collect::<Vec<_>>()))
    }

    #[tokio::test]
    async fn pieces_are_joined_in_order_up_to_the_limit() {
        let budget = Budget::new(0);
        let (body, _share) = collect(pieces(3, 4), 12, Pace::USUAL, &budget).await.unwrap();
        assert_eq!(&body[..], [0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2]);
        assert_eq!(collect(pieces(3, 4), 11, Pace::USUAL, &budget).await.unwrap_err(), Unread::TooLarge);
    }

    #[tokio::test]
    async fn large_bodies_share_a_budget_and_give_it_back() {
        let budget = Budget::new(100_000);
        let large = || pieces(10, 16_384);
        let read = collect(large(), 1 << 20, Pace::USUAL, &budget).await.unwrap();
        assert_eq!(read.0.len(), 163_840);
        assert_eq!(collect(large(), 1 << 20, Pace::USUAL, &budget).await.unwrap_err(), Unread::Busy, "not answered yet");
        drop(read);
        assert!(budget.take(10_000));
        assert_eq!(collect(large(), 1 << 20, Pace::USUAL, &budget).await.unwrap_err(), Unread::Busy);
        let small = collect(pieces(4, 16_384), 1 << 20, Pace::USUAL, &budget).await.unwrap();
        assert_eq!(small.0.len(), SMALL, "and a small one costs nothing");
        assert!(budget.take(90_000), "what was refused has given its share back");
    }
}
