//! What a workflow file may say, and where each mistake is shown.

use super::double::{Double, Installed, parse};
use super::program::Verb;
use super::template::Pattern;
use super::*;
use crate::retry::Policy;

/// Every finding as `line:column code`.
fn findings(yaml: &str) -> Vec<String> {
    let found = match parse(yaml) {
        Ok(workflow) => workflow.warnings,
        Err(found) => found,
    };
    found.iter().map(|d| format!("{}:{} {}", d.line, d.column, d.code)).collect()
}

fn check(yaml: &str, wanted: &[&str]) {
    assert_eq!(findings(yaml), wanted, "{yaml}");
}

/// The findings of steps, whose first line is line 4.
fn check_steps(steps: &str, wanted: &[&str]) {
    check(&format!("name: t\non: message\nsteps:\n{steps}"), wanted);
}

const WHOLE: &str = r#"
name: order-desk
description: Takes orders.
on:
  - message: { channels: [whatsapp, web-chat] }
  - postback
exclusive: true
priority: 5
vars: { team: team/care, days: [1, 2.5, true, ~, "3"] }
limits: { timeout: 5s }
on_error:
  - note: "failed at ${error.step}"
steps:
  - id: mood
    use: acme/mood
    with: { text: "${event.text}", again: "say ${event.text} to ${contact.name}", n: 5 }
    retry: { max: 2, first: 500ms, factor: 3, cap: 1m }
    timeout: 800ms
    on_error: continue
  - if: mood?.label == "negative"
    do:
      - tag: [upset, "${mood?.label}"]
      - assign: team/care
      - stop
  - elif: mood?.label == "happy"
    untag: upset
  - else:
      - set: { mood: "${mood?.label}" }
  - script: s.rhai
    with: { size: 3 }
    on_error: { retry: 3, then: stop }
  - script: |
      let a = vars.team;
      a
  - template: { name: welcome, language: en, variables: ["${contact.name}"] }
  - reply:
      text: "Hi $${x} ${contact.name}"
      buttons: [Yes, { title: No, payload: "no" }, { title: More, url: "https://example.com" }]
      attachments: [{ type: image, url: "https://example.com/a.png" }]
      quote: true
  - stop: enough
"#;

#[test]
fn a_whole_workflow_is_read() {
    let w = match parse(WHOLE) {
        Ok(w) => w,
        Err(found) => panic!("{}", found.iter().map(|d| format!("{d}\n")).collect::<String>()),
    };
    assert_eq!((&*w.name, w.exclusive, w.priority), ("order-desk", true, 5));
    assert_eq!(w.on.len(), 2);
    assert_eq!(w.on[0].channels, ["whatsapp", "web-chat"]);
    assert_eq!(w.on[1].kind, TriggerKind::Interaction);
    assert_eq!(w.plugins.iter().map(|p| &**p).collect::<Vec<_>>(), ["acme/mood"]);
    assert_eq!(w.vars["days"], serde_json::json!([1, 2.5, true, null, "3"]));
    assert!(w.warnings.is_empty(), "{:?}", w.warnings);
    let site = |path: &str| &w.program.sites[w.program.by_path[path]];
    let mood = site("mood");
    assert_eq!(mood.retry, Policy { max: 2, first: 500, factor: 3.0, cap: 60_000 });
    assert_eq!(mood.timeout, Some(800));
    assert!(mood.kept);
    for path in ["2", "2.do.1", "2.do.2", "2.do.3", "3", "4.else.1", "5", "6", "7", "8", "9", "on_error.1"] {
        assert!(w.program.by_path.contains_key(path), "{path}");
    }
    assert_eq!(site("5").retry.max, 3);
    assert_eq!(site("6").timeout, Some(5_000));
    let Some(Verb::Script(script)) = &site("6").verb else { panic!() };
    assert_eq!(script.mentions.iter().map(|m| &**m).collect::<Vec<_>>(), ["vars"]);
    let Some(Verb::Use { with: Pattern::Map(with), .. }) = &mood.verb else { panic!() };
    assert!(matches!(with[0].1, Pattern::Expr(_)));
    assert!(matches!(&with[1].1, Pattern::Text(parts) if parts.len() == 4));
    assert!(w.program.labels.iter().all(|l| *l <= w.program.ops.len()), "a label was never placed");
}

