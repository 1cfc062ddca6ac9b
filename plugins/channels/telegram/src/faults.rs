//! The provider's answers, as what the host can do about them. Telegram has few numbers, so some are told apart by the words
//! of its description, which stand in the public sources of its server. They are not passed on, for they may quote what was sent.

use pointsman_sdk::prelude::*;

#[derive(Debug, Deserialize)]
#[serde(default)]
struct Answer {
    ok: bool,
    result: Value,
    error_code: Option<u16>,
    description: String,
    parameters: Option<Parameters>,
}

impl Default for Answer {
    fn default() -> Self {
        Self { ok: false, result: Value::Null, error_code: None, description: String::new(), parameters: None }
    }
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Parameters {
    retry_after: Option<u64>,
    migrate_to_chat_id: Option<i64>,
}

/// Why a call gave no result.
#[derive(Debug)]
pub(crate) enum Refusal {
    /// The group has this id from now on: say it there.
    Migrated(i64),
    /// The markup of the text is broken: say it without.
    Markup(Failure),
    /// It is as it should be already.
    Already,
    /// Anything else.
    Failed(Failure),
}

/// The result of a call.
pub(crate) fn check(response: &HttpResponse) -> Result<Value, Refusal> {
    let read = serde_json::from_slice::<Answer>(&response.body).ok();
    let good = (200..=299).contains(&response.status);
    match read {
        Some(Answer { ok: true, result, .. }) if good => Ok(result),
        // An answer with a code of its own; else what stands in the status.
        Some(Answer { ok: false, error_code: Some(code), description, parameters, .. }) => {
            Err(refusal(code, &description.to_lowercase(), parameters.unwrap_or_default(), response))
        }
        _ => Err(refusal(response.status, "", Parameters::default(), response)),
    }
}

fn refusal(code: u16, words: &str, parameters: Parameters, response: &HttpResponse) -> Refusal {
    if let (400, Some(chat)) = (code, parameters.migrate_to_chat_id) {
        return Refusal::Migrated(chat);
    }
    if code == 400 && ["message is not modified", "message to delete not found"].iter().any(|known| words.contains(known)) {
        return Refusal::Already;
    }
    let mut failure = by_words(code, words).unwrap_or_else(|| by_status(code));
    if matches!(failure.fault, Fault::RateLimited | Fault::Retryable) {
        failure.retry_after = parameters.retry_after.map(|s| s.saturating_mul(1_000)).or_else(|| wait(response));
    }
    if failure.code == "entities" { Refusal::Markup(failure) } else { Refusal::Failed(failure) }
}

/// Where the number alone does not say it.
fn by_words(code: u16, words: &str) -> Option<Failure> {
    let says = |known: &[&str]| known.iter().any(|known| words.contains(known));
    let (fault, code, why) = match code {
        400 if says(&["can't parse entities", "can't parse caption entities"]) => {
            (Fault::Rejected, "entities", "the markup of the text is broken: mend it, or leave `parse_mode` out")
        }
        400 if says(&["chat not found", "user not found", "peer_id_invalid", "chat_id is empty", "user_deactivated"]) => {
            (Fault::Unreachable, "400", "there is no such chat, or the person has never written to the bot")
        }
        400 if says(&["group chat was upgraded", "group chat was deactivated", "chat was deleted"]) => {
            (Fault::Unreachable, "400", "the group is gone")
        }
        400 if says(&["rights", "chat_write_forbidden", "chat_admin_required", "topic_closed"]) => {
            (Fault::Rejected, "rights", "the bot lacks the right to do that in this chat: let an administrator grant it")
        }
        400 if says(&["query is too old", "query id is invalid"]) => {
            (Fault::Rejected, "query-too-old", "the press of a button was not answered in time")
        }
        400 if says(&["file is too big"]) => (Fault::Rejected, "too-big", "a bot can fetch files of at most 20 MB"),
        400 if says(&["failed to get http url content", "wrong type of the web page content", "webpage_"]) => {
            (Fault::Rejected, "file-url", "the provider could not fetch the file from its URL, or it is of a wrong type")
        }
        400 if says(&["bad webhook"]) => (
            Fault::Rejected,
            "webhook",
            "the provider refuses the webhook address: it must be public https on 443, 80, 88 or 8443",
        ),
        _ => return None,
    };
    Some(Failure::new(fault, code, why))
}

fn by_status(code: u16) -> Failure {
    let (fault, why) = match code {
        // The path of a call holds the token, so a wrong one is a path that is not there.
        401 | 404 => (Fault::Unauthorized, "the bot's token was refused: give the channel a fresh one"),
        403 => (Fault::Unreachable, "the person blocked the bot or never started it, or the bot was put out of the group"),
        409 => (Fault::Rejected, "another program fetches the bot's updates: end it, or its webhook"),
        413 => (Fault::Rejected, "the file is too big: a bot can send 50 MB, and pictures of 10 MB"),
        429 => (Fault::RateLimited, "too many messages: about 30 a second, one a second to one chat, 20 a minute to a group"),
        // A gateway that lost its server cannot know what that server did.
        502 | 504 => (Fault::Unknown, "the provider's gateway got no answer: it may have been done"),
        408 | 500.. => (Fault::Retryable, "the provider is unwell"),
        200..=299 => (Fault::Unknown, "the provider's answer makes no sense: it may have been done"),
        _ => (Fault::Rejected, "the provider refused the request"),
    };
    Failure::new(fault, code.to_string(), why)
}

/// `retry-after` in seconds.
fn wait(response: &HttpResponse) -> Option<u64> {
    Some(response.header("retry-after")?.trim().parse::<u64>().ok()?.saturating_mul(1_000))
}

/// The answer to the request for the bytes of a file, which has no form of its own.
pub(crate) fn check_file(response: &HttpResponse) -> Result<(), Failure> {
    match response.status {
        200..=299 => Ok(()),
        404 => Err(Failure::rejected("no-file", "the file is no longer there")),
        other => Err(by_status(other)),
    }
}

#[cfg(test)]
mod tests {
    use pointsman_sdk::prelude::*;

