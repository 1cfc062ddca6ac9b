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
//! # Two ways
//!
//! `serve` runs the broker as a process of its own ([`process`]): it alone has the master key, the credentials subkey and the
//! sockets to the outside, and [`Broker`] in the engine's process is a client of it. Commands and tests have it in their own
//! process. Both ways run the same code (`service`), asked in the same form (`ask`).
//!
//! What a provider answered is noted before it is handed on ([`Broker::send_noted`]), so that it outlives the process that
//! asked: see [`Broker::recall`].
//!
//! No error, log line or `Debug` output of this crate holds a secret, a path, a query or a body.

use std::borrow::Cow;
use std::fmt;
use std::future::{Future as _, poll_fn};
use std::path::PathBuf;
use std::pin::pin;
use std::sync::Arc;

use pointsman_core::failure::{Class, Failure};
use pointsman_core::ports::{HttpRequest, HttpResponse};
use pointsman_manifest::{CredentialSlot, Handshake, VerifyScheme};
use pointsman_vault::{CredentialOpener, CredentialPlace, Keyring, SecretString, StoreKeys, Succession};
use serde::{Deserialize, Serialize};
use tokio::runtime::Handle;

mod answers;
mod ask;
mod egress;
mod grants;
pub mod process;
mod service;
mod verify;

pub use ask::{Exchange, Recalled};
pub use egress::EgressError;
pub use verify::HeaderLookup;

use answers::Answers;
use ask::{Ask, Outcome, Reply};
use process::Client;
use service::Service;

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
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
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
    #[serde(with = "serde_bytes")]
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
pub struct Broker(Way);

#[derive(Debug, Clone)]
enum Way {
    /// In this process; with the runtime that has its sockets.
    Here(Arc<Service>, Option<Handle>),
    /// In a process of its own.
    There(Arc<Client>),
}

impl Broker {
    /// The broker, in this process. There is one opener, so there is one broker.
    ///
    /// # Errors
    /// `config.egress`: an entry of `allow_private` is no `host:port`. `egress.client`: no root certificates.
    pub fn new(opener: CredentialOpener, config: &EgressConfig) -> Result<Self, Failure> {
        Ok(Self::here(Service::new(opener, config)?))
    }

    /// The broker, in this process, as a host has it: it holds the master key, and notes answers in this folder.
    ///
    /// # Errors
    /// As [`Broker::new`].
    pub fn noting(keyring: Keyring, config: &EgressConfig, folder: PathBuf) -> Result<Self, Failure> {
        let mut service = Service::new(keyring.credential_vault().1, config)?;
        service.answers = Some(Answers::new(folder, keyring.answers()));
        Ok(Self::here(service.holding(keyring)))
    }

    fn here(service: Service) -> Self {
        Self(Way::Here(Arc::new(service), Handle::try_current().ok()))
    }

    /// The keys of store and engine: while the master key is being replaced, told by what the key store says of it, those of both;
    /// otherwise the newest alone, and an earlier one is forgotten. From now on the broker opens what these keys open.
    ///
    /// # Errors
    /// `vault.wrong_key`: ours is neither of the two. `broker.keys`: it was made with no master key. `broker.gone`.
    pub async fn keys(&self, succession: Option<&Succession>) -> Result<StoreKeys, Failure> {
        match self.ask(Ask::Keys(succession.map(Cow::Borrowed))).await? {
            Reply::Keys(keys) => StoreKeys::from_bytes(&keys.0).ok_or_else(|| Reply::Keys(keys).unexpected().into()),
            Reply::Sent(Err(refused)) => Err(refused.into()),
            other => Err(other.unexpected().into()),
        }
    }

    async fn ask(&self, ask: Ask<'_>) -> Result<Reply, EgressError> {
        match &self.0 {
            Way::Here(service, sockets) => {
                let mut answer = pin!(service.answer(ask));
                let answered = poll_fn(|context| {
                    // Whoever asks may be on a thread whose runtime has no sockets, as those of guests are.
                    let _there = sockets.as_ref().map(Handle::enter);
                    answer.as_mut().poll(context)
                });
                Ok(answered.await)
            }
            Way::There(client) => client.ask(ask).await,
        }
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
        self.exchange(request, credentials, slots, (&[], None)).await
    }

    /// Sends a request of a step: as [`Broker::send_placed`], and without a secret also to `origins` (`https://api.example.com`).
    ///
    /// # Errors
    /// See [`EgressError`].
    pub async fn send_among(
        &self,
        request: &HttpRequest,
        credentials: &[StoredCredential],
        slots: &[CredentialSlot],
        origins: &[String],
    ) -> Result<HttpResponse, EgressError> {
        self.exchange(request, credentials, slots, (origins, None)).await
    }

    /// Like [`Broker::send_placed`], and what comes of it is noted before it is handed on, until [`Broker::forget`].
    ///
    /// # Errors
    /// See [`EgressError`].
    pub async fn send_noted(
        &self,
        request: &HttpRequest,
        credentials: &[StoredCredential],
        slots: &[CredentialSlot],
        exchange: Exchange<'_>,
    ) -> Result<HttpResponse, EgressError> {
        self.exchange(request, credentials, slots, (&[], Some(exchange))).await
    }

