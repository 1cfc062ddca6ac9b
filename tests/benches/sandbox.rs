//! What the box costs: a step, a script and a webhook, with a fresh memory for each call and with one kept warm, and the
//! same work done natively beside it. `cargo xtask bench sandbox`

use std::hint::black_box;
use std::path::Path;
use std::sync::Arc;

use async_trait::async_trait;
use criterion::{Criterion, criterion_group, criterion_main};
use pointsman_core::effect::Scope;
use pointsman_core::id::Id;
use pointsman_core::ports::{
    Account, ChannelAdapter as _, Code, ConversationInfo, Method, Outcome, Passage, Refusal, Said, StepCall, StepHost,
    StepRunner as _, Webhook,
};
use pointsman_keyword::Keyword;
use pointsman_sandbox::{Loaded, Sandbox, SandboxConfig, Trust};
use serde_json::{Value, json};
use tokio::runtime::Runtime;

/// About as long as the scripts that customers write.
const SCRIPT: &str = include_str!("fifty-lines.rhai");

/// A conversation with nothing in it.
struct Empty;

#[async_trait]
impl StepHost for Empty {
    async fn conversation(&self) -> Result<ConversationInfo, Refusal> {
        Ok(ConversationInfo::default())
    }

    async fn history(&self, _: u32) -> Result<Vec<Said>, Refusal> {
        Ok(Vec::new())
    }

    async fn state(&self, _: Scope, _: &str) -> Result<Option<Value>, Refusal> {
        Ok(None)
    }

    async fn search(&self, _: &str, _: &str, _: u32) -> Result<Vec<Passage>, Refusal> {
        Ok(Vec::new())
    }
}

/// A box with one bundled plugin in it.
struct Place {
    sandbox: Sandbox,
    loaded: Loaded,
    runtime: Runtime,
}

impl Place {
    /// `warm`: memories are kept between calls.
    fn new(plugin: &str, warm: bool) -> Self {
        let cache = std::env::temp_dir().join("pointsman-bench-compiled");
        let config = SandboxConfig { cache: Some(cache), warm: if warm { 8 } else { 0 }, ..SandboxConfig::default() };
        let sandbox = Sandbox::new(config).expect("a sandbox");
        let all = pointsman::bundled::all().expect("manifests");
        let (manifest, component) = all.into_iter().find(|(m, _)| m.short_name() == plugin).expect("the plugin");
        let loaded = sandbox.load_blocking(manifest, component, Trust::Bundled).expect("a plugin");
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        Self { sandbox, loaded, runtime }
    }

    fn run(&self, code: &Code, input: &Value, host: &Arc<Empty>) -> Value {
        let call = StepCall {
            workspace: Id(1),
            code: code.clone(),
            run: "1".to_owned(),
            path: "step".to_owned(),
            attempt: 1,
            at: 1_700_000_000_000,
            seed: 1,
            input: input.clone(),
            config: Value::Null,
            event: None,
            journal: Vec::new(),
            taken: Vec::new(),
            reads: Vec::new(),
        };
        match self.runtime.block_on(self.sandbox.run(call, Arc::<Empty>::clone(host))).result {
            Ok(Outcome::Done(output)) => output,
            other => panic!("the step gave no output: {other:?}"),
        }
    }
}

fn rules() -> Value {
    json!({
        "text": "Hello! Where is my order? I have been waiting since Monday, thank you.",
        "rules": [
            { "name": "opening", "any": ["open", "hours", "closed"] },
            { "name": "price", "any": ["price", "how much"] },
            { "name": "order", "all": ["order"], "none": ["cancel"] },
        ],
    })
}

/// A step: instantiate and call, call alone, and the same function compiled for this machine (JSON in and out in each).
fn step(c: &mut Criterion) {
    let (input, host) = (rules(), Arc::new(Empty));
    let mut group = c.benchmark_group("step");
    let expected = json!("order");
    for (name, warm) in [("fresh", false), ("warm", true)] {
        let place = Place::new("keyword", warm);
        let code = Code::Plugin { id: place.loaded.id.clone(), digest: place.loaded.digest.clone() };
        assert_eq!(place.run(&code, &input, &host)["rule"], expected);
        group.bench_function(name, |b| b.iter(|| black_box(place.run(&code, &input, &host))));
    }
    let native =
        || pointsman_sdk::testing::run::<Keyword>(Default::default(), input.clone(), json!({})).result.expect("an output");
    assert_eq!(native()["rule"], expected);
    group.bench_function("native", |b| b.iter(|| black_box(native())));
    group.finish();
}

/// Reading a WhatsApp text webhook.
fn parse(c: &mut Criterion) {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("tests/ lies in the root");
    let body = std::fs::read(root.join("plugins/channels/whatsapp/fixtures/payloads/text.json")).expect("a payload");
    let account = Account { id: "1122334455667".to_owned(), config: json!({}) };
    let webhook = Webhook {
        method: Method::Post,
        path: String::new(),
        query: Vec::new(),
        headers: Vec::new(),
        body: body.into(),
        received: 1_700_000_000_000,
    };
    let mut group = c.benchmark_group("parse");
    for (name, warm) in [("fresh", false), ("warm", true)] {
        let place = Place::new("whatsapp", warm);
        let read = || {
            let parsed = place.runtime.block_on(place.sandbox.parse(Id(1), &place.loaded.id, &webhook, &account));
            parsed.expect("no limit").expect("a webhook of WhatsApp")
        };
        assert_eq!(read().events.len(), 1);
        group.bench_function(name, |b| b.iter(|| black_box(read())));
    }
    group.finish();
}

/// A script of fifty lines: cold is a fresh interpreter that compiles it and runs it, warm runs it again. Natively, cold is
/// compiling and running, in an engine that is there already.
fn script(c: &mut Criterion) {
    let input = json!({ "event": { "text": "Order two loaves, one cake and three baguettes." }, "vars": { "orders": 7 } });
    let host = Arc::new(Empty);
    let expected = json!({ "answer": "Thank you: 2 loaves (8.40), 1 cake (24.00), 3 baguettes (5.70). That is 36.20, 1.90 off.", "items": 3, "due": 3620 });
    let code = Code::Script { source: SCRIPT.into(), hash: "fifty-lines".into() };
    let mut group = c.benchmark_group("script");
    for (name, warm) in [("cold", false), ("warm", true)] {
        let place = Place::new("script", warm);
        assert_eq!(place.run(&code, &input, &host), expected);
        group.bench_function(name, |b| b.iter(|| black_box(place.run(&code, &input, &host))));
    }

    let engine = rhai::Engine::new();
    let scope = || {
        let mut scope = rhai::Scope::new();
        for (name, value) in input.as_object().expect("an object") {
            scope.push_constant_dynamic(name.as_str(), rhai::serde::to_dynamic(value).expect("a value"));
        }
        scope
    };
    let native = |tree: &rhai::AST| {
        let value = engine.eval_ast_with_scope::<rhai::Dynamic>(&mut scope(), tree).expect("a value");
        rhai::serde::from_dynamic::<Value>(&value).expect("JSON")
    };
    let tree = engine.compile(SCRIPT).expect("a script");
    assert_eq!(native(&tree), expected);
    group.bench_function("native_cold", |b| b.iter(|| black_box(native(&engine.compile(SCRIPT).expect("a script")))));
    group.bench_function("native_warm", |b| b.iter(|| black_box(native(&tree))));
    group.finish();
}

criterion_group!(benches, step, parse, script);
criterion_main!(benches);
