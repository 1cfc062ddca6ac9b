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
    granted(getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX))
}

/// Of so many descriptors: what is left, or a quarter where there are few.
fn granted(descriptors: u64) -> u32 {
    let free = descriptors.saturating_sub(KEPT).max(descriptors / 4).clamp(1, CONNECTIONS);
    u32::try_from(free).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::granted;

    #[test]
    fn connections_never_take_the_last_descriptors() {
        for (descriptors, connections) in
            [(0, 1), (64, 16), (256, 64), (1_024, 512), (20_000, 12_288), (1 << 20, 12_288), (u64::MAX, 12_288)]
        {
            assert_eq!(granted(descriptors), connections, "of {descriptors}");
        }
    }
}
