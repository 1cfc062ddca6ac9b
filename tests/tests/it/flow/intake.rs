//! What a provider, a stranger and a broken plugin get at the door.

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use pointsman_core::clock::SystemClock;
use pointsman_core::failure::Failure;
use pointsman_core::id::Id;
use pointsman_core::ports::{Account, ChannelAdapter, HttpResponse, Job, Reception, Turn, Webhook};
use serde_json::Value;

use super::conversation::SHOP;
use crate::support::{ANA, Site, VERIFY_TOKEN, get, http, sign};

async fn post(public: &str, path: &str, body: &str, signature: Option<&str>) -> (u16, String, String) {
    let signature = signature.map(|s| format!("x-hub-signature-256: {s}\r\n")).unwrap_or_default();
    let length = body.len();
    http(
        public,
        &format!(
            "POST {path} HTTP/1.1\r\nhost: {public}\r\n{signature}content-length: {length}\r\nconnection: close\r\n\r\n{body}"
        ),
    )
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bad_signature_gets_401_leaves_nothing_and_looks_like_an_unknown_channel() {
    let site = Site::new(&[SHOP]).await;
    let host = site.host().await;
    let hook = format!("/hooks/{}", site.channel);
    let body = String::from_utf8(site.emulator.message("wamid.1", ANA, "Ana", "order")).unwrap();
    let good = sign(body.as_bytes());
    let mut flipped = good.clone().into_bytes();
    flipped[20] ^= 1;
    let flipped = String::from_utf8(flipped).unwrap();
    let mut answers = Vec::new();
    for signature in [None, Some("sha256="), Some("sha256=00"), Some(flipped.as_str()), Some(&good[7..]), Some("sha1=abc")] {
        answers.push(post(&host.public, &hook, &body, signature).await);
    }
    answers.push(post(&host.public, &hook, &format!("{body} "), Some(&good)).await);
    for unknown in ["/hooks/1", "/hooks/nonsense", "/hooks/999999999999999999999999"] {
        answers.push(post(&host.public, unknown, &body, Some(&good)).await);
    }
    let without_date =
        |head: &str| head.lines().filter(|l| !l.to_lowercase().starts_with("date:")).collect::<Vec<_>>().join("\n");
    for answer in &answers {
        assert_eq!(answer.0, 401);
        assert_eq!(
            (without_date(&answer.1), &answer.2),
            (without_date(&answers[0].1), &answers[0].2),
            "all refusals look the same"
        );
    }
    host.stop().await;
    let books = site.books();
    for table in ["webhooks", "events", "runs", "sends"] {
        let all: u64 = books[table].as_object().unwrap().values().filter_map(Value::as_u64).sum();
        assert_eq!(all, 0, "{table}: {books}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_handshake_answers_the_challenge_to_the_right_token_only() {
    let site = Site::new(&[]).await;
    let host = site.host().await;
    let ask =
        |token: &str| format!("/hooks/{}?hub.mode=subscribe&hub.verify_token={token}&hub.challenge=1158201444", site.channel);
    assert_eq!(get(&host.public, &ask(VERIFY_TOKEN)).await, (200, "1158201444".to_owned()));
    assert_eq!(get(&host.public, &ask("tok-2")).await.0, 403);
    assert_eq!(get(&host.public, &format!("/hooks/{}", site.channel)).await.0, 403);
    assert_eq!(get(&host.public, "/hooks/1?hub.mode=subscribe").await.0, 403);
    host.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_read_is_kept_parked_with_its_reason_and_answered_200() {
    let site = Site::new(&[SHOP]).await;
    let host = site.host().await;
    for body in [&b"{\"object\": \"whatsapp_business_account\", \"entry\": ["[..], b"", b"\xff\xfe\x00", b"[1,2]"] {
        assert_eq!(site.emulator.deliver(Bytes::copy_from_slice(body), None).await.unwrap(), 200);
    }
    let deep = format!("{}{}", "[".repeat(200_000), "]".repeat(200_000));
    assert_eq!(site.emulator.deliver(Bytes::from(deep), None).await.unwrap(), 200);
    site.emulator.say(ANA, "Ana", "hello").await.unwrap();
    site.taken(1).await;
    host.stop().await;
    let books = site.books();
    assert_eq!(books["webhooks"]["parked"], 5, "{books}");
    assert_eq!(books["webhooks"]["done"], 1, "{books}");
    let parked = site.done(&["park", "list"]);
    for item in parked.as_array().unwrap() {
        assert_eq!((item["kind"].as_str(), item["code"].as_str()), (Some("webhook"), Some("webhook.unreadable")), "{item}");
        assert!(item["reason"]["message"].as_str().is_some_and(|m| m.contains("retry")), "the reason says the cure: {item}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_over_the_limit_is_refused_with_413() {
    let site = Site::new(&[]).await;
    let host = site.host().await;
    let body = "x".repeat(5 << 20);
    let (status, ..) = post(&host.public, &format!("/hooks/{}", site.channel), &body, Some(&sign(body.as_bytes()))).await;
    assert_eq!(status, 413);
    host.stop().await;
    assert_eq!(site.books()["webhooks"]["parked"].as_u64().unwrap_or(0), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fact_that_is_delivered_again_runs_once() {
    let site = Site::new(&[SHOP]).await;
    let host = site.host().await;
    let body = Bytes::from(site.emulator.message("wamid.again", ANA, "Ana", "hello"));
    let mut deliveries = Vec::new();
    for _ in 0..10 {
        let (emulator, body) = (site.emulator.clone(), body.clone());
        deliveries.push(tokio::spawn(async move { emulator.deliver(body, None).await.unwrap() }));
    }
    for delivery in deliveries {
        assert_eq!(delivery.await.unwrap(), 200);
    }
    site.taken(1).await;
    host.idle().await;
    assert_eq!(site.emulator.deliver(body, None).await.unwrap(), 200);
    host.idle().await;
    assert_eq!(site.emulator.taken().len(), 1);
    host.stop().await;
    let books = site.books();
    assert_eq!((&books["webhooks"]["done"], &books["runs"]["done"]), (&1.into(), &1.into()), "{books}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_for_another_number_of_the_same_app_is_not_answered_by_this_one() {
    let site = Site::new(&[SHOP]).await;
    let host = site.host().await;
    let body = String::from_utf8(site.emulator.message("wamid.other", ANA, "Ana", "hello")).unwrap();
    let other = body.replace(&site.emulator.config().phone_number_id, "999888777");
    assert_eq!(site.emulator.deliver(other.into(), None).await.unwrap(), 200);
    site.emulator.say(ANA, "Ana", "mine").await.unwrap();
    site.taken(1).await;
    host.idle().await;
    assert_eq!(site.emulator.said_to(ANA), ["You said: mine"]);
    host.stop().await;
    assert_eq!(site.books()["events"]["ended"], 2);
}

/// A box that reads nothing until the test opens it.
struct Busy {
    inner: Arc<dyn ChannelAdapter>,
    open: Arc<tokio::sync::Semaphore>,
}

#[async_trait]
impl ChannelAdapter for Busy {
    async fn parse(&self, ws: Id, plugin: &str, hook: &Webhook, account: &Account) -> Result<Result<Reception, String>, Failure> {
        drop(self.open.acquire().await);
        self.inner.parse(ws, plugin, hook, account).await
    }
    async fn begin(&self, ws: Id, plugin: &str, job: &Job) -> Result<Turn, Failure> {
        self.inner.begin(ws, plugin, job).await
    }
    async fn advance(&self, ws: Id, plugin: &str, job: &Job, state: &str, response: HttpResponse) -> Result<Turn, Failure> {
        self.inner.advance(ws, plugin, job, state, response).await
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn while_the_box_is_busy_webhooks_are_kept_unread_and_answered_later_in_their_order() {
    let site = Site::new(&[SHOP]).await;
    let open = Arc::new(tokio::sync::Semaphore::new(0));
    let door = Arc::clone(&open);
    let host = site
        .host_with(Arc::new(SystemClock), |mut parts| {
            parts.channels = Arc::new(Busy { inner: parts.channels, open: door });
            parts
        })
        .await;
    for text in ["one", "two", "three"] {
        assert_eq!(site.emulator.say(ANA, "Ana", text).await.unwrap().1, 200);
    }
    assert_eq!(host.store().unread(10).await.unwrap().len(), 3, "nobody waited for the box");
    open.add_permits(1);
    site.taken(3).await;
    assert_eq!(site.emulator.said_to(ANA), ["You said: one", "You said: two", "You said: three"]);
    host.stop().await;
    let books = site.books();
    assert_eq!((&books["webhooks"]["done"], &books["sends"]["sent"]), (&3.into(), &3.into()), "{books}");
}
