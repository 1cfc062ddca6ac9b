//! What a guest may call, and what it hears when it may not.

use pointsman_core::effect::Effect;
use pointsman_core::event::{Event, EventBody};
use pointsman_core::failure::Class;

use super::*;

#[tokio::test]
async fn the_call_comes_as_it_was_given() {
    let house = House::new(SandboxConfig::default(), Trust::Stranger);
    let mut call = house.call(1, json!({"do": "nothing", "n": [1, 2.5, null, "é"]}));
    call.config = json!({"a": 1});
    let told = output(house.sandbox.run(call, Arc::new(Desk::default())).await);
    assert_eq!(
        told,
        json!({"input": {"do": "nothing", "n": [1, 2.5, null, "é"]}, "config": "{\"a\":1}", "attempt": 2, "run": "run-1", "step": "order"})
    );
    let mut call = house.call(1, json!({"do": "event"}));
    call.event = Some(Arc::new(Event {
        dedupe_key: "k1".to_owned(),
        account: None,
        thread: Some("t".to_owned()),
        sender: None,
        at: 1,
        trigger: true,
        body: EventBody::Message(Message::text("hello")),
        extra: Some(json!({"forwarded": true})),
    }));
    let told = output(house.sandbox.run(call, Arc::new(Desk::default())).await).to_string();
    assert!(told.contains("k1") && told.contains("forwarded") && told.contains("hello"), "{told}");
}

#[tokio::test]
async fn effects_come_in_order_and_only_of_a_call_that_ended_well() {
    let house = House::new(SandboxConfig::default(), Trust::Stranger);
    let end = house.run(json!({"do": "act", "text": "hello"})).await;
    assert_eq!(
        end.effects,
        [
            Effect::Reply(Message::text("hello")),
            Effect::Tag("vip".to_owned()),
            Effect::Untag("new".to_owned()),
            Effect::Note("a note".to_owned()),
            Effect::Assign("team/care".to_owned()),
            Effect::Set { name: "size".to_owned(), value: json!({"eu": 42}) },
            Effect::Emit { name: "ordered".to_owned(), data: json!([1]) },
        ]
    );
    assert_eq!(output(end), json!(["done"; 7].to_vec()));

    let end = house.run(json!({"do": "log-then-panic"})).await;
    assert!(end.effects.is_empty());
    assert_eq!(end.log.iter().map(|l| (l.level, l.text.as_str())).collect::<Vec<_>>(), [("warn", "the last words")]);
    assert_eq!(end.result.unwrap_err().code, "plugin.trap");

    let end = house.run(json!({"do": "act-badly"})).await;
    assert!(end.effects.is_empty());
    let told = output(end);
    assert!(told.as_array().unwrap().iter().all(|one| one.as_str().unwrap().starts_with("invalid: ")), "{told}");
}

#[tokio::test]
async fn a_denial_names_the_line_that_would_allow_it() {
    let some = r#"
        act = { effects = ["reply"], why = "test" }
        state = { scope = "workspace", why = "test" }
        conversation = { why = "test" }
        knowledge = { why = "test" }
        http = [{ host = "api.example.com", methods = ["GET"], why = "test" }]
    "#;
    let house = House::asking(SandboxConfig::default(), Trust::Stranger, some);
    let end = house.run(json!({"do": "act", "text": "hello"})).await;
    assert_eq!(end.effects, [Effect::Reply(Message::text("hello"))]);
    let told = output(end);
    assert_eq!(
        told[1],
        json!(
            "denied: denied.act: the manifest of acme/hostile does not ask for it; add `act = { effects = [\"tag\"], why = \"...\" }` under [capabilities] of its plugin.toml"
        )
    );
    let told = house.output(json!({"do": "state"})).await;
    assert!(told[0]["Err"].as_str().unwrap().contains("state = { scope = \"contact\""), "{told}");
    assert_eq!(told[10], json!({"Ok": null}));
    let told = house.output(json!({"do": "http"})).await;
    assert!(told.as_str().unwrap().starts_with("denied: denied.http"), "{told}");
}

