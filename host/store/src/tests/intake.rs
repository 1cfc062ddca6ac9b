//! What comes in: kept once, in the right place, whatever else happens.

use pointsman_core::clock::Clock as _;
use pointsman_core::event::{Event, EventBody};
use pointsman_core::failure::{Class, Failure};
use pointsman_core::id::Id;
use serde_json::json;

use super::{CHANNEL, WS, house, message};
use crate::{EventState, Intake, Parsed};

super::on_both! {
    a_message_is_kept_and_read_again_after_a_restart,
    a_duplicate_is_known_in_the_batch_the_post_and_for_eight_days_at_any_hour,
    hashes_whose_time_is_over_are_forgotten_however_many_they_are,
    the_same_fact_delivered_at_once_by_many_is_one_event,
    two_workspaces_and_two_channels_do_not_know_each_others_facts,
    aliases_name_the_same_contact,
    an_event_that_names_nobody_has_no_conversation,
    ignored_events_and_empty_webhooks_end_by_a_rule,
    what_nobody_could_parse_is_parked_with_its_reason,
    what_was_kept_unread_is_normalized_once,
    a_group_and_its_speakers_have_conversations_of_their_own,
    what_has_no_time_of_its_own_happened_when_it_came,
    a_stranger_who_first_brings_only_what_is_known_is_born_with_the_next_message,
}

const DAY: i64 = 86_400_000;

async fn a_message_is_kept_and_read_again_after_a_restart() {
    let mut house = house().await;
    let kept = house.take(vec![message("4915112345", "m1", "Guten Tag")]).await;
    assert_eq!((kept.events.len(), kept.duplicates), (1, 0));
    let first = &kept.events[0];
    assert_eq!(Some(first.webhook), kept.webhook);
    let conversation = first.conversation.clone().unwrap();
    assert_eq!((conversation.thread.as_str(), conversation.channel), ("4915112345", CHANNEL));
    assert_eq!(conversation.last_inbound(), Some(super::START - 5_000));
    let (id, conversation_id) = (first.id, conversation.id);
    drop((kept, conversation));

    house.again().await;
    let open = house.store.open_events((Id(0), Id(0)), 10).await.unwrap();
    assert_eq!(open.len(), 1);
    assert_eq!((open[0].id, open[0].state), (id, EventState::New));
    assert_eq!(*open[0].event, message("4915112345", "m1", "Guten Tag"));
    let conversation = open[0].conversation.clone().unwrap();
    assert_eq!((conversation.id, conversation.thread.as_str()), (conversation_id, "4915112345"));
    assert_eq!(conversation.last_inbound(), Some(super::START - 5_000));
    // The same person comes back to the same conversation.
    let kept = house.take(vec![message("4915112345", "m2", "Noch etwas")]).await;
    assert_eq!(kept.events[0].conversation.as_ref().unwrap().id, conversation_id);
    assert_eq!(house.store.contact_body(&conversation).await.unwrap().person.name.as_deref(), Some("Wilhelmine Quastenflosser"));
    assert_eq!(house.store.raw(WS, open[0].webhook).await.unwrap().unwrap(), b"{\"raw\":\"Zwetschgendatschi\"}");
}

async fn a_duplicate_is_known_in_the_batch_the_post_and_for_eight_days_at_any_hour() {
    for hour in 0..13 {
        let house = house().await;
        house.clock.advance(hour * 8 * 3_600_000);
        let kept = house.take(vec![message("1", "a", "x"), message("1", "a", "x"), message("1", "b", "y")]).await;
        assert_eq!((kept.events.len(), kept.duplicates), (2, 1), "within one POST");
        house.clock.advance(8 * DAY);
        let kept = house.take(vec![message("1", "b", "y"), message("1", "a", "x")]).await;
        assert_eq!((kept.webhook, kept.events.len(), kept.duplicates), (None, 0, 2), "nothing is stored");
        let kept = house.take(vec![message("1", "a", "x"), message("1", "c", "z")]).await;
        assert_eq!((kept.events.len(), kept.duplicates), (1, 1), "only the new one");
        house.store.maintain().await.unwrap();
        assert!(house.take(vec![message("1", "a", "x")]).await.webhook.is_none(), "still known after tending");
        house.clock.advance(5 * DAY);
        assert_eq!(house.take(vec![message("1", "a", "x")]).await.events.len(), 1, "and forgotten after twelve days and more");
    }
}

async fn hashes_whose_time_is_over_are_forgotten_however_many_they_are() {
    let house = house().await;
    for part in 0..9 {
        let many = (0..500).map(|n| message("1", &format!("old {part} {n}"), "x")).collect();
        assert_eq!(house.take(many).await.events.len(), 500);
    }
    house.clock.advance(13 * DAY);
    house.take(vec![message("1", "new", "x")]).await;
    house.store.maintain().await.unwrap();
    let left = house.store.data.row("select count(*) from dedupe", Vec::new()).await.unwrap().unwrap();
    assert_eq!(left.get::<i64>(0).unwrap(), 1);
    assert!(house.take(vec![message("1", "new", "x")]).await.webhook.is_none(), "what is young is still known");
}

