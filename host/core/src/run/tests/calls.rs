//! Verbs that reach other workflows: `call` and what both runs know of each other, `emit`, and what `stop` gives.

use serde_json::json;

use super::scripts::wish;
use super::*;
use crate::journal::Caller;

/// A workflow that is called, as the host would begin it.
fn called(begin: &Begin, run: i64) -> Called {
    Called { run: Id(run), name: begin.workflow.to_string(), workflow: format!("hash of {}", begin.workflow) }
}

fn ended_well(run: i64, result: Value) -> Wake {
    Wake::Ended { run: Id(run), result, marked: false, error: None }
}

fn ended_badly(run: i64, code: &str) -> Wake {
    let error = Failure::bug(code, "it went wrong");
    Wake::Ended { run: Id(run), result: Value::Null, marked: false, error: Some(error) }
}

/// A run that is thrown away and rebuilt whenever it waits.
struct Desk {
    workflow: Arc<Workflow>,
    machine: Machine,
    journal: Vec<Entry>,
}

impl Desk {
    fn new(head: &str, text: &str) -> Self {
        let workflow = steps(head, text);
        let machine = Machine::start(Arc::clone(&workflow), started(), base());
        Self { workflow, machine, journal: Vec::new() }
    }

    fn next(&mut self) -> Action {
        self.machine.next(&Double::default())
    }

    fn begin(&mut self) -> Begin {
        let Action::Begin(begin) = self.next() else { panic!("{:?}", self.next()) };
        assert_eq!(self.next(), Action::Begin(begin.clone()), "asking again changes nothing");
        begin
    }

    fn again(&mut self) {
        self.journal.extend(self.machine.take_entries());
        let stored = crate::journal::unpack(&crate::journal::pack(&self.journal)).unwrap();
        assert_eq!(stored, self.journal);
        let again = Machine::replay(Arc::clone(&self.workflow), &stored, base()).unwrap();
        assert_eq!(again.waits(), self.machine.waits());
        self.machine = again;
    }

    fn end(&mut self) -> RunEnd {
        let Action::Finished(end) = self.next() else { panic!("{:?}", self.next()) };
        end
    }
}

#[test]
fn a_call_waits_for_the_end_of_its_run_and_gives_its_result() {
    let text = "  - id: order\n    call: { workflow: refund, with: { order: 7, who: \"${contact.name}\" } }\n  - reply: \"${order.sum}\"\n";
    let mut desk = Desk::new("", text);
    assert_eq!(desk.workflow.calls.iter().map(|name| &**name).collect::<Vec<_>>(), ["refund"]);
    let begin = desk.begin();
    assert_eq!((&*begin.workflow, &*begin.place, begin.depth, begin.again), ("refund", "t/order", 1, None));
    assert_eq!(begin.with, Marked::outside(json!({ "order": 7, "who": "Ann" })));
    desk.machine.began(Ok(called(&begin, 50)));
    let RunEnd::Waiting { path, kind, until, .. } = desk.end() else { panic!() };
    assert_eq!((&*path, &*kind, until), ("order", CALL, None));
    assert_eq!(desk.machine.waits().unwrap().called, Some(called(&begin, 50)), "who looks at the journal finds run and version");
    desk.again();
    assert!(!desk.machine.resume(Wake::Timeout, 2_000) && !desk.machine.resume(ended_well(51, json!(1)), 2_000));
    assert!(desk.machine.entries().is_empty(), "the end of another run is none of its business");
    assert!(desk.machine.resume(ended_well(50, json!({ "sum": 12 })), 2_000));
    desk.again();
    assert!(matches!(desk.end(), RunEnd::Done { .. }));
    assert_eq!(effects(desk.machine.entries()).map(effect).collect::<Vec<_>>(), ["2/0 reply 12"]);
}

