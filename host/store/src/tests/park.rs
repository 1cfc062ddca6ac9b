//! Parked things that are tried again or dropped: how each stands afterwards, that the books balance, and that nothing is
//! done about what is not parked.

use pointsman_core::failure::{Class, Failure};
use pointsman_core::id::Id;
use pointsman_core::journal::{Entry, RunState};
use pointsman_core::outbox::SendState;

use super::{CHANNEL, House, START, WS, answer, house, message};
use crate::{
    Acted, Books, Decide, EventEnd, EventState, ItemKind, KeptEvent, Parsed, RunWrite, SendUpdate, WebhookState, Wish,
    WorkspaceRow,
};

super::on_both! {
    a_webhook_is_unread_again_or_ends_dropped,
    an_event_without_runs_is_routed_again_with_its_webhook_open,
    a_run_is_due_again_and_its_event_open,
    an_event_goes_on_with_its_failed_runs_and_not_from_its_beginning,
    a_dropped_run_ends_cancelled_with_its_event_and_says_why,
    an_event_of_two_failed_runs_ends_with_the_second,
    a_send_is_due_now_with_its_key_or_ends_dropped,
    what_is_done_is_audited_in_its_own_commit_and_what_is_refused_is_not,
    two_processes_never_both_have_it,
    an_erased_contacts_things_are_not_tried_again_and_may_be_dropped,
    things_are_found_by_their_ids_their_keys_and_the_providers_ids,
}

fn drop_it() -> Wish {
    Wish::Drop("a test said so".into())
}

async fn act(house: &House, id: Id, wish: &Wish) -> Acted {
    house.store.act_on_parked(WS, id, "cli", wish).await.unwrap().unwrap()
}

async fn refused(house: &House, id: Id, wish: &Wish) -> String {
    house.store.act_on_parked(WS, id, "cli", wish).await.unwrap().unwrap_err().code
}

async fn balanced(house: &House) -> Books {
    let books = house.store.books(WS).await.unwrap();
    assert!(books.balanced(), "{:?}", books.unexplained);
    assert_eq!(house.store.audit_check(WS).await.unwrap(), None, "the audit's chain is whole");
    books
}

fn failure(code: &str) -> Failure {
    Failure::new(Class::Permanent, code, "mend it, then retry")
}

/// An event with one run that failed and one that is done; gives the event and the failed run.
async fn failed_run(house: &House, key: &str) -> (KeptEvent, Id) {
    let event = house.take(vec![message("1", key, "x")]).await.events.remove(0);
    let mut decide = answer(house, &event, "z");
    let failed = RunWrite {
        id: house.id(),
        state: RunState::Failed,
        reason: Some(failure("limit.cpu")),
        entries: vec![Entry::Started {
            workflow: "abc".into(),
            plugins: vec![],
            event: event.id,
            at: START,
            seed: 1,
            caller: None,
        }],
        ..decide.runs[0].clone()
    };
    let run = failed.id;
    decide.runs.push(failed);
    decide.event = Some((event.id, event.webhook, EventEnd::parked("run_failed")));
    house.store.decide(decide).await.unwrap();
    (event, run)
}

async fn parked_send(house: &House, key: &str, code: &str) -> (KeptEvent, Id) {
    let event = house.take(vec![message("1", key, "x")]).await.events.remove(0);
    let decide = answer(house, &event, "z");
    let id = decide.sends[0].id;
    house.store.decide(decide).await.unwrap();
    let update = SendUpdate {
        workspace: WS,
        id,
        conversation: event.conversation.clone(),
        state: SendState::Parked,
        attempt: 6,
        due: START,
        provider_ids: None,
        reason: Some(failure(code)),
        possible_duplicate: false,
    };
    house.store.update_send(update).await.unwrap();
    (event, id)
}

