//! The provider's error codes, as what the host can do about them. Decided by code, never by text; the provider's text is
//! not passed on, for it may quote what was sent.
//!
//! Sources: the Cloud API's error code page, and pywa's `errors.py`.

use pointsman_sdk::prelude::*;

#[derive(Debug, Deserialize)]
struct Answer {
    error: Option<GraphError>,
}

#[derive(Debug, Deserialize)]
struct GraphError {
    code: Option<i64>,
    #[serde(default)]
    is_transient: bool,
}

/// Whether an answer is good; if not, why.
pub(crate) fn check(response: &HttpResponse) -> Result<(), Failure> {
    let error = serde_json::from_slice::<Answer>(&response.body).ok().and_then(|a| a.error);
    let mut failure = match (response.status, error) {
        (200..=299, None) => return Ok(()),
        (status, Some(e)) => by_code(e.code.unwrap_or(-1), e.is_transient, status),
        (status, None) => by_status(status),
    };
    if matches!(failure.fault, Fault::RateLimited | Fault::Retryable) {
        failure.retry_after = wait(response).or(failure.retry_after);
    }
    Err(failure)
}

/// By the code of a Graph error, whether it came at once or later in a failed status.
pub(crate) fn by_code(code: i64, transient: bool, status: u16) -> Failure {
    let (fault, why) = match code {
        0 | 190 => (Fault::Unauthorized, "the access token was refused: give the channel a fresh one"),
        3 | 10 | 131_005 | 200..=299 => {
            (Fault::Rejected, "the token lacks a permission: grant whatsapp_business_messaging to its system user")
        }
        4 | 17 | 32 | 613 | 80_007 | 130_429 | 131_064 | 133_016 => (Fault::RateLimited, "too many requests for this account"),
        131_048 => (Fault::RateLimited, "sending is slowed down because people blocked or reported this number"),
        131_056 => (Fault::RateLimited, "too many messages to one contact: about one in six seconds may go"),
        1 | 2 | 131_000 | 131_016 | 131_057 | 135_000 => (Fault::Retryable, "the provider could not do it just now"),
        131_053 => (Fault::Retryable, "the provider could not fetch or read the file"),
        131_047 => (Fault::WindowClosed, "more than 24 hours since the contact's last message: only a template may go"),
        131_026 | 551 => (Fault::Unreachable, "the contact cannot be reached on WhatsApp"),
        131_031 | 368 | 131_042 => (Fault::Revoked, "the account is restricted or its payment failed: see the WhatsApp Manager"),
        131_030 => (Fault::Rejected, "a test number sends only to the recipients listed in the app's dashboard"),
        131_049 | 130_472 => (Fault::Rejected, "the provider does not deliver this marketing message to the contact"),
        131_050 => (Fault::Rejected, "the contact has stopped marketing messages"),
        131_051 => (Fault::Rejected, "the provider does not know this type of message"),
        131_062 => (Fault::Rejected, "this type of message cannot go to a contact known by a username alone"),
        132_000..=132_016 => {
            (Fault::Rejected, "the template does not exist in this language, is paused, or takes other parameters")
        }
        100 | 131_008 | 131_009 => (Fault::Rejected, "the provider refused a parameter of the request"),
        _ if transient => (Fault::Retryable, "the provider could not do it just now"),
        _ if status != 400 && status != 200 => return Failure { code: code.to_string(), ..by_status(status) },
        _ => (Fault::Rejected, "the provider refused the request"),
    };
    let failure = Failure::new(fault, code.to_string(), why);
    if code == 131_056 { failure.after(6_000) } else { failure }
}

/// By the status alone, when there is no Graph error to read.
fn by_status(status: u16) -> Failure {
    let (fault, why) = match status {
        401 => (Fault::Unauthorized, "the access token was refused: give the channel a fresh one"),
        429 => (Fault::RateLimited, "too many requests for this account"),
        // A gateway that lost its server cannot know what that server did.
        502 | 504 => (Fault::Unknown, "the provider's gateway got no answer: it may have been done"),
        408 | 500.. => (Fault::Retryable, "the provider is unwell"),
        200..=299 => (Fault::Unknown, "the provider's answer makes no sense: it may have been done"),
        _ => (Fault::Rejected, "the provider refused the request"),
    };
    Failure::new(fault, status.to_string(), why)
}

