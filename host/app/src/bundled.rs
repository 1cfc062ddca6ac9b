//! The plugins that ship with the host: built from `plugins/` by the build script, and part of the binary.

use anyhow::{Context, Result};
use pointsman_core::workflow::Plugins;
use pointsman_manifest::{Kind, Manifest};

/// A plugin inside the binary.
#[derive(Debug)]
pub struct Bundled {
    /// The folder it was built from.
    pub folder: &'static str,
    /// Its `plugin.toml`.
    pub manifest: &'static str,
    /// Its component.
    pub component: &'static [u8],
}

include!(concat!(env!("OUT_DIR"), "/bundled.rs"));

/// Every bundled plugin with its manifest read.
pub fn all() -> Result<Vec<(Manifest, &'static [u8])>> {
    BUNDLED
        .iter()
        .map(|b| Ok((Manifest::parse(b.manifest).with_context(|| format!("the manifest of {}", b.folder))?, b.component)))
        .collect()
}

/// The ids of the plugins that a workflow may use: for checking without loading any of them.
#[derive(Debug)]
pub struct Installed(Vec<String>);

impl Installed {
    /// The bundled ones.
    pub fn bundled() -> Result<Self> {
        Ok(Self(all()?.into_iter().filter(|(m, _)| m.kind() == Kind::Step).map(|(m, _)| m.id).collect()))
    }
}

impl Plugins for Installed {
    fn knows(&self, id: &str) -> bool {
        self.0.iter().any(|known| known == id)
    }

    fn names(&self) -> Vec<String> {
        self.0.clone()
    }
}
