//! Both ways of the broker side by side: each test asks one in this process and one behind a socket.

use std::os::unix::net::UnixStream as Socket;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use pointsman_core::ports::{Body, CredentialUse, HttpRequest, Method, Placement};
use pointsman_manifest::{Handshake, HandshakeKind, SignatureScheme, VerifyScheme};
use pointsman_vault::{CredentialPlace, CredentialSealer, Keyring, MasterKey, SecretString};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

use super::*;
use crate::{Broker, EgressConfig, EgressError, Exchange, Recalled, StoredCredential};

const TOKEN: &str = "EAAGm0PX4ZCpsBAKZCgq";

/// A provider that answers each request after a while with the request's own body.
async fn provider(delay: Duration) -> (String, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let requests = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&requests);
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let counted = Arc::clone(&counted);
            tokio::spawn(async move {
                let mut seen = Vec::new();
                while stream.read_buf(&mut seen).await.is_ok_and(|read| read > 0) {
                    let text = String::from_utf8_lossy(&seen).into_owned();
                    let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
                    let length = head.lines().find_map(|l| l.strip_prefix("content-length: ")?.parse().ok()).unwrap_or(0);
                    if body.len() < length {
                        continue;
                    }
                    assert!(head.contains(&format!("Bearer {TOKEN}")), "{head}");
                    counted.fetch_add(1, Ordering::SeqCst);
                    tokio::time::sleep(delay).await;
                    let answer = format!("HTTP/1.1 200 OK\r\ncontent-length: {length}\r\n\r\n{body}");
                    stream.write_all(answer.as_bytes()).await.unwrap();
                    seen.clear();
                }
            });
        }
    });
    (address, requests)
}

struct House {
    master: Keyring,
    sealer: CredentialSealer,
    dir: tempfile::TempDir,
    provider: String,
}

impl House {
    fn new(provider: &str) -> Self {
        let master = Keyring::generate().unwrap();
        let (sealer, _) = master.credential_vault();
        Self { master, sealer, dir: tempfile::tempdir().unwrap(), provider: provider.to_owned() }
    }

    fn keyring(&self) -> Keyring {
        Keyring::new(MasterKey::from_text(&self.master.current().to_text()).unwrap())
    }

    fn here(&self) -> Broker {
        let config = EgressConfig { allow_private: vec![self.provider.clone()], ..EgressConfig::default() };
        Broker::noting(self.keyring(), &config, self.dir.path().join("answers")).unwrap()
    }

    /// A broker behind a socket; its task ends when it has finished.
    async fn there(&self) -> (Broker, Connection, tokio::task::JoinHandle<std::io::Result<()>>) {
        let (ours, theirs) = Socket::pair().unwrap();
        let served = tokio::spawn(serve(self.here(), theirs, std::future::pending()));
        let (broker, connection) = connect(ours).await.unwrap();
        assert_eq!(broker.keys(None).await.unwrap().to_bytes(), self.master.store_keys().to_bytes());
        (broker, connection, served)
    }

    fn stored(&self, slot: &str, secret: &str) -> StoredCredential {
        let hosts = vec![format!("http://{}", self.provider)];
        let place = CredentialPlace { workspace: 1, owner: 7, slot: slot.to_owned(), hosts: hosts.clone() };
        let sealed = self.sealer.seal(&place, &SecretString::from(secret)).unwrap();
        StoredCredential { workspace: 1, owner: 7, slot: slot.to_owned(), hosts, sealed }
    }

    fn post(&self, body: Vec<u8>) -> HttpRequest {
        HttpRequest {
            method: Method::Post,
            url: format!("http://{}/messages", self.provider),
            headers: vec![("content-type".to_owned(), "application/json".to_owned())],
            body: Body::Bytes(body),
            credentials: vec![CredentialUse { slot: "access_token".to_owned(), place: Placement::Bearer }],
            keep_body: false,
            timeout: None,
        }
    }
}

