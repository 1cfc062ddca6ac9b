//! Which answers fit, what a waking gives, and which events wake.

use super::*;
use crate::event::{Choice, Interaction, Person};

fn value(expect: Expect, text: &str) -> Option<Value> {
    expect.hear(&[], Some(text.to_owned()), None).map(|heard| heard.value)
}

#[test]
fn answers_fit_by_kind() {
    for (expect, text, wanted) in [
        (Expect::Any, " what ever ", Some(json!(" what ever "))),
        (Expect::Number, " 42 ", Some(json!(42))),
        (Expect::Number, "-3.5", Some(json!(-3.5))),
        (Expect::Number, "1,5", Some(json!(1.5))),
        (Expect::Number, "1,000", None),
        (Expect::Number, "1.000,5", None),
        (Expect::Number, "two", None),
        (Expect::Number, "", None),
        (Expect::Number, "inf", None),
        (Expect::Number, "1e9", None),
        (Expect::YesNo, "Yes!", Some(json!(true))),
        (Expect::YesNo, "NEIN", Some(json!(false))),
        (Expect::YesNo, "perhaps", None),
        (Expect::Email, " ann@example.com ", Some(json!("ann@example.com"))),
        (Expect::Email, "ann@example", None),
        (Expect::Email, "my address is ann@example.com", None),
        (Expect::Email, "a@b@example.com", None),
        (Expect::Phone, "+49 (170) 123-45 67", Some(json!("+491701234567"))),
        (Expect::Phone, "12345", None),
        (Expect::Phone, "call me", None),
        (Expect::OneOf(vec!["Small".into(), "Large".into()]), "LARGE", Some(json!("Large"))),
        (Expect::OneOf(vec!["Small".into(), "Large".into()]), "xl", None),
    ] {
        assert_eq!(value(expect.clone(), text), wanted, "{expect:?} {text:?}");
    }
    assert_eq!(Expect::Any.hear(&[], None, None), Some(Heard { text: None, payload: None, value: Value::Null }), "a picture");
    assert_eq!(Expect::Number.hear(&[], None, None), None);
}

#[test]
fn a_button_counts_by_its_payload_and_may_be_typed() {
    let choice = |title: &str, payload: &str| Choice { title: title.into(), payload: payload.into(), url: None };
    let choices = [choice("Small one", "s"), choice("Large one", "l")];
    let large = Some(Heard { text: Some("Large one".into()), payload: Some("l".into()), value: json!("Large one") });
    let hear = |text: Option<&str>, payload: Option<&str>| {
        Expect::OneOf(Vec::new()).hear(&choices, text.map(str::to_owned), payload.map(str::to_owned))
    };
    assert_eq!(hear(Some("Large one"), Some("l")), large);
    assert_eq!(hear(None, Some("l")), large);
    assert_eq!(hear(Some(" large ONE"), None), large);
    assert_eq!(hear(Some("L"), None), large);
    assert_eq!(hear(Some("Medium"), Some("m")), None, "a button of an older message");
    let yes = [choice("Of course", "yes"), choice("Rather not", "no")];
    let heard = Expect::YesNo.hear(&yes, None, Some("no".into())).unwrap();
    assert_eq!((heard.text.as_deref(), heard.value), (Some("Rather not"), json!(false)));
}

fn answer(text: &str) -> Wake {
    Wake::Answer { event: json!({ "text": text }), text: Some(text.into()), payload: None, id: "9".into() }
}

