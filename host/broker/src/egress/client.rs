//! The HTTP client: one pool of connections for the public internet, and one for origins inside that the operator named.
//! Stops what a client does by itself: following redirects, asking a proxy of the environment, resending, and reading an
//! answer without end. HTTP/1.1 only: its log lines, unlike those of HTTP/2, never hold a path or a header.
//!
//! What an error says about whether the request left is decided here, and errs on the side of "it may have": see
//! [`EgressError`].

use std::error::Error as _;
use std::io::Read;
use std::sync::Arc;
use std::time::Duration;

use http::header::{CONTENT_ENCODING, CONTENT_LENGTH, HeaderMap, SET_COOKIE, TRANSFER_ENCODING};
use pointsman_core::failure::{Class, Failure};
use pointsman_core::ports::{HttpResponse, Method};
use reqwest::redirect::Policy;
use reqwest::{Client, Request, Response};

use super::EgressError;
use super::address::{CheckedResolver, ForbiddenAddress, Names};
use super::destination::{denied, short};
use super::inject::Ready;
use super::redact::Scrubber;

/// Bytes of an answer's body at most, after decompression.
const MAX_BODY: usize = 1 << 20;
/// Bytes of an answer's headers at most.
const MAX_HEADERS: usize = 64 << 10;
const TOO_LARGE: &str = "the body of the answer is larger than 1 MiB";
/// How long a connection may take to come up.
const CONNECT: Duration = Duration::from_secs(5);
/// Idle connections are closed before providers close them: a request that meets a closing connection has no known end.
const IDLE: Duration = Duration::from_secs(30);
/// Idle connections kept to one host.
const IDLE_PER_HOST: usize = 512;

/// Builds a client. `internal` is the one that may go inside, and may speak plain http there.
pub(crate) fn build(internal: bool, user_agent: &str, names: Arc<dyn Names>) -> Result<Client, Failure> {
    // The first one wins; whoever else in the process installed a provider chose it for all.
    let _ = rustls::crypto::ring::default_provider().install_default();
    Client::builder()
        .user_agent(user_agent)
        .no_proxy()
        .redirect(Policy::none())
        .referer(false)
        .retry(reqwest::retry::never())
        .no_gzip()
        .http1_only()
        .https_only(!internal)
        .dns_resolver(Arc::new(CheckedResolver { internal, names }))
        .connect_timeout(CONNECT)
        .tcp_nodelay(true)
        .tcp_keepalive(Duration::from_secs(15))
        .pool_idle_timeout(IDLE)
        .pool_max_idle_per_host(IDLE_PER_HOST)
        .build()
        .map_err(|_| {
            Failure::new(
                Class::Permanent,
                "egress.client",
                "the HTTP client cannot start; install root certificates (package ca-certificates) and check [egress] user_agent",
            )
        })
}

/// Sends the request and reads the whole answer, scrubbed.
pub(crate) async fn exchange(
    client: &Client,
    method: Method,
    ready: Ready,
    timeout: Duration,
    scrubber: Scrubber,
) -> Result<HttpResponse, EgressError> {
    let host = ready.url.host_str().unwrap_or_default().to_owned();
    let port = ready.url.port_or_known_default().unwrap_or_default();
    let mut request = Request::new(verb(method), ready.url);
    *request.headers_mut() = ready.headers;
    if !ready.body.is_empty() {
        *request.body_mut() = Some(ready.body.into());
    }
    *request.timeout_mut() = Some(timeout);

    let answer = client.execute(request).await.map_err(|error| fault(&error, &host, port))?;
    let status = answer.status().as_u16();
    let (headers, raw) = read(answer, &host, port).await?;
    let mut body = decompress(&headers, raw)?;
    scrubber.body(&mut body);
    tracing::debug!(host, port, method = verb(method).as_str(), status, bytes = body.len(), "answered");
    Ok(HttpResponse { status, headers: plain(&headers, &scrubber), body, kept: None })
}

fn verb(method: Method) -> reqwest::Method {
    match method {
        Method::Get => reqwest::Method::GET,
        Method::Head => reqwest::Method::HEAD,
        Method::Post => reqwest::Method::POST,
        Method::Put => reqwest::Method::PUT,
        Method::Patch => reqwest::Method::PATCH,
        Method::Delete => reqwest::Method::DELETE,
    }
}

