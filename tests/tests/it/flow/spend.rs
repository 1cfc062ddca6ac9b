//! Money: a host that is killed around a model's answer, templates that cost something, and a connection that is tried.

use std::collections::BTreeSet;
use std::sync::Arc;

use pointsman::wiring::FIRST_WORKSPACE;
use pointsman_core::clock::VirtualClock;
use pointsman_emulator::{Fault, Llm, LlmConfig, Mode};
use serde_json::{Value, json};

use crate::support::models::{MODEL, connect, set, site_with_model};
use crate::support::stores::lease;
use crate::support::{ANA, Folder, Site, eventually, get};

/// Asks two questions, and says what came of them.
const ASKS: Folder<'static> = (
    "asks",
    r#"
name: asks
on: message
steps:
  - id: one
    use: extract
    with: { text: "size 4", schema: { type: object, required: [size], properties: { size: { type: integer } } } }
  - id: two
    use: extract
    with: { text: "size 4", schema: { type: object, required: [size], properties: { size: { type: integer } } } }
  - reply: "${one.value.size} and ${two.value.size}"
"#,
    &[],
);

fn size(size: i64) -> Mode {
    Mode::Says(json!({ "size": size }).to_string())
}

fn calls(site: &Site) -> Vec<Value> {
    site.done(&["spend", "--calls", "100"])["calls"].as_array().unwrap().clone()
}

fn amount(text: &Value) -> f64 {
    text.as_str().unwrap().parse().unwrap()
}

