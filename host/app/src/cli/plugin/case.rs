//! One case: what the options say, or one line of `--jsonl`. JSON is kept as its own text until its reader wants it, so that
//! a long id keeps its digits and a body its bytes.

use std::fmt;
use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use pointsman_core::clock::{Clock as _, Instant, SystemClock};
use pointsman_core::failure::Failure;
use pointsman_core::ports::{Account, Method};
use serde::de::{Deserializer, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::Value;
use serde_json::value::RawValue;
use url::form_urlencoded;

use super::unusable;

/// JSON, not read yet.
pub(super) type Json = Option<Box<RawValue>>;

/// Everything that may be asked about. Each question reads its own fields.
#[derive(Debug, Default, Clone, Deserialize)]
#[serde(default)]
pub(super) struct Case {
    pub(super) now: Option<Instant>,
    pub(super) account: Json,
    pub(super) request: Option<Request>,
    pub(super) secrets: Json,
    #[serde(alias = "ask")]
    pub(super) operation: Json,
    pub(super) answer: Json,
    pub(super) to: Option<String>,
    pub(super) key: Option<String>,
    pub(super) input: Json,
    pub(super) config: Json,
    pub(super) event: Json,
    pub(super) state: Json,
    pub(super) knowledge: Json,
    pub(super) conversation: Json,
    pub(super) script: Option<String>,
    /// Secrets of the options, where the line has some of its own.
    #[serde(skip)]
    pub(super) other_secrets: Json,
}

impl Case {
    /// Reads a line. One without a `request` may be a request itself.
    pub(super) fn read(line: &[u8]) -> Result<Self, Failure> {
        let wrong = |e: serde_json::Error| unusable("line", format!("the line is no case ({e}); write one JSON object a line"));
        let mut case: Self = serde_json::from_slice(line).map_err(wrong)?;
        if case.request.is_none() {
            case.request = Some(serde_json::from_slice(line).map_err(wrong)?);
        }
        Ok(case)
    }

    /// This case, and what it leaves out as `given` says.
    pub(super) fn over(mut self, given: &Self) -> Self {
        self.other_secrets.clone_from(&given.secrets);
        self.request = match (self.request, &given.request) {
            (Some(own), Some(given)) => Some(own.over(given)),
            (own, given) => own.or_else(|| given.clone()),
        };
        for (own, given) in [
            (&mut self.account, &given.account),
            (&mut self.operation, &given.operation),
            (&mut self.answer, &given.answer),
            (&mut self.input, &given.input),
            (&mut self.config, &given.config),
            (&mut self.event, &given.event),
            (&mut self.state, &given.state),
            (&mut self.knowledge, &given.knowledge),
            (&mut self.conversation, &given.conversation),
        ] {
            fill(own, given);
        }
        for (own, given) in [(&mut self.to, &given.to), (&mut self.key, &given.key), (&mut self.script, &given.script)] {
            fill(own, given);
        }
        fill(&mut self.now, &given.now);
        self
    }

    /// The moment of the call.
    pub(super) fn now(&self) -> Instant {
        self.now.unwrap_or_else(|| SystemClock.now())
    }

    /// The account: `{"id", "config"}`, or its id alone as text or number with `config` beside it.
    pub(super) fn account(&self) -> Result<Account, Failure> {
        #[derive(Deserialize)]
        struct Whole {
            #[serde(alias = "account_id")]
            id: Box<RawValue>,
            #[serde(default)]
            config: Value,
        }
        let mut account = match self.account.as_deref() {
            None => Account { id: "account".to_owned(), config: Value::Null },
            Some(raw) if raw.get().starts_with('{') => {
                let whole: Whole = read("account", raw)?;
                Account { id: id(&whole.id)?, config: whole.config }
            }
            Some(raw) => Account { id: id(raw)?, config: Value::Null },
        };
        if account.config.is_null() {
            account.config = value("config", &self.config)?.unwrap_or_else(|| Value::Object(serde_json::Map::new()));
        }
        Ok(account)
    }
}

fn fill<T: Clone>(own: &mut Option<T>, given: &Option<T>) {
    if own.is_none() {
        own.clone_from(given);
    }
}

/// An id is text; a number's digits are its text.
fn id(raw: &RawValue) -> Result<String, Failure> {
    match raw.get().as_bytes().first() {
        Some(b'"') => read("account", raw),
        Some(b'0'..=b'9' | b'-') => Ok(raw.get().to_owned()),
        _ => Err(unusable("account", "the account is {\"id\": \"...\", \"config\": {...}}, or its id as text or number")),
    }
}

/// Reads JSON as what is wanted; `what` is the option that it came from.
pub(super) fn read<T: DeserializeOwned>(what: &str, raw: &RawValue) -> Result<T, Failure> {
    serde_json::from_str(raw.get()).map_err(|e| unusable(what, format!("--{what} is not as it should be: {e}")))
}

/// The same as a plain value, where it is given.
pub(super) fn value(what: &str, raw: &Json) -> Result<Option<Value>, Failure> {
    raw.as_deref().map(|raw| read(what, raw)).transpose()
}

/// JSON of an option: its text, or `file:PATH`.
pub(super) fn option(what: &str, text: Option<&String>) -> Result<Json, Failure> {
    let Some(text) = text else { return Ok(None) };
    let text = match text.strip_prefix("file:") {
        Some(path) => string(what, Path::new(path))?,
        None => text.clone(),
    };
    serde_json::from_str(&text)
        .map(Some)
        .map_err(|e| unusable(what, format!("--{what} is no JSON ({e}); write it in JSON, or as file:PATH")))
}

/// The account's option: JSON, or a bare id.
pub(super) fn account_option(text: Option<&String>) -> Result<Json, Failure> {
    match text {
        Some(bare) if !bare.starts_with(['{', '"']) && !bare.starts_with("file:") => {
            serde_json::value::to_raw_value(bare).map(Some).map_err(|e| unusable("account", e.to_string()))
        }
        other => option("account", other),
    }
}

/// A file as text.
pub(super) fn string(what: &str, path: &Path) -> Result<String, Failure> {
    String::from_utf8(bytes(what, path)?).map_err(|_| unusable(what, format!("{} is no UTF-8 text", path.display())))
}

/// A file's bytes; `-` is standard input.
pub(super) fn bytes(what: &str, path: &Path) -> Result<Vec<u8>, Failure> {
    let read = if path == Path::new("-") {
        let mut all = Vec::new();
        std::io::Read::read_to_end(&mut std::io::stdin().lock(), &mut all).map(|_| all)
    } else {
        std::fs::read(path)
    };
    read.map_err(|e| unusable(what, format!("cannot read {}: {e}", path.display())))
}

/// A request of a provider. A case of a channel's `vectors.json` reads as one.
#[derive(Debug, Default, Clone, Deserialize)]
#[serde(default)]
pub(super) struct Request {
    pub(super) method: Option<String>,
    pub(super) url: Option<String>,
    pub(super) path: Option<String>,
    pub(super) query: Option<Pairs>,
    pub(super) headers: Option<Pairs>,
    /// Text, or JSON whose own text is the body.
    pub(super) body: Json,
    pub(super) body_base64: Option<String>,
    /// Of a vector: how it is made.
    pub(super) scheme: Option<String>,
    /// Of a vector: the secret that verifies.
    pub(super) secret: Option<String>,
    /// Of a vector: the token of the handshake.
    pub(super) verify_token: Option<String>,
    #[serde(skip)]
    pub(super) bytes: Option<Vec<u8>>,
}

impl Request {
    fn over(mut self, given: &Self) -> Self {
        let bare = self.body.is_none() && self.body_base64.is_none() && self.bytes.is_none();
        for (own, given) in [
            (&mut self.method, &given.method),
            (&mut self.url, &given.url),
            (&mut self.path, &given.path),
            (&mut self.secret, &given.secret),
            (&mut self.verify_token, &given.verify_token),
        ] {
            fill(own, given);
        }
        fill(&mut self.query, &given.query);
        fill(&mut self.headers, &given.headers);
        if bare {
            self.body.clone_from(&given.body);
            self.body_base64.clone_from(&given.body_base64);
            self.bytes.clone_from(&given.bytes);
        }
        self
    }

    /// The raw body, where one is given.
    pub(super) fn body(&self) -> Result<Option<Vec<u8>>, Failure> {
        if let Some(bytes) = &self.bytes {
            return Ok(Some(bytes.clone()));
        }
        if let Some(text) = &self.body_base64 {
            let decoded = STANDARD.decode(text.trim());
            return decoded.map(Some).map_err(|e| unusable("body_base64", format!("body_base64 is no base64: {e}")));
        }
        match self.body.as_deref() {
            Some(raw) if raw.get().starts_with('"') => Ok(Some(read::<String>("body", raw)?.into_bytes())),
            Some(raw) => Ok(Some(raw.get().as_bytes().to_vec())),
            None => Ok(None),
        }
    }

    /// As it is given; a query without a body asks, everything else tells.
    pub(super) fn method(&self) -> Result<Method, Failure> {
        let bare = self.body.is_none() && self.body_base64.is_none() && self.bytes.is_none();
        match self.method.as_deref().map(str::to_ascii_uppercase).as_deref() {
            None if self.scheme.as_deref() == Some("hub-challenge") => Ok(Method::Get),
            None if bare && !self.query()?.is_empty() => Ok(Method::Get),
            None | Some("POST") => Ok(Method::Post),
            Some("GET") => Ok(Method::Get),
            Some("HEAD") => Ok(Method::Head),
            Some("PUT") => Ok(Method::Put),
            Some("PATCH") => Ok(Method::Patch),
            Some("DELETE") => Ok(Method::Delete),
            Some(other) => {
                Err(unusable("method", format!("there is no method {other}: a webhook comes by POST, a handshake by GET")))
            }
        }
    }

    /// The query, decoded: its own field, else what stands in the address.
    pub(super) fn query(&self) -> Result<Vec<(String, String)>, Failure> {
        let decoded = |text: &str| form_urlencoded::parse(text.trim_start_matches('?').as_bytes()).into_owned().collect();
        Ok(match &self.query {
            Some(Pairs::List(list)) => list.clone(),
            Some(Pairs::Text(text)) => decoded(text),
            None => {
                let address = self.url.as_ref().or(self.path.as_ref());
                address.and_then(|a| a.split_once('?')).map(|(_, query)| decoded(query)).unwrap_or_default()
            }
        })
    }

    /// The headers, names in lower case as the host's own listener gives them.
    pub(super) fn headers(&self) -> Result<Vec<(String, String)>, Failure> {
        headers(self.headers.as_ref())
    }
}

/// Headers in either form, names in lower case.
pub(super) fn headers(given: Option<&Pairs>) -> Result<Vec<(String, String)>, Failure> {
    match given {
        None => Ok(Vec::new()),
        Some(Pairs::List(list)) => Ok(list.iter().map(|(name, value)| (name.to_ascii_lowercase(), value.clone())).collect()),
        Some(Pairs::Text(text)) => text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()).map(header).collect(),
    }
}

