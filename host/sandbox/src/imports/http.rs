//! `http`: requests of a step, to the hosts, methods and paths that its manifest asks for and its operator grants. Secrets are named;
//! the broker puts them in, sends, and scrubs the answer of them.
//!
//! Attacks stopped here: a path that climbs out of what was granted (`/v1/..%2fadmin`), a secret at a place in the request that was
//! not asked for, plain http passed off as https, and requests without end. What is checked is what is sent: the URL goes on as it
//! was read. The broker asks all that concerns secrets and addresses once more.

use std::borrow::Cow;

use pointsman_core::permission::Permission;
use pointsman_core::ports::{Body, HttpRequest, HttpResponse, Method, Refusal};
use pointsman_manifest::HttpMethod;
use serde_json::json;
use url::Url;

use super::{Answered, answer};
use crate::ctx::Ctx;
use crate::past::{Question, Told};
use crate::world::convert::IntoCore as _;
use crate::world::http::Host;
use crate::world::types;

/// Bytes of the name of a host: more has no name.
const HOST: usize = 255;

/// Bytes of the name of a slot.
const SLOT: usize = 64;

/// Bytes of answers that one call gets in all; the last one may go beyond.
const ANSWERS: usize = 4 << 20;

impl Ctx {
    /// Checks form, grants and limits.
    fn may_send(&mut self, request: &HttpRequest) -> Result<(), Refusal> {
        let (host, path) = destination(&request.url)?;
        let leg = self.called();
        if leg.requests >= leg.limits.http_requests {
            return Err(Refusal::Limit("limit.http-requests".to_owned()));
        }
        if leg.answers >= ANSWERS {
            return Err(Refusal::Limit("limit.http-answers".to_owned()));
        }
        leg.requests += 1;
        let method = asked(request.method);
        let word = json!(method);
        let site = format!("host = \"{host}\", methods = [{word}]");
        let to = Permission::Http { method, host: host.clone(), path };
        leg.may(&to, &format!("http = [{{ {site}, why = \"...\" }}]"))?;
        for used in &request.credentials {
            let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-');
            if used.slot.len() > SLOT || !used.slot.chars().all(plain) {
                return Err(Refusal::Invalid("a slot is a short plain name, as the manifest has it".to_owned()));
            }
            let place = used.place.kind();
            let line =
                format!("http = [{{ {site}, credential = \"{}\", placements = [{}], why = \"...\" }}]", used.slot, json!(place));
            leg.may(&Permission::Secret { slot: used.slot.clone(), host: host.clone(), place }, &line)?;
        }
        Ok(())
    }
}

impl Host for Ctx {
    async fn send(&mut self, request: types::HttpRequest) -> Answered<types::HttpResponse> {
        let request: HttpRequest = match request.into_core() {
            Ok(request) => request,
            Err(unfit) => return answer(Err(unfit.into())),
        };
        if let Err(refusal) = self.may_send(&request) {
            return answer(Err(refusal));
        }
        let question = question(&request);
        let told = match self.leg.past.told_answer(question) {
            Some(told) => told,
            None => {
                let told = match self.leg.host.clone() {
                    Some(host) => host.request(&self.leg.plugin, request).await,
                    None => Err(Refusal::Unavailable("no request leaves from here".to_owned())),
                };
                let kept = told.clone().map_or_else(Told::Refused, |answer| Told::Answer(Box::new(answer)));
                self.leg.past.note(question, kept);
                told
            }
        };
        self.leg.answers += told.as_ref().map_or(0, |answer: &HttpResponse| answer.body.len());
        answer(told.map(types::HttpResponse::from))
    }
}

/// The word of the manifest.
fn asked(method: Method) -> HttpMethod {
    match method {
        Method::Get => HttpMethod::Get,
        Method::Head => HttpMethod::Head,
        Method::Post => HttpMethod::Post,
        Method::Put => HttpMethod::Put,
        Method::Patch => HttpMethod::Patch,
        Method::Delete => HttpMethod::Delete,
    }
}

