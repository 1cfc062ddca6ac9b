//! Why a script failed, in a code and a sentence with line and column. Values are not quoted, for they may be a contact's
//! words; what a script throws itself is the author's own sentence and is kept, cut to 200 characters.

use rhai::{Dynamic, EvalAltResult, Map, ParseError, Position};

use crate::bindings::exports::pointsman::plugin::interpreter::Diagnostic;
use crate::bindings::pointsman::plugin::types::{Failure, Fault, Refusal};

/// A code and a sentence.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Reason {
    pub(crate) code: String,
    pub(crate) message: String,
    at: Position,
}

impl Reason {
    pub(crate) fn new(code: impl Into<String>, message: impl Into<String>) -> Self {
        Self { code: code.into(), message: message.into(), at: Position::NONE }
    }

    fn at(mut self, at: Position) -> Self {
        self.at = at;
        self
    }

    /// As the host takes it: `rejected` where the workflow may go on otherwise, `malformed` where the script is wrong.
    pub(crate) fn into_failure(self) -> Failure {
        let own = self.code.starts_with("script.") || self.code.starts_with("replay.");
        let fault = if own { Fault::Malformed } else { Fault::Rejected };
        let message = match (self.at.line(), self.at.position()) {
            (Some(line), Some(column)) => format!("script:{line}:{column}: {}", self.message),
            (Some(line), None) => format!("script:{line}: {}", self.message),
            _ => self.message,
        };
        Failure { fault, code: cut(&self.code, 64), message, retry_after: None }
    }
}

/// A mistake of syntax.
pub(crate) fn diagnostic(error: &ParseError) -> Diagnostic {
    let number = |n: Option<usize>| n.and_then(|n| u32::try_from(n).ok()).unwrap_or(0);
    let at = error.position();
    Diagnostic { line: number(at.line()), column: number(at.position()), message: error.err_type().to_string() }
}

/// An error that the script may catch: `catch (e) { e.code }`.
pub(crate) fn raise(reason: &Reason) -> Box<EvalAltResult> {
    let mut map = Map::new();
    map.insert("code".into(), reason.code.clone().into());
    map.insert("message".into(), reason.message.clone().into());
    Box::new(EvalAltResult::ErrorRuntime(map.into(), Position::NONE))
}

/// What was waited for failed.
pub(crate) fn raise_from(failed: &Failure) -> Box<EvalAltResult> {
    raise(&Reason::new(failed.code.clone(), failed.message.clone()))
}

/// The host did not do it.
pub(crate) fn raise_refusal(what: &str, refusal: Refusal) -> Box<EvalAltResult> {
    raise(&match refusal {
        Refusal::Denied(text) => Reason::new(format!("denied.{what}"), text),
        Refusal::Limit(name) => Reason::new(name.clone(), format!("`{what}`: the limit {name} was reached")),
        Refusal::Invalid(text) => Reason::new("script.arguments", format!("`{what}`: {text}")),
        Refusal::Unavailable(text) => Reason::new(format!("unavailable.{what}"), text),
    })
}

/// Wrong arguments of a function of ours.
pub(crate) fn wrong(sentence: impl Into<String>) -> Box<EvalAltResult> {
    raise(&Reason::new("script.arguments", sentence))
}

/// What ended the script.
pub(crate) fn from_evaluation(error: &EvalAltResult) -> Reason {
    use EvalAltResult as E;
    let at = error.position();
    let limit = |name: &str, message: &str| Reason::new(format!("limit.{name}"), message).at(at);
    match error {
        // The place where the function was called says less than the place in it, unless there is none.
        E::ErrorInFunctionCall(name, _, inner, _) => {
            let inside = from_evaluation(inner);
            let place = if inside.at.is_none() { at } else { inside.at };
            let message =
                if inside.message.contains(" (in `") { inside.message } else { format!("{} (in `{name}`)", inside.message) };
            Reason { code: inside.code, message, at: place }
        }
        E::ErrorRuntime(thrown, _) => thrown_by_script(thrown).at(at),
        E::ErrorTooManyOperations(_) => limit("operations", "this script works too long: is there a loop without an end?"),
        E::ErrorStackOverflow(_) => limit("calls", "functions call each other too deeply: is there a recursion without an end?"),
        E::ErrorDataTooLarge(kind, _) => limit("size", &format!("{kind} grew too large")),
        E::ErrorTooManyVariables(_) => limit("variables", "too many variables"),
        E::ErrorIndexNotFound(..) => Reason::new("script.error", "there is no element at this index").at(at),
        E::ErrorArithmetic(sentence, _) if sentence.starts_with("Error parsing") => {
            Reason::new("script.error", "this text is no number").at(at)
        }
        E::ErrorDotExpr(..) | E::ErrorPropertyNotFound(..) => {
            Reason::new("script.error", "there is nothing inside this value: it is () or no map; use `?.` to get () in that case")
                .at(at)
        }
        E::ErrorVariableNotFound(name, _) => Reason::new("script.error", format!("`{name}` is not known here")).at(at),
        E::ErrorFunctionNotFound(signature, _) => {
            Reason::new("script.error", format!("there is no function `{signature}`: check its name and what it takes")).at(at)
        }
        other => {
            let mut plain = other.to_string();
            // rhai appends the place; ours stands in front.
            if let Some(cut_at) = plain.rfind(" (line ") {
                plain.truncate(cut_at);
            }
            Reason::new("script.error", plain).at(at)
        }
    }
}

fn thrown_by_script(thrown: &Dynamic) -> Reason {
    let text = |map: &Map, key: &str| map.get(key).and_then(|v| v.clone().into_string().ok());
    if let Some(map) = thrown.read_lock::<Map>() {
        let code = text(&map, "code").filter(|c| is_code(c)).unwrap_or_else(|| "script.thrown".to_owned());
        let message = text(&map, "message").unwrap_or_else(|| "the script gave up".to_owned());
        return Reason::new(code, cut(&message, 400));
    }
    match thrown.clone().into_string() {
        Ok(sentence) => Reason::new("script.thrown", cut(&sentence, 200)),
        Err(_) if thrown.is_unit() => Reason::new("script.thrown", "the script gave up"),
        Err(kind) => Reason::new("script.thrown", format!("the script threw a value of kind {kind}")),
    }
}

/// Words and dots, as codes are.
fn is_code(text: &str) -> bool {
    !text.is_empty() && text.len() <= 64 && text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-'))
}

fn cut(text: &str, characters: usize) -> String {
    text.chars().take(characters).collect()
}