async fn a_webhook_is_unread_again_or_ends_dropped() {
    let house = house().await;
    let mut ids = Vec::new();
    for _ in 0..2 {
        let coming = house.coming(Parsed::Parked(failure("webhook.unreadable")));
        ids.push(house.store.intake(coming).await.unwrap().webhook.unwrap());
    }
    let acted = act(&house, ids[0], &Wish::Retry).await;
    assert_eq!((acted.kind, acted.code.as_str()), (ItemKind::Webhook, "webhook.unreadable"));
    act(&house, ids[1], &drop_it()).await;
    let books = balanced(&house).await;
    assert_eq!((books.webhooks["unread"], books.webhooks["ignored"], books.webhooks["parked"]), (1, 1, 0));
    let dropped = house.store.bare_webhook(WS, ids[1]).await.unwrap().unwrap();
    assert_eq!((dropped.state, dropped.rule.as_deref()), (WebhookState::Ignored, Some("dropped_by_operator")));
    assert_eq!(dropped.reason.map(|r| r.code).as_deref(), Some("webhook.unreadable"), "what was wrong is still told");

    // It is read from its bytes as they came, and once.
    let unread = house.store.unread(10).await.unwrap();
    assert_eq!(unread.len(), 1);
    assert!(unread[0].raw.windows(6).any(|w| w == b"Zwetsc"));
    let kept = house.store.normalize(unread[0].clone(), Parsed::Events(vec![message("1", "a", "x")])).await.unwrap();
    assert_eq!((kept.webhook, kept.events.len()), (Some(ids[0]), 1));
    assert!(house.store.unread(10).await.unwrap().is_empty());
    for id in ids {
        assert_eq!(refused(&house, id, &Wish::Retry).await, "park.not_parked");
        assert_eq!(refused(&house, id, &drop_it()).await, "park.not_parked");
    }
    balanced(&house).await;
}

async fn an_event_without_runs_is_routed_again_with_its_webhook_open() {
    let house = house().await;
    let kept = house.take(vec![message("1", "a", "x"), message("2", "b", "x")]).await;
    for event in &kept.events {
        house.store.receipt(event, EventEnd::parked("channel_disconnected"), None).await.unwrap();
    }
    assert_eq!(balanced(&house).await.webhooks["done"], 1);
    act(&house, kept.events[0].id, &Wish::Retry).await;
    act(&house, kept.events[1].id, &drop_it()).await;
    let books = balanced(&house).await;
    assert_eq!((books.webhooks["kept"], books.events["new"], books.events["ended"]), (1, 1, 1));
    let again = house.store.open_events((Id(0), Id(0)), 9).await.unwrap();
    assert_eq!(again.iter().map(|e| e.id).collect::<Vec<_>>(), [kept.events[0].id]);
    let dropped = house.store.bare_event(WS, kept.events[1].id).await.unwrap().unwrap();
    assert_eq!((dropped.state, dropped.rule.as_deref()), (EventState::Ended, Some("dropped_by_operator")));

    house.store.decide(answer(&house, &again[0], "z")).await.unwrap();
    assert!(house.store.open_events((Id(0), Id(0)), 9).await.unwrap().is_empty(), "it had its turn");
    assert_eq!(balanced(&house).await.webhooks["done"], 1);
    assert_eq!(refused(&house, kept.events[0].id, &Wish::Retry).await, "park.not_parked");
}

async fn a_run_is_due_again_and_its_event_open() {
    let house = house().await;
    let (event, run) = failed_run(&house, "a").await;
    let acted = act(&house, run, &Wish::Retry).await;
    assert_eq!((acted.code.as_str(), acted.with.as_slice()), ("limit.cpu", &[event.id][..]));
    let books = balanced(&house).await;
    assert_eq!((books.runs["waiting"], books.events["routed"], books.webhooks["kept"], books.runs["done"]), (1, 1, 1, 1));
    let due = house.store.due_runs(house.clock_now(), 10).await.unwrap();
    assert_eq!(due.iter().map(|due| due.run).collect::<Vec<_>>(), [run]);
    assert_eq!(house.store.run(WS, run).await.unwrap().unwrap().waiting.as_deref(), Some("retried"));
    assert_eq!(refused(&house, run, &Wish::Retry).await, "park.not_parked");
    assert_eq!(refused(&house, event.id, &Wish::Retry).await, "park.not_parked", "the event went with it");
}

