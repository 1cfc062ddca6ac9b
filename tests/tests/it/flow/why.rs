//! `pointsman why`: faults are put in one at a time, and each time the right cause must be named, without a contact's words.

use std::process::Command;
use std::sync::Arc;

use pointsman_core::clock::VirtualClock;
use pointsman_core::event::{Event, EventBody, Message, Person};
use pointsman_core::id::Id;
use pointsman_emulator::Fault;
use pointsman_store::{Intake, Parsed};
use serde_json::Value;

use super::conversation::SHOP;
use crate::support::{ANA, Folder, Site, binary, eventually};

const WS: Id = pointsman::wiring::FIRST_WORKSPACE;
const WORDS: &str = "pistachio croissants for zweiundvierzig";
const NAME: &str = "Quirina Vandermolen";

/// The story of `id`, as data and as a screen; neither may show what was said, by whom, or what was answered.
fn why(site: &Site, id: &str) -> Value {
    let output = site.cli(&["why", id]);
    let told = String::from_utf8(output.stdout).unwrap();
    let screen = Command::new(binary()).arg("--dir").arg(site.dir.path()).args(["why", id]).output().unwrap();
    let screen = String::from_utf8(screen.stdout).unwrap();
    for text in [&told, &screen] {
        for words in [WORDS, "croissants", NAME, ANA] {
            assert!(!text.contains(words), "`{words}` shows in {text}");
        }
    }
    let told: Value = serde_json::from_str(told.trim()).unwrap_or_else(|e| panic!("{e}: {told}"));
    assert_eq!(screen.lines().next(), told["verdict"].as_str(), "the screen begins with the verdict");
    told
}

/// Says the words; waits until the host is idle; gives the message's id.
async fn say(site: &Site, host: &crate::support::InTest) -> String {
    let (id, status) = site.emulator.say(ANA, NAME, WORDS).await.unwrap();
    assert_eq!(status, 200);
    host.idle().await;
    id
}

/// `standing: code`, and a piece of the verdict.
fn check(told: &Value, expected: &str, piece: &str) {
    let got = format!("{}: {}", told["standing"].as_str().unwrap(), told["cause"]["code"].as_str().unwrap());
    assert_eq!(got, expected, "{told:#}");
    assert!(told["verdict"].as_str().unwrap().contains(piece), "no `{piece}` in {told:#}");
}

/// One workflow, one message: the cause.
async fn with_workflow(workflow: Option<Folder<'_>>, expected: &str, piece: &str) -> Value {
    let site = Site::new(workflow.as_slice()).await;
    let host = site.host().await;
    let id = say(&site, &host).await;
    let told = why(&site, &id);
    check(&told, expected, piece);
    host.stop().await;
    told
}

