//! For tests alone (feature `kill-points`): `POINTSMAN_KILL_AT=<point>[:<n>]` ends the process, without a farewell, when it
//! passes the point for the n-th time. The signal is SIGKILL, sent from outside by `kill`: no destructor runs, no file is
//! flushed. `POINTSMAN_SETTLE_AFTER=<ms>` shortens the time for which a send whose answer never came waits for news.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use pointsman_engine::points::Points;
use pointsman_manifest::Manifest;

/// The points, with a listener when the variable is set.
#[expect(clippy::disallowed_methods, reason = "a variable for tests, in builds for tests alone")]
#[must_use]
pub fn kill_points() -> Points {
    let Ok(wanted) = std::env::var("POINTSMAN_KILL_AT") else { return Points::default() };
    let (point, times) = match wanted.split_once(':') {
        Some((point, n)) => (point.to_owned(), n.parse().unwrap_or(1)),
        None => (wanted, 1u64),
    };
    let passed = AtomicU64::new(0);
    Points::with(Arc::new(move |reached| {
        if reached == point && passed.fetch_add(1, Ordering::SeqCst) + 1 == times {
            let _ = std::process::Command::new("kill").args(["-KILL", &std::process::id().to_string()]).status();
            // Dead by now; whatever the scheduler still allows must not go past this point.
            loop {
                std::thread::park();
            }
        }
    }))
}

/// The manifest, with the time to settle that the variable says.
#[expect(clippy::disallowed_methods, reason = "a variable for tests, in builds for tests alone")]
#[must_use]
pub fn hastened(mut manifest: Manifest) -> Manifest {
    if let Some(settle_after) = std::env::var("POINTSMAN_SETTLE_AFTER").ok().and_then(|ms| ms.parse().ok()) {
        manifest.retry.settle_after = settle_after;
    }
    manifest
}
