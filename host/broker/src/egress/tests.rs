//! The whole way over real sockets, against a small server of our own that misbehaves on demand.

use std::io::Write;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use base64::Engine as _;
use pointsman_core::failure::Class;
use pointsman_core::ports::{Body, CredentialUse, Method, Placement};
use pointsman_manifest::{CredentialSlot, PlacementKind};
use pointsman_vault::{CredentialPlace, CredentialSealer, Keyring};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use super::*;
use crate::Broker;

const TOKEN: &str = "EAAGm0PX4ZCpsBAKZCgq/AbC+dEf.123";

enum Does {
    Answers(Vec<u8>),
    AnswersAndCloses(Vec<u8>),
    Closes,
    Hangs,
}

struct Server {
    address: SocketAddr,
    connections: Arc<AtomicUsize>,
    requests: Arc<Mutex<Vec<String>>>,
}

impl Server {
    async fn start(does: impl Fn(&str) -> Does + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (connections, requests) = (Arc::new(AtomicUsize::new(0)), Arc::new(Mutex::new(Vec::new())));
        let (does, counted, seen) = (Arc::new(does), Arc::clone(&connections), Arc::clone(&requests));
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                counted.fetch_add(1, Ordering::SeqCst);
                tokio::spawn(Self::talk(stream, Arc::clone(&does), Arc::clone(&seen)));
            }
        });
        Self { address, connections, requests }
    }

    async fn talk(mut stream: TcpStream, does: Arc<impl Fn(&str) -> Does>, seen: Arc<Mutex<Vec<String>>>) {
        while let Some(request) = Self::read(&mut stream).await {
            seen.lock().unwrap().push(request.clone());
            match does(&request) {
                Does::Answers(bytes) => stream.write_all(&bytes).await.unwrap_or_default(),
                Does::AnswersAndCloses(bytes) => {
                    stream.write_all(&bytes).await.unwrap_or_default();
                    return;
                }
                Does::Closes => return,
                Does::Hangs => tokio::time::sleep(Duration::from_secs(60)).await,
            }
        }
    }

    async fn read(stream: &mut TcpStream) -> Option<String> {
        let mut request = Vec::new();
        loop {
            let text = String::from_utf8_lossy(&request).into_owned();
            if let Some((head, body)) = text.split_once("\r\n\r\n") {
                let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")?.parse().ok()).unwrap_or(0);
                if body.len() >= length {
                    return Some(text);
                }
            }
            let mut buffer = [0; 4096];
            match stream.read(&mut buffer).await {
                Ok(0) | Err(_) => return None,
                Ok(read) => request.extend_from_slice(&buffer[..read]),
            }
        }
    }

    fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    fn seen(&self) -> Vec<String> {
        self.requests.lock().unwrap().clone()
    }

    fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }
}

fn answer(status: &str, headers: &[(&str, &str)], body: &[u8]) -> Vec<u8> {
    let mut text = format!("HTTP/1.1 {status}\r\ncontent-length: {}\r\n", body.len());
    for (name, value) in headers {
        text.push_str(&format!("{name}: {value}\r\n"));
    }
    [text.as_bytes(), b"\r\n", body].concat()
}

fn ok() -> Does {
    Does::Answers(answer("200 OK", &[("content-type", "application/json")], b"{\"success\":true}"))
}

struct House {
    broker: Broker,
    sealer: CredentialSealer,
}

fn house(allow: &[String]) -> House {
    let (sealer, opener) = Keyring::generate().unwrap().credential_vault();
    let config = EgressConfig { allow_private: allow.to_vec(), timeout_ms: 2_000, ..EgressConfig::default() };
    House { broker: Broker::new(opener, &config).unwrap(), sealer }
}

impl House {
    fn stored(&self, slot: &str, hosts: &[&str], secret: &str) -> StoredCredential {
        let hosts: Vec<String> = hosts.iter().map(ToString::to_string).collect();
        let place = CredentialPlace { workspace: 1, owner: 7, slot: slot.to_owned(), hosts: hosts.clone() };
        let sealed = self.sealer.seal(&place, &SecretString::from(secret)).unwrap();
        StoredCredential { workspace: 1, owner: 7, slot: slot.to_owned(), hosts, sealed }
    }
}

