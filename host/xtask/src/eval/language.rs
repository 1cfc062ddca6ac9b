//! Which language a short text is in.

use std::collections::BTreeMap;

use anyhow::Result;
use serde_json::{Value, json};

use super::bench::{Bench, Lesson, text};
use super::measure::{accuracy, estimate};
use super::table::Row;

pub(super) const ABOUT: &str = "\
100 short texts of each language (langid.dev), taken from sentiment and retrieval files whose other splits the step and the
baseline learnt from. Javanese and Sundanese are the near neighbours of Indonesian. `of all` means: among every language the step
knows; `of these`: among those that stand in the file, as a workspace would set it.";

/// The lines that the step learnt the languages of this file from: a file, the field of its text, its language.
const TRAIN: [(&str, &str, &str); 11] = [
    ("sentiment/en-nusax.train.jsonl", "text", "en"),
    ("sentiment/id-nusax.train.jsonl", "text", "id"),
    ("sentiment/jv-nusax.train.jsonl", "text", "jv"),
    ("sentiment/su-nusax.train.jsonl", "text", "su"),
    ("sentiment/ar-dz-afrisenti.train.jsonl", "text", "ar"),
    ("sentiment/ar-ma-afrisenti.train.jsonl", "text", "ar"),
    ("sentiment/pt-mz-afrisenti.train.jsonl", "text", "pt"),
    ("retrieval/xquad-en.corpus.jsonl", "text", "en"),
    ("retrieval/xquad-ar.corpus.jsonl", "text", "ar"),
    ("retrieval/xquad-es.corpus.jsonl", "text", "es"),
    ("retrieval/xquad-de.corpus.jsonl", "text", "de"),
];

pub(super) fn run(bench: &Bench) -> Result<Vec<Row>> {
    let lines = bench.lines("langid/langid.dev.jsonl")?;
    let mut by_language: BTreeMap<&str, Vec<&Value>> = BTreeMap::new();
    for line in &lines {
        by_language.entry(text(line, "lang")).or_default().push(line);
    }
    let languages: Vec<&str> = by_language.keys().copied().collect();
    let ordered: Vec<&Value> = by_language.values().flatten().copied().collect();
    let test: Vec<&str> = ordered.iter().map(|line| text(line, "text")).collect();

    let mut train = Vec::new();
    for (file, field, language) in TRAIN {
        train.extend(bench.lines(file)?.into_iter().map(|line| (text(&line, field).to_owned(), language)));
    }
    let train = train.iter().map(|(text, language)| (text.as_str(), *language)).collect();
    let inputs = || test.iter().map(|text| json!({ "text": text }));
    let all = bench.step("language", &json!({}), inputs())?;
    let some = bench.step("language", &json!({ "languages": languages }), inputs())?;
    let learnt = bench.learn(&[Lesson { model: "lr", train, test: test.clone() }])?.remove(0);

    let of = |outputs: &[Value]| -> Vec<String> { outputs.iter().map(|o| text(o, "language").to_owned()).collect() };
    let mut rows = Vec::new();
    for (by, given, micros) in [
        ("language (tier 0), of all", of(&all.outputs), all.micros),
        ("language (tier 0), of these", of(&some.outputs), some.micros),
        ("TF-IDF + LR, same lines", learnt.labels, vec![learnt.micros]),
    ] {
        let pairs: Vec<(&str, &str)> =
            ordered.iter().map(|line| text(line, "lang")).zip(given.iter().map(String::as_str)).collect();
        rows.push(Row::measured("langid dev, all", "accuracy", by, estimate(&pairs, accuracy)).timed(&micros));
        for language in &languages {
            let own: Vec<(&str, &str)> = pairs.iter().filter(|(wanted, _)| wanted == language).copied().collect();
            rows.push(Row::measured(&format!("langid dev, {language}"), "accuracy", by, estimate(&own, accuracy)));
        }
    }
    rows.sort_by(|a, b| a.set.cmp(&b.set));
    Ok(rows)
}
