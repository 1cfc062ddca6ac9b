//! T12 in small: what can never work is parked after exactly as many tries as its policy says, and holds up nobody but its own
//! conversation: a send, a step, a webhook's body. In its own conversation later sends wait their turn behind a send; behind a
//! step and a body nothing waits.

use std::sync::Arc;

use pointsman::wiring::FIRST_WORKSPACE;
use pointsman_core::clock::VirtualClock;
use pointsman_core::journal::{Entry, RunState};
use pointsman_core::outbox::SendState;
use pointsman_emulator::{Fault, LlmConfig, Mode};
use pointsman_store::RunFilter;

use crate::flow::conversation::SHOP;
use crate::support::models::site_with_model;
use crate::support::{ANA, InTest, Site, eventually};

const NOW: i64 = 1_790_000_000_000;
/// One of so many contacts is poison: the provider fails whatever is sent to them.
const CONTACTS: usize = 100;
const POISONED: &str = "15550400042";
/// The first attempt, and the repetitions that the channel's manifest allows.
const TRIES: usize = 6;

fn contact(n: usize) -> String {
    format!("15550400{n:03}")
}

#[tokio::test(flavor = "multi_thread")]
async fn one_in_a_hundred_that_always_fails_is_parked_after_its_tries_and_blocks_nobody() {
    let clock = VirtualClock::new(NOW);
    let site = Site::new(&[SHOP]).await;
    let host = site.host_at(Arc::new(clock.clone())).await;
    site.emulator.fail_contact(POISONED, Fault::Status { status: 500, code: 2, retry_after: None });
    for n in 0..CONTACTS {
        assert_eq!(site.emulator.say(&contact(n), "C", &format!("word {n}")).await.unwrap().1, 200);
    }
    // The clock stands still: no repetition can leave, and everybody else has their answer.
    site.taken(CONTACTS - 1).await;
    let to_poisoned = || site.emulator.calls().iter().filter(|call| call.to() == Some(POISONED)).count();
    eventually("the first attempt", || (to_poisoned() == 1).then_some(())).await;
    for tries in 2..=TRIES {
        // The longest wait of the policy, so that whatever is due leaves.
        let before = to_poisoned();
        assert_eq!(before, tries - 1);
        eventually("another attempt", || {
            clock.advance(60_000);
            (to_poisoned() > before).then_some(())
        })
        .await;
    }
    let sends = async || {
        let (ws, mut parked) = (FIRST_WORKSPACE, Vec::new());
        for run in host.store().runs(ws, RunFilter::default(), 1_000).await.unwrap() {
            parked.extend(
                host.store().sends_of_run(ws, run.id).await.unwrap().into_iter().filter(|s| s.state == SendState::Parked),
            );
        }
        parked
    };
    let mut parked = sends().await;
    for _ in 0..200 {
        if !parked.is_empty() {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        parked = sends().await;
    }
    assert_eq!(parked.len(), 1, "{parked:?}");
    assert_eq!((parked[0].attempt as usize, to_poisoned()), (TRIES, TRIES));
    assert!(parked[0].reason.is_some(), "it says why");
    // Nothing leaves any more, however long one waits.
    clock.advance(86_400_000);
    tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    assert_eq!((to_poisoned(), site.emulator.taken().len()), (TRIES, CONTACTS - 1));
    host.stop().await;
    let books = site.books();
    assert_eq!((&books["sends"]["parked"], &books["sends"]["sent"]), (&1.into(), &(CONTACTS - 1).into()), "{books}");
}

/// What comes behind a send in its conversation leaves when that one is parked, and has its own tries.
#[tokio::test(flavor = "multi_thread")]
async fn sends_behind_a_poisoned_one_wait_for_its_end_and_have_tries_of_their_own() {
    let clock = VirtualClock::new(NOW);
    let site = Site::new(&[SHOP]).await;
    let host = site.host_at(Arc::new(clock.clone())).await;
    site.emulator.fail_contact(POISONED, Fault::Status { status: 500, code: 2, retry_after: None });
    for text in ["first", "second"] {
        assert_eq!(site.emulator.say(POISONED, "C", text).await.unwrap().1, 200);
    }
    assert_eq!(site.emulator.say(&contact(1), "C", "another").await.unwrap().1, 200);
    site.taken(1).await;
    let tries = || {
        site.emulator
            .calls()
            .iter()
            .filter(|c| c.to() == Some(POISONED))
            .map(|c| c.text().unwrap().to_owned())
            .collect::<Vec<_>>()
    };
    for count in 1..=2 * TRIES {
        eventually(&format!("attempt {count}"), || {
            clock.advance(5_000);
            (tries().len() >= count).then_some(())
        })
        .await;
    }
    clock.advance(86_400_000);
    host.idle().await;
    let wanted = [vec!["You said: first"; TRIES], vec!["You said: second"; TRIES]].concat();
    assert_eq!(tries(), wanted, "one after the other");
    host.stop().await;
    let books = site.books();
    assert_eq!((&books["sends"]["parked"], &books["sends"]["sent"]), (&2.into(), &1.into()), "{books}");
}

const DESK: &str = r#"
name: desk
on: message
steps:
  - if: event.text == "throw"
    script: throw "it never works"
  - elif: event.text == "ask"
    use: extract
    with: { schema: { type: object, required: [size], properties: { size: { type: integer } } } }
    retry: { max: 3, first: 1s, factor: 2 }
  - reply: "Heard: ${event.text}"
"#;

/// The runs that failed: the code, and the attempts of the step that did.
async fn failed(host: &InTest) -> Vec<(String, Vec<u32>)> {
    let filter = RunFilter { state: Some(RunState::Failed), ..RunFilter::default() };
    let mut all = Vec::new();
    for run in host.store().runs(FIRST_WORKSPACE, filter, 9).await.unwrap() {
        let whole = host.store().run(FIRST_WORKSPACE, run.id).await.unwrap().unwrap();
        let attempt = |entry: &Entry| match entry {
            Entry::StepFailed { attempt, .. } => Some(*attempt),
            _ => None,
        };
        all.push((whole.reason.clone().unwrap().code, whole.entries.iter().filter_map(attempt).collect()));
    }
    all
}

#[tokio::test(flavor = "multi_thread")]
async fn a_step_that_never_works_is_parked_after_its_tries_and_what_comes_behind_it_is_answered() {
    let clock = VirtualClock::new(NOW);
    let (site, llm) = site_with_model(&[("desk", DESK, &[])], LlmConfig::default()).await;
    llm.set(Mode::Status(500));
    let host = site.host_at(Arc::new(clock.clone())).await;
    for text in ["throw", "after a throw", "ask", "after a question"] {
        assert_eq!(site.emulator.say(ANA, "Ana", text).await.unwrap().1, 200);
    }
    assert_eq!(site.emulator.say(&contact(1), "C", "another").await.unwrap().1, 200);
    // The clock stands still: no further try can begin, and everything behind is answered.
    site.taken(3).await;
    assert_eq!(site.emulator.said_to(ANA), ["Heard: after a throw", "Heard: after a question"]);
    host.idle().await;
    // What trying again does not mend is tried once.
    assert_eq!(failed(&host).await, [("script.thrown".to_owned(), vec![1])]);
    let asked = llm.asked().len();
    let mut all = Vec::new();
    for _ in 0..400 {
        clock.advance(1_000);
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        all = failed(&host).await;
        if all.len() == 2 {
            break;
        }
    }
    assert_eq!(all[0], ("plugin.model".to_owned(), vec![1, 2, 3, 4]), "{all:?}");
    assert_eq!(llm.asked().len(), 4 * asked, "each try asks as often");
    clock.advance(86_400_000);
    tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    host.idle().await;
    assert_eq!(
        (llm.asked().len(), site.emulator.taken().len(), failed(&host).await.len()),
        (4 * asked, 3, 2),
        "nothing begins anew"
    );
    host.stop().await;
    site.books();
}

/// How often the channel's plugin was called.
fn calls(site: &Site) -> u64 {
    let used = site.done(&["plugin", "stats", "--days", "1"]);
    let of = |one: &&serde_json::Value| one["plugin"] == "pointsman/whatsapp";
    used["plugins"].as_array().unwrap().iter().find(of).map_or(0, |one| one["calls"].as_u64().unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_that_cannot_be_read_is_read_once_and_what_comes_behind_it_is_answered() {
    let site = Site::new(&[SHOP]).await;
    let host = site.host().await;
    let good = String::from_utf8(site.emulator.message("wamid.poison", ANA, "Ana", "broken off")).unwrap();
    let poison = [
        good.as_bytes()[..good.len() - 40].to_vec(),
        good.replace("broken off", "\u{1}").into_bytes(),
        "[".repeat(100_000).into_bytes(),
    ];
    for (n, body) in poison.iter().enumerate() {
        assert_eq!(site.emulator.deliver(body.clone().into(), None).await.unwrap(), 200, "it is kept");
        assert_eq!(site.emulator.say(ANA, "Ana", &format!("behind {n}")).await.unwrap().1, 200);
    }
    site.taken(3).await;
    assert_eq!(site.emulator.said_to(ANA), ["You said: behind 0", "You said: behind 1", "You said: behind 2"]);
    host.idle().await;
    host.stop().await;
    let books = site.books();
    assert_eq!((&books["webhooks"]["parked"], &books["webhooks"]["done"]), (&3.into(), &3.into()), "{books}");
    // Each body was read once; an answer takes two calls.
    assert_eq!(calls(&site), 3 + 3 + 3 * 2);
    // A start reads none of them again; a person's wish does, once.
    let host = site.host().await;
    host.idle().await;
    host.stop().await;
    assert_eq!(calls(&site), 12);
    let retried = site.done(&["park", "retry", "--all"]);
    assert_eq!(retried["retried"].as_array().map(Vec::len), Some(3), "{retried}");
    let host = site.host().await;
    eventually("they are parked again", || (site.done(&["park", "list"]).as_array()?.len() == 3).then_some(())).await;
    host.idle().await;
    host.stop().await;
    assert_eq!((calls(&site), site.emulator.taken().len()), (15, 3));
    site.books();
}
