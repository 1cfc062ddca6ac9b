//! A plugin and a script that try everything: each attempt ends in its named error while other conversations go on.

use std::sync::Arc;
use std::time::Instant;

use async_trait::async_trait;
use pointsman_core::effect::Scope;
use pointsman_core::id::Id;
use pointsman_core::ports::{Code, ConversationInfo, Refusal, Said, StepCall, StepEnd, StepHost, StepRunner};
use pointsman_manifest::Manifest;
use pointsman_sandbox::{Sandbox, SandboxConfig, Trust};
use serde_json::{Value, json};

use crate::flow::conversation::SHOP;
use crate::support::{Site, eventually};

/// What the hostile guest imports, asked for; nothing of it is more than a step may have.
const MANIFEST: &str = r#"
id = "acme/hostile"
version = "1.0.0"
world = "pointsman:plugin/step@0.1.0"
summary = "Tries everything"
[capabilities]
act = { why = "tries" }
state = { scope = "contact", why = "tries" }
conversation = { why = "tries" }
http = [{ host = "api.example.com", methods = ["GET"], why = "tries" }]
"#;

struct Nobody;

#[async_trait]
impl StepHost for Nobody {
    async fn conversation(&self) -> Result<ConversationInfo, Refusal> {
        Ok(ConversationInfo { id: "1".into(), channel: "whatsapp".into(), ..ConversationInfo::default() })
    }
    async fn history(&self, _count: u32) -> Result<Vec<Said>, Refusal> {
        Ok(Vec::new())
    }
    async fn state(&self, _scope: Scope, _key: &str) -> Result<Option<Value>, Refusal> {
        Ok(None)
    }
}

fn call(code: Code, input: Value) -> StepCall {
    StepCall {
        workspace: Id(1),
        code,
        run: "1".into(),
        path: "0".into(),
        attempt: 1,
        at: 1_790_000_000_000,
        seed: 7,
        input,
        config: json!({}),
        event: None,
        journal: Vec::new(),
        taken: Vec::new(),
        reads: Vec::new(),
    }
}

async fn sandbox() -> Sandbox {
    let cache = std::env::temp_dir().join("pointsman-hostile-cache");
    let sandbox = Sandbox::new(SandboxConfig { cache: Some(cache), ..SandboxConfig::default() }).unwrap();
    for (manifest, component) in pointsman::bundled::all().unwrap() {
        sandbox.load(manifest, component, Trust::Bundled).await.unwrap();
    }
    sandbox
}

#[tokio::test(flavor = "multi_thread")]
async fn each_attempt_of_a_script_ends_in_its_named_error() {
    let sandbox = sandbox().await;
    let attempts: &[(&str, &str, &[&str])] = &[
        ("loops for ever", "loop { }", &["limit.cpu"]),
        ("loops and catches", "loop { try { loop { } } catch { } }", &["limit.cpu"]),
        ("hoards memory", "let a = [\"0123456789abcdef\"]; loop { a = [a, a]; }", &["limit."]),
        ("recurses without end", "fn f(x) { f(x + 1) + 1 } f(0)", &["limit.calls", "limit.stack"]),
        ("reads a file", "open_file(\"/etc/passwd\")", &["script."]),
        ("reads the environment", "env(\"HOME\")", &["script."]),
        ("imports a module", "import \"std\" as s; s", &["script."]),
        ("evaluates text", "eval(\"1 + 1\")", &["script."]),
        ("writes to another", "reply(\"hi\", \"15550109999\")", &["script."]),
        ("sleeps the host", "let t = timestamp(); t", &["script."]),
    ];
    for (name, source, codes) in attempts {
        let code = Code::Script { source: Arc::from(*source), hash: Arc::from(format!("h-{name}").as_str()) };
        let began = Instant::now();
        let end: StepEnd = sandbox.run(call(code, json!({})), Arc::new(Nobody)).await;
        let failure = end.result.expect_err(name);
        assert!(codes.iter().any(|c| failure.code.starts_with(c)), "{name}: {failure}");
        assert!(end.effects.is_empty(), "{name}: what a failed step asked for is not done");
        eprintln!("{name}: {} after {:?}", failure.code, began.elapsed());
    }
    let good = Code::Script { source: Arc::from("40 + 2"), hash: Arc::from("good") };
    let end = sandbox.run(call(good, json!({})), Arc::new(Nobody)).await;
    assert_eq!(end.result.unwrap(), pointsman_core::ports::Outcome::Done(json!(42)), "the house is alive");
}

