//! Runs that wait: for what the contact says, for a length of time, for a person. They go on where they were, across restarts
//! and new versions, and say everything once.

use std::sync::Arc;
use std::time::Duration;

use pointsman_core::clock::VirtualClock;
use serde_json::{Value, json};

use crate::support::{ANA, Folder, InTest, Site, eventually};

pub const NOW: i64 = 1_790_000_000_000;
pub const DAY: i64 = 86_400_000;

/// Asks for a number, twice if need be, and takes it from there.
const ASKS: Folder<'static> = (
    "asks",
    r#"
name: asks
on: message
steps:
  - if: event.text == "order"
    do:
      - id: size
        ask: { text: "How many loaves?", expect: number, again: "A number, please.", timeout: 2h }
      - if: size.timed_out
        reply: "Another time, then."
      - else:
          - id: when
            ask: { text: "When?", buttons: [Today, Tomorrow] }
          - reply: "${size.text} loaves, ${when.text}."
  - else:
      - reply: "You said: ${event.text}"
"#,
    &[],
);

pub async fn said(site: &Site, count: usize) -> Vec<String> {
    let taken = site.taken(count).await;
    assert_eq!(taken.len(), count, "{taken:?}");
    taken
        .iter()
        .map(|sent| sent.text().or_else(|| sent.body.pointer("/interactive/body/text")?.as_str()).unwrap_or("?").to_owned())
        .collect()
}

pub async fn says(site: &Site, text: &str) {
    assert_eq!(site.emulator.say(ANA, "Ana", text).await.unwrap().1, 200);
}

/// Moves the clock on, and gives the beats their time.
pub async fn later(clock: &VirtualClock, ms: i64) {
    clock.advance(ms);
    tokio::time::sleep(Duration::from_millis(700)).await;
}

