//! A stranger's plugin, from its file to its removal, beside a host that runs all the while: what it may do is what the operator
//! said, from the next call on, and no message is lost over it.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use pointsman_core::clock::SystemClock;
use pointsman_core::effect::Scope;
use pointsman_core::failure::Failure;
use pointsman_core::permission::Permission;
use pointsman_core::ports::{ConversationInfo, Passage, Refusal, Said, StepCall, StepEnd, StepHost, StepRunner};
use serde_json::{Value, json};
use sha2::Digest as _;
use tokio::sync::Semaphore;

use crate::support::parcels::{SMALL, component, manifest, package};
use crate::support::{InTest, Site, eventually};

const WS: pointsman_core::id::Id = pointsman::wiring::FIRST_WORKSPACE;

const DESK: &str = "acme/desk";

const USES: &str =
    "name: desk\non: message\nsteps:\n  - id: at\n    use: acme/desk\n    with: { do: \"${event.text}\", text: from the desk }\n";

fn file(site: &Site, version: &str, mark: u8, capabilities: &str) -> String {
    let path = site.dir.path().join(format!("desk-{version}.plugin"));
    std::fs::write(&path, package(manifest(DESK, version, capabilities).as_bytes(), &component(mark), 7)).unwrap();
    path.to_string_lossy().into_owned()
}

