//! The versions of plugins to which runs are pinned. Code is pinned, permission is not: at each call it is asked whether the
//! version was taken back, and a version that the host does not bring any more is loaded from the store. What may not or cannot
//! run parks the run with a code that nothing catches, and names what it can go on with.

use std::collections::HashSet;

use pointsman_core::failure::{Class, Failure};
use pointsman_core::id::Id;
use pointsman_core::run::{GONE, YANKED};
use pointsman_store::StoreError;

use crate::Engine;

impl Engine {
    /// Reads which versions were taken back.
    pub async fn load_yanked(&self) -> Result<(), StoreError> {
        let versions = self.store.plugin_versions().await?;
        let yanked: HashSet<_> = versions.into_iter().filter(|v| v.yanked.is_some()).map(|v| (v.id, v.digest)).collect();
        self.catalog.set_yanked(yanked);
        Ok(())
    }

    /// Whether a run may call this version now; makes it callable where it is not yet.
    pub(crate) async fn admit(&self, run: Id, id: &str, digest: &str) -> Result<(), Failure> {
        let short = digest.get(..12).unwrap_or(digest);
        if self.catalog.is_yanked(id, digest) {
            let sentence = format!("{id} {short} was taken back; {}", self.replacement(run, id, digest));
            return Err(Failure::new(Class::Denied, YANKED, sentence));
        }
        if self.catalog.package(id).is_some_and(|package| !package.serves) {
            let sentence = format!(
                "{id}, which this run uses, was removed; `pointsman plugin add` brings it back, then `pointsman run retry {run}`"
            );
            return Err(Failure::new(Class::Denied, GONE, sentence));
        }
        if self.steps.knows(id, digest) {
            return Ok(());
        }
        // One at a time: compiling takes all the processor that there is.
        let _turn = self.loading.lock().await;
        if self.steps.knows(id, digest) {
            return Ok(());
        }
        let why = match self.store.plugin_component(id, digest).await {
            Ok(Some(kept)) => match self.steps.load_version(&kept.manifest, &kept.component).await {
                Ok(()) => {
                    tracing::info!(plugin = id, version = short, "loaded an older version for the runs that are pinned to it");
                    return Ok(());
                }
                Err(failure) if failure.class.retryable() => return Err(failure),
                Err(failure) => format!("does not load any more ({failure})"),
            },
            Ok(None) => "is not kept here".to_owned(),
            Err(error) if error.passing() => {
                tracing::error!(%error, plugin = id, "a version of a plugin cannot be read");
                let sentence = "the store did not answer; it is tried again";
                return Err(Failure::new(Class::Transient, "plugin.unread", sentence));
            }
            Err(error) => format!("cannot be read ({error})"),
        };
        let sentence = format!("{id} {short}, to which this run is pinned, {why}; {}", self.replacement(run, id, digest));
        Err(Failure::new(Class::Permanent, GONE, sentence))
    }

    /// What the run can go on with, in words.
    fn replacement(&self, run: Id, id: &str, digest: &str) -> String {
        let now = self.catalog.plugin(id).filter(|now| *now.digest != *digest && !self.catalog.is_yanked(id, &now.digest));
        match now {
            Some(now) => {
                let short = now.digest.get(..12).unwrap_or(&now.digest);
                format!("`pointsman run retry {run} --with {id}@{short}` goes on with the version that is here now")
            }
            None => format!("there is no other version of {id} here: install one, then `pointsman run retry {run} --with {id}`"),
        }
    }
}
