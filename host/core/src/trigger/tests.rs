//! What triggers want, and when.

use super::*;
use crate::event::{Comment, Interaction, Internal, Message, Person, Review, Status};
use serde_json::json;

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

fn said(text: &str) -> Event {
    event(EventBody::Message(Message::text(text)))
}

fn wants(trigger: &Trigger, event: &Event) -> bool {
    kind_of(event).is_ok_and(|kind| trigger.wants(event, kind, "whatsapp").is_ok())
}

fn internal(cause: Cause, name: &str, hops: u32) -> Event {
    event(EventBody::Internal(Internal { cause, name: name.into(), data: json!({}), marked: false, hops }))
}

#[test]
fn a_keyword_is_found_as_people_type_it() {
    let mut trigger = Trigger { words: vec!["stop".into(), "no más".into()], ..Trigger::on(TriggerKind::Keyword) };
    for (text, wanted) in [
        ("STOP", true),
        ("please stop!", true),
        ("No mas, gracias", true),
        ("stopping", false),
        ("unstop", false),
        ("hello", false),
    ] {
        assert_eq!(wants(&trigger, &said(text)), wanted, "{text}");
    }
    trigger.matches = Match::Exact;
    assert!(wants(&trigger, &said(" Stop. ")) && !wants(&trigger, &said("please stop")));
    assert!(trigger.interrupts, "a keyword interrupts unless it says otherwise");
    let emoji = Trigger { words: vec!["👍".into()], ..Trigger::on(TriggerKind::Keyword) };
    assert!(wants(&emoji, &said("ok 👍🏽")) && !wants(&emoji, &said("ok")));
}

#[test]
fn every_kind_has_its_own_conditions() {
    let only = |kind, only| Trigger { only, ..Trigger::on(kind) };
    let pressed = |payload: &str| {
        event(EventBody::Interaction(Interaction { id: None, title: None, payload: payload.into(), source: None, answer: None }))
    };
    let buttons = only(TriggerKind::Interaction, Only::Payloads(vec!["yes".into(), "size:*".into()]));
    assert_eq!(["yes", "size:m", "yesterday", "no"].map(|p| wants(&buttons, &pressed(p))), [true, true, false, false]);

    let commented = |post: Option<&str>| {
        let comment = Comment { id: "c".into(), post: post.map(str::to_owned), parent: None, text: None, attachments: vec![] };
        event(EventBody::Comment(comment))
    };
    let comments = only(TriggerKind::Comment, Only::Posts(vec!["p1".into()]));
    assert_eq!([Some("p1"), Some("p2"), None].map(|p| wants(&comments, &commented(p))), [true, false, false]);

    let reviewed = |stars| event(EventBody::Review(Review { id: "r".into(), stars, text: None, reply: None, edited: false }));
    let reviews = only(TriggerKind::Review, Only::Stars(1, 3));
    assert_eq!([0, 1, 3, 4].map(|s| wants(&reviews, &reviewed(s))), [false, true, true, false]);

    let news = |state| event(EventBody::Status(Status { message: "m".into(), state, key: None, failure: None }));
    let failed = only(TriggerKind::Status, Only::States(vec![Delivery::Failed]));
    assert!(wants(&failed, &news(Delivery::Failed)) && !wants(&failed, &news(Delivery::Read)));

    let vip = only(TriggerKind::TagAdded, Only::Names(vec!["vip".into()]));
    assert!(wants(&vip, &internal(Cause::TagAdded, "vip", 1)) && !wants(&vip, &internal(Cause::TagAdded, "new", 1)));
    assert!(!wants(&vip, &internal(Cause::Custom, "vip", 1)), "an event of this name is no tag");
}

#[test]
fn languages_are_those_that_the_provider_tells() {
    let trigger = Trigger { languages: vec!["pt".into(), "zh-Hant".into()], ..Trigger::on(TriggerKind::Message) };
    let by = |language: Option<&str>| Event {
        sender: Some(Person { language: language.map(str::to_owned), ..Person::default() }),
        ..said("hi")
    };
    let told = [Some("pt"), Some("pt-BR"), Some("PT_br"), Some("ptx"), Some("zh-Hans"), Some("zh-hant-TW"), None];
    assert_eq!(told.map(|l| wants(&trigger, &by(l))), [true, true, true, false, false, true, false]);
}

#[test]
fn facts_of_our_own_do_not_follow_from_each_other_for_ever() {
    assert_eq!(kind_of(&internal(Cause::Custom, "x", HOPS - 1)), Ok(TriggerKind::Event));
    assert_eq!(kind_of(&internal(Cause::Custom, "x", HOPS)), Err(LOOP_GUARD));
}

#[test]
fn a_trigger_of_an_older_journal_is_read() {
    let old: Trigger = serde_json::from_value(json!({ "kind": "message", "channels": ["telegram"] })).unwrap();
    assert_eq!(old, Trigger { channels: vec!["telegram".into()], ..Trigger::on(TriggerKind::Message) });
    for (word, kind) in KINDS {
        let trigger = Trigger::on(kind);
        let back: Trigger = serde_json::from_value(serde_json::to_value(&trigger).unwrap()).unwrap();
        assert_eq!(back, trigger, "{word}");
        assert_eq!(TriggerKind::by_word(kind.word()), Some(kind));
    }
}

