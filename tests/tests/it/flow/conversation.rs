//! A contact writes, a workflow answers: plugin, script, tag, note, state, order.

use crate::support::{ANA, Folder, Site, eventually, get};
use serde_json::Value;

/// The shop of these tests: a keyword plugin decides, a script counts and answers.
pub const SHOP: Folder<'static> = (
    "shop",
    r#"
name: shop
on:
  message: { channels: [whatsapp] }
steps:
  - id: wants
    use: keyword
    with:
      text: ${event.text}
      rules:
        - { name: order, any: [order] }
  - if: wants.matched
    do:
      - script: count.rhai
      - tag: ordered
      - note: "asked: ${event.text}"
  - else:
      - reply: "You said: ${event.text}"
"#,
    &[("count.rhai", "let n = state_add(\"contact\", \"orders\", 1);\nreply(`order number ${n} of ${contact.name}`);\nn")],
);

#[tokio::test(flavor = "multi_thread")]
async fn a_message_is_answered_by_a_workflow_of_a_plugin_and_a_script() {
    let site = Site::new(&[SHOP]).await;
    let host = site.host().await;
    assert_eq!(site.emulator.say(ANA, "Ana", "I want to ORDER bread").await.unwrap().1, 200);
    site.taken(1).await;
    site.emulator.say(ANA, "Ana", "order again").await.unwrap();
    site.taken(2).await;
    site.emulator.say("15550100002", "Ben", "order").await.unwrap();
    site.emulator.say("15550100003", "Cem", "${1 + 1} hello").await.unwrap();
    let taken = site.taken(4).await;
    assert_eq!(site.emulator.said_to(ANA), ["order number 1 of Ana", "order number 2 of Ana"]);
    assert_eq!(site.emulator.said_to("15550100002"), ["order number 1 of Ben"], "each contact has a memory of their own");
    assert_eq!(site.emulator.said_to("15550100003"), ["You said: ${1 + 1} hello"], "text from outside is never evaluated");
    assert!(taken.iter().all(|s| s.authorized && s.key.as_ref().is_some_and(|k| k.len() == 32)));

    host.idle().await;
    let workspace = pointsman::wiring::FIRST_WORKSPACE;
    let conversations = host.store().conversations(workspace, 10).await.unwrap();
    let ana = conversations.iter().find(|c| c.contact.person.name.as_deref() == Some("Ana")).expect("a conversation with Ana");
    assert_eq!(ana.body.tags, ["ordered"]);
    let notes = host.store().notes(&ana.conversation, 10).await.unwrap();
    assert_eq!(notes.len(), 2);
    assert!(notes.iter().all(|n| n.marked && n.text.starts_with("asked: ")), "a note with words of a contact carries the mark");
    host.stop().await;
    let books = site.books();
    assert_eq!(books["webhooks"]["done"], 4, "{books}");
    assert_eq!(books["sends"]["sent"], 4, "{books}");
}

#[tokio::test(flavor = "multi_thread")]
async fn messages_of_a_conversation_are_answered_in_their_order() {
    let site = Site::new(&[SHOP]).await;
    let host = site.host().await;
    for n in 0..20 {
        for contact in 0..5 {
            let (_, status) = site.emulator.say(&format!("1555010000{contact}"), "C", &format!("word {n}")).await.unwrap();
            assert_eq!(status, 200);
        }
    }
    site.taken(100).await;
    for contact in 0..5 {
        let said = site.emulator.said_to(&format!("1555010000{contact}"));
        assert_eq!(said, (0..20).map(|n| format!("You said: word {n}")).collect::<Vec<_>>());
    }
    host.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_operator_sees_the_conversation_and_the_steps_of_its_run() {
    let site = Site::new(&[SHOP]).await;
    let process = site.serve(&[]);
    site.emulator.say(ANA, "Ana", "order").await.unwrap();
    site.taken(1).await;
    let mut found = None;
    for _ in 0..100 {
        let (status, runs) = get(&process.private, "/api/v1/runs").await;
        assert_eq!(status, 200);
        found = serde_json::from_str::<Value>(&runs).unwrap().pointer("/0/id").and_then(Value::as_str).map(str::to_owned);
        if found.is_some() {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    let (status, run) = get(&process.private, &format!("/api/v1/runs/{}", found.expect("a run"))).await;
    assert_eq!(status, 200);
    let run: Value = serde_json::from_str(&run).unwrap();
    let steps = run["steps"].as_array().expect("steps");
    let paths: Vec<_> = steps.iter().filter_map(|s| s["path"].as_str()).collect();
    assert_eq!(steps[0]["entry"], "started");
    assert!(paths.contains(&"wants"), "{run}");
    let verbs: Vec<_> = steps.iter().filter_map(|s| s["verb"].as_str()).collect();
    assert_eq!(verbs, ["pointsman/keyword", "script", "tag", "note"], "{run}");
    assert_eq!(steps.last().unwrap()["entry"], "finished");
    for path in ["/healthz", "/readyz", "/metrics", "/"] {
        assert_eq!(get(&process.private, path).await.0, 200, "{path}");
    }
    let metrics = get(&process.private, "/metrics").await.1;
    assert!(metrics.contains("pointsman_webhooks_total"), "{metrics}");
    process.stop();
    eventually("the books balance", || site.books()["unexplained"].as_array().is_some_and(Vec::is_empty).then_some(())).await;
}