/// Kills a host at this point, for the n-th time it passes it, starts it again, and gives what the model was asked and what the ledger
/// holds.
async fn killed_at(point: &str) -> (Site, Llm, Vec<Value>) {
    let (site, llm) = site_with_model(&[ASKS], LlmConfig { counts: Some((100, 10)), ..LlmConfig::default() }).await;
    set(&site, "cache = 600", "cache = 0");
    llm.then([size(1), size(2), size(3), size(4)]);
    let mut process = site.serve(&[("POINTSMAN_KILL_AT", point)]);
    site.emulator.say(ANA, "Ana", "hello").await.unwrap();
    assert_eq!(process.died().await, Some(9));
    tokio::time::sleep(lease()).await;
    let process = site.serve(&[]);
    eventually("it is answered", || (site.emulator.taken().len() == 1).then_some(())).await;
    process.stop();
    site.books();
    let calls = calls(&site);
    let spent: f64 = calls.iter().map(|call| amount(&call["amount"])).sum();
    let told = site.done(&["spend"]);
    assert!((amount(&told["sums"][0]["spent"]) - spent).abs() < 1e-9, "the sums are those of the calls: {told} {calls:?}");
    assert_eq!(calls.len(), llm.asked().len(), "every question that was asked stands there: {calls:?}");
    (site, llm, calls)
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_was_kept_is_not_asked_for_again() {
    let (site, llm, calls) = killed_at("model.settled:2").await;
    assert_eq!(site.emulator.taken()[0].text(), Some("1 and 2"), "the answers of before");
    assert_eq!(llm.asked().len(), 2);
    assert!(calls.iter().all(|call| call["state"] == "settled"), "{calls:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_was_lost_with_its_host_is_asked_for_again_and_both_are_charged() {
    let (site, llm, calls) = killed_at("model.answered:2").await;
    // The first was kept, the second came and was not: it counts whole, and a third is asked.
    assert_eq!(site.emulator.taken()[0].text(), Some("1 and 3"));
    assert_eq!(llm.asked().len(), 3);
    let mut states: Vec<&str> = calls.iter().map(|call| call["state"].as_str().unwrap()).collect();
    states.sort_unstable();
    assert_eq!(states, ["reserved", "settled", "settled"]);
    assert_eq!(site.done(&["spend"])["unsettled"]["calls"], 1);
    let whole = calls.iter().find(|call| call["state"] == "reserved").unwrap();
    assert!(calls.iter().all(|call| amount(&call["amount"]) > 0.0 && amount(&call["amount"]) <= amount(&whole["amount"])));
}

/// A template, and after it another.
const SENDS: Folder<'static> = (
    "sends",
    "name: sends\non: message\nsteps:\n  - template: { name: order_ready, language: en, variables: [\"${contact.name}\"] }\n",
    &[],
);

#[tokio::test(flavor = "multi_thread")]
async fn a_template_is_paid_for_before_it_leaves_and_once() {
    let site = Site::new(&[SENDS]).await;
    set(&site, "[templates.prices]", "[templates.prices]\norder_ready = 0.2");
    set(&site, "cap_contact = 0.5", "cap_contact = 0.0");
    set(&site, "cap_day = 5.0", "cap_day = 0.5");
    // Later than now: the ids of what the command line made stand behind.
    const TODAY: i64 = 1_900_000_000_000;
    let clock = VirtualClock::new(TODAY);
    let host = site.host_at(Arc::new(clock.clone())).await;
    let spent = || async {
        let rows = host.store().spends(FIRST_WORKSPACE, 100).await.unwrap();
        rows.iter().map(|row| (row.model.clone(), row.state, row.amount)).collect::<Vec<_>>()
    };
    let one = |state: &'static str, amount: i64| ("template/order_ready".to_owned(), state, amount);
    // Refused by the provider, it costs nothing; tried again after a passing error, it costs once.
    site.emulator.fail([Fault::Status { status: 400, code: 131_026, retry_after: None }]);
    site.emulator.say(ANA, "Ana", "first").await.unwrap();
    host.idle().await;
    assert_eq!(spent().await, [one("settled", 0)]);
    site.emulator.fail([Fault::Status { status: 500, code: 2, retry_after: None }]);
    site.emulator.say("15550100002", "Bob", "second").await.unwrap();
    eventually("it was tried", || (site.emulator.calls().len() == 2).then_some(())).await;
    // Its failure may not be noted yet: what it waits for comes after that.
    let sent = || {
        clock.advance(2_000);
        (site.emulator.taken().len() == 1).then_some(())
    };
    eventually("it is tried again", sent).await;
    host.idle().await;
    assert_eq!(spent().await, [one("settled", 200_000_000), one("settled", 0)]);
    // One more fits under the cap, and the next does not leave, however many come at once.
    let before = site.emulator.calls().len();
    for n in 3..8 {
        site.emulator.say(&format!("1555010000{n}"), "Contact", "more").await.unwrap();
    }
    host.idle().await;
    assert_eq!(site.emulator.calls().len(), before + 1);
    let parked = site.done(&["park", "list"]);
    let codes: Vec<&str> = parked.as_array().unwrap().iter().map(|item| item["code"].as_str().unwrap()).collect();
    assert_eq!(codes.iter().filter(|code| **code == "spend.cap").count(), 4, "{parked}");
    let who: BTreeSet<String> = site.emulator.taken().iter().map(|sent| sent.to().unwrap().to_owned()).collect();
    assert_eq!((who.len(), site.emulator.taken().len()), (2, 2));
    let sums = host.store().spend_sums(FIRST_WORKSPACE, TODAY).await.unwrap();
    assert_eq!((sums[0].scope, sums[0].amount), ("day", 400_000_000));
    let workflow = sums.iter().find(|sum| sum.scope == "workflow").unwrap();
    assert_eq!((workflow.owner.as_str(), workflow.amount), ("sends", 400_000_000));

    // The next day what is tried again leaves, as far as the cap goes.
    clock.advance(86_400_000);
    site.done(&["park", "retry", "--all"]);
    eventually("two more leave", || (site.emulator.taken().len() == 4).then_some(())).await;
    host.idle().await;
    host.stop().await;
    site.books();
}

/// What the private port answers.
async fn told(private: &str, path: &str) -> Value {
    let (status, body) = get(private, path).await;
    assert_eq!(status, 200, "{path}: {body}");
    serde_json::from_str(&body).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_page_and_the_command_line_tell_the_same_of_the_ledger() {
    let site = Site::new(&[SENDS]).await;
    set(&site, "[templates.prices]", "[templates.prices]\norder_ready = 0.2");
    set(&site, "cap_day = 5.0", "cap_day = 0.5");
    let process = site.serve(&[]);
    let empty = told(&process.private, "/api/v1/spend").await;
    assert_eq!((&empty["sums"], &empty["models"], &empty["calls"]), (&json!([]), &json!([]), &json!([])), "{empty}");
    assert_eq!(empty, site.done(&["spend"]));
    let (status, page) = get(&process.private, "/spend").await;
    assert!(status == 200 && page.contains("<title>Spend · Pointsman</title>"), "{page}");
    // Two fit under the cap of the day, and the third does not leave.
    for n in 1..4 {
        site.emulator.say(&format!("1555010000{n}"), "Contact", "hello").await.unwrap();
    }
    eventually("one is parked", || {
        let books = site.done(&["books"]);
        (books["sends"]["parked"] == 1 && books["sends"]["sent"] == 2).then_some(())
    })
    .await;
    let ledger = told(&process.private, "/api/v1/spend").await;
    let sum = |scope: &str, of: &str, cap: Value, left: Value, refused: i64| {
        let (spent, reserved) = ("0.40", "0.00");
        json!({ "scope": scope, "of": of, "spent": spent, "reserved": reserved, "cap": cap, "left": left, "refused": refused })
    };
    let sums = ledger["sums"].as_array().unwrap();
    assert_eq!(sums[0], sum("day", "", json!("0.50"), json!("0.10"), 1), "{ledger}");
    assert_eq!(sums[2], sum("workflow", "sends", Value::Null, Value::Null, 0), "{ledger}");
    assert_eq!((sums.len(), &sums[3]["scope"], &sums[3]["left"]), (5, &json!("contact"), &json!("0.30")), "{ledger}");
    let model = json!({ "model": "template/order_ready", "calls": 2, "amount": "0.40", "input_tokens": 0, "output_tokens": 0 });
    assert_eq!(ledger["models"], json!([model]));
    assert_eq!((ledger["calls"].as_array().unwrap().len(), &ledger["unsettled"]["calls"]), (2, &json!(0)), "{ledger}");
    assert_eq!(ledger, site.done(&["spend", "--calls", "50"]));
    // Of many workflows and contacts the largest are shown, and how many there are besides.
    let short = told(&process.private, "/api/v1/spend?limit=1").await;
    assert_eq!((short["sums"].as_array().unwrap().len(), &short["more"]), (4, &json!(1)), "{short}");
    assert_eq!(short["calls"].as_array().unwrap().len(), 1);
    process.stop();
    site.books();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_template_without_a_price_does_not_leave_where_others_have_one_and_anything_is_capped() {
    let site = Site::new(&[SENDS]).await;
    set(&site, "[templates.prices]", "[templates.prices]\nother = 0.2");
    let host = site.host().await;
    site.emulator.say(ANA, "Ana", "hello").await.unwrap();
    host.idle().await;
    assert_eq!(site.done(&["park", "list"])[0]["code"], "spend.price");
    assert!(site.emulator.calls().is_empty() && site.done(&["spend", "--calls", "9"])["calls"] == json!([]));
    host.stop().await;
    set(&site, "other = 0.2", "\"*\" = 0.2");
    let host = site.host().await;
    site.done(&["park", "retry", "--all"]);
    site.taken(1).await;
    host.idle().await;
    host.stop().await;
    site.books();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_is_tried_by_one_small_question_and_what_is_wrong_has_a_code() {
    let (site, llm) = site_with_model(&[], LlmConfig::default()).await;
    let checked = site.done(&["model", "check", "main"]);
    assert_eq!((&checked["works"], &checked["checked"][0]["asked"]), (&json!(true), &json!("chat")), "{checked}");
    assert_eq!((&checked["checked"][1]["asked"], &checked["checked"][1]["dimensions"]), (&json!("embed"), &json!(2)));
    let asked = llm.asked();
    assert_eq!((asked.len(), &asked[0].body["model"], &asked[0].body["max_completion_tokens"]), (2, &json!(MODEL), &json!(16)));
    assert_eq!(calls(&site).len(), 2, "a question that a person asks is counted like any other");
    let wrong = |name: &str, code: &str| {
        let output = site.cli(&["model", "check", name]);
        let told: Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!((output.status.code(), &told["error"]["code"]), (Some(1), &json!(code)), "{told}");
    };
    wrong("nobody", "denied.model");
    for (mode, code) in [
        (Mode::Status(401), "model.key"),
        (Mode::Status(500), "model.unwell"),
        (Mode::Garbage, "model.garbage"),
        (Mode::Refuses, "model.refused"),
    ] {
        llm.set(mode);
        wrong("main", code);
    }
    let gone = Llm::start(LlmConfig::default()).await.unwrap();
    connect(&site, &gone, "elsewhere", &[]);
    wrong("elsewhere", "denied.egress");
    set(&site, "cap_day = 5.0", "cap_day = 0.000001");
    wrong("main", "spend.cap");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_left_before_the_host_died_is_sent_though_it_would_not_be_let_go_now() {
    let site = Site::new(&[SENDS]).await;
    set(&site, "[templates.prices]", "[templates.prices]\norder_ready = 0.2");
    let mut process = site.serve(&[("POINTSMAN_KILL_AT", "outcome.before")]);
    assert_eq!(site.emulator.say(ANA, "Ana", "hello").await.unwrap().1, 200);
    site.taken(1).await;
    assert!(!process.ended().await.success());
    // Nobody knows what it would cost today, and the day is full.
    set(&site, "order_ready = 0.2", "other = 0.2");
    set(&site, "cap_day = 5.0", "cap_day = 0.1");
    let host = site.host().await;
    host.idle().await;
    host.stop().await;
    let books = site.books();
    assert_eq!((&books["sends"]["sent"], &books["sends"]["parked"]), (&1.into(), &0.into()), "{books}");
    let calls = calls(&site);
    assert_eq!((calls.len(), &calls[0]["state"]), (1, &"settled".into()), "{calls:?}");
}
