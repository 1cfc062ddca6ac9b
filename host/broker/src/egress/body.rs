//! Encodes a request's body and puts secrets into it. Stops injection: a multipart boundary is random, names are escaped,
//! and a JSON body is spliced at a checked place, byte for byte as the plugin wrote it otherwise.

use std::fmt;

use bytes::Bytes;
use pointsman_core::failure::{Class, Failure};
use pointsman_core::ports::{Body, Part, PartContent};
use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;
use zeroize::Zeroizing;

use super::inject::{malformed, taken};

/// Bytes of a body at most; what is larger travels as a blob.
const MAX_BODY: usize = 1 << 20;

/// A body as it goes out.
#[derive(Debug)]
pub(crate) struct Filled {
    pub(crate) bytes: Bytes,
    /// Where the host chooses the encoding, it names it.
    pub(crate) content_type: Option<String>,
}

/// Secrets with their field name or pointer.
type Secrets<'a> = [(&'a str, &'a str)];

/// Encodes `body` with secrets as form fields and JSON fields.
pub(crate) fn fill(body: &Body, fields: &Secrets<'_>, json: &Secrets<'_>) -> Result<Filled, Failure> {
    if !fields.is_empty() && !matches!(body, Body::Form(_) | Body::Multipart(_)) {
        return Err(malformed("a secret goes into a form field only where the body is a form"));
    }
    if !json.is_empty() && !matches!(body, Body::Bytes(_)) {
        return Err(malformed("a secret goes into a JSON field only where the body is JSON bytes"));
    }
    let too_large = || Failure::limit("request-body", "a request's body has at most 1 MiB; send less");
    let (bytes, content_type) = match body {
        Body::Bytes(bytes) if bytes.len() > MAX_BODY => return Err(too_large()),
        Body::None => (Bytes::new(), None),
        Body::Blob(_) => return Err(no_blobs()),
        Body::Bytes(bytes) => (splice(bytes, json)?, None),
        Body::Form(own) => (form(own, fields)?, Some("application/x-www-form-urlencoded".to_owned())),
        Body::Multipart(parts) => {
            let (bytes, boundary) = multipart(parts, fields)?;
            (bytes, Some(format!("multipart/form-data; boundary={boundary}")))
        }
    };
    if bytes.len() > MAX_BODY {
        return Err(too_large());
    }
    Ok(Filled { bytes, content_type })
}

pub(crate) fn no_blobs() -> Failure {
    Failure::new(Class::Permanent, "unsupported.blob", "this version does not stream blobs; send the bytes or a link")
}

fn splice(bytes: &[u8], json: &Secrets<'_>) -> Result<Bytes, Failure> {
    if json.is_empty() {
        return Ok(Bytes::copy_from_slice(bytes));
    }
    let mut text: Option<Zeroizing<Vec<u8>>> = None;
    for (pointer, secret) in json {
        let next = insert_json(text.as_deref().map_or(bytes, Vec::as_slice), pointer, secret)?;
        text = Some(next);
    }
    Ok(text.map_or_else(Bytes::new, Bytes::from_owner))
}

fn form(own: &[(String, String)], secrets: &Secrets<'_>) -> Result<Bytes, Failure> {
    for (index, (name, _)) in secrets.iter().enumerate() {
        let again = secrets.iter().skip(index + 1).any(|(other, _)| other == name);
        if name.is_empty() || again || own.iter().any(|(other, _)| other == name) {
            return Err(taken("form field", name));
        }
    }
    let size = own.iter().map(|(name, value)| name.len() + value.len() + 2).sum::<usize>()
        + secrets.iter().map(|(name, value)| name.len() + value.len() + 2).sum::<usize>();
    // Room for the worst case where a secret is in it, so that no copy of it is left behind by growing.
    let text = String::with_capacity(if secrets.is_empty() { size } else { size * 3 });
    let mut encoder = url::form_urlencoded::Serializer::new(text);
    for (name, value) in own {
        encoder.append_pair(name, value);
    }
    for (name, secret) in secrets {
        encoder.append_pair(name, secret);
    }
    let encoded = encoder.finish().into_bytes();
    Ok(if secrets.is_empty() { Bytes::from(encoded) } else { Bytes::from_owner(Zeroizing::new(encoded)) })
}

fn multipart(parts: &[Part], secrets: &Secrets<'_>) -> Result<(Bytes, String), Failure> {
    for (index, (name, _)) in secrets.iter().enumerate() {
        let again = secrets.iter().skip(index + 1).any(|(other, _)| other == name);
        if name.is_empty() || again || parts.iter().any(|part| part.name == *name) {
            return Err(taken("form field", name));
        }
    }
    let mut random = [0; 16];
    getrandom::fill(&mut random)
        .map_err(|_| Failure::new(Class::Transient, "egress.random", "the system gives no random numbers; try again"))?;
    let boundary = format!("pointsman-{}", hex::encode(random));
    let size: usize = parts.iter().map(|part| 256 + part.name.len() * 3 + content(part).map_or(0, <[u8]>::len)).sum();
    let secret_size: usize = secrets.iter().map(|(name, secret)| 256 + name.len() * 3 + secret.len()).sum();
    if size > MAX_BODY + (64 << 10) {
        return Err(Failure::limit("request-body", "a request's body has at most 1 MiB; send less"));
    }
    let mut out = Zeroizing::new(Vec::with_capacity(size + secret_size + 64));
    for part in parts {
        let content = content(part).ok_or_else(no_blobs)?;
        let file = part.file_name.as_deref().map(|name| format!("; filename=\"{}\"", quoted(name))).unwrap_or_default();
        let mime = match part.mime_type.as_deref() {
            Some(mime) if mime.bytes().any(|byte| byte.is_ascii_control()) => {
                return Err(malformed("a part's MIME type has control characters"));
            }
            Some(mime) => format!("\r\ncontent-type: {mime}"),
            None => String::new(),
        };
        push(&mut out, &boundary, &part.name, &file, &mime, content);
    }
    for (name, secret) in secrets {
        push(&mut out, &boundary, name, "", "", secret.as_bytes());
    }
    out.extend_from_slice(format!("--{boundary}--\r\n").as_bytes());
    Ok((Bytes::from_owner(out), boundary))
}

