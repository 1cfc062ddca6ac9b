//! What the box costs: a step, a script and a webhook, with a fresh memory for each call and with one kept warm, and the
//! same work done natively beside it. After criterion's means a table of the 50th and 99th percentiles, one call at a time:
//! of a step that does nothing, of one that reads and writes 1 KB of JSON, and of a script of fifty lines.
//! `cargo xtask bench sandbox`

use std::hint::black_box;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use criterion::{Criterion, criterion_group, criterion_main};
use pointsman_core::effect::Scope;
use pointsman_core::id::Id;
use pointsman_core::ports::{
    Account, ChannelAdapter as _, Code, ConversationInfo, Method, Outcome, Passage, Refusal, Said, StepCall, StepHost,
    StepRunner as _, Webhook,
};
use pointsman_keyword::Keyword;
use pointsman_manifest::Manifest;
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
        let all = pointsman::bundled::all().expect("manifests");
        let (manifest, component) = all.into_iter().find(|(m, _)| m.short_name() == plugin).expect("the plugin");
        Self::of(manifest, component, warm)
    }

    /// With the guest of the tests whose deed `nothing` answers with its input.
    fn echo(warm: bool) -> Self {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("guests/hostile");
        let component = std::fs::read(pointsman_build::build_guest(&folder).expect("a guest")).expect("a component");
        let head =
            "id = \"acme/echo\"\nversion = \"1.0.0\"\nworld = \"pointsman:plugin/step@0.1.0\"\nsummary = \"Says it again\"";
        let asks = "act = { why = \"w\" }\nstate = { scope = \"contact\", why = \"w\" }\nconversation = { why = \"w\" }\nknowledge = { why = \"w\" }";
        let http = "http = [{ host = \"api.example.com\", methods = [\"GET\"], why = \"w\" }]";
        let manifest = Manifest::parse(&format!("{head}\n[capabilities]\n{asks}\n{http}\n")).expect("a manifest");
        Self::of(manifest, &component, warm)
    }

    fn of(manifest: Manifest, component: &[u8], warm: bool) -> Self {
        let cache = std::env::temp_dir().join("pointsman-bench-compiled");
        let config = SandboxConfig { cache: Some(cache), warm: if warm { 8 } else { 0 }, ..SandboxConfig::default() };
        let sandbox = Sandbox::new(config).expect("a sandbox");
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

    let native = Native::new(input);
    assert_eq!(native.warm(), expected);
    group.bench_function("native_cold", |b| b.iter(|| black_box(native.cold())));
    group.bench_function("native_warm", |b| b.iter(|| black_box(native.warm())));
    group.finish();
}

/// The script of fifty lines without the box.
struct Native {
    engine: rhai::Engine,
    tree: rhai::AST,
    input: Value,
}

impl Native {
    fn new(input: Value) -> Self {
        let engine = rhai::Engine::new();
        let tree = engine.compile(SCRIPT).expect("a script");
        Self { engine, tree, input }
    }

    fn run(&self, tree: &rhai::AST) -> Value {
        let mut scope = rhai::Scope::new();
        for (name, value) in self.input.as_object().expect("an object") {
            scope.push_constant_dynamic(name.as_str(), rhai::serde::to_dynamic(value).expect("a value"));
        }
        let value = self.engine.eval_ast_with_scope::<rhai::Dynamic>(&mut scope, tree).expect("a value");
        rhai::serde::from_dynamic::<Value>(&value).expect("JSON")
    }

    fn cold(&self) -> Value {
        self.run(&self.engine.compile(SCRIPT).expect("a script"))
    }

    fn warm(&self) -> Value {
        self.run(&self.tree)
    }
}

/// The table of percentiles.
fn percentiles(_: &mut Criterion) {
    let host = Arc::new(Empty);
    println!("{:<24} {:<12} {:>9} {:>9}", "us a call", "", "p50", "p99");
    let line = "a line of an order, about as long as people write them; ";
    for (what, filling) in [("empty step", ""), ("step with 1 KB of JSON", &*line.repeat(18))] {
        let input = json!({ "do": "nothing", "lines": filling.split_inclusive(';').collect::<Vec<_>>() });
        for (how, warm) in [("fresh", false), ("warm", true)] {
            let place = Place::echo(warm);
            let code = Code::Plugin { id: place.loaded.id.clone(), digest: place.loaded.digest.clone() };
            assert_eq!(place.run(&code, &input, &host)["input"], input);
            tell(what, how, || drop(black_box(place.run(&code, &input, &host))));
        }
        let text = input.to_string();
        tell(what, "native", || {
            let read: Value = serde_json::from_str(black_box(&text)).expect("JSON");
            drop(black_box(json!({ "input": read, "config": "null", "attempt": 1, "run": "1", "step": "step" }).to_string()));
        });
    }
    let input = json!({ "event": { "text": "Order two loaves, one cake and three baguettes." }, "vars": { "orders": 7 } });
    let code = Code::Script { source: SCRIPT.into(), hash: "fifty-lines".into() };
    for (how, warm) in [("cold", false), ("warm", true)] {
        let place = Place::new("script", warm);
        tell("script of fifty lines", how, || drop(black_box(place.run(&code, &input, &host))));
    }
    let native = Native::new(input);
    tell("script of fifty lines", "native cold", || drop(black_box(native.cold())));
    tell("script of fifty lines", "native warm", || drop(black_box(native.warm())));
}

/// Times it twenty thousand times, after a thousand that do not count.
fn tell(what: &str, how: &str, mut call: impl FnMut()) {
    (0..1_000).for_each(|_| call());
    let mut took: Vec<Duration> = (0..20_000)
        .map(|_| {
            let since = Instant::now();
            call();
            since.elapsed()
        })
        .collect();
    took.sort_unstable();
    let at = |part: usize| took[took.len() * part / 100].as_nanos() as f64 / 1_000.0;
    println!("{what:<24} {how:<12} {:>9.1} {:>9.1}", at(50), at(99));
}

criterion_group!(benches, step, parse, script, percentiles);
criterion_main!(benches);
