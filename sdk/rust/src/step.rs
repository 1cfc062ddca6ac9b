//! A step: a piece of work in a workflow, with typed input, settings and output.

use std::marker::PhantomData;

use serde::Serialize;
use serde::de::{DeserializeOwned, IgnoredAny};

use crate::bindings::step::exports::pointsman::plugin::work::Guest;
pub use crate::bindings::step::pointsman::plugin::journal::{Call, Outcome};
use crate::context::Context;
use crate::types::Failure;

/// The settings of a step that has none: whatever stands there is ignored.
pub type NoConfig = IgnoredAny;

/// What a step plugin implements. Must be a function of its arguments and of what the [`Context`] answered.
pub trait Step: 'static {
    /// What the workflow passes; already checked against the manifest's schema.
    type Input: DeserializeOwned;
    /// The operator's settings; [`NoConfig`] for none.
    type Config: DeserializeOwned;
    /// What later steps see under this step's id. At most 256 KiB of JSON.
    type Output: Serialize;

    /// Does the work.
    ///
    /// # Errors
    /// A failure ends the step; nothing that it asked for through `ctx` is then done.
    fn run(ctx: &Context, input: Self::Input, config: Self::Config) -> Result<Self::Output, Failure>;
}

/// Runs one call: JSON in, JSON out.
pub(crate) fn serve<S: Step>(call: Call) -> Result<Outcome, Failure> {
    let input = read(&call.input).map_err(|e| Failure::malformed("input", format!("the input does not fit: {e}")))?;
    let config = read(&call.config).map_err(|e| Failure::malformed("config", format!("the settings do not fit: {e}")))?;
    let output = S::run(&Context::new(call), input, config)?;
    serde_json::to_string(&output).map(Outcome::Done).map_err(|_| Failure::malformed("output", "the output is not JSON"))
}

/// Absent settings are an empty object, so that a struct of optional fields need not be optional itself.
///
/// Only the place of a mistake is told, for the text around it may be a contact's.
fn read<T: DeserializeOwned>(json: &str) -> Result<T, String> {
    let json = match json.trim() {
        "" | "null" => "{}",
        other => other,
    };
    serde_json::from_str(json).map_err(|e| match e.classify() {
        serde_json::error::Category::Data => describe(&e),
        _ => format!("not JSON at column {}", e.column()),
    })
}

/// The part of serde's sentence that names fields and types. It quotes values, so everything after "invalid type" or
/// "invalid value" up to what was expected is left out.
fn describe(error: &serde_json::Error) -> String {
    let text = error.to_string();
    match (text.starts_with("invalid"), text.find(", expected ")) {
        (true, Some(at)) => format!("wrong type{}", text.get(at..).unwrap_or_default()),
        _ => text,
    }
}

/// Puts a [`Step`] behind the generated trait. Used by [`crate::export_step`].
#[doc(hidden)]
pub struct Export<S>(PhantomData<S>);

impl<S: Step> Guest for Export<S> {
    fn run(call: Call) -> Result<Outcome, Failure> {
        serve::<S>(call)
    }
}
