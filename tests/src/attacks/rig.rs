//! A sandbox as a host has one, with the hostile guests in it, for attacks that need no more than that.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use async_trait::async_trait;
use pointsman::{bundled, config};
use pointsman_broker::{Broker, EgressConfig};
use pointsman_core::effect::Scope;
use pointsman_core::failure::Failure;
use pointsman_core::id::Id;
use pointsman_core::limits::Limits;
use pointsman_core::ports::{
    Code, ConversationInfo, HttpRequest, HttpResponse, Outcome, Passage, Refusal, Said, StepCall, StepEnd, StepHost,
    StepRunner as _,
};
use pointsman_manifest::Manifest;
use pointsman_sandbox::child::ChildConfig;
use pointsman_sandbox::{Sandbox, SandboxConfig, Trust};
use pointsman_vault::Keyring;
use serde_json::{Value, json};
use tokio::time::Instant;

use super::bombs;

/// The limits of a step, but for the wall: who hits that one shall not take long to.
pub const LIMITS: Limits = Limits { wall: 1_000, ..Limits::STEP };

/// What the guests import, asked for; nothing of it is more than a step may have.
const CAPABILITIES: &str = r#"
act = { why = "tries" }
state = { scope = "contact", why = "tries" }
conversation = { why = "tries" }
knowledge = { why = "tries" }
"#;

/// A manifest of a step that asks for everything but a model: who may wait for one is cut a minute later.
pub fn manifest(id: &str) -> Result<Manifest> {
    asking(id, "")
}

fn asking(id: &str, more: &str) -> Result<Manifest> {
    let http = "http = [{ host = \"api.example.com\", methods = [\"GET\"], why = \"tries\" }]";
    Manifest::parse(&manifest_text(id, &format!("{http}\n{more}"))).context("a manifest")
}

/// The text of such a manifest, with requests as they are asked for here.
#[must_use]
pub fn manifest_text(id: &str, http: &str) -> String {
    let head = "version = \"1.0.0\"\nworld = \"pointsman:plugin/step@0.1.0\"\nsummary = \"Tries everything\"\n[capabilities]";
    format!("id = \"{id}\"\n{head}\n{CAPABILITIES}{http}")
}

/// The component of a guest of `tests/guests`, built where it must be.
pub fn guest(name: &str) -> Result<Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("guests").join(name);
    Ok(std::fs::read(pointsman_build::build_guest(&folder)?)?)
}

/// A sandbox with the guests `hostile`, `forger` and `babbler` of a stranger, with one that loops while it starts, and with the
/// interpreter.
#[derive(Debug, Clone)]
pub struct Rig {
    /// The sandbox.
    pub sandbox: Sandbox,
    hostile: Code,
    forger: Code,
    babbler: Code,
    starter: Code,
}

impl Rig {
    /// With compiled code in `cache`; what strangers hand in is compiled by `binary`.
    pub async fn new(binary: &Path, cache: PathBuf) -> Result<Self> {
        let compiler = config::compiler(&binary.to_string_lossy());
        // Less than in a host: who hits a bound shall not take long to.
        let compiler = ChildConfig { seconds: 10, memory: 256 << 20, ..compiler };
        let config = SandboxConfig { cache: Some(cache), compiler: Some(compiler), limits: LIMITS, ..SandboxConfig::default() };
        let sandbox = Sandbox::new(config)?;
        for (manifest, component) in bundled::all()? {
            sandbox.load(manifest, component, Trust::Bundled).await?;
        }
        let mut codes = Vec::new();
        for (name, component, more) in [
            ("hostile", guest("hostile")?, ""),
            ("forger", guest("forger")?, ""),
            ("babbler", guest("babbler")?, "model = { why = \"tries\" }"),
            ("starter", bombs::started_by(&guest("forger")?, "endless")?, ""),
        ] {
            let loaded = sandbox.load(asking(&format!("acme/{name}"), more)?, &component, Trust::Stranger).await?;
            codes.push(Code::Plugin { id: loaded.id, digest: loaded.digest });
        }
        let Ok([hostile, forger, babbler, starter]) = <[Code; 4]>::try_from(codes) else { bail!("four guests") };
        Ok(Self { sandbox, hostile, forger, babbler, starter })
    }

    /// Hands in a component.
    pub async fn load(&self, component: &[u8]) -> Result<(), Failure> {
        let manifest = manifest("acme/thrown-in").map_err(|e| Failure::bug("test.manifest", e.to_string()))?;
        self.sandbox.load(manifest, component, Trust::Stranger).await.map(drop)
    }