#[tokio::test(flavor = "multi_thread")]
async fn each_attempt_of_a_plugin_ends_in_its_named_error() {
    let sandbox = sandbox().await;
    let guest = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("guests/hostile");
    let manifest = Manifest::parse(MANIFEST).unwrap();
    let component = std::fs::read(pointsman_build::build_guest(&guest).unwrap()).unwrap();
    let loaded = sandbox.load(manifest.clone(), &component, Trust::Stranger).await.unwrap();
    let code = || Code::Plugin { id: manifest.id.as_str().into(), digest: loaded.digest.clone() };
    let attempts: &[(&str, &[&str])] = &[
        ("spin", &["limit.cpu"]),
        ("hoard", &["limit.memory"]),
        ("recurse", &["limit.stack"]),
        ("panic", &["plugin.trap"]),
        ("send-storm", &["limit.effects"]),
    ];
    for (what, codes) in attempts {
        let end = sandbox.run(call(code(), json!({ "do": what, "count": 10_000 })), Arc::new(Nobody)).await;
        let failure = end.result.expect_err(what);
        assert!(codes.contains(&failure.code.as_str()), "{what}: {failure}");
    }
    // What is not granted is refused with its cure, and the plugin lives on to tell.
    let end = sandbox.run(call(code(), json!({ "do": "http" })), Arc::new(Nobody)).await;
    let told = format!("{:?}", end.result);
    assert!(told.contains("denied.http"), "{told}");
    // There is no file, no socket and no environment in the box: each attempt fails inside the guest.
    for (what, all) in [("file", json!([true, true, true])), ("env", json!(true))] {
        let end = sandbox.run(call(code(), json!({ "do": what })), Arc::new(Nobody)).await;
        assert_eq!(end.result.unwrap(), pointsman_core::ports::Outcome::Done(all), "{what}");
        assert!(end.effects.is_empty());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn other_conversations_go_on_beside_a_script_that_never_ends() {
    let spin = (
        "spin",
        "name: spin\non:\n  message: {}\npriority: 5\nsteps:\n  - if: event.text == \"spin\"\n    script: \"loop { }\"\n  - if: event.text == \"net\"\n    script: \"http(`https://example.com/`)\"\n",
        &[][..],
    );
    let site = Site::new(&[spin, SHOP]).await;
    let host = site.host().await;
    for n in 0..10 {
        site.emulator.say(&format!("155501001{n:02}"), "Bad", "spin").await.unwrap();
    }
    site.emulator.say("15550100300", "Net", "net").await.unwrap();
    for n in 0..20 {
        site.emulator.say(&format!("155501002{n:02}"), "Good", "hello").await.unwrap();
    }
    eventually("the good ones are answered", || {
        let good = site.emulator.taken().iter().filter(|s| s.text() == Some("You said: hello")).count();
        (good >= 20).then_some(())
    })
    .await;
    host.idle().await;
    host.stop().await;
    let parked = site.done(&["park", "list"]);
    let limits = parked.as_array().unwrap().iter().filter(|p| p["kind"] == "run" && p["code"] == "limit.cpu").count();
    assert_eq!(limits, 10, "{parked}");
    let network = parked.as_array().unwrap().iter().filter(|p| p["code"] == "denied.http").count();
    assert_eq!(network, 1, "a script that asks the network is parked with its reason: {parked}");
}
