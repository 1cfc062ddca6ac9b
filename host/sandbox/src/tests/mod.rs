//! The sandbox with real guests (`tests/guests`), most of them hostile: each ends under its own name, and the host goes on.

mod channel;
mod hostile;
mod imports;
mod loading;
mod model;
mod permission;
mod script;
mod suspend;
mod warm;

use std::path::Path;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use async_trait::async_trait;
use pointsman_core::effect::Scope;
use pointsman_core::event::{Message, Person};
use pointsman_core::id::Id;
use pointsman_core::ports::{
    Code, ConversationInfo, HttpRequest, HttpResponse, Outcome, Passage, Refusal, Said, Speaker, StepCall, StepEnd, StepHost,
    StepRunner as _,
};
use pointsman_manifest::Manifest;
use serde_json::{Value, json};

use crate::{Sandbox, SandboxConfig, Trust};

/// A guest of `tests/guests`, built.
fn guest(name: &str) -> Vec<u8> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/guests").join(name);
    std::fs::read(pointsman_build::build_guest(&folder).unwrap()).unwrap()
}

fn hostile() -> &'static [u8] {
    static BUILT: OnceLock<Vec<u8>> = OnceLock::new();
    BUILT.get_or_init(|| guest("hostile"))
}

/// Everything that the hostile guest imports.
const ALL: &str = r#"
    act = { why = "test" }
    state = { scope = "contact", why = "test" }
    conversation = { why = "test" }
    knowledge = { why = "test" }
    http = [{ host = "api.example.com", methods = ["GET"], why = "test" }]
"#;

fn step(id: &str, capabilities: &str) -> Manifest {
    let world = "pointsman:plugin/step@0.1.0";
    let text =
        format!("id = \"{id}\"\nversion = \"1.0.0\"\nworld = \"{world}\"\nsummary = \"test\"\n[capabilities]\n{capabilities}");
    Manifest::parse(&text).unwrap()
}

/// A house for the hostile guest.
struct House {
    sandbox: Sandbox,
    code: Code,
}

impl House {
    fn new(config: SandboxConfig, trust: Trust) -> Self {
        Self::asking(config, trust, ALL)
    }

    fn asking(config: SandboxConfig, trust: Trust, capabilities: &str) -> Self {
        let sandbox = Sandbox::new(config).unwrap();
        let loaded = sandbox.load_blocking(step("acme/hostile", capabilities), hostile(), trust).unwrap();
        Self { sandbox, code: Code::Plugin { id: loaded.id, digest: loaded.digest } }
    }

    fn call(&self, workspace: i64, input: Value) -> StepCall {
        StepCall {
            workspace: Id(workspace),
            code: self.code.clone(),
            run: "run-1".to_owned(),
            path: "order".to_owned(),
            attempt: 2,
            at: 1_700_000_000_000,
            seed: 42,
            input,
            config: Value::Null,
            event: None,
            journal: Vec::new(),
            taken: Vec::new(),
            reads: Vec::new(),
        }
    }

    async fn run(&self, input: Value) -> StepEnd {
        self.run_in(1, input).await
    }

    async fn run_in(&self, workspace: i64, input: Value) -> StepEnd {
        self.sandbox.run(self.call(workspace, input), Arc::new(Desk::default())).await
    }

    async fn output(&self, input: Value) -> Value {
        output(self.run(input).await)
    }

    async fn code_of(&self, input: Value) -> String {
        self.run(input).await.result.unwrap_err().code
    }

    /// Whether an ordinary call still works.
    async fn alive(&self) {
        assert_eq!(self.output(json!({"do": "nothing"})).await["attempt"], json!(2));
    }
}

fn output(end: StepEnd) -> Value {
    match end.result {
        Ok(Outcome::Done(value)) => value,
        other => panic!("{other:?}"),
    }
}

/// A conversation to read, perhaps one that never answers.
#[derive(Default)]
struct Desk {
    hangs: bool,
    /// Before an answer.
    wait: Option<Duration>,
    /// The name of the thread on which it was last asked.
    asked_on: parking_lot::Mutex<Option<String>>,
}

impl Desk {
    async fn pause(&self) {
        *self.asked_on.lock() = std::thread::current().name().map(str::to_owned);
        if self.hangs {
            std::future::pending::<()>().await;
        }
        if let Some(wait) = self.wait {
            tokio::time::sleep(wait).await;
        }
    }
}

#[async_trait]
impl StepHost for Desk {
    async fn conversation(&self) -> Result<ConversationInfo, Refusal> {
        self.pause().await;
        Ok(ConversationInfo {
            id: "c1".to_owned(),
            channel: "whatsapp".to_owned(),
            contact: Person { id: "p1".to_owned(), ..Person::default() },
            tags: vec!["new".to_owned()],
            attributes: json!({"size": 42}),
            assigned: None,
            window_ends: None,
        })
    }

    async fn history(&self, count: u32) -> Result<Vec<Said>, Refusal> {
        self.pause().await;
        Ok((0..count).map(|n| Said { by: Speaker::Contact, at: i64::from(n), message: Message::text("hi") }).collect())
    }

    async fn state(&self, scope: Scope, key: &str) -> Result<Option<Value>, Refusal> {
        self.pause().await;
        Ok((scope == Scope::Contact && key == "count").then(|| json!(40)))
    }

    async fn search(&self, base: &str, query: &str, count: u32) -> Result<Vec<Passage>, Refusal> {
        self.pause().await;
        if base != "faq" {
            return Err(Refusal::Invalid(format!("knowledge.unknown: {base}")));
        }
        let one =
            |n| Passage { text: format!("{query} {n}"), source: "faq.md".to_owned(), score: 0.5, extra: Some(json!({ "n": n })) };
        Ok((0..count).map(one).collect())
    }

    async fn request(&self, _: &Manifest, _: HttpRequest) -> Result<HttpResponse, Refusal> {
        self.pause().await;
        Ok(HttpResponse { status: 200, ..HttpResponse::default() })
    }
}
