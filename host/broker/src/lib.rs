//! The only room where a credential is opened, and the only one that sends requests out of the house.
//!
//! A plugin writes a request without secrets and names the slots that belong in it ([`pointsman_core::ports::HttpRequest`]).
//! The broker decides, opens, sends, and hands back an answer in which no secret stands:
//!
//! 1. The URL is https, names no user, and leads to a public address (or to one that the operator named).
//! 2. Each slot is pinned to exactly this scheme, host and port, and the manifest lets it stand at the place asked for.
//! 3. Only then are the secrets opened, put into the request, and wiped from our buffers when it is gone.
//! 4. Nothing is redirected, resent or sent through a proxy. The answer is capped in size and time.
//! 5. The answer is scrubbed of each secret in every common encoding.
//!
//! Inbound, the broker checks signatures ([`Broker::verify`]) and answers handshakes ([`Broker::handshake`]), since both
//! need an opened secret too. Both compare in constant time and say no when anything is missing.
//!
//! No error, log line or `Debug` output of this crate holds a secret, a path, a query or a body.

use std::fmt;
use std::sync::Arc;

use pointsman_core::failure::Failure;
use pointsman_core::ports::{HttpRequest, HttpResponse};
use pointsman_manifest::{CredentialSlot, Handshake, VerifyScheme};
use pointsman_vault::{CredentialOpener, CredentialPlace, SecretString};

mod egress;
mod grants;
mod verify;

pub use egress::EgressError;
pub use verify::HeaderLookup;

/// `[egress]` of the config.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EgressConfig {
    /// `host:port` pairs inside the private network, or with plain http, that may be spoken to.
    pub allow_private: Vec<String>,
    /// Milliseconds for one request where the plugin asks for nothing else. Cut to 30 s.
    pub timeout_ms: u64,
    /// How requests introduce themselves.
    pub user_agent: String,
}

impl Default for EgressConfig {
    fn default() -> Self {
        Self {
            allow_private: Vec::new(),
            timeout_ms: 10_000,
            user_agent: concat!("pointsman/", env!("CARGO_PKG_VERSION")).to_owned(),
        }
    }
}

/// A sealed secret as the store keeps it. Everything but `sealed` is bound to the seal: a changed row does not open.
#[derive(Clone, PartialEq, Eq)]
pub struct StoredCredential {
    /// The tenant.
    pub workspace: i64,
    /// The channel or connection that it belongs to.
    pub owner: i64,
    /// The slot of the manifest.
    pub slot: String,
    /// Origins (`https://graph.facebook.com`) to which alone it may go, as the manifest's `pinned_origins` gives them. Empty: it
    /// verifies and goes nowhere.
    pub hosts: Vec<String>,
    /// The envelope.
    pub sealed: Vec<u8>,
}

impl StoredCredential {
    fn open(&self, opener: &CredentialOpener) -> Result<SecretString, Failure> {
        let place =
            CredentialPlace { workspace: self.workspace, owner: self.owner, slot: self.slot.clone(), hosts: self.hosts.clone() };
        Ok(opener.open(&place, &self.sealed)?)
    }
}

impl fmt::Debug for StoredCredential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StoredCredential")
            .field("workspace", &self.workspace)
            .field("owner", &self.owner)
            .field("slot", &self.slot)
            .field("hosts", &self.hosts)
            .finish_non_exhaustive()
    }
}

/// The broker. A clone is cheap and shares its connections.
#[derive(Debug, Clone)]
pub struct Broker {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    opener: CredentialOpener,
    egress: egress::Egress,
}

impl Broker {
    /// The broker of this process. There is one opener, so there is one broker.
    ///
    /// # Errors
    /// `config.egress`: an entry of `allow_private` is no `host:port`. `egress.client`: no root certificates.
    pub fn new(opener: CredentialOpener, config: EgressConfig) -> Result<Self, Failure> {
        let egress = egress::Egress::new(&config)?;
        Ok(Self { inner: Arc::new(Inner { opener, egress }) })
    }

    /// Sends a request whose secrets, if any, go as bearer tokens. `credentials` are those of the channel; all of one owner.
    ///
    /// # Errors
    /// See [`EgressError`]: what matters is whether the request may have left.
    pub async fn send(&self, request: &HttpRequest, credentials: &[StoredCredential]) -> Result<HttpResponse, EgressError> {
        self.send_placed(request, credentials, &[]).await
    }

    /// Sends a request whose secrets go wherever the manifest's `[[credentials]]` let them. A slot that is not among `slots`
    /// goes as a bearer token alone.
    ///
    /// # Errors
    /// See [`EgressError`].
    pub async fn send_placed(
        &self,
        request: &HttpRequest,
        credentials: &[StoredCredential],
        slots: &[CredentialSlot],
    ) -> Result<HttpResponse, EgressError> {
        let inner = &*self.inner;
        let sent = inner.egress.send(&inner.opener, request, credentials, slots).await;
        if let Err(EgressError::Refused(failure)) = &sent {
            let owner = credentials.first().map(|credential| (credential.workspace, credential.owner));
            tracing::warn!(?owner, code = failure.code, "request refused");
        }
        sent
    }

    /// Whether [`Broker::send_placed`] would send this: every rule is applied, every secret put in its place, and nothing leaves.
    ///
    /// # Errors
    /// What it would refuse, as [`EgressError::Refused`] holds it.
    pub fn check(
        &self,
        request: &HttpRequest,
        credentials: &[StoredCredential],
        slots: &[CredentialSlot],
    ) -> Result<(), Failure> {
        self.inner.egress.check(&self.inner.opener, request, credentials, slots)
    }

    /// Whether a webhook is signed by the provider: over the raw body, with the secret of the scheme's slot. Says no when
    /// anything is missing, and takes as long to say so.
    #[must_use]
    pub fn verify<H: HeaderLookup + ?Sized>(
        &self,
        scheme: &VerifyScheme,
        secret: Option<&StoredCredential>,
        headers: &H,
        body: &[u8],
    ) -> bool {
        let secret = secret.filter(|secret| secret.slot == scheme.secret);
        let secret = secret.and_then(|secret| secret.open(&self.inner.opener).ok());
        verify::signed(scheme, secret.as_ref(), headers, body)
    }

    /// The answer to a provider that asks whether an address is ours: status and body, as plain text. `None` when the query
    /// is no such question, or there is no token to compare.
    #[must_use]
    pub fn handshake(
        &self,
        handshake: &Handshake,
        token: Option<&StoredCredential>,
        query: &[(String, String)],
    ) -> Option<(u16, String)> {
        let token = token.filter(|token| token.slot == handshake.token)?.open(&self.inner.opener).ok()?;
        verify::handshake(handshake.kind, &token, query)
    }
}
