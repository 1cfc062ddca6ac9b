//! What the broker is asked and what it says, in one form for both of its ways: it is the argument of a call where the broker
//! is in this process, and a frame on the socket where it is a process of its own.

use std::borrow::Cow;
use std::fmt;

use pointsman_core::clock::Millis;
use pointsman_core::failure::{Class, Failure};
use pointsman_core::ports::{HttpRequest, HttpResponse};
use pointsman_manifest::{Encoding, SignatureScheme};
use pointsman_vault::Succession;
use serde::{Deserialize, Serialize};
use serde_bytes::{ByteBuf, Bytes};

use crate::{EgressError, StoredCredential};

/// Names one exchange of a send: the same before and after a restart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Exchange<'a> {
    /// The send's idempotency key.
    pub key: &'a str,
    /// Which attempt, from 1.
    pub attempt: u32,
    /// Which of the attempt's requests, from 0.
    pub number: u32,
}

/// What a request came to.
pub(crate) type Outcome = Result<HttpResponse, EgressError>;

/// What is known of an exchange that an earlier process of this host was asked for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Recalled {
    /// It was made, and this came of it.
    Made(Result<HttpResponse, EgressError>),
    /// It was certainly not begun; the ones before it were made.
    NotBegun,
    /// It may have been made.
    Unknown,
}

/// A question.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum Ask<'a> {
    /// Whether a webhook is the provider's. `given` is the value of the scheme's header, when it came exactly once.
    Verify {
        scheme: SignatureScheme,
        encoding: Encoding,
        prefix: &'a str,
        secret: Option<Cow<'a, StoredCredential>>,
        #[serde(borrow)]
        given: Option<&'a Bytes>,
        #[serde(borrow)]
        body: &'a Bytes,
    },
    /// Whether a text is the secret.
    Matches { secret: Cow<'a, StoredCredential>, given: &'a str },
    /// Makes a request. One that has a name is noted.
    Send {
        request: Cow<'a, HttpRequest>,
        credentials: Cow<'a, [StoredCredential]>,
        /// Where it may go without a secret, beside the hosts of its secrets.
        origins: Cow<'a, [String]>,
        #[serde(borrow)]
        exchange: Option<Exchange<'a>>,
    },
    /// Whether `Send` would make it.
    Check { request: Cow<'a, HttpRequest>, credentials: Cow<'a, [StoredCredential]> },
    /// What is known of an exchange.
    #[serde(borrow)]
    Recall(Exchange<'a>),
    /// The outcome of the send with this key is kept: its notes are not needed any more.
    Forget(&'a str),
    /// Everything that earlier processes noted is kept, or was not of use.
    ForgetFound,
    /// The keys of store and engine. With a succession, those of both master keys; without one, of the newest alone.
    Keys(Option<Cow<'a, Succession>>),
}

/// An answer.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum Reply {
    /// To `Verify` and `Matches`.
    Is(bool),
    /// To `Send`, and to `Check` where it fails.
    Sent(Outcome),
    /// To `Recall`.
    Recalled(Recalled),
    /// To `Keys`.
    Keys(Handed),
    /// There is nothing to say.
    Done,
}

/// The keys of store and engine, on their way. Shown to nobody.
#[derive(Serialize, Deserialize)]
pub(crate) struct Handed(pub(crate) ByteBuf);

impl fmt::Debug for Handed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Handed(..)")
    }
}

/// A [`Failure`] with every field in its place: its own form leaves out what is absent, which no frame can tell.
#[derive(Serialize, Deserialize)]
#[serde(remote = "Failure")]
pub(crate) struct Plain {
    code: String,
    class: Class,
    message: String,
    retry_after: Option<Millis>,
}
