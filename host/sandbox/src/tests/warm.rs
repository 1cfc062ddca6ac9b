//! Which memory serves whom, and what a call costs.

use tokio::time::Instant;

use super::*;

async fn remember(house: &House, workspace: i64, text: &str) -> Value {
    output(house.run_in(workspace, json!({"do": "remember", "text": text})).await)
}

#[tokio::test]
async fn a_stranger_gets_a_fresh_memory_for_every_call() {
    let house = House::new(SandboxConfig::default(), Trust::Stranger);
    for text in ["one", "two", "three"] {
        assert_eq!(remember(&house, 1, text).await, json!(""));
    }
    assert_eq!(house.sandbox.inner.pool.len(), 0);
}

#[tokio::test]
async fn what_ships_with_the_host_stays_warm_within_one_workspace() {
    let house = House::new(SandboxConfig::default(), Trust::Bundled);
    assert_eq!(remember(&house, 1, "one").await, json!(""));
    assert_eq!(remember(&house, 2, "two").await, json!(""), "never across workspaces");
    assert_eq!(remember(&house, 1, "three").await, json!("one"));
    assert_eq!(remember(&house, 2, "four").await, json!("two"));
    // Its own failure is an answer like another; a trap, a limit and a bad output are not.
    house.run(json!({"do": "fail", "code": "x"})).await;
    assert_eq!(remember(&house, 1, "five").await, json!("three"));
    for deed in [
        json!({"do": "panic"}),
        json!({"do": "spin"}),
        json!({"do": "raw-output", "text": "no JSON"}),
        json!({"do": "send-storm", "count": 300}),
        json!({"do": "grow", "bytes": 20 << 20}),
    ] {
        remember(&house, 1, "left").await;
        house.run(deed.clone()).await;
        assert_eq!(remember(&house, 1, "x").await, json!(""), "{deed}");
    }
}

#[tokio::test]
async fn a_kept_guest_is_made_anew_after_a_thousand_calls() {
    let house = House::new(SandboxConfig::default(), Trust::Bundled);
    remember(&house, 1, "0").await;
    let mut fresh = Vec::new();
    for n in 1..2_500 {
        if remember(&house, 1, &n.to_string()).await == json!("") {
            fresh.push(n);
        }
    }
    assert_eq!(fresh, [1_000, 2_000]);
}

#[tokio::test]
async fn only_so_many_are_kept_and_the_longest_unused_goes_first() {
    let house = House::new(SandboxConfig { warm: 3, ..SandboxConfig::default() }, Trust::Bundled);
    for workspace in 1..=3 {
        remember(&house, workspace, "kept").await;
    }
    assert_eq!(remember(&house, 1, "kept").await, json!("kept"));
    remember(&house, 4, "kept").await;
    assert_eq!(house.sandbox.inner.pool.len(), 3);
    assert_eq!(remember(&house, 1, "kept").await, json!("kept"));
    assert_eq!(remember(&house, 2, "kept").await, json!(""));
    let none = House::new(SandboxConfig { warm: 0, ..SandboxConfig::default() }, Trust::Bundled);
    assert_eq!(remember(&none, 1, "kept").await, json!(""));
    assert_eq!(remember(&none, 1, "kept").await, json!(""));
}

/// Prints; a busy machine proves nothing.
#[tokio::test]
async fn what_a_call_costs() {
    for trust in [Trust::Bundled, Trust::Stranger] {
        let house = House::new(SandboxConfig::default(), trust);
        let desk: Arc<dyn StepHost> = Arc::new(Desk::default());
        let mut took = Vec::new();
        for _ in 0..3_000 {
            let call = house.call(1, json!({"do": "act", "text": "a short answer for the person who asked"}));
            let since = Instant::now();
            let end = house.sandbox.run(call, Arc::clone(&desk)).await;
            took.push(since.elapsed());
            assert_eq!(end.effects.len(), 7);
        }
        took.sort();
        println!("{trust:?}: a call with seven effects p50 {:?}, p99 {:?}", took[1_500], took[2_970]);
    }
}
