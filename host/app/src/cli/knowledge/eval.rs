//! `knowledge eval`: how well a base answers questions whose answers are known.

use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context as _, Result, bail};
use pointsman_engine::knowledge::{By, Library};
use pointsman_knowledge::metrics::{auroc, ndcg, recall};
use serde::Deserialize;
use serde_json::json;

use super::{coded, search};
use crate::cli::Context;
use crate::wiring::FIRST_WORKSPACE;

/// Passages that are looked at: more than ten, for several may be of one place.
const DEPTH: usize = 30;

#[derive(Deserialize)]
struct Question {
    text: String,
    /// Places; an id stands for every place with that id, whatever its source.
    relevant: Vec<String>,
}

#[derive(Default)]
struct Sums {
    ndcg: f64,
    recall: f64,
    hit: f64,
    with: Vec<f32>,
    without: Vec<f32>,
    /// Answered: rightly or not, and where there was no answer.
    found: (usize, usize),
}

pub(super) async fn run(context: &Context, library: &Library, (base, by): (&str, By), questions: &Path) -> Result<ExitCode> {
    let text = std::fs::read_to_string(questions).with_context(|| format!("cannot read {}", questions.display()))?;
    let mut sums = Sums::default();
    for (n, line) in text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
        let question: Question =
            serde_json::from_str(line).with_context(|| format!("line {} of {}", n + 1, questions.display()))?;
        let answer = library.search(FIRST_WORKSPACE, base, &question.text, DEPTH, by).await.map_err(|e| coded(&e))?;
        if question.relevant.is_empty() {
            sums.without.push(answer.confidence);
            sums.found.1 += usize::from(answer.found());
            continue;
        }
        let ranked: Vec<String> = search::ids(&answer).iter().map(|id| as_asked(id, &question.relevant)).collect();
        sums.ndcg += ndcg(&ranked, &question.relevant);
        sums.recall += recall(&ranked, &question.relevant, 5);
        sums.hit += f64::from(u8::from(ranked.first().is_some_and(|id| question.relevant.contains(id))));
        sums.with.push(answer.confidence);
        sums.found.0 += usize::from(answer.found());
    }
    let count = sums.with.len();
    if count == 0 {
        bail!(
            "knowledge.questions: {} holds no question with an answer; `relevant` names the places of answers",
            questions.display()
        );
    }
    let mean = |sum: f64| sum / count as f64;
    let (ndcg, recall, hit) = (mean(sums.ndcg), mean(sums.recall), mean(sums.hit));
    let refusal = auroc(&sums.with, &sums.without);
    let told = json!({
        "questions": count, "ndcg_at_10": ndcg, "recall_at_5": recall, "hit_at_1": hit, "answered": sums.found.0,
        "without_answer": sums.without.len(), "answered_without": sums.found.1, "refusal_auroc": refusal,
    });
    context.answer(&told, || {
        let mut text = format!(
            "{count} questions with an answer: nDCG@10 {ndcg:.3}, recall@5 {recall:.3}, hit@1 {hit:.3}; {} answered",
            sums.found.0
        );
        if let Some(refusal) = refusal {
            let (none, wrong) = (sums.without.len(), sums.found.1);
            text.push_str(&format!("\n{none} without: {wrong} answered all the same, AUROC {refusal:.3}"));
        }
        text
    });
    Ok(ExitCode::SUCCESS)
}

/// A place in the words of the question: `p20` where it says so, for `corpus.jsonl#p20`.
fn as_asked(id: &str, relevant: &[String]) -> String {
    let short = id.rsplit_once('#').map(|(_, short)| short);
    let said = short.filter(|short| !relevant.iter().any(|r| r == id) && relevant.iter().any(|r| r == short));
    said.unwrap_or(id).to_owned()
}
