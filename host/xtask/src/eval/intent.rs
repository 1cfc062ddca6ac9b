//! What somebody wants, of a list that was given by examples; or none of it.

use std::collections::BTreeMap;

use anyhow::Result;
use serde_json::{Value, json};

use super::bench::{Bench, Lesson, number, text};
use super::measure::{accuracy, auroc, estimate};
use super::table::Row;

pub(super) const ABOUT: &str = "\
The step is given the examples of each intent as its settings and decides with its default threshold. *In-scope accuracy*: of
texts that have an intent, those that were given it (to be sent to a person counts as wrong). *Best guess*: the same, as if the step
had to choose. *Out-of-scope recall*: of texts that have none, those for which the step said so. *AUROC*: how well the confidence
tells the two apart. The baseline learns from the same examples; where these hold out-of-scope texts (CLINC150), as a class of their
own for it, and as `other` for the step. BANKING77 and HWU64 have no development split here: of the 30 examples an intent, the first
20 are learnt from and the last 10 asked. The step's threshold and weights were found on training lines alone
(plugins/steps/intent/train/sure.py). *Over the time of a call*: the part of the calls that the box ended at its limit of 50 ms on the
machine of the run, which did other work too; they were asked again. CLINC150 has 4,530 examples, near the most that the step takes,
which is 5,000.";

const OURS: &str = "intent (tier 0)";
const BASELINE: &str = "TF-IDF + SVM, same examples";
const IN: &str = "in-scope accuracy";
const OUT: &str = "out-of-scope recall";

/// The label of texts without an intent.
const NONE: &str = "oos";

/// Examples, the texts that are asked (none: the last third of the examples), how both are called, and what others told of them:
/// figure, whose, value.
struct Set {
    name: &'static str,
    train: &'static str,
    ask: Option<&'static str>,
    published: &'static [(&'static str, &'static str, f64)],
}

const SETS: [Set; 6] = [
    Set {
        name: "clinc150 30-shot, val",
        train: "clinc150.train-30shot",
        ask: Some("clinc150.val"),
        published: &[
            (IN, "BERT, published, all examples, test", 0.969),
            (OUT, "BERT, published, all examples, test", 0.403),
            (IN, "Rasa, published, all examples, test", 0.915),
            (OUT, "Rasa, published, all examples, test", 0.453),
        ],
    },
    Set { name: "banking77 20-shot, held out", train: "banking77.train-30shot", ask: None, published: &[] },
    Set { name: "hwu64 20-shot, held out", train: "hwu64.train-30shot", ask: None, published: &[] },
    Set {
        name: "hint3-curekart dev",
        train: "hint3-curekart.train",
        ask: Some("hint3-curekart.dev"),
        published: &[
            (IN, "Rasa, published, threshold 0.1, test", 0.841),
            (IN, "Dialogflow, published, threshold 0.1, test", 0.750),
            (IN, "Haptik, published, best MCC, test", 0.604),
            (OUT, "Haptik, published, best MCC, test", 0.868),
        ],
    },
    Set {
        name: "hint3-sofmattress dev",
        train: "hint3-sofmattress.train",
        ask: Some("hint3-sofmattress.dev"),
        published: &[
            (IN, "BERT, published, threshold 0.1, test", 0.736),
            (IN, "Dialogflow, published, threshold 0.1, test", 0.732),
        ],
    },
    Set {
        name: "hint3-powerplay11 dev",
        train: "hint3-powerplay11.train",
        ask: Some("hint3-powerplay11.dev"),
        published: &[
            (IN, "Haptik, published, threshold 0.1, test", 0.665),
            (IN, "Dialogflow, published, threshold 0.1, test", 0.596),
        ],
    },
];

pub(super) fn run(bench: &Bench) -> Result<Vec<Row>> {
    let mut rows = Vec::new();
    for set in &SETS {
        let (train, ask) = split(bench, set)?;
        rows.extend(measure(bench, set, &train, &ask)?);
    }
    Ok(rows)
}

