//! Publishing: texts are checked, stored by content hash for ever, and made the active version; and the active versions are
//! loaded at the start. A workflow that cannot be loaded is told and left out: it does not stop the others.

use std::collections::HashMap;
use std::sync::Arc;

use pointsman_core::clock::Instant;
use pointsman_core::conversation::WorkspaceInfo;
use pointsman_core::id::WorkspaceId;
use pointsman_core::workflow::{Diagnostic, Plugins, Published, SourceSet, Workflow};
use pointsman_manifest::Kind;
use pointsman_store::StoreError;

use crate::Engine;
use crate::catalog::Catalog;

/// The active workflows of a workspace, and what they may know of it.
#[derive(Debug, Default)]
pub struct Routes {
    /// By priority, then name: `core::route` sorts.
    pub workflows: Vec<Arc<Workflow>>,
    /// Since when each is what it is, by name.
    pub since: HashMap<Arc<str>, Instant>,
    /// The workspace.
    pub workspace: WorkspaceInfo,
}

impl Plugins for Catalog {
    fn knows(&self, id: &str) -> bool {
        self.plugin(id).is_some_and(|p| p.manifest.kind() == Kind::Step)
    }

    fn names(&self) -> Vec<String> {
        self.step_ids()
    }
}

/// What became of a workflow at loading.
#[derive(Debug)]
pub struct Broken {
    /// Its name.
    pub name: String,
    /// Why it was left out.
    pub diagnostics: Vec<Diagnostic>,
}

impl Engine {
    /// Loads the active workflows of every workspace; returns those that could not be.
    pub async fn load_workflows(&self) -> Result<Vec<Broken>, StoreError> {
        self.load_workflows_of(|_| true).await
    }

    /// The same for some workspaces.
    pub(crate) async fn load_workflows_of(&self, which: impl Fn(WorkspaceId) -> bool) -> Result<Vec<Broken>, StoreError> {
        let mut broken = Vec::new();
        for workspace in self.store.workspaces().await?.into_iter().filter(|workspace| which(workspace.id)) {
            let mut routes = Routes {
                workflows: Vec::new(),
                since: HashMap::new(),
                workspace: WorkspaceInfo { name: workspace.name, time_zone: workspace.time_zone, language: workspace.language },
            };
            for row in self.store.active_workflows(workspace.id).await? {
                match Workflow::parse(&sources(&row.files), &*self.expressions, &*self.catalog) {
                    Ok(workflow) => {
                        routes.since.insert(Arc::clone(&workflow.name), row.at);
                        routes.workflows.push(Arc::new(workflow));
                    }
                    Err(diagnostics) => {
                        tracing::error!(workflow = %row.name, mistakes = diagnostics.len(), "a workflow does not load and is left out");
                        broken.push(Broken { name: row.name, diagnostics });
                    }
                }
            }
            self.catalog.set_routes(workspace.id, routes);
        }
        Ok(broken)
    }

    /// The version of a workflow to which a run is pinned.
    pub(crate) async fn pinned(&self, workspace: WorkspaceId, hash: &str) -> Result<Option<Arc<Workflow>>, StoreError> {
        let routes = self.catalog.routes(workspace);
        if let Some(active) = routes.workflows.iter().find(|w| &**w.content_hash() == hash) {
            return Ok(Some(Arc::clone(active)));
        }
        let key = (workspace, hash.to_owned());
        if let Some(known) = self.versions.get(&key) {
            return Ok(Some(known));
        }
        let Some(row) = self.store.workflow(workspace, hash).await? else { return Ok(None) };
        let version = Workflow::parse(&sources(&row.files), &*self.expressions, &Published).ok().map(Arc::new);
        if let Some(version) = &version {
            self.versions.insert(key, Arc::clone(version));
        }
        Ok(version)
    }
}

/// Stores a version that was checked and makes it the active one, in the name of `actor`. False: it was that already.
pub async fn publish(
    store: &pointsman_store::Store,
    workspace: WorkspaceId,
    actor: &str,
    workflow: &Workflow,
    sources: &SourceSet,
) -> Result<bool, StoreError> {
    let files = sources.files().map(|(name, text)| (name.to_owned(), text.to_string())).collect();
    store.publish_workflow(workspace, actor, &workflow.name, workflow.content_hash(), files).await
}

/// The name of the YAML file in every set that is stored.
pub const MAIN: &str = "workflow.yaml";

/// The files of a stored version, as they are parsed.
#[must_use]
pub fn sources(files: &[(String, String)]) -> SourceSet {
    let yaml = files.iter().find(|(name, _)| name == MAIN).map_or("", |(_, text)| text.as_str());
    files
        .iter()
        .filter(|(name, _)| name != MAIN)
        .fold(SourceSet::new(MAIN, yaml), |set, (name, text)| set.with(name.clone(), text.as_str()))
}
