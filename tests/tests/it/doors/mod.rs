//! The three doors, played as a reader would: every command on `workflows/README.md`, `sdk/README.md` and `host/README.md` is
//! run in its order by the real binary, must end as the page says and print what the page shows; every example is checked;
//! every verb and flag that a page names is one that `--help` knows.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use pointsman::config::Config;
use pointsman_manifest::Manifest;

use crate::support::binary;
use page::{What, read};
use stage::Stage;
use words::Helps;

mod page;
mod stage;
mod words;

/// Commands that are not run here, each with its reason. Nothing else on a page is passed over.
const EXCEPTED: [(&str, &str); 3] = [
    ("cargo xtask demo", "a browser's page that runs until Ctrl-C: `pages` plays it"),
    ("cargo xtask test", "it runs this test"),
    ("cargo build --release", "it takes twenty minutes: `cargo xtask peers` and `bench` build it"),
];

/// The pages, from the root.
const DOORS: [&str; 3] = ["workflows/README.md", "sdk/README.md", "host/README.md"];
const FRONT: &str = "README.md";

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("tests/ lies in the root").to_path_buf()
}

fn text(page: &str) -> String {
    std::fs::read_to_string(root().join(page)).expect("a page")
}

fn excepted(command: &str) -> Option<&'static str> {
    EXCEPTED.iter().map(|(start, _)| *start).find(|start| command.starts_with(start))
}

/// Plays a page from top to bottom.
async fn play(page: &str, mut stage: Stage) {
    let mut workflows = BTreeSet::new();
    let mut commands = 0;
    for item in read(&text(page)) {
        // What a test that fails prints: where it was.
        println!("{page}:{}", item.line);
        match item.what {
            What::Command { text, .. } if excepted(&text).is_some() => {}
            What::Command { text, prints, code } => {
                commands += 1;
                tokio::task::block_in_place(|| stage.run(&text, &prints, code));
            }
            What::File { path, text } => {
                stage.write(&path, &text);
                workflows.extend(path.ends_with("workflow.yaml").then(|| path.parent().expect("a folder").to_path_buf()));
            }
            What::Part { language, text } => check(page, &language, &text, &stage),
            What::Direction(direction) => stage.direct(&direction).await,
        }
    }
    // What the page itself took away again was there to show a mistake.
    for folder in workflows.iter().map(|folder| stage.home().join(folder)).filter(|folder| folder.exists()) {
        stage.check_folder(&folder);
    }
    assert!(commands >= 10, "{page}: {commands} commands");
}

/// Checks a part of a file by itself.
fn check(page: &str, language: &str, text: &str, stage: &Stage) {
    match (language, page) {
        ("yaml", _) => stage.check_part(text),
        ("rhai", _) => stage.run_part(text),
        ("toml", "host/README.md") => {
            Config::layered(Path::new("/x"), text, []).expect("a configuration");
        }
        ("toml", _) => {
            let head = "id = \"acme/part\"\nversion = \"0.1.0\"\nworld = \"pointsman:plugin/step@0.1.0\"\nsummary = \"A part\"\n";
            Manifest::parse(&format!("{head}{text}")).expect("a manifest");
        }
        ("text" | "ini", _) => {}
        _ => panic!("{page}: a block of {language} is neither run nor checked:\n{text}"),
    }
}

/// A folder with a copy of the shipped workflows in it, as in a checkout.
async fn folder() -> (tempfile::TempDir, Stage) {
    let dir = tempfile::tempdir().expect("a folder");
    let home = dir.path().join("pointsman");
    mirror(&root().join("workflows"), &home.join("workflows"));
    let stage = Stage::new(dir.path(), &home).await;
    (dir, stage)
}

/// Makes `to` the same as `from`, leaving what is the same untouched, so that builds in it stay fresh.
fn mirror(from: &Path, to: &Path) {
    let names = |dir: &Path| -> BTreeSet<std::ffi::OsString> {
        let entries = std::fs::read_dir(dir).into_iter().flatten();
        entries.map(|entry| entry.expect("an entry").file_name()).filter(|name| name != "target").collect()
    };
    if !from.is_dir() {
        let bytes = std::fs::read(from).expect("a file");
        if std::fs::read(to).ok().as_ref() != Some(&bytes) {
            std::fs::write(to, bytes).expect("a file");
        }
        return;
    }
    std::fs::create_dir_all(to).expect("a folder");
    let wanted = names(from);
    for stale in names(to).difference(&wanted) {
        let stale = to.join(stale);
        if stale.is_dir() { std::fs::remove_dir_all(stale) } else { std::fs::remove_file(stale) }.expect("it goes");
    }
    for name in wanted {
        mirror(&from.join(&name), &to.join(&name));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_command_for_people_who_write_workflows_does_what_the_page_says() {
    let (_dir, stage) = folder().await;
    play("workflows/README.md", stage).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_command_for_people_who_host_does_what_the_page_says() {
    let (_dir, stage) = folder().await;
    play("host/README.md", stage).await;
}

/// In a copy of the checkout's parts that a plugin needs, which stays, so that only the first time compiles everything.
#[tokio::test(flavor = "multi_thread")]
async fn every_command_for_people_who_write_plugins_does_what_the_page_says() {
    let target = binary().ancestors().nth(2).expect("the target folder").to_path_buf();
    let dir = target.join("doors");
    let home = dir.join("pointsman");
    for part in ["Cargo.toml", "sdk", "plugins"] {
        std::fs::create_dir_all(&home).expect("a folder");
        mirror(&root().join(part), &home.join(part));
    }
    // A key is never overwritten.
    let _ = std::fs::remove_file(home.join("acme.key"));
    play("sdk/README.md", Stage::new(&dir, &home).await).await;
}

#[test]
fn every_verb_and_flag_that_a_page_names_is_known() {
    let mut helps = Helps::default();
    for page in DOORS.iter().chain([&FRONT]) {
        assert_eq!(helps.strangers(&text(page)), Vec::<String>::new(), "{page}");
    }
}

#[test]
fn what_is_excepted_stands_on_a_page() {
    let mut met = BTreeSet::new();
    for page in DOORS.iter().chain([&FRONT]) {
        for item in read(&text(page)) {
            if let What::Command { text, .. } = item.what {
                met.extend(excepted(&text));
                assert!(*page != FRONT || excepted(&text).is_some(), "{page}:{}: no test runs `{text}`", item.line);
            }
        }
    }
    assert_eq!(met, EXCEPTED.iter().map(|(start, _)| *start).collect());
}