#[tokio::test]
async fn state_sees_its_own_writes_and_leaves_them_as_effects() {
    let house = House::new(SandboxConfig::default(), Trust::Stranger);
    let end = house.run(json!({"do": "state"})).await;
    let write = |key: &str, value: Option<Value>, ttl| Effect::State { scope: Scope::Contact, key: key.to_owned(), value, ttl };
    assert_eq!(
        end.effects,
        [
            write("count", Some(json!(42)), None),
            write("count", Some(json!(37)), None),
            write("name", Some(json!("Ana")), Some(1_000)),
            write("count", None, None),
        ]
    );
    let told = output(end);
    assert_eq!(told[0], json!({"Ok": "40"}));
    assert_eq!(told[1], json!({"Ok": 42}));
    assert_eq!(told[2], json!({"Ok": 37}));
    assert_eq!(told[3], json!({"Ok": "37"}));
    assert_eq!(told[7], json!({"Ok": null}), "deleted");
    assert_eq!(told[11], json!({"Ok": null}), "128 bytes are a key");
    for (n, says) in
        [(5, "no integer"), (8, "1 to 128"), (12, "1 to 128"), (9, "64 KiB"), (10, "state = { scope = \"workspace\"")]
    {
        assert!(told[n]["Err"].as_str().unwrap().contains(says), "{}", told[n]);
    }
}

#[tokio::test]
async fn time_stands_still_and_chance_is_drawn_again_the_same() {
    let house = House::new(SandboxConfig::default(), Trust::Bundled);
    let first = house.output(json!({"do": "numbers"})).await;
    assert_eq!(first[0], json!(1_700_000_000_000_i64));
    assert_eq!(house.output(json!({"do": "numbers"})).await, first);
    let mut call = house.call(1, json!({"do": "numbers"}));
    call.seed = 43;
    assert_ne!(output(house.sandbox.run(call, Arc::new(Desk::default())).await), first);
}

#[tokio::test]
async fn logs_are_bounded_and_plain() {
    let house = House::new(SandboxConfig::default(), Trust::Stranger);
    let end = house.run(json!({"do": "log-bomb", "lines": 1_000})).await;
    let bytes: usize = end.log.iter().map(|l| l.text.len()).sum();
    assert!(bytes < 66_000, "{bytes}");
    assert!(end.log.last().unwrap().text.ends_with("more bytes of log were dropped"));
    let end = house.run(json!({"do": "log", "text": "x\n2026 ERROR forged \u{1b}[2J"})).await;
    assert_eq!(end.log[0].text, "x\\n2026 ERROR forged \\u{1b}[2J");
    assert_eq!(end.log.len(), 1);
}

#[tokio::test]
async fn knowledge_is_searched_within_bounds() {
    let house = House::new(SandboxConfig::default(), Trust::Stranger);
    let told = house.output(json!({"do": "knowledge"})).await;
    assert_eq!(told[0], json!([["open? 0", "faq.md", 0.5, "{\"n\":0}"], ["open? 1", "faq.md", 0.5, "{\"n\":1}"]]));
    assert_eq!(told[1], json!(50));
    for (n, says) in [(2, "knowledge.unknown"), (3, "1 to 128"), (4, "limit.knowledge-query")] {
        assert!(told[n].as_str().unwrap().contains(says), "{told}");
    }
}

#[tokio::test]
async fn reads_are_counted() {
    let house = House::new(SandboxConfig::default(), Trust::Stranger);
    assert_eq!(house.output(json!({"do": "read-storm", "count": 300})).await, json!(44));
}

#[tokio::test]
async fn a_steps_own_failure_keeps_its_words_but_not_ours() {
    let house = House::new(SandboxConfig::default(), Trust::Bundled);
    for (code, seen) in [
        ("no-catalog", "plugin.no-catalog"),
        ("script.error", "script.error"),
        ("limit.cpu", "plugin.limit.cpu"),
        ("denied.http", "plugin.denied.http"),
        ("", "plugin.rejected"),
        ("a\nb", "plugin.rejected"),
    ] {
        let failure = house.run(json!({"do": "fail", "code": code})).await.result.unwrap_err();
        assert_eq!((failure.code.as_str(), failure.class, failure.retry_after), (seen, Class::Permanent, Some(7)), "{code:?}");
    }
    let end = house.run(json!({"do": "suspend", "name": "ask"})).await;
    let waits = Outcome::Suspended {
        name: "ask".to_owned(),
        arguments: json!({"text": "Which size?"}),
        fingerprint: "f1".to_owned(),
        consumed: 0,
    };
    assert_eq!(end.result, Ok(waits));
}