/// A house that may speak to `server`, with a token pinned to it.
fn at_home(server: &Server) -> (House, Vec<StoredCredential>) {
    let house = house(&[server.address.to_string()]);
    let stored = house.stored("access_token", &[&server.url("")], TOKEN);
    (house, vec![stored])
}

fn post(url: &str) -> HttpRequest {
    HttpRequest {
        method: Method::Post,
        url: url.to_owned(),
        headers: vec![("content-type".to_owned(), "application/json".to_owned())],
        body: Body::Bytes(b"{\"text\":\"hi\"}".to_vec()),
        credentials: vec![CredentialUse { slot: "access_token".to_owned(), place: Placement::Bearer }],
        keep_body: false,
        timeout: None,
    }
}

fn refused(sent: Result<HttpResponse, EgressError>) -> Failure {
    match sent {
        Err(EgressError::Refused(failure)) => failure,
        other => panic!("not refused: {other:?}"),
    }
}

#[tokio::test]
async fn a_token_goes_out_and_the_connection_is_kept() {
    let server = Server::start(|_| ok()).await;
    let (house, stored) = at_home(&server);
    for _ in 0..20 {
        let answer = house.broker.send(&post(&server.url("/v21.0/1/messages")), &stored).await.unwrap();
        assert_eq!((answer.status, answer.body.as_slice()), (200, b"{\"success\":true}".as_slice()));
        assert_eq!(answer.headers, [("content-type".to_owned(), "application/json".to_owned())]);
    }
    assert_eq!(server.connections(), 1);
    let seen = server.seen();
    assert!(seen[0].starts_with("POST /v21.0/1/messages HTTP/1.1\r\n"), "{}", seen[0]);
    assert!(seen[0].contains(&format!("authorization: Bearer {TOKEN}\r\n")));
    assert!(seen[0].ends_with("\r\n\r\n{\"text\":\"hi\"}"));
    assert!(seen[0].contains("user-agent: pointsman/"));
}

#[tokio::test]
async fn many_at_once() {
    let server = Server::start(|_| ok()).await;
    let (house, stored) = at_home(&server);
    let sends = (0..200).map(|_| {
        let (broker, stored, request) = (house.broker.clone(), stored.clone(), post(&server.url("/x")));
        tokio::spawn(async move { broker.send(&request, &stored).await.map(|answer| answer.status) })
    });
    for send in sends.collect::<Vec<_>>() {
        assert_eq!(send.await.unwrap(), Ok(200));
    }
    assert_eq!(server.seen().len(), 200);
}

#[tokio::test]
async fn a_redirect_is_an_answer() {
    let elsewhere = Server::start(|_| ok()).await;
    let target = elsewhere.url("/stolen");
    for status in ["301 Moved", "302 Found", "303 See Other", "307 Temporary", "308 Permanent"] {
        let location = target.clone();
        let server = Server::start(move |_| Does::Answers(answer(status, &[("location", &location)], b""))).await;
        let (house, stored) = at_home(&server);
        let answer = house.broker.send(&post(&server.url("/")), &stored).await.unwrap();
        assert_eq!(answer.status.to_string(), status[..3]);
        assert_eq!(answer.headers, [("location".to_owned(), target.clone())]);
        assert_eq!(server.seen().len(), 1);
    }
    assert_eq!(elsewhere.connections(), 0);
}

fn gzip(text: &[u8]) -> Vec<u8> {
    let mut file = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    file.write_all(text).unwrap();
    file.finish().unwrap()
}

