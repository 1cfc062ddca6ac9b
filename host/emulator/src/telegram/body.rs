//! The parameters of a call, as one JSON object: they come as JSON, as a form with files, or in the address.

use bytes::Bytes;
use serde_json::{Map, Value, json};

/// A file that came with a form.
#[derive(Debug, Clone)]
pub(super) struct Upload {
    pub(super) field: String,
    pub(super) name: String,
    pub(super) mime: String,
    pub(super) bytes: Bytes,
}

/// What a call brought.
#[derive(Debug, Default)]
pub(super) struct Params {
    pub(super) fields: Map<String, Value>,
    pub(super) uploads: Vec<Upload>,
}

impl Params {
    pub(super) fn text(&self, field: &str) -> Option<&str> {
        self.fields.get(field).and_then(Value::as_str)
    }

    /// A number, written as one or as text.
    pub(super) fn number(&self, field: &str) -> Option<i64> {
        self.fields.get(field).and_then(number)
    }

    /// An object or list, written as one or as text that holds its JSON.
    pub(super) fn json(&self, field: &str) -> Option<Value> {
        match self.fields.get(field)? {
            Value::Null => None,
            Value::String(text) if text.is_empty() => None,
            Value::String(text) => Some(serde_json::from_str(text).unwrap_or_else(|_| json!(text))),
            other => Some(other.clone()),
        }
    }

    pub(super) fn upload(&self, field: &str) -> Option<&Upload> {
        let attached = self.text(field).and_then(|text| text.strip_prefix("attach://"));
        self.uploads.iter().find(|upload| upload.field == attached.unwrap_or(field))
    }
}

/// A number, written as one or as text.
pub(super) fn number(value: &Value) -> Option<i64> {
    value.as_i64().or_else(|| value.as_str().and_then(|text| text.trim().parse().ok()))
}

/// Reads what a call brought.
pub(super) fn read(query: Option<&str>, kind: &str, body: &Bytes) -> Result<Params, &'static str> {
    let mut params = Params { fields: form(query.unwrap_or_default()), ..Params::default() };
    let (media, rest) = kind.split_once(';').map_or((kind, ""), |(media, rest)| (media, rest));
    match media.trim().to_ascii_lowercase().as_str() {
        _ if body.is_empty() => {}
        "application/json" => match serde_json::from_slice(body) {
            Ok(Value::Object(fields)) => params.fields.extend(fields),
            _ => return Err("can't parse JSON object"),
        },
        "application/x-www-form-urlencoded" => params.fields.extend(form(&String::from_utf8_lossy(body))),
        "multipart/form-data" => {
            let boundary = rest.split(';').find_map(|part| part.trim().strip_prefix("boundary="));
            let boundary = boundary.ok_or("boundary of the form is missing")?.trim_matches('"');
            parts(body, boundary, &mut params).ok_or("can't parse the form")?;
        }
        _ => return Err("unsupported content type: send JSON or a form"),
    }
    Ok(params)
}

fn form(text: &str) -> Map<String, Value> {
    let pairs = text.split('&').filter(|pair| !pair.is_empty());
    pairs
        .map(|pair| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            (unescaped(&name.replace('+', " ")), json!(unescaped(&value.replace('+', " "))))
        })
        .collect()
}

/// Text without %-escapes.
pub(super) fn unescaped(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, tail)) = rest.split_first() {
        let escaped = if *first == b'%' { tail.get(..2) } else { None };
        let byte = escaped.and_then(|hex| std::str::from_utf8(hex).ok()).and_then(|hex| u8::from_str_radix(hex, 16).ok());
        bytes.push(byte.unwrap_or(*first));
        rest = if byte.is_some() { tail.get(2..).unwrap_or_default() } else { tail };
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

fn find(bytes: &[u8], what: &[u8]) -> Option<usize> {
    bytes.windows(what.len()).position(|window| window == what)
}

/// The parts of a form: fields become text, what has a file's name becomes an upload.
fn parts(body: &Bytes, boundary: &str, params: &mut Params) -> Option<()> {
    let mark = format!("--{boundary}");
    let mut at = find(body, mark.as_bytes())? + mark.len();
    loop {
        if body.get(at..)?.starts_with(b"--") {
            return Some(());
        }
        at += 2;
        let head = find(body.get(at..)?, b"\r\n\r\n")?;
        let headers = String::from_utf8_lossy(body.get(at..at + head)?).into_owned();
        at += head + 4;
        let end = format!("\r\n{mark}");
        let length = find(body.get(at..)?, end.as_bytes())?;
        let content = body.slice(at..at + length);
        at += length + end.len();
        let header = |name: &str| {
            let mut lines = headers.lines().filter_map(|line| line.split_once(':'));
            lines.find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value.trim().to_owned())
        };
        let place = header("content-disposition")?;
        let told = |name: &str| {
            let start = place.find(&format!("; {name}=\""))? + name.len() + 4;
            place.get(start..)?.split('"').next().map(str::to_owned)
        };
        let field = told("name")?;
        match told("filename") {
            Some(name) => {
                let mime = header("content-type").unwrap_or_else(|| "application/octet-stream".to_owned());
                params.uploads.push(Upload { field, name, mime, bytes: content });
            }
            None => {
                params.fields.insert(field, json!(String::from_utf8_lossy(&content)));
            }
        }
    }
}
