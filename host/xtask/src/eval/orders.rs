//! Whether a text orders something, and what; on public lines and on whole conversations of our own.

use std::collections::BTreeMap;

use anyhow::{Context as _, Result};
use serde_json::{Map, Value, json};

use super::bench::{Bench, Lesson, read, text};
use super::measure::{Estimate, estimate, f1};
use super::table::Row;
use crate::house::root;

pub(super) const ABOUT: &str = "\
HWU64's `takeaway_order` among near-by intents (recipes, taxis, lists, questions about a take-away), with the names of dishes, and
RESTAURANT-8K's fields of bookings, asked without a catalogue; of both only the training splits are open, and the step's word lists
were tuned on HWU64's. The baseline is cross-validated in five parts. `own`: conversations written for this project before the step
was (tests/evals/orders), with a catalogue: `dev` was tuned on, `heldout` was not, but both are by the author of the step, so they
flatter it. Fields: F1 of exact values (things with number, variant and options; notes; unknown things; name, telephone, address,
day, time, way, payment). Whole: conversations without any mistake.";

const OURS: &str = "order-detect (tier 0)";

pub(super) fn run(bench: &Bench) -> Result<Vec<Row>> {
    let mut rows = takeaway(bench)?;
    rows.extend(bookings(bench)?);
    for part in ["dev", "heldout"] {
        rows.extend(own(bench, part)?);
    }
    Ok(rows)
}

/// What is right, what was made up, what was missed, in one line.
type Counts = (f64, f64, f64);

/// Facts wanted and given of a line, each at most as often as it is there.
fn counts(wanted: &[String], given: &[String]) -> Counts {
    let mut left = given.to_vec();
    let mut right = 0;
    for fact in wanted {
        if let Some(at) = left.iter().position(|other| other == fact) {
            left.swap_remove(at);
            right += 1;
        }
    }
    (f64::from(right), left.len() as f64, (wanted.len() as f64) - f64::from(right))
}

/// F1 over all facts of all lines.
fn micro(lines: &[Counts]) -> f64 {
    let (right, made_up, missed) = lines.iter().fold((0.0, 0.0, 0.0), |sum, c| (sum.0 + c.0, sum.1 + c.1, sum.2 + c.2));
    2.0 * right / (2.0 * right + made_up + missed)
}

fn flag_f1(pairs: &[(&str, &str)]) -> f64 {
    f1(pairs, "order")
}

fn flag(yes: bool) -> &'static str {
    if yes { "order" } else { "none" }
}

fn is(value: &Value, field: &str) -> bool {
    value.get(field).and_then(Value::as_bool).unwrap_or_default()
}

fn list<'a>(value: &'a Value, field: &str) -> &'a [Value] {
    value.get(field).and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

