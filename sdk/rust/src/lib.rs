//! Write a plugin for Pointsman in Rust. A step implements [`Step`], a channel implements [`Channel`], one macro exports it:
//!
//! ```
//! use pointsman_sdk::prelude::*;
//!
//! struct Greet;
//!
//! #[derive(Deserialize)]
//! struct Input {
//!     name: String,
//! }
//!
//! impl Step for Greet {
//!     type Input = Input;
//!     type Config = NoConfig;
//!     type Output = u32;
//!
//!     fn run(ctx: &Context, input: Input, _: NoConfig) -> Result<u32, Failure> {
//!         ctx.reply(format!("Hello, {}!", input.name))?;
//!         ctx.tag("greeted")?;
//!         ctx.state(Scope::Contact).add("greetings", 1).map(|n| n as u32).map_err(Failure::from)
//!     }
//! }
//!
//! export_step!(Greet);
//!
//! let ran = pointsman_sdk::testing::run::<Greet>(Default::default(), json!({"name": "Ann"}), json!({}));
//! assert_eq!(ran.result, Ok(json!(1)));
//! assert_eq!(ran.replies(), ["Hello, Ann!"]);
//! ```
//!
//! A plugin has no files, sockets, threads or clock of its own: what it may do goes through [`Context`], and what its
//! `plugin.toml` does not ask for answers [`types::Refusal::Denied`] with the line that would allow it. Compiled for the
//! machine itself instead of wasm, the same calls reach the double of `testing`, so that a unit test is an ordinary one.

#[doc(hidden)]
pub mod bindings;
pub mod channel;
pub mod context;
mod host;
pub mod step;
#[cfg(not(target_arch = "wasm32"))]
pub mod testing;
pub mod types;

pub use channel::Channel;
pub use context::Context;
pub use serde;
pub use serde_json;
pub use step::{NoConfig, Step};
pub use types::{Failure, Fault};

/// All that a plugin usually needs.
pub mod prelude {
    pub use crate::channel::{self, Channel};
    pub use crate::context::{Context, Level, Scope};
    pub use crate::step::{NoConfig, Step};
    pub use crate::types::*;
    pub use crate::{export_channel, export_step};
    pub use serde::{Deserialize, Serialize};
    pub use serde_json::{Value, json};
}

/// Exports a type that implements [`Step`] as this component's step. Once a crate.
#[macro_export]
macro_rules! export_step {
    ($plugin:ty) => {
        const _: () = {
            // The names are checked on every target; the export itself exists in wasm alone.
            type PointsmanStep = $crate::step::Export<$plugin>;
            const fn is_a_step<T: $crate::Step>() {}
            is_a_step::<$plugin>();
            #[cfg(target_arch = "wasm32")]
    $crate::bindings::step::export_step_world!(PointsmanStep with_types_in $crate::bindings::step);
            #[cfg(not(target_arch = "wasm32"))]
            let _ = ::core::marker::PhantomData::<PointsmanStep>;
        };
    };
}

/// Exports a type that implements [`Channel`] as this component's channel. Once a crate.
#[macro_export]
macro_rules! export_channel {
    ($plugin:ty) => {
        const _: () = {
            type PointsmanChannel = $crate::channel::Export<$plugin>;
            const fn is_a_channel<T: $crate::Channel>() {}
            is_a_channel::<$plugin>();
            #[cfg(target_arch = "wasm32")]
    $crate::bindings::channel::export_channel_world!(PointsmanChannel with_types_in $crate::bindings::channel);
            #[cfg(not(target_arch = "wasm32"))]
            let _ = ::core::marker::PhantomData::<PointsmanChannel>;
        };
    };
}
