//! A person's yes lets leave exactly what was read, once, to whom it was for (N5). What a thief of a yes, a second click, a slow click or a
//! defect of the house would make leave beside that is refused by the sender, with a code.

use std::sync::Arc;

use pointsman::wiring::FIRST_WORKSPACE;
use pointsman_core::approval::{Named, wanted};
use pointsman_core::clock::VirtualClock;
use pointsman_core::event::Message;
use pointsman_core::id::Id;
use pointsman_core::outbox::SendState;
use pointsman_core::ports::Operation;
use pointsman_store::{Decide, NewSend, RunRow};
use serde_json::Value;

use crate::support::{ANA, Folder, InTest, Site, eventually};

const BOB: &str = "15550100002";

/// Drafts one text after the other.
const CAREFUL: Folder<'static> = (
    "careful",
    r#"
name: careful
on: message
steps:
  - id: first
    draft: { text: "Dear ${contact.name}, yes.", expires: 2h }
  - if: "!first.approved"
    reply: "Nobody looked at it: ${first.by}."
  - else:
      - draft: "And it is free."
"#,
    &[],
);

/// What waits, once it is so many.
async fn waiting(site: &Site, count: usize) -> Vec<Value> {
    eventually("approvals wait", || {
        let list = site.done(&["approval", "list"]);
        list.as_array().filter(|list| list.len() == count).cloned()
    })
    .await
}

fn name(of: &Value) -> &str {
    of["approval"].as_str().unwrap()
}

/// A verb that is refused, with this code.
fn refused(site: &Site, args: &[&str], code: &str) {
    let output = site.cli(args);
    let told = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.code() == Some(1) && told.contains(code), "{args:?}: {told}");
}

async fn says(site: &Site, who: &str, text: &str) {
    assert_eq!(site.emulator.say(who, "Ana", text).await.unwrap().1, 200);
}

/// Every text that the provider was given, with whom it was for.
fn taken(site: &Site) -> Vec<(String, String)> {
    let one = |sent: &pointsman_emulator::Sent| (sent.to().unwrap().to_owned(), sent.text().unwrap_or("?").to_owned());
    site.emulator.taken().iter().map(one).collect()
}

fn to(who: &str, text: &str) -> (String, String) {
    (who.to_owned(), text.to_owned())
}

/// The run of an approval, with its journal.
async fn run_of(host: &InTest, approval: &Value) -> RunRow {
    let named: Named = name(approval).parse().unwrap();
    host.store().run(FIRST_WORKSPACE, named.run).await.unwrap().unwrap()
}

/// A send as a defect of the house, or somebody who can write into it, would put it into the outbox: with the yes that was given for
/// what `run` wanted.
fn forged(run: &RunRow, key: &str, path: &str, text: &str) -> NewSend {
    static COUNT: std::sync::atomic::AtomicI64 = std::sync::atomic::AtomicI64::new(1);
    let n = COUNT.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
    NewSend {
        id: Id(run.id.0 + n),
        run: run.id,
        path: path.to_owned(),
        n: 90,
        key: format!("{:016x}{n:016x}", run.event.0),
        state: SendState::Ready,
        due: 0,
        operation: Operation::Send(Message::text(text)),
        marked: true,
        approval: Some(key.to_owned()),
    }
}

async fn put(host: &InTest, into: &RunRow, send: NewSend) {
    let decide =
        Decide { workspace: FIRST_WORKSPACE, conversation: into.conversation.clone(), sends: vec![send], ..Decide::default() };
    host.store().decide(decide).await.unwrap();
}

/// Codes of what is parked, in order.
fn parked(site: &Site) -> Vec<String> {
    let list = site.done(&["park", "list"]);
    let mut codes: Vec<String> = list.as_array().unwrap().iter().map(|item| item["code"].as_str().unwrap().to_owned()).collect();
    codes.sort();
    codes
}

