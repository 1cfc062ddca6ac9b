//! The demo's server: its way to an emulator and to a host, both of a few lines here, and who is refused.

use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::sync::watch;

use super::{get, send};
use crate::{Act, Acting, DemoChannel, Stage, Trouble, serve_demo};

/// A stage that remembers what was asked of it.
struct Scene {
    channels: Vec<DemoChannel>,
    host: Mutex<Option<String>>,
    acted: Mutex<Vec<Acting>>,
}

#[async_trait]
impl Stage for Scene {
    fn channels(&self) -> &[DemoChannel] {
        &self.channels
    }

    fn dir(&self) -> String {
        "/tmp/a demo <here>".to_owned()
    }

    fn host(&self) -> Option<String> {
        self.host.lock().unwrap().clone()
    }

    fn state(&self) -> Value {
        json!({ "host": { "state": "up", "words": "" }, "acts": [] })
    }

    async fn act(&self, acting: Acting) -> Result<(), Trouble> {
        if acting.act == Act::Cut {
            return Err(Trouble::Invalid("demo.busy".into(), "one at a time".into()));
        }
        self.acted.lock().unwrap().push(acting);
        Ok(())
    }
}

struct Port {
    address: String,
    scene: Arc<Scene>,
    /// What reached the server behind.
    seen: Arc<Mutex<Vec<String>>>,
    _close: watch::Sender<bool>,
}

/// A server that takes one request a connection, answers with `status` and `body`, and keeps what came.
async fn behind(status: u16, body: &'static str) -> (String, Arc<Mutex<Vec<String>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let seen = Arc::new(Mutex::new(Vec::new()));
    let kept = Arc::clone(&seen);
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let (mut bytes, mut part) = (Vec::new(), [0; 4096]);
            loop {
                let text = String::from_utf8_lossy(&bytes).into_owned();
                if text.starts_with("GET") && text.ends_with("\r\n\r\n") || text.ends_with('}') {
                    break;
                }
                let n = stream.read(&mut part).await.unwrap();
                bytes.extend_from_slice(&part[..n]);
            }
            kept.lock().unwrap().push(String::from_utf8_lossy(&bytes).into_owned());
            let answer = format!("HTTP/1.1 {status} X\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}", body.len());
            stream.write_all(answer.as_bytes()).await.unwrap();
        }
    });
    (address, seen)
}

/// A demo whose emulator and host are both the server `behind`.
async fn port(status: u16, body: &'static str) -> Port {
    let (server, seen) = behind(status, body).await;
    let channel = DemoChannel {
        word: "whatsapp".into(),
        title: "WhatsApp".into(),
        business: "Demo bakery".into(),
        id: "7".into(),
        emulator: format!("http://{server}"),
        contacts: vec![("15550100001".into(), "Ana <b>".into())],
    };
    let scene = Arc::new(Scene { channels: vec![channel], host: Mutex::new(Some(server)), acted: Mutex::default() });
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let (close, closing) = watch::channel(false);
    tokio::spawn(serve_demo(listener, Arc::clone(&scene), closing));
    Port { address, scene, seen, _close: close }
}

const JSON: [(&str, &str); 1] = [("content-type", "application/json")];
const SAY: &str = r#"{"from":"15550100001","name":"Ana","text":"<img src=x onerror=alert(1)> \"hi\" ü"}"#;

#[tokio::test]
async fn the_pages_are_served_under_a_policy() {
    let port = port(200, "{}").await;
    for (path, title) in
        [("/", "Demo"), ("/status", "Status"), ("/runs", "Runs"), ("/conversations", "Conversations"), ("/spend", "Spend")]
    {
        let page = get(&port.address, path).await;
        assert_eq!((page.status, page.header("content-type")), (200, Some("text/html; charset=utf-8")), "{path}");
        assert!(page.body.contains(&format!("<title>{title} · Pointsman</title>")), "{}", page.body);
        assert!(page.header("content-security-policy").unwrap().starts_with("default-src 'self';"));
    }
    let page = get(&port.address, "/").await.body;
    assert!(page.contains("Ana &#60;b&#62;") && page.contains("/tmp/a demo &#60;here&#62;"), "{page}");
}