#[test]
fn a_run_that_failed_fails_the_step_and_goes_on_when_its_caller_is_tried_again() {
    let mut desk = Desk::new("", "  - call: refund\n    on_error:\n      - note: \"${error.code} ${error.step}\"\n");
    let begin = desk.begin();
    desk.machine.began(Ok(called(&begin, 50)));
    assert!(desk.machine.resume(ended_badly(50, "x.bad"), 2_000));
    assert!(matches!(desk.end(), RunEnd::Done { .. }));
    assert_eq!(effects(desk.machine.entries()).map(effect).collect::<Vec<_>>(), ["1.on_error.1/0 note x.bad 1!"]);

    let mut desk = Desk::new("", "  - reply: once\n  - call: refund\n");
    let begin = desk.begin();
    desk.machine.began(Ok(called(&begin, 50)));
    desk.again();
    assert!(desk.machine.resume(ended_badly(50, "x.bad"), 2_000));
    let RunEnd::Failed { path, error } = desk.end() else { panic!() };
    assert_eq!((&*path, &*error.code), ("2", "x.bad"));
    desk.again();
    assert!(desk.machine.retry("ann", 3_000));
    let begin = desk.begin();
    assert_eq!(
        (begin.again, &*begin.place),
        (Some(Id(50)), "t/2#1"),
        "that run goes on; a new one would have a place of its own"
    );
    desk.machine.began(Ok(called(&begin, 50)));
    desk.again();
    assert!(desk.machine.resume(ended_well(50, Value::Null), 4_000));
    assert!(matches!(desk.end(), RunEnd::Done { .. }));
    desk.again();
    assert_eq!(effects(&desk.journal).count(), 1, "nothing is said again");
}

#[test]
fn a_call_that_cannot_be_begun_fails_the_step() {
    let mut desk = Desk::new("", "  - call: refund\n    on_error: continue\n  - call: refund\n");
    desk.begin();
    desk.machine.began(Err(Failure::new(Class::Permanent, "call.unknown_workflow", "x")));
    let begin = desk.begin();
    assert_eq!((&*begin.place, begin.again), ("t/2", None));
    desk.machine.began(Err(Failure::new(Class::Permanent, "call.unknown_workflow", "x")));
    assert!(matches!(desk.end(), RunEnd::Failed { error, .. } if error.code == "call.unknown_workflow"));
    desk.machine.began(Ok(called(&begin, 50)));
    assert!(matches!(desk.end(), RunEnd::Failed { .. }), "nobody asked for that");
}

#[test]
fn a_run_that_is_called_has_what_it_is_given_in_its_vars_and_knows_how_deep_it_stands() {
    let workflow = steps("vars: { order: 0, kind: plain }", "  - if: vars.order == 7\n    stop: ${vars}\n  - call: refund\n");
    assert_eq!(workflow.accepts(&json!({ "odrer": 7 })).unwrap_err().code, "call.unknown_var");
    workflow.accepts(&json!({ "order": 7 })).unwrap();
    let start = |depth: u32, with: Value| {
        let with = Marked { value: with, marked: depth == 1 };
        let caller = Caller { run: Id(9), place: "desk/2".into(), depth, with };
        Machine::start(Arc::clone(&workflow), Started { caller: Some(Box::new(caller)), ..started() }, base())
    };
    let mut machine = start(1, json!({ "order": 7 }));
    assert_eq!(machine.scope(), "desk/2>t");
    assert_eq!(machine.caller().map(|caller| caller.run), Some(Id(9)));
    let again = Machine::replay(Arc::clone(&workflow), machine.entries(), base()).unwrap();
    assert_eq!((again.names(), again.scope()), (machine.names(), machine.scope()));
    let wanted = Action::Finished(RunEnd::Done { result: json!({ "kind": "plain", "order": 7 }), marked: true });
    assert_eq!(machine.next(&Double::default()), wanted, "`stop` gives a value of any kind, with its mark");

    let Action::Begin(begin) = start(7, json!({})).next(&Double::default()) else { panic!() };
    assert_eq!((begin.depth, &*begin.place), (8, "desk/2>t/2"));
    let end = start(8, json!({})).next(&Double::default());
    assert!(matches!(&end, Action::Finished(RunEnd::Failed { error, .. }) if error.code == "limit.call_depth"), "{end:?}");
}