#[tokio::test]
async fn both_ways_say_the_same() {
    let (address, requests) = provider(Duration::ZERO).await;
    let house = House::new(&address);
    let (there, connection, served) = house.there().await;
    let token = [house.stored("access_token", TOKEN)];
    let scheme = |slot: &str| VerifyScheme {
        scheme: SignatureScheme::SecretHeader,
        header: "X-Secret".to_owned(),
        prefix: String::new(),
        secret: slot.to_owned(),
        encoding: None,
    };
    let handshake = Handshake { kind: HandshakeKind::HubChallenge, token: "access_token".to_owned() };
    let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    for broker in [house.here(), there] {
        let answer = broker.send(&house.post(b"{\"a\":1}".to_vec()), &token).await.unwrap();
        assert_eq!((answer.status, answer.body.as_slice()), (200, b"{\"a\":1}".as_slice()));
        let large = vec![b'x'; 1 << 20];
        assert_eq!(broker.send(&house.post(large.clone()), &token).await.unwrap().body, large);
        for (request, code) in [
            (HttpRequest { url: "https://elsewhere.example/".to_owned(), ..house.post(vec![]) }, "denied.credential"),
            (HttpRequest { headers: vec![pair("host", "x")], ..house.post(vec![]) }, "denied.http_header"),
            (house.post(vec![0; (1 << 20) + 1]), "limit.request-body"),
        ] {
            let refused = broker.check(&request, &token, &[]).await.unwrap_err();
            assert_eq!(refused.code, code);
            assert_eq!(broker.send(&request, &token).await, Err(EgressError::Refused(refused)));
        }
        broker.check(&house.post(vec![]), &token, &[]).await.unwrap();

        let headers = |value: &str| vec![pair("x-secret", value)];
        assert!(broker.verify(&scheme("access_token"), Some(&token[0]), &headers(TOKEN), b"").await.unwrap());
        assert!(!broker.verify(&scheme("access_token"), Some(&token[0]), &headers("x"), b"").await.unwrap());
        assert!(!broker.verify(&scheme("access_token"), Some(&token[0]), &Vec::new(), b"").await.unwrap());
        assert!(!broker.verify(&scheme("access_token"), None, &headers(TOKEN), b"").await.unwrap());
        assert!(!broker.verify(&scheme("other"), Some(&token[0]), &headers(TOKEN), b"").await.unwrap());

        let query =
            |token: &str| vec![pair("hub.mode", "subscribe"), pair("hub.verify_token", token), pair("hub.challenge", "115")];
        let answer = |answer: (u16, &str)| Some((answer.0, answer.1.to_owned()));
        assert_eq!(broker.handshake(&handshake, Some(&token[0]), &query(TOKEN)).await.unwrap(), answer((200, "115")));
        assert_eq!(broker.handshake(&handshake, Some(&token[0]), &query("x")).await.unwrap(), answer((403, "")));
        assert_eq!(broker.handshake(&handshake, None, &query(TOKEN)).await.unwrap(), None);
        assert_eq!(broker.handshake(&handshake, Some(&token[0]), &[]).await.unwrap(), None);
    }
    assert_eq!(requests.load(Ordering::SeqCst), 4, "what is checked or refused does not leave");
    connection.close(Duration::from_secs(5)).await;
    served.await.unwrap().unwrap();
}

#[tokio::test]
async fn both_ways_follow_when_the_master_key_is_replaced_and_forget_the_old_one_when_told() {
    let (address, _) = provider(Duration::ZERO).await;
    let house = House::new(&address);
    let (there, connection, served) = house.there().await;
    let mut ring = house.keyring();
    let link = ring.replace(MasterKey::generate().unwrap()).unwrap();
    let old = [house.stored("access_token", TOKEN)];
    let sealer = ring.credential_vault().0;
    let new =
        [House { master: ring, sealer, dir: tempfile::tempdir().unwrap(), provider: address }.stored("access_token", TOKEN)];
    let request = house.post(vec![]);
    for broker in [house.here(), there] {
        assert_eq!(broker.check(&request, &new, &[]).await.unwrap_err().code, "vault.wrong_key");
        let keys = broker.keys(Some(&link)).await.unwrap().content();
        assert!(keys.key_id() == link.new && keys.knows(link.old));
        broker.check(&request, &new, &[]).await.unwrap();
        broker.check(&request, &old, &[]).await.unwrap();
        let keys = broker.keys(None).await.unwrap().content();
        assert!(keys.key_id() == link.new && !keys.knows(link.old));
        broker.check(&request, &new, &[]).await.unwrap();
        assert_eq!(broker.check(&request, &old, &[]).await.unwrap_err().code, "vault.wrong_key");
        let other = house.keyring().replace(MasterKey::generate().unwrap()).unwrap();
        assert_eq!(broker.keys(Some(&other)).await.unwrap_err().code, "vault.wrong_key");
    }
    connection.close(Duration::from_secs(5)).await;
    served.await.unwrap().unwrap();
}

