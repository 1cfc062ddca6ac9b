//! What goes wrong on demand: with answers to the host's calls, and with webhooks on their way to the host.

use std::collections::{HashMap, VecDeque};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::http::HeaderValue;
use axum::response::Response;
use parking_lot::Mutex;

/// What goes wrong with the next call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fault {
    /// Answered with this status and an error in the provider's own form; nothing is taken.
    Status {
        /// HTTP status. Telegram's `error_code` is the same.
        status: u16,
        /// Graph error code. Telegram has none.
        code: u32,
        /// Seconds, as the header says (WhatsApp) or the body (Telegram).
        retry_after: Option<u32>,
    },
    /// The answer comes only after this long; the message is taken at the end.
    Hang(Duration),
    /// The message is taken at once and statuses follow, but the answer comes only after this long.
    AnswerLate(Duration),
    /// The message is taken, then the line is cut without an answer. Statuses follow.
    CutAfterDelivery,
    /// The line is cut before anything is taken.
    CutBeforeDelivery,
    /// The same, after this long.
    CutLate(Duration),
    /// The secret comes back in the answer's body and headers.
    Echo,
}

/// What goes wrong with the next webhook.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum HookFault {
    /// It leaves only after this long; later ones overtake it.
    Late(Duration),
    /// It is delivered twice, at the same time.
    Doubled,
    /// This one and those after it are held back until there are so many, then sent in reversed order.
    Shuffled(usize),
}

/// A fault that decides before anything is taken.
#[derive(Debug)]
pub(crate) enum Early {
    Refuse { status: u16, code: u32, retry_after: Option<u32> },
    Cut,
}

impl Fault {
    /// What it does before the call is carried out.
    pub(crate) async fn before(&self) -> Option<Early> {
        match self {
            Self::Status { status, code, retry_after } => {
                Some(Early::Refuse { status: *status, code: *code, retry_after: *retry_after })
            }
            Self::CutBeforeDelivery => Some(Early::Cut),
            Self::CutLate(long) => {
                tokio::time::sleep(*long).await;
                Some(Early::Cut)
            }
            Self::Hang(long) => {
                tokio::time::sleep(*long).await;
                None
            }
            Self::AnswerLate(_) | Self::CutAfterDelivery | Self::Echo => None,
        }
    }

    /// What it does to the answer of a call that was carried out.
    pub(crate) async fn after(&self, answer: Response) -> Response {
        match self {
            Self::CutAfterDelivery => cut(),
            Self::AnswerLate(long) => {
                tokio::time::sleep(*long).await;
                answer
            }
            _ => answer,
        }
    }
}

/// Ends the connection in the middle of an answer.
pub(crate) fn cut() -> Response {
    let broken = futures::stream::once(async { Err::<Bytes, _>(std::io::Error::other("cut on demand")) });
    let mut answer = Response::new(Body::from_stream(broken));
    answer.headers_mut().insert("content-length", HeaderValue::from_static("1000"));
    answer
}

/// The faults that wait, each for one call or one webhook.
#[derive(Debug, Default)]
pub(crate) struct Faults {
    answers: Mutex<VecDeque<(Option<String>, Fault)>>,
    hooks: Mutex<VecDeque<HookFault>>,
    /// What goes wrong with every so many-th send.
    shares: Mutex<Vec<(u64, Fault)>>,
    /// What goes wrong with every send to a contact.
    contacts: Mutex<HashMap<String, Fault>>,
    sends: AtomicU64,
}

impl Faults {
    /// For the next calls of this name; without a name, for the next sends.
    pub(crate) fn add(&self, call: Option<&str>, faults: impl IntoIterator<Item = Fault>) {
        self.answers.lock().extend(faults.into_iter().map(|fault| (call.map(str::to_owned), fault)));
    }

    pub(crate) fn add_hooks(&self, faults: impl IntoIterator<Item = HookFault>) {
        self.hooks.lock().extend(faults);
    }

    /// What goes wrong with this call: the oldest fault of its name or, for a send, without a name.
    pub(crate) fn next(&self, call: &str, send: bool) -> Option<Fault> {
        let mut answers = self.answers.lock();
        let at = answers.iter().position(|(name, _)| match name {
            Some(name) => name.eq_ignore_ascii_case(call),
            None => send,
        })?;
        answers.remove(at).map(|(_, fault)| fault)
    }

    /// From now on, for every `every`-th send.
    pub(crate) fn share(&self, every: u64, fault: Fault) {
        self.shares.lock().push((every.max(1), fault));
    }

    /// From now on, for every send to this contact.
    pub(crate) fn to(&self, contact: &str, fault: Fault) {
        self.contacts.lock().insert(contact.to_owned(), fault);
    }

    /// What goes wrong with a send to this contact: an ordered fault first, then the contact's own, then a share.
    pub(crate) fn next_send(&self, call: &str, contact: &str) -> Option<Fault> {
        let number = self.sends.fetch_add(1, Ordering::Relaxed) + 1;
        let share = || {
            let shares = self.shares.lock();
            // Shares of the same size fall on different sends.
            let hit = |(n, (every, _)): &(usize, &(u64, Fault))| number % every == (*n as u64) % every;
            shares.iter().enumerate().find(hit).map(|(_, (_, fault))| fault.clone())
        };
        self.next(call, true).or_else(|| self.contacts.lock().get(contact).cloned()).or_else(share)
    }

    pub(crate) fn next_hook(&self) -> Option<HookFault> {
        self.hooks.lock().pop_front()
    }

    pub(crate) fn clear(&self) {
        self.answers.lock().clear();
        self.hooks.lock().clear();
        self.shares.lock().clear();
        self.contacts.lock().clear();
    }

    /// How many wait for calls, and for webhooks.
    pub(crate) fn waiting(&self) -> (usize, usize) {
        (self.answers.lock().len(), self.hooks.lock().len())
    }
}
