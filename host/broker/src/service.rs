//! What the broker does, wherever it is: opens secrets, compares, sends, and notes what came of it.

use std::sync::Arc;

use parking_lot::{Mutex, RwLock};
use pointsman_core::failure::Failure;
use pointsman_core::ports::HttpRequest;
use pointsman_vault::{CredentialOpener, Keyring, StoreKeys, Succession};

use serde_bytes::ByteBuf;

use crate::answers::Answers;
use crate::ask::{Ask, Exchange, Handed, Outcome, Recalled, Reply};
use crate::egress::{Egress, EgressError};
use crate::{EgressConfig, StoredCredential, verify};

/// Holds the one opener of this host, and the master key.
#[derive(Debug)]
pub(crate) struct Service {
    /// Another one when the master key was replaced.
    opener: RwLock<Arc<CredentialOpener>>,
    keyring: Mutex<Option<Keyring>>,
    egress: Egress,
    pub(crate) answers: Option<Answers>,
}

impl Service {
    pub(crate) fn new(opener: CredentialOpener, config: &EgressConfig) -> Result<Self, Failure> {
        let opener = RwLock::new(Arc::new(opener));
        Ok(Self { opener, keyring: Mutex::new(None), egress: Egress::new(config)?, answers: None })
    }

    /// Has the master key, and follows when it is replaced.
    pub(crate) fn holding(self, keyring: Keyring) -> Self {
        *self.keyring.lock() = Some(keyring);
        self
    }

    fn opener(&self) -> Arc<CredentialOpener> {
        Arc::clone(&self.opener.read())
    }

    /// Takes up the other master key of a succession, or forgets the one that was replaced.
    fn keys(&self, succession: Option<&Succession>) -> Result<StoreKeys, Failure> {
        let mut held = self.keyring.lock();
        let keyring = held.as_mut().ok_or_else(|| Failure::bug("broker.keys", "this broker was given no master key"))?;
        match succession {
            Some(succession) => keyring.follow(succession)?,
            None => keyring.forget(),
        }
        *self.opener.write() = Arc::new(keyring.credential_vault().1);
        if let Some(answers) = &self.answers {
            answers.seal_under(keyring.answers());
        }
        Ok(keyring.store_keys())
    }

    pub(crate) async fn answer(&self, ask: Ask<'_>) -> Reply {
        match ask {
            Ask::Verify { scheme, encoding, prefix, secret, given, body } => {
                let secret = secret.and_then(|secret| secret.open(&self.opener()).ok());
                let form = verify::Form { scheme, encoding, prefix };
                Reply::Is(verify::signed(form, secret.as_ref(), given.map(AsRef::as_ref), body))
            }
            Ask::Matches { secret, given } => {
                Reply::Is(secret.open(&self.opener()).is_ok_and(|secret| verify::is_secret(&secret, given)))
            }
            Ask::Send { request, credentials, origins, exchange } => {
                Reply::Sent(self.send(&request, (&credentials, &origins), exchange).await)
            }
            Ask::Check { request, credentials } => match self.egress.check(&self.opener(), &request, &credentials) {
                Ok(()) => Reply::Done,
                Err(failure) => Reply::Sent(Err(EgressError::Refused(failure))),
            },
            Ask::Recall(exchange) => Reply::Recalled(match &self.answers {
                Some(answers) => answers.recall(exchange).await,
                None => Recalled::Unknown,
            }),
            Ask::Forget(key) => self.forget(key),
            Ask::ForgetFound => self.forget_found().await,
            Ask::Keys(succession) => match self.keys(succession.as_deref()) {
                Ok(keys) => Reply::Keys(Handed(ByteBuf::from(keys.to_bytes().to_vec()))),
                Err(failure) => Reply::Sent(Err(EgressError::Refused(failure))),
            },
        }
    }

    async fn send(
        &self,
        request: &HttpRequest,
        (credentials, origins): (&[StoredCredential], &[String]),
        exchange: Option<Exchange<'_>>,
    ) -> Outcome {
        let noting = self.answers.as_ref().zip(exchange);
        if let Some((answers, exchange)) = noting {
            answers.open();
            // That the first of an attempt began is known by its intent; of a later one nobody else knows.
            if exchange.number > 0 {
                answers.note(exchange, None);
            }
        }
        let sent = self.egress.send(&self.opener(), request, credentials, origins).await;
        if let Err(EgressError::Refused(failure)) = &sent {
            let owner = credentials.first().map(|credential| (credential.workspace, credential.owner));
            tracing::warn!(?owner, code = failure.code, "request refused");
        }
        if let Some((answers, exchange)) = noting {
            answers.note(exchange, Some(&sent));
        }
        sent
    }

    pub(crate) fn forget(&self, key: &str) -> Reply {
        if let Some(answers) = &self.answers {
            answers.forget(key);
        }
        Reply::Done
    }

    pub(crate) async fn forget_found(&self) -> Reply {
        if let Some(answers) = &self.answers {
            answers.forget_found().await;
        }
        Reply::Done
    }
}
