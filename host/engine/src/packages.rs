//! Plugins of packages: what was added is taken up without a restart, and what each may do is looked up at every call. Code is
//! swapped in one step in the catalog; runs go on with the version to which they are pinned. A package that does not load leaves
//! the one before it in its place.

use std::collections::HashMap;
use std::sync::Arc;

use pointsman_core::id::WorkspaceId;
use pointsman_core::permission::{Permission, Permits, asks_in};
use pointsman_manifest::Manifest;
use pointsman_store::{PackageRow, PackageState, StoreError};

use crate::Engine;
use crate::catalog::Plugin;

/// A plugin that came in a package, and what the operator lets it do.
#[derive(Debug)]
pub struct Package {
    /// Whether a version of it serves; one that was removed runs nowhere.
    pub serves: bool,
    /// What the version that serves asks for.
    asks: Vec<Permission>,
    /// In each workspace, with its name. Where nothing stands it may do nothing.
    permits: HashMap<WorkspaceId, (String, Permits)>,
}

impl Package {
    /// Whether it may do this.
    #[must_use]
    pub fn may(&self, workspace: WorkspaceId, permission: &Permission) -> bool {
        self.serves && self.permits.get(&workspace).is_some_and(|(_, permits)| permits.allow(permission))
    }

    /// What people call a workspace.
    pub(crate) fn workspace(&self, workspace: WorkspaceId) -> Option<&str> {
        self.permits.get(&workspace).map(|(name, _)| name.as_str())
    }

    /// The commands that would let it do this; `None` when it may.
    pub(crate) fn withheld(&self, id: &str, workspace: WorkspaceId, permission: &Permission) -> Option<String> {
        if self.may(workspace, permission) {
            return None;
        }
        if !self.serves {
            return Some("`pointsman plugin add` of its package".to_owned());
        }
        let mut commands = Vec::new();
        let known = self.permits.get(&workspace);
        if !known.is_some_and(|(_, permits)| permits.granted(permission)) {
            commands.push(format!("`pointsman plugin grant {id} {}`", self.named(permission)));
        }
        if let Some((name, by)) = known.and_then(|(name, permits)| permits.withheld(permission).map(|by| (name, by))) {
            commands.push(format!("`pointsman plugin grant {id} {by} --workspace {name}`"));
        }
        Some(commands.join(" with "))
    }

    /// A permission as operators know it: what is asked for, not one request.
    pub(crate) fn named(&self, permission: &Permission) -> Permission {
        self.asks.iter().find(|ask| ask.covers(permission)).cloned().unwrap_or_else(|| permission.at_large())
    }
}

impl Engine {
    /// Reads which packages serve and what they may do, and lets their code in.
    pub async fn load_packages(&self) -> Result<(), StoreError> {
        let mut rows: HashMap<String, Vec<PackageRow>> = HashMap::new();
        for row in self.store.packages().await? {
            rows.entry(row.id.clone()).or_default().push(row);
        }
        let workspaces = self.store.workspaces().await?;
        let mut packages = HashMap::new();
        for (id, rows) in rows {
            if self.catalog.plugin(&id).is_some() && self.catalog.package(&id).is_none() {
                tracing::error!(plugin = %id, "a package has the id of a plugin of this host, which is used in its place; remove the package");
                continue;
            }
            let decisions = self.store.plugin_decisions(&id).await?;
            let mut permits = HashMap::new();
            for workspace in &workspaces {
                let withheld = self.store.plugin_withheld(workspace.id, &id).await?;
                permits.insert(workspace.id, (workspace.name.clone(), Permits::new(&decisions, withheld)));
            }
            let serves = rows.iter().find(|row| row.state == PackageState::Serves);
            let asks = serves.and_then(|row| asks_in(&row.manifest).ok()).unwrap_or_default();
            if self.catalog.package(&id).is_none_or(|before| before.permits != permits) {
                self.denials.forget(&id);
            }
            let package = Package { serves: serves.is_some(), asks, permits };
            // What it may do stands before its code does.
            packages.insert(Arc::<str>::from(id.as_str()), (Arc::new(package), serves.cloned()));
        }
        self.catalog.set_packages(packages.iter().map(|(id, (package, _))| (Arc::clone(id), Arc::clone(package))).collect());
        for (id, (_, serves)) in packages {
            match serves {
                Some(row) => self.let_in(&row).await?,
                None => self.catalog.remove_plugin(&id),
            }
        }
        Ok(())
    }

    /// Puts the package that serves into the catalog, if it is not there yet.
    async fn let_in(&self, row: &PackageRow) -> Result<(), StoreError> {
        let manifest = match Manifest::parse(&row.manifest) {
            Ok(manifest) => manifest,
            Err(error) => {
                tracing::error!(plugin = %row.id, %error, "the manifest of a package is not read any more; the plugin stays as it was");
                return Ok(());
            }
        };
        let same = |now: Plugin| *now.digest == *row.component && *now.manifest == manifest;
        if self.catalog.plugin(&row.id).is_some_and(same) {
            return Ok(());
        }
        let Some(kept) = self.store.plugin_component(&row.id, &row.component).await? else {
            tracing::error!(plugin = %row.id, "the code of a package is not kept; the plugin stays as it was");
            return Ok(());
        };
        let _turn = self.loading.lock().await;
        match self.steps.load_version(&row.manifest, &kept.component).await {
            Ok(()) => {
                tracing::info!(plugin = %row.id, version = %row.version, "a plugin was taken up");
                let (id, digest) = (row.id.as_str().into(), row.component.as_str().into());
                self.catalog.add_plugin(Plugin { id, digest, manifest: Arc::new(manifest) });
            }
            Err(failure) => {
                tracing::error!(plugin = %row.id, version = %row.version, %failure, "a plugin does not load; it stays as it was")
            }
        }
        Ok(())
    }
}