/// Runs a verb that must end with this exit code; gives its JSON.
pub(super) fn told(site: &Site, args: &[&str], exit: i32) -> Value {
    let output = site.cli(args);
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert_eq!(output.status.code(), Some(exit), "{args:?}: {text}{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_str(text.trim()).unwrap_or_else(|e| panic!("{args:?}: {e}: {text}"))
}

/// Waits until a running host has taken over what was decided.
async fn may(host: &InTest, word: &str, wanted: bool) {
    let permission = word.parse().unwrap();
    let now = || host.engine.catalog.package(DESK).is_some_and(|package| package.may(WS, &permission));
    eventually(word, || (now() == wanted).then_some(())).await;
}

/// A contact of their own says it; the run as it stands when it has ended.
async fn says(site: &Site, n: usize, text: &str) -> Value {
    let from = format!("155504{n:05}");
    assert_eq!(site.emulator.say(&from, "Ana", text).await.unwrap().1, 200);
    eventually("its run ends", || {
        let runs = site.done(&["run", "list", "--limit", "500"]);
        let run = runs.as_array()?.first().filter(|run| runs.as_array().unwrap().len() == n && run["state"] != "running")?;
        Some(site.done(&["run", "show", run["id"].as_str()?, "--steps"]))
    })
    .await
}

fn digest(run: &Value) -> &str {
    run["steps"][0]["plugins"][0][1].as_str().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_strangers_plugin_does_what_it_was_let_do_and_from_the_next_call_on() {
    let site = Site::new(&[]).await;
    let host = site.host().await;
    site.write_workflow("desk", USES, &[]);
    let workflows = site.workflows().to_string_lossy().into_owned();
    let publish = |exit| told(&site, &["publish", &workflows], exit);
    let first = file(&site, "1.0.0", b'a', SMALL);

    // Nothing is granted by itself: it is kept, and no workflow can use it.
    let caps = told(&site, &["plugin", "caps", &first], 0);
    assert_eq!(caps["permissions"][0]["why"], "answers at the desk", "{caps}");
    assert!(caps["imports"].as_array().unwrap().iter().any(|import| import == "pointsman:plugin/act@0.1.0"), "{caps}");
    let waits = told(&site, &["plugin", "add", &first], 3);
    assert_eq!(waits["undecided"].as_array().unwrap().len(), 6, "{waits}");
    assert_eq!(waits["serves"], Value::Null);
    publish(1);
    // What it does not ask for nobody can grant it.
    let refused = told(&site, &["plugin", "grant", DESK, "act:tag"], 1);
    assert_eq!(refused["error"]["code"], "plugin.not_asked", "{refused}");
    let some = told(&site, &["plugin", "grant", DESK, "act:reply", "conversation"], 3);
    assert_eq!(some["undecided"].as_array().unwrap().len(), 4);
    let none = ["state:contact", "knowledge", "http:GET:api.example.com/v1", "secret:token@api.example.com:bearer"];
    told(&site, &[&["plugin", "revoke", DESK][..], &none].concat(), 0);
    assert_eq!(told(&site, &["check", &workflows], 0)["errors"], 0);
    publish(0);
    eventually("the workflow is taken over", || host.engine.catalog.routes(WS).workflows.first().map(|_| ())).await;

    let run = says(&site, 1, "act").await;
    let output = run["steps"][1]["output"].to_string();
    assert!(output.contains("the manifest of acme/desk does not ask for it"), "{run}");
    assert_eq!(site.taken(1).await[0].text(), Some("from the desk"));
    let run = says(&site, 2, "state").await;
    let output = run["steps"][1]["output"].to_string();
    assert!(output.contains("`pointsman plugin grant acme/desk state:contact` allows it"), "{run}");
    let old = digest(&run).to_owned();

    // From its next call on, without a restart: more, and less.
    told(&site, &["plugin", "grant", DESK, "state:contact"], 0);
    may(&host, "state:contact", true).await;
    let run = says(&site, 3, "state").await;
    assert_eq!(run["steps"][1]["output"][1], json!({ "Ok": 2 }), "{run}");
    told(&site, &["plugin", "revoke", DESK, "act:reply", "--workspace", "main"], 0);
    may(&host, "act:reply", false).await;
    let run = says(&site, 4, "act").await;
    let cure = "`pointsman plugin grant acme/desk act:reply --workspace main` allows it";
    assert!(run["steps"][1]["output"][0].as_str().unwrap().contains(cure), "{run}");
    told(&site, &["plugin", "grant", DESK, "act:reply", "--workspace", "main"], 0);
    may(&host, "act:reply", true).await;

    // An update that asks for more waits; what served goes on. Then it is let through, and gone back from.
    let wider = SMALL.replace("[\"reply\"]", "[\"reply\", \"tag\"]");
    let second = file(&site, "1.1.0", b'b', &wider);
    let waits = told(&site, &["plugin", "add", &second], 3);
    assert_eq!((&waits["undecided"], &waits["serves"]), (&json!(["act:tag"]), &json!("1.0.0")), "{waits}");
    assert_eq!(digest(&says(&site, 5, "act").await), old);
    told(&site, &["plugin", "grant", DESK, "all"], 0);
    let mut said = 5;
    let new = loop {
        said += 1;
        let run = says(&site, said, "act").await;
        assert_eq!(run["state"], "done", "{run}");
        if digest(&run) != old {
            break run;
        }
        assert!(said < 60, "the host never took it up");
    };
    assert_eq!((&new["steps"][1]["output"][0], &new["steps"][1]["output"][1]), (&json!("done"), &json!("done")), "{new}");
    let back = told(&site, &["plugin", "rollback", DESK], 0);
    assert_eq!(back["package"]["version"], "1.0.0", "{back}");
    eventually("it is gone back", || (*host.engine.catalog.plugin(DESK)?.digest == *old).then_some(())).await;
    let run = says(&site, said + 1, "act").await;
    assert!(digest(&run) == old && run["steps"][1]["output"][1] != "done", "{run}");

    // Once it is removed nothing of it runs, not even for a workflow that is active.
    told(&site, &["plugin", "remove", DESK], 0);
    assert_eq!(told(&site, &["plugin", "remove", DESK], 1)["error"]["code"], "plugin.not_installed");
    publish(1);
    let audit = host.store().audit_lines(WS, 500).await.unwrap();
    let denied: Vec<&str> = audit.iter().filter(|line| line.action == "plugin.deny").map(|line| line.detail.as_str()).collect();
    for what in ["acme/desk act:tag", "acme/desk state:contact", "acme/desk act:reply"] {
        assert!(denied.contains(&what), "{what} is not in {denied:?}");
    }
    host.stop().await;
    site.books();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_waits_keeps_its_code_through_an_update_and_is_parked_when_its_plugin_is_removed() {
    let asks = "name: desk\non: message\nsteps:\n  - ask: { text: \"What is it?\", timeout: 5d }\n  - id: at\n    use: acme/desk\n    with: { do: act, text: at last }\n    on_error: continue\n";
    let site = Site::new(&[]).await;
    told(&site, &["plugin", "add", &file(&site, "1.0.0", b'a', SMALL), "--grant", "all"], 0);
    site.write_workflow("desk", asks, &[]);
    site.done(&["publish", &site.workflows().to_string_lossy()]);
    let host = site.host().await;
    for n in 0..2 {
        site.emulator.say(&format!("15550600{n:03}"), "Ana", "hello").await.unwrap();
    }
    site.taken(2).await;
    host.idle().await;
    // Other code that asks for nothing new: it serves at once.
    told(&site, &["plugin", "add", &file(&site, "1.1.0", b'b', SMALL)], 0);
    let new = hex::encode(sha2::Sha256::digest(component(b'b')));
    eventually("it is taken up", || (*host.engine.catalog.plugin(DESK)?.digest == *new).then_some(())).await;
    site.emulator.say("15550600000", "Ana", "an order").await.unwrap();
    eventually("the pinned run goes on", || (site.emulator.said_to("15550600000").last()? == "at last").then_some(())).await;
    host.idle().await;
    told(&site, &["plugin", "remove", DESK], 0);
    eventually("it is gone", || host.engine.catalog.plugin(DESK).is_none().then_some(())).await;
    site.emulator.say("15550600001", "Ana", "an order").await.unwrap();
    let parked =
        eventually("it is parked", || site.done(&["park", "list", "--code", "plugin.gone"]).as_array()?.first().cloned()).await;
    assert!(parked["reason"]["message"].as_str().unwrap().contains("was removed"), "{parked}");
    host.idle().await;
    host.stop().await;
    assert_eq!(site.emulator.said_to("15550600001").len(), 1);
    let runs = site.done(&["run", "list", "--state", "done"]);
    let run = site.done(&["run", "show", runs[0]["id"].as_str().unwrap(), "--steps"]);
    let versions = site.done(&["plugin", "versions"]);
    let of = |state: &str| versions.as_array().unwrap().iter().filter(|v| v["id"] == DESK && v["state"] == state).count();
    assert_eq!((of("active"), of("superseded")), (0, 2), "{versions}");
    assert_eq!(digest(&run), hex::encode(sha2::Sha256::digest(component(b'a'))));
}

/// The box, and what its guests read of the state: each read waits at a gate, so that a call is under way for as long as the
/// test likes.
struct Gated {
    steps: Arc<dyn StepRunner>,
    gate: Arc<Semaphore>,
    /// Reads that came to the gate.
    waiting: Arc<Semaphore>,
}

struct Reader {
    host: Arc<dyn StepHost>,
    gate: Arc<Semaphore>,
    waiting: Arc<Semaphore>,
}

#[async_trait]
impl StepRunner for Gated {
    async fn run(&self, call: StepCall, host: Arc<dyn StepHost>) -> StepEnd {
        let reader = Reader { host, gate: Arc::clone(&self.gate), waiting: Arc::clone(&self.waiting) };
        self.steps.run(call, Arc::new(reader)).await
    }
    fn knows(&self, id: &str, digest: &str) -> bool {
        self.steps.knows(id, digest)
    }
    async fn load_version(&self, manifest: &str, component: &[u8]) -> Result<(), Failure> {
        self.steps.load_version(manifest, component).await
    }
}

#[async_trait]
impl StepHost for Reader {
    async fn conversation(&self) -> Result<ConversationInfo, Refusal> {
        self.host.conversation().await
    }
    async fn history(&self, count: u32) -> Result<Vec<Said>, Refusal> {
        self.host.history(count).await
    }
    async fn state(&self, scope: Scope, key: &str) -> Result<Option<Value>, Refusal> {
        self.waiting.add_permits(1);
        self.gate.acquire().await.unwrap().forget();
        self.host.state(scope, key).await
    }
    async fn search(&self, base: &str, query: &str, count: u32) -> Result<Vec<Passage>, Refusal> {
        self.host.search(base, query, count).await
    }
    fn withheld(&self, permission: &Permission) -> Option<String> {
        self.host.withheld(permission)
    }
    fn denied(&self, permission: &Permission) {
        self.host.denied(permission);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_update_is_taken_up_while_calls_are_under_way_and_none_is_lost() {
    const CALLS: usize = 8;
    let site = Site::new(&[]).await;
    told(&site, &["plugin", "add", &file(&site, "1.0.0", b'a', SMALL), "--grant", "all"], 0);
    site.write_workflow("desk", USES, &[]);
    site.done(&["publish", &site.workflows().to_string_lossy()]);
    let (gate, waiting) = (Arc::new(Semaphore::new(0)), Arc::new(Semaphore::new(0)));
    let (open, came) = (Arc::clone(&gate), Arc::clone(&waiting));
    let host = site
        .host_with(Arc::new(SystemClock), |mut parts| {
            parts.steps = Arc::new(Gated { steps: parts.steps, gate: open, waiting: came });
            parts
        })
        .await;
    // Compiled beforehand: what takes long is not to be what is tried here.
    let other = site.dir.path().join("other.plugin");
    std::fs::write(&other, package(manifest("acme/other", "1.0.0", SMALL).as_bytes(), &component(b'b'), 7)).unwrap();
    told(&site, &["plugin", "add", &other.to_string_lossy(), "--grant", "all"], 0);
    let (old, new) = (b'a', b'b');
    let [old, new] = [old, new].map(|mark| hex::encode(sha2::Sha256::digest(component(mark))));

    for n in 0..CALLS {
        let (_, status) = site.emulator.say(&format!("15550700{n:03}"), "Ana", "state").await.unwrap();
        assert_eq!(status, 200);
    }
    let under_way = tokio::time::timeout(Duration::from_secs(20), waiting.acquire_many(CALLS as u32)).await;
    under_way.expect("all of them are inside of the guest").unwrap().forget();
    told(&site, &["plugin", "add", &file(&site, "1.1.0", b'b', SMALL)], 0);
    eventually("it is taken up", || (*host.engine.catalog.plugin(DESK)?.digest == *new).then_some(())).await;
    // Who comes now has the new code at once, though the old one still runs.
    site.emulator.say("15550700900", "Ana", "act").await.unwrap();
    eventually("the new code answers", || (site.emulator.said_to("15550700900").last()? == "from the desk").then_some(())).await;
    gate.add_permits(1_000);
    host.idle().await;
    host.stop().await;

    let runs = site.done(&["run", "list", "--limit", "500"]);
    let runs = runs.as_array().unwrap();
    let steps: Vec<Value> = runs.iter().map(|run| site.done(&["run", "show", run["id"].as_str().unwrap(), "--steps"])).collect();
    let of = |wanted: &str| steps.iter().filter(|run| digest(run) == wanted).count();
    assert_eq!((of(&old), of(&new), steps.len()), (CALLS, 1, CALLS + 1), "{steps:?}");
    assert!(steps.iter().all(|run| run["state"] == "done"), "{steps:?}");
    let books = site.books();
    assert_eq!(books["webhooks"]["done"], CALLS + 1, "{books}");
}
