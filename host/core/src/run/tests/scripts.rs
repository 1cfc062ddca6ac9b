//! Steps of the sandbox that suspend: what is taken of each leg, what they are told on the next, and steps that a script calls.
//! A fake interpreter stands in for the sandbox; the real one is tested where it lives.

use serde_json::json;

use super::*;
use crate::journal::Read;
use crate::ports::{Answered, Refusal};

pub(super) fn wish(call: &Call, name: &str, arguments: Value) -> Outcome {
    let consumed = u32::try_from(call.journal.len()).unwrap();
    Outcome::Suspended { name: name.into(), fingerprint: format!("f:{name}:{arguments}"), arguments, consumed }
}

fn suspended(call: &Call, name: &str, arguments: Value, effects: Vec<Effect>, reads: Vec<Read>) -> Ended {
    Ended { result: Ok(wish(call, name, arguments)), reads, saw_outside: true, ..ended(Ok(Value::Null), effects) }
}

fn tag(word: &str) -> Effect {
    Effect::Tag(word.into())
}

fn read(call: &str) -> Read {
    Read { call: call.into(), answer: Ok(json!([1])) }
}

/// A script that tags, reads, asks, tags, sleeps, and ends.
fn shop(call: &Call) -> Ended {
    match call.journal.len() {
        0 => suspended(
            call,
            "ask",
            json!(["Size?", { "expect": "number", "again": "A number!" }]),
            vec![tag("a")],
            vec![read("r1")],
        ),
        1 => suspended(call, "sleep", json!(["1d"]), vec![tag("b"), tag("c")], vec![]),
        _ => ended(Ok(json!(call.journal.iter().map(|a| a.value.clone().ok()).collect::<Vec<_>>())), vec![tag("d")]),
    }
}

fn answer(text: &str) -> Wake {
    Wake::Answer { event: json!({ "text": text }), text: Some(text.into()), payload: None, id: "8".into() }
}

#[test]
fn a_script_is_called_again_with_all_that_it_did_and_heard() {
    let workflow = steps("", "  - id: s\n    script: |\n      let x = contact.name;\n      let y = 1;\n  - reply: ${s}\n");
    let mut machine = Machine::start(Arc::clone(&workflow), started(), base());
    let e = Double::default();
    let Action::Call(first) = machine.next(&e) else { panic!() };
    assert!(first.journal.is_empty() && first.taken.is_empty() && first.reads.is_empty());
    machine.step_ended(shop(&first));
    let Action::Finished(RunEnd::Waiting { path, kind, key, until }) = machine.next(&e) else { panic!() };
    assert_eq!((&*path, &*kind, key.as_str(), until), ("s", ASK, "ask:s.calls[0]#0", Some(1_000 + 86_400_000)));
    let mut journal = machine.take_entries();
    assert_eq!(effects(&journal).map(effect).collect::<Vec<_>>(), ["s/0 tag a!", "s.calls[0]/0 reply Size?!"]);

    // The contact has another name by now: the step has its old input all the same.
    let mut later = base();
    later.insert("contact".into(), Marked::outside(json!({ "name": "Bea" })));
    machine = Machine::replay(Arc::clone(&workflow), &journal, later.clone()).unwrap();
    assert!(machine.resume(answer("large"), 2_000));
    let Action::Finished(RunEnd::Waiting { key, .. }) = machine.next(&e) else { panic!() };
    assert_eq!(key, "ask:s.calls[0]#1");
    let entries = machine.take_entries();
    assert_eq!(effects(&entries).map(effect).collect::<Vec<_>>(), ["s.calls[0]/1 reply A number!!"]);
    journal.extend(entries);

    machine = Machine::replay(Arc::clone(&workflow), &journal, later.clone()).unwrap();
    assert!(machine.resume(answer("5"), 3_000));
    let Action::Call(second) = machine.next(&e) else { panic!() };
    assert_eq!((second.work.clone(), second.at, second.seed), (first.work.clone(), first.at, first.seed));
    assert_eq!((&second.taken, &second.reads), (&vec![tag("a").fingerprint()], &vec![read("r1")]));
    let [Answered { name, fingerprint, value: Ok(value), at: 3_000 }] = &second.journal[..] else { panic!() };
    assert_eq!((name.as_str(), value["value"].as_i64()), ("ask", Some(5)));
    assert!(fingerprint.starts_with("f:ask:"));
    machine.step_ended(shop(&second));
    let Action::Finished(RunEnd::Waiting { kind, until, .. }) = machine.next(&e) else { panic!() };
    assert_eq!((&*kind, until), (SLEEP, Some(3_000 + 86_400_000)));
    let entries = machine.take_entries();
    assert_eq!(effects(&entries).map(effect).collect::<Vec<_>>(), ["s/1 tag b!", "s/2 tag c!"]);
    assert!(!entries.iter().any(|e| matches!(e, Entry::Leg { input: Some(_), .. })), "the input is kept once");
    journal.extend(entries);

    machine = Machine::replay(workflow, &journal, later).unwrap();
    assert!(machine.resume(Wake::Timeout, 90_000_000));
    let Action::Call(third) = machine.next(&e) else { panic!() };
    assert_eq!(third.taken.len(), 3);
    assert_eq!((third.journal.len(), &third.journal[1].value, third.journal[1].at), (2, &Ok(Value::Null), 90_000_000));
    machine.step_ended(shop(&third));
    machine.next(&e);
    let entries = machine.take_entries();
    assert_eq!(effects(&entries).map(effect).next().unwrap(), "s/3 tag d!");
    journal.extend(entries);
    let told = inputs(machine.workflow(), &journal, &base(), &e);
    assert!(told.iter().flatten().any(|input| input == &json!({ "contact": { "name": "Ann" } })), "{told:?}");
}

