//! Runs on paper: which calls, entries and effects a workflow gives, and that a journal brings a run back.

mod calls;
mod each;
mod pins;
mod random;
mod retry;
mod scripts;
mod waits;

use std::sync::atomic::Ordering;

use serde_json::json;

use super::*;
use crate::failure::Class;
use crate::id::Id;
use crate::workflow::double::{Double, steps};

fn started() -> Started {
    let plugins = vec![("pointsman/keyword".into(), "d1".into()), ("acme/mood".into(), "d2".into())];
    Started { run: Id(1), event: Id(2), at: 1_000, seed: 7, plugins, caller: None }
}

fn base() -> Names {
    Names::from([
        ("event".to_owned(), Marked::own(json!({"text": "hello", "id": "m1"}))),
        ("contact".to_owned(), Marked::outside(json!({"name": "Ann"}))),
        ("conversation".to_owned(), Marked::outside(json!({"id": "5"}))),
        ("workspace".to_owned(), Marked::own(json!({"name": "Shop"}))),
    ])
}

fn ended(result: Result<Value, Failure>, effects: Vec<Effect>) -> Ended {
    Ended {
        result: result.map(Outcome::Done),
        effects,
        saw_outside: false,
        now: 1_500,
        random: 0.5,
        usage: None,
        reads: Vec::new(),
    }
}

/// Goes on to the end of the leg; `answer` runs the calls. Waits are slept through.
fn drive(machine: &mut Machine, answer: &dyn Fn(&Call) -> Ended) -> RunEnd {
    for _ in 0..100 {
        match machine.next(&Double::default()) {
            Action::Call(call) => machine.step_ended(answer(&call)),
            Action::Begin(begin) => panic!("nobody should begin {}", begin.workflow),
            Action::Finished(RunEnd::Waiting { until, .. }) => assert!(machine.resume(Wake::Timeout, until.unwrap())),
            Action::Finished(end) => return end,
        }
    }
    panic!("it never ends");
}

/// Runs steps; gives the paths of the journal, the effects and the end.
fn run(head: &str, text: &str, answer: &dyn Fn(&Call) -> Ended) -> (Vec<String>, Vec<String>, RunEnd) {
    let mut machine = Machine::start(steps(head, text), started(), base());
    let end = drive(&mut machine, answer);
    let entries = machine.take_entries();
    (entries.iter().map(short).collect(), effects(&entries).map(effect).collect(), end)
}

fn short(entry: &Entry) -> String {
    match entry {
        Entry::Started { .. } => "started".into(),
        Entry::StepDone { path, attempt, .. } => format!("{path}+{attempt}"),
        Entry::StepFailed { path, attempt, error, .. } => format!("{path}-{attempt} {}", error.code),
        Entry::Waiting { path, until, .. } => format!("{path} waits {}", until.unwrap()),
        Entry::Resumed { path, .. } => format!("{path} resumed"),
        Entry::Finished { result, .. } => format!("finished {result}"),
        other => format!("{other:?}"),
    }
}

fn effect(d: &Decided) -> String {
    let text = match &d.effect {
        Effect::Reply(m) => format!("reply {}", m.text.clone().unwrap_or_default()),
        Effect::Tag(t) => format!("tag {t}"),
        Effect::Untag(t) => format!("untag {t}"),
        Effect::Note(t) => format!("note {t}"),
        Effect::Assign(t) => format!("assign {t}"),
        Effect::Set { name, value } => format!("set {name}={value}"),
        Effect::Template(t) => format!("template {} {:?} {:?}", t.name, t.parameters, t.extra),
        other => format!("{other:?}"),
    };
    format!("{}/{} {text}{}", d.path, d.n, if d.marked { "!" } else { "" })
}

fn mood(label: &'static str) -> impl Fn(&Call) -> Ended {
    move |_| ended(Ok(json!({ "label": label })), vec![Effect::Tag("seen".into())])
}

fn none(call: &Call) -> Ended {
    panic!("nobody should call {}", call.path)
}

