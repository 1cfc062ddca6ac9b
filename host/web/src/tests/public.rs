//! The public port: what passes, what is cut, and how it closes.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use pointsman_core::ports::Method;
use tokio::io::AsyncWriteExt;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::{Fake, fake, raw, read, send};
use crate::body::Pace;
use crate::flood::PublicConfig;
use crate::listen::Patience;
use crate::public::{Grant, serve_with};

struct Port {
    address: String,
    house: Arc<Fake>,
    close: watch::Sender<bool>,
    serving: JoinHandle<std::io::Result<()>>,
}

async fn port_with(connections: u32) -> Port {
    port_of(connections, PublicConfig::default()).await
}

async fn port_of(connections: u32, config: PublicConfig) -> Port {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let (close, closing) = watch::channel(false);
    let house = fake();
    let grant = Grant {
        patience: Patience { head: Duration::from_millis(300), drain: Duration::from_secs(3), ..Patience::with(connections) },
        pace: Pace { silence: Duration::from_millis(300), whole: Duration::from_millis(900) },
        ..Grant::usual(connections)
    };
    let serving = tokio::spawn(serve_with(listener, house.clone(), closing, grant, config));
    Port { address, house, close, serving }
}

async fn port() -> Port {
    port_with(64).await
}

#[tokio::test]
async fn a_webhook_reaches_the_house_as_it_came() {
    let port = port().await;
    let request = b"POST /hooks/7/a/b?x=1&y=%20 HTTP/1.1\r\nHost: h\r\nX-Hub-Signature-256: sha256=ab\r\nX-Binary: \xff\r\nX-Twice: 1\r\nX-Twice: 2\r\nconnection: close\r\ncontent-length: 5\r\n\r\n{\"\xc3\xa4}";
    let reply = raw(&port.address, request).await;
    assert_eq!((reply.status, reply.body.as_str(), reply.header("content-type")), (200, "kept", Some("text/plain")));
    let got = port.house.received.lock().unwrap().remove(0);
    assert_eq!(
        (got.channel.as_str(), got.path.as_str(), got.query.as_str(), got.method),
        ("7", "a/b", "x=1&y=%20", Method::Post)
    );
    assert_eq!(&got.body[..], b"{\"\xc3\xa4}");
    let names: Vec<_> = got.headers.iter().map(|(name, value)| format!("{name}={value}")).collect();
    assert!(names.contains(&"x-hub-signature-256=sha256=ab".to_owned()), "{names:?}");
    assert!(names.contains(&"x-twice=1".to_owned()) && names.contains(&"x-twice=2".to_owned()), "{names:?}");
    assert!(!names.iter().any(|n| n.starts_with("x-binary")), "what is no text is left out: {names:?}");
}

#[tokio::test]
async fn only_hooks_are_served_and_the_house_decides_about_channels() {
    let port = port().await;
    for path in ["/", "/healthz", "/metrics", "/api/v1/runs", "/hooks/", "/demo/say"] {
        assert_eq!(send(&port.address, "GET", path, &[], "").await.status, 404, "{path}");
    }
    let no = send(&port.address, "DELETE", "/hooks/7", &[], "").await;
    assert_eq!((no.status, no.header("allow")), (405, Some("GET, POST")));
    assert!(port.house.received.lock().unwrap().is_empty());
    assert_eq!(send(&port.address, "POST", "/hooks/nobody", &[], "{}").await.status, 401);
    assert_eq!(send(&port.address, "GET", "/hooks/7?hub.mode=subscribe", &[], "").await.status, 200);
}

