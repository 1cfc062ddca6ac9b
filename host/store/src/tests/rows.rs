//! Everything that goes in comes out: one test a noun.

use std::sync::Arc;

use pointsman_core::effect::Scope;
use pointsman_core::event::{Delivery, EventBody, Status};
use pointsman_core::failure::{Class, Failure};
use pointsman_core::id::Id;
use pointsman_core::journal::RunState;
use pointsman_core::mark::Marked;
use pointsman_core::outbox::SendState;
use pointsman_core::ports::Speaker;
use serde_json::json;

use super::{START, WS, all_shards, answer, house, message};
use crate::*;

super::on_both! {
    every_state_of_a_send_round_trips_and_none_goes_back,
    a_status_finds_its_send_by_key_or_by_provider_id,
    a_status_that_comes_late_finds_its_send_for_half_a_year,
    every_state_of_a_run_round_trips_and_its_journal_grows,
    a_conversation_remembers_what_was_said_in_order,
    state_is_kept_by_scope_with_its_mark_until_its_time,
    twin_keys_of_two_workspaces_have_values_of_their_own,
    channels_credentials_workflows_and_workspaces_round_trip,
    the_audit_finds_what_was_changed_taken_out_or_moved,
}

fn update(conversation: &Arc<ConversationRef>, id: Id, state: SendState) -> SendUpdate {
    SendUpdate {
        workspace: WS,
        id,
        conversation: Some(conversation.clone()),
        state,
        attempt: 1,
        due: START + 9,
        provider_ids: None,
        reason: None,
        possible_duplicate: false,
    }
}

async fn every_state_of_a_send_round_trips_and_none_goes_back() {
    let mut house = house().await;
    let kept = house.take((0..8).map(|n| message("1", &format!("m{n}"), "x")).collect()).await;
    let conversation = kept.events[0].conversation.clone().unwrap();
    let states: Vec<SendState> = (0..8).filter_map(SendState::from_stored).collect();
    let mut sends = Vec::new();
    for (event, state) in kept.events.iter().zip(&states) {
        let decide = answer(&house, event, "z");
        let send = decide.sends[0].clone();
        house.store.decide(decide).await.unwrap();
        house.store.update_send(update(&conversation, send.id, *state)).await.unwrap();
        sends.push(send);
    }
    drop(conversation);
    house.again().await;
    for (send, state) in sends.iter().zip(&states) {
        let row = house.store.send(WS, send.id).await.unwrap().unwrap();
        assert_eq!((row.state, &row.key, row.run, row.attempt, row.due), (*state, &send.key, send.run, 1, START + 9));
        assert_eq!((row.operation, row.marked, row.path.as_str()), (send.operation.clone(), true, "1"));
        assert_eq!(house.store.sends_of_run(WS, send.run).await.unwrap().len(), 1);
    }
    assert_eq!(house.store.open_sends(&all_shards()).await.unwrap().len(), 3);
    assert_eq!(house.store.due_sends(START + 9, 10).await.unwrap().len(), 2, "what is leaving is not due");
    assert_eq!(house.store.due_sends(START + 8, 10).await.unwrap().len(), 0);
    // Read, then a late "delivered".
    let read = &sends[SendState::Read as usize];
    let conversation = house.store.send(WS, read.id).await.unwrap().unwrap().conversation.unwrap();
    let mut late = update(&conversation, read.id, SendState::Delivered);
    late.possible_duplicate = true;
    house.store.update_send(late).await.unwrap();
    let row = house.store.send(WS, read.id).await.unwrap().unwrap();
    assert_eq!((row.state, row.possible_duplicate), (SendState::Read, true));
    assert!(house.store.send(Id(2), read.id).await.unwrap().is_none(), "another workspace sees nothing");
}

