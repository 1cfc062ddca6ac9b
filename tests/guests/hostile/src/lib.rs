//! A step that does on purpose what the sandbox must end, deny or hold within bounds. Its input names the deed:
//! `{"do": "spin"}`.

wit_bindgen::generate!({ path: "../../../sdk/wit/v0.1.0", world: "step" });

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use exports::pointsman::plugin::work::{Call, Guest, Outcome};
use pointsman::plugin::types::{Body, Credential, Failure, Fault, Header, HttpRequest, Message, Method, Placement, Refusal};
use pointsman::plugin::{act, clock, conversation, http, knowledge, log, random, state};
use serde_json::{Value, json};

struct Hostile;

export!(Hostile);

/// What an earlier call left here, if the memory is still the same.
static LEFT: Mutex<String> = Mutex::new(String::new());

impl Guest for Hostile {
    fn run(call: Call) -> Result<Outcome, Failure> {
        let input: Value = serde_json::from_str(&call.input).unwrap_or_default();
        let text = |name: &str| input[name].as_str().unwrap_or_default().to_owned();
        let number = |name: &str| input[name].as_u64().unwrap_or_default() as usize;
        let done = |value: Value| Ok(Outcome::Done(value.to_string()));
        match text("do").as_str() {
            "nothing" => done(
                json!({ "input": input, "config": call.config, "attempt": call.attempt, "run": call.run, "step": call.step }),
            ),
            "event" => done(json!(call.event.map(|event| (event.dedupe_key, event.extra, format!("{:?}", event.body))))),
            "spin" => loop {
                std::hint::black_box(0);
            },
            // A while of real work that takes more than one tick, and then ends well.
            "work" => {
                let mut sum = 0u64;
                for i in 0..number("rounds") as u64 {
                    sum = std::hint::black_box(sum.wrapping_mul(31).wrapping_add(i));
                }
                done(json!(sum))
            }
            "hoard" => {
                let mut all = Vec::new();
                loop {
                    all.push(Vec::<u8>::with_capacity(4 << 20));
                    std::hint::black_box(&all);
                }
            }
            "grow" => {
                let held = vec![1u8; number("bytes")];
                done(json!(std::hint::black_box(held).len()))
            }
            // Takes memory until it is refused, and writes to it, at each step.
            "touch" => {
                let mut from = core::arch::wasm32::memory_size::<0>() << 16;
                while core::arch::wasm32::memory_grow::<0>(16) != usize::MAX {
                    let to = core::arch::wasm32::memory_size::<0>() << 16;
                    (from..to).step_by(number("step")).for_each(|at| unsafe { core::ptr::write_volatile(at as *mut u8, 1) });
                    from = to;
                }
                done(json!("refused"))
            }
            "fill" => {
                let mut held = vec![0u8; 48 << 20];
                for i in 0u8.. {
                    held.fill(i);
                    std::hint::black_box(&held);
                    if i == 255 {
                        break;
                    }
                }
                done(json!(held.len()))
            }
            "recurse" => done(json!(deeper(1))),
            "recurse-by-pointer" => done(json!(by_number(1))),
            "recurse-wide" => done(json!(wider(1))),
            "panic" => panic!("on purpose"),
            "instant" => done(json!(format!("{:?}", std::time::Instant::now()))),
            "thread" => done(json!(std::thread::Builder::new().spawn(|| ()).is_err())),
            "file" => done(json!([
                std::fs::read_to_string("/etc/passwd").is_err(),
                std::fs::write("/tmp/escaped", "x").is_err(),
                std::net::TcpStream::connect("127.0.0.1:80").is_err(),
            ])),
            "env" => done(json!(std::env::var("PATH").is_err())),
            "big-output" => Ok(Outcome::Done(quoted(number("bytes")))),
            "deep-output" => Ok(Outcome::Done(format!("{}{}", "[".repeat(number("depth")), "]".repeat(number("depth"))))),
            "raw-output" => Ok(Outcome::Done(text("text"))),
            "suspend" => Ok(Outcome::Suspended(exports::pointsman::plugin::work::Outcome::wish(&text("name")))),
            "fail" => Err(Failure {
                fault: Fault::Rejected,
                code: text("code"),
                message: "it does not suit me".to_owned(),
                retry_after: Some(7),
            }),
            "log-bomb" => {
                let line = "0123456789abcdef".repeat(64);
                for _ in 0..number("lines") {
                    log::log(log::Level::Info, &line);
                }
                done(json!(null))
            }
            "log" => {
                log::log(log::Level::Error, &text("text"));
                done(json!(null))
            }
            "log-then-panic" => {
                log::log(log::Level::Warn, "the last words");
                let _ = act::tag("never");
                panic!("on purpose");
            }
            "big-log" => {
                log::log(log::Level::Info, &"x".repeat(number("bytes")));
                done(json!(null))
            }
            "http" => {
                let request = HttpRequest {
                    method: Method::Get,
                    url: "http://169.254.169.254/latest/meta-data".to_owned(),
                    headers: vec![],
                    body: Body::None,
                    credentials: vec![],
                    keep_body: false,
                    timeout: None,
                };
                match http::send(&request) {
                    Ok(_) => done(json!("answered")),
                    Err(refusal) => done(told(refusal)),
                }
            }
            // Requests as its input says them, one after the other. And what they brought, told in a panic.
            "fetch" | "confess" => {
                let mut all = Vec::new();
                let requests = match &input["requests"] {
                    Value::String(text) => serde_json::from_str(text).unwrap_or_default(),
                    other => other.clone(),
                };
                for one in requests.as_array().into_iter().flatten() {
                    let text = |name: &str| one[name].as_str().unwrap_or_default().to_owned();
                    let slot = |place| Credential { slot: text("slot"), place };
                    let request = HttpRequest {
                        method: if text("method") == "POST" { Method::Post } else { Method::Get },
                        url: text("url"),
                        headers: vec![Header { name: "x-from".to_owned(), value: "desk".to_owned() }],
                        body: Body::Bytes(text("body").into_bytes()),
                        credentials: match text("place").as_str() {
                            "bearer" => vec![slot(Placement::Bearer)],
                            "query" => vec![slot(Placement::Query("key".to_owned()))],
                            _ => vec![],
                        },
                        keep_body: false,
                        timeout: None,
                    };
                    all.push(match http::send(&request) {
                        Ok(answer) => json!({
                            "status": answer.status,
                            "headers": answer.headers.into_iter().map(|h| (h.name, h.value)).collect::<Vec<_>>(),
                            "body": if input["count"] == true { json!(answer.body.len()) } else { readable(&answer.body) },
                        }),
                        Err(refusal) => told(refusal),
                    });
                }
                assert!(text("do") == "fetch", "{}", json!(all));
                done(json!(all))
            }
            // A header that says what only the broker may say, or a million of them.
            "headers" => {
                let header = Header { name: text("name"), value: text("value").repeat(number("times").max(1)) };
                let request = HttpRequest {
                    method: Method::Get,
                    url: "https://api.example.com/".to_owned(),
                    headers: vec![header; number("count")],
                    body: Body::None,
                    credentials: vec![],
                    keep_body: false,
                    timeout: None,
                };
                done(http::send(&request).map_or_else(told, |_| json!("answered")))
            }
            // Everything that an earlier guest could have left in the memory that this one was given, its free part included.
            "search" => done(json!(found(text("needle").as_bytes(), number("grow")))),
            "send-storm" => {
                let mut refused = 0;
                for _ in 0..number("count") {
                    refused += usize::from(act::reply(&saying("spam".to_owned())).is_err());
                }
                done(json!(refused))
            }
            "send-large" => {
                let mut refused = 0;
                for _ in 0..number("count") {
                    refused += usize::from(act::reply(&saying("x".repeat(number("bytes")))).is_err());
                }
                done(json!(refused))
            }
            "act" => {
                let all = [
                    act::reply(&saying(text("text"))),
                    act::tag("vip"),
                    act::untag("new"),
                    act::note("a note"),
                    act::assign("team/care"),
                    act::set("size", "{\"eu\":42}"),
                    act::emit("ordered", "[1]"),
                ];
                done(all.into_iter().map(|one| one.map_or_else(told, |()| json!("done"))).collect())
            }
            "act-badly" => {
                let all = [
                    act::reply(&saying(String::new())),
                    act::tag(""),
                    act::assign("somebody"),
                    act::set("a", "{\"a\":1,\"a\":2}"),
                    act::emit("a", "NaN"),
                ];
                done(all.into_iter().map(|one| one.map_or_else(told, |()| json!("done"))).collect())
            }
            "state" => {
                let scope = state::Scope::Contact;
                let all = json!([
                    state::get(scope, "count").heard(),
                    state::add(scope, "count", 2).heard(),
                    state::add(scope, "count", -5).heard(),
                    state::get(scope, "count").heard(),
                    state::set(scope, "name", "\"Ana\"", Some(1_000)).heard(),
                    state::add(scope, "name", 1).heard(),
                    state::delete(scope, "count").heard(),
                    state::get(scope, "count").heard(),
                    state::get(scope, "").heard(),
                    state::set(scope, "big", &format!("\"{}\"", "x".repeat(70_000)), None).heard(),
                    state::get(state::Scope::Workspace, "count").heard(),
                    state::get(scope, &"k".repeat(128)).heard(),
                    state::get(scope, &"k".repeat(129)).heard(),
                ]);
                done(all)
            }
            "fill-state" => {
                let value = quoted(number("bytes"));
                let writes = (0..number("count")).map(|n| state::set(state::Scope::Contact, &format!("k{n}"), &value, None));
                done(json!(writes.filter(Result::is_err).count()))
            }
            "knowledge" => {
                let found = |base: &str, question: &str, count| match knowledge::search(base, question, count) {
                    Ok(all) => json!(all.into_iter().map(|p| (p.text, p.source, p.score, p.extra)).collect::<Vec<_>>()),
                    Err(refusal) => json!(told(refusal)),
                };
                done(json!([
                    found("faq", "open?", 2),
                    found("faq", "open?", 1_000).as_array().map(Vec::len),
                    found("other", "open?", 2),
                    found("", "open?", 2),
                    found("faq", &"x".repeat(20_000), 2),
                ]))
            }
            "read-storm" => {
                let mut refused = 0;
                for _ in 0..number("count") {
                    refused += usize::from(conversation::history(1).is_err());
                }
                done(json!(refused))
            }
            "conversation" => done(json!([
                conversation::get()
                    .map(|info| format!("{} {} {:?} {}", info.id, info.channel, info.tags, info.attributes))
                    .heard(),
                conversation::history(5).map(|all| all.len()).heard(),
            ])),
            "numbers" => done(json!([clock::now(), random::next().to_string(), random::bytes(10), random::bytes(3).len()])),
            "many-bytes" => done(json!(random::bytes(4_000_000_000).len())),
            "remember" => {
                let mut left = LEFT.lock().unwrap();
                done(json!(std::mem::replace(&mut *left, text("text"))))
            }
            other => Err(Failure {
                fault: Fault::Malformed,
                code: "deed".to_owned(),
                message: format!("no such deed: {other}"),
                retry_after: None,
            }),
        }
    }
}

