//! Steps that ask a model, over real sockets: what an answer becomes, what every kind of bad one becomes, who may ask, and what it costs.

use std::time::Duration;

use pointsman::wiring::FIRST_WORKSPACE;
use pointsman_emulator::{By, Llm, LlmConfig, Mode};
use serde_json::{Value, json};

use crate::support::models::{connect, set, site_with_model};
use crate::support::stores::on_postgres;
use crate::support::{ANA, InTest, Site, eventually};

/// Takes a size out of a message; says what went wrong.
const TAKES: &str = r#"
name: takes
on: message
steps:
  - id: take
    use: extract
    with:
      schema:
        type: object
        required: [size]
        additionalProperties: false
        properties: { size: { type: integer }, phone: { type: string } }
    retry: 0
    on_error:
      - reply: "${error.class}: ${error.message}"
      - stop
  - if: take.found
    reply: "size ${take.value.size} for ${take.value?.phone}"
  - else:
      - reply: "no model"
"#;

fn size(size: i64) -> Mode {
    Mode::Says(json!({ "size": size, "phone": "x" }).to_string())
}

async fn say(site: &Site, host: &InTest, text: &str) -> Vec<String> {
    let before = site.emulator.lines(ANA).len();
    site.emulator.say(ANA, "Ana", text).await.unwrap();
    host.idle().await;
    let lines = site.emulator.lines(ANA);
    lines.into_iter().skip(before).filter(|line| line.by == By::Business).map(|line| line.text).collect()
}

async fn takes() -> (Site, Llm) {
    site_with_model(&[("takes", TAKES, &[])], LlmConfig::default()).await
}

