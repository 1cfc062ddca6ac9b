//! JSON to values of the language and back, exactly: null is `()`, integers are i64, floats f64, maps are ordered by key, so
//! the same value has the same text on every run.

use std::fmt;
use std::marker::PhantomData;

use rhai::{Array, Dynamic, ImmutableString, Map};
use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::{Number, Value};

use crate::failure::Reason;

/// Levels of nesting of what leaves a script. The stack is the true limit; this one has a better sentence.
const DEPTH: usize = 64;

/// Reads JSON text.
pub(crate) fn from_json(json: &str) -> Result<Dynamic, Reason> {
    serde_json::from_str(json)
        .map(|Read(value)| value)
        .map_err(|_| Reason::new("script.value", "what the host answered is no JSON, or nested too deeply"))
}

/// A value read straight from JSON: a script is given its names on every leg, so no tree is built in between.
struct Read(Dynamic);

impl<'de> Deserialize<'de> for Read {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_any(Reader)
    }
}

struct Reader;

impl<'de> Visitor<'de> for Reader {
    type Value = Read;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E>(self) -> Result<Read, E> {
        Ok(Read(Dynamic::UNIT))
    }

    fn visit_bool<E>(self, b: bool) -> Result<Read, E> {
        Ok(Read(b.into()))
    }

    fn visit_i64<E>(self, i: i64) -> Result<Read, E> {
        Ok(Read(i.into()))
    }

    #[expect(clippy::cast_precision_loss, reason = "what no i64 holds is a float here")]
    fn visit_u64<E>(self, u: u64) -> Result<Read, E> {
        Ok(Read(i64::try_from(u).map_or_else(|_| (u as f64).into(), Dynamic::from)))
    }

    fn visit_f64<E>(self, f: f64) -> Result<Read, E> {
        Ok(Read(f.into()))
    }

    fn visit_str<E>(self, text: &str) -> Result<Read, E> {
        Ok(Read(ImmutableString::from(text).into()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Read, A::Error> {
        let mut array = Array::new();
        while let Some(Read(item)) = items.next_element()? {
            array.push(item);
        }
        Ok(Read(Dynamic::from_array(array)))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut fields: A) -> Result<Read, A::Error> {
        let mut map = Map::new();
        while let Some(name) = fields.next_key::<Name<_>>()? {
            let Read(field) = fields.next_value()?;
            map.insert(name.0, field);
        }
        Ok(Read(Dynamic::from_map(map)))
    }
}

/// The name of a field, in the map's own kind of string.
struct Name<T>(T);

impl<'de, T: for<'a> From<&'a str>> Deserialize<'de> for Name<T> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Spelled<T>(PhantomData<T>);
        impl<T: for<'a> From<&'a str>> Visitor<'_> for Spelled<T> {
            type Value = Name<T>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a name")
            }
            fn visit_str<E>(self, name: &str) -> Result<Name<T>, E> {
                Ok(Name(name.into()))
            }
        }
        from.deserialize_str(Spelled(PhantomData))
    }
}

/// To a JSON value.
pub(crate) fn to_json(value: &Dynamic) -> Result<Value, Reason> {
    to_json_at(value, 0)
}

fn to_json_at(value: &Dynamic, depth: usize) -> Result<Value, Reason> {
    if depth > DEPTH {
        return Err(Reason::new("limit.depth", format!("a value that leaves a script has at most {DEPTH} levels")));
    }
    if let Some(text) = value.read_lock::<ImmutableString>() {
        return Ok(Value::String(text.to_string()));
    }
    if value.is_unit() {
        return Ok(Value::Null);
    }
    if let Ok(b) = value.as_bool() {
        return Ok(Value::Bool(b));
    }
    if let Ok(i) = value.as_int() {
        return Ok(Value::Number(i.into()));
    }
    if let Ok(f) = value.as_float() {
        return Number::from_f64(f)
            .map(Value::Number)
            .ok_or_else(|| Reason::new("script.value", "a number that leaves a script must be finite"));
    }
    if let Ok(c) = value.as_char() {
        return Ok(Value::String(c.to_string()));
    }
    if let Some(items) = value.read_lock::<Array>() {
        return items.iter().map(|v| to_json_at(v, depth + 1)).collect::<Result<_, _>>().map(Value::Array);
    }
    if let Some(map) = value.read_lock::<Map>() {
        let fields = map.iter().map(|(name, v)| Ok((name.to_string(), to_json_at(v, depth + 1)?)));
        return fields.collect::<Result<_, Reason>>().map(Value::Object);
    }
    Err(Reason::new(
        "script.value",
        "only texts, numbers, true, false, (), arrays and maps can leave a script: a function or a range cannot",
    ))
}
