//! What a guest may try against the machine.

use std::time::Duration;

use tokio::time::Instant;

use pointsman_core::limits::Limits;

use super::*;

#[tokio::test]
async fn each_attack_ends_under_its_own_name_in_time() {
    let house = House::new(SandboxConfig::default(), Trust::Stranger);
    for (input, code) in [
        (json!({"do": "spin"}), "limit.cpu"),
        (json!({"do": "fill"}), "limit.cpu"),
        (json!({"do": "hoard"}), "limit.memory"),
        (json!({"do": "grow", "bytes": 100 << 20}), "limit.memory"),
        (json!({"do": "recurse"}), "limit.stack"),
        (json!({"do": "recurse-by-pointer"}), "limit.stack"),
        (json!({"do": "recurse-wide"}), "plugin.trap"),
        (json!({"do": "panic"}), "plugin.trap"),
        (json!({"do": "instant"}), "plugin.trap"),
        (json!({"do": "many-bytes"}), "limit.copy"),
        (json!({"do": "big-output", "bytes": 300 << 10}), "limit.output"),
        (json!({"do": "big-output", "bytes": 2 << 20}), "limit.copy"),
        (json!({"do": "big-log", "bytes": 2 << 20}), "limit.copy"),
        (json!({"do": "deep-output", "depth": 100_000}), "limit.output"),
        (json!({"do": "raw-output", "text": "NaN"}), "plugin.output"),
        (json!({"do": "raw-output", "text": "{\"a\":1,\"a\":2}"}), "plugin.output"),
        (json!({"do": "send-storm", "count": 1_000}), "limit.effects"),
        (json!({"do": "send-large", "count": 200, "bytes": 100 << 10}), "limit.effects"),
    ] {
        let since = Instant::now();
        let end = house.run(input.clone()).await;
        let took = since.elapsed();
        let failure = end.result.unwrap_err();
        assert_eq!(failure.code, code, "{input}: {failure}");
        assert!(failure.message.contains("acme/hostile"), "{failure}");
        assert!(end.effects.is_empty(), "{input}");
        // Ticks of its own time; a busy machine makes them longer, not more.
        assert!(end.usage.ticks <= 11, "{input}: {:?}", end.usage);
        assert!(took < Duration::from_secs(5), "{input}: {took:?}");
        println!(
            "{:<70} {:<14} {:>7.1} ms, {:>2} ticks, {:>6} KiB",
            input.to_string(),
            failure.code,
            took.as_secs_f64() * 1e3,
            end.usage.ticks,
            end.usage.memory >> 10
        );
        house.alive().await;
    }
    // Within the bounds the same deeds are ordinary work.
    assert_eq!(house.output(json!({"do": "grow", "bytes": 30 << 20})).await, json!(30 << 20));
    assert_eq!(house.output(json!({"do": "send-storm", "count": 256})).await, json!(0));
    assert_eq!(house.output(json!({"do": "deep-output", "depth": 60})).await.to_string().len(), 120);
}

#[tokio::test]
async fn a_guest_that_writes_to_all_the_memory_it_gets_ends_at_the_cap() {
    // To be given that many pages takes time, on a busy machine more than a step has.
    let limits = Limits { cpu: 5_000, ..Limits::STEP };
    let house = House::new(SandboxConfig { limits, ..SandboxConfig::default() }, Trust::Stranger);
    let end = house.run(json!({"do": "touch", "step": 4_096})).await;
    assert_eq!(end.result.unwrap_err().code, "limit.memory");
    // A megabyte at a time.
    let cap = Limits::STEP.memory as u64;
    assert!(end.usage.memory <= cap && end.usage.memory > cap - (1 << 20), "{:?}", end.usage);
}

#[tokio::test]
async fn there_are_no_files_sockets_threads_or_environment() {
    let house = House::new(SandboxConfig::default(), Trust::Stranger);
    assert_eq!(house.output(json!({"do": "file"})).await, json!([true, true, true]));
    assert_eq!(house.output(json!({"do": "env"})).await, json!(true));
    assert_eq!(house.output(json!({"do": "thread"})).await, json!(true));
    assert!(!Path::new("/tmp/escaped").exists());
}

#[tokio::test]
async fn a_guest_that_spins_while_it_starts_is_cut() {
    let sandbox = Sandbox::new(SandboxConfig::default()).unwrap();
    let loaded = sandbox.load_blocking(step("acme/spin", ""), &guest("spin-at-start"), Trust::Stranger).unwrap();
    let house = House { sandbox, code: Code::Plugin { id: loaded.id, digest: loaded.digest } };
    let end = house.run(json!({})).await;
    assert_eq!(end.result.unwrap_err().code, "limit.cpu");
    assert!(end.usage.ticks > 9, "{:?}", end.usage);
}

