//! The toolchain that turns a Rust crate into a component: a compiler whose standard library knows the target, and the linker that
//! writes components. Found when the user has it, made on Debian, else asked for in one sentence.

use std::env;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, anyhow};

use crate::{TARGET, environment, lock, sysroot};

/// The folder of the toolchain made from Debian's packages. Counted up when the way of making it changes: a build that still uses the
/// old one is not disturbed.
const RECIPE: &str = "debian-1";

/// Where the standard library for the target comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// `rustup target add` was run by the user (or the distribution ships it).
    Installed,
    /// Made once from Debian's packages, in the private cache folder.
    Debian,
}

/// A working toolchain for plugins.
#[derive(Clone, Debug)]
pub struct Toolchain {
    source: Source,
    rustc: PathBuf,
    linker: PathBuf,
    /// The folder of `wasm-ld`, which the component linker looks up on the path.
    linker_path: PathBuf,
    identity: String,
    /// Flags that every guest needs.
    flags: Vec<String>,
}

/// The user's own compiler: what it says of itself and where it lives.
struct Rust {
    program: PathBuf,
    version: String,
    host: String,
    sysroot: PathBuf,
}

impl Toolchain {
    /// Finds a toolchain, or makes one where that is possible without touching the user's. The first making takes one to two minutes
    /// and fetches about 140 MB from Debian; later calls take milliseconds. Two processes that call it at once take turns.
    ///
    /// # Errors
    /// One sentence that names the command to run.
    pub fn find_or_make() -> Result<Toolchain> {
        let rust = Rust::ask()?;
        let (linker, linker_path) = rust.linker()?;
        if has_target(&rust.sysroot) {
            let identity = rust.version.clone();
            return Ok(Toolchain {
                source: Source::Installed,
                rustc: rust.program,
                linker,
                linker_path,
                identity,
                flags: Vec::new(),
            });
        }
        let made = make(&rust, &linker_path).map_err(|reason| {
            anyhow!(
                "Run `rustup target add {TARGET}` once and try again: plugins are built for that target, and it could not be made here ({reason:#})."
            )
        })?;
        let identity = format!("{}\nwith the library {}\nlinked by the tools of {}", made.version, made.library, rust.version);
        // cargo knows a compiler by its version alone, and would mix crates built against one standard library with crates built
        // against another of the same version. This keeps them apart.
        let flags = vec![format!("-Cmetadata={}", made.library)];
        Ok(Toolchain { source: Source::Debian, rustc: made.rustc, linker, linker_path, identity, flags })
    }

    /// Where this toolchain comes from.
    pub fn source(&self) -> Source {
        self.source
    }

    /// The compiler to build guests with.
    pub fn rustc(&self) -> &Path {
        &self.rustc
    }

    /// What decides the output besides the sources: versions of compiler and linker.
    pub(crate) fn identity(&self) -> &str {
        &self.identity
    }

    /// The flags that every guest needs, whoever calls the compiler.
    pub(crate) fn flags(&self) -> &[String] {
        &self.flags
    }

    /// The variables that make a plain `cargo build --release --target wasm32-unknown-unknown` write a component.
    pub fn variables(&self) -> Vec<(&'static str, OsString)> {
        vec![
            ("CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_LINKER", self.linker.clone().into_os_string()),
            ("CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_RUSTFLAGS", self.flags.join(" ").into()),
            ("PATH", environment::path_with(&self.linker_path)),
            ("RUSTC", self.rustc.clone().into_os_string()),
            // Set and empty: a wrapper from the user's configuration would not know this compiler.
            ("RUSTC_WRAPPER", OsString::new()),
            ("RUSTC_WORKSPACE_WRAPPER", OsString::new()),
        ]
    }

    /// A cargo that builds guests with this toolchain, free of the settings of a cargo that may be running us.
    pub fn cargo(&self) -> Command {
        let mut command = environment::cargo_command();
        command.envs(self.variables());
        command
    }
}

impl Rust {
    fn ask() -> Result<Rust> {
        let program = environment::rustc();
        let version = ask(Command::new(&program).arg("-vV"))?;
        let host =
            version.lines().find_map(|line| line.strip_prefix("host: ")).context("rustc does not name its host")?.to_owned();
        let sysroot = PathBuf::from(ask(Command::new(&program).args(["--print", "sysroot"]))?.trim());
        Ok(Rust { program, version, host, sysroot })
    }

    /// The component linker, and the folder that holds `wasm-ld`: shipped with rustup's toolchains, else looked for on the path.
    fn linker(&self) -> Result<(PathBuf, PathBuf)> {
        let shipped = self.sysroot.join("lib/rustlib").join(&self.host).join("bin");
        let linker = find_program("wasm-component-ld", &shipped);
        let wasm_ld = find_program("wasm-ld", &shipped.join("gcc-ld"));
        match (linker, wasm_ld.as_deref().and_then(Path::parent)) {
            (Some(linker), Some(folder)) => Ok((linker, folder.to_path_buf())),
            _ => Err(anyhow!(
                "Install Rust by rustup (https://rustup.rs) and try again: building plugins needs the linkers `wasm-component-ld` and `wasm-ld`, \
                 which its toolchains ship and this one ({}) does not.",
                self.sysroot.display()
            )),
        }
    }
}

/// Finds or makes the private toolchain, alone.
fn make(rust: &Rust, linker_path: &Path) -> Result<sysroot::Made> {
    let cache = environment::cache_folder().context("neither POINTSMAN_CACHE nor HOME names a folder to keep it in")?;
    let folder = cache.join("wasm-toolchain");
    let _turn = lock::acquire(&folder.join("lock"))?;
    sysroot::find_or_make(&folder.join(RECIPE), &rust.host, linker_path)
}

/// Whether the standard library for the target lies in this sysroot.
pub(crate) fn has_target(sysroot: &Path) -> bool {
    let folder = sysroot.join("lib/rustlib").join(TARGET).join("lib");
    let Ok(entries) = folder.read_dir() else { return false };
    entries.flatten().any(|entry| {
        let name = entry.file_name();
        let name = name.to_string_lossy();
        name.starts_with("libstd-") && name.ends_with(".rlib")
    })
}

fn find_program(name: &str, first: &Path) -> Option<PathBuf> {
    let path = environment::variable("PATH").unwrap_or_default();
    std::iter::once(first.to_path_buf())
        .chain(env::split_paths(&path))
        .map(|folder| folder.join(name))
        .find(|file| file.is_file())
}

/// What a program prints, or why it did not.
pub(crate) fn ask(command: &mut Command) -> Result<String> {
    let name = command.get_program().to_string_lossy().into_owned();
    let output = environment::cleanse(command).output().with_context(|| format!("cannot run {name}"))?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    let told = String::from_utf8_lossy(&output.stderr);
    let last = told.lines().rev().find(|line| !line.trim().is_empty()).unwrap_or("it said nothing");
    Err(anyhow!("{name} failed ({}): {}", output.status, last.trim()))
}
