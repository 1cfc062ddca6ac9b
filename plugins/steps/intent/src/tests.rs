//! The step as the host calls it: JSON in, JSON out.

use pointsman_sdk::prelude::*;
use pointsman_sdk::testing;

use super::Intent;

fn try_it(input: Value, config: Value) -> Result<Value, Failure> {
    testing::run::<Intent>(testing::Host::default(), input, config).result
}

/// A shop in three languages, as its owner would write it down.
fn shop() -> Value {
    json!({
        "delivery": [
            "do you deliver to my street", "how much is the delivery", "can you bring it to my home", "when will my order arrive",
            "bisa antar ke rumah", "ongkir ke bandung berapa", "kapan pesanan saya sampai",
            "كم سعر التوصيل", "هل توصلون الى البيت",
        ],
        "hours": [
            "when are you open", "are you open on sunday", "what time do you close", "opening hours",
            "jam buka toko", "hari minggu buka tidak", "tutup jam berapa",
            "متى تفتحون", "هل انتم مفتوحون يوم الجمعة",
        ],
        "refund": [
            "i want my money back", "the cake was broken, please refund me", "how do i return this",
            "saya mau uang saya kembali", "barangnya rusak, bisa retur", "اريد استرجاع المبلغ", "كيف ارجع المنتج",
        ],
    })
}

fn intent(text: &str) -> Value {
    try_it(json!({ "text": text, "intents": shop() }), json!({})).unwrap()
}

#[test]
fn customers_say_it_in_other_words() {
    for (text, wanted) in [
        ("Hi! Are you open this Sunday? 🙏", "hours"),
        ("what time do you open tomorrow", "hours"),
        ("HOW MUCH is delivery to Mill Lane??", "delivery"),
        ("Kak, ongkir ke Surabaya berapa ya", "delivery"),
        ("toko tutup jam brp kak?", "hours"),
        ("can i get my money back pls, it is broken", "refund"),
        ("barang rusak 😡 mau retur", "refund"),
        ("كم التوصيل للرياض؟", "delivery"),
        ("متى تفتحون يوم السبت", "hours"),
    ] {
        let told = intent(text);
        assert_eq!(told["intent"], wanted, "{text}: {told}");
        assert_eq!(told["candidates"][0]["intent"], wanted);
        assert_eq!(told["candidates"][0]["confidence"], told["confidence"]);
    }
}

#[test]
fn what_is_none_of_them_is_told_as_none() {
    for text in
        ["tell me a joke about penguins", "siapa presiden pertama", "Der Hund schläft", "👍", "asdf qwer", "طقس جميل اليوم"]
    {
        let told = intent(text);
        assert_eq!(told["intent"], Value::Null, "{text}: {told}");
        assert!(told["confidence"].as_f64().unwrap() < crate::sure::THRESHOLD);
    }
    assert_eq!(intent(" "), json!({ "intent": null, "confidence": 0.0, "candidates": [] }));
}

#[test]
fn examples_of_other_things_and_a_threshold_move_the_border() {
    let text = "are you a robot or a person on sunday";
    let ask = |extra: Value| {
        let mut input = json!({ "text": text, "intents": shop() });
        input.as_object_mut().unwrap().append(&mut extra.as_object().unwrap().clone());
        try_it(input, json!({})).unwrap()
    };
    let (plain, told) =
        (ask(json!({})), ask(json!({ "other": ["are you a robot", "are you a person", "am i talking to a person"] })));
    assert!(told["confidence"].as_f64() < plain["confidence"].as_f64(), "{plain} {told}");
    assert_eq!(told["intent"], Value::Null, "{told}");
    assert_eq!(ask(json!({ "threshold": 1 }))["intent"], Value::Null);
    assert_eq!(ask(json!({ "threshold": 0 }))["intent"], plain["candidates"][0]["intent"]);
}

#[test]
fn settings_hold_what_the_input_leaves_out() {
    let config = json!({ "intents": shop(), "threshold": 0 });
    let told = try_it(json!({ "text": "opening hours?" }), config.clone()).unwrap();
    assert_eq!(told["intent"], "hours");
    let own = json!({ "text": "opening hours?", "intents": { "only": ["opening"] } });
    assert_eq!(try_it(own, config).unwrap()["intent"], "only");
}

#[test]
fn what_cannot_be_learnt_from_is_refused_with_its_cure() {
    let many: Vec<String> = (0..5_001).map(|n| format!("example {n}")).collect();
    let long: Vec<String> = (0..201).map(|n| format!("{n:1000}")).collect();
    for (input, code) in [
        (json!({ "text": "x" }), "examples"),
        (json!({ "text": "x", "intents": {} }), "examples"),
        (json!({ "text": "x", "intents": { "a": many } }), "examples"),
        (json!({ "text": "x", "intents": { "a": long } }), "examples"),
        (json!({ "text": "x", "intents": { "a": ["hello"] }, "other": many }), "examples"),
        (json!({ "text": "x", "intents": { "a": ["hello"], "b": [" "] } }), "no-examples"),
        (json!({ "text": "x", "intents": { "a": "hello" } }), "input"),
    ] {
        assert_eq!(try_it(input, json!({})).unwrap_err().code, code);
    }
}

#[test]
fn a_shop_of_one_or_two_intents_knows_what_is_none_of_them() {
    let hours = json!(["when are you open", "are you open on sunday", "what time do you close", "opening hours"]);
    let refund = json!(["i want my money back", "the cake was broken, please refund me", "how do i return this"]);
    for intents in [json!({ "hours": hours }), json!({ "hours": hours, "refund": refund })] {
        let ask = |text: &str| try_it(json!({ "text": text, "intents": intents }), json!({})).unwrap();
        assert_eq!(ask("are you open tomorrow?")["intent"], "hours");
        for text in ["ma tahu kenapa", "👍", "qwertz asdf", "siapa presiden pertama"] {
            assert_eq!(ask(text)["intent"], Value::Null, "{text}: {}", ask(text));
        }
    }
}

#[test]
fn any_text_has_an_answer_within_bounds_and_the_same_again() {
    let long = "where is my order ".repeat(20_000);
    for text in ["\u{0}", "\u{202e}\u{202c}", "1234", "a", "نعم ok ya", "🥐🥐🥐", long.as_str()] {
        let told = intent(text);
        assert!((0.0..=1.0).contains(&told["confidence"].as_f64().unwrap()), "{text:?}: {told}");
        assert_eq!(intent(text), told);
    }
}