#[test]
fn a_script_calls_pinned_steps_at_once() {
    let workflow = steps("", "  - script: |\n      step(\"keyword\", #{});\n      1\n");
    let mut machine = Machine::start(Arc::clone(&workflow), started(), base());
    let e = Double::default();
    let step = |call: &Call, plugin: &str| suspended(call, "step", json!([plugin, { "n": 1 }]), vec![tag("own")], vec![]);
    let Action::Call(first) = machine.next(&e) else { panic!() };
    machine.step_ended(step(&first, "keyword"));
    let Action::Call(inner) = machine.next(&e) else { panic!() };
    let work = Work::Use { plugin: "pointsman/keyword".into(), digest: "d1".into(), input: json!({ "n": 1 }) };
    assert_eq!((&*inner.path, &inner.work, inner.marked), ("1.calls[0]", &work, true));
    assert_eq!(machine.next(&e), Action::Call(inner.clone()), "asking twice gives the same call");
    machine.step_ended(ended(Ok(json!("found")), vec![tag("inner")]));
    let Action::Call(second) = machine.next(&e) else { panic!() };
    assert_eq!((second.journal[0].value.clone(), second.journal[0].at), (Ok(json!("found")), 1_000));
    assert_eq!(second.taken, [tag("own").fingerprint()]);
    // One that fails for a moment has the script tried again; one that waits, and one that is not there, are told to it.
    machine.step_ended(step(&second, "keyword"));
    machine.next(&e);
    machine.step_ended(ended(Err(Failure::new(Class::Transient, "x.slow", "x")), vec![]));
    let Action::Finished(RunEnd::Waiting { kind, path, .. }) = machine.next(&e) else { panic!() };
    assert_eq!((&*kind, &*path), (RETRY, "1"));
    let mut journal = machine.take_entries();
    let mut machine = Machine::replay(Arc::clone(&workflow), &journal, base()).unwrap();
    assert!(machine.resume(Wake::Timeout, 5_000));
    let Action::Call(third) = machine.next(&e) else { panic!() };
    assert_eq!((third.attempt, third.journal.len(), third.taken.len()), (2, 1, 2));
    machine.step_ended(suspended(&third, "step", json!(["keyword"]), vec![], vec![]));
    let Action::Call(inner) = machine.next(&e) else { panic!() };
    machine.step_ended(suspended(&inner, "ask", json!(["?"]), vec![], vec![]));
    let Action::Call(fourth) = machine.next(&e) else { panic!() };
    assert_eq!(fourth.journal[1].value.clone().unwrap_err().code, "step.waits");
    machine.step_ended(step(&fourth, "nope"));
    let Action::Call(fifth) = machine.next(&e) else { panic!() };
    assert_eq!(fifth.journal[2].value.clone().unwrap_err().code, "plugin.not_pinned");
    machine.step_ended(suspended(&fifth, "sleep", json!(["soon"]), vec![], vec![]));
    let Action::Call(sixth) = machine.next(&e) else { panic!() };
    assert_eq!((sixth.journal[3].value.clone().unwrap_err().code.as_str(), sixth.attempt), ("script.arguments", 1));
    machine.step_ended(ended(Ok(json!(1)), vec![tag("last")]));
    machine.next(&e);
    journal.extend(machine.take_entries());
    let said: Vec<String> = effects(&journal).map(effect).collect();
    assert_eq!(said, ["1/0 tag own!", "1.calls[0]/0 tag inner!", "1/1 tag own!", "1/2 tag own!", "1/3 tag last!"]);
    for cut in 1..=journal.len() {
        Machine::replay(Arc::clone(&workflow), &journal[..cut], base()).unwrap();
    }
}

