//! The public port: `GET|POST /hooks/{channel}`. The whole request is read, bounded, and given to the house as it came; who
//! it is from is found out there. An unknown channel looks here like any other. Who brings too much is sent away before (`flood`).

use std::io;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::request::Parts;
use http::{HeaderName, HeaderValue, Method, Request, Response, StatusCode, header};
use http_body_util::Full;
use hyper::body::Body;
use pointsman_core::ports;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::time::Instant;

use crate::body::{self, Budget, Pace, Unread};
use crate::flood::{Gate, PublicConfig};
use crate::listen::{self, Patience, Peer};
use crate::meters::Hooks;
use crate::ports::{Answered, House, Incoming};

/// What the port grants. The defaults are for production; tests are less patient.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Grant {
    pub(crate) patience: Patience,
    pub(crate) pace: Pace,
    /// Bytes that all large bodies under way may hold together.
    pub(crate) budget: usize,
}

impl Grant {
    pub(crate) const fn usual(connections: u32) -> Self {
        Self { patience: Patience::with(connections), pace: Pace::USUAL, budget: 128 << 20 }
    }
}

/// Serves providers until `closing` turns true; returns when the last request is answered.
pub async fn serve_public<H: House>(
    listener: TcpListener,
    house: Arc<H>,
    closing: watch::Receiver<bool>,
    config: PublicConfig,
) -> io::Result<()> {
    serve_with(listener, house, closing, Grant::usual(config.connections), config).await
}

pub(crate) async fn serve_with(
    listener: TcpListener,
    house: Arc<dyn House>,
    closing: watch::Receiver<bool>,
    grant: Grant,
    config: PublicConfig,
) -> io::Result<()> {
    let (gate, budget) = (Gate::new(config), Budget::new(grant.budget));
    let desk = Arc::new(Desk { house, meters: Hooks::new(), gate, pace: grant.pace, budget });
    listen::serve(listener, grant.patience, closing, move |request| {
        let desk = Arc::clone(&desk);
        async move { desk.answer(request).await }
    })
    .await
}

struct Desk {
    house: Arc<dyn House>,
    meters: Hooks,
    gate: Gate,
    pace: Pace,
    budget: Budget,
}

impl Desk {
    async fn answer(&self, request: Request<hyper::body::Incoming>) -> Response<Full<Bytes>> {
        let began = Instant::now();
        let answered = self.take(request).await;
        self.meters.answered(answered.status().as_u16(), began.elapsed());
        answered
    }

    async fn take<B>(&self, request: Request<B>) -> Response<Full<Bytes>>
    where
        B: Body<Data = Bytes> + Unpin,
    {
        let (head, body) = request.into_parts();
        let Some((channel, path)) = hook(head.uri.path()) else { return plain(StatusCode::NOT_FOUND) };
        let method = match head.method {
            Method::POST => ports::Method::Post,
            Method::GET => ports::Method::Get,
            _ => {
                let mut no = plain(StatusCode::METHOD_NOT_ALLOWED);
                no.headers_mut().insert(header::ALLOW, HeaderValue::from_static("GET, POST"));
                return no;
            }
        };
        let caller = self.gate.caller(channel, head.extensions.get::<Peer>().map(|peer| peer.0), &head.headers);
        if let Some(wait) = self.gate.wait(&caller, Instant::now()) {
            return later(wait);
        }
        let answered = self.receive(channel, method, path, &head, body).await;
        self.gate.count(caller, answered.status().as_u16(), Instant::now());
        answered
    }

    /// A request that was let in.
    async fn receive<B>(&self, channel: &str, method: ports::Method, path: &str, head: &Parts, body: B) -> Response<Full<Bytes>>
    where
        B: Body<Data = Bytes> + Unpin,
    {
        let (body, _share) = match body::collect(body, self.house.body_limit(channel), self.pace, &self.budget).await {
            Ok(read) => read,
            Err(why) => return unread(why),
        };
        let incoming = Incoming {
            channel: channel.to_owned(),
            method,
            path: path.to_owned(),
            query: head.uri.query().unwrap_or_default().to_owned(),
            headers: head
                .headers
                .iter()
                .filter_map(|(name, value)| Some((name.as_str().to_owned(), value.to_str().ok()?.to_owned())))
                .collect(),
            body,
        };
        let house = Arc::clone(&self.house);
        // A task of its own: a provider that hangs up must not stop the house between keeping a webhook and starting on it.
        match tokio::spawn(async move { house.receive(incoming).await }).await {
            Ok(answered) => response(answered),
            Err(error) => {
                tracing::error!(panicked = error.is_panic(), "a webhook was not answered");
                plain(StatusCode::INTERNAL_SERVER_ERROR)
            }
        }
    }
}

/// `/hooks/{channel}` or `/hooks/{channel}/{path}`.
fn hook(path: &str) -> Option<(&str, &str)> {
    let rest = path.strip_prefix("/hooks/")?;
    let (channel, path) = rest.split_once('/').unwrap_or((rest, ""));
    (!channel.is_empty()).then_some((channel, path))
}

fn plain(status: StatusCode) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::default());
    *response.status_mut() = status;
    response
}

/// What comes too often: nothing of it was read.
fn later(wait: Duration) -> Response<Full<Bytes>> {
    let mut response = plain(StatusCode::TOO_MANY_REQUESTS);
    response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
    response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(wait.as_secs() + 1));
    response
}

fn unread(why: Unread) -> Response<Full<Bytes>> {
    let mut response = plain(match why {
        Unread::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
        Unread::TooSlow => StatusCode::REQUEST_TIMEOUT,
        Unread::Broken => StatusCode::BAD_REQUEST,
        Unread::Busy => StatusCode::SERVICE_UNAVAILABLE,
    });
    // What was not read lies on the line still: nothing can follow it.
    response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
    if why == Unread::Busy {
        response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static("5"));
    }
    response
}

fn response(answered: Answered) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::from(answered.body));
    *response.status_mut() = StatusCode::from_u16(answered.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    for (name, value) in answered.headers {
        match (HeaderName::try_from(name), HeaderValue::try_from(value)) {
            (Ok(name), Ok(value)) => {
                response.headers_mut().append(name, value);
            }
            _ => tracing::warn!("a header of an answer was left out: it is no HTTP"),
        }
    }
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_channel_is_the_first_segment() {
        assert_eq!(hook("/hooks/7"), Some(("7", "")));
        assert_eq!(hook("/hooks/7/"), Some(("7", "")));
        assert_eq!(hook("/hooks/7/a/b"), Some(("7", "a/b")));
        for none in ["/", "/hooks", "/hooks/", "/hooks//a", "/healthz", "/api/v1/runs", "/metrics", "/Hooks/7"] {
            assert_eq!(hook(none), None, "{none}");
        }
    }
}