/// So many letters as JSON, held once: as large as the memory allows.
fn quoted(letters: usize) -> String {
    let mut text = vec![b'x'; letters + 2];
    text[0] = b'"';
    text[letters + 1] = b'"';
    // To look at each of them would take longer than to make them.
    unsafe { String::from_utf8_unchecked(text) }
}

fn saying(text: String) -> Message {
    Message { id: None, text: Some(text), attachments: vec![], choices: vec![], reply_to: None, extra: None }
}

/// An answer of the host as JSON.
trait Heard {
    fn heard(self) -> Value;
}

impl<T: Into<Value>> Heard for Result<T, Refusal> {
    fn heard(self) -> Value {
        match self {
            Ok(value) => json!({ "Ok": value.into() }),
            Err(refusal) => json!({ "Err": said(refusal) }),
        }
    }
}

fn readable(bytes: &[u8]) -> Value {
    String::from_utf8_lossy(bytes).into()
}

fn told(refusal: Refusal) -> Value {
    json!(said(refusal))
}

fn said(refusal: Refusal) -> String {
    match refusal {
        Refusal::Denied(why) => format!("denied: {why}"),
        Refusal::Limit(which) => format!("limit: {which}"),
        Refusal::Invalid(why) => format!("invalid: {why}"),
        Refusal::Unavailable(why) => format!("unavailable: {why}"),
    }
}