#[test]
fn a_step_that_does_not_do_the_same_parks_whatever_its_handler_says() {
    let workflow = steps("", "  - script: s.rhai\n    on_error: continue\n  - tag: never\n");
    for wrong in ["consumed", "told"] {
        let mut machine = Machine::start(Arc::clone(&workflow), started(), base());
        let Action::Call(call) = machine.next(&Double::default()) else { panic!() };
        let end = match wrong {
            "told" => ended(Err(Failure::bug("replay.diverged", "x")), vec![]),
            _ => {
                let arguments = json!(["?"]);
                let wish = Outcome::Suspended { name: "ask".into(), arguments, fingerprint: "f".into(), consumed: 3 };
                Ended { result: Ok(wish), ..ended(Ok(Value::Null), vec![tag("no")]) }
            }
        };
        machine.step_ended(end);
        let Action::Finished(RunEnd::Failed { error, .. }) = machine.next(&Double::default()) else { panic!("{wrong} {call:?}") };
        assert_eq!(error.code, "replay.diverged");
        assert_eq!(effects(machine.entries()).count(), 0);
    }
}

#[test]
fn a_failure_behind_a_wait_repeats_nothing_that_was_taken() {
    let workflow = steps("", "  - script: s.rhai\n    if: event.text == \"hello\"\n    retry: 0\n");
    let mut machine = Machine::start(Arc::clone(&workflow), started(), base());
    let e = Double::default();
    let Action::Call(call) = machine.next(&e) else { panic!() };
    machine.step_ended(suspended(&call, "ask", json!(["?"]), vec![tag("once")], vec![]));
    machine.next(&e);
    assert!(machine.resume(answer("yes"), 2_000));
    machine.next(&e);
    machine.step_ended(ended(Err(Failure::new(Class::Transient, "x", "x")), vec![tag("no")]));
    assert!(matches!(machine.next(&e), Action::Finished(RunEnd::Failed { .. })));
    let journal = machine.take_entries();
    let mut world = base();
    world.insert("event".into(), Marked::own(json!({ "text": "changed" })));
    let mut machine = Machine::replay(workflow, &journal, world).unwrap();
    assert!(machine.retry("operator", 3_000));
    let Action::Call(again) = machine.next(&e) else { panic!("its guard let it in already") };
    assert_eq!((again.journal.len(), again.taken.len()), (1, 1));
    assert_eq!(again.journal[0].value.clone().unwrap()["text"], "yes");
    machine.step_ended(ended(Ok(Value::Null), vec![tag("then")]));
    machine.next(&e);
    let entries = machine.take_entries();
    assert_eq!(effects(&entries).map(effect).collect::<Vec<_>>(), ["1/1 tag then!"]);
}

#[test]
fn calls_without_end_end_and_refusals_are_kept() {
    let mut machine = Machine::start(steps("", "  - script: 'step(\"keyword\")'\n"), started(), base());
    let e = Double::default();
    let refused = Read { call: "r".into(), answer: Err(Refusal::Unavailable("x".into())) };
    let mut calls = 0;
    let error = loop {
        match machine.next(&e) {
            Action::Call(call) if matches!(call.work, Work::Script { .. }) => {
                calls += 1;
                machine.step_ended(suspended(&call, "step", json!(["keyword"]), vec![], vec![refused.clone()]));
            }
            Action::Call(_) => machine.step_ended(ended(Ok(Value::Null), vec![])),
            Action::Begin(begin) => panic!("{begin:?}"),
            Action::Finished(RunEnd::Failed { error, .. }) => break error,
            other => panic!("{other:?}"),
        }
    };
    assert_eq!((error.code.as_str(), calls), ("limit.calls", 257));
    let entries = machine.take_entries();
    assert_eq!(crate::journal::unpack(&crate::journal::pack(&entries)).unwrap(), entries);
}
