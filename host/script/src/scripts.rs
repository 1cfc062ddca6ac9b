//! The check of a whole script: its syntax, without running a word of it. A script is up to 64 KiB of somebody's text, and
//! a parser is a place where text turns into work: so it is read on a thread with a large stack, with the limits of the
//! interpreter in the sandbox, and with a cap on the arms of `switch`, whose parsing is quadratic.

use std::sync::atomic::{AtomicUsize, Ordering};

use pointsman_core::limits::SCRIPT_SOURCE;
use rhai::{Engine, LexError, OptimizationLevel, Token};

use crate::compile::on_large_stack;
use crate::error::Fault;

/// Arms of all `switch` of a script.
const ARMS: usize = 1_000;
/// Tokens of a script. 64 KiB of ordinary text hold about 15,000.
const TOKENS: usize = 32_000;
/// As in the interpreter (plugins/steps/script): what passes here, compiles there.
const DEPTH: (usize, usize) = (64, 32);
/// Likewise.
const FUNCTIONS: usize = 256;
/// Declarations of variables. Looking one up is linear in their number.
const VARIABLES: usize = 1_000;

/// Checks the syntax of a script.
pub(crate) fn check(source: &str) -> Result<(), Fault> {
    if source.len() > SCRIPT_SOURCE {
        return Err(Fault::at_start(
            "script.too_long",
            format!("a script has at most {SCRIPT_SOURCE} bytes: split it into steps"),
        ));
    }
    on_large_stack("script.crashed", || {
        let engine = engine();
        engine.compile(source).map(drop).map_err(|e| Fault::from_parsing("script.syntax", &e))
    })
}

fn engine() -> Engine {
    let mut engine = Engine::new_raw();
    engine
        .set_optimization_level(OptimizationLevel::None)
        .set_max_expr_depths(DEPTH.0, DEPTH.1)
        .set_max_functions(FUNCTIONS)
        .set_max_string_size(64 << 10)
        .set_max_array_size(4_096)
        .set_max_map_size(4_096);
    engine.disable_symbol("eval");
    let (tokens, arms, variables) = (AtomicUsize::new(0), AtomicUsize::new(0), AtomicUsize::new(0));
    #[expect(deprecated, reason = "rhai marks it as unstable; the version is pinned, and nothing else sees every token")]
    engine.on_parse_token(move |token, _, _| {
        if tokens.fetch_add(1, Ordering::Relaxed) >= TOKENS {
            return refused("a script this long does not run: split it into steps");
        }
        if matches!(token, Token::DoubleArrow) && arms.fetch_add(1, Ordering::Relaxed) >= ARMS {
            return refused("too many arms of `switch`: look the value up in a map");
        }
        if matches!(token, Token::Let | Token::Const) && variables.fetch_add(1, Ordering::Relaxed) >= VARIABLES {
            return refused("too many variables: put them into a map");
        }
        token
    });
    engine
}

fn refused(sentence: &str) -> Token {
    Token::LexError(Box::new(LexError::Runtime(sentence.to_owned())))
}
