//! Which workflows run for which event.

use super::*;
use crate::event::{Interaction, Message, Other, Person};
use crate::workflow::double::parse;

fn event(body: EventBody) -> Event {
    Event {
        dedupe_key: "d".into(),
        account: None,
        thread: Some("1".into()),
        sender: None,
        at: 0,
        trigger: true,
        body,
        extra: None,
    }
}

fn message() -> Event {
    event(EventBody::Message(Message::text("hi")))
}

fn workflows(heads: &[&str]) -> Vec<Arc<Workflow>> {
    heads.iter().map(|head| Arc::new(parse(&format!("{head}\nsteps: []\n")).unwrap())).collect()
}

/// `run names | passed over | rule`.
fn check(heads: &[&str], event: &Event, wanted: &str) {
    let route = route(&workflows(heads), event, "whatsapp");
    let names = |list: &[Arc<Workflow>]| list.iter().map(|w| w.name.to_string()).collect::<Vec<_>>().join(" ");
    assert_eq!(format!("{}|{}|{}", names(&route.run), names(&route.passed_over), route.rule.unwrap_or("")), wanted);
}

#[test]
fn order_is_priority_then_name_and_an_exclusive_one_ends_it() {
    let b = "name: b\non: message";
    let a = "name: a\non: message";
    let high = "name: z\non: message\npriority: 9";
    check(&[b, a, high], &message(), "z a b||");
    check(&[b, "name: a\non: message\nexclusive: true", high], &message(), "z a|b|");
    check(&[], &message(), "||no_workflow");
}

#[test]
fn channels_filter() {
    check(
        &["name: a\non: { message: { channels: [telegram] } }", "name: b\non: { message: { channels: whatsapp } }"],
        &message(),
        "b||",
    );
}

#[test]
fn what_the_house_or_a_bot_said_starts_nothing() {
    let all = ["name: a\non: [message, interaction, comment, review, order, reaction]"];
    check(&all, &event(EventBody::Echo(Message::text("hi"))), "||echo");
    check(&all, &Event { trigger: false, ..message() }, "||not_a_trigger");
    check(&all, &Event { sender: Some(Person { automated: true, ..Person::default() }), ..message() }, "||automated_sender");
    check(&all, &event(EventBody::Ignored("x".into())), "||ignored");
    check(&all, &event(EventBody::MessageDelete("x".into())), "||no_trigger");
    let order = Other { kind: "order".into(), id: None, text: None, data: serde_json::json!({}) };
    check(&all, &Event { trigger: false, ..event(EventBody::Other(order)) }, "a||");
}

#[test]
fn a_pressed_button_is_a_message_unless_somebody_listens_for_buttons() {
    let pressed = event(EventBody::Interaction(Interaction {
        id: None,
        title: Some("Yes".into()),
        payload: "yes".into(),
        source: None,
        answer: None,
    }));
    check(&["name: a\non: message"], &pressed, "a||");
    check(&["name: a\non: message", "name: b\non: interaction"], &pressed, "b||");
    check(&["name: a\non: message", "name: b\non: { interaction: { channels: [telegram] } }"], &pressed, "a||");
    check(&["name: b\non: interaction"], &message(), "||no_workflow");
}

#[test]
fn each_workflow_says_why_it_does_not_run() {
    let heads = [
        "name: a\non: { message: { channels: [telegram] } }",
        "name: b\non: review",
        "name: c\non: message\nexclusive: true",
        "name: d\non: message",
    ];
    let told = |event: &Event| explain(&workflows(&heads), event, "whatsapp").into_iter().map(|(_, why)| why).collect::<Vec<_>>();
    use Unwanted::{Channel, Event as Nothing, Kind, PassedOver};
    assert_eq!(told(&message()), [Some(Channel), Some(Kind), None, Some(PassedOver)]);
    assert_eq!(told(&event(EventBody::Echo(Message::text("hi")))), [Some(Nothing); 4]);
}

#[test]
fn a_keyword_comes_beside_messages_and_takes_what_a_run_waits_for() {
    let heads = ["name: a\non: message", "name: b\non: { keyword: stop }", "name: c\non: [message, { keyword: stop }]"];
    let stop = event(EventBody::Message(Message::text("Stop!")));
    check(&heads, &stop, "a b c||");
    check(&heads, &message(), "a c||");
    let workflows = workflows(&heads);
    let interrupts =
        |event: &Event| workflows.iter().map(|w| manner(&workflows, w, event, "whatsapp").interrupts).collect::<Vec<_>>();
    assert_eq!(interrupts(&stop), [false, true, true], "of two triggers that fit, the one that interrupts counts");
    assert_eq!(interrupts(&message()), [false, false, false]);
}

#[test]
fn a_schedule_a_webhook_and_a_person_name_the_workflow_that_they_mean() {
    use crate::event::Internal;
    let internal = |cause, name: &str| {
        let data = serde_json::json!({});
        event(EventBody::Internal(Internal { cause, name: name.into(), data, marked: false, hops: 1 }))
    };
    let heads =
        ["name: a\non: [manual, webhook, { schedule: '0 9 * * *' }, { event: a }]", "name: b\non: [manual, { event: a }]"];
    check(&heads, &internal(Cause::Manual, "b"), "b||");
    check(&heads, &internal(Cause::Webhook, "b"), "||no_workflow");
    check(&heads, &internal(Cause::Schedule, "a"), "a||");
    check(&heads, &internal(Cause::Custom, "a"), "a b||");
}
