//! Builds guest crates, one or a whole workspace of them, and only those whose sources changed.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use anyhow::{Context as _, Result, bail, ensure};
use serde_json::Value;

use crate::{TARGET, Toolchain, digest, environment, lock, project_root};

/// The kinds of plugins; each is a folder of the plugins' workspace.
const KINDS: &[&str] = &["channels", "connectors", "steps"];

/// Crates that several plugins are made of, beside the kinds.
const SHARED: &str = "shared";

/// The first eight bytes of a component; a plain module has another layer number.
const COMPONENT: &[u8] = b"\0asm\x0d\0\x01\0";

/// One plugin, built.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Built {
    /// The name of its folder, such as `whatsapp`.
    pub folder: String,
    /// Its `plugin.toml`.
    pub manifest: PathBuf,
    /// The component made from it.
    pub component: PathBuf,
}

impl Toolchain {
    /// Builds the guest crate in `crate_dir` to the component `out`, in release mode. With nothing changed since the last time, it
    /// only reads the sources to see that.
    ///
    /// # Errors
    /// When the crate does not compile: cargo has told why on standard error.
    pub fn build(&self, crate_dir: &Path, out: &Path) -> Result<PathBuf> {
        let crate_dir = crate_dir.canonicalize().with_context(|| format!("no such folder: {}", crate_dir.display()))?;
        let _turn = lock::acquire(&out.with_extension("lock"))?;
        let stamp = out.with_extension("stamp");
        let inputs = inputs(&crate_dir);
        let before = digest::of(&[self.identity()], &inputs)?;
        if out.is_file() && fs::read_to_string(&stamp).is_ok_and(|last| last == before) {
            return Ok(out.to_path_buf());
        }
        eprintln!("pointsman-build: building {}", crate_dir.display());
        let artifact = self.compile(&crate_dir)?;
        let bytes = fs::read(&artifact).with_context(|| format!("cannot read {}", artifact.display()))?;
        ensure!(bytes.starts_with(COMPONENT), "{} came out as a plain module, not as a component", artifact.display());
        // Stamp last, file renamed into place: whoever sees the stamp sees the component that belongs to it.
        let _ = fs::remove_file(&stamp);
        let fresh = out.with_extension("new");
        fs::write(&fresh, &bytes)?;
        fs::rename(&fresh, out)?;
        // No stamp when something changed meanwhile (an edit, or cargo writing the lock file): the next call looks again.
        if digest::of(&[self.identity()], &inputs)? == before {
            fs::write(&stamp, before)?;
        }
        Ok(out.to_path_buf())
    }

    /// Builds every plugin of the workspace `plugins` (each folder of a kind that holds a `plugin.toml`) into `out`, in the order of
    /// their kinds and names.
    ///
    /// Each is a build of its own, so that a component does not depend on which others were built beside it (cargo would unite
    /// their features), and so that it is a `cdylib` alone, which is what lets the whole of it be optimised at once.
    pub fn build_all(&self, plugins: &Path, out: &Path) -> Result<Vec<Built>> {
        let mut all = Vec::new();
        for crate_dir in plugin_folders(plugins)? {
            let folder = crate_dir.file_name().unwrap_or_default().to_string_lossy().into_owned();
            let component = self.build(&crate_dir, &out.join(&folder).with_extension("wasm"))?;
            all.push(Built { folder, manifest: crate_dir.join("plugin.toml"), component });
        }
        Ok(all)
    }

    /// Runs cargo and returns the file it wrote.
    fn compile(&self, crate_dir: &Path) -> Result<PathBuf> {
        let manifest = crate_dir.join("Cargo.toml");
        let flags: Vec<String> = self.flags().iter().cloned().chain(cut_paths(crate_dir)).collect();
        let output = self
            .cargo()
            .env("CARGO_ENCODED_RUSTFLAGS", flags.join("\u{1f}"))
            .args(["rustc", "--quiet", "--lib", "--crate-type", "cdylib", "--release", "--target", TARGET])
            .args(["--message-format", "json-render-diagnostics", "--manifest-path"])
            .arg(&manifest)
            .current_dir(crate_dir)
            .stdin(Stdio::null())
            .stderr(Stdio::inherit())
            .output()
            .context("cannot run cargo")?;
        if !output.status.success() {
            bail!("the plugin in {} does not build", crate_dir.display());
        }
        let told = String::from_utf8_lossy(&output.stdout);
        let found = told.lines().filter_map(|line| artifact(line, &manifest)).next_back();
        found.with_context(|| format!("{} builds no library: it needs `[lib] crate-type = [\"cdylib\"]`", manifest.display()))
    }
}