#[test]
fn native_verbs_become_effects_with_their_marks() {
    let (journal, effects, end) = run(
        "vars: { who: Shop }",
        "  - reply: Hello ${contact.name}\n  - reply: From ${vars.who}\n  - tag: [a, b]\n  - untag: a\n  - note: ${event.text}\n  \
         - assign: team/care\n  - set: { said: '${event.text}', n: 5 }\n  - template: { name: t, language: en, variables: ['${contact.name}', 2] }\n",
        &none,
    );
    assert_eq!(journal, ["started", "1+1", "2+1", "3+1", "4+1", "5+1", "6+1", "7+1", "8+1", "finished null"]);
    assert_eq!(
        effects,
        [
            "1/0 reply Hello Ann!",
            "2/0 reply From Shop",
            "3/0 tag a",
            "3/1 tag b",
            "4/0 untag a",
            "5/0 note hello!",
            "6/0 assign team/care",
            "7/0 set said=\"hello\"!",
            "7/1 set n=5",
            "8/0 template t [\"Ann\", \"2\"] None!",
        ]
    );
    assert_eq!(end, RunEnd::Done { result: Value::Null, marked: false });
}

#[test]
fn guards_choose_one_branch_of_a_chain() {
    let chain = "  - id: mood\n    use: acme/mood\n  - if: mood.label == \"bad\"\n    do:\n      - tag: upset\n      - if: mood.label == \"x\"\n        tag: never\n  \
                 - elif: mood.label == \"good\"\n    tag: happy\n  - else:\n      - tag: other\n  - tag: end\n";
    let tags = |label| run("", chain, &mood(label)).1;
    assert_eq!(tags("bad"), ["mood/0 tag seen", "2.do.1/0 tag upset", "5/0 tag end"]);
    assert_eq!(tags("good"), ["mood/0 tag seen", "3/0 tag happy", "5/0 tag end"]);
    assert_eq!(tags("?"), ["mood/0 tag seen", "4.else.1/0 tag other", "5/0 tag end"]);
}

#[test]
fn stop_ends_the_run_as_done() {
    let (journal, effects, end) = run("", "  - if: true\n    do:\n      - tag: a\n      - stop: enough\n  - tag: never\n", &none);
    assert_eq!(journal, ["started", "1.do.1+1", "1.do.2+1", "finished \"enough\""]);
    assert_eq!(effects, ["1.do.1/0 tag a"]);
    assert_eq!(end, RunEnd::Done { result: "enough".into(), marked: false });
    assert_eq!(run("", "  - stop\n", &none).0, ["started", "1+1", "finished null"]);
}

#[test]
fn a_call_has_its_input_worked_out_and_its_mark() {
    let workflow = steps(
        "vars: { n: 3 }",
        "  - id: own\n    use: keyword\n    with: { n: '${vars.n}', deep: [{ a: '${workspace.name}' }] }\n    timeout: 2s\n  \
         - use: acme/mood\n    with: { text: '${event.text}' }\n  - use: acme/mood\n    with: { from: '${own.x}' }\n",
    );
    let mut machine = Machine::start(workflow, started(), base());
    let e = Double::default();
    let Action::Call(first) = machine.next(&e) else { panic!() };
    let work =
        Work::Use { plugin: "pointsman/keyword".into(), digest: "d1".into(), input: json!({"n": 3, "deep": [{"a": "Shop"}]}) };
    assert_eq!((&first.work, first.marked, first.attempt, first.timeout), (&work, false, 1, Some(2_000)));
    assert_eq!(machine.next(&e), Action::Call(first.clone()), "asking twice gives the same call");
    machine.step_ended(ended(Ok(json!({"x": 1})), vec![]));
    assert_eq!(machine.names()["own"], Marked::own(json!({"x": 1})));
    let Action::Call(second) = machine.next(&e) else { panic!() };
    assert!(second.marked, "the event is marked even when the host forgot it");
    assert_ne!(first.seed, second.seed);
    machine.step_ended(ended(Ok(Value::Null), vec![]));
    let Action::Call(third) = machine.next(&e) else { panic!() };
    assert!(!third.marked);
    machine.step_ended(Ended { saw_outside: true, ..ended(Ok(Value::Null), vec![Effect::Tag("t".into())]) });
    let entries = machine.take_entries();
    assert!(
        matches!(entries.last(), Some(Entry::StepDone { marked: true, effects, input, .. }) if effects[0].marked && input.len() == 32)
    );
    assert!(machine.entries().is_empty());
}