pub async fn books(host: &InTest) -> Value {
    host.idle().await;
    let books = host.store().books(pointsman::wiring::FIRST_WORKSPACE).await.unwrap();
    assert!(books.balanced(), "{books:?}");
    serde_json::to_value(books).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_goes_to_the_run_that_asked_and_starts_none() {
    let site = Site::new(&[ASKS]).await;
    let host = site.host().await;
    says(&site, "order").await;
    assert_eq!(said(&site, 1).await, ["How many loaves?"]);
    assert_eq!(books(&host).await["runs"]["waiting"], 1);
    says(&site, "quite a few").await;
    assert_eq!(said(&site, 2).await[1], "A number, please.");
    says(&site, "3").await;
    assert_eq!(said(&site, 3).await[2], "When?");
    let asked = site.emulator.lines(ANA).into_iter().rev().find(|line| !line.buttons.is_empty()).unwrap();
    let payload = asked.buttons.iter().find(|b| b.title == "Tomorrow").unwrap().payload.clone();
    assert_eq!(site.emulator.press(ANA, &asked.provider_id, &payload).await.unwrap().1, 200);
    assert_eq!(said(&site, 4).await[3], "3 loaves, Tomorrow.");
    let books = books(&host).await;
    assert_eq!(
        (&books["runs"]["done"], &books["runs"]["waiting"], &books["events"]["ended"]),
        (&json!(1), &json!(0), &json!(4)),
        "{books}"
    );
    says(&site, "thanks").await;
    assert_eq!(said(&site, 5).await[4], "You said: thanks", "nobody waits any more");
    host.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_question_survives_restarts_a_new_version_and_two_days() {
    let clock = VirtualClock::new(NOW);
    let mut workflow = ASKS;
    let yaml = ASKS.1.replace("timeout: 2h", "timeout: 5d");
    workflow.1 = &yaml;
    let site = Site::new(&[workflow]).await;
    let host = site.host_at(Arc::new(clock.clone())).await;
    says(&site, "order").await;
    said(&site, 1).await;
    host.stop().await;
    // Published meanwhile: the run stays with the version that asked.
    site.write_workflow("asks", "name: asks\non: message\nsteps:\n  - reply: The new one.\n", &[]);
    site.done(&["publish", &site.workflows().to_string_lossy()]);
    clock.advance(2 * DAY);
    let host = site.host_at(Arc::new(clock.clone())).await;
    says(&site, "4").await;
    assert_eq!(said(&site, 2).await[1], "When?");
    host.stop().await;
    let host = site.host_at(Arc::new(clock.clone())).await;
    says(&site, "today").await;
    assert_eq!(said(&site, 3).await[2], "4 loaves, Today.");
    says(&site, "order").await;
    assert_eq!(said(&site, 4).await[3], "The new one.");
    assert_eq!(books(&host).await["runs"]["done"], 2);
    host.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn patience_ends() {
    let clock = VirtualClock::new(NOW);
    let site = Site::new(&[ASKS]).await;
    let host = site.host_at(Arc::new(clock.clone())).await;
    says(&site, "order").await;
    said(&site, 1).await;
    later(&clock, 7_100_000).await;
    assert_eq!(said(&site, 1).await.len(), 1, "not yet");
    later(&clock, 200_000).await;
    assert_eq!(said(&site, 2).await[1], "Another time, then.");
    assert_eq!(books(&host).await["runs"]["done"], 1);
    host.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_script_asks_sleeps_and_says_everything_once() {
    let script = r#"
        reply("Welcome, " + contact.name);
        let n = state_add("contact", "asked", 1);
        let size = ask("Which size?");
        tag("size-" + size.text);
        sleep("1d");
        reply(`${size.text}, asked ${n} time`);
    "#;
    let yaml = "name: script\non: message\nsteps:\n  - script: talk.rhai\n";
    let clock = VirtualClock::new(NOW);
    let site = Site::new(&[("script", yaml, &[("talk.rhai", script)])]).await;
    let host = site.host_at(Arc::new(clock.clone())).await;
    says(&site, "hello there").await;
    assert_eq!(said(&site, 2).await, ["Welcome, Ana", "Which size?"]);
    says(&site, "small").await;
    eventually("the run sleeps", || {
        let runs = site.done(&["run", "list", "--state", "waiting"]);
        (runs[0]["waiting"] == "sleep").then_some(())
    })
    .await;
    host.stop().await;
    let host = site.host_at(Arc::new(clock.clone())).await;
    assert_eq!(said(&site, 2).await.len(), 2, "nothing is said again");
    later(&clock, DAY + 1_000).await;
    assert_eq!(said(&site, 3).await[2], "small, asked 1 time");
    let books = books(&host).await;
    assert_eq!((&books["runs"]["done"], &books["unexplained"]), (&json!(1), &json!([])), "{books}");
    let listed = site.done(&["conversation", "list"]);
    assert_eq!((&listed[0]["tags"], &listed[0]["waits"]), (&json!(["size-small"]), &json!([])));
    host.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_draft_is_sent_when_a_person_approves_it_and_once() {
    let yaml = "name: careful\non: message\nsteps:\n  - id: looked\n    draft: { text: \"Dear ${contact.name}, yes.\", to: team/care }\n  \
                - if: \"!looked.approved\"\n    reply: \"A person will write to you.\"\n";
    let site = Site::new(&[("careful", yaml, &[])]).await;
    let process = site.serve(&[]);
    says(&site, "may I have a refund").await;
    let waiting = |count: usize| {
        let site = &site;
        async move {
            eventually("approvals wait", || {
                let list = site.done(&["approval", "list"]);
                (list.as_array().unwrap().len() == count).then_some(list)
            })
            .await
        }
    };
    let list = waiting(1).await;
    assert_eq!((&list[0]["text"], &list[0]["to"]), (&json!("Dear Ana, yes."), &json!("team/care")));
    assert!(site.emulator.taken().is_empty(), "nothing leaves before");
    let told: Value = serde_json::from_slice(&site.cli(&["why", list[0]["run"].as_str().unwrap()]).stdout).unwrap();
    let verdict = told["verdict"].as_str().unwrap();
    assert!(verdict.contains("waits for a person's approval") && !verdict.contains("Dear Ana"), "{verdict}");
    // A crash between draft and approval changes nothing.
    process.kill();
    let process = site.serve(&[]);
    let approval = list[0]["approval"].as_str().unwrap().to_owned();
    site.done(&["approval", "approve", &approval, "--by", "agent/mia"]);
    let twice = site.cli(&["approval", "approve", &approval]);
    assert_eq!(twice.status.code(), Some(1), "{}", String::from_utf8_lossy(&twice.stdout));
    assert_eq!(said(&site, 1).await, ["Dear Ana, yes."]);

    says(&site, "and another one").await;
    let approval = waiting(1).await[0]["approval"].as_str().unwrap().to_owned();
    site.done(&["approval", "approve", &approval, "--text", "Dear Ana, gladly."]);
    assert_eq!(said(&site, 2).await[1], "Dear Ana, gladly.");

    says(&site, "and a third").await;
    let approval = waiting(1).await[0]["approval"].as_str().unwrap().to_owned();
    site.done(&["approval", "reject", &approval]);
    assert_eq!(said(&site, 3).await[2], "A person will write to you.");
    waiting(0).await;
    process.stop();
    assert_eq!(site.books()["runs"]["done"], 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_waits_can_be_ended_and_people_can_have_a_conversation() {
    let handing = "name: people\non: message\npriority: 5\nexclusive: true\nsteps:\n  - if: event.text == \"a person please\"\n    \
                   handoff: { to: team/care, note: wants a person }\n";
    let site = Site::new(&[ASKS]).await;
    let process = site.serve(&[]);
    says(&site, "order").await;
    said(&site, 1).await;
    let run = site.done(&["run", "list", "--state", "waiting"])[0]["id"].as_str().unwrap().to_owned();
    site.done(&["run", "cancel", &run, "--reason", "ordered by phone"]);
    eventually("it has ended", || (site.done(&["run", "list", "--state", "cancelled"]).as_array()?.len() == 1).then_some(()))
        .await;
    says(&site, "7").await;
    assert_eq!(said(&site, 2).await[1], "You said: 7", "nobody waits for a number");

    site.write_workflow("people", handing, &[]);
    site.done(&["publish", &site.workflows().to_string_lossy()]);
    tokio::time::sleep(Duration::from_millis(1_200)).await;
    says(&site, "a person please").await;
    let has = |people: bool| {
        let site = &site;
        async move {
            eventually("who has it", || {
                let listed = site.done(&["conversation", "list"]);
                (listed[0]["handed_off"] == people).then(|| listed[0].clone())
            })
            .await
        }
    };
    let conversation = has(true).await;
    assert_eq!(conversation["assigned"], "team/care");
    says(&site, "are you there").await;
    tokio::time::sleep(Duration::from_millis(500)).await;
    assert_eq!(said(&site, 2).await.len(), 2, "workflows keep quiet");
    site.done(&["conversation", "handback", conversation["id"].as_str().unwrap()]);
    has(false).await;
    process.stop();
    site.books();
}

#[tokio::test(flavor = "multi_thread")]
async fn two_runs_never_ask_at_the_same_time() {
    let asks = |name: &str, priority: u32| {
        format!(
            "name: {name}\non: message\npriority: {priority}\nsteps:\n  - tag: {name}\n  - id: a\n    ask: \"{name}?\"\n  \
             - reply: \"{name}: ${{a.text}}\"\n"
        )
    };
    let (colour, size) = (asks("colour", 9), asks("size", 5));
    let site = Site::new(&[("colour", &colour, &[]), ("size", &size, &[])]).await;
    let host = site.host().await;
    says(&site, "hello there").await;
    assert_eq!(said(&site, 1).await, ["colour?"]);
    host.idle().await;
    assert_eq!(said(&site, 1).await.len(), 1, "the other question waits for its turn");
    says(&site, "red").await;
    assert_eq!(said(&site, 3).await[1..], ["colour: red", "size?"]);
    says(&site, "large").await;
    assert_eq!(said(&site, 4).await[3], "size: large");
    let books = books(&host).await;
    assert_eq!((&books["runs"]["done"], &books["runs"]["waiting"]), (&json!(2), &json!(0)), "{books}");
    host.stop().await;
}
