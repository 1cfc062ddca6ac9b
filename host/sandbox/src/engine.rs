//! The one constructor of the wasm engine, and the ticks by which guest time is measured.
//!
//! Attacks stopped here: recursion that eats the host's own stack (a guest has 1 MiB, on a fiber of 2 MiB; equal sizes would
//! pass the configuration and abort the process on the first overflow), memory beyond the cap, and a loop without end (the
//! epoch moves every tick, and every loop and function of a guest looks at it).

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use pointsman_core::failure::{Class, Failure};
use wasmtime::{Config, Engine, InstanceAllocationStrategy, PoolingAllocationConfig};

/// Guest time is counted in these; a guest lets other guests run at each.
pub(crate) const TICK: Duration = Duration::from_millis(5);

/// The epoch moves at each of these: a guest that has computed for longer than a tick lets everybody run who waits for its processor.
/// Left to itself a system finds out at its own ticks, of 4 or 10 ms, that another thread has waited long enough.
const BEAT: Duration = Duration::from_millis(1);

/// Beats of a tick.
pub(crate) const BEATS: u32 = 5;

const _: () = assert!(BEAT.as_millis() * BEATS as u128 == TICK.as_millis(), "a tick is whole beats");

/// How many guests compute for longer than a tick, at this moment. While there are none, nobody is woken for a beat.
pub(crate) type Computing = Arc<AtomicUsize>;

/// What a guest's own calls may use.
const WASM_STACK: usize = 1 << 20;

/// The fiber that it runs on. Host functions run on it too.
const FIBER_STACK: usize = 2 << 20;

// Sizes that are equal, or nearly so, are accepted by wasmtime and then abort the whole process on an overflow.
const _: () = assert!(FIBER_STACK >= WASM_STACK + (1 << 20), "a fiber needs 1 MiB more than its guest");

/// Elements of one table.
pub(crate) const TABLE_ELEMENTS: usize = 65_536;

/// Core instances and tables of one component. The bindings of a guest make one of each beside its own.
pub(crate) const PARTS: u32 = 8;

/// An engine with places for `instances` guests at once, each with up to `memory` bytes.
pub(crate) fn engine(instances: usize, memory: usize, computing: &Computing) -> Result<Engine, Failure> {
    let places = u32::try_from(instances).unwrap_or(u32::MAX / PARTS).min(u32::MAX / PARTS);
    let mut pool = PoolingAllocationConfig::default();
    pool.total_component_instances(places)
        .total_core_instances(places * PARTS)
        .total_memories(places)
        .total_tables(places * PARTS)
        .total_stacks(places)
        .max_core_instances_per_component(PARTS)
        .max_memories_per_component(1)
        .max_tables_per_component(PARTS)
        .max_memory_size(memory)
        .table_elements(TABLE_ELEMENTS)
        // What is kept is wiped by hand, which for a small guest is faster than giving the pages back.
        .linear_memory_keep_resident(256 << 10)
        .table_keep_resident(64 << 10);

    let engine = Engine::new(settings().allocation_strategy(InstanceAllocationStrategy::Pooling(pool))).map_err(|e| {
        Failure::new(
            Class::Permanent,
            "sandbox.engine",
            format!("the sandbox cannot start here ({e}); it reserves address space, so look for a limit on virtual memory"),
        )
    })?;
    beat(&engine, Arc::clone(computing))?;
    Ok(engine)
}

/// An engine that compiles for the other one, and runs nothing: it reserves no places.
pub(crate) fn compiler() -> wasmtime::Result<Engine> {
    Engine::new(&settings())
}

/// What guests may use, and how they are compiled.
fn settings() -> Config {
    let mut config = Config::new();
    config
        .wasm_component_model(true)
        .wasm_memory64(false)
        .wasm_multi_memory(false)
        .wasm_relaxed_simd(false)
        .epoch_interruption(true)
        .max_wasm_stack(WASM_STACK)
        .async_stack_size(FIBER_STACK);
    config
}

/// Moves the epoch on, for as long as the engine lives: at every beat while a guest computes, else by a whole tick at a time.
fn beat(engine: &Engine, computing: Computing) -> Result<(), Failure> {
    let weak = engine.weak();
    let beats = std::thread::Builder::new().name("ticks".to_owned()).spawn(move || {
        // Beats until it rests again: guests that take turns leave moments in which none computes.
        let mut awake = 0_u32;
        loop {
            awake = if computing.load(Ordering::Relaxed) > 0 { BEATS } else { awake.saturating_sub(1) };
            let beats = if awake > 0 { 1 } else { BEATS };
            std::thread::sleep(BEAT * beats);
            let Some(engine) = weak.upgrade() else { return };
            (0..beats).for_each(|_| engine.increment_epoch());
        }
    });
    match beats {
        Ok(_) => Ok(()),
        Err(e) => Err(Failure::new(Class::Transient, "sandbox.engine", format!("no thread for the ticks: {e}"))),
    }
}
