//! What leaves the house: a request of a plugin, checked, filled with the secrets that it names, sent, and its answer
//! scrubbed. In order: `destination` reads the URL, `grants` decides which secret may go there, `inject` and `body` put it
//! in, `client` sends, `redact` cleans what comes back; `address` is asked by `destination` and by the resolver.

use std::sync::Arc;
use std::time::Duration;

use pointsman_core::failure::Failure;
use pointsman_core::ports::{HttpRequest, HttpResponse};
use pointsman_vault::{CredentialOpener, SecretString};

use serde::{Deserialize, Serialize};

use crate::ask::Plain;
use crate::{EgressConfig, StoredCredential, grants};

mod address;
mod body;
mod client;
pub(crate) mod destination;
mod inject;
mod redact;
#[cfg(test)]
mod ssrf;
#[cfg(test)]
mod tests;

use address::{Names, System};
use destination::{AllowPrivate, Destination};
use inject::{Placed, Ready};
use redact::Scrubber;

/// Credentials of one request at most.
const MAX_CREDENTIALS: usize = 4;
/// The longest time for one request, whatever a plugin asks for.
const MAX_TIMEOUT: Duration = Duration::from_secs(30);

/// Why there is no answer, told apart by what the provider may have seen.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error, Serialize, Deserialize)]
pub enum EgressError {
    /// Policy, a limit, or a request or credential that cannot be used. Nothing left the house, and trying again without
    /// a change gives the same.
    #[error("{0}")]
    Refused(#[serde(with = "Plain")] Failure),
    /// No connection came up, so the request certainly did not leave. Trying again is harmless and may help.
    #[error("{0}")]
    NotSent(#[serde(with = "Plain")] Failure),
    /// The request left, or may have left in part, and there is no usable answer: whether the provider acted is unknown.
    #[error("{0}")]
    Lost(String),
}

impl From<Failure> for EgressError {
    fn from(failure: Failure) -> Self {
        Self::Refused(failure)
    }
}

/// Everything that sends.
#[derive(Debug)]
pub(crate) struct Egress {
    public: reqwest::Client,
    internal: Option<reqwest::Client>,
    allow: AllowPrivate,
    timeout: Duration,
}

impl Egress {
    pub(crate) fn new(config: &EgressConfig) -> Result<Self, Failure> {
        Self::asking(config, &(Arc::new(System) as Arc<dyn Names>))
    }

    /// One that asks `names` for the addresses of names.
    fn asking(config: &EgressConfig, names: &Arc<dyn Names>) -> Result<Self, Failure> {
        let build = |internal| client::build(internal, &config.user_agent, Arc::clone(names));
        let allow = AllowPrivate::parse(&config.allow_private)?;
        let internal = if allow.is_empty() { None } else { Some(build(true)?) };
        let timeout = Duration::from_millis(config.timeout_ms.max(1)).min(MAX_TIMEOUT);
        Ok(Self { public: build(false)?, internal, allow, timeout })
    }

    pub(crate) async fn send(
        &self,
        opener: &CredentialOpener,
        request: &HttpRequest,
        credentials: &[StoredCredential],
        origins: &[String],
    ) -> Result<HttpResponse, EgressError> {
        let Destination { url, private } = Destination::check(&request.url, &self.allow)?;
        let client = match (&self.internal, private) {
            (Some(internal), true) => internal,
            _ => &self.public,
        };
        let (ready, scrubber) = prepare(opener, request, url, (credentials, origins))?;
        let asked = request.timeout.map(|ms| Duration::from_millis(u64::try_from(ms).unwrap_or(0).max(1)));
        let timeout = asked.unwrap_or(self.timeout).min(MAX_TIMEOUT);
        client::exchange(client, request.method, ready, timeout, scrubber).await
    }

    /// Everything of [`Egress::send`] but the sending.
    pub(crate) fn check(
        &self,
        opener: &CredentialOpener,
        request: &HttpRequest,
        credentials: &[StoredCredential],
    ) -> Result<(), Failure> {
        let Destination { url, .. } = Destination::check(&request.url, &self.allow)?;
        prepare(opener, request, url, (credentials, &[])).map(drop)
    }
}

/// Decides on every credential before the first is opened.
fn prepare(
    opener: &CredentialOpener,
    request: &HttpRequest,
    url: url::Url,
    (credentials, origins): (&[StoredCredential], &[String]),
) -> Result<(Ready, Scrubber), Failure> {
    grants::one_owner(credentials)?;
    if request.keep_body {
        return Err(body::no_blobs());
    }
    if request.credentials.len() > MAX_CREDENTIALS {
        return Err(Failure::limit("http-credentials", "a request names at most 4 credentials"));
    }
    if request.credentials.is_empty() {
        grants::destination(&url, credentials, origins)?;
    }
    let mut picked = Vec::with_capacity(request.credentials.len());
    for used in &request.credentials {
        picked.push(grants::pick(&used.slot, credentials, &url)?);
    }
    let secrets = picked.into_iter().map(|credential| credential.open(opener)).collect::<Result<Vec<SecretString>, Failure>>()?;
    let placed: Vec<Placed<'_>> =
        request.credentials.iter().zip(&secrets).map(|(used, secret)| Placed { place: &used.place, secret }).collect();
    let ready = inject::fill(request, url, &placed)?;
    Ok((ready, Scrubber::new(secrets)))
}
