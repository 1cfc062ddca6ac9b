//! Knowledge bases as an operator and a contact meet them: files put in by the command line, answered from by a running host.

use pointsman::wiring::FIRST_WORKSPACE;
use pointsman_emulator::By;
use serde_json::{Value, json};

use crate::support::{ANA, InTest, Site};

const WORKFLOW: &str = r#"
name: faq
on: message
steps:
  - id: answer
    use: rag-answer
    with: { knowledge: faq }
  - if: answer.found
    reply: "${answer.text} (${answer.citations[0].source})"
  - else:
      note: "${answer.suggestion}"
"#;

pub(super) const HOUSE: &str =
    "# Shop\n\n## Opening hours\n\nMonday to Saturday from 9 to 18.\n\n## Returns\n\nBring it back within 30 days.\n";

pub(super) fn write(site: &Site, name: &str, bytes: &[u8]) -> String {
    let path = site.dir.path().join("faq").join(name);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(&path, bytes).unwrap();
    path.to_string_lossy().into_owned()
}

pub(super) fn folder(site: &Site) -> String {
    site.dir.path().join("faq").to_string_lossy().into_owned()
}

pub(super) fn names(list: &Value) -> Vec<&str> {
    list.as_array().unwrap().iter().map(|one| one.as_str().or(one["source"].as_str()).or(one["name"].as_str()).unwrap()).collect()
}

pub(super) fn search(site: &Site, question: &str) -> (bool, Option<String>) {
    let told = site.done(&["knowledge", "search", "faq", question]);
    (told["found"].as_bool().unwrap(), told["ids"][0].as_str().map(str::to_owned))
}