async fn the_same_fact_delivered_at_once_by_many_is_one_event() {
    let house = house().await;
    let deliveries = (0..50).map(|_| house.store.intake(house.coming(Parsed::Events(vec![message("1", "same", "x")]))));
    let kept = futures_join(deliveries).await;
    assert_eq!(kept.iter().map(|k| k.events.len()).sum::<usize>(), 1);
    assert_eq!(house.store.books(WS).await.unwrap().webhooks["kept"], 1);
}

/// Waits for all, at the same time.
pub(crate) async fn futures_join<T, F>(futures: impl Iterator<Item = F>) -> Vec<T>
where
    F: Future<Output = crate::Result<T>>,
{
    let mut pending: Vec<_> = futures.map(Box::pin).collect();
    let mut done: Vec<Option<T>> = pending.iter().map(|_| None).collect();
    std::future::poll_fn(|cx| {
        for (future, slot) in pending.iter_mut().zip(&mut done) {
            if slot.is_none() {
                if let std::task::Poll::Ready(result) = future.as_mut().poll(cx) {
                    *slot = Some(result.unwrap());
                }
            }
        }
        if done.iter().all(Option::is_some) { std::task::Poll::Ready(()) } else { std::task::Poll::Pending }
    })
    .await;
    done.into_iter().flatten().collect()
}

async fn two_workspaces_and_two_channels_do_not_know_each_others_facts() {
    let house = house().await;
    house.take(vec![message("1", "a", "x")]).await;
    for (workspace, channel) in [(Id(2), CHANNEL), (WS, Id(78))] {
        let intake = Intake { workspace, channel, ..house.coming(Parsed::Events(vec![message("1", "a", "x")])) };
        assert_eq!(house.store.intake(intake).await.unwrap().events.len(), 1);
    }
    assert!(house.store.event(Id(2), house.store.open_events((Id(0), Id(0)), 1).await.unwrap()[0].id).await.unwrap().is_none());
}

async fn aliases_name_the_same_contact() {
    let mut house = house().await;
    let both = |key: &str| {
        let mut event = message("4915112345", key, "x");
        event.sender.as_mut().unwrap().extra = Some(json!({"alt_ids": ["US.1234", "user.name"]}));
        event
    };
    let first = house.take(vec![both("a")]).await.events[0].conversation.clone().unwrap();
    let known = house.take(vec![message("US.1234", "b", "x")]).await.events[0].conversation.clone().unwrap();
    assert_eq!(first.id, known.id);
    house.again().await;
    let known = house.take(vec![message("user.name", "c", "x")]).await.events[0].conversation.clone().unwrap();
    assert_eq!(first.id, known.id);
    // A contact known by one name learns another.
    let alone = house.take(vec![message("7", "d", "x")]).await.events[0].conversation.clone().unwrap();
    let mut event = message("7", "e", "x");
    event.sender.as_mut().unwrap().extra = Some(json!({"alt_ids": ["seven"]}));
    assert_eq!(house.take(vec![event]).await.events[0].conversation.as_ref().unwrap().id, alone.id);
    house.again().await;
    assert_eq!(house.take(vec![message("seven", "f", "x")]).await.events[0].conversation.as_ref().unwrap().id, alone.id);
}

async fn an_event_that_names_nobody_has_no_conversation() {
    let mut house = house().await;
    let event = Event { thread: None, sender: None, ..message("1", "a", "x") };
    let kept = house.take(vec![event.clone()]).await;
    assert!(kept.events[0].conversation.is_none());
    house.again().await;
    assert_eq!(*house.store.open_events((Id(0), Id(0)), 1).await.unwrap()[0].event, event);
}

async fn ignored_events_and_empty_webhooks_end_by_a_rule() {
    let house = house().await;
    let ignored = Event { body: EventBody::Ignored("a heartbeat".into()), ..message("1", "a", "x") };
    let kept = house.take(vec![ignored.clone()]).await;
    assert!(kept.webhook.is_some() && kept.events.is_empty());
    assert!(house.take(vec![]).await.webhook.is_some());
    let mixed = house.take(vec![Event { dedupe_key: "b".into(), ..ignored }, message("1", "c", "x")]).await;
    assert_eq!(mixed.events.len(), 1);
    let books = house.store.books(WS).await.unwrap();
    assert_eq!((books.webhooks["ignored"], books.webhooks["kept"], books.events["ended"], books.events["new"]), (2, 1, 2, 1));
    assert!(books.balanced(), "{:?}", books.unexplained);
}

