//! What strangers may do at the doors: bring forged webhooks by the hundred, take all descriptors, write markup that a page of the
//! operator shows.

use std::process::Command;
use std::time::{Duration, Instant};

use pointsman_tests::attacks::slow::Hook;
use tokio::net::TcpStream;

use crate::flow::conversation::SHOP;
use crate::support::{ANA, APP_SECRET, Process, Site, get, http};

fn hook(site: &Site, process: &Process, address: &str) -> Hook {
    Hook {
        url: process.hook(&site.channel),
        account: site.emulator.config().phone_number_id.clone(),
        secret: APP_SECRET.to_owned(),
        address: Some(address.to_owned()),
    }
}

/// A counter of the host.
async fn counted(process: &Process, line: &str) -> u64 {
    let metrics = get(&process.private, "/metrics").await.1;
    let found = metrics.lines().find_map(|own| own.strip_prefix(line)?.trim().parse().ok());
    found.unwrap_or_else(|| panic!("no {line} in {metrics}"))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flood_of_forged_webhooks_is_refused_unread_and_the_provider_is_heard_beside_it() {
    let site = Site::new(&[SHOP]).await;
    let process = site.serve(&[("POINTSMAN_LIMITS__REFUSED_A_SECOND", "1")]);
    let provider = hook(&site, &process, "198.51.100.1");
    assert_eq!(provider.say(1, "hello").await.unwrap(), 200);
    let forger = Hook { secret: "another".to_owned(), ..hook(&site, &process, "192.0.2.1") };
    let mut answers = Vec::new();
    for n in 0..200 {
        answers.push(forger.say(n, "forged").await.unwrap());
    }
    let looked_at = answers.iter().filter(|status| **status == 401).count();
    assert!(answers[..10] == [401; 10] && answers.contains(&429), "{answers:?}");
    assert!(answers.iter().all(|status| matches!(status, 401 | 429)), "{answers:?}");
    assert_eq!(
        counted(&process, "pointsman_webhooks_total{outcome=\"bad_signature\"}").await,
        looked_at as u64,
        "no other was verified"
    );
    assert!(counted(&process, "pointsman_hooks_limited_total{by=\"address\"}").await > 100);
    // Whoever is new at this channel waits; who brought a right one does not.
    let request = format!(
        "POST /hooks/{} HTTP/1.1\r\nhost: h\r\nx-forwarded-for: 203.0.113.9\r\ncontent-length: 2\r\nconnection: close\r\n\r\n{{}}",
        site.channel
    );
    let (status, head, _) = http(&process.public, &request).await;
    assert!(status == 429 && head.contains("retry-after: "), "{head}");
    for n in 2..30 {
        assert_eq!(provider.say(n, "hello").await.unwrap(), 200, "the provider is heard");
    }
    site.taken(29).await;
    process.stop();
    site.books();
}

/// F14.
#[tokio::test(flavor = "multi_thread")]
async fn without_descriptors_a_host_lives_on_and_takes_webhooks_when_there_are_some() {
    let site = Site::new(&[SHOP]).await;
    let process = site.serve(&[]);
    assert_eq!(site.emulator.say(ANA, "Ana", "one").await.unwrap().1, 200);
    site.taken(1).await;
    let open = std::fs::read_dir(format!("/proc/{}/fd", process.pid())).unwrap().count();
    let limited = Command::new("prlimit").args(["--pid", &process.pid().to_string(), &format!("--nofile={}", open + 5)]).status();
    assert!(limited.unwrap().success());
    let mut held = Vec::new();
    for _ in 0..60 {
        held.push(TcpStream::connect(&process.public).await.unwrap());
    }
    // Held for as long as the host lets them; then there are descriptors again.
    let deadline = Instant::now() + Duration::from_secs(60);
    loop {
        let said = tokio::time::timeout(Duration::from_secs(20), site.emulator.say(ANA, "Ana", "two")).await;
        if said.is_ok_and(|answer| answer.is_ok_and(|(_, status)| status == 200)) {
            break;
        }
        assert!(Instant::now() < deadline, "it takes nothing any more");
    }
    drop(held);
    site.taken(2).await;
    let log = std::fs::read_to_string(site.log()).unwrap();
    assert!(log.contains("a connection could not be taken"), "there were descriptors enough: nothing was shown");
    process.stop();
    site.books();
}

/// Case 49: what a contact wrote reaches a page as JSON that a browser takes for nothing else, and becomes text there.
#[tokio::test(flavor = "multi_thread")]
async fn markup_in_names_and_messages_is_never_markup() {
    let name = "<img src=x onerror=alert(1)>\u{202e}";
    let site = Site::new(&[SHOP]).await;
    let process = site.serve(&[]);
    for text in ["</script><script>alert(1)</script>", "<svg/onload=alert(1)>", "javascript:alert(1)", "\u{202e}txt.exe\u{2066}"]
    {
        assert_eq!(site.emulator.say(ANA, name, text).await.unwrap().1, 200);
    }
    site.taken(4).await;
    let ask = async |path: String| {
        http(&process.private, &format!("GET {path} HTTP/1.1\r\nhost: {}\r\nconnection: close\r\n\r\n", process.private)).await
    };
    let (_, _, list) = ask("/api/v1/conversations".to_owned()).await;
    let list: serde_json::Value = serde_json::from_str(&list).unwrap();
    let conversation = list[0]["id"].as_str().unwrap();
    let mut said = 0;
    for path in [
        "/",
        "/conversations",
        "/runs",
        "/api/v1/conversations",
        "/api/v1/runs",
        "/api/v1/parked",
        "/api/v1/conversations/ID/messages",
    ] {
        let (status, head, body) = ask(path.replace("ID", conversation)).await;
        let head = head.to_lowercase();
        assert_eq!(status, 200, "{path}");
        assert!(head.contains("x-content-type-options: nosniff"), "{path}: {head}");
        let policy = head.lines().find(|line| line.starts_with("content-security-policy: ")).unwrap_or_default();
        assert!(policy.contains("default-src 'self'") && !policy.contains("unsafe"), "{path}: {head}");
        let json = head.contains("content-type: application/json");
        assert_eq!(json, path.starts_with("/api/"), "{path}: {head}");
        assert!(json || !body.contains("alert(1)"), "{path} has a contact's words in its markup");
        said += body.matches("alert(1)").count();
    }
    assert!(said >= 4, "they are told as data: {said}");
    process.stop();

    // Nothing in the pages makes markup, or an address, of a text.
    let pages = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../host/web/src/pages");
    for entry in std::fs::read_dir(pages).unwrap() {
        let path = entry.unwrap().path();
        let text = std::fs::read_to_string(&path).unwrap();
        for sink in ["innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "DOMParser", "eval(", "srcdoc", "|safe"] {
            assert!(!text.contains(sink), "{sink} in {}", path.display());
        }
        for address in text.split("href: ").skip(1) {
            assert!(
                address.starts_with("`#${encodeURIComponent(") || address.starts_with("`/runs#${encodeURIComponent("),
                "{address}"
            );
        }
        if path.ends_with("style.css") {
            assert!(text.contains("unicode-bidi: isolate"), "marks of direction end with the text that they stand in");
        }
    }
}
