//! A whole message on SQLite: a signed webhook into the engine, the workflow's step in the box, the reply at an emulated
//! provider over a socket. Three group commits with `synchronous=FULL` are in it, so the disk has its say.
//! `cargo xtask bench message`

#[expect(dead_code, reason = "a bench needs a part of what the tests need")]
#[path = "../tests/it/support/mod.rs"]
mod support;

use std::time::{Duration, Instant};

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use pointsman_core::ports::Method;
use pointsman_engine::Incoming;
use serde_json::json;
use tokio::runtime::Runtime;

use support::{InTest, Site, sign};

/// A plugin step and a reply that depends on it.
const WORKFLOW: &str = r#"
name: echo
on: { message: {} }
steps:
  - id: found
    use: keyword
    with: { text: "${event.text}", rules: [{ name: order, any: [order] }] }
  - if: found.matched
    reply: "You said: ${event.text}"
"#;

/// Messages that are under way at once in the second measurement.
const MANY: usize = 64;

/// A text message of a contact, signed.
fn incoming(site: &Site, contact: usize, n: u64) -> Incoming {
    let phone = &site.emulator.config().phone_number_id;
    let from = format!("1555020{contact:04}");
    let body = json!({ "object": "whatsapp_business_account", "entry": [{ "id": "1", "changes": [{ "field": "messages", "value": {
        "messaging_product": "whatsapp",
        "metadata": { "display_phone_number": "15550000000", "phone_number_id": phone },
        "contacts": [{ "profile": { "name": "Ana" }, "wa_id": from }],
        "messages": [{ "from": from, "id": format!("wamid.bench.{n}"), "timestamp": "1700000000", "type": "text",
            "text": { "body": "Where is my order?" } }],
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

/// Hands `many` messages of as many contacts over at once; over when every reply has been sent and answered.
fn round(runtime: &Runtime, site: &Site, host: &InTest, many: usize, n: &mut u64) {
    runtime.block_on(async {
        let mut under_way = Vec::new();
        for contact in 0..many {
            *n += 1;
            let (engine, incoming) = (host.engine.clone(), incoming(site, contact, *n));
            under_way.push(tokio::spawn(async move { engine.receive(incoming).await.status }));
        }
        for one in under_way {
            assert_eq!(one.await.expect("an answer"), 200);
        }
    });
    // Not on the runtime, whose timers count in milliseconds.
    while host.engine.under_way() != (0, 0) {
        std::thread::sleep(Duration::from_micros(20));
    }
}

fn message(c: &mut Criterion) {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime");
    let site = runtime.block_on(Site::new(&[("echo", WORKFLOW, &[])]));
    let host = runtime.block_on(site.host());
    let mut n = 0;
    let mut group = c.benchmark_group("message");
    for many in [1, MANY] {
        group.throughput(Throughput::Elements(u64::try_from(many).expect("a number")));
        group.sample_size(20);
        group.bench_function(format!("{many}_at_once"), |b| {
            b.iter_custom(|rounds| {
                let since = Instant::now();
                for _ in 0..rounds {
                    round(&runtime, &site, &host, many, &mut n);
                }
                since.elapsed()
            });
        });
    }
    group.finish();
    runtime.block_on(host.idle());
    assert_eq!(site.emulator.taken().len() as u64, n, "each message was answered once");
    runtime.block_on(host.stop());
}

criterion_group!(benches, message);
criterion_main!(benches);
