//! A stranger's plugin, from its file to its removal, beside a host that runs all the while: what it may do is what the operator
//! said, from the next call on, and no message is lost over it.

use serde_json::{Value, json};
use sha2::Digest as _;

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
fn told(site: &Site, args: &[&str], exit: i32) -> Value {
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
    assert_eq!(waits["undecided"].as_array().unwrap().len(), 5, "{waits}");
    publish(1);
    // What it does not ask for nobody can grant it.
    let refused = told(&site, &["plugin", "grant", DESK, "act:tag"], 1);
    assert_eq!(refused["error"]["code"], "plugin.not_asked", "{refused}");
    let some = told(&site, &["plugin", "grant", DESK, "act:reply", "conversation"], 3);
    assert_eq!(some["undecided"].as_array().unwrap().len(), 3);
    told(
        &site,
        &["plugin", "revoke", DESK, "state:contact", "http:GET:api.example.com/v1", "secret:token@api.example.com:bearer"],
        0,
    );
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
    assert!(run["steps"][1]["output"][0].as_str().unwrap().contains("plugin grant acme/desk act:reply"), "{run}");
    told(&site, &["plugin", "grant", DESK, "act:reply", "--workspace", "main"], 0);
    may(&host, "act:reply", true).await;

    // An update that asks for more waits; what served goes on. Then it is let through, and gone back from.
    let wider = SMALL.replace("[\"reply\"]", "[\"reply\", \"tag\"]");
    let second = file(&site, "1.1.0", b'b', &wider);
    let waits = told(&site, &["plugin", "add", &second], 3);
    assert_eq!(waits["undecided"], json!(["act:tag"]), "{waits}");
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
