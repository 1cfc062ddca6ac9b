//! T5: the table of places that no request may reach. Both IANA special-purpose registries, whole, with the ends of every range, in
//! every notation that a URL may have, written, as the target of a redirect, and as what a name leads to: 0 connections.

use std::collections::BTreeSet;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::atomic::{AtomicUsize, Ordering};

use async_trait::async_trait;
use pointsman_core::ports::{Body, Method};
use pointsman_vault::Keyring;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

use super::*;

/// First and last address of each range of the registries (RFC 6890 and its successors), and of multicast, which is not in them.
const RANGES: &str = "
    0.0.0.0 0.255.255.255           10.0.0.0 10.255.255.255         100.64.0.0 100.127.255.255      127.0.0.0 127.255.255.255
    169.254.0.0 169.254.255.255     172.16.0.0 172.31.255.255       192.0.0.0 192.0.0.255           192.0.0.8 192.0.0.10
    192.0.0.170 192.0.0.171         192.0.2.0 192.0.2.255           192.31.196.0 192.31.196.255     192.52.193.0 192.52.193.255
    192.88.99.0 192.88.99.255       192.168.0.0 192.168.255.255     192.175.48.0 192.175.48.255     198.18.0.0 198.19.255.255
    198.51.100.0 198.51.100.255     203.0.113.0 203.0.113.255       224.0.0.0 239.255.255.255       240.0.0.0 255.255.255.255
    169.254.169.254 169.254.170.2   168.63.129.16 168.63.129.16     100.100.100.200 100.100.100.200
    :: ::1                          ::ffff:0:0 ::ffff:ffff:ffff     64:ff9b:1:: 64:ff9b:1:ffff:ffff:ffff:ffff:ffff
    100:: 100::ffff:ffff:ffff:ffff  100:0:0:1:: 100::1:ffff:ffff:ffff:ffff
    2001:: 2001:0:ffff:ffff:ffff:ffff:ffff:ffff                     2001:1::1 2001:1::3             2001:2:: 2001:2:0:ffff::
    2001:3:: 2001:3:ffff::          2001:4:112:: 2001:4:112:ffff::  2001:10:: 2001:1f:ffff::        2001:20:: 2001:2f:ffff::
    2001:30:: 2001:3f:ffff::        2001:db8:: 2001:db8:ffff::      2002:: 2002:ffff:ffff::         2620:4f:8000:: 2620:4f:8000:ffff::
    3fff:: 3fff:fff:ffff::          5f00:: 5f00:ffff::              fc00:: fdff:ffff::              fe80:: febf:ffff::
    fec0:: feff:ffff::              ff00:: ffff:ffff::              fd00:ec2::254 fd20:ce::254";

fn addresses() -> Vec<IpAddr> {
    RANGES.split_whitespace().map(|text| text.parse().unwrap_or_else(|_| panic!("{text} is no address"))).collect()
}

/// The ways to write an address as the host of a URL.
fn spellings(address: IpAddr) -> Vec<String> {
    let v4 = match address {
        IpAddr::V6(v6) => return vec![format!("[{v6}]"), format!("[{}]", long(v6))],
        IpAddr::V4(v4) => v4,
    };
    let ([a, b, c, d], whole) = (v4.octets(), u32::from(v4));
    let (high, low) = (whole >> 16, whole & 0xffff);
    vec![
        v4.to_string(),
        format!("{v4}."),
        whole.to_string(),
        format!("{whole:#x}"),
        format!("0{whole:o}"),
        format!("{a:#x}.{b:#x}.{c:#x}.{d:#x}"),
        format!("0{a:o}.0{b:o}.0{c:o}.0{d:o}"),
        format!("{a}.{}", whole & 0xff_ffff),
        format!("{a}.{b}.{low}"),
        format!("[::ffff:{v4}]"),
        format!("[::{high:x}:{low:x}]"),
        format!("[64:ff9b::{high:x}:{low:x}]"),
        format!("[64:ff9b:1::{high:x}:{low:x}]"),
        format!("[2002:{high:x}:{low:x}::1]"),
        format!("[2001:0:{high:x}:{low:x}::1]"),
        format!("[2606:4700::5efe:{high:x}:{low:x}]"),
        v4.to_string().replace('.', "\u{3002}"),
        v4.to_string().replace('.', "%2e"),
        v4.to_string().chars().map(|c| char::from_u32(u32::from(c) + 0xfee0).filter(|_| c != '.').unwrap_or(c)).collect(),
    ]
}