async fn a_status_that_comes_late_finds_its_send_for_half_a_year() {
    let house = house().await;
    let kept = house.take(vec![message("1", "a", "x")]).await;
    let conversation = kept.events[0].conversation.clone().unwrap();
    let decide = answer(&house, &kept.events[0], "z");
    let id = decide.sends[0].id;
    house.store.decide(decide).await.unwrap();
    let mut sent = update(&conversation, id, SendState::Sent);
    sent.provider_ids = Some(vec!["wamid.1".into()]);
    house.store.update_send(sent).await.unwrap();
    let mut age = 0;
    for (days, known) in [(0, true), (24, true), (50, true), (100, true), (170, true), (220, false)] {
        house.clock.advance((days - age) * 86_400_000);
        age = days;
        let found = house.store.find_send(WS, conversation.channel, None, "wamid.1").await.unwrap();
        assert_eq!(found.map(|send| send.id), known.then_some(id), "after {days} days");
    }
}

async fn a_status_finds_its_send_by_key_or_by_provider_id() {
    let house = house().await;
    let kept = house.take(vec![message("1", "a", "x")]).await;
    let conversation = kept.events[0].conversation.clone().unwrap();
    let decide = answer(&house, &kept.events[0], "z");
    let send = decide.sends[0].clone();
    house.store.decide(decide).await.unwrap();
    let channel = conversation.channel;
    // Before the answer came there is the key alone.
    let found = house.store.find_send(WS, channel, Some(&send.key), "wamid.1").await.unwrap().unwrap();
    assert_eq!((found.id, found.provider_ids.len()), (send.id, 0));
    assert!(house.store.find_send(WS, channel, None, "wamid.1").await.unwrap().is_none());
    let mut sent = update(&conversation, send.id, SendState::Sent);
    sent.provider_ids = Some(vec!["wamid.1".into(), "wamid.2".into()]);
    sent.reason = Some(Failure::new(Class::Transient, "send.unknown", "why"));
    house.store.update_send(sent.clone()).await.unwrap();
    let found = house.store.find_send(WS, channel, None, "wamid.1").await.unwrap().unwrap();
    assert_eq!((found.provider_ids, found.reason), (sent.provider_ids.unwrap(), sent.reason));
    assert!(house.store.find_send(WS, Id(5), None, "wamid.1").await.unwrap().is_none(), "another channel's id");
    assert!(house.store.find_send(Id(2), channel, Some(&send.key), "").await.unwrap().is_none());

    // The receipt: the status event ends and the send moves, in one commit.
    let news = Status { message: "wamid.1".into(), state: Delivery::Delivered, key: Some(send.key.clone()), failure: None };
    let mut event = message("1", "status", "x");
    event.body = EventBody::Status(news);
    event.sender = None;
    let kept = house.take(vec![event]).await;
    assert_eq!(kept.events[0].conversation.as_ref().unwrap().id, conversation.id);
    let before = house.store.stats().commits;
    let delivered = Some(update(&conversation, send.id, SendState::Delivered));
    house.store.receipt(&kept.events[0], EventEnd::by("receipt"), delivered).await.unwrap();
    assert_eq!(house.store.stats().commits, before + 1);
    let row = house.store.send(WS, send.id).await.unwrap().unwrap();
    assert_eq!((row.state, row.provider_ids.len(), row.reason), (SendState::Delivered, 2, None));
    let event = house.store.event(WS, kept.events[0].id).await.unwrap().unwrap();
    assert_eq!((event.state, event.rule.as_deref()), (EventState::Ended, Some("receipt")));
}