async fn what_nobody_could_parse_is_parked_with_its_reason() {
    let mut house = house().await;
    let failure = Failure::new(Class::Bug, "plugin.trap", "the plugin trapped in parse; look at its version");
    house.store.intake(house.coming(Parsed::Parked(failure.clone()))).await.unwrap();
    house.again().await;
    let parked = house.store.parked(WS, 10).await.unwrap();
    assert_eq!((parked.len(), parked[0].kind, parked[0].code.as_str()), (1, "webhook", "plugin.trap"));
    assert_eq!(parked[0].reason.as_ref(), Some(&failure));
    assert_eq!(house.store.raw(WS, parked[0].id).await.unwrap().unwrap(), b"{\"raw\":\"Zwetschgendatschi\"}");
    assert!(house.store.books(WS).await.unwrap().settled());
}

async fn what_was_kept_unread_is_normalized_once() {
    let mut house = house().await;
    house.take(vec![message("1", "known", "x")]).await;
    let kept = house.store.intake(house.coming(Parsed::Unread)).await.unwrap();
    assert!(kept.webhook.is_some());
    house.clock.advance(2 * DAY);
    house.again().await;
    let unread = house.store.unread(10).await.unwrap();
    assert_eq!(unread.len(), 1);
    assert_eq!((unread[0].raw.as_slice(), Some(unread[0].id)), (&b"{\"raw\":\"Zwetschgendatschi\"}"[..], kept.webhook));
    let events = || Parsed::Events(vec![message("1", "known", "x"), message("9", "late", "y")]);
    let (one, two) =
        tokio::join!(house.store.normalize(unread[0].clone(), events()), house.store.normalize(unread[0].clone(), events()));
    let (one, two) = (one.unwrap(), two.unwrap());
    assert_eq!(one.events.len() + two.events.len(), 1);
    assert!(house.store.unread(10).await.unwrap().is_empty());
    assert_eq!(house.store.open_events((Id(0), Id(0)), 10).await.unwrap().last().unwrap().webhook, unread[0].id);
    assert_eq!(house.store.raw(WS, unread[0].id).await.unwrap().unwrap(), unread[0].raw);
    let books = house.store.books(WS).await.unwrap();
    assert_eq!(books.webhooks["kept"], 2);
    assert!(books.balanced(), "{:?}", books.unexplained);
    assert!(house.clock.now() > 0);
}

/// A group must never become the private conversation of one of its speakers, nor the other way round: an answer to the one
/// would be read by the other.
async fn a_group_and_its_speakers_have_conversations_of_their_own() {
    let mut house = house().await;
    let in_group = |from: &str, key: &str| Event {
        thread: Some("-9".into()),
        extra: Some(json!({ "thread_name": "Allotments" })),
        ..message(from, key, "to all")
    };
    let kept = house.take(vec![message("ann", "1", "private"), in_group("ann", "2"), in_group("bob", "3")]).await;
    let first: Vec<_> = kept.events.iter().map(|e| e.conversation.clone().unwrap()).collect();
    assert_eq!(first.iter().map(|c| c.thread.as_str()).collect::<Vec<_>>(), ["ann", "-9", "-9"]);
    assert_eq!(first[1].id, first[2].id);
    assert_ne!(first[0].contact, first[1].contact);
    assert_eq!(house.store.contact_body(&first[1]).await.unwrap().person.name.as_deref(), Some("Allotments"));
    let (private, group) = (first[0].id, first[1].id);
    drop((kept, first));
    house.again().await;
    let kept = house.take(vec![in_group("cem", "4"), message("bob", "5", "private"), message("ann", "6", "private")]).await;
    let later: Vec<_> = kept.events.iter().map(|e| e.conversation.clone().unwrap()).collect();
    assert_eq!((later[0].id, later[2].id), (group, private));
    assert_eq!(later[1].thread, "bob");
    assert_ne!(later[1].id, group);
}

/// A press of a button may carry no time of its own: it still shows that the contact was here.
async fn what_has_no_time_of_its_own_happened_when_it_came() {
    let house = house().await;
    let kept = house.take(vec![Event { at: 0, ..message("1", "a", "x") }]).await;
    let conversation = kept.events[0].conversation.clone().unwrap();
    assert_eq!(conversation.last_inbound(), Some(house.clock.now()));
    let history = house.store.history(&conversation, 5).await.unwrap();
    assert_eq!(history[0].at, kept.events[0].at);
}

/// As when a provider delivers again what an erased contact once said.
async fn a_stranger_who_first_brings_only_what_is_known_is_born_with_the_next_message() {
    let mut house = house().await;
    let first = house.take(vec![message("1", "a", "x")]).await.events.remove(0).conversation.unwrap();
    house.store.erase_contact(WS, first.contact, "cli").await.unwrap();
    let again = house.take(vec![message("1", "a", "x")]).await;
    assert_eq!((again.events.len(), again.duplicates), (0, 1));
    let event = house.take(vec![message("1", "b", "back")]).await.events.remove(0).id;
    house.again().await;
    let read = house.store.event(WS, event).await.unwrap().unwrap();
    assert_eq!(read.event.text(), Some("back"));
    let conversation = read.conversation.unwrap();
    assert_ne!(conversation.contact, first.contact);
    assert_eq!(house.store.timeline(&conversation, 9).await.unwrap().len(), 1);
}
