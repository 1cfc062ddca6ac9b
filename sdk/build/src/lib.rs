//! Builds plugins to WebAssembly components, and finds or makes the toolchain that this takes.
//!
//! A plugin is an ordinary Rust library crate built for `wasm32-unknown-unknown` and linked by `wasm-component-ld`, so what cargo
//! writes *is* the component. The standard library for that target comes from rustup when the user installed it; on Debian it is
//! otherwise made once in a private cache folder out of Debian's own packages. rustup is never asked to download anything, and the
//! user's toolchain is never written to.
//!
//! ```no_run
//! # fn main() -> anyhow::Result<()> {
//! let toolchain = pointsman_build::Toolchain::find_or_make()?;
//! for built in toolchain.build_all("plugins".as_ref(), "target/plugins".as_ref())? {
//!     println!("{} -> {}", built.folder, built.component.display());
//! }
//! # Ok(()) }
//! ```
//!
//! Used by the application's build script (the bundled plugins are embedded), by `cargo xtask`, by the command line and by tests.
//! Every build is cached by the content of what goes into it: asking again with nothing changed costs milliseconds.

mod debian;
mod digest;
mod environment;
mod guest;
mod lock;
mod sysroot;
mod toolchain;

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};

pub use crate::environment::cargo_command;
pub use crate::guest::{Built, watched};
pub use crate::toolchain::{Source, Toolchain};

/// The only target that plugins are built for. It has no files, sockets, environment or clock of its own.
pub const TARGET: &str = "wasm32-unknown-unknown";

/// Builds the guest crate in `crate_dir` and returns the path of its component, `target/guests/<folder>.wasm` under the project
/// that the crate lies in. For tests: makes the toolchain when it must, and waits for another build of the same kind.
pub fn build_guest(crate_dir: &Path) -> Result<PathBuf> {
    let crate_dir = crate_dir.canonicalize().with_context(|| format!("no such folder: {}", crate_dir.display()))?;
    let folder = crate_dir.file_name().context("a guest crate lies in a folder with a name")?;
    let root = project_root(&crate_dir).unwrap_or_else(|| crate_dir.clone());
    let out = root.join("target/guests").join(folder).with_extension("wasm");
    Toolchain::find_or_make()?.build(&crate_dir, &out)
}

/// The nearest folder at or above `from` that holds the plugin contract (`sdk/wit`): the root of the project.
pub fn project_root(from: &Path) -> Option<PathBuf> {
    from.ancestors().find(|folder| folder.join("sdk/wit").is_dir()).map(Path::to_path_buf)
}
