//! Verbs that wait: what they say, what wakes them, what they give, and that a run which was rebuilt in between does the same.

use serde_json::json;

use super::*;
use crate::event::Message;

/// A run that is thrown away and rebuilt from its journal whenever it waits.
struct Talk {
    workflow: Arc<Workflow>,
    journal: Vec<Entry>,
    machine: Machine,
    at: Instant,
}

impl Talk {
    fn new(text: &str) -> Self {
        Self::with("", text)
    }

    fn with(head: &str, text: &str) -> Self {
        let workflow = steps(head, text);
        let machine = Machine::start(Arc::clone(&workflow), started(), base());
        Self { workflow, journal: Vec::new(), machine, at: 1_000 }
    }

    /// To the end of the leg; what was said in it.
    fn leg(&mut self) -> Vec<String> {
        loop {
            match self.machine.next(&Double::default()) {
                Action::Call(call) => self.machine.step_ended(ended(Ok(json!({"label": &*call.path})), vec![])),
                Action::Begin(begin) => panic!("{begin:?}"),
                Action::Finished(_) => break,
            }
        }
        let entries = self.machine.take_entries();
        let said = effects(&entries).map(effect).collect();
        self.journal.extend(entries);
        let stored = crate::journal::unpack(&crate::journal::pack(&self.journal)).unwrap();
        assert_eq!(stored, self.journal);
        let again = Machine::replay(Arc::clone(&self.workflow), &stored, base()).unwrap();
        assert_eq!(again.waits(), self.machine.waits());
        self.machine = again;
        said
    }

    fn wake(&mut self, wake: Wake) -> Vec<String> {
        self.at += 1_000;
        assert!(self.machine.resume(wake, self.at));
        self.leg()
    }

    fn say(&mut self, text: &str) -> Vec<String> {
        self.wake(answer(text, None))
    }

    fn end(&mut self) -> RunEnd {
        let Action::Finished(end) = self.machine.next(&Double::default()) else { panic!() };
        end
    }
}

fn answer(text: &str, payload: Option<&str>) -> Wake {
    let event = json!({ "kind": "message", "text": text });
    Wake::Answer { event, text: Some(text.into()), payload: payload.map(str::to_owned), id: "77".into() }
}

#[test]
fn a_question_is_said_once_and_its_answer_is_the_output() {
    let mut talk = Talk::new("  - id: size\n    ask: Which size, ${contact.name}?\n  - reply: \"${size.text} at ${now}\"\n");
    assert_eq!(talk.leg(), ["size/0 reply Which size, Ann?!"]);
    let wait = talk.machine.waits().unwrap();
    assert_eq!((&*wait.path, &*wait.kind, wait.until), ("size", ASK, Some(1_000 + 86_400_000)));
    assert_eq!((wait.filter, wait.message, wait.marked), (Some(Filter::talk()), Some(Message::text("Which size, Ann?")), true));
    let RunEnd::Waiting { path, kind, key, until } = talk.end() else { panic!() };
    assert_eq!((&*path, &*kind, key, until), ("size", ASK, wait.key, wait.until));
    let approved = Wake::Approved { approved: true, text: None, by: "ann".into() };
    assert!(!talk.machine.resume(approved, 5) && talk.machine.entries().is_empty(), "that is none for a question");
    assert!(!talk.machine.retry("ann", 5), "nor is a retry");
    assert_eq!(talk.say("42"), ["2/0 reply 42 at 2000!"]);
    assert!(matches!(talk.end(), RunEnd::Done { .. }));
    assert!(talk.machine.waits().is_none() && !talk.machine.resume(Wake::Timeout, 9));
    let output = talk.journal.iter().find_map(|e| match e {
        Entry::StepDone { path, output, marked, .. } if path == "size" => Some((output, *marked)),
        _ => None,
    });
    let event = json!({ "kind": "message", "text": "42" });
    let wanted = json!({ "text": "42", "value": "42", "payload": null, "event": event, "timed_out": false });
    assert_eq!(output, Some((&wanted, true)));
    assert!(talk.journal.iter().any(|e| matches!(e, Entry::Resumed { by, at: 2_000, .. } if by == "77")));
}

