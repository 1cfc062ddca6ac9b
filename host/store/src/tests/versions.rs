//! Versions of workflows and of plugins: kept for ever, one active, every change with its line in the audit.

use pointsman_core::failure::{Class, Failure};
use pointsman_core::id::Id;
use pointsman_core::journal::{Entry, RunState};
use sha2::{Digest as _, Sha256};

use super::{START, WS, answer, house, message};
use crate::{Decide, EventEnd, StoreError};

super::on_both! {
    a_publication_is_one_transaction_and_its_history_is_kept,
    versions_of_plugins_stand_side_by_side_and_are_taken_back_one_by_one,
    a_parked_run_is_pinned_to_another_version_in_the_act_that_retries_it,
}

async fn a_publication_is_one_transaction_and_its_history_is_kept() {
    let mut house = house().await;
    let files = |n: u8| vec![("workflow.yaml".to_owned(), format!("name: w{n}"))];
    assert!(house.store.publish_workflow(WS, "cli", "w", "h1", files(1)).await.unwrap());
    assert!(house.store.publish_workflow(WS, "user/ann", "w", "h2", files(2)).await.unwrap());
    assert!(!house.store.publish_workflow(WS, "cli", "w", "h2", files(2)).await.unwrap(), "it was the active one already");
    house.store.publish_workflow(Id(2), "cli", "w", "h9", files(9)).await.unwrap();
    let back = |from: Option<&'static str>, to: &'static str| {
        let store = house.store.clone();
        async move { store.roll_back_workflow(WS, "user/bob", "w", from, to).await.unwrap().map_err(|refused| refused.code) }
    };
    assert_eq!(back(Some("h2"), "h9").await, Err("workflow.unknown".into()), "another workspace's");
    assert_eq!(back(Some("h1"), "h1").await, Err("workflow.changed".into()), "somebody was quicker");
    assert_eq!(back(Some("h2"), "h1").await, Ok(()));
    house.store.retire_workflow(WS, "cli", "w").await.unwrap().unwrap();
    assert_eq!(house.store.retire_workflow(WS, "cli", "w").await.unwrap().unwrap_err().code, "workflow.unknown");
    assert_eq!(back(None, "h1").await, Ok(()));

    house.again().await;
    let changes = house.store.workflow_changes(WS, Some("w")).await.unwrap();
    let told: Vec<_> = changes
        .iter()
        .map(|c| (c.action.as_deref().unwrap(), c.hash.as_deref().unwrap_or("-"), c.actor.as_deref().unwrap()))
        .collect();
    let expected = [
        ("workflow.publish", "h1", "cli"),
        ("workflow.publish", "h2", "user/ann"),
        ("workflow.rollback", "h1", "user/bob"),
        ("workflow.retire", "-", "cli"),
        ("workflow.rollback", "h1", "user/bob"),
    ];
    assert_eq!(told, expected);
    assert_eq!(house.store.audit_lines(WS, 10).await.unwrap().len(), 5, "a line for each change, and for nothing else");
    assert_eq!(house.store.audit_check(WS).await.unwrap(), None);
    let versions = house.store.workflow_versions(WS, "w").await.unwrap();
    assert_eq!(versions.iter().map(|v| (v.hash.as_str(), v.active)).collect::<Vec<_>>(), [("h1", true), ("h2", false)]);
    assert_eq!(house.store.workflow_changes(WS, None).await.unwrap().len(), 5, "of this workspace alone");
}

