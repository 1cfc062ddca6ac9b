//! Facts of the workspace's own: kept with what raised them, known to the books, in no timeline.

use pointsman_core::event::{Cause, Event, EventBody, Internal};
use serde_json::json;

use super::{WS, answer, house, message};
use crate::{Item, Raised};

super::on_both! {
    a_fact_is_kept_with_the_decision_that_raised_it,
    a_fact_of_a_person_is_audited_and_found_like_any_new_event,
    asking_for_a_conversation_makes_none,
}

fn fact(name: &str, thread: Option<&str>) -> Event {
    let internal = Internal { cause: Cause::Custom, name: name.into(), data: json!({ "n": 1 }), marked: true, hops: 1 };
    Event { thread: thread.map(str::to_owned), sender: None, body: EventBody::Internal(internal), ..message("a", name, "") }
}

async fn a_fact_is_kept_with_the_decision_that_raised_it() {
    let mut house = house().await;
    let kept = house.take(vec![message("a", "1", "hello")]).await.events.remove(0);
    let (webhook, id) = (house.id(), house.id());
    let mut decide = answer(&house, &kept, "hi");
    decide.raised.push(Raised { webhook, id, event: fact("paid", Some("a")) });
    house.store.decide(decide).await.unwrap();
    house.again().await;
    let found = house.store.event(WS, id).await.unwrap().unwrap();
    let conversation = found.conversation.clone().unwrap();
    assert_eq!((found.event.kind(), conversation.id), ("custom", kept.conversation.as_ref().unwrap().id));
    let books = house.store.books(WS).await.unwrap();
    assert!(books.balanced(), "{books:?}");
    assert_eq!((books.events["new"], books.webhooks["kept"]), (1, 1), "it waits for its turn: {books:?}");
    let timeline = house.store.timeline(&conversation, 10).await.unwrap();
    assert_eq!(timeline.len(), 2, "what was said, and the answer");
    assert!(timeline.iter().all(|item| !matches!(item, Item::Event(event) if event.id == id)));
}

async fn a_fact_of_a_person_is_audited_and_found_like_any_new_event() {
    let house = house().await;
    let kept = house.take(vec![message("a", "1", "hello")]).await.events.remove(0);
    let there = kept.conversation.clone();
    let mine = house.store.raise_by_hand(WS, there.clone(), fact("there", Some("a")), "cli", "run.start").await.unwrap();
    let nowhere = house.store.raise_by_hand(WS, None, fact("nowhere", None), "cli", "run.start").await.unwrap();
    let new = house.store.open_events((WS, kept.id), 10).await.unwrap();
    assert_eq!(new.iter().map(|event| event.id).collect::<Vec<_>>(), [mine, nowhere]);
    assert_eq!((new[0].conversation.as_ref().map(|c| c.id), new[1].conversation.is_none()), (there.map(|c| c.id), true));
    let lines = house.store.audit_lines(WS, 10).await.unwrap();
    assert_eq!((lines.len(), &*lines[0].action, &lines[0].detail), (2, "run.start", &nowhere.to_string()));
    assert!(house.store.books(WS).await.unwrap().balanced());
}

async fn asking_for_a_conversation_makes_none() {
    let house = house().await;
    let kept = house.take(vec![message("a", "1", "hello")]).await.events.remove(0);
    let found = house.store.conversation_of(WS, super::CHANNEL, "a").await.unwrap();
    assert_eq!(found.map(|c| c.id), kept.conversation.map(|c| c.id));
    assert!(house.store.conversation_of(WS, super::CHANNEL, "b").await.unwrap().is_none());
    assert_eq!(house.store.conversations(WS, 10).await.unwrap().len(), 1);
}
