//! JSON that comes out of a guest. Stricter than usual, as the contract says: bounded in size and depth, no name twice. The
//! attack this stops: a text that two readers understand differently, or one that is deep enough to end a reader's stack.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error as _, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};

/// Bytes of one JSON text, unless a place says otherwise.
pub(crate) const BYTES: usize = 256 << 10;

/// Levels of arrays and objects.
const DEPTH: usize = 64;

/// What marks the error of a text that is too deep; serde's errors carry text only.
const TOO_DEEP: &str = "nested deeper than 64 levels";

/// Why a text was not taken. Never quotes it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Unfit {
    #[error("it has more than {} KiB", .0 >> 10)]
    TooLarge(usize),
    #[error("it is nested deeper than {DEPTH} levels")]
    TooDeep,
    #[error("{0}")]
    Wrong(String),
}

/// Reads one text of at most [`BYTES`].
pub(crate) fn parse(text: &str) -> Result<Value, Unfit> {
    parse_within(text, BYTES)
}

/// Reads one text of at most `bytes`.
pub(crate) fn parse_within(text: &str, bytes: usize) -> Result<Value, Unfit> {
    if text.len() > bytes {
        return Err(Unfit::TooLarge(bytes));
    }
    let mut reader = serde_json::Deserializer::from_str(text);
    let value = Level(0).deserialize(&mut reader).and_then(|value| reader.end().map(|()| value));
    value.map_err(|error| {
        let said = error.to_string();
        if said.contains(TOO_DEEP) || said.contains("recursion limit") {
            Unfit::TooDeep
        } else {
            Unfit::Wrong(format!("it is no JSON: {said}"))
        }
    })
}

/// One value, this many levels down.
struct Level(usize);

impl Level {
    fn below<E: serde::de::Error>(&self) -> Result<Self, E> {
        if self.0 >= DEPTH { Err(E::custom(TOO_DEEP)) } else { Ok(Self(self.0 + 1)) }
    }
}

impl<'de> DeserializeSeed<'de> for Level {
    type Value = Value;
    fn deserialize<D: Deserializer<'de>>(self, d: D) -> Result<Value, D::Error> {
        d.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Level {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, v: bool) -> Result<Value, E> {
        Ok(Value::Bool(v))
    }

    fn visit_i64<E>(self, v: i64) -> Result<Value, E> {
        Ok(Value::from(v))
    }

    fn visit_u64<E>(self, v: u64) -> Result<Value, E> {
        Ok(Value::from(v))
    }

    fn visit_f64<E: serde::de::Error>(self, v: f64) -> Result<Value, E> {
        Number::from_f64(v).map(Value::Number).ok_or_else(|| E::custom("a number is not finite"))
    }

    fn visit_str<E>(self, v: &str) -> Result<Value, E> {
        Ok(Value::String(v.to_owned()))
    }

    fn visit_string<E>(self, v: String) -> Result<Value, E> {
        Ok(Value::String(v))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let mut all = Vec::new();
        while let Some(item) = items.next_element_seed(self.below()?)? {
            all.push(item);
        }
        Ok(Value::Array(all))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let mut all = Map::new();
        while let Some(name) = items.next_key::<String>()? {
            let value = items.next_value_seed(self.below()?)?;
            if all.insert(name, value).is_some() {
                return Err(A::Error::custom("a name stands twice in one object"));
            }
        }
        Ok(Value::Object(all))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_serde_reads() {
        for text in ["null", "true", "-3", "18446744073709551615", "1.5", r#""a\u00e9""#, r#"[1,[2],{"a":{"b":[]}}]"#, " {} "] {
            assert_eq!(parse(text), Ok(serde_json::from_str(text).unwrap()), "{text}");
        }
    }

    #[test]
    fn refuses_repeats_depth_size_and_what_is_no_json() {
        assert!(matches!(parse(r#"{"a":1,"a":2}"#), Err(Unfit::Wrong(why)) if why.contains("twice") && !why.contains("\"a\"")));
        assert!(parse(&format!("{}{}", "[".repeat(64), "]".repeat(64))).is_ok());
        for depth in [65, 127, 200, 1_000_000] {
            let text = format!("{}{}", "[".repeat(depth), "]".repeat(depth));
            assert_eq!(parse_within(&text, usize::MAX), Err(Unfit::TooDeep), "{depth}");
        }
        assert_eq!(parse(&format!("\"{}\"", "x".repeat(BYTES))), Err(Unfit::TooLarge(BYTES)));
        for text in ["", "NaN", "1e999", "{} {}", "'a'", "[1,]"] {
            assert!(matches!(parse(text), Err(Unfit::Wrong(_))), "{text}");
        }
    }
}
