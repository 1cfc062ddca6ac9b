//! What the line must know without asking the store: the connected channels, the plugins that are loaded, and the active
//! workflows of each workspace. Read on every webhook, changed seldom.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use parking_lot::RwLock;
use pointsman_broker::StoredCredential;
use pointsman_core::id::{Id, WorkspaceId};
use pointsman_core::outbox::Rules;
use pointsman_core::ports::Account;

use pointsman_manifest::{Kind, Manifest};

use crate::packages::Package;
use crate::workflows::Routes;

/// A plugin that the sandbox has loaded.
#[derive(Debug, Clone)]
pub struct Plugin {
    /// `pointsman/whatsapp`.
    pub id: Arc<str>,
    /// SHA-256 of the component, hex.
    pub digest: Arc<str>,
    /// What it asks for and promises.
    pub manifest: Arc<Manifest>,
}

/// A connected account, ready for the line.
#[derive(Debug)]
pub struct Channel {
    /// Its id, which is also its hook address.
    pub id: Id,
    /// Whose it is.
    pub workspace: WorkspaceId,
    /// The plugin that serves it.
    pub plugin: Plugin,
    /// Our side, as the provider knows it.
    pub account: Account,
    /// Its sealed secrets. Only the broker can open them.
    pub credentials: Vec<StoredCredential>,
    /// How its sends are tried again, and what happens to one whose answer never came.
    pub rules: Rules,
}

impl Channel {
    /// The short word for the kind of channel: `whatsapp`.
    #[must_use]
    pub fn word(&self) -> &str {
        self.plugin.id.rsplit('/').next().unwrap_or(&self.plugin.id)
    }

    /// The sealed secret of a slot.
    #[must_use]
    pub fn credential(&self, slot: &str) -> Option<&StoredCredential> {
        self.credentials.iter().find(|c| c.slot == slot)
    }
}

/// All of it.
#[derive(Debug, Default)]
pub struct Catalog {
    channels: RwLock<HashMap<Id, Arc<Channel>>>,
    plugins: RwLock<HashMap<Arc<str>, Plugin>>,
    routes: RwLock<HashMap<WorkspaceId, Arc<Routes>>>,
    yanked: RwLock<HashSet<(String, String)>>,
    packages: RwLock<HashMap<Arc<str>, Arc<Package>>>,
}

impl Catalog {
    /// The channel behind a hook address.
    #[must_use]
    pub fn channel(&self, id: Id) -> Option<Arc<Channel>> {
        self.channels.read().get(&id).cloned()
    }

    /// Puts all channels in the place of those before.
    pub fn set_channels(&self, channels: Vec<Channel>) {
        *self.channels.write() = channels.into_iter().map(|c| (c.id, Arc::new(c))).collect();
    }

    /// How many channels there are.
    #[must_use]
    pub fn channel_count(&self) -> usize {
        self.channels.read().len()
    }

    /// A plugin by its full id.
    #[must_use]
    pub fn plugin(&self, id: &str) -> Option<Plugin> {
        self.plugins.read().get(id).cloned()
    }

    /// Adds a plugin, or puts it in the place of its older version.
    pub fn add_plugin(&self, plugin: Plugin) {
        self.plugins.write().insert(Arc::clone(&plugin.id), plugin);
    }

    /// Takes a plugin out: no workflow may use it any more.
    pub fn remove_plugin(&self, id: &str) {
        self.plugins.write().remove(id);
    }

    /// What the operator lets a plugin do, where it came in a package; what ships with the host may do what it asks for.
    #[must_use]
    pub fn package(&self, id: &str) -> Option<Arc<Package>> {
        self.packages.read().get(id).cloned()
    }

    /// Puts all packages in the place of those before.
    pub fn set_packages(&self, packages: HashMap<Arc<str>, Arc<Package>>) {
        *self.packages.write() = packages;
    }

    /// Sets the versions (id and digest) that were taken back.
    pub fn set_yanked(&self, yanked: HashSet<(String, String)>) {
        *self.yanked.write() = yanked;
    }

    /// Whether a version was taken back.
    #[must_use]
    pub fn is_yanked(&self, id: &str, digest: &str) -> bool {
        let yanked = self.yanked.read();
        // Mostly none is.
        !yanked.is_empty() && yanked.contains(&(id.to_owned(), digest.to_owned()))
    }

    /// The ids of the plugins that a workflow may use, sorted.
    #[must_use]
    pub fn step_ids(&self) -> Vec<String> {
        let plugins = self.plugins.read();
        let mut ids: Vec<String> =
            plugins.values().filter(|p| p.manifest.kind() == Kind::Step).map(|p| p.id.to_string()).collect();
        ids.sort();
        ids
    }

    /// The active workflows of a workspace.
    #[must_use]
    pub fn routes(&self, workspace: WorkspaceId) -> Arc<Routes> {
        self.routes.read().get(&workspace).cloned().unwrap_or_default()
    }

    /// The active workflows of all workspaces.
    #[must_use]
    pub fn all_routes(&self) -> Vec<(WorkspaceId, Arc<Routes>)> {
        self.routes.read().iter().map(|(workspace, routes)| (*workspace, Arc::clone(routes))).collect()
    }

    /// The channels of a workspace that go by this short word.
    #[must_use]
    pub fn channels_of(&self, workspace: WorkspaceId, word: &str) -> Vec<Id> {
        let channels = self.channels.read();
        let mut ids: Vec<Id> = channels.values().filter(|c| c.workspace == workspace && c.word() == word).map(|c| c.id).collect();
        ids.sort();
        ids
    }

    /// Sets the active workflows of a workspace.
    pub fn set_routes(&self, workspace: WorkspaceId, routes: Routes) {
        self.routes.write().insert(workspace, Arc::new(routes));
    }
}
