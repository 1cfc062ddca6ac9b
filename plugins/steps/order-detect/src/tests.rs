//! The step as the host calls it: conversations as people write them, in eight languages, and what must hold whatever is said.

use pointsman_sdk::prelude::*;
use pointsman_sdk::testing::{self, Host};
use proptest::prelude::*;

use super::OrderDetect;

/// A shop that sells in every language of these tests.
fn shop() -> Value {
    json!([
        { "id": "pizza", "name": "Pizza Margherita", "price": 900, "aliases": ["margherita", "pizza"],
          "variants": [{ "name": "small", "price": 700 }, { "name": "large", "price": 1200 }],
          "options": [{ "name": "extra cheese", "price": 100 }, { "name": "olives", "price": 50 }] },
        { "id": "burger", "name": "Burger", "price": 850, "aliases": ["برجر"] },
        { "id": "nasi", "name": "Nasi lemak", "price": 800, "aliases": ["nasi goreng"] },
        { "id": "tee", "name": "Es teh", "price": 150, "aliases": ["teh tarik", "شاي", "tea", "thé", "Tee", "chá", "té"] },
        { "id": "cake", "name": "Chocolate cake", "price": 2400, "aliases": ["Schokoladenkuchen", "gâteau au chocolat", "bolo de chocolate", "pastel de chocolate", "كيكة شوكولاتة"] },
        { "id": "bread", "name": "Bread", "price": 350, "unit": "kg", "aliases": ["Brot", "pain", "pan", "pão", "roti", "خبز"] },
    ])
}

fn run(host: Host, input: Value) -> testing::Ran {
    testing::run::<OrderDetect>(host, input, json!({ "catalog": shop(), "currency": "EUR", "country": "DE" }))
}

/// Says these one after the other, each as a message of its own to a step that remembers.
fn say(messages: &[&str]) -> Value {
    say_to(json!({}), messages)
}

fn say_to(with: Value, messages: &[&str]) -> Value {
    let mut host = Host::default();
    let mut last = json!(null);
    for text in messages {
        let mut input = with.clone();
        input["text"] = json!(text);
        let ran = run(host, input);
        last = ran.result.unwrap();
        host = ran.host;
    }
    last
}

/// An output in short: `2 pizza/large +olives ~no salt; ?sushi; name=Ann; -> 1200`, orders parted by `||`.
fn short(output: &Value) -> String {
    let orders = output["orders"].as_array().unwrap();
    orders.iter().map(order).collect::<Vec<_>>().join(" || ")
}

fn order(order: &Value) -> String {
    let mut out = Vec::new();
    for item in order["items"].as_array().unwrap() {
        let mut one = format!("{} {}", item["quantity"], item["id"].as_str().unwrap_or("-"));
        if let Some(variant) = item["variant"].as_str() {
            one += &format!("/{variant}");
        }
        for option in item["options"].as_array().unwrap() {
            one += &format!(" +{}", option.as_str().unwrap());
        }
        if let Some(note) = item["note"].as_str() {
            one += &format!(" ~{note}");
        }
        out.push(one);
    }
    for unknown in order["unknown_items"].as_array().unwrap() {
        out.push(format!("?{}", unknown["said"].as_str().unwrap()));
    }
    for field in ["name", "phone", "address", "date", "time", "people", "fulfilment", "payment"] {
        if let Some(value) = order[field].as_str() {
            out.push(format!("{field}={value}"));
        }
    }
    if let Some(total) = order["total"].as_i64() {
        out.push(format!("-> {total}"));
    }
    if order["status"] == "cancelled" {
        out.push("cancelled".into());
    }
    out.join("; ")
}

/// Messages of one conversation, and the orders in it afterwards.
fn check(table: &[(&[&str], &str)]) {
    for (messages, expected) in table {
        let output = say(messages);
        assert_eq!(short(&output), *expected, "{messages:?}");
    }
}

#[test]
fn orders_are_read_in_eight_languages() {
    check(&[
        (&["2 burgers and a large pizza with extra cheese pls"], "2 burger; 1 pizza/large +extra cheese; -> 3000"),
        (&["kak pesen nasi goreng 2 sama es teh 1 ya, bungkus"], "2 nasi; 1 tee; fulfilment=pickup; -> 1750"),
        (&["boss nak order nasi lemak dua, teh tarik tiga. tapau ye"], "2 nasi; 3 tee; fulfilment=pickup; -> 2050"),
        (&["لو سمحت ابغى ٢ برجر وثلاثة شاي، الدفع كاش"], "2 burger; 3 tee; payment=cash; -> 2150"),
        (&["oi! quero meia dúzia de pizzas pequenas e um bolo de chocolate"], "6 pizza/small; 1 cake; -> 6600"),
        (&["hola, ponme dos tés y kilo y medio de pan, para llevar"], "2 tee; 1.5 bread; fulfilment=pickup; -> 825"),
        (&["Guten Tag, ich hätte gern zwei Schokoladenkuchen und 500 g Brot"], "2 cake; 0.5 bread; -> 4975"),
        (&["Bonjour, je voudrais une pizza et trois thés s'il vous plaît"], "1 pizza; 3 tee; -> 1350"),
    ]);
}