/// What decides how the plugins of this workspace come out: for a build script, to be run again when one of these changes.
pub fn watched(plugins: &Path) -> Vec<PathBuf> {
    let mut all: BTreeSet<PathBuf> =
        ["Cargo.toml", "Cargo.lock", SHARED].iter().chain(KINDS).map(|name| plugins.join(name)).collect();
    if let Some(root) = project_root(plugins) {
        all.extend(["sdk/wit", "sdk/rust", "Cargo.toml"].iter().map(|name| root.join(name)));
    }
    // cargo takes a path that is not there for one that changed, each time.
    all.into_iter().filter(|path| path.exists()).collect()
}

/// The folders of the plugins in a workspace.
fn plugin_folders(plugins: &Path) -> Result<BTreeSet<PathBuf>> {
    let mut found = BTreeSet::new();
    for kind in KINDS {
        let Ok(entries) = fs::read_dir(plugins.join(kind)) else { continue };
        for entry in entries {
            let path = entry.with_context(|| format!("cannot list {}", plugins.display()))?.path();
            if path.join("plugin.toml").is_file() {
                found.insert(path);
            }
        }
    }
    ensure!(!found.is_empty(), "there is no plugin in {}", plugins.display());
    Ok(found)
}

/// The file that one message of cargo reports for the crate with this manifest.
fn artifact(line: &str, manifest: &Path) -> Option<PathBuf> {
    let message: Value = serde_json::from_str(line).ok()?;
    let ours = message.get("reason")? == "compiler-artifact" && Path::new(message.get("manifest_path")?.as_str()?) == manifest;
    let files = message.get("filenames")?.as_array()?;
    let wasm = files.iter().filter_map(Value::as_str).find(|name| name.ends_with(".wasm"))?;
    ours.then(|| PathBuf::from(wasm))
}

/// Flags that keep the paths of this machine out of the component: they would tell of it, and make two machines' builds differ.
fn cut_paths(crate_dir: &Path) -> Vec<String> {
    let root = project_root(crate_dir).unwrap_or_else(|| crate_dir.to_path_buf());
    let mut flags = vec![format!("--remap-path-prefix={}=/pointsman", root.display())];
    flags.extend(environment::cargo_home().map(|home| format!("--remap-path-prefix={}=/cargo", home.display())));
    flags
}

/// Everything that a guest is made from: its own folder, the crates that it or its workspace names by path, the manifests and lock
/// files above each of them, and the SDK with the contract.
fn inputs(crate_dir: &Path) -> BTreeSet<PathBuf> {
    let mut found = BTreeSet::new();
    let mut open = vec![crate_dir.to_path_buf()];
    while let Some(folder) = open.pop() {
        if !found.insert(folder.clone()) {
            continue;
        }
        for home in folder.ancestors() {
            let manifest = home.join("Cargo.toml");
            let Ok(text) = fs::read_to_string(&manifest) else { continue };
            // A workspace names the crates that its members share; those of a dependency's workspace are another house.
            if home == folder || folder == crate_dir {
                open.extend(
                    named_paths(&text).filter_map(|path| home.join(path).canonicalize().ok()).filter(|path| path.is_dir()),
                );
            }
            found.extend([manifest, home.join("Cargo.lock")]);
            if text.lines().any(|line| line.trim() == "[workspace]") {
                break;
            }
        }
    }
    if let Some(root) = project_root(crate_dir) {
        found.extend([root.join("sdk/wit"), root.join("sdk/rust")]);
    }
    found
}

/// What a manifest names as `path = "..."`.
fn named_paths(manifest: &str) -> impl Iterator<Item = &str> {
    manifest.split("path").skip(1).filter_map(|rest| {
        let rest = rest.trim_start().strip_prefix('=')?.trim_start().strip_prefix('"')?;
        rest.split('"').next()
    })
}

#[cfg(test)]
mod tests;