fn calls(site: &Site) -> Vec<Value> {
    site.done(&["spend", "--calls", "100"])["calls"].as_array().unwrap().clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_step_asks_and_what_names_a_person_stays_in_the_house() {
    let (site, llm) = takes().await;
    let host = site.host().await;
    llm.set(Mode::Says(json!({ "size": 42, "phone": "[PHONE_1]" }).to_string()));
    assert_eq!(say(&site, &host, "size 42, call +62 812 3456 7890 or ana@shop.example").await, ["size 42 for +62 812 3456 7890"]);
    let asked = llm.asked();
    assert_eq!(asked.len(), 1);
    assert!(asked[0].authorized && asked[0].text().contains("call [PHONE_1] or [MAIL_1]"), "{}", asked[0].text());
    assert!(!asked[0].body.to_string().contains("3456") && !asked[0].body.to_string().contains(ANA));
    assert_eq!(
        (&asked[0].body["model"], &asked[0].body["store"], asked[0].body.get("tools")),
        (&json!("m-1"), &json!(false), None)
    );

    // The same question of the same contact is not asked again.
    llm.set(size(1));
    assert_eq!(say(&site, &host, "size 42, call +62 812 3456 7890 or ana@shop.example").await, ["size 42 for +62 812 3456 7890"]);
    assert_eq!(llm.asked().len(), 1);
    let told = calls(&site);
    assert_eq!((told.len(), &told[0]["state"], &told[0]["no_training"]), (1, &json!("settled"), &json!("store=false")));
    let tokens = |name: &str| told[0][name].as_i64().unwrap();
    let cost = host.store().spends(FIRST_WORKSPACE, 9).await.unwrap()[0].amount;
    assert_eq!(
        cost,
        tokens("input_tokens") * 1_000 + tokens("output_tokens") * 2_000,
        "what the provider counted is what it costs"
    );
    host.stop().await;
    site.books();
}

#[tokio::test(flavor = "multi_thread")]
async fn every_bad_answer_ends_in_a_defined_outcome() {
    let (site, llm) = takes().await;
    set(&site, "timeout = 30000", "timeout = 1500");
    set(&site, "cache = 600", "cache = 0");
    let host = site.host().await;
    let wrong = || Mode::Says(json!({ "size": "forty two" }).to_string());
    let cases = [
        (vec![Mode::Garbage, Mode::Garbage], "transient: model.garbage", 2),
        (vec![Mode::Breaks, Mode::Breaks], "transient: model.no_answer", 2),
        (vec![Mode::Short, Mode::Short], "transient: model.truncated_stream", 2),
        (vec![Mode::Endless, Mode::Endless], "transient: model.no_answer", 2),
        (vec![wrong(), wrong()], "transient: model.schema: the model's answer has not the form that was asked for: .size", 2),
        (vec![Mode::Says("Sure! {".into()), Mode::Says("Sure! {".into())], "transient: model.schema", 2),
        (vec![Mode::Refuses], "permanent: model.refused", 1),
        (vec![Mode::Status(500), Mode::Status(503)], "transient: model.unwell", 2),
        (vec![Mode::Status(429), Mode::Status(429)], "transient: model.rate_limited", 2),
        (vec![Mode::Status(401)], "permanent: model.key", 1),
        (vec![Mode::Status(400)], "permanent: model.request", 1),
        (vec![Mode::Slow(Duration::from_secs(5), "{}".into())], "transient: model.no_answer", 1),
    ];
    for (n, (modes, outcome, questions)) in cases.into_iter().enumerate() {
        let before = llm.asked().len();
        llm.then(modes.clone());
        let said = say(&site, &host, &format!("message {n}")).await;
        assert!(said.len() == 1 && said[0].starts_with(outcome), "{modes:?}: {said:?}");
        assert_eq!(llm.asked().len() - before, questions, "{modes:?}: what helps is tried again, and nothing else");
    }
    // One bad answer is made good by the next try.
    for first in [Mode::Garbage, Mode::Short, Mode::Status(429), wrong()] {
        llm.then([first.clone(), size(7)]);
        assert_eq!(say(&site, &host, &format!("again after {first:?}")).await, ["size 7 for x"]);
    }
    llm.then([Mode::Whole(json!({ "size": 8, "phone": "x" }).to_string())]);
    assert_eq!(say(&site, &host, "in one piece").await, ["size 8 for x"]);
    let states: Vec<Value> = calls(&site).iter().map(|call| call["state"].clone()).collect();
    assert!(states.iter().all(|state| state != "reserved"), "each is settled: {states:?}");
    host.stop().await;
    site.books();
}

#[tokio::test(flavor = "multi_thread")]
async fn the_next_connection_answers_where_the_first_does_not_and_a_named_one_stands_alone() {
    let (site, llm) = takes().await;
    let spare = Llm::start(LlmConfig { key: Some(crate::support::MODEL_KEY.to_owned()), ..LlmConfig::default() }).await.unwrap();
    spare.set(size(5));
    llm.set(Mode::Status(500));
    let mut site = site;
    site.allowed.push(spare.address().to_owned());
    connect(&site, &spare, "spare", &["--rank", "200"]);
    let list = site.done(&["model", "list"]);
    let names: Vec<&str> = list["models"].as_array().unwrap().iter().map(|model| model["name"].as_str().unwrap()).collect();
    assert_eq!((names, &list["models"][0]["key"]), (vec!["main", "spare"], &json!(true)));
    let host = site.host().await;
    assert_eq!(say(&site, &host, "size 5").await, ["size 5 for x"]);
    assert_eq!((llm.asked().len(), spare.asked().len()), (2, 1));
    // With the key taken out nothing is left to ask; nothing has to be started again.
    site.done(&["model", "remove", "spare"]);
    assert!(say(&site, &host, "size 6").await[0].starts_with("transient: model.unwell"));
    site.done(&["model", "remove", "main"]);
    assert_eq!(say(&site, &host, "size 7").await, ["no model"]);
    assert_eq!(site.cli(&["model", "remove", "main"]).status.code(), Some(1));
    host.stop().await;
    assert_eq!(site.secrets_left().await, 3, "the channel's own");
}

#[tokio::test(flavor = "multi_thread")]
async fn no_more_questions_are_under_way_than_a_connection_may_have() {
    let (site, llm) = takes().await;
    connect(&site, &llm, "main", &["--at-once", "2"]);
    llm.set(Mode::Slow(Duration::from_millis(150), json!({ "size": 1, "phone": "x" }).to_string()));
    let host = site.host().await;
    for n in 0..6 {
        site.emulator.say(&format!("1555030000{n}"), "Contact", "size 1").await.unwrap();
    }
    host.idle().await;
    assert_eq!((llm.asked().len(), llm.most()), (6, 2));
    assert_eq!(site.taken(6).await.len(), 6);
    host.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn with_ai_off_everything_works_and_no_model_is_asked() {
    let by_hand =
        TAKES.replace("name: takes", "name: by-hand").replace("on: message", "on: manual").replace("retry: 0", "retry: 1");
    let by_hand = by_hand.replace("    use: extract\n    with:", "    use: extract\n    with:\n      text: size 3");
    let (site, llm) = site_with_model(&[("takes", TAKES, &[]), ("by-hand", &by_hand, &[])], LlmConfig::default()).await;
    llm.set(size(3));
    let host = site.host().await;
    assert_eq!(site.done(&["model", "ai", "off"])["ai"], "off");
    assert_eq!(say(&site, &host, "size 1").await, ["no model"]);
    assert_eq!(site.done(&["model", "ai", "on-request"])["ai"], "on-request");
    assert_eq!(say(&site, &host, "size 2").await, ["no model"], "a contact is not who asks for it");
    assert_eq!((llm.asked().len(), calls(&site).len()), (0, 0));

    let conversation = host.store().conversations(FIRST_WORKSPACE, 1).await.unwrap()[0].conversation.id.to_string();
    site.done(&["run", "start", "by-hand", "--conversation", &conversation]);
    let taken = site.taken(3).await;
    assert_eq!(taken[2].text(), Some("size 3 for x"), "a person began this one");
    assert_eq!(llm.asked().len(), 1);
    site.done(&["model", "ai", "on"]);
    assert_eq!(say(&site, &host, "size 3 again").await, ["size 3 for x"]);
    host.stop().await;
    site.books();
}

#[tokio::test(flavor = "multi_thread")]
async fn at_the_cap_a_person_goes_on() {
    let (site, llm) = site_with_model(
        &[(
            "takes",
            &TAKES.replace(
                "retry: 0\n    on_error:\n      - reply: \"${error.class}: ${error.message}\"\n      - stop",
                "retry: 0",
            ),
            &[],
        )],
        LlmConfig { counts: Some((1_000, 100)), ..LlmConfig::default() },
    )
    .await;
    // A question reserves some 3,200 tokens at 1 and 1,024 at 2 for a million: two fit, once the first is settled.
    set(&site, "cap_contact = 0.5", "cap_contact = 0.0070");
    llm.set(size(1));
    let host = site.host().await;
    assert_eq!(say(&site, &host, "size 1, please").await, ["size 1 for x"]);
    assert_eq!(say(&site, &host, "size 1, thanks").await, ["size 1 for x"]);
    while llm.asked().len() < 40 {
        let answers = say(&site, &host, &format!("size 1, and {}", llm.asked().len())).await;
        if answers.is_empty() {
            break;
        }
    }
    let asked = llm.asked().len();
    assert!((3..10).contains(&asked), "{asked}");
    let parked = site.done(&["park", "list"]);
    assert_eq!(parked[0]["code"], "spend.cap", "{parked}");
    let shown = site.done(&["park", "show", parked[0]["id"].as_str().unwrap()]).to_string();
    assert!(shown.contains("cap_contact = 0.007"), "{shown}");
    let told = site.done(&["spend"]);
    let contact = told["sums"].as_array().unwrap().iter().find(|sum| sum["scope"] == "contact").unwrap().clone();
    assert_eq!((&contact["cap"], &contact["refused"]), (&json!("0.007"), &json!(1)));
    assert!(contact["spent"].as_str().unwrap().parse::<f64>().unwrap() <= 0.007, "{told}");
    host.stop().await;

    // With more to spend the run goes on where it stood.
    set(&site, "cap_contact = 0.0070", "cap_contact = 0.5");
    let host = site.host().await;
    site.done(&["park", "retry", "--all"]);
    eventually("it is asked", || (llm.asked().len() > asked).then_some(())).await;
    host.idle().await;
    host.stop().await;
    site.books();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_model_without_a_price_is_not_asked_while_anything_is_capped() {
    let (site, llm) = takes().await;
    set(&site, "\"m-1\" = { input = 1.0, output = 2.0 }", "");
    let host = site.host().await;
    assert!(say(&site, &host, "size 1").await[0].starts_with("permanent: what m-1 costs is not known"));
    assert_eq!((llm.asked().len(), calls(&site).len()), (0, 0));
    host.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_host_that_is_killed_in_the_middle_of_a_question_leaves_it_counted_and_told() {
    let (site, llm) = takes().await;
    llm.set(Mode::Slow(Duration::from_secs(20), "{}".into()));
    let process = site.serve(&[]);
    site.emulator.say(ANA, "Ana", "size 9").await.unwrap();
    eventually("the model is asked", || (llm.asked().len() == 1).then_some(())).await;
    process.kill();
    let told = site.done(&["spend"]);
    assert_eq!(told["unsettled"]["calls"], 1, "{told}");
    let reserved: f64 = told["unsettled"]["amount"].as_str().unwrap().parse().unwrap();
    assert!(reserved > 0.0 && told["sums"][0]["spent"] == told["unsettled"]["amount"], "it counts whole: {told}");
    assert_eq!(told["sums"][0]["reserved"], told["unsettled"]["amount"], "{told}");
    llm.set(size(9));
    let process = site.serve(&[]);
    let taken = site.taken(1).await;
    assert_eq!(taken[0].text(), Some("size 9 for x"), "the message is taken up again");
    process.stop();
    let shared = on_postgres();
    let log = std::fs::read_to_string(site.log()).unwrap();
    assert!(shared || log.contains("spend.unsettled"), "where no other host can be at it, it is told at the start");
    let told = site.done(&["spend"]);
    assert_eq!(told["unsettled"]["calls"], 1, "and goes on counting: {told}");
    site.books();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_is_never_an_argument_and_an_answer_comes_from_the_pinned_address_alone() {
    let site = Site::new(&[]).await;
    let missing = site.cli(&["model", "add", "main", "--provider", "openai", "--model", "m"]);
    assert_eq!(missing.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&missing.stdout).contains("POINTSMAN_SECRET_API_KEY"));
    for (args, code) in [
        (["model", "add", "a b", "--provider", "ollama", "--model", "m"].as_slice(), "model.name"),
        (&["model", "add", "a", "--provider", "ollama", "--model", "m", "--url", "ftp://x"], "model.url"),
        (&["model", "add", "a", "--provider", "azure", "--model", "m"], "model.url"),
    ] {
        let refused = site.cli(args);
        assert!(!refused.status.success() && String::from_utf8_lossy(&refused.stdout).contains(code), "{args:?}");
    }
    let home = site.done(&["model", "add", "home", "--provider", "ollama", "--model", "m"]);
    assert_eq!(
        (&home["url"], &home["key"], &home["no_training"]),
        (&json!("http://127.0.0.1:11434/v1"), &json!(false), &json!(null))
    );
}
