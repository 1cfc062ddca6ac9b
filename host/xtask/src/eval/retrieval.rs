//! Whether the passage that answers a question is found, by words, by meaning and by both, in its own language and in another; and whether
//! a search knows when there is none.

use std::process::Command;

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};

use super::bench::{Bench, Scratch, number, text};
use super::measure::{auroc, estimate};
use super::table::{Figure, Row};

pub(super) const ABOUT: &str = "\
XQuAD: 240 paragraphs in each language, each question answered by one of them. *Words* is our BM25, *meaning* the vectors of
multilingual-e5-small in four bits, run by the host itself, *both* what a step gets where a base has vectors: both in a language of the
base, meaning alone in another. `es on en`: Spanish questions to the English paragraphs; `of own language`: its nDCG@10 as a part of that
on the paragraphs of the question's own language. Refusal: the paragraphs of a quarter of the articles are taken out, and the best
passage's confidence must tell the questions whose answer is gone; `answered wrongly` is the part of those that is answered at the
shipped threshold, `answered` that of the others. The weights of the confidence were fitted on these very questions (by words: five
numbers on 2,124, fitted on three languages, the fourth has AUROC 0.982 en, 0.987 es, 0.957 de, 0.963 ar; with vectors: five numbers
on 273 of them in en, es and de, against 41 paragraphs). Across languages the cosine is all that speaks for an answer, and the threshold
lies where nine of ten answers pass, as it does elsewhere: that leaves near half of the questions without an answer answered there, with
the nearest paragraph, in Spanish and German; Arabic, which was not fitted on, finds less and is refused more. Times are those of a
whole search in the command line: the question's vector, index, passages, quotations.";

const LANGUAGES: [&str; 4] = ["en", "es", "de", "ar"];

/// The BM25 of the published anchors, test split: nDCG@10, recall@5, hit@1.
const PUBLISHED: [[f64; 3]; 4] = [[0.953, 0.982, 0.909], [0.948, 0.970, 0.912], [0.915, 0.958, 0.851], [0.883, 0.926, 0.816]];

const METRICS: [&str; 3] = ["nDCG@10", "recall@5", "hit@1"];

/// The ways to search, as the command line and the table name them.
const WAYS: [(&str, &str); 3] =
    [("words", "words (BM25, tier 0)"), ("meaning", "meaning (e5-small, 4 bits)"), ("both", "both, as a step searches")];

/// What a search gave for one question.
struct Ranked {
    ids: Vec<String>,
    score: f64,
    found: bool,
}

/// What one way to search gave for the questions of a set: on the whole base, and on the one with gaps.
struct Asked {
    by: &'static str,
    whole: Vec<Ranked>,
    rest: Vec<Ranked>,
    micros: Vec<f64>,
}

pub(super) fn run(bench: &Bench) -> Result<Vec<Row>> {
    let host = Host::new(bench)?;
    let mut rows = Vec::new();
    for (language, published) in LANGUAGES.into_iter().zip(PUBLISHED) {
        let corpus = bench.lines(&format!("retrieval/xquad-{language}.corpus.jsonl"))?;
        let rest: Vec<Value> = corpus.iter().filter(|line| number(line, "/article") as u64 % 4 != 3).cloned().collect();
        let own = questions(bench, language)?;
        // Those of other languages are asked to the English one.
        let others = LANGUAGES.iter().filter(|other| language == "en" && **other != "en");
        let mut sets = vec![(format!("xquad-{language} dev"), own.clone())];
        for other in others {
            sets.push((format!("xquad-{other} on en dev"), questions(bench, other)?));
        }
        host.fill(language, &corpus)?;
        let whole = sets.iter().map(|(_, queries)| host.ways(language, queries)).collect::<Result<Vec<_>>>()?;
        host.fill(language, &rest)?;
        let gaps = sets.iter().map(|(_, queries)| host.ways(language, queries)).collect::<Result<Vec<_>>>()?;
        for (((set, queries), whole), gaps) in sets.iter().zip(whole).zip(gaps) {
            for ((whole, micros), ((rest, _), (_, by))) in whole.into_iter().zip(gaps.into_iter().zip(WAYS)) {
                rows.extend(figures(set, queries, &Asked { by, whole, rest, micros }));
            }
        }
        let set = format!("xquad-{language} dev");
        let (whole, rest, micros) = baseline(bench, [&corpus, &rest], &own)?;
        rows.extend(figures(&set, &own, &Asked { by: "BM25 of plain words", whole, rest, micros: vec![micros] }));
        for (metric, value) in METRICS.into_iter().zip(published) {
            rows.push(Row::published(&set, metric, "BM25, anchors, test", value));
        }
    }
    rows.extend(across(&rows));
    rows.sort_by(|a, b| (&a.set, a.metric).cmp(&(&b.set, b.metric)));
    Ok(rows)
}

