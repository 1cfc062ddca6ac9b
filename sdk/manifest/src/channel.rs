//! What a channel says of its provider: how it signs, which secrets it needs and where they may go, what it refuses.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::origin::origin;
use crate::{ManifestError, duration};

/// `[webhook]`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WebhookRules {
    /// How the host tells the provider from anybody else. There is no channel without.
    pub verify: VerifyScheme,
    /// What the provider asks when the address is registered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub handshake: Option<Handshake>,
    /// Headers that the plugin sees, in lower case. Never signatures, authorization or cookies.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub headers: Vec<String>,
    /// Bytes.
    #[serde(default = "body_limit")]
    pub body_limit: usize,
    /// Whether the plugin may answer the provider with a body of its own.
    #[serde(default)]
    pub answers: bool,
}

fn body_limit() -> usize {
    1 << 20
}

/// `verify = { scheme = "hmac-sha256", header = "X-Hub-Signature-256", prefix = "sha256=", secret = "app_secret" }`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct VerifyScheme {
    /// How the provider proves that it is the provider.
    pub scheme: SignatureScheme,
    /// Which header carries the signature or the secret. Must come exactly once.
    pub header: String,
    /// What stands before the signature. Only for schemes that sign.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub prefix: String,
    /// The slot of the secret.
    pub secret: String,
    /// How the signature is written; absent: [`Encoding::Hex`]. Only for schemes that sign.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub encoding: Option<Encoding>,
}

/// How a webhook is signed. Grows with the channels.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum SignatureScheme {
    /// HMAC-SHA256 over the raw body.
    #[serde(rename = "hmac-sha256")]
    HmacSha256,
    /// The header's value is the secret itself; the body is not signed. For providers that offer no more than this.
    #[serde(rename = "secret-header")]
    SecretHeader,
}

/// How a signature is written.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Encoding {
    /// Two hexadecimal digits a byte.
    #[default]
    Hex,
}

/// `handshake = { kind = "hub-challenge", token = "verify_token" }`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Handshake {
    /// Which dance.
    pub kind: HandshakeKind,
    /// The slot of the token that the provider repeats.
    pub token: String,
}

/// How a provider asks whether an address is ours. Grows with the channels.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum HandshakeKind {
    /// `GET ?hub.mode=subscribe&hub.verify_token=TOKEN&hub.challenge=ECHO`: Meta and those who followed.
    HubChallenge,
}

/// One of `[[credentials]]`: a secret by name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CredentialSlot {
    /// Its name: `access_token`.
    pub slot: String,
    /// Where alone it may go, over https: `graph.facebook.com`. Empty: it never leaves the host (it only verifies).
    #[serde(default)]
    pub hosts: Vec<String>,
    /// Where in a request it may stand. Absent: as a bearer token, if it may leave at all.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub placements: Vec<PlacementKind>,
    /// One sentence for the operator.
    pub why: String,
    /// Whether the plugin works without it.
    #[serde(default)]
    pub optional: bool,
    /// Whether the host makes one up when the operator gives none: for a secret that it tells the provider itself.
    #[serde(default)]
    pub generate: bool,
}

impl CredentialSlot {
    /// Whether the secret may stand at this place in a request.
    #[must_use]
    pub fn allows(&self, place: PlacementKind) -> bool {
        let usual = PlacementKind::usual();
        let places = if self.placements.is_empty() { &usual } else { &self.placements };
        !self.hosts.is_empty() && places.contains(&place)
    }

    /// The origins to which the secret is pinned when it is stored: those of `hosts`, or, where the operator named another
    /// address of the provider's API (`api_url`), that one alone. A slot without hosts is pinned to nothing in either case.
    ///
    /// # Errors
    /// `manifest.origin`: `api_url` is no address.
    pub fn pinned_origins(&self, api_url: Option<&str>) -> Result<Vec<String>, ManifestError> {
        if self.hosts.is_empty() {
            return Ok(Vec::new());
        }
        match api_url {
            Some(url) => Ok(vec![origin(url)?]),
            None => Ok(self.hosts.iter().map(|host| format!("https://{host}")).collect()),
        }
    }
}

/// Where in a request a secret may stand (the contract's `placement`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[expect(missing_docs, reason = "as in the contract, variant `placement`")]
pub enum PlacementKind {
    Bearer,
    BasicPassword,
    BasicUserName,
    Header,
    Query,
    Path,
    FormField,
    JsonField,
}

impl PlacementKind {
    /// What is meant when nothing is said.
    pub(crate) fn usual() -> Vec<Self> {
        vec![Self::Bearer]
    }
}

/// `[limits]`: what the provider refuses. Lengths in characters, sizes in bytes; absent: no limit known.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct MessageLimits {
    /// Characters of a text.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub text: Option<u32>,
    /// Characters of a text below a picture or other file.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub caption: Option<u32>,
    /// Characters of a text that has buttons or a list.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub choice_text: Option<u32>,
    /// Buttons of one message; more become a list where there are lists.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub buttons: Option<u32>,
    /// Characters on a button.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub button_title: Option<u32>,
    /// Characters behind a button.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub button_payload: Option<u32>,
    /// Rows of a list. Absent or 0: no lists.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub list_rows: Option<u32>,
    /// Characters of a row.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub row_title: Option<u32>,
    /// Characters of a row's second line.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub row_description: Option<u32>,
    /// Characters on the button that opens a list.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub list_button: Option<u32>,
    /// Files of one message.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub attachments: Option<u32>,
    /// Bytes of a file.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub media: Option<u64>,
    /// Bytes of a picture, where that differs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub image: Option<u64>,
}

/// `[window]`
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Window {
    /// After the contact's last message; then only a template goes.
    pub hours: u32,
}

/// What becomes of a send whose answer never came.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OnUnknown {
    /// Send again under the same key, marked as a possible duplicate.
    #[default]
    Retry,
    /// Wait for a person.
    Ask,
    /// Leave it.
    Skip,
}

/// `[retry]`: times as `"30s"`, `"5m"`, `"250ms"` or a number of milliseconds.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RetryRules {
    /// Retries after the first attempt.
    pub max: u32,
    /// Milliseconds before the first retry.
    #[serde(deserialize_with = "duration::millis")]
    pub first: u64,
    /// Each next wait is this many times longer.
    pub factor: f64,
    /// The longest wait in milliseconds.
    #[serde(deserialize_with = "duration::millis")]
    pub cap: u64,
    /// What becomes of a send whose answer never came.
    pub on_unknown: OnUnknown,
    /// How long, in milliseconds, such a send waits for an echo of its key.
    #[serde(deserialize_with = "duration::millis")]
    pub settle_after: u64,
    /// Requests a second that the provider takes from one account.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub per_second: Option<f64>,
    /// Milliseconds between two messages to one person.
    #[serde(deserialize_with = "duration::optional", skip_serializing_if = "Option::is_none")]
    pub per_peer: Option<u64>,
}

impl Default for RetryRules {
    fn default() -> Self {
        Self {
            max: 5,
            first: 1_000,
            factor: 2.0,
            cap: 300_000,
            on_unknown: OnUnknown::Retry,
            settle_after: 30_000,
            per_second: None,
            per_peer: None,
        }
    }
}

/// One of `[operations]`: something that this provider alone can do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OtherOperation {
    /// One line for people.
    pub summary: String,
    /// JSON Schema of its input.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub input: Option<Value>,
    /// JSON Schema of its output.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub output: Option<Value>,
}
