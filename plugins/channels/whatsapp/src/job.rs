//! Jobs as turns: which request comes next, and what its answer means. A job may need several requests (an upload before the
//! message, a text in parts); what was reached stands in the turn's state, so that a crash between two goes on from there.

use std::collections::BTreeMap;

use pointsman_sdk::channel::{Job, MediaFile, Operation, Outcome, Turn};
use pointsman_sdk::prelude::*;

use crate::config::{Config, TOKEN};
use crate::faults;
use crate::send::{self, Step};

/// The operation that marks a message read and shows that an answer is being written: the platform knows the one only
/// together with the other.
const MARK_READ_TYPING: &str = "mark_read_typing";

/// The host allows 16 exchanges a job.
const MAX_STEPS: usize = 16;

/// What a later turn must know.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default)]
struct State {
    /// Which step of the plan the request was.
    step: usize,
    /// Ids of the messages that were taken.
    ids: Vec<String>,
    /// Ids of the files that were uploaded, by the attachment's number.
    media: BTreeMap<usize, String>,
    /// The media type, where the bytes are fetched in a second request.
    #[serde(skip_serializing_if = "Option::is_none")]
    mime_type: Option<String>,
}

impl State {
    fn text(&self) -> String {
        pointsman_sdk::types::to_json(self)
    }
}

/// The first turn.
pub(crate) fn begin(job: &Job) -> Result<Turn, Failure> {
    let config = Config::of(&job.account)?;
    let once = |request: HttpRequest| Ok(Turn::request(request.bearer(TOKEN), State::default().text(), true));
    match &job.operation {
        Operation::Send(_) | Operation::SendTemplate(_) | Operation::React(_) => step(job, &config, &State::default()),
        Operation::MarkRead(id) => {
            once(HttpRequest::new(Method::Post, config.messages(&job.account)?).json(&send::mark_read(id, false)))
        }
        Operation::Other(other) if other.name == MARK_READ_TYPING => {
            let input: Value = serde_json::from_str(&other.input).unwrap_or_default();
            let id = input.get("message_id").and_then(Value::as_str).filter(|id| !id.is_empty());
            let id = id.ok_or_else(|| Failure::rejected("message_id", "name the message to mark as read: `message_id`"))?;
            once(HttpRequest::new(Method::Post, config.messages(&job.account)?).json(&send::mark_read(id, true)))
        }
        // The callback address itself is set in the app's dashboard; this connects the account's webhooks to the app.
        Operation::Subscribe(_) => once(HttpRequest::new(Method::Post, config.subscribed_apps()?)),
        Operation::Unsubscribe => once(HttpRequest::new(Method::Delete, config.subscribed_apps()?)),
        Operation::Check => once(HttpRequest::new(Method::Get, config.number(&job.account)?)),
        Operation::FetchMedia(id) => once(HttpRequest::new(Method::Get, config.media(id)?)),
        Operation::Typing => Err(Failure::unsupported(
            "typing",
            "WhatsApp shows typing only under a message that it marks as read: use `mark_read_typing` with its `message_id`",
        )),
        _ => Err(Failure::unsupported("unsupported", "the WhatsApp Cloud API cannot do that")),
    }
}

/// The next turn, with the provider's answer.
pub(crate) fn advance(job: &Job, state: &str, response: &HttpResponse) -> Result<Turn, Failure> {
    let mut state: State =
        serde_json::from_str(state).map_err(|_| Failure::malformed("state", "the state is not one of this plugin's"))?;
    let sent = !state.ids.is_empty();
    faults::check(response).map_err(|f| if sent { half_done(f) } else { f })?;
    let answer: Value = serde_json::from_slice(&response.body).unwrap_or_default();
    match &job.operation {
        Operation::Send(_) | Operation::SendTemplate(_) | Operation::React(_) => {
            let config = Config::of(&job.account)?;
            match plan(job, &state)?.get(state.step) {
                Some(Step::Upload(n, _)) => {
                    state.media.insert(*n, id(answer.get("id"))?);
                }
                _ => state.ids.push(id(answer.pointer("/messages/0/id"))?),
            }
            state.step += 1;
            step(job, &config, &state)
        }
        Operation::Check => Ok(Turn::Done(Outcome::Profile(own(&job.account.id, &answer)))),
        Operation::FetchMedia(_) => media(&state, &answer, response),
        _ => Ok(Turn::Done(Outcome::Nothing)),
    }
}