/// The next moments after `from`, in UTC.
fn moments(cron: &str, zone: &str, from: &str, count: usize) -> Vec<String> {
    let schedule = Schedule { cron: cron.into(), time_zone: Some(zone.into()), catch_up: CATCH_UP };
    let mut at = from.parse::<jiff::Timestamp>().unwrap().as_millisecond();
    (0..count)
        .map(|_| {
            let next = schedule.after(at, "UTC").unwrap();
            assert!(next > at);
            assert_eq!(schedule.last(next, "UTC"), Some(next), "what comes next has come then");
            assert!(schedule.last(next - 1, "UTC").is_some_and(|last| last < next));
            at = next;
            jiff::Timestamp::from_millisecond(next).unwrap().to_string()
        })
        .collect()
}

#[test]
fn a_time_that_does_not_exist_comes_at_the_next_that_does_and_one_that_comes_twice_comes_once() {
    // Berlin goes from 2:00 to 3:00 on 29 March 2026, and from 3:00 back to 2:00 on 25 October.
    assert_eq!(
        moments("30 2 * * *", "Europe/Berlin", "2026-03-28T00:00:00Z", 3),
        ["2026-03-28T01:30:00Z", "2026-03-29T01:00:00Z", "2026-03-30T00:30:00Z"]
    );
    assert_eq!(
        moments("30 2 * * *", "Europe/Berlin", "2026-10-24T00:00:00Z", 3),
        ["2026-10-24T00:30:00Z", "2026-10-25T00:30:00Z", "2026-10-26T01:30:00Z"]
    );
    assert_eq!(
        moments("0 9 * * MON-FRI", "America/New_York", "2026-03-06T15:00:00Z", 2),
        ["2026-03-09T13:00:00Z", "2026-03-10T13:00:00Z"],
        "nine o'clock is nine o'clock in summer too"
    );
    // Every half hour goes on evenly through the hour that comes twice.
    assert_eq!(moments("*/30 * * * *", "Europe/Berlin", "2026-10-24T23:45:00Z", 5).last().unwrap(), "2026-10-25T02:00:00Z");
    // Half an hour is enough to leave a time out.
    assert_eq!(moments("15 2 * * *", "Australia/Lord_Howe", "2026-10-03T00:00:00Z", 2)[0], "2026-10-03T15:30:00Z");
}

#[test]
fn what_is_no_schedule_is_told() {
    for bad in ["", "* * * *", "61 * * * *", "* * * * * *", "tomorrow", "0 0 31 2 x", "0 0 30 2 *"] {
        assert!(Schedule::check(bad).is_err(), "{bad}");
    }
    assert!(Schedule::check("0 9 * * MON-FRI").is_ok() && Schedule::check("@daily").is_ok());
    assert!(Schedule::knows_zone("Asia/Jakarta") && !Schedule::knows_zone("Asia/Nowhere"));
    let never = Schedule { cron: "0 0 30 2 *".into(), time_zone: None, catch_up: CATCH_UP };
    assert_eq!(never.after(1_790_000_000_000, "UTC"), None);
}

#[test]
fn a_burst_ends_when_it_is_quiet_and_does_not_go_on_for_ever() {
    assert_eq!(until(1_000, 1_000, 8_000), 9_000);
    assert_eq!(until(1_000, 7_000, 8_000), 15_000);
    assert_eq!(until(1_000, 40_000, 8_000), 41_000);
    assert_eq!(until(i64::MAX - 5, i64::MAX - 5, 8_000), i64::MAX);
}

#[test]
fn a_burst_is_one_event_with_all_that_was_said_in_its_order() {
    use crate::event::{Attachment, AttachmentKind, Media, v1};
    let image = Attachment {
        kind: AttachmentKind::Image,
        media: Media::None,
        mime_type: None,
        file_name: None,
        size_bytes: None,
        extra: None,
    };
    let said = |at: i64, id: &str, text: Option<&str>, attachments: Vec<Attachment>| {
        let message = Message { id: Some(id.into()), text: text.map(str::to_owned), attachments, ..Message::default() };
        Event { at, ..event(EventBody::Message(message)) }
    };
    // Kept in another order than they were said in; the second and third at one moment of the provider's.
    let all = gathered(vec![
        (900, said(300, "4", Some("and a cake"), vec![image.clone()])),
        (901, said(200, "2", None, vec![image])),
        (902, said(200, "3", Some("please"), vec![])),
        (903, said(100, "1", Some("two loaves"), vec![])),
    ]);
    let flat = v1::to_v1(&all.unwrap(), "whatsapp", "us");
    assert_eq!(flat["text"], "two loaves\nplease\nand a cake");
    assert_eq!((&flat["texts"], &flat["ids"]), (&json!(["two loaves", "please", "and a cake"]), &json!(["1", "2", "3", "4"])));
    assert_eq!((&flat["id"], flat["attachments"].as_array().unwrap().len()), (&json!("4"), 2));
    let untold = gathered(vec![(900, said(0, "b", Some("second"), vec![])), (100, said(0, "a", Some("first"), vec![]))]);
    assert_eq!(untold.unwrap().text(), Some("first\nsecond"), "what the provider does not date goes by its arrival");
    assert_eq!(gathered(vec![]), None);
}
