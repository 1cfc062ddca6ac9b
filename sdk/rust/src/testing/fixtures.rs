//! Checks a channel against real payloads: a folder with `manifest.json`, which lists bodies and the normalized events (v1)
//! that each must give.
//!
//! Rules of comparison: the same number of events in the same order; a field that an expected event lacks is not asserted;
//! `null` means absent or null; `"@any"` is not asserted; `@route`, alone or inside of a text, is the account of the route;
//! timestamps are compared as moments.

use std::path::Path;

use serde_json::Value;

use super::v1::to_v1;
use crate::channel::{Account, Channel, Webhook};
use crate::types::{Field, Header, Method};

/// The account that stands for `"@route"`.
const ROUTE: &str = "route-account";

/// Parses every payload of the folder and returns how many there were.
///
/// # Errors
/// Every difference, one sentence each.
pub fn check<C: Channel>(folder: &Path, channel: &str, config: &Value) -> Result<usize, Vec<String>> {
    let text = std::fs::read_to_string(folder.join("manifest.json")).map_err(|e| vec![format!("manifest.json: {e}")])?;
    let manifest: Value = serde_json::from_str(&text).map_err(|e| vec![format!("manifest.json: {e}")])?;
    let payloads = manifest.get("payloads").and_then(Value::as_array).cloned().unwrap_or_default();
    let mut wrong = Vec::new();
    for payload in &payloads {
        let file = payload.get("file").and_then(Value::as_str).unwrap_or_default();
        if let Err(why) = one::<C>(folder, file, payload, channel, config) {
            wrong.push(format!("{file}: {why}"));
        }
    }
    if wrong.is_empty() { Ok(payloads.len()) } else { Err(wrong) }
}

fn one<C: Channel>(folder: &Path, file: &str, payload: &Value, channel: &str, config: &Value) -> Result<(), String> {
    let body = std::fs::read(folder.join(file)).map_err(|e| e.to_string())?;
    let expected = payload.get("expected").and_then(Value::as_array).ok_or("no `expected`")?;
    let account = expected.iter().find_map(|e| e.get("account_id")).and_then(Value::as_str).filter(|a| !a.starts_with('@'));
    let account = account.unwrap_or(ROUTE);
    let pairs = |key: &str| -> Vec<(String, String)> {
        let map = payload.get(key).and_then(Value::as_object).cloned().unwrap_or_default();
        map.into_iter().map(|(k, v)| (k.to_lowercase(), v.as_str().unwrap_or_default().to_owned())).collect()
    };
    let webhook = Webhook {
        method: Method::Post,
        path: String::new(),
        query: pairs("query").into_iter().map(|(name, value)| Field { name, value }).collect(),
        headers: pairs("headers").into_iter().map(|(name, value)| Header { name, value }).collect(),
        body,
        received: 1_700_000_000_000,
    };
    let reception = C::parse(webhook, Account { id: account.into(), config: config.to_string() })?;
    let got: Vec<Value> = reception.events.iter().map(|e| to_v1(e, channel, account)).collect();
    if got.len() != expected.len() {
        return Err(format!("{} events, expected {}: {got:?}", got.len(), expected.len()));
    }
    for (n, (got, expected)) in got.iter().zip(expected).enumerate() {
        matches(&format!("[{n}]"), got, expected, account)?;
    }
    Ok(())
}

/// Whether `got` is what `expected` asserts.
///
/// # Errors
/// The place and both values.
pub fn matches(place: &str, got: &Value, expected: &Value, account: &str) -> Result<(), String> {
    let differs = || Err(format!("{place}: {got}, expected {expected}"));
    match (expected, got) {
        (Value::String(word), _) if word == "@any" => Ok(()),
        (Value::String(word), Value::String(got)) => {
            if *got == word.replace("@route", account) {
                Ok(())
            } else {
                differs()
            }
        }
        (Value::Object(fields), Value::Object(has)) => fields.iter().try_for_each(|(key, value)| {
            let place = format!("{place}.{key}");
            let got = has.get(key).unwrap_or(&Value::Null);
            if key == "timestamp" { same_moment(&place, got, value) } else { matches(&place, got, value, account) }
        }),
        (Value::Array(all), Value::Array(has)) if all.len() == has.len() => {
            all.iter().zip(has).enumerate().try_for_each(|(n, (e, g))| matches(&format!("{place}[{n}]"), g, e, account))
        }
        (Value::Number(a), Value::Number(b)) if a.as_f64() == b.as_f64() => Ok(()),
        (e, g) if e == g => Ok(()),
        _ => differs(),
    }
}

/// Both in UTC; trailing zeros of a fraction, and digits below a millisecond, say nothing.
fn same_moment(place: &str, got: &Value, expected: &Value) -> Result<(), String> {
    fn canonical(value: &Value) -> Option<String> {
        let text = value.as_str()?.strip_suffix('Z').or_else(|| value.as_str()?.strip_suffix("+00:00"))?;
        let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
        let millis: String = fraction.chars().take(3).collect();
        Some(format!("{whole}.{millis:0<3}"))
    }
    let same = match expected {
        Value::String(word) if word == "@any" => true,
        Value::Null => got.is_null(),
        _ => canonical(got).is_some() && canonical(got) == canonical(expected),
    };
    if same { Ok(()) } else { Err(format!("{place}: {got}, expected {expected}")) }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::matches;

    fn same(got: Value, expected: Value) -> bool {
        matches("", &got, &expected, "A").is_ok()
    }

    #[test]
    fn the_rules_of_comparison_tell_apart_what_they_should() {
        assert!(same(json!({"a": 1, "b": 2}), json!({"a": 1})));
        assert!(!same(json!({"b": 2}), json!({"a": 1})));
        assert!(same(json!({}), json!({"a": null})));
        assert!(!same(json!({"a": ""}), json!({"a": null})));
        assert!(same(json!({"a": 5}), json!({"a": "@any"})));
        assert!(same(json!({"a": "A"}), json!({"a": "@route"})));
        assert!(!same(json!({"a": "B"}), json!({"a": "@route"})));
        assert!(same(json!({"a": "chat:A:5"}), json!({"a": "chat:@route:5"})));
        assert!(!same(json!({"a": "chat:B:5"}), json!({"a": "chat:@route:5"})));
        assert!(!same(json!({"a": "@route"}), json!({"a": "@route"})));
        assert!(!same(json!({"a": [1, 2]}), json!({"a": [1]})));
        assert!(!same(json!({"a": 1}), json!({"a": "1"})));
        assert!(same(json!({"timestamp": "2020-01-01T00:00:00Z"}), json!({"timestamp": "2020-01-01T00:00:00.000Z"})));
        assert!(!same(json!({"timestamp": "2020-01-01T00:00:01Z"}), json!({"timestamp": "2020-01-01T00:00:00Z"})));
    }
}
