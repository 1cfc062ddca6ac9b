//! A step that never comes to its call: it loops while it is instantiated.

wit_bindgen::generate!({ path: "../../../sdk/wit/v0.1.0", world: "step" });

use exports::pointsman::plugin::work::{Call, Guest, Outcome};
use pointsman::plugin::types::Failure;

struct Spin;

export!(Spin);

impl Guest for Spin {
    fn run(_: Call) -> Result<Outcome, Failure> {
        Ok(Outcome::Done("null".to_owned()))
    }
}

/// The component calls this when it starts.
#[unsafe(no_mangle)]
pub extern "C" fn _initialize() {
    loop {
        std::hint::black_box(0);
    }
}
