//! The engine: rhai's standard packages with our functions over them. Its own limits are the second fence; the first is the
//! sandbox's, which counts time and memory from outside. They are here because their sentences say more than a trap.

use rhai::{Dynamic, Engine};

use crate::bindings::pointsman::plugin::log::Level;
use crate::{calls, effects, host, leg, library, names};

/// As in the host's check of scripts: what passes there, compiles here.
const DEPTH: (usize, usize) = (64, 32);
/// Likewise.
const FUNCTIONS: usize = 256;

/// Makes the engine.
pub(crate) fn engine() -> Engine {
    let mut engine = Engine::new();
    engine
        .set_max_expr_depths(DEPTH.0, DEPTH.1)
        .set_max_functions(FUNCTIONS)
        .set_max_call_levels(32)
        .set_max_operations(5_000_000)
        .set_max_string_size(64 << 10)
        .set_max_array_size(4_096)
        .set_max_map_size(4_096)
        .set_max_strings_interned(1_024);
    // `eval` runs text as code, and text may come from outside.
    engine.disable_symbol("eval");
    engine.on_progress(|_| leg::ended().then_some(Dynamic::UNIT));
    engine.on_print(|text| log(Level::Info, text));
    engine.on_debug(|text, _, at| log(Level::Debug, &format!("{text} @ {at}")));
    #[expect(deprecated, reason = "rhai marks it as unstable; the version is pinned, and functions see names in no other way")]
    engine.on_var(|name, index, context| {
        // An index means a variable of the script's own.
        if index > 0 || context.scope().contains(name) { Ok(None) } else { Ok(names::look_up(name)) }
    });
    library::register(&mut engine);
    effects::register(&mut engine);
    calls::register(&mut engine);
    engine
}

/// A line of log, once: a replay does not repeat it.
pub(crate) fn log(level: Level, text: &str) {
    if leg::live() {
        host::log(level, text);
    }
}