async fn versions_of_plugins_stand_side_by_side_and_are_taken_back_one_by_one() {
    let mut house = house().await;
    let digest = |bytes: &[u8]| hex::encode(Sha256::digest(bytes));
    let (old, new) = (digest(b"old"), digest(b"new"));
    house.store.keep_plugin("acme/mood", "m1", b"old").await.unwrap();
    house.clock.advance(5);
    house.store.keep_plugin("acme/mood", "m2", b"new").await.unwrap();
    house.store.keep_plugin("acme/mood", "other", b"old").await.unwrap();
    let yank = |digest: &str, why: Option<&'static str>| {
        let (store, digest) = (house.store.clone(), digest.to_owned());
        async move { store.yank_plugin(WS, "cli", ("acme/mood", &digest), why).await.unwrap().map_err(|refused| refused.code) }
    };
    assert_eq!(yank(&old, Some("leaks")).await, Ok(()));
    assert_eq!(yank(&old, Some("leaks")).await, Err("plugin.as_before".into()));
    assert_eq!(yank(&digest(b"none"), Some("x")).await, Err("plugin.version_unknown".into()));
    assert_eq!(yank(&new, None).await, Err("plugin.as_before".into()));
    house.again().await;
    let kept = house.store.plugin_versions().await.unwrap();
    let told: Vec<_> = kept.iter().map(|v| (v.digest.as_str(), v.yanked.as_deref())).collect();
    assert_eq!(told, [(old.as_str(), Some("leaks")), (new.as_str(), None)]);
    let whole = house.store.plugin_component("acme/mood", &old).await.unwrap().unwrap();
    assert_eq!((whole.manifest.as_str(), whole.component.as_slice()), ("m1", &b"old"[..]), "as it was kept first");
    assert!(house.store.plugin_component("acme/other", &old).await.unwrap().is_none());
    let line = house.store.audit_lines(WS, 1).await.unwrap().remove(0);
    assert_eq!((line.action.as_str(), line.detail), ("plugin.yank", format!("acme/mood@{old}: leaks")));

    let mut transaction = house.store.data.begin().await.unwrap();
    let spoil = "update plugin set component=? where digest=?";
    transaction.run(spoil, crate::sheet::row![vec![0_u8], new.clone()]).await.unwrap();
    transaction.commit().await.unwrap();
    let spoilt = house.store.plugin_component("acme/mood", &new).await;
    assert!(matches!(spoilt, Err(StoreError::Unreadable(_))), "{spoilt:?}");
}

async fn a_parked_run_is_pinned_to_another_version_in_the_act_that_retries_it() {
    let house = house().await;
    let kept = house.take(vec![message("1", "a", "x")]).await;
    let event = &kept.events[0];
    let mut run = answer(&house, event, "z").runs.remove(0);
    (run.state, run.reason) = (RunState::Failed, Some(Failure::new(Class::Denied, "plugin.yanked", "taken back")));
    run.entries.pop();
    let end = Some((event.id, event.webhook, EventEnd::parked("run_failed")));
    let decide = Decide {
        event: end,
        runs: vec![run.clone()],
        conversation: event.conversation.clone(),
        workspace: WS,
        ..Decide::default()
    };
    house.store.decide(decide).await.unwrap();
    let versions = [("acme/mood".to_owned(), "d2".to_owned())];
    let acted = house.store.retry_run_with(WS, run.id, "user/ann", &versions).await.unwrap().unwrap();
    assert_eq!((acted.code.as_str(), acted.with), ("plugin.yanked", vec![event.id]));
    let row = house.store.run(WS, run.id).await.unwrap().unwrap();
    assert_eq!(row.state, RunState::Waiting);
    let replaced = Entry::Replaced { plugin: "acme/mood".into(), digest: "d2".into(), by: "user/ann".into() };
    assert_eq!(row.entries.last(), Some(&replaced));
    assert_eq!(house.store.due_runs(START, 10).await.unwrap().len(), 1);
    assert!(house.store.books(WS).await.unwrap().balanced());
    // What is not parked any more is left as it is: no entry, no line.
    let refused = house.store.retry_run_with(WS, run.id, "user/ann", &versions).await.unwrap().unwrap_err();
    assert_eq!(refused.code, "park.not_parked");
    assert_eq!(house.store.run(WS, run.id).await.unwrap().unwrap().entries.len(), row.entries.len());
    assert_eq!(house.store.audit_lines(WS, 10).await.unwrap().len(), 1);
}