#[tokio::test]
async fn an_echo_is_scrubbed() {
    let server = Server::start(|request| {
        let encoded = base64::engine::general_purpose::STANDARD.encode(request);
        let escaped = serde_json::to_string(request).unwrap().replace('/', "\\/");
        let line = request.lines().find(|line| line.starts_with("authorization")).unwrap_or_default();
        let packed = base64::engine::general_purpose::STANDARD.encode(gzip(request.as_bytes()));
        let body = format!("{request} {encoded} {escaped} {} {packed}", hex::encode(request));
        let headers =
            [("x-echo", line), ("x-echo-64", &encoded), ("x-echo-gz", &packed), ("set-cookie", "session=1"), ("x-plain", "1")];
        Does::Answers(if request.contains("accept-encoding: gzip") {
            let headers: Vec<_> = headers.into_iter().chain([("content-encoding", "gzip")]).collect();
            answer("500 Oops", &headers, &gzip(body.as_bytes()))
        } else {
            answer("401 No", &headers, body.as_bytes())
        })
    })
    .await;
    let (house, stored) = at_home(&server);
    let engine = base64::engine::general_purpose::STANDARD_NO_PAD;
    for method in [Method::Get, Method::Post] {
        for pad in ["", "a", "ab"] {
            let mut request = post(&server.url(&format!("/{pad}")));
            request.method = method;
            let answer = house.broker.send(&request, &stored).await.unwrap();
            assert_eq!(answer.status, if method == Method::Get { 500 } else { 401 });
            let text = format!("{answer:?} {}", String::from_utf8_lossy(&answer.body));
            assert!(text.contains("Bearer [redacted]"), "{text}");
            assert!(text.contains("x-plain") && !text.contains("set-cookie") && !text.contains("content-encoding"));
            assert!(text.contains("(\"x-echo-gz\", \"[redacted]\")") && !text.contains("H4sI"), "{text}");
            let forms = [TOKEN.to_owned(), TOKEN.replace('/', "\\/"), hex::encode(TOKEN), "G0PX4ZCpsBAKZ".to_owned()];
            assert!(forms.iter().all(|form| !text.contains(form.as_str())), "{text}");
            for shift in 0..3 {
                let core = engine.encode([&vec![0; shift], TOKEN.as_bytes()].concat());
                assert!(!text.contains(&core[4..core.len() - 4]), "{text}");
            }
        }
    }
    // The last part of a secret in the URL comes back, too.
    let slots = [CredentialSlot {
        slot: "access_token".to_owned(),
        hosts: vec!["ignored.example".to_owned()],
        placements: vec![PlacementKind::Query, PlacementKind::Path],
        why: "sends".to_owned(),
        optional: false,
        generate: false,
    }];
    let mut request = post(&server.url("/?a=1"));
    request.credentials[0].place = Placement::Query("key".to_owned());
    let answer = house.broker.send_placed(&request, &stored, &slots).await.unwrap();
    let text = String::from_utf8_lossy(&answer.body).into_owned();
    assert!(server.seen().last().unwrap().starts_with("POST /?a=1&key=EAAGm0PX4ZCpsBAKZCgq%2FAbC%2BdEf.123 "));
    assert!(!text.contains("EAAGm0PX4ZCpsBAKZCgq"), "{text}");
    assert_eq!(refused(house.broker.send(&request, &stored).await).code, "denied.credential");
}

