//! `knowledge search`: one question, or many, one a line.

use std::io::BufRead as _;
use std::process::ExitCode;

use anyhow::{Context as _, Result};
use pointsman_engine::knowledge::{Answer, By, Library};
use serde::Deserialize;
use serde_json::{Value, json};

use super::coded;
use crate::cli::{Context, say};
use crate::wiring::FIRST_WORKSPACE;

/// A question of a file: with the fields of evaluation sets beside it.
#[derive(Deserialize)]
struct Asked {
    #[serde(default)]
    id: Option<String>,
    text: String,
}

pub(super) async fn run(
    context: &Context,
    library: &Library,
    base: &str,
    question: Option<&str>,
    (count, by): (usize, By),
) -> Result<ExitCode> {
    let Some(question) = question else { return many(library, base, count, by).await };
    let answer = library.search(FIRST_WORKSPACE, base, question, count, by).await.map_err(|e| coded(&e))?;
    context.answer(&told(&answer, json!({ "question": question })), || {
        let word = if answer.found() { "found" } else { "not found" };
        let mut lines = vec![format!("{word} (confidence {:.2})", answer.confidence)];
        if let Some(why) = &answer.by_words {
            lines.push(format!("by words alone: {}: {}", why.code, why.message));
        }
        for ranked in &answer.passages {
            lines.push(format!("{:.3}  {}  {}", ranked.share, ranked.citation(), ranked.quote.replace('\n', " ")));
        }
        lines.join("\n")
    });
    Ok(ExitCode::SUCCESS)
}

async fn many(library: &Library, base: &str, count: usize, by: By) -> Result<ExitCode> {
    for (n, line) in std::io::stdin().lock().lines().enumerate() {
        let line = line.context("standard input")?;
        if line.trim().is_empty() {
            continue;
        }
        let asked: Asked = if line.trim_start().starts_with('{') {
            serde_json::from_str(&line).with_context(|| format!("line {} of standard input", n + 1))?
        } else {
            Asked { id: None, text: line }
        };
        #[expect(clippy::disallowed_methods, reason = "it measures how long a search takes")]
        let since = std::time::Instant::now();
        let answer = library.search(FIRST_WORKSPACE, base, &asked.text, count, by).await.map_err(|e| coded(&e))?;
        let micros = u64::try_from(since.elapsed().as_micros()).unwrap_or(u64::MAX);
        say(&told(&answer, json!({ "id": asked.id, "question": asked.text, "micros": micros })).to_string());
    }
    Ok(ExitCode::SUCCESS)
}

/// `{"found", "confidence", "micros", "ids", "hits": [{"id","source","score","quote"}], "evidence", "by_words"}`. `by_words` is why vectors were not
/// asked that should have been, else null. `ids` are the places in the order of
/// their best passage, each once.
fn told(answer: &Answer, mut head: Value) -> Value {
    let hits: Vec<Value> = answer
        .passages
        .iter()
        .map(|r| {
            json!({
                "id": r.passage.id, "source": r.source, "cite": r.citation(), "headings": r.passage.headings,
                "language": r.passage.language.code(), "score": r.score, "share": r.share, "quote": r.quote,
            })
        })
        .collect();
    let body = json!({
        "found": answer.found(), "confidence": answer.confidence, "ids": ids(answer), "hits": hits, "evidence": answer.evidence,
        "by_words": answer.by_words.as_ref().map(|why| json!({ "code": why.code, "message": why.message })),
    });
    if let (Some(head), Value::Object(body)) = (head.as_object_mut(), body) {
        head.extend(body);
    }
    head
}

/// The places that were found, each once: the rows' own ids where they have some, else what they are cited by.
pub(super) fn ids(answer: &Answer) -> Vec<String> {
    let mut ids: Vec<String> = Vec::new();
    for ranked in &answer.passages {
        let citation = ranked.citation();
        if !ids.contains(&citation) {
            ids.push(citation);
        }
    }
    ids
}
