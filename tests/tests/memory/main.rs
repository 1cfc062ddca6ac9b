//! What is left of memory when guests try to take it: counted by the allocator, in a process of its own, for other tests
//! allocate too.

use std::alloc::System;

use anyhow::Result;
use pointsman_tests::attacks::corpus::{self, Act, Case};
use pointsman_tests::attacks::rig::Rig;
use pointsman_tests::proof::resident;
use serde_json::json;
use stats_alloc::{INSTRUMENTED_SYSTEM, StatsAlloc};
use tokio::sync::Mutex;

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

/// One counts at a time.
static ALONE: Mutex<()> = Mutex::const_new(());

const MIB: usize = 1 << 20;

/// With the binary beside this one, and the compiled code of all tests.
async fn rig() -> Result<Rig> {
    let mut folder = std::env::current_exe()?;
    folder.pop();
    if folder.ends_with("deps") {
        folder.pop();
    }
    Rig::new(&folder.join("pointsman"), folder.join("test-cache")).await
}

/// Bytes that were ever allocated, and those that still are.
fn allocated() -> (usize, usize) {
    let stats = ALLOCATOR.stats();
    (stats.bytes_allocated, stats.bytes_allocated.saturating_sub(stats.bytes_deallocated))
}

#[tokio::test]
async fn a_list_bomb_makes_the_host_allocate_less_than_a_mebibyte() {
    let _alone = ALONE.lock().await;
    let rig = rig().await.unwrap();
    // What a guest does hand over is seen.
    let (before, _) = allocated();
    rig.hostile(1, json!({"do": "big-log", "bytes": 900 << 10})).await.result.unwrap();
    assert!(allocated().0 - before > 900 << 10);
    let bombs: Vec<Case> = corpus::all().into_iter().filter(|case| case.number == 16).collect();
    assert!(bombs.len() > 5);
    for case in bombs {
        // The first time fills caches.
        case.run(&rig, &[]).await.unwrap();
        let (before, _) = allocated();
        let ended = case.run(&rig, &[]).await.unwrap();
        let taken = allocated().0 - before;
        eprintln!("{:<40} {taken:>8} bytes, {}", case.name, ended.by);
        // All together: then no single one was larger.
        assert!(taken < MIB, "{}: {taken} bytes", case.name);
    }
}

/// Runs of each script: so many that what one leaves behind is seen. A thousand in T1.
const RUNS: usize = 40;

#[tokio::test]
async fn hostile_scripts_leave_no_memory_behind_however_often_they_run() {
    let _alone = ALONE.lock().await;
    let rig = rig().await.unwrap();
    let hostile = |case: &Case| matches!(case.act, Act::Script(..)) && matches!(case.number, 3 | 6 | 41..=46);
    let scripts: Vec<Case> = corpus::all().into_iter().filter(hostile).collect();
    assert!(scripts.len() >= 8);
    for case in scripts {
        // The first times fill caches.
        for _ in 0..5 {
            case.run(&rig, &[]).await.unwrap();
        }
        let before = (allocated().1, resident("self").unwrap());
        for _ in 0..RUNS {
            case.run(&rig, &[]).await.unwrap();
        }
        let after = (allocated().1, resident("self").unwrap());
        eprintln!("{:<40} {:>8} -> {:>8} held, {:>4} -> {:>4} MiB", case.name, before.0, after.0, before.1 >> 20, after.1 >> 20);
        // One guest more may be kept warm.
        assert!(after.0 <= before.0 + MIB / 8, "{}: {} -> {} bytes are held", case.name, before.0, after.0);
        assert!(after.1 <= before.1 + before.1 / 20 + (4 << 20), "{}: {} -> {} bytes", case.name, before.1, after.1);
    }
}