    /// A call of the guest `hostile` for a workspace.
    pub async fn hostile(&self, workspace: i64, input: Value) -> StepEnd {
        self.call(workspace, self.hostile.clone(), input, Desk::default()).await
    }

    /// A call of the guest `hostile` beside a store that never answers.
    pub async fn hung(&self, input: Value) -> StepEnd {
        self.call(1, self.hostile.clone(), input, Desk { hangs: true, ..Desk::default() }).await
    }

    /// A call of the guest `forger`.
    pub async fn forger(&self, deed: &str) -> StepEnd {
        self.call(1, self.forger.clone(), json!(deed), Desk::default()).await
    }

    /// A call of the guest whose start function never ends.
    pub async fn starter(&self) -> StepEnd {
        self.call(1, self.starter.clone(), json!({}), Desk::default()).await
    }

    /// A call of the guest `babbler`, which makes calls of the host out of these bytes. No request leaves the machine.
    pub async fn babbler(&self, bytes: &[u8]) -> StepEnd {
        let text: String = bytes.iter().copied().map(char::from).collect();
        self.call(1, self.babbler.clone(), json!(text), Desk { alone: true, ..Desk::default() }).await
    }

    /// A run of a script for a workspace.
    pub async fn script(&self, workspace: i64, source: &str, input: Value) -> StepEnd {
        let hash = Arc::from(format!("{:x}", md(source)).as_str());
        self.call(workspace, Code::Script { source: Arc::from(source), hash }, input, Desk::default()).await
    }

    /// How long an ordinary script of another workspace takes; an error when it does not do its work.
    pub async fn neighbour(&self) -> Result<Duration> {
        let since = Instant::now();
        match self.script(2, "40 + 2", json!({})).await.result {
            Ok(Outcome::Done(value)) if value == json!(42) => Ok(since.elapsed()),
            other => bail!("a neighbour was harmed: {other:?}"),
        }
    }

    async fn call(&self, workspace: i64, code: Code, input: Value, desk: Desk) -> StepEnd {
        let call = StepCall {
            workspace: Id(workspace),
            code,
            run: "1".to_owned(),
            path: "0".to_owned(),
            attempt: 1,
            at: 1_790_000_000_000,
            seed: 7,
            input,
            config: json!({}),
            event: None,
            journal: Vec::new(),
            taken: Vec::new(),
            reads: Vec::new(),
        };
        self.sandbox.run(call, Arc::new(desk)).await
    }
}

/// A name for a text.
fn md(text: &str) -> u64 {
    use std::hash::{DefaultHasher, Hash as _, Hasher as _};
    let mut hasher = DefaultHasher::new();
    text.hash(&mut hasher);
    hasher.finish()
}

/// A store with nothing in it, which perhaps never says so; perhaps without a way out.
#[derive(Debug, Clone, Copy, Default)]
struct Desk {
    hangs: bool,
    alone: bool,
}

impl Desk {
    async fn ask<T>(&self, answer: T) -> Result<T, Refusal> {
        if self.hangs {
            std::future::pending::<()>().await;
        }
        Ok(answer)
    }
}

#[async_trait]
impl StepHost for Desk {
    async fn conversation(&self) -> Result<ConversationInfo, Refusal> {
        self.ask(ConversationInfo { id: "1".to_owned(), channel: "whatsapp".to_owned(), ..ConversationInfo::default() }).await
    }

    async fn history(&self, _: u32) -> Result<Vec<Said>, Refusal> {
        self.ask(Vec::new()).await
    }

    async fn state(&self, _: Scope, _: &str) -> Result<Option<Value>, Refusal> {
        self.ask(None).await
    }

    async fn search(&self, _: &str, _: &str, _: u32) -> Result<Vec<Passage>, Refusal> {
        self.ask(Vec::new()).await
    }

    async fn request(&self, asks: &Manifest, request: HttpRequest) -> Result<HttpResponse, Refusal> {
        self.ask(()).await?;
        if self.alone {
            return Ok(HttpResponse { status: 200, ..HttpResponse::default() });
        }
        let origins: Vec<String> = asks.capabilities.http.iter().map(|site| site.origin()).collect();
        let broker = Keyring::generate()
            .map_err(Failure::from)
            .and_then(|key| Broker::new(key.credential_vault().1, &EgressConfig::default()))
            .map_err(|failure| Refusal::Unavailable(failure.to_string()))?;
        let sent = broker.send_among(&request, &[], &asks.slots(), &origins).await;
        sent.map_err(|error| Refusal::Denied(error.to_string()))
    }
}
