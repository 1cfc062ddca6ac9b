//! Both ports over real sockets, with a house of a few lines behind them and a client that writes bytes: only so can a test
//! be slow, break off, or send what no client library would.

mod demo;
mod private;
mod public;

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::ports::{Answered, House, Incoming, Question, Trouble};

/// Remembers what reached it.
#[derive(Default)]
struct Fake {
    received: Mutex<Vec<Incoming>>,
    asked: Mutex<Vec<Question>>,
    /// Milliseconds that a webhook takes.
    slow: AtomicU32,
    sick: Mutex<bool>,
}

#[async_trait]
impl House for Fake {
    async fn receive(&self, incoming: Incoming) -> Answered {
        tokio::time::sleep(Duration::from_millis(self.slow.load(Ordering::SeqCst).into())).await;
        assert_ne!(incoming.channel, "panic");
        let known = incoming.channel == "7";
        self.received.lock().unwrap().push(incoming);
        if !known {
            return Answered::status(401);
        }
        Answered {
            status: 200,
            headers: vec![("content-type".into(), "text/plain".into()), ("bad name".into(), "x".into())],
            body: b"kept".to_vec(),
        }
    }

    fn body_limit(&self, channel: &str) -> usize {
        if channel == "7" { 1_000 } else { 100 }
    }

    async fn ready(&self) -> Result<(), String> {
        if *self.sick.lock().unwrap() { Err("the database at /secret/path is gone".into()) } else { Ok(()) }
    }

    async fn ask(&self, question: Question) -> Result<Value, Trouble> {
        self.asked.lock().unwrap().push(question.clone());
        match question {
            Question::Run(id) if id == "none" => Err(Trouble::Missing("run".into())),
            Question::Run(id) if id == "odd" => Err(Trouble::Invalid("id.invalid".into(), "an id is a number".into())),
            Question::Parked => Err(Trouble::Unavailable("the database at /secret/path is gone".into())),
            other => Ok(json!({ "asked": format!("{other:?}") })),
        }
    }
}

/// An answer, read to the end of the connection.
struct Reply {
    status: u16,
    head: String,
    body: String,
}

impl Reply {
    fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().find_map(|line| line.split_once(": ").filter(|(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, v)| v))
    }

    fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap()
    }
}

async fn read(stream: &mut TcpStream) -> Reply {
    let mut bytes = Vec::new();
    tokio::time::timeout(Duration::from_secs(10), stream.read_to_end(&mut bytes)).await.expect("an answer in time").unwrap();
    let text = String::from_utf8_lossy(&bytes).into_owned();
    let (head, body) = text.split_once("\r\n\r\n").unwrap_or((&text, ""));
    let status = head.split(' ').nth(1).and_then(|s| s.parse().ok()).unwrap_or(0);
    Reply { status, head: head.to_owned(), body: body.to_owned() }
}

/// Sends bytes as they are and reads until the other side closes.
async fn raw(address: &str, request: &[u8]) -> Reply {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(request).await.unwrap();
    read(&mut stream).await
}

/// A request with usual headers; those in `headers` come on top, `host` too.
async fn send(address: &str, method: &str, path: &str, headers: &[(&str, &str)], body: &str) -> Reply {
    let mut head = format!("{method} {path} HTTP/1.1\r\nconnection: close\r\n");
    if !headers.iter().any(|(name, _)| *name == "host") {
        head.push_str(&format!("host: {address}\r\n"));
    }
    for (name, value) in headers {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    if !body.is_empty() {
        head.push_str(&format!("content-length: {}\r\n", body.len()));
    }
    raw(address, format!("{head}\r\n{body}").as_bytes()).await
}

async fn get(address: &str, path: &str) -> Reply {
    send(address, "GET", path, &[], "").await
}

fn fake() -> Arc<Fake> {
    Arc::new(Fake::default())
}
