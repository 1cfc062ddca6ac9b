//! What it costs that the broker is a process of its own: a signature verified, and a message sent to a provider on loopback, with
//! the broker in this process and behind its socket. `cargo xtask bench broker`

use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::os::unix::net::UnixStream;
use std::time::Instant;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use futures::future::join_all;
use pointsman_broker::{Broker, EgressConfig, Exchange, StoredCredential, process};
use pointsman_core::ports::{Body, CredentialUse, HttpRequest, Method, Placement};
use pointsman_manifest::{SignatureScheme, VerifyScheme};
use pointsman_vault::{CredentialPlace, Keyring, SecretString};
use tokio::runtime::{Builder, Runtime};

/// Under way at once in the second measurement.
const MANY: usize = 64;
const ANSWER: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 16\r\n\r\n{\"success\":true}";

/// A provider that answers at once.
fn provider() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("an address").to_string();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.expect("a connection");
            std::thread::spawn(move || {
                let mut buffer = [0; 8192];
                // A request of this measurement comes in one piece.
                while stream.read(&mut buffer).is_ok_and(|read| read > 0) && stream.write_all(ANSWER).is_ok() {}
            });
        }
    });
    address
}

struct House {
    broker: Broker,
    token: [StoredCredential; 1],
    request: HttpRequest,
    scheme: VerifyScheme,
    _answers: tempfile::TempDir,
}

fn house(runtime: &Runtime, apart: bool) -> House {
    let (address, answers) = (provider(), tempfile::tempdir().expect("a folder"));
    let master = Keyring::generate().expect("a key");
    let (sealer, _) = master.credential_vault();
    let config = EgressConfig { allow_private: vec![address.clone()], ..EgressConfig::default() };
    let mut broker = Broker::noting(master, &config, answers.path().join("answers")).expect("a broker");
    if apart {
        let (ours, theirs) = UnixStream::pair().expect("a socket");
        // A thread of its own with what the process has: the way is the same, but for the memory.
        std::thread::spawn(move || {
            let own = Builder::new_current_thread().enable_all().build().expect("a runtime");
            own.block_on(process::serve(broker, theirs, std::future::pending())).expect("a good end");
        });
        broker = runtime.block_on(process::connect(ours)).expect("a broker").0;
    }
    let place = CredentialPlace { workspace: 1, owner: 7, slot: "token".to_owned(), hosts: vec![format!("http://{address}")] };
    let sealed = sealer.seal(&place, &SecretString::from("EAAGm0PX4ZCpsBAKZCgq")).expect("sealed");
    let CredentialPlace { workspace, owner, slot, hosts } = place;
    House {
        broker,
        token: [StoredCredential { workspace, owner, slot, hosts, sealed }],
        request: HttpRequest {
            method: Method::Post,
            url: format!("http://{address}/v21.0/15550000000/messages"),
            headers: vec![("content-type".to_owned(), "application/json".to_owned())],
            body: Body::Bytes(vec![b'x'; 200]),
            credentials: vec![CredentialUse { slot: "token".to_owned(), place: Placement::Bearer }],
            keep_body: false,
            timeout: None,
        },
        scheme: VerifyScheme {
            scheme: SignatureScheme::HmacSha256,
            header: "x-hub-signature-256".to_owned(),
            prefix: "sha256=".to_owned(),
            secret: "token".to_owned(),
            encoding: None,
        },
        _answers: answers,
    }
}

impl House {
    async fn verify(&self) {
        let headers = vec![("x-hub-signature-256".to_owned(), format!("sha256={}", "0".repeat(64)))];
        let body = [b'x'; 668];
        assert_eq!(self.broker.verify(&self.scheme, Some(&self.token[0]), &headers, &body).await, Ok(false));
    }

    async fn send(&self, n: usize) {
        let key = n.to_string();
        let exchange = Exchange { key: &key, attempt: 1, number: 0 };
        let answer = self.broker.send_noted(&self.request, &self.token, &[], exchange).await.expect("an answer");
        assert_eq!(answer.status, 200);
        self.broker.forget(&key);
    }
}

fn broker(c: &mut Criterion) {
    let runtime = Builder::new_multi_thread().enable_all().build().expect("a runtime");
    for (way, apart) in [("here", false), ("process", true)] {
        let house = house(&runtime, apart);
        for many in [1, MANY] {
            let mut group = c.benchmark_group(format!("broker/{way}/{many}_at_once"));
            group.throughput(Throughput::Elements(many as u64));
            group.bench_function("verify", |b| {
                b.iter_custom(|rounds| {
                    let since = Instant::now();
                    for _ in 0..rounds {
                        runtime.block_on(join_all((0..many).map(|_| house.verify())));
                    }
                    since.elapsed()
                });
            });
            group.bench_function("send", |b| {
                b.iter_custom(|rounds| {
                    let since = Instant::now();
                    for _ in 0..rounds {
                        runtime.block_on(join_all((0..many).map(|n| house.send(n))));
                    }
                    since.elapsed()
                });
            });
            group.finish();
        }
    }
}

criterion_group!(benches, broker);
criterion_main!(benches);
