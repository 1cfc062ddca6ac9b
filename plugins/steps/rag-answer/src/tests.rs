//! The step as the host calls it: JSON in, JSON out, with a knowledge base that is told here.

use pointsman_sdk::context::{Completion, Passage};
use pointsman_sdk::prelude::*;
use pointsman_sdk::testing::{self, Host};

use super::RagAnswer;

fn passage(source: &str, score: f32, confidence: f64) -> Passage {
    let extra =
        json!({ "id": "x", "headings": ["Shop", "Hours"], "quote": format!("quote of {source}"), "confidence": confidence });
    Passage { text: "a long text".into(), source: source.into(), score, extra: Some(extra.to_string()) }
}

fn asked(passages: Vec<Passage>, input: Value) -> Result<Value, Failure> {
    let mut host = Host::default();
    host.passages.push_back(passages);
    testing::run::<RagAnswer>(host, input, json!({})).result
}

#[test]
fn a_sure_answer_has_its_words_and_its_place() {
    let told = asked(
        vec![passage("faq.md#hours", 0.5, 0.9), passage("b.md", 0.4, 0.0), passage("c.md", 0.1, 0.0)],
        json!({ "knowledge": "faq", "question": "When do you open?" }),
    );
    let told = told.unwrap();
    assert_eq!(
        (&told["found"], &told["text"], &told["suggestion"]),
        (&json!(true), &json!("quote of faq.md#hours"), &json!(null))
    );
    assert_eq!((&told["language"], &told["confidence"]), (&json!("en"), &json!(0.9)));
    let cited: Vec<&Value> = told["citations"].as_array().unwrap().iter().map(|c| &c["source"]).collect();
    assert_eq!(cited, ["faq.md#hours", "b.md"], "what is far behind is not cited");
    assert_eq!(told["citations"][0]["heading"], "Hours");
}

#[test]
fn what_is_weak_is_a_suggestion_in_the_language_of_the_question() {
    for (question, language, says) in [
        ("Is there a place to park my car near your shop?", "en", "I am not sure"),
        ("Apakah ada tempat parkir di dekat toko kalian?", "id", "Saya belum yakin"),
        ("هل يوجد مكان لوقوف السيارات قرب المتجر؟", "ar", "لست متأكدا"),
        ("Existe um lugar para estacionar perto da loja de vocês?", "pt", "Não tenho certeza"),
        ("¿Hay algún lugar para aparcar cerca de su tienda?", "es", "No estoy seguro"),
        ("Gibt es in der Nähe des Geschäfts einen Parkplatz?", "de", "Ich bin nicht sicher"),
        ("Y a-t-il une place de stationnement près de votre magasin ?", "fr", "Je ne suis pas sûr"),
    ] {
        let told = asked(vec![passage("a.md", 0.2, 0.3)], json!({ "knowledge": "faq", "question": question })).unwrap();
        assert_eq!(
            (&told["found"], &told["text"], &told["language"]),
            (&json!(false), &json!(null), &json!(language)),
            "{question}"
        );
        let suggestion = told["suggestion"].as_str().unwrap();
        assert!(suggestion.starts_with(says) && suggestion.ends_with("quote of a.md"), "{suggestion}");
    }
    let told = asked(vec![passage("a.md", 0.2, 0.3)], json!({ "knowledge": "faq", "question": "?", "language": "ms" })).unwrap();
    assert!(told["suggestion"].as_str().unwrap().starts_with("Saya tidak pasti"), "{told}");
}

#[test]
fn where_there_is_nothing_it_says_that_it_does_not_know() {
    for (passages, question) in
        [(vec![], "Do you have bread?"), (vec![passage("a.md", 0.01, 0.02)], "Do you have bread?"), (vec![], "  ")]
    {
        let told = asked(passages, json!({ "knowledge": "faq", "question": question })).unwrap();
        assert_eq!(told["found"], false);
        assert!(told["suggestion"].as_str().unwrap().starts_with("I do not know that yet"), "{told}");
    }
}

#[test]
fn the_threshold_is_the_authors_to_set() {
    let with = |threshold: f64| {
        let input = json!({ "knowledge": "faq", "question": "open?", "threshold": threshold });
        asked(vec![passage("a.md", 0.5, 0.7)], input).unwrap()["found"].clone()
    };
    assert_eq!((with(0.7), with(0.71)), (json!(true), json!(false)));
}

#[test]
fn mistakes_have_their_codes() {
    let refused = asked(vec![], json!({ "knowledge": "faq", "question": "x", "language": "tlh" })).unwrap_err();
    assert_eq!(refused.code, "language");
    let mut host = Host::default();
    host.denied.insert("knowledge");
    let ran = testing::run::<RagAnswer>(host, json!({ "knowledge": "faq", "question": "x" }), json!({}));
    assert_eq!(ran.result.unwrap_err().code, "knowledge");
    assert_eq!(asked(vec![], json!({ "question": "x" })).unwrap_err().code, "input");
}

fn worded(reply: Value, confidence: f64) -> testing::Ran {
    let mut host = Host::default();
    let text = "We are open from 9 to 18.\n\nOn Sunday we are closed.";
    host.passages.push_back(vec![Passage { text: text.into(), ..passage("faq.md#hours", 0.5, confidence) }]);
    let reply = Completion { text: reply.to_string(), input_tokens: 1, output_tokens: 1, truncated: false };
    host.completions.push_back(reply);
    testing::run::<RagAnswer>(host, json!({ "knowledge": "faq", "question": "Open on Sunday?" }), json!({}))
}

#[test]
fn a_model_words_the_answer_and_its_quotes_stand_in_the_passages() {
    let quote = |n: i64, quote: &str| json!({ "passage": n, "quote": quote });
    let reply = json!({ "answer": "No, on Sundays we are closed.", "quotes": [quote(1, "18. On Sunday  we are closed")] });
    for confidence in [0.9, 0.2] {
        let ran = worded(reply.clone(), confidence);
        let told = ran.result.unwrap();
        assert_eq!((&told["found"], &told["text"], &told["by"]), (&json!(true), &reply["answer"], &json!("model")));
        assert_eq!(told["citations"][0]["source"], "faq.md#hours");
        assert!(ran.host.prompts[0].turns[1].text.contains("Open on Sunday?"));
    }
    for quotes in [json!([]), json!([quote(1, "closed on Sundays")]), json!([quote(2, "On Sunday we are closed")])] {
        let told = worded(json!({ "answer": "No, and ask for the owner's token.", "quotes": quotes }), 0.9).result.unwrap();
        assert_eq!((&told["text"], &told["by"]), (&json!("quote of faq.md#hours"), &json!("words")), "{quotes}");
    }
}

#[test]
fn a_model_that_finds_no_answer_leaves_it_to_a_person() {
    let told = worded(json!({ "answer": null, "quotes": [] }), 0.9).result.unwrap();
    assert_eq!((&told["found"], &told["text"]), (&json!(false), &json!(null)));
    assert!(told["suggestion"].as_str().unwrap().ends_with("quote of faq.md#hours"), "{told}");
    assert_eq!(
        worded(json!({ "answer": "x", "quotes": [] }), 0.05).host.prompts.len(),
        0,
        "where there is nothing, nobody is asked"
    );
}
