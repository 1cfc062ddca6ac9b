//! What a plugin was not let do stands in the audit, in the workspace in which it tried. Each thing stands there once while this
//! host runs and nothing else is decided about the plugin: whoever tries without end fills no audit.

use std::collections::{HashMap, HashSet};

use parking_lot::Mutex;
use pointsman_core::failure::{Class, Failure};
use pointsman_core::id::WorkspaceId;
use pointsman_core::permission::Permission;

use crate::Engine;

/// Denials of one plugin that are written one by one.
const TOLD: usize = 256;

/// Characters of a refusal that are written.
const SENTENCE: usize = 300;

/// What stands in the audit, by plugin.
#[derive(Debug, Default)]
pub(crate) struct Denials(Mutex<HashMap<String, HashSet<(WorkspaceId, String)>>>);

impl Denials {
    /// Something else was decided about a plugin.
    pub(crate) fn forget(&self, plugin: &str) {
        self.0.lock().remove(plugin);
    }

    /// The line to write; `None` when it stands there.
    fn line(&self, workspace: WorkspaceId, plugin: &str, what: &str) -> Option<String> {
        let mut all = self.0.lock();
        let told = all.entry(plugin.to_owned()).or_default();
        if told.len() > TOLD || !told.insert((workspace, what.to_owned())) {
            return None;
        }
        // A plugin that makes up ever new hosts has its last line say so.
        let more = if told.len() > TOLD { ", and more that is not written any more" } else { "" };
        Some(format!("{plugin} {what}{more}"))
    }

    fn unsaid(&self, workspace: WorkspaceId, plugin: &str, what: &str) {
        if let Some(told) = self.0.lock().get_mut(plugin) {
            told.remove(&(workspace, what.to_owned()));
        }
    }
}

impl Engine {
    /// Tells what a step was denied.
    pub(crate) async fn tell_withheld(&self, workspace: WorkspaceId, plugin: &str, denied: Vec<Permission>) {
        let package = self.catalog.package(plugin);
        for permission in denied {
            let named = package.as_ref().map_or_else(|| permission.at_large(), |package| package.named(&permission));
            self.tell_denied(workspace, plugin, &named.to_string()).await;
        }
    }

    /// Tells of a request that the broker refused: a secret or a destination that is not the plugin's. Other refusals are none of
    /// the audit's business.
    pub(crate) async fn tell_refused(&self, workspace: WorkspaceId, plugin: &str, refused: &Failure) {
        if refused.class == Class::Denied {
            // The names of headers and hosts in it are the plugin's own words.
            let told: String = refused.to_string().chars().take(SENTENCE).collect();
            self.tell_denied(workspace, plugin, &told).await;
        }
    }

    async fn tell_denied(&self, workspace: WorkspaceId, plugin: &str, what: &str) {
        let Some(line) = self.denials.line(workspace, plugin, what) else { return };
        if let Err(error) = self.store.audit(workspace, "system", "plugin.deny", &line).await {
            tracing::error!(%error, plugin, what, "a denial could not be written into the audit");
            self.denials.unsaid(workspace, plugin, what);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use pointsman_core::id::Id;

    #[test]
    fn each_thing_is_written_once_and_not_without_end() {
        let denials = Denials::default();
        let line = |ws, what: &str| denials.line(Id(ws), "acme/desk", what);
        assert_eq!(line(1, "act:tag").as_deref(), Some("acme/desk act:tag"));
        assert_eq!(line(1, "act:tag"), None);
        assert!(line(2, "act:tag").is_some(), "in another workspace it is another denial");
        denials.unsaid(Id(2), "acme/desk", "act:tag");
        assert!(line(2, "act:tag").is_some(), "what could not be written is tried again");
        denials.forget("acme/desk");
        let lines: Vec<String> = (0..1_000).filter_map(|n| line(1, &format!("http:GET:h{n}.example/"))).collect();
        assert_eq!(lines.len(), TOLD + 1);
        assert!(lines.last().unwrap().ends_with("not written any more") && !lines[TOLD - 1].contains("more"));
        assert!(denials.line(Id(1), "acme/other", "act:tag").is_some());
    }
}
