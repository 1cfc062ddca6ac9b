//! The proofs about attackers, small enough for every day; whole by `cargo xtask safety`.

use pointsman_tests::attacks::{canary, crypto, fuzz, leaks, rig::Rig, rotation, slow};

use crate::durability::proof::setting;
use crate::support::stores::skipped;
use crate::support::{binary, cache};

#[tokio::test(flavor = "multi_thread")]
async fn t2_whatever_reads_what_others_wrote_stands_what_is_nearly_right() {
    let folder = tempfile::tempdir().unwrap();
    let setting = setting(&folder).await;
    let targets = fuzz::Targets::new(&setting).await.unwrap();
    for target in fuzz::TARGETS {
        let count = if target == "component" { 30 } else { 1_000 };
        assert_eq!(targets.run(target, count, &setting).unwrap(), Vec::<String>::new(), "{target}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn t4_nothing_that_one_guest_left_is_found_by_another() {
    let rig = Rig::new(&binary(), cache()).await.unwrap();
    canary::fresh(&rig, 25).await.unwrap();
    canary::warm(&rig, 50).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn t6_no_token_is_left_behind_whatever_a_provider_does_with_it() {
    if skipped("the proof sweeps files") {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let (seen, held) = leaks::prove(&setting(&folder).await).await.unwrap();
    assert!(held, "{seen}");
}

#[test]
fn t7_no_nonce_comes_twice_and_nothing_that_was_moved_opens() {
    let (seen, held) = crypto::envelopes(20_000).unwrap();
    assert!(held, "{seen}");
}

#[tokio::test(flavor = "multi_thread")]
async fn t7_another_master_key_under_load_and_kill_9_loses_nothing_and_the_old_one_opens_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let found = rotation::run(&setting(&folder).await).await.unwrap();
    assert!(found.held(), "{found}");
}

#[tokio::test]
async fn t8_no_forged_signature_is_accepted_and_no_right_one_refused() {
    let (seen, held) = crypto::signatures(20_000).await.unwrap();
    assert!(held, "{seen}");
}

#[tokio::test(flavor = "multi_thread")]
async fn t11_slow_connections_are_cut_and_webhooks_are_taken_beside_them() {
    let folder = tempfile::tempdir().unwrap();
    let found = slow::measure(&setting(&folder).await).await.unwrap();
    assert!(found.failed + found.lost == 0 && found.balanced, "{found}");
}
