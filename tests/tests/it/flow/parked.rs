//! What is parked is tried again or dropped by the command line, beside a host that runs on the same database and without one:
//! never twice, never lost.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use pointsman_core::clock::{SystemClock, VirtualClock};
use pointsman_core::event::{Event, EventBody, Message, Person};
use pointsman_core::failure::{Class, Failure};
use pointsman_core::id::Id;
use pointsman_core::ports::{
    Account, ChannelAdapter, HttpResponse, Job, Reception, StepCall, StepEnd, StepHost, StepRunner, Turn, Usage, Webhook,
};
use pointsman_emulator::Fault;
use pointsman_engine::Parts;
use pointsman_store::{ChannelState, Intake, Parsed, Wish};
use serde_json::Value;

use super::conversation::SHOP;
use crate::support::{ANA, Folder, Site, eventually};

const WS: Id = pointsman::wiring::FIRST_WORKSPACE;

/// A workflow whose second step fails until somebody says "open", with a first step that counts how often it ran.
pub const GATE: Folder<'static> = (
    "gate",
    r#"
name: gate
on:
  message: {}
steps:
  - id: count
    script: |
      state_add("contact", "count", 1)
  - if: event.text == "open"
    do:
      - script: "state_set(\"workspace\", \"open\", true)"
      - stop
  - script: |
      if state_get("workspace", "open") == () { throw "closed for now" }
  - reply: "count ${count}: ${event.text}"
"#,
    &[],
);

async fn parked(site: &Site, kind: &str) -> Vec<Value> {
    let listed = site.done(&["park", "list", "--kind", kind]);
    listed.as_array().unwrap().clone()
}

fn id(item: &Value) -> String {
    item["id"].as_str().unwrap().to_owned()
}

