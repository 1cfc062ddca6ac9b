//! The engine of expressions and the short list of functions that they may call.
//!
//! Everything on the list is pure, and its cost is bounded by the sizes of its arguments. rhai's packages hold much more;
//! what is not named here is refused when the expression is compiled, so a new function in a new rhai changes nothing.

use rhai::packages::{Package, StandardPackage};
use rhai::{Array, Dynamic, Engine, EvalAltResult, ImmutableString, Map, OptimizationLevel, Position};

/// Bytes of a text that an expression may build.
pub(crate) const TEXT: usize = 64 << 10;
/// Elements of an array, keys of a map.
const ELEMENTS: usize = 4_096;
/// Levels of nesting.
pub(crate) const DEPTH: usize = 64;

/// Operators, as rhai names the functions behind them.
const OPERATORS: &[&str] =
    &["==", "!=", "<", "<=", ">", ">=", "+", "-", "*", "/", "%", "**", "!", "&", "|", "^", "contains", "!contains"];

/// Functions and methods.
const FUNCTIONS: &[&str] = &[
    // texts
    "len",
    "is_empty",
    "contains",
    "starts_with",
    "ends_with",
    "index_of",
    "sub_string",
    "to_upper",
    "to_lower",
    "trim",
    "replace",
    "split",
    "join",
    "to_string", // numbers
    "abs",
    "sign",
    "floor",
    "ceiling",
    "round",
    "min",
    "max",
    "to_int",
    "to_float",
    "parse_int",
    "parse_float",
    "sqrt",
    "is_odd",
    "is_even",
    "is_zero", // arrays and maps
    "get",
    "keys",
    "values",
    "type_of",
];

/// Whether an expression may call this.
pub(crate) fn allowed(name: &str) -> bool {
    FUNCTIONS.contains(&name) || OPERATORS.contains(&name)
}

/// A function that the author may have meant.
pub(crate) fn near(name: &str) -> Option<&'static str> {
    let known: &[(&str, &str)] = &[
        ("lower", "to_lower"),
        ("upper", "to_upper"),
        ("lowercase", "to_lower"),
        ("uppercase", "to_upper"),
        ("toLowerCase", "to_lower"),
        ("toUpperCase", "to_upper"),
        ("length", "len"),
        ("size", "len"),
        ("count", "len"),
        ("includes", "contains"),
        ("has", "contains"),
        ("startsWith", "starts_with"),
        ("endsWith", "ends_with"),
        ("substring", "sub_string"),
        ("int", "to_int"),
        ("float", "to_float"),
        ("str", "to_string"),
        ("string", "to_string"),
        ("ceil", "ceiling"),
        ("indexOf", "index_of"),
    ];
    known
        .iter()
        .find(|(wrong, _)| *wrong == name)
        .map(|(_, right)| *right)
        .or_else(|| FUNCTIONS.iter().copied().find(|right| distance(name, right) <= 2))
}

/// Edits between two short words.
fn distance(a: &str, b: &str) -> usize {
    if a.len().abs_diff(b.len()) > 2 || a.len() > 32 {
        return usize::MAX;
    }
    let mut row: Vec<usize> = (0..=b.chars().count()).collect();
    for (i, x) in a.chars().enumerate() {
        let mut corner = i;
        let mut left = i + 1;
        for (cell, y) in row.iter_mut().skip(1).zip(b.chars()) {
            let above = *cell;
            left = (left + 1).min(above + 1).min(corner + usize::from(x != y));
            corner = above;
            *cell = left;
        }
        if let Some(first) = row.first_mut() {
            *first = i + 1;
        }
    }
    row.last().copied().unwrap_or(usize::MAX)
}

/// The engine: no closure, no loop, no module, no time, no output, and limits on everything that grows.
pub(crate) fn engine() -> Engine {
    let mut engine = Engine::new_raw();
    StandardPackage::new().register_into_engine(&mut engine);
    engine
        .set_optimization_level(OptimizationLevel::None)
        .set_allow_anonymous_fn(false)
        .set_allow_looping(false)
        .set_allow_loop_expressions(false)
        .set_allow_statement_expression(false)
        .set_allow_switch_expression(false)
        .set_max_expr_depths(DEPTH, DEPTH)
        .set_max_call_levels(8)
        .set_max_operations(10_000)
        .set_max_variables(64)
        .set_max_functions(0)
        .set_max_string_size(TEXT)
        .set_max_array_size(ELEMENTS)
        .set_max_map_size(ELEMENTS)
        .set_max_strings_interned(256)
        .on_print(|_| {})
        .on_debug(|_, _, _| {});
    for symbol in ["eval", "Fn", "call", "curry", "is_shared", "is_def_var", "is_def_fn", "print", "debug", "this"] {
        engine.disable_symbol(symbol);
    }
    // The package's own sleep blocks the thread. Nothing can reach it past the list; this is for the day the list is wrong.
    engine.register_fn("sleep", |_: i64| {}).register_fn("sleep", |_: f64| {});
    engine
        .register_fn("trim", |text: ImmutableString| -> ImmutableString { text.trim().into() })
        .register_fn("replace", replace)
        .register_fn("join", join)
        // The package's own take their first argument by reference, which a constant refuses.
        .register_fn("get", |list: Array, index: i64| element(&list, index))
        .register_fn("get", |map: Map, name: &str| map.get(name).cloned().unwrap_or_default());
    engine
}

type Answer<T> = Result<T, Box<EvalAltResult>>;

fn refuse<T>(sentence: &'static str) -> Answer<T> {
    Err(Box::new(EvalAltResult::ErrorRuntime(sentence.into(), Position::NONE)))
}

fn too_large<T>() -> Answer<T> {
    Err(Box::new(EvalAltResult::ErrorDataTooLarge("text".to_owned(), Position::NONE)))
}

/// The package's one changes its text in place, and multiplies 64 KiB by 64 KiB before anybody looks.
fn replace(text: ImmutableString, find: ImmutableString, with: ImmutableString) -> Answer<ImmutableString> {
    if find.is_empty() {
        return refuse("`replace` needs something to look for");
    }
    let size = text.len().saturating_add(text.matches(find.as_str()).count().saturating_mul(with.len()));
    if size > TEXT { too_large() } else { Ok(text.replace(find.as_str(), &with).into()) }
}

/// Counted from the end when negative; `()` when there is none.
fn element(list: &Array, index: i64) -> Dynamic {
    let from_end = || list.len().checked_sub(usize::try_from(index.unsigned_abs()).ok()?);
    let at = if index < 0 { from_end() } else { usize::try_from(index).ok() };
    at.and_then(|at| list.get(at)).cloned().unwrap_or_default()
}

fn join(list: Array, between: ImmutableString) -> Answer<ImmutableString> {
    let mut out = String::new();
    for (i, item) in list.iter().enumerate() {
        if i > 0 {
            out.push_str(&between);
        }
        if item.is_array() || item.is_map() {
            return refuse("`join` takes an array of texts and numbers");
        }
        out.push_str(&item.to_string());
        if out.len() > TEXT {
            return too_large();
        }
    }
    Ok(out.into())
}

/// For tests: the whole list.
#[cfg(test)]
pub(crate) fn listed() -> impl Iterator<Item = &'static str> {
    FUNCTIONS.iter().copied()
}