fn long(address: Ipv6Addr) -> String {
    address.segments().map(|s| format!("{s:04X}")).join(":")
}

/// What leads nowhere by another way than its address.
const ODD: &[&str] = &[
    "https://public.example@127.0.0.1:PORT/",
    "https://127.0.0.1:PORT@public.example/",
    "https://public.example:PORT\\@127.0.0.1/",
    "https://public.example:0/",
    "https://127.0.0.1:PORT#.public.example/",
    "https://localhost:PORT/",
    "https://localhost.:PORT/",
    "https://LocalHost:PORT/",
    "https://a.localhost:PORT/",
    "https://\u{24db}ocalhost:PORT/",
    "https://local\u{ad}host:PORT/",
    "https://db.internal:PORT/",
    "https://metadata:PORT/",
    "https://printer.local:PORT/",
    "https://x.home.arpa:PORT/",
    "https://public.example.:PORT/",
    "http://public.example:PORT/",
    "ftp://127.0.0.1:PORT/",
    "gopher://127.0.0.1:PORT/",
    "file:///etc/passwd",
    "https:127.0.0.1:PORT/",
    "https:///127.0.0.1:PORT/",
    "https://127.0.0.1:PORT\r\nx: y/",
    "https://[::1%25lo]:PORT/",
    "https://[::1]:PORT/",
    "https://0:PORT/",
    "https://127.1:PORT/",
];

/// Counts who connects to it on every address of this machine.
async fn listener() -> (u16, Arc<AtomicUsize>) {
    let listener = TcpListener::bind((Ipv4Addr::UNSPECIFIED, 0)).await.unwrap();
    let (port, count) = (listener.local_addr().unwrap().port(), Arc::new(AtomicUsize::new(0)));
    let counted = Arc::clone(&count);
    tokio::spawn(async move {
        while listener.accept().await.is_ok() {
            counted.fetch_add(1, Ordering::SeqCst);
        }
    });
    (port, count)
}

/// Answers every question with the next of its answers.
struct Script {
    answers: Vec<Vec<IpAddr>>,
    asked: AtomicUsize,
}

#[async_trait]
impl Names for Script {
    async fn find(&self, _: &str) -> io::Result<Vec<SocketAddr>> {
        let answer = &self.answers[self.asked.fetch_add(1, Ordering::SeqCst) % self.answers.len()];
        Ok(answer.iter().map(|address| SocketAddr::new(*address, 0)).collect())
    }
}

/// A house that asks this script for names, and its door.
struct Door {
    egress: Egress,
    opener: CredentialOpener,
    names: Arc<Script>,
}

impl Door {
    fn new(answers: Vec<Vec<IpAddr>>, allow: &[String]) -> Self {
        let names = Arc::new(Script { answers, asked: AtomicUsize::new(0) });
        let config = EgressConfig { allow_private: allow.to_vec(), timeout_ms: 200, ..EgressConfig::default() };
        let egress = Egress::asking(&config, &(Arc::clone(&names) as Arc<dyn Names>)).unwrap();
        Self { egress, opener: Keyring::generate().unwrap().credential_vault().1, names }
    }

    /// Sends a request to where this channel may go, if the URL may be dialled at all.
    async fn knock(&self, url: &str) -> Result<HttpResponse, EgressError> {
        let origin = url::Url::parse(url).map(|url| url.origin().ascii_serialization()).unwrap_or_default();
        let credential =
            StoredCredential { workspace: 1, owner: 1, slot: "token".to_owned(), hosts: vec![origin], sealed: Vec::new() };
        let request = HttpRequest {
            method: Method::Get,
            url: url.to_owned(),
            headers: Vec::new(),
            body: Body::None,
            credentials: Vec::new(),
            keep_body: false,
            timeout: None,
        };
        self.egress.send(&self.opener, &request, &[credential], &[]).await
    }

    fn asked(&self) -> usize {
        self.names.asked.load(Ordering::SeqCst)
    }
}

