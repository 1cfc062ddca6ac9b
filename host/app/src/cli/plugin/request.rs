//! A request as people and `outbound.json` write it: headers in their usual spelling, JSON as JSON, and `{TOKEN}` where the
//! broker puts the secret. Nothing here opens a secret or sends.

use pointsman_core::ports::{Body, HttpRequest, PartContent, Placement};
use serde_json::{Map, Value, json};
use url::form_urlencoded;

/// What stands for the secret of a slot: `{TOKEN}` for a token, else the slot's name in capitals.
fn marker(slot: &str) -> String {
    if slot == "token" || slot.ends_with("_token") {
        "{TOKEN}".to_owned()
    } else {
        format!("{{{}}}", slot.to_uppercase().replace('-', "_"))
    }
}

/// The request with markers in place of its secrets.
pub(super) fn shown(request: &HttpRequest) -> Value {
    let mut url = request.url.clone();
    let mut headers = Map::new();
    for (name, value) in &request.headers {
        headers.insert(spelled(name), json!(value));
    }
    let mut fields = Vec::new();
    let mut body = match &request.body {
        Body::Bytes(bytes) => serde_json::from_slice::<Value>(bytes).ok(),
        _ => None,
    };
    for used in &request.credentials {
        let secret = marker(&used.slot);
        match &used.place {
            Placement::Bearer => insert(&mut headers, "Authorization", format!("Bearer {secret}")),
            Placement::BasicPassword { user } => insert(&mut headers, "Authorization", format!("Basic base64({user}:{secret})")),
            Placement::BasicUserName => insert(&mut headers, "Authorization", format!("Basic base64({secret}:)")),
            Placement::Header { name, prefix } => insert(&mut headers, &spelled(name), format!("{prefix}{secret}")),
            Placement::Query(name) => {
                let name: String = form_urlencoded::byte_serialize(name.as_bytes()).collect();
                url = format!("{url}{}{name}={secret}", if url.contains('?') { '&' } else { '?' });
            }
            Placement::Path(marker) => url = url.replacen(marker.as_str(), &secret, 1),
            Placement::FormField(name) => fields.push(json!([name, secret])),
            Placement::JsonField(pointer) => point(body.as_mut(), pointer, secret),
        }
    }
    let mut out = Map::new();
    out.insert("method".to_owned(), json!(request.method));
    out.insert("url".to_owned(), json!(url));
    match &request.body {
        Body::None => {}
        Body::Bytes(bytes) => match body {
            Some(body) => drop(out.insert("json".to_owned(), body)),
            None => match std::str::from_utf8(bytes) {
                Ok(text) => drop(out.insert("body".to_owned(), json!(text))),
                Err(_) => drop(out.insert("body_base64".to_owned(), json!(super::case::base64(bytes)))),
            },
        },
        Body::Blob(blob) => drop(out.insert("blob".to_owned(), json!(blob))),
        Body::Form(own) => {
            insert(&mut headers, "Content-Type", "application/x-www-form-urlencoded".to_owned());
            out.insert("form".to_owned(), own.iter().map(|(name, value)| json!([name, value])).chain(fields).collect());
        }
        Body::Multipart(parts) => {
            insert(&mut headers, "Content-Type", "multipart/form-data".to_owned());
            let own = parts.iter().map(|part| {
                let content = match &part.content {
                    PartContent::Text(text) => json!({ "text": text }),
                    PartContent::Bytes(bytes) => json!({ "base64": super::case::base64(bytes) }),
                    PartContent::Blob(blob) => json!({ "blob": blob }),
                };
                json!({ "name": part.name, "file_name": part.file_name, "mime_type": part.mime_type, "content": content })
            });
            let secrets = fields.iter().map(|pair| json!({ "name": pair.get(0), "content": { "text": pair.get(1) } }));
            out.insert("parts".to_owned(), own.chain(secrets).collect());
        }
    }
    out.insert("headers".to_owned(), Value::Object(headers));
    Value::Object(out)
}

fn insert(headers: &mut Map<String, Value>, name: &str, value: String) {
    headers.insert(name.to_owned(), Value::String(value));
}

/// `content-type` as `Content-Type`: names mean the same in any case, and this is how people write them.
fn spelled(name: &str) -> String {
    let word = |part: &str| {
        let mut letters = part.chars();
        letters
            .next()
            .map_or_else(String::new, |first| format!("{}{}", first.to_ascii_uppercase(), letters.as_str().to_ascii_lowercase()))
    };
    name.split('-').map(word).collect::<Vec<_>>().join("-")
}

/// Sets the place that an RFC 6901 pointer names.
fn point(body: Option<&mut Value>, pointer: &str, secret: String) {
    let Some((parent, name)) = pointer.rsplit_once('/') else { return };
    if let Some(fields) = body.and_then(|body| body.pointer_mut(parent)).and_then(Value::as_object_mut) {
        fields.insert(name.replace("~1", "/").replace("~0", "~"), Value::String(secret));
    }
}
