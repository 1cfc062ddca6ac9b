//! A subset of JSON Schema (2020-12), enough for what providers take as the form of an answer: types, enums, objects, lists, bounds, `anyOf`,
//! `oneOf`, `allOf`, references within the schema. A keyword that is not known is refused when the schema is read: what is not checked must not
//! look checked. Attacks stopped here: an answer that a later step would trust in a form which it does not have; a schema that
//! refers to itself for ever, or to a file or a host.

use std::cell::Cell;

use pointsman_core::failure::{Class, Failure};
use serde_json::{Map, Value};

/// How deep schema and answer go into each other.
const DEPTH: usize = 64;

/// Schemas that are compared with parts of one answer: alternatives that refer to each other would multiply.
const STEPS: u32 = 200_000;

/// Bytes of a schema.
pub const BYTES: usize = 64 << 10;

/// What says something about the answer.
const KNOWN: [&str; 22] = [
    "type",
    "enum",
    "const",
    "properties",
    "required",
    "additionalProperties",
    "items",
    "minItems",
    "maxItems",
    "uniqueItems",
    "minProperties",
    "maxProperties",
    "minLength",
    "maxLength",
    "minimum",
    "maximum",
    "exclusiveMinimum",
    "exclusiveMaximum",
    "anyOf",
    "oneOf",
    "allOf",
    "$ref",
];

/// What says something to people.
const SILENT: [&str; 11] = [
    "title",
    "description",
    "default",
    "examples",
    "format",
    "deprecated",
    "readOnly",
    "writeOnly",
    "$schema",
    "$id",
    "$comment",
];

/// A schema whose every word is known.
#[derive(Debug)]
pub struct Schema<'a>(&'a Value);

impl<'a> Schema<'a> {
    /// Reads a schema.
    ///
    /// # Errors
    /// `model.schema_unknown`: it says something that would not be checked. `limit.model-schema`: too large or too deep.
    pub fn read(schema: &'a Value) -> Result<Self, Failure> {
        if schema.to_string().len() > BYTES {
            return Err(Failure::limit("model-schema", format!("a schema has at most {} KiB", BYTES >> 10)));
        }
        known(schema, schema, 0)?;
        Ok(Self(schema))
    }

    /// Checks a value.
    ///
    /// # Errors
    /// Where it differs and what was expected, without the value's own words.
    pub fn check(&self, value: &Value) -> Result<(), String> {
        Walk { root: self.0, left: Cell::new(STEPS) }.at(self.0, value, &mut String::new(), 0)
    }
}

fn unknown(why: String) -> Failure {
    Failure::new(Class::Permanent, "model.schema_unknown", why)
}

/// Whether a schema and those in it say nothing that [`at`] does not look at.
fn known(root: &Value, schema: &Value, depth: usize) -> Result<(), Failure> {
    if depth > DEPTH {
        return Err(Failure::limit("model-schema", format!("a schema is at most {DEPTH} deep")));
    }
    let map = match schema {
        Value::Bool(_) => return Ok(()),
        Value::Object(map) => map,
        _ => return Err(unknown("a schema is an object, true or false".to_owned())),
    };
    for (word, inner) in map {
        let within = |inner: &Value| known(root, inner, depth + 1);
        match (word.as_str(), inner) {
            ("properties" | "$defs", Value::Object(all)) => all.values().try_for_each(within)?,
            ("items" | "additionalProperties", one) => within(one)?,
            ("anyOf" | "oneOf" | "allOf", Value::Array(all)) if !all.is_empty() => all.iter().try_for_each(within)?,
            ("$ref", Value::String(to)) => {
                if referred(root, to).is_none() {
                    return Err(unknown(format!("`$ref` leads to {to:?}, which is not in this schema; write #/$defs/NAME")));
                }
            }
            ("type", Value::String(one)) => kind(one)?,
            ("type", Value::Array(all)) if !all.is_empty() => {
                all.iter().try_for_each(|one| kind(one.as_str().unwrap_or("a type that is no text")))?;
            }
            ("enum", Value::Array(_)) | ("const", _) => {}
            ("required", Value::Array(all)) if all.iter().all(Value::is_string) => {}
            ("uniqueItems", Value::Bool(_)) => {}
            (word, Value::Number(_)) if word.starts_with("min") || word.starts_with("max") || word.starts_with("exclusive") => {
                if !KNOWN.contains(&word) {
                    return Err(unknown(unchecked(word)));
                }
            }
            (word, _) if SILENT.contains(&word) => {}
            (word, _) if KNOWN.contains(&word) || word == "$defs" => {
                return Err(unknown(format!("`{word}` of the schema has a value of a wrong kind")));
            }
            (word, _) => return Err(unknown(unchecked(word))),
        }
    }
    Ok(())
}