/// How long the provider asks to wait: `retry-after` in seconds, or the minutes to regain access in its usage headers.
fn wait(response: &HttpResponse) -> Option<u64> {
    let told = response.header("retry-after").and_then(|v| v.trim().parse::<u64>().ok()).map(|s| s.saturating_mul(1_000));
    told.or_else(|| {
        let usage: Value = serde_json::from_str(response.header("x-business-use-case-usage")?).ok()?;
        let all = usage.as_object()?.values().filter_map(Value::as_array).flatten();
        let minutes = all.filter_map(|u| u.get("estimated_time_to_regain_access")?.as_u64()).max()?;
        (minutes > 0).then(|| minutes.saturating_mul(60_000))
    })
}

#[cfg(test)]
mod tests {
    use pointsman_sdk::prelude::*;

    use super::{by_code, check};

    fn response(status: u16, headers: &[(&str, &str)], body: &str) -> HttpResponse {
        let headers = headers.iter().map(|(n, v)| Header { name: (*n).into(), value: (*v).into() }).collect();
        HttpResponse { status, headers, body: body.into(), kept: None }
    }

    /// Every code that the facts name, with what they say about it.
    #[test]
    fn every_known_code_has_its_word() {
        let table: &[(Fault, &[i64])] = &[
            (Fault::RateLimited, &[4, 17, 32, 613, 80_007, 130_429, 131_048, 131_056, 133_016, 131_064]),
            (Fault::Retryable, &[1, 2, 131_000, 131_016, 131_053, 131_057, 135_000]),
            (Fault::WindowClosed, &[131_047]),
            (Fault::Unreachable, &[131_026, 551]),
            (Fault::Revoked, &[131_031, 368, 131_042]),
            (Fault::Unauthorized, &[0, 190]),
            (
                Fault::Rejected,
                &[3, 10, 100, 200, 299, 130_472, 131_005, 131_008, 131_009, 131_030, 131_049, 131_050, 131_051, 131_062],
            ),
            (Fault::Rejected, &[132_000, 132_001, 132_005, 132_007, 132_012, 132_015, 132_016, 137_000]),
        ];
        for (fault, codes) in table {
            for code in *codes {
                let failure = by_code(*code, false, 400);
                assert_eq!((failure.fault, failure.code.as_str()), (*fault, code.to_string().as_str()));
            }
        }
    }

    #[test]
    fn an_answer_without_a_known_code_goes_by_its_status() {
        let fault = |status, body: &str| check(&response(status, &[], body)).unwrap_err().fault;
        assert_eq!(fault(500, "oops"), Fault::Retryable);
        assert_eq!(fault(503, ""), Fault::Retryable);
        assert_eq!(fault(502, "<html>"), Fault::Unknown);
        assert_eq!(fault(504, ""), Fault::Unknown);
        assert_eq!(fault(429, ""), Fault::RateLimited);
        assert_eq!(fault(401, "{}"), Fault::Unauthorized);
        assert_eq!(fault(302, ""), Fault::Rejected);
        assert_eq!(fault(400, r#"{"error":{"code":999999}}"#), Fault::Rejected);
        assert_eq!(fault(400, r#"{"error":{"code":999999,"is_transient":true}}"#), Fault::Retryable);
        assert_eq!(fault(503, r#"{"error":{"code":999999}}"#), Fault::Retryable);
        assert_eq!(fault(200, r#"{"error":{"code":190}}"#), Fault::Unauthorized);
        assert!(check(&response(200, &[], "{}")).is_ok());
    }

    #[test]
    fn the_wait_is_the_one_that_was_told() {
        let wait = |headers: &[(&str, &str)], code: i64| {
            check(&response(400, headers, &json!({ "error": { "code": code } }).to_string())).unwrap_err().retry_after
        };
        assert_eq!(wait(&[], 130_429), None);
        assert_eq!(wait(&[], 131_056), Some(6_000));
        assert_eq!(wait(&[("retry-after", "7")], 131_056), Some(7_000));
        assert_eq!(wait(&[("retry-after", "soon")], 130_429), None);
        let usage = r#"{"1":[{"estimated_time_to_regain_access":3},{"estimated_time_to_regain_access":5}]}"#;
        assert_eq!(wait(&[("x-business-use-case-usage", usage)], 80_007), Some(300_000));
        assert_eq!(wait(&[("retry-after", "7")], 131_026), None);
    }

    #[test]
    fn the_providers_words_are_not_passed_on() {
        let failure = check(&response(400, &[], r#"{"error":{"code":100,"message":"bad text: my secret"}}"#)).unwrap_err();
        assert!(!format!("{failure:?}").contains("secret"));
    }
}