/// Without what is no difference: capitals, marks, digits of another script.
fn plain(said: &str) -> String {
    let digit = |c: char| match c {
        '٠'..='٩' => char::from_digit(u32::from(c) - u32::from('٠'), 10).unwrap_or(c),
        other => other,
    };
    let bare: String =
        said.chars().map(digit).flat_map(char::to_lowercase).map(|c| if c.is_alphanumeric() { c } else { ' ' }).collect();
    bare.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn takeaway(bench: &Bench) -> Result<Vec<Row>> {
    let set = "hwu64-takeaway train";
    let lines = bench.lines("orders/hwu64-takeaway.train.jsonl")?;
    let ours = bench.step("order-detect", &json!({}), lines.iter().map(|line| json!({ "text": text(line, "text") })))?;
    let wanted: Vec<&str> = lines.iter().map(|line| flag(is(line, "is_order"))).collect();
    let given = ours.outputs.iter().map(|output| flag(is(output, "is_order")));
    let pairs: Vec<(&str, &str)> = wanted.iter().copied().zip(given).collect();
    let mut rows = vec![Row::measured(set, "F1 of is_order", OURS, estimate(&pairs, flag_f1)).timed(&ours.micros)];
    // Every fifth line is judged by what was learnt from the others.
    let line = |at: usize| (lines.get(at).map_or("", |line| text(line, "text")), wanted.get(at).copied().unwrap_or_default());
    let lessons: Vec<Lesson> = (0..5)
        .map(|part| {
            let (test, train): (Vec<usize>, Vec<usize>) = (0..lines.len()).partition(|at| at % 5 == part);
            Lesson {
                model: "lr",
                train: train.into_iter().map(line).collect(),
                test: test.into_iter().map(|at| line(at).0).collect(),
            }
        })
        .collect();
    let judged = bench.learn(&lessons)?;
    let labels = |part: usize| judged.get(part).map(|judged| judged.labels.iter().map(String::as_str)).into_iter().flatten();
    let pairs: Vec<(&str, &str)> =
        (0..5).flat_map(|part| (part..lines.len()).step_by(5).map(line).map(|(_, label)| label).zip(labels(part))).collect();
    rows.push(Row::measured(set, "F1 of is_order", "TF-IDF + LR, same lines, five parts", estimate(&pairs, flag_f1)));
    rows.push(Row::published(set, "F1 of is_order", "TF-IDF + LR, measured beforehand, test", 0.791));
    let dishes: Vec<Counts> = lines
        .iter()
        .zip(&ours.outputs)
        .filter(|(line, _)| is(line, "is_order"))
        .map(|(line, output)| {
            let slots = list(line, "slots").iter().filter(|slot| ["food_type", "drink_type"].contains(&text(slot, "slot")));
            let wanted: Vec<String> = slots.map(|slot| plain(text(slot, "value"))).collect();
            counts(&wanted, &list(output, "items").iter().map(|item| plain(text(item, "name"))).collect::<Vec<_>>())
        })
        .collect();
    rows.push(Row::measured(set, "F1 of dishes, exact", OURS, estimate(&dishes, micro)));
    Ok(rows)
}

fn bookings(bench: &Bench) -> Result<Vec<Row>> {
    let set = "restaurant8k train 3 of 8";
    let lines = bench.lines("orders/restaurant8k.train-3of8.jsonl")?;
    let inputs = lines.iter().map(|line| {
        let asked = list(line, "requested").first().and_then(Value::as_str);
        match asked.map(|asked| if asked.ends_with("_name") { "name" } else { asked }) {
            Some(asked) => json!({ "text": text(line, "text"), "asked": asked }),
            None => json!({ "text": text(line, "text") }),
        }
    });
    let ours = bench.step("order-detect", &json!({}), inputs)?;
    let mut slots: BTreeMap<String, Vec<Counts>> = BTreeMap::new();
    for (line, output) in lines.iter().zip(&ours.outputs) {
        let wanted: BTreeMap<String, String> =
            list(line, "slots").iter().map(|slot| (text(slot, "slot").to_owned(), plain(text(slot, "value")))).collect();
        let mut given: BTreeMap<String, String> = BTreeMap::new();
        for slot in ["people", "date", "time"] {
            given.extend(output.get(slot).and_then(Value::as_str).map(|said| (slot.to_owned(), plain(said))));
        }
        let name = plain(text(output, "name"));
        let last = list(line, "requested").first().and_then(Value::as_str) == Some("last_name");
        match name.split_once(' ') {
            Some((first, rest)) => {
                given.extend([("first_name".to_owned(), first.to_owned()), ("last_name".to_owned(), rest.to_owned())])
            }
            None if !name.is_empty() => given.extend([(if last { "last_name" } else { "first_name" }.to_owned(), name)]),
            None => {}
        }
        for slot in ["people", "date", "time", "first_name", "last_name"] {
            let of = |all: &BTreeMap<String, String>| all.get(slot).cloned().into_iter().collect::<Vec<_>>();
            slots.entry(slot.to_owned()).or_default().push(counts(&of(&wanted), &of(&given)));
        }
    }
    let all: Vec<Counts> = slots.values().flatten().copied().collect();
    let mut rows = vec![Row::measured(set, "F1 of fields, exact", OURS, estimate(&all, micro)).timed(&ours.micros)];
    rows.extend(
        slots.iter().map(|(slot, lines)| Row::measured(&format!("{set}, {slot}"), "F1, exact", OURS, estimate(lines, micro))),
    );
    Ok(rows)
}

/// The facts of the orders of a conversation: what is wanted and what is told are written in the same way.
fn facts(orders: &[Value]) -> Vec<String> {
    let mut out = Vec::new();
    for (at, order) in orders.iter().enumerate() {
        let mut add = |kind: &str, value: String| out.push(format!("{at} {kind} {value}"));
        if text(order, "status") == "cancelled" {
            add("status", "cancelled".to_owned());
        }
        for item in list(order, "items") {
            let options: Vec<&str> = list(item, "options").iter().filter_map(Value::as_str).collect();
            let quantity = item.get("quantity").and_then(Value::as_f64).unwrap_or_default();
            add("item", format!("{quantity} {} {} {}", text(item, "id"), text(item, "variant"), options.join("+")));
            if !text(item, "note").is_empty() {
                add("note", plain(text(item, "note")));
            }
        }
        for unknown in list(order, "unknown_items") {
            add("unknown", plain(unknown.as_str().unwrap_or_else(|| text(unknown, "said"))));
        }
        for field in ["name", "phone", "address", "date", "time", "fulfilment", "payment"] {
            if !text(order, field).is_empty() {
                add(field, plain(text(order, field)));
            }
        }
    }
    out
}

fn own(bench: &Bench, part: &str) -> Result<Vec<Row>> {
    let folder = root().join("tests/evals/orders");
    let shops = std::fs::read_to_string(folder.join("shops.json")).context("shops.json")?;
    let shops: Map<String, Value> = serde_json::from_str(&shops)?;
    let lines = read(&folder.join(format!("{part}.jsonl")))?;
    let inputs = lines.iter().map(|line| {
        let mut input = shops.get(text(line, "shop")).and_then(Value::as_object).cloned().unwrap_or_default();
        input.insert("turns".to_owned(), line.get("turns").cloned().unwrap_or_default());
        Value::Object(input)
    });
    let ours = bench.step("order-detect", &json!({}), inputs)?;
    let nothing = Value::Null;
    let mut rows = Vec::new();
    for language in ["", "en", "id", "ar", "pt", "es"] {
        let judged: Vec<(&Value, &Value)> = lines
            .iter()
            .zip(&ours.outputs)
            .filter(|(line, _)| language.is_empty() || text(line, "language") == language)
            .map(|(line, output)| (line.get("expected").unwrap_or(&nothing), output))
            .collect();
        let flags: Vec<(&str, &str)> =
            judged.iter().map(|(want, got)| (flag(is(want, "is_order")), flag(is(got, "is_order")))).collect();
        let told: Vec<Counts> =
            judged.iter().map(|(want, got)| counts(&facts(list(want, "orders")), &facts(list(got, "orders")))).collect();
        let whole: Vec<bool> =
            flags.iter().zip(&told).map(|(flags, told)| flags.0 == flags.1 && told.1 == 0.0 && told.2 == 0.0).collect();
        let set = format!("own {part} {language}").trim_end().to_owned();
        let mut add = |metric, value: Estimate| rows.push(Row::measured(&set, metric, OURS, value));
        add("F1 of is_order", estimate(&flags, flag_f1));
        add("F1 of fields, exact", estimate(&told, micro));
        add("whole", estimate(&whole, |all| all.iter().filter(|right| **right).count() as f64 / all.len() as f64));
    }
    if let Some(first) = rows.first_mut() {
        let micros = &ours.micros;
        let measured = std::mem::replace(first, Row::published("", "", "", 0.0));
        *first = measured.timed(micros);
    }
    Ok(rows)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fact_counts_as_often_as_it_is_there() {
        let facts = |all: &[&str]| all.iter().map(|fact| (*fact).to_owned()).collect::<Vec<_>>();
        assert_eq!(counts(&facts(&["a", "a", "b"]), &facts(&["a", "c"])), (1.0, 1.0, 2.0));
        assert_eq!(counts(&facts(&["a", "b"]), &facts(&["b", "a"])), (2.0, 0.0, 0.0));
        assert!((micro(&[(1.0, 1.0, 2.0), (2.0, 0.0, 0.0)]) - 6.0 / 9.0).abs() < 1e-9);
        assert_eq!(plain("  Jl. Melati, No. ١٢ "), "jl melati no 12");
    }
}
