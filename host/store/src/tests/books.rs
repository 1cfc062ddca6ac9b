//! The books balance at every moment of a message's life, and tell when they do not.

use pointsman_core::failure::{Class, Failure};
use pointsman_core::id::Id;
use pointsman_core::journal::{Entry, RunState};
use pointsman_core::outbox::SendState;

use super::bulk::cpu;
use super::{START, WS, answer, house, message};
use crate::{Decide, DueRun, EventEnd, Parsed, RunWrite, SendUpdate, lane_of};

super::on_both! {
    a_life_of_a_message_balances_at_every_step,
    a_waiting_run_explains_its_event_and_names_its_time,
    nobody_s_due_runs_are_behind_another_s,
    what_no_rule_explains_is_told,
}

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
    house.store.receipt(&kept.events[0], EventEnd::by("done"), None).await.unwrap();
    assert_eq!(house.store.books(WS).await.unwrap().webhooks["kept"], 1);
    house.store.receipt(&kept.events[1], EventEnd::by("unwanted"), None).await.unwrap();
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
    let books = house.store.books(WS).await.unwrap();
    assert_eq!((books.events["routed"], books.runs["waiting"]), (1, 1));
    assert!(books.balanced(), "{:?}", books.unexplained);
    let open = house.store.open_books(WS).await.unwrap();
    assert_eq!((open.open_count, &open.open, open.runs.len()), (2, &books.open, 0), "the same, and nothing is counted");
    let start = house.store.open_events((Id(0), Id(0)), 10).await.unwrap();
    assert!(start.is_empty(), "an event whose run waits is not opened at a start");
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

async fn nobody_s_due_runs_are_behind_another_s() {
    let house = house().await;
    let mut waiting = Vec::new();
    for (n, workspace) in [WS, WS, WS, Id(2)].into_iter().enumerate() {
        let mut coming = house.coming(Parsed::Events(vec![message("1", &n.to_string(), "x")]));
        coming.workspace = workspace;
        let event = house.store.intake(coming).await.unwrap().events.remove(0);
        let mut run = answer(&house, &event, "z").runs.remove(0);
        let until = START + 1_000 * (n as i64 + 1);
        (run.state, run.until, run.waiting) = (RunState::Waiting, Some(until), Some("sleep".into()));
        let lane = lane_of(workspace, event.conversation.as_ref());
        waiting.push(DueRun { workspace, run: run.id, lane });
        let decide = Decide { workspace, conversation: event.conversation.clone(), runs: vec![run], ..Decide::default() };
        house.store.decide(decide).await.unwrap();
    }
    let due = house.store.due_runs(START + 9_000, 2).await.unwrap();
    assert_eq!(due, [waiting[0], waiting[1], waiting[3]], "the first two of each");
    assert_eq!(house.store.due_runs(START + 1_000, 2).await.unwrap(), waiting[..1]);
}

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
        house.meddle(sql, kept.events[0].id).await;
        let books = house.store.books(WS).await.unwrap();
        assert!(books.unexplained.iter().any(|u| u.contains(words)), "{sql}: {:?}", books.unexplained);
    }
}

/// How long the books take over a million messages of which a tenth waits: run with `-- millions --ignored --nocapture`. The
/// rows are made by SQL; their bodies are of the usual size and open for nobody.
#[tokio::test]
#[ignore = "a measurement"]
async fn millions() {
    let house = house().await;
    let fill = "with recursive n(i) as (select 1 union all select i+1 from n where i<1000000) ";
    let tables = [
        "insert into webhook(ws,id,channel,state,open,owners,raw) select 1,i<<22,7,case when i%10=0 then 0 else 2 end,i%10=0,x'',randomblob(700) from n",
        "insert into event(ws,id,webhook,channel,conversation,kind,state,rule,prev,body) select 1,(i<<22)+1,i<<22,7,i,'message',\
         case when i%10=0 then 1 else 2 end,case when i%10=0 then null else 'done' end,0,randomblob(300) from n",
        "insert into run(ws,id,conversation,event,workflow,state,until,waiting,journal) select 1,(i<<22)+2,i,(i<<22)+1,'h',\
         case when i%10=0 then 2 else 3 end,i,case when i%10=0 then 'ask' end,randomblob(400) from n",
        "insert into send(ws,id,channel,conversation,run,path,n,key,state,due,attempt,possible_duplicate,marked,prev,body) \
         select 1,(i<<22)+3,7,i,(i<<22)+2,'1',0,randomblob(16),4,0,1,0,1,0,randomblob(300) from n",
    ];
    for sql in tables {
        let (head, rest) = sql.split_once(" select ").unwrap();
        let mut transaction = house.store.data.begin().await.unwrap();
        transaction.run(format!("{head} {fill}select {rest}"), Vec::new()).await.unwrap();
        transaction.commit().await.unwrap();
    }
    let bytes = std::fs::metadata(house.dir.path().join("pointsman.db")).map_or(0, |m| m.len());
    for round in 0..2 {
        let (since, before) = (std::time::Instant::now(), cpu());
        let open = house.store.open_books(WS).await.unwrap();
        let told = (since.elapsed(), (cpu() - before) / 1_000);
        let (since, before) = (std::time::Instant::now(), cpu());
        let books = house.store.books(WS).await.unwrap();
        let counted = (since.elapsed(), (cpu() - before) / 1_000);
        println!("round {round}: {} MB; wall and ms of processor: open {told:?}, with counts {counted:?}", bytes >> 20);
        assert!(open.balanced() && books.balanced(), "{:?}", open.unexplained.first());
        assert_eq!((open.open_count, books.runs["done"]), (200_000, 900_000));
    }
    let since = std::time::Instant::now();
    let start = house.store.open_events((Id(0), Id(0)), 500).await.unwrap();
    println!("a start looks for events without a turn in {:?}", since.elapsed());
    assert!(start.is_empty());
}
