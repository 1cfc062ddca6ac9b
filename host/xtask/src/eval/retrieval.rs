//! Whether the passage that answers a question is found, and whether a search knows when there is none.

use std::process::Command;

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};

use super::bench::{Bench, Scratch, number, text};
use super::measure::{auroc, estimate};
use super::table::Row;

pub(super) const ABOUT: &str = "\
XQuAD: 240 paragraphs in each language, each question answered by one of them. Refusal: the paragraphs of a quarter of the articles
are taken out, and the best passage's confidence must tell the questions whose answer is gone; `answered wrongly` is the part of those
that is answered at the shipped threshold, `answered` that of the others. The weights of the confidence were fitted on these very
questions (five numbers on 2,124; fitted on three languages, the fourth has AUROC 0.982 en, 0.987 es, 0.957 de, 0.963 ar). Times are
those of a whole search in the command line: index, passages, quotations.";

const LANGUAGES: [&str; 4] = ["en", "es", "de", "ar"];

/// The BM25 of the published anchors, test split: nDCG@10, recall@5, hit@1.
const PUBLISHED: [[f64; 3]; 4] = [[0.953, 0.982, 0.909], [0.948, 0.970, 0.912], [0.915, 0.958, 0.851], [0.883, 0.926, 0.816]];

const METRICS: [&str; 3] = ["nDCG@10", "recall@5", "hit@1"];

/// What a search gave for one question.
struct Ranked {
    ids: Vec<String>,
    score: f64,
    found: bool,
}

pub(super) fn run(bench: &Bench) -> Result<Vec<Row>> {
    let host = Host::new(bench)?;
    let mut rows = Vec::new();
    for (language, published) in LANGUAGES.into_iter().zip(PUBLISHED) {
        let corpus = bench.lines(&format!("retrieval/xquad-{language}.corpus.jsonl"))?;
        let queries = bench.lines(&format!("retrieval/xquad-{language}.queries.dev.jsonl"))?;
        let rest: Vec<Value> = corpus.iter().filter(|line| number(line, "/article") as u64 % 4 != 3).cloned().collect();
        let set = format!("xquad-{language} dev");
        let (whole, micros) = host.search(&format!("whole-{language}"), &corpus, &queries)?;
        let (without, _) = host.search(&format!("rest-{language}"), &rest, &queries)?;
        let (plain, plain_without, plain_micros) = baseline(bench, [&corpus, &rest], &queries)?;
        for (by, whole, rest, micros) in
            [("knowledge (tier 0)", whole, without, micros), ("BM25 of plain words", plain, plain_without, vec![plain_micros])]
        {
            for (n, metric) in METRICS.into_iter().enumerate() {
                let figure = |(query, ranked): (&Value, &Ranked)| weigh(query, ranked).get(n).copied().unwrap_or_default();
                let per: Vec<f64> = queries.iter().zip(&whole).map(figure).collect();
                let row = Row::measured(&set, metric, by, estimate(&per, mean));
                rows.push(if n == 0 { row.timed(&micros) } else { row });
            }
            let answerable =
                |query: &Value| query.get("answerable_in_refusal_corpus").and_then(Value::as_bool).unwrap_or_default();
            let pairs: Vec<(bool, f64)> = queries.iter().zip(&rest).map(|(query, r)| (answerable(query), r.score)).collect();
            rows.push(Row::measured(&set, "refusal AUROC", by, estimate(&pairs, auroc)));
            if by.starts_with("knowledge") {
                for (metric, which) in [("answered", true), ("answered wrongly", false)] {
                    let own = queries.iter().zip(&rest).filter(|(query, _)| answerable(query) == which);
                    let own: Vec<f64> = own.map(|(_, ranked)| f64::from(u8::from(ranked.found))).collect();
                    rows.push(Row::measured(&set, metric, by, estimate(&own, mean)));
                }
            }
        }
        for (metric, value) in METRICS.into_iter().zip(published) {
            rows.push(Row::published(&set, metric, "BM25, anchors, test", value));
        }
    }
    rows.sort_by(|a, b| (&a.set, a.metric).cmp(&(&b.set, b.metric)));
    Ok(rows)
}

fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}

/// The three figures of one question, which one paragraph answers.
fn weigh(query: &Value, ranked: &Ranked) -> [f64; 3] {
    let wanted = query.pointer("/relevant/0").and_then(Value::as_str).unwrap_or_default();
    let rank = ranked.ids.iter().position(|id| id == wanted);
    let within = |k: usize| f64::from(u8::from(rank.is_some_and(|rank| rank < k)));
    let gain = rank.filter(|rank| *rank < 10).map_or(0.0, |rank| 1.0 / (rank as f64 + 2.0).log2());
    [gain, within(5), within(1)]
}

