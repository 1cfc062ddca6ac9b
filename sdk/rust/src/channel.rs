//! A channel: one messaging provider. It does no IO: it turns a webhook into events, says which request to make for a job,
//! and reads the answer. Secrets, retries, rate limits and time-outs are the host's.

use std::marker::PhantomData;

use crate::bindings::channel::exports::pointsman::plugin::adapter::Guest;
pub use crate::bindings::channel::exports::pointsman::plugin::adapter::{
    Account, Answer, Answering, Edit, Exchange, Hiding, Job, MediaFile, Operation, OtherOperation, Outcome, Page, Peer, Post,
    Reacting, Reception, Remark, Turn, Webhook,
};
use crate::types::{Event, Failure, HttpRequest, HttpResponse};

/// What a channel plugin implements. The same arguments must give the same answer.
pub trait Channel: 'static {
    /// Turns a verified webhook into events. What is unknown becomes an ignored event; an error (one sentence) parks the
    /// webhook and is for bytes that are not of this provider at all.
    fn parse(webhook: Webhook, account: Account) -> Result<Reception, String>;

    /// The first turn of a job.
    fn begin(job: Job) -> Turn;

    /// The next turn, with the state that the last one gave and the provider's answer, whatever its status.
    fn advance(job: Job, state: String, response: HttpResponse) -> Turn;
}

impl Reception {
    /// Events, and no body that the provider waits for.
    #[must_use]
    pub fn events(events: Vec<Event>) -> Self {
        Self { events, answer: None }
    }
}

impl Turn {
    /// Make this request, then go on with `state`. `repeatable` when a lost answer does no harm.
    #[must_use]
    pub fn request(request: HttpRequest, state: String, repeatable: bool) -> Self {
        Self::Exchange(Exchange { request, state, repeatable })
    }
}

impl From<Failure> for Turn {
    fn from(failure: Failure) -> Self {
        Self::Failed(failure)
    }
}

/// Puts a [`Channel`] behind the generated trait. Used by [`crate::export_channel`].
#[doc(hidden)]
pub struct Export<C>(PhantomData<C>);

impl<C: Channel> Guest for Export<C> {
    fn parse(webhook: Webhook, account: Account) -> Result<Reception, String> {
        C::parse(webhook, account)
    }

    fn begin(job: Job) -> Turn {
        C::begin(job)
    }

    fn advance(job: Job, state: String, response: HttpResponse) -> Turn {
        C::advance(job, state, response)
    }
}
