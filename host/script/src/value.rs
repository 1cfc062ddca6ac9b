//! JSON to values of the language and back, exactly: null is `()`, integers are i64, floats f64, maps are ordered by key.
//! Both ways have a budget of nodes and bytes: a webhook's huge list or a built-up text ends in `expr.limit`, not in a
//! host that is busy.

use rhai::{Array, Dynamic, Map};
use serde_json::{Number, Value};

use crate::compile::Need;
use crate::error::Fault;

/// Levels of nesting.
const DEPTH: usize = 96;

/// What a conversion may still use.
pub(crate) struct Budget {
    nodes: usize,
    bytes: usize,
}

impl Budget {
    /// For what goes in.
    pub(crate) fn input() -> Self {
        Self { nodes: 4_096, bytes: 256 << 10 }
    }

    /// For what comes out.
    pub(crate) fn output() -> Self {
        Self { nodes: 4_096, bytes: 256 << 10 }
    }

    fn take(&mut self, bytes: usize, depth: usize) -> Result<(), Fault> {
        match (self.nodes.checked_sub(1), self.bytes.checked_sub(bytes)) {
            (Some(nodes), Some(bytes)) if depth <= DEPTH => {
                *self = Self { nodes, bytes };
                Ok(())
            }
            _ => Err(Fault::at_start(
                "expr.limit",
                "this expression works with a value that is too large: use a script step for it",
            )),
        }
    }
}

/// The needed part of a value.
pub(crate) fn narrowed(value: &Value, need: &Need, budget: &mut Budget) -> Result<Dynamic, Fault> {
    narrowed_at(value, need, budget, 0)
}

fn narrowed_at(value: &Value, need: &Need, budget: &mut Budget, depth: usize) -> Result<Dynamic, Fault> {
    match (value, need) {
        (Value::Object(fields), Need::Fields(needs)) => {
            budget.take(0, depth)?;
            let mut map = Map::new();
            for (name, need) in needs {
                if let Some(field) = fields.get(name) {
                    map.insert(name.as_str().into(), narrowed_at(field, need, budget, depth + 1)?);
                }
            }
            Ok(Dynamic::from_map(map))
        }
        _ => from_json(value, budget, depth),
    }
}

fn from_json(value: &Value, budget: &mut Budget, depth: usize) -> Result<Dynamic, Fault> {
    budget.take(value.as_str().map_or(0, str::len), depth)?;
    Ok(match value {
        Value::Null => Dynamic::UNIT,
        Value::Bool(b) => Dynamic::from_bool(*b),
        // Above i64 there are only numbers that JSON readers round anyway; ids are texts.
        Value::Number(n) => match n.as_i64() {
            Some(i) => Dynamic::from_int(i),
            None => Dynamic::from_float(n.as_f64().unwrap_or(f64::NAN)),
        },
        Value::String(s) => Dynamic::from(rhai::ImmutableString::from(s.as_str())),
        Value::Array(items) => {
            Dynamic::from_array(items.iter().map(|v| from_json(v, budget, depth + 1)).collect::<Result<Array, _>>()?)
        }
        Value::Object(fields) => {
            let mut map = Map::new();
            for (name, field) in fields {
                map.insert(name.as_str().into(), from_json(field, budget, depth + 1)?);
            }
            Dynamic::from_map(map)
        }
    })
}

/// The result of an expression.
pub(crate) fn to_json(value: &Dynamic, budget: &mut Budget) -> Result<Value, Fault> {
    to_json_at(value, budget, 0)
}

fn to_json_at(value: &Dynamic, budget: &mut Budget, depth: usize) -> Result<Value, Fault> {
    if let Some(text) = value.read_lock::<rhai::ImmutableString>() {
        budget.take(text.len(), depth)?;
        return Ok(Value::String(text.to_string()));
    }
    budget.take(0, depth)?;
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
        return Number::from_f64(f).map(Value::Number).ok_or_else(|| {
            Fault::at_start("expr.arithmetic", "the result is no number that can be written down (infinite or undefined)")
        });
    }
    if let Ok(c) = value.as_char() {
        return Ok(Value::String(c.to_string()));
    }
    if let Some(items) = value.read_lock::<Array>() {
        return items.iter().map(|v| to_json_at(v, budget, depth + 1)).collect::<Result<Vec<_>, _>>().map(Value::Array);
    }
    if let Some(map) = value.read_lock::<Map>() {
        let mut fields = serde_json::Map::new();
        for (name, field) in map.iter() {
            budget.take(name.len(), depth)?;
            fields.insert(name.to_string(), to_json_at(field, budget, depth + 1)?);
        }
        return Ok(Value::Object(fields));
    }
    Err(Fault::at_start("expr.type", "the result is no value of JSON (text, number, true, false, (), array, object)"))
}
