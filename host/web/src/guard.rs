//! Who may ask a port with pages. It has no login: being on the machine is the right. The attacks that stop here are those of
//! a foreign web page in the operator's own browser: DNS rebinding (the page's name suddenly means 127.0.0.1, so it would be
//! "same origin"; the Host header tells) and cross-site requests that change something (Origin and Sec-Fetch-Site tell).

use std::net::{IpAddr, SocketAddr};

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HOST, HeaderName, ORIGIN, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS,
    X_FRAME_OPTIONS,
};
use http::uri::Authority;
use http::{HeaderMap, HeaderValue, StatusCode};

use crate::problem::{MEDIA_TYPE, Problem};

/// What browsers must keep to with every answer of this port.
const DRESS: [(HeaderName, &str); 7] = [
    (
        CONTENT_SECURITY_POLICY,
        "default-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'; object-src 'none'",
    ),
    (X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (X_FRAME_OPTIONS, "DENY"),
    (REFERRER_POLICY, "no-referrer"),
    (CACHE_CONTROL, "no-store"),
    (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
    (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
];

/// Stands around every route.
pub(crate) async fn around(State(own): State<SocketAddr>, request: Request, next: Next) -> Response {
    let mut response = match check(own, &request) {
        Ok(()) => next.run(request).await,
        Err(problem) => problem.into_response(),
    };
    let status = response.status();
    let is_problem = response.headers().get(CONTENT_TYPE).is_some_and(|kind| kind == MEDIA_TYPE);
    if (status.is_client_error() || status.is_server_error()) && !is_problem {
        let bare = std::mem::replace(&mut response, Problem::of(status).into_response());
        if let Some(allow) = bare.headers().get(http::header::ALLOW) {
            response.headers_mut().insert(http::header::ALLOW, allow.clone());
        }
    }
    for (name, value) in DRESS {
        response.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    response
}

fn check(own: SocketAddr, request: &Request) -> Result<(), Problem> {
    let headers = request.headers();
    let host = only(headers, &HOST).and_then(|host| host.parse::<Authority>().ok());
    let Some(host) = host.filter(|host| ours(own, host)) else {
        return Err(Problem::new(
            StatusCode::MISDIRECTED_REQUEST,
            "http.host_refused",
            format!(
                "this port answers to its own address only: open http://{own}/ (a proxy in front of it must send that as Host)"
            ),
        ));
    };
    if request.uri().authority().is_some_and(|named| !ours(own, named)) {
        return Err(Problem::of(StatusCode::BAD_REQUEST));
    }
    if request.method().is_safe() || same_site(headers, &host) {
        return Ok(());
    }
    Err(Problem::new(StatusCode::FORBIDDEN, "http.origin_refused", "another site sent this: use the page of this port itself"))
}

/// The one value of a header; `None` when there is none or more than one.
fn only<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a str> {
    let mut values = headers.get_all(name).iter();
    let first = values.next()?.to_str().ok()?;
    values.next().is_none().then_some(first)
}

/// Whether a host is this port: loopback, or the address that it listens on. A name other than `localhost` never is: names
/// are what rebinding works with.
fn ours(own: SocketAddr, host: &Authority) -> bool {
    if host.as_str().contains('@') {
        return false;
    }
    let name = host.host();
    if name.eq_ignore_ascii_case("localhost") {
        return true;
    }
    let literal = name.strip_prefix('[').and_then(|n| n.strip_suffix(']')).unwrap_or(name);
    let Ok(ip) = literal.parse::<IpAddr>().map(|ip| ip.to_canonical()) else { return false };
    ip.is_loopback() || own.ip().is_unspecified() || ip == own.ip().to_canonical()
}

/// Whether a request that changes something comes from our own page, or from no browser at all.
fn same_site(headers: &HeaderMap, host: &Authority) -> bool {
    let fetched = headers.get_all("sec-fetch-site").iter().all(|site| site == "same-origin" || site == "none");
    let from = |origin: &HeaderValue| {
        let origin = origin.to_str().unwrap_or_default();
        let named = origin.strip_prefix("http://").or_else(|| origin.strip_prefix("https://"));
        named.is_some_and(|named| named.eq_ignore_ascii_case(host.as_str()))
    };
    fetched && headers.get_all(ORIGIN).iter().all(from)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_our_own_address_is_ours() {
        let (loopback, lan, all) = ("127.0.0.1:8081", "192.168.1.5:8081", "0.0.0.0:8081");
        let cases = [
            (loopback, "127.0.0.1:8081", true),
            (loopback, "127.0.0.1:9000", true),
            (loopback, "localhost:8081", true),
            (loopback, "LOCALHOST", true),
            (loopback, "[::1]:8081", true),
            (loopback, "[::ffff:127.0.0.1]:8081", true),
            (loopback, "evil.example", false),
            (loopback, "127.0.0.1.evil.example", false),
            (loopback, "localhost.evil.example", false),
            (loopback, "localhost@evil.example", false),
            (loopback, "evil.example@127.0.0.1", false),
            (loopback, "192.168.1.5:8081", false),
            (loopback, "2130706433", false),
            (lan, "192.168.1.5:8081", true),
            (lan, "192.168.1.6:8081", false),
            (all, "10.1.2.3:8081", true),
            (all, "evil.example:8081", false),
        ];
        for (own, host, expected) in cases {
            let given = host.parse::<Authority>().is_ok_and(|host| ours(own.parse().unwrap(), &host));
            assert_eq!(given, expected, "{host} at {own}");
        }
    }

    #[test]
    fn a_foreign_origin_changes_nothing() {
        let host: Authority = "127.0.0.1:8081".parse().unwrap();
        let cases: [(&[(&str, &str)], bool); 9] = [
            (&[], true),
            (&[("origin", "http://127.0.0.1:8081")], true),
            (&[("origin", "http://127.0.0.1:8081"), ("sec-fetch-site", "same-origin")], true),
            (&[("origin", "http://127.0.0.1:9999")], false),
            (&[("origin", "http://evil.example")], false),
            (&[("origin", "null")], false),
            (&[("sec-fetch-site", "cross-site")], false),
            (&[("sec-fetch-site", "same-site")], false),
            (&[("origin", "http://127.0.0.1:8081"), ("origin", "http://evil.example")], false),
        ];
        for (given, expected) in cases {
            let mut headers = HeaderMap::new();
            for (name, value) in given {
                headers.append(HeaderName::from_static(name), HeaderValue::from_static(value));
            }
            assert_eq!(same_site(&headers, &host), expected, "{given:?}");
        }
    }
}
