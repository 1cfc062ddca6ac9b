//! When to try again: SEMANTICS, section 2. Transient and rate-limited errors only; exponential, jittered, obeying the
//! provider's own time.

use serde::{Deserialize, Serialize};

use crate::clock::{Instant, Millis};
use crate::failure::Failure;

/// A retry policy.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Policy {
    /// Retries after the first attempt.
    pub max: u32,
    /// Before the first retry, in milliseconds.
    pub first: Millis,
    /// Each next wait is this many times longer.
    pub factor: f64,
    /// The longest wait in milliseconds, unless the provider asks for more.
    pub cap: Millis,
}

impl Default for Policy {
    fn default() -> Self {
        Self { max: 5, first: 1_000, factor: 2.0, cap: 300_000 }
    }
}

impl Policy {
    /// No second try.
    pub const NEVER: Self = Self { max: 0, first: 0, factor: 1.0, cap: 0 };

    /// When to try again after attempt number `attempt` (from 1) failed at `now`. `random` is in 0..1: the wait is spread
    /// over the second half of its nominal length, so that what failed together does not come back together.
    /// `None`: not again.
    #[must_use]
    pub fn next(&self, failure: &Failure, attempt: u32, now: Instant, random: f64) -> Option<Instant> {
        if !failure.class.retryable() || attempt > self.max {
            return None;
        }
        let exponent = i32::try_from(attempt.saturating_sub(1)).unwrap_or(i32::MAX);
        let nominal = (self.first as f64 * self.factor.powi(exponent)).min(self.cap as f64);
        let wait = (nominal * (0.5 + 0.5 * random)) as Millis;
        Some(now + wait.max(failure.retry_after.unwrap_or(0)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::failure::Class;

    #[test]
    fn waits_double_up_to_the_cap_and_end_after_max() {
        let p = Policy::default();
        let f = Failure::new(Class::Transient, "x", "x");
        let waits: Vec<_> = (1..=6).map(|n| p.next(&f, n, 0, 1.0)).collect();
        assert_eq!(waits, [Some(1_000), Some(2_000), Some(4_000), Some(8_000), Some(16_000), None]);
        assert_eq!(Policy { max: 20, ..p }.next(&f, 20, 0, 1.0), Some(300_000));
        assert_eq!(p.next(&f, 3, 0, 0.0), Some(2_000), "at the earliest after half of it");
    }

    #[test]
    fn the_providers_own_time_is_obeyed_and_permanent_errors_end_at_once() {
        let p = Policy::default();
        let told = Failure { retry_after: Some(30_000), ..Failure::new(Class::RateLimited, "x", "x") };
        assert_eq!(p.next(&told, 1, 5, 0.0), Some(30_005));
        assert_eq!(p.next(&Failure::new(Class::Permanent, "x", "x"), 1, 0, 0.0), None);
    }
}