#[test]
fn an_answer_that_does_not_fit_is_asked_for_again_and_then_an_error() {
    let text = "  - id: n\n    ask: { text: How many?, expect: number, again: A number please, timeout: 2h }\n    \
                on_error:\n      - reply: ${error.code} of ${error.step}\n  - if: n?.value == 3\n    tag: three\n";
    let mut talk = Talk::new(text);
    assert_eq!(talk.leg(), ["n/0 reply How many?"]);
    let (first, until) = (talk.machine.waits().unwrap(), talk.machine.waits().unwrap().until);
    assert_eq!(talk.say("many"), ["n/1 reply A number please"]);
    let second = talk.machine.waits().unwrap();
    assert!(second.key != first.key && second.until == until, "the time runs on");
    assert_eq!(talk.say("three"), ["n/2 reply A number please"]);
    assert_eq!(talk.say(" 3 "), ["2/0 tag three"]);
    let mut talk = Talk::new(text);
    talk.leg();
    for n in 1..=3 {
        assert_eq!(talk.say("many"), [format!("n/{n} reply A number please")]);
    }
    assert_eq!(talk.say("many"), ["n.on_error.1/0 reply ask.not_understood of n!"]);
    assert!(matches!(talk.end(), RunEnd::Done { .. }));
    // Without `again` the question is said again, buttons and all; and a person may have it asked anew.
    let mut talk = Talk::new("  - ask: { text: Which?, buttons: [S, { title: Large, payload: l }] }\n");
    talk.leg();
    for _ in 0..3 {
        assert!(talk.say("?")[0].ends_with("reply Which?"));
    }
    assert!(talk.say("?").is_empty());
    assert!(matches!(talk.end(), RunEnd::Failed { error, .. } if error.code == "ask.not_understood"));
    assert!(talk.machine.retry("operator", 9_000));
    assert_eq!(talk.leg(), ["1/4 reply Which?"], "under a number of its own");
    assert!(talk.wake(answer("Large", Some("l"))).is_empty());
    assert!(matches!(talk.end(), RunEnd::Done { .. }));
}

#[test]
fn a_question_that_nobody_answers_times_out() {
    let mut talk = Talk::new("  - id: a\n    ask: Well?\n  - if: a.timed_out\n    reply: late\n");
    talk.leg();
    assert_eq!(talk.wake(Wake::Timeout), ["2/0 reply late"]);
}

#[test]
fn buttons_of_an_expression_are_what_is_expected() {
    let mut talk = Talk::with(
        "vars: { sizes: [S, M], none: [] }",
        "  - id: a\n    ask: { text: Which?, buttons: '${vars.sizes}' }\n  - tag: ${a.text}\n  - id: b\n    \
         ask: { text: And?, expect: { one_of: '${vars.sizes}' } }\n  - tag: ${b.value}\n  \
         - ask: { text: And?, expect: { one_of: '${vars.none}' } }\n",
    );
    talk.leg();
    assert!(talk.say("XL")[0].contains("Which?"));
    assert_eq!(talk.say("m"), ["2/0 tag M!", "b/0 reply And?"]);
    assert_eq!(talk.say("s"), ["4/0 tag S!"]);
    assert!(matches!(talk.end(), RunEnd::Failed { error, .. } if error.code == "ask.one_of"));
}

#[test]
fn waits_for_time_and_for_events() {
    let mut talk = Talk::with(
        "vars: { delay: 2h }",
        "  - wait: 90s\n  - reply: ${now}\n  - wait: ${vars.delay}\n  - wait: { until: 5 }\n  - id: w\n    \
         wait: { for: order, timeout: 1h }\n  - if: w.timed_out\n    tag: none\n  - else:\n      - reply: ${w.event.text}\n",
    );
    assert!(talk.leg().is_empty());
    let wait = talk.machine.waits().unwrap();
    assert_eq!((&*wait.kind, wait.until, wait.filter), (WAIT, Some(91_000), None));
    assert!(!talk.machine.resume(answer("x", None), 5), "no event ends it");
    assert_eq!(talk.wake(Wake::Timeout), ["2/0 reply 2000"]);
    assert_eq!(talk.machine.waits().unwrap().until, Some(2_000 + 7_200_000));
    assert!(talk.wake(Wake::Timeout).is_empty(), "a moment that is past is not waited for");
    let wait = talk.machine.waits().unwrap();
    assert_eq!((&*wait.path, wait.until, wait.filter.unwrap().any.len()), ("w", Some(3_000 + 3_600_000), 1));
    assert_eq!(talk.say("two of them"), ["7.else.1/0 reply two of them!"]);
    for (step, code) in [
        ("wait: ${event.text}", "wait.length"),
        ("wait: { until: '${event.text}' }", "wait.moment"),
        ("wait: { until: 99999999999999 }", "wait.too_long"),
        ("draft: ${event.nothing}", "approve.empty"),
    ] {
        let mut talk = Talk::new(&format!("  - {step}\n"));
        talk.leg();
        assert!(matches!(talk.end(), RunEnd::Failed { error, .. } if error.code == code), "{step}");
    }
}

