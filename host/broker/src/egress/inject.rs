//! Puts opened secrets into a request: the one place where a token and a plugin's words meet. Stops smuggling (headers
//! that frame the message or carry credentials, line breaks in values) and overwriting (a place that is taken already is
//! refused, so a plugin cannot see its own value win over the secret's, or the secret land twice).
//!
//! Buffers that hold a secret are wiped when the last reference to them is gone. Two copies are out of reach: the client's
//! copy of a URL (placements `query` and `path`) and the socket's write buffer.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::header::{ACCEPT_ENCODING, AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use pointsman_core::failure::{Class, Failure};
use pointsman_core::ports::{HttpRequest, Method, Placement};
use secrecy::{ExposeSecret, SecretString};
use url::Url;
use zeroize::Zeroizing;

use super::body::{self, Filled};
use super::destination::short;
use super::redact::path_segment;

/// Headers of one request at most.
const MAX_HEADERS: usize = 64;
/// Bytes of all headers of one request at most.
const MAX_HEADER_BYTES: usize = 32 << 10;

/// A secret with its place.
pub(crate) struct Placed<'a> {
    pub(crate) place: &'a Placement,
    pub(crate) secret: &'a SecretString,
}

/// A request that is ready to go.
#[derive(Debug)]
pub(crate) struct Ready {
    pub(crate) url: Url,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

/// Builds the request. `url` is the checked one; a secret can change its path and query, never its origin.
pub(crate) fn fill(request: &HttpRequest, mut url: Url, placed: &[Placed<'_>]) -> Result<Ready, Failure> {
    let mut headers = plain_headers(request, !placed.is_empty())?;
    let mut json = Vec::new();
    let mut fields = Vec::new();
    for Placed { place, secret } in placed {
        let secret = secret.expose_secret();
        if secret.is_empty() {
            return Err(unusable("is empty"));
        }
        match place {
            Placement::Bearer => header(&mut headers, AUTHORIZATION, &[b"Bearer ", secret.as_bytes()])?,
            Placement::BasicPassword { user } => basic(&mut headers, user, secret)?,
            Placement::BasicUserName => basic(&mut headers, secret, "")?,
            Placement::Header { name, prefix } => {
                header(&mut headers, secret_header(name)?, &[prefix.as_bytes(), secret.as_bytes()])?;
            }
            Placement::Query(name) => {
                if name.is_empty() || url.query_pairs().any(|(taken, _)| taken == name.as_str()) {
                    return Err(taken("query parameter", name));
                }
                url.query_pairs_mut().append_pair(name, secret);
            }
            Placement::Path(marker) => fill_path(&mut url, &request.url, marker, secret)?,
            Placement::FormField(name) => fields.push((name.as_str(), secret)),
            Placement::JsonField(pointer) => json.push((pointer.as_str(), secret)),
        }
    }
    let Filled { bytes, content_type } = body::fill(&request.body, &fields, &json)?;
    if let Some(content_type) = content_type {
        let value = HeaderValue::from_str(&content_type).map_err(|_| malformed("the content type is malformed"))?;
        headers.insert(CONTENT_TYPE, value);
    }
    Ok(Ready { url, headers, body: bytes })
}

/// The plugin's own headers.
fn plain_headers(request: &HttpRequest, with_secret: bool) -> Result<HeaderMap, Failure> {
    if request.headers.len() > MAX_HEADERS {
        return Err(Failure::limit("http-headers", "a request has at most 64 headers; leave some out"));
    }
    let size: usize = request.headers.iter().map(|(name, value)| name.len() + value.len()).sum();
    if size > MAX_HEADER_BYTES {
        return Err(Failure::limit("http-headers", "the headers of a request have at most 32 KiB; move data into the body"));
    }
    let mut headers = HeaderMap::with_capacity(request.headers.len() + 4);
    for (name, value) in &request.headers {
        let parsed = HeaderName::from_bytes(name.as_bytes()).map_err(|_| malformed("a header's name is malformed"))?;
        if forbidden(parsed.as_str()) || (with_secret && matches!(parsed.as_str(), "range" | "if-range")) {
            return Err(Failure::new(
                Class::Denied,
                "denied.http_header",
                format!("the header `{}` is set by the host alone; leave it out, or name a credential", parsed.as_str()),
            ));
        }
        if value.bytes().any(|byte| byte.is_ascii_control()) {
            return Err(malformed("a header's value has control characters"));
        }
        let value = HeaderValue::from_bytes(value.as_bytes()).map_err(|_| malformed("a header's value is malformed"))?;
        headers.append(parsed, value);
    }
    // An encoding that the host cannot undo would hide an echo from the scrubber, so the host alone says what it takes.
    let encoding = if request.method == Method::Get { "gzip" } else { "identity" };
    headers.insert(ACCEPT_ENCODING, HeaderValue::from_static(encoding));
    Ok(headers)
}

/// Headers that frame the message, choose its receiver, carry credentials, or would let an echo come back in pieces or in
/// an unreadable form. Names are in lower case.
fn forbidden(name: &str) -> bool {
    framing(name) || matches!(name, "authorization" | "cookie" | "accept-encoding")
}

fn framing(name: &str) -> bool {
    matches!(
        name,
        "host"
            | "content-length"
            | "transfer-encoding"
            | "connection"
            | "keep-alive"
            | "te"
            | "trailer"
            | "upgrade"
            | "http2-settings"
            | "expect"
    ) || name.starts_with("proxy-")
}

/// The header of a placement: any that does not frame the message.
fn secret_header(name: &str) -> Result<HeaderName, Failure> {
    let parsed = HeaderName::from_bytes(name.as_bytes()).map_err(|_| malformed("a header's name is malformed"))?;
    if framing(parsed.as_str()) || matches!(parsed.as_str(), "accept-encoding" | "content-type" | "content-encoding") {
        return Err(malformed("a secret cannot go into this header"));
    }
    Ok(parsed)
}

fn header(headers: &mut HeaderMap, name: HeaderName, parts: &[&[u8]]) -> Result<(), Failure> {
    if headers.contains_key(&name) {
        return Err(taken("header", name.as_str()));
    }
    let mut text = Zeroizing::new(Vec::with_capacity(parts.iter().map(|part| part.len()).sum()));
    for part in parts {
        text.extend_from_slice(part);
    }
    if text.iter().any(u8::is_ascii_control) {
        return Err(unusable("has a line break or another control character"));
    }
    let mut value =
        HeaderValue::from_maybe_shared(Bytes::from_owner(text)).map_err(|_| unusable("does not fit into a header"))?;
    value.set_sensitive(true);
    headers.insert(name, value);
    Ok(())
}

fn basic(headers: &mut HeaderMap, user: &str, password: &str) -> Result<(), Failure> {
    if user.contains(':') || user.bytes().chain(password.bytes()).any(|byte| byte.is_ascii_control()) {
        return Err(malformed("a user name of basic authentication has no colon and no control characters"));
    }
    let mut pair = Zeroizing::new(Vec::with_capacity(user.len() + 1 + password.len()));
    pair.extend_from_slice(user.as_bytes());
    pair.push(b':');
    pair.extend_from_slice(password.as_bytes());
    let encoded = Zeroizing::new(STANDARD.encode(&*pair));
    header(headers, AUTHORIZATION, &[b"Basic ", encoded.as_bytes()])
}

/// Replaces the marker, which stands once in the path and nowhere else.
fn fill_path(url: &mut Url, original: &str, marker: &str, secret: &str) -> Result<(), Failure> {
    let crooked = || malformed("a path marker looks like {token} and stands exactly once, in the path of the URL");
    let name = marker.strip_prefix('{').and_then(|rest| rest.strip_suffix('}')).ok_or_else(crooked)?;
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-';
    if name.is_empty() || name.len() > 32 || !name.bytes().all(plain) {
        return Err(crooked());
    }
    if secret.bytes().any(|byte| byte == b'/' || byte == b'\\' || byte.is_ascii_control()) || matches!(secret, "." | "..") {
        return Err(unusable("cannot stand in a path"));
    }
    // The parser has percent-encoded the braces.
    let encoded = format!("%7B{name}%7D");
    let once = original.matches(marker).count() == 1
        && !original.to_ascii_uppercase().contains(&encoded.to_ascii_uppercase())
        && url.path().matches(encoded.as_str()).count() == 1;
    if !once {
        return Err(crooked());
    }
    let segment = path_segment(secret);
    let path = Zeroizing::new(url.path().replacen(encoded.as_str(), &segment, 1));
    url.set_path(&path);
    // A dot segment made of marker and neighbours would have moved the path.
    if url.path() == path.as_str() { Ok(()) } else { Err(unusable("cannot stand in a path")) }
}

pub(crate) fn taken(what: &str, name: &str) -> Failure {
    malformed(&format!("the {what} `{}` of a credential is empty or set already; leave it to the host", short(name)))
}

pub(crate) fn malformed(message: &str) -> Failure {
    Failure::bug("egress.request", message)
}

/// The stored secret is wrong, whatever the plugin does.
fn unusable(why: &str) -> Failure {
    Failure::new(Class::Permanent, "credential.unusable", format!("the stored secret {why}; store it anew"))
}

#[cfg(test)]
mod tests;