#[test]
fn the_hash_names_yaml_and_used_scripts() {
    let hash = |yaml: &str, script: &str, other: &str| {
        let sources = SourceSet::new("w.yaml", yaml).with("s.rhai", script).with("other.rhai", other);
        Workflow::parse(&sources, &Double::default(), &Installed).unwrap().content_hash().to_string()
    };
    let yaml = "name: t\non: message\nsteps:\n  - script: s.rhai\n";
    let first = hash(yaml, "1", "2");
    assert_eq!(first.len(), 64);
    assert_eq!(first, hash(yaml, "1", "changed, but nobody uses it"));
    assert_ne!(first, hash(yaml, "2", "2"));
    assert_ne!(first, hash(&yaml.replace("name: t", "name: u"), "1", "2"));
}

#[test]
fn the_head_of_the_file() {
    check("", &["1:1 workflow.empty"]);
    check("- a\n", &["1:1 workflow.wrong_kind"]);
    check("name: t\n", &["1:1 workflow.missing_key", "1:1 workflow.missing_key"]);
    check("name: a b\non: message\nsteps: []\n", &["1:7 workflow.bad_name"]);
    check("name: t\nnam: t\non: message\nsteps: []\n", &["2:1 workflow.unknown_key"]);
    check("name: t\nname: t\non: message\nsteps: []\n", &["2:1 workflow.duplicate_key"]);
    check("name: t\non: mesage\nsteps: []\n", &["2:5 workflow.unknown_trigger"]);
    check("name: t\non: broadcast-reply\nsteps: []\n", &["2:5 workflow.trigger_not_supported"]);
    check("name: t\non: { message: { channel: x } }\nsteps: []\n", &["2:18 workflow.unknown_key"]);
    check("name: t\non: message\nsteps: x\n", &["3:8 workflow.wrong_kind"]);
    check("name: t\non: message\nsteps: []\nvars: { a: \"${event}\" }\n", &["4:12 workflow.fixed"]);
    check("name: t\non: message\nsteps: []\nexclusive: yes\n", &["4:12 workflow.wrong_kind"]);
    check("name: t\non: message\nsteps: []\nlimits: { timeout: 5 }\n", &["4:20 workflow.duration"]);
    check("name: [\n", &["1:7 workflow.yaml"]);
    check("name: &a t\non: message\nsteps: []\n", &["1:10 workflow.yaml_feature"]);
    check("name: !x t\non: message\nsteps: []\n", &["1:10 workflow.yaml_feature"]);
    check("name: t\n---\nname: u\n", &["2:1 workflow.yaml_feature"]);
}

#[test]
fn a_deep_or_swollen_file_ends_in_a_finding() {
    let deep = format!("name: t\non: message\nsteps: {}{}\n", "[".repeat(5_000), "]".repeat(5_000));
    assert!(findings(&deep)[0].ends_with("workflow.yaml"));
    let long = format!("name: t\non: message\nsteps:\n{}", "  - stop\n".repeat(1_200));
    assert_eq!(findings(&long), ["1004:5 limit.steps"]);
    assert_eq!(findings(&"#".repeat(300 << 10)), ["1:1 limit.workflow"]);
}