#[tokio::test(flavor = "multi_thread")]
async fn another_text_another_recipient_and_a_second_use_are_refused_by_the_sender() {
    let site = Site::new(&[CAREFUL]).await;
    let host = site.host().await;
    says(&site, ANA, "may I").await;
    let ana = waiting(&site, 1).await.remove(0);
    says(&site, BOB, "may I, too").await;
    let bob = waiting(&site, 2).await.into_iter().find(|one| name(one) != name(&ana)).unwrap();
    let (of_ana, of_bob) = (run_of(&host, &ana).await, run_of(&host, &bob).await);
    let key = wanted(&of_ana.entries).unwrap().key.to_owned();

    // Without a yes nothing leaves, whatever stands in the outbox.
    put(&host, &of_ana, forged(&of_ana, &key, "first", "Dear Ana, yes.")).await;
    host.stop().await;
    let host = site.host().await;
    host.idle().await;
    assert_eq!((taken(&site), parked(&site)), (Vec::new(), vec!["approval.missing".to_owned()]));

    // With the yes: what was approved, and nothing that differs in one letter, from another step, or to Bob.
    site.done(&["approval", "approve", name(&ana)]);
    eventually("it leaves", || (taken(&site).len() == 1).then_some(())).await;
    waiting(&site, 2).await;
    host.idle().await;
    put(&host, &of_ana, forged(&of_ana, &key, "first", "Dear Ana, yes!")).await;
    put(&host, &of_ana, forged(&of_ana, &key, "first", "Dear Ana, yes.")).await;
    put(&host, &of_bob, forged(&of_ana, &key, "first", "Dear Ana, yes.")).await;
    put(&host, &of_bob, forged(&of_bob, &key, "first", "Dear Ana, yes.")).await;
    host.stop().await;
    let host = site.host().await;
    host.idle().await;
    assert_eq!(taken(&site), [to(ANA, "Dear Ana, yes.")]);
    let codes = parked(&site);
    let wanted = ["changed", "missing", "missing", "used", "used"].map(|code| format!("approval.{code}"));
    assert_eq!(codes, wanted);

    // Bob's own is his to have, as a person worded it.
    host.stop().await;
    site.done(&["approval", "approve", name(&bob), "--text", "Dear Bob, no."]);
    let host = site.host().await;
    eventually("it leaves", || (taken(&site).len() == 2).then_some(())).await;
    assert_eq!(taken(&site)[1], to(BOB, "Dear Bob, no."), "what was read and approved, not what was drafted");
    host.idle().await;
    host.stop().await;
    site.books();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_text_that_became_another_between_the_yes_and_the_sending_stays_here() {
    let site = Site::new(&[CAREFUL]).await;
    let host = site.host().await;
    says(&site, ANA, "may I").await;
    let ana = waiting(&site, 1).await.remove(0);
    says(&site, BOB, "may I, too").await;
    let bob = waiting(&site, 2).await.into_iter().find(|one| name(one) != name(&ana)).unwrap();
    let (run, of_bob) = (run_of(&host, &ana).await, run_of(&host, &bob).await);
    let key = wanted(&run.entries).unwrap().key.to_owned();
    host.idle().await;
    // What is forged stands in the outbox before the yes is given: when the host is back, it is the first that could use it.
    put(&host, &run, forged(&run, &key, "first", "Dear Ana, yes!")).await;
    put(&host, &run, forged(&run, &key, "2", "Dear Ana, yes.")).await;
    put(&host, &of_bob, forged(&run, &key, "first", "Dear Ana, yes.")).await;
    host.stop().await;
    site.done(&["approval", "approve", name(&ana)]);
    let host = site.host().await;
    eventually("it leaves", || (taken(&site).len() == 1).then_some(())).await;
    host.idle().await;
    assert_eq!(taken(&site), [to(ANA, "Dear Ana, yes.")], "the right one is not in their way");
    assert_eq!(parked(&site), ["approval.changed"; 3]);
    host.stop().await;
    site.books();
}

#[tokio::test(flavor = "multi_thread")]
async fn two_clicks_are_one_send_and_a_late_or_misled_one_is_none() {
    let site = Site::new(&[CAREFUL]).await;
    let process = site.serve(&[]);
    says(&site, ANA, "may I").await;
    let first = waiting(&site, 1).await.remove(0);
    // Ten at once: one of them decides.
    let codes: Vec<Option<i32>> = std::thread::scope(|scope| {
        let clicks: Vec<_> =
            (0..10).map(|_| scope.spawn(|| site.cli(&["approval", "approve", name(&first)]).status.code())).collect();
        clicks.into_iter().map(|click| click.join().unwrap()).collect()
    });
    assert_eq!(codes.iter().filter(|code| **code == Some(0)).count(), 1, "{codes:?}");
    assert_eq!(codes.iter().filter(|code| **code == Some(1)).count(), 9, "{codes:?}");
    // By now the run waits for another approval: a click on the first does not land on it.
    let second = eventually("the next waits", || {
        let list = site.done(&["approval", "list"]);
        (list[0]["text"] == "And it is free.").then(|| list[0].clone())
    })
    .await;
    assert_ne!(name(&second), name(&first));
    for verb in ["approve", "reject"] {
        refused(&site, &["approval", verb, name(&first)], "approval.other");
    }
    let no_name = site.cli(&["approval", "approve", second["run"].as_str().unwrap()]);
    assert_eq!(no_name.status.code(), Some(2), "a run alone does not say what was read");
    assert_eq!(taken(&site), [to(ANA, "Dear Ana, yes.")]);

    // A new version meanwhile changes nothing of what was approved; a kill between the yes and the sending neither.
    site.write_workflow("careful", &CAREFUL.1.replace("And it is free.", "And it costs a fortune."), &[]);
    site.done(&["publish", &site.workflows().to_string_lossy()]);
    process.kill();
    site.done(&["approval", "approve", name(&second)]);
    refused(&site, &["approval", "approve", name(&second)], "run.not_waiting");
    let mut process = site.serve(&[("POINTSMAN_KILL_AT", "decide.before")]);
    assert_eq!(process.died().await, Some(9));
    let process = site.serve(&[]);
    eventually("it leaves", || (taken(&site).len() == 2).then_some(())).await;
    process.stop();
    assert_eq!(taken(&site)[1], to(ANA, "And it is free."));
    assert_eq!(site.books()["runs"]["done"], 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn after_its_time_or_from_elsewhere_nobody_can_say_yes() {
    // The command line has the system's clock, on which the two hours are over.
    let clock = VirtualClock::new(1_710_000_000_000);
    let site = Site::new(&[CAREFUL]).await;
    let host = site.host_at(Arc::new(clock.clone())).await;
    says(&site, ANA, "may I").await;
    let waits = waiting(&site, 1).await.remove(0);
    host.idle().await;
    for verb in ["approve", "reject"] {
        refused(&site, &["approval", verb, name(&waits)], "approval.expired");
    }
    // Somebody of another workspace does not even learn that there is such a run.
    let named: Named = name(&waits).parse().unwrap();
    let elsewhere = host.store().decide_approval(Id(2), &named, "agent/eve", true, None).await.unwrap();
    let nowhere = Named { run: Id(5), ..named.clone() };
    let unknown = host.store().decide_approval(FIRST_WORKSPACE, &nowhere, "agent/eve", true, None).await.unwrap();
    assert_eq!((elsewhere.unwrap_err().code.as_str(), unknown.unwrap_err().code.as_str()), ("run.unknown", "run.unknown"));
    assert!(taken(&site).is_empty());
    // In time it would have been good; now its time comes, and the workflow goes on without.
    clock.advance(7_200_000);
    eventually("it is over", || (taken(&site).len() == 1).then_some(())).await;
    assert_eq!(taken(&site), [to(ANA, "Nobody looked at it: expired.")]);
    let late = host.store().decide_approval(FIRST_WORKSPACE, &named, "agent/mia", true, None).await.unwrap();
    assert_eq!(late.unwrap_err().code, "run.not_waiting");
    host.idle().await;
    host.stop().await;
    site.books();
}
