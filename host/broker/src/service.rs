//! What the broker does, wherever it is: opens secrets, compares, sends, and notes what came of it.

use pointsman_core::failure::Failure;
use pointsman_core::ports::HttpRequest;
use pointsman_vault::CredentialOpener;

use crate::answers::Answers;
use crate::ask::{Ask, Exchange, Outcome, Recalled, Reply};
use crate::egress::{Egress, EgressError};
use crate::{EgressConfig, StoredCredential, verify};

/// Holds the one opener of this host.
#[derive(Debug)]
pub(crate) struct Service {
    opener: CredentialOpener,
    egress: Egress,
    pub(crate) answers: Option<Answers>,
}

impl Service {
    pub(crate) fn new(opener: CredentialOpener, config: &EgressConfig) -> Result<Self, Failure> {
        Ok(Self { opener, egress: Egress::new(config)?, answers: None })
    }

    pub(crate) async fn answer(&self, ask: Ask<'_>) -> Reply {
        match ask {
            Ask::Verify { scheme, encoding, prefix, secret, given, body } => {
                let secret = secret.and_then(|secret| secret.open(&self.opener).ok());
                let form = verify::Form { scheme, encoding, prefix };
                Reply::Is(verify::signed(form, secret.as_ref(), given.map(AsRef::as_ref), body))
            }
            Ask::Matches { secret, given } => {
                Reply::Is(secret.open(&self.opener).is_ok_and(|secret| verify::is_secret(&secret, given)))
            }
            Ask::Send { request, credentials, origins, exchange } => {
                Reply::Sent(self.send(&request, (&credentials, &origins), exchange).await)
            }
            Ask::Check { request, credentials } => match self.egress.check(&self.opener, &request, &credentials) {
                Ok(()) => Reply::Done,
                Err(failure) => Reply::Sent(Err(EgressError::Refused(failure))),
            },
            Ask::Recall(exchange) => Reply::Recalled(match &self.answers {
                Some(answers) => answers.recall(exchange).await,
                None => Recalled::Unknown,
            }),
            Ask::Forget(key) => self.forget(key),
            Ask::ForgetFound => self.forget_found().await,
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
        let sent = self.egress.send(&self.opener, request, credentials, origins).await;
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
