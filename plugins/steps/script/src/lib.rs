//! The interpreter of scripts, as a component: rhai behind the sandbox's walls, where its holes harm nobody.
//!
//! **A script is a pure function of its journal.** It runs from the top on every leg. A call that waits for something (`ask`,
//! `sleep`, `approve`, `step` ...) returns its recorded answer, or ends the leg; the host then gets what was wished for, and
//! runs the script again when it is there. So a chat flow is written straight down, waits for days, and costs nothing while
//! it waits. [`leg`] is that machinery, [`calls`] the functions that wait, [`effects`] those that do something, [`library`]
//! the small rest, [`names`] what the script knows, [`values`] the way to JSON and back.

mod calls;
mod effects;
mod engine;
mod failure;
mod host;
mod leg;
mod library;
mod names;
#[cfg(test)]
mod tests;
mod values;

mod bindings {
    wit_bindgen::generate!({ path: "../../../sdk/wit/v0.1.0", world: "script" });
}

use std::cell::RefCell;

use bindings::exports::pointsman::plugin::interpreter::{Diagnostic, Guest};
use bindings::pointsman::plugin::journal::{Call, Outcome};
use bindings::pointsman::plugin::types::Failure;
use rhai::{AST, Dynamic, Engine};

use crate::failure::Reason;

/// Bytes of a script.
const SOURCE: usize = 64 << 10;

struct Interpreter {
    engine: Engine,
    script: Option<AST>,
}

thread_local! {
    static INTERPRETER: RefCell<Option<Interpreter>> = const { RefCell::new(None) };
}

struct Plugin;

impl Guest for Plugin {
    fn load(source: String) -> Result<(), Vec<Diagnostic>> {
        if source.len() > SOURCE {
            let message = format!("a script has at most {SOURCE} bytes: split it into steps");
            return Err(vec![Diagnostic { line: 1, column: 1, message }]);
        }
        INTERPRETER.with_borrow_mut(|kept| {
            let interpreter = kept.get_or_insert_with(|| Interpreter { engine: engine::engine(), script: None });
            interpreter.script = None;
            let script = interpreter.engine.compile(&source).map_err(|e| vec![failure::diagnostic(&e)])?;
            interpreter.script = Some(script);
            Ok(())
        })
    }

    fn run(call: Call) -> Result<Outcome, Failure> {
        INTERPRETER.with_borrow(|kept| {
            let Some(Interpreter { engine, script: Some(script) }) = kept else {
                return Err(Reason::new("script.not_loaded", "no script was loaded").into_failure());
            };
            let names = names::read(&call.input, script.has_functions()).map_err(Reason::into_failure)?;
            // At the start, not at the end: the last leg may have ended in the middle of anything.
            leg::begin(call, names.shared);
            let mut scope = names.scope;
            let result = engine.eval_ast_with_scope::<Dynamic>(&mut scope, script);
            leg::finish(result)
        })
    }
}

bindings::export!(Plugin with_types_in bindings);