#[test]
fn fields_are_read_in_eight_languages() {
    check(&[
        (
            &["1 burger, deliver to 12 Mill Lane, Leeds. Name is Tom Becker, +44 7911 123456, 7pm"],
            "1 burger; name=Tom Becker; phone=+447911123456; address=12 Mill Lane, Leeds; time=7pm; fulfilment=delivery; -> 850",
        ),
        (
            &["nasi goreng 1, antar ke Jl. Melati No. 12, Depok ya. a/n Rina, besok jam 7 malam, transfer"],
            "1 nasi; name=Rina; address=Jl. Melati No. 12, Depok; date=besok; time=7 malam; fulfilment=delivery; payment=transfer; -> 800",
        ),
        (
            &["برجر واحد توصيل شارع الملك فهد 15، الاسم احمد، الساعة 8 مساء"],
            "1 burger; name=احمد; address=شارع الملك فهد 15; time=8 مساء; fulfilment=delivery; -> 850",
        ),
        (
            &["quero 1 burger, entrega na Rua das Flores, 120, apto 4. Meu nome é Marcos, pago no pix, às 19h30"],
            "1 burger; name=Marcos; address=Rua das Flores, 120, apto 4; time=19h30; fulfilment=delivery; payment=online; -> 850",
        ),
        (
            &["una pizza small, paso por ella mañana a las 8 de la noche, a nombre de Luis, pago con tarjeta"],
            "1 pizza/small; name=Luis; date=mañana; time=8 de la noche; fulfilment=pickup; payment=card; -> 700",
        ),
        (
            &["Ich nehme einen Burger. Lieferung an Hauptstraße 12, 10115 Berlin. Mein Name ist Anna Schmidt, 0151 23456789"],
            "1 burger; name=Anna Schmidt; phone=+4915123456789; address=Hauptstraße 12, 10115 Berlin; fulfilment=delivery; -> 850",
        ),
        (
            &["je prends deux burgers à emporter demain à 19h, au nom de Claire, par carte"],
            "2 burger; name=Claire; date=demain; time=19h; fulfilment=pickup; payment=card; -> 1700",
        ),
    ]);
}

#[test]
fn later_messages_change_the_order() {
    check(&[
        (&["4 burgers", "make that five"], "5 burger; -> 4250"),
        (&["2 burgers, 1 tea", "drop the tea", "no onions"], "2 burger ~no onions; -> 1700"),
        (&["1 burger", "and also 2 teas", "one more burger"], "2 burger; 2 tee; -> 2000"),
        (&["3 burgers", "change one burger to a large pizza"], "2 burger; 1 pizza/large; -> 2900"),
        (&["a pizza", "large", "actually small please"], "1 pizza/small; -> 700"),
        (&["2 burgers", "cancel that"], "2 burger; -> 1700; cancelled"),
        (
            &["1 burger. Another order for my brother: 2 teas", "cancel the second"],
            "1 burger; -> 850 || 2 tee; -> 300; cancelled",
        ),
        (&["burger 2 es teh 1", "es tehnya ga jadi"], "2 burger; -> 1700"),
        (&["zwei Burger bitte", "doch lieber drei"], "3 burger; -> 2550"),
        (&["deux burgers", "enlevez un burger"], "1 burger; -> 850"),
        (&["2 pizzas: 1 small, 1 large"], "1 pizza/small; 1 pizza/large; -> 1900"),
        (&["dua burger", "tambah satu lagi"], "3 burger; -> 2550"),
    ]);
}

#[test]
fn what_is_no_order_stays_none() {
    for text in [
        "",
        "   ",
        "🍔🍔🍔",
        "How much is a pizza?",
        "do you have burgers?",
        "the burgers yesterday were amazing, thank you",
        "where is my order?? it's been an hour",
        "berapa harga nasi goreng kak?",
        "pizza ada ga?",
        "بكم البرجر؟",
        "cadê meu pedido",
        "¿cuánto cuesta la pizza?",
        "Was kostet eine Pizza?",
        "La pizza d'hier soir était froide",
        "My pizza arrived cold, I want a refund",
        "thanks!",
    ] {
        let output = say(&[text]);
        assert_eq!((&output["is_order"], &output["orders"]), (&json!(false), &json!([])), "{text:?}");
    }
}

