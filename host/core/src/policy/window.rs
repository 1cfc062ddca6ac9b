//! The messaging window: providers allow free messages only for some hours after the contact last wrote.

use crate::clock::{Instant, Millis};

const HOUR: Millis = 3_600_000;

/// Until when a free message may be sent. `hours` is the channel's rule; `None` there means that the channel has no
/// window, and then there is no end. A contact who never wrote opened nothing: the window ended at the beginning of time.
#[must_use]
pub fn closes_at(last_inbound: Option<Instant>, hours: Option<u32>) -> Option<Instant> {
    let hours = hours?;
    Some(last_inbound.map_or(0, |at| at.saturating_add(Millis::from(hours) * HOUR)))
}

/// Whether a free message may be sent at `now`. At the very moment of closing it may not.
#[must_use]
pub fn window_open(last_inbound: Option<Instant>, hours: Option<u32>, now: Instant) -> bool {
    closes_at(last_inbound, hours).is_none_or(|end| now < end)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_opens_with_a_message_and_closes_after_the_hours() {
        let at = 1_000_000_000_000;
        assert!(window_open(Some(at), Some(24), at + 24 * HOUR - 1));
        assert!(!window_open(Some(at), Some(24), at + 24 * HOUR));
        assert!(!window_open(None, Some(24), at));
        assert!(window_open(None, None, at));
        assert_eq!(closes_at(Some(at), Some(1)), Some(at + HOUR));
        assert_eq!(closes_at(Some(at), None), None);
    }
}
