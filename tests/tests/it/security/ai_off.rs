//! A person decides whether models are asked (C14, C15): with `ai off` none is, by no step and in no kind of run, and with `on-request` only in
//! runs that a person began. The model's server is the witness, and the log of the broker, through which every request leaves.

use std::time::Duration;

use pointsman::wiring::FIRST_WORKSPACE;
use pointsman_emulator::{Llm, LlmConfig, Mode};
use serde_json::json;

use crate::support::models::{connect, set, site_with_model};
use crate::support::{ANA, Folder, Site, eventually};

/// Every step that asks a model, one after the other; what they gave goes into a note.
const ALL: &str = r#"
  - id: answer
    use: rag-answer
    with: { knowledge: faq, question: "are you open on Sunday?" }
    retry: 0
    on_error: continue
  - id: sum
    use: summary
    retry: 0
    on_error: continue
  - id: fields
    use: extract
    with: { text: "size 4", schema: { type: object, required: [size], properties: { size: { type: integer } } } }
    retry: 0
    on_error: continue
  - id: draft
    use: draft-reply
    retry: 0
    on_error: continue
  - note: "${sum?.text} ${fields?.found} ${draft?.drafted}"
"#;

/// A workflow of all of them.
fn all(name: &str, on: &str, before: &str) -> String {
    format!("name: {name}\non: {on}\nsteps:{before}{ALL}")
}

/// Runs that begin in every way there is: by a message, by hand, by an event that the one by hand emits, by a tag, by a call.
fn workflows() -> Vec<(String, String)> {
    let call = "name: calls\non: message\nsteps:\n  - call: { workflow: called }\n";
    vec![
        ("said".into(), all("said", "message", "")),
        ("byhand".into(), all("byhand", "manual", "\n  - emit: told\n  - tag: vip")),
        ("heard".into(), all("heard", "{ event: told }", "")),
        ("tagged".into(), all("tagged", "{ tag-added: vip }", "")),
        ("called".into(), all("called", "manual", "")),
        ("calls".into(), call.into()),
    ]
}

async fn site() -> (Site, Llm) {
    let workflows = workflows();
    let folders: Vec<Folder<'_>> = workflows.iter().map(|(name, yaml)| (name.as_str(), yaml.as_str(), [].as_slice())).collect();
    let (site, llm) = site_with_model(&folders, LlmConfig::default()).await;
    set(&site, "cache = 600", "cache = 0");
    let path = site.dir.path().join("faq.md");
    std::fs::write(&path, "# Hours\n\nWe are open Monday to Saturday from 9 to 18. On Sunday we are closed.\n").unwrap();
    site.done(&["knowledge", "add", "faq", &path.to_string_lossy()]);
    llm.set(Mode::Says(json!({ "size": 4 }).to_string()));
    (site, llm)
}

/// Begins a run of every kind, and waits for the notes of them. Gives how many runs there were.
async fn everything(site: &Site) -> usize {
    let runs = || site.done(&["run", "list", "--limit", "200"]).as_array().unwrap().clone();
    let before = runs().len();
    site.emulator.say(ANA, "Ana", "are you open on Sunday?").await.unwrap();
    let conversation =
        eventually("a conversation", || site.done(&["conversation", "list"])[0]["id"].as_str().map(str::to_owned)).await;
    site.done(&["run", "start", "byhand", "--conversation", &conversation]);
    // By the message: `said`, `calls` and what it calls. By hand: `byhand`, and what its event and its tag begin; the tag stands there later.
    let wanted = before + if before == 0 { 6 } else { 5 };
    eventually("every run has ended", || {
        let runs = runs();
        (runs.len() >= wanted && runs.iter().all(|run| run["state"] == "done")).then_some(runs.len())
    })
    .await
}

/// Requests to the model's server that the log of the broker tells of.
fn answered(site: &Site, llm: &Llm) -> usize {
    let port = llm.address().rsplit(':').next().unwrap().to_owned();
    let log = std::fs::read_to_string(site.log()).unwrap();
    log.lines().filter(|line| line.contains("answered") && line.contains(&format!("port={port}"))).count()
}

#[tokio::test(flavor = "multi_thread")]
async fn off_means_that_no_request_leaves_whoever_began_the_run() {
    let (site, llm) = site().await;
    site.done(&["model", "ai", "off"]);
    let process = site.serve(&[]);
    assert_eq!(everything(&site).await, 6);
    assert_eq!((llm.asked().len(), answered(&site, &llm)), (0, 0));
    assert_eq!(site.done(&["spend", "--calls", "9"])["calls"], json!([]), "nothing was even reserved");
    let refused = site.cli(&["model", "check", "main"]);
    let told = String::from_utf8_lossy(&refused.stdout).into_owned();
    assert!(refused.status.code() == Some(1) && told.contains("denied.ai_off"), "{told}");
    assert!(llm.asked().is_empty());

    // It is the word that keeps them in: with `on` the same runs ask, and both witnesses say so.
    site.done(&["model", "ai", "on"]);
    everything(&site).await;
    let asked = llm.asked().len();
    assert!(asked >= 8, "{asked}");
    eventually("the log has them", || (answered(&site, &llm) == asked).then_some(())).await;
    process.stop();
    site.books();
}

#[tokio::test(flavor = "multi_thread")]
async fn on_request_means_runs_that_a_person_began_and_not_what_comes_of_them() {
    let (site, llm) = site().await;
    site.done(&["model", "ai", "on-request"]);
    let process = site.serve(&[]);
    everything(&site).await;
    let asked = llm.asked().len();
    let calls = site.done(&["spend", "--calls", "100"])["calls"].as_array().unwrap().clone();
    assert!(asked >= 3 && calls.len() == asked, "{asked}: {calls:?}");
    assert!(calls.iter().all(|call| call["workflow"] == "byhand"), "{calls:?}");
    process.stop();
    site.books();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_question_that_waits_for_its_place_is_not_asked_when_the_word_changes() {
    let takes = "name: takes\non: message\nsteps:\n  - id: sum\n    use: summary\n    on_error: continue\n  - reply: \"sum: ${sum?.text}\"\n";
    let (site, llm) = site_with_model(&[("takes", takes, &[])], LlmConfig::default()).await;
    connect(&site, &llm, "main", &["--at-once", "1"]);
    llm.set(Mode::Slow(Duration::from_millis(1_500), "It was about bread.".into()));
    let host = site.host().await;
    for n in 0..4 {
        site.emulator.say(&format!("1555040000{n}"), "Contact", "bread").await.unwrap();
    }
    eventually("the first is asked", || (llm.asked().len() == 1).then_some(())).await;
    site.done(&["model", "ai", "off"]);
    host.idle().await;
    assert_eq!(site.taken(4).await.len(), 4);
    assert_eq!(llm.asked().len(), 1, "what had left comes to its end, and nothing more leaves");
    assert_eq!(host.store().spends(FIRST_WORKSPACE, 9).await.unwrap().len(), 1);
    host.stop().await;
    site.books();
}