async fn read(mut answer: Response, host: &str, port: u16) -> Result<(HeaderMap, Vec<u8>), EgressError> {
    let headers = std::mem::take(answer.headers_mut());
    let size: usize = headers.iter().map(|(name, value)| name.as_str().len() + value.len() + 4).sum();
    if size > MAX_HEADERS {
        return Err(lost("the headers of the answer are larger than 64 KiB"));
    }
    let announced = headers.get(CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse::<usize>().ok()).unwrap_or(0);
    let mut body = Vec::with_capacity(announced.min(MAX_BODY));
    while let Some(chunk) = answer.chunk().await.map_err(|error| fault(&error, host, port))? {
        if body.len() + chunk.len() > MAX_BODY {
            return Err(lost(TOO_LARGE));
        }
        body.extend_from_slice(&chunk);
    }
    Ok((headers, body))
}

/// Undoes the one encoding that was offered. Any other, or two at once, could hide an echo from the scrubber.
fn decompress(headers: &HeaderMap, raw: Vec<u8>) -> Result<Vec<u8>, EgressError> {
    if raw.is_empty() {
        return Ok(raw);
    }
    let mut encodings = headers.get_all(CONTENT_ENCODING).iter().map(|value| value.as_bytes().trim_ascii());
    match (encodings.next(), encodings.next()) {
        (None, _) => Ok(raw),
        (Some(one), None) if one.is_empty() || one.eq_ignore_ascii_case(b"identity") => Ok(raw),
        (Some(one), None) if one.eq_ignore_ascii_case(b"gzip") || one.eq_ignore_ascii_case(b"x-gzip") => {
            let mut body = Vec::with_capacity(raw.len().saturating_mul(4).min(MAX_BODY));
            flate2::bufread::MultiGzDecoder::new(raw.as_slice())
                .take(MAX_BODY as u64 + 1)
                .read_to_end(&mut body)
                .map_err(|_| lost("the answer cannot be decompressed"))?;
            if body.len() > MAX_BODY { Err(lost(TOO_LARGE)) } else { Ok(body) }
        }
        _ => Err(lost("the answer comes in an encoding that was not asked for")),
    }
}

/// Headers for the plugin. Cookies are credentials of the provider's making, and the framing no longer fits the body.
fn plain(headers: &HeaderMap, scrubber: &Scrubber) -> Vec<(String, String)> {
    let mut out = Vec::with_capacity(headers.len());
    for (name, value) in headers {
        let hidden = name == SET_COOKIE || name == CONTENT_ENCODING || name == CONTENT_LENGTH || name == TRANSFER_ENCODING;
        if hidden || scrubber.value(name.as_str().as_bytes()).is_some() {
            continue;
        }
        let value = match scrubber.value(value.as_bytes()) {
            Some(clean) => String::from_utf8_lossy(&clean).into_owned(),
            None => String::from_utf8_lossy(value.as_bytes()).into_owned(),
        };
        out.push((name.as_str().to_owned(), value));
    }
    out
}

/// What an error of the client means for the send. Its own text is never used: it holds the URL.
fn fault(error: &reqwest::Error, host: &str, port: u16) -> EgressError {
    let mut source = error.source();
    let (mut forbidden, mut tls) = (false, false);
    while let Some(cause) = source {
        forbidden |= cause.is::<ForbiddenAddress>();
        tls |= cause.is::<rustls::Error>()
            || cause
                .downcast_ref::<std::io::Error>()
                .and_then(std::io::Error::get_ref)
                .is_some_and(|inner| inner.is::<rustls::Error>());
        source = cause.source();
    }
    if forbidden {
        return EgressError::Refused(denied(host, port, "leads to an address that is not public"));
    }
    if error.is_builder() {
        return EgressError::Refused(Failure::bug("egress.request", "the request cannot be built; check its URL"));
    }
    let host = short(host);
    if error.is_connect() {
        let (code, message) = if error.is_dns() {
            ("egress.dns", format!("the name {host} was not found; check it and the network's name server"))
        } else if tls {
            ("egress.tls", format!("{host}:{port} has no certificate that can be trusted; check its certificate and the clock"))
        } else if error.is_timeout() {
            ("egress.connect", format!("no connection to {host}:{port} in time; check the network and the firewall"))
        } else {
            ("egress.connect", format!("no connection to {host}:{port}; check that it is up and the network"))
        };
        return EgressError::NotSent(Failure::new(Class::Transient, code, message));
    }
    if error.is_timeout() {
        lost("no complete answer in time")
    } else {
        lost("the connection ended before the answer was complete")
    }
}

fn lost(why: &str) -> EgressError {
    EgressError::Lost(why.to_owned())
}
