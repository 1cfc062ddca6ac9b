//! Which part gets what: the one place where the rooms meet. The engine gets the content and index subkeys inside the
//! store; the credentials subkey goes into the broker and nowhere else. Where the broker is a process of its own, the engine's
//! process is handed both, and never reads the master key.

use std::future::Future;
use std::sync::Arc;

use anyhow::{Context, Result, bail};
use pointsman_broker::{Broker, EgressConfig};
use pointsman_core::clock::{Clock, SystemClock};
use pointsman_core::id::{Id, IdMaker, WorkspaceId};
use pointsman_core::ports::{Expressions, Meter};
use pointsman_engine::catalog::{Catalog, Plugin};
use pointsman_engine::knowledge::Library;
use pointsman_engine::ledger::Ledger;
use pointsman_engine::points::Points;
use pointsman_engine::vectors::{Home, Voices};
use pointsman_engine::{Engine, Parts};
use pointsman_sandbox::{Sandbox, SandboxConfig, Trust};
use pointsman_script::ScriptExpressions;
use pointsman_store::{Asked, HeldKeys, KeySource, ModelRow, Place, Store, StoreConfig, WorkspaceRow};
use pointsman_vault::{CredentialSealer, Keyring, Succession};

use crate::bundled;
use crate::config::{Config, compiler, embedder};

/// The workspace that `init` makes.
pub const FIRST_WORKSPACE: WorkspaceId = Id(1);

/// Runs a future on a runtime of its own: for verbs that are done in a moment.
pub fn block_on<T>(work: impl Future<Output = Result<T>>) -> Result<T> {
    tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(work)
}

/// Opens the store of a configuration, with the system's clock.
pub async fn open_store(config: &Config) -> Result<Store> {
    open_store_with(config, HeldKeys::new(Keyring::new(config.keys.read_master(&config.dir)?))).await
}

/// The store of a host's folder, where there is one: for verbs that can do without.
pub async fn store_if_any(config: &Config) -> Result<Option<Store>> {
    match config.store.place(&config.dir)? {
        Place::Sqlite(path) if !path.exists() => Ok(None),
        _ => open_store(config).await.map(Some),
    }
}

/// As [`open_store`], by another clock: for what was long ago.
pub async fn open_store_by(config: &Config, clock: Arc<dyn Clock>) -> Result<Store> {
    let keys = HeldKeys::new(Keyring::new(config.keys.read_master(&config.dir)?));
    open_store_at(config, keys, clock, Arc::new(IdMaker::new(0))).await
}

/// As [`open_store`], with these keys: they follow when the master key is being replaced.
pub async fn open_store_with(config: &Config, keys: Arc<HeldKeys>) -> Result<Store> {
    open_store_at(config, keys, Arc::new(SystemClock), Arc::new(IdMaker::new(0))).await
}

/// What seals credentials for this store.
pub async fn sealer(config: &Config, store: &Store) -> Result<CredentialSealer> {
    let mut keyring = Keyring::new(config.keys.read_master(&config.dir)?);
    if let Some(succession) = store.succession().await? {
        keyring.follow(&succession)?;
    }
    Ok(keyring.credential_vault().0)
}

/// The broker as the one who has the master key.
struct BrokersKeys(Broker);

impl KeySource for BrokersKeys {
    fn keys<'a>(&'a self, succession: Option<&'a Succession>) -> Asked<'a> {
        Box::pin(self.0.keys(succession))
    }
}