#[tokio::test]
async fn no_spelling_of_a_place_inside_is_dialled() {
    let (port, connections) = listener().await;
    let door = Door::new(vec![vec![Ipv4Addr::LOCALHOST.into()]], &[]);
    let hosts = addresses().into_iter().flat_map(spellings);
    let mut urls: BTreeSet<String> = hosts.map(|host| format!("https://{host}:{port}/")).collect();
    urls.extend(ODD.iter().map(|url| url.replace("PORT", &port.to_string())));
    assert!(urls.len() > 400, "{}", urls.len());
    for url in &urls {
        match door.knock(url).await {
            Err(EgressError::Refused(failure)) => {
                assert!(matches!(failure.code.as_str(), "denied.egress" | "egress.url"), "{url}: {failure}");
            }
            other => panic!("{url}: {other:?}"),
        }
    }
    assert_eq!((connections.load(Ordering::SeqCst), door.asked()), (0, 0), "nobody was dialled, and no name was asked for");
}

#[tokio::test]
async fn no_name_leads_inside() {
    let (port, connections) = listener().await;
    let public: IpAddr = "8.8.8.8".parse().unwrap();
    for address in addresses() {
        for answer in [vec![address], vec![public, address], vec![address, public]] {
            let door = Door::new(vec![answer.clone()], &[]);
            match door.knock(&format!("https://public.example:{port}/")).await {
                Err(EgressError::Refused(failure)) => assert_eq!(failure.code, "denied.egress", "{answer:?}"),
                other => panic!("{answer:?}: {other:?}"),
            }
            assert_eq!(door.asked(), 1);
        }
    }
    assert_eq!(connections.load(Ordering::SeqCst), 0);
}

/// The name means a public address when it is looked at and this machine a moment later: what was looked at is what is dialled.
#[tokio::test]
async fn a_name_that_changes_between_look_and_call_leads_nowhere() {
    let (port, connections) = listener().await;
    // Public by its number, and routed nowhere: the 6bone gave its prefix back.
    let nowhere: IpAddr = "3ffe::1".parse().unwrap();
    let door = Door::new(vec![vec![nowhere], vec![Ipv4Addr::LOCALHOST.into()]], &[]);
    for round in 1..=20 {
        let answer = door.knock(&format!("https://rebind.example:{port}/")).await;
        assert_eq!(door.asked(), round, "asked once for each request");
        if round % 2 == 0 {
            assert!(matches!(&answer, Err(EgressError::Refused(f)) if f.code == "denied.egress"), "{answer:?}");
        } else {
            assert!(answer.is_err() && !matches!(&answer, Err(EgressError::Refused(_))), "{answer:?}");
        }
    }
    assert_eq!(connections.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn no_redirect_leads_inside() {
    let (port, connections) = listener().await;
    let odd = ODD.iter().map(|url| url.replace("PORT", &port.to_string())).filter(|url| !url.contains('\r'));
    let hosts = addresses().into_iter().flat_map(spellings);
    let targets: Vec<String> = hosts.map(|host| format!("http://{host}:{port}/")).chain(odd).collect();
    let server = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = server.local_addr().unwrap().to_string();
    let all = targets.clone();
    tokio::spawn(async move {
        for target in all {
            let (mut stream, _) = server.accept().await.unwrap();
            let mut request = [0; 2_048];
            let _ = stream.read(&mut request).await.unwrap();
            let answer = format!("HTTP/1.1 302 Found\r\nlocation: {target}\r\nconnection: close\r\ncontent-length: 0\r\n\r\n");
            stream.write_all(answer.as_bytes()).await.unwrap();
        }
    });
    let door = Door::new(vec![vec![Ipv4Addr::LOCALHOST.into()]], std::slice::from_ref(&address));
    for target in &targets {
        let answer = door.knock(&format!("http://{address}/")).await.unwrap();
        assert_eq!((answer.status, answer.headers.first().map(|(_, value)| value)), (302, Some(target)));
    }
    let foreign = targets.iter().filter(|url| !url.is_ascii()).count();
    assert!(targets.len() > 400 && foreign > 40, "{} and {foreign}", targets.len());
    assert_eq!(connections.load(Ordering::SeqCst), 0);
}