fn content(part: &Part) -> Option<&[u8]> {
    match &part.content {
        PartContent::Text(text) => Some(text.as_bytes()),
        PartContent::Bytes(bytes) => Some(bytes),
        PartContent::Blob(_) => None,
    }
}

fn push(out: &mut Vec<u8>, boundary: &str, name: &str, file: &str, mime: &str, content: &[u8]) {
    let name = quoted(name);
    let head = format!("--{boundary}\r\ncontent-disposition: form-data; name=\"{name}\"{file}{mime}\r\n\r\n");
    out.extend_from_slice(head.as_bytes());
    out.extend_from_slice(content);
    out.extend_from_slice(b"\r\n");
}

/// As browsers escape names in multipart bodies; other control characters go too.
fn quoted(name: &str) -> String {
    let mut out = String::with_capacity(name.len());
    for character in name.chars() {
        match character {
            '"' => out.push_str("%22"),
            '\r' => out.push_str("%0D"),
            '\n' => out.push_str("%0A"),
            other if other.is_control() => out.push('_'),
            other => out.push(other),
        }
    }
    out
}

/// The members of a JSON object, in order, duplicates kept, values as they are written.
struct Members<'a>(Vec<(String, &'a RawValue)>);

impl<'de: 'a, 'a> Deserialize<'de> for Members<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct InOrder;
        impl<'de> Visitor<'de> for InOrder {
            type Value = Members<'de>;
            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("a JSON object")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut members = Vec::new();
                while let Some(member) = map.next_entry()? {
                    members.push(member);
                }
                Ok(Members(members))
            }
        }
        deserializer.deserialize_map(InOrder)
    }
}

/// Puts `secret` where `pointer` says: the object must be there, its member must not. All other bytes stay as they are.
fn insert_json(body: &[u8], pointer: &str, secret: &str) -> Result<Zeroizing<Vec<u8>>, Failure> {
    let no_json = || malformed("a secret goes into a JSON field only where the body is JSON");
    let no_place = || malformed("the pointer of a credential names no object of the body, or a name that stands twice");
    let text = std::str::from_utf8(body).map_err(|_| no_json())?;
    let path = pointer.strip_prefix('/').ok_or_else(no_place)?;
    let names = path.split('/').map(unescape).collect::<Option<Vec<_>>>().ok_or_else(no_place)?;
    let (last, parents) = names.split_last().ok_or_else(no_place)?;

    let mut place: &RawValue = serde_json::from_str(text).map_err(|_| no_json())?;
    for name in parents {
        place = child(place, name).ok_or_else(no_place)?;
    }
    let Members(members) = serde_json::from_str(place.get()).map_err(|_| no_place())?;
    if members.iter().any(|(name, _)| name == last) {
        return Err(taken("JSON field", last));
    }
    // `place` is a part of `text`: the distance says where its opening brace stands.
    let at = place.get().as_ptr().addr() - text.as_ptr().addr() + 1;
    let (before, after) = text.split_at_checked(at).ok_or_else(no_place)?;

    // Six bytes for each of name and secret: the longest escape, so that growing leaves no copy behind.
    let mut out = Zeroizing::new(Vec::with_capacity(text.len() + 6 * (last.len() + secret.len()) + 8));
    out.extend_from_slice(before.as_bytes());
    serde_json::to_writer(&mut *out, last).map_err(|_| no_json())?;
    out.push(b':');
    serde_json::to_writer(&mut *out, secret).map_err(|_| no_json())?;
    if !members.is_empty() {
        out.push(b',');
    }
    out.extend_from_slice(after.as_bytes());
    Ok(out)
}

fn child<'a>(place: &'a RawValue, name: &str) -> Option<&'a RawValue> {
    if place.get().starts_with('[') {
        if name.len() > 1 && name.starts_with('0') || name.starts_with('+') {
            return None;
        }
        let items: Vec<&RawValue> = serde_json::from_str(place.get()).ok()?;
        return items.get(name.parse::<usize>().ok()?).copied();
    }
    let Members(members) = serde_json::from_str(place.get()).ok()?;
    let mut found = members.into_iter().filter(|(member, _)| member == name);
    let (_, value) = found.next()?;
    found.next().is_none().then_some(value)
}

/// One name of an RFC 6901 pointer.
fn unescape(name: &str) -> Option<String> {
    let mut out = String::with_capacity(name.len());
    let mut characters = name.chars();
    while let Some(character) = characters.next() {
        out.push(match character {
            '~' => match characters.next()? {
                '0' => '~',
                '1' => '/',
                _ => return None,
            },
            other => other,
        });
    }
    Some(out)
}

#[cfg(test)]
mod tests;
