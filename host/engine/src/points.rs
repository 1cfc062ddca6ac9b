//! Named points on the line, between any two stages, at which a test may end the process for real. In the product nobody
//! listens and a point costs one branch.

use std::fmt;
use std::sync::Arc;

/// Called with the name of each point that is passed.
pub type Listener = Arc<dyn Fn(&'static str) + Send + Sync>;

/// The points, with or without somebody listening.
#[derive(Clone, Default)]
pub struct Points(Option<Listener>);

/// Every point, in the order in which a message passes them.
pub const ALL: [&str; 8] = [
    "keep.before",
    "keep.after",
    "decide.before",
    "decide.after",
    "send.before",
    "send.answered",
    "outcome.before",
    "outcome.after",
];

impl Points {
    /// Points with a listener.
    #[must_use]
    pub fn with(listener: Listener) -> Self {
        Self(Some(listener))
    }

    /// Passes a point.
    pub fn reach(&self, point: &'static str) {
        if let Some(listener) = &self.0 {
            listener(point);
        }
    }
}

impl fmt::Debug for Points {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Points").field(&self.0.is_some()).finish()
    }
}
