//! Mistakes and failures of expressions: a stable code, a place, a sentence that says the cure. The sentences are our own:
//! rhai's quote values, and a value may be a contact's words, which belong in no log.

use pointsman_core::failure::{Class, Failure};
use pointsman_core::ports::Mistake;
use rhai::{EvalAltResult, LexError, ParseError, ParseErrorType, Position};

/// What went wrong, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Fault {
    /// `expr.*` or `script.*`.
    pub(crate) code: &'static str,
    line: u32,
    column: u32,
    pub(crate) message: String,
}

impl Fault {
    pub(crate) fn new(code: &'static str, position: Position, message: impl Into<String>) -> Self {
        let number = |n: Option<usize>| n.and_then(|n| u32::try_from(n).ok()).unwrap_or(0);
        Self { code, line: number(position.line()), column: number(position.position()), message: message.into() }
    }

    /// About the whole text.
    pub(crate) fn at_start(code: &'static str, message: impl Into<String>) -> Self {
        Self { code, line: 1, column: 1, message: message.into() }
    }

    pub(crate) fn into_mistake(self) -> Mistake {
        Mistake { line: self.line, column: self.column, message: self.message }
    }

    pub(crate) fn into_failure(self) -> Failure {
        let class = if self.code == "expr.limit" { Class::Limit } else { Class::Bug };
        let place = if self.line > 0 { format!(" (line {}, column {})", self.line, self.column) } else { String::new() };
        Failure::new(class, self.code, format!("{}{place}", self.message))
    }

    /// From the parser. The text of an expression or script is the customer's own, so its words may be quoted.
    pub(crate) fn from_parsing(code: &'static str, error: &ParseError) -> Self {
        let message = match error.err_type() {
            ParseErrorType::UnexpectedEOF => "the text ends too early: something that was opened is not closed".to_owned(),
            ParseErrorType::BadInput(LexError::MalformedChar(_)) => {
                "text stands in double quotes (\"negative\"); single quotes hold one letter".to_owned()
            }
            ParseErrorType::BadInput(LexError::UnterminatedString) => {
                "a text is not closed: a double quote is missing".to_owned()
            }
            ParseErrorType::ExprTooDeep => "this is nested too deeply: give parts of it a name".to_owned(),
            ParseErrorType::UnknownOperator(op) if op == "=" || op == "and" || op == "or" || op == "not" => operator_help(op),
            other => other.to_string(),
        };
        Self::new(code, error.position(), message)
    }

    /// From the evaluation: no values, only kinds.
    pub(crate) fn from_evaluation(error: &EvalAltResult) -> Self {
        use EvalAltResult as E;
        let at = error.position();
        match error {
            E::ErrorInFunctionCall(_, _, inner, _) => Self::from_evaluation(inner),
            E::ErrorVariableNotFound(name, _) => Self::new(
                "expr.name",
                at,
                format!("`{name}` is not known here: it is no reserved name, no variable and no id of an earlier step"),
            ),
            E::ErrorFunctionNotFound(signature, _) => Self::new(
                "expr.type",
                at,
                format!(
                    "`{}` does not fit these kinds of values: convert one, or check for () first with `??` or `?.`",
                    types_only(signature)
                ),
            ),
            E::ErrorDotExpr(..) | E::ErrorPropertyNotFound(..) | E::ErrorIndexingType(..) => Self::new(
                "expr.no_value",
                at,
                "there is nothing inside this value: it is () or no object; use `?.` to get () in that case",
            ),
            E::ErrorIndexNotFound(..) | E::ErrorArrayBounds(..) | E::ErrorStringBounds(..) => {
                Self::new("expr.index", at, "there is no element at this index; use `get(index)` to get () in that case")
            }
            E::ErrorMismatchDataType(wanted, got, _) | E::ErrorMismatchOutputType(wanted, got, _) => {
                Self::new("expr.type", at, format!("expected {}, found {}", kind(wanted), kind(got)))
            }
            E::ErrorArithmetic(sentence, _) if sentence.starts_with("Error parsing") => {
                Self::new("expr.value", at, "this text is no number: check it first, for example with `if`")
            }
            E::ErrorArithmetic(..) => {
                Self::new("expr.arithmetic", at, "this number cannot be worked out: a division by zero or a number too large")
            }
            E::ErrorTooManyOperations(_) | E::ErrorDataTooLarge(..) | E::ErrorStackOverflow(_) | E::ErrorTooManyVariables(_) => {
                Self::new("expr.limit", at, "this expression works with too much: use a script step for it")
            }
            E::ErrorRuntime(own, _) if own.is_string() => {
                // Only this room's own functions raise it; their sentences hold no values.
                Self::new("expr.value", at, own.clone().into_string().unwrap_or_default())
            }
            _ => Self::new("expr.failed", at, "this expression could not be worked out"),
        }
    }
}

fn operator_help(op: &str) -> String {
    let instead = match op {
        "=" => "==",
        "and" => "&&",
        "or" => "||",
        _ => "!",
    };
    format!("`{op}` is no operator here: write `{instead}`")
}

/// `+ (i64, &str | ImmutableString | String)` as a person would say it.
fn types_only(signature: &str) -> String {
    match signature.split_once(" (") {
        Some((name, rest)) => {
            let kinds: Vec<&str> = rest.trim_end_matches(')').split(", ").map(kind).collect();
            format!("{name} ({})", kinds.join(", "))
        }
        None => signature.to_owned(),
    }
}

/// rhai's names of types in the words of the documentation.
fn kind(name: &str) -> &str {
    match name {
        "i64" => "integer",
        "f64" => "number",
        "bool" => "true or false",
        "map" => "object",
        "()" => "()",
        _ if name.contains("tring") || name.contains("str") => "text",
        _ if name.contains("Map") => "object",
        _ if name.contains("Array") || name.contains("Vec") => "array",
        other => other,
    }
}
