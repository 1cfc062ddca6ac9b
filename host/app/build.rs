//! Builds the bundled plugins and embeds them: `bundled.rs` in the output folder holds `BUNDLED`, one entry a plugin.
//!
//! The host therefore runs exactly the plugins of its own sources, and is one file to copy.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use pointsman_build::Toolchain;

fn main() -> Result<()> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).context("the crate lies two folders below the root")?;
    let plugins = root.join("plugins");
    println!("cargo::rerun-if-changed=build.rs");
    for path in pointsman_build::watched(&plugins) {
        println!("cargo::rerun-if-changed={}", path.display());
    }
    let out = out_folder()?;
    let mut text = String::from("/// The plugins that come with the host.\npub static BUNDLED: &[Bundled] = &[\n");
    for built in Toolchain::find_or_make()?.build_all(&plugins, &root.join("target/plugins"))? {
        // A copy of our own, so that what is embedded stays there for as long as cargo takes this build for fresh.
        let component = out.join(&built.folder).with_extension("wasm");
        fs::copy(&built.component, &component).with_context(|| format!("cannot copy {}", built.component.display()))?;
        writeln!(
            text,
            "    Bundled {{\n        folder: {:?},\n        manifest: include_str!({:?}),\n        component: include_bytes!({:?}),\n    }},",
            built.folder, built.manifest, component
        )?;
    }
    text.push_str("];\n");
    fs::write(out.join("bundled.rs"), text)?;
    Ok(())
}

#[expect(clippy::disallowed_methods, reason = "this is how cargo speaks to a build script")]
fn out_folder() -> Result<PathBuf> {
    std::env::var_os("OUT_DIR").map(PathBuf::from).context("cargo names no output folder")
}