async fn every_state_of_a_run_round_trips_and_its_journal_grows() {
    let mut house = house().await;
    let kept = house.take((0..6).map(|n| message("1", &format!("m{n}"), "x")).collect()).await;
    let all = [RunState::Queued, RunState::Running, RunState::Waiting, RunState::Done, RunState::Failed, RunState::Cancelled];
    let mut runs = Vec::new();
    for (event, state) in kept.events.iter().zip(all) {
        let mut run = answer(&house, event, "z").runs.remove(0);
        run.state = state;
        run.waiting = (state == RunState::Waiting).then(|| "ask".into());
        let conversation = event.conversation.clone();
        house.store.decide(Decide { workspace: WS, conversation, runs: vec![run.clone()], ..Decide::default() }).await.unwrap();
        runs.push(run);
    }
    let more = RunWrite { first: false, ..runs[2].clone() };
    let conversation = kept.events[2].conversation.clone();
    house.store.decide(Decide { workspace: WS, conversation, runs: vec![more], ..Decide::default() }).await.unwrap();
    drop(kept);
    house.again().await;
    for (run, state) in runs.iter().zip(all) {
        let row = house.store.run(WS, run.id).await.unwrap().unwrap();
        assert_eq!((row.state, row.event, row.workflow.as_str(), &row.waiting), (state, run.event, "abc123", &run.waiting));
        let whole =
            if state == RunState::Waiting { [run.entries.clone(), run.entries.clone()].concat() } else { run.entries.clone() };
        assert_eq!(row.entries, whole);
        assert_eq!(house.store.runs_of_event(WS, run.event).await.unwrap().len(), 1);
    }
    let newest = house.store.runs(WS, RunFilter::default(), 2).await.unwrap();
    assert_eq!(newest.iter().map(|r| r.id).collect::<Vec<_>>(), [runs[5].id, runs[4].id]);
    let older = RunFilter { before: Some(runs[1].id), ..RunFilter::default() };
    assert_eq!(house.store.runs(WS, older, 9).await.unwrap().len(), 1);
    let failed = RunFilter { state: Some(RunState::Failed), ..RunFilter::default() };
    assert_eq!(house.store.runs(WS, failed, 9).await.unwrap().len(), 1);
    assert!(house.store.run(Id(2), runs[0].id).await.unwrap().is_none());
}

async fn a_conversation_remembers_what_was_said_in_order() {
    let mut house = house().await;
    for n in 0..5 {
        let kept =
            house.take(vec![message("1", &format!("m{n}"), &format!("in {n}")), message("2", &format!("o{n}"), "other")]).await;
        let mut decide = answer(&house, &kept.events[0], &format!("out {n}"));
        decide.notes.push(NewNote { by: "run/1".into(), text: format!("note {n}"), marked: true });
        decide.conversation_body = Some(ConversationBody { tags: vec![format!("t{n}")], ..ConversationBody::default() });
        house.store.decide(decide).await.unwrap();
        house.clock.advance(1_000);
        if n == 2 {
            drop(kept);
            house.again().await;
        }
    }
    let list = house.store.conversations(WS, 10).await.unwrap();
    assert_eq!(list.len(), 2);
    let one = list.iter().find(|c| c.conversation.thread == "1").unwrap();
    assert_eq!((one.body.tags.as_slice(), one.last_inbound), (&["t4".to_string()][..], Some(START - 5_000)));
    assert_eq!(one.contact.person.name.as_deref(), Some("Wilhelmine Quastenflosser"));
    let said = house.store.history(&one.conversation, 5).await.unwrap();
    let said: Vec<_> = said.iter().map(|s| (s.by, s.message.text.as_deref().unwrap())).collect();
    use Speaker::{Bot, Contact};
    assert_eq!(said, [(Bot, "out 2"), (Contact, "in 3"), (Bot, "out 3"), (Contact, "in 4"), (Bot, "out 4")]);
    assert_eq!(house.store.timeline(&one.conversation, 100).await.unwrap().len(), 10);
    assert_eq!(house.store.timeline(&one.conversation, 3).await.unwrap().len(), 3);
    let notes = house.store.notes(&one.conversation, 2).await.unwrap();
    assert_eq!(notes.iter().map(|n| n.text.as_str()).collect::<Vec<_>>(), ["note 3", "note 4"]);
    assert!(house.store.conversation(Id(2), one.conversation.id).await.unwrap().is_none());
}

