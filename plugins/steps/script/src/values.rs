//! JSON to values of the language and back, exactly: null is `()`, integers are i64, floats f64, maps are ordered by key, so
//! the same value has the same text on every run.

use rhai::{Array, Dynamic, ImmutableString, Map};
use serde_json::{Number, Value};

use crate::failure::Reason;

/// Levels of nesting of what leaves a script. The stack is the true limit; this one has a better sentence.
const DEPTH: usize = 64;

/// Reads JSON text.
pub(crate) fn from_json(json: &str) -> Result<Dynamic, Reason> {
    let value = serde_json::from_str(json).map_err(|_| Reason::new("script.value", "what the host answered is no JSON"))?;
    from_value(value, 0)
}

/// From a JSON value.
pub(crate) fn from_value(value: Value, depth: usize) -> Result<Dynamic, Reason> {
    if depth > DEPTH * 2 {
        return Err(Reason::new("limit.depth", "a value is nested too deeply"));
    }
    Ok(match value {
        Value::Null => Dynamic::UNIT,
        Value::Bool(b) => b.into(),
        Value::Number(n) => match n.as_i64() {
            Some(i) => i.into(),
            None => n.as_f64().unwrap_or(f64::NAN).into(),
        },
        Value::String(s) => s.into(),
        Value::Array(items) => {
            let items: Array = items.into_iter().map(|v| from_value(v, depth + 1)).collect::<Result<_, _>>()?;
            items.into()
        }
        Value::Object(fields) => {
            let mut map = Map::new();
            for (name, field) in fields {
                map.insert(name.into(), from_value(field, depth + 1)?);
            }
            map.into()
        }
    })
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
