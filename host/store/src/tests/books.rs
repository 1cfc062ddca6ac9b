//! The books balance at every moment of a message's life, and tell when they do not.

use pointsman_core::failure::{Class, Failure};
use pointsman_core::journal::{Entry, RunState};
use pointsman_core::outbox::SendState;

use super::{START, WS, answer, house, message};
use crate::{Decide, EventEnd, RunWrite, SendUpdate};

#[tokio::test]
async fn a_life_of_a_message_balances_at_every_step() {
    let house = house().await;
    let kept = house.take(vec![message("1", "a", "x"), message("2", "b", "y")]).await;
    let books = house.store.books(WS).await.unwrap();
    assert_eq!((books.webhooks["kept"], books.events["new"], books.open.len()), (1, 2, 2));
    assert!(books.balanced() && !books.settled(), "{books:?}");

    let decide = answer(&house, &kept.events[0], "z");
    let send = decide.sends[0].clone();
    house.store.decide(decide.clone()).await.unwrap();
    let books = house.store.books(WS).await.unwrap();
    assert_eq!((books.webhooks["kept"], books.events["new"], books.events["ended"], books.sends["sending"]), (1, 1, 1, 1));
    assert!(books.balanced(), "{:?}", books.unexplained);

    // Ending the same event again changes nothing: its webhook still waits for the other.
    house.store.receipt(WS, kept.events[0].id, kept.events[0].webhook, EventEnd::by("done"), None).await.unwrap();
    assert_eq!(house.store.books(WS).await.unwrap().webhooks["kept"], 1);
    house.store.receipt(WS, kept.events[1].id, kept.events[1].webhook, EventEnd::by("unwanted"), None).await.unwrap();
    let update = SendUpdate {
        workspace: WS,
        id: send.id,
        conversation: kept.events[0].conversation.clone(),
        state: SendState::Sent,
        attempt: 1,
        due: START,
        provider_ids: Some(vec!["wamid.out".into()]),
        reason: None,
        possible_duplicate: false,
    };
    house.store.update_send(update).await.unwrap();
    let books = house.store.books(WS).await.unwrap();
    assert_eq!((books.webhooks["done"], books.events["ended"], books.runs["done"], books.sends["sent"]), (1, 2, 1, 1));
    assert!(books.settled(), "{books:?}");
}

#[tokio::test]
async fn a_waiting_run_explains_its_event_and_names_its_time() {
    let house = house().await;
    let kept = house.take(vec![message("1", "a", "x")]).await;
    let event = &kept.events[0];
    let mut run = answer(&house, event, "z").runs.remove(0);
    run.state = RunState::Waiting;
    run.until = Some(START + 60_000);
    run.waiting = Some("sleep".into());
    let base = Decide { workspace: WS, conversation: event.conversation.clone(), ..Decide::default() };
    house.store.decide(Decide { runs: vec![run.clone()], ..base.clone() }).await.unwrap();
    house.store.route_event(WS, event.id).await.unwrap();
    let books = house.store.books(WS).await.unwrap();
    assert_eq!((books.events["routed"], books.runs["waiting"]), (1, 1));
    assert!(books.balanced(), "{:?}", books.unexplained);
    assert!(books.open.iter().any(|o| o.kind == "run" && o.until == Some(START + 60_000) && o.waits_for == "sleep"));
    assert_eq!(house.store.due_runs(START + 59_999, 10).await.unwrap().len(), 0);
    assert_eq!(house.store.due_runs(START + 60_000, 10).await.unwrap().len(), 1);

    let reason = Failure::new(Class::Permanent, "provider.rejected", "no");
    let entries = vec![Entry::Cancelled { by: "x".into(), reason: "y".into() }];
    let failed = RunWrite {
        state: RunState::Failed,
        until: None,
        waiting: None,
        reason: Some(reason.clone()),
        entries,
        first: false,
        ..run
    };
    let event_end = Some((event.id, event.webhook, EventEnd::parked("run_failed")));
    house.store.decide(Decide { event: event_end, runs: vec![failed.clone()], ..base }).await.unwrap();
    let books = house.store.books(WS).await.unwrap();
    assert!(books.settled(), "{books:?}");
    assert_eq!((books.webhooks["done"], books.events["parked"], books.runs["failed"]), (1, 1, 1));
    let row = house.store.run(WS, failed.id).await.unwrap().unwrap();
    assert_eq!((row.entries.len(), row.state, row.reason.as_ref()), (3, RunState::Failed, Some(&reason)));
    let parked = house.store.parked(WS, 10).await.unwrap();
    assert_eq!(
        parked.iter().map(|p| (p.kind, p.code.as_str())).collect::<Vec<_>>(),
        [("run", "provider.rejected"), ("event", "run_failed")]
    );
}

#[tokio::test]
async fn what_no_rule_explains_is_told() {
    let house = house().await;
    let kept = house.take(vec![message("1", "a", "x"), message("2", "b", "x")]).await;
    let harm = [
        "update event set state=2 where id=?1",
        "update event set state=1 where id=?1",
        "update webhook set state=2 where id=(select webhook from event where id=?1)",
    ];
    let expected = ["ended without a rule", "no run of it is open", "its webhook has ended"];
    for (sql, words) in harm.into_iter().zip(expected) {
        let mut keeper = house.store.keeper.lock().await;
        sqlx::query(sql).bind(kept.events[0].id.0).execute(keeper.as_mut().unwrap()).await.unwrap();
        drop(keeper);
        let books = house.store.books(WS).await.unwrap();
        assert!(books.unexplained.iter().any(|u| u.contains(words)), "{sql}: {:?}", books.unexplained);
    }
}
