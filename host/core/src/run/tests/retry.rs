//! A run that failed goes on at the step at which it failed, and a journal brings it back to the same place.

use serde_json::json;

use super::*;

/// Two steps, the second of which fails until `mended`; gives the machine at its end, and how often the first was called.
fn broken(text: &str, mended: &std::cell::Cell<bool>, first: &std::cell::Cell<u32>) -> (Arc<Workflow>, Vec<Entry>) {
    let workflow = steps("", text);
    let mut machine = Machine::start(Arc::clone(&workflow), started(), base());
    let end = drive(&mut machine, &|call| answer(call, mended, first));
    assert!(matches!(end, RunEnd::Failed { .. }), "{end:?}");
    (workflow, machine.take_entries())
}

fn answer(call: &Call, mended: &std::cell::Cell<bool>, first: &std::cell::Cell<u32>) -> Ended {
    match &*call.path {
        "one" => {
            first.set(first.get() + 1);
            ended(Ok(json!({ "label": "kept" })), vec![Effect::Tag("once".into())])
        }
        _ if mended.get() => ended(Ok(json!({ "label": format!("attempt {}", call.attempt) })), vec![]),
        _ => ended(Err(Failure::new(Class::Transient, "x.broken", "x")), vec![]),
    }
}

const TEXT: &str = "  - id: one\n    use: acme/mood\n  - id: two\n    use: acme/mood\n    retry: 1\n    if: true\n  \
                    - tag: ${one.label}\n  - tag: ${two.label}\n";

#[test]
fn it_goes_on_at_its_failed_step_and_does_nothing_twice() {
    let (mended, first) = (std::cell::Cell::new(false), std::cell::Cell::new(0));
    let (workflow, mut journal) = broken(TEXT, &mended, &first);
    assert_eq!(
        journal.iter().map(short).collect::<Vec<_>>(),
        ["started", "one+1", "two-1 x.broken", "two waits 2250", "two resumed", "two-2 x.broken"]
    );
    // Once more while it is still broken: all attempts are made anew, and it fails again.
    let mut machine = Machine::replay(Arc::clone(&workflow), &journal, base()).unwrap();
    assert!(machine.retry("operator", 9_000));
    assert!(matches!(drive(&mut machine, &|call| answer(call, &mended, &first)), RunEnd::Failed { .. }));
    let more = machine.take_entries();
    assert_eq!(
        more.iter().map(short).collect::<Vec<_>>(),
        ["two resumed", "two-1 x.broken", "two waits 2250", "two resumed", "two-2 x.broken"]
    );
    assert!(matches!(&more[0], Entry::Resumed { by, at: 9_000, .. } if by == "operator"));
    journal.extend(more);

    mended.set(true);
    let mut machine = Machine::replay(Arc::clone(&workflow), &journal, base()).unwrap();
    assert!(machine.retry("operator", 10_000));
    assert!(matches!(drive(&mut machine, &|call| answer(call, &mended, &first)), RunEnd::Done { .. }));
    let more = machine.take_entries();
    assert_eq!(more.iter().map(short).collect::<Vec<_>>(), ["two resumed", "two+1", "3+1", "4+1", "finished null"]);
    assert_eq!(effects(&more).map(effect).collect::<Vec<_>>(), ["3/0 tag kept", "4/0 tag attempt 1"]);
    assert_eq!(first.get(), 1, "the step before was not called again");

    // The whole journal brings back the end, and its every beginning a place from which it ends the same.
    journal.extend(more);
    let machine = Machine::replay(Arc::clone(&workflow), &journal, base()).unwrap();
    assert!(matches!(machine.state, State::Ended(RunEnd::Done { .. })));
    let resumed = journal.iter().rposition(|e| matches!(e, Entry::Resumed { .. })).unwrap();
    let mut machine = Machine::replay(workflow, &journal[..=resumed], base()).unwrap();
    assert!(matches!(drive(&mut machine, &|call| answer(call, &mended, &first)), RunEnd::Done { .. }));
    assert_eq!(machine.take_entries(), journal[resumed + 1..]);
}

#[test]
fn its_guard_is_worked_out_again() {
    let workflow = steps("", "  - if: event.text\n    tag: never\n  - tag: b\n");
    let mut machine = Machine::start(Arc::clone(&workflow), started(), base());
    assert!(matches!(drive(&mut machine, &none), RunEnd::Failed { .. }));
    let journal = machine.take_entries();
    let mut world = base();
    world.insert("event".to_owned(), Marked::own(json!({ "text": false })));
    let mut machine = Machine::replay(workflow, &journal, world).unwrap();
    assert!(machine.retry("operator", 2_000));
    assert!(matches!(drive(&mut machine, &none), RunEnd::Done { .. }));
    assert_eq!(machine.take_entries().iter().map(short).collect::<Vec<_>>(), ["1 resumed", "2+1", "finished null"]);
}

#[test]
fn a_run_that_ended_well_or_was_cancelled_does_not_go_on() {
    let mut machine = Machine::start(steps("", "  - tag: a\n"), started(), base());
    assert!(matches!(drive(&mut machine, &none), RunEnd::Done { .. }));
    assert!(!machine.retry("operator", 2_000));
    let mut machine = Machine::start(steps("", "  - use: keyword\n"), started(), base());
    machine.cancel("ann", "test");
    assert!(!machine.retry("operator", 2_000));
    assert_eq!(machine.next(&Double::default()), Action::Finished(RunEnd::Cancelled));
}
