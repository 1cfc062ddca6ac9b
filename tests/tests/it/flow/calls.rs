//! Workflows that reach others: `call` (a run of its own, that may wait for days) and `emit` (an event of the house's own).
//! Everything is said once and in its order, across kill -9, restarts and new versions.

use std::sync::Arc;

use pointsman_core::clock::VirtualClock;
use serde_json::{Value, json};

use super::waiting::{DAY, NOW, books, later, said, says};
use crate::support::{ANA, Folder, Site, eventually};

const DESK: Folder<'static> = (
    "desk",
    r#"
name: desk
on: message
steps:
  - if: event.text == "order"
    do:
      - reply: One moment.
      - id: got
        call: { workflow: measure, with: { what: loaves } }
      - reply: "${got.count} of them, ${got.by}."
"#,
    &[],
);

const MEASURE: Folder<'static> = (
    "measure",
    r#"
name: measure
on: manual
vars: { what: things, by: first }
steps:
  - id: n
    ask: { text: "How many ${vars.what}?", expect: number, timeout: 5d }
  - wait: 2d
  - reply: Counted.
  - stop: "${#{ count: n.value, by: vars.by }}"
"#,
    &[],
);

fn publish(site: &Site) {
    site.done(&["publish", &site.workflows().to_string_lossy()]);
}

/// The runs in this state, with their journals.
fn runs(site: &Site, state: &str) -> Vec<Value> {
    let listed = site.done(&["run", "list", "--state", state]);
    let ids = listed.as_array().unwrap().iter().map(|run| run["id"].as_str().unwrap().to_owned());
    ids.map(|id| site.done(&["run", "show", &id, "--steps"])).collect()
}

fn of<'a>(runs: &'a [Value], workflow: &str) -> &'a Value {
    runs.iter().find(|run| run["workflow"] == workflow).unwrap_or_else(|| panic!("no run of {workflow}: {runs:?}"))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_called_workflow_waits_for_days_on_the_version_with_which_it_began() {
    let clock = VirtualClock::new(NOW);
    let site = Site::new(&[DESK, MEASURE]).await;
    let host = site.host_at(Arc::new(clock.clone())).await;
    says(&site, "order").await;
    assert_eq!(said(&site, 2).await, ["One moment.", "How many loaves?"]);
    host.idle().await;
    host.stop().await;

    let waiting = runs(&site, "waiting");
    let (desk, measure) = (of(&waiting, "desk"), of(&waiting, "measure"));
    assert_eq!((&desk["waiting"], &measure["waiting"]), (&json!("call"), &json!("ask")));
    assert_eq!(measure["called_by"], json!({ "run": desk["id"], "place": "desk/1.do.got" }));
    let waits = desk["steps"].as_array().unwrap().iter().find(|step| step["entry"] == "waiting").unwrap();
    assert_eq!((&waits["want"]["run"]["run"], &waits["want"]["run"]["workflow"]), (&measure["id"], &measure["version"]));
    let told = site.done(&["why", desk["id"].as_str().unwrap()]);
    assert!(told["verdict"].as_str().unwrap().contains("`desk` waits for the end of a workflow"), "{told}");

    // Published in between: both stay with what they began with.
    site.write_workflow("measure", &MEASURE.1.replace("first", "second"), &[]);
    site.write_workflow("desk", &DESK.1.replace("of them", "in all"), &[]);
    publish(&site);
    let host = site.host_at(Arc::new(clock.clone())).await;
    says(&site, "12").await;
    eventually("it counts", || runs(&site, "waiting").iter().any(|run| run["waiting"] == "wait").then_some(())).await;
    host.stop().await;
    clock.advance(DAY);
    let host = site.host_at(Arc::new(clock.clone())).await;
    later(&clock, DAY + 1_000).await;
    assert_eq!(said(&site, 4).await[2..], ["Counted.", "12 of them, first."]);
    let books = books(&host).await;
    assert_eq!(
        (&books["runs"]["done"], &books["runs"]["waiting"], &books["events"]["routed"]),
        (&json!(2), &json!(0), &json!(0))
    );

    says(&site, "order").await;
    said(&site, 6).await;
    says(&site, "3").await;
    host.idle().await;
    later(&clock, 2 * DAY + 1_000).await;
    assert_eq!(said(&site, 8).await[7], "3 in all, second.", "a new call takes what is active");
    host.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_host_that_is_killed_between_call_answer_and_end_says_everything_once() {
    let site = Site::new(&[DESK, ("measure", &MEASURE.1.replace("  - wait: 2d\n", ""), &[])]).await;
    let mut process = site.serve(&[("POINTSMAN_KILL_AT", "decide.before")]);
    let _ = site.emulator.say(ANA, "Ana", "order").await;
    process.died().await;
    let process = site.serve(&[]);
    assert_eq!(said(&site, 2).await, ["One moment.", "How many loaves?"]);
    eventually("both are known to be sent", || (site.books()["sends"]["sent"] == 2).then_some(())).await;
    process.kill();
    let mut process = site.serve(&[("POINTSMAN_KILL_AT", "decide.before")]);
    let _ = site.emulator.say(ANA, "Ana", "7").await;
    process.died().await;
    let process = site.serve(&[]);
    assert_eq!(said(&site, 4).await[2..], ["Counted.", "7 of them, first."]);
    eventually("all is done", || runs(&site, "waiting").is_empty().then_some(())).await;
    process.stop();
    let books = site.books();
    assert_eq!((&books["runs"]["done"], &books["sends"]["sent"]), (&json!(2), &json!(4)), "{books}");
}

/// Fails until the contact is known to be ready.
const PAY: Folder<'static> = (
    "pay",
    r#"
name: pay
on: manual
steps:
  - reply: Paying.
  - script: |
      if contact.attributes.ready != true { throw "not ready" }
  - reply: Paid.
"#,
    &[],
);

