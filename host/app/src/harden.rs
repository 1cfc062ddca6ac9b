//! What both processes of a host do to themselves: no core dump is written, nobody of the same user may look into their memory, and
//! they take as many descriptors as the system lets them have. How many connections they give away of these.

use anyhow::{Context as _, Result};
use rustix::process::{DumpableBehavior, Resource, Rlimit, getrlimit, set_dumpable_behavior, setrlimit};

/// Descriptors that are never given to connections: files of the databases, pages with a browser, sends under way.
const KEPT: u64 = 512;

/// Connections of providers at once, where there are descriptors for them: more than any attacker of one machine holds open.
const CONNECTIONS: u64 = 12_288;

/// For this process, until it ends or begins anew.
pub fn harden() -> Result<()> {
    setrlimit(Resource::Core, Rlimit { current: Some(0), maximum: Some(0) }).context("core dumps cannot be switched off")?;
    let descriptors = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, Rlimit { current: descriptors.maximum, ..descriptors }).context("the limit on descriptors")?;
    set_dumpable_behavior(DumpableBehavior::NotDumpable).context("this process cannot be closed to debuggers")
}

/// How many connections of providers this process can hold. The next one waits in the system's queue: whoever floods the port
/// takes no descriptor from the databases.
#[must_use]
pub fn connections() -> u32 {
    let descriptors = getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX);
    let free = descriptors.saturating_sub(KEPT).clamp(descriptors / 4, CONNECTIONS).max(1);
    u32::try_from(free).unwrap_or(u32::MAX)
}
