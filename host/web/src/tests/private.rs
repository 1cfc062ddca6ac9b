//! The private port: the API's questions, its problems, the pages, and who is refused.

use std::sync::Arc;

use serde_json::Value;
use tokio::net::TcpListener;
use tokio::sync::watch;

use super::{Fake, fake, get, raw, send};
use crate::{PrivateConfig, Question, install_metrics, serve_private};

struct Port {
    address: String,
    house: Arc<Fake>,
    _close: watch::Sender<bool>,
}

async fn port() -> Port {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let (close, closing) = watch::channel(false);
    let house = fake();
    let config = PrivateConfig { metrics: install_metrics().unwrap() };
    tokio::spawn(serve_private(listener, Arc::clone(&house), config, closing));
    Port { address, house, _close: close }
}

#[tokio::test]
async fn every_address_of_the_api_asks_its_question() {
    let port = port().await;
    let cases = [
        ("/api/v1/runs", Question::Runs { conversation: None, limit: 50 }),
        ("/api/v1/runs?limit=7&conversation=12", Question::Runs { conversation: Some("12".into()), limit: 7 }),
        ("/api/v1/runs/34", Question::Run("34".into())),
        ("/api/v1/conversations?limit=200", Question::Conversations { limit: 200 }),
        ("/api/v1/conversations/12/messages", Question::Messages { conversation: "12".into(), limit: 50 }),
        ("/api/v1/trends", Question::Trends { weeks: 8 }),
        ("/api/v1/trends?weeks=3", Question::Trends { weeks: 3 }),
        ("/api/v1/spend", Question::Spend { limit: 50 }),
        ("/api/v1/spend?limit=7", Question::Spend { limit: 7 }),
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
    let port = port().await;
    let cases = [
        ("/api/v1/runs/none", 404, "id.unknown"),
        ("/api/v1/runs/odd", 400, "id.invalid"),
        ("/api/v1/parked", 503, "house.unavailable"),
        ("/api/v1/runs?limit=0", 400, "limit.invalid"),
        ("/api/v1/runs?limit=201", 400, "limit.invalid"),
        ("/api/v1/spend?limit=201", 400, "limit.invalid"),
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
    let port = port().await;
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
    let port = port().await;
    for (path, title) in [("/", "Status"), ("/runs", "Runs"), ("/conversations", "Conversations"), ("/spend", "Spend")] {
        let page = get(&port.address, path).await;
        assert_eq!((page.status, page.header("content-type")), (200, Some("text/html; charset=utf-8")), "{path}");
        assert!(page.body.contains(&format!("<title>{title} · Pointsman</title>")), "{}", page.body);
        assert!(page.header("content-security-policy").unwrap().starts_with("default-src 'self';"));
        assert_eq!((page.header("x-content-type-options"), page.header("x-frame-options")), (Some("nosniff"), Some("DENY")));
    }
    for (name, kind, text) in crate::pages::ASSETS {
        let asset = get(&port.address, &format!("/assets/{name}")).await;
        assert_eq!((asset.status, asset.header("content-type"), asset.body.as_str()), (200, Some(kind), text));
    }
    let json = [("content-type", "application/json")];
    for path in ["/demo/state", "/demo/act", "/demo/whatsapp/say"] {
        assert_eq!(send(&port.address, "POST", path, &json, "{}").await.status, 404, "a host has nothing of the demo: {path}");
    }
}

#[tokio::test]
async fn health_readiness_and_numbers() {
    let port = port().await;
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
    tokio::spawn(crate::serve_public(listener, Arc::clone(&port.house), closing, crate::PublicConfig::default()));
    assert_eq!(send(&public, "POST", "/hooks/7", &[], "{}").await.status, 200);
    let numbers = get(&port.address, "/metrics").await;
    assert!(numbers.body.contains("pointsman_hooks_answered_total{status=\"2xx\"} "), "{}", numbers.body);
    assert!(numbers.body.contains("pointsman_hook_seconds_bucket"), "{}", numbers.body);
}
