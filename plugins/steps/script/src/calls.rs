//! Functions that wait: each is answered from the journal or ends the leg. What they take is the host's business; here it is
//! only written down, exactly, as a JSON array of the arguments.
//!
//! `ask(text, options)`, `wait(duration | options)`, `sleep(duration)`, `approve(text, options)`, `draft(text, options)`,
//! `step(plugin, input)`, `call_workflow(name, with)`, `http(request)`. (`call` itself is a word of the language.)

use rhai::{Dynamic, Engine};

use crate::leg::consult;

/// Name in scripts and name in the journal.
const CALLS: &[(&str, &str)] = &[
    ("ask", "ask"),
    ("wait", "wait"),
    ("sleep", "sleep"),
    ("approve", "approve"),
    ("draft", "draft"),
    ("step", "step"),
    ("call_workflow", "call"),
    ("http", "http"),
];

/// Registers them.
pub(crate) fn register(engine: &mut Engine) {
    for &(name, recorded) in CALLS {
        engine.register_fn(name, move |a: Dynamic| consult(recorded, &[a]));
        engine.register_fn(name, move |a: Dynamic, b: Dynamic| consult(recorded, &[a, b]));
        engine.register_fn(name, move |a: Dynamic, b: Dynamic, c: Dynamic| consult(recorded, &[a, b, c]));
    }
    // The package has a sleep for these two kinds, which would stop the thread; an exact match goes before `Dynamic`.
    engine.register_fn("sleep", |seconds: i64| consult("sleep", &[seconds.into()]));
    engine.register_fn("sleep", |seconds: f64| consult("sleep", &[seconds.into()]));
}