/// The one item of a kind that is parked, once it is.
async fn the_parked(site: &Site, kind: &str) -> Value {
    for _ in 0..200 {
        if let Some(found) = parked(site, kind).await.into_iter().next() {
            return found;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("no {kind} is parked");
}

fn code(output: &std::process::Output) -> Option<i32> {
    output.status.code()
}

/// Waits until nothing is open, with the host running.
async fn settled(site: &Site) -> Value {
    for _ in 0..200 {
        let books = site.books();
        if books["open"].as_array().is_some_and(Vec::is_empty) {
            return books;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("something stays open: {}", site.books());
}

#[tokio::test(flavor = "multi_thread")]
async fn beside_a_running_host_a_run_goes_on_at_its_failed_step_once_the_cause_is_gone() {
    let site = Site::new(&[GATE]).await;
    let process = site.serve(&[]);
    site.emulator.say(ANA, "Ana", "hello").await.unwrap();
    let run = id(&the_parked(&site, "run").await);
    let shown = site.done(&["park", "show", &run]);
    assert_eq!((shown["code"].as_str(), shown["workflow"].as_str()), (Some("script.thrown"), Some("gate")), "{shown}");
    assert_eq!((&shown["step"], &shown["attempts"]), (&"3".into(), &1.into()), "{shown}");
    assert!(shown["cure"].is_string() && shown["since"].is_i64() && shown["channel"]["id"].is_string(), "{shown}");
    assert!(!shown.to_string().contains("closed for now"), "what a script throws may quote a contact: {shown}");
    assert!(!shown.to_string().contains("hello"));
    let revealed = site.done(&["park", "show", &run, "--reveal"]).to_string();
    assert!(revealed.contains("closed for now") && revealed.contains("hello"), "{revealed}");

    // Still closed: it fails again, and stands parked again.
    assert_eq!(site.done(&["park", "retry", &run])["retried"][0]["id"], run.as_str());
    eventually("it failed again", || {
        let shown = site.done(&["run", "show", &run, "--steps"]);
        let failed = shown["steps"].as_array().unwrap().iter().filter(|s| s["entry"] == "step_failed").count();
        (failed == 2 && shown["state"] == "failed").then_some(())
    })
    .await;
    site.emulator.say(ANA, "Ana", "open").await.unwrap();
    settled(&site).await;
    site.done(&["park", "retry", "--all", "--code", "script.thrown"]);
    site.taken(1).await;
    assert_eq!(site.emulator.said_to(ANA), ["count 1: hello"], "the step before was not done again");
    let books = settled(&site).await;
    assert_eq!((&books["runs"]["done"], &books["runs"]["failed"], &books["events"]["parked"]), (&2.into(), &0.into(), &0.into()));
    assert_eq!(books["webhooks"]["done"], 2, "{books}");

    let refused = site.cli(&["park", "retry", &run]);
    assert_eq!(code(&refused), Some(1));
    assert!(String::from_utf8_lossy(&refused.stdout).contains("park.not_parked"));
    assert_eq!(code(&site.cli(&["park", "show", &run])), Some(2));
    assert_eq!(site.done(&["park", "retry", "--all"])["retried"].as_array().map(Vec::len), Some(0));
    // A host that is started again finds nothing to do.
    process.stop();
    let process = site.serve(&[]);
    tokio::time::sleep(Duration::from_millis(700)).await;
    process.stop();
    assert_eq!(site.emulator.calls().len(), 1);
    let steps = site.done(&["run", "show", &run, "--steps"]);
    let done: Vec<_> = steps["steps"].as_array().unwrap().iter().filter(|s| s["entry"] == "step_done").collect();
    assert!(done.iter().any(|s| s["path"] == "count" && s["usage"]["wall_us"].is_u64() && s["ended"].is_i64()), "{steps}");
    assert_eq!(done.iter().find(|s| s["path"] == "count").unwrap()["input"].is_object(), true, "{steps}");
}

#[tokio::test(flavor = "multi_thread")]
async fn beside_a_running_host_a_send_leaves_again_with_its_key_and_only_once() {
    let site = Site::new(&[SHOP]).await;
    let process = site.serve(&[]);
    site.emulator.fail([Fault::Status { status: 401, code: 190, retry_after: None }]);
    site.emulator.say(ANA, "Ana", "one").await.unwrap();
    let first = the_parked(&site, "send").await;
    assert_eq!(first["code"], "provider.unauthorized");
    site.emulator.fail([Fault::Status { status: 400, code: 131_026, retry_after: None }]);
    site.emulator.say(ANA, "Ana", "two").await.unwrap();
    eventually("two are parked", || (site.books()["sends"]["parked"] == 2).then_some(())).await;
    let shown = site.done(&["park", "show", &id(&first)]);
    assert_eq!((shown["kind"].as_str(), shown["workflow"].as_str(), &shown["attempts"]), (Some("send"), Some("shop"), &1.into()));
    assert!(shown["cure"].as_str().is_some_and(|c| c.contains("token")), "{shown}");

    let retried = site.done(&["park", "retry", "--all", "--code", "provider.unauthorized"]);
    assert_eq!(retried["retried"].as_array().map(Vec::len), Some(1), "{retried}");
    site.taken(1).await;
    let dropped = &parked(&site, "send").await[0];
    assert_eq!(dropped["code"], "provider.unreachable");
    assert_eq!(code(&site.cli(&["park", "drop", &id(dropped)])), Some(2), "a reason is required");
    assert_eq!(code(&site.cli(&["park", "drop", &id(dropped), "--reason", " \n"])), Some(2));
    site.done(&["park", "drop", &id(dropped), "--reason", "she has moved"]);
    let books = settled(&site).await;
    assert_eq!(
        (&books["sends"]["sent"], &books["sends"]["dropped"], &books["sends"]["parked"]),
        (&1.into(), &1.into(), &0.into())
    );
    process.stop();
    assert_eq!(site.emulator.said_to(ANA), ["You said: one"]);
    let calls = site.emulator.calls();
    assert_eq!(calls.len(), 3);
    assert_eq!(calls[0].key, calls[2].key, "the same key");
    let why = site.done(&["why", &id(dropped)]);
    assert_eq!(why["cause"]["code"], "dropped_by_operator", "{why}");
    assert!(why["verdict"].as_str().is_some_and(|v| v.contains("she has moved")), "{why}");
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_host_it_is_taken_up_at_the_next_start() {
    let site = Site::new(&[GATE]).await;
    let host = site.host().await;
    site.emulator.say(ANA, "Ana", "hello").await.unwrap();
    host.idle().await;
    site.emulator.say(ANA, "Ana", "open").await.unwrap();
    host.idle().await;
    host.stop().await;
    // Of everything, the event goes with its run.
    let retried = site.done(&["park", "retry", "--all"]);
    assert_eq!((retried["retried"].as_array().map(Vec::len), retried["refused"].as_array().map(Vec::len)), (Some(1), Some(0)));
    let books = site.books();
    assert_eq!(
        (&books["runs"]["waiting"], &books["events"]["routed"], &books["webhooks"]["kept"]),
        (&1.into(), &1.into(), &1.into())
    );
    let host = site.host().await;
    site.taken(1).await;
    host.idle().await;
    host.stop().await;
    assert_eq!(site.emulator.said_to(ANA), ["count 1: hello"]);
    let books = site.books();
    assert_eq!((&books["runs"]["done"], &books["webhooks"]["done"]), (&2.into(), &2.into()), "{books}");
    assert!(books["open"].as_array().unwrap().is_empty(), "{books}");
}

/// A box that cannot read anything until the test mends it.
struct Broken {
    inner: Arc<dyn ChannelAdapter>,
    mended: Arc<AtomicBool>,
}

#[async_trait]
impl ChannelAdapter for Broken {
    async fn parse(&self, ws: Id, plugin: &str, hook: &Webhook, account: &Account) -> Result<Result<Reception, String>, Failure> {
        match self.mended.load(Ordering::SeqCst) {
            true => self.inner.parse(ws, plugin, hook, account).await,
            false => Ok(Err("not of this provider".to_owned())),
        }
    }
    async fn begin(&self, ws: Id, plugin: &str, job: &Job) -> Result<Turn, Failure> {
        self.inner.begin(ws, plugin, job).await
    }
    async fn advance(&self, ws: Id, plugin: &str, job: &Job, state: &str, response: HttpResponse) -> Result<Turn, Failure> {
        self.inner.advance(ws, plugin, job, state, response).await
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_webhook_that_could_not_be_read_is_read_again_and_answered() {
    let site = Site::new(&[SHOP]).await;
    let mended = Arc::new(AtomicBool::new(false));
    let flag = Arc::clone(&mended);
    let host = site
        .host_with(Arc::new(SystemClock), |mut parts| {
            parts.channels = Arc::new(Broken { inner: parts.channels, mended: flag });
            parts
        })
        .await;
    assert_eq!(site.emulator.say(ANA, "Ana", "hello").await.unwrap().1, 200);
    assert_eq!(site.emulator.say(ANA, "Ana", "bye").await.unwrap().1, 200);
    let list = parked(&site, "webhook").await;
    assert_eq!(list.len(), 2);
    site.done(&["park", "retry", &id(&list[1])]);
    eventually("it is parked again", || (site.books()["webhooks"]["parked"] == 2).then_some(())).await;
    mended.store(true, Ordering::SeqCst);
    site.done(&["park", "retry", &id(&list[1])]);
    site.done(&["park", "drop", &id(&list[0]), "--reason", "she said goodbye"]);
    site.taken(1).await;
    host.idle().await;
    assert_eq!(site.emulator.said_to(ANA), ["You said: hello"]);
    host.stop().await;
    let books = site.books();
    assert_eq!((&books["webhooks"]["done"], &books["webhooks"]["ignored"]), (&1.into(), &1.into()), "{books}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_whose_channel_was_switched_off_is_routed_again_when_it_is_back() {
    let site = Site::new(&[SHOP]).await;
    let channel: Id = site.channel.parse().unwrap();
    // Kept, and not routed yet; meanwhile the channel is switched off.
    let store = pointsman::wiring::open_store(&site.config()).await.unwrap();
    let event = Event {
        dedupe_key: "hello".into(),
        account: None,
        thread: Some(ANA.into()),
        sender: Some(Person { id: ANA.into(), name: Some("Ana".into()), ..Person::default() }),
        at: 1,
        trigger: true,
        body: EventBody::Message(Message::text("hello")),
        extra: None,
    };
    let intake = Intake { workspace: WS, channel, at: 1, raw: b"{}".to_vec(), parsed: Parsed::Events(vec![event]) };
    store.intake(intake).await.unwrap();
    store.set_channel_state(WS, channel, ChannelState::Off).await.unwrap();
    store.close().await.unwrap();
    let host = site.host().await;
    host.idle().await;
    let item = the_parked(&site, "event").await;
    assert_eq!(item["code"], "channel_disconnected");
    let why = site.done(&["why", &id(&item)]);
    assert_eq!((&why["cause"]["code"], &why["standing"]), (&"channel_disconnected".into(), &"not_answered".into()), "{why}");
    // Still off: tried again beside the host, it is parked again.
    site.done(&["park", "retry", &id(&item)]);
    eventually("it is parked again", || (site.books()["events"]["parked"] == 1).then_some(())).await;
    host.store().set_channel_state(WS, channel, ChannelState::Active).await.unwrap();
    host.stop().await;
    site.done(&["park", "retry", "--all"]);
    let host = site.host().await;
    site.taken(1).await;
    host.idle().await;
    host.stop().await;
    assert_eq!(site.emulator.said_to(ANA), ["You said: hello"]);
    let books = site.books();
    assert_eq!((&books["webhooks"]["done"], &books["events"]["parked"]), (&1.into(), &0.into()), "{books}");
}

/// A box whose steps fail in passing as long as the test wants.
struct Flaky {
    inner: Arc<dyn StepRunner>,
    broken: Arc<AtomicBool>,
}

#[async_trait]
impl StepRunner for Flaky {
    async fn run(&self, call: StepCall, host: Arc<dyn StepHost>) -> StepEnd {
        if self.broken.load(Ordering::SeqCst) {
            let failure = Failure::new(Class::Transient, "sandbox.busy", "busy; it is tried again");
            let reads = Vec::new();
            return StepEnd { result: Err(failure), effects: Vec::new(), log: Vec::new(), usage: Usage::default(), reads };
        }
        self.inner.run(call, host).await
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_waits_for_its_time_is_not_begun_anew_by_a_start() {
    let clock = VirtualClock::new(1_790_000_000_000);
    let site = Site::new(&[SHOP]).await;
    let broken = Arc::new(AtomicBool::new(true));
    let flaky = |parts: Parts| Parts { steps: Arc::new(Flaky { inner: parts.steps, broken: Arc::clone(&broken) }), ..parts };
    let host = site.host_with(Arc::new(clock.clone()), flaky).await;
    site.emulator.say(ANA, "Ana", "hello").await.unwrap();
    eventually("the run waits", || (site.books()["runs"]["waiting"] == 1).then_some(())).await;
    let why = site.done(&["why", site.done(&["run", "list"])[0]["id"].as_str().unwrap()]);
    assert_eq!((&why["standing"], &why["cause"]["code"]), (&"waiting".into(), &"sandbox.busy".into()), "{why}");
    host.stop().await;
    broken.store(false, Ordering::SeqCst);
    let host = site.host_with(Arc::new(clock.clone()), flaky).await;
    tokio::time::sleep(Duration::from_millis(700)).await;
    host.idle().await;
    assert!(site.emulator.calls().is_empty(), "its time has not come");
    clock.advance(2_000);
    site.taken(1).await;
    host.idle().await;
    host.stop().await;
    let books = site.books();
    assert_eq!((&books["runs"]["done"], &books["events"]["ended"], &books["sends"]["sent"]), (&1.into(), &1.into(), &1.into()));
    assert_eq!(site.done(&["run", "list", "--workflow", "shop", "--state", "done"]).as_array().map(Vec::len), Some(1));
    assert_eq!(site.done(&["run", "list", "--workflow", "other"]).as_array().map(Vec::len), Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_taken_up_twice_is_done_once() {
    let site = Site::new(&[SHOP]).await;
    let host = site.host().await;
    site.emulator.fail([Fault::Status { status: 401, code: 190, retry_after: None }]);
    site.emulator.say(ANA, "Ana", "hello").await.unwrap();
    let send = the_parked(&site, "send").await;
    let send = id(&send).parse().unwrap();
    // The provider hangs, and the bell rings again and again while the send is under way.
    site.emulator.set_delay(Duration::from_millis(1_500));
    host.store().act_on_parked(WS, send, "test", &Wish::Retry).await.unwrap().unwrap();
    for _ in 0..8 {
        host.store().audit(WS, "test", "park.retry", "a bell").await.unwrap();
        tokio::time::sleep(Duration::from_millis(250)).await;
    }
    host.idle().await;
    assert_eq!(site.emulator.calls().len(), 2, "the refused one, and one more");
    assert_eq!(host.store().audit_check(WS).await.unwrap(), None);
    host.stop().await;
    assert_eq!(site.books()["sends"]["sent"], 1);
}