#[test]
fn a_question_is_said_again_three_times_and_then_given_up() {
    let mut question = Question {
        message: Message::text("How many?"),
        again: Some("A number, please.".into()),
        expect: Expect::Number,
        tries: 0,
        marked: false,
    };
    for tries in 1..=3 {
        let Woken::Again(next, said) = judge(ASK, Some(&Want::Answer(question.clone())), answer("many")) else { panic!() };
        assert_eq!((next.tries, said.text.as_deref()), (tries, Some("A number, please.")));
        assert_eq!(next.message, question.message);
        question = next;
    }
    let Woken::Failed(failure) = judge(ASK, Some(&Want::Answer(question.clone())), answer("many")) else { panic!() };
    assert_eq!((failure.code.as_str(), failure.class), ("ask.not_understood", Class::Permanent));
    let Woken::Over { output, marked, send } = judge(ASK, Some(&Want::Answer(question)), answer("7")) else { panic!() };
    let wanted = json!({ "text": "7", "value": 7, "payload": null, "event": { "text": "7" }, "timed_out": false });
    assert_eq!((output, marked, send), (wanted, true, None));
}

#[test]
fn an_approval_sends_what_was_approved_and_nothing_else() {
    let approval = Approval { message: Message::text("Dear Ann"), to: None, send: true, marked: true, gave: None };
    let decided = |approved, text: Option<&str>| {
        let wake = Wake::Approved { approved, text: text.map(str::to_owned), by: "agent/bo".into() };
        match judge(APPROVE, Some(&Want::Approval(approval.clone())), wake) {
            Woken::Over { output, send, .. } => (output, send),
            other => panic!("{other:?}"),
        }
    };
    let told = |approved: bool, text: &str| json!({ "approved": approved, "text": text, "by": "agent/bo" });
    assert_eq!(decided(true, None), (told(true, "Dear Ann"), Some(Message::text("Dear Ann"))));
    assert_eq!(decided(true, Some("Hello")), (told(true, "Hello"), Some(Message::text("Hello"))));
    assert_eq!(decided(false, Some("Hello")), (told(false, "Hello"), None));
    let Woken::Over { output, send, .. } = judge(APPROVE, Some(&Want::Approval(approval)), Wake::Timeout) else { panic!() };
    assert_eq!((output["by"].as_str(), output["approved"].as_bool(), send), (Some("expired"), Some(false), None));
}

#[test]
fn what_is_not_for_a_wait_does_not_wake_it() {
    assert_eq!(judge(SLEEP, None, answer("x")), Woken::No);
    let approved = Wake::Approved { approved: true, text: None, by: "x".into() };
    assert_eq!(judge(WAIT, Some(&Want::Event(Filter::talk())), approved), Woken::No);
    assert_eq!(judge(SLEEP, None, Wake::Timeout), Woken::Over { output: Value::Null, marked: false, send: None });
}

#[test]
fn a_filter_takes_what_a_trigger_would() {
    let event = |body, automated| Event {
        dedupe_key: "k".into(),
        account: None,
        thread: None,
        sender: Some(Person { automated, ..Person::default() }),
        at: 0,
        trigger: true,
        body,
        extra: None,
    };
    let said = || EventBody::Message(Message::text("hi"));
    let pressed = || {
        EventBody::Interaction(Interaction { id: None, title: Some("T".into()), payload: "p".into(), source: None, answer: None })
    };
    let talk = Filter::talk();
    assert!(talk.takes(&event(said(), false), "whatsapp"));
    assert!(!talk.takes(&event(said(), true), "whatsapp"), "a bot's word");
    assert!(!talk.takes(&event(EventBody::Echo(Message::text("hi")), false), "whatsapp"));
    let messages = Filter { any: vec![Trigger { channels: vec!["telegram".into()], ..Trigger::on(TriggerKind::Message) }] };
    assert!(messages.takes(&event(pressed(), false), "telegram") && !messages.takes(&event(said(), false), "whatsapp"));
    let stored: Filter = serde_json::from_value(serde_json::to_value(&messages).unwrap()).unwrap();
    assert_eq!(stored, messages);
    let Wake::Answer { text, payload, id, .. } = Wake::of(&event(pressed(), false), Value::Null, "7".into()) else { panic!() };
    assert_eq!((text.as_deref(), payload.as_deref(), id.as_str()), (Some("T"), Some("p"), "7"));
}