async fn an_event_goes_on_with_its_failed_runs_and_not_from_its_beginning() {
    let house = house().await;
    let (event, run) = failed_run(&house, "a").await;
    let acted = act(&house, event.id, &Wish::Retry).await;
    assert_eq!((acted.code.as_str(), acted.with.as_slice()), ("run_failed", &[run][..]));
    assert!(house.store.open_events((Id(0), Id(0)), 9).await.unwrap().is_empty(), "what is done is not done again");
    let books = balanced(&house).await;
    assert_eq!((books.runs["waiting"], books.runs["done"], books.events["routed"]), (1, 1, 1));
}

async fn a_dropped_run_ends_cancelled_with_its_event_and_says_why() {
    let house = house().await;
    for by_event in [false, true] {
        let (event, run) = failed_run(&house, if by_event { "a" } else { "b" }).await;
        act(&house, if by_event { event.id } else { run }, &drop_it()).await;
        let row = house.store.run(WS, run).await.unwrap().unwrap();
        assert_eq!(row.state, RunState::Cancelled);
        let reason = row.reason.unwrap();
        assert_eq!(reason.code, "dropped_by_operator");
        assert!(reason.message.contains("a test said so") && reason.message.contains("limit.cpu"), "{reason}");
        let last = row.entries.last().unwrap();
        assert!(matches!(last, Entry::Cancelled { by, reason } if by == "cli" && reason == "a test said so"), "{last:?}");
        let event = house.store.bare_event(WS, event.id).await.unwrap().unwrap();
        assert_eq!((event.state, event.rule.as_deref()), (EventState::Ended, Some("dropped_by_operator")));
    }
    let books = balanced(&house).await;
    assert_eq!((books.runs["cancelled"], books.runs["failed"], books.events["ended"], books.webhooks["done"]), (2, 0, 2, 2));
    assert!(house.store.parked(WS, 10).await.unwrap().is_empty());
}

async fn an_event_of_two_failed_runs_ends_with_the_second() {
    let house = house().await;
    let event = house.take(vec![message("1", "a", "x")]).await.events.remove(0);
    let base = answer(&house, &event, "z").runs.remove(0);
    let failed = |id| RunWrite { id, state: RunState::Failed, reason: Some(failure("limit.cpu")), ..base.clone() };
    let (one, two) = (house.id(), house.id());
    let decide = Decide {
        workspace: WS,
        event: Some((event.id, event.webhook, EventEnd::parked("run_failed"))),
        conversation: event.conversation.clone(),
        runs: vec![failed(one), failed(two)],
        ..Decide::default()
    };
    house.store.decide(decide).await.unwrap();
    act(&house, one, &drop_it()).await;
    assert_eq!(house.store.bare_event(WS, event.id).await.unwrap().unwrap().state, EventState::Parked, "the other is parked");
    act(&house, two, &Wish::Retry).await;
    let books = balanced(&house).await;
    assert_eq!((books.runs["cancelled"], books.runs["waiting"], books.events["routed"], books.webhooks["kept"]), (1, 1, 1, 1));
}

