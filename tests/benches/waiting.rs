//! What conversations that wait cost a host that has just started: its resident memory with none, 10,000 and 100,000 runs
//! waiting for an answer, right after the start, and again after some of them were answered. A run that waits is rows and nothing
//! else, so the numbers should not differ by more than what answering itself fills. `cargo xtask bench waiting [counts...]`

#[expect(dead_code, reason = "a bench needs a part of what the tests need")]
#[path = "../tests/it/support/mod.rs"]
mod support;

use std::time::{Duration, Instant};

use pointsman_core::ports::Method;
use pointsman_engine::Incoming;
use serde_json::json;
use tokio::runtime::Runtime;

use support::{Site, sign};

const WORKFLOW: &str = "name: asks\non: message\nsteps:\n  - id: size\n    ask: { text: \"How many?\", timeout: 5d }\n  - reply: \"${size.text} then\"\n";

/// Conversations filled at once, and answered after the start.
const AT_ONCE: usize = 64;
const ANSWERED: usize = 200;

fn message(site: &Site, contact: usize, n: usize, text: &str) -> Incoming {
    let phone = &site.emulator.config().phone_number_id;
    let from = format!("1556{contact:07}");
    let body = json!({ "object": "whatsapp_business_account", "entry": [{ "id": "1", "changes": [{ "field": "messages", "value": {
        "messaging_product": "whatsapp",
        "metadata": { "display_phone_number": "15550000000", "phone_number_id": phone },
        "contacts": [{ "profile": { "name": "Ana" }, "wa_id": from }],
        "messages": [{ "from": from, "id": format!("wamid.waiting.{contact}.{n}"), "timestamp": "1700000000", "type": "text",
            "text": { "body": text } }],
    } }] }] });
    let body = body.to_string().into_bytes();
    Incoming {
        channel: site.channel.clone(),
        method: Method::Post,
        path: String::new(),
        query: Vec::new(),
        headers: vec![("x-hub-signature-256".to_owned(), sign(&body))],
        body: body.into(),
    }
}

/// Resident memory of a process in KiB: all of it, and what is its own (the rest is the program's text and the files' pages).
fn memory(pid: u32) -> (u64, u64) {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).expect("a running host");
    let of = |name: &str| -> u64 {
        let line = status.lines().find(|line| line.starts_with(name)).expect("a line");
        line.split_whitespace().nth(1).expect("a number").parse().expect("a number")
    };
    (of("VmRSS:"), of("RssAnon:"))
}

fn main() {
    let given: Vec<usize> = std::env::args().filter_map(|arg| arg.parse().ok()).collect();
    let counts = if given.is_empty() { vec![0, 10_000, 100_000] } else { given };
    let runtime = Runtime::new().expect("a runtime");
    println!("{:>9}  {:>9}  {:>24}  {:>24}", "waiting", "start ms", "after start: all, own", "200 answered: all, own");
    for count in counts {
        let site = runtime.block_on(Site::new(&[("asks", WORKFLOW, &[])]));
        runtime.block_on(fill(&site, count));
        // So that the host's log is what an operator's would be.
        let since = Instant::now();
        let process = site.serve(&[("POINTSMAN_TELEMETRY__LOG", "warn")]);
        let ready = since.elapsed();
        std::thread::sleep(Duration::from_secs(3));
        let fresh = memory(process.pid());
        runtime.block_on(answer(&site, count));
        let later = memory(process.pid());
        let shown = |(all, own): (u64, u64)| format!("{all} KiB, {own} KiB");
        println!("{count:>9}  {:>9}  {:>24}  {:>24}", ready.as_millis(), shown(fresh), shown(later));
        process.stop();
    }
}

/// Has `count` contacts write, each of whom is asked.
async fn fill(site: &Site, count: usize) {
    let host = site.host().await;
    for first in (0..count).step_by(AT_ONCE) {
        let mut under_way = Vec::new();
        for contact in first..count.min(first + AT_ONCE) {
            let (engine, incoming) = (host.engine.clone(), message(site, contact, 0, "order"));
            under_way.push(tokio::spawn(async move { engine.receive(incoming).await.status }));
        }
        for one in under_way {
            assert_eq!(one.await.expect("an answer"), 200);
        }
        while host.engine.under_way().0 + host.engine.under_way().1 > AT_ONCE * 4 {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }
    while host.engine.under_way() != (0, 0) {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    host.stop().await;
}

/// Has some of those who were asked answer; where nobody was, newcomers write and answer.
async fn answer(site: &Site, count: usize) {
    let before = site.emulator.taken().len();
    for n in 0..ANSWERED {
        let contact = format!("1556{:07}", if count == 0 { n } else { n * (count / ANSWERED).max(1) });
        if count == 0 {
            assert_eq!(site.emulator.say(&contact, "Ana", "order").await.expect("a host").1, 200);
        }
        assert_eq!(site.emulator.say(&contact, "Ana", "7").await.expect("a host").1, 200);
    }
    site.taken(before + ANSWERED).await;
    std::thread::sleep(Duration::from_millis(500));
}
