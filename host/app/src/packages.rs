//! Taking in a plugin that somebody else made: the one way from a file to a plugin that workflows use. Everything about the file is
//! checked before anything is kept, and nothing is granted that the operator did not say; a refusal stands in the audit too.

use std::path::Path;

use pointsman_core::failure::{Class, Failure};
use pointsman_core::permission::{Decision, Permission};
use pointsman_manifest::Kind;
use pointsman_package::{Package, PackageError};
use pointsman_sandbox::{Sandbox, Trust};
use pointsman_store::{PackageNew, PackageRow, PackageState, Standing, Store, StoreError, Will};

use crate::bundled;
use crate::wiring::FIRST_WORKSPACE;

/// What an operator says of a package beside its file.
#[derive(Debug, Clone, Default)]
pub struct Terms {
    /// It may be unsigned.
    pub unsigned: bool,
    /// It must be signed by this key (`nobody`: by none), which takes the place of the one that was known.
    pub trust: Option<String>,
    /// What it may do.
    pub wills: Vec<Will>,
}

/// The word for no key.
const NOBODY: &str = "nobody";

fn refused(code: &str, message: String) -> Failure {
    Failure::new(Class::Denied, code, message)
}

/// What is wrong with a package, as a failure.
#[must_use]
pub fn failure(error: PackageError) -> Failure {
    refused(error.code, error.message)
}

/// Reads a file: only as many bytes of it as a package can have.
pub fn open(file: &Path) -> Result<Package, Failure> {
    let opened =
        std::fs::File::open(file).map_err(|e| refused("package.unreadable", format!("cannot read {}: {e}", file.display())))?;
    Package::read_from(opened).map_err(failure)
}

/// Adds a package. The inner error is a refusal, which stands in the audit.
pub async fn add(
    store: &Store,
    sandbox: &Sandbox,
    package: Result<Package, Failure>,
    terms: Terms,
) -> Result<Result<Standing, Failure>, StoreError> {
    let id = package.as_ref().map(|package| package.manifest.id.clone()).unwrap_or_default();
    let added = match package.and_then(|package| checked(sandbox, package, &terms)) {
        Ok(new) => store.take_package(FIRST_WORKSPACE, "cli", new, terms.wills).await?,
        Err(refused) => Err(refused),
    };
    if let Err(refused) = &added {
        store.audit(FIRST_WORKSPACE, "cli", "plugin.refuse", format!("{id} {}", refused.code).trim_start()).await?;
    }
    Ok(added)
}

/// Everything that can be said of a package before it is kept: who signed it, whose name it has, what its code is.
fn checked(sandbox: &Sandbox, package: Package, terms: &Terms) -> Result<PackageNew, Failure> {
    let id = &package.manifest.id;
    let publisher = package.key.map(|key| key.to_string());
    match (&publisher, &terms.trust) {
        (key, Some(trusted)) if key.as_deref().unwrap_or(NOBODY) != trusted => {
            let by = key.as_deref().unwrap_or(NOBODY);
            let text = format!("--trust names the key {trusted}, and {id} is signed by {by}; get it from its publisher");
            return Err(refused("package.other_key", text));
        }
        (None, _) if !terms.unsigned => {
            let text = format!(
                "{id} is signed by nobody: anybody may have made or changed it. Ask for a signed package, or say --unsigned"
            );
            return Err(refused("package.unsigned", text));
        }
        _ => {}
    }
    let shipped = bundled::all().map_err(|e| Failure::bug("plugin.bundled", format!("{e:#}")))?;
    if id.starts_with("pointsman/") || shipped.iter().any(|(manifest, _)| manifest.id == *id) {
        let text = format!("{id} is the name of a plugin of this host itself; its publisher must give it a name of its own");
        return Err(refused("plugin.bundled", text));
    }
    if package.manifest.kind() != Kind::Step {
        let text = format!(
            "{id} is a {}; only steps are taken from packages. A channel is built into the host: see sdk/README.md",
            package.manifest.kind()
        );
        return Err(refused("plugin.kind", text));
    }
    let loaded = sandbox.load_blocking(package.manifest.clone(), &package.component, Trust::Stranger)?;
    Ok(PackageNew {
        id: package.manifest.id,
        version: package.manifest.version,
        digest: package.digest,
        manifest: package.manifest_text,
        component: package.component,
        component_digest: loaded.digest.to_string(),
        publisher,
        rekeyed: terms.trust.is_some(),
    })
}

/// The packages that serve.
pub async fn serving(store: &Store) -> Result<Vec<PackageRow>, StoreError> {
    Ok(store.packages().await?.into_iter().filter(|package| package.state == PackageState::Serves).collect())
}

/// How one permission stands.
#[must_use]
pub fn state(permission: &Permission, decisions: &[Decision]) -> &'static str {
    match decisions.iter().find(|decision| decision.permission.covers(permission)) {
        Some(decision) if decision.granted => "granted",
        Some(_) => "refused",
        None => "not decided",
    }
}
