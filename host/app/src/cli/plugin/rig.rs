//! What a plugin is driven with: the sandbox with the plugin in it, a broker with a vault of its own, and a thread to wait
//! on. Nothing of it outlives the process; the keys of the vault are made for it and never written down.

use std::cell::RefCell;
use std::collections::HashMap;
use std::future::Future;
use std::path::PathBuf;

use pointsman_broker::{Broker, EgressConfig, StoredCredential};
use pointsman_core::failure::{Class, Failure};
use pointsman_core::id::{Id, WorkspaceId};
use pointsman_manifest::{Kind, Manifest, origin};
use pointsman_sandbox::{Loaded, Sandbox, SandboxConfig};
use pointsman_vault::{CredentialPlace, CredentialSealer, Keyring, SecretString};
use tokio::runtime::Runtime;

use super::find::{Component, Found};
use super::unusable;
use crate::config::compiler;

/// The tenant under which everything is tried.
pub(super) const WORKSPACE: WorkspaceId = Id(1);

/// The channel that the credentials belong to.
const OWNER: i64 = 1;

/// What a question needs.
#[derive(Debug, Clone, Copy)]
pub(super) struct Wants {
    /// A channel; else a step or the interpreter.
    pub(super) channel: bool,
    /// The plugin's code; else its manifest is enough.
    pub(super) code: bool,
}

/// A plugin, ready to be asked.
pub(super) struct Rig {
    pub(super) manifest: Manifest,
    runtime: Runtime,
    code: Option<(Sandbox, Loaded)>,
    /// By the address of the provider's API, which an account may choose.
    desks: RefCell<HashMap<String, Desk>>,
}

/// A broker, and what seals secrets for it.
#[derive(Clone)]
pub(super) struct Desk {
    pub(super) broker: Broker,
    sealer: CredentialSealer,
}

impl Rig {
    /// Loads the plugin, where its code is wanted.
    pub(super) fn new(found: Found, cache: Option<PathBuf>, wants: Wants) -> Result<Self, Failure> {
        let Found { manifest, component, trust } = found;
        let kind = manifest.kind();
        if wants.channel != (kind == Kind::Channel) {
            let verbs = if kind == Kind::Channel { "verify, parse or begin" } else { "run" };
            return Err(unusable("kind", format!("{} is a {kind}: try it with {verbs}", manifest.id)));
        }
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(|e| Failure::new(Class::Transient, "try.runtime", format!("no thread to run on: {e}")))?;
        let code = if wants.code {
            let bytes = match component {
                Component::Bundled(bytes) => bytes.to_vec(),
                Component::File(file) => {
                    std::fs::read(&file).map_err(|e| unusable("plugin", format!("cannot read {}: {e}", file.display())))?
                }
                Component::Missing(cure) => return Err(unusable("component", cure)),
            };
            let cache = cache.or_else(|| std::env::home_dir().map(|home| home.join(".cache/pointsman/compiled")));
            let compiler = Some(compiler(""));
            let few = SandboxConfig { cache, compiler, threads: 1, places: 2, warm: 2, ..SandboxConfig::default() };
            let sandbox = Sandbox::new(few)?;
            let loaded = sandbox.load_blocking(manifest.clone(), &bytes, trust)?;
            Some((sandbox, loaded))
        } else {
            None
        };
        Ok(Self { manifest, runtime, code, desks: RefCell::default() })
    }

    /// The box with the plugin in it.
    pub(super) fn code(&self) -> Result<&(Sandbox, Loaded), Failure> {
        self.code.as_ref().ok_or_else(|| Failure::bug("try.code", "the plugin's code was not loaded"))
    }

    /// Waits for a call.
    pub(super) fn wait<T>(&self, call: impl Future<Output = T>) -> T {
        self.runtime.block_on(call)
    }

    /// A broker that would speak to the provider, at the address that the account names.
    pub(super) fn desk(&self, api_url: Option<&str>) -> Result<Desk, Failure> {
        let address = api_url.unwrap_or_default();
        if let Some(desk) = self.desks.borrow().get(address) {
            return Ok(desk.clone());
        }
        // Named by whoever tries it, so it may be inside the house, as an operator could have allowed it.
        let allow_private = match api_url.map(origin).transpose().map_err(|e| Failure::bug(e.code, e.message))? {
            Some(origin) => vec![with_port(&origin)],
            None => Vec::new(),
        };
        let (sealer, opener) = Keyring::generate()?.credential_vault();
        let broker = Broker::new(opener, &EgressConfig { allow_private, ..EgressConfig::default() })?;
        let desk = Desk { broker, sealer };
        self.desks.borrow_mut().insert(address.to_owned(), desk.clone());
        Ok(desk)
    }
}

impl Desk {
    /// A secret as the store would have it.
    pub(super) fn stored(&self, slot: &str, hosts: Vec<String>, secret: &str) -> Result<StoredCredential, Failure> {
        let place = CredentialPlace { workspace: WORKSPACE.0, owner: OWNER, slot: slot.to_owned(), hosts };
        let sealed = self.sealer.seal(&place, &SecretString::from(secret.to_owned()))?;
        let CredentialPlace { workspace, owner, slot, hosts } = place;
        Ok(StoredCredential { workspace, owner, slot, hosts, sealed })
    }
}

/// `http://127.0.0.1:9000` as `127.0.0.1:9000`.
fn with_port(origin: &str) -> String {
    let (scheme, authority) = origin.split_once("://").unwrap_or(("https", origin));
    let has_port =
        authority.rsplit_once(':').is_some_and(|(_, port)| !port.is_empty() && port.bytes().all(|b| b.is_ascii_digit()));
    if has_port { authority.to_owned() } else { format!("{authority}:{}", if scheme == "http" { 80 } else { 443 }) }
}
