//! What a message costs, in things that can be counted: commits, statements, operations and rows of the store, allocations, bytes. A
//! signed webhook, three pure steps, a reply, its outcome. `cargo xtask bench counts`
//!
//! "Bytes copied" is the sum of what was allocated (grown blocks by their growth) and what was written to files (the
//! write-ahead logs and notes): each of these bytes was put there from somewhere else. Only the host is counted: the provider
//! answers from a fixed buffer, webhooks are made before the count begins, and what is left is one spawned task a message.

#[expect(dead_code, reason = "a bench needs a part of what the tests need")]
#[path = "../tests/it/support/mod.rs"]
mod support;

use std::alloc::System;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::time::Duration;

use pointsman_core::ports::Method;
use pointsman_engine::Incoming;
use stats_alloc::{INSTRUMENTED_SYSTEM, StatsAlloc};
use tokio::runtime::Runtime;

use support::{InTest, Site, sign};

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

const WORKFLOW: support::Folder<'static> = (
    "three",
    r#"
name: three
on: message
steps:
  - id: found
    use: keyword
    with: { text: "${event.text}", rules: [{ name: order, any: [order] }] }
  - id: counted
    script: "found.words.len()"
  - id: noted
    script: noted.rhai
    with: { count: "${counted}" }
  - reply: "${noted}"
"#,
    &[("noted.rhai", "`Noted, ${count}: ${event.text}`")],
);

/// Messages that are counted, and those before them that warm everything up.
const MESSAGES: usize = 2_000;
const BEFORE: usize = 500;
/// So many that nobody gets more replies than a person reads, and all of them are met before the count.
const CONTACTS: usize = 500;

/// A provider that takes everything, and allocates nothing for it.
fn provider() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("an address").to_string();
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            std::thread::spawn(move || answer(stream));
        }
    });
    address
}

fn answer(mut stream: TcpStream) {
    const ANSWER: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 86\r\n\r\n\
        {\"messaging_product\":\"whatsapp\",\"contacts\":[],\"messages\":[{\"id\":\"wamid.out.counted\"}]}";
    let (mut buffer, mut filled) = ([0; 65_536], 0);
    while let Ok(read @ 1..) = stream.read(&mut buffer[filled..]) {
        filled += read;
        while let Some(length) = whole(&buffer[..filled]) {
            buffer.copy_within(length..filled, 0);
            filled -= length;
            if stream.write_all(ANSWER).is_err() {
                return;
            }
        }
    }
}

/// The length of the first request, when all of it is there.
fn whole(bytes: &[u8]) -> Option<usize> {
    let head = bytes.windows(4).position(|w| w == b"\r\n\r\n")? + 4;
    let name = b"content-length: ";
    let at = bytes[..head].windows(name.len()).position(|w| w.eq_ignore_ascii_case(name))? + name.len();
    let digits = bytes[at..head].iter().take_while(|b| b.is_ascii_digit());
    let length = digits.fold(0, |sum, digit| sum * 10 + usize::from(digit - b'0'));
    (bytes.len() >= head + length).then_some(head + length)
}

fn incoming(site: &Site, n: usize) -> Incoming {
    let contact = format!("1555020{:04}", n % CONTACTS);
    let body = site.emulator.message(&format!("wamid.counted.{n}"), &contact, "Ana", "Where is my order?");
    Incoming {
        channel: site.channel.clone(),
        method: Method::Post,
        path: String::new(),
        query: Vec::new(),
        headers: vec![("x-hub-signature-256".to_owned(), sign(&body))],
        body: body.into(),
    }
}

/// Hands the messages over, so many at once; over when every reply has been sent and answered.
fn handle(runtime: &Runtime, host: &InTest, messages: Vec<Incoming>, many: usize) {
    let mut messages = messages.into_iter();
    loop {
        let now: Vec<Incoming> = messages.by_ref().take(many).collect();
        if now.is_empty() {
            return;
        }
        runtime.block_on(async {
            let under_way: Vec<_> = now
                .into_iter()
                .map(|incoming| {
                    let engine = host.engine.clone();
                    tokio::spawn(async move { engine.receive(incoming).await.status })
                })
                .collect();
            for one in under_way {
                assert_eq!(one.await.expect("an answer"), 200);
            }
        });
        while host.engine.under_way() != (0, 0) {
            std::thread::sleep(Duration::from_micros(50));
        }
    }
}

/// Bytes that this process has written to files. What goes into sockets is sent, not written.
fn written() -> u64 {
    let told = std::fs::read_to_string("/proc/self/io").unwrap_or_default();
    told.lines().find_map(|line| line.strip_prefix("wchar: ")?.parse().ok()).unwrap_or_default()
}

fn main() {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime");
    let mut site = runtime.block_on(Site::new(&[WORKFLOW]));
    let provider = provider();
    let (api, account) = (format!("api_url=http://{provider}"), site.emulator.config().phone_number_id.clone());
    site.allowed.push(provider);
    site.done(&["channel", "add", "whatsapp", "--offline", "--account", &account, "--set", &api]);
    let host = runtime.block_on(site.host());
    let mut n = 0;
    let mut make = |count: usize| -> Vec<Incoming> {
        n += count;
        (n - count..n).map(|n| incoming(&site, n)).collect()
    };
    handle(&runtime, &host, make(BEFORE), 64);
    println!("per message (webhook, three pure steps, reply, outcome), {MESSAGES} messages each:");
    println!(
        "in flight  commits  statements  operations  rows  key commits  allocations  bytes allocated  bytes to files  bytes copied"
    );
    for many in [1, 16, 64] {
        let messages = make(MESSAGES);
        let (stats, memory, files) = (host.store().stats(), ALLOCATOR.stats(), written());
        handle(&runtime, &host, messages, many);
        let (stats, files) = ((stats, host.store().stats()), written() - files);
        let memory = ALLOCATOR.stats() - memory;
        let each = |count: u64| count as f64 / MESSAGES as f64;
        let grown = u64::try_from(memory.bytes_reallocated.max(0)).unwrap_or(0);
        let allocated = memory.bytes_allocated as u64 + grown;
        println!(
            "{many:9}  {:7.3}  {:10.3}  {:10.3}  {:4.1}  {:11.3}  {:11.1}  {:15.0}  {:14.0}  {:12.0}",
            each(stats.1.commits - stats.0.commits),
            each(stats.1.statements - stats.0.statements),
            each(stats.1.operations - stats.0.operations),
            each(stats.1.rows - stats.0.rows),
            each(stats.1.key_commits - stats.0.key_commits),
            each((memory.allocations + memory.reallocations) as u64),
            each(allocated),
            each(files),
            each(allocated + files),
        );
        if many == 1 {
            // But for what the clock writes, every five seconds: where the machine is slow that falls into the count.
            let more = (stats.1.commits - stats.0.commits).checked_sub(3 * MESSAGES as u64);
            assert!(more.is_some_and(|more| more <= MESSAGES as u64 / 100), "three group commits a message: {more:?} more");
        }
    }
    runtime.block_on(host.stop());
    let books = site.books();
    assert_eq!(books["sends"]["sent"], n, "{books}");
}
