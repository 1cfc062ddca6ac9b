//! Knowledge that is found by its meaning: by a model that the host itself runs, and by one that is asked over the wire.

use std::path::PathBuf;
use std::process::Command;

use pointsman_embed::{Kind, Model};
use pointsman_emulator::{By, LlmConfig};
use serde_json::{Value, json};

use crate::support::models::{set, site_with_model};
use crate::support::{ANA, InTest, Site, e5};

const WORKFLOW: &str = r#"
name: faq
on: message
steps:
  - id: answer
    use: rag-answer
    with: { knowledge: faq }
  - if: answer.found
    reply: "${answer.citations[0].source}"
  - else:
      note: "not found"
"#;

const HOUSE: &str = "# Shop\n\n## Opening hours\n\nMonday to Saturday from 9 to 18.\n\n## Returns\n\nBring it back within 30 days, with the \
                     receipt.\n\n## Parking\n\nBehind the house there are twelve places for our guests.\n\n## Delivery\n\nWe deliver within \
                     the city for three euros. Orders before noon arrive on the same day.\n";

/// Questions in other languages than the base's, and where their answers are.
const ASKED: [(&str, &str); 4] = [
    ("¿A qué hora abren los sábados?", "house.md#opening-hours"),
    ("Wo kann ich parken?", "house.md#parking"),
    ("Puis-je rendre un article sous 30 jours ?", "house.md#returns"),
    ("Berapa biaya pengiriman di dalam kota?", "house.md#delivery"),
];

fn base(site: &Site, text: &str) -> String {
    let path = site.dir.path().join("house.md");
    std::fs::write(&path, text).unwrap();
    path.to_string_lossy().into_owned()
}