#[tokio::test]
async fn many_at_once_get_each_their_own_answer() {
    let (address, requests) = provider(Duration::from_millis(5)).await;
    let house = Arc::new(House::new(&address));
    let (there, _connection, _served) = house.there().await;
    let mut asked = tokio::task::JoinSet::new();
    for n in 0..600 {
        let (broker, house) = (there.clone(), Arc::clone(&house));
        asked.spawn(async move {
            let token = [house.stored("access_token", TOKEN)];
            let body = format!("{{\"n\":{n},\"x\":\"{}\"}}", "y".repeat(n * 7)).into_bytes();
            assert_eq!(broker.send(&house.post(body.clone()), &token).await.unwrap().body, body);
        });
    }
    asked.join_all().await;
    assert_eq!(requests.load(Ordering::SeqCst), 600);
}

#[tokio::test]
async fn what_is_under_way_when_the_engine_goes_is_finished_and_noted() {
    let (address, requests) = provider(Duration::from_millis(300)).await;
    let house = House::new(&address);
    let (there, connection, served) = house.there().await;
    let token = [house.stored("access_token", TOKEN)];
    let exchange = Exchange { key: "k", attempt: 1, number: 0 };
    {
        let request = house.post(b"1".to_vec());
        let mut sending = Box::pin(there.send_noted(&request, &token, &[], exchange));
        assert!(tokio::time::timeout(Duration::from_millis(100), &mut sending).await.is_err());
    }
    connection.close(Duration::ZERO).await;
    let next = house.here();
    let Recalled::Made(Ok(answer)) = next.recall(exchange).await else { panic!("the answer is not known") };
    assert_eq!(answer.body, b"1");
    assert_eq!(requests.load(Ordering::SeqCst), 1);
    served.await.unwrap().unwrap();
    drop(there);
}

#[tokio::test]
async fn a_broker_that_ends_leaves_nobody_waiting() {
    let (address, _) = provider(Duration::from_secs(60)).await;
    let house = House::new(&address);
    // A runtime of its own, which can end as a process does: everything at once.
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let (ours, theirs) = Socket::pair().unwrap();
    runtime.spawn(serve(house.here(), theirs, std::future::pending()));
    let (there, connection) = connect(ours).await.unwrap();
    let token = [house.stored("access_token", TOKEN)];
    let request = house.post(b"1".to_vec());
    let sending = there.send(&request, &token);
    let kill = async {
        tokio::time::sleep(Duration::from_millis(100)).await;
        runtime.shutdown_background();
    };
    let (sent, ()) = tokio::join!(sending, kill);
    assert!(matches!(sent, Err(EgressError::Lost(_))), "it may have left: {sent:?}");
    connection.ended().await;
    let late = there.send(&request, &token).await;
    assert!(matches!(late, Err(EgressError::NotSent(ref why)) if why.code == "broker.gone"), "{late:?}");
    there.forget("k");
}

#[tokio::test]
async fn a_refusal_is_told_and_the_wish_to_close_is_passed_on() {
    let (ours, theirs) = Socket::pair().unwrap();
    refuse(theirs, "no master key at x").unwrap();
    let refused = connect(ours).await.unwrap_err();
    assert_eq!((refused.code.as_str(), refused.message.as_str()), ("broker.refused", "no master key at x"));
    let (ours, theirs) = Socket::pair().unwrap();
    drop(theirs);
    assert_eq!(connect(ours).await.unwrap_err().code, "broker.gone");

    let house = House::new("127.0.0.1:1");
    let (ours, theirs) = Socket::pair().unwrap();
    let served = tokio::spawn(serve(house.here(), theirs, async {}));
    let (_broker, connection) = connect(ours).await.unwrap();
    connection.closing().await;
    connection.close(Duration::from_secs(5)).await;
    served.await.unwrap().unwrap();
}

#[tokio::test]
async fn a_frame_that_is_none_of_ours_ends_it() {
    use std::io::Write as _;
    for bad in [[255_u8; 12], [1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]] {
        let house = House::new("127.0.0.1:1");
        let (mut ours, theirs) = Socket::pair().unwrap();
        let served = tokio::spawn(serve(house.here(), theirs, std::future::pending()));
        ours.write_all(&bad).unwrap();
        assert_eq!(served.await.unwrap().unwrap_err().kind(), std::io::ErrorKind::InvalidData);
    }
}
