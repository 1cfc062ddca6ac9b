//! Versions: of workflows, each kept for ever, one active, gone back from in one act; and of plugins, to which runs are pinned.
//! What waits goes on with what it began with, whatever is published, rolled back or upgraded meanwhile.

use std::sync::Arc;

use pointsman::bundled::BUNDLED;
use pointsman_core::id::Id;
use pointsman_engine::catalog::Plugin;
use pointsman_manifest::Manifest;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use crate::support::{ANA, Folder, InTest, Site, eventually};

const WS: Id = pointsman::wiring::FIRST_WORKSPACE;
const KEYWORD: &str = "pointsman/keyword";

/// How many conversations wait: a variable says more.
fn many(usual: usize) -> usize {
    std::env::var("POINTSMAN_TEST_CONVERSATIONS").ok().and_then(|n| n.parse().ok()).unwrap_or(usual)
}

fn asks(word: &str) -> String {
    format!(
        "name: asks\non: message\nsteps:\n  - id: size\n    ask: {{ text: \"How many, {word}?\", timeout: 5d }}\n  \
         - reply: \"{word}: ${{size.text}}\"\n"
    )
}

fn contact(n: usize) -> String {
    format!("1555030{n:05}")
}

async fn says(site: &Site, from: &str, text: &str) {
    assert_eq!(site.emulator.say(from, "Ana", text).await.unwrap().1, 200);
}

async fn publish(site: &Site, yaml: &str) -> Value {
    site.write_workflow("asks", yaml, &[]);
    site.done(&["publish", &site.workflows().to_string_lossy()])
}