async fn a_send_is_due_now_with_its_key_or_ends_dropped() {
    let house = house().await;
    let (_, rejected) = parked_send(&house, "a", "provider.rejected").await;
    let (_, unknown) = parked_send(&house, "b", "send.unknown").await;
    let (_, other) = parked_send(&house, "c", "provider.rejected").await;
    let key = house.store.send(WS, rejected).await.unwrap().unwrap().key;
    house.clock.advance(9_000);
    act(&house, rejected, &Wish::Retry).await;
    act(&house, unknown, &Wish::Retry).await;
    act(&house, other, &drop_it()).await;
    let row = house.store.send(WS, rejected).await.unwrap().unwrap();
    assert_eq!((row.state, row.key, row.attempt, row.due), (SendState::Ready, key, 0, START + 9_000));
    assert!(row.reason.is_some_and(|r| r.code == "retried" && r.message.contains("provider.rejected")));
    assert!(!row.possible_duplicate);
    assert!(house.store.send(WS, unknown).await.unwrap().unwrap().possible_duplicate, "it may have arrived before");
    let row = house.store.send(WS, other).await.unwrap().unwrap();
    assert_eq!((row.state, row.reason.map(|r| r.code).as_deref()), (SendState::Dropped, Some("dropped_by_operator")));
    let again = house.store.retried_sends().await.unwrap();
    assert_eq!(again.iter().map(|s| s.id).collect::<Vec<_>>(), [rejected, unknown]);
    let books = balanced(&house).await;
    assert_eq!((books.sends["ready"], books.sends["dropped"], books.sends["parked"]), (2, 1, 0));
    for id in [rejected, other] {
        assert_eq!(refused(&house, id, &Wish::Retry).await, "park.not_parked");
    }
}

async fn what_is_done_is_audited_in_its_own_commit_and_what_is_refused_is_not() {
    let house = house().await;
    let row = WorkspaceRow { id: WS, name: "Shop".into(), time_zone: "UTC".into(), language: "en".into() };
    house.store.put_workspace(row).await.unwrap();
    house.store.audit(WS, "cli", "channel.add", "before").await.unwrap();
    let (_, send) = parked_send(&house, "a", "provider.rejected").await;
    let before = house.store.newest_audit().await.unwrap();
    act(&house, send, &Wish::Retry).await;
    let after = house.store.newest_audit().await.unwrap();
    assert_ne!(after, before, "the bell rings");
    let wishes = house.store.wishes(&before, &after).await.unwrap();
    assert_eq!(wishes[&WS].iter().map(|line| line.action.as_str()).collect::<Vec<_>>(), ["park.retry"]);
    // What a host notes down of itself is heard by the others, and no wish.
    assert!(house.store.quarantine(WS, "a/spin", "too slow").await.unwrap());
    let noted = house.store.newest_audit().await.unwrap();
    assert_ne!(noted, after);
    assert_eq!(house.store.wishes(&after, &noted).await.unwrap().len(), 0);
    assert_eq!(refused(&house, send, &drop_it()).await, "park.not_parked");
    assert_eq!(refused(&house, Id(12), &drop_it()).await, "park.unknown");
    assert_eq!(house.store.act_on_parked(Id(2), send, "cli", &Wish::Retry).await.unwrap().unwrap_err().code, "park.unknown");
    house.store.audit(WS, "cli", "channel.add", "after").await.unwrap();
    let lines = house.store.audit_lines(WS, 10).await.unwrap();
    let told: Vec<_> = lines.iter().map(|l| (l.actor.as_str(), l.action.as_str(), l.detail.as_str())).collect();
    let retry = format!("send {send} provider.rejected");
    let quarantine = ("host", "plugin.quarantine", "a/spin: too slow");
    let acted =
        [("cli", "channel.add", "after"), quarantine, ("cli", "park.retry", retry.as_str()), ("cli", "channel.add", "before")];
    assert_eq!(told, acted);
    assert_eq!(house.store.acts_on(WS, send).await.unwrap().len(), 1);
    balanced(&house).await;
}

async fn two_processes_never_both_have_it() {
    let house = house().await;
    let (_, send) = parked_send(&house, "a", "provider.rejected").await;
    // A second store on the same files, as another process has it.
    let other = super::open(&house.config, &house.master, &house.clock).await.unwrap();
    let (retry, dropping) = (Wish::Retry, drop_it());
    let (one, two) =
        tokio::join!(house.store.act_on_parked(WS, send, "a", &retry), other.act_on_parked(WS, send, "b", &dropping));
    let done = [one.unwrap(), two.unwrap()];
    assert_eq!(done.iter().filter(|d| d.is_ok()).count(), 1, "{done:?}");
    assert!(done.iter().any(|d| d.as_ref().is_err_and(|e| e.code == "park.not_parked")), "{done:?}");
    other.close().await.unwrap();
    balanced(&house).await;
}