#[tokio::test]
async fn what_never_answers_is_cut_and_its_place_is_free_again() {
    let limits = Limits { wall: 100, ..Limits::STEP };
    let house = House::new(SandboxConfig { places: 1, limits, ..SandboxConfig::default() }, Trust::Bundled);
    house.output(json!({"do": "remember", "text": "one"})).await;
    let requests = vec![json!({"url": "https://api.example.com/"}); 16];
    for deed in [json!({"do": "conversation"}), json!({"do": "fetch", "requests": requests})] {
        for _ in 0..3 {
            let since = Instant::now();
            let end = house.sandbox.run(house.call(1, deed.clone()), Arc::new(Desk { hangs: true, ..Desk::default() })).await;
            assert_eq!(end.result.unwrap_err().code, "limit.wall", "{deed}");
            assert_eq!(end.usage.host_calls, 1, "its usage is kept");
            assert!(since.elapsed() < Duration::from_millis(1_000), "{deed}");
        }
    }
    // Sixteen calls at once take turns at the one place, and none keeps it.
    let house = Arc::new(house);
    let all: Vec<_> = (0..16)
        .map(|_| {
            let house = Arc::clone(&house);
            let call = house.call(1, json!({"do": "fetch", "requests": requests[..1]}));
            tokio::spawn(async move { house.sandbox.run(call, Arc::new(Desk { hangs: true, ..Desk::default() })).await })
        })
        .collect();
    for one in all {
        assert_eq!(one.await.unwrap().result.unwrap_err().code, "limit.wall");
    }
    assert_eq!(house.output(json!({"do": "remember", "text": "two"})).await, json!(""), "the guests that were cut are gone");
    let answered = house.output(json!({"do": "fetch", "requests": requests})).await;
    assert!(answered.as_array().unwrap().iter().all(|one| one["status"] == 200), "{answered}");
}

#[tokio::test]
async fn waiting_is_not_computing() {
    let house = House::new(SandboxConfig::default(), Trust::Stranger);
    let desk = Desk { wait: Some(Duration::from_millis(150)), ..Desk::default() };
    let end = house.sandbox.run(house.call(1, json!({"do": "conversation"})), Arc::new(desk)).await;
    assert!(end.usage.wall_us > 300_000, "{:?}", end.usage);
    assert!(end.usage.ticks <= 4, "{:?}", end.usage);
    assert_eq!(output(end), json!([{"Ok": "c1 whatsapp [\"new\"] {\"size\":42}"}, {"Ok": 5}]));
}

/// On one thread: a guest that computes leaves it within a tick or two, whatever it goes on to do. One that kept the thread
/// would have come to its end before ours got their turn.
#[tokio::test(flavor = "current_thread")]
async fn a_slow_guest_leaves_the_thread_of_its_caller() {
    let limits = Limits { cpu: 1_500, ..Limits::STEP };
    let house = Arc::new(House::new(SandboxConfig { limits, ..SandboxConfig::default() }, Trust::Stranger));
    house.alive().await;
    let slow: Vec<_> = (0..4)
        .map(|_| {
            let house = Arc::clone(&house);
            tokio::spawn(async move { house.code_of(json!({"do": "spin"})).await })
        })
        .collect();
    // The spinning ones get the thread first, for a tick each; then ours, while they go on elsewhere.
    tokio::task::yield_now().await;
    for _ in 0..20 {
        house.alive().await;
    }
    assert!(slow.iter().all(|one| !one.is_finished()), "ours came after a guest that computes");
    for one in slow {
        assert_eq!(one.await.unwrap(), "limit.cpu");
    }
}

/// Where the guest of a call that reads its conversation was.
async fn thread_of(house: &House) -> Option<String> {
    let desk = Arc::new(Desk::default());
    output(house.sandbox.run(house.call(1, json!({"do": "conversation"})), Arc::clone(&desk) as _).await);
    desk.asked_on.lock().clone()
}

#[tokio::test]
async fn who_was_slow_the_last_time_begins_elsewhere() {
    let house = House::new(SandboxConfig::default(), Trust::Stranger);
    let here = std::thread::current().name().map(str::to_owned);
    assert_eq!(thread_of(&house).await, here);
    assert_eq!(house.code_of(json!({"do": "spin"})).await, "limit.cpu");
    assert_eq!(thread_of(&house).await.as_deref(), Some("guest"));
    assert_eq!(thread_of(&house).await, here, "it was quick again");
}

#[tokio::test]
async fn honest_work_over_several_ticks_ends_well() {
    let house =
        House::new(SandboxConfig { limits: Limits { cpu: 2_000, ..Limits::STEP }, ..SandboxConfig::default() }, Trust::Bundled);
    let end = house.run(json!({"do": "work", "rounds": 30_000_000})).await;
    assert!(end.usage.ticks >= 1, "{:?}", end.usage);
    assert!(output(end).is_u64());
}

#[tokio::test]
async fn more_calls_than_places_wait_their_turn() {
    let house = Arc::new(House::new(SandboxConfig { places: 2, warm: 1, ..SandboxConfig::default() }, Trust::Stranger));
    let all: Vec<_> = (0..30)
        .map(|n| {
            let house = Arc::clone(&house);
            tokio::spawn(async move {
                if n % 3 == 0 {
                    house.code_of(json!({"do": "grow", "bytes": 100 << 20})).await
                } else {
                    house.alive().await;
                    String::new()
                }
            })
        })
        .collect();
    for (n, one) in all.into_iter().enumerate() {
        assert_eq!(one.await.unwrap(), if n % 3 == 0 { "limit.memory" } else { "" });
    }
}
