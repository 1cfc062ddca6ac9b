//! `check` and `publish`: mistakes are told with file, line and column, and a broken workflow does not stop the others.

use serde_json::Value;

use super::conversation::SHOP;
use crate::support::{ANA, Site};

/// Each mistake, and where and how it must be told: code, file, line, column.
const MISTAKES: &[(&str, &str, &[(&str, &str)], (&str, &str, u64, u64))] = &[
    ("syntax", "name: x\non: { message: {} }\nsteps:\n  - reply: \"open\n", &[], ("workflow.yaml", "workflow.yaml", 5, 0)),
    ("verb", "name: x\non:\n  message: {}\nsteps:\n  - replly: hello\n", &[], ("workflow.unknown_verb", "workflow.yaml", 5, 5)),
    (
        "plugin",
        "name: x\non:\n  message: {}\nsteps:\n  - use: keywrd\n",
        &[],
        ("workflow.unknown_plugin", "workflow.yaml", 5, 10),
    ),
    (
        "expression",
        "name: x\non:\n  message: {}\nsteps:\n  - if: event.text ==\n    reply: hi\n",
        &[],
        ("expr.syntax", "workflow.yaml", 5, 22),
    ),
    (
        "interpolation",
        "name: x\non:\n  message: {}\nsteps:\n  - reply: \"hi ${event.text +}\"\n",
        &[],
        ("expr.syntax", "workflow.yaml", 5, 30),
    ),
    (
        "script",
        "name: x\non:\n  message: {}\nsteps:\n  - script: a.rhai\n",
        &[("a.rhai", "let a = 1;\nlet b = ;\n")],
        ("script.syntax", "a.rhai", 2, 9),
    ),
    (
        "missing",
        "name: x\non:\n  message: {}\nsteps:\n  - script: none.rhai\n",
        &[],
        ("workflow.script_missing", "workflow.yaml", 5, 13),
    ),
];

#[tokio::test(flavor = "multi_thread")]
async fn check_tells_each_mistake_with_file_line_and_column() {
    let site = Site::new(&[]).await;
    for (name, yaml, scripts, (code, file, line, column)) in MISTAKES {
        let folder = site.dir.path().join(format!("check-{name}"));
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::write(folder.join("workflow.yaml"), yaml).unwrap();
        for (script, text) in *scripts {
            std::fs::write(folder.join(script), text).unwrap();
        }
        let output = site.cli(&["check", &folder.to_string_lossy()]);
        assert_eq!(output.status.code(), Some(1), "{name}");
        let told: Value = serde_json::from_slice(&output.stdout).unwrap();
        let found = told["findings"].as_array().unwrap().iter().map(|f| &f["diagnostic"]).find(|d| d["code"] == *code);
        let found = found.unwrap_or_else(|| panic!("{name}: no {code} in {told}"));
        assert_eq!((found["file"].as_str(), found["line"].as_u64()), (Some(*file), Some(*line)), "{name}: {found}");
        assert!(found["column"].as_u64().is_some_and(|c| c > 0 && (*column == 0 || c == *column)), "{name}: {found}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broken_workflow_does_not_stop_the_others() {
    let site = Site::new(&[]).await;
    site.write_workflow(SHOP.0, SHOP.1, SHOP.2);
    site.write_workflow("broken", "name: broken\non:\n  message: {}\nsteps:\n  - nonsense: 1\n", &[]);
    let output = site.cli(&["publish", &site.workflows().to_string_lossy()]);
    assert_eq!(output.status.code(), Some(1));
    let told: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((told["published"].as_array().unwrap().len(), told["broken"].as_array().unwrap().len()), (1, 1), "{told}");
    let host = site.host().await;
    site.emulator.say(ANA, "Ana", "hello").await.unwrap();
    site.taken(1).await;
    host.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_running_host_takes_over_what_is_published() {
    let site = Site::new(&[SHOP]).await;
    let process = site.serve(&[]);
    site.emulator.say(ANA, "Ana", "hello").await.unwrap();
    assert_eq!(site.taken(1).await[0].text(), Some("You said: hello"));
    site.write_workflow("shop", "name: shop\non: message\nsteps:\n  - reply: The new one.\n", &[]);
    site.done(&["publish", &site.workflows().to_string_lossy()]);
    tokio::time::sleep(std::time::Duration::from_millis(1_200)).await;
    site.emulator.say(ANA, "Ana", "hello again").await.unwrap();
    assert_eq!(site.taken(2).await[1].text(), Some("The new one."));
    process.stop();
    site.books();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_workflow_whose_step_fails_is_parked_and_the_next_one_runs() {
    let failing = (
        "failing",
        "name: failing\non:\n  message: {}\npriority: 9\nsteps:\n  - script: \"event.nothing.of.the.kind()\"\n",
        &[][..],
    );
    let site = Site::new(&[failing, SHOP]).await;
    let host = site.host().await;
    site.emulator.say(ANA, "Ana", "hello").await.unwrap();
    site.taken(1).await;
    host.stop().await;
    let books = site.books();
    assert_eq!((&books["runs"]["failed"], &books["runs"]["done"]), (&1.into(), &1.into()), "{books}");
    let parked = site.done(&["park", "list"]);
    assert!(
        parked
            .as_array()
            .unwrap()
            .iter()
            .any(|p| p["kind"] == "run" && p["code"].as_str().is_some_and(|c| c.starts_with("script."))),
        "{parked}"
    );
}