#[test]
fn what_a_plugin_drafts_waits_for_a_person_and_its_step_ends_as_it_did() {
    let text = "  - id: m\n    use: acme/mood\n  - reply: ${m.label}\n";
    let drafting = |_: &Call| {
        let effects = vec![Effect::Tag("sad".into()), Effect::Draft(Message::text("Sorry, Ann")), Effect::Note("n".into())];
        let usage = Some(Usage { ticks: 3, ..Usage::default() });
        Ended { usage, ..ended(Ok(json!({"label": "bad"})), effects) }
    };
    let approved = |approved| Wake::Approved { approved, text: None, by: "agent/bo".into() };
    for (wake, said) in [
        (approved(true), vec!["m/2 reply Sorry, Ann", "2/0 reply bad"]),
        (approved(false), vec!["2/0 reply bad"]),
        (Wake::Timeout, vec!["2/0 reply bad"]),
    ] {
        let workflow = steps("", text);
        let mut machine = Machine::start(Arc::clone(&workflow), started(), base());
        let Action::Call(call) = machine.next(&Double::default()) else { panic!("a call") };
        machine.step_ended(drafting(&call));
        assert!(matches!(machine.next(&Double::default()), Action::Finished(RunEnd::Waiting { .. })));
        let entries = machine.take_entries();
        assert_eq!(effects(&entries).map(effect).collect::<Vec<_>>(), ["m/0 tag sad", "m/1 note n"], "the rest is done at once");
        // Another process takes it up from the journal.
        let entries: Vec<Entry> = serde_json::from_value(serde_json::to_value(&entries).unwrap()).unwrap();
        let mut machine = Machine::replay(workflow, &entries, base()).unwrap();
        let wait = machine.waits().unwrap();
        assert_eq!((&*wait.kind, wait.message.and_then(|m| m.text).as_deref()), (APPROVE, Some("Sorry, Ann")));
        assert!(machine.resume(wake, 9_000));
        assert_eq!(drive(&mut machine, &none), RunEnd::Done { result: Value::Null, marked: false });
        let entries = machine.take_entries();
        assert_eq!(effects(&entries).map(effect).collect::<Vec<_>>(), said);
        let used = entries.iter().find_map(|e| if let Entry::StepDone { usage, .. } = e { *usage } else { None });
        assert_eq!(used.map(|usage| usage.ticks), Some(3));
    }
}

#[test]
fn a_draft_is_sent_as_it_was_approved_and_its_key_holds_for_its_bytes() {
    let text =
        "  - id: d\n    draft: { text: 'Dear ${contact.name}', to: team/care, expires: 2h }\n  - reply: ${d.approved} ${d.by}\n";
    let approved =
        |approved, text: Option<&str>| Wake::Approved { approved, text: text.map(str::to_owned), by: "agent/bo".into() };
    for (wake, said) in [
        (approved(true, None), vec!["d/0 reply Dear Ann!", "2/0 reply true agent/bo!"]),
        (approved(true, Some("Hello")), vec!["d/0 reply Hello!", "2/0 reply true agent/bo!"]),
        (approved(false, None), vec!["2/0 reply false agent/bo!"]),
        (Wake::Timeout, vec!["2/0 reply false expired!"]),
    ] {
        let mut talk = Talk::new(text);
        assert!(talk.leg().is_empty(), "nothing is said before");
        let wait = talk.machine.waits().unwrap();
        assert_eq!(
            (&*wait.kind, wait.to.as_deref(), wait.message),
            (APPROVE, Some("team/care"), Some(Message::text("Dear Ann")))
        );
        assert_eq!(talk.wake(wake), said);
    }
    let key = |text: &str, seed: u64, conversation: &str| {
        let mut names = base();
        names.insert("conversation".into(), Marked::outside(json!({ "id": conversation, "channel": "whatsapp" })));
        let mut machine = Machine::start(steps("", text), Started { seed, ..started() }, names);
        machine.next(&Double::default());
        machine.waits().unwrap().key
    };
    let one = key("  - draft: a\n", 1, "5");
    assert_eq!((one.len(), &one), (64, &key("  - draft: a\n", 1, "5")));
    for other in [key("  - draft: b\n", 1, "5"), key("  - draft: a\n", 2, "5"), key("  - draft: a\n", 1, "6")] {
        assert_ne!(one, other);
    }
    let mut talk = Talk::new("  - id: a\n    approve: Shall I?\n  - if: a.approved\n    tag: yes\n");
    assert!(talk.leg().is_empty());
    assert_eq!(talk.wake(approved(true, None)), ["2/0 tag yes"], "an approval alone says nothing");
}

