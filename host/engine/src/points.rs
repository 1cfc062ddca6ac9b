//! Named points on the line, before and after each thing that is written or leaves, at which a test may end the process for
//! real. They exist in builds for tests alone (feature `kill-points`): in the product a point is nothing at all.

use std::fmt;
#[cfg(feature = "kill-points")]
use std::sync::Arc;

/// Called with the name of each point that is passed.
#[cfg(feature = "kill-points")]
pub type Listener = Arc<dyn Fn(&'static str) + Send + Sync>;

/// The points, with or without somebody listening.
#[derive(Clone, Default)]
pub struct Points {
    #[cfg(feature = "kill-points")]
    listener: Option<Listener>,
}

/// Every point of the line, in the order in which a message, a run that waits, and a start pass them. The last two are passed by
/// the command line.
pub const ALL: [&str; 44] = [
    "verify.after",
    "parse.after",
    "keep.before",
    "keep.after",
    "unread.before",
    "unread.after",
    "model.answered",
    "model.settled",
    "end.before",
    "end.after",
    "decide.before",
    "decide.after",
    "wait.before",
    "wait.after",
    "answer.before",
    "answer.after",
    "resume.before",
    "resume.after",
    "fail.before",
    "fail.after",
    "intent.before",
    "intent.after",
    "begin.after",
    "send.before",
    "send.answered",
    "advance.after",
    "outcome.before",
    "outcome.after",
    "sent.before",
    "sent.after",
    "retry.before",
    "retry.after",
    "unknown.before",
    "unknown.after",
    "settle.before",
    "park.before",
    "park.after",
    "receipt.before",
    "receipt.after",
    "start.before",
    "start.after",
    "bell.after",
    "publish.before",
    "publish.after",
];

impl Points {
    /// Points with a listener.
    #[cfg(feature = "kill-points")]
    #[must_use]
    pub fn with(listener: Listener) -> Self {
        Self { listener: Some(listener) }
    }

    /// Passes a point.
    pub fn reach(&self, point: &'static str) {
        debug_assert!(ALL.contains(&point), "{point} is not in the list of points");
        #[cfg(feature = "kill-points")]
        if let Some(listener) = &self.listener {
            listener(point);
        }
    }
}

impl fmt::Debug for Points {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Points").finish_non_exhaustive()
    }
}

#[cfg(all(test, not(feature = "kill-points")))]
mod tests {
    #[test]
    fn nothing_of_them_is_left_without_the_feature() {
        assert_eq!(size_of::<super::Points>(), 0);
    }
}
