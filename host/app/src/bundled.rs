//! The plugins that ship with the host: built from `plugins/` by the build script, and part of the binary.

use anyhow::{Context, Result};
use pointsman_core::workflow::Plugins;
use pointsman_manifest::{Kind, Manifest};
use pointsman_store::Store;
use sha2::{Digest as _, Sha256};

use crate::packages;

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

/// Keeps the bundled steps in the store, so that a run which is pinned to one of them finds it there when a newer host brings
/// another.
pub async fn keep(store: &Store) -> Result<()> {
    for bundled in BUNDLED {
        let manifest = Manifest::parse(bundled.manifest).with_context(|| format!("the manifest of {}", bundled.folder))?;
        if manifest.kind() == Kind::Step {
            store.keep_plugin(&manifest.id, bundled.manifest, bundled.component).await?;
        }
    }
    Ok(())
}

/// SHA-256 of the component of a plugin as new runs take it, hex: of one that ships with the host, or that was added.
pub async fn digest(store: &Store, id: &str) -> Result<Option<String>> {
    if let Some((_, component)) = all()?.into_iter().find(|(manifest, _)| manifest.id == id) {
        return Ok(Some(hex::encode(Sha256::digest(component))));
    }
    Ok(packages::serving(store).await?.into_iter().find(|package| package.id == id).map(|package| package.component))
}

/// The ids of the plugins that a workflow may use: for checking without loading any of them.
#[derive(Debug)]
pub struct Installed(Vec<String>);

impl Installed {
    /// Those that ship with the host, and those that were added to it.
    pub async fn of(store: &Store) -> Result<Self> {
        let mut all = Self::bundled()?;
        all.0.extend(packages::serving(store).await?.into_iter().map(|package| package.id));
        Ok(all)
    }

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
