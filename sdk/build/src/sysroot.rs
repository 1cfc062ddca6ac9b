//! The private toolchain: Debian's compiler in a folder of ours, with a standard library for the target built into its sysroot once.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, bail, ensure};

use crate::toolchain::{ask, has_target};
use crate::{TARGET, debian, digest, environment};

/// A private toolchain that works.
pub(crate) struct Made {
    /// The compiler to call.
    pub rustc: PathBuf,
    /// What it says of its version.
    pub version: String,
    /// A digest of the standard library that was built: two makings of the same version need not fit together.
    pub library: String,
}

/// Finds the toolchain in `folder`, or makes it there. The caller holds the lock.
pub(crate) fn find_or_make(folder: &Path, host: &str, linker_path: &Path) -> Result<Made> {
    let root = folder.join("root");
    let rustc = folder.join("bin/rustc");
    // Written last: a folder without it was left half made, by a crash or a full disk.
    let ready = folder.join("READY");
    if !ready.is_file() {
        eprintln!("pointsman-build: making the plugin toolchain in {} (once; one to two minutes)", folder.display());
        if folder.exists() {
            fs::remove_dir_all(folder).with_context(|| format!("cannot empty {}", folder.display()))?;
        }
        fs::create_dir_all(&root).with_context(|| format!("cannot make {}", root.display()))?;
        debian::fetch(&root, &folder.join("scratch"))?;
    }
    write_wrapper(&rustc, &root)?;
    lend_linkers(&root.join("usr/lib/rustlib").join(host).join("bin"), linker_path)?;
    let version = ask(Command::new(&rustc).arg("-vV"))?;
    if !ready.is_file() {
        build_std(&rustc, &root.join("usr"), &folder.join("std"))?;
        // The sources are three quarters of the disk space and are not needed again.
        for path in ["usr/src", "usr/lib/rustlib/src", "usr/share"] {
            let _ = fs::remove_dir_all(root.join(path));
        }
        let library = root.join("usr/lib/rustlib").join(TARGET);
        fs::write(&ready, digest::of(&[], &BTreeSet::from([library]))?)?;
        eprintln!("pointsman-build: the plugin toolchain is ready");
    }
    ensure!(has_target(&root.join("usr")), "{} is damaged: remove it and try again", folder.display());
    let library = fs::read_to_string(&ready).with_context(|| format!("cannot read {}", ready.display()))?;
    Ok(Made { rustc, version, library })
}

/// The compiler finds its own shared libraries only by the loader's path, which is set for it alone.
fn write_wrapper(wrapper: &Path, root: &Path) -> Result<()> {
    let mut libraries = Vec::new();
    for entry in fs::read_dir(root.join("usr/lib"))?.flatten() {
        if entry.file_name().to_string_lossy().contains("-linux-gnu") {
            libraries.push(entry.path().display().to_string());
        }
    }
    libraries.sort();
    let text = format!(
        "#!/bin/sh\nLD_LIBRARY_PATH='{}'\"${{LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}}\" exec '{}' \"$@\"\n",
        libraries.join(":"),
        root.join("usr/bin/rustc").display()
    );
    if fs::read_to_string(wrapper).is_ok_and(|present| present == text) {
        return Ok(());
    }
    if let Some(folder) = wrapper.parent() {
        fs::create_dir_all(folder)?;
    }
    fs::write(wrapper, text)?;
    fs::set_permissions(wrapper, fs::Permissions::from_mode(0o755))?;
    Ok(())
}

/// Debian's package leaves its linkers to another package; the user's toolchain has the same ones. Links, so that nothing is copied,
/// renewed at each call, since the user's toolchain may have moved.
fn lend_linkers(bin: &Path, linker_path: &Path) -> Result<()> {
    fs::create_dir_all(bin)?;
    let Some(shipped) = linker_path.parent() else { return Ok(()) };
    for (name, target) in [("rust-lld", shipped.join("rust-lld")), ("gcc-ld", linker_path.to_path_buf())] {
        let link = bin.join(name);
        if fs::read_link(&link).is_ok_and(|present| present == target) {
            continue;
        }
        if link.is_symlink() {
            fs::remove_file(&link)?;
        }
        if !link.exists() {
            symlink(&target, &link).with_context(|| format!("cannot link {}", link.display()))?;
        }
    }
    Ok(())
}

/// Builds the standard library for the target from the compiler's own sources and puts it into the sysroot, so that a guest is an
/// ordinary stable build after that.
fn build_std(rustc: &Path, sysroot: &Path, scratch: &Path) -> Result<()> {
    if scratch.exists() {
        fs::remove_dir_all(scratch)?;
    }
    fs::create_dir_all(scratch.join("src"))?;
    fs::write(scratch.join("src/lib.rs"), "")?;
    fs::write(
        scratch.join("Cargo.toml"),
        "[package]\nname = \"empty\"\nversion = \"0.0.0\"\nedition = \"2021\"\n[profile.release]\nopt-level = 3\ncodegen-units = 1\ndebug = 0\n[workspace]\n",
    )?;
    // With bitcode in it, a guest can be optimised across the standard library. Paths are cut, so that none of this machine ends up in
    // a plugin.
    let mut flags = vec!["-Cembed-bitcode=yes".to_owned(), format!("--remap-path-prefix={}=/rust", sysroot.display())];
    flags.extend(environment::cargo_home().map(|home| format!("--remap-path-prefix={}=/cargo", home.display())));
    let mut cargo = environment::cargo_command();
    cargo
        .current_dir(scratch)
        .env("RUSTC", rustc)
        .env("RUSTC_WRAPPER", "")
        .env("RUSTC_WORKSPACE_WRAPPER", "")
        // Building the standard library is reserved to nightly names, though the compiler is a stable one.
        .env("RUSTC_BOOTSTRAP", "1")
        .env("__CARGO_DEFAULT_LIB_METADATA", "stablestd")
        .env("CARGO_ENCODED_RUSTFLAGS", flags.join("\u{1f}"))
        .env("CARGO_TARGET_DIR", scratch.join("target"))
        .args(["build", "--quiet", "--release", "--target", TARGET, "-Zbuild-std=std,panic_abort"]);
    let status = cargo.status().context("cannot run cargo")?;
    if !status.success() {
        bail!("the standard library for {TARGET} did not build ({status})");
    }
    let built = scratch.join("target").join(TARGET).join("release/deps");
    let place = sysroot.join("lib/rustlib").join(TARGET).join("lib");
    fs::create_dir_all(&place)?;
    for entry in fs::read_dir(&built)?.flatten() {
        let name = entry.file_name();
        let text = name.to_string_lossy();
        if (text.ends_with(".rlib") || text.ends_with(".rmeta")) && !text.starts_with("libempty-") {
            fs::copy(entry.path(), place.join(&name))?;
        }
    }
    fs::remove_dir_all(scratch)?;
    Ok(())
}
