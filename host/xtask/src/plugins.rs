//! Builds what runs in the sandbox: the bundled plugins, and the guests that the tests set on the host.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context as _, Result};
use pointsman_build::{Built, Toolchain};

use crate::house::{root, tell};

/// Builds the bundled plugins, as the application's build script would, but with its progress to be seen.
pub fn build() -> Result<Vec<Built>> {
    Toolchain::find_or_make()?.build_all(&root().join("plugins"), &root().join("target/plugins"))
}

/// Builds every guest crate in `tests/guests`.
pub fn build_guests() -> Result<Vec<PathBuf>> {
    let folder = root().join("tests/guests");
    let mut guests: Vec<PathBuf> = match folder.read_dir() {
        Ok(entries) => entries.flatten().map(|entry| entry.path()).filter(|path| path.join("Cargo.toml").is_file()).collect(),
        Err(_) => Vec::new(),
    };
    guests.sort();
    guests
        .iter()
        .map(|guest| pointsman_build::build_guest(guest).with_context(|| format!("the guest {}", guest.display())))
        .collect()
}

/// `cargo xtask plugins [dir..]`: the named crates, else all of `plugins/`.
pub fn run(folders: &[String]) -> Result<ExitCode> {
    if folders.is_empty() {
        for built in build()? {
            tell(&format!("{} -> {}", built.folder, built.component.display()));
        }
    }
    for folder in folders {
        tell(&format!("{folder} -> {}", build_one(Path::new(folder))?.display()));
    }
    Ok(ExitCode::SUCCESS)
}

/// Builds one plugin into the `target/plugins` of the checkout that it lies in.
fn build_one(folder: &Path) -> Result<PathBuf> {
    let crate_dir = folder.canonicalize().with_context(|| format!("no such folder: {}", folder.display()))?;
    let name = crate_dir.file_name().context("a plugin lies in a folder with a name")?;
    let home =
        pointsman_build::project_root(&crate_dir).context("a plugin is built in a checkout: there is no sdk/wit above it")?;
    Toolchain::find_or_make()?.build(&crate_dir, &home.join("target/plugins").join(name).with_extension("wasm"))
}

/// `cargo xtask guests [dir..]`: the named crates, else all of `tests/guests`.
pub fn run_guests(folders: &[String]) -> Result<ExitCode> {
    let built = if folders.is_empty() {
        build_guests()?
    } else {
        folders.iter().map(|folder| pointsman_build::build_guest(folder.as_ref())).collect::<Result<_>>()?
    };
    for component in built {
        tell(&component.display().to_string());
    }
    Ok(ExitCode::SUCCESS)
}

/// `cargo xtask toolchain`
#[expect(clippy::print_stdout, reason = "a shell reads this")]
pub fn print_toolchain() -> Result<ExitCode> {
    for (name, value) in Toolchain::find_or_make()?.variables() {
        let value = value.to_string_lossy().replace('\'', r"'\''");
        println!("export {name}='{value}'");
    }
    Ok(ExitCode::SUCCESS)
}