#[tokio::test]
async fn lost_or_not_sent() {
    // Nobody listens: certainly not sent.
    let gone = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = gone.local_addr().unwrap();
    drop(gone);
    let inside = house(&[address.to_string(), "no-such-name.invalid:80".to_owned()]);
    let pins = [format!("http://{address}"), "http://no-such-name.invalid".to_owned()];
    let stored = [inside.stored("access_token", &[&pins[0], &pins[1]], TOKEN)];
    for (url, code) in [(&pins[0], "egress.connect"), (&pins[1], "egress.dns")] {
        match inside.broker.send(&post(url), &stored).await {
            Err(EgressError::NotSent(failure)) => assert_eq!((failure.code.as_str(), failure.class), (code, Class::Transient)),
            other => panic!("{other:?}"),
        }
    }
    // The request arrived, and then something broke: unknown.
    let bomb = gzip(&vec![b'x'; 8 << 20]);
    let cases: Vec<(&str, fn(&[u8]) -> Does)> = vec![
        ("closed", |_| Does::Closes),
        ("hangs", |_| Does::Hangs),
        ("half a head", |_| Does::AnswersAndCloses(b"HTTP/1.1 200 OK\r\ncontent-le".to_vec())),
        ("half a body", |_| Does::AnswersAndCloses(b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n{\"a\"".to_vec())),
        ("body hangs", |_| Does::Answers(b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n{\"a\"".to_vec())),
        ("garbage", |_| Does::AnswersAndCloses(b"not http at all\r\n\r\n".to_vec())),
        ("large", |_| Does::Answers(answer("200 OK", &[], &vec![b'x'; (1 << 20) + 1]))),
        ("endless", |_| {
            let head = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n".to_vec();
            Does::Answers(
                [head, b"10000\r\n".to_vec(), [vec![b'x'; 0x10000], b"\r\n10000\r\n".to_vec()].concat().repeat(40)].concat(),
            )
        }),
        ("large headers", |_| Does::Answers(answer("200 OK", &[("x-a", &"x".repeat(70_000))], b""))),
        ("bomb", |bomb| Does::Answers(answer("200 OK", &[("content-encoding", "gzip")], bomb))),
        ("broken gzip", |_| Does::Answers(answer("200 OK", &[("content-encoding", "gzip")], b"\x1f\x8bnot"))),
        ("other encoding", |_| Does::Answers(answer("200 OK", &[("content-encoding", "br")], b"xx"))),
        ("two encodings", |bomb| {
            Does::Answers(answer("200 OK", &[("content-encoding", "gzip"), ("content-encoding", "br")], bomb))
        }),
        ("nested encodings", |bomb| Does::Answers(answer("200 OK", &[("content-encoding", "gzip, gzip")], bomb))),
    ];
    for (name, does) in cases {
        let bomb = bomb.clone();
        let server = Server::start(move |_| does(&bomb)).await;
        let (house, stored) = at_home(&server);
        let mut request = post(&server.url("/"));
        request.timeout = Some(400);
        let sent = house.broker.send(&request, &stored).await;
        assert!(matches!(sent, Err(EgressError::Lost(_))), "{name}: {sent:?}");
        assert_eq!(server.seen().len(), 1, "{name}: sent again");
    }
    // An answer is an answer, whatever it says.
    let server = Server::start(|_| Does::Answers(answer("503 Later", &[("Retry-After", "7")], b"busy"))).await;
    let (house, stored) = at_home(&server);
    let answer = house.broker.send(&post(&server.url("/")), &stored).await.unwrap();
    assert_eq!((answer.status, answer.headers), (503, vec![("retry-after".to_owned(), "7".to_owned())]));
}

#[tokio::test]
async fn nothing_leaves_without_leave() {
    let server = Server::start(|_| ok()).await;
    let port = server.address.port();
    // Not opened by the operator.
    let closed = house(&[]);
    let stored = [closed.stored("access_token", &[&server.url("")], TOKEN)];
    for url in [
        server.url("/"),
        format!("https://127.0.0.1:{port}/"),
        format!("https://localhost:{port}/"),
        format!("http://[::ffff:127.0.0.1]:{port}/"),
    ] {
        assert_eq!(refused(closed.broker.send(&post(&url), &stored).await).code, "denied.egress", "{url}");
    }
    // Opened, and pinned elsewhere: other port, other scheme, look-alike, nowhere.
    let open = house(&[server.address.to_string(), format!("localhost:{port}")]);
    let near = format!("http://127.0.0.1:{}", port ^ 1);
    for pins in
        [vec![near.as_str()], vec!["https://127.0.0.1"], vec!["http://127.0.0.1"], vec!["https://graph.facebook.com"], vec![]]
    {
        let stored = [open.stored("access_token", &pins, TOKEN)];
        assert_eq!(refused(open.broker.send(&post(&server.url("/")), &stored).await).code, "denied.credential", "{pins:?}");
    }
    // A row that was pinned anew, or moved to another tenant, does not open.
    let honest = open.stored("access_token", &["https://graph.facebook.com"], TOKEN);
    let moved = StoredCredential { hosts: vec![server.url("")], ..honest.clone() };
    assert_eq!(refused(open.broker.send(&post(&server.url("/")), &[moved]).await).code, "vault.damaged");
    let good = open.stored("access_token", &[&server.url("")], TOKEN);
    let stolen = StoredCredential { workspace: 2, ..good.clone() };
    assert_eq!(refused(open.broker.send(&post(&server.url("/")), &[stolen.clone()]).await).code, "vault.damaged");
    assert_eq!(refused(open.broker.send(&post(&server.url("/")), &[good.clone(), stolen]).await).code, "egress.credentials");
    // Without a credential, too, only to where the channel goes.
    let mut plain = post(&format!("http://localhost:{port}/"));
    plain.credentials.clear();
    assert_eq!(refused(open.broker.send(&plain, std::slice::from_ref(&good)).await).code, "denied.http");
    let mut kept = post(&server.url("/"));
    kept.keep_body = true;
    assert_eq!(refused(open.broker.send(&kept, std::slice::from_ref(&good)).await).code, "unsupported.blob");
    assert_eq!(server.connections(), 0);
    // A name that the operator opened may lead inside.
    let named = open.stored("access_token", &[&format!("http://localhost:{port}")], TOKEN);
    assert_eq!(open.broker.send(&post(&format!("http://localhost:{port}/")), &[named]).await.unwrap().status, 200);
}

#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<u8>>>);

impl Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }
    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// Everything that this thread says at TRACE, our client's libraries included, holds no token.
#[tokio::test]
async fn no_log_line_and_no_error_holds_a_token() {
    let lines = Lines::default();
    let writer = lines.clone();
    let subscriber = tracing_subscriber::fmt().with_max_level(tracing::Level::TRACE).with_writer(move || writer.clone()).finish();
    // Were this the only one there is, what another test is the first to say would count as unwanted here too.
    let _second = tracing::Dispatch::new(tracing_subscriber::fmt().with_writer(std::io::sink).finish());
    let _guard = tracing::subscriber::set_default(subscriber);
    let server = Server::start(|request| match request.split(' ').nth(1).unwrap_or_default().chars().nth(1) {
        Some('c') => Does::Closes,
        Some('h') => Does::Hangs,
        Some('e') => Does::Answers(answer("400 Bad", &[], request.as_bytes())),
        _ => ok(),
    })
    .await;
    let (house, _) = at_home(&server);
    let slots = [CredentialSlot {
        slot: "access_token".to_owned(),
        hosts: vec!["ignored.example".to_owned()],
        placements: vec![PlacementKind::Bearer, PlacementKind::Query, PlacementKind::Path, PlacementKind::Header],
        why: "sends".to_owned(),
        optional: false,
        generate: false,
    }];
    let mut said = String::new();
    for round in 0..8 {
        let token = format!("t0ken{round}xZQ{}", hex::encode([round; 12]));
        let stored = [house.stored("access_token", &[&server.url("")], &token)];
        for path in ["c", "h", "e", "o", "{token}"] {
            for place in [
                Placement::Bearer,
                Placement::Query("key".to_owned()),
                Placement::Header { name: "x-key".to_owned(), prefix: String::new() },
                Placement::Path("{token}".to_owned()),
            ] {
                let mut request = post(&server.url(&format!("/{path}")));
                request.timeout = Some(30);
                request.credentials[0].place = place;
                said.push_str(&format!("{:?}\n", house.broker.send_placed(&request, &stored, &slots).await));
            }
        }
        said.push_str(&format!("{:?} {:?}", stored, house.broker));
    }
    let logged = String::from_utf8(lines.0.lock().unwrap().clone()).unwrap();
    assert!(logged.contains("answered") && logged.contains("TRACE"), "the log was heard");
    for text in [&logged, &said] {
        assert!(!text.contains("t0ken"), "{text}");
    }
    assert!(server.seen().iter().filter(|request| request.contains("t0ken")).count() > 50, "tokens were really sent");
}
