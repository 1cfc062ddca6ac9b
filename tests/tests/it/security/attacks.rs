//! The proofs about attackers, small enough for every day; whole by `cargo xtask safety`.

use pointsman_tests::attacks::{canary, crypto, leaks, rig::Rig, slow};

use crate::durability::proof::setting;
use crate::support::stores::skipped;
use crate::support::{binary, cache};

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

#[tokio::test]
async fn t8_no_forged_signature_is_accepted_and_no_right_one_refused() {
    let (seen, held) = crypto::signatures(20_000).await.unwrap();
    assert!(held, "{seen}");
}

#[tokio::test(flavor = "multi_thread")]
async fn t11_slow_connections_are_cut_and_webhooks_are_taken_beside_them() {
    let folder = tempfile::tempdir().unwrap();
    let found = slow::measure(&setting(&folder).await).await.unwrap();
    assert!(found.failed == 0 && found.balanced, "{found}");
}