#[test]
fn steps_and_verbs() {
    check_steps("  - repyl: x\n", &["4:5 workflow.unknown_verb"]);
    check_steps("  - reply: x\n    tag: y\n", &["5:5 workflow.two_verbs"]);
    check_steps("  - id: x\n", &["4:5 workflow.no_verb"]);
    check_steps("  - nothing\n", &["4:5 workflow.wrong_kind"]);
    check_steps(
        "  - call: other\n  - emit: x\n  - emit: { event: x, data: [1] }\n  - call: { workflow: a.b, with: { x: 1 } }\n",
        &[],
    );
    check_steps("  - call: ${event.text}\n", &["4:11 workflow.fixed"]);
    check_steps("  - call: Other\n", &["4:11 workflow.bad_name"]);
    check_steps("  - call: { with: { x: 1 } }\n", &["4:11 workflow.missing_key"]);
    check_steps("  - call: { workflow: a, with: x }\n", &["4:32 workflow.wrong_kind"]);
    check_steps("  - call: { workflow: a, wiht: {} }\n", &["4:26 workflow.unknown_key"]);
    check_steps("  - emit: { data: 1 }\n", &["4:11 workflow.missing_key"]);
    check_steps("  - publish: x\n", &["4:5 workflow.verb_not_supported"]);
    check_steps("  - draft: x\n    outside_window: { template: y }\n", &["5:5 workflow.unknown_key"]);
    check_steps("  - reply: x\n    on_error: handoff\n", &[]);
    check_steps("  - reply: x\n    on_error: contineu\n", &["5:15 workflow.on_error"]);
    check_steps("  - reply: x\n    with: {}\n", &["5:5 workflow.unknown_key"]);
    check_steps("  - use: keyword\n    retyr: 3\n", &["5:5 workflow.unknown_key"]);
    check_steps("  - use: keyword\n    retry: 50\n", &["5:12 workflow.number"]);
    check_steps("  - use: keywrd\n", &["4:10 workflow.unknown_plugin"]);
    check_steps("  - reply: ''\n", &["4:12 workflow.empty_text"]);
    check_steps("  - reply: { txt: a }\n", &["4:14 workflow.unknown_key"]);
    check_steps("  - reply: { text: a, attachments: [{ type: imag, url: x }] }\n", &["4:45 workflow.attachment_type"]);
    check_steps("  - assign: ann\n", &["4:13 workflow.assignee"]);
    check_steps("  - template: { name: x }\n", &["4:15 workflow.missing_key"]);
    check_steps("  - id: a b\n    reply: x\n", &["4:9 workflow.bad_id"]);
    check_steps("  - id: if\n    reply: x\n", &["4:9 workflow.bad_id"]);
    check_steps("  - id: event\n    reply: x\n", &["4:9 workflow.reserved_name"]);
    check_steps("  - id: a\n    reply: x\n  - id: a\n    reply: y\n", &["6:9 workflow.duplicate_id"]);
    check_steps("  - reply: x\n  - else:\n      - stop\n", &["5:5 workflow.stray_else"]);
    check_steps("  - else:\n      - stop\n", &["4:5 workflow.stray_else"]);
    check_steps("  - if: true\n    reply: x\n  - else: stop\n  - elif: true\n    stop:\n", &["7:5 workflow.stray_else"]);
    check_steps("  - if: true\n    reply: x\n  - else:\n      tag: y\n", &[]);
}

/// Checks what `on` finds.
fn check_on(on: &str, found: &[&str]) {
    check(&format!("name: t\non: {on}\nsteps: []\n"), found);
}

#[test]
fn triggers_with_their_conditions() {
    for good in [
        "[message, keyword: stop, interaction]",
        "{ message: { channels: whatsapp, languages: [pt, id], words: [price], match: exact, gather: 8s, interrupts: true } }",
        "{ keyword: { words: [stop, 'no more'], interrupts: false } }",
        "{ interaction: [yes, 'size:*'] }",
        "{ comment: { posts: ['17'], words: price }, review: { stars: { to: 3 } }, order: }",
        "{ status: [failed, read] }",
        "{ tag-added: vip, event: { name: [paid, sent] }, manual: }",
        "{ schedule: '0 9 * * MON-FRI' }",
        "{ schedule: { cron: '@daily', time_zone: Asia/Jakarta, catch_up: 2h } }",
        "webhook",
        "{ webhook: { contact: { channel: whatsapp, id: '${event.data.phone}' } } }",
    ] {
        check_on(good, &[]);
    }
    check_on("{ message: { gather: 1ms } }", &["2:26 workflow.gather"]);
    check_on("{ message: { payloads: x } }", &["2:18 workflow.unknown_key"]);
    check_on("{ message: { match: loosely } }", &["2:25 workflow.match"]);
    check_on("{ message: { channels: [] } }", &["2:28 workflow.empty_list"]);
    check_on("keyword", &["2:5 workflow.missing_key"]);
    check_on("{ keyword: [stop, ''] }", &["2:23 workflow.empty_text"]);
    check_on("{ review: 6 }", &["2:15 workflow.number"]);
    check_on("{ review: { stars: { from: 4, to: 2 } } }", &["2:24 workflow.stars"]);
    check_on("{ status: red }", &["2:15 workflow.state"]);
    check_on("schedule", &["2:5 workflow.missing_key"]);
    check_on("{ schedule: '0 9 * *' }", &["2:17 workflow.schedule"]);
    check_on("{ schedule: { cron: '0 9 * * *', time_zone: Asia/Jakart } }", &["2:49 workflow.time_zone"]);
    check_on("{ schedule: { cron: '0 9 * * *', catch_up: 8d } }", &["2:48 workflow.catch_up"]);
    check_on("{ webhook: { contact: { channel: whatsapp } } }", &["2:27 workflow.missing_key"]);
    check_on("{ webhook: { contact: { channel: whatsapp, id: '123' } } }", &["2:52 workflow.contact"]);
    check_on("{ webhook: { contact: { channel: whatsapp, id: '${vars.id}' } } }", &["2:55 workflow.contact"]);
}

