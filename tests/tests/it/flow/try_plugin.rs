//! `pointsman plugin try`: the real binary over every fixture of every channel, one process a file of cases, and over steps
//! and scripts. What it prints is what the fixtures say, to the last field.

use std::io::Write;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use serde_json::{Value, json};

use super::channels::{fixtures, instant, matches};
use crate::support::binary;

/// A channel, the account that its fixtures are read with, how many payloads it has, and what stands in for `{V}` and
/// `{PHONE_NUMBER_ID}` in them.
const CHANNELS: [(&str, &str, usize); 2] = [
    ("whatsapp", r#"{"id":"1122334455667","config":{"api_version":"v21.0"}}"#, 20),
    ("telegram", r#"{"id":"1122334455667","config":{}}"#, 14),
];

fn command(args: &[&str]) -> Command {
    let mut command = Command::new(binary());
    let cache = binary().with_file_name("test-cache");
    // No host's folder: nothing of one is read or made.
    command.args(["--dir", "/nonexistent", "--json", "plugin", "try"]).args(args).env("POINTSMAN_SANDBOX__CACHE", cache);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

fn once(args: &[&str]) -> (Option<i32>, Value) {
    let Output { status, stdout, stderr } = command(args).output().expect("the binary runs");
    let told = serde_json::from_slice(&stdout);
    (status.code(), told.unwrap_or_else(|e| panic!("{args:?}: {e}: {}", String::from_utf8_lossy(&stderr))))
}

/// One process: a case a line in, a result a line out.
fn lines(args: &[&str], cases: &[String]) -> Vec<Value> {
    let mut child = command(args).arg("--jsonl").stdin(Stdio::piped()).spawn().expect("the binary runs");
    let mut input = child.stdin.take().expect("its input");
    let all = cases.join("\n");
    let writing = std::thread::spawn(move || input.write_all(all.as_bytes()).expect("a reader"));
    let Output { status, stdout, stderr } = child.wait_with_output().expect("an end");
    writing.join().expect("a writer");
    assert!(status.success(), "{args:?}: {status} {}", String::from_utf8_lossy(&stderr));
    let told = String::from_utf8(stdout).expect("text");
    let results: Vec<Value> = told.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    assert_eq!(results.len(), cases.len(), "{args:?}: a result a line");
    results
}

fn file(channel: &str, name: &str) -> Value {
    let text = std::fs::read_to_string(fixtures(channel).join(name)).expect("a fixture");
    serde_json::from_str(&text).expect("JSON")
}

fn list<'a>(all: &'a Value, name: &str) -> &'a [Value] {
    all[name].as_array().map(Vec::as_slice).unwrap_or_default()
}

fn text(case: &Value) -> String {
    case.to_string()
}

#[test]
fn every_payload_prints_exactly_its_expected_events() {
    let mut wrong = Vec::new();
    for (channel, account, count) in CHANNELS {
        let manifest = file(channel, "manifest.json");
        let payloads = list(&manifest, "payloads");
        assert_eq!(payloads.len(), count, "{channel}");
        let body = |payload: &Value| std::fs::read_to_string(fixtures(channel).join(payload["file"].as_str().unwrap())).unwrap();
        let mut cases: Vec<String> = payloads.iter().map(|p| text(&json!({ "name": p["file"], "body": body(p) }))).collect();
        // A bad line, and bytes that no channel can read, stop nothing.
        cases.insert(1, "{\"body\": ".to_owned());
        cases.insert(2, text(&json!({ "body_base64": "/w==" })));
        let mut results = lines(&[channel, "parse", "--account", account], &cases);
        assert_eq!(results.remove(1)["error"]["code"], "try.line", "{channel}");
        assert_eq!(results.remove(1)["error"]["code"], "webhook.unreadable", "{channel}");
        for (payload, result) in payloads.iter().zip(&results) {
            let at = format!("{channel} {}", payload["file"]);
            let (expected, got) = (list(payload, "expected"), list(result, "events"));
            if expected.len() != got.len() {
                wrong.push(format!("{at}: {} events instead of {}: {result}", got.len(), expected.len()));
            }
            for (expected, got) in expected.iter().zip(got) {
                let (mut expected, mut got) = (expected.clone(), got.clone());
                for event in [&mut expected, &mut got] {
                    event["timestamp"] = instant(&event["timestamp"]);
                }
                wrong.extend(matches(&expected, &got, "1122334455667", &at).err());
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn every_vector_is_verified_or_refused() {
    for (channel, _, _) in CHANNELS {
        let vectors = file(channel, "vectors.json");
        let cases: Vec<String> = list(&vectors, "vectors").iter().map(text).collect();
        assert!(cases.len() >= 2, "{channel}");
        for (vector, got) in list(&vectors, "vectors").iter().zip(lines(&[channel, "verify"], &cases)) {
            assert_eq!(got["valid"], vector["valid"], "{channel} {}", vector["name"]);
            if let Some(status) = vector.get("response_status") {
                assert_eq!(&got["answer"]["status"], status, "{channel} {}", vector["name"]);
                let body = vector.get("response_body").cloned().unwrap_or_else(|| json!(""));
                assert_eq!(got["answer"]["body"], body, "{channel} {}", vector["name"]);
            }
        }
        // Another secret refuses what was good.
        let good = list(&vectors, "vectors").iter().find(|v| v["valid"] == true && v["body"].is_string()).unwrap();
        let turned = json!({ "request": good, "secrets": { "secret": "another" } });
        assert_eq!(lines(&[channel, "verify"], &[text(&turned)]), [json!({ "valid": false })], "{channel}");
    }
}

#[test]
fn every_ask_becomes_exactly_its_request() {
    for (channel, account, _) in CHANNELS {
        let outbound = file(channel, "outbound.json");
        let cases: Vec<String> = list(&outbound, "send").iter().map(|c| text(&json!({ "operation": c["ask"] }))).collect();
        assert!(cases.len() >= 5, "{channel}");
        let results = lines(&[channel, "begin", "--account", account], &cases);
        for (case, got) in list(&outbound, "send").iter().zip(results) {
            let expected = text(&case["request"]).replace("{V}", "v21.0").replace("{PHONE_NUMBER_ID}", "1122334455667");
            assert_eq!(got, serde_json::from_str::<Value>(&expected).unwrap(), "{channel} {}", case["ask"]);
        }
    }
}

#[test]
fn every_answer_prints_its_outcome() {
    for (channel, account, _) in CHANNELS {
        let outbound = file(channel, "outbound.json");
        let cases: Vec<String> = list(&outbound, "classify").iter().map(|case| text(&json!({ "answer": case }))).collect();
        assert!(cases.len() >= 5, "{channel}");
        let ask = r#"{"to":"15550100001","text":"hi"}"#;
        let results = lines(&[channel, "begin", "--account", account, "--operation", ask, "--key", "k1"], &cases);
        for (case, got) in list(&outbound, "classify").iter().zip(results) {
            for name in ["outcome", "id", "after_s"] {
                if let Some(expected) = case.get(name) {
                    assert_eq!(&got[name], expected, "{channel} {case}: {got}");
                }
            }
        }
    }
}

#[test]
fn a_step_by_name_and_by_folder_gives_the_same() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().join("plugins/steps/keyword");
    let input = r#"{"text":"Where is my order?","rules":[{"name":"order","any":["order"]}]}"#;
    for plugin in ["keyword", "pointsman/keyword", &folder.to_string_lossy()] {
        let (code, told) = once(&[plugin, "run", "--input", input]);
        assert_eq!(code, Some(0), "{plugin}: {told}");
        assert_eq!(told["output"], json!({ "matched": true, "rule": "order", "words": ["order"] }), "{plugin}");
        assert_eq!((&told["effects"], &told["log"]), (&json!([]), &json!([])), "{plugin}");
        assert!(told["usage"]["memory"].as_u64().unwrap() > 0, "{plugin}");
    }
}

#[test]
fn a_script_sees_what_it_is_told_and_says_what_it_wants() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("count.rhai");
    let source = r#"let n = state_get("contact", "n") ?? 0; state_set("contact", "n", n + 1); reply("Hello, " + event.sender_name); tag("seen"); n"#;
    std::fs::write(&path, source).unwrap();
    let event = r#"{"kind":"message","sender_id":"ana","sender_name":"Ana","text":"hi"}"#;
    let path = path.to_string_lossy();
    let (code, told) = once(&["script", "run", "--script", &path, "--event", event, "--state", r#"{"contact":{"n":41}}"#]);
    assert_eq!(code, Some(0), "{told}");
    assert_eq!(told["output"], 41);
    assert_eq!(told["effects"][0]["state"]["value"], 42);
    assert_eq!(told["effects"][1], json!({ "reply": { "text": "Hello, Ana" } }));
    assert_eq!(told["effects"][2], json!({ "tag": "seen" }));

    let cases = [
        json!({ "script": "ask(\"Which size?\")" }),
        json!({ "script": "loop { }" }),
        json!({ "script": "1 +" }),
        json!({ "script": "history(2).len", "conversation": { "history": [{ "by": "contact", "text": "hi" }] } }),
    ];
    let told = lines(&["script", "run"], &cases.map(|case| text(&case)));
    assert_eq!(told[0]["waiting"], json!({ "name": "ask", "arguments": ["Which size?"] }));
    // Which limit comes first, operations or time, is the machine's to say.
    assert!(told[1]["error"]["code"].as_str().unwrap().starts_with("limit."), "{}", told[1]);
    assert_eq!(told[2]["error"]["code"], "script.syntax");
    assert_eq!(told[3]["output"], 1, "{}", told[3]);
}

#[test]
fn what_cannot_be_tried_is_told_with_its_code() {
    let empty = tempfile::tempdir().unwrap();
    let empty = empty.path().to_string_lossy();
    for (args, code, exit) in [
        (vec!["nobody", "run"], "try.plugin", 2),
        (vec![&empty, "run"], "try.manifest", 2),
        (vec!["whatsapp", "run"], "try.kind", 2),
        (vec!["keyword", "parse"], "try.kind", 2),
        (vec!["whatsapp", "parse"], "try.body", 2),
        (vec!["whatsapp", "verify"], "try.request", 2),
        (vec!["whatsapp", "begin"], "try.operation", 2),
        (vec!["keyword", "run", "--input", "{"], "try.input", 2),
        (vec!["script", "run"], "try.script", 2),
        (vec!["keyword", "run", "--input", r#"{"rules":1}"#], "input", 1),
    ] {
        let (status, told) = once(&args);
        assert_eq!(status, Some(exit), "{args:?}: {told}");
        let got = told["error"]["code"].as_str().unwrap_or_default();
        assert!(got.contains(code), "{args:?}: {told}");
    }
    // What the broker would not send is shown, and said.
    let elsewhere = r#"{"id":"5","config":{"api_url":"https://graph.facebook.com"}}"#;
    let found = r#"[{"body":{"url":"https://elsewhere.example/file"}}]"#;
    let (status, told) =
        once(&["whatsapp", "begin", "--account", elsewhere, "--operation", r#"{"fetch_media":"M1"}"#, "--answer", found]);
    assert_eq!((status, &told["url"]), (Some(1), &json!("https://elsewhere.example/file")), "{told}");
    assert!(told["refused"]["code"].is_string(), "{told}");
}