fn questions(bench: &Bench, language: &str) -> Result<Vec<Value>> {
    bench.lines(&format!("retrieval/xquad-{language}.queries.dev.jsonl"))
}

/// The rows of one way to search.
fn figures(set: &str, queries: &[Value], asked: &Asked) -> Vec<Row> {
    let mut rows = Vec::new();
    for (n, metric) in METRICS.into_iter().enumerate() {
        let figure = |(query, ranked): (&Value, &Ranked)| weigh(query, ranked).get(n).copied().unwrap_or_default();
        let per: Vec<f64> = queries.iter().zip(&asked.whole).map(figure).collect();
        let row = Row::measured(set, metric, asked.by, estimate(&per, mean));
        rows.push(if n == 0 { row.timed(&asked.micros) } else { row });
    }
    let answerable = |query: &Value| query.get("answerable_in_refusal_corpus").and_then(Value::as_bool).unwrap_or_default();
    let pairs: Vec<(bool, f64)> = queries.iter().zip(&asked.rest).map(|(query, r)| (answerable(query), r.score)).collect();
    rows.push(Row::measured(set, "refusal AUROC", asked.by, estimate(&pairs, auroc)));
    if WAYS.iter().any(|(_, by)| *by == asked.by) {
        for (metric, which) in [("answered", true), ("answered wrongly", false)] {
            let own = queries.iter().zip(&asked.rest).filter(|(query, _)| answerable(query) == which);
            let own: Vec<f64> = own.map(|(_, ranked)| f64::from(u8::from(ranked.found))).collect();
            rows.push(Row::measured(set, metric, asked.by, estimate(&own, mean)));
        }
    }
    rows
}

/// How much of its own language's figure each language keeps on the English paragraphs.
fn across(rows: &[Row]) -> Vec<Row> {
    let ndcg = |set: &str, by: &str| {
        let row = rows.iter().find(|row| row.set == set && row.metric == "nDCG@10" && row.by == by)?;
        match row.figure {
            Figure::Measured(estimate) => Some(estimate.value),
            Figure::Told(_) | Figure::Published(_) => None,
        }
    };
    let part = |(language, by): (&&str, &str)| {
        let set = format!("xquad-{language} on en dev");
        let value = ndcg(&set, by)? / ndcg(&format!("xquad-{language} dev"), by)?;
        Some(Row::told(&set, "of own language", by, value))
    };
    let ways = WAYS.iter().map(|(_, by)| *by);
    ways.flat_map(|by| LANGUAGES.iter().map(move |language| (language, by))).filter_map(part).collect()
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
        let package = bench.python("e5.py", &Value::Null)?;
        host.verb(&["model", "add", "home", "--file", text(&package, "file")])?;
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

    /// Makes a base of these lines, with vectors. What it held before goes; vectors of what stays are kept.
    fn fill(&self, base: &str, lines: &[Value]) -> Result<()> {
        let file = self.folder.path().join("corpus.jsonl");
        std::fs::write(&file, lines.iter().map(|line| format!("{line}\n")).collect::<String>())?;
        self.verb(&["knowledge", "add", base, &file.display().to_string()])?;
        self.verb(&["knowledge", "embed", base, "--model", "home"])
    }

    /// Asks a base in each way; with the microseconds of each question.
    fn ways(&self, base: &str, queries: &[Value]) -> Result<Vec<(Vec<Ranked>, Vec<f64>)>> {
        WAYS.iter().map(|(way, _)| self.search(base, way, queries)).collect()
    }

    fn search(&self, base: &str, way: &str, queries: &[Value]) -> Result<(Vec<Ranked>, Vec<f64>)> {
        let dir = self.dir();
        let args = ["--dir", dir.as_str(), "--json", "knowledge", "search", base, "--jsonl", "--count", "20", "--by", way];
        let asked: Vec<String> = queries.iter().map(|query| json!({ "text": text(query, "text") }).to_string()).collect();
        let told = self.bench.pointsman(&args, &asked)?;
        let unheard = told.iter().find_map(|line| line.get("by_words").filter(|why| !why.is_null()));
        ensure!(unheard.is_none(), "a question had no vector: {unheard:?}");
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

    #[test]
    fn another_language_is_measured_by_its_own() {
        let by = WAYS[1].1;
        let row = |set: &str, value: f64| Row::measured(set, "nDCG@10", by, estimate(&[value, value], mean));
        let rows = [row("xquad-es dev", 0.9), row("xquad-es on en dev", 0.81), row("xquad-de dev", 0.5)];
        let parts = across(&rows);
        assert_eq!(parts.len(), 1);
        let Figure::Told(part) = parts[0].figure else { panic!("{:?}", parts[0]) };
        assert!((part - 0.9).abs() < 1e-9 && parts[0].set == "xquad-es on en dev");
    }
}
