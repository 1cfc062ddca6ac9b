//! Everything this crate reads from, or hands on in, the process environment.
//!
//! A build script runs inside an outer cargo, which fills the environment with its own settings: target folder, flags, wrappers,
//! job tokens, library paths. An inner cargo that inherited them would build with the wrong compiler, or wait for ever on the lock of
//! the outer one. So the inner one starts from an environment without them.

use std::env;
use std::ffi::{OsStr, OsString};
use std::path::PathBuf;
use std::process::Command;

/// Settings of cargo that belong to the person or the machine, not to the build that called us.
const KEEP: &[&str] =
    &["CARGO_HOME", "CARGO_NET_", "CARGO_HTTP_", "CARGO_REGISTRIES_", "CARGO_REGISTRY_", "CARGO_SOURCE_", "CARGO_TERM_"];

/// What an outer cargo, or a shell set up for one, leaves behind besides `CARGO_*`.
const DROP: &[&str] = &[
    "CARGO",
    "RUSTC",
    "RUSTC_WRAPPER",
    "RUSTC_WORKSPACE_WRAPPER",
    "RUSTC_LINKER",
    "RUSTC_BOOTSTRAP",
    "RUSTFLAGS",
    "RUSTDOC",
    "RUSTDOCFLAGS",
    "CLIPPY_ARGS",
    "CLIPPY_CONF_DIR",
    "MAKEFLAGS",
    "MFLAGS",
    "OUT_DIR",
    "TARGET",
    "HOST",
    "PROFILE",
    "OPT_LEVEL",
    "DEBUG",
    "NUM_JOBS",
    "LD_LIBRARY_PATH",
    "DYLD_FALLBACK_LIBRARY_PATH",
    "__CARGO_DEFAULT_LIB_METADATA",
];

/// One variable, or `None` when it is not set or empty.
#[expect(clippy::disallowed_methods, reason = "this module is where the build tools read their environment")]
pub(crate) fn variable(name: &str) -> Option<OsString> {
    env::var_os(name).filter(|value| !value.is_empty())
}

/// Whether `name` must not reach an inner cargo.
fn is_foreign(name: &OsStr) -> bool {
    let Some(name) = name.to_str() else { return false };
    DROP.contains(&name) || (name.starts_with("CARGO_") && !KEEP.iter().any(|kept| name.starts_with(kept)))
}

/// Takes out of `command` what an outer cargo has put into our environment, and forbids rustup to download.
pub(crate) fn cleanse(command: &mut Command) -> &mut Command {
    for (name, _) in env::vars_os() {
        if is_foreign(&name) {
            command.env_remove(&name);
        }
    }
    command.env("RUSTUP_AUTO_INSTALL", "0")
}

/// A cargo that knows nothing of the cargo that runs us: the same program, none of its settings.
pub fn cargo_command() -> Command {
    let mut command = Command::new(cargo());
    cleanse(&mut command);
    command
}

/// The cargo that runs us, else the one on the path.
pub(crate) fn cargo() -> PathBuf {
    variable("CARGO").map(PathBuf::from).filter(|path| path.is_file()).unwrap_or_else(|| PathBuf::from("cargo"))
}

/// The compiler that belongs to [`cargo`].
pub(crate) fn rustc() -> PathBuf {
    let beside = cargo().parent().map(|folder| folder.join("rustc")).filter(|path| path.is_file());
    beside.or_else(|| variable("RUSTC").map(PathBuf::from)).unwrap_or_else(|| PathBuf::from("rustc"))
}

/// The folder for what is worth keeping between builds and checkouts: `$POINTSMAN_CACHE`, else `pointsman` in the user's cache folder.
pub(crate) fn cache_folder() -> Option<PathBuf> {
    if let Some(own) = variable("POINTSMAN_CACHE") {
        return Some(PathBuf::from(own));
    }
    let users = variable("XDG_CACHE_HOME").map(PathBuf::from).filter(|path| path.is_absolute());
    users.or_else(|| variable("HOME").map(|home| PathBuf::from(home).join(".cache"))).map(|path| path.join("pointsman"))
}

/// The folder of cargo's registry and git checkouts.
pub(crate) fn cargo_home() -> Option<PathBuf> {
    variable("CARGO_HOME").map(PathBuf::from).or_else(|| variable("HOME").map(|home| PathBuf::from(home).join(".cargo")))
}

/// The search path with `first` in front.
pub(crate) fn path_with(first: &std::path::Path) -> OsString {
    let rest = variable("PATH").unwrap_or_default();
    let all = std::iter::once(first.to_path_buf()).chain(env::split_paths(&rest));
    env::join_paths(all).unwrap_or(rest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_of_an_outer_cargo_are_foreign_and_those_of_the_person_are_not() {
        for name in [
            "CARGO",
            "CARGO_TARGET_DIR",
            "CARGO_ENCODED_RUSTFLAGS",
            "CARGO_BUILD_TARGET",
            "CARGO_MAKEFLAGS",
            "CARGO_PROFILE_RELEASE_LTO",
            "CARGO_MANIFEST_DIR",
            "CARGO_FEATURE_X",
            "RUSTC",
            "RUSTC_WRAPPER",
            "RUSTC_WORKSPACE_WRAPPER",
            "RUSTFLAGS",
            "MAKEFLAGS",
            "OUT_DIR",
            "LD_LIBRARY_PATH",
        ] {
            assert!(is_foreign(OsStr::new(name)), "{name} must not reach an inner cargo");
        }
        for name in [
            "CARGO_HOME",
            "CARGO_HTTP_PROXY",
            "CARGO_NET_OFFLINE",
            "CARGO_TERM_COLOR",
            "PATH",
            "HOME",
            "RUSTUP_HOME",
            "RUSTUP_TOOLCHAIN",
        ] {
            assert!(!is_foreign(OsStr::new(name)), "{name} belongs to the person or the machine");
        }
    }

    #[test]
    fn an_inner_cargo_never_lets_rustup_download() {
        let command = cargo_command();
        let set: Vec<_> = command.get_envs().collect();
        assert!(set.contains(&(OsStr::new("RUSTUP_AUTO_INSTALL"), Some(OsStr::new("0")))));
        // `cargo test` sets this one, so the assertion is about something real.
        assert!(set.contains(&(OsStr::new("CARGO_MANIFEST_DIR"), None)));
    }
}