#[test]
fn what_the_catalogue_lacks_is_told_and_never_guessed() {
    check(&[
        (&["1 burger and 2 sushi rolls"], "1 burger; ?sushi rolls; -> 850"),
        (&["one burger and a calzone"], "1 burger; ?calzone; -> 850"),
        (&["I want 2 wedding cakes"], "?wedding cakes"),
        (&["nasi goreng 1, rendang 2"], "1 nasi; ?rendang; -> 800"),
        (&["ابغى برجر واحد ومندي"], "1 burger; ?مندي; -> 850"),
    ]);
    let without = testing::run::<OrderDetect>(Host::default(), json!({ "text": "I'd like to order two blue lamps" }), json!({}));
    let output = without.result.unwrap();
    assert_eq!(output["is_order"], true);
    let item = &output["items"][0];
    assert_eq!((&item["id"], &item["name"], &item["quantity"]), (&json!(null), &json!("blue lamps"), &json!(2)));
    assert_eq!((&item["free_text"], &output["total"]), (&json!(true), &json!(null)));
}

#[test]
fn a_slip_of_the_fingers_is_read_and_another_word_is_not() {
    check(&[
        (&["2 burgres and a choclate cake"], "2 burger; 1 cake; -> 4100"),
        (&["I want 2 margheritta large"], "2 pizza/large; -> 2400"),
        (&["pleaseeee 1 burrrger"], "1 burger; -> 850"),
        // "satu" is one; it is not "sate".
        (&["burger satu"], "1 burger; -> 850"),
    ]);
    let output = say(&["I need 2 bikes"]);
    assert_eq!(output["items"], json!([]));
}

#[test]
fn answers_go_to_what_was_missing_first() {
    let output = say(&["2 burgers please"]);
    assert_eq!((&output["missing"], &output["intent"]), (&json!(["fulfilment", "name"]), &json!("order")));
    let output = say(&["2 burgers please", "delivery"]);
    assert_eq!((&output["missing"], &output["intent"]), (&json!(["address", "name"]), &json!("details")));
    let output = say(&["2 burgers please", "delivery", "Kastanienallee 7", "jake"]);
    assert_eq!(short(&output), "2 burger; name=jake; address=Kastanienallee 7; fulfilment=delivery; -> 1700");
    assert_eq!(output["missing"], json!([]));
    let output = say(&["a pizza for pickup"]);
    assert_eq!(output["missing"], json!(["variant", "name"]));
    let output = say_to(json!({ "require": ["payment", "time"] }), &["a burger"]);
    assert_eq!(output["missing"], json!(["payment", "time"]));
    // A refusal is no name.
    let output = say(&["a burger to go", "no thanks"]);
    assert_eq!(output["name"], json!(null));
}

#[test]
fn an_order_is_remembered_until_it_is_forgotten() {
    let first = run(Host::default(), json!({ "text": "2 burgers" }));
    let other = run(Host::default(), json!({ "text": "make that three" })).result.unwrap();
    assert_eq!(other["is_order"], false, "another conversation knows nothing of it");
    let output = run(first.host.clone(), json!({ "text": "make that three" })).result.unwrap();
    assert_eq!(short(&output), "3 burger; -> 2550");
    let anew = run(first.host.clone(), json!({ "text": "1 tea", "forget": true }));
    assert_eq!(short(&anew.result.unwrap()), "1 tee; -> 150");
    let gone = run(first.host.clone(), json!({ "text": "cancel it please" }));
    assert_eq!(gone.result.unwrap()["intent"], "cancel");
    assert!(gone.host.state.is_empty(), "{:?}", gone.host.state);
    let never = run(Host::default(), json!({ "text": "2 burgers", "remember": 0 }));
    assert!(never.host.state.is_empty());
    // What a workflow holds itself counts, and then nothing is kept.
    let held = run(Host::default(), json!({ "text": "make that three", "previous": first.result.unwrap() }));
    assert_eq!((short(&held.result.unwrap()), held.host.state.len()), ("3 burger; -> 2550".into(), 0));
    // Without the store each message is read by itself.
    let alone = run(Host::default().deny("state"), json!({ "text": "2 burgers" })).result.unwrap();
    assert_eq!(short(&alone), "2 burger; -> 1700");
}

#[test]
fn a_thing_that_left_the_catalogue_is_unknown() {
    let before = run(Host::default(), json!({ "text": "2 burgers and 1 tea" }));
    let less = json!([{ "id": "tee", "name": "Tea", "price": 100 }]);
    let output = run(before.host, json!({ "text": "my name is Ann", "catalog": less })).result.unwrap();
    assert_eq!(short(&output), "1 tee; ?Burger; name=Ann; -> 100");
}

#[test]
fn a_conversation_is_read_whole_with_the_questions_in_it() {
    let turns = json!([
        { "by": "contact", "text": "two pizzas" },
        { "by": "business", "text": "Small or large?" },
        { "by": "contact", "text": "large" },
        { "by": "business", "text": "And your name?" },
        { "by": "contact", "text": "rosa" },
    ]);
    let ran = run(Host::default(), json!({ "turns": turns }));
    assert_eq!(short(&ran.result.unwrap()), "2 pizza/large; name=rosa; -> 2400");
    assert!(ran.host.state.is_empty());
}