#[test]
fn a_script_reaches_the_workflows_that_its_text_names_and_no_other() {
    let text = "  - id: s\n    script: |\n      call_workflow(\"refund\", #{});\n      call_workflow(event.text, #{})\n  - reply: \"${s}\"\n";
    let mut desk = Desk::new("", text);
    let answers = |desk: &mut Desk| -> Vec<Result<Value, String>> {
        let Action::Call(call) = desk.next() else { panic!("{:?}", desk.next()) };
        let heard = call.journal.iter().map(|a| a.value.clone().map_err(|e| e.code)).collect();
        let (name, arguments) = match call.journal.len() {
            0 => ("call", json!(["refund", { "order": 7 }])),
            1 => ("call", json!(["refund"])),
            2 => ("call", json!(["payout", {}])),
            _ => {
                desk.machine.step_ended(ended(Ok(json!("over")), vec![]));
                return heard;
            }
        };
        desk.machine.step_ended(Ended { result: Ok(wish(&call, name, arguments)), ..ended(Ok(Value::Null), vec![]) });
        heard
    };
    assert_eq!(answers(&mut desk), []);
    let begin = desk.begin();
    assert_eq!((&*begin.place, &begin.with, begin.again), ("t/s.calls[0]", &Marked::outside(json!({ "order": 7 })), None));
    desk.machine.began(Ok(called(&begin, 50)));
    desk.again();
    assert!(desk.machine.resume(ended_well(50, json!("a")), 2_000));
    assert_eq!(answers(&mut desk), [Ok(json!("a"))]);
    let begin = desk.begin();
    assert_eq!(&*begin.place, "t/s.calls[1]");
    desk.machine.began(Ok(called(&begin, 51)));
    desk.again();
    assert!(desk.machine.resume(ended_badly(51, "x.bad"), 3_000));
    let two = [Ok(json!("a")), Err("x.bad".to_owned())];
    assert_eq!(answers(&mut desk), two, "which the script may catch");
    let denied = Err("call.not_named".to_owned());
    assert_eq!(answers(&mut desk), [two.to_vec(), vec![denied]].concat(), "whatever a contact writes");
    assert!(matches!(desk.end(), RunEnd::Done { .. }));
}

#[test]
fn an_event_is_raised_with_its_mark_and_under_a_name_of_the_workflow() {
    let (_, effects, end) = run(
        "vars: { list: [1] }",
        "  - emit: order_taken\n  - emit: { event: \"seen-${workspace.name}\", data: { who: \"${contact.name}\", n: 3 } }\n",
        &none,
    );
    assert!(matches!(end, RunEnd::Done { .. }));
    assert_eq!(
        effects,
        [
            "1/0 Emit { name: \"order_taken\", data: Object {} }",
            "2/0 Emit { name: \"seen-Shop\", data: Object {\"n\": Number(3), \"who\": String(\"Ann\")} }!"
        ]
    );
    for (step, code) in [
        ("emit: \"${contact.name}\"", "marked.refused"),
        ("emit: \"${vars.none}\"", "emit.name"),
        ("emit: { event: big, data: \"${vars.big}\" }", "limit.event_data"),
    ] {
        let head = format!("vars: {{ none: '', big: '{}' }}", "x".repeat(70_000));
        let (.., end) = run(&head, &format!("  - {step}\n"), &none);
        assert!(matches!(&end, RunEnd::Failed { error, .. } if error.code == code), "{step}: {end:?}");
    }
}

#[test]
fn a_draft_of_a_script_is_sent_once_when_it_was_approved() {
    for (approved, sent) in [(true, vec!["s.calls[0]/0 reply Dear Ann!"]), (false, vec![])] {
        let mut desk = Desk::new("", "  - id: s\n    script: draft(\"Dear Ann\")\n  - reply: \"${s}\"\n");
        let Action::Call(call) = desk.next() else { panic!() };
        let result = Ok(wish(&call, "draft", json!(["Dear Ann"])));
        desk.machine.step_ended(Ended { result, ..ended(Ok(Value::Null), vec![]) });
        assert!(matches!(desk.end(), RunEnd::Waiting { kind, .. } if &*kind == APPROVE));
        desk.again();
        assert!(desk.machine.resume(Wake::Approved { approved, text: None, by: "bo".into() }, 2_000));
        desk.again();
        assert_eq!(effects(&desk.journal).map(effect).collect::<Vec<_>>(), sent);
        let Action::Call(call) = desk.next() else { panic!() };
        assert_eq!(call.journal[0].value, Ok(json!({ "approved": approved, "text": "Dear Ann", "by": "bo" })));
    }
}

#[test]
fn a_request_of_a_script_is_refused_with_the_grant_that_it_would_need() {
    let mut desk = Desk::new("", "  - id: s\n    script: http(\"https://example.com\")\n");
    let Action::Call(call) = desk.next() else { panic!() };
    let result = Ok(wish(&call, "http", json!(["https://example.com"])));
    desk.machine.step_ended(Ended { result, ..ended(Ok(Value::Null), vec![]) });
    let Action::Call(call) = desk.next() else { panic!("{:?}", desk.next()) };
    let error = call.journal[0].value.clone().unwrap_err();
    assert_eq!((&*error.code, error.class), ("denied.http", Class::Denied));
    assert!(error.message.contains("http = [{ host ="), "{error}");
}