fn unchecked(word: &str) -> String {
    let word: String = word.chars().take(40).collect();
    format!("`{word}` in a schema cannot be checked here, so it is not taken; leave it out and check it in the workflow")
}

fn kind(word: &str) -> Result<(), Failure> {
    let all = ["null", "boolean", "integer", "number", "string", "array", "object"];
    if all.contains(&word) { Ok(()) } else { Err(unknown(format!("there is no type {word:?}: {}", all.join(", ")))) }
}

/// What `#` or `#/$defs/NAME` leads to.
fn referred<'a>(root: &'a Value, to: &str) -> Option<&'a Value> {
    match to.strip_prefix("#/$defs/") {
        Some(name) => root.get("$defs")?.get(name),
        None => (to == "#").then_some(root),
    }
}

/// One check.
struct Walk<'a> {
    root: &'a Value,
    left: Cell<u32>,
}

impl Walk<'_> {
    /// Checks a value against a schema; `path` says where.
    fn at(&self, schema: &Value, value: &Value, path: &mut String, depth: usize) -> Result<(), String> {
        let wrong = |path: &str, why: &str| Err(format!("{}: {why}", if path.is_empty() { "the answer" } else { path }));
        let map = match schema {
            Value::Bool(true) => return Ok(()),
            Value::Object(map) => map,
            _ => return wrong(path, "nothing may stand here"),
        };
        if depth > DEPTH {
            return wrong(path, "it is too deep");
        }
        match self.left.get().checked_sub(1) {
            Some(left) => self.left.set(left),
            None => return wrong(path, "its schema takes too long to check"),
        }
        if let Some(to) = map.get("$ref").and_then(Value::as_str) {
            let Some(inner) = referred(self.root, to) else { return wrong(path, "its schema leads nowhere") };
            self.at(inner, value, path, depth + 1)?;
        }
        let types: Vec<&str> = match map.get("type") {
            Some(Value::String(one)) => vec![one],
            Some(Value::Array(all)) => all.iter().filter_map(Value::as_str).collect(),
            _ => Vec::new(),
        };
        if !types.is_empty() && !types.iter().any(|one| is(one, value)) {
            return wrong(path, &format!("it must be {}", types.join(" or ")));
        }
        if map.get("const").is_some_and(|only| only != value) {
            return wrong(path, "it must be the constant of the schema");
        }
        if map.get("enum").and_then(Value::as_array).is_some_and(|all| !all.contains(value)) {
            return wrong(path, "it must be one of the schema's `enum`");
        }
        if let Err(why) = bounds(map, value) {
            return wrong(path, &why);
        }
        match value {
            Value::Object(object) => self.inside(map, object, path, depth)?,
            Value::Array(list) => {
                if map.get("uniqueItems") == Some(&Value::Bool(true))
                    && list.iter().enumerate().any(|(n, one)| list.iter().take(n).any(|o| o == one))
                {
                    return wrong(path, "no item may stand in it twice");
                }
                if let Some(items) = map.get("items") {
                    for (n, item) in list.iter().enumerate() {
                        deeper(path, &format!("[{n}]"), |path| self.at(items, item, path, depth + 1))?;
                    }
                }
            }
            _ => {}
        }
        let alternatives = |word: &str| map.get(word).and_then(Value::as_array);
        for inner in alternatives("allOf").into_iter().flatten() {
            self.at(inner, value, path, depth + 1)?;
        }
        let fits = |all: &[Value]| all.iter().filter(|inner| self.at(inner, value, &mut path.clone(), depth + 1).is_ok()).count();
        if let Some(all) = alternatives("anyOf")
            && fits(all) == 0
        {
            return wrong(path, "it fits none of `anyOf`");
        }
        if let Some(all) = alternatives("oneOf")
            && fits(all) != 1
        {
            return wrong(path, "it must fit exactly one of `oneOf`");
        }
        Ok(())
    }

    fn inside(
        &self,
        map: &Map<String, Value>,
        object: &Map<String, Value>,
        path: &mut String,
        depth: usize,
    ) -> Result<(), String> {
        let here = |path: &str| if path.is_empty() { "the answer".to_owned() } else { path.to_owned() };
        for name in map.get("required").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str) {
            if !object.contains_key(name) {
                return Err(format!("{}: `{name}` is missing", here(path)));
            }
        }
        let properties = map.get("properties").and_then(Value::as_object);
        for (name, inner) in object {
            match (properties.and_then(|all| all.get(name)), map.get("additionalProperties")) {
                (Some(schema), _) => deeper(path, &format!(".{name}"), |path| self.at(schema, inner, path, depth + 1))?,
                (None, Some(Value::Bool(false))) => {
                    return Err(format!("{}: there is a member that the schema does not name", here(path)));
                }
                // Its name is the model's own word, so it is not told.
                (None, Some(schema)) => deeper(path, ".*", |path| self.at(schema, inner, path, depth + 1))?,
                (None, None) => {}
            }
        }
        Ok(())
    }
}

