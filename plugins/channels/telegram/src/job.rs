//! Jobs as turns: which call comes next, and what its answer means. A job may need several calls (a text in parts, a file after
//! its words); what was reached stands in the turn's state, so that a crash between two goes on from there.

use pointsman_sdk::channel::{Job, MediaFile, Operation, Outcome, Turn};
use pointsman_sdk::prelude::*;

use crate::address::Address;
use crate::config::{self, Config};
use crate::faults::{self, Refusal};
use crate::parse::UPDATES;
use crate::send::{self, Call};

/// The operation that sets the menu of commands.
const SET_COMMANDS: &str = "set_commands";

/// The host allows 16 exchanges a job; two are kept for a call that has to be made again in another form.
const MAX_CALLS: usize = 14;

/// What a later turn must know.
#[derive(Debug, Default, Clone, Serialize, Deserialize)]
#[serde(default)]
struct State {
    /// Which call of the plan the request was.
    step: usize,
    /// Ids of the messages that were taken.
    ids: Vec<String>,
    /// The chat's new id, where Telegram said that it has another one.
    #[serde(skip_serializing_if = "Option::is_none")]
    chat: Option<i64>,
    /// Without markup, since Telegram could not read it.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    plain: bool,
    /// The name of the file whose bytes are fetched.
    #[serde(skip_serializing_if = "Option::is_none")]
    file_name: Option<String>,
}

impl State {
    fn text(&self) -> String {
        pointsman_sdk::types::to_json(self)
    }
}

/// The first turn.
pub(crate) fn begin(job: &Job) -> Result<Turn, Failure> {
    step(job, &State::default())
}

/// The next turn, with the provider's answer.
pub(crate) fn advance(job: &Job, state: &str, response: &HttpResponse) -> Result<Turn, Failure> {
    let mut state: State =
        serde_json::from_str(state).map_err(|_| Failure::malformed("state", "the state is not one of this plugin's"))?;
    if let (Operation::FetchMedia(_), 1) = (&job.operation, state.step) {
        return file(state, response);
    }
    let half = |failure: Failure| if state.ids.is_empty() { failure } else { half_done(failure) };
    let result = match faults::check(response) {
        Ok(result) => result,
        Err(Refusal::Migrated(chat)) if state.chat.is_none() => {
            state.chat = Some(chat);
            return step(job, &state);
        }
        Err(Refusal::Migrated(_)) => {
            return Err(half(Failure::new(Fault::Unreachable, "400", "the group has moved more often than can be followed")));
        }
        Err(Refusal::Markup(failure)) => {
            let marked = plan(job, &state)?.get(state.step).is_some_and(Call::marked_up);
            if !marked {
                return Err(half(failure));
            }
            state.plain = true;
            return step(job, &state);
        }
        Err(Refusal::Already) => match &job.operation {
            Operation::Edit(_) | Operation::Delete(_) => return Ok(Turn::Done(Outcome::Nothing)),
            _ => return Err(half(Failure::rejected("400", "the provider refused the request"))),
        },
        Err(Refusal::Failed(failure)) => return Err(half(failure)),
    };
    match &job.operation {
        Operation::Send(_) => {
            state.ids.push(message_id(&result)?);
            state.step += 1;
            step(job, &state)
        }
        Operation::Check => Ok(Turn::Done(Outcome::Profile(profile(&result, true)?))),
        Operation::FetchProfile(_) => Ok(Turn::Done(Outcome::Profile(profile(&result, false)?))),
        Operation::FetchMedia(_) => {
            let path = result.get("file_path").and_then(Value::as_str);
            let path = path.ok_or_else(|| Failure::retryable("no-path", "the provider told no path of the file"))?;
            let request = Config::of(&job.account)?.file(path)?;
            let file_name = path.rsplit('/').next().map(Into::into);
            Ok(Turn::request(request, State { step: 1, file_name, ..State::default() }.text(), true))
        }
        _ => Ok(Turn::Done(Outcome::Nothing)),
    }
}

