//! What a shop has on paper, and what nobody should give: each is in the base, cited by its page, or has a code and leaves what the base
//! had as it was. The readers run in a process that may be ended.

use std::io::Write as _;
use std::process::{Command, Stdio};

use pointsman::config;
use pointsman::reader::Reader;
use pointsman_core::failure::Failure;
use pointsman_knowledge::{Reading, Task};
use pointsman_sandbox::child::ChildConfig;
use serde_json::{Value, json};

use super::knowledge::{HOUSE, folder, names, search, write};
use crate::support::papers::{drawn, endless, inflating, nested, pages};
use crate::support::{Site, binary, eventually};

fn handbook() -> Vec<u8> {
    let page = |n: u32| format!("Chapter {n}. The machine M{n} needs {n} litres of oil a year.");
    pages(&(1..=200).map(page).collect::<Vec<_>>())
}

fn fixture(name: &str) -> Vec<u8> {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../host/knowledge/testdata");
    std::fs::read(folder.join(name)).unwrap()
}

/// The code of the one refusal, and nothing read.
fn refusal(site: &Site, path: &str) -> (String, String) {
    let output = site.cli(&["knowledge", "add", "faq", path]);
    let told: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((output.status.code(), names(&told["read"]).len()), (Some(1), 0), "{told}");
    let text = |key: &str| told["refused"][0][key].as_str().unwrap_or_default().to_owned();
    (text("code"), text("message"))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_handbook_of_two_hundred_pages_is_cited_by_its_page() {
    let site = Site::new(&[]).await;
    write(&site, "handbook.pdf", &handbook());
    write(&site, "picture.png", b"\x89PNG");
    let told = site.done(&["knowledge", "sync", "faq", &folder(&site)]);
    assert_eq!(told["read"], json!([{ "source": "handbook.pdf", "passages": 200, "remarks": [] }]));
    assert_eq!(told["passed_over"], json!(["picture.png"]), "nothing is left out in silence");
    let told = search(&site, "How much oil does the machine M137 need?");
    assert_eq!(told, (true, Some("handbook.pdf#page-137".to_owned())));
    let again = site.done(&["knowledge", "sync", "faq", &folder(&site)]);
    assert_eq!(names(&again["unchanged"]), ["handbook.pdf"]);

    let text = |text: &str| format!("BT /F 12 Tf 40 540 Td ({text}) Tj ET").into_bytes();
    let path = write(
        &site,
        "mixed.pdf",
        &drawn(&[text("Read me."), b"0 0 9 9 re f".to_vec(), text("Me too."), b"BT (x) Tj ET".to_vec()]),
    );
    let told = site.done(&["knowledge", "add", "faq", &path]);
    let remarks = ["not all of it can be read, on page 4", "no text, perhaps pictures of it, on page 2"];
    assert_eq!(told["read"], json!([{ "source": "mixed.pdf", "passages": 2, "remarks": remarks }]));
}

#[tokio::test(flavor = "multi_thread")]
async fn bad_input_has_its_code_and_leaves_what_was_there() {
    let site = Site::new(&[]).await;
    let good = pages(&["We are open from 9 to 18.".to_owned()]);
    let path = write(&site, "house.pdf", &good);
    site.done(&["knowledge", "add", "faq", &path]);
    let whole = handbook();
    let mut large = good.clone();
    large.resize(50 << 20, b' ');
    for (what, bytes, code) in [
        ("locked", fixture("locked.pdf"), "knowledge.encrypted"),
        ("empty", Vec::new(), "knowledge.empty"),
        ("a scan", fixture("scan.pdf"), "knowledge.empty"),
        ("50 MB", large, "knowledge.too_large"),
        ("half of one", whole[..whole.len() / 2].to_vec(), "knowledge.damaged"),
        ("all but its end", whole[..whole.len() - 40].to_vec(), "knowledge.damaged"),
        ("words in place of one", HOUSE.as_bytes().to_vec(), "knowledge.damaged"),
        ("a page of 100 MiB", inflating(100), "knowledge.too_costly"),
        ("a million lists in lists", nested(1_000_000), "knowledge.empty"),
    ] {
        write(&site, "house.pdf", &bytes);
        let (told, message) = refusal(&site, &path);
        assert_eq!(told, code, "{what}: {message}");
        assert!(message.contains("house.pdf"), "{what}: {message}");
    }
    // Tables and pages that are made to exhaust whoever reads them, beside a good one: that is read.
    let nested = format!("[{}", "{\"a\":[".repeat(2 << 20)).into_bytes();
    let bombs = [("deep.json", nested, "knowledge.json"), ("nul.csv", vec![0; 1 << 20], "knowledge.binary")];
    for (name, bytes, code) in bombs {
        let told = refusal(&site, &write(&site, name, &bytes));
        assert_eq!(told.0, code, "{name}");
    }
    assert_eq!(search(&site, "when are you open?"), (true, Some("house.pdf#page-1".to_owned())));
    write(&site, "house.pdf", &good);
    let told = site.done(&["knowledge", "add", "faq", &path]);
    assert_eq!(names(&told["unchanged"]), ["house.pdf"]);
}

async fn read(reader: &Reader, name: &str, bytes: &[u8]) -> Result<Reading, Failure> {
    reader.read(&Task { name, kind: None, language: None }, bytes).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reader_is_ended_at_its_bounds_and_the_next_one_is_well() {
    let usual = config::reader(&binary().to_string_lossy());
    let code = |read: Result<Reading, Failure>| read.map(drop).map_err(|failure| failure.code).unwrap_err();
    let short = Reader::new(ChildConfig { seconds: 1, ..usual.clone() });
    assert_eq!(code(read(&short, "endless.pdf", &endless(40)).await), "knowledge.too_costly", "it would draw for a day");
    // Each of its sections has six headings of two hundred letters above it.
    let headings: String = (1..6).map(|n| format!("<h{n}>{}</h{n}>", "long ".repeat(40))).collect();
    let hungry = format!("{headings}{}", "<h6>a</h6>b".repeat(120_000));
    let small = Reader::new(ChildConfig { memory: 64 << 20, ..usual.clone() });
    assert_eq!(code(read(&small, "hungry.html", hungry.as_bytes()).await), "knowledge.too_costly");
    assert_eq!(code(read(&Reader::new(usual.clone()), "hungry.html", hungry.as_bytes()).await), "knowledge.too_large");
    let none = Reader::new(ChildConfig { program: vec!["/bin/false".into()], ..usual.clone() });
    assert_eq!(code(read(&none, "a.txt", b"text").await), "knowledge.reader");
    for reader in [short, small, Reader::new(usual)] {
        assert_eq!(read(&reader, "plain.pdf", &fixture("plain.pdf")).await.unwrap().passages.len(), 2);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_reads_can_open_no_file_and_no_socket() {
    let mut command = Command::new(binary());
    command.args(["read", "--seconds", "5", "--memory", "100000000"]).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let limits = format!("/proc/{}/limits", child.id());
    let of = |text: &str, name: &str| -> Vec<String> {
        let line = text.lines().find_map(|line| line.strip_prefix(name)).unwrap_or_default();
        line.split_whitespace().take(2).map(str::to_owned).collect()
    };
    let text = eventually("its bounds", || {
        let text = std::fs::read_to_string(&limits).unwrap_or_default();
        (of(&text, "Max core file size") == ["0", "0"]).then_some(text)
    })
    .await;
    // Its two pipes and where it complains are three: there is no place for a further one.
    for (name, most) in [("Max cpu time", "5"), ("Max data size", "100000000"), ("Max file size", "0"), ("Max open files", "3")] {
        assert_eq!(of(&text, name), [most, most], "{name}");
    }
    child.stdin.take().unwrap().write_all(b"\xff no task").unwrap();
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(1), "it says why and ends");
}