#[tokio::test]
async fn a_body_over_the_limit_of_its_channel_is_refused_unread() {
    let port = port().await;
    assert_eq!(send(&port.address, "POST", "/hooks/7", &[], &"a".repeat(1_000)).await.status, 200);
    // Announced: the answer comes although no byte of the body does.
    let reply = raw(&port.address, b"POST /hooks/7 HTTP/1.1\r\nhost: h\r\ncontent-length: 1001\r\n\r\n").await;
    assert_eq!((reply.status, reply.header("connection")), (413, Some("close")));
    // Not announced: as soon as it is too much.
    let chunk = format!("258\r\n{}\r\n", "a".repeat(600)).repeat(2);
    let reply =
        raw(&port.address, format!("POST /hooks/7 HTTP/1.1\r\nhost: h\r\ntransfer-encoding: chunked\r\n\r\n{chunk}").as_bytes())
            .await;
    assert_eq!(reply.status, 413);
    assert_eq!(send(&port.address, "POST", "/hooks/nobody", &[], &"a".repeat(101)).await.status, 413);
    assert_eq!(port.house.received.lock().unwrap().len(), 1);
}

#[tokio::test]
async fn who_is_slow_is_cut() {
    let port = port().await;
    let silent = raw(&port.address, b"").await;
    assert!(silent.status == 0 || silent.status == 408, "{}", silent.head);
    let half = raw(&port.address, b"POST /hooks/7 HTTP/1.1\r\nhost: h\r\nx-slow: ").await;
    assert!(half.status == 0 || half.status == 408, "{}", half.head);
    // In two pieces it is a head like any other.
    let mut pieces = TcpStream::connect(&port.address).await.unwrap();
    pieces.write_all(b"GET /nothing HTTP/1.1\r\nhost: h\r").await.unwrap();
    tokio::time::sleep(Duration::from_millis(50)).await;
    pieces.write_all(b"\nconnection: close\r\n\r\n").await.unwrap();
    let mut answer = Vec::new();
    tokio::io::AsyncReadExt::read_to_end(&mut pieces, &mut answer).await.unwrap();
    assert!(answer.starts_with(b"HTTP/1.1 404"), "{}", String::from_utf8_lossy(&answer));
    // Who does not speak HTTP is told so before his time is over.
    let since = std::time::Instant::now();
    let strange = raw(&port.address, b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03").await;
    assert!(strange.status == 400 && since.elapsed() < Duration::from_millis(250), "{}", strange.head);
    let stalled = raw(&port.address, b"POST /hooks/7 HTTP/1.1\r\nhost: h\r\ncontent-length: 10\r\n\r\nabc").await;
    assert_eq!(stalled.status, 408);
    // Drips often enough to never be silent, and is still cut.
    let mut drip = TcpStream::connect(&port.address).await.unwrap();
    drip.write_all(b"POST /hooks/7 HTTP/1.1\r\nhost: h\r\ncontent-length: 100\r\n\r\n").await.unwrap();
    let (mut from, mut to) = drip.into_split();
    let dripping = tokio::spawn(async move {
        while to.write_all(b"a").await.is_ok() {
            tokio::time::sleep(Duration::from_millis(100)).await
        }
    });
    let mut bytes = Vec::new();
    let ended = tokio::io::AsyncReadExt::read_to_end(&mut from, &mut bytes);
    // A reset instead of an end is as good a cut.
    let _ = tokio::time::timeout(Duration::from_secs(5), ended).await.expect("cut in time");
    assert!(bytes.is_empty() || bytes.starts_with(b"HTTP/1.1 408"), "{}", String::from_utf8_lossy(&bytes));
    dripping.abort();
    assert!(port.house.received.lock().unwrap().is_empty());
}

#[tokio::test]
async fn headers_without_end_are_refused() {
    let port = port().await;
    let many = format!("POST /hooks/7 HTTP/1.1\r\n{}\r\n", "x: y\r\n".repeat(40_000));
    let mut stream = TcpStream::connect(&port.address).await.unwrap();
    let (mut from, mut to) = stream.split();
    let (_, bytes) = tokio::join!(to.write_all(many.as_bytes()), async {
        let mut bytes = Vec::new();
        let _ = tokio::io::AsyncReadExt::read_to_end(&mut from, &mut bytes).await;
        bytes
    });
    assert!(bytes.is_empty() || bytes.starts_with(b"HTTP/1.1 431"), "{}", String::from_utf8_lossy(&bytes));
    assert!(port.house.received.lock().unwrap().is_empty());
}

#[tokio::test]
async fn a_connection_over_the_cap_waits_until_one_is_free() {
    let port = port_with(1).await;
    let holds = TcpStream::connect(&port.address).await.unwrap();
    tokio::time::sleep(Duration::from_millis(50)).await;
    let second = send(&port.address, "POST", "/hooks/7", &[], "{}");
    // The first never says anything and is cut after 300 ms; then the second's turn comes.
    let began = tokio::time::Instant::now();
    assert_eq!(second.await.status, 200);
    assert!(began.elapsed() > Duration::from_millis(150), "{:?}", began.elapsed());
    drop(holds);
}

#[tokio::test]
async fn a_provider_that_hangs_up_does_not_stop_the_house() {
    let port = port().await;
    port.house.slow.store(200, Ordering::SeqCst);
    let mut stream = TcpStream::connect(&port.address).await.unwrap();
    stream.write_all(b"POST /hooks/7 HTTP/1.1\r\nhost: h\r\ncontent-length: 2\r\n\r\n{}").await.unwrap();
    tokio::time::sleep(Duration::from_millis(50)).await;
    drop(stream);
    tokio::time::sleep(Duration::from_millis(500)).await;
    assert_eq!(port.house.received.lock().unwrap().len(), 1);
}

#[tokio::test]
async fn a_panic_behind_is_an_answer_in_front() {
    let port = port().await;
    assert_eq!(send(&port.address, "POST", "/hooks/panic", &[], "{}").await.status, 500);
    assert_eq!(send(&port.address, "POST", "/hooks/7", &[], "{}").await.status, 200);
}

#[tokio::test]
async fn closing_lets_requests_under_way_end_and_takes_no_new_ones() {
    let port = port().await;
    port.house.slow.store(300, Ordering::SeqCst);
    let mut stream = TcpStream::connect(&port.address).await.unwrap();
    stream.write_all(b"POST /hooks/7 HTTP/1.1\r\nhost: h\r\ncontent-length: 2\r\n\r\n{}").await.unwrap();
    tokio::time::sleep(Duration::from_millis(100)).await;
    port.close.send(true).unwrap();
    assert_eq!(read(&mut stream).await.status, 200);
    tokio::time::timeout(Duration::from_secs(2), port.serving).await.expect("closes").unwrap().unwrap();
    assert!(TcpStream::connect(&port.address).await.is_err());
}

#[tokio::test]
async fn who_forges_much_is_sent_away_unread_and_who_is_right_is_not() {
    let port = port_of(64, PublicConfig { refused_a_second: 1, ..PublicConfig::default() }).await;
    let from = |channel: &'static str, address: &'static str| {
        let (path, port) = (format!("/hooks/{channel}"), &port);
        async move { send(&port.address, "POST", &path, &[("x-forwarded-for", address)], "{}").await }
    };
    assert_eq!(from("7", "198.51.100.1").await.status, 200);
    for n in 0..10 {
        assert_eq!(from("nobody", "192.0.2.1").await.status, 401, "{n}");
    }
    let received = port.house.received.lock().unwrap().len();
    let away = from("nobody", "192.0.2.1").await;
    assert_eq!((away.status, away.header("retry-after"), away.header("connection")), (429, Some("1"), Some("close")));
    assert_eq!(from("7", "192.0.2.1").await.status, 429, "nor is it heard elsewhere");
    assert_eq!(port.house.received.lock().unwrap().len(), received, "no work was done for it");
    assert_eq!(from("7", "198.51.100.1").await.status, 200, "the provider is heard as before");
    assert_eq!(from("7", "198.51.100.2").await.status, 200, "a new address of it too");
}