    async fn exchange(
        &self,
        request: &HttpRequest,
        credentials: &[StoredCredential],
        slots: &[CredentialSlot],
        (origins, exchange): (&[String], Option<Exchange<'_>>),
    ) -> Outcome {
        grants::placements(request, slots)?;
        let (request, credentials) = (Cow::Borrowed(request), Cow::Borrowed(credentials));
        match self.ask(Ask::Send { request, credentials, origins: Cow::Borrowed(origins), exchange }).await? {
            Reply::Sent(outcome) => outcome,
            other => Err(EgressError::Lost(format!("the broker answered something else: {}", other.word()))),
        }
    }

    /// What is known of an exchange that an earlier process of this host was asked for. Waits, at most 35 s, while that process
    /// is still finishing.
    pub async fn recall(&self, exchange: Exchange<'_>) -> Recalled {
        match self.ask(Ask::Recall(exchange)).await {
            Ok(Reply::Recalled(recalled)) => recalled,
            _ => Recalled::Unknown,
        }
    }

    /// The outcome of the send with this key is kept: its notes are wiped.
    pub fn forget(&self, key: &str) {
        match &self.0 {
            Way::Here(service, _) => drop(service.forget(key)),
            Way::There(client) => client.tell(&Ask::Forget(key)),
        }
    }

    /// Everything that was under way when this host ended has been taken up: the notes of earlier processes are deleted.
    pub fn forget_found(&self) {
        match &self.0 {
            Way::Here(service, _) => {
                let service = Arc::clone(service);
                tokio::spawn(async move { service.forget_found().await });
            }
            Way::There(client) => client.tell(&Ask::ForgetFound),
        }
    }

    /// Whether [`Broker::send_placed`] would send this: every rule is applied, every secret put in its place, and nothing leaves.
    ///
    /// # Errors
    /// What it would refuse, as [`EgressError::Refused`] holds it.
    pub async fn check(
        &self,
        request: &HttpRequest,
        credentials: &[StoredCredential],
        slots: &[CredentialSlot],
    ) -> Result<(), Failure> {
        grants::placements(request, slots)?;
        let (request, credentials) = (Cow::Borrowed(request), Cow::Borrowed(credentials));
        match self.ask(Ask::Check { request, credentials }).await? {
            Reply::Done => Ok(()),
            Reply::Sent(Err(refused)) => Err(refused.into()),
            other => Err(other.unexpected().into()),
        }
    }

    /// Whether a webhook is signed by the provider: over the raw body, with the secret of the scheme's slot. Says no when
    /// anything is missing, and takes as long to say so.
    ///
    /// # Errors
    /// The broker's process has ended: nobody can say.
    pub async fn verify<H: HeaderLookup + ?Sized>(
        &self,
        scheme: &VerifyScheme,
        secret: Option<&StoredCredential>,
        headers: &H,
        body: &[u8],
    ) -> Result<bool, Failure> {
        let ask = Ask::Verify {
            scheme: scheme.scheme,
            encoding: scheme.encoding.unwrap_or_default(),
            prefix: &scheme.prefix,
            secret: secret.filter(|secret| secret.slot == scheme.secret).map(Cow::Borrowed),
            given: headers.only(&scheme.header).map(Into::into),
            body: body.into(),
        };
        self.is(ask).await
    }

    /// The answer to a provider that asks whether an address is ours: status and body, as plain text. `None` when the query
    /// is no such question, or there is no token to compare.
    ///
    /// # Errors
    /// The broker's process has ended: nobody can say.
    pub async fn handshake(
        &self,
        handshake: &Handshake,
        token: Option<&StoredCredential>,
        query: &[(String, String)],
    ) -> Result<Option<(u16, String)>, Failure> {
        let Some(token) = token.filter(|token| token.slot == handshake.token) else { return Ok(None) };
        let Some((given, challenge)) = verify::question(handshake.kind, query) else { return Ok(None) };
        let right = self.is(Ask::Matches { secret: Cow::Borrowed(token), given }).await?;
        Ok(Some(if right { (200, challenge.to_owned()) } else { (403, String::new()) }))
    }

    async fn is(&self, ask: Ask<'_>) -> Result<bool, Failure> {
        match self.ask(ask).await? {
            Reply::Is(right) => Ok(right),
            other => Err(other.unexpected().into()),
        }
    }
}

impl Reply {
    fn word(&self) -> &'static str {
        match self {
            Self::Is(_) => "is",
            Self::Sent(_) => "sent",
            Self::Recalled(_) => "recalled",
            Self::Keys(_) => "keys",
            Self::Done => "done",
        }
    }

    /// An answer to another question than the one that was asked.
    fn unexpected(&self) -> EgressError {
        EgressError::Refused(Failure::bug("broker.answer", format!("the broker answered something else: {}", self.word())))
    }
}

impl From<EgressError> for Failure {
    fn from(error: EgressError) -> Self {
        match error {
            EgressError::Refused(failure) | EgressError::NotSent(failure) => failure,
            EgressError::Lost(why) => Self::new(Class::Transient, "broker.gone", why),
        }
    }
}
