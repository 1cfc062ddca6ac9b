//! Whom an event is about: one person under several ids, or a thread of several people.

use serde_json::json;

use super::{Event, EventBody, Message, Person};

fn event(thread: Option<&str>, sender: Option<&str>, aliases: &[&str]) -> Event {
    let person = |id: &str| Person {
        id: id.into(),
        name: Some("Ann".into()),
        extra: (!aliases.is_empty()).then(|| json!({ "alt_ids": aliases })),
        ..Person::default()
    };
    Event {
        dedupe_key: "d".into(),
        account: None,
        thread: thread.map(Into::into),
        sender: sender.map(person),
        at: 1,
        trigger: true,
        body: EventBody::Message(Message::text("hi")),
        extra: Some(json!({ "thread_name": "Allotments" })),
    }
}

#[test]
fn the_ids_of_one_person_belong_together() {
    assert_eq!(event(Some("155"), Some("155"), &["US.1"]).identities(), ["155", "US.1"]);
    assert_eq!(event(Some("US.1"), Some("155"), &["US.1"]).identities(), ["US.1", "155"]);
    assert_eq!(event(None, Some("155"), &["US.1"]).identities(), ["155", "US.1"]);
    assert_eq!(event(Some("155"), None, &[]).identities(), ["155"]);
    assert!(event(None, None, &[]).identities().is_empty());
    assert_eq!(event(Some("155"), Some("155"), &[]).contact().name.as_deref(), Some("Ann"));
    assert_eq!(event(None, Some("155"), &[]).contact().id, "155");
}

#[test]
fn a_group_is_nobody_of_those_who_speak_in_it() {
    let group = event(Some("-9"), Some("155"), &["US.1"]);
    assert_eq!(group.identities(), ["-9"]);
    let contact = group.contact();
    assert_eq!((contact.id.as_str(), contact.name.as_deref()), ("-9", Some("Allotments")));
}

#[test]
fn an_echo_is_about_whom_it_went_to() {
    let echo = Event { body: EventBody::Echo(Message::text("hi")), ..event(Some("155"), Some("972"), &["972.b"]) };
    assert_eq!(echo.identities(), ["155"]);
    assert_eq!(echo.contact(), Person::default());
}