#[test]
fn mistakes_are_told_with_their_cure() {
    let refused = |input: Value| run(Host::default(), input).result.unwrap_err().code;
    assert_eq!(refused(json!({ "text": "x", "country": "XX" })), "unknown-country");
    let thing = |id: &str, price: i64| json!({ "id": id, "name": "Burger", "price": price });
    assert_eq!(refused(json!({ "text": "x", "catalog": [thing("a", -1)] })), "negative-price");
    assert_eq!(refused(json!({ "text": "x", "catalog": [thing("a", 1), thing("a", 2)] })), "same-id");
    assert_eq!(refused(json!({ "text": "100000 burgers", "catalog": [thing("a", i64::MAX)] })), "total-too-large");
    assert_eq!(refused(json!({ "text": "x", "catalog": [{ "id": "a", "nmae": "Burger" }] })), "input");
}

#[test]
fn too_long_a_text_is_read_to_its_limit_and_said_to_be() {
    let long = format!("2 burgers. {}", "é".repeat(20_000));
    let output = say(&[&long]);
    assert_eq!((&output["truncated"], short(&output).as_str()), (&json!(true), "2 burger; -> 1700"));
    assert_eq!(say(&["2 burgers"])["truncated"], false);
    // A large catalogue leaves time for less: a call must end within its 50 ms.
    let large: Vec<Value> =
        (0..300).map(|at| json!({ "id": at.to_string(), "name": "x", "aliases": ["y", "z", "burger"] })).collect();
    let text = format!("2 burgers. {}", "hello ".repeat(250));
    assert_eq!(say_to(json!({ "catalog": large }), &[&text])["truncated"], true);
    assert_eq!(say(&[&text])["truncated"], false);
}

/// Words of orders in any order, with what people and programs put between them.
fn babble() -> impl Strategy<Value = String> {
    let words = prop::sample::select(vec![
        "2",
        "x2",
        "1,5",
        "0",
        "999999999999",
        "burger",
        "pizza",
        "large",
        "nasi",
        "goreng",
        "es teh",
        "kg",
        "half",
        "dozen",
        "setengah",
        "and",
        "sama",
        "no",
        "onions",
        "cancel",
        "ga jadi",
        "make",
        "that",
        "change",
        "to",
        "troca",
        "por",
        "quita",
        "uno",
        "another order",
        "second",
        "all",
        "deliver",
        "Jl.",
        "rua",
        "12",
        "Oak Street",
        "name is",
        "Ann",
        "a/n",
        "08123456789",
        "+",
        "at",
        "7pm",
        "18:30",
        "tomorrow",
        "برجر",
        "و",
        "٢",
        "كيلو",
        "ونص",
        ",",
        ".",
        "?",
        "\n",
        ":",
        "🍕",
        "ß",
        "İ",
        "e\u{301}",
        "\u{200f}",
        "½",
        "cash",
        "sushi",
        "three",
        "puluh",
        "x",
    ]);
    prop::collection::vec(words, 0..25).prop_map(|words| words.join(" "))
}

/// What must hold of every answer.
fn holds(output: &Value) {
    let ids: Vec<String> = shop().as_array().unwrap().iter().map(|item| item["id"].as_str().unwrap().to_owned()).collect();
    for order in output["orders"].as_array().unwrap() {
        let mut sum = 0;
        for item in order["items"].as_array().unwrap() {
            assert!(ids.iter().any(|id| item["id"] == json!(id)), "{item}");
            assert!(item["quantity"].as_f64().unwrap() > 0.0, "{item}");
            sum += item["line_total"].as_i64().unwrap();
        }
        assert_eq!(order["total"].as_i64().unwrap_or(0), sum);
    }
    let sure = output["confidence"].as_f64().unwrap();
    assert!((0.5..=1.0).contains(&sure), "{sure}");
    assert_eq!(output["is_order"] == true, output["intent"] != "none");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn whatever_is_said_things_are_of_the_catalogue_and_sums_are_right(messages in prop::collection::vec(babble(), 1..4)) {
        let messages: Vec<&str> = messages.iter().map(String::as_str).collect();
        holds(&say(&messages));
    }

    #[test]
    fn no_text_is_too_strange(text in "\\PC{0,80}", other in any::<String>()) {
        holds(&say(&[&text, &other]));
    }

    #[test]
    fn the_same_is_always_read_the_same(messages in prop::collection::vec(babble(), 1..3)) {
        let messages: Vec<&str> = messages.iter().map(String::as_str).collect();
        prop_assert_eq!(say(&messages), say(&messages));
    }
}