#[tokio::test(flavor = "multi_thread")]
async fn files_go_in_are_read_again_only_when_changed_and_go_out() {
    let site = Site::new(&[]).await;
    write(&site, "house.md", HOUSE.as_bytes());
    write(&site, "more/pay.csv", b"question,answer\nHow can I pay?,Cash or card\n");
    write(&site, "picture.png", b"\x89PNG");
    let told = site.done(&["knowledge", "sync", "faq", &folder(&site)]);
    assert_eq!((names(&told["read"]), names(&told["refused"])), (vec!["house.md", "more/pay.csv"], vec![]));
    assert_eq!(search(&site, "when are you open?"), (true, Some("house.md#opening-hours".to_owned())));
    assert_eq!(search(&site, "can I pay by card?"), (true, Some("more/pay.csv#1".to_owned())));
    assert_eq!(search(&site, "where were dinosaurs found?").0, false);

    write(&site, "house.md", HOUSE.replace("from 9 to 18", "from noon to midnight").as_bytes());
    std::fs::remove_file(site.dir.path().join("faq/more/pay.csv")).unwrap();
    write(&site, "new.txt", b"Parking is behind the house.");
    let told = site.done(&["knowledge", "sync", "faq", &folder(&site)]);
    assert_eq!((names(&told["read"]), names(&told["removed"])), (vec!["house.md", "new.txt"], vec!["more/pay.csv"]));
    let again = site.done(&["knowledge", "sync", "faq", &folder(&site)]);
    assert_eq!((names(&again["read"]), names(&again["unchanged"])), (vec![], vec!["house.md", "new.txt"]));
    let answer = site.done(&["knowledge", "search", "faq", "opening hours"]);
    assert_eq!(answer["hits"][0]["quote"], "Monday to Saturday from noon to midnight.");
    // Another language is another reading.
    let told = site.done(&["knowledge", "sync", "faq", &folder(&site), "--language", "de"]);
    assert_eq!(names(&told["read"]), ["house.md", "new.txt"]);

    let list = site.done(&["knowledge", "list"]);
    assert_eq!((&list[0]["name"], &list[0]["sources"], &list[0]["passages"]), (&json!("faq"), &json!(2), &json!(3)));
    assert_eq!(names(&site.done(&["knowledge", "list", "faq"])), ["house.md", "new.txt"]);
    let gone = site.cli(&["knowledge", "remove", "faq", "new.txt", "nope.md"]);
    assert_eq!(gone.status.code(), Some(1));
    let gone: Value = serde_json::from_slice(&gone.stdout).unwrap();
    assert_eq!((names(&gone["removed"]), names(&gone["unknown"])), (vec!["new.txt"], vec!["nope.md"]));
    site.done(&["knowledge", "remove", "faq"]);
    let unknown = site.cli(&["knowledge", "search", "faq", "x"]);
    assert_eq!(unknown.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&unknown.stdout).contains("knowledge.unknown"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_is_no_knowledge_is_refused_and_leaves_what_was_there() {
    let site = Site::new(&[]).await;
    let good = write(&site, "house.md", HOUSE.as_bytes());
    site.done(&["knowledge", "add", "faq", &good]);
    let mixed = [HOUSE.as_bytes(), "Grüße, schöne Grüße".as_bytes(), b"\nGr\xfc\xdfe"].concat();
    let login = b"<html><title>Sign in</title><form><input type=password></form><p>Please sign in.</html>";
    for (name, bytes, code) in [
        ("house.md", Vec::new(), "knowledge.empty"),
        ("house.md", vec![b'a'; 50 << 20], "knowledge.too_large"),
        ("house.md", mixed, "knowledge.encoding"),
        ("page.html", login.to_vec(), "knowledge.login_page"),
        ("house.docx", b"PK".to_vec(), "knowledge.kind"),
    ] {
        let path = write(&site, name, &bytes);
        let output = site.cli(&["knowledge", "add", "faq", &path]);
        assert_eq!(output.status.code(), Some(1), "{code}");
        let told: Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!((&told["refused"][0]["code"], names(&told["read"])), (&json!(code), vec![]));
    }
    assert_eq!(search(&site, "when are you open?"), (true, Some("house.md#opening-hours".to_owned())));
    let empty = site.dir.path().join("empty");
    std::fs::create_dir_all(&empty).unwrap();
    let refused = site.cli(&["knowledge", "sync", "faq", &empty.to_string_lossy()]);
    assert!(String::from_utf8_lossy(&refused.stdout).contains("knowledge.folder"), "an empty folder empties no base");
    assert_eq!(names(&site.done(&["knowledge", "list", "faq"])), ["house.md"]);
}

async fn say(site: &Site, host: &InTest, text: &str) -> Vec<String> {
    let before = site.emulator.lines(ANA).len();
    site.emulator.say(ANA, "Ana", text).await.unwrap();
    host.idle().await;
    let lines = site.emulator.lines(ANA);
    lines.into_iter().skip(before).filter(|line| line.by == By::Business).map(|line| line.text).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_contact_is_answered_with_the_place_or_not_at_all_and_a_change_is_seen_at_once() {
    let site = Site::new(&[("faq", WORKFLOW, &[])]).await;
    let path = write(&site, "house.md", HOUSE.as_bytes());
    site.done(&["knowledge", "add", "faq", &path]);
    let host = site.host().await;
    assert_eq!(say(&site, &host, "When are you open?").await, ["Monday to Saturday from 9 to 18. (house.md#opening-hours)"]);
    assert_eq!(say(&site, &host, "¿Dónde está la luna?").await, Vec::<String>::new());
    let rows = host.store().conversations(FIRST_WORKSPACE, 10).await.unwrap();
    let notes = host.store().notes(&rows[0].conversation, 10).await.unwrap();
    assert_eq!(
        notes.iter().map(|note| note.text.as_str()).collect::<Vec<_>>(),
        ["Todavía no lo sé. Alguien del equipo le responderá."]
    );

    // By a process of its own, while the host runs.
    write(&site, "house.md", HOUSE.replace("from 9 to 18", "from noon to midnight").as_bytes());
    site.done(&["knowledge", "add", "faq", &path]);
    let answers = say(&site, &host, "When are you open?").await;
    assert_eq!(answers, ["Monday to Saturday from noon to midnight. (house.md#opening-hours)"]);
    host.stop().await;
    site.books();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_base_that_is_not_there_parks_the_run_until_it_is() {
    let site = Site::new(&[("faq", WORKFLOW, &[])]).await;
    let host = site.host().await;
    assert_eq!(say(&site, &host, "When are you open?").await, Vec::<String>::new());
    let parked = site.done(&["park", "list"]);
    assert_eq!(parked[0]["code"], "plugin.knowledge", "{parked}");
    let shown = site.done(&["park", "show", parked[0]["id"].as_str().unwrap(), "--reveal"]);
    assert!(shown.to_string().contains("pointsman knowledge add faq"), "the cure is told: {shown}");
    let path = write(&site, "house.md", HOUSE.as_bytes());
    site.done(&["knowledge", "add", "faq", &path]);
    site.done(&["park", "retry", "--all"]);
    for _ in 0..100 {
        if !site.emulator.lines(ANA).iter().any(|line| line.by == By::Business) {
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        }
    }
    host.idle().await;
    let lines = site.emulator.lines(ANA);
    let said: Vec<&str> = lines.iter().filter(|line| line.by == By::Business).map(|line| line.text.as_str()).collect();
    assert_eq!(said, ["Monday to Saturday from 9 to 18. (house.md#opening-hours)"]);
    host.stop().await;
    site.books();
}