#[test]
fn a_script_gets_the_names_it_mentions_and_is_marked() {
    let workflow = steps(
        "",
        "  - id: a\n    use: keyword\n  - script: |\n      // vars\n      let x = a.b;\n      let y = size;\n    with: { size: 3 }\n",
    );
    let mut machine = Machine::start(workflow, started(), base());
    let e = Double::default();
    machine.next(&e);
    machine.step_ended(ended(Ok(json!({"b": 2})), vec![]));
    let Action::Call(call) = machine.next(&e) else { panic!() };
    let Work::Script { input, hash, .. } = &call.work else { panic!() };
    assert_eq!(input, &json!({"a": {"b": 2}, "vars": {}, "size": 3}));
    assert!(call.marked && hash.len() == 64);
    let wish = Outcome::Suspended { name: "fetch".into(), arguments: json!([]), fingerprint: String::new(), consumed: 0 };
    machine.step_ended(Ended { result: Ok(wish), ..ended(Ok(Value::Null), vec![]) });
    let Action::Finished(RunEnd::Failed { error, .. }) = machine.next(&e) else { panic!() };
    assert_eq!(error.code, "script.wait_not_supported");
}

#[test]
fn words_from_outside_choose_no_template_and_no_url() {
    for step in [
        "  - template: { name: '${event.text}', language: en }\n",
        "  - template: { name: t, language: '${contact.name}' }\n",
        "  - reply: { attachments: [{ type: image, url: 'https://x/${event.text}' }] }\n",
        "  - reply: { text: a, buttons: [{ title: b, url: '${event.text}' }] }\n",
    ] {
        let (_, effects, end) = run("", step, &none);
        assert!(
            matches!(&end, RunEnd::Failed { error, .. } if error.code == "marked.refused" && error.class == Class::Denied),
            "{step} {end:?}"
        );
        assert!(effects.is_empty());
    }
    let own = "  - template: { name: '${vars.t}', language: en, variables: { who: '${contact.name}' } }\n";
    let (_, effects, _) = run("vars: { t: hello }", own, &none);
    assert_eq!(effects, ["1/0 template hello [] Some(Object {\"named\": Object {\"who\": String(\"Ann\")}})!"]);
}

#[test]
fn an_expression_that_fails_fails_its_step() {
    for (step, code) in [
        ("  - reply: ${event.text.a.b}\n", "expr.null"),
        ("  - if: event.text\n    stop:\n", "expr.not_bool"),
        ("  - reply: ${event.nothing}\n", "reply.empty"),
        ("  - assign: ${event.text}\n", "assign.nobody"),
        ("  - tag: ${event.nothing}\n", "tag.length"),
    ] {
        let (journal, _, end) = run("", step, &none);
        assert_eq!(journal[1..], [format!("1-1 {code}")], "{step}");
        assert!(matches!(end, RunEnd::Failed { .. }));
    }
}

fn failing(class: Class, times: u32) -> impl Fn(&Call) -> Ended {
    move |call| match call.attempt <= times {
        true => ended(Err(Failure::new(class, "x.broken", "x")), vec![Effect::Tag("never".into())]),
        false => ended(Ok(json!({ "label": "late" })), vec![]),
    }
}

#[test]
fn a_transient_failure_is_tried_again_later() {
    let step = "  - id: a\n    use: acme/mood\n  - tag: ${a.label}\n";
    let (journal, effects, _) = run("", step, &failing(Class::Transient, 2));
    assert_eq!(
        journal,
        [
            "started",
            "a-1 x.broken",
            "a waits 2250",
            "a resumed",
            "a-2 x.broken",
            "a waits 3000",
            "a resumed",
            "a+3",
            "2+1",
            "finished null"
        ]
    );
    assert_eq!(effects, ["2/0 tag late"]);
    let (journal, _, end) = run("", "  - use: acme/mood\n    retry: 1\n", &failing(Class::Transient, 9));
    assert_eq!(journal, ["started", "1-1 x.broken", "1 waits 2250", "1 resumed", "1-2 x.broken"]);
    assert!(matches!(&end, RunEnd::Failed { path, error } if &**path == "1" && error.code == "x.broken"));
    assert_eq!(run("", "  - use: acme/mood\n", &failing(Class::Bug, 9)).0, ["started", "1-1 x.broken"]);
}

