//! `each`: items, paths, outputs, errors, waits inside, and the way back through a journal.

use serde_json::json;

use super::*;

const LIST: &str = "vars: { list: [a, b, c], none: [], word: x, many: [1, 2, 3, 4] }";

fn each(rest: &str) -> String {
    format!("  - id: items\n    each:\n      in: ${{vars.list}}\n{rest}  - reply: ${{items}}\n")
}

#[test]
fn every_item_has_its_turn_and_its_path() {
    let text = each(
        "      as: line\n      do:\n        - id: send\n          reply: Hi ${line}\n        - if: line == \"b\"\n          tag: ${send.message.text}\n",
    );
    let (journal, effects, end) = run(LIST, &text, &none);
    assert_eq!(
        effects[..4],
        ["items[0].send/0 reply Hi a", "items[1].send/0 reply Hi b", "items[1].2/0 tag Hi b", "items[2].send/0 reply Hi c"]
    );
    assert!(effects[4].starts_with("2/0 reply [{"), "{}", effects[4]);
    assert!(effects[4].contains("Hi a") && effects[4].contains("Hi c"));
    assert!(journal.contains(&"items+1".to_owned()) && matches!(end, RunEnd::Done { .. }));
}

#[test]
fn outputs_are_the_last_ones_and_lists_may_be_empty_or_too_long() {
    let text = each(
        "      do:\n        - if: item == \"b\"\n          id: one\n          use: keyword\n          with: { saw: '${item}' }\n",
    );
    let (_, effects, _) = run(LIST, &text, &|call| ended(Ok(json!({ "at": &*call.path })), vec![Effect::Tag("t".into())]));
    assert_eq!(effects, ["items[1].one/0 tag t", "2/0 reply [null,{\"at\":\"items[1].one\"},null]"]);
    let empty = text.replace("vars.list", "vars.none");
    assert_eq!(run(LIST, &empty, &none).1, ["2/0 reply []"]);
    for (text, code) in [
        (text.replace("vars.list", "vars.word"), "each.no_list"),
        (text.replace("${vars.list}", "${vars.many}\n      max: 3"), "each.too_many"),
    ] {
        let (journal, _, end) = run(LIST, &text, &none);
        assert!(matches!(&end, RunEnd::Failed { path, error } if &**path == "items" && error.code == code), "{end:?}");
        assert_eq!(journal.last().unwrap(), &format!("items-1 {code}"));
    }
}

#[test]
fn what_a_step_gave_for_one_item_is_gone_for_the_next() {
    let text = each(
        "      do:\n        - if: item == \"a\"\n          id: one\n          reply: x\n        - if: one != ()\n          tag: ${item}\n",
    );
    let (_, effects, _) = run(LIST, &text, &none);
    assert_eq!(effects[..2], ["items[0].one/0 reply x", "items[0].2/0 tag a"]);
    assert_eq!(effects.len(), 3);
    let mut machine = Machine::start(steps(LIST, &text), started(), base());
    drive(&mut machine, &none);
    assert!(!machine.names().contains_key("item"));
}

#[test]
fn errors_stay_in_the_item_or_leave_the_list() {
    let bad = |call: &Call| match &*call.path {
        "items[1].one" => ended(Err(Failure::bug("x.bad", "x")), vec![]),
        _ => ended(Ok(json!("ok")), vec![Effect::Tag("t".into())]),
    };
    let body = "      do:\n        - id: one\n          use: keyword\n";
    let inside = each(&format!("{body}          on_error: [{{ reply: '${{error.step}} of ${{item}}' }}]\n"));
    let (_, effects, _) = run(LIST, &inside, &bad);
    assert_eq!(effects[1], "items[1].one.on_error.1/0 reply items[1].one of b!");
    assert_eq!(effects[2], "items[2].one/0 tag t");
    let outside = format!(
        "  - id: items\n    on_error: [{{ reply: left }}]\n    each:\n      in: ${{vars.list}}\n{body}  - tag: ${{now}}\n"
    );
    let (_, effects, end) = run(LIST, &outside, &bad);
    assert_eq!(effects, ["items[0].one/0 tag t", "items.on_error.1/0 reply left", "2/0 tag 1000"]);
    assert!(matches!(end, RunEnd::Done { .. }));
    // A run that failed within goes on at that item.
    let workflow = steps(LIST, &each(body));
    let mut machine = Machine::start(Arc::clone(&workflow), started(), base());
    assert!(matches!(drive(&mut machine, &bad), RunEnd::Failed { path, .. } if &*path == "items[1].one"));
    let journal = machine.take_entries();
    let mut machine = Machine::replay(workflow, &journal, base()).unwrap();
    assert!(machine.retry("operator", 5_000));
    drive(&mut machine, &|_| ended(Ok(json!("mended")), vec![]));
    let entries = machine.take_entries();
    assert_eq!(effects_of(&entries), ["2/0 reply [\"ok\",\"mended\",\"mended\"]"]);
}

fn effects_of(entries: &[Entry]) -> Vec<String> {
    effects(entries).map(effect).collect()
}

#[test]
fn stop_and_waits_inside() {
    let (_, effects, end) =
        run(LIST, &each("      do:\n        - if: item == \"b\"\n          stop: enough\n        - tag: ${item}\n"), &none);
    assert_eq!(effects, ["items[0].2/0 tag a"]);
    assert_eq!(end, RunEnd::Done { result: "enough".into(), marked: false });

    let text = each(
        "      do:\n        - id: one\n          ask: What of ${item}?\n        - if: one.text == \"skip\"\n          tag: skipped\n",
    );
    let workflow = steps(LIST, &text);
    let mut journal = Vec::new();
    let mut machine = Machine::start(Arc::clone(&workflow), started(), base());
    for (n, said) in ["x", "skip", "z"].into_iter().enumerate() {
        let Action::Finished(RunEnd::Waiting { path, .. }) = machine.next(&Double::default()) else { panic!() };
        assert_eq!(*path, format!("items[{n}].one"));
        journal.extend(machine.take_entries());
        machine = Machine::replay(Arc::clone(&workflow), &journal, base()).unwrap();
        assert!(machine.resume(Wake::Answer { event: json!(n), text: Some(said.into()), payload: None, id: "1".into() }, 2_000));
    }
    assert!(matches!(machine.next(&Double::default()), Action::Finished(RunEnd::Done { .. })));
    journal.extend(machine.take_entries());
    let said = effects_of(&journal);
    assert_eq!(
        said[..4],
        [
            "items[0].one/0 reply What of a?",
            "items[1].one/0 reply What of b?",
            "items[1].2/0 tag skipped",
            "items[2].one/0 reply What of c?"
        ]
    );
    // The last output of the second item is that of the tag.
    assert!(
        said[4].contains("\"x\"") && said[4].contains("null") && said[4].contains("\"z\"") && !said[4].contains("\"skip\""),
        "{}",
        said[4]
    );
}
