//! Whether a text is positive, neutral or negative.

use anyhow::Result;
use serde_json::{Value, json};

use super::bench::{Answers, Bench, Judged, Lesson, number, text};
use super::measure::{accuracy, estimate, macro_f1, pearson};
use super::table::Row;

pub(super) const ABOUT: &str = "\
NusaX (reviews and tweets), AfriSenti (tweets in dialects of Arabic and in Portuguese of Mozambique), and two English sets with the
mean of 20 ratings each (VADER's tweets and Amazon sentences), from which nothing was learnt. The baseline of a set learns from that
set's own training lines; of the two VADER sets from `en-nusax`. The step learnt from the same lines, in English from comments and
reviews besides, and it looks up rated words, most of them VADER's, whose authors made these two sets too
(plugins/steps/sentiment/train/MODEL.md). Its figures on them say how much of that lexicon's strength it keeps, not that it is better
than others elsewhere.";

const OURS: &str = "sentiment (tier 0)";
const BASELINE: &str = "TF-IDF + LR, same lines";

/// What others told of a set: whose figure, of which split.
type Published = &'static [(&'static str, f64)];

/// A set and its split for development.
const SETS: [(&str, &str, Published); 7] = [
    ("en-nusax", "valid", &[]),
    ("id-nusax", "valid", &[("classical model of the repository, published, test", 0.731)]),
    ("jv-nusax", "valid", &[]),
    ("su-nusax", "valid", &[]),
    ("ar-dz-afrisenti", "dev", &[]),
    ("ar-ma-afrisenti", "dev", &[]),
    ("pt-mz-afrisenti", "dev", &[]),
];

/// A set with ratings, and the correlation of VADER, the rule-based tool of its authors, on this split.
const RATED: [(&str, f64); 2] = [("en-vader-tweets", 0.875), ("en-vader-amazon", 0.570)];

pub(super) fn run(bench: &Bench) -> Result<Vec<Row>> {
    let mut rows = Vec::new();
    for (set, split, published) in SETS {
        let lines = bench.lines(&format!("sentiment/{set}.{split}.jsonl"))?;
        let (ours, learnt) = judge(bench, set, &lines)?;
        let set = format!("{set} {split}");
        let row = |by, labels: &[&str], micros: &[f64]| {
            let pairs: Vec<(&str, &str)> = lines.iter().map(|line| text(line, "label")).zip(labels.iter().copied()).collect();
            Row::measured(&set, "macro-F1", by, estimate(&pairs, macro_f1)).timed(micros)
        };
        rows.push(row(OURS, &labels(&ours), &ours.micros));
        rows.push(row(BASELINE, &learnt.labels.iter().map(String::as_str).collect::<Vec<_>>(), &[learnt.micros]));
        rows.extend(published.iter().map(|(by, value)| Row::published(&set, "macro-F1", by, *value)));
    }
    for (set, vader) in RATED {
        let lines = bench.lines(&format!("sentiment/{set}.dev.jsonl"))?;
        let (ours, learnt) = judge(bench, "en-nusax", &lines)?;
        let set = format!("{set} dev");
        let rated = lines.iter().map(|line| number(line, "/score"));
        let pairs: Vec<(f64, f64)> = rated.zip(ours.outputs.iter().map(|o| number(o, "/score"))).collect();
        rows.push(Row::measured(&set, "Pearson r", OURS, estimate(&pairs, pearson)).timed(&ours.micros));
        rows.push(Row::published(&set, "Pearson r", "VADER, measured beforehand on this split", vader));
        let learnt: Vec<&str> = learnt.labels.iter().map(String::as_str).collect();
        for (by, given) in [(OURS, labels(&ours)), (BASELINE, learnt)] {
            let pairs: Vec<(&str, &str)> = lines.iter().map(|line| text(line, "label")).zip(given).collect();
            rows.push(Row::measured(&set, "accuracy", by, estimate(&pairs, accuracy)));
        }
    }
    Ok(rows)
}

/// The step's answers and the baseline's, which learnt from the training lines of `set`.
fn judge(bench: &Bench, set: &str, lines: &[Value]) -> Result<(Answers, Judged)> {
    let test: Vec<&str> = lines.iter().map(|line| text(line, "text")).collect();
    let ours = bench.step("sentiment", &json!({}), test.iter().map(|text| json!({ "text": text })))?;
    let train = bench.lines(&format!("sentiment/{set}.train.jsonl"))?;
    let train = train.iter().map(|line| (text(line, "text"), text(line, "label"))).collect();
    Ok((ours, bench.learn(&[Lesson { model: "lr", train, test }])?.remove(0)))
}

fn labels(answers: &Answers) -> Vec<&str> {
    answers.outputs.iter().map(|output| text(output, "label")).collect()
}