#[test]
fn what_only_a_schedule_or_a_webhook_starts_has_nobody_to_talk_to() {
    let talks = "steps:\n  - reply: hi\n  - emit: { event: a }\n  - set: { a: b }\n";
    let on = |on: &str, found: &[&str]| check(&format!("name: t\non: {on}\n{talks}"), found);
    on("{ schedule: '0 9 * * *' }", &["4:5 workflow.no_conversation", "6:5 workflow.no_conversation"]);
    on("[webhook, { schedule: '0 9 * * *' }]", &["4:5 workflow.no_conversation", "6:5 workflow.no_conversation"]);
    on("{ webhook: { contact: { channel: whatsapp, id: '${event.data.phone}' } } }", &[]);
    on("[manual, { schedule: '0 9 * * *' }]", &[]);
}

#[test]
fn verbs_that_wait() {
    for good in [
        "  - ask: Which size?\n",
        "  - ask: { text: 'Which ${vars.x}?', buttons: [S, { title: L, payload: l }], timeout: 2h, again: 'Which one?' }\n",
        "  - ask: { text: How many?, expect: number }\n",
        "  - ask: { text: Which?, expect: { one_of: [a, b] } }\n",
        "  - ask: { text: Which?, expect: { one_of: '${vars.list}' } }\n",
        "  - wait: 2h\n",
        "  - wait: ${vars.delay}\n",
        "  - wait: { until: 2026-01-31T09:00:00Z }\n",
        "  - wait: { until: '${vars.then}' }\n",
        "  - wait: { for: message, timeout: 1d }\n",
        "  - wait: { for: [{ order: { channels: [whatsapp] } }, review] }\n",
        "  - approve: Shall I?\n",
        "  - draft: { text: 'Dear ${contact.name}', to: team/care, expires: 2d }\n",
        "  - handoff\n",
        "  - handoff: team/care\n",
        "  - handoff: { to: agent/ann, note: '${event.text}' }\n",
        "  - if: true\n    id: size\n    ask: { text: Which?, expect: number }\n    on_error: handoff\n  - reply: ${size?.text}\n",
    ] {
        check_steps(good, &[]);
    }
    check_steps("  - ask: { text: a, tiemout: 2h }\n", &["4:21 workflow.unknown_key"]);
    check_steps("  - ask: { buttons: [a] }\n", &["4:10 workflow.missing_key"]);
    check_steps("  - ask: { text: a, timeout: 2 }\n", &["4:30 workflow.duration"]);
    check_steps("  - ask: { text: a, expect: nubmer }\n", &["4:29 workflow.expect"]);
    check_steps("  - ask: { text: a, expect: { one_off: [a] } }\n", &["4:31 workflow.unknown_key", "4:29 workflow.missing_key"]);
    check_steps("  - ask: { text: a, expect: { one_of: a } }\n", &["4:39 workflow.wrong_kind"]);
    check_steps("  - ask: { text: a, buttons: [b], expect: any }\n", &["4:43 workflow.buttons_of_any"]);
    check_steps("  - ask: a\n    timeout: 2h\n", &["5:5 workflow.unknown_key"]);
    check_steps("  - wait: soon\n", &["4:11 workflow.duration"]);
    check_steps("  - wait: { until: soon }\n", &["4:20 workflow.moment"]);
    check_steps("  - wait: { for: mesage }\n", &["4:18 workflow.unknown_trigger"]);
    check_steps("  - wait: { for: { schedule: '0 9 * * *' } }\n", &["4:20 workflow.trigger_not_awaited"]);
    check_steps("  - wait: { for: { message: { gather: 8s } } }\n", &["4:31 workflow.unknown_key"]);
    check_steps("  - wait: { until: 5, for: message }\n", &["4:11 workflow.wait"]);
    check_steps("  - wait: { for: message, timeot: 5h }\n", &["4:27 workflow.unknown_key"]);
    check_steps("  - wait:\n", &["4:9 workflow.wrong_kind"]);
    check_steps("  - approve: { text: a, to: ann }\n", &["4:29 workflow.assignee"]);
    check_steps("  - draft: { to: team/a }\n", &["4:12 workflow.missing_key"]);
    check_steps("  - draft: ''\n", &["4:12 workflow.empty_text"]);
    check_steps("  - handoff: ann\n", &["4:14 workflow.assignee"]);
    check_steps("  - gather: 8s\n", &["4:5 workflow.verb_not_supported"]);
}

