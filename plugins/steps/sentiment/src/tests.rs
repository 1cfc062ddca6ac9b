//! The step as the host calls it: JSON in, JSON out.

use pointsman_sdk::prelude::*;
use pointsman_sdk::testing;

use super::Sentiment;

fn run(input: Value) -> Value {
    testing::run::<Sentiment>(testing::Host::default(), input, json!({})).result.unwrap()
}

#[test]
fn customers_in_the_languages_that_were_learnt() {
    for (text, language, label) in [
        ("This is terrible, the bread was stale and nobody answered me. Very disappointed!", "en", "negative"),
        ("The cake was delicious and the staff very friendly, thank you!", "en", "positive"),
        ("Pelayanannya buruk sekali, saya sangat kecewa. Tidak akan pesan lagi", "id", "negative"),
        ("Rotinya enak banget, tempatnya nyaman dan pelayanannya ramah", "id", "positive"),
        ("Panganane enak tenan, panggonane uga kepenak", "jv", "positive"),
        ("Palayananna goréng pisan, kuring kuciwa", "su", "negative"),
        ("Adorei, muito obrigada, vocês são maravilhosos ❤️", "pt", "positive"),
        ("Que vergonha, isto é uma porcaria", "pt", "negative"),
        ("الله يبارك فيك شكرا بزاف", "ar", "positive"),
    ] {
        let told = run(json!({ "text": text }));
        assert_eq!((told["language"].as_str(), told["label"].as_str()), (Some(language), Some(label)), "{text}: {told}");
        assert_eq!(told["learnt"], true);
        let score = told["score"].as_f64().unwrap();
        assert!(if label == "positive" { score > 0.0 } else { score < 0.0 }, "{text}: {told}");
    }
}

#[test]
fn moods_that_nobody_would_miss() {
    for (text, label) in [
        ("I love this, great service!", "positive"),
        ("thank you so much, you made my day 😍", "positive"),
        ("we really liked it, will order again", "positive"),
        ("Wow, that was quick. Thanks!", "positive"),
        ("I hate this, worst service ever", "negative"),
        ("this is not good, I am very unhappy with it", "negative"),
        ("still waiting, this is ridiculous 😡", "negative"),
        ("it is broken and I want my money back", "negative"),
        ("What time do you open on Sunday?", "neutral"),
        ("I would like two chocolate cakes for tomorrow", "neutral"),
        ("my order number is 12345", "neutral"),
    ] {
        let told = run(json!({ "text": text, "languages": ["en"] }));
        assert_eq!(told["label"], label, "{text}: {told}");
    }
}

#[test]
fn a_language_that_was_not_learnt_says_so() {
    let told = run(json!({ "text": "Das Brot war alt und niemand hat geantwortet" }));
    assert_eq!((&told["language"], &told["learnt"]), (&json!("de"), &json!(false)));
}

#[test]
fn any_text_has_an_answer_within_bounds() {
    let long = "Kecewa! ".repeat(20_000);
    let zalgo: String =
        "ok".chars().flat_map(|c| std::iter::once(c).chain("\u{301}".repeat(500).chars().collect::<Vec<_>>())).collect();
    for text in [
        "😡😡😡",
        "👍",
        "?",
        "1234",
        "\u{0}\u{1}",
        "\u{202e}سيء جدا\u{202c} bad",
        "عادي normal عادي",
        "とても美味しい",
        long.as_str(),
        zalgo.as_str(),
        "@user https://t.co/x so sad",
    ] {
        let told = run(json!({ "text": text }));
        let number = |name: &str| told[name].as_f64().unwrap();
        assert!(
            (-1.0..=1.0).contains(&number("score")) && (1.0 / 3.0 - 1e-3..=1.0).contains(&number("confidence")),
            "{text:?}: {told}"
        );
        assert_eq!(run(json!({ "text": text })), told, "the same again");
    }
    assert_eq!(run(json!({ "text": long }))["label"], "negative");
}

#[test]
fn nothing_said_is_neutral() {
    for text in [json!(null), json!(""), json!("  \n"), json!("https://example.com/x")] {
        let told = run(json!({ "text": text }));
        let neutral = json!({ "label": "neutral", "score": 0.0, "confidence": 0.0, "language": null, "learnt": false });
        assert_eq!(told, neutral);
    }
}

#[test]
fn the_languages_of_the_workspace_narrow_it() {
    let told = run(json!({ "text": "enak banget", "languages": ["en", "id"] }));
    assert_eq!((&told["language"], &told["label"]), (&json!("id"), &json!("positive")), "{told}");
}