#[test]
fn on_error_of_a_step_a_block_and_the_workflow() {
    let bad = &failing(Class::Bug, 9);
    let tags = |head: &str, text: &str| {
        let (_, effects, end) = run(head, text, bad);
        (effects.iter().map(|e| e.rsplit(' ').next().unwrap().to_owned()).collect::<Vec<_>>(), matches!(end, RunEnd::Done { .. }))
    };
    let go = |list: &[&str], done: bool| (list.iter().map(|s| (*s).to_owned()).collect::<Vec<_>>(), done);
    let then_b = "  - tag: b\n";
    assert_eq!(tags("", &format!("  - use: keyword\n    on_error: continue\n{then_b}")), go(&["b"], true));
    assert_eq!(tags("on_error: continue", &format!("  - use: keyword\n{then_b}")), go(&["b"], true));
    assert_eq!(tags("on_error: continue", &format!("  - use: keyword\n    on_error: stop\n{then_b}")), go(&[], false));
    let steps = format!("  - use: keyword\n    on_error:\n      - tag: ${{error.code}}\n      - tag: ${{error.step}}\n{then_b}");
    assert_eq!(tags("", &steps), go(&["x.broken!", "1!", "b"], true));
    assert_eq!(tags("on_error: [{ tag: w }]", &format!("  - use: keyword\n{then_b}")), go(&["w"], true));
    // A block's handler leaves the block; an error inside a handler goes to what is around.
    let block = format!("  - on_error: continue\n    do:\n      - tag: a\n      - use: keyword\n      - tag: never\n{then_b}");
    assert_eq!(tags("", &block), go(&["a", "b"], true));
    let nested = format!(
        "  - on_error: [{{ tag: outer }}]\n    do:\n      - use: keyword\n        on_error: [{{ tag: in }}, {{ use: keyword }}, {{ tag: never }}]\n{then_b}"
    );
    assert_eq!(tags("", &nested), go(&["in", "outer", "b"], true));
    assert_eq!(tags("on_error: [{ use: keyword }]", "  - use: keyword\n"), go(&[], false));
    // Behind a handled step the chain's other branches are not entered.
    let chain = format!("  - if: true\n    use: keyword\n    on_error: [{{ tag: h }}]\n  - else:\n      - tag: never\n{then_b}");
    assert_eq!(tags("", &chain), go(&["h", "b"], true));
}

#[test]
fn error_is_no_name_behind_its_handler() {
    let workflow = steps("", "  - use: keyword\n    on_error: [{ tag: a }]\n  - use: keyword\n");
    let mut machine = Machine::start(workflow, started(), base());
    let e = Double::default();
    machine.next(&e);
    machine.step_ended(ended(Err(Failure::bug("x", "x")), vec![]));
    machine.next(&e);
    assert!(!machine.names().contains_key("error"));
}

#[test]
fn a_cancelled_run_stays_cancelled() {
    let mut machine = Machine::start(steps("", "  - use: keyword\n"), started(), base());
    machine.next(&Double::default());
    machine.cancel("ann", "test");
    machine.step_ended(ended(Ok(Value::Null), vec![]));
    assert!(!machine.resume(Wake::Timeout, 5));
    assert_eq!(machine.next(&Double::default()), Action::Finished(RunEnd::Cancelled));
    assert_eq!(machine.take_entries().len(), 2);
}

#[test]
fn an_output_that_nothing_reads_is_not_copied() {
    let mut machine = Machine::start(steps("", "  - id: big\n    use: keyword\n"), started(), base());
    machine.next(&Double::default());
    machine.step_ended(ended(Ok(json!("big")), vec![]));
    assert!(!machine.names().contains_key("big"));
}

/// Everything that can happen, in one workflow.
const ALL: &str = "  - id: a\n    use: acme/mood\n  - if: a.label == \"late\"\n    do:\n      - tag: a\n      - if: false\n        tag: never\n      \
    - id: b\n        use: keyword\n        on_error:\n          - tag: ${error.code}\n          - if: true\n            reply: sorry ${contact.name}\n      \
    - on_error: continue\n        do:\n          - reply: ${a.label.x.y}\n          - tag: never\n  - elif: true\n    tag: never\n  - else: stop\n  \
    - if: b?.x == 1\n    tag: never\n  - else:\n      - id: c\n        reply: ${a.label}\n  - id: last\n    script: s.rhai\n  - if: last == 5\n    \
    do:\n      - note: c was ${c?.message}\n      - stop: five\n  - tag: never\n";

fn all_answers(call: &Call) -> Ended {
    match (&*call.path, call.attempt) {
        ("a", 1 | 2) | ("last", 1) => ended(Err(Failure::new(Class::Transient, "x.slow", "x")), vec![]),
        ("a", _) => ended(Ok(json!({"label": "late"})), vec![Effect::Note("n".into())]),
        ("last", _) => ended(Ok(json!(5)), vec![Effect::Tag("s".into())]),
        _ => ended(Err(Failure::bug("x.bad", "x")), vec![]),
    }
}