#[test]
fn each_and_the_name_of_its_item() {
    let each = |inside: &str| format!("  - id: all\n    each:\n      in: ${{vars.list}}\n{inside}");
    check_steps(
        &each(
            "      do:\n        - id: one\n          reply: ${item.text}\n        - reply: ${one.message}\n  - reply: ${all}\n",
        ),
        &[],
    );
    check_steps(&each("      as: line\n      max: 5\n      do:\n        - ask: ${line}\n"), &[]);
    check_steps(&each("      as: line\n      do:\n        - reply: ${item}\n"), &["9:20 workflow.unknown_name"]);
    check_steps(&each("      do:\n        - stop\n  - reply: ${item}\n"), &["9:14 workflow.unknown_name"]);
    check_steps(
        &each("      do:\n        - id: one\n          reply: a\n  - reply: ${one.x}\n"),
        &["10:14 workflow.may_not_have_run"],
    );
    check_steps(&each("      do:\n        - id: item\n          reply: a\n"), &["8:15 workflow.duplicate_id"]);
    check_steps(&each("      as: all\n      do: []\n"), &["6:7 workflow.duplicate_id"]);
    check_steps(&each("      as: event\n      do: []\n"), &["7:11 workflow.bad_id"]);
    check_steps(&each("      max: 5000\n      do: []\n"), &["7:12 workflow.number"]);
    check_steps(&each("      steps: []\n"), &["7:7 workflow.unknown_key", "6:7 workflow.missing_key"]);
    check_steps(&each("      do: a\n"), &["7:11 workflow.wrong_kind"]);
    check_steps(&each("      do:\n        - each: { in: [1], as: b, do: [] }\n"), &["8:17 workflow.nested_each"]);
    check_steps("  - each: { in: { a: 1 }, do: [] }\n", &["4:17 workflow.wrong_kind"]);
    // The script sees the item when it mentions it.
    let w = parse(&format!("name: t\non: message\nsteps:\n{}", each("      as: line\n      do:\n        - script: 'line.n'\n")))
        .unwrap();
    let Some(Verb::Script(script)) = &w.program.sites[w.program.by_path["all[].1"]].verb else { panic!() };
    assert_eq!(script.mentions.iter().map(|m| &**m).collect::<Vec<_>>(), ["line"]);
    assert_eq!((w.verb_at("all[7].1"), w.verb_at("all"), w.verb_at("all[7].2")), (Some("script"), Some("each"), None));
}

#[test]
fn plugins_that_a_script_calls_are_pinned() {
    let w = parse("name: t\non: message\nsteps:\n  - script: 'step(\"keyword\", #{}); step(\"acme/mood\")'\n").unwrap();
    assert_eq!(w.plugins.iter().map(|p| &**p).collect::<Vec<_>>(), ["acme/mood", "pointsman/keyword"]);
    check_steps("  - script: |\n      let a = 1;\n      step(\"keywrd\")\n", &["6:12 workflow.unknown_plugin"]);
    let sources =
        SourceSet::new("w.yaml", "name: t\non: message\nsteps:\n  - script: a.rhai\n").with("a.rhai", "1;\n  step(`x`)");
    let found = Workflow::parse(&sources, &Double::default(), &Installed).unwrap_err();
    assert_eq!((found[0].file.as_str(), found[0].line, found[0].column), ("a.rhai", 2, 8));
}

#[test]
fn scripts_are_checked_where_they_stand() {
    check_steps("  - script: t.rhai\n", &["4:13 workflow.script_missing"]);
    check_steps("  - script: s.rhai\n    with: { event: 1 }\n", &["5:13 workflow.reserved_name"]);
    check_steps("  - script: 'x @@'\n", &["4:16 script.syntax"]);
    check_steps("  - script: |\n      let a = 1;\n      a @@\n", &["6:9 script.syntax"]);
    let sources = SourceSet::new("w.yaml", "name: t\non: message\nsteps:\n  - script: bad.rhai\n").with("bad.rhai", "ok\n  @@");
    let found = Workflow::parse(&sources, &Double::default(), &Installed).unwrap_err();
    assert_eq!((found[0].file.as_str(), found[0].line, found[0].column), ("bad.rhai", 2, 3));
    let sources =
        SourceSet::new("w.yaml", "name: t\non: message\nsteps:\n  - script: big.rhai\n").with("big.rhai", " ".repeat(70 << 10));
    assert_eq!(Workflow::parse(&sources, &Double::default(), &Installed).unwrap_err()[0].code, "script.too_long");
}