/// A site with a base that a model at home makes vectors for.
async fn at_home(workflows: &[crate::support::Folder<'_>]) -> Site {
    let site = Site::new(workflows).await;
    site.done(&["knowledge", "add", "faq", &base(&site, HOUSE)]);
    site.done(&["model", "add", "home", "--file", &e5::file().to_string_lossy()]);
    let told = site.done(&["knowledge", "embed", "faq", "--model", "home"]);
    assert_eq!((&told["made"], &told["kept"], &told["without"]), (&json!(4), &json!(0), &json!([])));
    site
}

fn first(told: &Value) -> &str {
    told["ids"][0].as_str().unwrap_or_default()
}

async fn say(site: &Site, host: &InTest, text: &str) -> Vec<String> {
    let before = site.emulator.lines(ANA).len();
    site.emulator.say(ANA, "Ana", text).await.unwrap();
    host.idle().await;
    let lines = site.emulator.lines(ANA);
    lines.into_iter().skip(before).filter(|line| line.by == By::Business).map(|line| line.text).collect()
}

#[test]
fn vectors_are_those_of_the_models_own_package() {
    let model = Model::read(std::fs::read(e5::file()).unwrap()).unwrap();
    let own = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("evals/e5-vectors.json");
    let own: Vec<(String, String, Vec<f32>)> = serde_json::from_str(&std::fs::read_to_string(own).unwrap()).unwrap();
    assert!(own.len() >= 20, "{}", own.len());
    for (kind, text, wanted) in own {
        let kind = if kind == "query" { Kind::Query } else { Kind::Passage };
        let length = wanted.iter().map(|x| x * x).sum::<f32>().sqrt();
        let cosine = model.embed(kind, &text).iter().zip(&wanted).map(|(a, b)| a * b).sum::<f32>() / length;
        assert!(cosine > 0.99, "{cosine} {text}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_model_at_home_finds_what_is_meant_in_any_language() {
    let site = at_home(&[]).await;
    assert_eq!(site.done(&["model", "check", "home"])["checked"][0]["dimensions"], 384);
    for (question, place) in ASKED {
        let told = site.done(&["knowledge", "search", "faq", question]);
        assert_eq!((first(&told), &told["by_words"]), (place, &Value::Null), "{question}");
        let words = site.done(&["knowledge", "search", "faq", question, "--by", "words"]);
        assert_eq!(words["found"], false, "{question}");
    }
    assert_eq!(first(&site.done(&["knowledge", "search", "faq", "when are you open?"])), "house.md#opening-hours");
    assert_eq!(site.done(&["knowledge", "search", "faq", "Wer hat den ersten Satz von Fermat bewiesen?"])["found"], false);

    // Only what changed is made anew.
    let told = site.done(&["knowledge", "add", "faq", &base(&site, &HOUSE.replace("30 days", "14 days"))]);
    assert_eq!((&told["vectors"]["made"], &told["vectors"]["kept"]), (&json!(1), &json!(3)), "{told}");
    let told = site.done(&["knowledge", "add", "faq", &base(&site, &HOUSE.replace("30 days", "14 days"))]);
    assert_eq!((&told["vectors"]["made"], &told["vectors"]["kept"]), (&json!(0), &json!(4)));
    site.done(&["knowledge", "embed", "faq", "--none"]);
    let told = site.done(&["knowledge", "search", "faq", ASKED[1].0]);
    assert_eq!((&told["found"], &told["by_words"]), (&json!(false), &Value::Null), "as without a model");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_model_that_is_gone_changed_or_not_wanted_leaves_the_words() {
    let site = at_home(&[]).await;
    // In a folder of its own: this file is spoilt.
    let folder = site.dir.path().join("models");
    let own = [("POINTSMAN_MODELS__FOLDER", folder.to_str().unwrap())];
    let search = || {
        let told: Value =
            serde_json::from_slice(&site.cli_with(&["knowledge", "search", "faq", "when are you open?"], &own).stdout).unwrap();
        assert_eq!(first(&told), "house.md#opening-hours", "{told}");
        told["by_words"]["code"].as_str().map(str::to_owned)
    };
    assert_eq!(search().as_deref(), Some("model.missing"));
    assert!(site.cli_with(&["model", "add", "home", "--file", &e5::file().to_string_lossy()], &own).status.success());
    assert_eq!(search(), None);
    let file = std::fs::read_dir(&folder).unwrap().next().unwrap().unwrap().path();
    let mut bytes = std::fs::read(&file).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    std::fs::write(&file, bytes).unwrap();
    assert_eq!(search().as_deref(), Some("model.changed"));
    site.done(&["model", "ai", "off"]);
    assert_eq!(search().as_deref(), Some("denied.ai_off"));
    site.done(&["model", "ai", "on"]);
    site.done(&["model", "remove", "home"]);
    assert_eq!(search().as_deref(), Some("knowledge.model"));
    std::fs::remove_dir_all(folder).unwrap();

    let none = base(&site, "no model at all");
    let refused = site.cli(&["model", "add", "home", "--file", &none]);
    assert_eq!(refused.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&refused.stdout).contains("model.file"));
    assert_eq!(site.done(&["model", "list"])["models"], json!([]));
    let unknown = site.cli(&["knowledge", "embed", "faq", "--model", "nope"]);
    assert!(String::from_utf8_lossy(&unknown.stdout).contains("knowledge.model"));
}

/// The processes that make vectors for this one.
fn children() -> Vec<u32> {
    let own = std::process::id().to_string();
    let told = Command::new("pgrep").args(["-P", &own, "-f", "embed --file"]).output().unwrap();
    String::from_utf8_lossy(&told.stdout).split_whitespace().filter_map(|pid| pid.parse().ok()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_contact_is_answered_from_a_base_in_another_language_whatever_becomes_of_the_models_process() {
    let site = at_home(&[("faq", WORKFLOW, &[])]).await;
    let host = site.host().await;
    let before = children();
    for (question, place) in ASKED {
        assert_eq!(say(&site, &host, question).await, [place], "{question}");
    }
    let own: Vec<u32> = children().into_iter().filter(|pid| !before.contains(pid)).collect();
    assert!(!own.is_empty(), "the model runs in a process of its own");
    for pid in own {
        assert!(Command::new("kill").args(["-KILL", &pid.to_string()]).status().unwrap().success());
    }
    // The first question finds it dead and is answered by its words; after a rest it is there again.
    assert_eq!(say(&site, &host, "When are you open?").await, ["house.md#opening-hours"]);
    tokio::time::sleep(std::time::Duration::from_millis(1_100)).await;
    assert_eq!(say(&site, &host, ASKED[1].0).await, [ASKED[1].1]);
    host.stop().await;
    site.books();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_makes_vectors_and_they_are_paid_for() {
    let (site, llm) =
        site_with_model(&[("faq", WORKFLOW, &[])], LlmConfig { counts: Some((1_000, 0)), ..LlmConfig::default() }).await;
    set(&site, "\"e-1\" = { input = 0.1, output = 0.0 }", "\"e-1\" = { input = 1000.0, output = 0.0 }");
    set(&site, "cap_contact = 0.5", "cap_contact = 0.0");
    site.done(&["knowledge", "add", "faq", &base(&site, HOUSE)]);
    // What the words of an answer are asked for besides is not of interest here.
    let asked = || llm.asked().into_iter().filter(|asked| asked.path == "/v1/embeddings").collect::<Vec<_>>();
    let spent = || {
        let calls = site.done(&["spend", "--calls", "20"])["calls"].as_array().unwrap().clone();
        calls.into_iter().filter(|call| call["model"] == "main/e-1").collect::<Vec<_>>()
    };
    assert!(asked().is_empty(), "nobody asks before a base names who makes its vectors");
    let told = site.done(&["knowledge", "embed", "faq", "--model", "main"]);
    assert_eq!((&told["made"], &told["kept"]), (&json!(4), &json!(0)));
    assert_eq!(asked().len(), 1, "one question for all of them");
    assert!(asked()[0].authorized);
    assert_eq!((&asked()[0].body["model"], asked()[0].body["input"].as_array().unwrap().len()), (&json!("e-1"), 4));
    assert_eq!((spent().len(), &spent()[0]["workflow"]), (1, &json!("knowledge")));

    // A contact's question is paid as its step's. What the emulated model makes of texts means nothing, so the answer does neither.
    let host = site.host().await;
    say(&site, &host, "When are you open?").await;
    assert_eq!((asked().len(), spent().len()), (2, 2));
    assert!(spent().iter().any(|call| call["workflow"] == "faq"), "{:?}", spent());
    // With AI off nobody is asked, and the words are there.
    site.done(&["model", "ai", "off"]);
    assert_eq!(say(&site, &host, "Within how many days may I bring it back?").await, ["house.md#returns"]);
    assert_eq!(asked().len(), 2);
    site.done(&["model", "ai", "on"]);
    host.stop().await;

    // At the cap: told, and by words. What is there already is not asked again.
    set(&site, "cap_day = 5.0", "cap_day = 2.001");
    let told = site.done(&["knowledge", "search", "faq", "when are you open?"]);
    assert_eq!((first(&told), &told["by_words"]["code"]), ("house.md#opening-hours", &json!("spend.cap")));
    let output = site.cli(&["knowledge", "add", "faq", &base(&site, &HOUSE.replace("30 days", "14 days"))]);
    let told: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((output.status.code(), &told["vectors"]["error"]["code"]), (Some(1), &json!("spend.cap")), "{told}");
    assert_eq!(asked().len(), 2);
    set(&site, "cap_day = 2.001", "cap_day = 0.0");
    let told = site.done(&["knowledge", "embed", "faq"]);
    assert_eq!((&told["made"], &told["kept"]), (&json!(1), &json!(3)));
    assert_eq!(asked().last().unwrap().body["input"].as_array().unwrap().len(), 1);
    site.books();
}
