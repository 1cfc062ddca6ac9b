//! What starts workflows beside a message: keywords, tags, news, moments, webhooks, people; and what keeps them from going round
//! for ever.

use std::sync::Arc;
use std::time::Duration;

use pointsman_core::clock::{Clock as _, SystemClock, VirtualClock};
use pointsman_emulator::{Whatsapp, WhatsappConfig};
use pointsman_engine::Parts;
use serde_json::{Value, json};

use crate::support::{ANA, APP_SECRET, Site, TOKEN, eventually, http};

async fn said(site: &Site, count: usize) -> Vec<String> {
    site.taken(count).await.iter().map(|sent| sent.text().unwrap_or("?").to_owned()).collect()
}

async fn says(site: &Site, text: &str) {
    assert_eq!(site.emulator.say(ANA, "Ana", text).await.unwrap().1, 200);
}

/// Runs of a workflow, newest first, when there are so many that have ended.
async fn ended(site: &Site, workflow: &str, count: usize) -> Vec<Value> {
    eventually(&format!("{count} runs of {workflow}"), || {
        let runs = site.done(&["run", "list", "--workflow", workflow]);
        let runs: Vec<Value> = runs.as_array().unwrap().iter().filter(|run| run["state"] != "waiting").cloned().collect();
        (runs.len() >= count).then_some(runs)
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_keyword_takes_a_message_that_a_question_waits_for_and_the_question_stands() {
    let asks =
        "name: asks\non: { keyword: order }\nsteps:\n  - id: many\n    ask: How many?\n  - reply: \"${many.text}: noted.\"\n";
    let stop = "name: stop\non: { keyword: [stop, no más] }\nexclusive: true\nsteps:\n  - reply: Stopped.\n";
    let polite = "name: polite\non: { keyword: { words: please, interrupts: false } }\nsteps:\n  - reply: You are welcome.\n";
    let site = Site::new(&[("asks", asks, &[]), ("stop", stop, &[]), ("polite", polite, &[])]).await;
    let host = site.host().await;
    says(&site, "I want to ORDER!").await;
    assert_eq!(said(&site, 1).await, ["How many?"]);
    says(&site, "No mas, gracias").await;
    assert_eq!(said(&site, 2).await[1], "Stopped.");
    says(&site, "3 please").await;
    assert_eq!(said(&site, 3).await[2], "3 please: noted.", "this one does not interrupt, and the question was not touched");
    says(&site, "please").await;
    assert_eq!(said(&site, 4).await[3], "You are welcome.");
    host.stop().await;
    assert_eq!(site.books()["runs"]["done"], 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tag_that_is_added_starts_a_workflow_once() {
    let tags = "name: tags\non: message\nsteps:\n  - tag: [vip, seen]\n";
    let vip = "name: vip\non: { tag-added: vip }\nsteps:\n  - reply: \"${event.name} by ${event.kind}, hop ${event.hops}\"\n";
    let site = Site::new(&[("tags", tags, &[]), ("vip", vip, &[])]).await;
    let host = site.host().await;
    says(&site, "hello").await;
    assert_eq!(said(&site, 1).await, ["vip by tag_added, hop 1"]);
    says(&site, "hello again").await;
    ended(&site, "tags", 2).await;
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert_eq!(site.emulator.taken().len(), 1, "the tag was there already");
    host.stop().await;
    let books = site.books();
    assert_eq!(
        (&books["events"]["ended"], &books["webhooks"]["done"]),
        (&json!(4), &json!(4)),
        "two messages, two tags: {books}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn news_starts_a_workflow_after_it_is_settled_and_cannot_go_round_for_ever() {
    let talks = "name: talks\non: { message: { words: hello } }\nsteps:\n  - reply: Hello.\n";
    // It answers the news about its own answers: the guard ends that.
    let news = "name: news\non: { status: delivered }\nsteps:\n  - reply: \"${event.status} at hop ${event.hops}\"\n";
    let config = WhatsappConfig { statuses: vec!["sent", "delivered"], ..WhatsappConfig::default() };
    let site = Site::with(&[("talks", talks, &[]), ("news", news, &[])], config).await;
    let host = site.host().await;
    says(&site, "hello").await;
    let lines = said(&site, 10).await;
    let mut wanted = vec!["Hello.".to_owned()];
    wanted.extend((1..10).map(|hop| format!("delivered at hop {hop}")));
    assert_eq!(lines, wanted);
    tokio::time::sleep(Duration::from_millis(800)).await;
    assert_eq!(site.emulator.taken().len(), 10, "the tenth is not answered");
    host.idle().await;
    let books = site.books();
    assert_eq!((&books["sends"]["delivered"], &books["events"]["parked"]), (&json!(10), &json!(0)), "{books}");
    host.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_schedule_runs_each_moment_once_and_makes_up_for_one_that_was_missed() {
    let hourly = "name: hourly\non: { schedule: { cron: '0 * * * *', catch_up: 90m } }\nsteps:\n  - id: n\n    script: |\n      state_add(\"workspace\", \"hours\", 1)\n";
    let clock = VirtualClock::new(SystemClock.now() + 1_000);
    let site = Site::new(&[("hourly", hourly, &[])]).await;
    let hour = 3_600_000;
    let to_next = hour - clock.now() % hour;
    let host = site.host_at(Arc::new(clock.clone())).await;
    tokio::time::sleep(Duration::from_millis(800)).await;
    assert_eq!(site.done(&["run", "list"]), json!([]), "what was before it was published is not made up for");
    clock.advance(to_next + 5);
    ended(&site, "hourly", 1).await;
    // Two moments pass at once while the host runs: the last one counts.
    clock.advance(2 * hour);
    ended(&site, "hourly", 2).await;
    host.stop().await;

    // Down for a while: the last moment is not too old.
    clock.advance(2 * hour + hour / 2);
    let host = site.host_at(Arc::new(clock.clone())).await;
    ended(&site, "hourly", 3).await;
    host.stop().await;
    let host = site.host_at(Arc::new(clock.clone())).await;
    tokio::time::sleep(Duration::from_millis(800)).await;
    let runs = ended(&site, "hourly", 3).await;
    assert_eq!(runs.len(), 3, "a start does not repeat it");
    let last = site.done(&["run", "show", runs[0]["id"].as_str().unwrap(), "--steps"]);
    let gave = last["steps"].as_array().unwrap().iter().find(|s| s["entry"] == "step_done").unwrap();
    assert_eq!((&gave["output"], &last["conversation"]), (&json!(3), &Value::Null), "{last}");
    host.stop().await;
    let books = site.books();
    assert_eq!((&books["events"]["ended"], &books["webhooks"]["done"]), (&json!(3), &json!(3)), "{books}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_moment_that_is_too_old_is_noted_and_not_run() {
    let daily = "name: daily\non: { schedule: '@daily' }\nsteps: []\n";
    let clock = VirtualClock::new(SystemClock.now() + 1_000);
    let site = Site::new(&[("daily", daily, &[])]).await;
    let day = 86_400_000;
    // Two hours after midnight, in the workspace's own zone: UTC.
    clock.advance(day - clock.now() % day + 7_200_000);
    let host = site.host_at(Arc::new(clock.clone())).await;
    let books = eventually("it is noted", || {
        let books = site.done(&["books", "--strict"]);
        (books["events"]["ended"] == 1).then_some(books)
    })
    .await;
    assert_eq!((&books["runs"]["done"], &books["webhooks"]["done"]), (&json!(0), &json!(1)), "{books}");
    host.stop().await;
}

/// A signed webhook; the status of the answer.
async fn hook(public: &str, path: &str, secret: &str, at: i64, body: &str) -> u16 {
    use hmac::{Hmac, KeyInit, Mac};
    let mut mac = Hmac::<sha2::Sha256>::new_from_slice(secret.as_bytes()).unwrap();
    mac.update(format!("{at}.{body}").as_bytes());
    let signature = hex::encode(mac.finalize().into_bytes());
    let request = format!(
        "POST {path} HTTP/1.1\r\nhost: {public}\r\nx-pointsman-timestamp: {at}\r\nx-pointsman-signature: sha256={signature}\r\n\
         content-length: {}\r\nconnection: close\r\n\r\n{body}",
        body.len()
    );
    http(public, &request).await.0
}

#[tokio::test(flavor = "multi_thread")]
async fn a_signed_webhook_starts_its_workflow_in_the_conversation_it_names() {
    let paid = "name: paid\non: { webhook: { contact: { channel: whatsapp, id: \"${event.data.phone}\" } } }\nsteps:\n  \
                - if: conversation != ()\n    reply: \"Thank you for ${event.data.amount}.\"\n";
    let hello = "name: hello\non: message\nsteps:\n  - reply: Hello.\n";
    let site = Site::new(&[("paid", paid, &[]), ("hello", hello, &[])]).await;
    let refused = site.cli(&["workflow", "webhook", "hello"]);
    assert_eq!(refused.status.code(), Some(2), "it listens for none");
    let door = site.done(&["workflow", "webhook", "paid"]);
    let (path, secret) = (door["hook_path"].as_str().unwrap().to_owned(), door["secret"].as_str().unwrap().to_owned());
    assert_eq!(site.done(&["workflow", "webhook", "paid"])["secret"], Value::Null, "it is shown once");
    let host = site.host().await;
    says(&site, "hi").await;
    said(&site, 1).await;
    let now = SystemClock.now() / 1_000;
    let body = json!({ "phone": ANA, "amount": "4.20" }).to_string();
    assert_eq!(hook(&host.public, &path, "another secret", now, &body).await, 401);
    assert_eq!(hook(&host.public, &path, &secret, now - 301, &body).await, 401, "an old signature");
    assert_eq!(hook(&host.public, "/hooks/7", &secret, now, &body).await, 401);
    assert_eq!(hook(&host.public, &path, &secret, now, &body).await, 200);
    assert_eq!(said(&site, 2).await[1], "Thank you for 4.20.");
    assert_eq!(hook(&host.public, &path, &secret, now, &body).await, 200, "a replay is known");
    // Nobody is begun: this number never wrote.
    let stranger = json!({ "phone": "15559999999", "amount": "1" }).to_string();
    assert_eq!(hook(&host.public, &path, &secret, now, &stranger).await, 200);
    assert_eq!(ended(&site, "paid", 2).await.len(), 2);
    assert_eq!(hook(&host.public, &path, &secret, now, "not JSON").await, 200);
    tokio::time::sleep(Duration::from_millis(300)).await;
    host.idle().await;
    assert_eq!(site.emulator.taken().len(), 2);
    assert_eq!(site.done(&["conversation", "list"]).as_array().unwrap().len(), 1);
    let books = site.books();
    assert_eq!((&books["webhooks"]["done"], &books["webhooks"]["parked"]), (&json!(3), &json!(1)), "{books}");

    // Another secret: the one before is good no more.
    let fresh = site.done(&["workflow", "webhook", "paid", "--rotate"])["secret"].as_str().unwrap().to_owned();
    tokio::time::sleep(Duration::from_millis(1_200)).await;
    assert_eq!(hook(&host.public, &path, &secret, now + 1, &body).await, 401);
    assert_eq!(hook(&host.public, &path, &fresh, now + 1, &body).await, 200);
    said(&site, 3).await;
    host.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_person_starts_a_workflow_beside_a_running_host() {
    let offer = "name: offer\non: manual\nsteps:\n  - reply: \"Today: ${event.data.what}.\"\n";
    let hello = "name: hello\non: message\nsteps:\n  - reply: Hello.\n";
    let site = Site::new(&[("offer", offer, &[]), ("hello", hello, &[])]).await;
    let process = site.serve(&[]);
    says(&site, "hi").await;
    said(&site, 1).await;
    assert_eq!(site.cli(&["run", "start", "hello"]).status.code(), Some(2), "nobody may start it by hand");
    let conversation = site.done(&["conversation", "list"])[0]["id"].as_str().unwrap().to_owned();
    let with = json!({ "what": "rye bread" }).to_string();
    let started = site.done(&["run", "start", "offer", "--conversation", &conversation, "--with", &with]);
    assert_eq!(said(&site, 2).await[1], "Today: rye bread.");
    let told: Value = serde_json::from_slice(&site.cli(&["why", started["event"].as_str().unwrap()]).stdout).unwrap();
    assert_eq!((&told["event"]["kind"], &told["standing"]), (&json!("manual"), &json!("answered")), "{told}");
    // Outside of any conversation there is nobody to talk to, and the run says so.
    site.done(&["run", "start", "offer", "--with", &with]);
    let failed = eventually("it failed", || {
        let runs = site.done(&["run", "list", "--state", "failed"]);
        runs.as_array().unwrap().first().cloned()
    })
    .await;
    assert_eq!(failed["reason"]["code"], "run.no_conversation", "{failed}");
    process.stop();
    site.books();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_machine_that_answers_every_answer_is_not_answered_for_ever() {
    let yaml = "name: echo\non: message\nsteps:\n  - reply: { text: \"You: ${event.text}\", buttons: [Yes, No] }\n";
    let site = Site::new(&[("echo", yaml, &[])]).await;
    let process = site.serve(&[("POINTSMAN_LIMITS__REPLIES_A_MINUTE", "3")]);
    for n in 0..5 {
        says(&site, &format!("beep {n}")).await;
        site.taken((n + 1).min(3)).await;
    }
    let parked = eventually("two are parked", || {
        let parked = site.done(&["park", "list"]);
        (parked.as_array()?.len() == 2).then_some(parked)
    })
    .await;
    assert!(parked.as_array().unwrap().iter().all(|item| item["code"] == "reply_pace"), "{parked}");
    // A person presses a button, and is answered.
    let asked = site.emulator.lines(ANA).into_iter().rev().find(|line| !line.buttons.is_empty()).unwrap();
    let payload = asked.buttons[0].payload.clone();
    assert_eq!(site.emulator.press(ANA, &asked.provider_id, &payload).await.unwrap().1, 200);
    site.taken(4).await;
    process.stop();
    site.books();
}

/// Case 39: a step that says too much at once says nothing, and what its run has said already counts.
#[tokio::test(flavor = "multi_thread")]
async fn a_step_says_no_more_at_once_than_a_person_reads() {
    let yaml = "name: storm\non: message\nsteps:\n  - script: storm.rhai\n  - script: storm.rhai\n";
    let script = "for n in 0..event.text.parse_int() { reply(`${event.text}: ${n}`); }";
    let site = Site::new(&[("storm", yaml, &[("storm.rhai", script)])]).await;
    let host = site.host_with(Arc::new(SystemClock), |parts| Parts { replies_a_minute: 5, ..parts }).await;
    for (text, sent, failed) in [("6", 0, 1), ("2", 4, 1), ("3", 7, 2)] {
        assert_eq!(site.emulator.say(ANA, "Ana", text).await.unwrap().1, 200);
        host.idle().await;
        let parked = site.done(&["park", "list"]);
        let runs: Vec<_> = parked.as_array().unwrap().iter().filter(|item| item["kind"] == "run").collect();
        assert!(runs.len() == failed && runs.iter().all(|run| run["code"] == "limit.replies"), "{text}: {parked}");
        assert_eq!(site.emulator.taken().len(), sent, "{text}");
    }
    host.stop().await;
}

/// What the configuration says where nobody changed it: so many replies a minute.
const PACE: usize = 60;

/// Hands to the one provider, as words of this number, everything that the other takes from the house.
fn bounce(from: &Whatsapp, to: &Whatsapp, number: &'static str) -> tokio::task::JoinHandle<()> {
    let (from, to) = (from.clone(), to.clone());
    tokio::spawn(async move {
        let mut told = 0;
        loop {
            let taken = from.taken();
            for sent in &taken[told..] {
                assert_eq!(to.say(number, "Bot", sent.text().unwrap_or_default()).await.unwrap().1, 200);
            }
            told = taken.len();
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    })
}

/// Between providers no count of hops is carried along: what ends it is the pace of each conversation.
#[tokio::test(flavor = "multi_thread")]
async fn two_bots_of_one_house_that_answer_each_other_fall_silent_by_themselves() {
    let yaml = "name: echo\non: message\nsteps:\n  - reply: How can I help you?\n";
    let mut site = Site::new(&[("echo", yaml, &[])]).await;
    let (app_secret, token, account) = (APP_SECRET.to_owned(), TOKEN.to_owned(), "106540352242923".to_owned());
    let config = WhatsappConfig { app_secret, token, phone_number_id: account.clone(), ..WhatsappConfig::default() };
    let other = Whatsapp::start(config).await.unwrap();
    site.allowed.push(other.address().to_owned());
    let (api, waba) = (format!("api_url={}", other.url()), format!("waba_id={}", other.config().waba_id));
    let add = ["channel", "add", "whatsapp", "--offline", "--account", &account, "--set", &api, "--set", &waba];
    let channel = site.done(&add)["id"].as_str().unwrap().to_owned();
    let host = site.host().await;
    other.set_hook(format!("http://{}/hooks/{channel}", host.public));
    let bounces = [bounce(&site.emulator, &other, "15550190001"), bounce(&other, &site.emulator, "15550190002")];
    let began = std::time::Instant::now();
    assert_eq!(site.emulator.say("15550190002", "Bot", "hello").await.unwrap().1, 200);
    let parked = eventually("one has had enough", || {
        let parked = site.done(&["park", "list"]);
        (!parked.as_array()?.is_empty()).then_some(parked)
    })
    .await;
    assert!(began.elapsed() < Duration::from_secs(50), "within the minute: {:?}", began.elapsed());
    tokio::time::sleep(Duration::from_millis(500)).await;
    host.idle().await;
    assert_eq!((parked.as_array().unwrap().len(), &parked[0]["code"]), (1, &json!("reply_pace")), "{parked}");
    assert_eq!((site.emulator.taken().len(), other.taken().len()), (PACE, PACE), "and nothing more is said");
    assert!(bounces.iter().all(|bounce| !bounce.is_finished()), "they would have passed it on");
    bounces.iter().for_each(tokio::task::JoinHandle::abort);
    host.stop().await;
    site.books();
}

const STORM: &str = r#"
name: storm
on: message
steps:
  - if: event.text == "storm"
    do:
      - script: "for n in 0..16 { reply(`one ${n}`); }"
      - script: "for n in 0..16 { reply(`two ${n}`); }"
  - elif: event.text == "flood"
    script: "for n in 0..10000 { reply(`${n}`); }"
  - else:
      - reply: Hello.
"#;

const TEMPEST: &str = r#"
name: tempest
on: { message: { words: storm } }
steps:
  - script: "for n in 0..28 { reply(`three ${n}`); }"
"#;

#[tokio::test(flavor = "multi_thread")]
async fn a_storm_of_sends_over_steps_and_runs_is_heard_no_more_until_a_minute_has_passed() {
    let clock = VirtualClock::new(SystemClock.now());
    let site = Site::new(&[("storm", STORM, &[]), ("tempest", TEMPEST, &[])]).await;
    let host = site.host_at(Arc::new(clock.clone())).await;
    // Of one step that wants too much nothing leaves.
    says(&site, "flood").await;
    let failed = eventually("it failed", || site.done(&["run", "list", "--state", "failed"]).as_array()?.first().cloned()).await;
    assert_eq!((&failed["reason"]["code"], site.emulator.taken().len()), (&json!("limit.effects"), 0), "{failed}");
    // What several decide, together no more than a person reads, leaves; whoever writes then waits for the next minute.
    says(&site, "storm").await;
    said(&site, 60).await;
    says(&site, "hello").await;
    host.idle().await;
    let parked = site.done(&["park", "list", "--code", "reply_pace"]);
    assert_eq!((parked.as_array().unwrap().len(), site.emulator.taken().len()), (1, 60), "{parked}");
    site.emulator.say("15550100002", "Ben", "hello").await.unwrap();
    assert_eq!(said(&site, 61).await[60], "Hello.", "others are heard");
    clock.advance(60_000);
    says(&site, "hello").await;
    assert_eq!(said(&site, 62).await[61], "Hello.");
    assert_eq!(site.done(&["park", "retry", "--all", "--code", "reply_pace"])["refused"].as_array().map_or(0, Vec::len), 0);
    assert_eq!(said(&site, 63).await[62], "Hello.", "what was parked is answered when a person wants it");
    host.stop().await;
    site.books();
}
