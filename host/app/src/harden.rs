//! What both processes of a host do to themselves: no core dump is written, and nobody of the same user may look into their
//! memory.

use anyhow::{Context as _, Result};
use rustix::process::{DumpableBehavior, Resource, Rlimit, set_dumpable_behavior, setrlimit};

/// For this process, until it ends or begins anew.
pub fn harden() -> Result<()> {
    setrlimit(Resource::Core, Rlimit { current: Some(0), maximum: Some(0) }).context("core dumps cannot be switched off")?;
    set_dumpable_behavior(DumpableBehavior::NotDumpable).context("this process cannot be closed to debuggers")
}