async fn open_store_at(config: &Config, own: Arc<dyn KeySource>, clock: Arc<dyn Clock>, ids: Arc<IdMaker>) -> Result<Store> {
    let (data, keys) = (config.store.place(&config.dir)?, config.keys.place(&config.dir)?);
    if data == keys {
        bail!("[store] url and [keys] store name the same database; a backup of the data must never hold the keys");
    }
    for place in [&data, &keys] {
        if let Place::Sqlite(path) = place
            && let Some(parent) = path.parent()
        {
            std::fs::create_dir_all(parent).with_context(|| format!("cannot make {}", parent.display()))?;
        }
    }
    let name = format!("{} (process {})", config.dir.display(), std::process::id());
    let lease = config.store.lease()?;
    let store = StoreConfig { data, keys, name, lease, ..StoreConfig::in_dir(&config.dir) };
    let shown = store.data.to_string();
    Store::open(store, own, clock, ids).await.map_err(|error| error.failure()).with_context(|| format!("cannot open {shown}"))
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

/// The broker, in this process: it holds the master key, and gives the others what they may have.
pub fn broker(config: &Config) -> Result<Broker> {
    let keyring = Keyring::new(config.keys.read_master(&config.dir)?);
    let egress = EgressConfig {
        allow_private: config.egress.allow_private.clone(),
        timeout_ms: config.egress.timeout,
        ..EgressConfig::default()
    };
    let answers = config.path(&config.broker.answers);
    Broker::noting(keyring, &egress, answers).context("[egress]")
}

/// What runs models at home.
fn home(config: &Config) -> Home {
    Home { embedder: embedder(&config.models.program), folder: config.path(&config.models.folder) }
}

/// The knowledge of a host, for verbs of the command line. The way outside is opened only where somebody there makes vectors.
pub async fn library(config: &Config, store: &Store) -> Result<Library> {
    let models = store.models(FIRST_WORKSPACE).await?;
    let outside = |row: &ModelRow| row.settings.get("embed").is_some_and(|embed| !embed.is_null()) && !row.credentials.is_empty();
    let mut away = None;
    if models.iter().any(outside) {
        let broker = broker(config)?;
        // Where the master key is being replaced it opens what either sealed.
        broker.keys(store.succession().await?.as_ref()).await?;
        away = Some((broker, config.models.engine()));
    }
    Ok(Library::new(store.clone(), Voices::new(store.clone(), home(config), away)))
}

/// A host, put together but not started.
pub async fn engine(config: &Config, broker: Broker, clock: Arc<dyn Clock>, points: Points) -> Result<Engine> {
    assemble(parts_with(config, broker, clock, points).await?).await
}

/// The parts of a host with its broker in this process.
pub async fn parts(config: &Config, clock: Arc<dyn Clock>, points: Points) -> Result<Parts> {
    parts_with(config, broker(config)?, clock, points).await
}

/// The parts of a host, as the configuration wants them.
async fn parts_with(config: &Config, broker: Broker, clock: Arc<dyn Clock>, points: Points) -> Result<Parts> {
    let ids = Arc::new(IdMaker::new(0));
    let store = open_store_at(config, Arc::new(BrokersKeys(broker.clone())), Arc::clone(&clock), Arc::clone(&ids)).await?;
    let catalog = Arc::new(Catalog::default());
    let ledger = Ledger::new(Arc::clone(&clock), config.limits.offence());
    let sandbox = Sandbox::new(SandboxConfig {
        cache: Some(config.path(&config.sandbox.cache)),
        compiler: Some(compiler(&config.sandbox.compiler)),
        threads: config.sandbox.threads,
        meter: Some(Arc::clone(&ledger) as Arc<dyn Meter>),
        ..SandboxConfig::default()
    })?;
    for (manifest, component) in bundled::all()? {
        #[cfg(feature = "kill-points")]
        let manifest = crate::config::hastened(manifest);
        let id = manifest.id.clone();
        let loaded = sandbox.load(manifest.clone(), component, Trust::Bundled).await.with_context(|| format!("plugin {id}"))?;
        catalog.add_plugin(Plugin { id: id.into(), digest: loaded.digest, manifest: Arc::new(manifest) });
    }
    bundled::keep(&store).await.context("the plugins of this host cannot be kept")?;
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
        replies_a_minute: config.limits.replies_a_minute,
        asking: config.egress.asking(),
        webhook_bytes: config.limits.webhook_bytes,
        ledger,
        models: config.models.engine(),
        templates: config.templates.engine(),
        home: home(config),
    })
}

/// Puts the parts together, and reads channels and workflows.
pub async fn assemble(parts: Parts) -> Result<Engine> {
    let engine = Engine::new(parts);
    engine.load_channels().await?;
    engine.load_yanked().await?;
    engine.load_packages().await?;
    engine.load_quarantined().await?;
    engine.load_workflows().await?;
    Ok(engine)
}
