//! The private port: the API's questions, its problems, the pages, the demo's way to the emulator, and who is refused.

use std::sync::{Arc, Mutex};

use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::sync::watch;

use super::{Fake, fake, get, raw, send};
use crate::{DemoLink, PrivateConfig, Question, install_metrics, serve_private};

struct Port {
    address: String,
    house: Arc<Fake>,
    _close: watch::Sender<bool>,
}

async fn port(emulator: Option<String>) -> Port {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let (close, closing) = watch::channel(false);
    let house = fake();
    let config = PrivateConfig { demo: emulator.map(|emulator| DemoLink { emulator }), metrics: install_metrics().unwrap() };
    tokio::spawn(serve_private(listener, Arc::clone(&house), config, closing));
    Port { address, house, _close: close }
}

/// An emulator's door: takes one request a connection, answers with `status`, keeps what came.
async fn emulator(status: u16) -> (String, Arc<Mutex<Vec<String>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let seen = Arc::new(Mutex::new(Vec::new()));
    let kept = Arc::clone(&seen);
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let (mut bytes, mut part) = (Vec::new(), [0; 4096]);
            while !String::from_utf8_lossy(&bytes).ends_with('}') {
                let n = stream.read(&mut part).await.unwrap();
                bytes.extend_from_slice(&part[..n]);
            }
            kept.lock().unwrap().push(String::from_utf8_lossy(&bytes).into_owned());
            let body = r#"{"id":"wamid.1","status":200}"#;
            let answer = format!("HTTP/1.1 {status} X\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}", body.len());
            stream.write_all(answer.as_bytes()).await.unwrap();
        }
    });
    (url, seen)
}

#[tokio::test]
async fn every_address_of_the_api_asks_its_question() {
    let port = port(None).await;
    let cases = [
        ("/api/v1/runs", Question::Runs { conversation: None, limit: 50 }),
        ("/api/v1/runs?limit=7&conversation=12", Question::Runs { conversation: Some("12".into()), limit: 7 }),
        ("/api/v1/runs/34", Question::Run("34".into())),
        ("/api/v1/conversations?limit=200", Question::Conversations { limit: 200 }),
        ("/api/v1/conversations/12/messages", Question::Messages { conversation: "12".into(), limit: 50 }),
        ("/api/v1/books", Question::Books),
        ("/api/v1/channels", Question::Channels),
        ("/api/v1/workflows", Question::Workflows),
    ];
    for (path, question) in cases {
        let reply = get(&port.address, path).await;
        assert_eq!(reply.status, 200, "{path}: {}", reply.body);
        assert_eq!(reply.json()["asked"], format!("{question:?}"));
        assert_eq!(port.house.asked.lock().unwrap().pop(), Some(question), "{path}");
    }
}

#[tokio::test]
async fn errors_are_problem_documents_that_give_nothing_away() {
    let port = port(None).await;
    let cases = [
        ("/api/v1/runs/none", 404, "id.unknown"),
        ("/api/v1/runs/odd", 400, "id.invalid"),
        ("/api/v1/parked", 503, "house.unavailable"),
        ("/api/v1/runs?limit=0", 400, "limit.invalid"),
        ("/api/v1/runs?limit=201", 400, "limit.invalid"),
        ("/api/v1/runs?limit=x", 400, "limit.invalid"),
        ("/api/v1/runs?limit=1&limit=2", 400, "http.invalid"),
        ("/api/v1/runs/%ff", 400, "http.invalid"),
        ("/nowhere", 404, "http.not_found"),
        ("/assets/../mod.rs", 404, "http.not_found"),
        ("/assets/none.js", 404, "http.not_found"),
    ];
    for (path, status, code) in cases {
        let reply = get(&port.address, path).await;
        assert_eq!((reply.status, reply.header("content-type")), (status, Some("application/problem+json")), "{path}");
        let problem = reply.json();
        assert_eq!((&problem["code"], &problem["status"]), (&Value::from(code), &Value::from(status)), "{path}");
        assert!(!reply.body.contains("/secret/path"), "{}", reply.body);
    }
    let no = send(&port.address, "DELETE", "/api/v1/books", &[], "").await;
    assert_eq!((no.status, no.json()["code"].as_str()), (405, Some("http.method_not_allowed")));
    assert!(no.header("allow").is_some_and(|a| a.contains("GET")));
}

#[tokio::test]
async fn the_port_answers_to_its_own_address_only() {
    let port = port(None).await;
    let p = port.address.rsplit(':').next().unwrap().to_owned();
    for host in [format!("localhost:{p}"), format!("127.0.0.1:{p}"), format!("[::1]:{p}"), "localhost".into()] {
        assert_eq!(send(&port.address, "GET", "/api/v1/books", &[("host", &host)], "").await.status, 200, "{host}");
    }
    for path in ["/", "/api/v1/books", "/metrics", "/healthz", "/nowhere"] {
        for host in ["evil.example", "127.0.0.1.evil.example", "10.0.0.1", ""] {
            let reply = send(&port.address, "GET", path, &[("host", host)], "").await;
            assert_eq!((reply.status, reply.json()["code"].as_str()), (421, Some("http.host_refused")), "{host} {path}");
        }
    }
    let twice = send(&port.address, "GET", "/api/v1/books", &[("host", "localhost"), ("host", "evil.example")], "").await;
    assert_eq!(twice.status, 421);
    let none = raw(&port.address, b"GET /api/v1/books HTTP/1.0\r\n\r\n").await;
    assert_eq!(none.status, 421);
    let absolute = send(&port.address, "GET", "http://evil.example/api/v1/books", &[], "").await;
    assert_eq!(absolute.status, 400);
    assert_eq!(port.house.asked.lock().unwrap().len(), 4, "who is refused asks nothing");
}