fn flow<'a>(yaml: &'a str, scripts: &'a [(&'a str, &'a str)]) -> Option<Folder<'a>> {
    Some(("w", yaml, scripts))
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_answered_is_told_with_its_whole_way() {
    let site = Site::new(&[SHOP]).await;
    let host = site.host().await;
    let id = say(&site, &host).await;
    let sent = site.taken(1).await.remove(0);
    let provider_id = sent.id.clone().unwrap();
    site.emulator.status(&provider_id, ANA, "delivered", sent.key.as_deref()).await.unwrap();
    host.idle().await;
    // The same fact once more: it leaves nothing, and asking for it finds the first.
    assert_eq!(site.emulator.deliver(site.emulator.message(&id, ANA, NAME, WORDS).into(), None).await.unwrap(), 200);
    host.idle().await;
    let told = why(&site, &id);
    check(&told, "answered: answered", "workflow `shop` replied, and it was delivered");
    let webhook = &told["webhook"];
    assert_eq!((&webhook["state"], &webhook["signature"]), (&"done".into(), &"verified".into()));
    assert_eq!((&told["event"]["kind"], &told["event"]["rule"]), (&"message".into(), &"done".into()));
    let steps = told["runs"][0]["steps"].as_array().unwrap();
    let verbs: Vec<_> = steps.iter().map(|s| (s["verb"].as_str().unwrap(), s["state"].as_str().unwrap())).collect();
    assert_eq!(verbs, [("pointsman/keyword", "done"), ("reply", "done")], "{told:#}");
    assert_eq!(told["statuses"][0]["state"], "delivered", "{told:#}");
    assert_eq!(told["workflows_now"][0]["runs"], true);
    // By every name: our ids, the key, the provider's id of the answer, the news about it.
    let send = &told["sends"][0];
    let event = &told["statuses"][0]["event"];
    for name in [&told["webhook"]["id"], &told["event"]["id"], &told["runs"][0]["id"], &send["id"], &send["key"], event] {
        check(&why(&site, name.as_str().unwrap()), "answered: answered", "replied");
    }
    check(&why(&site, &provider_id), "answered: answered", "replied");
    let revealed = String::from_utf8(site.cli(&["why", &id, "--reveal"]).stdout).unwrap();
    assert!(revealed.contains(WORDS) && revealed.contains(NAME) && revealed.contains(&provider_id));
    host.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_left_nothing_is_said_to_have_left_nothing() {
    let site = Site::new(&[SHOP]).await;
    let host = site.host().await;
    let body = site.emulator.message("wamid.forged", ANA, NAME, WORDS);
    assert_eq!(site.emulator.deliver(body.into(), Some("sha256=00")).await.unwrap(), 401);
    assert_eq!(site.cli(&["why", "wamid.forged"]).status.code(), Some(1));
    let told = why(&site, "wamid.forged");
    check(&told, "not_kept: not_kept", "bad signature");
    assert!(told["cause"]["cure"].as_str().unwrap().contains("app secret"));
    host.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_plugin_could_not_read_is_named() {
    let site = Site::new(&[SHOP]).await;
    let host = site.host().await;
    let broken = format!("{{\"object\": \"whatsapp_business_account\", \"text\": \"{WORDS}\", ");
    site.emulator.deliver(broken.into(), None).await.unwrap();
    let item = site.done(&["park", "list"])[0]["id"].as_str().unwrap().to_owned();
    check(&why(&site, &item), "not_answered: webhook.unreadable", "could not be read");
    host.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_that_no_workflow_wanted_says_which_and_why_not() {
    with_workflow(None, "not_answered: no_workflow", "no workflow is published").await;
    let elsewhere = "name: w\non: { message: { channels: [telegram] } }\nsteps:\n  - reply: hi\n";
    let told = with_workflow(flow(elsewhere, &[]), "not_answered: no_workflow", "`w`: it listens on other channels").await;
    assert_eq!(told["workflows_now"][0]["runs"], false);
    let reviews = "name: w\non: review\nsteps:\n  - reply: hi\n";
    with_workflow(flow(reviews, &[]), "not_answered: no_workflow", "other kinds of events").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_workflow_that_could_not_be_published_is_named_until_it_is() {
    let site = Site::new(&[]).await;
    site.write_workflow("shop", "name: shop\non:\n  message: {}\nsteps:\n  - nonsense: 1\n", &[]);
    assert_eq!(site.cli(&["publish", &site.workflows().to_string_lossy()]).status.code(), Some(1));
    let host = site.host().await;
    let id = say(&site, &host).await;
    check(&why(&site, &id), "not_answered: workflow.refused", "workflow.unknown_verb in workflow.yaml line 5");
    host.stop().await;
    site.write_workflow(SHOP.0, SHOP.1, SHOP.2);
    site.done(&["publish", &site.workflows().to_string_lossy()]);
    check(&why(&site, &id), "not_answered: no_workflow", "no workflow was published when it came");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_condition_that_was_false_is_quoted() {
    let yaml = "name: w\non: { message: {} }\nsteps:\n  - if: event.text == \"hello\"\n    do:\n      - tag: greeted\n      - reply: hi\n";
    with_workflow(flow(yaml, &[]), "not_answered: condition_false", "line 4: event.text == \"hello\"").await;
    let yaml = "name: w\non: { message: {} }\nsteps:\n  - script: a.rhai\n";
    with_workflow(flow(yaml, &[("a.rhai", "let a = 1; a")]), "not_answered: silent", "decided to say nothing").await;
    let yaml = "name: w\non: { message: {} }\nsteps:\n  - tag: a\n  - stop\n";
    with_workflow(flow(yaml, &[]), "not_answered: stopped", "came to a `stop`").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_step_that_failed_is_named_with_its_code() {
    let script = |text: &'static str| ("a.rhai", text);
    let yaml = "name: w\non: { message: {} }\nsteps:\n  - id: work\n    script: a.rhai\n  - reply: hi\n";
    for (text, code, piece) in [
        ("let n = 0; loop { n += 1; }", "limit.", "at step `work` (script)"),
        ("event.nothing.of.the.kind()", "script.error", "script:1:"),
        ("throw `no: ${event.text}`", "script.thrown", "--reveal"),
    ] {
        let site = Site::new(&[("w", yaml, &[script(text)])]).await;
        let host = site.host().await;
        let id = say(&site, &host).await;
        let told = why(&site, &id);
        let got = told["cause"]["code"].as_str().unwrap();
        assert!(got.starts_with(code) && told["standing"] == "not_answered", "{told:#}");
        check(&told, &format!("not_answered: {got}"), piece);
        assert!(told["cause"]["cure"].is_string(), "{told:#}");
        host.stop().await;
    }
    let yaml = "name: w\non: { message: {} }\nsteps:\n  - reply: ${event.text.a.b}\n";
    with_workflow(flow(yaml, &[]), "not_answered: expr.no_value", "at step `1` (reply)").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_provider_refused_is_named() {
    let site = Site::new(&[SHOP]).await;
    let host = site.host().await;
    for (status, code, expected) in [
        (400, 132_001, "provider.rejected"),
        (401, 190, "provider.unauthorized"),
        (400, 131_047, "provider.window_closed"),
        (400, 131_026, "provider.unreachable"),
        (400, 131_031, "provider.revoked"),
    ] {
        site.emulator.fail([Fault::Status { status, code, retry_after: None }]);
        let id = say(&site, &host).await;
        let told = why(&site, &id);
        check(&told, &format!("not_answered: {expected}"), "the answer is parked after attempt 1");
        assert!(told["cause"]["cure"].is_string(), "{told:#}");
    }
    // A failure that the provider tells only later.
    let id = say(&site, &host).await;
    let sent = site.taken(1).await.remove(0);
    site.emulator.status(sent.id.as_deref().unwrap(), ANA, "failed", sent.key.as_deref()).await.unwrap();
    host.idle().await;
    let told = why(&site, &id);
    assert_eq!(told["statuses"][0]["state"], "failed", "{told:#}");
    assert_eq!((&told["standing"], &told["sends"][0]["state"]), (&"not_answered".into(), &"parked".into()), "{told:#}");
    host.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_goes_on_by_itself_says_when() {
    const NOW: i64 = 3_000_000_000_000;
    for (fault, expected, piece) in [
        (Fault::Status { status: 500, code: 2, retry_after: None }, "provider.retryable", "sent again at 2065-01-24"),
        (
            Fault::Status { status: 429, code: 130_429, retry_after: Some(600) },
            "provider.rate_limited",
            "sent again at 2065-01-24",
        ),
        (Fault::CutBeforeDelivery, "send.unknown", "until 2065-01-24"),
    ] {
        let site = Site::new(&[SHOP]).await;
        let host = site.host_at(Arc::new(VirtualClock::new(NOW))).await;
        site.emulator.fail([fault]);
        let (first, _) = site.emulator.say(ANA, NAME, WORDS).await.unwrap();
        eventually("the fault is written", || (why(&site, &first)["cause"]["code"] == expected).then_some(())).await;
        check(&why(&site, &first), &format!("waiting: {expected}"), piece);
        let run = why(&site, &first)["runs"][0]["id"].as_str().unwrap().to_owned();
        assert_eq!(why(&site, &run)["standing"], "waiting");
        drop(host);
    }
}

/// Keeps events that no provider of the tests sends, and lets a host take them up.
async fn take(site: &Site, events: Vec<Event>) -> Vec<String> {
    let store = pointsman::wiring::open_store(&site.config()).await.unwrap();
    let channel = site.channel.parse().unwrap();
    let intake = Intake { workspace: WS, channel, at: 1, raw: b"{}".to_vec(), parsed: Parsed::Events(events) };
    let kept = store.intake(intake).await.unwrap();
    store.close().await.unwrap();
    kept.events.iter().map(|e| e.id.to_string()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn echoes_bots_and_other_accounts_are_told_apart() {
    let site = Site::new(&[SHOP]).await;
    let sender = Person { id: ANA.into(), name: Some(NAME.into()), ..Person::default() };
    let message = Event {
        dedupe_key: "a".into(),
        account: None,
        thread: Some(ANA.into()),
        sender: Some(sender.clone()),
        at: 1,
        trigger: true,
        body: EventBody::Message(Message::text(WORDS)),
        extra: None,
    };
    let with = |key: &str, change: &dyn Fn(&mut Event)| {
        let mut event = Event { dedupe_key: key.into(), ..message.clone() };
        change(&mut event);
        event
    };
    let events = vec![
        with("echo", &|e| e.body = EventBody::Echo(Message::text(WORDS))),
        with("quiet", &|e| e.trigger = false),
        with("bot", &|e| e.sender = Some(Person { automated: true, ..sender.clone() })),
        with("other", &|e| e.account = Some("999888777".into())),
        with("deleted", &|e| e.body = EventBody::MessageDelete("x".into())),
        with("nobody", &|e| (e.thread, e.sender) = (None, None)),
    ];
    let ids = take(&site, events).await;
    check(&why(&site, &ids[0]), "waiting: queued", "waits for its turn");
    let host = site.host().await;
    host.idle().await;
    for (id, expected, piece) in [
        (&ids[0], "nothing_to_answer: echo", "our own echo"),
        (&ids[1], "not_answered: not_a_trigger", "loop guard"),
        (&ids[2], "not_answered: automated_sender", "loop guard"),
        (&ids[3], "not_answered: other_account", "another account"),
        (&ids[4], "not_answered: no_trigger", "of this kind"),
        (&ids[5], "not_answered: no_conversation", "names nobody"),
    ] {
        check(&why(&site, id), expected, piece);
    }
    let status = site.emulator.status("wamid.foreign", ANA, "delivered", None).await.unwrap();
    assert_eq!(status, 200);
    host.idle().await;
    host.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_erased_contacts_message_is_said_to_be_erased() {
    let site = Site::new(&[SHOP]).await;
    let host = site.host().await;
    let id = say(&site, &host).await;
    site.taken(1).await;
    host.idle().await;
    let event = why(&site, &id)["event"]["id"].as_str().unwrap().to_owned();
    let kept = host.store().event(WS, event.parse().unwrap()).await.unwrap().unwrap();
    host.store().erase_contact(WS, kept.conversation.unwrap().contact, "cli").await.unwrap();
    check(&why(&site, &event), "not_answered: erased", "the contact was erased");
    host.stop().await;
}