#[test]
fn expressions_are_checked_where_they_stand() {
    check_steps("  - reply: \"a ${event.text} ${b%c}\"\n", &["4:32 expr.syntax"]);
    check_steps("  - reply: \"é ${1%} ${1%}\"\n", &["4:18 expr.syntax", "4:24 expr.syntax"]);
    check_steps("  - reply: |\n      Dear\n      ${x%}\n", &["6:10 expr.syntax"]);
    check_steps("  - reply: a ${event.text\n", &["4:14 workflow.unclosed_expression"]);
    check_steps("  - if: event.text %2\n    stop:\n", &["4:19 expr.syntax"]);
    check_steps("  - if: evnt.text == \"a\"\n    stop:\n", &["4:9 workflow.unknown_name"]);
    check_steps("  - reply: ${error.code}\n", &["4:14 workflow.unknown_name"]);
    check_steps("  - reply: x\n    on_error:\n      - reply: ${error.code}\n", &[]);
    check_steps(&format!("  - if: \"{} == 1\"\n    stop:\n", "a".repeat(2_100)), &["4:10 expr.too_long"]);
}

#[test]
fn a_use_that_may_see_a_step_that_did_not_run_is_a_warning() {
    const MAYBE: &[&str] = &["7:14 workflow.may_not_have_run"];
    check_steps("  - if: true\n    id: a\n    use: keyword\n  - reply: ${a.x}\n", MAYBE);
    check_steps("  - if: true\n    id: a\n    use: keyword\n  - reply: ${a?.x}\n", &[]);
    check_steps("  - id: a\n    use: keyword\n    on_error: continue\n  - reply: ${a.x}\n", MAYBE);
    check_steps("  - id: a\n    use: keyword\n    on_error: stop\n  - reply: ${a.x}\n", &[]);
    check_steps("  - if: true\n    id: a\n    use: keyword\n  - if: a?.x == 1\n    reply: ${a.x}\n", &[]);
    check_steps("  - if: true\n    do:\n      - id: a\n        use: keyword\n      - reply: ${a.x}\n", &[]);
    check_steps("  - reply: ${a.x}\n  - id: a\n    use: keyword\n", &["4:14 workflow.unknown_name"]);
    // The same id cannot be given twice, so both branches together never make one certain; but what ran before them stays.
    check_steps(
        "  - id: a\n    use: keyword\n  - if: true\n    tag: x\n  - else:\n      - reply: ${a.x}\n  - reply: ${a.x}\n",
        &[],
    );
}

#[test]
fn a_finding_is_shown_like_a_compilers() {
    let found = parse("name: t\non: message\nsteps:\n  - repyl: hello\n").unwrap_err();
    assert_eq!(
        found[0].to_string(),
        "error[workflow.unknown_verb]: there is no verb `repyl`\n \
         --> workflow.yaml:4:5\n  |\n4 |   - repyl: hello\n  |     ^ expected one of use, script, reply, template, ask, \
         wait, approve, draft, tag, untag, note, assign, handoff, set, emit, each, call, do, stop\n  = help: did you mean `reply`?"
    );
    let json = serde_json::to_value(&found[0]).unwrap();
    assert_eq!((&json["severity"], &json["line"], &json["source"]), (&"error".into(), &4.into(), &"  - repyl: hello".into()));
}

/// Whatever a file holds, it is read or refused, never a panic: every beginning of a whole workflow, and the whole with
/// one character lost or replaced anywhere.
#[test]
fn a_damaged_file_never_panics() {
    let chars: Vec<char> = WHOLE.chars().collect();
    for at in 0..chars.len() {
        let _ = parse(&chars[..at].iter().collect::<String>());
        for other in [None, Some('$'), Some('"')] {
            let damaged: String = chars[..at].iter().copied().chain(other).chain(chars[at + 1..].iter().copied()).collect();
            if let Ok(workflow) = parse(&damaged) {
                assert!(workflow.program.labels.iter().all(|l| *l <= workflow.program.ops.len()), "{damaged}");
            }
        }
    }
}