/// The calls of a job, in order.
fn plan<'a>(job: &'a Job, state: &State) -> Result<Vec<Call<'a>>, Failure> {
    let place = || -> Result<Address, Failure> {
        let peer = job.peer.as_ref().ok_or_else(|| Failure::malformed("no-peer", "this needs a conversation"))?;
        let address = Address::of(&peer.thread)?;
        Ok(state.chat.map_or(address.clone(), |chat| Address { chat: chat.to_string(), ..address }))
    };
    let calls = match &job.operation {
        Operation::Send(message) => send::message(&place()?, message, state.plain)?,
        Operation::Edit(e) => vec![send::edit(&place()?, &e.target, &e.message, state.plain)?],
        Operation::Delete(target) => vec![send::delete(&place()?, target)?],
        Operation::React(r) => vec![send::reaction(&place()?, &r.target, r.emoji.as_deref())?],
        Operation::MarkRead(target) => send::mark_read(&place()?, target)?.into_iter().collect(),
        Operation::Typing => vec![send::typing(&place()?)],
        Operation::AnswerInteraction(a) => vec![send::answer(&a.answer, a.text.as_deref())?],
        Operation::Subscribe(url) => vec![Call::new("setWebhook", json!({ "url": url, "allowed_updates": UPDATES }))],
        Operation::Unsubscribe => vec![Call::new("deleteWebhook", json!({}))],
        Operation::Check => vec![Call::new("getMe", json!({}))],
        Operation::FetchProfile(id) => vec![Call::new("getChat", json!({ "chat_id": Address::of(id)?.chat_id() }))],
        Operation::FetchMedia(id) => vec![Call::new("getFile", json!({ "file_id": id }))],
        Operation::Other(other) if other.name == SET_COMMANDS => vec![send::set_commands(&other.input)?],
        Operation::SendTemplate(_) => {
            return Err(Failure::unsupported("template", "Telegram has no templates and no window: send the text itself"));
        }
        _ => return Err(Failure::unsupported("unsupported", "the Telegram Bot API cannot do that")),
    };
    if calls.len() > MAX_CALLS {
        return Err(Failure::rejected(
            "too-long",
            format!("the message needs {} requests, more than {MAX_CALLS}: shorten it", calls.len()),
        ));
    }
    Ok(calls)
}

/// The request of the call that the state stands at; done when there is none left.
fn step(job: &Job, state: &State) -> Result<Turn, Failure> {
    let config = Config::of(&job.account)?;
    let mut calls = plan(job, state)?;
    if state.step >= calls.len() {
        let created = matches!(job.operation, Operation::Send(_));
        return Ok(Turn::Done(if created { Outcome::Created(state.ids.clone()) } else { Outcome::Nothing }));
    }
    let request = calls.swap_remove(state.step).request(&config);
    let request = if let Operation::Subscribe(_) = job.operation { config::with_secret(request) } else { request };
    // Telegram knows no key by which it could tell a repeated message from a new one.
    let repeatable = !matches!(job.operation, Operation::Send(_));
    Ok(Turn::request(request, state.text(), repeatable))
}

/// The bytes of a file, kept by the host.
fn file(state: State, response: &HttpResponse) -> Result<Turn, Failure> {
    faults::check_file(response)?;
    let blob = response.kept.clone().ok_or_else(|| Failure::malformed("no-blob", "the host kept no file"))?;
    // The provider serves every file as mere bytes; the real type came with the message.
    Ok(Turn::Done(Outcome::Media(MediaFile { blob, mime_type: None, file_name: state.file_name })))
}

/// A person, a group, or the bot itself.
fn profile(result: &Value, own: bool) -> Result<Person, Failure> {
    let text = |key: &str| result.get(key).and_then(Value::as_str).filter(|t| !t.is_empty());
    let id = result.get("id").and_then(Value::as_i64);
    let id = id.ok_or_else(|| Failure::malformed("profile", "the provider's answer names nobody"))?;
    let both: Vec<&str> = ["first_name", "last_name"].into_iter().filter_map(text).collect();
    let name = text("title").map(Into::into).or_else(|| (!both.is_empty()).then(|| both.join(" ")));
    let extra: serde_json::Map<String, Value> =
        ["bio", "description", "type"].into_iter().filter_map(|key| Some((key.to_owned(), json!(text(key)?)))).collect();
    Ok(Person {
        name,
        username: text("username").map(Into::into),
        language: text("language_code").map(Into::into),
        automated: own || result.get("is_bot").and_then(Value::as_bool).unwrap_or(false),
        extra: (!extra.is_empty()).then(|| Value::Object(extra).to_string()),
        ..Person::new(id.to_string())
    })
}

fn message_id(result: &Value) -> Result<String, Failure> {
    let id = result.get("message_id").and_then(Value::as_i64);
    id.map(|id| id.to_string()).ok_or_else(|| Failure::new(Fault::Unknown, "no-id", "the provider took it and told no id"))
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