#[tokio::test]
async fn what_is_typed_goes_to_the_emulator_and_nowhere_else() {
    let port = port(200, r#"{"id":"wamid.1","status":200}"#).await;
    let origin = format!("http://{}", port.address);
    let ours = [("content-type", "application/json"), ("origin", origin.as_str()), ("sec-fetch-site", "same-origin")];
    let press = r#"{"from":"15550100001","message":"wamid.9","payload":"menu:hours"}"#;
    for (what, body) in [("say", SAY), ("press", press)] {
        let reply = send(&port.address, "POST", &format!("/demo/whatsapp/{what}"), &ours, body).await;
        assert_eq!((reply.status, reply.json()["id"].as_str()), (200, Some("wamid.1")), "{}", reply.body);
        let got = port.seen.lock().unwrap().remove(0);
        assert!(got.starts_with(&format!("POST /_emulator/{what} HTTP/1.1")), "{got}");
        assert!(!got.to_lowercase().contains("\norigin:"), "a door refuses what comes from a browser");
        let (sent, typed) = (got.split("\r\n\r\n").nth(1).unwrap(), body);
        assert_eq!(serde_json::from_str::<Value>(sent).unwrap(), serde_json::from_str::<Value>(typed).unwrap());
    }
    let foreign: [&[(&str, &str)]; 3] = [
        &[("content-type", "application/json"), ("origin", "http://evil.example")],
        &[("content-type", "application/json"), ("sec-fetch-site", "cross-site")],
        &[("content-type", "text/plain")],
    ];
    for path in ["/demo/whatsapp/say", "/demo/whatsapp/press", "/demo/act"] {
        for (headers, status) in foreign.into_iter().zip([403, 403, 415]) {
            assert_eq!(send(&port.address, "POST", path, headers, SAY).await.status, status, "{path} {headers:?}");
        }
    }
    let rebound = send(&port.address, "POST", "/demo/whatsapp/say", &[JSON[0], ("host", "evil.example")], SAY).await;
    assert_eq!((rebound.status, rebound.json()["code"].as_str()), (421, Some("http.host_refused")));
    let long = format!(r#"{{"from":"15550100001","name":"Ana","text":"{}"}}"#, "a".repeat(4_097));
    let huge = format!(r#"{{"from":"15550100001","name":"Ana","text":"{}"}}"#, "a".repeat(40_000));
    let bad = [
        ("{}", 400),
        (r#"{"from":"15550100001","name":"Ana","text":"  "}"#, 400),
        (r#"{"from":"../admin","name":"Ana","text":"hi"}"#, 400),
        (r#"{"from":"15550100001","name":"","text":"hi"}"#, 400),
        (r#"{"from":"15550100001","name":"Ana","text":"hi","to":"x"}"#, 400),
        (long.as_str(), 400),
        (huge.as_str(), 413),
    ];
    for (body, status) in bad {
        assert_eq!(send(&port.address, "POST", "/demo/whatsapp/say", &JSON, body).await.status, status);
    }
    assert_eq!(send(&port.address, "POST", "/demo/telegram/say", &JSON, SAY).await.status, 404, "not on this stage");
    assert_eq!(get(&port.address, "/demo/whatsapp/messages?contact=1%2F..%2Fx").await.status, 400);
    assert!(port.seen.lock().unwrap().is_empty(), "what is refused reaches nobody");
}

#[tokio::test]
async fn what_the_emulator_refuses_or_does_not_answer_is_told_in_words() {
    let refusing = port(404, r#"{"code":"emulator.unknown","detail":"no such message"}"#).await;
    let reply = send(&refusing.address, "POST", "/demo/whatsapp/say", &JSON, SAY).await;
    assert_eq!((reply.status, reply.json()["code"].as_str()), (502, Some("demo.emulator_refused")));
    assert!(reply.body.contains("no such message"), "{}", reply.body);
    let nobody = get(&refusing.address, "/demo/whatsapp/messages?contact=15550100001").await;
    assert_eq!((nobody.status, nobody.json()), (200, json!([])), "who has not written is no error");
}

#[tokio::test]
async fn questions_go_on_to_the_host_and_nothing_else_does() {
    let host = port(200, r#"{"webhooks":{"done":3}}"#).await;
    let reply = get(&host.address, "/api/v1/runs?limit=7&conversation=12").await;
    assert_eq!((reply.status, reply.json()["webhooks"]["done"].as_u64()), (200, Some(3)));
    let got = host.seen.lock().unwrap().remove(0);
    assert!(got.starts_with("GET /api/v1/runs?limit=7&conversation=12 HTTP/1.1"), "{got}");
    assert_eq!(send(&host.address, "POST", "/api/v1/books", &JSON, "{}").await.status, 405);
    assert_eq!(get(&host.address, "/metrics").await.status, 404);
    assert!(host.seen.lock().unwrap().is_empty());

    *host.scene.host.lock().unwrap() = None;
    let down = get(&host.address, "/api/v1/books").await;
    assert_eq!((down.status, down.json()["code"].as_str()), (503, Some("demo.host_down")));
    *host.scene.host.lock().unwrap() = Some("127.0.0.1:1".to_owned());
    assert_eq!(get(&host.address, "/api/v1/books").await.status, 503, "it died a moment ago");

    let refusing = port(404, r#"{"code":"id.unknown","detail":"there is no such run"}"#).await;
    let reply = get(&refusing.address, "/api/v1/runs/5").await;
    assert_eq!((reply.status, reply.header("content-type")), (404, Some("application/problem+json")));
    assert_eq!(reply.json()["code"], "id.unknown");
}

#[tokio::test]
async fn an_act_is_begun_once_and_by_our_own_page() {
    let port = port(200, "{}").await;
    let act = |act: &str| format!(r#"{{"act":"{act}","channel":"whatsapp","contact":"15550100001"}}"#);
    let begun = send(&port.address, "POST", "/demo/act", &JSON, &act("kill")).await;
    assert_eq!((begun.status, begun.json()["host"]["state"].as_str()), (202, Some("up")));
    let expected = Acting { act: Act::Kill, channel: "whatsapp".into(), contact: "15550100001".into() };
    assert_eq!(*port.scene.acted.lock().unwrap(), [expected]);
    let busy = send(&port.address, "POST", "/demo/act", &JSON, &act("cut")).await;
    assert_eq!((busy.status, busy.json()["code"].as_str()), (400, Some("demo.busy")));
    assert_eq!(send(&port.address, "POST", "/demo/act", &JSON, &act("burn")).await.status, 400);
    assert_eq!(get(&port.address, "/demo/state").await.json()["host"]["state"], "up");
}