#[test]
fn replay_after_every_prefix_gives_the_same_continuation() {
    let workflow = steps("", ALL);
    let mut first = Machine::start(Arc::clone(&workflow), started(), base());
    let end = drive(&mut first, &all_answers);
    let whole = first.take_entries();
    assert_eq!(end, RunEnd::Done { result: "five".into(), marked: false });
    assert!(whole.len() > 20, "{:#?}", whole.iter().map(short).collect::<Vec<_>>());
    for cut in 1..=whole.len() {
        // The stored form is what a replay reads.
        let stored = crate::journal::unpack(&crate::journal::pack(&whole[..cut])).unwrap();
        let mut again = Machine::replay(Arc::clone(&workflow), &stored, base()).unwrap();
        assert_eq!(drive(&mut again, &all_answers), end, "cut {cut}");
        let rest = again.take_entries();
        // A cut between a failure and its wait decides anew when to try again; all else is exactly the same.
        let anew = matches!(whole.get(cut), Some(Entry::Waiting { .. }));
        let sorts = |entries: &[Entry]| {
            entries.iter().map(short).map(|s| s.split(" waits").next().unwrap().to_owned()).collect::<Vec<_>>()
        };
        if anew {
            assert_eq!(sorts(&rest), sorts(&whole[cut..]), "cut {cut}");
        } else {
            assert_eq!(rest, whole[cut..], "cut {cut}");
        }
        assert_eq!(again.names().keys().collect::<Vec<_>>(), first.names().keys().collect::<Vec<_>>());
    }
}

#[test]
fn replay_believes_the_journal_and_works_nothing_out() {
    let workflow = steps("", "  - if: contact.name == \"Ann\"\n    tag: a\n  - else:\n      - tag: b\n  - use: keyword\n");
    let mut first = Machine::start(Arc::clone(&workflow), started(), base());
    let e = Double::default();
    first.next(&e);
    let entries = first.take_entries();
    let mut changed = base();
    changed.insert("contact".into(), Marked::outside(json!({"name": "Bea"})));
    let mut again = Machine::replay(workflow, &entries, changed).unwrap();
    let asked = Double::default();
    let Action::Call(call) = again.next(&asked) else { panic!() };
    assert_eq!(&*call.path, "3");
    assert_eq!(asked.evals.load(Ordering::Relaxed), 0);
}

#[test]
fn a_journal_of_another_workflow_is_refused() {
    let entries = |text: &str| {
        let mut machine = Machine::start(steps("", text), started(), base());
        drive(&mut machine, &none);
        machine.take_entries()
    };
    let code = |workflow: &str, entries: &[Entry]| Machine::replay(steps("", workflow), entries, base()).unwrap_err().code;
    let journal = entries("  - tag: a\n  - tag: b\n");
    assert_eq!(code("  - tag: a\n", &journal), "replay.diverged");
    assert_eq!(code("  - tag: a\n  - tag: b\n", &journal[1..]), "replay.diverged");
    let mut skipped = journal.clone();
    skipped.remove(1);
    assert_eq!(code("  - tag: a\n  - tag: b\n", &skipped), "replay.diverged");
}

#[test]
fn inputs_are_worked_out_again_and_told_only_when_they_are_what_they_were() {
    let text = "  - id: mood\n    use: acme/mood\n    with: { text: '${event.text}', tags: '${conversation.tags}' }\n  \
                - if: mood.label == \"bad\"\n    do:\n      - tag: upset\n      - use: keyword\n        with: { saw: '${mood.label}' }\n";
    let mut world = base();
    world.insert("conversation".to_owned(), Marked::outside(json!({ "tags": ["vip"] })));
    let workflow = steps("", text);
    let mut machine = Machine::start(Arc::clone(&workflow), started(), world.clone());
    let used = Usage { ticks: 3, ..Usage::default() };
    drive(&mut machine, &|call| Ended { usage: Some(used), ..mood("bad")(call) });
    let entries = machine.take_entries();
    assert!(matches!(&entries[1], Entry::StepDone { usage: Some(kept), .. } if *kept == used));
    let told = inputs(&workflow, &entries, &world, &Double::default());
    let expected = [None, Some(json!({ "text": "hello", "tags": ["vip"] })), None, Some(json!({ "saw": "bad" })), None];
    assert_eq!(told, expected);
    world.insert("conversation".to_owned(), Marked::outside(json!({ "tags": [] })));
    let told = inputs(&workflow, &entries, &world, &Double::default());
    assert_eq!(told[1], None, "it is not what it was");
    assert_eq!(told[3], Some(json!({ "saw": "bad" })), "this one does not depend on it");
}