/// Goes into a part of the value.
fn deeper(path: &mut String, part: &str, check: impl FnOnce(&mut String) -> Result<(), String>) -> Result<(), String> {
    let before = path.len();
    path.push_str(part);
    let done = check(path);
    path.truncate(before);
    done
}

fn is(kind: &str, value: &Value) -> bool {
    match kind {
        "null" => value.is_null(),
        "boolean" => value.is_boolean(),
        "integer" => value.is_i64() || value.is_u64() || value.as_f64().is_some_and(|number| number.fract() == 0.0),
        "number" => value.is_number(),
        "string" => value.is_string(),
        "array" => value.is_array(),
        _ => value.is_object(),
    }
}

/// Lengths and sizes.
fn bounds(map: &Map<String, Value>, value: &Value) -> Result<(), String> {
    let bound = |word: &str| map.get(word).and_then(Value::as_f64);
    let within = |size: f64, least: &str, most: &str, what: &str| {
        if bound(least).is_some_and(|least| size < least) || bound(most).is_some_and(|most| size > most) {
            return Err(format!("{what} is outside of `{least}` and `{most}`"));
        }
        Ok(())
    };
    let count = |count: usize| count as f64;
    match value {
        Value::String(text) => within(count(text.chars().count()), "minLength", "maxLength", "its length"),
        Value::Array(list) => within(count(list.len()), "minItems", "maxItems", "the number of its items"),
        Value::Object(object) => within(count(object.len()), "minProperties", "maxProperties", "the number of its members"),
        Value::Number(number) => {
            let size = number.as_f64().unwrap_or(f64::NAN);
            within(size, "minimum", "maximum", "the number")?;
            let open = bound("exclusiveMinimum").is_some_and(|least| size <= least)
                || bound("exclusiveMaximum").is_some_and(|most| size >= most);
            if open { Err("the number is outside of its bounds".to_owned()) } else { Ok(()) }
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn check(schema: &Value, value: &Value) -> Result<(), String> {
        Schema::read(schema).map_err(|e| e.to_string())?.check(value)
    }

    #[test]
    fn an_answer_has_the_form_that_was_asked_for() {
        let schema = json!({
            "type": "object", "required": ["items", "name"], "additionalProperties": false,
            "properties": {
                "name": { "type": ["string", "null"], "minLength": 2, "maxLength": 5 },
                "items": { "type": "array", "minItems": 1, "maxItems": 2, "uniqueItems": true, "items": { "$ref": "#/$defs/item" } },
                "size": { "oneOf": [{ "const": "s" }, { "enum": ["m", "l"] }] },
                "extra": { "type": "object", "additionalProperties": { "type": "integer" } },
            },
            "$defs": { "item": { "type": "object", "required": ["n"], "properties": { "n": { "type": "integer", "minimum": 1, "exclusiveMaximum": 10 } } } },
        });
        let good = json!({ "name": "Anä", "items": [{ "n": 1, "more": true }, { "n": 2.0 }], "size": "m", "extra": { "a": 1 } });
        assert_eq!(check(&schema, &good), Ok(()));
        for (pointer, value, where_) in [
            ("/name", json!("A"), ".name: its length"),
            ("/name", json!("Anastasia"), ".name: its length"),
            ("/name", json!(1), ".name: it must be string or null"),
            ("/items", json!([]), ".items: the number of its items"),
            ("/items", json!([{ "n": 1 }, { "n": 1 }]), ".items: no item"),
            ("/items", json!([{ "n": 10 }]), ".items[0].n: the number is outside"),
            ("/items", json!([{ "n": 0 }]), ".items[0].n: the number is outside"),
            ("/items", json!([{ "n": 1.5 }]), ".items[0].n: it must be integer"),
            ("/items", json!([{}]), ".items[0]: `n` is missing"),
            ("/size", json!("xl"), ".size: it must fit exactly one"),
            ("/extra", json!({ "secret words": "x" }), ".extra.*: it must be integer"),
        ] {
            let mut bad = good.clone();
            *bad.pointer_mut(pointer).unwrap() = value;
            let said = check(&schema, &bad).unwrap_err();
            assert!(said.starts_with(where_), "{said}");
        }
        assert!(check(&schema, &json!({ "name": null, "items": [{ "n": 1 }], "x": 1 })).unwrap_err().contains("does not name"));
        assert_eq!(check(&schema, &json!([])).unwrap_err(), "the answer: it must be object");
    }

    #[test]
    fn what_cannot_be_checked_is_not_taken() {
        for (schema, named) in [
            (json!({ "pattern": "^a" }), "pattern"),
            (json!({ "properties": { "a": { "not": {} } } }), "not"),
            (json!({ "items": { "minContains": 2 } }), "minContains"),
            (json!({ "type": "text" }), "text"),
            (json!({ "$ref": "https://example.com/s.json" }), "https://example.com/s.json"),
            (json!({ "$ref": "#/$defs/none" }), "none"),
            (json!({ "$ref": "#/default", "default": { "pattern": "^a" } }), "#/default"),
            (json!({ "required": [1] }), "required"),
            (json!({ "anyOf": [] }), "anyOf"),
            (json!(["type"]), "object"),
        ] {
            let refused = Schema::read(&schema).unwrap_err();
            assert_eq!(refused.code, "model.schema_unknown", "{schema}");
            assert!(refused.message.contains(named), "{}", refused.message);
        }
        let large = json!({ "description": "x".repeat(BYTES) });
        assert_eq!(Schema::read(&large).unwrap_err().code, "limit.model-schema");
    }

    #[test]
    fn what_refers_to_itself_ends() {
        let tree = json!({ "type": "object", "properties": { "child": { "$ref": "#" } } });
        assert_eq!(check(&tree, &json!({ "child": { "child": {} } })), Ok(()));
        assert!(check(&tree, &json!({ "child": { "child": 1 } })).is_err());
        assert!(check(&json!({ "$ref": "#" }), &json!(1)).unwrap_err().contains("too deep"));
        assert!(check(&json!({ "anyOf": [{ "$ref": "#" }, { "$ref": "#" }] }), &json!(1)).is_err(), "and soon");
    }
}