    use super::{Refusal, check, check_file};

    fn answer(status: u16, body: &str) -> HttpResponse {
        HttpResponse { status, headers: vec![], body: body.into(), kept: None }
    }

    fn refused(code: u16, words: &str) -> Failure {
        let body = json!({ "ok": false, "error_code": code, "description": words }).to_string();
        match check(&answer(code, &body)) {
            Err(Refusal::Failed(failure) | Refusal::Markup(failure)) => failure,
            other => panic!("{words}: {other:?}"),
        }
    }

    #[test]
    fn every_refusal_has_its_word() {
        for (code, words, fault) in [
            (400, "Bad Request: chat not found", Fault::Unreachable),
            (400, "Bad Request: PEER_ID_INVALID", Fault::Unreachable),
            (400, "Bad Request: group chat was upgraded to a supergroup chat", Fault::Unreachable),
            (400, "Bad Request: can't parse entities: Unsupported start tag", Fault::Rejected),
            (400, "Bad Request: message text is empty", Fault::Rejected),
            (400, "Bad Request: not enough rights to send text messages to the chat", Fault::Rejected),
            (400, "Bad Request: query is too old and response timeout expired or query ID is invalid", Fault::Rejected),
            (400, "Bad Request: file is too big", Fault::Rejected),
            (400, "Bad Request: bad webhook: An HTTPS URL must be provided for webhook", Fault::Rejected),
            (401, "Unauthorized", Fault::Unauthorized),
            (404, "Not Found", Fault::Unauthorized),
            (403, "Forbidden: bot was blocked by the user", Fault::Unreachable),
            (403, "Forbidden: user is deactivated", Fault::Unreachable),
            (403, "Forbidden: bot can't initiate conversation with a user", Fault::Unreachable),
            (403, "Forbidden: bot was kicked from the supergroup chat", Fault::Unreachable),
            (409, "Conflict: can't use getUpdates method while webhook is active", Fault::Rejected),
            (413, "Request Entity Too Large", Fault::Rejected),
            (429, "Too Many Requests: retry after 5", Fault::RateLimited),
            (500, "Internal Server Error: restart", Fault::Retryable),
            (502, "Bad Gateway", Fault::Unknown),
        ] {
            let failure = refused(code, words);
            assert_eq!(failure.fault, fault, "{words}");
            assert!(!failure.message.contains(words), "the provider's words are not passed on");
        }
    }

    #[test]
    fn an_answer_of_another_form_goes_by_its_status() {
        let fault = |status, body: &str| match check(&answer(status, body)) {
            Err(Refusal::Failed(failure)) => failure.fault,
            other => panic!("{status} {body}: {other:?}"),
        };
        assert_eq!(fault(500, "oops"), Fault::Retryable);
        assert_eq!(fault(502, "<html>"), Fault::Unknown);
        assert_eq!(fault(504, ""), Fault::Unknown);
        assert_eq!(fault(302, ""), Fault::Rejected);
        assert_eq!(fault(200, "<html>"), Fault::Unknown);
        assert_eq!(fault(200, "{}"), Fault::Unknown);
        assert_eq!(fault(500, r#"{"ok":true}"#), Fault::Retryable);
        assert_eq!(fault(200, r#"{"ok":false,"error_code":403}"#), Fault::Unreachable);
        assert_eq!(fault(200, r#"{"ok":"yes"}"#), Fault::Unknown);
        assert_eq!(check(&answer(200, r#"{"ok":true,"result":true}"#)).unwrap(), json!(true));
    }

    #[test]
    fn the_wait_is_the_one_that_was_told() {
        let wait = |body: &str, headers: &[(&str, &str)]| {
            let headers = headers.iter().map(|(n, v)| Header { name: (*n).into(), value: (*v).into() }).collect();
            match check(&HttpResponse { headers, ..answer(429, body) }) {
                Err(Refusal::Failed(failure)) => failure.retry_after,
                other => panic!("{other:?}"),
            }
        };
        assert_eq!(wait(r#"{"ok":false,"error_code":429,"parameters":{"retry_after":7}}"#, &[("retry-after", "9")]), Some(7_000));
        assert_eq!(wait("", &[("retry-after", "9")]), Some(9_000));
        assert_eq!(wait("", &[("retry-after", "soon")]), None);
        let huge = format!(r#"{{"ok":false,"error_code":429,"parameters":{{"retry_after":{}}}}}"#, u64::MAX);
        assert_eq!(wait(&huge, &[]), Some(u64::MAX));
    }

    #[test]
    fn a_file_that_is_gone_is_no_bad_token() {
        assert!(check_file(&answer(200, "")).is_ok());
        assert_eq!(check_file(&answer(404, "")).unwrap_err().fault, Fault::Rejected);
        assert_eq!(check_file(&answer(401, "")).unwrap_err().fault, Fault::Unauthorized);
        assert_eq!(check_file(&answer(503, "")).unwrap_err().fault, Fault::Retryable);
    }
}