async fn state_is_kept_by_scope_with_its_mark_until_its_time() {
    let house = house().await;
    let kept = house.take(vec![message("1", "a", "x"), message("2", "b", "x")]).await;
    let (one, two) = (kept.events[0].conversation.clone().unwrap(), kept.events[1].conversation.clone().unwrap());
    let write =
        |scope, value: Option<serde_json::Value>, until| StateWrite { scope, key: "k".into(), value, until, marked: true };
    let put = |c: &Arc<ConversationRef>, state: Vec<StateWrite>| Decide {
        workspace: WS,
        conversation: Some(c.clone()),
        state,
        ..Decide::default()
    };
    let writes = vec![
        write(Scope::Conversation, Some(json!(0)), None),
        write(Scope::Conversation, Some(json!(1)), None),
        write(Scope::Contact, Some(json!({"a": 2})), Some(START + 1_000)),
        write(Scope::Workspace, Some(json!("three")), None),
    ];
    house.store.decide(put(&one, writes)).await.unwrap();
    let get = async |c: &ConversationRef, scope| house.store.state_get(c, scope, "k").await.unwrap();
    assert_eq!(get(&one, Scope::Conversation).await, Some(Marked::outside(json!(1))), "the last write counts");
    assert_eq!(get(&one, Scope::Contact).await, Some(Marked::outside(json!({"a": 2}))));
    assert_eq!(get(&two, Scope::Workspace).await, Some(Marked::outside(json!("three"))));
    assert_eq!(get(&two, Scope::Conversation).await, None, "not another's memory");
    assert_eq!(get(&two, Scope::Contact).await, None);
    house.clock.advance(1_000);
    assert_eq!(get(&one, Scope::Contact).await, None, "its time is over");
    house.store.decide(put(&one, vec![write(Scope::Conversation, None, None)])).await.unwrap();
    assert_eq!(get(&one, Scope::Conversation).await, None);
}

async fn twin_keys_of_two_workspaces_have_values_of_their_own() {
    let house = house().await;
    let two = Id(2);
    let mut conversations = Vec::new();
    for ws in [WS, two] {
        let mut coming = house.coming(Parsed::Events(vec![message("1", "a", "x")]));
        coming.workspace = ws;
        conversations.push(house.store.intake(coming).await.unwrap().events[0].conversation.clone().unwrap());
    }
    let (one, other) = (&conversations[0], &conversations[1]);
    let all = [Scope::Conversation, Scope::Contact, Scope::Workspace];
    let put = async |c: &Arc<ConversationRef>, value: Option<serde_json::Value>| {
        let write = |scope| StateWrite { scope, key: "k".into(), value: value.clone(), until: None, marked: false };
        let state = all.map(write).into();
        let decide = Decide { workspace: c.workspace, conversation: Some(c.clone()), state, ..Decide::default() };
        house.store.decide(decide).await.unwrap();
    };
    let get = async |c: &ConversationRef, key: &str| {
        let mut values = Vec::new();
        for scope in all {
            values.push(house.store.state_get(c, scope, key).await.unwrap().map(|marked| marked.value));
        }
        values.push(house.store.state_of_workspace(c.workspace, key).await.unwrap().map(|marked| marked.value));
        values
    };
    let keys = async |c: &ConversationRef| {
        let mut counts = Vec::new();
        for scope in all {
            counts.push(house.store.state_keys(c.workspace, Some(c), scope, 9).await.unwrap());
        }
        counts
    };
    put(one, Some(json!("mine"))).await;
    for key in ["k", "never", "1/k", "../k", "k\0", "\0k", "kk", "K"] {
        assert_eq!(get(other, key).await, [None, None, None, None], "{key:?}");
    }
    assert_eq!((keys(one).await, keys(other).await), (vec![1; 3], vec![0; 3]));
    put(other, Some(json!("theirs"))).await;
    assert_eq!(get(one, "k").await, vec![Some(json!("mine")); 4]);
    assert_eq!(get(other, "k").await, vec![Some(json!("theirs")); 4]);
    put(other, None).await;
    assert_eq!((get(one, "k").await, get(other, "k").await), (vec![Some(json!("mine")); 4], vec![None; 4]));

    // What is looked up is one name of everything that it hangs on, so no key reaches into another's place.
    let name = |ws, scope, owner, key: &str| house.store.state_name(Id(ws), scope, owner, key);
    let names = [
        name(1, Scope::Contact, 12, "3k"),
        name(1, Scope::Contact, 123, "k"),
        name(11, Scope::Contact, 2, "3k"),
        name(1, Scope::Conversation, 12, "3k"),
        name(1, Scope::Contact, 12, "3k\0"),
        name(2, Scope::Contact, 12, "3k"),
    ];
    assert_eq!(std::collections::BTreeSet::from(names).len(), names.len());
}

