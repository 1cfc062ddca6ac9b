//! The step as the host calls it: JSON in, JSON out.

use pointsman_sdk::prelude::*;
use pointsman_sdk::testing;

use super::Keyword;

fn run(text: Value, rules: Value) -> Value {
    testing::run::<Keyword>(testing::Host::default(), json!({ "text": text, "rules": rules }), json!({})).result.unwrap()
}

fn fits(text: &str, rule: Value) -> bool {
    run(json!(text), json!([rule]))["matched"] == true
}

#[test]
fn the_first_rule_that_fits_answers() {
    let rules = json!([
        { "name": "price", "any": ["price", "cost", "how much"] },
        { "name": "hours", "any": ["open", "hours"], "none": ["price"] },
    ]);
    assert_eq!(run(json!("How MUCH is it?"), rules.clone()), json!({ "matched": true, "rule": "price", "words": ["how much"] }));
    assert_eq!(run(json!("Are you open?"), rules.clone()), json!({ "matched": true, "rule": "hours", "words": ["open"] }));
    assert_eq!(run(json!("Hello"), rules), json!({ "matched": false, "rule": null, "words": [] }));
}

#[test]
fn the_ways_of_matching_differ() {
    let table: &[(&str, &str, [bool; 4])] = &[
        // text, wanted, [word, prefix, contains, exact]
        ("no", "no", [true, true, true, true]),
        ("now", "no", [false, true, true, false]),
        ("I know", "no", [false, false, true, false]),
        ("No, thanks!", "no", [true, true, true, false]),
        ("  NO!! ", "no", [true, true, true, true]),
        ("Wo ist die STRASSE", "straße", [true, true, true, false]),
        ("un café, por favor", "cafe", [true, true, true, false]),
        ("good   morning", "good morning", [true, true, false, true]),
        ("don’t stop", "don't", [true, true, false, false]),
        ("👍 ok", "👍", [true, true, true, false]),
        ("", "no", [false, false, false, false]),
    ];
    for (text, wanted, expected) in table {
        for (how, expected) in ["word", "prefix", "contains", "exact"].iter().zip(expected) {
            assert_eq!(fits(text, json!({ "any": [wanted], "match": how })), *expected, "{text:?} {wanted:?} {how}");
        }
    }
}

#[test]
fn all_none_and_any_go_together() {
    let rule = json!({ "any": ["red", "blue"], "all": ["shoes", "size"], "none": ["return"] });
    assert!(fits("blue shoes, size 9", rule.clone()));
    assert!(!fits("blue shoes", rule.clone()));
    assert!(!fits("shoes size 9", rule.clone()));
    assert!(!fits("return blue shoes size 9", rule));
}

#[test]
fn settings_hold_rules_where_the_input_has_none() {
    let config = json!({ "rules": [{ "any": ["stop"] }] });
    let with = |input: Value| testing::run::<Keyword>(testing::Host::default(), input, config.clone()).result.unwrap();
    assert_eq!(with(json!({ "text": "Stop!" })), json!({ "matched": true, "rule": "stop", "words": ["stop"] }));
    assert_eq!(with(json!({ "text": "Stop!", "rules": [] }))["matched"], false);
    assert_eq!(with(json!({ "text": null }))["matched"], false);
    assert_eq!(with(json!({}))["matched"], false);
}

#[test]
fn a_rule_that_asks_for_nothing_is_a_mistake() {
    for rule in [json!({}), json!({ "any": [] }), json!({ "any": [" "] }), json!({ "none": ["x"] })] {
        let ran = testing::run::<Keyword>(testing::Host::default(), json!({ "text": "x", "rules": [rule] }), json!({}));
        assert_eq!(ran.result.unwrap_err().code, "empty-rule");
    }
    let ran = testing::run::<Keyword>(testing::Host::default(), json!({ "text": "x", "rules": [{ "word": ["x"] }] }), json!({}));
    assert_eq!(ran.result.unwrap_err().code, "input");
}
