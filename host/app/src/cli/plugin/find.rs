//! Where a plugin is: in the binary, in a folder, or a component with its manifest. A folder of sources is good too: its
//! component is looked for where `cargo xtask plugins` and cargo itself lay it.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use pointsman_core::failure::Failure;
use pointsman_manifest::Manifest;
use pointsman_sandbox::Trust;

use super::unusable;
use crate::bundled;

/// The file that says what a plugin is.
pub(super) const MANIFEST: &str = "plugin.toml";

/// The target that plugins are built for: its name is a folder of cargo's.
const TARGET: &str = "wasm32-unknown-unknown";

/// A plugin to try.
pub(super) struct Found {
    pub(super) manifest: Manifest,
    pub(super) component: Component,
    /// A stranger's gets a fresh memory for every call, as in a host.
    pub(super) trust: Trust,
}

/// Its code, not read yet: to verify a signature takes none.
pub(super) enum Component {
    Bundled(&'static [u8]),
    File(PathBuf),
    /// Sources that were not built yet; the text says how to.
    Missing(String),
}

/// Finds the plugin of this name or path. `manifest` is where its manifest lies, when that is elsewhere.
pub(super) fn find(name: &str, manifest: Option<&Path>) -> Result<Found, Failure> {
    let shipped = bundled::all().map_err(|e| unusable("bundled", format!("{e:#}")))?;
    let mut names: Vec<String> = shipped.iter().map(|(m, _)| m.short_name().to_owned()).collect();
    for (shipped, component) in shipped {
        if shipped.id == name || shipped.short_name() == name {
            let manifest = manifest.map_or(Ok(shipped), read)?;
            return Ok(Found { manifest, component: Component::Bundled(component), trust: Trust::Bundled });
        }
    }
    let path = Path::new(name);
    let (found, component) = if path.is_dir() {
        let found = manifest.map_or_else(|| path.join(MANIFEST), Path::to_path_buf);
        (found, of_folder(path)?)
    } else if path.is_file() {
        (manifest.map_or_else(|| beside(path), |file| Ok(file.to_path_buf()))?, Component::File(path.to_path_buf()))
    } else {
        names.sort();
        return Err(unusable(
            "plugin",
            format!(
                "there is no plugin `{name}`: name a bundled one ({}), a folder with {MANIFEST}, or a .wasm file",
                names.join(", ")
            ),
        ));
    };
    Ok(Found { manifest: read(&found)?, component, trust: Trust::Stranger })
}

fn read(file: &Path) -> Result<Manifest, Failure> {
    let text = fs::read_to_string(file).map_err(|e| {
        unusable(
            "manifest",
            format!("cannot read {} ({e}): every plugin has a {MANIFEST}; --manifest names another place", file.display()),
        )
    })?;
    Manifest::parse(&text).map_err(|e| Failure::bug(e.code, format!("{}: {}", file.display(), e.message)))
}

/// The manifest of a component: beside it, or with the sources from which `cargo xtask plugins` built it.
fn beside(component: &Path) -> Result<PathBuf, Failure> {
    let folder = component.parent().unwrap_or(Path::new("."));
    let near = folder.join(MANIFEST);
    if near.is_file() {
        return Ok(near);
    }
    let name = component.file_stem().unwrap_or_default();
    let absolute = folder.canonicalize().unwrap_or_else(|_| folder.to_path_buf());
    let root = absolute.parent().filter(|_| absolute.ends_with("target/plugins")).and_then(Path::parent);
    let kinds = ["channels", "connectors", "steps"];
    let sources = root.into_iter().flat_map(|root| kinds.map(|kind| root.join("plugins").join(kind).join(name).join(MANIFEST)));
    sources.into_iter().find(|file| file.is_file()).ok_or_else(|| {
        unusable(
            "manifest",
            format!("there is no {MANIFEST} beside {}: put it there, or name it with --manifest", component.display()),
        )
    })
}

/// The component of a folder: the one in it, or else the newest that was built from it.
pub(super) fn of_folder(folder: &Path) -> Result<Component, Failure> {
    let entries = fs::read_dir(folder).map_err(|e| unusable("plugin", format!("cannot read {}: {e}", folder.display())))?;
    let mut own: Vec<PathBuf> =
        entries.filter_map(|e| e.ok().map(|e| e.path())).filter(|p| p.extension().is_some_and(|e| e == "wasm")).collect();
    match own.len() {
        0 => {}
        1 => return Ok(own.pop().map_or_else(|| missing(folder), Component::File)),
        n => {
            return Err(unusable("plugin", format!("{n} components lie in {}: name the one that is meant", folder.display())));
        }
    }
    let absolute = folder.canonicalize().unwrap_or_else(|_| folder.to_path_buf());
    let name = absolute.file_name().unwrap_or_default();
    let library = library(&absolute);
    let mut built = Vec::new();
    for home in absolute.ancestors() {
        let target = home.join("target");
        built.push(target.join("plugins").join(name).with_extension("wasm"));
        for profile in ["release", "debug"] {
            built.extend(library.iter().map(|lib| target.join(TARGET).join(profile).join(format!("{lib}.wasm"))));
        }
    }
    let age = |path: &PathBuf| fs::metadata(path).and_then(|m| m.modified()).unwrap_or(SystemTime::UNIX_EPOCH);
    Ok(built.into_iter().filter(|path| path.is_file()).max_by_key(age).map_or_else(|| missing(folder), Component::File))
}

fn missing(folder: &Path) -> Component {
    Component::Missing(format!(
        "there is no component in {} and none was built from it: `cargo xtask plugins` builds the plugins of this project, \
         `cargo build --release --target {TARGET}` one of your own",
        folder.display()
    ))
}

/// The name of the library that cargo builds in this folder.
fn library(folder: &Path) -> Option<String> {
    let manifest: toml::Table = fs::read_to_string(folder.join("Cargo.toml")).ok()?.parse().ok()?;
    let name = |table: &str| manifest.get(table)?.get("name")?.as_str().map(|name| name.replace('-', "_"));
    name("lib").or_else(|| name("package"))
}