/// Waits until a running host asks newcomers in these words.
async fn taken_over(site: &Site, first: usize, word: &str) -> usize {
    for n in first.. {
        assert!(n < first + 200, "the host never took `{word}` over");
        says(site, &contact(n), "order").await;
        let asked = eventually("a question", || site.emulator.said_to(&contact(n)).pop()).await;
        if asked == format!("How many, {word}?") {
            return n + 1;
        }
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    first
}

#[tokio::test(flavor = "multi_thread")]
async fn conversations_that_wait_finish_on_their_version_through_a_publication_and_a_rollback() {
    let waiting = many(200);
    let (first, second) = (asks("one"), asks("two"));
    let site = Site::new(&[("asks", &first, &[])]).await;
    let host = site.host().await;
    for n in 0..waiting {
        says(&site, &contact(n), "order").await;
    }
    site.taken(waiting).await;
    let published = publish(&site, &second).await;
    let change = &published["published"][0];
    assert_eq!((&change["changed"], change["before"].is_string()), (&json!(true), true), "{published}");
    let newcomers = waiting..taken_over(&site, waiting, "two").await;
    for n in 0..waiting / 2 {
        says(&site, &contact(n), "7").await;
    }

    // One act: one line of the audit, whatever waits.
    let lines = host.store().audit_lines(WS, 100).await.unwrap().len();
    let back = site.done(&["rollback", "asks"]);
    assert_eq!((&back["hash"], &back["before"]), (&change["before"], &change["hash"]), "{back}");
    assert_eq!(host.store().audit_lines(WS, 100).await.unwrap().len(), lines + 1);
    let after = newcomers.end..taken_over(&site, newcomers.end, "one").await;

    let versions = site.done(&["workflow", "versions", "asks"]);
    let open = |n: usize| versions["versions"][n]["open_runs"].as_u64().unwrap();
    assert_eq!(
        (versions["versions"].as_array().unwrap().len(), &versions["versions"][0]["active"]),
        (2, &json!(true)),
        "{versions}"
    );
    assert_eq!(open(0) + open(1), (after.end - waiting / 2) as u64, "{versions}");
    for n in (waiting / 2)..after.end {
        says(&site, &contact(n), "8").await;
    }
    site.taken(after.end * 2).await;
    host.idle().await;
    for n in 0..after.end {
        let said = site.emulator.said_to(&contact(n));
        let word = said[0].trim_start_matches("How many, ").trim_end_matches('?').to_owned();
        assert_eq!(said[1], format!("{word}: {}", if n < waiting / 2 { 7 } else { 8 }), "{n}");
        assert!(n >= waiting || word == "one", "{n}: {said:?}");
    }
    assert!(
        site.emulator.said_to(&contact(newcomers.end - 1))[1].starts_with("two"),
        "gone back from, and finished all the same"
    );
    host.stop().await;
    let books = site.books();
    assert_eq!(
        (&books["runs"]["done"], &books["runs"]["failed"], &books["open_count"]),
        (&json!(after.end), &json!(0), &json!(0))
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_published_when_is_listed_compared_and_gone_back_from() {
    let (first, second, third) = (asks("one"), asks("two"), format!("{}  - tag: asked\n", asks("two")));
    let site = Site::new(&[("asks", &first, &[])]).await;
    let same = publish(&site, &first).await;
    assert_eq!(
        (&same["published"][0]["changed"], &same["published"][0]["changes"]["files"]),
        (&json!(false), &json!([])),
        "{same}"
    );
    publish(&site, &second).await;
    site.write_workflow("asks", &third, &[]);
    let dry = site.done(&["publish", "--dry-run", &site.workflows().to_string_lossy()]);
    assert_eq!(dry["published"][0]["changes"]["steps"], json!({ "added": ["3 (tag)"], "removed": [] }), "{dry}");
    assert_eq!(site.done(&["workflow", "versions", "asks"])["history"].as_array().unwrap().len(), 2, "nothing was changed by it");
    site.done(&["publish", &site.workflows().to_string_lossy()]);

    let versions = site.done(&["workflow", "versions", "asks"]);
    let hashes: Vec<&str> = versions["versions"].as_array().unwrap().iter().map(|v| v["hash"].as_str().unwrap()).collect();
    assert_eq!((hashes.len(), versions["before"].as_str()), (3, Some(hashes[1])), "{versions}");
    let listed = site.done(&["workflow", "list"]);
    assert_eq!((&listed[0]["active"], &listed[0]["by"], &listed[0]["versions"]), (&json!(hashes[2]), &json!("cli"), &json!(3)));
    let diff = site.done(&["workflow", "diff", "asks"]);
    assert_eq!((&diff["a"], &diff["b"]), (&json!(hashes[1]), &json!(hashes[2])));
    let text = diff["files"][0]["diff"].as_str().unwrap();
    assert!(text.starts_with("--- a/workflow.yaml\n+++ b/workflow.yaml\n@@") && text.ends_with("\n+  - tag: asked\n"), "{text}");
    let diff = site.done(&["workflow", "diff", "asks", &hashes[0][..8], &hashes[0][..9]]);
    assert_eq!(diff["files"], json!([]));
    let shown = site.done(&["workflow", "show", "asks", &hashes[0][..8]]);
    assert_eq!(
        (&shown["files"]["workflow.yaml"], &shown["active"], &shown["steps"][0]["path"]),
        (&json!(first), &json!(false), &json!("size"))
    );

    for wanted in [hashes[1], hashes[0]] {
        assert_eq!(site.done(&["rollback", "asks"])["hash"], wanted);
    }
    for (args, code) in [
        (&["rollback", "asks"][..], "workflow.no_version_before"),
        (&["rollback", "asks", hashes[0]], "workflow.as_before"),
        (&["rollback", "asks", "feed"], "workflow.unknown"),
        (&["workflow", "show", "nobody"], "workflow.unknown"),
        (&["workflow", "diff", "asks", ""], "workflow.ambiguous"),
    ] {
        let output = site.cli(args);
        let told = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(output.status.code() == Some(2) && told.contains(code), "{args:?}: {told}");
    }
    assert_eq!(site.done(&["rollback", "asks", &hashes[2][..8]])["hash"], hashes[2], "forth again, by its name");

    site.done(&["workflow", "retire", "asks"]);
    assert_eq!(site.cli(&["workflow", "retire", "asks"]).status.code(), Some(1));
    let host = site.host().await;
    says(&site, ANA, "order").await;
    host.idle().await;
    assert!(site.emulator.taken().is_empty(), "out of use");
    site.done(&["rollback", "asks"]);
    tokio::time::sleep(std::time::Duration::from_millis(1_200)).await;
    taken_over(&site, 500, "two").await;
    host.stop().await;
    assert_eq!(
        site.done(&["workflow", "versions", "asks"])["history"].as_array().unwrap().last().unwrap()["action"],
        "workflow.rollback"
    );
}

async fn standing(site: &Site, run: &str, state: &str) -> Value {
    eventually(state, || {
        let shown = site.done(&["run", "show", run, "--steps"]);
        (shown["state"] == state).then_some(shown)
    })
    .await
}

fn newest(site: &Site) -> String {
    site.done(&["run", "list"])[0]["id"].as_str().unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_stands_goes_on_when_a_person_says_so() {
    let pauses = "name: pauses\non: message\nsteps:\n  - id: paused\n    wait: 3d\n  - reply: \"on, ${paused.timed_out}\"\n  \
                  - script: |\n      if state_get(\"workspace\", \"open\") == () { throw \"closed\" }\n  - approve: Well?\n  - reply: done\n";
    let site = Site::new(&[("pauses", pauses, &[])]).await;
    let process = site.serve(&[]);
    says(&site, ANA, "hello").await;
    let run = eventually("a run", || site.done(&["run", "list"])[0]["id"].as_str().map(str::to_owned)).await;
    standing(&site, &run, "waiting").await;
    site.done(&["run", "resume", &run]);
    let shown = standing(&site, &run, "failed").await;
    assert_eq!(site.emulator.said_to(ANA), ["on, false"], "three days early, as though they were over");
    let by = |shown: &Value| -> Vec<String> {
        let steps = shown["steps"].as_array().unwrap().iter().filter(|step| step["entry"] == "resumed");
        steps.map(|step| step["by"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(by(&shown), ["cli"]);

    // One that failed goes on at the step at which it failed, by either word.
    for verb in ["resume", "retry"] {
        let tries = by(&shown).len();
        site.done(&["run", verb, &run]);
        eventually("it failed again", || {
            (by(&standing_now(&site, &run)).len() > tries && standing_now(&site, &run)["state"] == "failed").then_some(())
        })
        .await;
    }
    let opens = "name: pauses\non: message\nsteps:\n  - script: |\n      state_set(\"workspace\", \"open\", true)\n";
    site.write_workflow("pauses", opens, &[]);
    site.done(&["publish", &site.workflows().to_string_lossy()]);
    tokio::time::sleep(std::time::Duration::from_millis(1_200)).await;
    says(&site, ANA, "open").await;
    eventually("it is open", || (site.done(&["run", "list", "--state", "done"]).as_array()?.len() == 1).then_some(())).await;
    site.done(&["run", "resume", &run]);
    standing(&site, &run, "waiting").await;
    for (args, code) in [
        (&["run", "resume", &run][..], "run.not_resumable"),
        (&["run", "retry", &run], "park.not_parked"),
        (&["run", "resume", &newest(&site)], "run.ended"),
        (&["run", "resume", "1"], "run.unknown"),
    ] {
        let output = site.cli(args);
        let told = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(output.status.code() == Some(2) && told.contains(code), "{args:?}: {told}");
    }
    // It waits from the moment of the word on, and for a person as soon as the host has heard it.
    let approval =
        eventually("an approval", || site.done(&["approval", "list"])[0]["approval"].as_str().map(str::to_owned)).await;
    assert!(approval.starts_with(&run));
    site.done(&["approval", "approve", &approval]);
    standing(&site, &run, "done").await;
    assert_eq!(site.emulator.said_to(ANA), ["on, false", "done"]);
    process.stop();
    site.books();
}

fn standing_now(site: &Site, run: &str) -> Value {
    site.done(&["run", "show", run, "--steps"])
}

/// Asks, and then needs the plugin to which the run is pinned; no error of it is minded.
const FINDS: Folder<'static> = (
    "finds",
    r#"
name: finds
on: message
steps:
  - id: said
    ask: { text: "What is it?", timeout: 5d }
  - id: found
    use: keyword
    with: { text: "${said.text}", rules: [{ name: order, any: [order] }] }
    on_error: continue
  - reply: "found ${found}"
"#,
    &[],
);

/// The keyword plugin of another host: the same but for a word that nobody reads. Its digest, and its bytes.
fn other_keyword(mark: u8) -> (String, Vec<u8>) {
    let shipped = BUNDLED.iter().find(|b| b.folder == "keyword").expect("it ships");
    // A custom section: its id, its length, the length of its name, its name.
    let bytes = [shipped.component, &[0, 2, 1, mark]].concat();
    (hex::encode(Sha256::digest(&bytes)), bytes)
}

/// Lets a host of the past bring this version. `kept`: whether it kept it, as hosts do.
async fn brings(host: &InTest, mark: u8, kept: bool) -> String {
    let shipped = BUNDLED.iter().find(|b| b.folder == "keyword").expect("it ships");
    let (digest, bytes) = other_keyword(mark);
    if kept {
        host.store().keep_plugin(KEYWORD, shipped.manifest, &bytes).await.unwrap();
    }
    let manifest = Arc::new(Manifest::parse(shipped.manifest).unwrap());
    host.engine.catalog.add_plugin(Plugin { id: KEYWORD.into(), digest: digest.as_str().into(), manifest });
    digest
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upgrade_finds_runs_waiting_and_they_go_on_with_the_plugins_they_are_pinned_to() {
    let waiting = many(20);
    let site = Site::new(&[FINDS]).await;
    let host = site.host().await;
    let old = brings(&host, b'a', true).await;
    for n in 0..waiting {
        says(&site, &contact(n), "hello").await;
    }
    site.taken(waiting).await;
    host.idle().await;
    // One more, of a host that kept nothing.
    let lost = brings(&host, b'b', false).await;
    says(&site, ANA, "hello").await;
    site.taken(waiting + 1).await;
    host.stop().await;

    // The host of today brings another version; every run finds its own.
    let process = site.serve(&[]);
    let versions = site.done(&["plugin", "versions"]);
    let state = |digest: &str| versions.as_array().unwrap().iter().find(|v| v["digest"] == digest).map(|v| v["state"].clone());
    assert_eq!(state(&old), Some(json!("superseded")), "{versions}");
    let id = |digest: &str| versions.as_array().unwrap().iter().find(|v| v["digest"] == digest).map(|v| v["id"].clone());
    let of_it: Vec<&Value> = versions.as_array().unwrap().iter().filter(|v| Some(&v["id"]) == id(&old).as_ref()).collect();
    assert_eq!(of_it.len(), 2, "{versions}");
    let now = of_it.iter().find(|v| v["state"] == "active").unwrap()["digest"].as_str().unwrap().to_owned();
    for n in 2..waiting {
        says(&site, &contact(n), "an order").await;
    }
    let taken = site.taken(waiting + 1 + waiting - 2).await;
    assert!(taken[waiting + 1..].iter().all(|sent| sent.text().is_some_and(|text| text.contains("order"))), "{taken:?}");
    let done = site.done(&["run", "list", "--state", "done", "--limit", "5000"]);
    assert_eq!(done.as_array().unwrap().len(), waiting - 2);
    let shown = site.done(&["run", "show", done[0]["id"].as_str().unwrap(), "--steps"]);
    assert_eq!(shown["steps"][0]["plugins"], json!([[KEYWORD, old]]), "{shown}");
    let log = std::fs::read_to_string(site.log()).unwrap();
    assert_eq!(log.matches("loaded an older version").count(), 1, "once for all");

    // A version that is not kept parks its run, and names what it can go on with: `on_error` is not asked.
    says(&site, ANA, "an order").await;
    let parked = |code: &'static str| {
        let site = &site;
        async move {
            eventually(code, || {
                let list = site.done(&["park", "list", "--kind", "run", "--code", code]);
                list.as_array()?.first().cloned()
            })
            .await
        }
    };
    let gone = parked("plugin.gone").await;
    let message = gone["reason"]["message"].as_str().unwrap();
    let run = gone["id"].as_str().unwrap();
    assert!(
        message.contains(&lost[..12]) && message.contains(&format!("pointsman run retry {run} --with {KEYWORD}@{}", &now[..12])),
        "{message}"
    );
    assert_eq!(site.done(&["run", "retry", run, "--with", "keyword"])["done"], true);
    let shown = standing(&site, run, "done").await;
    let replaced: Vec<&Value> = shown["steps"].as_array().unwrap().iter().filter(|step| step["entry"] == "replaced").collect();
    assert_eq!((replaced.len(), &replaced[0]["digest"], &replaced[0]["by"]), (1, &json!(now), &json!("cli")), "{shown}");
    eventually("it replied", || (site.emulator.said_to(ANA).len() == 2).then_some(())).await;

    // What was taken back runs nowhere, though it is kept, loaded and pinned.
    let reason = ["--reason", "it leaks"];
    site.done(&[&["plugin", "yank", &format!("keyword@{}", &old[..10])][..], &reason].concat());
    tokio::time::sleep(std::time::Duration::from_millis(1_200)).await;
    says(&site, &contact(0), "an order").await;
    let yanked = parked("plugin.yanked").await;
    let run = yanked["id"].as_str().unwrap();
    assert!(yanked["reason"]["message"].as_str().unwrap().contains(&now[..12]), "{yanked}");
    for (with, code) in [(format!("keyword@{}", &old[..10]), "plugin.yanked"), ("acme/mood".to_owned(), "plugin.not_pinned")] {
        let output = site.cli(&["run", "retry", run, "--with", &with]);
        let told = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(output.status.code() == Some(2) && told.contains(code), "{told}");
    }
    site.done(&["run", "retry", run, "--with", &format!("keyword@{}", &now[..10])]);
    standing(&site, run, "done").await;
    site.done(&["plugin", "unyank", &format!("keyword@{}", &old[..10])]);
    tokio::time::sleep(std::time::Duration::from_millis(1_200)).await;
    says(&site, &contact(1), "an order").await;
    eventually("the last one", || (site.emulator.said_to(&contact(1)).len() == 2).then_some(())).await;
    process.stop();
    let books = site.books();
    assert_eq!((&books["runs"]["done"], &books["runs"]["failed"]), (&json!(waiting + 1), &json!(0)), "{books}");
    let open = site.done(&["books", "--strict", "--open"]);
    assert_eq!((&open["unexplained"], &open["open_count"], &open["runs"]), (&json!([]), &json!(0), &json!({})));
}