async fn an_erased_contacts_things_are_not_tried_again_and_may_be_dropped() {
    let house = house().await;
    let (event, run) = failed_run(&house, "a").await;
    let (_, send) = parked_send(&house, "b", "provider.rejected").await;
    house.store.erase_contact(WS, event.conversation.as_ref().unwrap().contact, "cli").await.unwrap();
    for id in [event.id, run, send] {
        assert_eq!(refused(&house, id, &Wish::Retry).await, "park.erased");
    }
    act(&house, run, &drop_it()).await;
    act(&house, send, &drop_it()).await;
    let books = balanced(&house).await;
    // The other send was open and ended with its contact.
    assert_eq!((books.runs["cancelled"], books.sends["dropped"], books.events["parked"]), (1, 2, 0));
}

async fn things_are_found_by_their_ids_their_keys_and_the_providers_ids() {
    let house = house().await;
    let channel = crate::ChannelNew {
        workspace: WS,
        plugin: "p".into(),
        account: "1065".into(),
        name: String::new(),
        config: serde_json::Value::Null,
    };
    let (new, channel) = (channel, house.store.channel_id());
    house.store.connect(channel, new, Vec::new()).await.unwrap();
    assert_ne!(channel, CHANNEL);
    let mut coming = house.coming(Parsed::Events(vec![message("1", "plain", "x"), message("1", "1065:with", "x")]));
    coming.channel = channel;
    let kept = house.store.intake(coming).await.unwrap();
    let decide = answer(&house, &kept.events[0], "z");
    let (run, send) = (decide.runs[0].id, decide.sends[0].clone());
    house.store.decide(decide).await.unwrap();
    let sent = SendUpdate {
        workspace: WS,
        id: send.id,
        conversation: kept.events[0].conversation.clone(),
        state: SendState::Read,
        attempt: 1,
        due: START,
        provider_ids: Some(vec!["wamid.out".into()]),
        reason: None,
        possible_duplicate: false,
    };
    house.store.update_send(sent).await.unwrap();
    let (first, second) = (kept.events[0].id, kept.events[1].id);
    for (asked, expected) in [
        (kept.webhook.unwrap().to_string(), (ItemKind::Webhook, kept.webhook.unwrap())),
        (first.to_string(), (ItemKind::Event, first)),
        (run.to_string(), (ItemKind::Run, run)),
        (send.id.to_string(), (ItemKind::Send, send.id)),
        (send.key.clone(), (ItemKind::Send, send.id)),
        ("plain".into(), (ItemKind::Event, first)),
        ("with".into(), (ItemKind::Event, second)),
        ("wamid.out".into(), (ItemKind::Send, send.id)),
    ] {
        assert_eq!(house.store.find(WS, &asked).await.unwrap().first(), Some(&expected), "{asked}");
    }
    for unknown in ["", "nobody", "17", "wamid.nobody"] {
        assert!(house.store.find(WS, unknown).await.unwrap().is_empty(), "{unknown}");
    }
    assert!(house.store.find(Id(2), "plain").await.unwrap().is_empty(), "another workspace's");
    // Weeks later the hashes are gone; the message's own id is still found.
    house.clock.advance(30 * 86_400_000);
    house.store.maintain().await.unwrap();
    assert_eq!(house.store.find(WS, "wamid.plain").await.unwrap(), [(ItemKind::Event, first)]);
    let held = house.store.events_of_webhook(WS, kept.webhook.unwrap()).await.unwrap();
    assert_eq!(held.iter().map(|e| e.id).collect::<Vec<_>>(), [first, second]);
}
