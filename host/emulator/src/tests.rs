//! The emulators against a host of a few lines, over real sockets: what a contact does arrives as the provider would send it,
//! what is sent is taken or refused as the provider would, and every fault does what it says.

mod control;
mod entities;
mod faults;
mod telegram;
mod updates;
mod whatsapp;

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, Uri};
use axum::routing::post;
use http_body_util::{BodyExt, Full};
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use parking_lot::Mutex;
use serde_json::Value;

/// A host that keeps what reaches its hook and answers as it is told; 200 when it is told nothing.
#[derive(Clone, Default)]
struct Host {
    url: String,
    hooks: Arc<Mutex<Vec<(HeaderMap, Bytes)>>>,
    answers: Arc<Mutex<VecDeque<u16>>>,
    verify_token: &'static str,
}

impl Host {
    async fn start() -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/hooks/7", listener.local_addr().unwrap());
        let host = Self { url, verify_token: "verify me", ..Self::default() };
        host.serve(listener);
        host
    }

    fn serve(&self, listener: tokio::net::TcpListener) {
        let take = async |State(host): State<Self>, headers: HeaderMap, body: Bytes| {
            let status = host.answers.lock().pop_front().unwrap_or(200);
            host.hooks.lock().push((headers, body));
            StatusCode::from_u16(status).unwrap()
        };
        let shake = async |State(host): State<Self>, uri: Uri| {
            let query = uri.query().unwrap_or_default().to_owned();
            let token: String = host.verify_token.bytes().map(|b| format!("%{b:02X}")).collect();
            let challenge = query.split('&').find_map(|pair| pair.strip_prefix("hub.challenge=")).unwrap_or_default();
            let right = query.contains("hub.mode=subscribe") && query.contains(&format!("hub.verify_token={token}"));
            if right { (StatusCode::OK, challenge.to_owned()) } else { (StatusCode::FORBIDDEN, String::new()) }
        };
        let router = Router::new().route("/hooks/7", post(take).get(shake)).with_state(self.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
    }

    /// The bodies of the webhooks so far, once there are `count`.
    async fn wait_for(&self, count: usize) -> Vec<Value> {
        for _ in 0..200 {
            if self.hooks.lock().len() >= count {
                return self.bodies();
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        panic!("{} of {count} webhooks came", self.hooks.lock().len());
    }

    fn bodies(&self) -> Vec<Value> {
        self.hooks.lock().iter().map(|(_, body)| serde_json::from_slice(body).unwrap()).collect()
    }

    /// What was said, in the order in which it arrived.
    fn texts(&self) -> Vec<String> {
        let text = |body: &Value| {
            let whatsapp = body.pointer("/entry/0/changes/0/value/messages/0/text/body");
            whatsapp.or_else(|| body.pointer("/message/text")).and_then(Value::as_str).map(str::to_owned)
        };
        self.bodies().iter().filter_map(text).collect()
    }
}

/// Makes a request; gives the status, the headers and the body, or why there is no whole answer.
async fn ask(method: &str, url: &str, headers: &[(&str, &str)], body: &[u8]) -> Result<(u16, HeaderMap, Bytes), String> {
    let client: Client<_, Full<Bytes>> = Client::builder(TokioExecutor::new()).build_http();
    let mut request = hyper::Request::builder().method(method).uri(url);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let request = request.body(Full::from(body.to_vec())).unwrap();
    let response = client.request(request).await.map_err(|error| error.to_string())?;
    let (status, headers) = (response.status().as_u16(), response.headers().clone());
    let body = response.into_body().collect().await.map_err(|error| error.to_string())?;
    Ok((status, headers, body.to_bytes()))
}

/// A call of the Graph API.
async fn call(url: String, token: &str, body: &Value) -> (u16, Value) {
    let bearer = format!("Bearer {token}");
    let headers = [("content-type", "application/json"), ("authorization", bearer.as_str())];
    let (status, _, body) = ask("POST", &url, &headers, body.to_string().as_bytes()).await.unwrap();
    (status, serde_json::from_slice(&body).unwrap_or_default())
}