/// The host, as a manifest writes it for https, and the path.
fn destination(text: &str) -> Result<(String, String), Refusal> {
    let invalid = |why: &str| Refusal::Invalid(format!("egress.url: {why}"));
    let url = Url::parse(text).map_err(|_| invalid("the URL cannot be read; it is absolute and begins with https://"))?;
    let host = url.host_str().filter(|host| host.len() <= HOST).ok_or_else(|| invalid("the URL names no host"))?;
    let port = match (url.scheme(), url.port()) {
        ("https", port) => port,
        // A manifest's host without a port is that of https.
        ("http", port) => Some(port.unwrap_or(80)),
        _ => return Err(invalid("a URL begins with https://")),
    };
    if climbs(url.path()) {
        return Err(invalid("its path has `..` or `.` behind an escape; write the path that is meant"));
    }
    let host = port.map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"));
    Ok((host, url.path().to_owned()))
}

/// Whether a server that reads escapes, backslashes or parameters of a segment otherwise than [`Url`] could go up a path. What is
/// written plainly has been worked out by now.
fn climbs(path: &str) -> bool {
    let mut path = path.to_ascii_lowercase();
    // Twice: some servers undo escapes twice.
    for _ in 0..2 {
        for (escape, plain) in [("%25", "%"), ("%2f", "/"), ("%5c", "/"), ("%2e", "."), ("%3b", ";")] {
            path = path.replace(escape, plain);
        }
    }
    let dots = |segment: &str| matches!(segment.split(';').next(), Some("." | ".."));
    path.split(['/', '\\']).any(dots)
}

/// A request as it is found again: all of it.
fn question(request: &HttpRequest) -> Question {
    let body = match &request.body {
        Body::Bytes(bytes) => Cow::Borrowed(bytes.as_slice()),
        other => Cow::Owned(json!(other).to_string().into_bytes()),
    };
    let head = json!([request.method, request.url, request.headers, request.credentials, request.keep_body]);
    Question::new(&["http", &head.to_string()]).and(&body)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_is_named_as_manifests_name_it() {
        for (url, host, path) in [
            ("https://api.example.com/v1/x?q=1", "api.example.com", "/v1/x"),
            ("https://API.example.com:443", "api.example.com", "/"),
            ("https://api.example.com:8443/v1/../v2", "api.example.com:8443", "/v2"),
            ("https://api.example.com/v1/%2e%2e/admin", "api.example.com", "/admin"),
            ("http://api.example.com/", "api.example.com:80", "/"),
            ("http://desk.localhost:9000/", "desk.localhost:9000", "/"),
            ("https://user@evil.example/", "evil.example", "/"),
            ("https://a.io/b%2Fc", "a.io", "/b%2Fc"),
        ] {
            assert_eq!(destination(url), Ok((host.to_owned(), path.to_owned())), "{url}");
        }
        for url in [
            "",
            "/v1",
            "ftp://a.io/",
            "data:text/plain,x",
            "https://",
            &format!("https://{}.io/", "a".repeat(260)),
            "https://a.io/v1/..%2fadmin",
            "https://a.io/v1/%2e%2e%2fadmin",
            "https://a.io/v1/..%5cadmin",
            "https://a.io/v1/..%252fadmin",
            "https://a.io/v1/%252e%252e/admin",
            "https://a.io/v1/..;/admin",
            "https://a.io/v1/..;a=b%2fadmin",
            "https://a.io/v1/.%2fx",
        ] {
            assert!(matches!(destination(url), Err(Refusal::Invalid(_))), "{url}");
        }
    }

    #[test]
    fn every_part_of_a_request_makes_it_another() {
        let first = HttpRequest {
            method: Method::Post,
            url: "https://a.io/".to_owned(),
            headers: vec![("a".to_owned(), "b".to_owned())],
            body: Body::Bytes(b"x".to_vec()),
            credentials: Vec::new(),
            keep_body: false,
            timeout: None,
        };
        let others = [
            HttpRequest { method: Method::Put, ..first.clone() },
            HttpRequest { url: "https://a.io/b".to_owned(), ..first.clone() },
            HttpRequest { headers: vec![("a".to_owned(), "c".to_owned())], ..first.clone() },
            HttpRequest { body: Body::Bytes(b"y".to_vec()), ..first.clone() },
            HttpRequest { body: Body::Form(vec![("x".to_owned(), "y".to_owned())]), ..first.clone() },
            HttpRequest { keep_body: true, ..first.clone() },
        ];
        assert_eq!(question(&first), question(&first.clone()));
        assert!(others.iter().all(|other| question(other) != question(&first)));
    }
}