/// The examples, and what is asked.
fn split(bench: &Bench, set: &Set) -> Result<(Vec<Value>, Vec<Value>)> {
    let train = bench.lines(&format!("intents/{}.jsonl", set.train))?;
    if let Some(ask) = set.ask {
        return Ok((train, bench.lines(&format!("intents/{ask}.jsonl"))?));
    }
    let mut seen: BTreeMap<String, usize> = BTreeMap::new();
    Ok(train.into_iter().partition(|line| {
        let count = seen.entry(text(line, "intent").to_owned()).or_default();
        *count += 1;
        *count <= 20
    }))
}

fn measure(bench: &Bench, set: &Set, train: &[Value], ask: &[Value]) -> Result<Vec<Row>> {
    let mut intents: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for line in train {
        intents.entry(text(line, "intent")).or_default().push(text(line, "text"));
    }
    let other = intents.remove(NONE).unwrap_or_default();
    let test: Vec<&str> = ask.iter().map(|line| text(line, "text")).collect();
    let wanted = || ask.iter().map(|line| text(line, "intent"));
    let settings = json!({ "intents": intents, "other": other });
    let ours = bench.step("intent", &settings, test.iter().map(|text| json!({ "text": text })))?;
    let pairs = train.iter().map(|line| (text(line, "text"), text(line, "intent"))).collect();
    let learnt = bench.learn(&[Lesson { model: "svm", train: pairs, test: test.clone() }])?.remove(0);

    let chosen = ours.outputs.iter().map(|o| o.get("intent").and_then(Value::as_str).unwrap_or(NONE));
    let guessed = ours.outputs.iter().map(|o| o.pointer("/candidates/0/intent").and_then(Value::as_str).unwrap_or(NONE));
    let sure = ours.outputs.iter().map(|o| number(o, "/confidence"));
    // A baseline that knows the class says how sure it is by not choosing it.
    let margins = learnt.labels.iter().zip(&learnt.scores).map(|(label, score)| if label == NONE { -score } else { *score });
    let given: Vec<&str> = learnt.labels.iter().map(String::as_str).collect();

    let within = |given: Vec<&'_ str>| -> Vec<(String, String)> {
        wanted().zip(given).filter(|(wanted, _)| *wanted != NONE).map(|(w, g)| (w.to_owned(), g.to_owned())).collect()
    };
    let mut rows = Vec::new();
    let mut row = |metric, by, pairs: Vec<(String, String)>, micros: &[f64]| {
        let pairs: Vec<(&str, &str)> = pairs.iter().map(|(w, g)| (w.as_str(), g.as_str())).collect();
        rows.push(Row::measured(set.name, metric, by, estimate(&pairs, accuracy)).timed(micros));
    };
    row(IN, OURS, within(chosen.clone().collect()), &ours.micros);
    row("best guess", OURS, within(guessed.collect()), &[]);
    row(IN, BASELINE, within(given.clone()), &[learnt.micros]);
    let late = estimate(&ours.late, |all| all.iter().filter(|late| **late).count() as f64 / all.len() as f64);
    let over = (late.value > 0.0).then(|| Row::measured(set.name, "over the time of a call", OURS, late));
    if wanted().any(|intent| intent == NONE) {
        let without = |given: Vec<&str>| -> Vec<(String, String)> {
            wanted().zip(given).filter(|(w, _)| *w == NONE).map(|(w, g)| (w.to_owned(), g.to_owned())).collect()
        };
        row(OUT, OURS, without(chosen.collect()), &[]);
        row(OUT, BASELINE, without(given), &[]);
        for (by, scores) in [(OURS, sure.collect::<Vec<f64>>()), (BASELINE, margins.collect())] {
            let pairs: Vec<(bool, f64)> = wanted().map(|intent| intent != NONE).zip(scores).collect();
            rows.push(Row::measured(set.name, "AUROC", by, estimate(&pairs, auroc)));
        }
    }
    rows.extend(over);
    rows.extend(set.published.iter().map(|(metric, by, value)| Row::published(set.name, metric, by, *value)));
    Ok(rows)
}
