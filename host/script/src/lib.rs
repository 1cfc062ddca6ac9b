//! Expressions (`if:`, `${...}`), evaluated natively, and the check of scripts. The only room of the host with rhai.
//!
//! **The attack this stops.** rhai's own limits do not hold: chained closures overflow the stack when they are dropped and
//! abort the process, curried function pointers hoard memory between two operations, `sleep` blocks a thread, a long
//! `switch` parses in quadratic time. So *scripts* never run here: they run in the interpreter inside the sandbox. What runs
//! here is a small part of the language, and it is fenced four times:
//!
//! 1. A source of at most 2 KiB is parsed as one expression, on a thread with a large stack ([`compile`]).
//! 2. The tree is walked, and everything that is not on a short list of shapes and pure functions is refused: no loop, no
//!    assignment, no closure, no function pointer, no `eval`. At most 64 levels and 256 nodes.
//! 3. What goes in is converted within a budget of nodes and bytes, and only the parts that the expression names ([`value`]).
//! 4. The engine counts operations and sizes; what comes out is converted within a budget too.
//!
//! The meaning of a name or function is the same here and in a script: both are rhai's standard packages, with the few
//! functions of [`functions`] put over them.

mod compile;
mod error;
mod functions;
mod scripts;
#[cfg(test)]
mod tests;
mod value;

use std::collections::HashMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use parking_lot::RwLock;
use pointsman_core::failure::Failure;
use pointsman_core::mark::Marked;
use pointsman_core::ports::{Expressions, Mistake, Names};
use rhai::{Dynamic, Engine, Scope};
use serde_json::Value;

use crate::compile::Compiled;
use crate::error::Fault;

/// Compiled expressions that are kept. A house has some thousand expressions; when there are more, all are let go and the
/// busy ones come back.
const KEPT: usize = 4_096;

/// The native expression language. Make one and share it: compiled expressions are kept inside.
pub struct ScriptExpressions {
    engine: Engine,
    kept: RwLock<HashMap<String, Arc<Compiled>>>,
}

impl ScriptExpressions {
    /// The engine with its short list of functions.
    #[must_use]
    pub fn new() -> Self {
        Self { engine: functions::engine(), kept: RwLock::default() }
    }

    fn compiled(&self, expression: &str) -> Result<Arc<Compiled>, Fault> {
        if let Some(found) = self.kept.read().get(expression) {
            return Ok(found.clone());
        }
        let compiled = Arc::new(compile::compile(&self.engine, expression)?);
        let mut kept = self.kept.write();
        if kept.len() >= KEPT {
            kept.clear();
        }
        kept.insert(expression.to_owned(), compiled.clone());
        Ok(compiled)
    }

    fn work_out(&self, compiled: &Compiled, names: &Names) -> Result<Marked<Value>, Fault> {
        let mut scope = Scope::new();
        let mut marked = false;
        let mut budget = value::Budget::input();
        for (name, need) in &compiled.needs {
            // A name that is not there is no error yet: a branch that is not taken may speak of it.
            if let Some(known) = names.get(name) {
                marked |= known.marked;
                scope.push_constant_dynamic(name.as_str(), value::narrowed(&known.value, need, &mut budget)?);
            }
        }
        let evaluated = catch_unwind(AssertUnwindSafe(|| self.engine.eval_ast_with_scope::<Dynamic>(&mut scope, &compiled.ast)));
        let result = match evaluated {
            Ok(result) => result.map_err(|e| Fault::from_evaluation(&e))?,
            Err(_) => {
                return Err(Fault::at_start("expr.crashed", "this expression broke the evaluator: write it in another way"));
            }
        };
        Ok(Marked { value: value::to_json(&result, &mut value::Budget::output())?, marked })
    }
}

impl Default for ScriptExpressions {
    fn default() -> Self {
        Self::new()
    }
}

impl Expressions for ScriptExpressions {
    fn check(&self, expression: &str) -> Result<Vec<String>, Mistake> {
        self.compiled(expression).map(|c| c.needs.keys().cloned().collect()).map_err(Fault::into_mistake)
    }

    fn eval(&self, expression: &str, names: &Names) -> Result<Marked<Value>, Failure> {
        let compiled = self.compiled(expression).map_err(Fault::into_failure)?;
        self.work_out(&compiled, names).map_err(Fault::into_failure)
    }

    fn check_script(&self, source: &str) -> Result<(), Mistake> {
        scripts::check(source).map_err(Fault::into_mistake)
    }
}
