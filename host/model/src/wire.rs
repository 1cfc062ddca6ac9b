//! Questions as requests, and what comes back as words. Two forms: the one that OpenAI made and most speak, and Anthropic's.
//!
//! Answers are asked for as a stream of events: so a stream that was cut off is told from one that ended, whatever the connection
//! says, and a server that writes without end meets the broker's bound while it writes. A server that answers in one piece is understood too.

mod anthropic;
mod openai;
mod stream;
#[cfg(test)]
mod tests;

use pointsman_core::clock::Millis;
use pointsman_core::failure::{Class, Failure};
use pointsman_core::model::Prompt;
use pointsman_core::ports::{Body, HttpRequest, HttpResponse, Method};
use serde_json::Value;

use crate::connection::{Provider, Settings};

/// The longest time that a provider may ask to be left alone for, in milliseconds.
const LONGEST_REST: Millis = 60_000;

/// What a model answered.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Answer {
    /// Its words.
    pub text: String,
    /// Tokens that the provider counted: of the question, of the answer.
    pub used: Option<(u32, u32)>,
    /// Whether it was cut at the bound.
    pub truncated: bool,
}

/// The request for an answer of at most `max_tokens`.
///
/// # Errors
/// `model.no_chat`: the connection has no model that chats.
pub fn chat(to: &Settings, prompt: &Prompt, max_tokens: u32, timeout: Millis) -> Result<HttpRequest, Failure> {
    let Some(model) = &to.model else {
        let sentence = "this connection has no model that chats; add it again with --model";
        return Err(Failure::new(Class::Permanent, "model.no_chat", sentence));
    };
    Ok(match to.provider {
        Provider::Anthropic => request(to, "messages", &anthropic::chat(model, prompt, max_tokens), timeout),
        _ => request(to, "chat/completions", &openai::chat(to.provider, model, prompt, max_tokens), timeout),
    })
}

/// What a model answered. `structured`: JSON was asked for.
///
/// # Errors
/// `model.refused`, `model.garbage`, `model.truncated_stream`, `model.empty`, and what [`status`] tells.
pub fn read_chat(from: &Settings, structured: bool, response: &HttpResponse) -> Result<Answer, Failure> {
    status(response)?;
    let answer = match from.provider {
        Provider::Anthropic => anthropic::read(structured, &response.body)?,
        _ => openai::read(&response.body)?,
    };
    if answer.text.trim().is_empty() {
        return Err(Failure::new(Class::Transient, "model.empty", "the model answered nothing"));
    }
    Ok(answer)
}

/// The request for vectors of texts.
///
/// # Errors
/// `model.no_embed`: the connection has no model for that.
pub fn embed(to: &Settings, texts: &[String], timeout: Millis) -> Result<HttpRequest, Failure> {
    match (&to.embed, to.provider) {
        (Some(model), provider) if provider != Provider::Anthropic => {
            Ok(request(to, "embeddings", &openai::embed(model, texts), timeout))
        }
        _ => {
            let sentence = "this connection has no model that makes vectors; add one that has, with --embed";
            Err(Failure::new(Class::Permanent, "model.no_embed", sentence))
        }
    }
}

/// Vectors, one a text, and the tokens that the provider counted.
///
/// # Errors
/// `model.garbage`, and what [`status`] tells.
pub fn read_embed(count: usize, response: &HttpResponse) -> Result<(Vec<Vec<f32>>, Option<u32>), Failure> {
    status(response)?;
    openai::read_embed(count, &response.body)
}

fn request(to: &Settings, path: &str, body: &Value, timeout: Millis) -> HttpRequest {
    let mut headers = vec![
        ("content-type".to_owned(), "application/json".to_owned()),
        ("accept".to_owned(), "text/event-stream, application/json".to_owned()),
    ];
    if to.provider == Provider::Anthropic {
        headers.push(("anthropic-version".to_owned(), "2023-06-01".to_owned()));
    }
    HttpRequest {
        method: Method::Post,
        url: to.at(path),
        headers,
        body: Body::Bytes(body.to_string().into_bytes()),
        credentials: to.credentials(),
        keep_body: false,
        timeout: Some(timeout),
    }
}

/// What a status that is no success means. The provider's own sentence is not told: it may quote the question.
fn status(response: &HttpResponse) -> Result<(), Failure> {
    let (class, code, message) = match response.status {
        200..=299 => return Ok(()),
        401 | 403 => (
            Class::Permanent,
            "model.key",
            "the provider does not take the key; give it another: pointsman model add, with the same name".to_owned(),
        ),
        429 => (Class::RateLimited, "model.rate_limited", "the provider wants fewer questions for now".to_owned()),
        408 | 425 | 500..=599 => {
            (Class::Transient, "model.unwell", format!("the provider answers {} at the moment", response.status))
        }
        other => (
            Class::Permanent,
            "model.request",
            format!(
                "the provider does not take the question ({other}); check the connection's address and model, and the length of the text"
            ),
        ),
    };
    let retry_after = response
        .headers
        .iter()
        .find(|(name, _)| name == "retry-after")
        .and_then(|(_, value)| value.trim().parse::<Millis>().ok())
        .map(|seconds| seconds.saturating_mul(1_000).clamp(0, LONGEST_REST));
    Err(Failure { retry_after, ..Failure::new(class, code, message) })
}

/// An answer that is none.
fn garbage(why: &str) -> Failure {
    Failure::new(Class::Transient, "model.garbage", format!("what the model's server answered is no answer: {why}"))
}

/// A stream that did not come to its end.
fn cut() -> Failure {
    let sentence = "the model's answer broke off in the middle; it is not used";
    Failure::new(Class::Transient, "model.truncated_stream", sentence)
}

/// The model, or its provider's filter, would not.
fn refused() -> Failure {
    Failure::new(Class::Permanent, "model.refused", "the model would not answer; a person has to")
}