/// How often the needle, which is given with the lowest bit of each byte turned over, stands in all of the memory after it has grown by `pages`.
fn found(turned: &[u8], pages: usize) -> usize {
    core::arch::wasm32::memory_grow::<0>(pages);
    let size = core::arch::wasm32::memory_size::<0>() << 16;
    // Byte by byte: the first page begins at an address that no slice of Rust may have.
    let at = |address: usize| unsafe { core::ptr::read_volatile(address as *const u8) };
    (1..size - turned.len()).filter(|start| turned.iter().enumerate().all(|(n, byte)| at(start + n) == byte ^ 1)).count()
}

/// Neither keeps anything in memory between calls: what overflows is the machine's stack, not the one that the compiler keeps
/// in the guest's memory.
#[inline(never)]
fn deeper(n: u64) -> u64 {
    if n == 0 { 0 } else { deeper(n.wrapping_add(1)).wrapping_mul(3) ^ n }
}

static NEXT: AtomicUsize = AtomicUsize::new(0);

#[inline(never)]
fn by_number(n: u64) -> u64 {
    let next: [fn(u64) -> u64; 2] = [by_number, deeper];
    match next.get(NEXT.load(Ordering::Relaxed)) {
        Some(next) if n != 0 => next(n.wrapping_add(1)).wrapping_mul(3) ^ n,
        _ => 0,
    }
}

/// Each frame takes a kilobyte of the stack that the compiler keeps in the guest's memory.
#[inline(never)]
fn wider(n: u64) -> u64 {
    let here = std::hint::black_box([n; 128]);
    if n == 0 { 0 } else { wider(std::hint::black_box(n + 1)) ^ here[3] }
}

impl Outcome {
    /// A wish with arguments.
    fn wish(name: &str) -> pointsman::plugin::journal::Wish {
        pointsman::plugin::journal::Wish {
            name: name.to_owned(),
            arguments: "{\"text\":\"Which size?\"}".to_owned(),
            fingerprint: "f1".to_owned(),
            consumed: 0,
        }
    }
}
