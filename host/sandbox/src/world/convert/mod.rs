//! Between the contract's types and those of core. What a guest gave is moved, never copied, and checked on the way: JSON is
//! read strictly, ids and keys have their lengths. What goes to a guest is borrowed from the caller and must be copied once,
//! because a guest that takes long goes on without its caller.

mod content;
mod event;
mod http;
mod job;

use pointsman_core::failure::{Fault, PluginFailure};
use pointsman_core::ports::Refusal;
use serde_json::Value;

use crate::json::{self, Unfit};
use crate::world::types;

/// Out of a guest: moved, and checked.
pub(crate) trait IntoCore<T> {
    /// The same in core's words.
    fn into_core(self) -> Result<T, Unfit>;
}

/// Into a guest: copied.
pub(crate) trait ForGuest<T> {
    /// The same in the contract's words.
    fn for_guest(&self) -> T;
}

impl<A: IntoCore<B>, B> IntoCore<Vec<B>> for Vec<A> {
    fn into_core(self) -> Result<Vec<B>, Unfit> {
        self.into_iter().map(A::into_core).collect()
    }
}

impl<A: IntoCore<B>, B> IntoCore<Option<B>> for Option<A> {
    fn into_core(self) -> Result<Option<B>, Unfit> {
        self.map(A::into_core).transpose()
    }
}

impl<A: ForGuest<B>, B> ForGuest<Vec<B>> for Vec<A> {
    fn for_guest(&self) -> Vec<B> {
        self.iter().map(A::for_guest).collect()
    }
}

impl<A: ForGuest<B>, B> ForGuest<Option<B>> for Option<A> {
    fn for_guest(&self) -> Option<B> {
        self.as_ref().map(A::for_guest)
    }
}

/// An optional JSON text of a guest.
fn extra(text: Option<String>) -> Result<Option<Value>, Unfit> {
    text.map(|text| json::parse(&text)).transpose()
}

/// An optional value as JSON text.
fn text(value: Option<&Value>) -> Option<String> {
    value.map(Value::to_string)
}

/// An id: at most `most` bytes.
fn short(id: String, most: usize, what: &str) -> Result<String, Unfit> {
    if id.len() > most { Err(Unfit::Wrong(format!("{what} has more than {most} bytes"))) } else { Ok(id) }
}

/// Bytes of any id of the contract.
const ID: usize = 512;

/// Enums whose cases have the same names on both sides.
macro_rules! same_cases {
    ($($guest:path = $core:path { $($case:ident),+ $(,)? })+) => { $(
        impl $crate::world::convert::IntoCore<$core> for $guest {
            fn into_core(self) -> Result<$core, $crate::json::Unfit> {
                Ok(match self { $(<$guest>::$case => <$core>::$case),+ })
            }
        }
        impl $crate::world::convert::ForGuest<$guest> for $core {
            fn for_guest(&self) -> $guest {
                match self { $(<$core>::$case => <$guest>::$case),+ }
            }
        }
    )+ };
}
pub(crate) use same_cases;

same_cases! {
    types::Fault = Fault {
        Retryable, RateLimited, Unknown, WindowClosed, Unauthorized, Revoked, Unreachable, Rejected, Unsupported, Malformed,
    }
}

impl IntoCore<PluginFailure> for types::Failure {
    fn into_core(self) -> Result<PluginFailure, Unfit> {
        let mut message = self.message;
        cut(&mut message, 1_000);
        Ok(PluginFailure {
            fault: self.fault.into_core()?,
            code: short(self.code, 64, "a failure's code")?,
            message,
            retry_after: self.retry_after.map(|ms| i64::try_from(ms).unwrap_or(i64::MAX)),
        })
    }
}

impl ForGuest<types::Failure> for PluginFailure {
    fn for_guest(&self) -> types::Failure {
        types::Failure {
            fault: self.fault.for_guest(),
            code: self.code.clone(),
            message: self.message.clone(),
            retry_after: self.retry_after.map(|ms| u64::try_from(ms).unwrap_or(0)),
        }
    }
}

impl From<Refusal> for types::Refusal {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::Denied(why) => Self::Denied(why),
            Refusal::Limit(which) => Self::Limit(which),
            Refusal::Invalid(why) => Self::Invalid(why),
            Refusal::Unavailable(why) => Self::Unavailable(why),
        }
    }
}

/// Cuts a text at a character's edge.
fn cut(text: &mut String, most: usize) {
    if text.len() > most {
        let mut end = most;
        while !text.is_char_boundary(end) {
            end -= 1;
        }
        text.truncate(end);
    }
}
