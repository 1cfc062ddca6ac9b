//! The named ends of a guest that went too far, and the fence around its memory.

use pointsman_core::failure::{Class, Failure};
use pointsman_core::limits::Limits;
use wasmtime::{PoolConcurrencyLimitError, ResourceLimiter, Trap};

use crate::engine::{PARTS, TABLE_ELEMENTS};

/// A limit that ends the call at once, as it travels through wasmtime.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Hit {
    /// Guest time is spent.
    #[error("limit.cpu")]
    Cpu,
    /// It asked for more memory than the cap.
    #[error("limit.memory")]
    Memory,
    /// It asked for a larger table than the cap.
    #[error("limit.table")]
    Table,
    /// It asked the host for more bytes than one call may copy.
    #[error("limit.copy")]
    Copy,
}

/// Counts the memory of one store over all that is in it, and refuses what goes beyond. A guest that is refused ends there:
/// most languages answer a failed growth with a bare `unreachable`, in which nobody could read the reason.
#[derive(Debug)]
pub(crate) struct Fence {
    cap: usize,
    now: usize,
}

impl Fence {
    /// A fence at `cap` bytes.
    pub(crate) fn new(cap: usize) -> Self {
        Self { cap, now: 0 }
    }

    /// Bytes of all memories. A memory never shrinks.
    pub(crate) fn bytes(&self) -> usize {
        self.now
    }
}

impl ResourceLimiter for Fence {
    fn memory_growing(&mut self, current: usize, desired: usize, _: Option<usize>) -> wasmtime::Result<bool> {
        let total = self.now.saturating_add(desired.saturating_sub(current));
        if total > self.cap {
            return Err(Hit::Memory.into());
        }
        self.now = total;
        Ok(true)
    }

    fn memory_grow_failed(&mut self, _: wasmtime::Error) -> wasmtime::Result<()> {
        Err(Hit::Memory.into())
    }

    fn table_growing(&mut self, _: usize, desired: usize, _: Option<usize>) -> wasmtime::Result<bool> {
        if desired > TABLE_ELEMENTS { Err(Hit::Table.into()) } else { Ok(true) }
    }

    fn table_grow_failed(&mut self, _: wasmtime::Error) -> wasmtime::Result<()> {
        Err(Hit::Table.into())
    }

    fn instances(&self) -> usize {
        PARTS as usize
    }

    fn tables(&self) -> usize {
        PARTS as usize
    }

    fn memories(&self) -> usize {
        1
    }
}

/// What a script is called where a plugin has its id.
pub(crate) const SCRIPT: &str = "the script";

/// The end of a call that wasmtime reported, in our words. `who` is the plugin's id, or [`SCRIPT`].
pub(crate) fn explain(error: &wasmtime::Error, who: &str, limits: &Limits) -> Failure {
    if let Some(hit) = error.downcast_ref::<Hit>() {
        return of(*hit, who, limits);
    }
    if let Some(trap) = error.downcast_ref::<Trap>() {
        return match trap {
            Trap::StackOverflow => stack(who),
            // The interpreter is ours and has no pointers of its own: what goes beyond its memory is the stack that its compiler
            // keeps there.
            Trap::MemoryOutOfBounds if who == SCRIPT => stack(who),
            Trap::UnreachableCodeReached => {
                Failure::bug("plugin.trap", format!("{who} gave up in the middle of its work (a panic); its log may say why"))
            }
            Trap::MemoryOutOfBounds => Failure::bug(
                "plugin.trap",
                format!(
                    "{who} broke off: it reached outside its memory; in a compiled language most often a recursion that does not end"
                ),
            ),
            other => Failure::bug("plugin.trap", format!("{who} broke off: {other}")),
        };
    }
    if error.downcast_ref::<PoolConcurrencyLimitError>().is_some() {
        return Failure::new(Class::Transient, "sandbox.busy", "all places of the sandbox are taken; it is tried again");
    }
    let root = error.root_cause().to_string();
    // wasmtime has no types for these two.
    if root.contains("fuel allocated for hostcalls") {
        return of(Hit::Copy, who, limits);
    }
    if root.contains("handle limit exceeded") {
        return Failure::limit("handles", format!("{who} holds more than {HANDLES} handles; give back those it does not need"));
    }
    let root: String = root.chars().filter(|c| !c.is_control()).take(200).collect();
    Failure::bug("plugin.trap", format!("{who} broke off: {root}"))
}

/// The stack ran out, the machine's or the one in the guest's memory. Each has 1 MiB.
fn stack(who: &str) -> Failure {
    Failure::limit(
        "stack",
        format!(
            "the calls of {who} nested deeper than its stack of 1 MiB; look for a recursion that does not end, or for a value \
             that is nested as deeply"
        ),
    )
}

/// Handles that one guest may hold. The contract has none; wasmtime counts those that a component makes for itself.
pub(crate) const HANDLES: usize = 256;

fn of(hit: Hit, who: &str, limits: &Limits) -> Failure {
    match hit {
        Hit::Cpu => Failure::limit(
            "cpu",
            format!("{who} computed for more than {} ms; let it do less in one call, or split the work over steps", limits.cpu),
        ),
        Hit::Memory => Failure::limit(
            "memory",
            format!("{who} needed more than {} MiB of memory; let it hold less at once", limits.memory >> 20),
        ),
        Hit::Table => Failure::limit("table", format!("{who} needed a table of more than {TABLE_ELEMENTS} elements")),
        Hit::Copy => Failure::limit(
            "copy",
            format!("{who} passed more than {} KiB to the host at once; large data travels as a blob", limits.copy >> 10),
        ),
    }
}

/// Time on the wall ran out.
pub(crate) fn wall(who: &str, limits: &Limits) -> Failure {
    Failure::limit(
        "wall",
        format!("{who} was not ready after {} s, waiting included; what it waits for may be slow or away", limits.wall / 1_000),
    )
}