async fn channels_credentials_workflows_and_workspaces_round_trip() {
    let mut house = house().await;
    let config = json!({"api_version": "v21.0"});
    let new =
        ChannelNew { workspace: WS, plugin: "pointsman/whatsapp".into(), account: "1065".into(), name: "Shop".into(), config };
    let id = house.store.channel_id();
    let mut credential = CredentialRow {
        workspace: WS,
        owner: id,
        slot: "access_token".into(),
        hosts: vec!["https://a".into()],
        sealed: vec![1, 2, 3],
    };
    house.store.connect(id, new.clone(), vec![credential.clone()]).await.unwrap();
    credential.sealed = vec![4];
    house.store.connect(id, new.clone(), vec![credential.clone()]).await.unwrap();
    house.store.set_channel_state(WS, id, ChannelState::Revoked).await.unwrap();
    let files = |n: u8| vec![("workflow.yaml".to_string(), format!("name: w{n}"))];
    house.store.publish_workflow(WS, "cli", "w", "h1", files(1)).await.unwrap();
    house.store.publish_workflow(WS, "cli", "w", "h2", files(2)).await.unwrap();
    let workspace = WorkspaceRow { id: WS, name: "Shop".into(), time_zone: "Europe/Berlin".into(), language: "de".into() };
    house.store.put_workspace(workspace.clone()).await.unwrap();
    house.again().await;
    let channel = house.store.channel(WS, id).await.unwrap().unwrap();
    assert_eq!(
        (channel.account, channel.name, channel.config, channel.state),
        (new.account, new.name, new.config, ChannelState::Revoked)
    );
    assert_eq!(channel.credentials, [credential]);
    assert_eq!(house.store.channels(WS).await.unwrap().len(), 1);
    assert!(house.store.channels(Id(2)).await.unwrap().is_empty());
    let active = house.store.active_workflows(WS).await.unwrap();
    assert_eq!((active.len(), active[0].hash.as_str(), &active[0].files), (1, "h2", &files(2)));
    let old = house.store.workflow(WS, "h1").await.unwrap().unwrap();
    assert_eq!((old.active, old.files), (false, files(1)));
    assert!(house.store.workflow(Id(2), "h1").await.unwrap().is_none());
    house.store.publish_workflow(WS, "cli", "w", "h1", files(1)).await.unwrap();
    assert_eq!(house.store.active_workflows(WS).await.unwrap()[0].hash, "h1", "a roll-back is a publication");
    house.store.retire_workflow(WS, "cli", "w").await.unwrap().unwrap();
    assert!(house.store.active_workflows(WS).await.unwrap().is_empty());
    assert_eq!(house.store.workspaces().await.unwrap(), [workspace]);
}

async fn the_audit_finds_what_was_changed_taken_out_or_moved() {
    let harms = [
        ("update audit set detail='other' where id=?", 1),
        ("delete from audit where id=?", 2),
        ("update audit set id=id+9000000 where id=?", 1),
    ];
    for (harm, first_bad) in harms {
        let house = house().await;
        for n in 0..4 {
            house.store.audit(WS, "cli", "channel.add", &format!("channel {n}")).await.unwrap();
        }
        house.store.audit(Id(2), "cli", "channel.add", "another's").await.unwrap();
        assert_eq!(house.store.audit_check(WS).await.unwrap(), None);
        let lines = house.store.audit_lines(WS, 10).await.unwrap();
        assert_eq!((lines.len(), lines[0].detail.as_str()), (4, "channel 3"));
        let ids: Vec<Id> = lines.iter().rev().map(|l| l.id).collect();
        house.meddle(harm, ids[1]).await;
        let found = house.store.audit_check(WS).await.unwrap().expect(harm);
        let expected = if harm.contains("id=id+") { ids[2] } else { ids[first_bad] };
        assert_eq!(found, expected, "{harm}");
    }
}

#[test]
fn a_key_is_sixteen_bytes_and_comes_back_as_it_was() {
    for key in
        ["0123456789abcdef0123456789abcdef", "ff23456789abcdef0123456789abcdef", "plain", "", "0123456789ABCDEF0123456789ABCDEF"]
    {
        assert_eq!(decide::key_text(&decide::key_bytes(key)), key);
    }
    assert_eq!(decide::key_bytes("0123456789abcdef0123456789abcdef").len(), 16);
}
