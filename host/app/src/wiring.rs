//! Which part gets what: the one place where the rooms meet. The engine gets the content and index subkeys inside the
//! store; the credentials subkey goes into the broker and nowhere else.

use std::future::Future;
use std::sync::Arc;

use anyhow::{Context, Result};
use pointsman_broker::{Broker, EgressConfig};
use pointsman_core::clock::{Clock, SystemClock};
use pointsman_core::id::{Id, IdMaker, WorkspaceId};
use pointsman_core::ports::Expressions;
use pointsman_engine::catalog::{Catalog, Plugin};
use pointsman_engine::points::Points;
use pointsman_engine::{Engine, Parts};
use pointsman_sandbox::{Sandbox, SandboxConfig, Trust};
use pointsman_script::ScriptExpressions;
use pointsman_store::{Store, StoreConfig, WorkspaceRow};

use crate::bundled;
use crate::config::Config;

/// The workspace that `init` makes.
pub const FIRST_WORKSPACE: WorkspaceId = Id(1);

/// Runs a future on a runtime of its own: for verbs that are done in a moment.
pub fn block_on<T>(work: impl Future<Output = Result<T>>) -> Result<T> {
    tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(work)
}

/// Opens the store of a configuration, with the system's clock.
pub async fn open_store(config: &Config) -> Result<Store> {
    open_store_at(config, Arc::new(SystemClock), Arc::new(IdMaker::new(0))).await
}

async fn open_store_at(config: &Config, clock: Arc<dyn Clock>, ids: Arc<IdMaker>) -> Result<Store> {
    let master = config.keys.read_master(&config.dir)?;
    let data = config.path(&config.store.path()?.to_string_lossy());
    let keys = config.path(&config.keys.path()?.to_string_lossy());
    for file in [&data, &keys] {
        if let Some(parent) = file.parent() {
            std::fs::create_dir_all(parent).with_context(|| format!("cannot make {}", parent.display()))?;
        }
    }
    let store = StoreConfig { data, keys, ..StoreConfig::in_dir(&config.dir) };
    let shown = store.data.display().to_string();
    Store::open(store, master.content(), master.index(), clock, ids).await.with_context(|| format!("cannot open {shown}"))
}

/// Makes the first workspace.
pub async fn make_workspace(store: &Store, name: &str, time_zone: &str) -> Result<()> {
    let row =
        WorkspaceRow { id: FIRST_WORKSPACE, name: name.to_owned(), time_zone: time_zone.to_owned(), language: "en".to_owned() };
    store.put_workspace(row).await?;
    store.close().await?;
    Ok(())
}

/// The native expression language.
#[must_use]
pub fn expressions() -> Arc<dyn Expressions> {
    Arc::new(ScriptExpressions::new())
}

/// A host, put together but not started.
pub async fn engine(config: &Config, clock: Arc<dyn Clock>, points: Points) -> Result<Engine> {
    assemble(parts(config, clock, points).await?).await
}

/// The parts of a host, as the configuration wants them.
pub async fn parts(config: &Config, clock: Arc<dyn Clock>, points: Points) -> Result<Parts> {
    let ids = Arc::new(IdMaker::new(0));
    let master = config.keys.read_master(&config.dir)?;
    let store = open_store_at(config, Arc::clone(&clock), Arc::clone(&ids)).await?;
    let (_sealer, opener) = master.credential_vault();
    let egress = EgressConfig {
        allow_private: config.egress.allow_private.clone(),
        timeout_ms: config.egress.timeout,
        ..EgressConfig::default()
    };
    let broker = Broker::new(opener, egress).context("[egress]")?;
    let catalog = Arc::new(Catalog::default());
    let sandbox = Sandbox::new(SandboxConfig {
        cache: Some(config.path(&config.sandbox.cache)),
        threads: config.sandbox.threads,
        ..SandboxConfig::default()
    })?;
    for (manifest, component) in bundled::all()? {
        let id = manifest.id.clone();
        let loaded = sandbox.load(manifest.clone(), component, Trust::Bundled).await.with_context(|| format!("plugin {id}"))?;
        catalog.add_plugin(Plugin { id: id.into(), digest: loaded.digest, manifest: Arc::new(manifest) });
    }
    Ok(Parts {
        store,
        broker,
        steps: Arc::new(sandbox.clone()),
        channels: Arc::new(sandbox),
        expressions: expressions(),
        clock,
        ids,
        catalog,
        points,
        lanes: config.limits.lanes,
        sends: config.limits.sends,
    })
}

/// Puts the parts together, and reads channels and workflows.
pub async fn assemble(parts: Parts) -> Result<Engine> {
    let engine = Engine::new(parts);
    engine.load_channels().await?;
    engine.load_workflows().await?;
    Ok(engine)
}
