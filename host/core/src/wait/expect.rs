//! What fits as an answer. Strict enough to be used without a second look, lenient enough for a thumb on a phone.

use serde::{Deserialize, Serialize};
use serde_json::{Number, Value};

use crate::event::Choice;

/// What a question expects.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Expect {
    /// Whatever comes, a picture too.
    #[default]
    Any,
    /// A number: `12`, `-3.5`, `1,5`.
    Number,
    /// Yes or no, in the words of some languages.
    YesNo,
    /// One mail address.
    Email,
    /// One telephone number.
    Phone,
    /// One of these texts, or one of the question's buttons; small and capital letters are the same.
    OneOf(Vec<String>),
}

/// An answer that fits.
#[derive(Debug, Clone, PartialEq)]
pub struct Heard {
    /// What was said, or the title of what was chosen.
    pub text: Option<String>,
    /// What stood behind the button.
    pub payload: Option<String>,
    /// The answer as a value: a number, true or false, else text.
    pub value: Value,
}

const YES: [&str; 24] = [
    "yes", "y", "yeah", "yep", "yup", "sure", "ok", "okay", "true", "1", "ja", "oui", "si", "sí", "sì", "sim", "да", "так",
    "tak", "ano", "evet", "sure!", "yes!", "👍",
];
const NO: [&str; 18] =
    ["no", "n", "nope", "nah", "false", "0", "nein", "nee", "non", "não", "nao", "нет", "ні", "nie", "ne", "hayır", "no!", "👎"];

impl Expect {
    /// The simple ones by their word in a workflow.
    #[must_use]
    pub fn by_word(word: &str) -> Option<Self> {
        Some(match word {
            "any" => Self::Any,
            "number" => Self::Number,
            "yes_no" => Self::YesNo,
            "email" => Self::Email,
            "phone" => Self::Phone,
            _ => return None,
        })
    }

    /// In a sentence: "no answer was ...".
    pub(super) fn describe(&self) -> &'static str {
        match self {
            Self::Any => "an answer",
            Self::Number => "a number",
            Self::YesNo => "yes or no",
            Self::Email => "a mail address",
            Self::Phone => "a telephone number",
            Self::OneOf(_) => "one of those offered",
        }
    }

    /// Hears an answer; `None` when it does not fit. What a button offered always fits, pressed or typed.
    #[must_use]
    pub fn hear(&self, choices: &[Choice], text: Option<String>, payload: Option<String>) -> Option<Heard> {
        let pressed = payload.as_deref().and_then(|payload| choices.iter().find(|c| c.payload == payload));
        let typed = text.as_deref().map(folded);
        let named = |c: &&Choice| typed.as_deref().is_some_and(|typed| folded(&c.title) == typed || folded(&c.payload) == typed);
        if let Some(choice) = pressed.or_else(|| choices.iter().find(named)) {
            let value = match self {
                Self::Any | Self::OneOf(_) => Some(Value::String(choice.title.clone())),
                other => other.value(&choice.payload).or_else(|| other.value(&choice.title)),
            };
            let (text, payload) = (Some(choice.title.clone()), Some(choice.payload.clone()));
            return Some(Heard { text, payload, value: value.unwrap_or_default() });
        }
        match self {
            Self::Any => Some(Heard { value: text.clone().map_or(Value::Null, Value::String), text, payload }),
            Self::OneOf(texts) => {
                let chosen = texts.iter().find(|one| typed.as_deref() == Some(&*folded(one)))?;
                Some(Heard { value: Value::String(chosen.clone()), text: Some(chosen.clone()), payload })
            }
            _ => {
                let value = self.value(text.as_deref()?)?;
                Some(Heard { text, payload, value })
            }
        }
    }

    /// The value of a text of this kind.
    fn value(&self, text: &str) -> Option<Value> {
        let text = text.trim();
        match self {
            Self::Any | Self::OneOf(_) => Some(Value::String(text.to_owned())),
            Self::Number => number(text).map(Value::Number),
            Self::YesNo => {
                let word = folded(text.trim_end_matches(['.', '!']));
                let is = |words: &[&str]| words.contains(&word.as_str());
                if is(&YES) { Some(Value::Bool(true)) } else { is(&NO).then_some(Value::Bool(false)) }
            }
            Self::Email => email(text).then(|| Value::String(text.to_owned())),
            Self::Phone => phone(text).map(Value::String),
        }
    }
}

fn folded(text: &str) -> String {
    text.trim().to_lowercase()
}

/// Whole or with one decimal mark, a point or a comma. `1,000` is neither this nor that, and does not fit.
fn number(text: &str) -> Option<Number> {
    let plain = |text: &str| text.strip_prefix(['-', '+']).unwrap_or(text).bytes().all(|b| b.is_ascii_digit() || b == b'.');
    let point = match text.split_once(',') {
        Some((_, decimals)) if decimals.len() == 3 => return None,
        Some((whole, decimals)) if !whole.contains('.') && !decimals.contains(['.', ',']) => format!("{whole}.{decimals}"),
        Some(_) => return None,
        None => text.to_owned(),
    };
    if !plain(&point) {
        return None;
    }
    match point.parse::<i64>() {
        Ok(whole) => Some(whole.into()),
        Err(_) => Number::from_f64(point.parse().ok()?),
    }
}

fn email(text: &str) -> bool {
    let Some((name, domain)) = text.rsplit_once('@') else { return false };
    let good = |c: char| !c.is_whitespace() && !c.is_control() && !"<>()[],;:\"\\@".contains(c);
    let label = |part: &str| !part.is_empty() && part.chars().all(|c| c.is_alphanumeric() || c == '-');
    (1..=64).contains(&name.len())
        && text.len() <= 254
        && name.chars().all(good)
        && domain.contains('.')
        && domain.split('.').all(label)
}

/// Its digits, with the `+` where there is one.
fn phone(text: &str) -> Option<String> {
    let (plus, rest) = match text.strip_prefix('+') {
        Some(rest) => ("+", rest),
        None => ("", text),
    };
    if rest.chars().any(|c| !(c.is_ascii_digit() || " -().\u{a0}/".contains(c))) {
        return None;
    }
    let digits: String = rest.chars().filter(char::is_ascii_digit).collect();
    (6..=15).contains(&digits.len()).then(|| format!("{plus}{digits}"))
}
