//! What a channel plugin is asked and what it answers.

use pointsman_core::ports::{Account, Answer, Done, Job, Operation, Reception, Turn, Webhook};

use super::{ForGuest, ID, IntoCore, short, text};
use crate::json::{self, Unfit};
use crate::world::adapter;

/// Events of one webhook.
const EVENTS: usize = 1_000;

/// Bytes of a turn's state.
const STATE: usize = 64 << 10;

impl ForGuest<adapter::Account> for Account {
    fn for_guest(&self) -> adapter::Account {
        adapter::Account { id: self.id.clone(), config: self.config.to_string() }
    }
}

impl ForGuest<adapter::Webhook> for Webhook {
    fn for_guest(&self) -> adapter::Webhook {
        adapter::Webhook {
            method: self.method.for_guest(),
            path: self.path.clone(),
            query: self.query.for_guest(),
            headers: self.headers.for_guest(),
            body: self.body.to_vec(),
            received: self.received,
        }
    }
}

impl IntoCore<Reception> for adapter::Reception {
    fn into_core(self) -> Result<Reception, Unfit> {
        if self.events.len() > EVENTS {
            return Err(Unfit::Wrong(format!("it has more than {EVENTS} events")));
        }
        let answer = match self.answer {
            Some(answer) => Some(Answer { status: answer.status, headers: answer.headers.into_core()?, body: answer.body }),
            None => None,
        };
        Ok(Reception { events: self.events.into_core()?, answer })
    }
}

impl ForGuest<adapter::Job> for Job {
    fn for_guest(&self) -> adapter::Job {
        adapter::Job {
            key: self.key.clone(),
            attempt: self.attempt,
            at: self.at,
            account: self.account.for_guest(),
            peer: self.peer.as_ref().map(|thread| adapter::Peer { thread: thread.clone(), window_open: self.window_open }),
            operation: operation(&self.operation),
        }
    }
}

/// An operation in the contract's words.
fn operation(of: &Operation) -> adapter::Operation {
    use adapter::Operation as Out;
    let remark =
        |target: &str, text: &str| adapter::Remark { target: target.to_owned(), text: text.to_owned(), attachments: Vec::new() };
    match of {
        Operation::Send(message) => Out::Send(message.for_guest()),
        Operation::SendTemplate(template) => Out::SendTemplate(template.for_guest()),
        Operation::Edit { target, message } => Out::Edit(adapter::Edit { target: target.clone(), message: message.for_guest() }),
        Operation::React { target, emoji } => Out::React(adapter::Reacting { target: target.clone(), emoji: emoji.clone() }),
        Operation::MarkRead(id) => Out::MarkRead(id.clone()),
        Operation::Typing => Out::Typing,
        Operation::Delete(id) => Out::Delete(id.clone()),
        Operation::Subscribe(url) => Out::Subscribe(url.clone()),
        Operation::Unsubscribe => Out::Unsubscribe,
        Operation::Check => Out::Check,
        Operation::FetchProfile(id) => Out::FetchProfile(id.clone()),
        Operation::FetchMedia(id) => Out::FetchMedia(id.clone()),
        Operation::Poll(cursor) => Out::Poll(cursor.clone()),
        Operation::Publish { message, link, extra } => {
            Out::Publish(adapter::Post { message: message.for_guest(), link: link.clone(), extra: text(extra.as_ref()) })
        }
        Operation::ReplyComment { target, text } => Out::ReplyComment(remark(target, text)),
        Operation::ReplyPrivately { target, text } => Out::ReplyPrivately(remark(target, text)),
        Operation::ReplyReview { target, text } => Out::ReplyReview(remark(target, text)),
        Operation::HideComment { target, hidden } => {
            Out::HideComment(adapter::Hiding { target: target.clone(), hidden: *hidden })
        }
        Operation::AnswerInteraction { answer, text } => {
            Out::AnswerInteraction(adapter::Answering { answer: answer.clone(), text: text.clone() })
        }
        Operation::Other { name, input } => Out::Other(adapter::OtherOperation { name: name.clone(), input: input.to_string() }),
    }
}

impl IntoCore<Turn> for adapter::Turn {
    fn into_core(self) -> Result<Turn, Unfit> {
        Ok(match self {
            Self::Exchange(exchange) => {
                if exchange.state.len() > STATE {
                    return Err(Unfit::Wrong(format!("the state of a turn has more than {} KiB", STATE >> 10)));
                }
                Turn::Exchange { request: exchange.request.into_core()?, state: exchange.state, repeatable: exchange.repeatable }
            }
            Self::Done(outcome) => Turn::Done(outcome.into_core()?),
            Self::Failed(failure) => Turn::Failed(failure.into_core()?),
        })
    }
}

impl IntoCore<Done> for adapter::Outcome {
    fn into_core(self) -> Result<Done, Unfit> {
        Ok(match self {
            Self::Nothing => Done::Nothing,
            Self::Created(ids) => Done::Created(ids.into_iter().map(|id| short(id, ID, "an id")).collect::<Result<_, _>>()?),
            Self::Profile(person) => Done::Profile(person.into_core()?),
            Self::Media(file) => Done::Media { blob: file.blob, mime_type: file.mime_type, file_name: file.file_name },
            Self::Page(page) => Done::Page { events: page.events.into_core()?, cursor: page.cursor, more: page.more },
            Self::Other(value) => Done::Other(json::parse(&value)?),
        })
    }
}
