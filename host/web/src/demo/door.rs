//! Asks a server on this machine for JSON: an emulator's control door, a host's private port.

use std::time::Duration;

use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{HeaderValue, Method, Request};
use http_body_util::{BodyExt, Full, Limited};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use serde_json::Value;

/// Bytes of an answer.
const ANSWER: usize = 16 << 20;
/// How long an answer may take: an emulator's waits for the host behind it.
const WAIT: Duration = Duration::from_secs(15);

/// Why there is no answer: the text says what failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shut(pub String);

impl std::fmt::Display for Shut {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Shut {}

/// A client for loopback. A cheap handle.
#[derive(Debug, Clone)]
pub struct Door(Client<HttpConnector, Full<Bytes>>);

impl Default for Door {
    fn default() -> Self {
        // A host that was killed leaves dead connections behind: none is kept for the next question.
        Self(Client::builder(TokioExecutor::new()).pool_max_idle_per_host(0).build_http())
    }
}

impl Door {
    /// GET: status and body.
    pub async fn get(&self, url: &str) -> Result<(u16, Value), Shut> {
        self.ask(Method::GET, url, Full::default()).await
    }

    /// GET of what must be there.
    pub async fn fetch(&self, url: &str) -> Result<Value, Shut> {
        match self.get(url).await? {
            (200..300, body) => Ok(body),
            (status, body) => Err(Shut(format!("{url} answered {status}: {}", detail(&body)))),
        }
    }

    /// POST of JSON: status and body.
    pub async fn post(&self, url: &str, body: &Value) -> Result<(u16, Value), Shut> {
        self.ask(Method::POST, url, Full::from(body.to_string())).await
    }

    /// POST of what must be taken.
    pub async fn tell(&self, url: &str, body: &Value) -> Result<Value, Shut> {
        match self.post(url, body).await? {
            (200..300, body) => Ok(body),
            (status, body) => Err(Shut(format!("{url} answered {status}: {}", detail(&body)))),
        }
    }

    /// GET of a text that must be there.
    pub async fn text(&self, url: &str) -> Result<String, Shut> {
        match self.raw(Method::GET, url, Full::default()).await? {
            (200..300, body) => Ok(String::from_utf8_lossy(&body).into_owned()),
            (status, _) => Err(Shut(format!("{url} answered {status}"))),
        }
    }

    async fn ask(&self, method: Method, url: &str, body: Full<Bytes>) -> Result<(u16, Value), Shut> {
        let (status, body) = self.raw(method, url, body).await?;
        Ok((status, serde_json::from_slice(&body).unwrap_or_default()))
    }

    async fn raw(&self, method: Method, url: &str, body: Full<Bytes>) -> Result<(u16, Bytes), Shut> {
        let failed = |error: &dyn std::fmt::Display| Shut(format!("{url}: {error}"));
        let mut request = Request::new(body);
        *request.method_mut() = method;
        *request.uri_mut() = url.parse().map_err(|error| failed(&error))?;
        request.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        let answer = async {
            let response = self.0.request(request).await.map_err(|error| failed(&error))?;
            let status = response.status().as_u16();
            let body = Limited::new(response.into_body(), ANSWER).collect().await.map_err(|error| failed(&error))?;
            Ok((status, body.to_bytes()))
        };
        tokio::time::timeout(WAIT, answer).await.unwrap_or_else(|_| Err(failed(&"no answer in time")))
    }
}

/// The sentence of an error, in either form that our own servers have.
pub(super) fn detail(body: &Value) -> &str {
    ["detail", "error"].iter().find_map(|key| body.get(key).and_then(Value::as_str)).unwrap_or("it gave no reason")
}