#[tokio::test(flavor = "multi_thread")]
async fn a_failed_call_is_dealt_with_or_parks_its_caller_and_goes_on_where_it_failed() {
    let desk = r#"
name: desk
on: message
steps:
  - if: event.text == "ready"
    do:
      - set: { ready: true }
      - stop
  - if: event.text == "careful"
    call: pay
    on_error:
      - reply: "We could not: ${error.code}"
  - if: event.text == "order"
    do:
      - call: pay
      - reply: Thank you.
"#;
    let site = Site::new(&[("desk", desk, &[]), PAY]).await;
    let process = site.serve(&[]);
    says(&site, "careful").await;
    assert_eq!(said(&site, 2).await, ["Paying.", "We could not: script.thrown"]);
    assert_eq!(site.done(&["park", "list"]), json!([]), "its caller dealt with it");

    says(&site, "order").await;
    said(&site, 3).await;
    let parked = eventually("it is parked", || {
        let list = site.done(&["park", "list"]);
        list.as_array().is_some_and(|list| !list.is_empty()).then_some(list)
    })
    .await;
    let kinds: Vec<&str> = parked.as_array().unwrap().iter().map(|item| item["kind"].as_str().unwrap()).collect();
    assert_eq!(kinds.iter().filter(|kind| **kind == "run").count(), 1, "one case, not two: {parked}");
    let failed = runs(&site, "failed");
    let desk = of(&failed, "desk");
    assert!(desk["reason"]["message"].as_str().unwrap().contains("in the workflow `pay`, step `2`"), "{desk}");
    let told = site.done(&["why", desk["event"].as_str().unwrap()]);
    assert!(told["verdict"].as_str().unwrap().contains("`desk` failed"), "{told}");

    says(&site, "ready").await;
    eventually("it knows", || (site.books()["runs"]["done"] == 2).then_some(())).await;
    // Whichever of the two is named.
    let pay = failed.iter().find(|run| run["called_by"]["run"] == desk["id"]).unwrap();
    site.done(&["park", "retry", pay["id"].as_str().unwrap()]);
    assert_eq!(said(&site, 5).await[2..], ["Paying.", "Paid.", "Thank you."], "nothing is said again");
    eventually("nothing is parked", || (site.done(&["park", "list"]) == json!([])).then_some(())).await;
    process.stop();
    let books = site.books();
    assert_eq!((&books["runs"]["done"], &books["runs"]["failed"], &books["events"]["parked"]), (&json!(4), &json!(1), &json!(0)));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_is_ended_takes_those_that_it_called_with_it() {
    let between = "name: between\non: manual\nsteps:\n  - call: { workflow: measure }\n";
    let desk = DESK.1.replace("call: { workflow: measure, with: { what: loaves } }", "call: between");
    let site = Site::new(&[("desk", &desk, &[]), ("between", between, &[]), MEASURE]).await;
    let process = site.serve(&[]);
    says(&site, "order").await;
    assert_eq!(said(&site, 2).await[1], "How many things?");
    let waiting = runs(&site, "waiting");
    assert_eq!(waiting.len(), 3);
    let desk = of(&waiting, "desk")["id"].as_str().unwrap();
    site.done(&["run", "cancel", desk, "--reason", "ordered by phone"]);
    eventually("all have ended", || (runs(&site, "cancelled").len() == 3).then_some(())).await;
    says(&site, "7").await;
    eventually("nobody heard it", || (site.books()["runs"]["done"] == 1).then_some(())).await;

    // And one that was called fails its caller when it is ended.
    says(&site, "order").await;
    said(&site, 4).await;
    let measure = of(&runs(&site, "waiting"), "measure")["id"].as_str().unwrap().to_owned();
    site.done(&["run", "cancel", &measure, "--reason", "no more"]);
    let failed = eventually("the callers know", || Some(runs(&site, "failed")).filter(|runs| runs.len() == 2)).await;
    assert_eq!(of(&failed, "desk")["reason"]["code"], "call.cancelled");
    process.stop();
    site.books();
}

#[tokio::test(flavor = "multi_thread")]
async fn workflows_that_call_each_other_end_by_a_named_limit() {
    let ping = "name: ping\non: message\nsteps:\n  - call: pong\n";
    let pong = "name: pong\non: manual\nsteps:\n  - note: deeper\n  - call: ping\n";
    let lost = "name: lost\non: message\nsteps:\n  - call: { workflow: nobody }\n    on_error:\n      - reply: \"${error.code}\"\n  \
                - call: { workflow: pong, with: { x: 1 } }\n    on_error:\n      - reply: \"${error.code}\"\n";
    let site = Site::new(&[("ping", ping, &[]), ("pong", pong, &[]), ("lost", lost, &[])]).await;
    let host = site.host().await;
    says(&site, "hello").await;
    assert_eq!(said(&site, 2).await, ["call.unknown_workflow", "call.unknown_var"]);
    let books = books(&host).await;
    assert_eq!((&books["runs"]["failed"], &books["events"]["parked"]), (&json!(9), &json!(1)), "eight deep: {books}");
    host.stop().await;
    let failed = runs(&site, "failed");
    assert!(failed.iter().all(|run| run["reason"]["code"] == "limit.call_depth"), "{failed:?}");
    assert_eq!(site.done(&["park", "list"]).as_array().unwrap().iter().filter(|item| item["kind"] == "run").count(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_question_of_a_called_workflow_waits_for_its_turn_and_an_answer_is_not_lost() {
    let first = "name: first\non: message\npriority: 9\nsteps:\n  - id: got\n    wait: { for: message, timeout: 1d }\n  \
                 - id: a\n    ask: \"Size, after ${got.event.text}?\"\n  - reply: \"size ${a.text}\"\n";
    let second = "name: second\non: message\npriority: 5\nsteps:\n  - id: c\n    call: colour\n  - reply: \"colour ${c}\"\n";
    let colour = "name: colour\non: manual\nsteps:\n  - id: a\n    ask: Colour?\n  - stop: \"${a.text}\"\n";
    let site = Site::new(&[("first", first, &[]), ("second", second, &[]), ("colour", colour, &[])]).await;
    let host = site.host().await;
    says(&site, "hello").await;
    assert_eq!(said(&site, 1).await, ["Colour?"]);
    // The older run takes it, and wants to ask while the other's question stands.
    says(&site, "red").await;
    host.idle().await;
    says(&site, "blue").await;
    assert_eq!(said(&site, 3).await[1..], ["colour blue", "Size, after red?"]);
    says(&site, "large").await;
    assert_eq!(said(&site, 4).await[3], "size large");
    assert_eq!(books(&host).await["runs"]["done"], 3);
    host.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_that_a_run_raises_starts_others_and_a_circle_of_them_ends_by_the_loop_guard() {
    let desk = "name: desk\non: message\nsteps:\n  - emit: { event: order_taken, data: { n: 3 } }\n  - emit: ping\n";
    let bake =
        "name: bake\non: { event: { name: order_taken } }\nsteps:\n  - reply: \"Baking ${event.data.n}, ${contact.name}.\"\n";
    let ping = "name: ping\non: { event: { name: ping } }\nsteps:\n  - emit: ping\n";
    let site = Site::new(&[("desk", desk, &[]), ("bake", bake, &[]), ("ping", ping, &[])]).await;
    // What the run raised is on disk with its decision, and nothing of it had its turn yet.
    let mut process = site.serve(&[("POINTSMAN_KILL_AT", "decide.after")]);
    let _ = site.emulator.say(ANA, "Ana", "hello").await;
    process.died().await;
    let host = site.host().await;
    assert_eq!(said(&site, 1).await, ["Baking 3, Ana."]);
    let books = books(&host).await;
    // The message, the order, nine pings that were heard, and the tenth.
    assert_eq!(
        (&books["runs"]["done"], &books["events"]["ended"], &books["webhooks"]["done"]),
        (&json!(11), &json!(12), &json!(12)),
        "{books}"
    );
    host.stop().await;
    let last = site.done(&["run", "list", "--workflow", "ping", "--limit", "1"])[0]["event"].as_str().unwrap().to_owned();
    let told = site.done(&["why", &last]);
    assert_eq!(told["event"]["kind"], "custom", "{told}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_script_calls_drafts_raises_and_is_told_what_it_may_not() {
    let script = r#"
        reply("Looking.");
        let n = call_workflow("measure", #{ what: "rolls" });
        emit("counted", n);
        let looked = draft(`${n.count} rolls, then.`, #{ to: "team/care" });
        let refused = "";
        try { http("https://example.com"); } catch (e) { refused = e.code; }
        try { call_workflow(event.text); } catch (e) { refused += " " + e.code; }
        reply(`${looked.approved} ${refused}`);
    "#;
    let desk = "name: desk\non: message\nsteps:\n  - script: talk.rhai\n";
    let heard = "name: heard\non: { event: { name: counted } }\nsteps:\n  - tag: \"counted-${event.data.count}\"\n";
    let measure = MEASURE.1.replace("  - wait: 2d\n  - reply: Counted.\n", "");
    let site = Site::new(&[("desk", desk, &[("talk.rhai", script)]), ("measure", &measure, &[]), ("heard", heard, &[])]).await;
    let host = site.host().await;
    says(&site, "desk").await;
    assert_eq!(said(&site, 2).await, ["Looking.", "How many rolls?"]);
    host.idle().await;
    host.stop().await;
    let host = site.host().await;
    says(&site, "8").await;
    let approval = eventually("a draft waits", || {
        let list = site.done(&["approval", "list"]);
        list[0]["approval"].as_str().map(str::to_owned)
    })
    .await;
    assert_eq!(said(&site, 2).await.len(), 2, "nothing leaves before");
    site.done(&["approval", "approve", &approval]);
    assert_eq!(said(&site, 4).await[2..], ["8 rolls, then.", "true denied.http call.not_named"]);
    host.idle().await;
    assert_eq!(site.done(&["conversation", "list"])[0]["tags"], json!(["counted-8"]));
    assert_eq!(books(&host).await["runs"]["done"], 3);
    host.stop().await;
}
