//! Ids of our own rows: 63-bit integers in the order of time, so that every B-tree they lead is entered at its end.
//!
//! 41 bits of milliseconds since 2024-01-01, 10 bits of host, 12 bits of counter. A JSON number keeps 53 bits only, hence
//! every surface shows them as text ([`Id`]'s `Display` and serde form).

use std::fmt;
use std::str::FromStr;
use std::sync::atomic::{AtomicI64, Ordering};

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::clock::Instant;

/// 2024-01-01T00:00:00Z, from which ids count.
const EPOCH: Instant = 1_704_067_200_000;
const HOST_BITS: u32 = 10;
const COUNTER_BITS: u32 = 12;

/// The id of a row that this house made. Text in JSON, an integer in the database.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Id(pub i64);

/// A tenant. Every row and every query carries one.
pub type WorkspaceId = Id;

impl Id {
    /// Before every id of a row that was made at this moment or later.
    #[must_use]
    pub fn first_of(at: Instant) -> Self {
        Self((at - EPOCH).max(0) << (HOST_BITS + COUNTER_BITS))
    }

    /// When the row was made, in milliseconds since 1970.
    #[must_use]
    pub fn made_at(self) -> Instant {
        (self.0 >> (HOST_BITS + COUNTER_BITS)) + EPOCH
    }
}

impl fmt::Display for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl FromStr for Id {
    type Err = std::num::ParseIntError;
    fn from_str(s: &str) -> Result<Self, Self::Err> {
        s.parse().map(Self)
    }
}

impl Serialize for Id {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Id {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(d)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

/// Makes ids. One a host process; two hosts on one database need different `host` numbers.
#[derive(Debug)]
pub struct IdMaker {
    host: AtomicI64,
    /// Milliseconds and counter of the last id, packed without the host.
    last: AtomicI64,
}

impl IdMaker {
    /// A maker for host number `host` (its lower 10 bits count).
    #[must_use]
    pub fn new(host: u16) -> Self {
        let maker = Self { host: AtomicI64::new(0), last: AtomicI64::new(0) };
        maker.set_host(host);
        maker
    }

    /// Goes on under another host number: for a host that is given one by the database.
    pub fn set_host(&self, host: u16) {
        self.host.store(i64::from(host) & ((1 << HOST_BITS) - 1), Ordering::Relaxed);
    }

    /// The next id: larger than all before it, even when the clock stands still or steps back.
    pub fn next(&self, now: Instant) -> Id {
        let floor = (now - EPOCH).max(0) << COUNTER_BITS;
        let before = self.last.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |last| Some(floor.max(last + 1)));
        let packed = floor.max(before.unwrap_or(0) + 1);
        let (ms, counter) = (packed >> COUNTER_BITS, packed & ((1 << COUNTER_BITS) - 1));
        Id((ms << (HOST_BITS + COUNTER_BITS)) | (self.host.load(Ordering::Relaxed) << COUNTER_BITS) | counter)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_grow_while_the_clock_stands_still_or_steps_back() {
        let maker = IdMaker::new(7);
        let now = EPOCH + 1_000;
        let mut last = maker.next(now);
        assert_eq!(last.made_at(), now);
        for i in 0..10_000 {
            let id = maker.next(now - i % 3);
            assert!(id > last);
            last = id;
        }
    }

    #[test]
    fn an_id_is_text_in_json() {
        let id = Id(9_007_199_254_740_993);
        let json = serde_json::to_string(&id).unwrap();
        assert_eq!(json, "\"9007199254740993\"");
        assert_eq!(serde_json::from_str::<Id>(&json).unwrap(), id);
    }
}