fn plan<'a>(job: &'a Job, state: &State) -> Result<Vec<Step<'a>>, Failure> {
    let peer = job.peer.as_ref().ok_or_else(|| Failure::malformed("no-peer", "a message needs a conversation"))?;
    let to = send::Envelope { thread: &peer.thread, key: &job.key };
    let steps = match &job.operation {
        Operation::Send(message) => send::message(&to, message, &state.media)?,
        Operation::SendTemplate(template) => vec![Step::Send(send::template(&to, template)?)],
        Operation::React(r) => vec![Step::Send(send::reaction(&to, &r.target, r.emoji.as_deref()))],
        _ => Vec::new(),
    };
    if steps.len() > MAX_STEPS {
        return Err(Failure::rejected(
            "too-long",
            format!("the message needs {} requests, more than {MAX_STEPS}: shorten it", steps.len()),
        ));
    }
    Ok(steps)
}

/// The request of the step that the state stands at; done when there is none left.
fn step(job: &Job, config: &Config, state: &State) -> Result<Turn, Failure> {
    let mut steps = plan(job, state)?;
    if state.step >= steps.len() {
        return Ok(Turn::Done(Outcome::Created(state.ids.clone())));
    }
    let (request, repeatable) = match steps.swap_remove(state.step) {
        Step::Send(body) => (HttpRequest::new(Method::Post, config.messages(&job.account)?).json(&body), false),
        Step::Upload(_, parts) => {
            let request = HttpRequest::new(Method::Post, config.uploads(&job.account)?);
            (HttpRequest { body: Body::Multipart(send::parts(parts)), ..request }, true)
        }
    };
    Ok(Turn::request(request.bearer(TOKEN), state.text(), repeatable))
}

/// Our own number, under the name that contacts see.
fn own(account: &str, answer: &Value) -> Person {
    let text = |key: &str| answer.get(key).and_then(Value::as_str).filter(|t| !t.is_empty());
    let phone = text("display_phone_number");
    Person {
        name: text("verified_name").or(phone).map(Into::into),
        automated: true,
        extra: phone.map(|phone| json!({ "phone": phone }).to_string()),
        ..Person::new(answer.get("id").and_then(Value::as_str).unwrap_or(account))
    }
}

/// Two requests: where the file is, then the file. Both want the token.
fn media(state: &State, answer: &Value, response: &HttpResponse) -> Result<Turn, Failure> {
    if state.step == 0 {
        let url = answer.get("url").and_then(Value::as_str).filter(|u| u.starts_with("https://") || u.starts_with("http://"));
        let url = url.ok_or_else(|| Failure::retryable("no-url", "the provider told no address of the file"))?;
        let mime_type = answer.get("mime_type").and_then(Value::as_str).map(Into::into);
        let next = State { step: 1, mime_type, ..State::default() };
        let request = HttpRequest { keep_body: true, ..HttpRequest::new(Method::Get, url) };
        return Ok(Turn::request(request.bearer(TOKEN), next.text(), true));
    }
    let blob = response.kept.clone().ok_or_else(|| Failure::malformed("no-blob", "the host kept no file"))?;
    Ok(Turn::Done(Outcome::Media(MediaFile { blob, mime_type: state.mime_type.clone(), file_name: None })))
}

fn id(value: Option<&Value>) -> Result<String, Failure> {
    let id = value.and_then(Value::as_str).filter(|id| !id.is_empty());
    id.map(Into::into).ok_or_else(|| Failure::new(Fault::Unknown, "no-id", "the provider took it and told no id"))
}

/// A job that is tried again begins anew. When parts of it are already with the contact, that would say them twice, so it is
/// left to the channel's policy.
fn half_done(failure: Failure) -> Failure {
    match failure.fault {
        Fault::Retryable | Fault::RateLimited | Fault::Unauthorized => {
            Failure { fault: Fault::Unknown, message: format!("the first parts were sent, then: {}", failure.message), ..failure }
        }
        _ => failure,
    }
}

#[cfg(test)]
mod tests;