#[tokio::test]
async fn the_pages_are_served_under_a_policy() {
    for (emulator, title) in
        [(None, "<title>Pointsman</title>"), (Some("http://127.0.0.1:9".to_owned()), "<title>Pointsman demo</title>")]
    {
        let port = port(emulator).await;
        let page = get(&port.address, "/").await;
        assert_eq!((page.status, page.header("content-type")), (200, Some("text/html; charset=utf-8")));
        assert!(page.body.contains(title), "{}", page.body);
        assert!(page.header("content-security-policy").unwrap().starts_with("default-src 'self';"));
        assert_eq!((page.header("x-content-type-options"), page.header("x-frame-options")), (Some("nosniff"), Some("DENY")));
        for (name, kind, text) in crate::pages::ASSETS {
            let asset = get(&port.address, &format!("/assets/{name}")).await;
            assert_eq!((asset.status, asset.header("content-type"), asset.body.as_str()), (200, Some(kind), text));
        }
    }
}

#[tokio::test]
async fn what_is_typed_goes_to_the_emulator_and_nowhere_else() {
    let (url, seen) = emulator(200).await;
    let port = port(Some(url)).await;
    let say = r#"{"from":"15550100001","name":"Ana","text":"<img src=x onerror=alert(1)> \"hi\" ü"}"#;
    let origin = format!("http://{}", port.address);
    let ours = [("content-type", "application/json"), ("origin", origin.as_str()), ("sec-fetch-site", "same-origin")];
    let reply = send(&port.address, "POST", "/demo/say", &ours, say).await;
    assert_eq!((reply.status, reply.json()["id"].as_str()), (200, Some("wamid.1")), "{}", reply.body);
    let got = seen.lock().unwrap().remove(0);
    assert!(got.starts_with("POST /_emulator/say HTTP/1.1"), "{got}");
    assert_eq!(
        serde_json::from_str::<Value>(got.split("\r\n\r\n").nth(1).unwrap()).unwrap(),
        serde_json::from_str::<Value>(say).unwrap()
    );
    assert!(port.house.received.lock().unwrap().is_empty(), "the page has no way into the house");

    let foreign: [&[(&str, &str)]; 3] = [
        &[("content-type", "application/json"), ("origin", "http://evil.example")],
        &[("content-type", "application/json"), ("sec-fetch-site", "cross-site")],
        &[("content-type", "text/plain")],
    ];
    for (headers, status) in foreign.into_iter().zip([403, 403, 415]) {
        assert_eq!(send(&port.address, "POST", "/demo/say", headers, say).await.status, status, "{headers:?}");
    }
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
        assert_eq!(send(&port.address, "POST", "/demo/say", &[("content-type", "application/json")], body).await.status, status);
    }
    assert!(seen.lock().unwrap().is_empty(), "what is refused reaches nobody");
}

#[tokio::test]
async fn without_an_emulator_there_is_nothing_to_say_to() {
    let json = [("content-type", "application/json")];
    let say = r#"{"from":"15550100001","name":"Ana","text":"hi"}"#;
    let plain = port(None).await;
    assert_eq!(send(&plain.address, "POST", "/demo/say", &json, say).await.status, 404);
    let (url, _) = emulator(502).await;
    for gone in [url, "http://127.0.0.1:1".to_owned()] {
        let port = port(Some(gone)).await;
        let reply = send(&port.address, "POST", "/demo/say", &json, say).await;
        assert_eq!((reply.status, reply.json()["code"].as_str()), (502, Some("demo.emulator_unreachable")));
    }
}

#[tokio::test]
async fn health_readiness_and_numbers() {
    let port = port(None).await;
    assert_eq!(get(&port.address, "/healthz").await.body, "ok\n");
    assert_eq!(get(&port.address, "/readyz").await.status, 200);
    *port.house.sick.lock().unwrap() = true;
    assert_eq!(get(&port.address, "/healthz").await.status, 200);
    let sick = get(&port.address, "/readyz").await;
    assert_eq!((sick.status, sick.json()["code"].as_str()), (503, Some("house.not_ready")));
    assert!(!sick.body.contains("/secret/path"));

    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let public = listener.local_addr().unwrap().to_string();
    let (_close, closing) = watch::channel(false);
    tokio::spawn(crate::serve_public(listener, Arc::clone(&port.house), closing));
    assert_eq!(send(&public, "POST", "/hooks/7", &[], "{}").await.status, 200);
    let numbers = get(&port.address, "/metrics").await;
    assert!(numbers.body.contains("pointsman_hooks_answered_total{status=\"2xx\"} "), "{}", numbers.body);
    assert!(numbers.body.contains("pointsman_hook_seconds_bucket"), "{}", numbers.body);
}