#[test]
fn a_waiting_run_can_be_cancelled() {
    let mut talk = Talk::new("  - ask: Well?\n");
    talk.leg();
    assert!(talk.machine.resume(Wake::Cancelled { by: "ann".into(), reason: "spam".into() }, 2_000));
    assert_eq!(talk.end(), RunEnd::Cancelled);
    assert_eq!(talk.machine.take_entries(), [Entry::Cancelled { by: "ann".into(), reason: "spam".into() }]);
}

#[test]
fn handoff_is_an_effect() {
    let (_, effects, _) = run("", "  - handoff\n  - handoff: { to: team/care, note: '${event.text}' }\n", &none);
    assert_eq!(
        effects,
        ["1/0 Handoff { to: None, note: None }", "2/0 Handoff { to: Some(\"team/care\"), note: Some(\"hello\") }!",]
    );
    let broken = |_: &Call| ended(Err(Failure::bug("x.broken", "it is broken")), vec![]);
    let note = "Handoff { to: None, note: Some(\"the step `1` failed: it is broken (x.broken)\") }!";
    for (head, text, path) in [
        ("", "  - use: keyword\n    on_error: handoff\n  - tag: never\n", "1.on_error"),
        (
            "",
            "  - on_error: { retry: 2, then: handoff }\n    do:\n      - use: keyword\n        id: one\n  - tag: never\n",
            "1.on_error",
        ),
        ("on_error: handoff", "  - use: keyword\n  - tag: never\n", "on_error"),
    ] {
        let (_, effects, end) = run(head, text, &broken);
        let wanted = format!("{path}/0 {}", note.replace("`1`", if text.contains("id: one") { "`1.do.one`" } else { "`1`" }));
        assert_eq!(effects, [wanted], "{text}");
        assert!(matches!(end, RunEnd::Done { .. }), "people have it: nothing is parked");
    }
}

#[test]
fn a_wait_in_a_handler_and_behind_it() {
    let mut talk = Talk::new(
        "  - id: a\n    use: acme/mood\n  - reply: ${a.label.x.y}\n    on_error:\n      - ask: Go on after ${error.code}?\n      \
         - reply: ${error.step}\n  - wait: 1h\n  - tag: end\n",
    );
    assert_eq!(talk.leg(), ["2.on_error.1/0 reply Go on after expr.null?!"]);
    assert_eq!(talk.say("yes"), ["2.on_error.2/0 reply 2!"]);
    assert_eq!(talk.wake(Wake::Timeout), ["4/0 tag end"]);
}

#[test]
fn a_journal_that_ends_right_after_a_waking_still_waits() {
    let mut talk = Talk::new("  - ask: Well?\n  - tag: end\n");
    talk.leg();
    talk.say("yes");
    let cut = talk.journal.iter().position(|e| matches!(e, Entry::Resumed { .. })).unwrap();
    let mut machine = Machine::replay(Arc::clone(&talk.workflow), &talk.journal[..=cut], base()).unwrap();
    assert!(machine.waits().is_some());
    assert!(machine.resume(answer("yes", None), 2_000));
    machine.next(&Double::default());
    assert_eq!(machine.take_entries()[1..], talk.journal[cut + 1..]);
}