/// Bytes as text.
pub(super) fn base64(bytes: &[u8]) -> String {
    STANDARD.encode(bytes)
}

/// A line `Name: value`.
fn header((n, line): (usize, &str)) -> Result<(String, String), Failure> {
    match line.split_once(':') {
        Some((name, value)) if !name.is_empty() && !name.contains(char::is_whitespace) => {
            Ok((name.to_ascii_lowercase(), value.trim().to_owned()))
        }
        _ => Err(unusable("headers", format!("line {} of the headers is not of the form `Name: value`", n + 1))),
    }
}

/// Names and values: an object (a list as value means several), a list of pairs, or text. Nothing is merged, since a header
/// that comes twice is refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Pairs {
    List(Vec<(String, String)>),
    Text(String),
}

impl<'de> Deserialize<'de> for Pairs {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Any;

        impl<'de> Visitor<'de> for Any {
            type Value = Pairs;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object, a list of [name, value], or text")
            }

            fn visit_str<E>(self, text: &str) -> Result<Pairs, E> {
                Ok(Pairs::Text(text.to_owned()))
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Pairs, A::Error> {
                let mut list = Vec::new();
                while let Some((name, value)) = map.next_entry::<String, Value>()? {
                    match value {
                        Value::Null => {}
                        Value::Array(all) => list.extend(all.into_iter().map(|value| (name.clone(), text(value)))),
                        one => list.push((name, text(one))),
                    }
                }
                Ok(Pairs::List(list))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut all: A) -> Result<Pairs, A::Error> {
                let mut list = Vec::new();
                while let Some((name, value)) = all.next_element::<(String, Value)>()? {
                    list.push((name, text(value)));
                }
                Ok(Pairs::List(list))
            }
        }

        deserializer.deserialize_any(Any)
    }
}

fn text(value: Value) -> String {
    match value {
        Value::String(text) => text,
        other => other.to_string(),
    }
}