/// A host's folder that lasts as long as the eval.
struct Host<'a> {
    bench: &'a Bench,
    folder: Scratch,
}

impl<'a> Host<'a> {
    fn new(bench: &'a Bench) -> Result<Self> {
        let host = Self { bench, folder: Scratch::new("retrieval")? };
        host.verb(&["init"])?;
        Ok(host)
    }

    fn dir(&self) -> String {
        self.folder.path().join("host").display().to_string()
    }

    fn verb(&self, args: &[&str]) -> Result<()> {
        let mut command = Command::new(self.bench.binary());
        let told = command.args(["--dir", &self.dir(), "--json"]).args(args).output().context("the program does not start")?;
        ensure!(told.status.success(), "pointsman {}: {}", args.join(" "), String::from_utf8_lossy(&told.stdout));
        Ok(())
    }

    /// Makes a base of these lines and asks it; with the microseconds of a question on the whole.
    fn search(&self, base: &str, lines: &[Value], queries: &[Value]) -> Result<(Vec<Ranked>, Vec<f64>)> {
        let file = self.folder.path().join("corpus.jsonl");
        std::fs::write(&file, lines.iter().map(|line| format!("{line}\n")).collect::<String>())?;
        self.verb(&["knowledge", "add", base, &file.display().to_string()])?;
        let dir = self.dir();
        let args = ["--dir", dir.as_str(), "--json", "knowledge", "search", base, "--jsonl", "--count", "20"];
        let asked: Vec<String> = queries.iter().map(|query| json!({ "text": text(query, "text") }).to_string()).collect();
        let told = self.bench.pointsman(&args, &asked)?;
        let micros = told.iter().map(|line| number(line, "/micros")).collect();
        Ok((told.iter().map(ranked).collect(), micros))
    }
}

fn ranked(told: &Value) -> Ranked {
    let ids = told.get("ids").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str);
    Ranked {
        ids: ids.filter_map(|id| id.rsplit('#').next()).map(str::to_owned).collect(),
        score: number(told, "/confidence"),
        found: told.get("found").and_then(Value::as_bool).unwrap_or_default(),
    }
}

/// What plain BM25 finds, in each of the two bases, and its microseconds a question.
fn baseline(bench: &Bench, bases: [&[Value]; 2], queries: &[Value]) -> Result<(Vec<Ranked>, Vec<Ranked>, f64)> {
    let asked: Vec<&str> = queries.iter().map(|query| text(query, "text")).collect();
    let job = |lines: &[Value]| {
        let corpus: Vec<[&str; 2]> = lines.iter().map(|line| [text(line, "id"), text(line, "text")]).collect();
        json!({ "corpus": corpus, "queries": asked })
    };
    let told = bench.python("bm25.py", &json!(bases.map(job)))?;
    let read = |n: usize| -> Vec<Ranked> {
        let list = |name: &str| told.pointer(&format!("/{n}/{name}")).and_then(Value::as_array).cloned().unwrap_or_default();
        let one = |(ids, score): (Value, Value)| Ranked {
            ids: ids.as_array().into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect(),
            score: score.as_f64().unwrap_or_default(),
            found: false,
        };
        list("ranked").into_iter().zip(list("scores")).map(one).collect()
    };
    let (whole, rest) = (read(0), read(1));
    ensure!(whole.len() == queries.len() && rest.len() == queries.len(), "the baseline left questions out");
    Ok((whole, rest, number(&told, "/0/micros")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_question_is_weighed_by_the_rank_of_its_paragraph() {
        let query = json!({ "relevant": ["b"] });
        let at = |ids: &[&str]| Ranked { ids: ids.iter().map(|id| (*id).to_owned()).collect(), score: 0.0, found: false };
        assert_eq!(weigh(&query, &at(&["b", "a"])), [1.0, 1.0, 1.0]);
        let second = weigh(&query, &at(&["a", "b"]));
        assert!((second[0] - 1.0 / 3f64.log2()).abs() < 1e-9 && second[1..] == [1.0, 0.0]);
        assert_eq!(weigh(&query, &at(&["a"])), [0.0; 3]);
        let told = json!({ "ids": ["c.jsonl#b", "c.jsonl#a"], "confidence": 0.75, "found": true });
        assert_eq!((ranked(&told).ids, ranked(&told).found), (vec!["b".to_owned(), "a".to_owned()], true));
    }
}
