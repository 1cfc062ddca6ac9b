//! A run whose version of a plugin may not run: nothing catches it, and it goes on with another version when a person says so.

use serde_json::json;

use super::scripts::wish;
use super::*;

fn yanked(call: &Call) -> Ended {
    match &call.work {
        Work::Use { digest, .. } if **digest == *"d2" => ended(Err(Failure::new(Class::Denied, YANKED, "taken back")), vec![]),
        Work::Use { digest, .. } => ended(Ok(json!({ "label": &**digest })), vec![]),
        Work::Script { .. } => match call.journal.last() {
            None => {
                let arguments = json!(["acme/mood", {}]);
                Ended { result: Ok(wish(call, "step", arguments)), ..ended(Ok(Value::Null), vec![]) }
            }
            Some(answer) => ended(Ok(answer.value.clone().unwrap_or(json!("caught"))), vec![]),
        },
    }
}

#[test]
fn a_version_that_was_taken_back_is_caught_by_nothing_and_replaced_by_a_person() {
    for (step, gave) in [
        ("  - id: mood\n    use: acme/mood\n    retry: 3\n    on_error: continue\n", "new"),
        ("  - id: mood\n    script: |\n      step(\"acme/mood\", #{})\n    on_error: [{ tag: caught }]\n", "new"),
    ] {
        let workflow = steps("", &format!("{step}  - tag: \"${{mood.label}}\"\n"));
        let mut machine = Machine::start(Arc::clone(&workflow), started(), base());
        let RunEnd::Failed { path, error } = drive(&mut machine, &yanked) else { panic!("{step}") };
        assert_eq!((&*path, &*error.code), ("mood", YANKED), "{step}");
        let mut journal = machine.take_entries();
        assert_eq!(effects(&journal).count(), 0, "{step}");

        // Tried again without another version, it stands where it stood.
        let mut machine = Machine::replay(Arc::clone(&workflow), &journal, base()).unwrap();
        assert!(machine.retry("ann", 5_000));
        assert!(matches!(drive(&mut machine, &yanked), RunEnd::Failed { .. }));

        journal.push(Entry::Replaced { plugin: "acme/mood".into(), digest: "new".into(), by: "ann".into() });
        let mut machine = Machine::replay(Arc::clone(&workflow), &journal, base()).unwrap();
        assert!(machine.retry("ann", 5_000));
        assert!(matches!(drive(&mut machine, &yanked), RunEnd::Done { .. }), "{step}");
        let more = machine.take_entries();
        let said: Vec<_> = effects(&more).map(effect).collect();
        assert_eq!(said.len(), 1, "{said:?}");
        assert!(said[0].starts_with(&format!("2/0 tag {gave}")), "{said:?}");
        // And it is pinned for good.
        journal.extend(more);
        assert!(Machine::replay(Arc::clone(&workflow), &journal, base()).is_ok());
    }
}

#[test]
fn a_wait_that_a_person_hurries_ends_as_its_time_would_end_it() {
    for (step, gave) in
        [("wait: 3d", "false"), ("wait: { for: message, timeout: 3d }", "true"), ("ask: { text: Which?, timeout: 3d }", "true")]
    {
        let workflow = steps("", &format!("  - id: w\n    {step}\n  - tag: \"${{w.timed_out}}\"\n"));
        let mut machine = Machine::start(workflow, started(), base());
        assert!(matches!(machine.next(&Double::default()), Action::Finished(RunEnd::Waiting { .. })), "{step}");
        machine.take_entries();
        assert!(machine.resume(Wake::Hurried { by: "ann".into() }, 2_000));
        assert!(matches!(drive(&mut machine, &none), RunEnd::Done { .. }));
        let entries = machine.take_entries();
        assert!(matches!(&entries[0], Entry::Resumed { by, at: 2_000, .. } if by == "ann"), "{entries:?}");
        assert!(effects(&entries).any(|d| effect(d).contains(&format!("tag {gave}"))), "{step}: {entries:?}");
    }
}
