//! The binary `pointsman`.

use std::process::ExitCode;

/// A message passes through some two hundred small allocations on several threads; the system's allocator spends a sixth of
/// the host's time on them.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    pointsman::cli::main()
}
